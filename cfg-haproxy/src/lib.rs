#![doc = include_str!("../README.md")]

pub mod codes;
pub mod cond;
pub mod env;
pub mod formats;
pub mod keyword;
mod lex;
mod parse;
pub mod section;
pub mod suggest;
pub mod tree;
pub mod units;

pub use env::{Env, Facts, NoEnv};
pub use parse::{Source, parse};
pub use tree::Tree;
