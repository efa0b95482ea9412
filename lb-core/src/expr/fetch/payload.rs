//! Raw bytes waiting in a buffer (manual 7.3.5).

use super::hello::{Hello, NoHello};
use super::rdp;
use crate::expr::arg::{Arg, ArgType, Args};
use crate::expr::def::{AclDef, Build, FetchDef, FetchFn, Needs};
use crate::expr::pattern::Method;
use crate::expr::sample::{Sample, SampleType};
use crate::expr::{Direction, Env, Peek, StreamFact};
use std::ops::ControlFlow;

const REQ: Needs = Needs::L6_REQUEST;
const RES: Needs = Needs::L6_RESPONSE;
const BOTH: Needs = Needs::INTERNAL;

const TWO: &[ArgType] = &[ArgType::Int, ArgType::Int];
const LV: &[ArgType] = &[ArgType::Int, ArgType::Int, ArgType::Str];
const NAME: &[ArgType] = &[ArgType::Str];

/// Fetches on raw bytes.
pub(super) static FETCHES: &[FetchDef] = &[
    bin("payload", BOTH, |env, args| block(env, args, env.facts.direction())).args(2, TWO),
    bin("req.payload", REQ, |env, args| block(env, args, Direction::Request)).args(2, TWO),
    bin("res.payload", RES, |env, args| block(env, args, Direction::Response)).args(2, TWO),
    bin("payload_lv", BOTH, |env, args| block_lv(env, args, env.facts.direction()))
        .args(2, LV)
        .prepare(prepare_lv),
    bin("req.payload_lv", REQ, |env, args| block_lv(env, args, Direction::Request))
        .args(2, LV)
        .prepare(prepare_lv),
    bin("res.payload_lv", RES, |env, args| block_lv(env, args, Direction::Response))
        .args(2, LV)
        .prepare(prepare_lv),
    int("req.len", REQ, |env, _| length(env, Direction::Request)),
    int("req_len", REQ, |env, _| length(env, Direction::Request)),
    int("res.len", RES, |env, _| length(env, Direction::Response)),
    int("req.ssl_hello_type", REQ, |env, _| hello_type(env, Direction::Request)),
    int("req_ssl_hello_type", REQ, |env, _| hello_type(env, Direction::Request)),
    int("res.ssl_hello_type", RES, |env, _| hello_type(env, Direction::Response)),
    int("rep_ssl_hello_type", RES, |env, _| hello_type(env, Direction::Response)),
    int("req.ssl_ver", REQ, tls_version),
    int("req_ssl_ver", REQ, tls_version),
    text("req.ssl_sni", REQ, sni),
    text("req_ssl_sni", REQ, sni),
    text("req.ssl_alpn", REQ, alpn).each(each_alpn),
    int("req.ssl_st_ext", REQ, |env, _| {
        let ticket = client_hello(env)?.extension(35);
        Some(Sample::Int(ticket.map_or(0, |ticket| if ticket.is_empty() { 1 } else { 2 })))
    }),
    FetchDef::new("req.ssl_ec_ext", SampleType::Bool, REQ, |env, _| {
        Some(Sample::Bool(client_hello(env)?.extension(10).is_some()))
    }),
    bin("req.ssl_cipherlist", REQ, |env, _| Some(Sample::Bin(client_hello(env)?.ciphers))),
    bin("req.ssl_sigalgs", REQ, |env, _| client_hello(env)?.list(13).map(Sample::Bin)),
    bin("req.ssl_supported_groups", REQ, |env, _| client_hello(env)?.list(10).map(Sample::Bin)),
    bin("req.ssl_keyshare_groups", REQ, key_shares),
    text("req.rdp_cookie", REQ, rdp_cookie).args(0, NAME),
    text("rdp_cookie", REQ, rdp_cookie).args(0, NAME),
    int("req.rdp_cookie_cnt", REQ, rdp_cookie_count).args(0, NAME),
    int("rdp_cookie_cnt", REQ, rdp_cookie_count).args(0, NAME),
];

/// ACL keywords whose matching method differs from the one of their type.
pub(super) static ACLS: &[AclDef] = &[
    AclDef::new("payload", "payload", Method::Bin),
    AclDef::new("payload_lv", "payload_lv", Method::Bin),
    AclDef::new("req.payload", "req.payload", Method::Bin),
    AclDef::new("req.payload_lv", "req.payload_lv", Method::Bin),
    AclDef::new("res.payload", "res.payload", Method::Bin),
    AclDef::new("res.payload_lv", "res.payload_lv", Method::Bin),
    AclDef::new("req.rdp_cookie", "req.rdp_cookie", Method::Str),
    AclDef::new("req_rdp_cookie", "req.rdp_cookie", Method::Str),
    AclDef::new("req_rdp_cookie_cnt", "req.rdp_cookie_cnt", Method::Int),
    AclDef::new("req.ssl_sni", "req.ssl_sni", Method::Str),
    AclDef::new("req_ssl_sni", "req.ssl_sni", Method::Str),
    AclDef::new("req.ssl_ver", "req.ssl_ver", Method::Version),
    AclDef::new("req_ssl_ver", "req.ssl_ver", Method::Version),
];

const fn bin(name: &'static str, needs: Needs, eval: FetchFn) -> FetchDef {
    FetchDef::new(name, SampleType::Bin, needs, eval)
}

const fn int(name: &'static str, needs: Needs, eval: FetchFn) -> FetchDef {
    FetchDef::new(name, SampleType::Int, needs, eval)
}

const fn text(name: &'static str, needs: Needs, eval: FetchFn) -> FetchDef {
    FetchDef::new(name, SampleType::Str, needs, eval)
}

/// Notes that the answer may change unless the input is complete.
fn unsettled(env: &Env<'_>, peek: &Peek<'_>) {
    if !peek.complete {
        env.mark_unsettled();
    }
}

fn block<'a>(env: &Env<'a>, args: &Args, direction: Direction) -> Option<Sample<'a>> {
    let (offset, length) = (usize::try_from(args.int(0)?).ok()?, usize::try_from(args.int(1)?).ok()?);
    let peek = env.facts.buffer(direction)?;
    let found = slice(&peek, offset, length);
    if found.is_none() || length == 0 {
        unsettled(env, &peek);
    }
    found.map(Sample::Bin)
}

/// `length` bytes at `offset`; a length of zero means all there is.
fn slice<'a>(peek: &Peek<'a>, offset: usize, length: usize) -> Option<&'a [u8]> {
    let rest = peek.bytes.get(offset..)?;
    if length == 0 { (!rest.is_empty()).then_some(rest) } else { rest.get(..length) }
}

fn block_lv<'a>(env: &Env<'a>, args: &Args, direction: Direction) -> Option<Sample<'a>> {
    let (at, width) = (usize::try_from(args.int(0)?).ok()?, usize::try_from(args.int(1)?).ok()?);
    let peek = env.facts.buffer(direction)?;
    let Some(head) = peek.bytes.get(at..at.checked_add(width)?) else {
        unsettled(env, &peek);
        return None;
    };
    let length = head.iter().fold(0usize, |acc, byte| acc.wrapping_shl(8) | usize::from(*byte));
    let behind = at + width;
    let offset = match args.prepared::<Offset>(2) {
        None => behind,
        Some(Offset::Absolute(offset)) => *offset,
        Some(Offset::Relative(by)) => behind.checked_add_signed(*by)?,
    };
    if length == 0 {
        return None;
    }
    let found = peek.bytes.get(offset..offset.checked_add(length)?);
    if found.is_none() {
        unsettled(env, &peek);
    }
    found.map(Sample::Bin)
}

/// Third argument of the `_lv` fetches.
enum Offset {
    Absolute(usize),
    Relative(isize),
}

fn prepare_lv(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    if args.int(0).unwrap_or(0) < 0 {
        return Err("payload offset1 must be positive".into());
    }
    if !(1..=8).contains(&args.int(1).unwrap_or(0)) {
        return Err("payload length must be > 0 and at most 8".into());
    }
    let Some(text) = args.str(2) else { return Ok(()) };
    let invalid = || format!("payload offset2 '{text}' is not a number");
    let offset = if text.starts_with(['+', '-']) {
        Offset::Relative(text.parse().map_err(|_| invalid())?)
    } else {
        Offset::Absolute(text.parse().map_err(|_| invalid())?)
    };
    args.set(2, Arg::Prepared(std::sync::Arc::new(offset)));
    Ok(())
}

fn length<'a>(env: &Env<'a>, direction: Direction) -> Option<Sample<'a>> {
    let Some(peek) = env.facts.buffer(direction) else {
        let length = env.facts.stream(StreamFact::BufferedLength(direction));
        if length.is_some() && !env.last {
            env.mark_unsettled();
        }
        return length;
    };
    unsettled(env, &peek);
    Some(Sample::Int(peek.bytes.len() as i64))
}

fn hello<'a>(env: &Env<'a>, direction: Direction) -> Option<Hello<'a>> {
    let peek = env.facts.buffer(direction)?;
    match Hello::parse(peek.bytes) {
        Ok(hello) => Some(hello),
        Err(NoHello::Incomplete) => {
            unsettled(env, &peek);
            None
        }
        Err(NoHello::Other) => None,
    }
}

fn client_hello<'a>(env: &Env<'a>) -> Option<Hello<'a>> {
    hello(env, Direction::Request).filter(|hello| hello.kind == 1)
}

fn hello_type<'a>(env: &Env<'a>, direction: Direction) -> Option<Sample<'a>> {
    hello(env, direction).map(|hello| Sample::Int(hello.kind.into()))
}

fn tls_version<'a>(env: &Env<'a>, _: &Args) -> Option<Sample<'a>> {
    let hello = client_hello(env)?;
    let (major, minor) = hello.version.max(hello.record_version);
    Some(Sample::Int(i64::from(major) << 16 | i64::from(minor)))
}

fn sni<'a>(env: &Env<'a>, _: &Args) -> Option<Sample<'a>> {
    client_hello(env)?.server_name().map(Sample::Str)
}

/// The first protocol offered.
fn alpn<'a>(env: &Env<'a>, _: &Args) -> Option<Sample<'a>> {
    let mut list = client_hello(env)?.list(16)?;
    super::hello::take_short(&mut list, 1).map(Sample::Str)
}

/// Every protocol offered.
fn each_alpn<'a>(env: &Env<'a>, _: &'a Args, visit: &mut dyn FnMut(Sample<'a>) -> ControlFlow<()>) {
    let Some(mut list) = client_hello(env).and_then(|hello| hello.list(16)) else { return };
    while let Some(name) = super::hello::take_short(&mut list, 1) {
        if visit(Sample::Str(name)).is_break() {
            return;
        }
    }
}

/// The groups of all key shares, without the keys.
fn key_shares<'a>(env: &Env<'a>, _: &Args) -> Option<Sample<'a>> {
    let mut list = client_hello(env)?.list(51)?;
    let groups = env.arena.build(|out| {
        while let Some((group, mut rest)) = list.split_at_checked(2) {
            out.extend_from_slice(group);
            if super::hello::take_short(&mut rest, 2).is_none() {
                break;
            }
            list = rest;
        }
    })?;
    Some(Sample::Bin(groups))
}

fn rdp<'a>(env: &Env<'a>, args: &Args) -> Option<Option<&'a [u8]>> {
    let peek = env.facts.buffer(Direction::Request)?;
    match rdp::cookie(peek.bytes) {
        Ok((name, value)) => {
            let wanted = args.str(0).filter(|wanted| !wanted.is_empty());
            let fits = wanted.is_none_or(|wanted| wanted.as_bytes().eq_ignore_ascii_case(name));
            Some(fits.then_some(value))
        }
        Err(NoHello::Incomplete) => {
            unsettled(env, &peek);
            None
        }
        Err(NoHello::Other) => Some(None),
    }
}

fn rdp_cookie<'a>(env: &Env<'a>, args: &Args) -> Option<Sample<'a>> {
    rdp(env, args)?.map(Sample::Str)
}

fn rdp_cookie_count<'a>(env: &Env<'a>, args: &Args) -> Option<Sample<'a>> {
    rdp(env, args).map(|found| Sample::Int(found.is_some().into()))
}
