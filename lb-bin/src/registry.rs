//! What this program contains: fetches, converters, protocols, and the facts conditions may ask for.

use crate::args::RunArgs;
use crate::version;
use crate::world::World;
use cfg_haproxy::Facts;
use lb_core::expr::Registry;
use lb_core::rt::{Dialect, ServerOptions};
use lb_core::spec::VariableValue;
use std::sync::Arc;

/// All fetches, converters and ACLs.
pub(crate) fn registry() -> Registry {
    let mut registry = Registry::builtin();
    lb_proto_http::fetch::register(&mut registry);
    registry
}

/// The drivers of all protocols, reading certificates from `world`.
pub(crate) fn options(workers: usize, world: &World) -> ServerOptions {
    let mut options = ServerOptions::new(workers).protocol(lb_proto_http::proxy::factory);
    options.product = version::PRODUCT;
    options.dialect = Some(Arc::new(Words(registry())));
    #[cfg(feature = "tls")]
    {
        options.files = Box::new(world.clone());
    }
    #[cfg(not(feature = "tls"))]
    let _ = world;
    options
}

/// Reads what commands say in words of an haproxy.cfg.
#[derive(Debug)]
struct Words(Registry);

impl Dialect for Words {
    fn value(&self, words: &[String], format: bool) -> Result<VariableValue, String> {
        cfg_haproxy::runtime::variable(words, format, &self.0)
    }
}

/// What `.if feature(…)` and its like may ask.
pub(crate) fn facts(_args: &RunArgs) -> Facts {
    Facts::default()
}
