//! Writing of heads and chunk framing.

use crate::answer::reason;
use crate::head::{Fields, Request, Response, Version};

/// Appends a request head: the request's own line and fields, then `extra` lines, then the empty line.
///
/// Every version from 1.1 on is written as 1.1; what is older is written as it was received.
pub fn write_request(out: &mut Vec<u8>, request: &Request, extra: &[(&[u8], &[u8])]) {
    if let Some((from, to)) = usual_request_line(request) {
        request.fields.write_with_line(from, to, out);
    } else {
        write_request_line(out, request);
        request.fields.write_to(out);
    }
    write_extra(out, extra);
    out.extend_from_slice(b"\r\n");
}

/// Where the line of a request is that was received as it is to be written, which is nearly always so.
fn usual_request_line(request: &Request) -> Option<(usize, usize)> {
    let (method, target) = (request.method_span, request.target);
    let from = method.start_of_received()?;
    let target_at = target.start_of_received()?;
    let line = request.fields.buffer().get(from..)?;
    let target_end = target.len() + method.len() + 1;
    let separated = target_at == from + method.len() + 1 && line.get(method.len()) == Some(&b' ');
    let usual = separated && request.version == Version::Http11 && !method.is_empty();
    let ended = usual && line.get(target_end..)?.starts_with(b" HTTP/1.1\r\n");
    ended.then_some((from, from + target_end + 11))
}

fn write_request_line(out: &mut Vec<u8>, request: &Request) {
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
}

/// Appends a response head. A server that speaks 1.0 is passed on as such; a missing reason is filled in.
pub fn write_response(out: &mut Vec<u8>, response: &Response, extra: &[(&[u8], &[u8])]) {
    if let Some((from, to)) = usual_status_line(response) {
        response.fields.write_with_line(from, to, out);
    } else {
        write_status_line(out, response);
        response.fields.write_to(out);
    }
    write_extra(out, extra);
    out.extend_from_slice(b"\r\n");
}

/// Where the line of a response is that was received as it is to be written, which is nearly always so.
fn usual_status_line(response: &Response) -> Option<(usize, usize)> {
    let reason = response.reason;
    let from = reason.start_of_received()?.checked_sub(b"HTTP/1.1 200 ".len())?;
    let line = response.fields.buffer().get(from..)?;
    let (start, rest) = line.split_first_chunk::<13>()?;
    let [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1', b' ', digits @ .., b' '] = start else {
        return None;
    };
    let status = digits.iter().fold(0, |status, digit| status * 10 + u16::from(digit.wrapping_sub(b'0')));
    let digits = digits.iter().all(u8::is_ascii_digit);
    let same = digits && status == response.status && response.version == Version::Http11;
    let ended = same && !reason.is_empty() && rest.get(reason.len()..)?.starts_with(b"\r\n");
    ended.then_some((from, from + start.len() + reason.len() + 2))
}

fn write_status_line(out: &mut Vec<u8>, response: &Response) {
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
    fn a_head_is_written_the_same_whether_it_was_received_so_or_not() {
        use crate::h1::{Cursor, Limits, parse_request, parse_response};
        let limits = Limits::default();
        let asked = |text: &str, change: fn(&mut Request)| {
            let mut request = Request::default();
            request.fields.set_buffer(text.as_bytes().to_vec());
            assert!(parse_request(&mut request, &mut Cursor::default(), text.len(), &limits).unwrap());
            change(&mut request);
            let mut out = Vec::new();
            write_request(&mut out, &request, &[]);
            String::from_utf8(out).unwrap()
        };
        let usual = "GET /a HTTP/1.1\r\nhost: x\r\naccept: y\r\n\r\n";
        for text in [
            usual,
            "\r\n\nGET /a HTTP/1.1\r\nHost: x\r\nAccept: y\r\n\r\n",
            "GET /a HTTP/1.1\r\nhost:x\r\naccept: y\r\n\r\n",
            "GET /a HTTP/1.1\nhost: x\r\naccept: y\r\n\r\n",
            "GET  /a\tHTTP/1.1\r\nhost: x\r\naccept: y\n\n",
            "GET /a HTTP/1.2\r\nhost: x\r\naccept: y \r\n\r\n",
        ] {
            assert_eq!(asked(text, |_| {}), usual, "{text:?}");
        }
        let put = asked(usual, |request| assert!(request.set_method(b"PUT")));
        assert_eq!(put, usual.replace("GET", "PUT"));
        let moved = asked(usual, |request| assert!(request.set_target(b"/b")));
        assert_eq!(moved, usual.replace("/a", "/b"));
        assert_eq!(asked("GET / HTTP/1.1\r\n\r\n", |_| {}), "GET / HTTP/1.1\r\n\r\n");
        let answered = |text: &str, change: fn(&mut Response)| {
            let mut response = Response::default();
            response.fields.set_buffer(text.as_bytes().to_vec());
            let mut cursor = Cursor::default();
            assert!(
                parse_response(&mut response, &mut cursor, text.len(), Default::default(), &limits).unwrap()
            );
            change(&mut response);
            let mut out = Vec::new();
            write_response(&mut out, &response, &[]);
            String::from_utf8(out).unwrap()
        };
        let usual = "HTTP/1.1 200 OK\r\nserver: x\r\nage: 1\r\n\r\n";
        for text in [
            usual,
            "HTTP/1.1 200 OK\r\nServer: x\r\nage:1\r\n\r\n",
            "HTTP/1.1  200\tOK\nserver: x\r\nage: 1\r\n\r\n",
            "HTTP/1.1 200\r\nserver: x\r\nage: 1\r\n\r\n",
        ] {
            assert_eq!(answered(text, |_| {}), usual, "{text:?}");
        }
        assert_eq!(answered(usual, |response| response.status = 201), usual.replace("200", "201"));
        let other = answered(usual, |response| assert!(response.set_reason(b"Fine")));
        assert_eq!(other, usual.replace("OK", "Fine"));
        let removed = answered(usual, |response| assert!(response.fields.remove_all(b"server")));
        assert_eq!(removed, "HTTP/1.1 200 OK\r\nage: 1\r\n\r\n");
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
