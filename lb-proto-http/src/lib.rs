#![doc = include_str!("../README.md")]

pub mod answer;
pub mod auth;
pub mod check;
pub mod cookie;
pub mod crypt;
pub mod fetch;
pub mod h1;
pub mod head;
pub mod layer;
pub mod persist;
pub mod rule;
pub mod spec;
