//! Messages of the Financial Information eXchange protocol.
//!
//! A message is a row of `tag=value` fields, each ended by a byte 1: the version first, then the
//! length of the body, the type of the message, and the checksum last.

use crate::expr::Env;
use crate::expr::arg::{Arg, ArgType, Args};
use crate::expr::def::{Build, ConvDef};
use crate::expr::sample::{Sample, SampleType};

/// Converters on FIX messages.
pub(super) static CONVERTERS: &[ConvDef] = &[
    ConvDef::new("fix_is_valid", SampleType::Bin, SampleType::Bool, |env, _, sample| {
        settle(env, validate(sample.bytes()?)).map(Sample::Bool)
    }),
    ConvDef::new("fix_tag_value", SampleType::Bin, SampleType::Bin, |env, args, sample| {
        settle(env, value(sample.bytes()?, args.int(0)? as u64))?.map(Sample::Bin)
    })
    .args(1, &[ArgType::Str])
    .prepare(prepare),
];

const END: u8 = 1;

const BEGIN_STRING: u64 = 8;
const BODY_LENGTH: u64 = 9;
const CHECK_SUM: u64 = 10;
const MSG_TYPE: u64 = 35;

/// More of the message has to arrive.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfinished;

/// What a decoder found; what may still come is marked as not settled, anything else as settled.
pub(super) fn settle<T>(env: &Env<'_>, found: Result<T, Unfinished>) -> Option<T> {
    env.take_unsettled();
    if found.is_err() {
        env.mark_unsettled();
    }
    found.ok()
}

fn prepare(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    let name = args.str(0).unwrap_or("");
    let tag = match name {
        "BeginString" => Some(BEGIN_STRING),
        "BodyLength" => Some(BODY_LENGTH),
        "CheckSum" => Some(CHECK_SUM),
        "MsgType" => Some(MSG_TYPE),
        "SenderCompID" => Some(49),
        "TargetCompID" => Some(56),
        number => digits(number.as_bytes()),
    };
    let tag = tag.filter(|tag| *tag > 0).ok_or_else(|| format!("Unknown FIX tag name '{name}'"))?;
    args.set(0, Arg::Int(tag as i64));
    Ok(())
}

fn digits(text: &[u8]) -> Option<u64> {
    let all = !text.is_empty() && text.len() <= 9 && text.iter().all(u8::is_ascii_digit);
    all.then(|| text.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// One field.
struct Field<'a> {
    tag: u64,
    value: &'a [u8],
    /// Bytes it takes, its end included.
    length: usize,
}

/// The field a message begins with; `Ok(None)` if there can be none.
fn field(message: &[u8]) -> Result<Option<Field<'_>>, Unfinished> {
    let equals = message.iter().position(|byte| *byte == b'=').ok_or(Unfinished)?;
    let length = message[equals..].iter().position(|byte| *byte == END).ok_or(Unfinished)?;
    let value = &message[equals + 1..equals + length];
    let tag = digits(&message[..equals]).filter(|tag| *tag > 0 && !value.is_empty());
    Ok(tag.map(|tag| Field { tag, value, length: equals + length + 1 }))
}

/// The largest tag of a version, those for private use apart.
fn largest_tag(version: &[u8]) -> Option<u64> {
    Some(match version {
        b"FIX.4.0" => 140,
        b"FIX.4.1" => 211,
        b"FIX.4.2" => 446,
        b"FIX.4.3" => 659,
        b"FIX.4.4" => 956,
        // All that call themselves 5.0.
        b"FIXT.1.1" => 1621,
        _ => return None,
    })
}

fn validate(message: &[u8]) -> Result<bool, Unfinished> {
    /// The shortest message there could be; less says nothing yet.
    const SHORTEST: usize = 20;
    if message.len() < SHORTEST {
        return Err(Unfinished);
    }
    let (mut at, mut sum, mut body, mut length, mut largest) = (0, 0u8, 0, 0, u64::MAX);
    for number in 1.. {
        let Some(field) = field(&message[at..])? else { return Ok(false) };
        if field.tag > largest && !(10_000..=19_999).contains(&field.tag) {
            return Ok(false);
        }
        let fine = match number {
            1 => {
                largest = largest_tag(field.value).unwrap_or(0);
                field.tag == BEGIN_STRING && largest > 0
            }
            2 => {
                length = digits(field.value).unwrap_or(0);
                body = at + field.length;
                field.tag == BODY_LENGTH && length > 0
            }
            3 => field.tag == MSG_TYPE,
            _ if field.tag == CHECK_SUM => {
                let told = digits(field.value).filter(|_| field.value.len() == 3);
                return Ok((at - body) as u64 == length && told == Some(sum.into()));
            }
            _ => true,
        };
        if !fine {
            return Ok(false);
        }
        sum = message[at..at + field.length].iter().fold(sum, |sum, byte| sum.wrapping_add(*byte));
        at += field.length;
    }
    Ok(false)
}

/// The value of a tag, if the message has it.
fn value(message: &[u8], wanted: u64) -> Result<Option<&[u8]>, Unfinished> {
    let mut rest = message;
    while let Some(field) = field(rest)? {
        if field.tag == wanted {
            return Ok(Some(field.value));
        }
        if field.tag == CHECK_SUM {
            break;
        }
        rest = &rest[field.length..];
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message of these fields behind the length, with the length and the checksum it should have.
    fn message(version: &str, fields: &str) -> Vec<u8> {
        let body = fields.replace('|', "\x01");
        let mut text = format!("8={version}\x019={}\x01{body}", body.len()).into_bytes();
        let sum = text.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        text.extend(format!("10={sum:03}\x01").bytes());
        text
    }

    #[test]
    fn a_logon_is_valid_once_it_is_whole() {
        let logon = message("FIX.4.4", "35=A|49=CLIENT1|56=EXECUTOR|34=1|98=0|108=30|");
        assert_eq!(validate(&logon), Ok(true));
        for cut in 0..logon.len() {
            assert_eq!(validate(&logon[..cut]), Err(Unfinished), "{cut}");
        }
        let followed = [&logon[..], b"8=FIX"].concat();
        assert_eq!(validate(&followed), Ok(true));
    }

    #[test]
    fn each_rule_of_a_message_can_be_broken() {
        let broken = |bytes: Vec<u8>| assert_eq!(validate(&bytes), Ok(false), "{bytes:?}");
        broken(message("FIX.9.9", "35=A|49=CLIENT1|"));
        broken(message("FIX.4.4", "49=CLIENT1|35=A|"));
        broken(message("FIX.4.4", "35=A|49=|34=1|98=0|"));
        broken(message("FIX.4.4", "35=A|=CLIENT1|34=1|"));
        broken(message("FIX.4.4", "35=A|x=CLIENT1|34=1|"));
        broken(message("FIX.4.0", "35=A|141=Y|49=CLIENT1|"));
        let good = message("FIX.4.0", "35=A|10001=Y|49=CLIENT1|");
        assert_eq!(validate(&good), Ok(true));
        let text = String::from_utf8(good.clone()).unwrap();
        broken(text.replacen("9=", "9=1", 1).into_bytes());
        let mut sum = good;
        let at = sum.len() - 2;
        sum[at] = if sum[at] == b'0' { b'1' } else { b'0' };
        broken(sum);
    }

    #[test]
    fn values_are_found_by_their_tags() {
        let logon = message("FIX.4.4", "35=A|49=CLIENT1|56=EXECUTOR|");
        assert_eq!(value(&logon, MSG_TYPE), Ok(Some(&b"A"[..])));
        assert_eq!(value(&logon, 49), Ok(Some(&b"CLIENT1"[..])));
        assert_eq!(value(&logon, 50), Ok(None));
        assert_eq!(value(&logon[..20], 56), Err(Unfinished));
    }
}
