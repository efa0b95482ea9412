#![doc = include_str!("../README.md")]

pub mod event;
pub mod spec;
pub mod wire;

pub use event::{Input, Output};
