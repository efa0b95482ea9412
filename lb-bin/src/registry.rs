//! What this program contains: fetches, converters, protocols, and the facts conditions may ask for.

use crate::args::RunArgs;
use crate::version;
use crate::world::World;
use cfg_haproxy::Facts;
use lb_core::expr::Registry;
use lb_core::rt::ServerOptions;

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
    #[cfg(feature = "tls")]
    {
        options.files = Box::new(world.clone());
    }
    #[cfg(not(feature = "tls"))]
    let _ = world;
    options
}

/// What `.if feature(…)` and its like may ask.
pub(crate) fn facts(_args: &RunArgs) -> Facts {
    Facts::default()
}
