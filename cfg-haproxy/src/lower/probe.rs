//! Checks: `option httpchk` and its kin, `http-check` and `tcp-check` steps to probes.

use super::Lowerer;
use super::proxy::Making;
use crate::check::effective_lists;
use crate::codes;
use crate::config::CheckKind;
use crate::tree::Word;
use lb_core::health::{ConnectRequest, ProbeSpec, ProxyHeader, Status, TlsChoice, TlsRequest};
use lb_proto_http::check::{ConnectStep, Expect, HttpProbe, Matcher, Pattern, SendStep, Step, Subject};
use lb_proto_http::head::HeaderName;
use lb_proto_smtp::check::SmtpProbe;
use std::sync::Arc;

/// What the steps of a check are made from.
struct Steps<'a, 't> {
    http: Vec<&'a Vec<Word<'t>>>,
    tcp: Vec<&'a Vec<Word<'t>>>,
    disable_on_404: bool,
    send_state: bool,
}

impl<'t> Lowerer<'_, 't, '_, '_> {
    /// The probe that servers of a proxy share.
    pub(super) fn probe(&mut self, making: &Making<'_, 't>) -> Arc<dyn ProbeSpec> {
        let config = self.config;
        let settings = making.settings;
        let steps = Steps {
            http: effective_lists(config, making.proxy, |l| &l.http_check),
            tcp: effective_lists(config, making.proxy, |l| &l.tcp_check),
            disable_on_404: settings.disable_on_404.is_some_and(|s| s.value),
            send_state: settings.send_state.is_some_and(|s| s.value),
        };
        let kind = settings.check.as_ref().map(|c| c.value.clone());
        self.probe_of(kind.as_ref(), &steps)
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
                other => {
                    let span = step[0].span;
                    let what = format!("http-check {other}");
                    self.not_carried_out(span, &what);
                }
            }
        }
        if !sent {
            let at = list.iter().take_while(|s| matches!(s, Step::Connect(_))).count();
            list.insert(at, Step::Send(request));
        }
        if !list.iter().any(|s| matches!(s, Step::Expect(_))) {
            list.push(Step::Expect(Expect::default()));
        }
        let mut probe = HttpProbe::of(list);
        probe.disable_on_404 = disable_on_404;
        probe.send_state = send_state;
        probe
    }

    fn send_step(&mut self, mut send: SendStep, words: &[Word<'t>]) -> SendStep {
        let mut at = 0;
        while let (Some(word), Some(value)) = (words.get(at), words.get(at + 1)) {
            match word.text {
                "meth" => send.method = Arc::from(value.text.as_bytes()),
                "uri" | "uri-lf" => send.uri = self.static_format(word.text, *value),
                "ver" => send.version = Arc::from(value.text.as_bytes()),
                "body" | "body-lf" => send.body = self.static_format(word.text, *value),
                "comment" => send.comment = Some(Arc::from(value.text)),
                _ => {
                    let Some(text) = words.get(at + 2) else { break };
                    let bytes = self.static_format("hdr-lf", *text);
                    send.headers.push((HeaderName::new(value.text), bytes));
                    at += 1;
                }
            }
            at += 2;
        }
        send
    }

    /// Formats in checks are literal unless they hold expressions, which are not carried out.
    pub(super) fn static_format(&mut self, kind: &str, word: Word<'t>) -> Arc<[u8]> {
        if kind.ends_with("-lf") {
            if word.text.contains("%[") {
                self.not_carried_out(word.span, "an expression in a check");
            }
            return Arc::from(word.text.replace("%%", "%").into_bytes());
        }
        Arc::from(word.text.as_bytes())
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
                    request.addr = value?.text.parse().ok().or_else(|| self.context.resolve_any(value?.text))
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
        let mut at = 0;
        while let Some(word) = words.get(at).copied() {
            let value = words.get(at + 1).copied();
            expect.inverse |= word.text.starts_with('!');
            match word.text.trim_start_matches('!') {
                "" => {
                    at += 1;
                    continue;
                }
                "min-recv" => expect.min_recv = value?.text.parse::<usize>().ok(),
                "comment" => expect.comment = Some(Arc::from(value?.text)),
                "ok-status" => expect.ok_status = status(value?.text),
                "error-status" => expect.error_status = status(value?.text),
                "tout-status" => expect.timeout_status = status(value?.text),
                "on-error" => expect.on_error = Some(Arc::from(value?.text)),
                "on-success" | "status-code" => {
                    self.not_carried_out(word.span, &format!("http-check expect {}", word.text))
                }
                kind => {
                    expect.subject = self.subject(kind, &words[at + 1..])?;
                    return Some(expect);
                }
            }
            at += 2;
        }
        None
    }

    fn subject(&mut self, kind: &str, words: &[Word<'t>]) -> Option<Subject> {
        let first = *words.first()?;
        Some(match kind {
            "status" => Subject::Status(self.statuses(first)?),
            "rstatus" => Subject::StatusRegex(self.regex(first, "http-check expect")?),
            "string" => Subject::Body(Arc::from(first.text.as_bytes())),
            "string-lf" => Subject::Body(self.static_format("string-lf", first)),
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
            at += usize::from(matches!(word.text, "name" | "value" | "name-lf" | "value-lf"));
            let mut how = "str";
            if words.get(at).is_some_and(|w| w.text == "-m") {
                how = words.get(at + 1)?.text;
                at += 2;
            }
            let text = *words.get(at)?;
            parts.push(self.matcher(how, text)?);
            at += 1;
        }
        let mut parts = parts.into_iter();
        Some(Subject::Header { name: parts.next()?, value: parts.next(), full })
    }

    fn matcher(&mut self, how: &str, word: Word<'t>) -> Option<Matcher> {
        let text = || Arc::from(word.text.as_bytes());
        Some(match how {
            "str" => Matcher::Text(Pattern::Whole, text()),
            "beg" => Matcher::Text(Pattern::Begin, text()),
            "end" => Matcher::Text(Pattern::End, text()),
            "sub" => Matcher::Text(Pattern::Inside, text()),
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
        [uri] => send.uri = Arc::from(uri.text.as_bytes()),
        [method, uri, ..] => {
            send.method = Arc::from(method.text.as_bytes());
            send.uri = Arc::from(uri.text.as_bytes());
        }
    }
    if let Some(host) = words.get(3) {
        send.headers.push((HeaderName::new("host"), Arc::from(host.text.as_bytes())));
    }
    if let Some(version) = words.get(2) {
        let mut lines = version.text.split(['\r', '\n']).filter(|l| !l.is_empty());
        send.version = Arc::from(lines.next().unwrap_or("HTTP/1.0").trim().as_bytes());
        for line in lines {
            if let Some((name, value)) = line.split_once(':') {
                send.headers.push((HeaderName::new(name.trim()), Arc::from(value.trim().as_bytes())));
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
