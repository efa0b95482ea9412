//! Fields of protocol buffers messages, bare or inside a gRPC frame.

use std::sync::Arc;

use crate::expr::arg::{Arg, ArgType, Args};
use crate::expr::def::{Build, ConvDef};
use crate::expr::sample::{Sample, SampleType};

const FIELD: &[ArgType] = &[ArgType::Fields, ArgType::Str];

/// Converters on protocol buffers.
pub(super) static CONVERTERS: &[ConvDef] = &[
    ConvDef::new("protobuf", SampleType::Bin, SampleType::Any, |_, args, sample| {
        field(args, sample.bytes()?)
    })
    .args(1, FIELD)
    .prepare(prepare),
    ConvDef::new("ungrpc", SampleType::Bin, SampleType::Any, |_, args, sample| {
        // Compression flag and length, then the message; further messages are not looked at.
        let (head, rest) = sample.bytes()?.split_at_checked(5)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        field(args, rest.get(..length).unwrap_or(rest))
    })
    .args(1, FIELD)
    .prepare(prepare),
];

/// How the bytes of a field are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bytes,
    Varint,
    ZigZag,
    Int32,
    Uint32,
    Bool,
    Fixed64,
    Double,
    Fixed32,
    SignedFixed32,
    Float,
}

fn prepare(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    let kind = match args.str(1) {
        None => Kind::Bytes,
        Some("int32" | "enum") => Kind::Int32,
        Some("uint32") => Kind::Uint32,
        Some("int64" | "uint64") => Kind::Varint,
        Some("sint32" | "sint64") => Kind::ZigZag,
        Some("bool") => Kind::Bool,
        Some("fixed64" | "sfixed64") => Kind::Fixed64,
        Some("double") => Kind::Double,
        Some("fixed32") => Kind::Fixed32,
        Some("sfixed32") => Kind::SignedFixed32,
        Some("float") => Kind::Float,
        Some(other) => return Err(format!("wrong protocol buffer type '{other}'")),
    };
    args.set(1, Arg::Prepared(Arc::new(kind)));
    Ok(())
}

fn field<'a>(args: &Args, message: &'a [u8]) -> Option<Sample<'a>> {
    let Some(Arg::Fields(path)) = args.get(0) else { return None };
    let kind = *args.prepared::<Kind>(1)?;
    let (last, parents) = path.split_last()?;
    let mut message = message;
    for number in parents {
        let (wire, value) = find(message, *number)?;
        message = (wire == 2).then_some(value)?;
    }
    let (wire, value) = find(message, *last)?;
    let number = |bytes: &[u8]| varint(&mut &*bytes);
    Some(match (kind, wire) {
        (Kind::Bytes, _) => Sample::Bin(value),
        (Kind::Varint, 0) => Sample::Int(number(value)? as i64),
        (Kind::Int32, 0) => Sample::Int(i64::from(number(value)? as i32)),
        (Kind::Uint32, 0) => Sample::Int(i64::from(number(value)? as u32)),
        (Kind::Bool, 0) => Sample::Int(i64::from(number(value)? != 0)),
        (Kind::ZigZag, 0) => {
            let raw = number(value)?;
            Sample::Int((raw >> 1) as i64 ^ -((raw & 1) as i64))
        }
        (Kind::Fixed64, 1) => Sample::Int(i64::from_le_bytes(value.try_into().ok()?)),
        (Kind::Double, 1) => Sample::Int(f64::from_le_bytes(value.try_into().ok()?) as i64),
        (Kind::Fixed32, 5) => Sample::Int(u32::from_le_bytes(value.try_into().ok()?).into()),
        (Kind::SignedFixed32, 5) => Sample::Int(i32::from_le_bytes(value.try_into().ok()?).into()),
        (Kind::Float, 5) => Sample::Int(f32::from_le_bytes(value.try_into().ok()?) as i64),
        // The message does not have the type that was promised.
        _ => return None,
    })
}

/// Wire type and bytes of the first field with a number.
fn find(mut message: &[u8], wanted: u64) -> Option<(u8, &[u8])> {
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        let wire = (tag & 7) as u8;
        let before = message;
        let value = match wire {
            0 => {
                varint(&mut message)?;
                &before[..before.len() - message.len()]
            }
            1 => take(&mut message, 8)?,
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                take(&mut message, length)?
            }
            5 => take(&mut message, 4)?,
            _ => return None,
        };
        if tag >> 3 == wanted {
            return Some((wire, value));
        }
    }
    None
}

fn take<'m>(message: &mut &'m [u8], length: usize) -> Option<&'m [u8]> {
    let (head, tail) = message.split_at_checked(length)?;
    *message = tail;
    Some(head)
}

/// Reads a little-endian base 128 number.
fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (&byte, tail) = message.split_first()?;
        *message = tail;
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
