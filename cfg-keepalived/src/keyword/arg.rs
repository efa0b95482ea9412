//! The grammar of arguments.

/// One argument of a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arg {
    /// Its name in usage lines.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// It may be left out.
    pub optional: bool,
    /// It may be repeated.
    pub many: bool,
}

/// What an argument may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Any word.
    Word,
    /// `on off true false yes no`
    Bool,
    /// A whole number in the range.
    Int(i64, i64),
    /// Decimal seconds, in microseconds from the first to the second number.
    Seconds(u64, u64),
    /// Decimal milliseconds, from the first to the second number.
    Milliseconds(u64, u64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// An IPv4 or IPv6 address.
    Address,
    /// A command line: one argument, split again with its own quotes.
    Script,
}

impl Arg {
    pub(super) const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, optional: false, many: false }
    }

    pub(super) const fn opt(mut self) -> Self {
        self.optional = true;
        self
    }

    pub(super) const fn many(mut self) -> Self {
        self.many = true;
        self
    }

    /// The argument as the manual writes it.
    pub fn usage(&self) -> String {
        let mut text = match self.kind {
            Kind::Bool => "on|off".to_owned(),
            Kind::OneOf(words) => words.join("|"),
            _ => self.name.to_owned(),
        };
        if self.many {
            text.push('…');
        }
        if self.optional { format!("[{text}]") } else { text }
    }

    /// The range of a number, for the documentation; empty for other kinds.
    pub fn range(&self) -> String {
        match self.kind {
            Kind::Int(low, high) => format!("{low} to {high}"),
            Kind::Milliseconds(low, high) => format!("{low} to {high} ms"),
            Kind::Seconds(0, u64::MAX) => String::new(),
            Kind::Seconds(low, u64::MAX) => format!("from {} s", seconds(low)),
            Kind::Seconds(low, high) => format!("{} to {} s", seconds(low), seconds(high)),
            _ => String::new(),
        }
    }
}

/// Microseconds as decimal seconds without trailing zeros.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub(super) const fn word(name: &'static str) -> Arg {
    Arg::new(name, Kind::Word)
}

pub(super) const fn boolean() -> Arg {
    Arg::new("BOOL", Kind::Bool)
}

pub(super) const fn int(name: &'static str, low: i64, high: i64) -> Arg {
    Arg::new(name, Kind::Int(low, high))
}

/// Whole numbers of an unsigned 32-bit field.
pub(super) const fn unsigned(name: &'static str) -> Arg {
    int(name, 0, u32::MAX as i64)
}

pub(super) const fn seconds_arg(low: u64, high: u64) -> Arg {
    Arg::new("SECONDS", Kind::Seconds(low, high))
}

pub(super) const fn milliseconds(low: u64, high: u64) -> Arg {
    Arg::new("MILLISECONDS", Kind::Milliseconds(low, high))
}

/// The longest timer the original takes, in microseconds.
pub(super) const LONGEST: u64 = 4_294_967_295;

pub(super) const fn one_of(words: &'static [&'static str]) -> Arg {
    Arg::new("WORD", Kind::OneOf(words))
}

pub(super) const fn address() -> Arg {
    Arg::new("ADDRESS", Kind::Address)
}

/// A command line.
pub(super) const COMMAND: Arg = Arg::new("COMMAND", Kind::Script);

/// A command, and the user and group it runs as.
pub(super) const SCRIPT: &[Arg] =
    &[COMMAND, Arg::new("USER", Kind::Word).opt(), Arg::new("GROUP", Kind::Word).opt()];
