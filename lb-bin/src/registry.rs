//! What this program contains: fetches, converters and protocols.

use crate::version;
use crate::world::{ProcessEnv, World};
use cfg_haproxy::Tree;
use cfg_haproxy::runtime::Reader;
use lb_core::expr::Registry;
use lb_core::rt::ServerOptions;
use std::sync::Arc;

/// All fetches, converters and ACLs.
pub(crate) fn registry() -> Registry {
    let mut registry = Registry::builtin();
    lb_proto_http::fetch::register(&mut registry);
    registry
}

/// The drivers of all protocols, reading certificates from `world`.
pub(crate) fn options(world: &World, tree: Arc<Tree>) -> ServerOptions {
    let mut options = ServerOptions::new(0).protocol(lb_proto_http::proxy::factory);
    options.product = version::PRODUCT;
    options.in_place = true;
    options.dialect = Some(Arc::new(Reader::new(registry(), tree, world.clone(), ProcessEnv)));
    #[cfg(feature = "tls")]
    {
        options.files = Box::new(world.files.clone());
    }
    options
}
