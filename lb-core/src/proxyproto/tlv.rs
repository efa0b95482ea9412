//! The additional fields of the binary header.

use super::{Invalid, Tlv};

/// The application protocol negotiated with the client.
pub const ALPN: u8 = 0x01;
/// The host name the client asked for.
pub const AUTHORITY: u8 = 0x02;
/// Checksum of the whole header, with zeroes in its own place.
pub const CRC32C: u8 = 0x03;
/// Padding.
pub const NOOP: u8 = 0x04;
/// Identifies the connection.
pub const UNIQUE_ID: u8 = 0x05;
/// What is known of the client's TLS; holds further fields.
pub const SSL: u8 = 0x20;
/// Inside [`SSL`]: the version.
pub const SSL_VERSION: u8 = 0x21;
/// Inside [`SSL`]: common name of the client's certificate.
pub const SSL_CN: u8 = 0x22;
/// Inside [`SSL`]: the cipher.
pub const SSL_CIPHER: u8 = 0x23;
/// Inside [`SSL`]: algorithm of the signature of our certificate.
pub const SSL_SIG_ALG: u8 = 0x24;
/// Inside [`SSL`]: algorithm of the key of our certificate.
pub const SSL_KEY_ALG: u8 = 0x25;

/// Longest [`UNIQUE_ID`] that is accepted.
const MAX_UNIQUE_ID: usize = 128;
/// Longest [`AUTHORITY`] that is accepted.
const MAX_AUTHORITY: usize = 255;

/// The fields in `rest`, up to the first malformed one.
pub fn fields(rest: &[u8]) -> impl Iterator<Item = Tlv<'_>> {
    let mut rest = rest;
    std::iter::from_fn(move || {
        let (head, tail) = rest.split_first_chunk::<3>()?;
        let length = usize::from(u16::from_be_bytes([head[1], head[2]]));
        let value = tail.get(..length)?;
        rest = &tail[length..];
        Some(Tlv { kind: head[0], value })
    })
}

/// The value of the first field of a kind.
pub fn find(rest: &[u8], kind: u8) -> Option<&[u8]> {
    fields(rest).find(|field| field.kind == kind).map(|field| field.value)
}

/// Whether the fields of a header fill it exactly and say nothing wrong.
pub(super) fn check(header: &[u8], rest: &[u8]) -> Result<(), Invalid> {
    let mut used = 0;
    for field in fields(rest) {
        used += 3 + field.value.len();
        match field.kind {
            CRC32C => {
                let stored: [u8; 4] = field.value.try_into().map_err(|_| Invalid::Field)?;
                let at = header.len() - rest.len() + used - 4;
                let plain = [&header[..at], &[0; 4], &header[at + 4..]].concat();
                if crate::expr::crc32c(&plain) != u32::from_be_bytes(stored) {
                    return Err(Invalid::Checksum);
                }
            }
            UNIQUE_ID if field.value.len() > MAX_UNIQUE_ID => return Err(Invalid::Field),
            AUTHORITY if field.value.len() > MAX_AUTHORITY => return Err(Invalid::Field),
            _ => {}
        }
    }
    if used == rest.len() { Ok(()) } else { Err(Invalid::Field) }
}

/// Appends a field; what exceeds 65535 bytes is cut off.
pub(super) fn push(out: &mut Vec<u8>, kind: u8, value: &[u8]) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    out.push(kind);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&value[..usize::from(length)]);
}

#[cfg(test)]
mod tests {
    use super::super::{Parsed, parse, write_v2};
    use super::*;

    #[test]
    fn a_header_with_a_wrong_checksum_is_refused() {
        let addr = Some("192.0.2.1:1".parse().unwrap());
        let mut bytes = Vec::new();
        let fields = [Tlv { kind: UNIQUE_ID, value: b"id" }, Tlv { kind: CRC32C, value: &[0; 4] }];
        write_v2(&mut bytes, addr, addr, &fields);
        let Parsed::Complete(header) = parse(&bytes) else { panic!("{bytes:?}") };
        assert_eq!(find(header.fields(), UNIQUE_ID), Some(&b"id"[..]));
        *bytes.last_mut().unwrap() ^= 1;
        assert_eq!(parse(&bytes), Parsed::Invalid(Invalid::Checksum));
    }

    #[test]
    fn fields_that_do_not_fit_are_refused() {
        let addr = Some("192.0.2.1:1".parse().unwrap());
        let mut bytes = Vec::new();
        write_v2(&mut bytes, addr, addr, &[Tlv { kind: NOOP, value: b"xx" }]);
        let at = bytes.len() - 3;
        bytes[at] = 3;
        assert_eq!(parse(&bytes), Parsed::Invalid(Invalid::Field));
    }
}
