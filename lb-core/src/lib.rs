#![doc = include_str!("../README.md")]

pub mod addr;
pub mod diag;
pub mod name;
