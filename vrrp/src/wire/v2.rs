//! Version 2 (RFC 3768), IPv4 only.

use std::net::Ipv4Addr;

use super::checksum::Sum;
use super::{AUTH_LEN, HEADER_LEN, TYPE_ADVERTISEMENT};

/// Authentication types of version 2.
pub mod auth {
    /// None.
    pub const NONE: u8 = 0;
    /// A plain password.
    pub const PASS: u8 = 1;
    /// An IPsec authentication header.
    pub const AH: u8 = 2;
}

/// What a version 2 advert says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of a packet whose format is final")]
pub struct Repr<'a> {
    /// The virtual router.
    pub vrid: u8,
    /// Priority of the sender; zero when it stops.
    pub priority: u8,
    /// Authentication type.
    pub auth_type: u8,
    /// Seconds between adverts.
    pub interval: u8,
    /// The addresses, at most 255; further ones are left out.
    pub addresses: &'a [Ipv4Addr],
    /// Authentication data; zeros without a password.
    pub auth_data: [u8; AUTH_LEN],
}

impl Repr<'_> {
    /// Appends the packet to a buffer.
    pub fn emit(&self, buffer: &mut Vec<u8>) {
        let start = buffer.len();
        let addresses = &self.addresses[..self.addresses.len().min(255)];
        buffer.reserve(HEADER_LEN + addresses.len() * 4 + AUTH_LEN);
        buffer.extend([0x20 | TYPE_ADVERTISEMENT, self.vrid, self.priority, addresses.len() as u8]);
        buffer.extend([self.auth_type, self.interval, 0, 0]);
        for address in addresses {
            buffer.extend(address.octets());
        }
        buffer.extend(self.auth_data);
        // RFC 3768 §5.3.8: over the VRRP message alone, which includes the authentication data.
        let check = Sum::new().bytes(&buffer[start..]).finish().to_be_bytes();
        buffer[start + 6..start + 8].copy_from_slice(&check);
    }
}
