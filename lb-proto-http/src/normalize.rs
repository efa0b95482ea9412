//! Normal forms of request targets (`http-request normalize-uri`).
//!
//! Each step is one rewriting of RFC 3986 §6 that some servers make and others do not; applying it here keeps rules and
//! servers from seeing different things. Targets without a path, such as `*`, stay as they are.

/// One step towards a normal form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the normalizers of the configuration")]
pub enum Normalizer {
    /// `#` becomes `%23`.
    FragmentEncode,
    /// `#` and what follows goes.
    FragmentStrip,
    /// Several slashes become one.
    MergeSlashes,
    /// `/./` becomes `/`.
    StripDot,
    /// `/x/../` becomes `/`; `full` also removes what would lead above the root.
    StripDotDot {
        /// Nothing of it stays.
        full: bool,
    },
    /// Encoded characters that need no encoding are decoded; `strict` refuses broken encodings.
    DecodeUnreserved {
        /// Refuse broken encodings.
        strict: bool,
    },
    /// Hexadecimal digits of encodings become upper case.
    PercentToUppercase {
        /// Refuse broken encodings.
        strict: bool,
    },
    /// The parameters of the query are sorted by name; equal names keep their order.
    SortQuery,
}

/// The target is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is one reason")]
pub struct BrokenEncoding;

impl Normalizer {
    /// Path and query in the normal form.
    ///
    /// # Errors
    /// When an encoding is broken and that matters.
    pub fn apply(self, path_query: &[u8]) -> Result<Vec<u8>, BrokenEncoding> {
        let query_at = memchr::memchr(b'?', path_query).unwrap_or(path_query.len());
        let (path, query) = path_query.split_at(query_at);
        let with_path = |path: Vec<u8>| Ok([&path, query].concat());
        match self {
            Self::FragmentEncode => {
                Ok(path_query.split(|byte| *byte == b'#').collect::<Vec<_>>().join(&b"%23"[..]))
            }
            Self::FragmentStrip => {
                Ok(path_query.split(|byte| *byte == b'#').next().unwrap_or_default().to_vec())
            }
            Self::MergeSlashes => {
                let mut out = path.to_vec();
                out.dedup_by(|a, b| *a == b'/' && *b == b'/');
                with_path(out)
            }
            Self::StripDot => with_path(without_dots(path)),
            Self::StripDotDot { full } => with_path(without_parents(path, full)),
            Self::DecodeUnreserved { strict } => encodings(path_query, strict, |code, out| {
                let byte = code.byte();
                let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
                if plain { out.push(byte) } else { out.extend_from_slice(&[b'%', code.0, code.1]) }
            }),
            Self::PercentToUppercase { strict } => encodings(path_query, strict, |code, out| {
                out.extend_from_slice(&[b'%', code.0.to_ascii_uppercase(), code.1.to_ascii_uppercase()]);
            }),
            Self::SortQuery => Ok(sorted(path, query)),
        }
    }
}

/// The two digits of an encoded byte.
#[derive(Clone, Copy)]
struct Code(u8, u8);

impl Code {
    fn byte(self) -> u8 {
        let digit = |digit: u8| (digit as char).to_digit(16).unwrap_or_default() as u8;
        digit(self.0) << 4 | digit(self.1)
    }
}

/// Rewrites every encoded byte.
fn encodings(
    text: &[u8],
    strict: bool,
    mut write: impl FnMut(Code, &mut Vec<u8>),
) -> Result<Vec<u8>, BrokenEncoding> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                write(Code(*high, *low), &mut out);
                rest = after;
            }
            (b'%', _) if strict => return Err(BrokenEncoding),
            _ => out.push(*first),
        }
    }
    Ok(out)
}

fn without_dots(path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
    let last = kept.last().copied();
    kept.retain(|segment| *segment != b".");
    // What the last dot stood for is a directory.
    if last == Some(b".") {
        kept.push(b"");
    }
    kept.join(&b'/')
}

fn without_parents(path: &[u8], full: bool) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut segments = path.split(|byte| *byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        if segment != b".." {
            kept.push(segment);
            continue;
        }
        let below = kept.last().is_some_and(|parent| *parent != b"..");
        if below {
            kept.pop();
        } else if !full {
            kept.push(segment);
            continue;
        }
        if is_last {
            kept.push(b"");
        }
    }
    let mut out = vec![b'/'];
    out.extend_from_slice(&kept.join(&b'/'));
    out
}

fn sorted(path: &[u8], query: &[u8]) -> Vec<u8> {
    let Some((_, list)) = query.split_first() else { return path.to_vec() };
    let mut parameters: Vec<&[u8]> = list.split(|byte| *byte == b'&').collect();
    parameters.sort_by_key(|parameter| parameter.split(|byte| *byte == b'=').next().unwrap_or_default());
    [path, b"?", &parameters.join(&b'&')].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn becomes(normalizer: Normalizer, pairs: &[(&str, &str)]) {
        for (from, to) in pairs {
            let out = normalizer.apply(from.as_bytes()).unwrap();
            assert_eq!(String::from_utf8_lossy(&out), *to, "{normalizer:?} {from}");
        }
    }

    #[test]
    fn paths_lose_what_servers_disagree_about() {
        becomes(Normalizer::MergeSlashes, &[("///a//b///", "/a/b/"), ("/a?b=//", "/a?b=//"), ("/", "/")]);
        let dots = [("/.", "/"), ("/./", "/"), ("/a/./b", "/a/b"), ("/a/.", "/a/"), ("/.a/b.", "/.a/b.")];
        becomes(Normalizer::StripDot, &dots);
        becomes(Normalizer::StripDot, &[("/a/../b", "/a/../b"), ("/?a=/./", "/?a=/./")]);
        let same = [
            ("/a/..", "/"),
            ("/a/../b", "/b"),
            ("/a//../", "/a/"),
            ("/a//../../b/", "/b/"),
            ("/a/b/../", "/a/"),
        ];
        for full in [false, true] {
            becomes(Normalizer::StripDotDot { full }, &same);
        }
        becomes(Normalizer::StripDotDot { full: false }, &[("/../a/", "/../a/"), ("/a/../../", "/../")]);
        becomes(
            Normalizer::StripDotDot { full: true },
            &[("/../a/", "/a/"), ("/a/../../", "/"), ("/..", "/")],
        );
    }

    #[test]
    fn encodings_are_brought_to_one_spelling_or_refused() {
        let decode = |strict| Normalizer::DecodeUnreserved { strict };
        becomes(
            decode(false),
            &[("/%61?%61=%41", "/a?a=A"), ("/%3F", "/%3F"), ("/%%36%36", "/%66"), ("/%", "/%")],
        );
        becomes(decode(true), &[("/%7e", "/~")]);
        assert_eq!(decode(true).apply(b"/%%36"), Err(BrokenEncoding));
        let upper = |strict| Normalizer::PercentToUppercase { strict };
        becomes(upper(false), &[("/%aa?%zz", "/%AA?%zz")]);
        assert_eq!(upper(true).apply(b"/%a"), Err(BrokenEncoding));
    }

    #[test]
    fn queries_are_sorted_by_name_only() {
        let pairs = [
            ("/?z=z&a=a", "/?a=a&z=z"),
            ("/?c&b&a", "/?a&b&c"),
            ("/?aa=&a=", "/?a=&aa="),
            ("/?a=5&b=3&a=1", "/?a=5&a=1&b=3"),
            ("/?", "/?"),
            ("/", "/"),
        ];
        becomes(Normalizer::SortQuery, &pairs);
        becomes(Normalizer::FragmentEncode, &[("/#a#", "/%23a%23")]);
        becomes(Normalizer::FragmentStrip, &[("/a#b#", "/a"), ("/%23", "/%23")]);
    }
}
