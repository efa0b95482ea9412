//! Actions of rules: words to [`Action`] and [`TcpAction`].

use super::Lowerer;
use super::proxy::{Making, set_name};
use crate::codes;
use crate::config::{CaptureKind, Rule};
use crate::keyword::{HA, HQ, HR, Sides, TC, TQ, TS};
use crate::tree::Word;
use crate::units::{self, Unit};
use lb_core::dns::Family;
use lb_core::expr::{Build, Phases, Program, VarConditions, VarName};
use lb_core::log::{Origin, Style, Template};
use lb_core::rule::marks::{ConnectionSide, MarkKind, SetMark};
use lb_core::rule::resolve::Resolve;
use lb_core::rule::tcp::{TcpAction, Track};
use lb_core::spec::LogProfile;
use lb_proto_http::normalize::Normalizer;
use lb_proto_http::spec::{Action, ServiceKind, TimeoutKind, TrackSlot};
use std::sync::Arc;

/// A rule being made: its words and how to name it.
pub(super) struct At<'a, 't> {
    words: &'a [Word<'t>],
    pub(super) owner: String,
    pub(super) phases: Phases,
}

impl<'t> At<'_, 't> {
    pub(super) fn head(&self) -> Word<'t> {
        self.words[0]
    }

    /// The `i`th argument; the grammar was checked before.
    pub(super) fn arg(&self, i: usize) -> Option<Word<'t>> {
        self.words.get(i + 1).copied()
    }

    /// What stands in parentheses behind the action's name, as a word.
    pub(super) fn inner(&self) -> Option<Word<'t>> {
        let head = self.head();
        let open = head.text.find('(')? + 1;
        let close = head.text.rfind(')').filter(|c| *c >= open)?;
        Some(Word { text: &head.text[open..close], span: head.part(open..close), plain: head.plain })
    }

    pub(super) fn rest(&self) -> &[Word<'t>] {
        &self.words[1..]
    }
}

impl<'t> Lowerer<'_, 't, '_, '_> {
    pub(super) fn http_action(
        &mut self,
        making: &Making<'_, 't>,
        rule: &Rule<'t>,
        set: Sides,
    ) -> Option<Action> {
        let phases = if set == HQ { making.request_phases() } else { making.response_phases() };
        let owner = format!("{} {}", set_name(set), rule.action.name);
        let at = At { words: &rule.words, owner, phases };
        let name = rule.action.name;
        match name {
            "allow" => Some(Action::Allow),
            "reject" => Some(Action::Reject),
            "silent-drop" => self.reset_ttl(&at).map(Action::SilentDrop),
            "do-log" => {
                let origin = match set {
                    HQ => Origin::HttpRequest,
                    HR => Origin::HttpResponse,
                    _ => Origin::HttpAfterResponse,
                };
                Some(Action::DoLog(origin, self.named_profile(&at)?))
            }
            "disable-l7-retry" => Some(Action::DisableRetry),
            "strict-mode" => Some(Action::StrictMode(at.arg(0)?.text == "on")),
            "deny" => {
                let status = if set == HQ { 403 } else { 502 };
                self.reply(at.rest(), status, at.phases, &at.owner).map(Action::Deny)
            }
            "tarpit" => self.reply(at.rest(), 500, at.phases, &at.owner).map(Action::Tarpit),
            "return" => self.reply(at.rest(), 200, at.phases, &at.owner).map(Action::Return),
            "redirect" => self.redirect(at.rest(), at.phases, &at.owner).map(Action::Redirect),
            "set-header" | "add-header" | "del-header" | "replace-header" | "replace-value"
            | "early-hint" => self.header_action(name, &at),
            "add-headers-bin" | "set-headers-bin" | "del-headers-bin" => {
                self.packed_fields(name, &at).map(Action::PackedFields)
            }
            "set-method" | "set-path" | "set-pathq" | "set-query" | "set-uri" | "replace-path"
            | "replace-pathq" | "replace-uri" | "set-status" | "auth" => self.line_action(name, &at),
            "set-var" | "set-var-fmt" | "unset-var" => self.http_variable(name, &at),
            "set-map" | "del-map" | "add-acl" | "del-acl" => self.map_action(name, &at),
            "normalize-uri" => self.normalizer(&at).map(Action::NormalizeUri),
            _ => self.http_session_action(making, &at, rule, set),
        }
    }

    fn normalizer(&mut self, at: &At<'_, 't>) -> Option<Normalizer> {
        self.nothing_behind(at.arg(2), at)?;
        let (name, option) = (at.arg(0)?, at.arg(1));
        let expected = match name.text {
            "path-strip-dotdot" => Some("full"),
            "percent-decode-unreserved" | "percent-to-uppercase" => Some("strict"),
            _ => None,
        };
        if let Some(word) = option.filter(|word| Some(word.text) != expected) {
            self.action_error(
                word,
                &at.owner,
                &format!("unknown argument '{}' for '{}'", word.text, name.text),
            );
            return None;
        }
        let on = option.is_some();
        Some(match name.text {
            "fragment-encode" => Normalizer::FragmentEncode,
            "fragment-strip" => Normalizer::FragmentStrip,
            "path-merge-slashes" => Normalizer::MergeSlashes,
            "path-strip-dot" => Normalizer::StripDot,
            "path-strip-dotdot" => Normalizer::StripDotDot { full: on },
            "percent-decode-unreserved" => Normalizer::DecodeUnreserved { strict: on },
            "percent-to-uppercase" => Normalizer::PercentToUppercase { strict: on },
            "query-sort-by-name" => Normalizer::SortQuery,
            other => {
                self.action_error(name, &at.owner, &format!("unknown normalizer '{other}'"));
                return None;
            }
        })
    }

    /// The `i`th argument as a format of a header value.
    pub(super) fn fmt(&mut self, at: &At<'_, 't>, i: usize) -> Option<Template> {
        self.header_template(at.arg(i)?, at.phases, &at.owner)
    }

    fn line_action(&mut self, name: &str, at: &At<'_, 't>) -> Option<Action> {
        Some(match name {
            "set-method" => Action::SetMethod(self.fmt(at, 0)?),
            "set-path" => Action::SetPath(self.fmt(at, 0)?),
            "set-pathq" => Action::SetPathQuery(self.fmt(at, 0)?),
            "set-query" => Action::SetQuery(self.fmt(at, 0)?),
            "set-uri" => Action::SetUri(self.fmt(at, 0)?),
            "replace-path" => Action::ReplacePath(self.regex(at.arg(0)?, &at.owner)?, self.fmt(at, 1)?),
            "replace-pathq" => Action::ReplacePathQuery(self.regex(at.arg(0)?, &at.owner)?, self.fmt(at, 1)?),
            "replace-uri" => Action::ReplaceUri(self.regex(at.arg(0)?, &at.owner)?, self.fmt(at, 1)?),
            "set-status" => {
                let reason = at.arg(2).map(|w| Arc::from(w.text.as_bytes()));
                Action::SetStatus(at.arg(0)?.text.parse().ok()?, reason)
            }
            _ => match at.arg(1) {
                Some(_) => Action::Auth(Some(self.fmt(at, 1)?)),
                None => Action::Auth(None),
            },
        })
    }

    fn http_variable(&mut self, name: &str, at: &At<'_, 't>) -> Option<Action> {
        let (variable, when) = self.conditional_variable(name, at)?;
        Some(match name {
            "unset-var" => Action::UnsetVar(variable),
            "set-var" => Action::SetVar(variable, self.program_in(at.rest(), at.phases, &at.owner)?, when),
            _ => Action::SetVarFmt(variable, self.plain_format(at)?, when),
        })
    }

    fn tcp_variable(&mut self, name: &str, at: &At<'_, 't>) -> Option<TcpAction> {
        let (variable, when) = self.conditional_variable(name, at)?;
        Some(match name {
            "unset-var" => TcpAction::UnsetVar(variable),
            "set-var" => TcpAction::SetVar(variable, self.program_in(at.rest(), at.phases, &at.owner)?, when),
            _ => TcpAction::SetVarFmt(variable, self.plain_format(at)?, when),
        })
    }

    /// The name in parentheses and the conditions behind it, of an action that takes so many words, or an expression.
    fn conditional_variable(&mut self, name: &str, at: &At<'_, 't>) -> Option<(VarName, VarConditions)> {
        match name {
            "unset-var" => self.nothing_behind(at.arg(0), at)?,
            "set-var-fmt" => self.nothing_behind(at.arg(1), at)?,
            _ => {}
        }
        let Some(inner) = at.inner() else {
            self.action_error(at.head(), &at.owner, "a variable's name is needed in parentheses");
            return None;
        };
        let mut words = inner.text.split(',');
        let name = VarName::parse(words.next().unwrap_or(""));
        match name.and_then(|name| Ok((name, VarConditions::parse(words)?))) {
            Ok(both) => Some(both),
            Err(message) => {
                self.action_error(inner, &at.owner, &message);
                None
            }
        }
    }

    fn plain_format(&mut self, at: &At<'_, 't>) -> Option<Template> {
        let Some(word) = at.arg(0) else {
            self.action_error(at.head(), &at.owner, "a format is needed");
            return None;
        };
        self.template(word, Style::Plain, at.phases, &at.owner)
    }

    fn map_action(&mut self, name: &str, at: &At<'_, 't>) -> Option<Action> {
        let Some(file) = at.inner() else {
            self.action_error(at.head(), &at.owner, "the name of a list is needed in parentheses");
            return None;
        };
        // A list that only rules change may start without a file.
        let optional = format!("opt@{}", file.text);
        let source = if file.text.contains('@') { file.text } else { optional.as_str() };
        let reference = match self.context.patterns(source, name.ends_with("map")) {
            Ok(reference) => reference,
            Err(message) => {
                self.action_error(file, &at.owner, &message);
                return None;
            }
        };
        let key = self.plain_format(at)?;
        let words = if name == "set-map" { 2 } else { 1 };
        self.nothing_behind(at.arg(words), at)?;
        Some(match name {
            "set-map" => {
                let Some(value) = at.arg(1) else {
                    self.action_error(at.head(), &at.owner, "a key and a value are needed");
                    return None;
                };
                Action::SetMap(reference, key, self.template(value, Style::Plain, at.phases, &at.owner)?)
            }
            "add-acl" => Action::AddAcl(reference, key),
            _ => Action::DelMap(reference, key),
        })
    }

    fn http_session_action(
        &mut self,
        making: &Making<'_, 't>,
        at: &At<'_, 't>,
        rule: &Rule<'t>,
        set: Sides,
    ) -> Option<Action> {
        let name = rule.action.name;
        Some(match name {
            "capture" => {
                let (value, slot, limit) = self.capture(making, at, rule)?;
                Action::Capture { value, slot, response: set != HQ, limit }
            }
            "set-log-level" => Action::SetLogLevel(lb_core::log::syslog::level(at.arg(0)?.text)),
            "set-src" => Action::SetSrc(self.program_in(at.rest(), at.phases, &at.owner)?),
            "set-src-port" => Action::SetSrcPort(self.program_in(at.rest(), at.phases, &at.owner)?),
            "set-dst" => Action::SetDst(self.program_in(at.rest(), at.phases, &at.owner)?),
            "set-dst-port" => Action::SetDstPort(self.program_in(at.rest(), at.phases, &at.owner)?),
            "do-resolve" => Action::Resolve(self.resolve(at)?),
            _ if is_mark(name) => Action::SetMark(self.packet_mark(name, at)?),
            "set-priority-class" => {
                Action::SetPriorityClass(self.program_in(at.rest(), at.phases, &at.owner)?)
            }
            "set-priority-offset" => {
                Action::SetPriorityOffset(self.program_in(at.rest(), at.phases, &at.owner)?)
            }
            "set-retries" => Action::SetRetries(self.number(at)?),
            "pause" => Action::Pause(self.duration(at.rest(), at)?),
            "set-timeout" => self.set_timeout(at)?,
            "wait-for-body" => self.wait_for_body(at)?,
            "use-service" => self.service(at)?,
            "set-bandwidth-limit" => Action::SetBandwidth(self.set_bandwidth(making, at)?),
            _ if name.starts_with("track-sc") => {
                let (counter, key, table) = self.track(at)?;
                Action::Track(TrackSlot { counter, key, table })
            }
            "cache-use" | "cache-store" => {
                self.cache(at);
                return None;
            }
            _ if name.starts_with("sc-") => Action::Counter(self.counter(name, at)?),
            _ => {
                if !matches!(rule.action.status, crate::keyword::Status::NoEffect(_)) {
                    self.not_carried_out(at.head().span, &at.owner);
                }
                return None;
            }
        })
    }

    /// `set-timeout <which> { <time> | <expr> }`
    fn set_timeout(&mut self, at: &At<'_, 't>) -> Option<Action> {
        let kind = match at.arg(0)?.text {
            "client" => TimeoutKind::Client,
            "server" => TimeoutKind::Server,
            "tunnel" => TimeoutKind::Tunnel,
            "connect" => TimeoutKind::Connect,
            "queue" => TimeoutKind::Queue,
            "tarpit" => TimeoutKind::Tarpit,
            _ => return None,
        };
        let value = at.arg(1)?;
        let needed = matches!(kind, TimeoutKind::Client | TimeoutKind::Tarpit);
        if needed && units::time(value.text, Unit::Milli).is_ok_and(|time| time.is_zero()) {
            let which = at.arg(0)?.text;
            let message = format!("null value is not valid for a 'set-timeout {which}' rule");
            self.action_error(value, &at.owner, &message);
            return None;
        }
        Some(Action::SetTimeout(kind, self.duration(&at.words[2..], at)?))
    }

    /// `wait-for-body time <time> [ at-least <bytes> ]`
    fn wait_for_body(&mut self, at: &At<'_, 't>) -> Option<Action> {
        const SYNTAX: &str = "expects time <time> [ at-least <bytes> ]";
        let (mut time, mut at_least) = (None, 0);
        let large = at.rest().iter().find(|word| word.text == "use-large-buffer");
        if let Some(large) = large.filter(|_| self.value("tune.bufsize.large").is_none()) {
            let message = "cannot use large buffers, 'tune.bufsize.large' global parameter must be set";
            self.action_error(*large, &at.owner, message);
            return None;
        }
        let mut words = at.rest().iter().filter(|word| word.text != "use-large-buffer");
        while let Some(word) = words.next() {
            let value = words.next().map_or("", |word| word.text);
            let read = match word.text {
                "time" => units::time(value, Unit::Milli).map(|read| time = Some(read)).is_ok(),
                "at-least" => {
                    let read = units::size(value).ok().and_then(|size| u32::try_from(size).ok());
                    read.map(|read| at_least = read).is_some()
                }
                _ => false,
            };
            if !read {
                let message = format!("{SYNTAX}, not '{}'", format!("{} {value}", word.text).trim_end());
                self.action_error(*word, &at.owner, &message);
                return None;
            }
        }
        if time.is_none() {
            self.action_error(at.head(), &at.owner, SYNTAX);
        }
        Some(Action::WaitForBody { time: time?, at_least: at_least as usize })
    }

    /// Caches do not act, but a name that exists nowhere is a mistake all the same.
    fn cache(&mut self, at: &At<'_, 't>) {
        let Some(word) = at.arg(0) else { return };
        if !self.config.caches.iter().any(|c| c.text == word.text) {
            self.error(
                codes::UNKNOWN_NAME,
                word.span,
                format!("there is no `cache` section `{}`", word.text),
                format!("unable to find the cache '{}' referenced by the filter 'cache'.", word.text),
            );
        }
    }

    fn service(&mut self, at: &At<'_, 't>) -> Option<Action> {
        let word = at.arg(0)?;
        if word.text == "prometheus-exporter" {
            return Some(Action::UseService(ServiceKind::Prometheus));
        }
        self.action_error(
            word,
            &at.owner,
            &format!("unknown service '{}', only 'prometheus-exporter' exists", word.text),
        );
        None
    }

    /// The value of `capture`, its slot and length.
    fn capture(
        &mut self,
        making: &Making<'_, 't>,
        at: &At<'_, 't>,
        rule: &Rule<'t>,
    ) -> Option<(Program, usize, usize)> {
        let rest = at.rest();
        let Some(position) = rest.iter().rposition(|w| matches!(w.text, "len" | "id")) else {
            self.action_error(at.head(), &at.owner, "expects 'len' or 'id' behind the expression");
            return None;
        };
        let given = rest.get(position + 1).map(|word| word.text);
        let (number, expected) = match rest[position].text {
            "len" => (given.and_then(units::counted::<u32>).filter(|n| *n > 0), "length must be > 0"),
            _ => (given.and_then(|text| text.parse().ok()), "expects a number"),
        };
        let Some(number) = number.map(|number| number as usize) else {
            self.action_error(rest[position], &at.owner, expected);
            return None;
        };
        self.nothing_behind(rest.get(position + 2).copied(), at)?;
        let value = self.program_in(&rest[..position], at.phases, &at.owner)?;
        Some(match rule.slot {
            Some(slot) => (value, self.slots_before(making, rule) + slot, number),
            // `id` names a slot declared before; its own length limits the value.
            None => {
                self.declared_slot(making, rule, number, rest[position])?;
                (value, number, usize::MAX)
            }
        })
    }

    /// How many slots are declared in the sections that the section of `rule` inherits from.
    fn slots_before(&self, making: &Making<'_, 't>, rule: &Rule<'t>) -> usize {
        let kind = capture_kind(rule);
        let chain = std::iter::once(making.proxy).chain(self.config.bases(making.proxy));
        chain
            .skip_while(|p| !p.lists.rules.iter().any(|r| std::ptr::eq(r, rule)))
            .skip(1)
            .map(|p| p.lists.captures.iter().filter(|c| c.kind == kind).count())
            .sum()
    }

    /// Reports a capture into a slot that does not exist. Backends write into the slots of any frontend.
    fn declared_slot(
        &mut self,
        making: &Making<'_, 't>,
        rule: &Rule<'t>,
        slot: usize,
        word: Word<'t>,
    ) -> Option<()> {
        let kind = capture_kind(rule);
        let declared: usize = std::iter::once(making.proxy)
            .chain(self.config.bases(making.proxy))
            .map(|p| p.lists.captures.iter().filter(|c| c.kind == kind).count())
            .sum();
        if !making.proxy.has_frontend() || slot < declared {
            return Some(());
        }
        self.error(
            codes::UNKNOWN_NAME,
            word.span,
            format!("this proxy declares no capture slot {slot}"),
            format!(
                "Proxy '{}': unable to find capture id '{slot}' referenced by {} rule.",
                making.proxy.name, rule.action.name
            ),
        );
        None
    }

    /// A time, or an expression in milliseconds.
    fn duration(&mut self, words: &[Word<'t>], at: &At<'_, 't>) -> Option<Program> {
        let first = words.first()?;
        if let Ok(time) = units::time(first.text, Unit::Milli) {
            return self.constant(time.as_millis() as u64, words, at);
        }
        self.program_in(words, at.phases, &at.owner)
    }

    /// `set-mark`, `set-tos` and their `fc` and `bc` forms: a number in any usual base, or an expression.
    fn packet_mark(&mut self, name: &str, at: &At<'_, 't>) -> Option<SetMark> {
        let value = match units::any_base(at.arg(0)?.text) {
            Some(number) => self.constant(number, at.rest(), at)?,
            None => self.program_in(at.rest(), at.phases, &at.owner)?,
        };
        let side = if name.starts_with("set-bc") { ConnectionSide::Back } else { ConnectionSide::Front };
        let kind = if name.ends_with("mark") { MarkKind::Mark } else { MarkKind::TypeOfService };
        Some(SetMark { side, kind, value })
    }

    /// `do-resolve(<variable>,<resolvers>[,ipv4|ipv6]) <name>`.
    fn resolve(&mut self, at: &At<'_, 't>) -> Option<Resolve> {
        let inner = at.inner().unwrap_or_else(|| at.head());
        let words: Vec<&'t str> = inner.text.split(',').collect();
        let (variable, section, prefer) = match words[..] {
            [variable, section] => (variable, section, Family::V6),
            [variable, section, "ipv6"] => (variable, section, Family::V6),
            [variable, section, "ipv4"] => (variable, section, Family::V4),
            _ => {
                let message = "expects 'do-resolve(<varname>,<resolvers>[,ipv4|ipv6]) <expr>'";
                self.action_error(inner, &at.owner, message);
                return None;
            }
        };
        let variable = match VarName::parse(variable) {
            Ok(name) => name,
            Err(message) => {
                self.action_error(inner, &at.owner, &message);
                return None;
            }
        };
        let Some(resolvers) = self.resolvers(section) else {
            let message = format!("unable to find resolvers '{section}' referenced by do-resolve action");
            self.action_error(inner, &at.owner, &message);
            return None;
        };
        Some(Resolve { variable, resolvers, prefer, name: self.program_in(at.rest(), at.phases, &at.owner)? })
    }

    /// A number of attempts, or an expression.
    fn number(&mut self, at: &At<'_, 't>) -> Option<Program> {
        match at.arg(0)?.text.parse() {
            Ok(101..) => {
                let message = "expects an expression or an integer between 1 and 100";
                self.action_error(at.arg(0)?, &at.owner, message);
                None
            }
            Ok(number) => self.constant(number, at.rest(), at),
            Err(_) => self.program_in(at.rest(), at.phases, &at.owner),
        }
    }

    /// The program of a number that was written as the only word of `words`.
    pub(super) fn constant(&mut self, number: u64, words: &[Word<'t>], at: &At<'_, 't>) -> Option<Program> {
        self.nothing_behind(words.get(1).copied(), at)?;
        lb_core::expr::parse::parse(&format!("int({number})"), self.registry, &mut self.context).ok()
    }

    /// A word where a rule has all it needs is a mistake.
    pub(super) fn nothing_behind(&mut self, word: Option<Word<'t>>, at: &At<'_, 't>) -> Option<()> {
        let Some(word) = word else { return Some(()) };
        self.action_error(word, &at.owner, &format!("cannot handle unexpected argument '{}'", word.text));
        None
    }

    pub(super) fn tcp_action(
        &mut self,
        making: &Making<'_, 't>,
        rule: &Rule<'t>,
        set: Sides,
    ) -> Option<TcpAction> {
        let owner = format!("{} {}", set_name(set), rule.action.name);
        let at = At { words: &rule.words, owner, phases: tcp_phases(making, set) };
        let name = rule.action.name;
        Some(match name {
            "accept" => TcpAction::Accept,
            "reject" => TcpAction::Reject,
            "close" => TcpAction::Close,
            "silent-drop" => TcpAction::SilentDrop(self.reset_ttl(&at)?),
            "expect-proxy" => TcpAction::ExpectProxy,
            "set-var" | "set-var-fmt" | "unset-var" => self.tcp_variable(name, &at)?,
            "set-src" => TcpAction::SetSrc(self.program_in(at.rest(), at.phases, &at.owner)?),
            "set-src-port" => TcpAction::SetSrcPort(self.program_in(at.rest(), at.phases, &at.owner)?),
            "set-dst" => TcpAction::SetDst(self.program_in(at.rest(), at.phases, &at.owner)?),
            "set-dst-port" => TcpAction::SetDstPort(self.program_in(at.rest(), at.phases, &at.owner)?),
            "do-resolve" => TcpAction::Resolve(self.resolve(&at)?),
            _ if is_mark(name) => TcpAction::SetMark(self.packet_mark(name, &at)?),
            "set-priority-class" => {
                TcpAction::SetPriorityClass(self.program_in(at.rest(), at.phases, &at.owner)?)
            }
            "set-priority-offset" => {
                TcpAction::SetPriorityOffset(self.program_in(at.rest(), at.phases, &at.owner)?)
            }
            "set-log-level" => TcpAction::SetLogLevel(lb_core::log::syslog::level(at.arg(0)?.text)),
            "capture" => {
                let (value, slot, limit) = self.capture(making, &at, rule)?;
                TcpAction::Capture(value, slot, limit)
            }
            "switch-mode" => {
                if !making.proxy.has_frontend() {
                    self.action_error(at.head(), &at.owner, "needs a section with a frontend");
                    return None;
                }
                TcpAction::SwitchMode
            }
            "do-log" => TcpAction::DoLog(self.named_profile(&at)?),
            "set-bandwidth-limit" => TcpAction::SetBandwidth(self.set_bandwidth(making, &at)?),
            _ if name.starts_with("track-sc") => {
                let (slot, key, table) = self.track(&at)?;
                TcpAction::Track(Track { slot, key, table })
            }
            _ if name.starts_with("sc-") => TcpAction::Counter(self.counter(name, &at)?),
            _ => {
                if !matches!(rule.action.status, crate::keyword::Status::NoEffect(_)) {
                    self.not_carried_out(at.head().span, &at.owner);
                }
                return None;
            }
        })
    }

    /// The TTL that a `silent-drop` resets the connection with, if it asks for a reset.
    fn reset_ttl(&mut self, at: &At<'_, 't>) -> Option<Option<u8>> {
        let message = match at.rest() {
            [] => return Some(None),
            [word, value] if word.text == "rst-ttl" => match units::any_base(value.text) {
                Some(ttl @ 1..=255) => return Some(u8::try_from(ttl).ok()),
                _ => "valid rst-ttl values are [1-255]",
            },
            [word] if word.text == "rst-ttl" => "missing rst-ttl value",
            _ => "expects nothing or 'rst-ttl' with a value, before a condition",
        };
        self.action_error(at.rest()[0], &at.owner, message);
        None
    }

    /// The profile that a `do-log` rule names, if it names one.
    fn named_profile(&mut self, at: &At<'_, 't>) -> Option<Option<Arc<LogProfile>>> {
        let Some(name) = at.arg(1) else { return Some(None) };
        let profile = self.log_profile(Some(name));
        if profile.is_none() {
            let message = format!("do-log action: profile '{}' is invalid", name.text);
            self.action_error(name, &at.owner, &message);
        }
        profile.map(Some)
    }

    pub(super) fn action_error(&mut self, word: Word<'t>, owner: &str, message: &str) {
        let compat = format!("error detected while parsing an '{owner}' rule : {message}.");
        self.error(codes::RULE, word.span, message.replace('\'', "`"), compat);
    }
}

/// Whether an action marks packets.
fn is_mark(name: &str) -> bool {
    name.starts_with("set-") && (name.ends_with("mark") || name.ends_with("tos"))
}

/// Whose slots a `capture` rule fills.
fn capture_kind(rule: &Rule<'_>) -> CaptureKind {
    if rule.set & (HR | HA) != 0 { CaptureKind::Response } else { CaptureKind::Request }
}

pub(super) fn tcp_phases(making: &Making<'_, '_>, set: Sides) -> Phases {
    let (front, back) = (making.proxy.has_frontend(), making.proxy.has_backend());
    match set {
        TC => Phases::CONNECTION,
        TS => Phases::SESSION,
        TQ if front && back => Phases::FE_REQUEST_CONTENT.or(Phases::BE_REQUEST_CONTENT),
        TQ if front => Phases::FE_REQUEST_CONTENT,
        TQ => Phases::BE_REQUEST_CONTENT,
        _ if front => Phases::FE_RESPONSE_CONTENT.or(Phases::BE_RESPONSE_CONTENT),
        _ => Phases::BE_RESPONSE_CONTENT,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::load::tests::load_text;
    use lb_core::expr::{Arena, Env, NoFacts, Now, Vars};
    use lb_core::rule::marks::PacketMarks;
    use lb_core::spec::TcpProxy;
    use lb_proto_http::spec::HttpProxy;

    /// What a line of a proxy comes to, or what is wrong with it.
    pub(in crate::lower) fn lowered(line: &str) -> Result<String, Vec<String>> {
        let text = format!("listen a\n mode http\n bind :80\n {line}\n server s 192.0.2.1:80\n");
        let loaded = load_text(&text);
        if loaded.diagnostics.has_errors() {
            return Err(loaded.diagnostics.iter().map(|d| d.message.clone()).collect());
        }
        let http = loaded.spec.proxies[0].protocol.as_any().downcast_ref::<HttpProxy>().unwrap();
        Ok(format!("{:?} {:?}", http.request, http.servers))
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "expressions need a time, whatever it is")]
    fn packets_are_marked_with_numbers_of_any_base_and_with_expressions() {
        let rules =
            ["set-bc-mark 0x10", "set-tos 010", "set-fc-tos int(7)"].map(|r| format!(" http-request {r}\n"));
        let text = format!(
            "listen a\n mode http\n bind :80\n tcp-request connection set-mark 3\n{}",
            rules.concat()
        );
        let loaded = load_text(&text);
        let http = loaded.spec.proxies[0].protocol.as_any().downcast_ref::<HttpProxy>().unwrap();
        let facts = NoFacts(Now { date: std::time::Duration::ZERO, instant: std::time::Instant::now() });
        let arena = Arena::new();
        let env = Env::new(&facts, Vars::NONE, &arena);
        let seen: Vec<_> = http
            .request
            .rules()
            .iter()
            .map(|rule| match &rule.action {
                Action::SetMark(set) => (set.side, set.eval(&env)),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            seen,
            [
                (ConnectionSide::Back, PacketMarks { mark: Some(16), tos: None }),
                (ConnectionSide::Front, PacketMarks { mark: None, tos: Some(8) }),
                (ConnectionSide::Front, PacketMarks { mark: None, tos: Some(7) }),
            ]
        );
        assert_eq!(loaded.spec.proxies[0].tcp_rules.connection.rules().len(), 1);
    }

    #[test]
    fn rules_on_contents_know_the_backend_where_the_proxy_is_one() {
        let rules = "bind :80\n tcp-request content set-var(txn.a) be_name\n tcp-request content accept if { be_id 1 }";
        for (kind, refused) in [("listen", false), ("frontend", true)] {
            let text = format!("{kind} l\n mode tcp\n {rules}\n");
            let loaded = load_text(&text);
            assert_eq!(loaded.diagnostics.has_errors(), refused, "{kind}: {:?}", loaded.diagnostics);
        }
    }

    #[test]
    fn a_frontend_in_tcp_mode_knows_http_where_its_sessions_may_go_on_with_it() {
        let backends = "backend h\n mode http\nbackend t\n mode tcp\n";
        for (lines, expected) in [
            ("", false),
            (" default_backend t\n", false),
            (" default_backend h\n", true),
            (" use_backend h if { src 192.0.2.1 }\n default_backend t\n", true),
            (" use_backend %[src]\n default_backend t\n", true),
            (" tcp-request content switch-mode http proto h1\n default_backend t\n", true),
        ] {
            let text = format!("{backends}frontend f\n mode tcp\n bind :80\n http-request deny\n{lines}");
            let loaded = load_text(&text);
            let front = loaded.spec.proxies.last().unwrap();
            let tcp = front.protocol.as_any().downcast_ref::<TcpProxy>().unwrap();
            assert_eq!(tcp.upgrade.is_some(), expected, "{lines}");
            let useless = loaded.diagnostics.iter().any(|d| d.code == codes::MODE);
            assert_eq!(useless, !expected, "{lines}");
        }
        let text = "backend b\n tcp-request content switch-mode http\n";
        let loaded = load_text(text);
        assert!(loaded.diagnostics.has_errors());
    }

    #[test]
    fn the_size_of_a_body_to_wait_for_may_stand_behind_other_words() {
        for words in ["time 1s at-least 2k", "at-least 2k time 1s", "time 2s time 1s at-least 2k"] {
            let rules = lowered(&format!("http-request wait-for-body {words}")).unwrap();
            assert!(rules.contains("time: 1s, at_least: 2048"), "{words}: {rules}");
        }
        for wrong in ["", "at-least 2k", "time", "time x", "time 1s at-least 4g", "time 1s use-large-buffer"]
        {
            assert!(lowered(&format!("http-request wait-for-body {wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn captures_are_as_long_as_the_digits_say() {
        let capture = |words: &str| lowered(&format!("http-request capture src {words}"));
        assert!(capture("len 12x").unwrap().contains("limit: 12"));
        assert!(capture("len 99999999999").unwrap().contains("limit: 2147483647"));
        for wrong in ["len 0", "len x", "len -1", "len", "id x", "id 7", "len 12 junk", "id 0 junk"] {
            assert!(capture(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn timeouts_to_set_have_a_name_and_a_value() {
        let set = |words: &str| lowered(&format!("http-request set-timeout {words}"));
        assert!(set("tunnel 0").is_ok() && set("client int(5),add(1)").is_ok());
        for wrong in ["", "client", "nosuch 1s", "client 0", "tarpit 0s", "client 1s x"] {
            assert!(set(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nothing_follows_the_table_of_a_tracked_key() {
        let track = |words: &str| {
            lowered(&format!("stick-table type ip size 1k\n http-request track-sc0 src {words}"))
        };
        assert!(track("").is_ok());
        for wrong in ["junk", "table", "table b junk"] {
            assert!(track(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_silent_drop_may_name_the_ttl_of_its_reset() {
        let drop = |words: &str| lowered(&format!("http-request silent-drop {words}"));
        assert!(drop("").unwrap().contains("SilentDrop(None)"));
        assert!(drop("rst-ttl 64").unwrap().contains("SilentDrop(Some(64))"));
        assert!(drop("rst-ttl 0x10 if TRUE").unwrap().contains("SilentDrop(Some(16))"));
        for wrong in ["rst-ttl", "rst-ttl 0", "rst-ttl 256", "rst-ttl 1x", "nosuch", "rst-ttl 1 2"] {
            assert!(drop(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_name_of_a_server_may_be_computed() {
        assert!(lowered("use-server %[src] if TRUE").unwrap().contains("Dynamic"));
        assert!(lowered("use-server s if TRUE").unwrap().contains("Named"));
        for wrong in ["%[nosuch]", "nosuch"] {
            assert!(lowered(&format!("use-server {wrong} if TRUE")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_condition_without_a_test_fails() {
        assert!(lowered("http-request deny if").unwrap().contains("alternatives: []"));
    }
}
