//! Request targets and authorities (RFC 9112 §3.2, RFC 3986 §3).

use super::lexer::is_plain_authority;

/// A request target, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the parts of a target")]
pub struct Target<'a> {
    /// Scheme with `://`, empty when there is none.
    pub scheme: &'a [u8],
    /// Authority without user information, empty when there is none.
    pub authority: &'a [u8],
    /// User information with its `@`, empty when there is none.
    pub user: &'a [u8],
    /// Path and query; `*` for the asterisk form; empty when there is none.
    pub path_query: &'a [u8],
}

impl<'a> Target<'a> {
    /// Takes `target` apart. Any bytes are accepted; what is not of the origin or asterisk form and has no scheme is
    /// an authority.
    pub fn parse(target: &'a [u8]) -> Self {
        let none = &target[..0];
        if matches!(target.first(), None | Some(b'/' | b'*')) {
            return Self { scheme: none, authority: none, user: none, path_query: target };
        }
        let scheme = scheme_len(target);
        let rest = &target[scheme..];
        let end = memchr::memchr(b'/', rest).unwrap_or(rest.len());
        let host = memchr::memrchr(b'@', &rest[..end]).map_or(0, |at| at + 1);
        Self {
            scheme: &target[..scheme],
            user: &rest[..host],
            authority: &rest[host..end],
            path_query: if scheme == 0 { &rest[rest.len()..] } else { &rest[end..] },
        }
    }

    /// The path without query.
    pub fn path(&self) -> &'a [u8] {
        memchr::memchr(b'?', self.path_query).map_or(self.path_query, |at| &self.path_query[..at])
    }

    /// The query without its question mark, if there is one.
    pub fn query(&self) -> Option<&'a [u8]> {
        memchr::memchr(b'?', self.path_query).map(|at| &self.path_query[at + 1..])
    }
}

/// Length of `scheme://` at the beginning, 0 when there is none.
fn scheme_len(target: &[u8]) -> usize {
    if !target.first().is_some_and(u8::is_ascii_alphabetic) {
        return 0;
    }
    let word = target
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(**byte, b'+' | b'-' | b'.'))
        .count();
    if target[word..].starts_with(b"://") { word + 3 } else { 0 }
}

/// Splits an authority at its port; the port is `None` without colon and empty after a colon alone.
pub fn split_port(authority: &[u8]) -> (&[u8], Option<&[u8]>) {
    let digits = authority.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let at = authority.len() - digits;
    match at.checked_sub(1) {
        Some(colon) if authority[colon] == b':' => (&authority[..colon], Some(&authority[at..])),
        _ => (authority, None),
    }
}

/// Whether `port` is what `scheme` (with `://`) uses anyway; without scheme, whether it is what either uses.
pub fn default_port(scheme: Option<&[u8]>, port: &[u8]) -> bool {
    match scheme {
        _ if port.is_empty() => true,
        None => port == b"80" || port == b"443",
        Some(scheme) => {
            (port == b"80" && scheme.eq_ignore_ascii_case(b"http://"))
                || (port == b"443" && scheme.eq_ignore_ascii_case(b"https://"))
        }
    }
}

/// Whether `text` has only characters that an authority (without user information) may have, with brackets only
/// around an address.
pub fn authority_is_valid(text: &[u8]) -> bool {
    // Nearly all are a name and a port.
    if is_plain_authority(text) {
        return true;
    }
    let mut open = false;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'[' if at == 0 => open = true,
            b']' if matches!(text.get(at + 1), None | Some(b':')) => open = !open,
            b',' | b'#' | b'/' | b'?' | b'@' | b'[' | b'\\' | b']' => return false,
            0x21..=0x7e => {}
            _ => return false,
        }
    }
    !open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_of_every_form_are_taken_apart() {
        let target = Target::parse(b"http://u:p@host:80/a/b?c=d");
        assert_eq!(target.scheme, b"http://");
        assert_eq!(target.user, b"u:p@");
        assert_eq!(target.authority, b"host:80");
        assert_eq!(target.path(), b"/a/b");
        assert_eq!(target.query(), Some(&b"c=d"[..]));
        assert_eq!(Target::parse(b"/p").path_query, b"/p");
        assert_eq!(Target::parse(b"*").path_query, b"*");
        let connect = Target::parse(b"host:443");
        assert_eq!((connect.authority, connect.path_query), (&b"host:443"[..], &b""[..]));
        assert_eq!(Target::parse(b"").path_query, b"");
    }

    #[test]
    fn ports_are_split_off_and_compared_with_the_scheme() {
        assert_eq!(split_port(b"a:80"), (&b"a"[..], Some(&b"80"[..])));
        assert_eq!(split_port(b"a:"), (&b"a"[..], Some(&b""[..])));
        assert_eq!(split_port(b"a"), (&b"a"[..], None));
        assert_eq!(split_port(b"123"), (&b"123"[..], None));
        assert_eq!(split_port(b"[::1]:8"), (&b"[::1]"[..], Some(&b"8"[..])));
        assert!(default_port(Some(b"HTTP://"), b"80") && !default_port(Some(b"http://"), b"443"));
    }

    #[test]
    fn authorities_have_brackets_only_around_addresses() {
        for good in ["a.b:80", "[::1]", "[::1]:80", "a|b", ""] {
            assert!(authority_is_valid(good.as_bytes()), "{good}");
        }
        for bad in ["a b", "a,b", "a/b", "a@b", "[::1", "::1]", "a[b]", "a\u{7f}", "é"] {
            assert!(!authority_is_valid(bad.as_bytes()), "{bad}");
        }
    }
}
