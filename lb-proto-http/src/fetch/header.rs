//! Header fields: `hdr`, `fhdr` and what is counted and converted of them.

use std::net::IpAddr;
use std::ops::ControlFlow;

use lb_core::expr::{ArgType, Args, Env, FetchDef, Needs, Sample, SampleType as T};

use super::{REQUEST, RESPONSE, current_fields, lower_name, request_fields, response_fields};
use crate::h1::{Elements, trim};
use crate::head::Fields;

const NAME: &[ArgType] = &[ArgType::Str];
const NAME_INDEX: &[ArgType] = &[ArgType::Str, ArgType::Int];

type Source = for<'a> fn(&Env<'a>) -> Option<&'a Fields>;

macro_rules! family {
    ($fields:ident: $hdr:ident $hdr_each:ident $fhdr:ident $fhdr_each:ident $count:ident $full_count:ident
     $ip:ident $ip_each:ident $int:ident $int_each:ident $names:ident $all:ident $binary:ident) => {
        fn $hdr<'a>(env: &Env<'a>, args: &'a Args) -> Option<Sample<'a>> {
            one(env, args, $fields, false).map(Sample::Str)
        }
        fn $hdr_each<'a>(
            env: &Env<'a>,
            args: &'a Args,
            visit: &mut dyn FnMut(Sample<'a>) -> ControlFlow<()>,
        ) {
            each(env, args, $fields, false, &mut |value| visit(Sample::Str(value)));
        }
        fn $fhdr<'a>(env: &Env<'a>, args: &'a Args) -> Option<Sample<'a>> {
            one(env, args, $fields, true).map(Sample::Str)
        }
        fn $fhdr_each<'a>(
            env: &Env<'a>,
            args: &'a Args,
            visit: &mut dyn FnMut(Sample<'a>) -> ControlFlow<()>,
        ) {
            each(env, args, $fields, true, &mut |value| visit(Sample::Str(value)));
        }
        fn $count<'a>(env: &Env<'a>, args: &'a Args) -> Option<Sample<'a>> {
            count(env, args, $fields, false)
        }
        fn $full_count<'a>(env: &Env<'a>, args: &'a Args) -> Option<Sample<'a>> {
            count(env, args, $fields, true)
        }
        fn $ip<'a>(env: &Env<'a>, args: &'a Args) -> Option<Sample<'a>> {
            address(one(env, args, $fields, false)?)
        }
        fn $ip_each<'a>(env: &Env<'a>, args: &'a Args, visit: &mut dyn FnMut(Sample<'a>) -> ControlFlow<()>) {
            each(env, args, $fields, false, &mut |value| match address(value) {
                Some(sample) => visit(sample),
                None => ControlFlow::Continue(()),
            });
        }
        fn $int<'a>(env: &Env<'a>, args: &'a Args) -> Option<Sample<'a>> {
            Sample::Str(one(env, args, $fields, false)?).to_int().map(Sample::Int)
        }
        fn $int_each<'a>(
            env: &Env<'a>,
            args: &'a Args,
            visit: &mut dyn FnMut(Sample<'a>) -> ControlFlow<()>,
        ) {
            each(env, args, $fields, false, &mut |value| match Sample::Str(value).to_int() {
                Some(number) => visit(Sample::Int(number)),
                None => ControlFlow::Continue(()),
            });
        }
        fn $names<'a>(env: &Env<'a>, args: &'a Args) -> Option<Sample<'a>> {
            names(env, args, $fields)
        }
        fn $all<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
            all(env, $fields)
        }
        fn $binary<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
            binary(env, $fields)
        }
    };
}

family!(request_fields: req_hdr req_hdr_each req_fhdr req_fhdr_each req_count req_full_count req_ip req_ip_each
    req_int req_int_each req_names req_all req_binary);
family!(response_fields: res_hdr res_hdr_each res_fhdr res_fhdr_each res_count res_full_count res_ip res_ip_each
    res_int res_int_each res_names res_all res_binary);

fn any_hdr<'a>(env: &Env<'a>, args: &'a Args) -> Option<Sample<'a>> {
    one(env, args, current_fields, false).map(Sample::Str)
}

fn any_hdr_each<'a>(env: &Env<'a>, args: &'a Args, visit: &mut dyn FnMut(Sample<'a>) -> ControlFlow<()>) {
    each(env, args, current_fields, false, &mut |value| visit(Sample::Str(value)));
}

macro_rules! text {
    ($name:literal, $needs:expr, $eval:ident, $each:ident) => {
        FetchDef::new($name, T::Str, $needs, $eval).args(0, NAME_INDEX).prepare(lower_name).each($each)
    };
}
macro_rules! counted {
    ($name:literal, $needs:expr, $eval:ident) => {
        FetchDef::new($name, T::Int, $needs, $eval).args(0, NAME).prepare(lower_name)
    };
}
macro_rules! typed {
    ($name:literal, $ty:ident, $needs:expr, $eval:ident, $each:ident) => {
        FetchDef::new($name, T::$ty, $needs, $eval).args(0, NAME_INDEX).prepare(lower_name).each($each)
    };
}

pub(super) const FETCHES: &[FetchDef] = &[
    text!("hdr", Needs::HTTP_MESSAGE, any_hdr, any_hdr_each),
    counted!("hdr_cnt", REQUEST, req_count),
    typed!("hdr_ip", Addr, REQUEST, req_ip, req_ip_each),
    typed!("hdr_val", Int, REQUEST, req_int, req_int_each),
    text!("req.hdr", REQUEST, req_hdr, req_hdr_each),
    text!("req.fhdr", REQUEST, req_fhdr, req_fhdr_each),
    counted!("req.hdr_cnt", REQUEST, req_count),
    counted!("req.fhdr_cnt", REQUEST, req_full_count),
    typed!("req.hdr_ip", Addr, REQUEST, req_ip, req_ip_each),
    typed!("req.hdr_val", Int, REQUEST, req_int, req_int_each),
    FetchDef::new("req.hdr_names", T::Str, REQUEST, req_names).args(0, NAME),
    FetchDef::new("req.hdrs", T::Bin, REQUEST, req_all),
    FetchDef::new("req.hdrs_bin", T::Bin, REQUEST, req_binary),
    text!("res.hdr", RESPONSE, res_hdr, res_hdr_each),
    text!("res.fhdr", RESPONSE, res_fhdr, res_fhdr_each),
    counted!("res.hdr_cnt", RESPONSE, res_count),
    counted!("res.fhdr_cnt", RESPONSE, res_full_count),
    typed!("res.hdr_ip", Addr, RESPONSE, res_ip, res_ip_each),
    typed!("res.hdr_val", Int, RESPONSE, res_int, res_int_each),
    FetchDef::new("res.hdr_names", T::Str, RESPONSE, res_names).args(0, NAME),
    FetchDef::new("res.hdrs", T::Bin, RESPONSE, res_all),
    FetchDef::new("res.hdrs_bin", T::Bin, RESPONSE, res_binary),
    text!("shdr", RESPONSE, res_hdr, res_hdr_each),
    counted!("shdr_cnt", RESPONSE, res_count),
    typed!("shdr_ip", Addr, RESPONSE, res_ip, res_ip_each),
    typed!("shdr_val", Int, RESPONSE, res_int, res_int_each),
];

/// One occurrence: the one asked for, counted from the end when negative; the last one unless told otherwise.
fn one<'a>(env: &Env<'a>, args: &'a Args, source: Source, full: bool) -> Option<&'a [u8]> {
    let fields = source(env)?;
    let name = args.str(0).unwrap_or_default().as_bytes();
    let index = args.int(1).unwrap_or(-1);
    let found = if index >= 0 {
        // Occurrences are counted from 1; 0 means the first, too.
        let skip = usize::try_from(index.max(1) - 1).ok()?;
        if full { fields.all(name).nth(skip).map(trim) } else { elements(fields, name).nth(skip) }
    } else {
        let skip = usize::try_from(index.unsigned_abs() - 1).ok()?;
        if full { fields.all(name).rev().nth(skip).map(trim) } else { element_from_end(fields, name, skip) }
    };
    if found.is_none() {
        env.mark_unsettled();
    }
    found
}

fn each<'a>(
    env: &Env<'a>,
    args: &'a Args,
    source: Source,
    full: bool,
    visit: &mut dyn FnMut(&'a [u8]) -> ControlFlow<()>,
) {
    if args.int(1).is_some_and(|index| index != 0) {
        if let Some(value) = one(env, args, source, full) {
            let _ = visit(value);
        }
        return;
    }
    let Some(fields) = source(env) else { return };
    let name = args.str(0).unwrap_or_default().as_bytes();
    let _ = if full {
        fields.all(name).map(trim).try_for_each(visit)
    } else {
        elements(fields, name).try_for_each(visit)
    };
}

fn elements<'a>(fields: &'a Fields, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    fields.all(name).flat_map(|value| ranges(value).map(move |(at, end)| &value[at..end]))
}

/// Every element of a value, the empty one at its end included: a field without a value has one element.
fn ranges(value: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    let mut inner = Elements::new(value);
    let mut last = false;
    std::iter::from_fn(move || {
        inner.next().or_else(|| {
            let open = inner.ends_open() && !std::mem::replace(&mut last, true);
            open.then_some((value.len(), value.len()))
        })
    })
}

/// The element `skip` places before the last one.
fn element_from_end<'a>(fields: &'a Fields, name: &'a [u8], mut skip: usize) -> Option<&'a [u8]> {
    for value in fields.all(name).rev() {
        let count = ranges(value).count();
        if skip < count {
            return ranges(value).nth(count - 1 - skip).map(|(at, end)| &value[at..end]);
        }
        skip -= count;
    }
    None
}

fn count<'a>(env: &Env<'a>, args: &'a Args, source: Source, full: bool) -> Option<Sample<'a>> {
    let fields = source(env)?;
    let count = match args.str(0).filter(|name| !name.is_empty()) {
        None if full => fields.len(),
        None => fields.iter().map(|(_, value)| ranges(value).count()).sum(),
        Some(name) if full => fields.all(name.as_bytes()).count(),
        Some(name) => elements(fields, name.as_bytes()).count(),
    };
    Some(Sample::Int(count as i64))
}

/// An address, with a port or without.
pub(super) fn address<'a>(text: &[u8]) -> Option<Sample<'a>> {
    let text = std::str::from_utf8(text).ok()?;
    // Only addresses of IPv4 may have a port.
    let with_port = || text.parse::<std::net::SocketAddrV4>().ok().map(|addr| IpAddr::V4(*addr.ip()));
    let addr = text.parse::<IpAddr>().ok().or_else(with_port);
    // Brackets without a port, as in a `Host` field.
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<std::net::Ipv6Addr>().ok();
    let addr = addr.or_else(|| bare().map(IpAddr::V6))?;
    Some(match addr {
        IpAddr::V4(addr) => Sample::Ipv4(addr),
        IpAddr::V6(addr) => Sample::Ipv6(addr),
    })
}

fn names<'a>(env: &Env<'a>, args: &'a Args, source: Source) -> Option<Sample<'a>> {
    let fields = source(env)?;
    let separator = args.str(0).filter(|text| !text.is_empty()).unwrap_or(",").as_bytes()[0];
    let out = env.arena.build(|out| {
        for (at, (name, _)) in fields.iter().enumerate() {
            if at > 0 {
                out.push(separator);
            }
            out.extend_from_slice(name);
        }
    })?;
    Some(Sample::Str(out))
}

/// The fields as they are written, with the empty line.
fn all<'a>(env: &Env<'a>, source: Source) -> Option<Sample<'a>> {
    let fields = source(env)?;
    let out = env.arena.build(|out| {
        for (name, value) in fields.iter() {
            for part in [name, b": ", value, b"\r\n"] {
                out.extend_from_slice(part);
            }
        }
        out.extend_from_slice(b"\r\n");
    })?;
    Some(Sample::Bin(out))
}

/// The fields with their lengths in front of names and values, in the variable-length integers of the SPOE protocol.
fn binary<'a>(env: &Env<'a>, source: Source) -> Option<Sample<'a>> {
    let fields = source(env)?;
    let out = env.arena.build(|out| {
        for (name, value) in fields.iter() {
            for part in [name, value] {
                push_varint(out, part.len() as u64);
                out.extend_from_slice(part);
            }
        }
        out.extend_from_slice(b"\0\0");
    })?;
    Some(Sample::Bin(out))
}

/// Four bits in the first byte from 240 on, then seven bits a byte, least significant first.
fn push_varint(out: &mut Vec<u8>, number: u64) {
    if number < 240 {
        out.push(number as u8);
        return;
    }
    out.push(number as u8 | 240);
    let mut rest = (number - 240) >> 4;
    while rest >= 128 {
        out.push(rest as u8 | 128);
        rest = (rest - 128) >> 7;
    }
    out.push(rest as u8);
}
