//! Reading of `Cookie` and `Set-Cookie` values (RFC 6265, and what is found in the wild).

use crate::h1::trim;

/// One cookie of a request, and where it is in its field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain view")]
pub struct Cookie<'a> {
    /// The name.
    pub name: &'a [u8],
    /// The value, quotes included; `None` without `=`.
    pub value: Option<&'a [u8]>,
    /// Where the cookie begins, blanks before it included.
    pub start: usize,
    /// Where its separator is, or the end.
    pub end: usize,
}

/// The cookies of one `Cookie` value, in order. Semicolons and commas outside of quotes separate.
#[derive(Clone, Debug)]
pub struct Cookies<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cookies<'a> {
    /// Reads `text`.
    pub const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }
}

impl<'a> Iterator for Cookies<'a> {
    type Item = Cookie<'a>;

    fn next(&mut self) -> Option<Cookie<'a>> {
        if self.at >= self.text.len() {
            return None;
        }
        let start = self.at;
        let end = cookie_end(self.text, start);
        self.at = end + 1;
        let part = &self.text[start..end];
        let (name, value) = match memchr::memchr(b'=', part) {
            Some(at) => (trim(&part[..at]), Some(trim(&part[at + 1..]))),
            None => (trim(part), None),
        };
        Some(Cookie { name, value, start, end })
    }
}

fn cookie_end(text: &[u8], from: usize) -> usize {
    let mut quoted = false;
    let mut at = from;
    while at < text.len() {
        match text[at] {
            b'"' => quoted = !quoted,
            b'\\' if quoted => at += 1,
            b';' | b',' if !quoted => return at,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// Name and value at the beginning of a `Set-Cookie` value, and where the value ends.
pub fn set_cookie(text: &[u8]) -> Option<(&[u8], &[u8], usize)> {
    let end = memchr::memchr(b';', text).unwrap_or(text.len());
    let equals = memchr::memchr(b'=', &text[..end])?;
    Some((trim(&text[..equals]), trim(&text[equals + 1..end]), end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_separated_outside_of_quotes() {
        let text = b"a=1; b=\"x;y\" ;c; d = 2,e=";
        let cookies: Vec<_> = Cookies::new(text).map(|cookie| (cookie.name, cookie.value)).collect();
        assert_eq!(
            cookies,
            [
                (&b"a"[..], Some(&b"1"[..])),
                (b"b", Some(b"\"x;y\"")),
                (b"c", None),
                (b"d", Some(b"2")),
                (b"e", Some(b"")),
            ]
        );
    }

    #[test]
    fn a_set_cookie_value_ends_before_its_attributes() {
        assert_eq!(set_cookie(b"SRV=a; path=/"), Some((&b"SRV"[..], &b"a"[..], 5)));
        assert_eq!(set_cookie(b"SRV"), None);
        assert_eq!(set_cookie(b"SRV; a=b"), None);
    }
}
