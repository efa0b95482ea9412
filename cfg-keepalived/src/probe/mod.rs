//! Checks of this dialect that the other crates do not have: several in a row, datagrams, echo requests, programs.

mod exchange;
mod program;
mod sequence;
#[cfg(test)]
mod tests;

pub(crate) use exchange::{Exchange, Judge};
pub(crate) use program::Program;
pub(crate) use sequence::{Elsewhere, Sequence};
