//! Checks: `option httpchk` and its kin, `http-check` and `tcp-check` steps to probes.

use super::Lowerer;
use super::proxy::Making;
use super::script::Variable;
use crate::check::{effective_lists, match_words};
use crate::codes;
use crate::config::CheckKind;
use crate::tree::Word;
use crate::units;
use lb_core::expr::{Phases, Regex};
use lb_core::health::{
    ConnectProbe, ConnectRequest, ExternalProbe, ProbeSpec, ProxyHeader, Status, TlsChoice, TlsRequest,
};
use lb_core::log::{Style, Template};
use lb_proto_http::check::{ConnectStep, Expect, HttpProbe, Matcher, Pattern, SendStep, Step, Subject, Text};
use lb_proto_http::head::HeaderName;
use lb_proto_smtp::check::SmtpProbe;
use std::sync::Arc;

/// What the steps of a check are made from.
struct Steps<'a, 't> {
    http: Vec<&'a Vec<Word<'t>>>,
    tcp: Vec<&'a Vec<Word<'t>>>,
    disable_on_404: bool,
    send_state: bool,
    unique_id: Option<Template>,
}

impl<'t> Lowerer<'_, 't, '_, '_> {
    /// The probe that servers of a proxy share.
    pub(super) fn probe(&mut self, making: &Making<'_, 't>) -> Arc<dyn ProbeSpec> {
        let config = self.config;
        let settings = making.settings;
        let mut steps = Steps {
            http: effective_lists(config, making.proxy, |l| &l.http_check),
            tcp: effective_lists(config, making.proxy, |l| &l.tcp_check),
            disable_on_404: settings.disable_on_404.is_some_and(|s| s.value),
            send_state: settings.send_state.is_some_and(|s| s.value),
            unique_id: settings.unique_id_format.as_ref().and_then(|f| self.check_unique_id(f.value)),
        };
        let mut kind = settings.check.as_ref().map(|c| c.value.clone());
        // The request of the option and the steps are one: what a proxy says replaces both of its defaults.
        let own_option = making.proxy.settings.check.is_some();
        let own_steps = !making.proxy.lists.http_check.is_empty();
        match &mut kind {
            Some(CheckKind::Http(_)) if own_option && !own_steps => steps.http.clear(),
            Some(CheckKind::Http(words)) if own_steps && !own_option => words.clear(),
            Some(CheckKind::External) => return self.external_probe(making),
            _ => {}
        }
        self.probe_of(kind.as_ref(), &steps)
    }

    fn check_unique_id(&mut self, word: Word<'t>) -> Option<Template> {
        let phases = Phases::FE_REQUEST_HEADERS.or(Phases::BE_REQUEST_HEADERS).or(Phases::CHECK);
        self.template(word, Style::UniqueId, phases, "unique-id-format")
    }

    /// `option external-check` with its command.
    fn external_probe(&mut self, making: &Making<'_, 't>) -> Arc<dyn ProbeSpec> {
        let settings = making.settings;
        if !self.config.global.external_check {
            self.error(
                codes::MISSING_ARGUMENT,
                making.proxy.span,
                "`option external-check` needs `external-check` in `global`",
                format!(
                    "Proxy '{}': 'external-check' unable to find required 'global.external-check'.",
                    making.proxy.name
                ),
            );
        }
        let Some(command) = &settings.external_command else {
            self.error(
                codes::MISSING_ARGUMENT,
                making.proxy.span,
                "`option external-check` needs `external-check command`",
                format!(
                    "Proxy '{}': 'external-check' cannot execute without 'external-check command'.",
                    making.proxy.name
                ),
            );
            return Arc::new(ConnectProbe::new());
        };
        let mut probe = ExternalProbe::new(command.value);
        probe.path = settings.external_path.as_ref().map(|p| Arc::from(p.value));
        Arc::new(probe)
    }

    /// The probe of a `healthcheck` section.
    pub(super) fn named_probe(&mut self, name: &str) -> Option<Arc<dyn ProbeSpec>> {
        let config = self.config;
        let section = config.healthchecks.iter().find(|h| h.name.text == name)?;
        let steps = Steps {
            http: section.http_check.iter().collect(),
            tcp: section.tcp_check.iter().collect(),
            disable_on_404: false,
            send_state: false,
            unique_id: None,
        };
        Some(self.probe_of(section.kind.as_ref(), &steps))
    }

    fn probe_of(&mut self, kind: Option<&CheckKind<'t>>, steps: &Steps<'_, 't>) -> Arc<dyn ProbeSpec> {
        // Steps of the kind that is not in use are read all the same, so that their mistakes are found.
        if !matches!(kind, Some(CheckKind::Http(_))) && !steps.http.is_empty() {
            let _ = self.http_probe(&[], steps);
        }
        if !matches!(kind, Some(CheckKind::Tcp)) && !steps.tcp.is_empty() {
            let _ = self.tcp_probe(Some(&CheckKind::Tcp), &steps.tcp);
        }
        match kind {
            Some(CheckKind::Http(words)) => Arc::new(self.http_probe(words, steps)),
            Some(CheckKind::Smtp(words)) => {
                let word = |i: usize| words.get(i).map(|w| w.text);
                Arc::new(SmtpProbe::smtpchk(word(0), word(1)))
            }
            kind => self.tcp_probe(kind, &steps.tcp),
        }
    }

    fn http_probe(&mut self, words: &[Word<'t>], steps: &Steps<'_, 't>) -> HttpProbe {
        let mut list = Vec::new();
        let mut request = option_request(words);
        let mut sent = false;
        let (mut disable_on_404, mut send_state) = (steps.disable_on_404, steps.send_state);
        for step in &steps.http {
            match step[0].text {
                "connect" => list.extend(self.connect_step(&step[1..]).map(Step::Connect)),
                "send" => {
                    // The first `send` completes what `option httpchk` says, further ones stand alone.
                    let base = if sent { SendStep::default() } else { std::mem::take(&mut request) };
                    sent = true;
                    list.push(Step::Send(self.send_step(base, &step[1..])));
                }
                "expect" => list.extend(self.expect_step(&step[1..]).map(Step::Expect)),
                "comment" => {}
                "send-state" => send_state = true,
                "disable-on-404" => disable_on_404 = true,
                _ => list.extend(self.check_variable("http-check", step).map(|variable| match variable {
                    Variable::Set(name, program) => Step::SetVar(name, program),
                    Variable::Format(name, format) => Step::SetVarFmt(name, format),
                    Variable::Unset(name) => Step::UnsetVar(name),
                })),
            }
        }
        let uncounted = usize::from(!sent && !list.is_empty());
        if !sent {
            let at = list.iter().take_while(|s| matches!(s, Step::Connect(_))).count();
            list.insert(at, Step::Send(request));
        }
        // What was sent last must be answered, in any way that means success unless said otherwise.
        let sent = list.iter().rposition(|s| matches!(s, Step::Send(_)));
        if !list[sent.unwrap_or(0)..].iter().any(|s| matches!(s, Step::Expect(_))) {
            list.push(Step::Expect(Expect::default()));
        }
        let mut probe = HttpProbe::of(list);
        probe.disable_on_404 = disable_on_404;
        probe.send_state = send_state;
        probe.unique_id = steps.unique_id.clone();
        probe.uncounted = uncounted;
        probe
    }

    fn send_step(&mut self, mut send: SendStep, words: &[Word<'t>]) -> SendStep {
        let mut at = 0;
        while let (Some(word), Some(value)) = (words.get(at), words.get(at + 1)) {
            match word.text {
                "meth" => send.method = Arc::from(value.text.as_bytes()),
                "uri" => send.uri = Text::from(value.text.as_bytes()),
                "uri-lf" | "body-lf" => {
                    let text = self.check_format(*value).map_or_else(|| Text::from(&b""[..]), Text::Format);
                    *(if word.text == "uri-lf" { &mut send.uri } else { &mut send.body }) = text;
                }
                "ver" => send.version = Arc::from(value.text.as_bytes()),
                "body" => send.body = Text::from(value.text.as_bytes()),
                "comment" => send.comment = Some(Arc::from(value.text)),
                _ => {
                    let Some(text) = words.get(at + 2) else { break };
                    let format = self.check_format(*text);
                    send.headers.extend(format.map(|format| {
                        let text = match format.as_literal() {
                            Some(bytes) => Text::from(bytes),
                            None => Text::Format(format),
                        };
                        (HeaderName::new(value.text), text)
                    }));
                    at += 1;
                }
            }
            at += 2;
        }
        send
    }

    pub(super) fn connect_step(&mut self, words: &[Word<'t>]) -> Option<ConnectStep> {
        let mut step = ConnectStep::default();
        let mut request = ConnectRequest::default();
        let mut tls = TlsRequest::default();
        let mut secure = false;
        let mut at = 0;
        while let Some(word) = words.get(at) {
            let value = words.get(at + 1).copied();
            at +=
                1 + usize::from(matches!(word.text, "port" | "addr" | "sni" | "alpn" | "proto" | "comment"));
            match word.text {
                "linger" => step.linger = true,
                "ssl" => secure = true,
                "send-proxy" => request.proxy_header = ProxyHeader::On,
                "port" => match value?.text.parse() {
                    Ok(port) => request.port = Some(port),
                    Err(_) => {
                        let word = value?;
                        self.program(&[word], "connect")?;
                        self.not_carried_out(word.span, "an expression as port of a check");
                    }
                },
                "addr" => {
                    let (ip, port) = match value?.text.parse::<std::net::SocketAddr>() {
                        Ok(addr) => (Some(addr.ip()), Some(addr.port())),
                        Err(_) => (value?.text.parse().ok(), None),
                    };
                    request.addr = ip.or_else(|| self.context.resolve_any(value?.text));
                    if request.addr.is_none() {
                        let word = value?;
                        self.error(
                            codes::ADDRESS,
                            word.span,
                            format!("`{}` is not an address", word.text),
                            format!("'connect' : 'addr' : invalid address: '{0}' in '{0}'.", word.text),
                        );
                    }
                    request.port = port.or(request.port);
                }
                "sni" => tls.sni = Some(Arc::from(value?.text)),
                "alpn" => tls.alpn = value?.text.split(',').map(|n| n.as_bytes().to_vec().into()).collect(),
                "comment" => step.comment = Some(Arc::from(value?.text)),
                // `default`, `via-socks4` and `proto` change nothing here.
                _ => {}
            }
        }
        if secure {
            request.tls = TlsChoice::On(tls);
        }
        step.request = request;
        Some(step)
    }

    fn expect_step(&mut self, words: &[Word<'t>]) -> Option<Expect> {
        let mut expect = Expect::default();
        let (mut at, mut found) = (0, false);
        while let Some(word) = words.get(at).copied() {
            let value = words.get(at + 1).copied();
            expect.inverse |= word.text.starts_with('!');
            match word.text.trim_start_matches('!') {
                "" => {
                    at += 1;
                    continue;
                }
                "min-recv" => expect.min_recv = usize::try_from(units::leading(value?.text)).ok(),
                "comment" => expect.comment = Some(Arc::from(value?.text)),
                "ok-status" => expect.ok_status = Some(self.check_status("ok-status", value?)?),
                "error-status" => expect.error_status = Some(self.check_status("error-status", value?)?),
                "tout-status" => expect.timeout_status = Some(self.check_status("tout-status", value?)?),
                "on-error" => expect.on_error = self.check_format(value?),
                "on-success" => expect.on_success = self.check_format(value?),
                "status-code" => {
                    expect.status_code = self.program(&[value?], "http-check expect status-code");
                }
                kind => {
                    let rest = &words[at + 1..];
                    let length = match_words(kind, rest);
                    expect.subject = self.subject(kind, &rest[..length])?;
                    found = true;
                    at += 1 + length;
                    continue;
                }
            }
            at += 2;
        }
        found.then_some(expect)
    }

    fn subject(&mut self, kind: &str, words: &[Word<'t>]) -> Option<Subject> {
        let first = *words.first()?;
        Some(match kind {
            "status" => Subject::Status(self.statuses(first)?),
            "rstatus" => Subject::StatusRegex(self.regex(first, "http-check expect")?),
            "string" => Subject::Body(Text::from(first.text.as_bytes())),
            "string-lf" => Subject::Body(Text::Format(self.check_format(first)?)),
            "rstring" => Subject::BodyRegex(self.regex(first, "http-check expect")?),
            _ => self.header_subject(kind == "fhdr", words)?,
        })
    }

    fn statuses(&mut self, word: Word<'t>) -> Option<Vec<(u16, u16)>> {
        let ranges: Option<Vec<(u16, u16)>> = word
            .text
            .split(',')
            .map(|r| {
                let (low, high) = r.split_once('-').unwrap_or((r, r));
                Some((low.trim().parse().ok()?, high.trim().parse().ok()?))
            })
            .collect();
        if ranges.is_none() {
            self.error(
                codes::NUMBER,
                word.span,
                format!("`{}` is not a list of statuses", word.text),
                format!("'http-check expect status' : invalid status codes '{}'.", word.text),
            );
        }
        ranges
    }

    /// `hdr name [-m <how>] <name> [value [-m <how>] <value>]`, or the two names alone.
    fn header_subject(&mut self, full: bool, words: &[Word<'t>]) -> Option<Subject> {
        let mut at = 0;
        let mut parts = Vec::new();
        while let Some(word) = words.get(at) {
            let (wanted, format) = match (parts.len(), word.text) {
                (0, "name") | (1, "value") => (true, false),
                (0, "name-lf") | (1, "value-lf") => (true, true),
                _ => (false, false),
            };
            if !wanted || words.len() == at + 1 {
                self.misplaced_in_header(*word);
                return None;
            }
            at += 1;
            let mut how = "str";
            if words.get(at).is_some_and(|w| w.text == "-m") {
                how = words.get(at + 1).map_or("", |word| word.text);
                at += 2;
            }
            let Some(text) = words.get(at).copied() else {
                self.misplaced_in_header(*word);
                return None;
            };
            parts.push(self.matcher(how, text, format, parts.is_empty())?);
            at += 1;
        }
        let mut parts = parts.into_iter();
        Some(Subject::Header { name: parts.next()?, value: parts.next(), full })
    }

    fn misplaced_in_header(&mut self, word: Word<'t>) {
        self.error(
            codes::WORD,
            word.span,
            format!(
                "`{}` does not describe a header: `name [-m <how>] <name> [value [-m <how>] <value>]` does",
                word.text
            ),
            format!(
                "'http-check expect' : unexpected '{}' where a header's name or value is described.",
                word.text
            ),
        );
    }

    /// Names of header fields are compared without regard to case.
    fn name_regex(&mut self, word: Word<'t>) -> Option<Regex> {
        self.regex(word, "http-check expect")?;
        Regex::new(word.text, true).ok()
    }

    fn matcher(&mut self, how: &str, word: Word<'t>, format: bool, name: bool) -> Option<Matcher> {
        let text = if format && how != "reg" {
            Text::Format(self.check_format(word)?)
        } else {
            Text::from(word.text.as_bytes())
        };
        Some(match how {
            "str" => Matcher::Text(Pattern::Whole, text),
            "beg" => Matcher::Text(Pattern::Begin, text),
            "end" => Matcher::Text(Pattern::End, text),
            "sub" => Matcher::Text(Pattern::Inside, text),
            "reg" if name => Matcher::Regex(self.name_regex(word)?),
            "reg" => Matcher::Regex(self.regex(word, "http-check expect")?),
            _ => {
                self.error(
                    codes::WORD,
                    word.span,
                    format!("`-m {how}` is not a way to compare headers"),
                    format!("'http-check expect hdr' : unsupported matching method '{how}'."),
                );
                return None;
            }
        })
    }
}

/// The request of `option httpchk`: a method and a URI, a URI alone, or nothing. Headers that old files hide in the
/// version are taken out of it.
fn option_request(words: &[Word<'_>]) -> SendStep {
    let mut send = SendStep::default();
    match words {
        [] => {}
        [uri] => send.uri = Text::from(uri.text.as_bytes()),
        [method, uri, ..] => {
            send.method = Arc::from(method.text.as_bytes());
            send.uri = Text::from(uri.text.as_bytes());
        }
    }
    if let Some(host) = words.get(3) {
        send.headers.push((HeaderName::new("host"), Text::from(host.text.as_bytes())));
    }
    if let Some(version) = words.get(2) {
        let mut lines = version.text.split(['\r', '\n']).filter(|l| !l.is_empty());
        send.version = Arc::from(lines.next().unwrap_or("HTTP/1.0").trim().as_bytes());
        for line in lines {
            if let Some((name, value)) = line.split_once(':') {
                send.headers.push((HeaderName::new(name.trim()), Text::from(value.trim().as_bytes())));
            }
        }
    }
    send
}

/// A check status by the name that logs use.
pub(super) fn status(name: &str) -> Option<Status> {
    Some(match name {
        "L4OK" => Status::L4Ok,
        "L4TOUT" => Status::L4Timeout,
        "L4CON" => Status::L4Connection,
        "L6OK" => Status::L6Ok,
        "L6RSP" => Status::L6Response,
        "L6TOUT" => Status::L6Timeout,
        "L7OK" => Status::L7Ok,
        "L7OKC" => Status::L7OkConditional,
        "L7RSP" => Status::L7Response,
        "L7STS" => Status::L7Status,
        "L7TOUT" => Status::L7Timeout,
        _ => return None,
    })
}
