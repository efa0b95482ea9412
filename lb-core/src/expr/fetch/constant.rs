//! Constants.

use std::net::Ipv6Addr;

use crate::expr::arg::{Arg, ArgType, Args};
use crate::expr::def::{Build, FetchDef, Needs};
use crate::expr::pattern::parse_hex;
use crate::expr::sample::{OwnedSample, Sample, SampleType};
use crate::expr::{Env, net};

/// Fetches with a fixed value.
pub(super) static FETCHES: &[FetchDef] = &[
    FetchDef::new("always_true", SampleType::Bool, Needs::CONST, |_, _| Some(Sample::Bool(true))),
    FetchDef::new("always_false", SampleType::Bool, Needs::CONST, |_, _| Some(Sample::Bool(false))),
    FetchDef::new("str", SampleType::Str, Needs::CONST, |_, args| {
        args.str(0).map(|text| Sample::Str(text.as_bytes()))
    })
    .args(1, &[ArgType::Str]),
    FetchDef::new("int", SampleType::Int, Needs::CONST, |_, args| args.int(0).map(Sample::Int))
        .args(1, &[ArgType::Int]),
    FetchDef::new("bool", SampleType::Bool, Needs::CONST, constant)
        .args(1, &[ArgType::Str])
        .prepare(prepare_bool),
    FetchDef::new("ipv4", SampleType::Ipv4, Needs::CONST, |_, args| match args.get(0)? {
        Arg::Ipv4(addr) => Some(Sample::Ipv4(*addr)),
        _ => None,
    })
    .args(1, &[ArgType::Ipv4]),
    FetchDef::new("ipv6", SampleType::Ipv6, Needs::CONST, constant)
        .args(1, &[ArgType::Str])
        .prepare(prepare_ipv6),
    FetchDef::new("bin", SampleType::Bin, Needs::CONST, constant)
        .args(1, &[ArgType::Str])
        .prepare(prepare_bin),
    FetchDef::new("meth", SampleType::Method, Needs::CONST, |_, args| {
        args.str(0).map(|text| Sample::Method(text.as_bytes()))
    })
    .args(1, &[ArgType::Str]),
    FetchDef::new("env", SampleType::Str, Needs::CONST, constant)
        .args(1, &[ArgType::Str])
        .prepare(prepare_env),
];

/// A value computed in advance; absent for an unset environment variable.
fn constant<'a>(_: &Env<'a>, args: &'a Args) -> Option<Sample<'a>> {
    args.prepared::<Option<OwnedSample>>(0)?.as_ref().map(OwnedSample::as_sample)
}

fn keep(args: &mut Args, value: Option<OwnedSample>) {
    args.set(0, Arg::Prepared(std::sync::Arc::new(value)));
}

fn text(args: &Args) -> String {
    args.str(0).unwrap_or_default().to_owned()
}

fn prepare_bool(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    let value = match text(args).as_str() {
        "true" | "1" => true,
        "false" | "0" => false,
        other => return Err(format!("'{other}' is not a boolean (expects 'true' or 'false')")),
    };
    keep(args, Some(OwnedSample::Bool(value)));
    Ok(())
}

fn prepare_ipv6(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    let text = text(args);
    let addr: Ipv6Addr =
        net::parse_ipv6(text.as_bytes()).ok_or_else(|| format!("'{text}' is not an IPv6 address"))?;
    keep(args, Some(OwnedSample::Ipv6(addr)));
    Ok(())
}

fn prepare_bin(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    let text = text(args);
    let bytes = parse_hex(&text).ok_or_else(|| format!("'{text}' is not a valid hexadecimal block"))?;
    keep(args, Some(OwnedSample::Bin(bytes)));
    Ok(())
}

fn prepare_env(args: &mut Args, build: &mut dyn Build) -> Result<(), String> {
    let value = build.env(&text(args)).map(|value| OwnedSample::Str(value.into_bytes()));
    keep(args, value);
    Ok(())
}
