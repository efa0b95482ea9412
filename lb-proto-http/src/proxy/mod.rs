//! The HTTP proxy on tokio.
//!
//! An idle client connection is a small task: its socket, its timer and references to the plan. When bytes arrive, the
//! exchange runs in a box that is taken from a list of its thread and given back when the connection turns idle again;
//! the box holds the buffers, the parsed messages and the scratch areas, so a request allocates nothing once they are
//! warm. Idle connections to servers are kept per thread, too.

#![expect(clippy::disallowed_methods, reason = "drivers read the clock and open sockets")]

mod body;
mod client;
mod coding;
mod content;
mod deliver;
mod exchange;
mod flow;
mod handover;
mod identity;
mod idle;
mod io;
mod log;
mod observed;
mod reply;
mod request;
mod resolve;
mod response;
mod runner;
mod stats;
mod tunnel;
mod txn;
mod unread;
mod upload;
mod upstream;

use std::sync::Arc;

use lb_core::rt::{BoxFuture, Connection, Protocol};
use lb_core::spec::{ProtocolSpec, TcpProxy};

use crate::spec::HttpProxy;

/// The driver of [`HttpProxy`], for [`lb_core::rt::Server::new`].
pub fn factory(spec: &dyn ProtocolSpec) -> Option<Arc<dyn Protocol>> {
    // What a proxy is configured to do is found through the plan of each connection.
    spec.as_any().is::<HttpProxy>().then(|| Arc::new(Http) as _)
}

#[derive(Debug)]
struct Http;

impl Protocol for Http {
    fn serve(self: Arc<Self>, connection: Connection) -> BoxFuture<'static, ()> {
        Box::pin(client::Serve::new(client::Client::new(connection)))
    }
}

/// What a frontend is configured to do with HTTP, also one in TCP mode whose sessions go on with it.
fn front_of(spec: &dyn ProtocolSpec) -> Option<&HttpProxy> {
    http_of(spec).or_else(|| http_of(spec.as_any().downcast_ref::<TcpProxy>()?.upgrade.as_deref()?))
}

/// The specification of a proxy, if it speaks HTTP.
fn http_of(spec: &dyn ProtocolSpec) -> Option<&HttpProxy> {
    spec.as_any().downcast_ref()
}
