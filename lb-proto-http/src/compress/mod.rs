//! Compression of bodies: whether a message is compressed, by which coding, and what its head says then.
//!
//! The rules are HAProxy's (configuration manual, `compression`; HAProxy's filter of that name): the client's
//! `Accept-Encoding` decides among the configured algorithms, only complete 1.1 exchanges with a status from 200 to 203
//! are touched, and nothing that is coded already, forbids transformation or has an entity tag that makes no sense.
//! `br` and `zstd` are additions of this program.

#[cfg(feature = "compression")]
mod encoder;
#[cfg(not(feature = "compression"))]
mod encoder {
    //! Without the feature nothing is compressed; only the coding that changes nothing is left.

    use super::CompressionAlgorithm;

    /// The coding that changes nothing.
    #[derive(Debug)]
    pub struct Encoder(());

    impl Encoder {
        /// An encoder, if this build has the algorithm.
        pub fn new(algorithm: CompressionAlgorithm, _level: u32) -> Option<Self> {
            (algorithm == CompressionAlgorithm::Identity).then_some(Self(()))
        }

        /// Takes data and appends what can be sent of it.
        pub fn encode(&mut self, data: &[u8], out: &mut Vec<u8>) {
            out.extend_from_slice(data);
        }

        /// Appends what ends the body.
        pub fn finish(&mut self, _out: &mut Vec<u8>) {}
    }
}

use crate::h1::{BodyLength, Elements, trim};
use crate::head::{Fields, Method, Request, Response, Version};
use crate::spec::{Compression, CompressionAlgorithm};

pub use encoder::Encoder;

/// The settings of the two proxies of an exchange; where both say something the backend's counts.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    back: Option<&'a Compression>,
    front: Option<&'a Compression>,
}

impl<'a> Settings<'a> {
    /// The settings of an exchange, if either proxy has any. Pass the backend's alone when both are one.
    pub fn new(back: Option<&'a Compression>, front: Option<&'a Compression>) -> Option<Self> {
        (back.is_some() || front.is_some()).then_some(Self { back, front })
    }

    fn both(&self) -> impl Iterator<Item = &'a Compression> {
        self.back.into_iter().chain(self.front)
    }

    fn list<T>(&self, of: impl Fn(&'a Compression) -> &'a [T]) -> &'a [T] {
        self.both().map(of).find(|list| !list.is_empty()).unwrap_or_default()
    }

    fn min_size(&self, of: impl Fn(&Compression) -> u64) -> u64 {
        self.both().map(of).find(|size| *size > 0).unwrap_or_default()
    }

    /// Compression level, from 1 to 9.
    pub fn level(&self) -> u32 {
        self.both().map(|own| own.level).max().unwrap_or(1).clamp(1, 9)
    }

    /// Looks at a request on its way to a server: which coding its response may have. With `offload` the server does
    /// not learn what the client accepts.
    pub fn choose(&self, request: &mut Request) -> Option<CompressionAlgorithm> {
        if !self.both().any(|own| own.responses) || is_old_browser(request.fields.get(b"user-agent")) {
            return None;
        }
        let algorithms = self.list(|own| &own.algorithms);
        let chosen = accepted(&request.fields, algorithms);
        if chosen.is_some() {
            if self.both().any(|own| own.offload) {
                request.fields.remove_all(b"accept-encoding");
            }
            return chosen;
        }
        algorithms.iter().copied().find(|own| *own == CompressionAlgorithm::Identity)
    }

    /// Whether a server's response is compressed, as received; rules that change it afterwards do not matter.
    pub fn compresses(&self, request: &Request, response: &Response) -> bool {
        let both_11 = request.version == Version::Http11 && response.version == Version::Http11;
        let framed = matches!(response.body, BodyLength::Known(_) | BodyLength::Chunked);
        both_11
            && Method::of(request.received_method()) != Method::Head
            && (200..=203).contains(&response.status)
            && framed
            && is_large(response.body, self.min_size(|own| own.min_size))
            && is_open_to_change(&response.fields)
            && is_listed(&response.fields, self.list(|own| &own.types), true)
    }

    /// How the body of a request is compressed on its way to a server.
    pub fn of_request(&self, request: &Request) -> Option<CompressionAlgorithm> {
        if !self.both().any(|own| own.requests) || request.version != Version::Http11 {
            return None;
        }
        let framed = matches!(request.body, BodyLength::Known(1..) | BodyLength::Chunked);
        let wanted = framed
            && request.method != Method::Head
            && request.fields.find(b"content-encoding", 0).is_none()
            && is_large(request.body, self.min_size(|own| own.request_min_size))
            && is_listed(&request.fields, self.list(|own| &own.request_types), false);
        self.both().find_map(|own| own.request_algorithm).filter(|_| wanted)
    }
}

/// Changes the head of a message that is being compressed. Returns false when there is no room for that.
pub fn announce(fields: &mut Fields, algorithm: CompressionAlgorithm, response: bool) -> bool {
    if fields.find(b"transfer-encoding", 0).is_none() && !fields.push(b"transfer-encoding", b"chunked") {
        return false;
    }
    fields.remove_all(b"content-length");
    let strong = fields.find(b"etag", 0).filter(|index| fields.value(*index).starts_with(b"\""));
    if let Some(index) = strong {
        let weak = [b"W/", fields.value(index)].concat();
        if !fields.set_value(index, &weak) {
            return false;
        }
    }
    if response && !vary(fields) {
        return false;
    }
    algorithm == CompressionAlgorithm::Identity
        || fields.push(b"content-encoding", algorithm.coding().as_bytes())
}

/// Says that responses depend on `Accept-Encoding`, unless that is said.
fn vary(fields: &mut Fields) -> bool {
    let said = fields.all(b"vary").any(|value| {
        Elements::new(value).any(|(at, end)| value[at..end].eq_ignore_ascii_case(b"accept-encoding"))
    });
    if said {
        return true;
    }
    match fields.rfind(b"vary", usize::MAX) {
        Some(index) if !fields.value(index).is_empty() => {
            let longer = [fields.value(index), b",Accept-Encoding"].concat();
            fields.set_value(index, &longer)
        }
        Some(index) => fields.set_value(index, b"Accept-Encoding"),
        None => fields.push(b"vary", b"Accept-Encoding"),
    }
}

/// Old browsers that call themselves `Mozilla/4` are known to mishandle compression, but for two of them.
fn is_old_browser(agent: Option<&[u8]>) -> bool {
    let Some(agent) = agent.filter(|agent| agent.starts_with(b"Mozilla/4")) else { return false };
    let Some(version) = agent.get(25..31).and_then(|word| word.strip_prefix(b"MSIE ")) else { return true };
    match version[0] {
        b'7'.. => false,
        b'6' => agent.get(51..54) != Some(b"SV1"),
        _ => true,
    }
}

/// The algorithm with the highest weight; the first one in the client's order among equals.
fn accepted(fields: &Fields, algorithms: &[CompressionAlgorithm]) -> Option<CompressionAlgorithm> {
    let mut best = None;
    let mut weight = 0;
    for value in fields.all(b"accept-encoding") {
        for (at, end) in Elements::new(value) {
            let mut parts = value[at..end].split(|byte| *byte == b';');
            let coding = trim(parts.next().unwrap_or_default());
            let own = parts.find_map(|part| trim(part).strip_prefix(b"q=")).map_or(1000, thousandths);
            if own <= weight {
                continue;
            }
            let any = coding.starts_with(b"*");
            let found = algorithms
                .iter()
                .find(|algorithm| any || coding.eq_ignore_ascii_case(algorithm.coding().as_bytes()));
            if let Some(algorithm) = found {
                best = Some(*algorithm);
                weight = own;
            }
        }
    }
    best
}

/// A weight such as `0.75` in thousandths; what cannot be read is 1 (RFC 9110 §12.4.2).
fn thousandths(text: &[u8]) -> u32 {
    let (whole, rest) = match text {
        [b'0', rest @ ..] => (0, rest),
        _ => return 1000,
    };
    let digits = rest.strip_prefix(b".").unwrap_or_default();
    let mut scale = 1000;
    digits.iter().take(3).map_while(|digit| (*digit as char).to_digit(10)).fold(whole, |sum, digit| {
        scale /= 10;
        sum + digit * scale
    })
}

fn is_large(body: BodyLength, least: u64) -> bool {
    !matches!(body, BodyLength::Known(length) if length < least)
}

/// Whether nothing in a response forbids to change its body.
fn is_open_to_change(fields: &Fields) -> bool {
    let fixed = |value: &[u8]| {
        Elements::new(value).any(|(at, end)| value[at..end].eq_ignore_ascii_case(b"no-transform"))
    };
    let mut tags = fields.all(b"etag");
    fields.find(b"content-encoding", 0).is_none()
        && !fields.all(b"cache-control").any(fixed)
        && tags.next().is_none_or(is_entity_tag)
        && tags.next().is_none()
}

/// A quoted text, perhaps with `W/` in front.
fn is_entity_tag(value: &[u8]) -> bool {
    let quoted = value.strip_prefix(b"W/").unwrap_or(value);
    matches!(quoted, [b'"', .., b'"'])
}

/// Whether the type of the content is among those to be compressed; everything is when none are named.
fn is_listed(fields: &Fields, types: &[std::sync::Arc<str>], no_parts: bool) -> bool {
    let begins = |value: &[u8], start: &[u8]| {
        value.get(..start.len()).is_some_and(|own| own.eq_ignore_ascii_case(start))
    };
    match fields.get(b"content-type") {
        None => types.is_empty(),
        Some(value) if no_parts && begins(value, b"multipart") => false,
        Some(value) => types.is_empty() || types.iter().any(|own| begins(value, own.as_bytes())),
    }
}

#[cfg(test)]
mod tests;
