#![doc = include_str!("../README.md")]

pub mod check;
pub mod client;
pub mod command;
#[doc(hidden)]
pub mod fuzzing;
pub mod mail;
#[cfg(feature = "tokio")]
pub mod proxy;
pub mod reply;
pub mod server;
