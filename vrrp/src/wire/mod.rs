//! The packets: parsed from bytes without ever panicking, and written byte for byte.

/// IP protocol number of VRRP.
pub const PROTOCOL: u8 = 112;
