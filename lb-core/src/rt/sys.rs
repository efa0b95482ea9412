//! The only unsafe code of the drivers: each function wraps one system call.

#![allow(unsafe_code, reason = "system calls that no safe wrapper offers; each block states its argument")]

use rustix::net::SendFlags;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use tokio::io::{Interest, unix::AsyncFd};

/// Takes over an inherited descriptor.
///
/// # Errors
/// `EBADF` if no such descriptor is open.
pub(crate) fn adopt(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_GETFD only reads the descriptor table; any number may be asked for.
    if unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is open, and duplicating it changes nothing for whoever else uses the original.
    let copy = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) };
    if copy < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `copy` was just made, nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// A socket of which the event loop reports what `interest` says, and that leaves it to the caller to act.
///
/// # Errors
/// When the event loop has no room for it, which closes the socket.
pub(crate) fn watch(socket: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open as long as it lives and always tells the same number; whoever takes it out again ends what
    // was registered with it.
    unsafe { AsyncFd::register_with_interest(socket, interest) }.map_err(io::Error::from)
}

/// Sends `messages` as datagrams on a connected socket with one system call; says how many left.
///
/// # Errors
/// What the first datagram met, if none left.
pub(crate) fn send_datagrams(socket: BorrowedFd<'_>, messages: &[&[u8]]) -> io::Result<usize> {
    const BATCH: usize = 32;
    if let [one] = messages {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        return Ok(rustix::net::send(socket, one, flags).map(|_| 1)?);
    }
    let count = messages.len().min(BATCH);
    // SAFETY: all-zero iovecs are valid: null base, zero length.
    let mut parts: [libc::iovec; BATCH] = unsafe { zeroed() };
    // SAFETY: all-zero message headers are valid: no name, no parts, no control data.
    let mut headers: [libc::mmsghdr; BATCH] = unsafe { zeroed() };
    for i in 0..count {
        parts[i].iov_base = messages[i].as_ptr().cast_mut().cast();
        parts[i].iov_len = messages[i].len();
        headers[i].msg_hdr.msg_iov = &raw mut parts[i];
        headers[i].msg_hdr.msg_iovlen = 1;
    }
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: `headers` holds `count` headers whose parts point at `messages`, all alive during the call; the kernel only
    // reads the message bytes.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count as u32, flags as _) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Sets a numeric socket option.
///
/// # Errors
/// What `setsockopt` reports.
pub(crate) fn set_flag(socket: BorrowedFd<'_>, level: i32, option: i32, value: i32) -> io::Result<()> {
    let pointer = (&raw const value).cast();
    // SAFETY: `pointer` is valid for the four bytes announced and only read.
    let failed =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, pointer, size_of::<i32>() as u32) };
    if failed < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// What the system knows of a TCP connection; times in microseconds.
pub(crate) struct TcpInfo {
    pub(crate) round_trip: u32,
    pub(crate) variance: u32,
    pub(crate) retransmits: u32,
    pub(crate) lost: u32,
    pub(crate) unacked: u32,
    pub(crate) sacked: u32,
    pub(crate) reordering: u32,
}

/// Asks the system about a TCP connection.
///
/// # Errors
/// What `getsockopt` reports.
pub(crate) fn tcp_info(socket: BorrowedFd<'_>) -> io::Result<TcpInfo> {
    // SAFETY: the structure consists of integers, for which all-zero is valid.
    let mut info: libc::tcp_info = unsafe { zeroed() };
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    let pointer = (&raw mut info).cast();
    // SAFETY: `pointer` is valid for `length` bytes; the kernel writes at most that many.
    let failed = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, pointer, &raw mut length)
    };
    if failed < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(TcpInfo {
        round_trip: info.tcpi_rtt,
        variance: info.tcpi_rttvar,
        retransmits: info.tcpi_retrans,
        lost: info.tcpi_lost,
        unacked: info.tcpi_unacked,
        sacked: info.tcpi_sacked,
        reordering: info.tcpi_reordering,
    })
}

/// Segments that a TCP connection has received.
///
/// # Errors
/// What `getsockopt` reports.
#[cfg(test)]
pub(crate) fn segments_in(socket: BorrowedFd<'_>) -> io::Result<u32> {
    /// Where it stands in the kernel's `struct tcp_info`, of which the C library knows the beginning only.
    const AT: usize = 140;
    let mut info = [0u8; AT + 4];
    let mut length = info.len() as libc::socklen_t;
    let pointer = (&raw mut info).cast();
    // SAFETY: `pointer` is valid for `length` bytes; the kernel writes at most that many.
    let failed = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, pointer, &raw mut length)
    };
    if failed < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(u32::from_ne_bytes([info[AT], info[AT + 1], info[AT + 2], info[AT + 3]]))
}

/// Seconds that local time is ahead of UTC at a moment in seconds since the epoch; 0 if the system does not know.
pub(crate) fn utc_offset(seconds: i64) -> i32 {
    let time = seconds as libc::time_t;
    // SAFETY: all-zero is a valid broken-down time: numbers and a null name.
    let mut local: libc::tm = unsafe { zeroed() };
    // SAFETY: both pointers are to live variables; the call keeps neither. It reads the zone once, at its first use, under a
    // lock of its own.
    let made = unsafe { libc::localtime_r(&raw const time, &raw mut local) };
    if made.is_null() { 0 } else { i32::try_from(local.tm_gmtoff).unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test needs a socket")]
    fn datagrams_arrive_whole_and_in_order() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(receiver.local_addr().unwrap()).unwrap();
        let messages: Vec<Vec<u8>> = (0..100).map(|i| format!("line {i}").into_bytes()).collect();
        let mut rest: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
        while !rest.is_empty() {
            let sent = send_datagrams(sender.as_fd(), &rest).unwrap();
            rest.drain(..sent);
        }
        let mut buf = [0; 64];
        for message in &messages {
            let n = receiver.recv(&mut buf).unwrap();
            assert_eq!(&buf[..n], message.as_slice());
        }
    }

    #[test]
    fn a_descriptor_that_is_not_open_is_refused() {
        assert_eq!(adopt(9999).unwrap_err().raw_os_error(), Some(libc::EBADF));
    }
}
