//! `$NAME=value` definitions, their multi-line form, and the predefined ones.

use crate::env::Env;
use crate::mapped::Mapped;
use std::collections::HashMap;

/// How many replacements one line may need; a definition that refers to itself stops here. The original reads lines of 1,023
/// bytes, and each replacement costs time that grows with those before it.
const MAX_REPLACEMENTS: usize = 500;

/// All definitions so far.
#[derive(Debug)]
pub(crate) struct Definitions {
    values: HashMap<String, Value>,
    directory: String,
    config_id: String,
    random: u64,
}

#[derive(Debug, Clone)]
enum Value {
    Line(String),
    Lines(Vec<Mapped>),
}

/// What became of a line.
pub(crate) enum Expansion {
    /// There was nothing to replace.
    Unchanged,
    /// The line with its definitions replaced.
    Line(Mapped),
    /// A multi-line definition stood at its end.
    Lines(Vec<Mapped>),
    /// It grows without end.
    TooLong,
}

impl Definitions {
    pub(crate) fn new(env: &dyn Env) -> Self {
        let mut values = HashMap::new();
        values.insert("_HASH".to_owned(), Value::Line("#".to_owned()));
        values.insert("_BANG".to_owned(), Value::Line("!".to_owned()));
        // Any seed but zero keeps the generator moving.
        let random = env.random_seed().wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15);
        Self { values, directory: env.directory(), config_id: env.config_id(), random }
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.values.insert(name.to_owned(), Value::Line(value.to_owned()));
    }

    /// Sets the directory of the file being read; returns the one before.
    pub(crate) fn set_directory(&mut self, directory: String) -> String {
        std::mem::replace(&mut self.directory, directory)
    }

    /// Takes a `$NAME=value` line: its name, and whether more lines follow.
    pub(crate) fn define(&mut self, line: &Mapped) -> Option<(String, bool)> {
        let text = line.text().strip_prefix('$')?;
        let equals = text.find('=')?;
        let name = &text[..equals];
        if !is_name(name) {
            return None;
        }
        let value = line.slice(1 + equals + 1..line.len()).trimmed();
        let name = name.to_owned();
        match value.text().strip_suffix('\\') {
            Some(first) => {
                let first = value.slice(0..first.len()).trimmed();
                let lines = if first.len() == 0 { Vec::new() } else { vec![first] };
                self.values.insert(name.clone(), Value::Lines(lines));
                Some((name, true))
            }
            None => {
                self.values.insert(name.clone(), Value::Line(value.text().to_owned()));
                Some((name, false))
            }
        }
    }

    /// Adds a line to a multi-line definition; false if it was the last one.
    pub(crate) fn extend(&mut self, name: &str, line: &Mapped) -> bool {
        let Some(Value::Lines(lines)) = self.values.get_mut(name) else { return false };
        let (line, more) = match line.text().strip_suffix('\\') {
            Some(text) => (line.slice(0..text.len()).trimmed(), true),
            None => (line.clone(), false),
        };
        if line.len() > 0 {
            lines.push(line);
        }
        more
    }

    /// Replaces all definitions used on `line`.
    pub(crate) fn expand(&mut self, line: &Mapped, env: &dyn Env, limit: usize) -> Expansion {
        let mut line = line.clone();
        let (mut at, mut count) = (0, 0);
        while let Some(found) = line.text()[at..].find('$') {
            at += found;
            let Some((used, value)) = self.lookup(&line.text()[at..], Some(env)) else {
                at += 1;
                continue;
            };
            count += 1;
            if count > MAX_REPLACEMENTS || line.len() > limit {
                return Expansion::TooLong;
            }
            match value {
                Value::Line(value) => {
                    let mut next = line.slice(0..at);
                    next.push_replacement(&value, line.span(at..at + used));
                    next.push(&line.slice(at + used..line.len()));
                    line = next;
                }
                Value::Lines(lines) => {
                    let mut first = line.slice(0..at);
                    let mut rest = lines.into_iter();
                    if let Some(body) = rest.next() {
                        first.push(&body);
                    }
                    return Expansion::Lines(std::iter::once(first).chain(rest).collect());
                }
            }
        }
        if count == 0 { Expansion::Unchanged } else { Expansion::Line(line) }
    }

    /// Replaces single-line definitions in `text`, once each; for the parameters of a sequence.
    pub(crate) fn expand_text(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            match self.lookup(rest, None) {
                Some((used, Value::Line(value))) => {
                    out.push_str(&value);
                    rest = &rest[used..];
                }
                _ => {
                    out.push('$');
                    rest = &rest[1..];
                }
            }
        }
        out + rest
    }

    /// The definition that `text`, which starts with `$`, refers to, and how many bytes the reference takes.
    fn lookup(&mut self, text: &str, env: Option<&dyn Env>) -> Option<(usize, Value)> {
        let (name, parameters, used) = reference(text)?;
        let value = match self.values.get(name) {
            Some(value) => value.clone(),
            None => Value::Line(self.predefined(name, parameters, env)?),
        };
        // A multi-line definition must be the last thing on its line.
        if matches!(value, Value::Lines(_)) && used != text.len() {
            return None;
        }
        Some((used, value))
    }

    fn predefined(&mut self, name: &str, parameters: &str, env: Option<&dyn Env>) -> Option<String> {
        match name {
            "_PWD" => Some(self.directory.clone()),
            "_INSTANCE" => Some(self.config_id.clone()),
            "_ENV" => env?.var(parameters),
            "_RANDOM" => {
                let mut bounds = parameters.split_ascii_whitespace();
                let low: u64 = bounds.next().map_or(Some(0), |p| p.parse().ok())?;
                let high: u64 = bounds.next().map_or(Some(32767), |p| p.parse().ok())?.max(low);
                Some((low + self.random_number() % (high - low).saturating_add(1)).to_string())
            }
            _ => None,
        }
    }

    /// xorshift64*: the numbers only need to differ between hosts with different seeds.
    fn random_number(&mut self) -> u64 {
        self.random |= 1;
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Name, parameters and length of the reference `$NAME` or `${NAME parameters}` at the start of `text`.
fn reference(text: &str) -> Option<(&str, &str, usize)> {
    let rest = text.strip_prefix('$')?;
    if let Some(inner) = rest.strip_prefix('{') {
        let close = inner.find('}')?;
        let content = &inner[..close];
        let (name, parameters) = content.split_once([' ', '\t']).unwrap_or((content, ""));
        let plain = parameters.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'\t' | b'_'));
        return (is_name(name) && plain).then_some((name, parameters.trim(), close + 3));
    }
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    let ends_well = rest[end..].chars().next().is_none_or(|c| matches!(c, ' ' | '\t' | ',' | ')'));
    (is_name(&rest[..end]) && ends_well).then_some((&rest[..end], "", end + 1))
}
