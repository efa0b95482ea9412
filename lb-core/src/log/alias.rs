//! The named items of a log format (manual 8.2.6): `%ci`, `%ST`, `%{+Q}r` …

use std::net::SocketAddr;
use std::time::Duration;

use super::encode::{CAPTURE, Flags, URL, Writer};
use super::record::{Capture, HttpRecord, Record, RequestLine};
use super::steps::Awaits;
use crate::balance::hash::uri_path;
use crate::expr::date::{Civil, push_fraction};
use crate::expr::{Env, Sample, Side, TlsFact};

/// A named item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alias {
    Origin,
    BytesRead,
    RequestCookie,
    ResponseCookie,
    Hostname,
    UniqueId,
    Status,
    AcceptUtc,
    AcceptLocal,
    AcceptStamp,
    AcceptMillis,
    AcceptDate,
    RequestDate,
    RequestUtc,
    RequestLocal,
    TimeActive,
    TimeConnect,
    TimeData,
    TimeHandshake,
    TimeIdle,
    TimeUntilRequest,
    TimeResponse,
    TimeRequest,
    TimeTotal,
    TimeUser,
    TimeQueue,
    BytesUploaded,
    ProcessConnections,
    Backend,
    BackendConnections,
    BackendIp,
    BackendPort,
    BackendQueue,
    ClientIp,
    ClientPort,
    Frontend,
    FrontendConnections,
    FrontendIp,
    FrontendPort,
    FrontendTransport,
    RequestCaptures,
    RequestCaptureList,
    ResponseCaptures,
    ResponseCaptureList,
    HttpMethod,
    HttpPath,
    HttpPathOnly,
    HttpQuery,
    HttpUri,
    HttpVersion,
    LogCounter,
    Pid,
    HttpRequest,
    Retries,
    Counter,
    Server,
    ServerConnections,
    ServerIp,
    ServerPort,
    ServerQueue,
    TlsCipher,
    TlsVersion,
    Termination,
    TerminationCookies,
}

/// Every alias: its name, itself, and whether it needs HTTP mode.
pub(super) const ALIASES: &[(&str, Alias, bool)] = &[
    ("OG", Alias::Origin, false),
    ("B", Alias::BytesRead, false),
    ("CC", Alias::RequestCookie, true),
    ("CS", Alias::ResponseCookie, true),
    ("H", Alias::Hostname, false),
    ("ID", Alias::UniqueId, false),
    ("ST", Alias::Status, false),
    ("T", Alias::AcceptUtc, false),
    ("Ta", Alias::TimeActive, true),
    ("Tc", Alias::TimeConnect, false),
    ("Th", Alias::TimeHandshake, false),
    ("Ti", Alias::TimeIdle, true),
    ("Tl", Alias::AcceptLocal, false),
    ("Tq", Alias::TimeUntilRequest, true),
    ("Tr", Alias::TimeResponse, true),
    ("TR", Alias::TimeRequest, true),
    ("Td", Alias::TimeData, false),
    ("Ts", Alias::AcceptStamp, false),
    ("Tt", Alias::TimeTotal, false),
    ("Tu", Alias::TimeUser, false),
    ("Tw", Alias::TimeQueue, false),
    ("U", Alias::BytesUploaded, false),
    ("ac", Alias::ProcessConnections, false),
    ("b", Alias::Backend, false),
    ("bc", Alias::BackendConnections, false),
    ("bi", Alias::BackendIp, false),
    ("bp", Alias::BackendPort, false),
    ("bq", Alias::BackendQueue, false),
    ("ci", Alias::ClientIp, false),
    ("cp", Alias::ClientPort, false),
    ("f", Alias::Frontend, false),
    ("fc", Alias::FrontendConnections, false),
    ("fi", Alias::FrontendIp, false),
    ("fp", Alias::FrontendPort, false),
    ("ft", Alias::FrontendTransport, false),
    ("hr", Alias::RequestCaptures, false),
    ("hrl", Alias::RequestCaptureList, false),
    ("hs", Alias::ResponseCaptures, false),
    ("hsl", Alias::ResponseCaptureList, false),
    ("HM", Alias::HttpMethod, true),
    ("HP", Alias::HttpPath, true),
    ("HPO", Alias::HttpPathOnly, true),
    ("HQ", Alias::HttpQuery, true),
    ("HU", Alias::HttpUri, true),
    ("HV", Alias::HttpVersion, true),
    ("lc", Alias::LogCounter, false),
    ("ms", Alias::AcceptMillis, false),
    ("pid", Alias::Pid, false),
    ("r", Alias::HttpRequest, true),
    ("rc", Alias::Retries, false),
    ("rt", Alias::Counter, false),
    ("s", Alias::Server, false),
    ("sc", Alias::ServerConnections, false),
    ("si", Alias::ServerIp, false),
    ("sp", Alias::ServerPort, false),
    ("sq", Alias::ServerQueue, false),
    ("sslc", Alias::TlsCipher, false),
    ("sslv", Alias::TlsVersion, false),
    ("t", Alias::AcceptDate, false),
    ("tr", Alias::RequestDate, true),
    ("trg", Alias::RequestUtc, true),
    ("trl", Alias::RequestLocal, true),
    ("ts", Alias::Termination, false),
    ("tsc", Alias::TerminationCookies, false),
];

const BAD_REQUEST: &[u8] = b"<BADREQ>";

impl Alias {
    pub(super) fn by_name(name: &str) -> Option<Self> {
        ALIASES.iter().find(|(known, _, _)| *known == name).map(|(_, alias, _)| *alias)
    }

    /// Its name, if it is meaningful in HTTP mode only.
    pub(super) fn http_only(self) -> Option<&'static str> {
        ALIASES.iter().find(|(_, alias, http)| *alias == self && *http).map(|(name, _, _)| *name)
    }

    /// What has to be known before it can be written.
    pub(super) const fn awaits(self) -> Awaits {
        match self {
            Self::Origin
            | Self::Hostname
            | Self::AcceptUtc
            | Self::AcceptLocal
            | Self::AcceptStamp
            | Self::AcceptMillis
            | Self::AcceptDate
            | Self::RequestDate
            | Self::RequestUtc
            | Self::RequestLocal
            | Self::Backend
            | Self::Frontend
            | Self::FrontendTransport
            | Self::LogCounter
            | Self::Pid
            | Self::TerminationCookies => Awaits::NOTHING,
            Self::HttpMethod
            | Self::HttpPath
            | Self::HttpPathOnly
            | Self::HttpQuery
            | Self::HttpUri
            | Self::HttpVersion
            | Self::HttpRequest
            | Self::Counter => Awaits::REQUEST,
            Self::RequestCookie
            | Self::ResponseCookie
            | Self::Status
            | Self::BackendIp
            | Self::BackendPort
            | Self::ClientIp
            | Self::ClientPort
            | Self::FrontendIp
            | Self::FrontendPort
            | Self::RequestCaptures
            | Self::RequestCaptureList
            | Self::ResponseCaptures
            | Self::ResponseCaptureList
            | Self::Server
            | Self::ServerIp
            | Self::ServerPort
            | Self::TlsCipher
            | Self::TlsVersion => Awaits::MORE,
            _ => Awaits::TOTALS,
        }
    }

    /// Whether it is about the connection to the server.
    pub(super) const fn reads_server(self) -> bool {
        matches!(self, Self::BackendIp | Self::BackendPort | Self::ServerIp | Self::ServerPort)
    }

    #[expect(clippy::too_many_lines, reason = "one line per alias")]
    pub(super) fn write(self, record: &Record<'_>, env: &Env<'_>, writer: &mut Writer<'_>) {
        let (timers, engine) = (&record.timers, env.facts.engine());
        match self {
            Self::Origin => writer.text(record.origin.name().as_bytes()),
            Self::BytesRead => total(record, record.bytes_read as i64, writer),
            Self::RequestCookie => cookie(record.http.and_then(|http| http.request_cookie), writer),
            Self::ResponseCookie => cookie(record.http.and_then(|http| http.response_cookie), writer),
            Self::Hostname => writer.text(engine.hostname().as_bytes()),
            Self::UniqueId => writer.text(env.facts.unique_id().unwrap_or(b"")),
            // An exchange that ended without a response has no status to show.
            Self::Status if record.status == 0 && record.http_mode && record.origin.has_exchange() => {
                writer.int(-1)
            }
            Self::Status => writer.int(record.status.into()),
            Self::AcceptUtc => zoned(record.accept_date, 0, writer),
            Self::AcceptLocal => zoned(record.accept_date, local(record.accept_date, env), writer),
            Self::AcceptStamp => writer.int_or_hex(record.accept_date.as_secs() as i64, 4),
            Self::AcceptMillis => millis(record.accept_date, writer),
            Self::AcceptDate => date(record.accept_date, local(record.accept_date, env), env, writer),
            Self::RequestDate => date(record.request_date, local(record.request_date, env), env, writer),
            Self::RequestUtc => zoned(record.request_date, 0, writer),
            Self::RequestLocal => zoned(record.request_date, local(record.request_date, env), writer),
            Self::TimeActive => total(record, timers.active, writer),
            Self::TimeConnect => writer.int(timers.connect),
            Self::TimeData => writer.int(timers.data),
            Self::TimeHandshake => writer.int(timers.handshake),
            Self::TimeIdle => writer.int(timers.idle),
            Self::TimeUntilRequest => writer.int(timers.until_request()),
            Self::TimeResponse => writer.int(timers.response),
            Self::TimeRequest => writer.int(timers.request),
            Self::TimeTotal => total(record, timers.total, writer),
            Self::TimeUser => total(record, timers.user, writer),
            Self::TimeQueue => writer.int(timers.queue),
            Self::BytesUploaded => writer.int(record.bytes_uploaded as i64),
            Self::ProcessConnections => writer.int(record.process_connections as i64),
            Self::Backend => writer.text(record.backend.unwrap_or(record.frontend).name.as_bytes()),
            Self::BackendConnections => writer.int(record.backend_connections as i64),
            Self::BackendIp => ip(record.backend_addr, false, writer),
            Self::BackendPort => port(record.backend_addr, None, writer),
            Self::BackendQueue => writer.int(record.backend_queue.into()),
            Self::ClientIp => ip(record.client, record.unix, writer),
            Self::ClientPort => port(record.client, socket_id(record), writer),
            Self::Frontend => writer.text(record.frontend.name.as_bytes()),
            Self::FrontendConnections => writer.int(record.frontend_connections as i64),
            Self::FrontendIp => ip(record.frontend_addr, record.unix, writer),
            Self::FrontendPort => port(record.frontend_addr, socket_id(record), writer),
            Self::FrontendTransport => {
                writer.open_text();
                writer.raw(record.frontend.name.as_bytes());
                if record.tls {
                    writer.char(b'~');
                }
            }
            Self::RequestCaptures => captures(record.http.map(|http| http.request_captures), writer),
            Self::ResponseCaptures => captures(record.http.map(|http| http.response_captures), writer),
            Self::RequestCaptureList => list(record.http.map(|http| http.request_captures), writer),
            Self::ResponseCaptureList => list(record.http.map(|http| http.response_captures), writer),
            Self::HttpMethod
            | Self::HttpPath
            | Self::HttpPathOnly
            | Self::HttpQuery
            | Self::HttpUri
            | Self::HttpVersion => {
                writer.open_text();
                let line = record.http.and_then(|http| Some(cut(http.request?, http.uri_limit)));
                writer.encoded(line.map_or(BAD_REQUEST, |line| self.part(line)), b'#', &URL);
            }
            Self::HttpRequest => request(record.http.as_ref(), writer),
            Self::LogCounter => writer.int_or_hex(record.log_counter as i64, 4),
            Self::Pid => writer.int_or_hex(engine.pid().into(), 4),
            Self::Retries => {
                if record.redispatched {
                    writer.hint(b'+');
                }
                writer.int(record.retries.into());
            }
            Self::Counter => writer.int_or_hex(record.counter.into(), 4),
            Self::Server => writer.text(record.server.unwrap_or("<NOSRV>").as_bytes()),
            Self::ServerConnections => writer.int(record.server_connections as i64),
            Self::ServerIp => ip(record.server_addr, false, writer),
            Self::ServerPort => port(record.server_addr, None, writer),
            Self::ServerQueue => writer.int(record.server_queue.into()),
            Self::TlsCipher => tls(env, TlsFact::Cipher, writer),
            Self::TlsVersion => tls(env, TlsFact::Protocol, writer),
            Self::Termination => writer.raw(&record.termination.short()),
            Self::TerminationCookies => writer.raw(&record.termination.full()),
        }
        writer.close_text();
    }

    /// The part of a request line an alias stands for.
    fn part<'r>(self, line: RequestLine<'r>) -> &'r [u8] {
        let query = memchr::memchr(b'?', line.uri);
        let path = &line.uri[..query.unwrap_or(line.uri.len())];
        match self {
            Self::HttpMethod => line.method,
            Self::HttpPath => path,
            Self::HttpPathOnly => uri_path(path),
            Self::HttpQuery => query.map_or(b"", |at| &line.uri[at..]),
            Self::HttpUri => line.uri,
            _ if line.version.is_empty() => b"HTTP/0.9",
            _ => line.version,
        }
    }
}

/// What is left of a request line within the limit for logs; its parts are those of what is left.
fn cut(line: RequestLine<'_>, limit: usize) -> RequestLine<'_> {
    let mut room = limit.saturating_sub(1);
    let mut part = |bytes: &'_ [u8]| {
        let len = bytes.len().min(room);
        room = room.saturating_sub(len + 1);
        len
    };
    let (method, uri, version) = (part(line.method), part(line.uri), part(line.version));
    RequestLine { method: &line.method[..method], uri: &line.uri[..uri], version: &line.version[..version] }
}

fn cookie(value: Option<&[u8]>, writer: &mut Writer<'_>) {
    writer.text(value.unwrap_or(b""));
}

fn total(record: &Record<'_>, value: i64, writer: &mut Writer<'_>) {
    if record.early {
        writer.hint(b'+');
    }
    writer.int(value);
}

fn local(date: Duration, env: &Env<'_>) -> i32 {
    env.facts.engine().utc_offset(date.as_secs() as i64)
}

/// `22/Nov/2026:15:08:30.123`.
fn date(date: Duration, offset: i32, env: &Env<'_>, writer: &mut Writer<'_>) {
    with_text(writer, |out| {
        env.arena.push_log_date(date.as_secs() as i64, offset, out);
        let millis = date.subsec_millis();
        let digit = |value: u32| b'0' + (value % 10) as u8;
        out.extend_from_slice(&[b'.', digit(millis / 100), digit(millis / 10), digit(millis)]);
    });
}

/// `22/Nov/2026:15:08:30 +0000`.
fn zoned(date: Duration, offset: i32, writer: &mut Writer<'_>) {
    with_text(writer, |out| {
        let civil = Civil::new(date.as_secs() as i64, offset);
        civil.push_log(out);
        out.push(b' ');
        civil.push_zone(out, false);
    });
}

/// Writes generated text: directly, or through a buffer where an encoding frames it.
fn with_text(writer: &mut Writer<'_>, fill: impl FnOnce(&mut Vec<u8>)) {
    if writer.flags.has(Flags::ENCODED) {
        let mut text = Vec::with_capacity(32);
        fill(&mut text);
        writer.raw(&text);
    } else {
        fill(writer.out);
    }
}

fn millis(date: Duration, writer: &mut Writer<'_>) {
    let value = date.subsec_millis();
    if writer.flags.has(Flags::HEX) {
        writer.int_or_hex(value.into(), 2);
    } else if writer.flags.has(Flags::ENCODED) {
        writer.int(value.into());
    } else {
        push_fraction(writer.out, date.subsec_nanos(), 3);
    }
}

fn ip(address: Option<SocketAddr>, unix: bool, writer: &mut Writer<'_>) {
    match address {
        Some(address) => writer.ip(address.ip()),
        None if unix => writer.text(b"unix"),
        None => writer.text(b""),
    }
}

fn socket_id(record: &Record<'_>) -> Option<u32> {
    record.unix.then_some(record.listener.id)
}

fn port(address: Option<SocketAddr>, socket_id: Option<u32>, writer: &mut Writer<'_>) {
    match (address, socket_id) {
        (Some(address), _) => writer.int_or_hex(address.port().into(), 4),
        (None, Some(id)) => writer.int(id.into()),
        (None, None) => writer.text(b""),
    }
}

fn tls(env: &Env<'_>, fact: TlsFact, writer: &mut Writer<'_>) {
    match env.facts.tls(Side::Client, fact) {
        Some(Sample::Str(text)) => writer.text(text),
        _ => writer.text(b""),
    }
}

fn request(http: Option<&HttpRecord<'_>>, writer: &mut Writer<'_>) {
    writer.open_text();
    let Some((line, limit)) = http.and_then(|http| Some((http.request?, http.uri_limit))) else {
        writer.encoded(BAD_REQUEST, b'#', &URL);
        return;
    };
    if writer.flags.has(Flags::CBOR) {
        // One string, so that it is cut into chunks only where bytes are escaped.
        let mut whole = [line.method, line.uri, line.version].join(&b' ');
        whole.truncate(limit.saturating_sub(1));
        writer.encoded(&whole, b'#', &URL);
        return;
    }
    let mut room = limit.saturating_sub(1);
    let mut blank = false;
    for part in [line.method, line.uri, line.version] {
        if std::mem::replace(&mut blank, true) {
            if room == 0 || part.is_empty() {
                break;
            }
            writer.char(b' ');
            room -= 1;
        }
        let shown = &part[..part.len().min(room)];
        writer.encoded(shown, b'#', &URL);
        room -= shown.len();
    }
}

/// `{a|b}`; nothing where no capture is declared.
fn captures(slots: Option<&[Capture]>, writer: &mut Writer<'_>) {
    let Some(slots) = slots.filter(|slots| !slots.is_empty()) else { return };
    writer.open_text();
    writer.char(b'{');
    for (at, slot) in slots.iter().enumerate() {
        if at > 0 {
            writer.char(b'|');
        }
        if let Some(bytes) = slot.get() {
            writer.encoded(bytes, b'#', &CAPTURE);
        }
    }
    writer.char(b'}');
}

/// One text per capture.
fn list(slots: Option<&[Capture]>, writer: &mut Writer<'_>) {
    let Some(slots) = slots.filter(|slots| !slots.is_empty()) else { return };
    writer.open_list();
    for (at, slot) in slots.iter().enumerate() {
        if at > 0 {
            writer.next_element();
        }
        writer.open_text();
        match slot.get() {
            Some(bytes) => writer.encoded(bytes, b'#', &CAPTURE),
            None if !writer.flags.has(Flags::QUOTE) => writer.char(b'-'),
            None => {}
        }
        writer.close_text();
    }
    writer.close_list();
}
