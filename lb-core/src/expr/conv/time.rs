//! Dates as text and back.

use crate::expr::Env;
use crate::expr::arg::{Arg, ArgType, Args};
use crate::expr::date::{Civil, seconds_of};
use crate::expr::def::{Build, ConvDef, ConvFn};
use crate::expr::sample::{Sample, SampleType};

/// Converters between dates and text.
pub(super) static CONVERTERS: &[ConvDef] = &[
    format("ltime", |env, args, sample| write(env, args, sample, 1, true)),
    format("utime", |env, args, sample| write(env, args, sample, 1, false)),
    format("ms_ltime", |env, args, sample| write(env, args, sample, 1000, true)),
    format("ms_utime", |env, args, sample| write(env, args, sample, 1000, false)),
    format("us_ltime", |env, args, sample| write(env, args, sample, 1_000_000, true)),
    format("us_utime", |env, args, sample| write(env, args, sample, 1_000_000, false)),
    ConvDef::new("http_date", SampleType::Int, SampleType::Str, http_date)
        .args(0, &[ArgType::Int, ArgType::Str])
        .prepare(prepare_unit),
    ConvDef::new("date", SampleType::Str, SampleType::Int, |_, _, sample| {
        parse_http_date(sample.bytes()?).map(Sample::Int)
    }),
];

const fn format(name: &'static str, eval: ConvFn) -> ConvDef {
    ConvDef::new(name, SampleType::Int, SampleType::Str, eval).args(1, &[ArgType::Str, ArgType::Int])
}

fn write<'a>(env: &Env<'a>, args: &Args, sample: Sample<'a>, scale: i64, local: bool) -> Option<Sample<'a>> {
    let value = sample.to_int()?.saturating_add(args.int(1).unwrap_or(0));
    let seconds = value.div_euclid(scale);
    let nanos = (value.rem_euclid(scale) * (1_000_000_000 / scale)) as u32;
    let offset = if local { env.facts.engine().utc_offset(seconds) } else { 0 };
    let format = args.str(0)?.as_bytes();
    env.arena
        .build(|out| {
            Civil::new(seconds, offset).push_format(format, if scale == 1 { 0 } else { nanos }, seconds, out);
        })
        .map(Sample::Str)
}

/// Replaces the unit in argument 1 by its number per second.
fn prepare_unit(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    let scale = match args.str(1) {
        None => return Ok(()),
        Some("" | "s") => 1,
        Some("ms") => 1000,
        Some("us") => 1_000_000,
        Some(other) => return Err(format!("expects 's', 'ms' or 'us', got '{other}'")),
    };
    args.set(1, Arg::Int(scale));
    Ok(())
}

fn http_date<'a>(env: &Env<'a>, args: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let value = sample.to_int()?.saturating_add(args.int(0).unwrap_or(0));
    let scale = args.int(1).unwrap_or(1);
    let fraction = (scale > 1).then(|| value.rem_euclid(scale));
    env.arena.build(|out| Civil::new(value.div_euclid(scale), 0).push_http(fraction, out)).map(Sample::Str)
}

/// Parses the three date forms of HTTP (RFC 9110 §5.6.7).
fn parse_http_date(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let words: Vec<&str> = text.split([' ', ',', '-']).filter(|word| !word.is_empty()).collect();
    match words[..] {
        // Sun, 06 Nov 1994 08:49:37 GMT, or Sunday, 06-Nov-94 08:49:37 GMT
        [_, day, month, year, time, "GMT" | "UTC"] => {
            let mut number: i64 = year.parse().ok()?;
            if year.len() == 2 {
                number += if number < 70 { 2000 } else { 1900 };
            }
            build(number, month, day, time)
        }
        // Sun Nov  6 08:49:37 1994
        [_, month, day, time, year] => build(year.parse().ok()?, month, day, time),
        _ => None,
    }
}

fn build(year: i64, month: &str, day: &str, time: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = MONTHS.iter().position(|name| *name == month)? as i64 + 1;
    let day: i64 = day.parse().ok().filter(|day| (1..=31).contains(day))?;
    let mut parts = time.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let valid = parts.next().is_none()
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second)
        && (0..=9999).contains(&year);
    valid.then(|| seconds_of(year, month, day, hour, minute, second))
}
