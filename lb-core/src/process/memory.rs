//! What this process holds of the machine's memory.

use std::hint::black_box;
use std::sync::{Mutex, PoisonError};

/// More than the allocator's small and middling areas hold, and less than it maps separately.
const BLOCK: usize = 512 * 1024;

/// Held from one call to the next. It is never written to, so that it takes no memory.
static BALLAST: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Gives back what reading a configuration needed. To be called now and then by a process that mostly waits.
///
/// The allocator keeps freed areas for some milliseconds and looks at them again only when a later area is freed; one that
/// is taken meanwhile lets it wait anew. So every other call takes an area, and the one after it frees it.
pub fn give_back_memory() {
    let mut ballast = BALLAST.lock().unwrap_or_else(PoisonError::into_inner);
    *ballast = if ballast.capacity() == 0 { black_box(Vec::with_capacity(BLOCK)) } else { Vec::new() };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_call_frees_what_the_one_before_it_took() {
        let held = || BALLAST.lock().unwrap().capacity();
        give_back_memory();
        assert_eq!(held(), BLOCK);
        give_back_memory();
        assert_eq!(held(), 0);
    }
}
