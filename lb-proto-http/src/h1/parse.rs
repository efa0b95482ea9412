//! Parsing of message heads.
//!
//! A head is read line by line, each line in one pass for its end and the bytes that must not occur in it; the cursor
//! remembers the last complete line, so that a head that trickles in is not read again from its beginning. A tokeniser
//! made for strict messages (`httparse`) was tried in front of this: what it refuses is accepted by HAProxy (folded
//! lines, control characters in values, other versions), so everything had to be looked at twice.

use super::framing::{Framing, Kind, decimal};
use super::lexer::{find_stop, is_blank, is_token, lower_name, target_len, token_len, trim_range};
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
    while !cursor.started {
        let Some(line) = start_line(request.fields.buffer(), cursor, filled)? else {
            check_partial_start(request.fields.buffer().get(cursor.at..filled).unwrap_or_default(), limits)?;
            return incomplete(filled, limits.head, Reject::TargetTooLong);
        };
        if line.at < line.end {
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
    while !cursor.started {
        let buffer = response.fields.buffer();
        let Some(line) = start_line(buffer, cursor, filled)? else {
            check_partial_status(&buffer[cursor.at..filled])?;
            return incomplete(filled, limits.head, Reject::HeadTooLarge);
        };
        if line.at < line.end {
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
    let mut cursor = Cursor { at, started: true, framing: Framing::default() };
    fields.clear();
    // Trailers are a section of fields; the fields that frame a message mean nothing there, but are checked alike.
    if self::fields(fields, &mut cursor, Kind::Response, filled, limits)? {
        return Ok(Some(cursor.at));
    }
    if filled - at > limits.head { Err(Reject::TrailersTooLarge) } else { Ok(None) }
}

fn incomplete(filled: usize, limit: usize, reject: Reject) -> Result<bool, Reject> {
    if filled > limit { Err(reject) } else { Ok(false) }
}

/// A line without its end.
struct Line {
    at: usize,
    end: usize,
    /// It has a zero byte.
    zero: bool,
}

/// The next line; moves the cursor behind it. A `None` means it is not complete.
fn line(buffer: &[u8], cursor: &mut Cursor, filled: usize) -> Result<Option<Line>, Reject> {
    let at = cursor.at;
    let rest = buffer.get(at..filled).unwrap_or_default();
    let mut zero = false;
    let mut from = 0;
    loop {
        let Some(stop) = find_stop(&rest[from..]) else { return Ok(None) };
        let end = from + stop;
        let next = match (rest[end], rest.get(end + 1)) {
            (0, _) => {
                zero = true;
                from = end + 1;
                continue;
            }
            (b'\n', _) => end + 1,
            // A carriage return counts as the end of a line only right before a line feed.
            (_, Some(b'\n')) => end + 2,
            (_, Some(_)) => return Err(Reject::BareCr),
            (_, None) => return Ok(None),
        };
        cursor.at = at + next;
        return Ok(Some(Line { at, end: at + end, zero }));
    }
}

/// The first line that is not empty, which must begin with a word character.
fn start_line(buffer: &[u8], cursor: &mut Cursor, filled: usize) -> Result<Option<Line>, Reject> {
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
    let method = token_len(text);
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
        target_len(target) == target.len()
    };
    if good { Ok(()) } else { Err(Reject::TargetCharacter) }
}

/// `METHOD target HTTP/x.y`, with any number of blanks between the parts.
fn request_line(request: &mut Request, Line { at, end, .. }: Line, limits: &Limits) -> Result<(), Reject> {
    let buffer = request.fields.buffer();
    // Nearly all are written as the standard asks for.
    let line = &buffer[at..end];
    let method = token_len(line);
    if let Some((b" ", rest)) = line[method..].split_at_checked(1) {
        let target = target_len(rest);
        if &rest[target..] == b" HTTP/1.1" && target > 0 && &rest[..target] != b"*" {
            request.method_span = Span::received(at, method);
            request.target = Span::received(at + method + 1, target);
            request.version_span = Span::received(end - 8, 8);
            request.version = Version::Http11;
            return Ok(());
        }
    }
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
fn status_line(response: &mut Response, Line { at, end, .. }: Line) -> Result<(), Reject> {
    let buffer = response.fields.buffer();
    // Nearly all are written as the standard asks for.
    if let Some((b"HTTP/1.1 ", rest)) = buffer[at..end].split_first_chunk::<9>()
        && let [a, b, c, b' ', first, ..] = rest
        && !is_blank(*first)
        && let Some(status) = decimal(&[*a, *b, *c])
    {
        response.version = Version::Http11;
        response.status = status as u16;
        response.reason = Span::received(at + 13, end - at - 13);
        return Ok(());
    }
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

/// Refuses the beginning of a status line as soon as it cannot become a valid one.
fn check_partial_status(text: &[u8]) -> Result<(), Reject> {
    let known = |byte: &u8| matches!(byte, b'.' | b'/' | b'0'..=b'9' | b'A'..=b'Z');
    let version = text.iter().take_while(|byte| known(byte)).count();
    let rest = &text[version..];
    match rest.first() {
        None | Some(b'\r') => return Ok(()),
        Some(byte) if !is_blank(*byte) => return Err(Reject::Version),
        Some(_) => {}
    }
    let (at, _) = trim_range(rest, 0, rest.len());
    let word = rest[at..].split(|byte| is_blank(*byte) || *byte == b'\r').next().unwrap_or_default();
    if word.iter().all(u8::is_ascii_digit) { Ok(()) } else { Err(Reject::Status) }
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
        let at = cursor.at;
        let next = match usual_line(fields.buffer_mut(), at, filled) {
            Usual::Empty => {
                cursor.at = at + 2;
                return Ok(true);
            }
            Usual::Field { name, len } if fields.len() < limits.fields => {
                let end = at + len;
                cursor.at = end + 2;
                let value = Span::received(at + name + 2, len - name - 2);
                let name = Span::received(at, name);
                if !Framing::concerns(fields.bytes(name)) {
                    fields.push_spans(name, value);
                    fields.extend_run(at, end + 2);
                } else if cursor.framing.field(kind, fields, name, value)? {
                    fields.extend_run(at, end + 2);
                }
                Next::Field
            }
            _ => any_field(fields, cursor, kind, filled, limits)?,
        };
        match next {
            Next::Field => {}
            Next::End => return Ok(true),
            Next::Incomplete => return Ok(false),
        }
    }
}

/// What a line is that looks as nearly all do.
enum Usual {
    /// The end of the fields.
    Empty,
    /// A field: name, colon, space, a value without blanks around it. The length of the name and that of the line.
    Field { name: usize, len: usize },
    /// Something else, or not yet complete.
    Other,
}

/// Looks at the line at `at`, which may be continued only by what follows it. A name is put into lower case. Made a part of its
/// caller: a call costs as much as the rest.
#[inline(always)]
fn usual_line(buffer: &mut [u8], at: usize, filled: usize) -> Usual {
    let Some(rest) = buffer.get_mut(at..filled) else { return Usual::Other };
    let Some(stop) = find_stop(rest) else { return Usual::Other };
    let (line, behind) = rest.split_at_mut(stop);
    let last = match (&*line, &*behind) {
        ([], [b'\r', b'\n', ..]) => return Usual::Empty,
        ([.., last], [b'\r', b'\n', next, ..]) if !is_blank(*next) => *last,
        _ => return Usual::Other,
    };
    let name = lower_name(line);
    match line.get(name..) {
        Some([b':', b' ', first, ..]) if name > 0 && !is_blank(*first) && !is_blank(last) => {
            Usual::Field { name, len: stop }
        }
        _ => Usual::Other,
    }
}

/// What the next line turned out to be.
enum Next {
    /// A field, which was taken.
    Field,
    /// The end of the fields.
    End,
    /// It is not complete.
    Incomplete,
}

/// Takes the next field, in whatever form it comes.
#[cold]
fn any_field(
    fields: &mut Fields,
    cursor: &mut Cursor,
    kind: Kind,
    filled: usize,
    limits: &Limits,
) -> Result<Next, Reject> {
    let start = cursor.at;
    let Some(Line { at, mut end, mut zero }) = line(fields.buffer(), cursor, filled)? else {
        let rest = fields.buffer().get(start..filled).unwrap_or_default();
        check_partial_field(rest, limits)?;
        return Ok(Next::Incomplete);
    };
    if at == end {
        return Ok(Next::End);
    }
    // A line that begins with a blank continues the one before it; the line end becomes blanks.
    loop {
        match fields.buffer().get(cursor.at..filled).and_then(<[u8]>::first) {
            None => {
                cursor.at = start;
                check_line(fields.buffer().get(at..end).unwrap_or_default(), limits)?;
                return Ok(Next::Incomplete);
            }
            Some(byte) if is_blank(*byte) => {
                let next = cursor.at;
                let Some(more) = line(fields.buffer(), cursor, filled)? else {
                    cursor.at = start;
                    check_line(fields.buffer().get(at..end).unwrap_or_default(), limits)?;
                    return Ok(Next::Incomplete);
                };
                fields.buffer_mut()[end..next].fill(b' ');
                end = more.end;
                zero |= more.zero;
            }
            Some(_) => break,
        }
    }
    let line = Line { at, end, zero };
    match split_field(fields.buffer_mut(), &line, limits)? {
        None => Ok(Next::Field),
        Some(_) if fields.len() >= limits.fields => Err(Reject::TooManyFields),
        Some(field) => framed(fields, cursor, kind, line, field),
    }
}

/// Takes a field that may say how the message is framed.
fn framed(
    fields: &mut Fields,
    cursor: &mut Cursor,
    kind: Kind,
    Line { at, end, .. }: Line,
    (name, value): (Span, Span),
) -> Result<Next, Reject> {
    let unchanged = cursor.framing.field(kind, fields, name, value)?;
    // As fields are written: a colon and a space, no blanks behind the value, and both characters of a line end.
    let blank = at + name.len() + 1;
    if unchanged
        && value == Span::received(blank + 1, end.wrapping_sub(blank + 1))
        && cursor.at == end + 2
        && fields.buffer()[blank] == b' '
    {
        fields.extend_run(at, cursor.at);
    }
    Ok(Next::Field)
}

/// Splits a line into name and value, and puts the name into lower case. `None` is a field that the lenient mode
/// ignores.
fn split_field(
    buffer: &mut [u8],
    &Line { at, end, zero }: &Line,
    limits: &Limits,
) -> Result<Option<(Span, Span)>, Reject> {
    let text = &mut buffer[at..end];
    let name = lower_name(text);
    match text.get(name) {
        Some(b':') if name > 0 => {}
        Some(_) if limits.lenient => match memchr::memchr(b':', text) {
            Some(colon) if colon > 0 => return Ok(None),
            _ => return Err(Reject::FieldName),
        },
        _ => return Err(Reject::FieldName),
    }
    // What is before the colon has none.
    if zero && !limits.lenient {
        return Err(Reject::FieldValue);
    }
    let (value_at, value_end) = trim_range(buffer, at + name + 1, end);
    Ok(Some((Span::received(at, name), Span::received(value_at, value_end - value_at))))
}

fn check_value(value: &[u8], limits: &Limits) -> Result<(), Reject> {
    if !limits.lenient && memchr::memchr(0, value).is_some() { Err(Reject::FieldValue) } else { Ok(()) }
}

/// Refuses the beginning of a field line as soon as it cannot become a valid one.
fn check_partial_field(text: &[u8], limits: &Limits) -> Result<(), Reject> {
    if matches!(text, [] | [b'\r']) { Ok(()) } else { check_field(text, limits) }
}

/// Refuses a whole line that can only be continued: what follows it is no part of the name.
fn check_line(text: &[u8], limits: &Limits) -> Result<(), Reject> {
    if !limits.lenient && token_len(text) == text.len() {
        return Err(Reject::FieldName);
    }
    check_field(text, limits)
}

fn check_field(text: &[u8], limits: &Limits) -> Result<(), Reject> {
    let name = token_len(text);
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
