//! What the coming and going of real servers sets off: the quorum, programs, mails, lines in the log.
//!
//! Pure: the caller tells which server is up and does what comes back, in its order. Manual: keepalived.conf(5),
//! "quorum", "hysteresis", "notify_up", "quorum_up", "omega", "smtp_alert".

mod checker;
mod data;

use crate::config::{Config, VirtualServer};
use crate::env::Env;
use crate::lower::{Origins, quorum, real_name, starts_down, weight};
use checker::Checker;
use lb_core::health::{LastCheck, Outcome, ServerHealth};
use lb_core::pool::Quorum;
use std::collections::HashMap;
use vrrp::event::{MailMessage, Outside};
use vrrp::spec::Command;

/// The services of a configuration, and who of their servers is up.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    router: String,
    init_notifies: bool,
    /// A checker that turns is told by mail, also where its server stays as it is.
    checker_mails: bool,
    services: HashMap<String, Service>,
    /// What the data file tells of the configuration.
    config: Option<Config>,
}

#[derive(Debug, Clone)]
struct Service {
    servers: HashMap<String, Member>,
    quorum: Quorum,
    reached: bool,
    /// Who serves while the quorum is lost.
    sorry: Option<Sorry>,
    mails: bool,
    /// Stopping is told like a failure.
    omega: bool,
    up: Option<Command>,
    down: Option<Command>,
}

#[derive(Debug, Clone)]
struct Sorry {
    label: String,
    inhibit: bool,
}

#[derive(Debug, Clone)]
struct Member {
    /// Its name in the log, `[10.0.0.1]:tcp:80`.
    label: String,
    weight: u64,
    /// The weight of the file.
    configured: u64,
    alive: bool,
    /// It keeps its place, with no weight, while it is down.
    inhibit: bool,
    mails: bool,
    checkers: Vec<Checker>,
    up: Option<Command>,
    down: Option<Command>,
}

impl Watch {
    /// Every service of a configuration, in the state it starts in.
    pub fn new(config: &Config, env: &dyn Env) -> Self {
        let named = config.global.router_id.as_ref().map(|id| id.value.clone());
        let services =
            config.virtual_servers.iter().map(|server| (server.label(), Service::new(server, config)));
        Self {
            router: named.unwrap_or_else(|| env.hostname()),
            init_notifies: config.global.rs_init_notifies.is_some_and(|on| on.value),
            checker_mails: !config.global.no_checker_emails.is_some_and(|on| on.value),
            services: services.collect(),
            config: data::part(config),
        }
    }

    /// What the program does when it starts: servers that are up are told of where `rs_init_notifies` asks for it, and sorry
    /// servers begin where the quorum is not there.
    pub fn begin(&mut self) -> Vec<Outside> {
        let mut out = Vec::new();
        for (name, service) in &mut self.services {
            for member in service.servers.values().filter(|member| member.alive && self.init_notifies) {
                run(&member.up, &mut out);
                out.push(Outside::Line(format!("RS {} {name} UP\n", member.label)));
            }
            if !service.reached && service.sorry.is_some() {
                service.turn(&self.router, name, "Starting with quorum down", &mut out);
            }
        }
        out
    }

    /// Takes over from the watch of an earlier configuration what has not changed: servers keep their state.
    #[must_use]
    pub fn continuing(mut self, earlier: &Self) -> Self {
        for (name, service) in &mut self.services {
            let Some(old) = earlier.services.get(name) else { continue };
            for (name, member) in &mut service.servers {
                if let Some(old) = old.servers.get(name) {
                    member.alive = old.alive;
                    for (checker, old) in member.checkers.iter_mut().zip(&old.checkers) {
                        checker.continuing(old);
                    }
                    // What a check said counts until it says something else, unless the file changed the weight.
                    if member.configured == old.configured {
                        member.weight = old.weight;
                    }
                }
            }
            service.reached = old.reached;
        }
        self
    }

    /// Something is heard of a server. Nothing comes of what was known already.
    pub fn heard(&mut self, service: &str, news: &ServerHealth) -> Vec<Outside> {
        let mut out = Vec::new();
        if let Some(found) = self.services.get_mut(service) {
            found.weighed(service, news, &mut out);
            found.server(&self.router, service, news, &mut out);
            found.parts((&self.router, self.checker_mails), service, news, &mut out);
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
                out.push(Outside::Log(format!("Shutting down service {} from VS {name}", member.label)));
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
                label: server.label_of(real.address.value),
                weight: weight(server, real).into(),
                configured: weight(server, real).into(),
                alive: !starts_down(server, real),
                inhibit: real.inhibit_on_failure.or(server.inhibit_on_failure).is_some_and(|on| on.value),
                mails: real.smtp_alert.map(|on| on.value).or(global).unwrap_or(true),
                checkers: real
                    .checks
                    .iter()
                    .map(|check| Checker::new(check, (server, real), config))
                    .collect(),
                up: command(&real.notify_up),
                down: command(&real.notify_down),
            });
        }
        let quorum = quorum(server);
        let sorry = server.sorry_server.as_ref().map(|sorry| {
            let label = server.label_of(sorry.address.value);
            Sorry { label, inhibit: sorry.inhibit }
        });
        let mut it = Self {
            servers,
            quorum,
            reached: true,
            sorry,
            mails: server.smtp_alert.map(|on| on.value).or(global).unwrap_or(false),
            omega: server.omega.is_some_and(|omega| omega.value),
            up: command(&server.quorum_up),
            down: command(&server.quorum_down),
        };
        it.reached = quorum.holds(it.weight(), false);
        it
    }

    /// The weight of what is alive.
    fn weight(&self) -> u64 {
        self.servers.values().filter(|member| member.alive).map(|member| member.weight).sum()
    }

    /// A server has another weight.
    fn weighed(&mut self, service: &str, news: &ServerHealth, out: &mut Vec<Outside>) {
        let Some((member, new)) = self.servers.get_mut(&news.name).zip(news.share) else { return };
        let old = std::mem::replace(&mut member.weight, new.into());
        if old != member.weight {
            let (label, state) = (&member.label, if member.alive { "" } else { "in" });
            out.push(Outside::Log(format!(
                "Changing weight from {old} to {new} for {state}active service {label} of VS {service}"
            )));
        }
    }

    fn server(&mut self, router: &str, service: &str, news: &ServerHealth, out: &mut Vec<Outside>) {
        let up = news.up;
        let Some(member) = self.servers.get_mut(&news.name) else { return };
        if member.alive == up {
            out.extend(member.attempt(service, news).map(Outside::Log));
            return;
        }
        member.alive = up;
        let place = news.check.as_ref().and_then(checker::place).unwrap_or(1);
        let mut checker = member.checkers.get_mut(place.saturating_sub(1));
        if let Some(checker) = &mut checker {
            checker.up = up;
        }
        let checker = checker.as_deref();
        let nothing = LastCheck::default();
        let found = (up, news.check.as_ref().unwrap_or(&nothing));
        let lines = checker.map(|checker| checker.lines(&member.label, service, found));
        out.extend(lines.into_iter().flatten().map(Outside::Log));
        let (verb, word) = match (up, member.inhibit) {
            (true, false) => ("Adding", "to"),
            (false, false) => ("Removing", "from"),
            (true, true) => ("Enabling", "of"),
            (false, true) => ("Disabling", "of"),
        };
        out.push(Outside::Log(format!("{verb} service {} {word} VS {service}", member.label)));
        let body = checker.map_or_else(
            || format!("=> CHECK {} on service <=", if up { "succeed" } else { "failed" }),
            |checker| checker.mail(up),
        );
        member.tell(router, service, &body, out);
    }

    /// What the checkers of a server found of which nothing was told with the server itself.
    fn parts(
        &mut self,
        (router, mails): (&str, bool),
        service: &str,
        news: &ServerHealth,
        out: &mut Vec<Outside>,
    ) {
        let Some(member) = self.servers.get_mut(&news.name) else { return };
        let (label, word, mails) = (&member.label, word(member.alive), mails && member.mails);
        for part in &news.parts {
            let Some(checker) = part.place.checked_sub(1).and_then(|at| member.checkers.get_mut(at)) else {
                continue;
            };
            if part.again {
                out.extend(checker.attempt(label, service, &part.found).map(Outside::Log));
                continue;
            }
            let up = part.found.status.outcome() == Outcome::Passed;
            if std::mem::replace(&mut checker.up, up) == up {
                continue;
            }
            out.extend(checker.lines(label, service, (up, &part.found)).into_iter().map(Outside::Log));
            if mails {
                out.push(mail(router, label, service, word, &checker.mail(up)));
            }
        }
    }

    /// Whether the quorum was reached or lost.
    fn judge(&mut self, router: &str, service: &str, out: &mut Vec<Outside>) {
        let holds = self.quorum.holds(self.weight(), self.reached);
        if holds == self.reached {
            return;
        }
        self.reached = holds;
        self.turn(router, service, if holds { "Gained quorum" } else { "Lost quorum" }, out);
    }

    /// Tells that the quorum is there, or is not, and who serves therefore.
    fn turn(&self, router: &str, service: &str, how: &str, out: &mut Vec<Outside>) {
        let (holds, weight, Quorum { need, hysteresis }) = (self.reached, self.weight(), self.quorum);
        let (sum, verb, move_all) = if holds {
            let threshold = need.saturating_add(hysteresis);
            let verb = if self.sorry.as_ref().is_some_and(|s| s.inhibit) { "Disabling" } else { "Removing" };
            (format!("{how} {need}+{hysteresis}={threshold} <= {weight}"), verb, "Adding alive servers to")
        } else {
            let threshold = need.saturating_sub(hysteresis);
            let verb = if self.sorry.as_ref().is_some_and(|s| s.inhibit) { "Enabling" } else { "Adding" };
            (format!("{how} {need}-{hysteresis}={threshold} > {weight}"), verb, "Removing alive servers from")
        };
        out.push(Outside::Log(format!("{sum} for VS {service}")));
        if let Some(Sorry { label, .. }) = &self.sorry {
            let word = if holds { "from" } else { "to" };
            out.push(Outside::Log(format!("{verb} sorry server {label} {word} VS {service}")));
            out.push(Outside::Log(format!("{move_all} the pool for VS {service}")));
        }
        self.tell(router, service, format!("=> {sum} <="), out);
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
    /// The line of a failure that leaves the server in its place.
    fn attempt(&self, service: &str, news: &ServerHealth) -> Option<String> {
        let failed = |check: &&LastCheck| check.status.outcome() == Outcome::Failed;
        let found = news.check.as_ref().filter(|check| news.up && failed(check))?;
        self.checkers.first()?.attempt(&self.label, service, found)
    }

    fn tell(&self, router: &str, service: &str, body: &str, out: &mut Vec<Outside>) {
        let (word, label) = (word(self.alive), &self.label);
        run(if self.alive { &self.up } else { &self.down }, out);
        out.push(Outside::Line(format!("RS {label} {service} {word}\n")));
        if self.mails {
            out.push(mail(router, label, service, word, body));
        }
    }
}

/// A mail about a server.
fn mail(router: &str, label: &str, service: &str, word: &str, body: &str) -> Outside {
    let subject = format!("[{router}] Realserver {label} of virtual server {service} - {word}");
    Outside::Mail(MailMessage::new(subject, body))
}

fn run(command: &Option<Command>, out: &mut Vec<Outside>) {
    out.extend(command.clone().map(Outside::Run));
}

const fn word(up: bool) -> &'static str {
    if up { "UP" } else { "DOWN" }
}
