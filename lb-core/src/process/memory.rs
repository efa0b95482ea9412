//! What this process holds of the machine's memory.

use std::hint::black_box;

/// More than the allocator's small and middling areas hold, and less than it maps separately.
const BLOCK: usize = 512 * 1024;

/// Whether large pages may back the memory of this process and of those it starts. What moves bytes is faster with them; a
/// process that mostly waits would only hold more than it uses.
pub fn large_pages(wanted: bool) {
    // Older kernels cannot be told, and lose nothing but the saving.
    let _ = rustix::thread::disable_transparent_huge_pages(!wanted);
}

/// Gives back what reading a configuration needed. The allocator keeps freed areas for some milliseconds and looks at them
/// again only when it takes or gives back another one, which a process that mostly waits does not do.
pub fn give_back_memory() {
    drop(black_box(Vec::<u8>::with_capacity(BLOCK)));
}
