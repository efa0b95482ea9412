//! Parsing of message heads.
//!
//! A head that arrived whole is tokenised by `httparse`. What that crate does not take, because the head is incomplete
//! or because it uses a liberty HAProxy grants (folded lines, control characters in values, other versions), is read
//! line by line; the cursor remembers the last complete line, so that a head that trickles in is not read again from
//! its beginning. Both ways lead through the same checks.

use std::mem::MaybeUninit;

use super::framing::{Framing, Kind, decimal};
use super::lexer::{is_blank, is_token, trim_range};
use super::reject::Reject;
use super::{BodyLength, Target, authority_is_valid, default_port, split_port};
use crate::head::{Fields, Method, Request, Response, Span, Version};

/// Room for the fields of one message. HAProxy's default of 101 includes the end mark.
const MAX_FIELDS: usize = 100;

/// Limits of what is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Most fields.
    pub fields: usize,
    /// Longest head, empty lines before it included.
    pub head: usize,
    /// Accept what is merely suspicious: other characters in targets, field names and values
    /// (`option accept-unsafe-violations-in-http-request`).
    pub lenient: bool,
    /// Accept bodies with every method of HTTP/1.0 (`h1-accept-payload-with-any-method`).
    pub any_body: bool,
}

impl Default for Limits {
    fn default() -> Self {
        // A buffer of 16 KiB less the 1 KiB kept free for what rules add.
        Self { fields: MAX_FIELDS, head: 15_360, lenient: false, any_body: false }
    }
}

/// How far an incomplete head has been read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor {
    at: usize,
    started: bool,
    tried: bool,
    framing: Framing,
}

/// Parses a request head from the first `filled` bytes of the buffer in `request.fields`. Returns false while it is
/// incomplete; call again with the same cursor when more bytes are there.
pub fn parse_request(
    request: &mut Request,
    cursor: &mut Cursor,
    filled: usize,
    limits: &Limits,
) -> Result<bool, Reject> {
    request.filled = filled;
    if !cursor.tried && !limits.lenient {
        cursor.tried = true;
        if let Some(head) = quick_request(request, filled, limits, &mut cursor.framing)? {
            request.body_at = head;
            return finish_request(request, &mut cursor.framing, limits).map(|()| true);
        }
    }
    while !cursor.started {
        let Some(line) = start_line(request.fields.buffer(), cursor, filled)? else {
            check_partial_start(request.fields.buffer().get(cursor.at..filled).unwrap_or_default(), limits)?;
            return incomplete(filled, limits.head, Reject::TargetTooLong);
        };
        if line.0 < line.1 {
            request_line(request, line, limits)?;
            cursor.started = true;
        }
    }
    if !fields(&mut request.fields, cursor, Kind::Request, filled, limits)? {
        return incomplete(filled, limits.head, Reject::HeadTooLarge);
    }
    request.body_at = cursor.at;
    finish_request(request, &mut cursor.framing, limits).map(|()| true)
}

/// Parses a response head to a request of method `asked`, like [`parse_request`].
pub fn parse_response(
    response: &mut Response,
    cursor: &mut Cursor,
    filled: usize,
    asked: Method,
    limits: &Limits,
) -> Result<bool, Reject> {
    response.filled = filled;
    if !cursor.tried && !limits.lenient {
        cursor.tried = true;
        if let Some(head) = quick_response(response, filled, limits, &mut cursor.framing)? {
            response.body_at = head;
            return finish_response(response, &mut cursor.framing, asked).map(|()| true);
        }
    }
    while !cursor.started {
        let Some(line) = start_line(response.fields.buffer(), cursor, filled)? else {
            return incomplete(filled, limits.head, Reject::HeadTooLarge);
        };
        if line.0 < line.1 {
            status_line(response, line)?;
            cursor.started = true;
        }
    }
    if !fields(&mut response.fields, cursor, Kind::Response, filled, limits)? {
        return incomplete(filled, limits.head, Reject::HeadTooLarge);
    }
    response.body_at = cursor.at;
    finish_response(response, &mut cursor.framing, asked).map(|()| true)
}

/// Parses the trailer section after the last chunk from `fields.buffer()[at..filled]`; returns where it ends, `None`
/// while it is incomplete.
pub fn parse_trailers(
    fields: &mut Fields,
    at: usize,
    filled: usize,
    limits: &Limits,
) -> Result<Option<usize>, Reject> {
    let mut cursor = Cursor { at, started: true, tried: true, framing: Framing::default() };
    fields.clear();
    // Trailers are a section of fields; the fields that frame a message mean nothing there, but are checked alike.
    if self::fields(fields, &mut cursor, Kind::Response, filled, limits)? {
        return Ok(Some(cursor.at));
    }
    if filled - at > limits.head { Err(Reject::HeadTooLarge) } else { Ok(None) }
}

fn incomplete(filled: usize, limit: usize, reject: Reject) -> Result<bool, Reject> {
    if filled > limit { Err(reject) } else { Ok(false) }
}

/// Tokenises a complete request head with httparse; returns its length, or `None` when the slow way must decide.
fn quick_request(
    request: &mut Request,
    filled: usize,
    limits: &Limits,
    framing: &mut Framing,
) -> Result<Option<usize>, Reject> {
    let Some(buffer) = request.fields.buffer().get(..filled) else { return Ok(None) };
    let mut slots = [MaybeUninit::<httparse::Header<'_>>::uninit(); MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut []);
    let Ok(httparse::Status::Complete(head)) = parsed.parse_with_uninit_headers(buffer, &mut slots) else {
        return Ok(None);
    };
    let (Some(method), Some(target)) = (parsed.method, parsed.path) else { return Ok(None) };
    if head > limits.head || parsed.headers.len() > limits.fields || !target_is_plain(target.as_bytes()) {
        return Ok(None);
    }
    let mut spans = [(Span::default(), Span::default()); MAX_FIELDS];
    let count = place(buffer, parsed.headers, &mut spans);
    let method = span_of(buffer, method.as_bytes());
    let target = span_of(buffer, target.as_bytes());
    let version = if parsed.version == Some(1) { Version::Http11 } else { Version::Http10 };
    request.method_span = method;
    request.target = target;
    request.version = version;
    request.version_span = version_span(request.fields.buffer(), target);
    for (name, value) in &spans[..count] {
        request.fields.lower(*name);
        framing.field(Kind::Request, &mut request.fields, *name, *value)?;
    }
    Ok(Some(head))
}

/// Tokenises a complete response head with httparse, like [`quick_request`].
fn quick_response(
    response: &mut Response,
    filled: usize,
    limits: &Limits,
    framing: &mut Framing,
) -> Result<Option<usize>, Reject> {
    let Some(buffer) = response.fields.buffer().get(..filled) else { return Ok(None) };
    let mut slots = [MaybeUninit::<httparse::Header<'_>>::uninit(); MAX_FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let Ok(httparse::Status::Complete(head)) =
        config.parse_response_with_uninit_headers(&mut parsed, buffer, &mut slots)
    else {
        return Ok(None);
    };
    // httparse gives an empty reason both when there is none and when it has characters above 126.
    let (Some(status), Some(reason)) = (parsed.code, parsed.reason.filter(|reason| !reason.is_empty()))
    else {
        return Ok(None);
    };
    if head > limits.head || parsed.headers.len() > limits.fields {
        return Ok(None);
    }
    let mut spans = [(Span::default(), Span::default()); MAX_FIELDS];
    let count = place(buffer, parsed.headers, &mut spans);
    response.reason = span_of(buffer, reason.as_bytes());
    response.status = status;
    response.version = if parsed.version == Some(1) { Version::Http11 } else { Version::Http10 };
    for (name, value) in &spans[..count] {
        response.fields.lower(*name);
        framing.field(Kind::Response, &mut response.fields, *name, *value)?;
    }
    Ok(Some(head))
}

/// Turns httparse's slices into spans of `buffer`.
fn place(buffer: &[u8], headers: &[httparse::Header<'_>], spans: &mut [(Span, Span); MAX_FIELDS]) -> usize {
    for (slot, header) in spans.iter_mut().zip(headers) {
        *slot = (span_of(buffer, header.name.as_bytes()), span_of(buffer, header.value));
    }
    headers.len()
}

/// Where `part` lies in `whole`, of which it is a slice. An empty part may be anywhere.
fn span_of(whole: &[u8], part: &[u8]) -> Span {
    let at = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
    if at <= whole.len() { Span::received(at, part.len()) } else { Span::default() }
}

/// The version follows the target after one blank when httparse took the line.
fn version_span(buffer: &[u8], target: Span) -> Span {
    let at = target.end_of_received() + 1;
    if buffer.get(at..at + 8).is_some_and(|text| text.starts_with(b"HTTP/")) {
        Span::received(at, 8)
    } else {
        Span::default()
    }
}

/// Whether a target has no character that only the lenient mode lets pass.
fn target_is_plain(target: &[u8]) -> bool {
    target.iter().fold(true, |plain, byte| plain & (0x21..=0x7e).contains(byte) & (*byte != b'#'))
}

/// The next line as a range without its end, and moves the cursor behind it. A `None` means it is not complete.
fn line(buffer: &[u8], cursor: &mut Cursor, filled: usize) -> Result<Option<(usize, usize)>, Reject> {
    let at = cursor.at;
    let rest = buffer.get(at..filled).unwrap_or_default();
    let Some(len) = memchr::memchr(b'\n', rest) else {
        // A carriage return counts as the end of a line only right before a line feed.
        return match memchr::memchr(b'\r', rest) {
            Some(cr) if cr + 1 < rest.len() => Err(Reject::BareCr),
            _ => Ok(None),
        };
    };
    let end = if rest[..len].ends_with(b"\r") { at + len - 1 } else { at + len };
    if memchr::memchr(b'\r', &buffer[at..end]).is_some() {
        return Err(Reject::BareCr);
    }
    cursor.at = at + len + 1;
    Ok(Some((at, end)))
}

/// The first line that is not empty, which must begin with a word character.
fn start_line(buffer: &[u8], cursor: &mut Cursor, filled: usize) -> Result<Option<(usize, usize)>, Reject> {
    match buffer.get(cursor.at..filled).and_then(<[u8]>::first) {
        None => Ok(None),
        Some(byte) if is_token(*byte) || matches!(byte, b'\r' | b'\n') => line(buffer, cursor, filled),
        Some(_) => Err(Reject::NotAMessage),
    }
}

/// Refuses the beginning of a request line as soon as it cannot become a valid one.
fn check_partial_start(text: &[u8], limits: &Limits) -> Result<(), Reject> {
    if matches!(text, [] | [b'\r']) {
        return Ok(());
    }
    let method = text.iter().take_while(|byte| is_token(**byte)).count();
    if text.get(method).is_some_and(|byte| !is_blank(*byte) && *byte != b'\r') {
        return Err(Reject::Method);
    }
    let rest = &text[method..];
    let (at, _) = trim_range(rest, 0, rest.len());
    let target = &rest[at..];
    let len = memchr::memchr3(b' ', b'\t', b'\r', target).unwrap_or(target.len());
    check_target(&target[..len], limits)
}

fn check_target(target: &[u8], limits: &Limits) -> Result<(), Reject> {
    let good = if limits.lenient {
        target.iter().all(|byte| *byte > 0x20 && *byte != 0x7f)
    } else {
        target_is_plain(target)
    };
    if good { Ok(()) } else { Err(Reject::TargetCharacter) }
}

/// `METHOD target HTTP/x.y`, with any number of blanks between the parts.
fn request_line(request: &mut Request, (at, end): (usize, usize), limits: &Limits) -> Result<(), Reject> {
    let buffer = request.fields.buffer();
    let word = |from: usize| from + buffer[from..end].iter().take_while(|byte| !is_blank(**byte)).count();
    let skip = |from: usize| from + buffer[from..end].iter().take_while(|byte| is_blank(**byte)).count();
    let method_end = word(at);
    if !buffer[at..method_end].iter().all(|byte| is_token(*byte)) {
        return Err(Reject::Method);
    }
    let target_at = skip(method_end);
    let target_end = word(target_at);
    check_target(&buffer[target_at..target_end], limits)?;
    let version_at = skip(target_end);
    let method = &buffer[at..method_end];
    if version_at == end {
        return Err(Reject::NoVersion);
    }
    let (version, exact) = version(&buffer[version_at..end]);
    if !exact && !limits.lenient {
        return Err(Reject::Version);
    }
    if method == b"PRI" && &buffer[target_at..target_end] == b"*" {
        return Err(Reject::Http2Preface);
    }
    request.method_span = Span::received(at, method_end - at);
    request.target = Span::received(target_at, target_end - target_at);
    request.version_span = Span::received(version_at, end - version_at);
    request.version = version;
    Ok(())
}

/// What a version text means, and whether it has the one form the standard gives it.
fn version(text: &[u8]) -> (Version, bool) {
    let exact = text.len() == 8
        && text.starts_with(b"HTTP/")
        && text[5].is_ascii_digit()
        && text[6] == b'.'
        && text[7].is_ascii_digit();
    let later = exact && (text[5] > b'1' || (text[5] == b'1' && text[7] >= b'1'));
    (if later { Version::Http11 } else { Version::Http10 }, exact)
}

/// `HTTP/x.y code reason`.
fn status_line(response: &mut Response, (at, end): (usize, usize)) -> Result<(), Reject> {
    let buffer = response.fields.buffer();
    let word = |from: usize| from + buffer[from..end].iter().take_while(|byte| !is_blank(**byte)).count();
    let skip = |from: usize| from + buffer[from..end].iter().take_while(|byte| is_blank(**byte)).count();
    let version_end = word(at);
    let (version, exact) = version(&buffer[at..version_end]);
    if !exact {
        return Err(Reject::Version);
    }
    let code_at = skip(version_end);
    let code_end = word(code_at);
    let code = &buffer[code_at..code_end];
    let status = decimal(code).filter(|_| code.len() <= 3).ok_or(Reject::Status)?;
    let reason_at = skip(code_end);
    response.version = version;
    response.status = status as u16;
    response.reason = Span::received(reason_at, end - reason_at);
    Ok(())
}

/// Reads fields up to and including the empty line; false while it has not arrived.
fn fields(
    fields: &mut Fields,
    cursor: &mut Cursor,
    kind: Kind,
    filled: usize,
    limits: &Limits,
) -> Result<bool, Reject> {
    loop {
        let start = cursor.at;
        let Some((at, mut end)) = line(fields.buffer(), cursor, filled)? else {
            let rest = fields.buffer().get(start..filled).unwrap_or_default();
            check_partial_field(rest, limits)?;
            return Ok(false);
        };
        if at == end {
            return Ok(true);
        }
        // A line that begins with a blank continues the one before it; the line end becomes blanks.
        loop {
            match fields.buffer().get(cursor.at..filled).and_then(<[u8]>::first) {
                None => {
                    cursor.at = start;
                    check_field(fields.buffer().get(at..end).unwrap_or_default(), limits)?;
                    return Ok(false);
                }
                Some(byte) if is_blank(*byte) => {
                    let next = cursor.at;
                    let Some((_, next_end)) = line(fields.buffer(), cursor, filled)? else {
                        cursor.at = start;
                        return Ok(false);
                    };
                    fields.buffer_mut()[end..next].fill(b' ');
                    end = next_end;
                }
                Some(_) => break,
            }
        }
        if let Some((name, value)) = split_field(fields.buffer(), at, end, limits)? {
            if fields.len() >= limits.fields {
                return Err(Reject::TooManyFields);
            }
            fields.lower(name);
            cursor.framing.field(kind, fields, name, value)?;
        }
    }
}

/// Splits a line into name and value. `None` is a field that the lenient mode ignores.
fn split_field(
    buffer: &[u8],
    at: usize,
    end: usize,
    limits: &Limits,
) -> Result<Option<(Span, Span)>, Reject> {
    let text = &buffer[at..end];
    let name = text.iter().take_while(|byte| is_token(**byte)).count();
    let colon = match text.get(name) {
        Some(b':') if name > 0 => name,
        Some(_) if limits.lenient => match memchr::memchr(b':', text) {
            Some(colon) if colon > 0 => return check_value(&text[colon..], limits).map(|()| None),
            _ => return Err(Reject::FieldName),
        },
        _ => return Err(Reject::FieldName),
    };
    check_value(&text[colon..], limits)?;
    let (value_at, value_end) = trim_range(buffer, at + colon + 1, end);
    Ok(Some((Span::received(at, name), Span::received(value_at, value_end - value_at))))
}

fn check_value(value: &[u8], limits: &Limits) -> Result<(), Reject> {
    if !limits.lenient && memchr::memchr(0, value).is_some() { Err(Reject::FieldValue) } else { Ok(()) }
}

/// Refuses the beginning of a field line as soon as it cannot become a valid one.
fn check_partial_field(text: &[u8], limits: &Limits) -> Result<(), Reject> {
    if matches!(text, [] | [b'\r']) { Ok(()) } else { check_field(text, limits) }
}

fn check_field(text: &[u8], limits: &Limits) -> Result<(), Reject> {
    let name = text.iter().take_while(|byte| is_token(**byte)).count();
    match text.get(name) {
        None => Ok(()),
        Some(b':') if name > 0 => check_value(&text[name..], limits),
        Some(_) if limits.lenient && name > 0 => Ok(()),
        Some(_) => Err(Reject::FieldName),
    }
}

/// Applies the rules that need the whole head of a request.
fn finish_request(request: &mut Request, framing: &mut Framing, limits: &Limits) -> Result<(), Reject> {
    if request.body_at > limits.head {
        return Err(Reject::HeadTooLarge);
    }
    request.method = Method::of(request.method_text());
    request.head_end = request.body_at;
    check_form(request, framing.host, limits)?;
    settle_transfer(&mut request.fields, framing, request.version);
    if framing.transfer_encoding && !framing.chunked {
        return Err(Reject::TransferEncoding);
    }
    request.body = match (request.method, framing.length) {
        (Method::Connect, _) => BodyLength::Empty,
        _ if framing.chunked => BodyLength::Chunked,
        (_, Some(0) | None) => BodyLength::Empty,
        (_, Some(length)) => BodyLength::Known(length),
    };
    let bare = matches!(request.method, Method::Get | Method::Head | Method::Delete);
    if bare && request.version == Version::Http10 && request.body != BodyLength::Empty && !limits.any_body {
        return Err(Reject::UnexpectedBody);
    }
    if framing.other_coding {
        return Err(Reject::TransferCoding);
    }
    settle_upgrade(&mut request.fields, framing);
    let flags = &framing.flags;
    if flags.websocket && flags.upgrade && !limits.lenient {
        let key = request.fields.get(b"sec-websocket-key");
        if key.is_none_or(|key| key.len() != 24) {
            return Err(Reject::WebSocketKey);
        }
    }
    request.flags = framing.flags;
    request.flags.chunked = framing.chunked;
    normalize(request);
    request.received = (request.method_span, request.target);
    Ok(())
}

/// `Content-Length` beside `Transfer-Encoding` is dropped, and both that and chunks in HTTP/1.0 make the connection
/// unfit for another message (RFC 9112 §6.1).
fn settle_transfer(fields: &mut Fields, framing: &mut Framing, version: Version) {
    if !framing.transfer_encoding {
        return;
    }
    // Only one spelling is forwarded.
    let mut from = 0;
    while let Some(index) = fields.find(b"transfer-encoding", from) {
        fields.lower(fields.value_span(index));
        from = index + 1;
    }
    if framing.length.take().is_some() {
        fields.remove_all(b"content-length");
        framing.flags.close = true;
        if let Some(host) = &mut framing.host {
            *host = fields.find(b"host", 0).unwrap_or(*host);
        }
    } else if version == Version::Http10 {
        framing.flags.close = true;
    }
}

/// `Upgrade` and the `upgrade` option of `Connection` go only together.
fn settle_upgrade(fields: &mut Fields, framing: &mut Framing) {
    if framing.flags.upgrade == framing.upgrade_field {
        return;
    }
    if framing.upgrade_field {
        fields.remove_all(b"upgrade");
    } else {
        let mut from = 0;
        while let Some(index) = fields.find(b"connection", from) {
            let span = fields.value_span(index);
            let kept =
                super::framing::keep_elements(fields, span, |word| !word.eq_ignore_ascii_case(b"upgrade"));
            match kept {
                Some(span) => {
                    fields.set_span(index, span);
                    from = index + 1;
                }
                None => fields.remove(index),
            }
        }
    }
    framing.flags.upgrade = false;
    framing.flags.websocket = false;
    framing.upgrade_field = false;
}

/// Which form of target goes with which method (RFC 9112 §3.2), and its agreement with `Host`.
fn check_form(request: &mut Request, host: Option<usize>, limits: &Limits) -> Result<(), Reject> {
    let text = request.target();
    let target = Target::parse(text);
    match text.first() {
        None => Err(Reject::Target),
        Some(b'*') => match request.method {
            Method::Options | Method::Other if text.len() == 1 => Ok(()),
            _ => Err(Reject::Target),
        },
        Some(b'/') if request.method == Method::Connect => Err(Reject::Target),
        Some(b'/') => Ok(()),
        Some(_) => {
            if !limits.lenient && !authority_is_valid(target.authority) {
                return Err(Reject::Target);
            }
            match (request.method == Method::Connect, target.scheme.is_empty()) {
                (true, true) => check_connect(request, host, limits),
                (false, false) => {
                    let host = host.map(|index| request.fields.value(index));
                    if limits.lenient || host.is_none_or(|host| same_authority(&target, host)) {
                        Ok(())
                    } else {
                        Err(Reject::HostMismatch)
                    }
                }
                _ => Err(Reject::Target),
            }
        }
    }
}

/// CONNECT needs a port, and `Host` may leave it out only if it is one of the usual two. A usual port is removed from
/// `Host`.
fn check_connect(request: &mut Request, host: Option<usize>, limits: &Limits) -> Result<(), Reject> {
    let (name, Some(port)) = split_port(request.target()) else {
        return if limits.lenient { Ok(()) } else { Err(Reject::Target) };
    };
    if port.is_empty() && !limits.lenient {
        return Err(Reject::Target);
    }
    let Some(index) = host else { return Ok(()) };
    let (host_name, host_port) = split_port(request.fields.value(index));
    let port_agrees = match host_port {
        Some(own) if !own.is_empty() => own == port,
        _ => default_port(None, port),
    };
    let agrees = port_agrees && host_name.eq_ignore_ascii_case(name);
    if !limits.lenient && !agrees {
        return Err(Reject::HostMismatch);
    }
    if host_port.is_some_and(|port| !port.is_empty() && default_port(None, port)) {
        let span = request.fields.value_span(index).part(0, host_name.len());
        request.fields.set_span(index, span);
    }
    Ok(())
}

/// Whether the authority of an absolute target and `host` are the same but for a default port on one of them.
fn same_authority(target: &Target<'_>, host: &[u8]) -> bool {
    if target.authority.eq_ignore_ascii_case(host) {
        return true;
    }
    let (own, own_port) = split_port(target.authority);
    let (other, other_port) = split_port(host);
    let fits = |port: Option<&[u8]>| port.is_none_or(|port| default_port(Some(target.scheme), port));
    (own_port.is_some() || other_port.is_some())
        && fits(own_port)
        && fits(other_port)
        && own.eq_ignore_ascii_case(other)
}

/// Normalises an absolute target by its scheme (RFC 3986 §6.2.3): a default port goes, an empty path becomes `/`, and
/// `Host` follows.
fn normalize(request: &mut Request) {
    if matches!(request.target().first(), None | Some(b'/' | b'*')) || request.method == Method::Connect {
        return;
    }
    let mut out = request.fields.begin_addition();
    let start = out.len();
    let target = Target::parse(request.target());
    let (host, port) = split_port(target.authority);
    let drop_port = port.is_some_and(|port| default_port(Some(target.scheme), port));
    let add_path = target.path_query.is_empty() && request.method != Method::Options;
    if target.scheme.is_empty() || !(drop_port || add_path) {
        request.fields.end_addition(out, start);
        return;
    }
    let host = if drop_port { host } else { target.authority };
    out.extend_from_slice(target.scheme);
    out.extend_from_slice(target.user);
    let host_at = out.len() - start;
    let host_len = host.len();
    out.extend_from_slice(host);
    out.extend_from_slice(if add_path { b"/" } else { target.path_query });
    let Some(span) = request.fields.end_addition(out, start) else { return };
    request.target = span;
    let mut from = 0;
    while let Some(index) = request.fields.find(b"host", from) {
        request.fields.set_span(index, span.part(host_at, host_len));
        from = index + 1;
    }
}

/// Applies the rules that need the whole head of a response.
fn finish_response(response: &mut Response, framing: &mut Framing, asked: Method) -> Result<(), Reject> {
    if response.status == 101 && framing.flags.websocket && framing.flags.upgrade {
        let key = response.fields.get(b"sec-websocket-accept");
        if key.is_none_or(|key| key.len() != 28) {
            return Err(Reject::WebSocketKey);
        }
    }
    settle_transfer(&mut response.fields, framing, response.version);
    if framing.other_coding {
        return Err(Reject::TransferCoding);
    }
    let status = response.status;
    let tunnel = status == 101 || (asked == Method::Connect && (200..300).contains(&status));
    if tunnel || (100..200).contains(&status) || status == 204 {
        response.fields.remove_if(|name, _| name == b"transfer-encoding" || name == b"content-length");
        framing.chunked = false;
        framing.length = None;
    }
    response.body = if tunnel {
        BodyLength::Tunnel
    } else if asked == Method::Head || (100..200).contains(&status) || matches!(status, 204 | 304) {
        BodyLength::Empty
    } else if framing.chunked {
        BodyLength::Chunked
    } else {
        match framing.length {
            Some(0) => BodyLength::Empty,
            Some(length) => BodyLength::Known(length),
            None => BodyLength::UntilClose,
        }
    };
    response.flags = framing.flags;
    response.flags.chunked = framing.chunked;
    Ok(())
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
