//! Base 64 (RFC 4648), both alphabets.

use crate::expr::Env;
use crate::expr::def::ConvDef;
use crate::expr::sample::{Sample, SampleType};

/// Base 64 converters.
pub(super) static CONVERTERS: &[ConvDef] = &[
    ConvDef::new("base64", SampleType::Bin, SampleType::Str, |env, _, sample| {
        let bytes = sample.bytes()?;
        env.arena.build(|out| encode(out, bytes, STANDARD, true)).map(Sample::Str)
    }),
    ConvDef::new("ub64enc", SampleType::Bin, SampleType::Str, |env, _, sample| {
        let bytes = sample.bytes()?;
        env.arena.build(|out| encode(out, bytes, URL, false)).map(Sample::Str)
    }),
    ConvDef::new("b64dec", SampleType::Str, SampleType::Bin, |env, _, sample| decoded(env, sample, STANDARD)),
    ConvDef::new("ub64dec", SampleType::Str, SampleType::Bin, |env, _, sample| decoded(env, sample, URL)),
];

/// The usual alphabet.
pub(super) const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// The alphabet for URLs and file names.
pub(super) const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn decoded<'a>(env: &Env<'a>, sample: Sample<'a>, alphabet: &[u8; 64]) -> Option<Sample<'a>> {
    let text = sample.bytes()?;
    env.arena.try_build(|out| decode(out, text, alphabet)).map(Sample::Bin)
}

/// Appends the encoded form.
pub(super) fn encode(out: &mut Vec<u8>, bytes: &[u8], alphabet: &[u8; 64], pad: bool) {
    for chunk in bytes.chunks(3) {
        let word = u32::from(chunk[0]) << 16
            | u32::from(chunk.get(1).copied().unwrap_or(0)) << 8
            | u32::from(chunk.get(2).copied().unwrap_or(0));
        for at in 0..4 {
            if at <= chunk.len() {
                out.push(alphabet[(word >> (18 - 6 * at) & 63) as usize]);
            } else if pad {
                out.push(b'=');
            }
        }
    }
}

/// Appends the decoded bytes; `None` for anything that is not base 64. The standard alphabet
/// requires padding, the URL alphabet takes it or leaves it.
pub(super) fn decode(out: &mut Vec<u8>, text: &[u8], alphabet: &[u8; 64]) -> Option<()> {
    let strict = alphabet == STANDARD;
    if strict && !text.len().is_multiple_of(4) {
        return None;
    }
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let body = &text[..text.len() - padding];
    if padding > 2 || body.len() % 4 == 1 || (padding > 0 && !text.len().is_multiple_of(4)) {
        return None;
    }
    for chunk in body.chunks(4) {
        let mut word = 0u32;
        for at in 0..4 {
            let digit = match chunk.get(at) {
                Some(byte) => value(*byte, alphabet)?,
                None => 0,
            };
            word = word << 6 | digit;
        }
        out.extend_from_slice(&word.to_be_bytes()[1..chunk.len()]);
    }
    Some(())
}

fn value(byte: u8, alphabet: &[u8; 64]) -> Option<u32> {
    Some(match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        _ if byte == alphabet[62] => 62,
        _ if byte == alphabet[63] => 63,
        _ => return None,
    })
}
