//! Whether a shared cache may keep a response (RFC 9111 §3, with the caution of the manual's `cookie … nocache`).

use super::lexer::Elements;
use crate::head::{Method, Response};

/// What `Cache-Control` says of it.
#[derive(Default)]
struct Said {
    /// Allowed whatever the method and the status are.
    public: bool,
    /// Forbidden.
    private: bool,
    /// A time of life other than nothing.
    lives: bool,
    /// A `max-age` of nothing, which a `s-maxage` overrules.
    stale: bool,
}

/// Whether caches on the way to the client may keep `response`, which answers a request of `method`.
pub fn cacheable(method: Method, response: &Response) -> bool {
    let fields = &response.fields;
    if fields.get(b"pragma").is_some_and(|value| value.eq_ignore_ascii_case(b"no-cache")) {
        return false;
    }
    let mut said = Said::default();
    for value in fields.all(b"cache-control") {
        for (at, end) in Elements::new(value) {
            said.hear(&value[at..end]);
        }
    }
    if said.private || said.stale {
        return false;
    }
    let by_default = matches!(method, Method::Get | Method::Head | Method::Options | Method::Trace)
        && matches!(response.status, 200 | 203 | 204 | 206 | 300 | 301 | 404 | 405 | 410 | 414 | 501);
    // What neither says how long it lives nor can be revalidated is not kept.
    let known = |name: &[u8]| fields.find(name, 0).is_some();
    (by_default || said.public)
        && (said.lives || known(b"expires") || known(b"etag") || known(b"last-modified"))
}

impl Said {
    fn hear(&mut self, directive: &[u8]) {
        let (name, value) = match memchr::memchr(b'=', directive) {
            Some(at) => (&directive[..at], Some(&directive[at + 1..])),
            None => (directive, None),
        };
        let is = |word: &[u8]| name.eq_ignore_ascii_case(word);
        // `no-cache="set-cookie"` forbids keeping the cookie, not the rest.
        let cookie_only = value.is_some_and(|value| value.eq_ignore_ascii_case(b"\"set-cookie\""));
        if is(b"public") {
            self.public = true;
        } else if is(b"private") || is(b"no-store") || (is(b"no-cache") && !cookie_only) {
            self.private = true;
        } else if is(b"s-maxage") {
            self.private |= value == Some(b"0");
            (self.lives, self.stale) = (true, false);
        } else if is(b"max-age") {
            let nothing = value == Some(b"0");
            self.stale |= nothing;
            self.lives |= !nothing;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(method: Method, status: u16, fields: &[(&[u8], &[u8])]) -> bool {
        let mut response = Response { status, ..Response::default() };
        for (name, value) in fields {
            response.fields.push(name, value);
        }
        cacheable(method, &response)
    }

    #[test]
    fn what_can_be_revalidated_or_lives_for_a_while_is_kept() {
        assert!(!judge(Method::Get, 200, &[]));
        assert!(judge(Method::Get, 200, &[(b"etag", b"\"x\"")]));
        assert!(judge(Method::Head, 404, &[(b"expires", b"0")]));
        assert!(judge(Method::Get, 200, &[(b"cache-control", b"max-age=5")]));
        assert!(!judge(Method::Get, 302, &[(b"cache-control", b"max-age=5")]));
        assert!(!judge(Method::Post, 200, &[(b"cache-control", b"max-age=5")]));
        assert!(judge(Method::Post, 200, &[(b"cache-control", b"public, max-age=5")]));
    }

    #[test]
    fn what_is_forbidden_is_not_kept() {
        let etag = (&b"etag"[..], &b"x"[..]);
        for value in
            [&b"private"[..], b"no-store", b"no-cache", b"max-age=0", b"s-maxage=0", b"Private=\"x\""]
        {
            assert!(!judge(Method::Get, 200, &[etag, (b"cache-control", value)]), "{value:?}");
        }
        assert!(!judge(Method::Get, 200, &[etag, (b"pragma", b"No-Cache")]));
        assert!(judge(Method::Get, 200, &[etag, (b"cache-control", b"no-cache=\"Set-Cookie\"")]));
        assert!(judge(Method::Get, 200, &[(b"cache-control", b"max-age=0, s-maxage=9")]));
    }
}
