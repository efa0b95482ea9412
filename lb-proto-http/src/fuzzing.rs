//! Entry points for fuzzing and for the replay of fuzzing corpora. Not part of the API.

use crate::h1::{
    Chunked, Cursor, Limits, Piece, Target, default_port, parse_request, parse_response, split_port,
    write_request,
};
use crate::head::{Method, Request, Response};

/// Parses `data` as a request whole and split in two, writes what was accepted and parses that again.
pub fn h1_request(data: &[u8]) {
    let whole = request(data, data.len());
    let half = data.len() / 2;
    let split = request(data, half);
    match (&whole, &split) {
        (Ok(Some(whole)), Ok(Some(split))) => assert_eq!(shown(whole), shown(split)),
        (Ok(None), Ok(None)) | (Err(_), Err(_)) => {}
        _ => panic!("whole: {:?}, split: {:?}", whole.is_ok(), split.is_ok()),
    }
    if let Ok(Some(request)) = &whole {
        let mut out = Vec::new();
        write_request(&mut out, request, &[]);
        let again = self::request(&out, out.len());
        // What rules and peers see must not change its meaning when it is forwarded.
        if let Ok(Some(again)) = again {
            // Of an authority with several ports each reading takes one away, as HAProxy's does.
            let target = Target::parse(request.target());
            let another = split_port(target.authority).1;
            if target.scheme.is_empty()
                || !another.is_some_and(|port| default_port(Some(target.scheme), port))
            {
                assert_eq!(again.target(), request.target());
            }
            assert_eq!(again.body, request.body);
        }
    }
}

/// Parses `data` as a response whole and split in two.
pub fn h1_response(data: &[u8]) {
    let parse = |first: usize| {
        let mut response = Response::default();
        response.fields.set_buffer(data.to_vec());
        let mut cursor = Cursor::default();
        let limits = Limits::default();
        let early = parse_response(&mut response, &mut cursor, first, Method::Get, &limits);
        if matches!(early, Ok(false)) && first < data.len() {
            return parse_response(&mut response, &mut cursor, data.len(), Method::Get, &limits)
                .map(|done| done.then_some((response.status, response.body)));
        }
        early.map(|done| done.then_some((response.status, response.body)))
    };
    let (whole, split) = (parse(data.len()), parse(data.len() / 2));
    assert_eq!(whole.is_ok(), split.is_ok());
    if let (Ok(Some(whole)), Ok(Some(split))) = (whole, split) {
        assert_eq!(whole, split);
    }
}

/// Decodes `data` as a chunked body whole and byte by byte.
pub fn h1_chunked(data: &[u8]) {
    let decode = |step: usize| {
        let mut decoder = Chunked::new();
        let mut out = Vec::new();
        let (mut at, mut seen) = (0, 0);
        while seen < data.len() {
            seen = (seen + step).min(data.len());
            while at < seen {
                match decoder.next(&data[at..seen]) {
                    Ok(Piece::Skip(len)) => at += len,
                    Ok(Piece::Data(len)) => {
                        out.extend_from_slice(&data[at..at + len]);
                        at += len;
                    }
                    Ok(Piece::Trailers(len)) => return Ok((out, at + len)),
                    Err(reject) => return Err(reject),
                }
            }
        }
        Ok((out, at))
    };
    assert_eq!(decode(data.len().max(1)), decode(1));
}

/// Parses a request of which the first `first` bytes arrive before the rest.
fn request(data: &[u8], first: usize) -> Result<Option<Request>, crate::h1::Reject> {
    let mut request = Request::default();
    request.fields.set_buffer(data.to_vec());
    let mut cursor = Cursor::default();
    let limits = Limits::default();
    let mut done = parse_request(&mut request, &mut cursor, first, &limits)?;
    if !done && first < data.len() {
        done = parse_request(&mut request, &mut cursor, data.len(), &limits)?;
    }
    Ok(done.then_some(request))
}

type Shown = (Vec<u8>, Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>, crate::h1::BodyLength);

fn shown(request: &Request) -> Shown {
    let fields = request.fields.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
    (request.method_text().to_vec(), request.target().to_vec(), fields, request.body)
}
