//! What the coming and going of real servers sets off: the quorum, programs, mails, lines in the log.
//!
//! Pure: the caller tells which server is up and does what comes back, in its order. Manual: keepalived.conf(5),
//! "quorum", "hysteresis", "notify_up", "quorum_up", "omega", "smtp_alert".

use crate::config::{Check, CheckKind, Config, RealServer, VirtualServer};
use crate::env::Env;
use crate::lower::{Origins, real_name, starts_down};
use std::collections::HashMap;
use vrrp::event::{MailMessage, Outside};
use vrrp::spec::Command;

/// The services of a configuration, and who of their servers is up.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    router: String,
    services: HashMap<String, Service>,
}

#[derive(Debug, Clone)]
struct Service {
    servers: HashMap<String, Member>,
    quorum: i64,
    hysteresis: i64,
    reached: bool,
    mails: bool,
    /// Stopping is told like a failure.
    omega: bool,
    up: Option<Command>,
    down: Option<Command>,
}

#[derive(Debug, Clone)]
struct Member {
    /// Its name in the log, `[10.0.0.1]:tcp:80`.
    label: String,
    weight: i64,
    alive: bool,
    /// It keeps its place, with no weight, while it is down.
    inhibit: bool,
    mails: bool,
    /// What its check is called in mails.
    check: &'static str,
    up: Option<Command>,
    down: Option<Command>,
}

impl Watch {
    /// Every service of a configuration, in the state it starts in.
    pub fn new(config: &Config, env: &dyn Env) -> Self {
        let named = config.global.router_id.as_ref().map(|id| id.value.clone());
        let services =
            config.virtual_servers.iter().map(|server| (server.label(), Service::new(server, config)));
        Self { router: named.unwrap_or_else(|| env.hostname()), services: services.collect() }
    }

    /// Takes over from the watch of an earlier configuration what has not changed: servers keep their state.
    #[must_use]
    pub fn continuing(mut self, earlier: &Self) -> Self {
        for (name, service) in &mut self.services {
            let Some(old) = earlier.services.get(name) else { continue };
            for (name, member) in &mut service.servers {
                if let Some(old) = old.servers.get(name) {
                    member.alive = old.alive;
                }
            }
            service.reached = old.reached;
        }
        self
    }

    /// A server is up, or is not. Nothing comes of what was known already.
    pub fn server(&mut self, service: &str, server: &str, up: bool) -> Vec<Outside> {
        let mut out = Vec::new();
        if let Some(found) = self.services.get_mut(service) {
            found.server(&self.router, service, server, up, &mut out);
            found.judge(&self.router, service, &mut out);
        }
        out
    }

    /// The program stops: services with `omega` say so as if they failed.
    pub fn stop(&mut self) -> Vec<Outside> {
        let mut out = Vec::new();
        for (name, service) in self.services.iter_mut().filter(|(_, service)| service.omega) {
            for member in service.servers.values_mut().filter(|member| member.alive) {
                member.alive = false;
                member.tell(&self.router, name, "=> Shutting down <=", &mut out);
            }
            service.reached = false;
            service.tell(&self.router, name, "=> Shutting down <=".to_owned(), &mut out);
        }
        out
    }
}

impl Service {
    fn new(server: &VirtualServer, config: &Config) -> Self {
        let command = |command: &Option<crate::config::Command>| {
            command.as_ref().map(|command| Origins::default().command(command, None))
        };
        let global = config.global.smtp_alert_checker.or(config.global.smtp_alert).map(|on| on.value);
        let mut servers = HashMap::new();
        for real in &server.real_servers {
            // Of a server that is there twice the second is dropped.
            let name = real_name(server, real, config);
            servers.entry(name).or_insert_with(|| Member {
                label: member_label(server, real),
                weight: real.weight.or(server.weight).map_or(1, |weight| i64::from(weight.value)),
                alive: !starts_down(server, real),
                inhibit: real.inhibit_on_failure.or(server.inhibit_on_failure).is_some_and(|on| on.value),
                mails: real.smtp_alert.map(|on| on.value).or(global).unwrap_or(true),
                check: real.checks.first().map_or("CHECK", check_name),
                up: command(&real.notify_up),
                down: command(&real.notify_down),
            });
        }
        let total: i64 = servers.values().map(|member| member.weight).sum();
        let quorum = server.quorum.map_or(1, |quorum| i64::from(quorum.value)).min(total);
        let hysteresis = server.hysteresis.map_or(0, |hysteresis| i64::from(hysteresis.value));
        let hysteresis = hysteresis.min((quorum - 1).max(0));
        let mut it = Self {
            servers,
            quorum,
            hysteresis,
            reached: true,
            mails: server.smtp_alert.map(|on| on.value).or(global).unwrap_or(false),
            omega: server.omega.is_some_and(|omega| omega.value),
            up: command(&server.quorum_up),
            down: command(&server.quorum_down),
        };
        it.reached = it.weight() >= quorum + hysteresis;
        it
    }

    /// The weight of what is alive.
    fn weight(&self) -> i64 {
        self.servers.values().filter(|member| member.alive).map(|member| member.weight).sum()
    }

    fn server(&mut self, router: &str, service: &str, server: &str, up: bool, out: &mut Vec<Outside>) {
        let Some(member) = self.servers.get_mut(server).filter(|member| member.alive != up) else { return };
        member.alive = up;
        let (verb, word) = match (up, member.inhibit) {
            (true, false) => ("Adding", "to"),
            (false, false) => ("Removing", "from"),
            (true, true) => ("Enabling", "of"),
            (false, true) => ("Disabling", "of"),
        };
        out.push(Outside::Log(format!("{verb} service {} {word} VS {service}", member.label)));
        let end = match (up, member.check) {
            (true, "MISC CHECK") => "succeeded",
            (true, _) => "succeed",
            (false, _) => "failed",
        };
        let body = format!("=> {} {end} on service <=", member.check);
        member.tell(router, service, &body, out);
    }

    /// Whether the quorum was reached or lost.
    fn judge(&mut self, router: &str, service: &str, out: &mut Vec<Outside>) {
        let weight = self.weight();
        let (quorum, hysteresis) = (self.quorum, self.hysteresis);
        let threshold = if self.reached { quorum - hysteresis } else { quorum + hysteresis };
        if !self.reached && weight >= threshold {
            self.reached = true;
            let sum = format!("Gained quorum {quorum}+{hysteresis}={threshold} <= {weight}");
            out.push(Outside::Log(format!("{sum} for VS {service}")));
            self.tell(router, service, format!("=> {sum} <="), out);
        } else if self.reached && (weight == 0 || weight < threshold) {
            self.reached = false;
            let sum = format!("Lost quorum {quorum}-{hysteresis}={threshold} > {weight}");
            out.push(Outside::Log(format!("{sum} for VS {service}")));
            self.tell(router, service, format!("=> {sum} <="), out);
        }
    }

    fn tell(&self, router: &str, service: &str, body: String, out: &mut Vec<Outside>) {
        let word = word(self.reached);
        run(if self.reached { &self.up } else { &self.down }, out);
        out.push(Outside::Line(format!("VS {service} {word}\n")));
        if self.mails {
            out.push(Outside::Mail(MailMessage::new(
                format!("[{router}] Virtualserver {service} - {word}"),
                body,
            )));
        }
    }
}

impl Member {
    fn tell(&self, router: &str, service: &str, body: &str, out: &mut Vec<Outside>) {
        let (word, label) = (word(self.alive), &self.label);
        run(if self.alive { &self.up } else { &self.down }, out);
        out.push(Outside::Line(format!("RS {label} {service} {word}\n")));
        if self.mails {
            let subject = format!("[{router}] Realserver {label} of virtual server {service} - {word}");
            out.push(Outside::Mail(MailMessage::new(subject, body)));
        }
    }
}

fn run(command: &Option<Command>, out: &mut Vec<Outside>) {
    out.extend(command.clone().map(Outside::Run));
}

const fn word(up: bool) -> &'static str {
    if up { "UP" } else { "DOWN" }
}

fn member_label(server: &VirtualServer, real: &RealServer) -> String {
    let protocol =
        server.protocol.as_ref().map_or_else(|| "udp".to_owned(), |p| p.value.to_ascii_lowercase());
    format!("[{}]:{protocol}:{}", real.address.value.ip(), real.address.value.port())
}

fn check_name(check: &Check) -> &'static str {
    match check.kind {
        CheckKind::Tcp => "TCP CHECK",
        CheckKind::Udp(_) => "UDP CHECK",
        CheckKind::Dns(_) => "DNS_CHECK:",
        CheckKind::Ping => "ICMP CHECK",
        CheckKind::Misc(_) => "MISC CHECK",
        _ => "CHECK",
    }
}
