//! The cookie in the first packet of a remote desktop connection.

use super::hello::NoHello;

/// Name and value of the first cookie in the connection request (TPKT, X.224 CR).
pub(super) fn cookie(data: &[u8]) -> Result<(&[u8], &[u8]), NoHello> {
    if data.len() <= 11 {
        return Err(NoHello::Incomplete);
    }
    // TPKT version 3, then the X.224 connection request.
    let length = usize::from(data[4]);
    if data[0] != 3 || data[1] != 0 || data[5] & 0xf0 != 0xe0 {
        return Err(NoHello::Other);
    }
    let text = data.get(11..5 + length).ok_or(NoHello::Incomplete)?;
    let label = b"Cookie:";
    let (head, text) = text.split_at_checked(label.len()).ok_or(NoHello::Other)?;
    if !head.eq_ignore_ascii_case(label) {
        return Err(NoHello::Other);
    }
    let blanks = text.iter().take_while(|byte| **byte == b' ').count();
    let text = &text[blanks..];
    let end = memchr::memchr(b'\r', text).ok_or(NoHello::Other)?;
    let equals = memchr::memchr(b'=', &text[..end]).ok_or(NoHello::Other)?;
    Ok((&text[..equals], &text[equals + 1..end]))
}

/// The value of the first cookie if it has this name; of any name if that is empty.
#[cfg(feature = "tokio")]
pub(crate) fn rdp_cookie<'a>(data: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    let (name, value) = cookie(data).ok()?;
    (wanted.is_empty() || wanted.as_bytes().eq_ignore_ascii_case(name)).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cookie_is_found_in_a_complete_packet() {
        let text = b"Cookie: mstshash=user1\r\n";
        let mut packet = vec![3, 0, 0, 0, 6 + text.len() as u8, 0xe0, 0, 0, 0, 0, 0];
        packet.extend(text);
        assert_eq!(cookie(&packet), Ok((&b"mstshash"[..], &b"user1"[..])));
        for cut in 0..packet.len() {
            assert_eq!(cookie(&packet[..cut]), Err(NoHello::Incomplete), "{cut}");
        }
        assert_eq!(cookie(b"GET / HTTP/1.1\r\n\r\n"), Err(NoHello::Other));
    }
}
