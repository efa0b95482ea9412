//! Writing of heads and chunk framing.

use crate::answer::reason;
use crate::head::{Fields, Request, Response, Version};

/// Appends a request head: the request's own line and fields, then `extra` lines, then the empty line.
///
/// Every version from 1.1 on is written as 1.1; what is older is written as it was received.
pub fn write_request(out: &mut Vec<u8>, request: &Request, extra: &[(&[u8], &[u8])]) {
    out.extend_from_slice(request.method_text());
    out.push(b' ');
    out.extend_from_slice(request.target());
    let version = match request.version {
        Version::Http11 => &b"HTTP/1.1"[..],
        Version::Http10 if request.version_text().is_empty() => b"HTTP/1.0",
        Version::Http10 => request.version_text(),
    };
    out.push(b' ');
    out.extend_from_slice(version);
    out.extend_from_slice(b"\r\n");
    request.fields.write_to(out);
    write_extra(out, extra);
    out.extend_from_slice(b"\r\n");
}

/// Appends a response head. A server that speaks 1.0 is passed on as such; a missing reason is filled in.
pub fn write_response(out: &mut Vec<u8>, response: &Response, extra: &[(&[u8], &[u8])]) {
    out.extend_from_slice(match response.version {
        Version::Http11 => b"HTTP/1.1 ",
        Version::Http10 => b"HTTP/1.0 ",
    });
    push_decimal(out, u64::from(response.status));
    out.push(b' ');
    match response.reason() {
        b"" => out.extend_from_slice(reason(response.status).as_bytes()),
        reason => out.extend_from_slice(reason),
    }
    out.extend_from_slice(b"\r\n");
    response.fields.write_to(out);
    write_extra(out, extra);
    out.extend_from_slice(b"\r\n");
}

/// Appends the last chunk, a trailer section and its end.
pub fn write_trailers(out: &mut Vec<u8>, trailers: &Fields) {
    out.extend_from_slice(b"0\r\n");
    trailers.write_to(out);
    out.extend_from_slice(b"\r\n");
}

fn write_extra(out: &mut Vec<u8>, extra: &[(&[u8], &[u8])]) {
    for (name, value) in extra {
        push_field(out, name, value);
    }
}

fn push_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends a decimal number.
pub fn push_decimal(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends a hexadecimal number in lower case, as chunk sizes are written.
pub fn push_hex(out: &mut Vec<u8>, number: u64) {
    let digits = (64 - number.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        let nibble = (number >> (digit * 4)) as u8 & 0xf;
        out.push(if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_without_leading_zeros() {
        for number in [0u64, 1, 9, 10, 255, 256, 65535, u64::MAX] {
            let (mut decimal, mut hex) = (Vec::new(), Vec::new());
            push_decimal(&mut decimal, number);
            push_hex(&mut hex, number);
            assert_eq!(decimal, number.to_string().into_bytes());
            assert_eq!(hex, format!("{number:X}").into_bytes());
        }
    }

    #[test]
    fn a_made_response_is_written_in_order() {
        let mut response = Response { status: 200, ..Response::default() };
        assert!(response.set_reason(b"OK"));
        assert!(response.fields.push(b"content-length", b"0"));
        let mut out = Vec::new();
        write_response(&mut out, &response, &[(b"connection", b"close")]);
        assert_eq!(out, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    }
}
