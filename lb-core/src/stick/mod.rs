//! Stick tables: counters, rates, tags and servers remembered by key (manual 11.1).
//!
//! [`Table`] is the plain structure. [`SharedTable`] splits it over a few locks, so that the
//! workers of a process share it; [`Tracked`] is a hold on one entry, kept while a connection or
//! request is counted there.

mod order;
pub mod rate;
mod shared;
mod slots;
mod spec;
mod sticky;
mod table;
mod track;

pub use shared::SharedTable;
pub use slots::Slots;
pub use spec::{DataType, Key, KeyType, Store, TableSpec};
pub use sticky::{Pending, Remembered};
pub use table::{EntryId, EntryView, Table};
pub use track::{Event, Tracked};
