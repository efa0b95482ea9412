//! Text: case, trimming, concatenation, substitution, URL encoding.

use std::sync::Arc;

use crate::expr::arg::{Arg, ArgType, Args};
use crate::expr::def::{Build, ConvDef, ConvFn};
use crate::expr::map::expand;
use crate::expr::regex::Regex;
use crate::expr::sample::{Sample, SampleType};
use crate::expr::vars::VarName;
use crate::expr::{Env, MAX_OUTPUT};

const STR: &[ArgType] = &[ArgType::Str];
const STR3: &[ArgType] = &[ArgType::Str, ArgType::Str, ArgType::Str];

/// Converters from text to text.
pub(super) static CONVERTERS: &[ConvDef] = &[
    text("lower", |env, _, sample| {
        let bytes = sample.bytes()?;
        if !bytes.iter().any(u8::is_ascii_uppercase) {
            return Some(sample);
        }
        env.arena.build(|out| out.extend(bytes.iter().map(u8::to_ascii_lowercase))).map(Sample::Str)
    }),
    text("upper", |env, _, sample| {
        let bytes = sample.bytes()?;
        env.arena.build(|out| out.extend(bytes.iter().map(u8::to_ascii_uppercase))).map(Sample::Str)
    }),
    ConvDef::new("length", SampleType::Str, SampleType::Int, |_, _, sample| {
        Some(Sample::Int(sample.bytes()?.len() as i64))
    }),
    text("reverse", |env, _, sample| {
        let bytes = sample.bytes()?;
        env.arena.build(|out| out.extend(bytes.iter().rev())).map(Sample::Str)
    }),
    text("reverse_dom", reverse_dom),
    text("cut_crlf", |_, _, sample| {
        let bytes = sample.bytes()?;
        Some(Sample::Str(memchr::memchr2(b'\r', b'\n', bytes).map_or(bytes, |end| &bytes[..end])))
    }),
    text("ltrim", |_, args, sample| {
        let (bytes, chars) = (sample.bytes()?, args.str(0)?.as_bytes());
        let skip = bytes.iter().take_while(|byte| chars.contains(byte)).count();
        Some(Sample::Str(&bytes[skip..]))
    })
    .args(1, STR),
    text("rtrim", |_, args, sample| {
        let (bytes, chars) = (sample.bytes()?, args.str(0)?.as_bytes());
        let skip = bytes.iter().rev().take_while(|byte| chars.contains(byte)).count();
        Some(Sample::Str(&bytes[..bytes.len() - skip]))
    })
    .args(1, STR),
    text("concat", concat).args(0, STR3).prepare(prepare_concat),
    text("add_item", add_item).args(2, STR3).prepare(prepare_add_item),
    text("regsub", regsub).args(2, STR3).prepare(prepare_regsub),
    ConvDef::new("iif", SampleType::Bool, SampleType::Str, |_, args, sample| {
        let chosen = if sample.to_bool()? { args.str(0) } else { args.str(1) };
        chosen.map(|text| Sample::Str(text.as_bytes()))
    })
    .args(2, &[ArgType::Str, ArgType::Str]),
    text("url_dec", url_dec).args(0, &[ArgType::Int]),
    text("url_enc", url_enc).args(0, STR).prepare(prepare_url_enc),
    text("json", json).args(0, STR).prepare(prepare_json),
    ConvDef::new("debug", SampleType::Any, SampleType::Same, |_, _, sample| Some(sample))
        .args(0, &[ArgType::Str, ArgType::Str]),
];

const fn text(name: &'static str, eval: ConvFn) -> ConvDef {
    ConvDef::new(name, SampleType::Str, SampleType::Str, eval)
}

/// `mail.example.com` becomes `com.example.mail`; one trailing dot is dropped, empty labels fail.
fn reverse_dom<'a>(env: &Env<'a>, _: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let name = sample.bytes()?;
    let name = name.strip_suffix(b".").unwrap_or(name);
    let text = env.arena.try_build(|out| {
        for label in name.rsplit(|byte| *byte == b'.') {
            if label.is_empty() {
                return None;
            }
            if !out.is_empty() {
                out.push(b'.');
            }
            out.extend_from_slice(label);
        }
        Some(())
    })?;
    Some(Sample::Str(text))
}

/// Turns the optional variable name in argument 1 into a variable.
fn prepare_concat(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    if let Some(name) = args.str(1).filter(|name| !name.trim().is_empty()) {
        let name = VarName::parse(name.trim())?;
        args.set(1, Arg::Var(name));
    }
    Ok(())
}

fn prepare_add_item(args: &mut Args, build: &mut dyn Build) -> Result<(), String> {
    let variable = args.str(1).is_some_and(|name| !name.trim().is_empty());
    let suffix = args.str(2).is_some_and(|text| !text.is_empty());
    if !variable && !suffix {
        return Err("one of the optional arguments has to be nonempty".into());
    }
    prepare_concat(args, build)
}

/// Appends a variable as text; nothing if it is not set.
fn push_var(env: &Env<'_>, args: &Args, at: usize, out: &mut Vec<u8>) {
    if let Some((name, scope)) = args.var(at).and_then(|name| Some((name, env.vars.scope(name.scope())?))) {
        scope.with(name.name(), |value| value.write_text(out));
    }
}

fn concat<'a>(env: &Env<'a>, args: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let bytes = sample.bytes()?;
    let text = env.arena.build(|out| {
        out.extend_from_slice(bytes);
        out.extend_from_slice(args.str(0).unwrap_or("").as_bytes());
        push_var(env, args, 1, out);
        out.extend_from_slice(args.str(2).unwrap_or("").as_bytes());
    })?;
    Some(Sample::Str(text))
}

fn add_item<'a>(env: &Env<'a>, args: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let bytes = sample.bytes()?;
    let delimiter = args.str(0)?.as_bytes();
    let text = env.arena.build(|out| {
        out.extend_from_slice(bytes);
        if !bytes.is_empty() {
            out.extend_from_slice(delimiter);
        }
        let before = out.len();
        push_var(env, args, 1, out);
        out.extend_from_slice(args.str(2).unwrap_or("").as_bytes());
        if out.len() == before {
            out.truncate(bytes.len());
        }
    })?;
    Some(Sample::Str(text))
}

fn prepare_regsub(args: &mut Args, build: &mut dyn Build) -> Result<(), String> {
    let flags = args.str(2).unwrap_or("");
    if let Some(bad) = flags.chars().find(|flag| !matches!(flag, 'i' | 'g')) {
        return Err(format!("invalid regex flag '{bad}', only 'i' and 'g' are supported"));
    }
    let (ignore_case, global) = (flags.contains('i'), flags.contains('g'));
    let regex = Regex::new(args.str(0).unwrap_or(""), ignore_case).map_err(|e| e.to_string())?;
    if regex.backtracks() {
        build.backtracking_regex(regex.pattern());
    }
    args.set(0, Arg::Regex(regex));
    args.set(2, Arg::Int(global.into()));
    Ok(())
}

fn regsub<'a>(env: &Env<'a>, args: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let (bytes, regex) = (sample.bytes()?, args.regex(0)?);
    let template = args.str(1)?.as_bytes();
    let global = args.int(2) == Some(1);
    let mut groups = Vec::new();
    if !regex.captures_at(bytes, 0, &mut groups) {
        return Some(sample);
    }
    let text = env.arena.try_build(|out| {
        let mut from = 0;
        while let Some(Some((start, end))) = groups.first().copied() {
            out.extend_from_slice(&bytes[from..start]);
            expand(template, bytes, &groups, out);
            from = end;
            if start == end {
                // An empty match must not be found again at the same place.
                out.extend(bytes.get(end));
                from = end + 1;
            }
            if !global || from > bytes.len() || !regex.captures_at(bytes, from, &mut groups) {
                break;
            }
            if out.len() > MAX_OUTPUT {
                return None;
            }
        }
        out.extend_from_slice(bytes.get(from..).unwrap_or(b""));
        Some(())
    })?;
    Some(Sample::Str(text))
}

/// Decodes `%XX`; an invalid sequence fails. Plus signs are blanks in a query string.
fn url_dec<'a>(env: &Env<'a>, args: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let bytes = sample.bytes()?;
    let mut in_query = args.int(0).unwrap_or(0) != 0;
    let text = env.arena.try_build(|out| {
        let mut rest = bytes;
        while let [byte, tail @ ..] = rest {
            rest = tail;
            match byte {
                b'+' if in_query => out.push(b' '),
                b'?' => {
                    in_query = true;
                    out.push(b'?');
                }
                b'%' => {
                    let [high, low, tail @ ..] = tail else { return None };
                    let high = char::from(*high).to_digit(16)?;
                    let low = char::from(*low).to_digit(16)?;
                    out.push((high << 4 | low) as u8);
                    rest = tail;
                }
                _ => out.push(*byte),
            }
        }
        Some(())
    })?;
    Some(Sample::Str(text))
}

fn prepare_url_enc(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    match args.str(0) {
        None | Some("" | "query") => Ok(()),
        Some(other) => Err(format!("'{other}' is not a valid encoding type, expects 'query'")),
    }
}

/// Everything but the unreserved characters of RFC 3986 becomes `%XX`.
fn url_enc<'a>(env: &Env<'a>, _: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let bytes = sample.bytes()?;
    let text = env.arena.build(|out| {
        for &byte in bytes {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                out.push(byte);
            } else {
                out.push(b'%');
                crate::expr::push_hex(out, &[byte]);
            }
        }
    })?;
    Some(Sample::Str(text))
}

/// How `json` reads its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decoder {
    utf8: bool,
    /// Accept overlong sequences.
    permissive: bool,
    /// Drop what is wrong instead of failing.
    silent: bool,
}

fn prepare_json(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    let name = args.str(0).unwrap_or("ascii").to_owned();
    let decoder = match name.as_str() {
        "" | "ascii" => Decoder { utf8: false, permissive: false, silent: false },
        "utf8" => Decoder { utf8: true, permissive: false, silent: false },
        "utf8s" => Decoder { utf8: true, permissive: false, silent: true },
        "utf8p" => Decoder { utf8: true, permissive: true, silent: false },
        "utf8ps" => Decoder { utf8: true, permissive: true, silent: true },
        _ => {
            return Err(format!(
                "unexpected input code type. Allowed value are 'ascii', 'utf8', 'utf8s', 'utf8p' and \
                 'utf8ps', got '{name}'"
            ));
        }
    };
    args.set(0, Arg::Prepared(Arc::new(decoder)));
    Ok(())
}

fn json<'a>(env: &Env<'a>, args: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let decoder = *args.prepared::<Decoder>(0)?;
    let mut rest = sample.bytes()?;
    let text = env.arena.try_build(|out| {
        while let Some(&first) = rest.first() {
            let value = if decoder.utf8 {
                let (value, used) = next_utf8(rest, decoder.permissive);
                rest = &rest[used..];
                match value {
                    Some(value) if value <= 0xffff => value,
                    _ if decoder.silent => continue,
                    _ => return None,
                }
            } else {
                rest = &rest[1..];
                u32::from(first)
            };
            push_json(out, value);
        }
        Some(())
    })?;
    Some(Sample::Str(text))
}

fn push_json(out: &mut Vec<u8>, value: u32) {
    let escape = match value {
        0x22 => b"\\\"",
        0x5c => b"\\\\",
        0x2f => b"\\/",
        8 => b"\\b",
        12 => b"\\f",
        13 => b"\\r",
        10 => b"\\n",
        9 => b"\\t",
        0x20..0x7f => {
            out.push(value as u8);
            return;
        }
        _ => {
            out.extend_from_slice(format!("\\u{value:04x}").as_bytes());
            return;
        }
    };
    out.extend_from_slice(escape);
}

/// Decodes one character: its value (`None` if it is invalid) and the bytes it takes.
fn next_utf8(text: &[u8], permissive: bool) -> (Option<u32>, usize) {
    let first = text[0];
    let (len, initial) = match first {
        0..0x80 => return (Some(first.into()), 1),
        0xc0..0xe0 => (2, first & 0x1f),
        0xe0..0xf0 => (3, first & 0x0f),
        0xf0..0xf8 => (4, first & 0x07),
        _ => return (None, 1),
    };
    let mut value = u32::from(initial);
    for at in 1..len {
        match text.get(at) {
            Some(&byte) if byte & 0xc0 == 0x80 => value = value << 6 | u32::from(byte & 0x3f),
            _ => return (None, at),
        }
    }
    let shortest = match value {
        0..0x80 => 1,
        0x80..0x800 => 2,
        0x800..0x1_0000 => 3,
        _ => 4,
    };
    let forbidden = (0xd800..0xe000).contains(&value) || matches!(value, 0xfffe | 0xffff);
    if forbidden || (len > shortest && !permissive) { (None, len) } else { (Some(value), len) }
}
