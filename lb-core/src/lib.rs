#![doc = include_str!("../README.md")]

pub mod addr;
pub mod balance;
pub mod bandwidth;
#[cfg_attr(not(feature = "tokio"), expect(unreachable_pub, reason = "the drivers offer it to protocols"))]
mod cache;
pub mod companion;
pub mod ctl;
pub mod deadline;
pub mod diag;
pub mod dns;
pub mod engine;
pub mod expr;
#[doc(hidden)]
pub mod fuzzing;
pub mod health;
mod heap;
pub mod log;
pub mod name;
pub mod pool;
#[cfg(feature = "process")]
pub mod process;
pub mod proxyproto;
pub mod rng;
#[cfg(feature = "tokio")]
pub mod rt;
pub mod rule;
pub mod spec;
pub mod stats;
pub mod stick;
#[cfg(feature = "tls")]
pub mod tls;
pub mod udp;
