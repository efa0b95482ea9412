//! User lists and the Basic authentication scheme (RFC 7617).

use std::collections::HashMap;
use std::sync::Arc;

/// The user lists of a configuration, by name.
#[derive(Debug, Clone, Default)]
pub struct UserLists(HashMap<Arc<str>, UserList>);

impl UserLists {
    /// No lists.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a list, in place of one of the same name.
    pub fn insert(&mut self, name: impl Into<Arc<str>>, list: UserList) {
        self.0.insert(name.into(), list);
    }

    /// The list called `name`.
    pub fn get(&self, name: &str) -> Option<&UserList> {
        self.0.get(name)
    }
}

/// `userlist`: who may come in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct UserList {
    /// The users.
    pub users: Vec<User>,
}

/// One user.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct User {
    /// The name.
    pub name: Arc<str>,
    /// The password.
    pub password: Password,
    /// Groups it belongs to, by this list's `group` lines or its own.
    pub groups: Vec<Arc<str>>,
}

/// A password as a configuration holds it.
#[derive(Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the two forms of the configuration")]
pub enum Password {
    /// In the clear (`insecure-password`).
    Plain(Arc<str>),
    /// As `crypt(3)` makes it (`password`).
    Crypt(Arc<str>),
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain(..)",
            Self::Crypt(_) => "Crypt(..)",
        })
    }
}

impl UserList {
    /// The user of that name, if the password is right.
    pub fn check(&self, credentials: &Credentials<'_>) -> Option<&User> {
        let user = self.users.iter().find(|user| user.name.as_bytes() == credentials.user)?;
        user.password.accepts(credentials.password).then_some(user)
    }
}

impl Password {
    fn accepts(&self, given: &[u8]) -> bool {
        match self {
            Self::Plain(own) => same(own.as_bytes(), given),
            Self::Crypt(hash) => crate::crypt::verify(given, hash),
        }
    }
}

/// Compares without telling by its duration how much was right.
pub(crate) fn same(own: &[u8], given: &[u8]) -> bool {
    own.len() == given.len() && own.iter().zip(given).fold(0, |diff, (a, b)| diff | (a ^ b)) == 0
}

/// Name and password as given in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "two parts by definition")]
pub struct Credentials<'a> {
    /// The name.
    pub user: &'a [u8],
    /// The password.
    pub password: &'a [u8],
}

impl<'a> Credentials<'a> {
    /// Reads the value of an `Authorization` field into `out`; `None` unless it is of the Basic scheme.
    pub fn basic(value: &[u8], out: &'a mut Vec<u8>) -> Option<Self> {
        let (scheme, rest) = value.split_at_checked(6)?;
        if !scheme.eq_ignore_ascii_case(b"basic ") {
            return None;
        }
        out.clear();
        base64_decode(crate::h1::trim(rest), out)?;
        let colon = memchr::memchr(b':', out)?;
        Some(Self { user: &out[..colon], password: &out[colon + 1..] })
    }
}

/// Decodes base64 (RFC 4648 §4), with or without padding.
pub(crate) fn base64_decode(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |at| at + 1);
    if text.len() - end > 2 || end % 4 == 1 {
        return None;
    }
    let mut bits = 0u32;
    let mut count = 0;
    for byte in &text[..end] {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_decoded() {
        let mut out = Vec::new();
        let credentials = Credentials::basic(b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", &mut out).unwrap();
        assert_eq!((credentials.user, credentials.password), (&b"Aladdin"[..], &b"open sesame"[..]));
        assert_eq!(Credentials::basic(b"basic  YTo", &mut out).unwrap().user, b"a");
        for bad in [&b"Bearer x"[..], b"Basic", b"Basic !!!!", b"Basic YQ==", b"Basic Y"] {
            assert_eq!(Credentials::basic(bad, &mut out), None, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn users_come_in_with_their_password_only() {
        let list = UserList {
            users: vec![User {
                name: "a".into(),
                password: Password::Plain("secret".into()),
                groups: vec!["g".into()],
            }],
        };
        let check = |user: &str, password: &str| {
            list.check(&Credentials { user: user.as_bytes(), password: password.as_bytes() }).is_some()
        };
        assert!(check("a", "secret"));
        assert!(!check("a", "secreT") && !check("a", "") && !check("b", "secret"));
        assert_eq!(format!("{:?}", list.users[0].password), "Plain(..)");
    }
}
