//! ICMP echo requests for checks.
//!
//! The unprivileged kind of socket is tried first; it is open to groups that the system names (`ping_group_range`). Otherwise
//! a raw socket is needed, and the capability for it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

const HEADER: usize = 8;

/// Tells the requests of raw sockets apart.
static NEXT: AtomicU16 = AtomicU16::new(1);

/// A socket for echo requests to one address.
#[derive(Debug)]
pub(super) struct Echo {
    socket: UdpSocket,
    raw: bool,
    ipv6: bool,
    id: u16,
}

impl Echo {
    /// Inside a runtime.
    pub(super) fn open(address: IpAddr) -> io::Result<Self> {
        let (domain, protocol) = match address {
            IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
            IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
        };
        let open = |kind: Type| Socket::new(domain, kind.nonblocking().cloexec(), Some(protocol));
        let (socket, raw) = match open(Type::DGRAM) {
            Ok(socket) => (socket, false),
            Err(_) => (open(Type::RAW)?, true),
        };
        socket.connect(&SocketAddr::new(address, 0).into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let id = NEXT.fetch_add(1, Relaxed) ^ (std::process::id() as u16);
        Ok(Self { socket, raw, ipv6: address.is_ipv6(), id })
    }

    /// Sends a request with this payload.
    pub(super) async fn send(&self, payload: &[u8]) -> io::Result<()> {
        let request = request(self.ipv6, self.id, payload);
        self.socket.send(&request).await.map(drop)
    }

    /// Receives the payload of an answer; other messages are passed over. Cancel safe.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let len = self.socket.recv(buffer).await?;
            let id = self.raw.then_some(self.id);
            if let Some(start) = answer(&buffer[..len], self.ipv6, self.raw, id) {
                buffer.copy_within(start..len, 0);
                return Ok(len - start);
            }
        }
    }
}

fn request(ipv6: bool, id: u16, payload: &[u8]) -> Vec<u8> {
    let mut message = vec![if ipv6 { 128 } else { 8 }, 0, 0, 0];
    message.extend(id.to_be_bytes());
    message.extend(1_u16.to_be_bytes());
    message.extend_from_slice(payload);
    if !ipv6 {
        // With IPv6 the kernel knows the pseudo-header and fills it in.
        let sum = checksum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    message
}

/// RFC 1071
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut sum = words.fold(0_u32, u32::wrapping_add);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Where the payload of an echo reply begins; `id` is that of the request where the kernel does not sort the answers.
fn answer(message: &[u8], ipv6: bool, raw: bool, id: Option<u16>) -> Option<usize> {
    // Raw sockets of IPv4 show the IP header.
    let start = if raw && !ipv6 { usize::from(*message.first()? & 0x0f) * 4 } else { 0 };
    let header = message.get(start..start + HEADER)?;
    let kind = if ipv6 { 129 } else { 0 };
    let ours = id.is_none_or(|id| header[4..6] == id.to_be_bytes());
    (header[0] == kind && ours).then_some(start + HEADER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_carries_a_correct_sum() {
        let message = request(false, 0x1234, b"odd");
        assert_eq!(message[0], 8);
        assert_eq!(checksum(&message), 0);
    }

    #[test]
    fn only_the_answer_to_our_request_counts() {
        let mut reply = request(false, 7, b"payload");
        reply[0] = 0;
        let with_header = [&[0x45; 20][..], &reply].concat();
        assert_eq!(answer(&with_header, false, true, Some(7)), Some(28));
        assert_eq!(answer(&with_header, false, true, Some(8)), None);
        assert_eq!(answer(&reply, false, false, None), Some(8));
        assert_eq!(answer(&request(false, 7, b"x"), false, false, None), None, "a request is no answer");
        assert_eq!(answer(&reply[..7], false, false, None), None);
        assert_eq!(answer(&[], false, true, Some(7)), None);
    }

    #[tokio::test]
    async fn this_machine_answers() {
        // Not everybody may ask.
        let Ok(echo) = Echo::open([127, 0, 0, 1].into()) else { return };
        echo.send(b"hello").await.unwrap();
        let mut buffer = [0; 256];
        let len = echo.receive(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..len], b"hello");
    }
}
