//! Converters.
use super::registry::Registry;
pub(super) fn register(_registry: &mut Registry) {}
