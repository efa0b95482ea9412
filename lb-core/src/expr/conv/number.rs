//! Integers: arithmetic, bits, conversions to and from bytes.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::list::Operand;
use crate::expr::Env;
use crate::expr::arg::{Arg, ArgType, Args};
use crate::expr::def::{Build, ConvDef, ConvFn};
use crate::expr::sample::{Sample, SampleType, push_hex, push_uint};

const STR: &[ArgType] = &[ArgType::Str];

/// Converters on numbers and binary blocks.
pub(super) static CONVERTERS: &[ConvDef] = &[
    operator("add", |env, args, sample| with(env, args, sample, i64::saturating_add)),
    operator("sub", |env, args, sample| with(env, args, sample, i64::saturating_sub)),
    operator("mul", |env, args, sample| with(env, args, sample, i64::saturating_mul)),
    operator("div", |env, args, sample| {
        with(env, args, sample, |a, b| if b == 0 { i64::MAX } else { a.saturating_div(b) })
    }),
    operator("mod", |env, args, sample| {
        with(env, args, sample, |a, b| if b == 0 { 0 } else { a.checked_rem(b).unwrap_or(0) })
    }),
    operator("and", |env, args, sample| with(env, args, sample, |a, b| a & b)),
    operator("or", |env, args, sample| with(env, args, sample, |a, b| a | b)),
    operator("xor", |env, args, sample| with(env, args, sample, |a, b| a ^ b)),
    ConvDef::new("neg", SampleType::Int, SampleType::Int, |_, _, sample| {
        Some(Sample::Int(0i64.saturating_sub(sample.to_int()?)))
    }),
    ConvDef::new("cpl", SampleType::Int, SampleType::Int, |_, _, sample| {
        Some(Sample::Int(!sample.to_int()?))
    }),
    test("bool", |_, _, sample| Some(Sample::Bool(sample.to_int()? != 0))),
    test("not", |_, _, sample| Some(Sample::Bool(sample.to_int()? == 0))),
    test("odd", |_, _, sample| Some(Sample::Bool(sample.to_int()? & 1 == 1))),
    test("even", |_, _, sample| Some(Sample::Bool(sample.to_int()? & 1 == 0))),
    ConvDef::new("htonl", SampleType::Int, SampleType::Bin, |env, _, sample| {
        env.arena.copy(&(sample.to_int()? as u32).to_be_bytes()).map(Sample::Bin)
    }),
    ConvDef::new("hex", SampleType::Bin, SampleType::Str, |env, _, sample| {
        let bytes = sample.bytes()?;
        env.arena.build(|out| push_hex(out, bytes)).map(Sample::Str)
    }),
    ConvDef::new("hex2i", SampleType::Bin, SampleType::Int, |_, _, sample| {
        // Of a longer number the last 64 bits count.
        let value = sample
            .bytes()?
            .iter()
            .try_fold(0u64, |value, byte| Some((value << 4) | u64::from(char::from(*byte).to_digit(16)?)))?;
        Some(Sample::Int(value as i64))
    }),
    ConvDef::new("base2", SampleType::Bin, SampleType::Str, |env, _, sample| {
        let bytes = sample.bytes()?;
        env.arena
            .build(|out| {
                for byte in bytes {
                    out.extend((0..8).rev().map(|bit| b'0' + (byte >> bit & 1)));
                }
            })
            .map(Sample::Str)
    }),
    chunked("be2hex", 0, be2hex),
    chunked("be2dec", 2, |env, args, sample| dec(env, args, sample, false)),
    chunked("le2dec", 2, |env, args, sample| dec(env, args, sample, true)),
    ConvDef::new("ipmask", SampleType::Addr, SampleType::Addr, ipmask)
        .args(1, &[ArgType::Mask4, ArgType::Mask6]),
];

const fn operator(name: &'static str, eval: ConvFn) -> ConvDef {
    ConvDef::new(name, SampleType::Int, SampleType::Int, eval).args(1, STR).prepare(prepare_operand)
}

const fn test(name: &'static str, eval: ConvFn) -> ConvDef {
    ConvDef::new(name, SampleType::Int, SampleType::Bool, eval)
}

const fn chunked(name: &'static str, required: usize, eval: ConvFn) -> ConvDef {
    ConvDef::new(name, SampleType::Bin, SampleType::Str, eval)
        .args(required, &[ArgType::Str, ArgType::Int, ArgType::Int])
        .prepare(if required == 0 { prepare_hex_chunks } else { prepare_dec_chunks })
}

fn prepare_operand(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    let operand = Operand::parse(args.str(0).unwrap_or(""))?;
    args.set(0, Arg::Prepared(Arc::new(operand)));
    Ok(())
}

fn with<'a>(
    env: &Env<'a>,
    args: &Args,
    sample: Sample<'a>,
    apply: fn(i64, i64) -> i64,
) -> Option<Sample<'a>> {
    let operand = args.prepared::<Operand>(0)?.value(env)?;
    Some(Sample::Int(apply(sample.to_int()?, operand)))
}

fn prepare_hex_chunks(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    check_chunks(args, i64::MAX)
}

fn prepare_dec_chunks(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    check_chunks(args, 8)
}

fn check_chunks(args: &Args, max: i64) -> Result<(), String> {
    match args.int(1) {
        Some(size) if size <= 0 || size > max => {
            Err(format!("chunk_size value is out of range (1 to {max})"))
        }
        None if args.len() > 1 || args.str(0).is_some_and(|separator| !separator.is_empty()) => {
            Err("chunk_size is required after a separator".into())
        }
        _ => Ok(()),
    }
}

/// Separator, bytes per chunk, and whether an incomplete last chunk is dropped.
fn chunks(args: &Args) -> (&[u8], usize, bool) {
    let size = args.int(1).and_then(|size| usize::try_from(size).ok()).unwrap_or(1);
    (args.str(0).unwrap_or("").as_bytes(), size.max(1), args.int(2).unwrap_or(0) != 0)
}

fn be2hex<'a>(env: &Env<'a>, args: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let bytes = sample.bytes()?;
    let (separator, size, truncate) = chunks(args);
    let text = env.arena.build(|out| {
        for (at, chunk) in bytes.chunks(size).enumerate() {
            if truncate && chunk.len() < size {
                break;
            }
            if at > 0 {
                out.extend_from_slice(separator);
            }
            push_hex(out, chunk);
        }
    })?;
    Some(Sample::Str(text))
}

fn dec<'a>(env: &Env<'a>, args: &Args, sample: Sample<'a>, little: bool) -> Option<Sample<'a>> {
    let bytes = sample.bytes()?;
    let (separator, size, truncate) = chunks(args);
    let text = env.arena.build(|out| {
        for (at, chunk) in bytes.chunks(size).enumerate() {
            if truncate && chunk.len() < size {
                break;
            }
            if at > 0 {
                out.extend_from_slice(separator);
            }
            let fold = |acc: u64, byte: &u8| acc << 8 | u64::from(*byte);
            let value = if little { chunk.iter().rev().fold(0, fold) } else { chunk.iter().fold(0, fold) };
            push_uint(out, value);
        }
    })?;
    Some(Sample::Str(text))
}

fn ipmask<'a>(_: &Env<'a>, args: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    // An IPv4 address in IPv6 clothes is masked as what it is.
    let sample = match sample {
        Sample::Ipv6(addr) => addr.to_ipv4_mapped().map_or(sample, Sample::Ipv4),
        other => other,
    };
    match (sample, args.get(0)?, args.get(1)) {
        (Sample::Ipv4(addr), Arg::Ipv4(mask), _) => {
            Some(Sample::Ipv4(Ipv4Addr::from(u32::from(addr) & u32::from(*mask))))
        }
        (Sample::Ipv6(addr), _, Some(Arg::Ipv6(mask))) => {
            Some(Sample::Ipv6(Ipv6Addr::from(u128::from(addr) & u128::from(*mask))))
        }
        _ => None,
    }
}
