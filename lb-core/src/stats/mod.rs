//! Statistics: counters, the columns of `show stat`, snapshots of the engine's state and their textual forms.
//!
//! The engine counts in [`counter`] sets and, when somebody asks, fills [`snapshot::ProxySnapshot`]s. A snapshot turns
//! into [`field::Row`]s, one value per column, which [`render`] writes out. Nothing here knows how the answer travels.

pub mod admin;
pub mod counter;
pub mod field;
pub mod info;
pub mod page;
pub mod render;
mod rows;
pub mod snapshot;
pub mod status;
