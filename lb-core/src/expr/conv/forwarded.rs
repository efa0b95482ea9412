//! The `Forwarded` header (RFC 7239).

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::expr::arg::{ArgType, Args};
use crate::expr::def::{Build, ConvDef};
use crate::expr::sample::{Sample, SampleType};
use crate::expr::{Env, net};

/// Converters on the header and on its node identifiers.
pub(super) static CONVERTERS: &[ConvDef] = &[
    ConvDef::new("rfc7239_is_valid", SampleType::Str, SampleType::Bool, |_, _, sample| {
        Some(Sample::Bool(fields(sample.bytes()?, |_, _| {}).is_some()))
    }),
    ConvDef::new("rfc7239_field", SampleType::Str, SampleType::Str, field)
        .args(1, &[ArgType::Str])
        .prepare(prepare_field),
    ConvDef::new("rfc7239_n2nn", SampleType::Str, SampleType::Any, |_, _, sample| {
        Some(match node(sample.bytes()?)?.0 {
            Name::V4(addr) => Sample::Ipv4(addr),
            Name::V6(addr) => Sample::Ipv6(addr),
            Name::Text(text) => Sample::Str(text),
        })
    }),
    ConvDef::new("rfc7239_n2np", SampleType::Str, SampleType::Any, |_, _, sample| {
        let port = node(sample.bytes()?)?.1?;
        Some(number(port).map_or(Sample::Str(port), Sample::Int))
    }),
    ConvDef::new("rfc7239_nn", SampleType::Any, SampleType::Str, node_name),
    ConvDef::new("rfc7239_np", SampleType::Any, SampleType::Str, node_port),
];

fn prepare_field(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    match args.str(0) {
        Some("proto" | "host" | "for" | "by") => Ok(()),
        other => Err(format!("unknown field '{}', expects proto, host, for or by", other.unwrap_or(""))),
    }
}

fn field<'a>(_: &Env<'a>, args: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let wanted = args.str(0)?.as_bytes();
    let mut found = None;
    fields(sample.bytes()?, |name, value| {
        if name.eq_ignore_ascii_case(wanted) {
            found = Some(value);
        }
    })?;
    found.map(Sample::Str)
}

/// Calls `visit` for every parameter of a single element; `None` if it does not conform.
fn fields<'a>(text: &'a [u8], mut visit: impl FnMut(&'a [u8], &'a [u8])) -> Option<()> {
    let mut seen = [false; 4];
    let mut rest = text;
    loop {
        let equals = memchr::memchr(b'=', rest)?;
        let (name, tail) = (&rest[..equals], &rest[equals + 1..]);
        let (value, quoted, tail) = match tail.strip_prefix(b"\"") {
            Some(inner) => {
                let end = memchr::memchr(b'"', inner)?;
                (&inner[..end], true, &inner[end + 1..])
            }
            None => {
                let end = memchr::memchr(b';', tail).unwrap_or(tail.len());
                (&tail[..end], false, &tail[end..])
            }
        };
        let known = [&b"for"[..], b"by", b"host", b"proto"];
        let which = known.iter().position(|known| name.eq_ignore_ascii_case(known))?;
        if std::mem::replace(&mut seen[which], true) {
            return None;
        }
        let valid = match which {
            // Colons and brackets need quotes.
            0 | 1 => node(value).is_some() && (quoted || !value.iter().any(|b| matches!(b, b':' | b'['))),
            2 => is_host(value) && (quoted || !value.contains(&b':')),
            _ => value.eq_ignore_ascii_case(b"http") || value.eq_ignore_ascii_case(b"https"),
        };
        if !valid {
            return None;
        }
        visit(name, value);
        match tail {
            [] => return Some(()),
            [b';', tail @ ..] if !tail.is_empty() => rest = tail,
            _ => return None,
        }
    }
}

enum Name<'a> {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    /// `unknown` or an obfuscated identifier.
    Text(&'a [u8]),
}

/// Splits `name[:port]`.
fn node(text: &[u8]) -> Option<(Name<'_>, Option<&[u8]>)> {
    let (name, port) = match text.strip_prefix(b"[") {
        Some(inner) => {
            let end = memchr::memchr(b']', inner)?;
            let port = match &inner[end + 1..] {
                [] => None,
                [b':', port @ ..] => Some(port),
                _ => return None,
            };
            (Name::V6(net::parse_ipv6(&inner[..end])?), port)
        }
        None => {
            let (name, port) = match memchr::memchr(b':', text) {
                Some(at) => (&text[..at], Some(&text[at + 1..])),
                None => (text, None),
            };
            let named = match net::parse_ipv4(name) {
                Some(addr) => Name::V4(addr),
                None if name == b"unknown" || is_obfuscated(name) => Name::Text(name),
                None => return None,
            };
            (named, port)
        }
    };
    match port {
        Some(port) if number(port).is_none() && !is_obfuscated(port) => None,
        port => Some((name, port)),
    }
}

fn number(port: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(port).ok()?;
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse::<u16>().ok().map(i64::from))?
}

fn is_obfuscated(text: &[u8]) -> bool {
    text.len() > 1 && text[0] == b'_' && text[1..].iter().all(|byte| is_obfuscation_byte(*byte))
}

const fn is_obfuscation_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

fn is_host(text: &[u8]) -> bool {
    let (host, port) = super::list::split_host(text);
    let port_fits = port.is_empty() || number(port).is_some();
    let inner = host.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    let host_fits = match inner {
        Some(inner) => net::parse_ipv6(inner).is_some(),
        None => {
            !host.is_empty()
                && host.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,=".contains(byte))
        }
    };
    host_fits && port_fits
}

/// An address or text as a node name.
fn node_name<'a>(env: &Env<'a>, _: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let text = env.arena.try_build(|out| {
        match sample {
            Sample::Ipv4(addr) => net::push_ipv4(out, addr),
            Sample::Ipv6(addr) => {
                out.push(b'[');
                net::push_ipv6(out, addr);
                out.push(b']');
            }
            Sample::Str(b"") => out.extend_from_slice(b"unknown"),
            Sample::Str(text) => push_obfuscated(out, text)?,
            _ => return None,
        }
        Some(())
    })?;
    Some(Sample::Str(text))
}

/// A number or text as a node port.
fn node_port<'a>(env: &Env<'a>, _: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let text = env.arena.try_build(|out| {
        match sample {
            Sample::Int(port) => crate::expr::push_int(out, port as u32 as i64),
            Sample::Str(text) if !text.is_empty() => push_obfuscated(out, text)?,
            _ => return None,
        }
        Some(())
    })?;
    Some(Sample::Str(text))
}

fn push_obfuscated(out: &mut Vec<u8>, text: &[u8]) -> Option<()> {
    if !text.iter().all(|byte| is_obfuscation_byte(*byte)) {
        return None;
    }
    out.push(b'_');
    out.extend_from_slice(text);
    Some(())
}
