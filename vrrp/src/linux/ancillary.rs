//! What the kernel tells beside a received datagram: where it was sent to, and with which hop limit it arrived.

use std::net::IpAddr;

/// What the control messages of a datagram said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Path {
    /// Destination, from `IP_PKTINFO` or `IPV6_PKTINFO`.
    pub(super) destination: Option<IpAddr>,
    /// Hop limit, from `IP_TTL` or `IPV6_HOPLIMIT`.
    pub(super) hop_limit: Option<u8>,
}

impl Path {
    /// Walks control messages as octets: length, level, type, payload, each padded to the size of a long.
    pub(super) fn parse(mut control: &[u8]) -> Self {
        const WORD: usize = size_of::<usize>();
        const HEADER: usize = WORD + 8;
        let mut path = Self::default();
        while let (Some(len), Some(level), Some(kind)) =
            (control.first_chunk::<WORD>(), int_at(control, WORD), int_at(control, WORD + 4))
        {
            let len = usize::from_ne_bytes(*len);
            let Some(payload) = control.get(HEADER..len) else { break };
            match (level, kind) {
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    path.destination = payload.first_chunk::<16>().map(|octets| IpAddr::from(*octets));
                }
                // The address in the header stands behind the index of the interface and our address.
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let address = payload.get(8..).and_then(|rest| rest.first_chunk::<4>());
                    path.destination = address.map(|octets| IpAddr::from(*octets));
                }
                (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) | (libc::IPPROTO_IP, libc::IP_TTL) => {
                    path.hop_limit = int_at(payload, 0).and_then(|value| u8::try_from(value).ok());
                }
                _ => {}
            }
            control = control.get(len.next_multiple_of(WORD)..).unwrap_or(&[]);
        }
        path
    }
}

fn int_at(octets: &[u8], at: usize) -> Option<libc::c_int> {
    octets.get(at..)?.first_chunk::<4>().map(|value| libc::c_int::from_ne_bytes(*value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(parts: &[(i32, i32, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (level, kind, payload) in parts {
            out.extend((size_of::<usize>() + 8 + payload.len()).to_ne_bytes());
            out.extend(level.to_ne_bytes());
            out.extend(kind.to_ne_bytes());
            out.extend(*payload);
            out.resize(out.len().next_multiple_of(size_of::<usize>()), 0);
        }
        out
    }

    fn path(destination: &str) -> Path {
        Path { destination: Some(destination.parse().unwrap()), hop_limit: Some(255) }
    }

    #[test]
    fn control_messages_give_destination_and_hop_limit() {
        let mut info = "ff02::12".parse::<std::net::Ipv6Addr>().unwrap().octets().to_vec();
        info.extend(7_u32.to_ne_bytes());
        let octets = control(&[
            (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT, &255_i32.to_ne_bytes()),
            (libc::SOL_SOCKET, 99, &[1, 2, 3]),
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info),
        ]);
        assert_eq!(Path::parse(&octets), path("ff02::12"));
        for cut in 0..octets.len() {
            Path::parse(&octets[..cut]);
        }
        assert_eq!(Path::parse(&[0; 64]), Path::default());
    }

    #[test]
    fn ipv4_has_messages_of_its_own() {
        let info = [7, 0, 0, 0, 10, 0, 0, 1, 10, 0, 0, 9];
        let octets = control(&[
            (libc::IPPROTO_IP, libc::IP_PKTINFO, &info),
            (libc::IPPROTO_IP, libc::IP_TTL, &255_i32.to_ne_bytes()),
        ]);
        assert_eq!(Path::parse(&octets), path("10.0.0.9"));
        assert_eq!(
            Path::parse(&control(&[(libc::IPPROTO_IP, libc::IP_PKTINFO, &info[..11])])),
            Path::default()
        );
    }
}
