//! Checks of this dialect that the other crates do not have: several in a row, datagrams, echo requests, programs.

mod exchange;
mod file;
mod program;
mod sequence;
mod session;
#[cfg(test)]
mod tests;
mod together;
mod weigh;

pub(crate) use exchange::{Exchange, Judge};
pub(crate) use file::FileNumber;
pub(crate) use program::Program;
pub(crate) use sequence::{Elsewhere, Sequence};
pub(crate) use session::Session;
pub(crate) use together::{Member, Together};
pub(crate) use weigh::Scale;
