//! What checkers are called in the log and in mails, and what they write there.

use crate::config::{Check, CheckKind, Config, RealServer, VirtualServer};
use crate::lower::{alpha, logs_all, tries};
use lb_core::health::{LastCheck, Status};

/// A checker as its lines name it.
#[derive(Debug, Clone)]
pub(super) struct Checker {
    /// What it found last.
    pub(super) up: bool,
    kind: Kind,
    retries: u32,
    logs_all: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Tcp,
    Udp,
    Ping,
    Dns,
    Http,
    Ssl,
    Smtp,
    /// The script.
    Misc(String),
    /// The name of the tracked file.
    File(String),
    /// The name of the session.
    Bfd(String),
}

impl Checker {
    pub(super) fn new(check: &Check, (server, real): (&VirtualServer, &RealServer), config: &Config) -> Self {
        let kind = match &check.kind {
            CheckKind::Tcp => Kind::Tcp,
            CheckKind::Udp(_) => Kind::Udp,
            CheckKind::Ping => Kind::Ping,
            CheckKind::Dns(_) => Kind::Dns,
            CheckKind::Http(http) if http.tls => Kind::Ssl,
            CheckKind::Http(_) => Kind::Http,
            CheckKind::Smtp(_) => Kind::Smtp,
            CheckKind::Misc(misc) => Kind::Misc(misc.misc_path.program().to_owned()),
            CheckKind::File(file) => Kind::File(file.track_file.value.clone()),
            CheckKind::Bfd(name) => Kind::Bfd(name.value.clone()),
        };
        let retries = tries(check, server, real).saturating_sub(1);
        Self { up: !alpha(check, (server, real)), kind, retries, logs_all: logs_all(check, config) }
    }

    /// Goes on with what an earlier one knew, if it is of the same kind.
    pub(super) fn continuing(&mut self, earlier: &Self) {
        if self.kind == earlier.kind {
            self.up = earlier.up;
        }
    }

    /// What a mail says.
    pub(super) fn mail(&self, up: bool) -> String {
        if let Kind::Bfd(name) = &self.kind {
            return format!("=> BFD CHECK {name} {} on service <=", if up { "succeeded" } else { "failed" });
        }
        let (name, end) = match (&self.kind, up) {
            (Kind::Misc(_), true) => ("MISC CHECK", "succeeded on service"),
            (Kind::Misc(_), false) => ("MISC CHECK", "failed on service"),
            (Kind::Http | Kind::Ssl, false) => ("CHECK", "failed on service : HTTP/SSL request failed"),
            (Kind::Tcp, _) => ("TCP CHECK", plain(up)),
            (Kind::Udp, _) => ("UDP CHECK", plain(up)),
            (Kind::Dns, _) => ("DNS_CHECK:", plain(up)),
            (Kind::Ping, _) => ("ICMP CHECK", plain(up)),
            _ => ("CHECK", plain(up)),
        };
        format!("=> {name} {end} <=")
    }

    /// The lines that go before those about the server.
    pub(super) fn lines(&self, label: &str, service: &str, (up, found): (bool, &LastCheck)) -> Vec<String> {
        if up {
            self.success(label, service).into_iter().collect()
        } else {
            self.failure(label, service, found)
        }
    }

    /// The line of a failure after which the server is tried again, if such are told.
    pub(super) fn attempt(&self, label: &str, service: &str, found: &LastCheck) -> Option<String> {
        if !self.logs_all {
            return None;
        }
        let timeout = found.status == Status::L4Timeout;
        Some(match &self.kind {
            Kind::Udp if found.status == Status::L7Response => {
                format!("UDP check to {label} reply data mismatch.")
            }
            Kind::Udp => format!("UDP connection to {label} failed."),
            Kind::Ping if timeout => format!("ICMP connection to address {label} timeout."),
            Kind::Ping => format!("ICMP connection to {label} of {service} failed."),
            Kind::Misc(script) => {
                let how = if found.status == Status::ProcessTimeout { "timed out" } else { "failed" };
                format!("Misc check for [{label} VS {service}] by [{script}] {how}, will be tried again.")
            }
            _ => return self.cause(label, found),
        })
    }

    /// What a failure came from, if that is told in the same words whether the server is tried again or not.
    fn cause(&self, label: &str, found: &LastCheck) -> Option<String> {
        let timeout = found.status == Status::L4Timeout;
        Some(match &self.kind {
            Kind::Tcp => format!("TCP connection to {label} {}.", if timeout { "timeout" } else { "failed" }),
            Kind::Dns if timeout => format!("DNS_CHECK ({label}) read timeout from socket"),
            Kind::Dns => format!("DNS_CHECK ({label}) read error occurred."),
            Kind::Http | Kind::Ssl => format!("{} server {label}.", web(found)),
            Kind::Smtp => format!("SMTP_CHECK {} server {label}", mail_server(found)),
            _ => return None,
        })
    }

    fn success(&self, label: &str, service: &str) -> Option<String> {
        Some(match &self.kind {
            Kind::Tcp => format!("TCP connection to {label} success."),
            Kind::Udp => format!("UDP connection to {label} success."),
            Kind::Ping => format!("ICMP connection to {label} success."),
            Kind::Http | Kind::Ssl => format!("Remote Web server {label} succeed on service."),
            Kind::Smtp => format!("Remote SMTP server {label} succeed on service."),
            Kind::Misc(script) => format!("Misc check for [{label} VS {service}] by [{script}] succeeded."),
            Kind::File(name) => format!("({label}): tracked file {name} leaving FAULT state"),
            Kind::Bfd(name) => format!("BFD check of [{name}] RS({label}) is UP"),
            Kind::Dns => return None,
        })
    }

    fn failure(&self, label: &str, service: &str, found: &LastCheck) -> Vec<String> {
        let after = match self.retries {
            0 => ".".to_owned(),
            retries => format!(" after {retries} retries."),
        };
        let mut lines: Vec<_> = self.cause(label, found).into_iter().collect();
        lines.extend(match &self.kind {
            Kind::Tcp => Some(format!("TCP_CHECK on service {label} failed{after}")),
            Kind::Udp => Some(format!("UDP_CHECK on service {label} failed{after}")),
            Kind::Ping if self.retries == 0 => Some(format!("ICMP CHECK on service {label} failed.")),
            Kind::Ping => Some(format!("ICMP CHECK on service {label} of {service} failed{after}")),
            Kind::Http => Some(format!("HTTP_CHECK on service {label} failed{after}")),
            Kind::Ssl => Some(format!("SSL_CHECK on service {label} failed{after}")),
            Kind::Misc(script) => Some(misc(label, service, script, (self.retries, found))),
            Kind::File(name) => Some(format!("({label}): tracked file {name} now FAULT state")),
            Kind::Bfd(name) => Some(format!("BFD check of [{name}] RS({label}) is DOWN")),
            Kind::Dns | Kind::Smtp => None,
        });
        if let (Kind::Dns, [line]) = (&self.kind, &mut lines[..]) {
            line.push_str(after.trim_end_matches('.'));
        }
        lines
    }
}

const fn plain(up: bool) -> &'static str {
    if up { "succeed on service" } else { "failed on service" }
}

/// How an HTTP check failed, in the words of the log.
fn web(found: &LastCheck) -> &'static str {
    match found.status {
        Status::L4Timeout => "Timeout connecting",
        Status::L6Response | Status::L6Timeout => "SSL handshake/communication error connecting to",
        Status::L7Timeout => "Timeout WEB read",
        Status::L7Status => "HTTP status code error to",
        Status::L7Response => "Read error with",
        _ => "Error connecting",
    }
}

fn mail_server(found: &LastCheck) -> &'static str {
    match found.status {
        Status::L4Timeout => "Connection timeout to",
        Status::L7Timeout => "Read timeout from",
        Status::L7Status | Status::L7Response => "Bad HELO response from",
        _ => "Error connecting to",
    }
}

fn misc(label: &str, service: &str, script: &str, (retries, found): (u32, &LastCheck)) -> String {
    let after = match retries {
        0 => " with retry disabled".to_owned(),
        1 => " after 1 retry".to_owned(),
        more => format!(" after {more} retries"),
    };
    let (how, why) = match (found.status, signal(found)) {
        (Status::ProcessTimeout, _) => ("timed out", String::new()),
        (_, Some(signal)) => ("failed", format!(" (due to signal {signal})")),
        _ => ("failed", format!(" (exited with status {})", found.code)),
    };
    format!("Misc check for [{label} VS {service}] by [{script}] {how}{after}{why}.")
}

/// Which of several checkers it was, from 1.
pub(super) fn place(found: &LastCheck) -> Option<usize> {
    found.info.strip_prefix("check ")?.split_once(':')?.0.parse().ok()
}

/// The signal that ended a program.
fn signal(found: &LastCheck) -> Option<&str> {
    Some(found.info.split_once("killed by signal ")?.1)
}
