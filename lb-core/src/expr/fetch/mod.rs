//! Fetches that need no message protocol (manual 7.3.2 to 7.3.5).

mod connection;
mod constant;
mod hello;
mod internal;
mod payload;
mod rdp;
mod stick;
mod tls;
mod x509;

#[cfg(feature = "tokio")]
pub(crate) use rdp::rdp_cookie;
pub(crate) use stick::{Target, byte_rate};
pub(crate) use x509::common_name;

use super::registry::Registry;

/// Adds every fetch and ACL keyword of this crate.
pub(super) fn register(registry: &mut Registry) {
    registry.add_fetches(constant::FETCHES);
    registry.add_fetches(internal::FETCHES);
    registry.add_fetches(connection::FETCHES);
    registry.add_fetches(tls::FETCHES);
    registry.add_fetches(x509::CLIENT);
    registry.add_fetches(x509::FRONT);
    registry.add_fetches(x509::SERVER);
    registry.add_fetches(payload::FETCHES);
    registry.add_fetches(stick::COUNTERS);
    registry.add_fetches(stick::ARRAYS);
    registry.add_fetches(stick::OTHERS);
    registry.add_acls(payload::ACLS);
    registry.add_acls(tls::ACLS);
}
