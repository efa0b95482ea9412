#![doc = include_str!("../README.md")]

pub mod h1;
pub mod head;
