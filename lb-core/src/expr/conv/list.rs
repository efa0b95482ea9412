//! Parts of a text: fields, words, parameters, bytes.

use std::sync::Arc;

use crate::expr::arg::{Arg, ArgType, Args};
use crate::expr::def::{Build, ConvDef};
use crate::expr::sample::{Sample, SampleType};
use crate::expr::vars::VarName;
use crate::expr::{Env, leading_int};

const PART: &[ArgType] = &[ArgType::Int, ArgType::Str, ArgType::Int];

/// Converters that pick a part.
pub(super) static CONVERTERS: &[ConvDef] = &[
    ConvDef::new("field", SampleType::Str, SampleType::Str, field).args(2, PART).prepare(prepare_part),
    ConvDef::new("word", SampleType::Str, SampleType::Str, word).args(2, PART).prepare(prepare_part),
    ConvDef::new("param", SampleType::Str, SampleType::Str, param)
        .args(1, &[ArgType::Str, ArgType::Str])
        .prepare(prepare_param),
    ConvDef::new("bytes", SampleType::Bin, SampleType::Bin, bytes)
        .args(1, &[ArgType::Str, ArgType::Str])
        .prepare(prepare_bytes),
    ConvDef::new("host_only", SampleType::Str, SampleType::Str, |env, _, sample| {
        let (host, _) = split_host(sample.bytes()?);
        env.arena.build(|out| out.extend(host.iter().map(u8::to_ascii_lowercase))).map(Sample::Str)
    }),
    ConvDef::new("port_only", SampleType::Str, SampleType::Int, |_, _, sample| {
        let (_, port) = split_host(sample.bytes()?);
        Some(Sample::Int(leading_int(port).0))
    }),
    ConvDef::new("language", SampleType::Str, SampleType::Str, language)
        .args(1, &[ArgType::Str, ArgType::Str]),
];

fn prepare_part(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    if args.int(0) == Some(0) {
        return Err("invalid index 0, indexes start at 1 or -1".into());
    }
    if args.int(2).is_some_and(|count| count < 0) {
        return Err("the number of parts must not be negative".into());
    }
    Ok(())
}

/// The part at a one-based index, and how many parts to take (0: all that follow).
fn wanted(args: &Args) -> Option<(usize, bool, usize)> {
    let index = args.int(0)?;
    let count = usize::try_from(args.int(2).unwrap_or(1)).ok()?;
    Some((usize::try_from(index.unsigned_abs()).ok()?, index < 0, count))
}

fn field<'a>(_: &Env<'a>, args: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let (text, delimiters) = (sample.bytes()?, args.str(1)?.as_bytes());
    let (index, backwards, count) = wanted(args)?;
    let is_delimiter = |byte: &u8| delimiters.contains(byte);
    let last = count.checked_sub(1).map(|more| index.saturating_add(more));
    if backwards {
        let end = if index == 1 { text.len() } else { nth_back(text, index - 1, is_delimiter)? };
        let start = last.and_then(|last| nth_back(text, last, is_delimiter));
        return Some(Sample::Str(&text[start.map_or(0, |at| at + 1)..end]));
    }
    let start = if index == 1 { 0 } else { nth(text, index - 1, is_delimiter)? + 1 };
    let end = last.and_then(|last| nth(text, last, is_delimiter));
    Some(Sample::Str(&text[start..end.unwrap_or(text.len())]))
}

/// Position of the n-th byte that fits, counted from 1.
fn nth(text: &[u8], n: usize, fits: impl Fn(&u8) -> bool) -> Option<usize> {
    text.iter().enumerate().filter(|(_, byte)| fits(byte)).nth(n - 1).map(|(at, _)| at)
}

/// The same from the end.
fn nth_back(text: &[u8], n: usize, fits: impl Fn(&u8) -> bool) -> Option<usize> {
    text.iter().enumerate().rev().filter(|(_, byte)| fits(byte)).nth(n - 1).map(|(at, _)| at)
}

fn word<'a>(_: &Env<'a>, args: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let (text, delimiters) = (sample.bytes()?, args.str(1)?.as_bytes());
    let (index, backwards, count) = wanted(args)?;
    let len = text.len();
    if backwards {
        let is_delimiter = |at: usize| delimiters.contains(&text[len - 1 - at]);
        let (near, far) = words(len, index, count, is_delimiter)?;
        return Some(Sample::Str(&text[len - far..len - near]));
    }
    let (start, end) = words(len, index, count, |at| delimiters.contains(&text[at]))?;
    Some(Sample::Str(&text[start..end]))
}

/// Where `count` words from the one at `index` on begin and end.
fn words(
    len: usize,
    index: usize,
    count: usize,
    is_delimiter: impl Fn(usize) -> bool,
) -> Option<(usize, usize)> {
    let (mut seen, mut inside, mut start) = (0, false, None);
    for at in 0..len {
        let delimiter = is_delimiter(at);
        if !inside && !delimiter {
            inside = true;
            seen += 1;
            if seen == index {
                start = Some(at);
            }
        } else if inside && delimiter {
            inside = false;
            if count > 0 && seen == index.saturating_add(count - 1) {
                return start.map(|start| (start, at));
            }
        }
    }
    start.map(|start| (start, len))
}

fn prepare_param(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    match args.str(1) {
        Some(delimiter) if delimiter.len() != 1 => Err("delimiter must be a single character".into()),
        _ => Ok(()),
    }
}

fn param<'a>(_: &Env<'a>, args: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let name = args.str(0)?.as_bytes();
    let delimiter = args.str(1).map_or(b'&', |text| text.as_bytes()[0]);
    sample.bytes()?.split(|byte| *byte == delimiter).find_map(|part| {
        let rest = part.strip_prefix(name)?;
        match rest {
            [] => Some(Sample::Str(b"")),
            [b'=', value @ ..] => Some(Sample::Str(value)),
            _ => None,
        }
    })
}

/// A number given directly or by a variable.
pub(super) enum Operand {
    Number(i64),
    Variable(VarName),
}

impl Operand {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (value, used) = leading_int(text.as_bytes());
        if used > 0 && used == text.len() {
            return Ok(Self::Number(value));
        }
        VarName::parse(text)
            .map(Self::Variable)
            .map_err(|reason| format!("expects an integer or a variable name, got '{text}' ({reason})"))
    }

    pub(super) fn value(&self, env: &Env<'_>) -> Option<i64> {
        match self {
            Self::Number(value) => Some(*value),
            Self::Variable(name) => {
                env.vars.scope(name.scope())?.with(name.name(), |value| value.to_int())?
            }
        }
    }
}

fn prepare_bytes(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    for at in 0..args.len().min(2) {
        let operand = Operand::parse(args.str(at).unwrap_or(""))?;
        // From where on, and how many: none at all would be no use.
        if matches!(operand, Operand::Number(value) if value < at as i64) {
            let wanted = if at == 0 { "non-negative" } else { "positive" };
            return Err(format!("invalid argument {}: expects a {wanted} integer", at + 1));
        }
        args.set(at, Arg::Prepared(Arc::new(operand)));
    }
    Ok(())
}

fn bytes<'a>(env: &Env<'a>, args: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let input = sample.bytes()?;
    let number = |at| args.prepared::<Operand>(at).map(|operand| operand.value(env));
    let start = usize::try_from(number(0)??).ok()?;
    let Some(rest) = input.get(start..).filter(|rest| !rest.is_empty()) else {
        return incomplete(env, b"");
    };
    match number(1) {
        None => Some(Sample::Bin(rest)),
        Some(length) => {
            let length = usize::try_from(length?).ok()?;
            rest.get(..length).map_or_else(|| incomplete(env, rest), |part| Some(Sample::Bin(part)))
        }
    }
}

/// What there is, if no more can come.
fn incomplete<'a>(env: &Env<'a>, part: &'a [u8]) -> Option<Sample<'a>> {
    if env.last {
        return Some(Sample::Bin(part));
    }
    env.mark_unsettled();
    None
}

/// Host and port of a Host header value; the port without its colon.
pub(crate) fn split_host(value: &[u8]) -> (&[u8], &[u8]) {
    let after = match value.first() {
        Some(b'[') => memchr::memchr(b']', value).map_or(value.len(), |at| at + 1),
        _ => 0,
    };
    match memchr::memrchr(b':', &value[after..]) {
        Some(at) => (&value[..after + at], &value[after + at + 1..]),
        None => (value, b""),
    }
}

/// Picks the language with the highest quality among those offered.
fn language<'a>(_: &Env<'a>, args: &'a Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let offered = || args.str(0).unwrap_or("").split(';').filter(|name| !name.is_empty());
    let mut best: Option<(&'a str, i64)> = None;
    for item in sample.bytes()?.split(|byte| *byte == b',') {
        let mut parts = item.split(|byte| *byte == b';');
        let name = parts.next().unwrap_or(b"").trim_ascii();
        let quality = parts.find_map(|part| part.trim_ascii().strip_prefix(b"q=")).map_or(1000, quality);
        if name.is_empty() || quality == 0 || best.is_some_and(|(_, best)| best >= quality) {
            continue;
        }
        let base = name.split(|byte| *byte == b'-').next().unwrap_or(name);
        let found = offered()
            .find(|offer| offer.as_bytes() == name)
            .or_else(|| offered().find(|offer| offer.as_bytes() == base));
        if let Some(found) = found {
            best = Some((found, quality));
        }
    }
    best.map(|(name, _)| name).or_else(|| args.str(1)).map(|name| Sample::Str(name.as_bytes()))
}

/// A quality value in thousandths; anything malformed counts as 1.
fn quality(text: &[u8]) -> i64 {
    match text {
        [b'0'] => 0,
        [b'0', b'.', digits @ ..] if digits.iter().all(u8::is_ascii_digit) => {
            let scale = [100, 10, 1];
            digits.iter().zip(scale).map(|(digit, scale)| i64::from(digit - b'0') * scale).sum()
        }
        _ => 1000,
    }
}
