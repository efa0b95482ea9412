#![doc = include_str!("../README.md")]

pub mod answer;
pub mod auth;
pub mod check;
pub mod compress;
pub mod cookie;
pub mod crypt;
pub mod exchange;
pub mod fetch;
pub mod forwarded;
#[doc(hidden)]
pub mod fuzzing;
pub mod h1;
pub mod head;
pub mod layer;
pub mod normalize;
pub mod persist;
#[cfg(feature = "tokio")]
pub mod proxy;
pub mod rule;
pub mod spec;
