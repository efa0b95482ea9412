//! The one instruction behind [`prefetch`].

#![allow(unsafe_code, reason = "an instruction that no safe wrapper offers")]

/// Asks the processor to bring `size` bytes from the address `at` on into its cache, so that later accesses need not wait for
/// one line after the other. What is there does not matter, nor whether anything is.
#[inline]
pub fn prefetch(at: usize, size: usize) {
    /// Bytes of a line of the cache.
    const LINE: usize = 64;
    let mut line = at & !(LINE - 1);
    let end = at.wrapping_add(size);
    while line < end {
        // SAFETY: the instruction is a hint: it neither reads nor faults, whatever the address is.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(std::ptr::without_provenance(line));
        }
        line = line.wrapping_add(LINE);
    }
}
