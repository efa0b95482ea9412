//! `log` lines and formats to [`ProxyLog`] and templates.

use super::Lowerer;
use crate::address::{Address, Place, Transport};
use crate::config::{LogFormatChoice, LogLine, LogTarget as Target, Proxy, ProxyMode, Settings};
use crate::formats;
use crate::tree::Word;
use lb_core::addr::Endpoint;
use lb_core::expr::Phases;
use lb_core::log::{Style, Template};
use lb_core::spec::{Facility, LogDestination, LogFormat, LogTarget, ProxyLog, SampleRange, Severity};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// Port of syslog (RFC 5426).
const SYSLOG: u16 = 514;

pub(super) fn target<'t>(lowerer: &mut Lowerer<'_, 't, '_, '_>, line: &LogLine<'t>) -> LogTarget {
    let destination = match &line.target {
        Target::Fd(fd) => LogDestination::Fd(*fd),
        Target::Ring(name) => LogDestination::Ring(Arc::from(name.text)),
        Target::Backend(name) => LogDestination::Backend(name.text.into()),
        Target::Address(address) => {
            let endpoint = lowerer.endpoint(address, SYSLOG);
            match address.transport {
                Some(Transport::Stream) => LogDestination::Ring(lowerer.own_ring(line, endpoint)),
                _ => LogDestination::Syslog(endpoint),
            }
        }
    };
    let mut target = LogTarget::new(destination, Facility(line.facility));
    target.max_level = line.level.unwrap_or(Severity::Debug);
    target.min_level = line.min_level.unwrap_or(Severity::Emerg);
    target.length = line.length.map_or(target.length, |n| n as usize);
    target.keeps_format = line.format.is_none();
    match line.format {
        Some(format) => target.format = log_format(format),
        // A host name that is to be sent needs a format with a place for it.
        None if lowerer.config.global.send_hostname.is_some() => target.format = LogFormat::Rfc3164,
        None => {}
    }
    if let Some((ranges, size)) = &line.sample {
        target.sample = Some(ranges.iter().map(|(from, to)| SampleRange { from: *from, to: *to }).collect());
        target.sample_size = *size;
    }
    target.profile = lowerer.log_profile(line.profile);
    target
}

pub(super) fn log_format(name: &str) -> LogFormat {
    match name {
        "rfc3164" => LogFormat::Rfc3164,
        "rfc5424" => LogFormat::Rfc5424,
        "priority" => LogFormat::Priority,
        "short" => LogFormat::Short,
        "timed" => LogFormat::Timed,
        "iso" => LogFormat::Iso,
        "raw" => LogFormat::Raw,
        _ => LogFormat::Local,
    }
}

impl<'t> Lowerer<'_, 't, '_, '_> {
    /// Where a connection to `address` goes; `port` counts if none is written.
    pub(super) fn endpoint(&mut self, address: &Address<'t>, port: u16) -> Endpoint {
        let port = address.port().unwrap_or(port);
        let inet = |ip: IpAddr| Endpoint::Inet(SocketAddr::new(ip, port));
        match address.place {
            Place::Wildcard(true) => inet(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
            Place::Wildcard(false) => inet(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            Place::Ip(ip) => inet(ip),
            Place::Name(name) => match self.context.resolve_any(name) {
                Some(ip) => inet(ip),
                None => Endpoint::Host { name: self.shared(name), port },
            },
            Place::Unix(path) => Endpoint::Unix(self.shared(path)),
            Place::Abstract(name) => Endpoint::Abstract(self.shared(name)),
            Place::Fd(fd) | Place::SocketPair(fd) => Endpoint::Fd(fd),
            // Refused when the line was checked.
            Place::Reverse(name) => Endpoint::Host { name: self.shared(name), port },
        }
    }

    /// `log` lines, those that stand for the ones of the `global` section among them.
    pub(super) fn log_lines<'c>(
        &mut self,
        lines: impl IntoIterator<Item = &'c Option<LogLine<'t>>>,
        log: &mut ProxyLog,
    ) where
        't: 'c,
    {
        for line in lines {
            match line {
                None => log.global = true,
                Some(line) => log.targets.push(target(self, line)),
            }
        }
    }

    pub(super) fn proxy_log(&mut self, proxy: &Proxy<'t>, settings: &Settings<'t>) -> ProxyLog {
        let config = self.config;
        let mut log = ProxyLog::default();
        // A proxy's own lines come after those it inherits, unless it said `no log`.
        let mut chain: Vec<&Proxy<'t>> = Vec::new();
        if !proxy.lists.no_log {
            for base in config.bases(proxy) {
                chain.push(base);
                if base.lists.no_log {
                    break;
                }
            }
            chain.reverse();
        }
        chain.push(proxy);
        self.log_lines(chain.iter().flat_map(|p| &p.lists.log), &mut log);
        let on = |name: &str| settings.switches.get(name).is_some_and(|s| s.value == Some(true));
        log.tag = settings.log_tag.as_ref().map(|t| Arc::from(t.value));
        log.dontlognull = on("dontlognull");
        log.dontlog_normal = on("dontlog-normal");
        log.separate_errors = on("log-separate-errors");
        log.asap = on("logasap");
        log.steps = settings.log_steps.as_ref().and_then(|steps| self.log_steps(steps.value));
        log.captures = chain.iter().any(|proxy| !proxy.lists.captures.is_empty());
        log
    }

    /// What a proxy logs; `None` is the short default line.
    pub(super) fn log_template(&mut self, settings: &Settings<'t>, mode: ProxyMode) -> Option<Template> {
        let choice = settings.log_format.as_ref()?;
        let text = match &choice.value {
            LogFormatChoice::Custom(word) => return self.log_text(*word, "log-format"),
            // Without HTTP there are no requests to log, so connections are, as HAProxy does.
            LogFormatChoice::Http(_) | LogFormatChoice::Https if mode != ProxyMode::Http => formats::TCP,
            LogFormatChoice::Http(false) => formats::HTTP,
            LogFormatChoice::Http(true) => formats::HTTP_CLF,
            LogFormatChoice::Https => formats::HTTPS,
            LogFormatChoice::Tcp(false) => formats::TCP,
            LogFormatChoice::Tcp(true) => formats::TCP_CLF,
        };
        let word = Word { text, span: choice.span, plain: false };
        self.template(word, Style::Log, Phases::LOG, "log-format")
    }

    /// `log-format` and its kin.
    pub(super) fn log_text(&mut self, word: Word<'t>, owner: &str) -> Option<Template> {
        self.template(word, Style::Log, Phases::LOG, owner)
    }
}
