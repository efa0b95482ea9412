//! Version 3 (RFC 9568, RFC 5798), both families.

use std::net::IpAddr;

use super::{HEADER_LEN, TYPE_ADVERTISEMENT, extend, seal};

/// What a version 3 advert says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of a packet whose format is final")]
pub struct Repr<'a> {
    /// The virtual router.
    pub vrid: u8,
    /// Priority of the sender; zero when it stops.
    pub priority: u8,
    /// Hundredths of a second between adverts, twelve bits.
    pub interval: u16,
    /// The addresses, all of the family of the packet, at most 255; further ones are left out.
    pub addresses: &'a [IpAddr],
}

impl Repr<'_> {
    /// Appends the packet to a buffer. With source and destination given the checksum covers a pseudo-header of
    /// these, which IPv6 demands and which keepalived and FRR do for IPv4, too.
    pub fn emit(&self, pseudo: Option<(IpAddr, IpAddr)>, buffer: &mut Vec<u8>) {
        let start = buffer.len();
        let addresses = &self.addresses[..self.addresses.len().min(255)];
        let interval = (self.interval & 0x0fff).to_be_bytes();
        buffer.reserve(HEADER_LEN + addresses.len() * 16);
        buffer.extend([0x30 | TYPE_ADVERTISEMENT, self.vrid, self.priority, addresses.len() as u8]);
        buffer.extend([interval[0], interval[1], 0, 0]);
        extend(buffer, addresses);
        seal(buffer, start, pseudo);
    }
}
