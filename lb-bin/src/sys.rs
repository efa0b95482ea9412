//! Memory: what the allocator offers and no safe crate wraps, and how to use little of it.
#![allow(unsafe_code, reason = "one call of the allocator, argued below")]

pub(crate) use lb_core::process::apart;
use std::sync::atomic::{AtomicU32, Ordering};

unsafe extern "C" {
    /// Of the allocator this program is linked with.
    safe fn mi_collect(force: bool);
}

/// Gives back what reading a configuration needed, code included, and what else this thread has freed. To be called now and
/// then by a process that mostly waits: the allocator looks at what was freed only when more is asked of it. Looking costs
/// time, so it happens soon after the start and ever more rarely from then on.
pub(crate) fn give_back_memory() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let calls = CALLS.fetch_add(1, Ordering::Relaxed);
    if calls.is_power_of_two() {
        lb_core::process::let_go();
    }
    if calls.is_power_of_two() || calls.is_multiple_of(128) {
        mi_collect(true);
    }
}
