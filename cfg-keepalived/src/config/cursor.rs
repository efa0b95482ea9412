//! The words of a line of `virtual_routes`, `virtual_rules` and their like.

use super::Reading;
use crate::codes;
use crate::env::Env;
use crate::tree::ValueLine;
use crate::value;
use crate::word::Word;
use lb_core::diag::Code;
use vrrp::spec::{Name, Realms};

/// Why a line is dropped: the diagnostic was given.
pub(super) struct Dropped;

/// The words of a line, one after the other.
pub(super) struct Cursor<'a, 'c, 'e> {
    words: &'a [Word],
    at: usize,
    pub(super) cx: &'c mut Reading<'e>,
    /// What the line is, for messages.
    what: &'static str,
    /// What a mistake leaves out: all of it, unless something of it stays.
    pub(super) lost: &'static str,
    /// What it makes is there as long as the daemon runs.
    pub(super) fixed: bool,
}

impl<'a, 'c, 'e> Cursor<'a, 'c, 'e> {
    pub(super) fn new(line: &'a ValueLine, what: &'static str, fixed: bool, cx: &'c mut Reading<'e>) -> Self {
        Self { words: &line.words, at: 0, cx, what, lost: what, fixed }
    }

    pub(super) fn next(&mut self) -> Option<&'a Word> {
        let word = self.words.get(self.at)?;
        self.at += 1;
        Some(word)
    }

    pub(super) fn peek(&self) -> Option<&'a str> {
        self.words.get(self.at).map(|w| w.text.as_str())
    }

    /// The next two words, which stay where they are.
    pub(super) fn pair(&self) -> Option<(&'a Word, &'a Word)> {
        Some((self.words.get(self.at)?, self.words.get(self.at + 1)?))
    }

    pub(super) fn skip(&mut self, words: usize) {
        self.at += words;
    }

    /// The value of an option. Its absence ends the program, as with keywords.
    pub(super) fn value(&mut self, option: &Word) -> Result<&'a Word, Dropped> {
        if let Some(word) = self.next() {
            return Ok(word);
        }
        let message = format!("`{}` lacks its value", option.text);
        self.cx.out.push(value::lacking(self.words, message));
        Err(Dropped)
    }

    pub(super) fn drop_line(&mut self, code: Code, word: &Word, message: &str, compat: String) -> Dropped {
        let message = format!("{message}; the {} is ignored", self.lost);
        self.cx.warn(code, word.span, message, compat);
        Dropped
    }

    /// The line is of this family from here on, or dropped if it is of the other one already.
    pub(super) fn must_be(
        &mut self,
        is_ipv6: &mut Option<bool>,
        ipv6: bool,
        word: &Word,
        message: &str,
        compat: &str,
    ) -> Result<(), Dropped> {
        if *is_ipv6.get_or_insert(ipv6) == ipv6 {
            return Ok(());
        }
        Err(self.drop_line(codes::CONFLICT, word, message, compat.to_owned()))
    }

    /// A decimal number up to `most`; in `compat`, `{value}` stands for the word.
    pub(super) fn number<T: TryFrom<i64>>(
        &mut self,
        option: &Word,
        most: u32,
        compat: &str,
    ) -> Result<T, Dropped> {
        let word = self.value(option)?;
        let message = format!("`{}` is no value for `{}`", word.text, option.text);
        let complaint = compat.replace("{value}", &word.text);
        let compat = match value::integer(&word.text, 0, most.into(), true) {
            Ok(number) => match T::try_from(number) {
                Ok(number) => return Ok(number),
                Err(_) => complaint,
            },
            Err(problem) => format!("{}\n{complaint}", problem.compat()),
        };
        Err(self.drop_line(codes::BAD_NUMBER, word, &message, compat))
    }

    /// The value of `option` as `read` understands it; in `compat`, `{value}` stands for the word.
    pub(super) fn read<T>(
        &mut self,
        option: &Word,
        read: impl FnOnce(&str) -> Option<T>,
        (code, message): (Code, &str),
        compat: &str,
    ) -> Result<T, Dropped> {
        let word = self.value(option)?;
        let compat = || compat.replace("{value}", &word.text);
        read(&word.text).ok_or_else(|| self.drop_line(code, word, message, compat()))
    }

    /// The value of `option`: a number up to `most`, or a name that the host or `known` has a number for.
    pub(super) fn listed<T: TryFrom<u32>>(
        &mut self,
        option: &Word,
        names: Names,
        message: &str,
        compat: &str,
    ) -> Result<T, Dropped> {
        let env = self.cx.env;
        let wrong = (codes::BAD_WORD, message);
        self.read(option, |text| T::try_from(names.find(text, env)?).ok(), wrong, compat)
    }

    pub(super) fn tos(&mut self, option: &Word) -> Result<u8, Dropped> {
        self.listed(option, FIELDS, "this is no type of service", "TOS value {value} is invalid")
    }

    pub(super) fn interface(&mut self, option: &Word) -> Result<Name, Dropped> {
        let word = self.value(option)?;
        if self.cx.lacks_interface(&word.text) {
            let what = if self.what == "route" { "VROUTE nexthop" } else { self.what };
            let compat = format!("WARNING - interface {} for {what} doesn't exist", word.text);
            return Err(self.drop_line(
                codes::MISSING_INTERFACE,
                word,
                "this interface does not exist",
                compat,
            ));
        }
        Ok(Name::new(&word.text))
    }

    pub(super) fn table(&mut self, option: &Word) -> Result<u32, Dropped> {
        let compat = format!("Routing table {{value}} not found for {}", self.what);
        self.listed(option, TABLES, "this routing table is not known", &compat)
    }

    /// `to` or `from/to`, as numbers or names.
    pub(super) fn realms(&mut self, option: &Word) -> Result<Realms, Dropped> {
        let env = self.cx.env;
        let start = if self.what == "route" { "Invalid" } else { "invalid" };
        let compat = format!("{start} realms {{value}} for {}", self.what);
        let realm = |text: &str| u16::try_from(REALMS.find(text, env)?).ok();
        let realms = |text: &str| {
            let (from, to) = text.split_once('/').unwrap_or(("0", text));
            Some(Realms { from: realm(from)?, to: realm(to)? })
        };
        let message = "realms are written `FROM/TO`, as names or numbers up to 255";
        self.read(option, realms, (codes::BAD_NUMBER, message), &compat)
    }
}

/// Decimal, hexadecimal with `0x` or octal with a leading zero.
pub(super) fn auto_base(text: &str) -> Option<i64> {
    let parsed = if let Some(hex) = text.strip_prefix("0x") {
        i64::from_str_radix(hex, 16)
    } else if text.len() > 1 && text.starts_with('0') {
        i64::from_str_radix(text, 8)
    } else {
        text.parse()
    };
    parsed.ok().filter(|n| *n >= 0)
}

/// Numbers with names, which the host lists in a file of iproute2.
#[derive(Clone, Copy)]
pub(super) struct Names {
    list: &'static str,
    most: u32,
    /// Names known without the host.
    known: &'static [(&'static str, u32)],
}

impl Names {
    /// The number that `text` is, or names.
    pub(super) fn find(self, text: &str, env: &dyn Env) -> Option<u32> {
        if let Some(number) = auto_base(text) {
            return u32::try_from(number).ok().filter(|number| *number <= self.most);
        }
        let known = || self.known.iter().find(|(name, _)| *name == text).map(|(_, number)| *number);
        env.iproute_number(self.list, text).filter(|number| *number <= self.most).or_else(known)
    }
}

/// Routing tables.
const TABLES: Names =
    Names { list: "rt_tables", most: u32::MAX, known: &[("default", 253), ("main", 254), ("local", 255)] };

/// Realms of routing.
const REALMS: Names = Names { list: "rt_realms", most: 255, known: &[] };

/// Groups of interfaces.
pub(super) const GROUPS: Names = Names { list: "group", most: i32::MAX as u32, known: &[("default", 0)] };

/// Scopes of routes.
pub(super) const SCOPES: Names = Names {
    list: "rt_scopes",
    most: 255,
    known: &[("global", 0), ("site", 200), ("link", 253), ("host", 254), ("nowhere", 255)],
};

/// Who made a route.
pub(super) const PROTOCOLS: Names = Names {
    list: "rt_protos",
    most: 255,
    known: &[
        ("none", 0),
        ("redirect", 1),
        ("kernel", 2),
        ("boot", 3),
        ("static", 4),
        ("gated", 8),
        ("ra", 9),
        ("mrt", 10),
        ("zebra", 11),
        ("bird", 12),
        ("dnrouted", 13),
        ("xorp", 14),
        ("ntk", 15),
        ("dhcp", 16),
        ("keepalived", 18),
        ("babel", 42),
    ],
};

/// Types of service.
pub(super) const FIELDS: Names = Names {
    list: "rt_dsfield",
    most: 255,
    known: &[
        ("default", 0x00),
        ("AF11", 0x28),
        ("AF12", 0x30),
        ("AF13", 0x38),
        ("AF21", 0x48),
        ("AF22", 0x50),
        ("AF23", 0x58),
        ("AF31", 0x68),
        ("AF32", 0x70),
        ("AF33", 0x78),
        ("AF41", 0x88),
        ("AF42", 0x90),
        ("AF43", 0x98),
        ("CS1", 0x20),
        ("CS2", 0x40),
        ("CS3", 0x60),
        ("CS4", 0x80),
        ("CS5", 0xa0),
        ("CS6", 0xc0),
        ("CS7", 0xe0),
        ("EF", 0xb8),
    ],
};
