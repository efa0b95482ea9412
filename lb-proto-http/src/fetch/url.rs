//! The request target and its parts.

use std::net::IpAddr;
use std::ops::ControlFlow;

use lb_core::expr::{Arg, ArgType, Args, Build, Env, FetchDef, Needs, Sample, SampleType as T};

use super::{REQUEST, with_request};
use crate::h1::{Target, split_port};

const PARAM: &[ArgType] = &[ArgType::Str, ArgType::Str, ArgType::Str];

pub(super) const FETCHES: &[FetchDef] = &[
    FetchDef::new("base", T::Str, REQUEST, base),
    FetchDef::new("baseq", T::Str, REQUEST, baseq),
    FetchDef::new("base32", T::Int, REQUEST, base32),
    FetchDef::new("base32+src", T::Bin, REQUEST.and(Needs::L4_CLIENT), base32_src),
    FetchDef::new("path", T::Str, REQUEST, path),
    FetchDef::new("pathq", T::Str, REQUEST, pathq),
    FetchDef::new("query", T::Str, REQUEST, query).args(0, &[ArgType::Str]).prepare(check_query),
    FetchDef::new("url", T::Str, REQUEST, url),
    FetchDef::new("url32", T::Int, REQUEST, url32),
    FetchDef::new("url32+src", T::Bin, REQUEST.and(Needs::L4_CLIENT), url32_src),
    FetchDef::new("url_ip", T::Ipv4, REQUEST, url_ip),
    FetchDef::new("url_port", T::Int, REQUEST, url_port),
    FetchDef::new("url_param", T::Str, REQUEST, url_param).args(0, PARAM).prepare(check_param).each(params),
    FetchDef::new("urlp", T::Str, REQUEST, url_param).args(0, PARAM).prepare(check_param).each(params),
    FetchDef::new("urlp_val", T::Int, REQUEST, url_param_val).args(0, PARAM).prepare(check_param),
];

fn target<'a>(env: &Env<'a>) -> Option<Target<'a>> {
    with_request(env).map(|layer| Target::parse(layer.request.target()))
}

fn url<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    with_request(env).map(|layer| Sample::Str(layer.request.target()))
}

/// A path begins with a slash; the asterisk form has none.
fn path<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    Some(target(env)?.path()).filter(|path| path.first() == Some(&b'/')).map(Sample::Str)
}

fn pathq<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    Some(target(env)?.path_query).filter(|path| path.first() == Some(&b'/')).map(Sample::Str)
}

fn check_query(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    match args.str(0) {
        None | Some("" | "with_qm") => Ok(()),
        Some(other) => Err(format!("Supported options are: 'with_qm', not '{other}'")),
    }
}

fn query<'a>(env: &Env<'a>, args: &'a Args) -> Option<Sample<'a>> {
    let target = target(env)?;
    let at = memchr::memchr(b'?', target.path_query)?;
    let skip = usize::from(args.str(0) != Some("with_qm"));
    let query = &target.path_query[at + skip..];
    Some(Sample::Str(query)).filter(|_| !query.is_empty())
}

/// `Host` and path, the latter only if it begins with a slash.
fn build_base<'a>(env: &Env<'a>, with_query: bool) -> Option<&'a [u8]> {
    let layer = with_request(env)?;
    let target = Target::parse(layer.request.target());
    let path = if with_query { target.path_query } else { target.path() };
    let path = if path.first() == Some(&b'/') { path } else { b"" };
    match layer.request.fields.get(b"host").filter(|host| !host.is_empty()) {
        Some(host) => env.arena.build(|out| {
            out.extend_from_slice(host);
            out.extend_from_slice(path);
        }),
        None => Some(path).filter(|path| !path.is_empty()),
    }
}

fn base<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    build_base(env, false).map(Sample::Str)
}

fn baseq<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    build_base(env, true).map(Sample::Str)
}

fn base32<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    build_base(env, false).map(|base| Sample::Int(i64::from(hash(base, 0))))
}

fn base32_src<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    with_source(env, hash(build_base(env, false)?, 0))
}

/// The hash covers `Host` and the path with its query.
fn hash_url(env: &Env<'_>) -> Option<u32> {
    let layer = with_request(env)?;
    let host = layer.request.fields.get(b"host").unwrap_or_default();
    let target = Target::parse(layer.request.target());
    Some(hash(target.path_query, sum(host, 0)))
}

fn url32<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    hash_url(env).map(|hash| Sample::Int(i64::from(hash)))
}

fn url32_src<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    with_source(env, hash_url(env)?)
}

fn with_source<'a>(env: &Env<'a>, hash: u32) -> Option<Sample<'a>> {
    let source = env.facts.src()?.ip();
    let out = env.arena.build(|out| {
        out.extend_from_slice(&hash.to_be_bytes());
        match source {
            IpAddr::V4(addr) => out.extend_from_slice(&addr.octets()),
            IpAddr::V6(addr) => out.extend_from_slice(&addr.octets()),
        }
    })?;
    Some(Sample::Bin(out))
}

/// The SDBM hash without its final mixing.
fn sum(bytes: &[u8], start: u32) -> u32 {
    bytes.iter().fold(start, |hash, byte| {
        u32::from(*byte).wrapping_add(hash << 6).wrapping_add(hash << 16).wrapping_sub(hash)
    })
}

/// SDBM with full avalanche, as the balancing algorithms use it.
fn hash(bytes: &[u8], start: u32) -> u32 {
    lb_core::balance::hash::function::avalanche(sum(bytes, start))
}

fn url_host<'a>(env: &Env<'a>) -> Option<(&'a [u8], Option<&'a [u8]>)> {
    let target = target(env)?;
    (!target.authority.is_empty()).then(|| split_port(target.authority))
}

fn url_ip<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    let (host, _) = url_host(env)?;
    std::str::from_utf8(host).ok()?.parse().ok().map(Sample::Ipv4)
}

fn url_port<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    let layer = with_request(env)?;
    let (_, port) = url_host(env)?;
    match port.filter(|port| !port.is_empty()) {
        Some(port) => Sample::Str(port).to_int().map(Sample::Int),
        None => {
            let https =
                layer.request.target().first_chunk::<5>().is_some_and(|s| s.eq_ignore_ascii_case(b"https"));
            Some(Sample::Int(if https { 443 } else { 80 }))
        }
    }
}

/// Replaces name, delimiter and flag by their compiled form.
fn check_param(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    let delimiter = match args.str(1).map(str::as_bytes) {
        None | Some([]) => b'?',
        Some([one]) => *one,
        Some(_) => return Err("Delimiter must be one character".to_owned()),
    };
    let ignore_case = match args.str(2) {
        None | Some("") => false,
        Some("i") => true,
        Some(other) => return Err(format!("Supported flags are: 'i', not '{other}'")),
    };
    let name = args.str(0).unwrap_or_default().into();
    let param = Param { name, delimiter, ignore_case };
    let none = || Arg::Str("".into());
    for at in args.len()..3 {
        args.set(at, none());
    }
    args.set(3, Arg::Prepared(std::sync::Arc::new(param)));
    Ok(())
}

/// Which parameter.
#[derive(Debug)]
struct Param {
    /// Empty for any.
    name: Box<str>,
    /// What begins the parameters.
    delimiter: u8,
    ignore_case: bool,
}

impl Param {
    fn is(&self, name: &[u8]) -> bool {
        self.name.is_empty()
            || if self.ignore_case {
                name.eq_ignore_ascii_case(self.name.as_bytes())
            } else {
                name == self.name.as_bytes()
            }
    }

    /// The values in a query string.
    fn values<'a>(&'a self, query: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        query.split(|byte| matches!(byte, b'&' | b';')).filter_map(|part| {
            let at = memchr::memchr(b'=', part)?;
            self.is(&part[..at]).then(|| &part[at + 1..])
        })
    }
}

fn found<'a>(env: &Env<'a>, args: &'a Args) -> Option<impl Iterator<Item = &'a [u8]>> {
    let param = args.prepared::<Param>(3)?;
    let path = target(env)?.path_query;
    let query = memchr::memchr(param.delimiter, path).map_or(path.len(), |at| at + 1);
    let query = &path[query..];
    Some(param.values(query))
}

fn url_param<'a>(env: &Env<'a>, args: &'a Args) -> Option<Sample<'a>> {
    found(env, args)?.next().map(Sample::Str)
}

fn params<'a>(env: &Env<'a>, args: &'a Args, visit: &mut dyn FnMut(Sample<'a>) -> ControlFlow<()>) {
    if let Some(mut values) = found(env, args) {
        let _ = values.try_for_each(|value| visit(Sample::Str(value)));
    }
}

fn url_param_val<'a>(env: &Env<'a>, args: &'a Args) -> Option<Sample<'a>> {
    url_param(env, args)?.to_int().map(Sample::Int)
}

/// The values of a parameter in a form body.
pub(super) fn form_value<'a>(body: &'a [u8], name: &str, ignore_case: bool) -> Option<&'a [u8]> {
    let param = Param { name: name.into(), delimiter: b'?', ignore_case };
    body.split(|byte| matches!(byte, b'&' | b';')).find_map(|part| {
        let at = memchr::memchr(b'=', part)?;
        param.is(&part[..at]).then(|| &part[at + 1..])
    })
}
