//! What this program contains: fetches, converters and protocols.

use crate::version;
use crate::world::{ProcessEnv, World};
use cfg_haproxy::{Host, Tree, runtime};
use lb_core::expr::Registry;
use lb_core::rt::{Dialect, ServerOptions};
use lb_core::spec::{ProxySpec, ServerSpec, VariableValue};
use std::sync::Arc;

/// All fetches, converters and ACLs.
pub(crate) fn registry() -> Registry {
    let mut registry = Registry::builtin();
    lb_proto_http::fetch::register(&mut registry);
    registry
}

/// The drivers of all protocols, reading certificates from `world`.
pub(crate) fn options(workers: usize, world: &World, tree: Arc<Tree>) -> ServerOptions {
    let mut options = ServerOptions::new(workers).protocol(lb_proto_http::proxy::factory);
    options.product = version::PRODUCT;
    options.in_place = true;
    options.dialect = Some(Arc::new(Words { registry: registry(), tree, world: world.clone() }));
    #[cfg(feature = "tls")]
    {
        options.files = Box::new(world.files().clone());
    }
    options
}

/// Reads what commands say in words of an haproxy.cfg.
#[derive(Debug)]
struct Words {
    registry: Registry,
    /// The configuration that runs.
    tree: Arc<Tree>,
    world: World,
}

impl Dialect for Words {
    fn value(&self, words: &[String], format: bool) -> Result<VariableValue, String> {
        runtime::variable(words, format, &self.registry)
    }

    fn server(&self, backend: &ProxySpec, name: &str, words: &[String]) -> Result<ServerSpec, String> {
        let host = Host { files: &self.world, names: &self.world };
        runtime::server(&self.tree, backend.name.as_str(), name, words, &self.registry, host, &ProcessEnv)
    }
}
