//! Questions and answers as datagrams (RFC 1035, and RFC 6891 for the size of answers).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Most addresses taken from an answer.
const MOST: usize = 64;
/// Most pointers followed in a name; each leads backwards.
const JUMPS: usize = 32;
const CNAME: u16 = 5;
const OPT: u16 = 41;
const INTERNET: u16 = 1;

/// Which addresses are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the two families")]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::V4 => Self::V6,
            Self::V6 => Self::V4,
        }
    }

    const fn record(self) -> u16 {
        match self {
            Self::V4 => 1,
            Self::V6 => 28,
        }
    }

    fn address(self, data: &[u8]) -> Option<IpAddr> {
        match self {
            Self::V4 => <[u8; 4]>::try_from(data).ok().map(|octets| Ipv4Addr::from(octets).into()),
            Self::V6 => <[u8; 16]>::try_from(data).ok().map(|octets| Ipv6Addr::from(octets).into()),
        }
    }
}

/// A host's name as it is sent: labels with their lengths, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name(Box<[u8]>);

impl Name {
    /// The name written as `text`, with or without a dot at its end; `None` if it cannot be one.
    pub fn new(text: &[u8]) -> Option<Self> {
        let text = text.strip_suffix(b".").unwrap_or(text);
        let mut wire = Vec::with_capacity(text.len() + 2);
        for label in text.split(|byte| *byte == b'.') {
            let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
            wire.push(length);
            wire.extend(label.iter().map(u8::to_ascii_lowercase));
        }
        wire.push(0);
        (wire.len() <= 255).then(|| Self(wire.into()))
    }
}

/// What a name server said.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "every caller answers each of them")]
pub enum Answer {
    /// These addresses; none if the name has no address of the family.
    Addresses(Vec<IpAddr>),
    /// There is no such name.
    NoName,
    /// It does not answer us.
    Refused,
    /// It failed, or its answer did not fit.
    Failure,
}

/// The question for addresses of `name`, with a number and the largest answer that is wanted.
pub fn question(name: &Name, family: Family, id: u16, payload: u16) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.0.len() + 27);
    // Recursion is wanted; one question, one additional record.
    for word in [id, 0x0100, 1, 0, 0, 1] {
        out.extend(word.to_be_bytes());
    }
    out.extend(&*name.0);
    out.extend(family.record().to_be_bytes());
    out.extend(INTERNET.to_be_bytes());
    out.push(0);
    for word in [OPT, payload, 0, 0, 0] {
        out.extend(word.to_be_bytes());
    }
    out
}

/// The answer in `datagram` to the [`question`] with the same arguments; `None` if it is none.
pub fn parse(datagram: &[u8], name: &Name, family: Family, id: u16) -> Option<Answer> {
    let mut reader = Reader { data: datagram, at: 0 };
    let (own, flags) = (reader.word()?, reader.word()?);
    let (questions, answers) = (reader.word()?, reader.word()?);
    reader.skip(4)?;
    let is_answer = flags & 0xf800 == 0x8000;
    if own != id || !is_answer || questions != 1 {
        return None;
    }
    let same = reader.name()? == *name && reader.word()? == family.record() && reader.word()? == INTERNET;
    if !same {
        return None;
    }
    Some(match (flags & 0x000f, flags & 0x0200) {
        (0, 0) => addresses(&mut reader, name, family, answers).map_or(Answer::Failure, Answer::Addresses),
        (3, _) => Answer::NoName,
        (5, _) => Answer::Refused,
        _ => Answer::Failure,
    })
}

/// The addresses of `name`, and of what it is another name for.
fn addresses(reader: &mut Reader<'_>, name: &Name, family: Family, records: u16) -> Option<Vec<IpAddr>> {
    let mut owner = name.clone();
    let mut found = Vec::new();
    for _ in 0..records {
        let named = reader.name()?;
        let (kind, class) = (reader.word()?, reader.word()?);
        reader.skip(4)?;
        let length = usize::from(reader.word()?);
        let start = reader.at;
        let data = reader.take(length)?;
        if class != INTERNET || named != owner {
            continue;
        }
        if kind == CNAME {
            owner = Reader { data: reader.data, at: start }.name()?;
        } else if kind == family.record() && found.len() < MOST {
            found.push(family.address(data)?);
        }
    }
    Some(found)
}

struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.data.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    fn skip(&mut self, length: usize) -> Option<()> {
        self.take(length).map(|_| ())
    }

    fn word(&mut self) -> Option<u16> {
        let bytes = self.take(2)?;
        Some(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// A name, which may end in a pointer to one that stands before it.
    fn name(&mut self) -> Option<Name> {
        let mut wire = Vec::new();
        let (mut at, mut jumps) = (self.at, 0);
        loop {
            let length = *self.data.get(at)?;
            if length & 0xc0 == 0xc0 {
                let low = *self.data.get(at + 1)?;
                if jumps == 0 {
                    self.at = at + 2;
                }
                jumps += 1;
                let target = usize::from(u16::from_be_bytes([length & 0x3f, low]));
                if jumps > JUMPS || target >= at {
                    return None;
                }
                at = target;
                continue;
            }
            let label = self.data.get(at + 1..at + 1 + usize::from(length)).filter(|_| length < 64)?;
            wire.push(length);
            wire.extend(label.iter().map(u8::to_ascii_lowercase));
            at += 1 + usize::from(length);
            if wire.len() > 255 {
                return None;
            }
            if length == 0 {
                if jumps == 0 {
                    self.at = at;
                }
                return Some(Name(wire.into()));
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An answer to `asked` with these records: owner as a pointer or spelled out, type, data.
    pub(crate) fn answer(asked: &[u8], flags: u16, records: &[(&[u8], u16, &[u8])]) -> Vec<u8> {
        let end = asked.len() - 11;
        let mut out = asked[..2].to_vec();
        for word in [flags, 1, records.len() as u16, 0, 0] {
            out.extend(word.to_be_bytes());
        }
        out.extend(&asked[12..end]);
        for (owner, kind, data) in records {
            out.extend(*owner);
            out.extend(kind.to_be_bytes());
            out.extend([0, 1, 0, 0, 0, 60]);
            out.extend((data.len() as u16).to_be_bytes());
            out.extend(*data);
        }
        out
    }

    const SAME: &[u8] = &[0xc0, 12];

    #[test]
    fn a_question_is_what_the_standard_says() {
        let name = Name::new(b"Ab.example").unwrap();
        let mut wanted =
            b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x02ab\x07example\x00\x00\x1c\x00\x01".to_vec();
        wanted.extend(b"\x00\x00\x29\x02\x00\x00\x00\x00\x00\x00\x00");
        assert_eq!(question(&name, Family::V6, 0x1234, 512), wanted);
        for bad in ["", ".", "a..b", &"x".repeat(64), &"abc.".repeat(64)] {
            assert_eq!(Name::new(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn addresses_are_found_through_other_names() {
        let name = Name::new(b"a.example").unwrap();
        let asked = question(&name, Family::V4, 7, 512);
        let other = b"\x01b\xc0\x0e";
        let records: [(&[u8], u16, &[u8]); 4] = [
            (b"\x01x\xc0\x0e", 1, &[192, 0, 2, 9]),
            (SAME, CNAME, other),
            (other, 1, &[192, 0, 2, 1]),
            (other, 1, &[192, 0, 2, 2]),
        ];
        let found = parse(&answer(&asked, 0x8180, &records), &name, Family::V4, 7);
        let wanted = ["192.0.2.1", "192.0.2.2"].map(|ip| ip.parse().unwrap());
        assert_eq!(found, Some(Answer::Addresses(wanted.to_vec())));
    }

    #[test]
    fn what_is_no_answer_to_the_question_is_not_taken_for_one() {
        let name = Name::new(b"a.example").unwrap();
        let asked = question(&name, Family::V4, 7, 512);
        let good = answer(&asked, 0x8180, &[(SAME, 1, &[192, 0, 2, 1])]);
        assert!(parse(&good, &name, Family::V4, 7).is_some());
        assert_eq!(parse(&good, &name, Family::V4, 8), None);
        assert_eq!(parse(&good, &name, Family::V6, 7), None);
        assert_eq!(parse(&good, &Name::new(b"b.example").unwrap(), Family::V4, 7), None);
        assert_eq!(parse(&asked, &name, Family::V4, 7), None, "a question");
    }

    #[test]
    fn failures_are_told_apart() {
        let name = Name::new(b"a.example").unwrap();
        let asked = question(&name, Family::V4, 7, 512);
        let said = |flags, records: &[(&[u8], u16, &[u8])]| {
            parse(&answer(&asked, flags, records), &name, Family::V4, 7).unwrap()
        };
        assert_eq!(said(0x8180, &[]), Answer::Addresses(Vec::new()));
        assert_eq!(said(0x8183, &[]), Answer::NoName);
        assert_eq!(said(0x8185, &[]), Answer::Refused);
        assert_eq!(said(0x8182, &[]), Answer::Failure);
        assert_eq!(said(0x8380, &[]), Answer::Failure, "cut");
        assert_eq!(said(0x8180, &[(SAME, 1, &[192, 0, 2])]), Answer::Failure, "too short");
        assert_eq!(said(0x8180, &[(b"\xc0\x30", 1, &[192, 0, 2, 1])]), Answer::Failure, "a pointer forwards");
    }

    proptest! {
        #[test]
        fn any_datagram_is_survived(rest in proptest::collection::vec(any::<u8>(), 0..200), count in 0u16..9) {
            let name = Name::new(b"a.example").unwrap();
            let asked = question(&name, Family::V4, 7, 512);
            let mut datagram = answer(&asked, 0x8180, &[]);
            datagram[6..8].copy_from_slice(&count.to_be_bytes());
            datagram.extend(&rest);
            if let Some(Answer::Addresses(found)) = parse(&datagram, &name, Family::V4, 7) {
                prop_assert!(found.len() <= usize::from(count));
            }
            parse(&rest, &name, Family::V4, 7);
        }
    }
}
