#![doc = include_str!("../README.md")]

pub mod addr;
pub mod balance;
pub mod diag;
pub mod health;
pub mod name;
#[cfg(feature = "tokio")]
pub mod rt;
pub mod spec;
