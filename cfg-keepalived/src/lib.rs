#![doc = include_str!("../README.md")]

pub mod analysis;
mod block;
mod check;
pub mod codes;
pub mod command_line;
pub mod config;
mod defs;
mod env;
#[doc(hidden)]
pub mod fuzzing;
mod include;
pub mod keyword;
pub mod lex;
mod load;
mod lower;
mod mapped;
mod probe;
mod reader;
mod seq;
mod suggest;
mod tree;
mod value;
mod watch;
mod word;

pub use check::check;
pub use config::Config;
pub use env::{Env, InMemory, Included, NoIncludes, Program, Source, Sources, StaticEnv};
pub use load::{Loaded, load, render, test_exit_code};
pub use lower::{Lowered, lower, services};
pub use tree::{Content, Statement, Tree, ValueLine};
pub use watch::Watch;
pub use word::Word;

use lb_core::diag::Diagnostics;

/// Reads a configuration: the tree, and what is wrong with its structure. Never fails.
pub fn parse(name: &str, text: &str, sources: &mut dyn Sources, env: &dyn Env) -> (Tree, Diagnostics) {
    let (tree, diagnostics, _) = load::parse(name, text, sources, env);
    (tree, diagnostics)
}
