//! Memory that a process which mostly waits can do without.

use super::sys;
use std::ops::Range;

/// Does something in a frame of the stack that holds nothing else. Where one function calls the whole of a program or of
/// another, its own frame would have room for the largest of all of these, for as long as the program runs.
#[inline(never)]
pub fn framed<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// Room that is left below the frames of the calling thread.
const STACK_ROOM: usize = 16 * 1024;

/// Lets go of what only the start needed. The program's code: what runs again is mapped again, from the file, a few pages at
/// a time. And the lower end of the main thread's stack: reading a configuration went much deeper than anything that
/// follows. Costs the next run of everything a page fault, so it is for processes that wait.
pub fn let_go() {
    let (Ok(maps), Ok(program)) =
        (std::fs::read_to_string("/proc/self/maps"), std::fs::read_link("/proc/self/exe"))
    else {
        return;
    };
    let Some(program) = program.to_str() else { return };
    for range in code(&maps, program) {
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

/// Where the code of `program` lies in a process with these mappings, and what stands in front of it in the file: constants
/// that contain no addresses. Nothing else of the file is left out that is not written to: the tables behind the code were
/// filled in with addresses when the program was loaded.
fn code(maps: &str, program: &str) -> Vec<Range<usize>> {
    maps.lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let (range, rights, offset) = (words.next()?, words.next()?, words.next()?);
            let path = words.nth(2)?;
            let unchanged = rights == "r-xp" || (rights == "r--p" && offset.bytes().all(|b| b == b'0'));
            let (from, to) = range.split_once('-')?;
            let address = |text| usize::from_str_radix(text, 16).ok();
            (path == program && unchanged).then_some(address(from)?..address(to)?)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_never_written_is_let_go_of() {
        let maps = "55f2a209e000-55f2a2486000 r--p 00000000 fe:00 10051626                   /usr/sbin/lb\n\
                    55f2a2486000-55f2a2fb3000 r-xp 003e7000 fe:00 10051626                   /usr/sbin/lb\n\
                    55f2a2fb3000-55f2a304f000 r--p 00f13000 fe:00 10051626                   /usr/sbin/lb\n\
                    55f2a304f000-55f2a3054000 rw-p 00fae000 fe:00 10051626                   /usr/sbin/lb\n\
                    7f5d5ee17000-7f5d5ef6d000 r-xp 00026000 fe:00 131121                     /usr/lib/libc.so.6\n\
                    7ffd91ddc000-7ffd91e07000 rw-p 00000000 00:00 0                          [stack]\n\
                    202e0000000-20320000000 rw-p 00000000 00:00 0\n";
        let expected = vec![0x55f2_a209_e000..0x55f2_a248_6000, 0x55f2_a248_6000..0x55f2_a2fb_3000];
        assert_eq!(code(maps, "/usr/sbin/lb"), expected);
        assert!(code(maps, "/usr/sbin/other").is_empty());
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
    fn a_program_runs_on_without_its_code_in_memory() {
        let_go();
        assert!(code("", "").is_empty());
    }
}
