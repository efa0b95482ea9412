#![doc = include_str!("../README.md")]

pub mod advert;
pub mod bfd;
pub mod dump;
pub mod event;
#[doc(hidden)]
pub mod fuzzing;
mod garp;
mod group;
mod instance;
mod link;
#[cfg(feature = "linux")]
pub mod linux;
mod outbox;
mod router;
pub mod snmp;
pub mod spec;
pub mod stats;
pub mod timer;
mod track;
pub mod wire;

pub use event::{Input, Output};
pub use router::{Memory, RememberedInstance, Router};
pub use spec::{Spec, SpecError};
