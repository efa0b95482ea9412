//! Lists of patterns and maps, as operators see them.

use crate::expr::map::Reference;
use std::sync::Arc;

/// A list of patterns that the control socket knows.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PatternList {
    /// The number it is called by, `#4`.
    pub id: u32,
    /// The name it is called by, usually a file's; empty for patterns written in place.
    pub name: Arc<str>,
    /// Where it comes from and what uses it.
    pub description: Arc<str>,
    /// The list.
    pub reference: Arc<Reference>,
}

impl PatternList {
    /// A list.
    pub fn new(
        id: u32,
        name: impl Into<Arc<str>>,
        description: impl Into<Arc<str>>,
        reference: Arc<Reference>,
    ) -> Self {
        Self { id, name: name.into(), description: description.into(), reference }
    }
}
