//! Flows of datagrams: what takes the place of connections where a protocol has none.
//!
//! A flow is what one client exchanges with one server. [`Flows`] is the plain table of a listener's flows; the driver
//! (`rt::udp`) moves the datagrams. Linux's IPVS keeps such a table in the kernel, without a bound.

mod flows;

pub use flows::{FlowKey, Flows};
