#![doc = include_str!("../README.md")]

pub mod address;
mod base;
mod check;
mod cipher;
pub mod codes;
pub mod command_line;
pub mod cond;
pub mod config;
mod crt_list;
pub mod dump;
pub mod env;
pub mod formats;
#[doc(hidden)]
pub mod fuzzing;
pub mod host;
pub mod keyword;
mod legacy;
mod lex;
mod load;
mod lower;
pub mod migrate;
mod owners;
mod parse;
pub mod runtime;
pub mod section;
pub mod suggest;
pub mod tree;
pub mod units;

pub use check::check;
pub use config::Config;
pub use env::{Env, Facts, NoEnv, VERSION};
pub use host::{FileKind, Files, Host, Names};
pub use load::{Loaded, load, render};
pub use lower::{Lowered, Origins, lower};
pub use owners::unowned;
pub use parse::{Source, parse};
pub use tree::Tree;
