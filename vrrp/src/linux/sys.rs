//! The only unsafe code of this crate: one safe wrapper per system call that neither `std`, `rustix`,
//! `socket2` nor `netlink-sys` offers.
#![allow(unsafe_code, reason = "system calls without a safe wrapper elsewhere; each one is argued below")]

use std::ffi::{CStr, CString};
use std::io;
use std::mem::{MaybeUninit, size_of, zeroed};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use socket2::{SockAddr, SockAddrStorage};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::ancillary::Path;

/// Turns the `-1` convention into a `Result`.
fn check(code: libc::c_int) -> io::Result<libc::c_int> {
    if code == -1 { Err(io::Error::last_os_error()) } else { Ok(code) }
}

/// Seconds since 1970 of a year, month (1 to 12), day, hour, minute and second; None if there is no such time.
pub(super) fn unix_time([year, month, day, hour, minute, second]: [i32; 6], utc: bool) -> Option<i64> {
    // SAFETY: a structure of numbers and one pointer that these functions write and never follow.
    let mut parts: libc::tm = unsafe { zeroed() };
    (parts.tm_year, parts.tm_mon, parts.tm_mday) = (year - 1900, month - 1, day);
    (parts.tm_hour, parts.tm_min, parts.tm_sec) = (hour, minute, second);
    parts.tm_isdst = -1;
    let convert = if utc { libc::timegm } else { libc::mktime };
    // SAFETY: the structure is live and this function's alone.
    let unix = unsafe { convert(&raw mut parts) };
    // What does not exist is carried over into what does.
    let same = (parts.tm_mon, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
    (unix != -1 && same == (month - 1, day, hour, minute, second)).then_some(unix)
}

/// The reverse of [`unix_time`].
pub(super) fn civil_time(unix: i64, utc: bool) -> [i32; 6] {
    // SAFETY: a structure of numbers and one pointer that these functions write and nobody follows.
    let mut parts: libc::tm = unsafe { zeroed() };
    let convert = if utc { libc::gmtime_r } else { libc::localtime_r };
    // SAFETY: both are live; the structure is this function's alone.
    unsafe { convert(&raw const unix, &raw mut parts) };
    [parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec]
}

/// Has the runtime watch a descriptor for readability.
pub(super) fn watch<T: AsFd + AsRawFd>(inner: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: this is called with owned descriptors and sockets alone, which keep one descriptor open from their
    // birth to their end, and `AsyncFd` gives no mutable access that could replace it.
    Ok(unsafe { AsyncFd::register_with_interest(inner, Interest::READABLE) }?)
}

/// A link-layer destination for `sendto` on a packet socket.
pub(super) fn link_address(index: u32, ethertype: u16, destination: [u8; 6]) -> io::Result<SockAddr> {
    let index = i32::try_from(index).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut octets = [0; 8];
    octets[..6].copy_from_slice(&destination);
    let link = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as libc::sa_family_t,
        sll_protocol: ethertype.to_be(),
        sll_ifindex: index,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: octets,
    };
    let fill = |storage: *mut SockAddrStorage, len: *mut libc::socklen_t| {
        // SAFETY: the storage has room and alignment for every kind of socket address.
        unsafe { storage.cast::<libc::sockaddr_ll>().write(link) };
        // SAFETY: `try_init` passes a valid place for the length.
        unsafe { len.write(size_of::<libc::sockaddr_ll>() as libc::socklen_t) };
        Ok(())
    };
    // SAFETY: the closure writes a complete `sockaddr_ll` with its family and sets the length of that structure.
    let ((), address) = unsafe { SockAddr::try_init(fill) }?;
    Ok(address)
}

/// Receives a frame from a packet socket. Returns its length and the index of its interface.
pub(super) fn receive_link(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, u32)> {
    // SAFETY: all fields are integers, for which zero is a value.
    let mut from: libc::sockaddr_ll = unsafe { zeroed() };
    let mut len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    let (data, room) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: `data` and `room` describe the buffer, `from` and `len` a place for the address; all outlive the call.
    let received =
        unsafe { libc::recvfrom(fd.as_raw_fd(), data, room, 0, (&raw mut from).cast(), &raw mut len) };
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    Ok((received, u32::try_from(from.sll_ifindex).unwrap_or(0)))
}

/// Sets an integer socket option that `socket2` does not know.
pub(super) fn set_int_option(
    fd: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the pointer and the length describe `value`, which outlives the call.
    let code = unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), size) };
    check(code).map(drop)
}

/// What came with a datagram of an IPv6 raw socket or a UDP socket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Received {
    /// Octets written to the buffer.
    pub(super) len: usize,
    /// Sender.
    pub(super) source: IpAddr,
    /// What the control messages said.
    pub(super) path: Path,
}

/// Room for the two control messages asked for, aligned as the kernel writes them.
#[repr(C, align(8))]
struct Control([u8; 128]);

/// Receives one datagram together with its hop limit and its destination.
pub(super) fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Received> {
    let mut control = Control([0; 128]);
    let mut name = MaybeUninit::<libc::sockaddr_in6>::zeroed();
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: all-zero octets are a valid `msghdr`.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_name = name.as_mut_ptr().cast();
    message.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = control.0.len() as _;
    // SAFETY: every pointer of `message` refers to a live, exclusively borrowed buffer of the stated length.
    let len = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) };
    let len = usize::try_from(len).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: the storage was zeroed and the kernel wrote nothing but a socket address into it, which is all integers.
    let name = unsafe { name.assume_init() };
    let used = (message.msg_controllen as usize).min(control.0.len());
    // An IPv4 address stands where an IPv6 one has its flow label.
    let source = match i32::from(name.sin6_family) {
        libc::AF_INET => IpAddr::from(name.sin6_flowinfo.to_ne_bytes()),
        _ => IpAddr::from(name.sin6_addr.s6_addr),
    };
    Ok(Received { len, source, path: Path::parse(&control.0[..used]) })
}

/// A user of the system's user database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UserIds {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Size of the scratch space of the user database calls; entries above it are refused.
const DATABASE_SCRATCH: usize = 16 * 1024;

/// Looks a user up by name.
pub(super) fn user_by_name(name: &str) -> io::Result<Option<UserIds>> {
    let name = CString::new(name)?;
    let mut scratch = vec![0; DATABASE_SCRATCH];
    let mut entry = MaybeUninit::<libc::passwd>::zeroed();
    let mut found = std::ptr::null_mut();
    // SAFETY: every pointer refers to a live buffer of the stated length.
    let code = unsafe {
        libc::getpwnam_r(
            name.as_ptr(),
            entry.as_mut_ptr(),
            scratch.as_mut_ptr(),
            scratch.len(),
            &raw mut found,
        )
    };
    if code != 0 {
        return Err(io::Error::from_raw_os_error(code));
    }
    if found.is_null() {
        return Ok(None);
    }
    // SAFETY: a non-null result says that the entry was filled; only its plain numbers are read.
    let entry = unsafe { entry.assume_init() };
    Ok(Some(UserIds { uid: entry.pw_uid, gid: entry.pw_gid }))
}

/// Looks a group up by name.
pub(super) fn group_by_name(name: &str) -> io::Result<Option<u32>> {
    let name = CString::new(name)?;
    let mut scratch = vec![0; DATABASE_SCRATCH];
    let mut entry = MaybeUninit::<libc::group>::zeroed();
    let mut found = std::ptr::null_mut();
    // SAFETY: every pointer refers to a live buffer of the stated length.
    let code = unsafe {
        libc::getgrnam_r(
            name.as_ptr(),
            entry.as_mut_ptr(),
            scratch.as_mut_ptr(),
            scratch.len(),
            &raw mut found,
        )
    };
    if code != 0 {
        return Err(io::Error::from_raw_os_error(code));
    }
    if found.is_null() {
        return Ok(None);
    }
    // SAFETY: a non-null result says that the entry was filled; only its plain number is read.
    let entry = unsafe { entry.assume_init() };
    Ok(Some(entry.gr_gid))
}

/// Every group a user belongs to, its primary group included.
pub(super) fn groups_of(user: &CStr, gid: u32) -> io::Result<Vec<u32>> {
    let mut groups = vec![0; 64];
    loop {
        let mut count = libc::c_int::try_from(groups.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: the pointer and the count describe `groups`; `user` is a C string.
        let code = unsafe { libc::getgrouplist(user.as_ptr(), gid, groups.as_mut_ptr(), &raw mut count) };
        let count = usize::try_from(count).unwrap_or(0);
        if code >= 0 {
            groups.truncate(count);
            return Ok(groups);
        }
        // The kernel knows no more than 65536 groups per process.
        if count <= groups.len() || count > 65_536 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        groups.resize(count, 0);
    }
}

/// Runs `hook` in the child between fork and exec.
///
/// The hook may make direct system calls on values built before the fork. It must not allocate, lock or panic.
pub(super) fn before_exec(
    command: &mut Command,
    hook: impl FnMut() -> io::Result<()> + Send + Sync + 'static,
) {
    // SAFETY: the two hooks of this crate (see `credentials.rs`) keep to the contract above.
    unsafe { command.pre_exec(hook) };
}

/// Puts the calling thread into the real-time round-robin class; what it starts begins in the normal class.
pub(super) fn set_realtime(priority: i32) -> io::Result<()> {
    set_scheduler(libc::SCHED_RR | libc::SCHED_RESET_ON_FORK, priority)
}

/// Puts the calling thread into the normal class. Makes a direct system call and nothing else.
pub(super) fn set_normal_scheduling() -> io::Result<()> {
    set_scheduler(libc::SCHED_OTHER, 0)
}

fn set_scheduler(class: libc::c_int, priority: i32) -> io::Result<()> {
    let param = libc::sched_param { sched_priority: priority };
    // SAFETY: `param` outlives the call.
    check(unsafe { libc::sched_setscheduler(0, class, &raw const param) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_in_every_user_database() {
        assert_eq!(user_by_name("root").unwrap(), Some(UserIds { uid: 0, gid: 0 }));
        assert_eq!(user_by_name("no-such-user-here").unwrap(), None);
        assert_eq!(group_by_name("no-such-group-here").unwrap(), None);
        assert!(groups_of(c"root", 0).unwrap().contains(&0));
    }
}
