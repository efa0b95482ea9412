//! TLS hello messages in raw traffic (RFC 8446 §4.1.2, §5.1), without taking part in the session.

/// Why there is no hello (yet).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoHello {
    /// The bytes so far fit; more are needed.
    Incomplete,
    /// Not TLS, or not a hello.
    Other,
}

/// A client or server hello.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hello<'a> {
    /// 1 for clients, 2 for servers.
    pub(super) kind: u8,
    /// Version of the record, then of the message itself.
    pub(super) record_version: (u8, u8),
    /// Version inside the message.
    pub(super) version: (u8, u8),
    /// Cipher suites (clients).
    pub(super) ciphers: &'a [u8],
    extensions: &'a [u8],
}

/// Largest handshake message looked at; a hello is much smaller.
const MAX_MESSAGE: usize = 16384;

impl<'a> Hello<'a> {
    /// Parses a hello at the start of a stream. Only its first record is looked at.
    pub(super) fn parse(data: &'a [u8]) -> Result<Self, NoHello> {
        let (content, major, minor) = (byte(data, 0)?, byte(data, 1)?, byte(data, 2)?);
        if content != 22 || major != 3 {
            return Err(NoHello::Other);
        }
        let record = u16_at(data, 3)?;
        let kind = byte(data, 5)?;
        if !matches!(kind, 1 | 2) {
            return Err(NoHello::Other);
        }
        let high = byte(data, 6)?;
        let length = usize::from(high) << 16 | u16_at(data, 7)?;
        if length > MAX_MESSAGE || record < 4 || length < 34 || length + 4 > record {
            return Err(NoHello::Other);
        }
        let message = data.get(9..9 + length).ok_or(NoHello::Incomplete)?;
        Self::body(kind, (major, minor), message).ok_or(NoHello::Other)
    }

    fn body(kind: u8, record_version: (u8, u8), message: &'a [u8]) -> Option<Self> {
        let version = (message[0], message[1]);
        let mut rest = message.get(34..)?;
        take_short(&mut rest, 1)?;
        let ciphers = if kind == 1 {
            let ciphers = take_short(&mut rest, 2)?;
            take_short(&mut rest, 1)?;
            ciphers
        } else {
            rest = rest.get(3..)?;
            &[]
        };
        let extensions = if rest.is_empty() { rest } else { take_short(&mut rest, 2)? };
        Some(Self { kind, record_version, version, ciphers, extensions })
    }

    /// The contents of an extension.
    pub(super) fn extension(&self, wanted: u16) -> Option<&'a [u8]> {
        let mut rest = self.extensions;
        while rest.len() >= 4 {
            let kind = u16::from_be_bytes([rest[0], rest[1]]);
            rest = &rest[2..];
            let body = take_short(&mut rest, 2)?;
            if kind == wanted {
                return Some(body);
            }
        }
        None
    }

    /// The host name asked for (RFC 6066 §3).
    pub(super) fn server_name(&self) -> Option<&'a [u8]> {
        let mut body = self.extension(0)?;
        let mut names = take_short(&mut body, 2)?;
        while let [kind, rest @ ..] = names {
            names = rest;
            let name = take_short(&mut names, 2)?;
            if *kind == 0 {
                return Some(name);
            }
        }
        None
    }

    /// A list inside an extension, behind its two byte length.
    pub(super) fn list(&self, extension: u16) -> Option<&'a [u8]> {
        let mut body = self.extension(extension)?;
        take_short(&mut body, 2)
    }
}

/// Takes a block behind a length of `width` bytes.
pub(super) fn take_short<'a>(rest: &mut &'a [u8], width: usize) -> Option<&'a [u8]> {
    let head = rest.get(..width)?;
    let length = head.iter().fold(0usize, |acc, byte| acc << 8 | usize::from(*byte));
    let block = rest.get(width..width + length)?;
    *rest = &rest[width + length..];
    Some(block)
}

fn byte(data: &[u8], at: usize) -> Result<u8, NoHello> {
    data.get(at).copied().ok_or(NoHello::Incomplete)
}

fn u16_at(data: &[u8], at: usize) -> Result<usize, NoHello> {
    Ok(usize::from(byte(data, at)?) << 8 | usize::from(byte(data, at + 1)?))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A client hello with the extensions the fetches look at.
    pub(crate) fn client_hello() -> Vec<u8> {
        let mut extensions = Vec::new();
        let mut add = |kind: u16, body: &[u8]| {
            extensions.extend(kind.to_be_bytes());
            extensions.extend((body.len() as u16).to_be_bytes());
            extensions.extend(body);
        };
        add(0, b"\x00\x0e\x00\x00\x0bexample.org");
        add(10, b"\x00\x04\x00\x1d\x00\x17");
        add(13, b"\x00\x02\x04\x03");
        add(16, b"\x00\x0c\x02h2\x08http/1.1");
        add(35, b"");
        add(51, b"\x00\x05\x00\x1d\x00\x01\xaa");
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.push(0);
        body.extend(b"\x00\x04\x13\x01\x13\x02\x01\x00");
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        let mut out = vec![22, 3, 1];
        out.extend((body.len() as u16 + 4).to_be_bytes());
        out.extend([1, 0]);
        out.extend((body.len() as u16).to_be_bytes());
        out.extend(body);
        out
    }

    #[test]
    fn a_hello_is_recognised_only_when_complete() {
        let hello = client_hello();
        for cut in 0..hello.len() {
            assert_eq!(Hello::parse(&hello[..cut]).err(), Some(NoHello::Incomplete), "{cut}");
        }
        let parsed = Hello::parse(&hello).unwrap();
        assert_eq!((parsed.kind, parsed.version), (1, (3, 3)));
        assert_eq!(parsed.server_name(), Some(&b"example.org"[..]));
        assert_eq!(parsed.ciphers, b"\x13\x01\x13\x02");
        assert_eq!(Hello::parse(b"GET / HTTP/1.1\r\n").err(), Some(NoHello::Other));
    }

    #[test]
    fn corrupt_lengths_never_panic() {
        let hello = client_hello();
        for at in 0..hello.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bad = hello.clone();
                bad[at] = value;
                if let Ok(parsed) = Hello::parse(&bad) {
                    parsed.server_name();
                    parsed.list(16);
                }
            }
        }
    }
}
