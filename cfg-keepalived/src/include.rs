//! `include`, `includer`, `includem`, `includew`, `includeb`, `includea` and `include_check`.

use crate::codes;
use crate::env::Included;
use crate::mapped::Mapped;
use lb_core::diag::{Diagnostic, Diagnostics, Span};

/// What an include insists on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Checks {
    /// Every file must be readable.
    readable: bool,
    /// The pattern must match something.
    matching: bool,
    /// A pattern with wildcards must match something.
    wildcard: bool,
    /// Every alternative in braces must match something.
    brace: bool,
}

impl Checks {
    const NONE: Self = Self { readable: false, matching: false, wildcard: false, brace: false };
    const ALL: Self = Self { readable: true, matching: true, wildcard: true, brace: true };

    fn or(self, other: Self) -> Self {
        Self {
            readable: self.readable || other.readable,
            matching: self.matching || other.matching,
            wildcard: self.wildcard || other.wildcard,
            brace: self.brace || other.brace,
        }
    }

    /// Takes the setting of an `include_check` line; other lines change nothing.
    pub(crate) fn observe(&mut self, line: &str) {
        let mut words = line.split_ascii_whitespace();
        if words.next() != Some("include_check") {
            return;
        }
        let words: Vec<&str> = words.collect();
        match words.as_slice() {
            [] => *self = Self::ALL,
            [first, ..] if !first.starts_with(['+', '-']) => {
                *self = Self::NONE;
                words.iter().for_each(|w| self.set(w, true));
            }
            all => all.iter().for_each(|w| self.set(w.get(1..).unwrap_or_default(), w.starts_with('+'))),
        }
    }

    fn set(&mut self, word: &str, on: bool) {
        match word {
            "readable" => self.readable = on,
            "match" => self.matching = on,
            "wildcard_match" => self.wildcard = on,
            "brace_match" => self.brace = on,
            _ => {}
        }
    }
}

/// An include line.
#[derive(Debug)]
pub(crate) struct Directive {
    pub(crate) pattern: String,
    pub(crate) span: Span,
    checks: Checks,
}

impl Directive {
    pub(crate) fn parse(line: &Mapped) -> Option<Self> {
        let rest = line.text().strip_prefix("include")?;
        let kind = rest.chars().next()?;
        let (checks, rest) = match kind {
            ' ' | '\t' => (Checks::NONE, rest),
            _ => {
                let rest = rest.strip_prefix(kind)?;
                let readable = Checks { readable: true, ..Checks::NONE };
                let checks = match kind {
                    'r' => readable,
                    'm' => Checks { matching: true, ..readable },
                    'w' => Checks { wildcard: true, matching: true, ..readable },
                    'b' => Checks { brace: true, ..readable },
                    'a' => Checks::ALL,
                    _ => return None,
                };
                (checks, rest)
            }
        };
        let pattern = rest.trim_start_matches([' ', '\t']);
        if !rest.starts_with([' ', '\t']) || pattern.is_empty() {
            return None;
        }
        let start = line.len() - pattern.len();
        Some(Self { pattern: pattern.to_owned(), span: line.span(start..line.len()), checks })
    }
}

/// Says what was not found or could not be read; an error only if the directive or `include_check` insists.
pub(crate) fn report(directive: &Directive, found: &Included, default: Checks, out: &mut Diagnostics) {
    let checks = directive.checks.or(default);
    for (name, reason) in &found.unreadable {
        let message = format!("`{name}` cannot be read: {reason}");
        out.push(
            diagnostic(checks.readable, directive.span, message)
                .compat(format!("Configuration file '{name}' open problem ({reason})")),
        );
    }
    if !found.files.is_empty() || !found.unreadable.is_empty() {
        return;
    }
    let pattern = &directive.pattern;
    let wild = pattern.contains(['*', '?', '[']);
    let insist = if wild {
        checks.wildcard
    } else if pattern.contains('{') {
        checks.brace
    } else {
        checks.matching
    };
    let message = format!("no file matches `{pattern}`");
    out.push(
        diagnostic(insist, directive.span, message).compat(format!("Config files missing '{pattern}'.")),
    );
}

fn diagnostic(error: bool, span: Span, message: String) -> Diagnostic {
    if error {
        Diagnostic::error(codes::INCLUDE, span, message)
    } else {
        Diagnostic::notice(codes::INCLUDE, span, message)
    }
}
