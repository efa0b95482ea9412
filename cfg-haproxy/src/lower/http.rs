//! `mode http` to [`HttpProxy`].
//!
//! Defaults: connections are kept, server connections are shared safely, a client that leaves loses its place.

use super::Lowerer;
use super::proxy::Making;
use crate::address;
use crate::codes;
use crate::config::{CaptureKind, ConnectionOption, Cookie, ForwardFor as Forward, ProxyMode};
use crate::keyword::{HA, HQ, HR, Sides};
use crate::tree::Word;
use lb_core::expr::Phases;
use lb_core::log::Style;
use lb_core::name::ServerName;
use lb_core::rule::{Rule, RuleSet};
use lb_core::spec::ServerChoice;
use lb_proto_http::forwarded::{Forwarded, Source};
use lb_proto_http::head::HeaderName;
use lb_proto_http::spec::{
    Action, CaptureSlot, Captures, Compression, CompressionAlgorithm, ConnectionMode, CookieMode, CookieSpec,
    ForwardFor, HttpProxy, LogUriLimit, OriginalTo, Redirect, RestrictNames, RetryOn, Reuse,
};
use std::sync::Arc;

impl<'t> Lowerer<'_, 't, '_, '_> {
    pub(super) fn http(&mut self, making: &Making<'_, 't>) -> HttpProxy {
        let mut http = HttpProxy::new();
        self.http_options(making, &mut http);
        self.http_head(making, &mut http);
        self.http_rules(making, &mut http);
        http.errors = self.error_replies(making);
        http.stats = self.stats_page(making);
        http.users = Arc::clone(&self.users);
        http
    }

    fn http_options(&self, making: &Making<'_, 't>, http: &mut HttpProxy) {
        let settings = making.settings;
        http.connection = match settings.connection.map(|c| c.value) {
            Some(ConnectionOption::ServerClose) => ConnectionMode::ServerClose,
            Some(ConnectionOption::Close) => ConnectionMode::Close,
            _ => ConnectionMode::KeepAlive,
        };
        http.request_limits.lenient = making.on("accept-unsafe-violations-in-http-request");
        http.response_limits.lenient = making.on("accept-unsafe-violations-in-http-response");
        if let Some(fields) = self.value("tune.http.maxhdr") {
            http.request_limits.fields = (fields as usize).saturating_sub(1);
            http.response_limits.fields = http.request_limits.fields;
        }
        if let Some(size) = self.value("tune.bufsize") {
            let reserve = self.value("tune.maxrewrite").unwrap_or(1024).min(size / 2);
            http.request_limits.head = (size - reserve) as usize;
            http.response_limits.head = http.request_limits.head;
        }
        http.buffer_request = making.on("http-buffer-request");
        http.ignore_probes = making.on("http-ignore-probes");
        http.abort_on_close = settings
            .switches
            .get("abortonclose")
            .and_then(|s| s.value)
            .unwrap_or_else(|| !self.config.older_than((3, 3)));
        http.proxy_fields = making.on("http-use-proxy-header");
        http.pretend_keepalive = making.on("http-pretend-keepalive");
        http.prefer_last_server = making.on("prefer-last-server");
        http.case_adjust_client = making.on("h1-case-adjust-bogus-client");
        http.case_adjust_server = making.on("h1-case-adjust-bogus-server");
        if http.case_adjust_client || http.case_adjust_server {
            let names = &self.config.global.case_adjust;
            http.case_adjust =
                names.iter().map(|name| (HeaderName::new(name), Arc::from(name.as_bytes()))).collect();
        }
        http.rewrite.buffer = self.value("tune.bufsize").map_or(http.rewrite.buffer, |n| n as usize);
        http.rewrite.reserve = self.value("tune.maxrewrite").map_or(http.rewrite.reserve, |n| n as usize);
        http.rewrite.reserve = http.rewrite.reserve.min(http.rewrite.buffer / 2);
        http.no_delay = making.on("http-no-delay");
        http.continuous_stats = making.on("contstats");
        http.reuse = match settings.http_reuse.as_ref().map(|r| r.value) {
            Some("never") => Reuse::Never,
            Some("aggressive") => Reuse::Aggressive,
            Some("always") => Reuse::Always,
            None if making.proxy.has_backend() && self.config.older_than((1, 9)) => Reuse::Never,
            _ => Reuse::Safe,
        };
        http.restrict_names = match settings.restrict_names.as_ref().map(|r| r.value) {
            Some("delete") => RestrictNames::Delete,
            Some("reject") => RestrictNames::Reject,
            _ => RestrictNames::Preserve,
        };
        if let Some(limit) = self.value("tune.http.logurilen") {
            http.log_uri_limit = LogUriLimit(limit as usize);
        }
    }

    fn http_head(&mut self, making: &Making<'_, 't>, http: &mut HttpProxy) {
        let settings = making.settings;
        http.forward_for = settings.forward_for.as_ref().map(|f| forward_for(&f.value));
        http.original_to = settings.original_to.as_ref().map(|f| {
            let mut to = OriginalTo::default();
            to.header = f.value.header.map(|h| HeaderName::new(h.text));
            to.except = f.value.except.and_then(|word| address::network(word.text));
            to
        });
        let forwarded = settings.forwarded.as_ref().filter(|_| making.proxy.has_backend());
        http.forwarded = forwarded.and_then(|f| f.value.as_ref()).map(|words| self.forwarded(words));
        if let Some(words) = &settings.retry_on {
            http.retry_on = self.retry_on(&words.value);
        }
        http.compression = settings.compression.as_ref().map(|c| {
            let mut out = Compression::default();
            let named = |name: &&str| CompressionAlgorithm::by_name(name);
            out.algorithms = c.value.algorithms.iter().filter_map(named).collect();
            out.types = c.value.types.iter().map(|t| self.shared(t)).collect();
            out.offload = c.value.offload;
            out.min_size = c.value.min_size;
            out.request_algorithm = c.value.request_algorithm.as_ref().and_then(named);
            out.request_types = c.value.request_types.iter().map(|t| self.shared(t)).collect();
            out.request_min_size = c.value.request_min_size;
            out.responses = c.value.direction != Some("request");
            out.requests = matches!(c.value.direction, Some("request" | "both"));
            out.level = self.value("tune.comp.maxlevel").unwrap_or(1) as u32;
            out
        });
        http.captures = self.captures(making);
        http.monitor_uri = settings
            .monitor_uri
            .as_ref()
            .filter(|_| making.proxy.has_frontend())
            .map(|u| Arc::from(u.value.as_bytes()));
        http.unique_id = settings.unique_id_format.as_ref().and_then(|f| {
            self.template(
                f.value,
                Style::UniqueId,
                Phases::FE_REQUEST_HEADERS.or(Phases::BE_REQUEST_HEADERS).or(Phases::CHECK),
                "unique-id-format",
            )
        });
        http.unique_id_header = settings.unique_id_header.as_ref().map(|h| HeaderName::new(h.value));
        http.send_name_header = settings.send_name_header.as_ref().map(|h| HeaderName::new(h.value));
        http.cookie =
            settings.cookie.as_ref().filter(|_| making.proxy.has_backend()).map(|c| cookie(&c.value));
        let balance = settings.balance.as_ref().map(|balance| &balance.value);
        if let Some((words, messages)) = balance.and_then(|b| Some((b.expression.as_ref()?, b.messages))) {
            http.hash_key = match (messages, making.mode) {
                (false, _) => self.program(words, "balance hash"),
                (true, ProxyMode::Log) => self.log_hash(words),
                // Without messages there is nothing to hash, which has been said.
                (true, _) => None,
            };
        }
    }

    /// `option forwarded`; without words the protocol and the client are told.
    fn forwarded(&mut self, words: &[Word<'t>]) -> Forwarded {
        let mut out = Forwarded::default();
        if words.is_empty() {
            out.proto = true;
            out.client = Some(Source::Own);
        }
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            let part = word.text.trim_end_matches("-expr");
            let source = if part == word.text {
                Some(Source::Own)
            } else {
                words.next().and_then(|e| self.program(&[e], "option forwarded")).map(Source::Expression)
            };
            match part {
                "proto" => out.proto = true,
                "host" => out.host = source,
                "by" => out.by = source,
                "by_port" => out.by_port = source,
                "for" => out.client = source,
                _ => out.client_port = source,
            }
        }
        out
    }

    /// Slots in the order of their declaration, inherited ones first.
    fn captures(&self, making: &Making<'_, 't>) -> Captures {
        let mut out = Captures::default();
        let mut chain: Vec<_> = self.config.bases(making.proxy).collect();
        chain.reverse();
        chain.push(making.proxy);
        for line in chain.into_iter().flat_map(|p| &p.lists.captures) {
            let slot = CaptureSlot { header: line.name.map(HeaderName::new), limit: line.length as usize };
            match line.kind {
                CaptureKind::Cookie => {
                    let name = line.name.unwrap_or("");
                    out.cookie = Some((Arc::from(name.as_bytes()), line.length as usize));
                }
                CaptureKind::Request => out.request.push(slot),
                CaptureKind::Response => out.response.push(slot),
            }
        }
        out
    }

    fn http_rules(&mut self, making: &Making<'_, 't>, http: &mut HttpProxy) {
        http.request = self.http_set(making, HQ);
        http.response = self.http_set(making, HR);
        http.after_response = self.http_set(making, HA);
        http.redirects = self.redirects(making);
        for clause in &making.proxy.lists.use_servers {
            let Some(word) = clause.words.first().copied() else { continue };
            let choice = if word.text.contains('%') {
                let template = self.template(word, Style::Plain, Phases::SET_SERVER, "use-server");
                template.map(|template| ServerChoice::Dynamic(Arc::new(template)))
            } else {
                self.context.pin(making.proxy.name, word.text);
                Some(ServerChoice::Named(ServerName::new(word.text)))
            };
            let condition = self.clause_condition(clause, making, "use-server");
            if let (Some(choice), Ok(condition)) = (choice, condition) {
                http.servers.push(Rule::new(choice, condition));
            }
        }
        for (force, clause) in &making.proxy.lists.persistence {
            if let Ok(condition) = self.clause_condition(clause, making, "force-persist") {
                http.persistence.push(Rule::new(*force, condition));
            }
        }
        for clause in &making.proxy.lists.monitor_fail {
            if let Ok(Some(condition)) = self.clause_condition(clause, making, "monitor fail") {
                http.monitor_fail.push(condition);
            }
        }
    }

    fn http_set(&mut self, making: &Making<'_, 't>, set: Sides) -> RuleSet<Action> {
        let mut out = RuleSet::new();
        let phases = if set == HQ { making.request_phases() } else { making.response_phases() };
        for line in Self::rule_lines(self.config, making.proxy, set) {
            let owner = format!("{} {}", super::proxy::set_name(set), line.action.name);
            let condition = self.condition(line.cond.as_ref(), making, phases, &owner);
            let action = self.http_action(making, line, set);
            if let (Ok(condition), Some(action)) = (condition, action) {
                out.push(Rule::new(action, condition).at(self.place(line.words[0].span)));
            }
        }
        out
    }

    fn redirects(&mut self, making: &Making<'_, 't>) -> RuleSet<Redirect> {
        let mut out = RuleSet::new();
        for clause in &making.proxy.lists.redirects {
            let condition = self.clause_condition(clause, making, "redirect");
            let redirect = self.redirect(&clause.words, making.request_phases(), "redirect");
            if let (Ok(condition), Some(redirect)) = (condition, redirect) {
                out.push(Rule::new(redirect, condition));
            }
        }
        out
    }

    fn retry_on(&mut self, words: &[Word<'t>]) -> RetryOn {
        let mut retry = RetryOn::default();
        retry.connect = false;
        for word in words {
            match word.text {
                "none" if words.len() == 1 => {}
                "none" => self.error(
                    codes::WORD,
                    word.span,
                    "`none` of `retry-on` stands alone",
                    "'retry-on' 'none' keyword only usable alone.".to_owned(),
                ),
                "all-retryable-errors" => {
                    (retry.connect, retry.empty, retry.junk, retry.timeout, retry.early_data) =
                        (true, true, true, true, true);
                    retry.statuses.extend([500, 502, 503, 504]);
                }
                "conn-failure" => retry.connect = true,
                "empty-response" => retry.empty = true,
                "junk-response" => retry.junk = true,
                "response-timeout" => retry.timeout = true,
                "0rtt-rejected" => retry.early_data = true,
                status => match status.parse() {
                    Ok(status @ (401 | 403 | 404 | 408 | 421 | 425 | 429 | 500 | 501 | 502 | 503 | 504)) => {
                        retry.statuses.push(status);
                    }
                    _ => self.error(
                        codes::WORD,
                        word.span,
                        format!("`{status}` is nothing that can be retried"),
                        format!("'retry-on': unknown keyword '{status}'."),
                    ),
                },
            }
        }
        retry
    }
}

fn forward_for(option: &Forward<'_>) -> ForwardFor {
    let mut out = ForwardFor::new();
    out.header = option.header.map(|h| HeaderName::new(h.text));
    out.except = option.except.and_then(|word| address::network(word.text));
    out.if_none = option.if_none;
    out
}

fn cookie(cookie: &Cookie<'_>) -> CookieSpec {
    let mode = match (cookie.insert, cookie.rewrite, cookie.prefix) {
        (true, ..) => CookieMode::Insert,
        (_, true, _) => CookieMode::Rewrite,
        (.., true) => CookieMode::Prefix,
        _ => CookieMode::Passive,
    };
    let mut out = CookieSpec::new(cookie.name, mode);
    out.indirect = cookie.indirect;
    out.nocache = cookie.nocache;
    out.postonly = cookie.postonly;
    out.preserve = cookie.preserve;
    out.httponly = cookie.httponly;
    out.secure = cookie.secure;
    out.domains = cookie.domains.iter().map(|d| Arc::from(*d)).collect();
    out.maxidle = cookie.maxidle;
    out.maxlife = cookie.maxlife;
    out.attributes = cookie.attributes.iter().map(|a| Arc::from(*a)).collect();
    out
}

/// Whether `retry-on` with these words has failed connections tried again.
pub(super) fn reconnects(on: &[Word<'_>]) -> bool {
    on.iter().any(|word| matches!(word.text, "conn-failure" | "all-retryable-errors"))
}
