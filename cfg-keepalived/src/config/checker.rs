//! Checkers of real servers.

use super::{Command, Config, Reading, User, Weight};
use crate::codes;
use crate::tree::Statement;
use crate::value::Values;
use lb_core::diag::{Span, Spanned};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// When and how often; inherited from the virtual server to the real server to the checker.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the keywords")]
pub struct Scheduling {
    pub alpha: Option<Spanned<bool>>,
    pub retry: Option<Spanned<u32>>,
    pub delay_before_retry: Option<Spanned<Duration>>,
    pub warmup: Option<Spanned<Duration>>,
    pub delay_loop: Option<Spanned<Duration>>,
    pub connect_timeout: Option<Spanned<Duration>>,
    pub log_all_failures: Option<Spanned<bool>>,
}

impl Scheduling {
    /// The first that is set of several that inherit from each other.
    pub(crate) fn first<T>(from: &[&Self], of: impl Fn(&Self) -> Option<Spanned<T>>) -> Option<T> {
        from.iter().find_map(|one| of(one)).map(|found| found.value)
    }

    pub(super) fn take(&mut self, keyword: &str, values: &Values) -> bool {
        match keyword {
            "alpha" => self.alpha = values.switch(),
            "retry" | "nb_get_retry" => self.retry = values.number(),
            "delay_before_retry" => self.delay_before_retry = values.duration(),
            "warmup" => self.warmup = values.duration(),
            "delay_loop" => self.delay_loop = values.duration(),
            "connect_timeout" => self.connect_timeout = values.duration(),
            "log_all_failures" => self.log_all_failures = values.switch(),
            _ => return false,
        }
        true
    }
}

/// Where a checker connects to, and from where.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the keywords")]
pub struct Connection {
    pub connect_ip: Option<Spanned<IpAddr>>,
    pub connect_port: Option<Spanned<u16>>,
    pub bindto: Option<Spanned<IpAddr>>,
    pub bind_port: Option<Spanned<u16>>,
    pub bind_if: Option<Spanned<String>>,
    pub fwmark: Option<Spanned<u32>>,
}

impl Connection {
    fn take(&mut self, keyword: &str, values: &Values) -> bool {
        match keyword {
            "connect_ip" => self.connect_ip = values.address(),
            "connect_port" => self.connect_port = values.number(),
            "bindto" => self.bindto = values.address(),
            "bind_port" => self.bind_port = values.number(),
            "bind_if" => self.bind_if = values.word(),
            "fwmark" => self.fwmark = values.number(),
            _ => return false,
        }
        true
    }
}

/// A checker.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Check {
    /// Where it stands.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub span: Span,
    /// When and how often.
    pub scheduling: Scheduling,
    /// Where to.
    pub connection: Connection,
    /// What it does.
    pub kind: CheckKind,
}

/// What a checker does.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the variants are the checkers of the manual")]
pub enum CheckKind {
    Tcp,
    Ping,
    Http(HttpCheck),
    Smtp(SmtpCheck),
    Dns(DnsCheck),
    Misc(MiscCheck),
    Udp(UdpCheck),
    File(FileCheck),
    Bfd(Spanned<String>),
}

/// `HTTP_GET`, `SSL_GET`
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the keywords")]
pub struct HttpCheck {
    /// `SSL_GET`
    pub tls: bool,
    pub virtualhost: Option<Spanned<String>>,
    pub http_protocol: Option<Spanned<String>>,
    pub enable_sni: Option<Spanned<bool>>,
    pub sni_name: Option<Spanned<String>>,
    pub fast_recovery: Option<Spanned<bool>>,
    pub tls_compliant: Option<Spanned<bool>>,
    pub urls: Vec<HttpUrl>,
}

impl HttpCheck {
    /// The version of HTTP, 1.0 unless said, with a letter about the connection behind it.
    pub(crate) fn protocol(&self) -> &str {
        self.http_protocol.as_ref().map_or("1.0", |version| &version.value)
    }
}

/// `url`
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the keywords")]
pub struct HttpUrl {
    pub path: Option<Spanned<String>>,
    pub digest: Option<Spanned<[u8; 16]>>,
    /// 200 to 299 if empty.
    pub status_codes: Vec<RangeInclusive<u16>>,
    pub virtualhost: Option<Spanned<String>>,
    pub regex: Option<Spanned<String>>,
    pub regex_no_match: Option<Spanned<bool>>,
    pub regex_options: Vec<String>,
    pub regex_min_offset: Option<Spanned<u32>>,
    pub regex_max_offset: Option<Spanned<u32>>,
    pub tls_compliant: Option<Spanned<bool>>,
}

impl HttpUrl {
    /// What is asked for, `/` unless said.
    pub(crate) fn target(&self) -> &str {
        self.path.as_ref().map_or("/", |path| &path.value)
    }

    /// The answers that pass.
    pub(crate) fn codes(&self) -> &[RangeInclusive<u16>] {
        const STANDARD: &[RangeInclusive<u16>] = &[200..=299];
        if self.status_codes.is_empty() { STANDARD } else { &self.status_codes }
    }
}

/// `SMTP_CHECK`
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the keywords")]
pub struct SmtpCheck {
    pub helo_name: Option<Spanned<String>>,
    /// The old `host` blocks.
    pub hosts: Vec<Connection>,
}

/// `DNS_CHECK`
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the keywords")]
pub struct DnsCheck {
    pub query_type: Option<Spanned<String>>,
    pub name: Option<Spanned<String>>,
}

impl DnsCheck {
    /// The name that is asked for, the root unless said.
    pub(crate) fn asked(&self) -> &str {
        self.name.as_ref().map_or(".", |name| &name.value)
    }
}

/// `MISC_CHECK`
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the keywords")]
pub struct MiscCheck {
    pub misc_path: Command,
    pub misc_timeout: Option<Spanned<Duration>>,
    pub misc_dynamic: Option<Spanned<bool>>,
    pub user: Option<User>,
}

/// `UDP_CHECK`
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the keywords")]
pub struct UdpCheck {
    /// Bytes in hexadecimal.
    pub payload: Option<Spanned<String>>,
    /// Bytes in hexadecimal, `x` for any; empty for any reply.
    pub require_reply: Option<Spanned<String>>,
    pub min_reply_length: Option<Spanned<u16>>,
    pub max_reply_length: Option<Spanned<u16>>,
}

/// `FILE_CHECK`
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the keywords")]
pub struct FileCheck {
    pub track_file: Spanned<String>,
    pub weight: Option<Spanned<Weight>>,
    pub dynamic: bool,
}

impl Check {
    pub(super) fn read(statement: &Statement, config: &Config, cx: &mut Reading<'_>) -> Option<Self> {
        let mut common = (Scheduling::default(), Connection::default());
        let kind = match statement.name() {
            "TCP_CHECK" | "PING_CHECK" => {
                each(statement, &mut common, cx, |_, _, _| {});
                if statement.name() == "TCP_CHECK" { CheckKind::Tcp } else { CheckKind::Ping }
            }
            "HTTP_GET" | "SSL_GET" => CheckKind::Http(http(statement, &mut common, cx)?),
            "SMTP_CHECK" => CheckKind::Smtp(smtp(statement, &mut common, cx)),
            "DNS_CHECK" => CheckKind::Dns(dns(statement, &mut common, cx)),
            "MISC_CHECK" => CheckKind::Misc(misc(statement, &mut common, cx)?),
            "UDP_CHECK" => CheckKind::Udp(udp(statement, &mut common, cx)),
            "FILE_CHECK" => CheckKind::File(file(statement, config, cx)?),
            _ => CheckKind::Bfd(bfd(statement, &mut common, config, cx)?),
        };
        let (scheduling, connection) = common;
        let check = Self { span: statement.head_span(), scheduling, connection, kind };
        check.valid(cx).then_some(check)
    }

    fn valid(&self, cx: &mut Reading<'_>) -> bool {
        let Some(Spanned { value: IpAddr::V6(ip), span }) = self.connection.connect_ip else { return true };
        let link_local = ip.segments()[0] & 0xffc0 == 0xfe80;
        if link_local && self.connection.bind_if.is_none() {
            let compat = format!("Checker link local address {ip} requires a bind_if");
            cx.warn(
                codes::NOT_SET,
                span,
                "a link-local address needs `bind_if`; the checker is ignored",
                compat,
            );
            return false;
        }
        true
    }
}

/// The session whose state the check is; a name that is wrong drops the checker.
fn bfd(
    statement: &Statement,
    common: &mut (Scheduling, Connection),
    config: &Config,
    cx: &mut Reading<'_>,
) -> Option<Spanned<String>> {
    let (mut found, mut wrong) = (None::<Spanned<String>>, false);
    each(statement, common, cx, |inner, values, cx| {
        let Some(name) = values.word().filter(|_| inner.name() == "name") else { return };
        let known = config.bfds.iter().any(|bfd| bfd.for_checker() && bfd.name.value == name.value);
        let problem = match &found {
            _ if !known => Some((
                format!("there is no bfd_instance `{}` above this", name.value),
                format!("BFD_CHECK - BFD {} not configured", name.value),
            )),
            Some(first) => Some((
                "a check watches one session".to_owned(),
                format!("BFD_CHECK - BFD {} already specified as {}", name.value, first.value),
            )),
            None => None,
        };
        match problem {
            Some((message, compat)) => {
                wrong = true;
                cx.warn(
                    codes::UNKNOWN_REFERENCE,
                    name.span,
                    format!("{message}; the checker is ignored"),
                    compat,
                );
            }
            None => found = Some(name),
        }
    });
    if found.is_none() && !wrong && !statement.statements().iter().any(|inner| inner.name() == "name") {
        let message = "the check names no bfd_instance; it is ignored";
        let compat = "No name has been specified for BFD_CHECKER - skipping";
        cx.warn(codes::NOT_SET, statement.head_span(), message, compat);
    }
    found.filter(|_| !wrong)
}

/// Reads what all checkers share and hands the rest to `own`.
fn each(
    statement: &Statement,
    (scheduling, connection): &mut (Scheduling, Connection),
    cx: &mut Reading<'_>,
    mut own: impl FnMut(&Statement, &Values, &mut Reading<'_>),
) {
    for (inner, values) in cx.each(statement.statements(), statement.name()) {
        if !scheduling.take(inner.name(), &values) && !connection.take(inner.name(), &values) {
            own(inner, &values, cx);
        }
    }
}

fn http(
    statement: &Statement,
    common: &mut (Scheduling, Connection),
    cx: &mut Reading<'_>,
) -> Option<HttpCheck> {
    let mut check = HttpCheck { tls: statement.name() == "SSL_GET", ..HttpCheck::default() };
    each(statement, common, cx, |inner, values, cx| match inner.name() {
        "virtualhost" => check.virtualhost = values.word(),
        "http_protocol" => check.http_protocol = values.word(),
        "enable_sni" => check.enable_sni = values.switch(),
        "sni_name" => check.sni_name = values.word(),
        "fast_recovery" => check.fast_recovery = values.switch(),
        "tls_compliant" => check.tls_compliant = values.switch(),
        _ => check.urls.extend(HttpUrl::read(inner, cx)),
    });
    if check.urls.is_empty() {
        let message = "the check has no `url`; it is ignored";
        let compat = "HTTP/SSL_GET checker has no urls specified - ignoring";
        cx.warn(codes::EMPTY_BLOCK, statement.head_span(), message, compat);
        return None;
    }
    Some(check)
}

impl HttpUrl {
    fn read(statement: &Statement, cx: &mut Reading<'_>) -> Option<Self> {
        let mut url = Self::default();
        for (inner, values) in cx.each(statement.statements(), "url") {
            match inner.name() {
                "path" => url.path = values.word(),
                "digest" => url.take_digest(values.word(), cx),
                "status_code" => url.take_status(inner, cx),
                "virtualhost" => url.virtualhost = values.word(),
                "regex" => {
                    url.regex = values.word();
                    if url.regex.is_none() {
                        cx.advise(
                            codes::NOT_SET,
                            inner.head_span(),
                            "`regex` without an expression is ignored",
                        );
                    }
                }
                "regex_no_match" => url.regex_no_match = values.flag(),
                "regex_options" => url.regex_options = inner.args().iter().map(|w| w.text.clone()).collect(),
                "regex_min_offset" => url.regex_min_offset = values.number(),
                "regex_max_offset" => url.regex_max_offset = values.number(),
                _ => url.tls_compliant = values.switch(),
            }
        }
        if url.path.is_none() {
            let message = "the url has no `path`; it is ignored";
            cx.warn(
                codes::NOT_SET,
                statement.head_span(),
                message,
                "HTTP/SSL_GET checker url has no path - ignoring",
            );
            return None;
        }
        Some(url)
    }

    fn take_digest(&mut self, word: Option<Spanned<String>>, cx: &mut Reading<'_>) {
        let Some(word) = word else { return };
        if let Some(first) = &self.digest {
            let first = first.span;
            let compat = format!("Digest '{}' is a duplicate", word.value);
            cx.warn(codes::DUPLICATE, word.span, "a second digest is ignored", compat)
                .label(first, "the first");
            return;
        }
        match digest(&word.value) {
            Some(bytes) => self.digest = Some(Spanned::new(bytes, word.span)),
            None => {
                let compat = if word.value.len() == 32 {
                    format!("Unable to interpret hex digit in '{}'", word.value)
                } else {
                    let length = word.value.len();
                    format!("digest '{}' character length should be 32 rather than {length}", word.value)
                };
                cx.warn(
                    codes::BAD_WORD,
                    word.span,
                    "an MD5 digest has 32 hexadecimal digits; this one is ignored",
                    compat,
                );
            }
        }
    }

    fn take_status(&mut self, statement: &Statement, cx: &mut Reading<'_>) {
        for word in statement.args() {
            let (low, high) = word.text.split_once('-').unwrap_or((&word.text, &word.text));
            match (low.parse::<u16>(), high.parse::<u16>()) {
                (Ok(low), Ok(high)) if (100..=599).contains(&low) && (low..=599).contains(&high) => {
                    self.status_codes.push(low..=high);
                }
                _ => {
                    let compat = format!("Invalid HTTP_GET status code '{}'", word.text);
                    cx.warn(
                        codes::BAD_NUMBER,
                        word.span,
                        format!("`{}` is no status code; it is ignored", word.text),
                        compat,
                    )
                    .note("expected a number from 100 to 599, or a range");
                }
            }
        }
    }
}

fn digest(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    if text.len() != 32 || !text.is_ascii() {
        return None;
    }
    for (n, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * n..2 * n + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn smtp(statement: &Statement, common: &mut (Scheduling, Connection), cx: &mut Reading<'_>) -> SmtpCheck {
    let mut check = SmtpCheck::default();
    each(statement, common, cx, |inner, values, cx| {
        if inner.name() == "helo_name" {
            check.helo_name = values.word();
        } else {
            let mut inside = (Scheduling::default(), Connection::default());
            each(inner, &mut inside, cx, |_, _, _| {});
            check.hosts.push(inside.1);
        }
    });
    check
}

fn dns(statement: &Statement, common: &mut (Scheduling, Connection), cx: &mut Reading<'_>) -> DnsCheck {
    const TYPES: [&str; 9] = ["A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "RRSIG", "DNSKEY"];
    let mut check = DnsCheck::default();
    each(statement, common, cx, |inner, values, cx| match (inner.name(), values.word()) {
        ("type", Some(word)) => {
            if TYPES.contains(&word.value.to_ascii_uppercase().as_str()) {
                check.query_type = Some(word);
            } else {
                let compat = format!("Unknown DNS check type {} - ignoring", word.value);
                cx.warn(
                    codes::BAD_WORD,
                    word.span,
                    format!("`{}` is no query type; it is ignored", word.value),
                    compat,
                )
                .note(format!("known are {}", TYPES.join(", ")));
            }
        }
        (_, word) => check.name = word,
    });
    check
}

fn misc(
    statement: &Statement,
    common: &mut (Scheduling, Connection),
    cx: &mut Reading<'_>,
) -> Option<MiscCheck> {
    let (mut misc_path, mut misc_timeout, mut misc_dynamic, mut user) = (None, None, None, None);
    each(statement, common, cx, |inner, values, cx| match inner.name() {
        "misc_path" => misc_path = Command::read(values, cx).or_else(|| misc_path.take()),
        "misc_timeout" => misc_timeout = values.seconds(),
        "misc_dynamic" => misc_dynamic = values.flag(),
        _ => user = User::read(values, 0),
    });
    let Some(misc_path) = misc_path else {
        let message = "the check has no `misc_path`; it is ignored";
        let compat = "No script path has been specified for MISC_CHECKER - skipping";
        cx.warn(codes::NOT_SET, statement.head_span(), message, compat);
        return None;
    };
    if cx.lacks_user(user.as_ref(), misc_path.line.span) {
        let what = misc_path.quoted();
        let (message, compat) = match &user {
            Some(_) => (
                "there is nobody of that name to run this; the check is ignored",
                format!("Failed to set uid/gid for misc checker script {what} - removing"),
            ),
            None => (
                "nobody is named to run this, and the default user does not exist; the check is ignored",
                format!("Unable to set default user for misc script {what} - removing"),
            ),
        };
        cx.warn(codes::BAD_SCRIPT, misc_path.line.span, message, compat);
        return None;
    }
    Some(MiscCheck { misc_path, misc_timeout, misc_dynamic, user })
}

fn udp(statement: &Statement, common: &mut (Scheduling, Connection), cx: &mut Reading<'_>) -> UdpCheck {
    let mut check = UdpCheck::default();
    each(statement, common, cx, |inner, values, cx| match inner.name() {
        "payload" => check.payload = hex(inner, ("payload", false), cx),
        "require_reply" => check.require_reply = hex(inner, ("reply", true), cx),
        "min_reply_length" => check.min_reply_length = values.number(),
        _ => check.max_reply_length = values.number(),
    });
    let lengths = check.min_reply_length.zip(check.max_reply_length);
    if let Some((min, max)) = lengths.filter(|(min, max)| min.value > max.value) {
        let (least, most) = (min.value, max.value);
        let compat =
            format!("UDP_CHECK min_reply length {least} > max_reply_length {most} - will always fail");
        cx.warn(codes::CONFLICT, min.span, "no reply can be that long; the check always fails", compat)
            .label(max.span, "the greatest length");
    }
    check
}

/// Hexadecimal digits in any number of words; with `wild`, `x` stands for any digit.
fn hex(statement: &Statement, (what, wild): (&str, bool), cx: &mut Reading<'_>) -> Option<Spanned<String>> {
    let digits: String =
        statement.args().iter().flat_map(|w| w.text.chars()).filter(|c| !c.is_whitespace()).collect();
    let valid = digits.chars().all(|c| c.is_ascii_hexdigit() || (wild && matches!(c, 'x' | 'X')));
    // Nothing at all is a reply of any content; a word without a digit is none.
    let empty = digits.is_empty() && !statement.args().is_empty();
    if !valid || empty || !digits.len().is_multiple_of(2) {
        let message = "expected pairs of hexadecimal digits; it is ignored";
        cx.warn(
            codes::BAD_WORD,
            statement.head_span(),
            message,
            format!("Invalid hex string for UDP_CHECK {what}"),
        );
        return None;
    }
    Some(Spanned::new(digits, statement.head_span()))
}

fn file(statement: &Statement, config: &Config, cx: &mut Reading<'_>) -> Option<FileCheck> {
    let (mut name, mut weight, mut dynamic) = (None, None, false);
    for (inner, values) in cx.each(statement.statements(), "FILE_CHECK") {
        match inner.name() {
            "track_file" => name = values.word(),
            "weight" => {
                let reverse = values.word_at(1).is_some_and(|w| w.value == "reverse");
                weight = values.number::<i32>().map(|n| n.map(|value| Weight { value, reverse }));
            }
            _ => dynamic = true,
        }
    }
    let known = |name: &Spanned<String>| config.track_files.iter().any(|f| f.name.value == name.value);
    match name {
        Some(track_file) if known(&track_file) => Some(FileCheck { track_file, weight, dynamic }),
        Some(name) => {
            let message = format!("there is no track_file `{}` above this; the check is ignored", name.value);
            cx.warn(
                codes::UNKNOWN_REFERENCE,
                name.span,
                message,
                format!(
                    "track_file {} not found\nFILE_CHECK has no track_file specified - ignoring",
                    name.value
                ),
            );
            None
        }
        None => {
            let message = "the check has no `track_file`; it is ignored";
            let compat = "FILE_CHECK has no track_file specified - ignoring";
            cx.warn(codes::NOT_SET, statement.head_span(), message, compat);
            None
        }
    }
}
