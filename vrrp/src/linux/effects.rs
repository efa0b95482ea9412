//! Does what the router wants.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rustix::process::Signal;
use tokio::sync::mpsc;

use super::credentials;
use super::driver::problem;
use super::handle::Event;
use super::hands::{Frame, Hands, Job, Target};
use super::links::Links;
use super::netlink::{Change, RouteInfo, RuleInfo, routing};
use super::notify::{Ended, Notifier};
use super::program::{self, Running, Start};
use super::rivals::{Heard, Rivals};
use super::security;
use super::socket::Sockets;
use super::traps;
use super::vmac::{Vmacs, setting};
use crate::Memory;
use crate::event::{
    AddressChange, Announcement, Claim, Datagram, Input, Log, Notify, Output, Outside, Probe, ScriptResult,
    ScriptSignal, Severity, Transmit,
};
use crate::snmp::mib::{self, MasterReason, Place};
use crate::spec::{Command, Name, Route, RoutePlace, Rule, RuleAction, ScriptSecurity, Spec};
use crate::wire::{arp, ndisc};

/// The hands of the driver, and what they hold.
pub(super) struct Effects {
    pub(super) links: Links,
    pub(super) sockets: Sockets,
    pub(super) vmacs: Vmacs,
    rivals: Rivals,
    hands: Hands,
    notifier: Notifier,
    security: ScriptSecurity,
    running: BTreeMap<Name, Running>,
    script_sender: mpsc::UnboundedSender<(Name, ScriptResult)>,
    routes: Vec<Arc<Route>>,
    rules: Vec<Arc<Rule>>,
    send_failed: BTreeMap<Name, String>,
    traps: traps::Sender,
    problem_sender: mpsc::UnboundedSender<String>,
    memory: Option<Memory>,
    events: Box<dyn FnMut(Event) + Send>,
}

/// Where what happens elsewhere is told.
pub(super) struct Senders {
    pub(super) datagrams: mpsc::Sender<Datagram>,
    pub(super) problems: mpsc::UnboundedSender<String>,
    pub(super) scripts: mpsc::UnboundedSender<(Name, ScriptResult)>,
    pub(super) ended: mpsc::UnboundedSender<Ended>,
    pub(super) claims: mpsc::Sender<Heard>,
}

impl Effects {
    pub(super) fn new(events: Box<dyn FnMut(Event) + Send>, senders: Senders) -> io::Result<Self> {
        Ok(Self {
            links: Links::default(),
            sockets: Sockets::new(senders.datagrams),
            vmacs: Vmacs::default(),
            rivals: Rivals::new(senders.claims),
            hands: Hands::start(senders.problems.clone())?,
            notifier: Notifier::new(senders.ended),
            security: ScriptSecurity::default(),
            running: BTreeMap::new(),
            script_sender: senders.scripts,
            routes: Vec::new(),
            rules: Vec::new(),
            send_failed: BTreeMap::new(),
            traps: traps::Sender::new(),
            problem_sender: senders.problems,
            memory: None,
            events,
        })
    }

    /// Takes over a specification; sockets and interfaces are opened and closed separately.
    pub(super) fn configure(&mut self, spec: &Spec) {
        self.security = spec.global.scripts.clone();
        self.hands.push(Job::Firewall(spec.global.firewall.clone()));
        self.sockets.configure(spec);
        self.traps.configure(spec.global.traps.as_ref(), self.problem_sender.clone());
        let problems = self.notifier.configure(spec);
        self.problems(problems);
        for instance in spec.instances.iter().filter(|instance| instance.promote_secondaries) {
            let Some(interface) = &instance.interface else { continue };
            if let Err(error) = self.vmacs.set(setting("ipv4", interface, "promote_secondaries"), "1") {
                self.problem(format!("cannot set promote_secondaries on {interface}: {error}"));
            }
        }
    }

    /// Gives the thread that changes the kernel's tables the real-time priority of the driver.
    pub(super) fn realtime(&mut self, priority: u8) {
        self.hands.push(Job::Realtime(priority));
    }

    /// What a claim on the link is to the router; None if it is our own or of no interface we know.
    pub(super) fn claim(&self, heard: &Heard) -> Option<Input> {
        let interface = self.links.name_of(heard.index)?;
        if self.links.is_own(heard.mac) {
            return None;
        }
        Some(Input::Claim(Claim::new(interface.clone(), heard.address, heard.mac)))
    }

    /// Opens the sockets whose interfaces are there.
    pub(super) fn open_sockets(&mut self) {
        let links = &self.links;
        let problems = self.sockets.refresh(|name| links.link_ref(name));
        self.problems(problems);
    }

    /// Does one thing. True if it may have changed what a successor has to know.
    pub(super) fn perform(&mut self, output: Output, now: Instant) -> bool {
        match output {
            Output::Transmit(transmit) => self.transmit(&transmit),
            Output::Probe(probe) => self.probe(&probe),
            Output::Garp(announcement) | Output::NeighborAdvert(announcement) => self.announce(&announcement),
            Output::AddAddress(change) => self.address(change, true),
            Output::DelAddress(change) => self.address(change, false),
            Output::AddRoute(route) => self.add_route(route),
            Output::DelRoute(route) => self.del_route(&route),
            Output::AddRule(rule) => self.add_rule(rule),
            Output::DelRule(rule) => self.del_rule(&rule),
            Output::Block(change) => self.hands.push(Job::Block(change.address.address(), true)),
            Output::Unblock(change) => self.hands.push(Job::Block(change.address.address(), false)),
            Output::RunScript(name, command) => self.run_script(name, command),
            Output::SignalScript(name, signal) => self.signal_script(&name, signal),
            Output::Notify(notify) => {
                let problems = self.notifier.notify(&notify, now);
                self.problems(problems);
                self.tell(Event::Notify(notify));
                return true;
            }
            Output::Mail(mail) => self.tell(Event::Mail(mail)),
            Output::Log(log) => {
                self.log(log);
                return true;
            }
        }
        false
    }
}

/// What goes to the network.
impl Effects {
    fn transmit(&mut self, transmit: &Transmit) {
        match self.sockets.send(transmit) {
            Ok(()) => {
                self.send_failed.remove(&transmit.instance);
            }
            Err(error) => {
                // Told once for each cause, not at every interval. While a link is down this is the normal case.
                let text = format!(
                    "({}) cannot send an advert to {}: {error}",
                    transmit.instance, transmit.destination
                );
                if self.send_failed.insert(transmit.instance.clone(), text.clone()).as_ref() != Some(&text) {
                    self.log(Log { severity: Severity::Info, detail: true, text });
                }
            }
        }
    }

    /// Sent from here and not by the thread for announcements, because it must be on its way before the advert after it.
    fn probe(&mut self, probe: &Probe) {
        let Some(link) = self.links.info(&probe.interface) else { return };
        let Some(mac) = link.mac else { return };
        let target = Target { index: link.index, interface: probe.interface.clone() };
        if let Err(error) = self.rivals.ask(&target, mac, probe) {
            let text = format!("cannot ask for rivals on {}: {error}", probe.interface);
            self.log(Log { severity: Severity::Info, detail: true, text });
        }
    }

    fn announce(&mut self, announcement: &Announcement) {
        let Some(link) = self.links.info(&announcement.interface) else { return };
        // Interfaces without an Ethernet address have no neighbours to tell.
        let Some(mac) = link.mac else { return };
        let target = Target { index: link.index, interface: announcement.interface.clone() };
        let owner = announcement.mac.unwrap_or(mac);
        let mut octets = match announcement.address {
            IpAddr::V4(address) => arp::gratuitous(owner, address).to_vec(),
            IpAddr::V6(address) => {
                ndisc::unsolicited(owner, address, forwards(&announcement.interface)).to_vec()
            }
        };
        octets[6..12].copy_from_slice(&mac);
        self.hands.push(Job::Frame(Frame { target, octets }));
    }
}

/// Whether an interface forwards IPv6. Reading the setting takes some microseconds and happens a few times per change
/// of state, so it is not kept.
fn forwards(interface: &str) -> bool {
    fs::read_to_string(setting("ipv6", interface, "forwarding")).is_ok_and(|value| value.trim() != "0")
}

/// What goes to the kernel's tables.
impl Effects {
    fn address(&mut self, change: AddressChange, add: bool) {
        let Some(index) = self.links.index_of(&change.interface) else {
            // A vanished interface has taken the address along.
            if add {
                self.problem(format!(
                    "cannot add {} to {}: no such interface",
                    change.address.prefix, change.interface
                ));
            }
            return;
        };
        let target = Target { index, interface: change.interface };
        self.hands.push(match add {
            true => Job::AddAddress(target, change.address),
            false => Job::DelAddress(target, change.address),
        });
    }

    fn add_route(&mut self, route: Arc<Route>) {
        let what = format!("add the route to {}", route.destination);
        let (flags, done) = (routing::placing(route.place), already(route.place));
        match self.links.routed(&route, routing::add_route) {
            Ok(message) => self.hands.push(Job::Request { message: Box::new(message), flags, done, what }),
            Err(lack) => self.problem(format!("cannot {what}: {lack}")),
        }
        self.routes.retain(|held| *held != route);
        self.routes.push(route);
    }

    fn del_route(&mut self, route: &Arc<Route>) {
        self.routes.retain(|held| held != route);
        // A route through a vanished interface has gone with it.
        if let Ok(message) = self.links.routed(route, routing::del_route) {
            let what = format!("remove the route to {}", route.destination);
            self.hands.push(Job::Request { message: Box::new(message), flags: 0, done: GONE, what });
        }
    }

    fn add_rule(&mut self, rule: Arc<Rule>) {
        let message = Box::new(routing::add_rule(&rule));
        let what = "add a policy rule".to_owned();
        self.hands.push(Job::Request { message, flags: NLM_F_CREATE | NLM_F_EXCL, done: THERE, what });
        self.rules.retain(|held| *held != rule);
        self.rules.push(rule);
    }

    fn del_rule(&mut self, rule: &Arc<Rule>) {
        self.rules.retain(|held| held != rule);
        let message = Box::new(routing::del_rule(rule));
        let what = "remove a policy rule".to_owned();
        self.hands.push(Job::Request { message, flags: 0, done: GONE, what });
    }

    /// What the router has to hear if one of our routes or rules is gone.
    pub(super) fn gone(&self, change: &Change) -> Vec<Input> {
        match change {
            Change::RouteGone(info) => {
                let is_it = |route: &&Arc<Route>| is_route(route, self.links.table_of(route), info);
                let ours = self.routes.iter().filter(is_it);
                // What expires has done what was asked of it.
                let ours = ours.filter(|route| route.track && route.expires.is_none());
                ours.map(|route| Input::RouteRemoved(Arc::clone(route))).collect()
            }
            Change::RuleGone(info) => {
                let ours = self.rules.iter().filter(|rule| rule.track && is_rule(rule, info));
                ours.map(|rule| Input::RuleRemoved(Arc::clone(rule))).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Waits until the kernel has done everything asked for so far.
    pub(super) fn flush(&self, limit: Duration) -> impl Future<Output = bool> + use<> {
        self.hands.flush(limit)
    }
}

/// What the kernel answers when there is nothing to add.
const THERE: &[i32] = &[libc::EEXIST];
/// What it answers when there is nothing to remove.
const GONE: &[i32] = &[libc::ESRCH, libc::ENOENT];

/// What it answers when a route to be put there needs no adding. One that is to be the only one must not meet another.
fn already(place: RoutePlace) -> &'static [i32] {
    if place == RoutePlace::Only { &[] } else { THERE }
}

fn is_route(route: &Route, table: Option<u32>, info: &RouteInfo) -> bool {
    let destination = route.destination;
    (destination.address, destination.length, table) == (info.destination, info.prefix, Some(info.table))
}

fn is_rule(rule: &Rule, info: &RuleInfo) -> bool {
    let plain = |prefix: Option<crate::spec::Prefix>| {
        prefix.filter(|prefix| prefix.length > 0).map(|prefix| (prefix.address, prefix.length))
    };
    let table = match rule.action {
        RuleAction::Table(table) => table,
        _ => info.table,
    };
    plain(rule.from) == info.from
        && plain(rule.to) == info.to
        && table == info.table
        && rule.priority.is_none_or(|priority| priority == info.priority)
}

/// What is run.
impl Effects {
    fn run_script(&mut self, name: Name, command: Arc<Command>) {
        let sender = self.script_sender.clone();
        let to = name.clone();
        // Nobody waits for results any more when the driver has ended.
        let done = move |result| drop(sender.send((to, result)));
        match credentials::find(command.run_as.as_ref(), &self.security) {
            Ok(credentials) => {
                let running = program::start(Start { command, extra: Vec::new(), credentials }, done);
                self.running.insert(name, running);
            }
            Err(error) => {
                self.problem(format!("cannot run the check script {name}: {error}"));
                done(ScriptResult::NotStarted(libc::EPERM));
            }
        }
    }

    fn signal_script(&mut self, name: &Name, signal: ScriptSignal) {
        let number = match signal {
            ScriptSignal::Term => Signal::TERM,
            ScriptSignal::Kill => Signal::KILL,
        };
        if let Some(Err(error)) = self.running.get(name).map(|running| running.signal(number)) {
            self.problem(format!("cannot signal the check script {name}: {error}"));
        }
    }

    /// Whether notifications of the change are sent by SNMP.
    pub(super) fn traps(&self) -> bool {
        self.traps.wanted().is_some()
    }

    /// Sends the notifications of a change.
    pub(super) fn trap(&self, spec: &Spec, notify: &Notify, source: Option<IpAddr>, reason: MasterReason) {
        let Some(traps) = self.traps.wanted() else { return };
        let interface = spec.instance(&notify.name).and_then(|of| of.interface.as_ref());
        let place = Place {
            interface: interface.and_then(|name| self.links.index_of(name)).unwrap_or(0),
            source,
            reason,
        };
        mib::notifications(spec, traps, notify, place).into_iter().for_each(|one| self.traps.send(one));
    }

    /// Runs a program and waits for it, but no longer than `limit`.
    pub(super) async fn run_to_end(&mut self, what: &str, command: Command, limit: Duration) {
        let credentials = match credentials::find(command.run_as.as_ref(), &self.security) {
            Ok(credentials) => credentials,
            Err(error) => return self.problem(format!("cannot run the {what}: {error}")),
        };
        let (sender, done) = tokio::sync::oneshot::channel();
        let start = Start { command: Arc::new(command), extra: Vec::new(), credentials };
        let running = program::start(start, move |result| {
            // Whoever waited has given up.
            let _ = sender.send(result);
        });
        match tokio::time::timeout(limit, done).await {
            Ok(Ok(ScriptResult::Exited(0))) => {}
            Ok(Ok(result)) => self.problem(format!("the {what} failed: {result:?}")),
            Ok(Err(_)) => self.problem(format!("the {what} was lost")),
            Err(_) => {
                self.problem(format!("the {what} took longer than {} s and is ended", limit.as_secs()));
                // It may have ended this moment.
                let _ = running.signal(Signal::TERM);
            }
        }
    }

    /// Does what the program around the router asks for when something of its own changed.
    pub(super) fn outside(&mut self, subject: &Name, what: Outside, search: &str, now: Instant) {
        let problems = match what {
            Outside::Run(mut command) => {
                let (may, logs) = security::permit(&mut command, &self.security, search);
                logs.into_iter().for_each(|log| self.log(log));
                if may { self.notifier.run(subject.clone(), command, now) } else { Vec::new() }
            }
            Outside::Line(line) => self.notifier.line(&line),
            Outside::Mail(mail) => return self.tell(Event::Mail(mail)),
            Outside::Log(text) => return self.tell(Event::Outside(text)),
        };
        self.problems(problems);
    }

    /// Takes note of the end of a notification script.
    pub(super) fn notify_ended(&mut self, ended: Ended, now: Instant) {
        if let Some(text) = self.notifier.ended(ended, now) {
            self.problem(text);
        }
    }

    /// Starts notification scripts that have waited long enough.
    pub(super) fn overtake(&mut self, now: Instant) {
        let problems = self.notifier.overtake(now);
        self.problems(problems);
    }

    /// When [`Effects::overtake`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.notifier.deadline()
    }

    /// Takes note of the end of a check script.
    pub(super) fn script_ended(&mut self, name: &Name) {
        self.running.remove(name);
    }

    /// Signals every check script that runs.
    pub(super) fn signal_scripts(&mut self, signal: Signal) {
        for running in self.running.values() {
            // It may have ended by itself.
            let _ = running.signal(signal);
        }
    }

    /// True if no script runs or waits.
    pub(super) fn programs_ended(&self) -> bool {
        self.running.is_empty() && self.notifier.is_idle()
    }
}

impl Drop for Effects {
    /// Check scripts do not outlive a driver whose run was cut off.
    fn drop(&mut self) {
        self.signal_scripts(Signal::KILL);
    }
}

/// What the caller hears.
impl Effects {
    pub(super) fn tell(&mut self, event: Event) {
        (self.events)(event);
    }

    pub(super) fn log(&mut self, log: Log) {
        self.tell(Event::Log(log));
    }

    pub(super) fn problem(&mut self, text: String) {
        self.log(problem(text));
    }

    pub(super) fn problems(&mut self, texts: Vec<String>) {
        texts.into_iter().for_each(|text| self.problem(text));
    }

    /// Tells what a successor has to know, if that is news.
    pub(super) fn remember(&mut self, memory: Memory) {
        if self.memory.as_ref() != Some(&memory) {
            self.memory = Some(memory.clone());
            self.tell(Event::Memory(memory));
        }
    }
}
