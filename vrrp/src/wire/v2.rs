//! Version 2 (RFC 3768). It is made for IPv4; over IPv6 keepalived alone speaks it, and sums it up as IPv6 demands.

use std::net::IpAddr;

use super::{AUTH_LEN, HEADER_LEN, TYPE_ADVERTISEMENT, extend, seal};

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
    /// The addresses, all of the family of the packet, at most 255; further ones are left out.
    pub addresses: &'a [IpAddr],
    /// Authentication data; zeros without a password.
    pub auth_data: [u8; AUTH_LEN],
}

impl Repr<'_> {
    /// Appends the packet to a buffer. With source and destination given the checksum covers a pseudo-header of these,
    /// which IPv6 demands and IPv4 forbids; over IPv6 there is no authentication data.
    pub fn emit(&self, pseudo: Option<(IpAddr, IpAddr)>, buffer: &mut Vec<u8>) {
        let start = buffer.len();
        let addresses = &self.addresses[..self.addresses.len().min(255)];
        buffer.reserve(HEADER_LEN + addresses.len() * 16 + AUTH_LEN);
        buffer.extend([0x20 | TYPE_ADVERTISEMENT, self.vrid, self.priority, addresses.len() as u8]);
        buffer.extend([self.auth_type, self.interval, 0, 0]);
        extend(buffer, addresses);
        if pseudo.is_none() {
            buffer.extend(self.auth_data);
        }
        // RFC 3768 §5.3.8: over the VRRP message alone, which includes the authentication data.
        seal(buffer, start, pseudo);
    }
}
