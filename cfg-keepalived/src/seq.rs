//! `~SEQ(var, [start, [step,]] end) text`, `~SEQx(…)` and `~LST(var, value…) text`: one line written for many.

use crate::codes;
use crate::defs::Definitions;
use crate::mapped::Mapped;
use lb_core::diag::Diagnostic;

/// A line still to be repeated, with the values its variables take.
#[derive(Debug)]
pub(crate) struct Sequence {
    values: Values,
    body: Mapped,
}

#[derive(Debug)]
enum Values {
    Numbers { name: String, next: Option<i64>, step: i64, last: i64, hex: bool },
    Lists { names: Vec<String>, rows: std::vec::IntoIter<Vec<String>> },
}

impl Sequence {
    pub(crate) fn starts(line: &str) -> bool {
        line.starts_with("~SEQ") || line.starts_with("~LST")
    }

    pub(crate) fn parse(line: &Mapped, definitions: &mut Definitions) -> Result<Self, Box<Diagnostic>> {
        let text = line.text();
        let (values, end) = if text.starts_with("~SEQ") { numbers(text, definitions) } else { lists(text) }
            .ok_or_else(|| Box::new(malformed(line)))?;
        Ok(Self { values, body: line.slice(end..line.len()).trimmed() })
    }

    pub(crate) fn body(&self) -> &Mapped {
        &self.body
    }

    /// The variables' next values, or `None` when all are used up.
    pub(crate) fn advance(&mut self) -> Option<Vec<(String, String)>> {
        match &mut self.values {
            Values::Numbers { name, next, step, last, hex } => {
                let value = (*next)?;
                let following =
                    value.checked_add(*step).filter(|n| if *step > 0 { n <= last } else { n >= last });
                *next = following;
                let text = if *hex { format!("{value:x}") } else { value.to_string() };
                Some(vec![(name.clone(), text)])
            }
            Values::Lists { names, rows } => {
                let row = rows.next()?;
                Some(names.iter().cloned().zip(row).collect())
            }
        }
    }
}

fn malformed(line: &Mapped) -> Diagnostic {
    let kind = &line.text()[..4];
    Diagnostic::warning(
        codes::MALFORMED_MACRO,
        line.whole(),
        format!("this `{kind}` cannot be read; the line is ignored"),
    )
    .compat(format!("Invalid {kind} specification '{}'", line.text()))
    .note("written as `~SEQ(var, start, step, end) text` or `~LST(var, value, value…) text`")
}

/// The values, and the offset at which the repeated text starts.
fn numbers(text: &str, definitions: &mut Definitions) -> Option<(Values, usize)> {
    let rest = text.strip_prefix("~SEQ")?;
    let (rest, hex) = rest.strip_prefix('x').map_or((rest, false), |r| (r, true));
    let inner = rest.trim_start().strip_prefix('(')?;
    let close = inner.find(')')?;
    let end = text.len() - inner.len() + close + 1;
    let (name, parameters) = inner[..close].split_once(',')?;
    let name = name.trim();
    if name.is_empty() || name.contains([' ', '\t', '{']) {
        return None;
    }
    let parameters = definitions.expand_text(parameters);
    let given: Vec<i64> = parameters.split(',').map(|p| integer(p.trim())).collect::<Option<_>>()?;
    let (start, step, last) = match *given.as_slice() {
        [last] => {
            let step = if last < 1 { -1 } else { 1 };
            (if last < 0 { -1 } else { 1 }, step, last)
        }
        [start, last] => (start, if start <= last { 1 } else { -1 }, last),
        [start, step, last] => (start, step, last),
        _ => return None,
    };
    if step == 0
        || (start < last && step < 0)
        || (start > last && step > 0)
        || (hex && (start < 0 || last < 0))
    {
        return None;
    }
    Some((Values::Numbers { name: name.to_owned(), next: Some(start), step, last, hex }, end))
}

/// Decimal, `0x` hexadecimal or leading-zero octal, as the original's number reader takes them.
fn integer(text: &str) -> Option<i64> {
    let (digits, negative) = text.strip_prefix('-').map_or((text, false), |d| (d, true));
    let value = if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        i64::from_str_radix(hex, 16).ok()?
    } else if digits.len() > 1 && digits.starts_with('0') {
        i64::from_str_radix(digits, 8).ok()?
    } else {
        digits.parse().ok()?
    };
    Some(if negative { -value } else { value })
}

fn lists(text: &str) -> Option<(Values, usize)> {
    let mut cursor = Cursor { rest: text.strip_prefix("~LST")?.trim_start().strip_prefix('(')?.trim_start() };
    let names = cursor.group()?;
    let mut rows = Vec::new();
    while cursor.separator()? == ',' {
        let mut row = cursor.group()?;
        if row.len() > names.len() {
            return None;
        }
        row.resize(names.len(), String::new());
        rows.push(row);
    }
    if rows.is_empty() || names.iter().any(String::is_empty) {
        return None;
    }
    let end = text.len() - cursor.rest.len();
    Some((Values::Lists { names, rows: rows.into_iter() }, end))
}

struct Cursor<'t> {
    rest: &'t str,
}

impl Cursor<'_> {
    /// One word, or `{word, word…}`.
    fn group(&mut self) -> Option<Vec<String>> {
        self.rest = self.rest.trim_start();
        let (inside, closing) = match self.rest.strip_prefix('{') {
            Some(inner) => {
                let end = inner.find('}')?;
                (&inner[..end], &inner[end + 1..])
            }
            None => {
                let end = self.rest.find([',', ')'])?;
                self.rest.split_at(end)
            }
        };
        let words = inside.split(',').map(|w| w.trim().to_owned()).collect();
        self.rest = closing;
        Some(words)
    }

    /// A comma or the closing parenthesis.
    fn separator(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        let c = self.rest.chars().next().filter(|c| matches!(c, ',' | ')'))?;
        self.rest = &self.rest[1..];
        Some(c)
    }
}
