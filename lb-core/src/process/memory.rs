//! Memory that a process which mostly waits can do without.

use super::sys;
use std::ops::Range;

/// Does something in a frame of the stack that holds nothing else. Where one function calls the whole of a program or of
/// another, its own frame would have room for the largest of all of these, for as long as the program runs.
#[inline(never)]
pub fn framed<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// Does something on a thread of its own. Its heap goes with it, where what is forgotten and what stays would share pages
/// otherwise, and the pages would stay for a few bytes each.
pub fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(work).join().unwrap_or_else(|p| std::panic::resume_unwind(p)))
}

/// Room that is left below the frames of the calling thread.
const STACK_ROOM: usize = 16 * 1024;

/// Lets go of what only the start needed. Code and constants of the program and of its libraries: what is used again is
/// mapped again, from the file, a few pages at a time. And the lower end of the main thread's stack: reading a
/// configuration went much deeper than anything that follows. Costs the next run of everything a page fault, so it is for
/// processes that wait.
pub fn let_go() {
    // Of what the kernel does not tell nothing is let go.
    let maps = std::fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    for range in unchanged(&maps) {
        sys::drop_pages(range);
    }
    sys::drop_unused_stack(|here| unused_stack(&maps, here, sys::page_size()));
}

/// The whole pages of the main thread's stack that lie well below `here`, an address in the frame of a thread; none if that
/// is another thread.
fn unused_stack(maps: &str, here: usize, page: usize) -> Option<Range<usize>> {
    let (range, _) = maps.lines().find(|line| line.ends_with("[stack]"))?.split_once(' ')?;
    let (from, to) = range.split_once('-')?;
    let stack = usize::from_str_radix(from, 16).ok()?..usize::from_str_radix(to, 16).ok()?;
    let unused = stack.start..here.checked_sub(STACK_ROOM)? & !(page - 1);
    (stack.contains(&here) && !unused.is_empty()).then_some(unused)
}

/// Where the pages of files lie that nobody can write to and nobody has written to. Tables that were filled in with addresses
/// when a program was loaded have been.
fn unchanged(maps: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut candidate = None;
    for line in maps.lines() {
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            // Written pages of a private mapping are the file's no longer, wherever they are.
            Some("Anonymous:") => candidate = candidate.filter(|_| words.next() == Some("0")),
            Some("Swap:") => found.extend(candidate.take().filter(|_| words.next() == Some("0"))),
            Some(range) if !range.ends_with(':') => candidate = unwritable(range, words),
            _ => {}
        }
    }
    found
}

/// Where a private mapping lies, if it is one of a file that may not be written to; the words behind its range say so.
fn unwritable<'a>(range: &str, mut words: impl Iterator<Item = &'a str>) -> Option<Range<usize>> {
    let (from, to) = range.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    let range = address(from)?..address(to)?;
    let rights = words.next()?;
    let file = words.nth(3)?.starts_with('/');
    (file && rights.ends_with('p') && !rights.contains('w')).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_files_that_nobody_wrote_to_are_let_go_of() {
        let maps = "55f2a209e000-55f2a2486000 r--p 00000000 fe:00 10051626                   /usr/sbin/lb\n\
                    Size:               4000 kB\nAnonymous:             0 kB\nSwap:                  0 kB\nVmFlags: rd mr mw me sd\n\
                    55f2a2486000-55f2a2fb3000 r-xp 003e7000 fe:00 10051626                   /usr/sbin/lb\n\
                    Anonymous:             4 kB\nSwap:                  0 kB\n\
                    55f2a2fb3000-55f2a304f000 r--p 00f13000 fe:00 10051626                   /usr/sbin/lb\n\
                    Anonymous:           620 kB\nSwap:                  0 kB\n\
                    55f2a304f000-55f2a3054000 rw-p 00fae000 fe:00 10051626                   /usr/sbin/lb\n\
                    Anonymous:             0 kB\nSwap:                  0 kB\n\
                    7f5d5ee17000-7f5d5ef6d000 r-xp 00026000 fe:00 131121                     /usr/lib/libc.so.6 (deleted)\n\
                    Anonymous:             0 kB\nSwap:                  0 kB\n\
                    7f5d5ef69000-7f5d5ef6d000 r--p 0017d000 fe:00 131121                     /usr/lib/libc.so.6\n\
                    Anonymous:             0 kB\nSwap:                 16 kB\n\
                    7f5d5ef6d000-7f5d5ef6e000 r--p 00000000 00:00 0\nAnonymous:             0 kB\nSwap:                  0 kB\n\
                    7f5d5ef6e000-7f5d5ef6f000 r--s 00000000 00:00 0                          /dev/shm/x\n\
                    Anonymous:             0 kB\nSwap:                  0 kB\n\
                    7ffd91e8a000-7ffd91e8c000 r-xp 00000000 00:00 0                          [vdso]\n\
                    Anonymous:             0 kB\nSwap:                  0 kB\n";
        let expected = [0x55f2_a209_e000..0x55f2_a248_6000, 0x7f5d_5ee1_7000..0x7f5d_5ef6_d000];
        assert_eq!(unchanged(maps), expected);
        assert!(unchanged("").is_empty());
    }

    #[test]
    fn the_stack_is_let_go_of_below_what_is_in_use() {
        let maps = "7f5d5ee17000-7f5d5ef6d000 r-xp 00026000 fe:00 131121                     /usr/lib/libc.so.6\n\
                    7ffd91dd0000-7ffd91e00000 rw-p 00000000 00:00 0                          [stack]\n";
        let here = 0x7ffd_91df_f123;
        assert_eq!(unused_stack(maps, here, 4096), Some(0x7ffd_91dd_0000..0x7ffd_91df_b000));
        assert_eq!(unused_stack(maps, here, 65_536), Some(0x7ffd_91dd_0000..0x7ffd_91df_0000));
        assert_eq!(unused_stack(maps, 0x7ffd_91dd_3000, 4096), None, "nothing lies far enough below");
        assert_eq!(unused_stack(maps, 0x7f5d_5ee1_8000, 4096), None, "another thread");
        assert_eq!(unused_stack("", here, 4096), None);
    }

    #[test]
    fn what_is_done_apart_is_answered_here_and_so_is_its_panic() {
        let here = std::thread::current().id();
        assert_ne!(apart(|| std::thread::current().id()), here);
        let panicked = std::panic::catch_unwind(|| apart(|| std::panic::resume_unwind(Box::new(7))));
        assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&7));
    }

    #[test]
    fn a_program_runs_on_without_its_code_in_memory() {
        let before = std::fs::read_to_string("/proc/self/smaps").unwrap_or_default();
        assert!(!unchanged(&before).is_empty(), "its own code at least");
        let_go();
        assert_eq!("still here".to_uppercase(), "STILL HERE");
    }
}
