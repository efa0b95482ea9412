//! Hashing: keys cut out of requests, keys into hashes, servers onto the ring.

mod consistent;
pub mod function;

use std::net::{IpAddr, SocketAddr};

use twox_hash::XxHash64;

pub(super) use consistent::{Hashed, MAX_SERVERS as MAX_RING_SERVERS, Ring};

use super::{HashFunction, HashType, Key};

/// Turns keys into hashes as a `hash-type` line says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hasher {
    function: HashFunction,
    avalanche: bool,
}

impl Hasher {
    pub(super) fn new(hash: &HashType) -> Self {
        Self { function: hash.function, avalanche: hash.avalanche }
    }

    /// The hash of a key, or nothing without a key.
    pub(super) fn hash(&self, key: Key<'_>) -> Option<u32> {
        let raw = match key {
            Key::None => return None,
            Key::Address(address) => fold_address(address),
            Key::Hashed(hash) => hash,
            Key::Bytes(bytes) => match self.function {
                HashFunction::Sdbm => function::sdbm(bytes),
                HashFunction::Djb2 => function::djb2(bytes),
                HashFunction::Wt6 => function::wt6(bytes),
                HashFunction::Crc32 => function::crc32(bytes),
                HashFunction::None => function::decimal(bytes),
            },
        };
        Some(if self.avalanche { function::avalanche(raw) } else { raw })
    }
}

/// The exclusive or of an address's 32-bit words. An IPv4 address and its IPv6-mapped form differ.
fn fold_address(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(address) => address.to_bits(),
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            (0..4).fold(0, |folded, word| folded ^ (bits >> (32 * word)) as u32)
        }
    }
}

/// What a server's places on the ring derive from (`hash-key`).
#[expect(clippy::exhaustive_enums, reason = "the words a configuration can use")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RingIdentity<'a> {
    /// The numeric id; neighbours in ids are neighbours in keys.
    Id(u32),
    /// The numeric id, hashed.
    Id32(u32),
    /// The address.
    Addr(IpAddr),
    /// Address and port.
    AddrPort(IpAddr, u16),
    /// The globally unique name.
    Guid(&'a str),
}

/// The base from which all places of a server on the ring derive.
pub fn ring_key(identity: &RingIdentity<'_>) -> u32 {
    // Addresses and ids enter in network byte order as they lie in memory; the ring is shared between machines of the
    // usual, little-endian kind.
    let address = |address: IpAddr, seed: u32| match address {
        IpAddr::V4(v4) => function::avalanche(seed.wrapping_add(u32::from_le_bytes(v4.octets()))),
        IpAddr::V6(v6) => function::xxh32(&v6.octets(), seed),
    };
    match *identity {
        RingIdentity::Id(id) => id.wrapping_mul(super::weight::MAX * super::weight::SCALE),
        RingIdentity::Id32(id) => function::avalanche(id.swap_bytes()),
        RingIdentity::Addr(ip) => address(ip, 0),
        RingIdentity::AddrPort(ip, port) => address(ip, function::avalanche(u32::from(port))),
        RingIdentity::Guid(name) => function::xxh32(name.as_bytes(), 0),
    }
}

/// The value that stands for a server in a dynamic cookie: the same on every node that knows the key (manual 4.2,
/// `dynamic-cookie-key`).
pub fn cookie_value(key: &[u8], server: SocketAddr) -> String {
    let mut bytes = key.to_vec();
    match server.ip() {
        IpAddr::V4(ip) => bytes.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => bytes.extend_from_slice(&ip.octets()),
    }
    bytes.extend_from_slice(&u32::from(server.port()).to_be_bytes());
    format!("{:016x}", XxHash64::oneshot(0, &bytes))
}

/// The part of a URI that `balance uri` hashes: at most `len` bytes, ending in front of the question mark unless
/// `whole`, and in front of the slash that follows `depth` directory levels.
pub fn uri_key(uri: &[u8], whole: bool, len: Option<u32>, depth: Option<u32>) -> &[u8] {
    let uri = len.and_then(|len| uri.get(..len as usize)).unwrap_or(uri);
    let mut slashes = 0;
    let end = uri.iter().position(|&byte| match byte {
        b'/' => {
            slashes += 1;
            depth.is_some_and(|depth| slashes > u64::from(depth))
        }
        b'?' => !whole,
        _ => false,
    });
    &uri[..end.unwrap_or(uri.len())]
}

/// The URI without scheme and authority: what `path-only` starts from. `*` and authority forms have no path.
pub fn uri_path(uri: &[u8]) -> &[u8] {
    if uri.first() == Some(&b'/') {
        return uri;
    }
    let Some(scheme) = uri.windows(3).position(|window| window == b"://") else { return b"" };
    let rest = &uri[scheme + 3..];
    rest.iter().position(|&byte| byte == b'/').map_or(b"", |slash| &rest[slash..])
}

/// The main label of a host name: `1wt` of `haproxy.1wt.eu` (`use_domain_only`).
pub fn domain_label(host: &[u8]) -> &[u8] {
    // A dot in front does not count, neither for the end of the label nor for its start.
    let Some(end) = (1..host.len()).rev().find(|&at| host[at] == b'.') else { return host };
    let start = (1..end).rev().find(|&at| host[at - 1] == b'.').unwrap_or(0);
    &host[start..end]
}

/// The value of a parameter in the query string of a URI, if it is there with an equal sign.
pub fn url_param<'a>(uri: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    query_param(&uri[uri.iter().position(|&byte| byte == b'?')? + 1..], name)
}

/// The value of a parameter in a query string, or in a form that looks like one, if it is there with an equal sign.
pub fn query_param<'a>(query: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    query.split(|&byte| byte == b'&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix(b"="))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// HAProxy 3.4.0 gave this value to the server.
    #[test]
    fn a_dynamic_cookie_is_the_one_of_the_original() {
        assert_eq!(cookie_value(b"mykey", "127.0.0.1:8952".parse().unwrap()), "702e67276110efbf");
    }

    #[test]
    fn uri_keys_are_cut_by_query_length_and_depth() {
        let uri = b"/a/bb/ccc?x=/1";
        assert_eq!(uri_key(uri, false, None, None), b"/a/bb/ccc");
        assert_eq!(uri_key(uri, true, None, None), uri);
        assert_eq!(uri_key(uri, true, None, Some(2)), b"/a/bb");
        assert_eq!(uri_key(uri, false, Some(4), Some(2)), b"/a/b");
        assert_eq!(uri_key(uri, false, Some(4), Some(1)), b"/a");
        assert_eq!(uri_key(uri, false, None, Some(0)), b"");
        assert_eq!(uri_key(uri, true, Some(100), None), uri);
    }

    #[test]
    fn paths_start_at_the_first_slash_behind_the_authority() {
        assert_eq!(uri_path(b"/a?b"), b"/a?b");
        assert_eq!(uri_path(b"http://h:80/a/b"), b"/a/b");
        assert_eq!(uri_path(b"http://h"), b"");
        assert_eq!(uri_path(b"*"), b"");
    }

    #[test]
    fn the_main_label_stands_before_the_last_dot() {
        for (host, label) in [
            ("haproxy.1wt.eu", "1wt"),
            ("localhost", "localhost"),
            ("a.b", "a"),
            ("www.example.com:8080", "example"),
            (".com", ".com"),
            ("", ""),
        ] {
            assert_eq!(domain_label(host.as_bytes()), label.as_bytes(), "{host}");
        }
    }

    #[test]
    fn parameters_need_their_full_name_and_an_equal_sign() {
        assert_eq!(url_param(b"/x?a=1&id=7&b=2", b"id"), Some(&b"7"[..]));
        assert_eq!(url_param(b"/x?myid=3&id=", b"id"), Some(&b""[..]));
        assert_eq!(url_param(b"/x?id", b"id"), None);
        assert_eq!(url_param(b"/id=1", b"id"), None);
    }

    #[test]
    fn mapped_addresses_hash_differently_from_plain_ones() {
        let v4: IpAddr = "10.0.0.1".parse().unwrap();
        let mapped: IpAddr = "::ffff:10.0.0.1".parse().unwrap();
        assert_eq!(fold_address(v4), 0x0a00_0001);
        assert_eq!(fold_address(mapped), 0x0a00_0001 ^ 0xffff);
    }
}
