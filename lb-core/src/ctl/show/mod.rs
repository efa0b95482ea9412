//! The `show` commands.

pub(super) mod errors;
pub(super) mod events;
pub(super) mod misc;
pub(super) mod servers;
pub(super) mod sess;
pub(super) mod stat;
