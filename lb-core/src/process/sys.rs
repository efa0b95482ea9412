//! The only unsafe code of this module: each function wraps one system call.

#![allow(unsafe_code, reason = "system calls that no safe wrapper offers; each block states its argument")]

use std::ffi::CString;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

pub(super) fn take(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_SETFD changes a flag of the descriptor if it is open and nothing otherwise.
    check(unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    // SAFETY: the descriptor is open (the call above succeeded) and was inherited for this process; the caller of
    // `inherited` takes each number once.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

pub(super) fn keep_over_exec(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: clears the flags of an open descriptor; FD_CLOEXEC is the only one.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, 0) }).map(drop)
}

pub(super) fn set_name(name: &str) {
    let Ok(name) = CString::new(name) else { return };
    // SAFETY: the kernel copies at most 16 bytes of a string that ends with a zero byte.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

/// The smallest piece of memory that the kernel gives and takes back.
pub(super) fn page_size() -> usize {
    // SAFETY: asks for a constant of the system; no memory is involved.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).ok().filter(|size| size.is_power_of_two()).unwrap_or(1 << 16)
}

/// Drops pages of this process: a private mapping of a file that nobody writes through, or a part of the calling thread's
/// stack below all frames in use, the one of this function and of a signal handler included.
pub(super) fn drop_pages(range: std::ops::Range<usize>) {
    let start = std::ptr::without_provenance_mut(range.start);
    // SAFETY: the caller took the range from this process's list of mappings. Where it stands as not writable and without a
    // written page, what is dropped is a copy of the file, and is read from there again when it is needed. No value lives in a stack below all
    // frames: what a later call puts there it writes before it reads.
    unsafe { libc::madvise(start, range.len(), libc::MADV_DONTNEED) };
}

/// Drops the pages of the calling thread's stack that `unused` names, given an address in its frame. They must lie below that
/// address by more than what this function and a signal handler need.
#[inline(never)]
pub(super) fn drop_unused_stack(unused: impl FnOnce(usize) -> Option<std::ops::Range<usize>>) {
    let mark = 0_u8;
    if let Some(range) = unused((&raw const mark).addr()) {
        drop_pages(range);
    }
}

pub(super) fn die_with_parent() {
    // SAFETY: sets an attribute of this process; no memory is involved.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) };
}

/// Forks. The caller must be single-threaded; true in the child.
pub(super) fn fork() -> io::Result<bool> {
    // SAFETY: called before any thread was started (see `detach`), so the child finds every lock free.
    let pid = check(unsafe { libc::fork() })?;
    Ok(pid == 0)
}

pub(super) fn set_groups(gid: u32) -> io::Result<()> {
    // SAFETY: one group, read from a live variable.
    check(unsafe { libc::setgroups(1, &raw const gid) }).map(drop)
}

pub(super) fn set_gid(gid: u32) -> io::Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::setgid(gid) }).map(drop)
}

pub(super) fn set_uid(uid: u32) -> io::Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::setuid(uid) }).map(drop)
}

/// User and group number of an account.
pub(super) fn user(name: &str) -> io::Result<Option<(u32, u32)>> {
    let name = CString::new(name)?;
    let mut buffer = vec![0; 16384];
    // SAFETY: all-zero is a valid passwd: null pointers and zero numbers.
    let mut entry: libc::passwd = unsafe { zeroed() };
    let mut found = std::ptr::null_mut();
    // SAFETY: every pointer is to a live variable, the buffer is as long as announced, and the strings that `entry` points
    // into it are not used.
    let error = unsafe {
        libc::getpwnam_r(name.as_ptr(), &raw mut entry, buffer.as_mut_ptr(), buffer.len(), &raw mut found)
    };
    match error {
        0 if found.is_null() => Ok(None),
        0 => Ok(Some((entry.pw_uid, entry.pw_gid))),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

/// Number of a group.
pub(super) fn group(name: &str) -> io::Result<Option<u32>> {
    let name = CString::new(name)?;
    let mut buffer = vec![0; 65536];
    // SAFETY: all-zero is a valid group: null pointers and zero numbers.
    let mut entry: libc::group = unsafe { zeroed() };
    let mut found = std::ptr::null_mut();
    // SAFETY: as in `user`.
    let error = unsafe {
        libc::getgrnam_r(name.as_ptr(), &raw mut entry, buffer.as_mut_ptr(), buffer.len(), &raw mut found)
    };
    match error {
        0 if found.is_null() => Ok(None),
        0 => Ok(Some(entry.gr_gid)),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

/// Soft and hard limit of open descriptors.
pub(super) fn descriptor_limit() -> io::Result<(u64, u64)> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel fills a live variable.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    Ok((limit.rlim_cur, limit.rlim_max))
}

pub(super) fn set_descriptor_limit(soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the kernel reads a live variable.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }).map(drop)
}

/// Room for the control data of the 253 descriptors the kernel passes at once, aligned as its header wants.
#[repr(C, align(16))]
struct Control([u8; 1056]);

/// Sends bytes and at most [`super::MAX_DESCRIPTORS`] descriptors in one message.
pub(super) fn send_with_fds(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
) -> io::Result<usize> {
    let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let payload = size_of::<RawFd>() * raw.len();
    let mut control = Control([0; 1056]);
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: all-zero is a valid message header.
    let mut header: libc::msghdr = unsafe { zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    if !raw.is_empty() {
        header.msg_control = control.0.as_mut_ptr().cast();
        // SAFETY: computes a size, touches no memory; MAX_DESCRIPTORS keeps it below the buffer's.
        header.msg_controllen = unsafe { libc::CMSG_SPACE(payload as u32) } as _;
        // SAFETY: the macro reads the two control fields just set and answers a pointer into the control buffer.
        let first = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
        // SAFETY: not null, as the buffer is large enough for one header; aligned by `Control`; nothing else refers to it.
        let first = unsafe { &mut *first };
        first.cmsg_level = libc::SOL_SOCKET;
        first.cmsg_type = libc::SCM_RIGHTS;
        // SAFETY: computes a size, touches no memory.
        first.cmsg_len = unsafe { libc::CMSG_LEN(payload as u32) } as _;
        // SAFETY: points behind the header, inside the control buffer.
        let data = unsafe { libc::CMSG_DATA(first) };
        // SAFETY: `payload` bytes fit behind the header (CMSG_SPACE above); the source is a live vector of that length.
        unsafe { std::ptr::copy_nonoverlapping(raw.as_ptr().cast(), data, payload) };
    }
    // SAFETY: the header and everything it points at live until the call returns.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const header, libc::MSG_NOSIGNAL) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Receives bytes and the descriptors that came with them.
pub(super) fn receive_with_fds(
    socket: BorrowedFd<'_>,
    bytes: &mut [u8],
    wait: bool,
) -> io::Result<(usize, Vec<OwnedFd>)> {
    let flags = libc::MSG_CMSG_CLOEXEC | if wait { 0 } else { libc::MSG_DONTWAIT };
    let mut control = Control([0; 1056]);
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    // SAFETY: all-zero is a valid message header.
    let mut header: libc::msghdr = unsafe { zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = control.0.len() as _;
    // SAFETY: the header points at live buffers of the lengths given.
    let received = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, flags) };
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    let mut fds = Vec::new();
    // SAFETY: the kernel filled the header; the macro stays within the length it wrote there.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
    while !next.is_null() {
        // SAFETY: a non-null header points at a complete control message inside the buffer.
        let message = unsafe { &*next };
        if message.cmsg_level == libc::SOL_SOCKET && message.cmsg_type == libc::SCM_RIGHTS {
            // SAFETY: computes a size, touches no memory.
            let start = unsafe { libc::CMSG_LEN(0) } as usize;
            let count = (message.cmsg_len as usize).saturating_sub(start) / size_of::<RawFd>();
            // SAFETY: points at the data behind the header, inside the buffer.
            let data = unsafe { libc::CMSG_DATA(next) }.cast::<RawFd>();
            for i in 0..count {
                // SAFETY: `i` is below the number of descriptors the kernel wrote; no alignment is assumed.
                let fd = unsafe { data.wrapping_add(i).read_unaligned() };
                // SAFETY: the kernel made this descriptor for us with the message; nothing else owns it.
                fds.push(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
        // SAFETY: header and message are those of this buffer.
        next = unsafe { libc::CMSG_NXTHDR(&raw const header, next) };
    }
    Ok((received, fds))
}
