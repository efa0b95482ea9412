//! Questions about whole clusters: what a failure does to the priority, whether the other node then takes over, and
//! whether two nodes' files fit together.
//!
//! Everything is computed from the files; nothing is measured.

mod peer;
mod priority;

pub use peer::compare_peers;
pub use priority::{Effect, Priorities, priorities};

use crate::codes;
use crate::config::{Config, Index};
use lb_core::diag::{Diagnostic, Diagnostics};

/// Trackers of one file whose failure cannot change anything, whatever the other node does.
pub fn failover(config: &Config) -> Diagnostics {
    let mut out = Diagnostics::new();
    let index = Index::new(config);
    for instance in &config.instances {
        let found = priority::with_index(config, &index, instance);
        for effect in found.effects.iter().filter(|e| !e.fault && e.failed == found.healthy) {
            let message = format!("a failure of the {} `{}` changes nothing", effect.what, effect.name);
            out.push(Diagnostic::warning(codes::NO_FAILOVER, effect.span, message).note(format!(
                "the priority of `{}` is {} with and without it; it cannot be below 1 or above 254",
                instance.name.value, found.healthy
            )));
        }
    }
    out
}

#[cfg(test)]
mod tests;
