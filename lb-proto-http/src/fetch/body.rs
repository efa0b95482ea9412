//! Bodies, as far as they are in the buffer.

use lb_core::expr::{ArgType, Args, Env, FetchDef, Sample, SampleType as T};

use super::{REQUEST, RESPONSE, url, with_request, with_response};
use crate::h1::BodyLength;

pub(super) const FETCHES: &[FetchDef] = &[
    FetchDef::new("req.body", T::Bin, REQUEST, request),
    FetchDef::new("req.body_len", T::Int, REQUEST, request_len),
    FetchDef::new("req.body_size", T::Int, REQUEST, request_size),
    FetchDef::new("req.body_param", T::Bin, REQUEST, request_param).args(0, &[ArgType::Str, ArgType::Str]),
    FetchDef::new("res.body", T::Bin, RESPONSE, response),
    FetchDef::new("res.body_len", T::Int, RESPONSE, response_len),
    FetchDef::new("res.body_size", T::Int, RESPONSE, response_size),
];

/// The decoded bytes. A chunked body is decoded into the arena.
pub(crate) fn decoded<'a>(env: &Env<'a>, bytes: &'a [u8], length: BodyLength) -> Option<&'a [u8]> {
    match length {
        BodyLength::Chunked => env.arena.build(|out| decode(bytes, out)),
        BodyLength::Known(length) => {
            Some(&bytes[..bytes.len().min(usize::try_from(length).unwrap_or(usize::MAX))])
        }
        BodyLength::UntilClose => Some(bytes),
        BodyLength::Empty | BodyLength::Tunnel => Some(&bytes[..0]),
    }
}

/// The value of a parameter in a form, if it is there with an equal sign. A space or a line end ends it, and nothing else may
/// stand in it that is no part of a token: then the body is no form.
#[cfg(any(feature = "tokio", test))]
pub(crate) fn param<'a>(body: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let value = lb_core::balance::hash::query_param(body, name.as_bytes())?;
    let (value, rest) = value.split_at(crate::h1::token_len(value));
    rest.first().is_none_or(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).then_some(value)
}

/// Appends what can be decoded of `bytes`.
fn decode(mut bytes: &[u8], out: &mut Vec<u8>) {
    use crate::h1::{Chunked, Piece};
    let mut decoder = Chunked::new();
    while !bytes.is_empty() {
        let len = match decoder.next(bytes) {
            Ok(Piece::Skip(len)) => len,
            Ok(Piece::Data(len)) => {
                out.extend_from_slice(&bytes[..len]);
                len
            }
            Ok(Piece::Trailers(_)) | Err(_) => return,
        };
        bytes = &bytes[len..];
    }
}

fn request_bytes<'a>(env: &Env<'a>) -> Option<&'a [u8]> {
    let layer = with_request(env)?;
    if !layer.body_complete {
        env.mark_unsettled();
    }
    decoded(env, layer.request.buffered_body(), layer.request.body)
}

fn response_bytes<'a>(env: &Env<'a>) -> Option<&'a [u8]> {
    let layer = with_response(env)?;
    decoded(env, layer.response.buffered_body(), layer.response.body)
}

/// The announced length, or what is there when none was announced.
fn size(length: BodyLength, there: usize) -> Option<Sample<'static>> {
    let size = match length {
        BodyLength::Known(length) => length,
        _ => there as u64,
    };
    i64::try_from(size).ok().map(Sample::Int)
}

fn request<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    request_bytes(env).map(Sample::Bin)
}

fn request_len<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    request_bytes(env).map(|body| Sample::Int(body.len() as i64))
}

fn request_size<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    size(with_request(env)?.request.body, request_bytes(env)?.len())
}

fn request_param<'a>(env: &Env<'a>, args: &'a Args) -> Option<Sample<'a>> {
    let body = request_bytes(env)?;
    let ignore_case = args.str(1) == Some("i");
    url::form_value(body, args.str(0).unwrap_or_default(), ignore_case).map(Sample::Bin)
}

fn response<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    response_bytes(env).map(Sample::Bin)
}

fn response_len<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    response_bytes(env).map(|body| Sample::Int(body.len() as i64))
}

fn response_size<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    size(with_response(env)?.response.body, response_bytes(env)?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_found_in_what_may_be_a_form() {
        for (body, value) in [
            (&b"a=1&id=7&b=2"[..], Some(&b"7"[..])),
            (b"id=", Some(b"")),
            (b"id=%41\r\nid=8", Some(b"%41")),
            (b"myid=3", None),
            (b"id", None),
            (b"id=a=b", None),
            (b"id=5;id=9", None),
            (b"id=\xff", None),
        ] {
            assert_eq!(param(body, "id"), value, "{}", body.escape_ascii());
        }
    }
}
