//! The set of virtual routers: the one type a driver talks to.

mod apply;
mod reconfigure;
mod resume;
mod source;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::advert;
use crate::event::{AddressChange, Admin, Datagram, Input, Link, Output};
use crate::garp::Pacer;
use crate::group::Group;
use crate::instance::{Core, Event, Instance};
use crate::link::Links;
use crate::outbox::Outbox;
use crate::spec::check::check;
use crate::spec::{Name, Spec, SpecError, Transport};
use crate::stats::{GroupSnapshot, InstanceSnapshot, Snapshot, StateKind, Stats};
use crate::timer::{earliest, reached};
use crate::track::Trackers;

pub use resume::{Memory, RememberedInstance};

/// All virtual routers of one specification.
///
/// The four calls: feed it with [`handle_input`](Self::handle_input) and [`handle_timeout`](Self::handle_timeout);
/// after either one take everything [`poll_output`](Self::poll_output) yields and do it in that order, then set one
/// timer to [`poll_timeout`](Self::poll_timeout). It reads no clock, opens nothing and never blocks.
///
/// First tell all interfaces and addresses there are, then [`Admin::Start`].
#[derive(Debug)]
pub struct Router {
    spec: Spec,
    instances: Vec<Instance>,
    groups: Vec<Group>,
    trackers: Trackers,
    links: Links,
    pacer: Pacer,
    out: Outbox,
    phase: Phase,
    memory: Option<(Memory, Duration)>,
    unknown: Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The picture of the system is not complete yet.
    Waiting,
    /// Started, but told to keep quiet until then.
    Delayed(Instant),
    Running,
    /// Masters release their addresses one by one.
    Stopping,
    Finished,
}

/// Adverts of virtual routers nobody configured.
#[derive(Debug, Default)]
struct Unknown {
    count: u64,
    told: BTreeSet<u8>,
}

impl Router {
    /// A router for this specification that waits for its surroundings to be described.
    ///
    /// # Errors
    ///
    /// If the specification contradicts itself or the protocol.
    pub fn new(spec: Spec) -> Result<Self, SpecError> {
        check(&spec)?;
        let mut router = Self {
            instances: Vec::new(),
            groups: Vec::new(),
            trackers: Trackers::default(),
            links: Links::default(),
            pacer: Pacer::default(),
            out: Outbox::default(),
            phase: Phase::Waiting,
            memory: None,
            unknown: Unknown::default(),
            spec,
        };
        router.build();
        Ok(router)
    }

    /// Takes in something that happened. Outputs and timeout may change.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        // What a frozen process finds in its sockets afterwards must not be answered as if no time had passed.
        self.notice_late_wake(now, Duration::ZERO);
        match input {
            Input::Datagram(datagram) => self.datagram(now, &datagram),
            Input::Link(link) => self.link(now, &link),
            Input::AddressAdded(address) => {
                self.links.add_address(address);
                self.reassess(now, true);
            }
            Input::AddressRemoved(address) => {
                self.address_removed(now, &address.interface, address.prefix.address)
            }
            Input::RouteRemoved(route) => {
                let held = |instance: &Instance| {
                    instance.holds_addresses() && instance.core.routes().contains(&route)
                };
                if route.track
                    && self.is_active()
                    && (self.fixed_route(&route) || self.instances.iter().any(held))
                {
                    self.out.push(Output::AddRoute(route));
                }
            }
            Input::RuleRemoved(rule) => {
                let held =
                    |instance: &Instance| instance.holds_addresses() && instance.core.rules().contains(&rule);
                if rule.track
                    && self.is_active()
                    && (self.fixed_rule(&rule) || self.instances.iter().any(held))
                {
                    self.out.push(Output::AddRule(rule));
                }
            }
            Input::Track(track) => {
                if self.trackers.report(now, track, &mut self.out) {
                    self.reassess(now, true);
                }
            }
            Input::Admin(admin) => self.admin(now, admin),
            Input::ClockJump(slept) => self.notice_late_wake(now, slept),
        }
        self.check_invariants();
    }

    /// Does what is due. Call it at [`poll_timeout`](Self::poll_timeout); calling it earlier does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.notice_late_wake(now, Duration::ZERO);
        if let Phase::Delayed(until) = self.phase
            && until <= now
        {
            self.begin(now);
        }
        if !matches!(self.phase, Phase::Waiting | Phase::Finished) {
            let links = self.links.handle_timeout(now, &mut self.out);
            let trackers = self.trackers.handle_timeout(now, &mut self.out);
            if links || trackers {
                self.reassess(now, true);
            }
            self.pacer.handle_timeout(now, &mut self.out);
        }
        if matches!(self.phase, Phase::Running | Phase::Stopping) {
            for at in 0..self.instances.len() {
                if reached(self.instances[at].poll_timeout(), now) {
                    self.drive(now, at, Event::Timer);
                }
            }
            self.finish_if_stopped();
        }
        self.check_invariants();
    }

    /// The next thing to do outside; None when all is done. More may come after every `handle_*`,
    /// [`reconfigure`](Self::reconfigure) and [`resume`](Self::resume).
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout). May change with every other call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Waiting | Phase::Finished => None,
            Phase::Delayed(until) => {
                earliest([Some(until), self.trackers.poll_timeout(), self.links.poll_timeout()])
            }
            Phase::Running | Phase::Stopping => {
                let common =
                    [self.trackers.poll_timeout(), self.links.poll_timeout(), self.pacer.poll_timeout()];
                earliest(common.into_iter().chain(self.instances.iter().map(Instance::poll_timeout)))
            }
        }
    }

    /// True after a shutdown that is complete, and after [`Admin::Abandon`].
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.phase == Phase::Finished
    }

    /// The specification in force.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The state of an instance.
    #[must_use]
    pub fn state(&self, instance: &str) -> Option<StateKind> {
        self.find(instance).map(|at| self.instances[at].kind())
    }

    /// What is going on.
    #[must_use]
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let groups = self.groups.iter().map(|group| GroupSnapshot {
            name: group.spec.name.clone(),
            state: group.state,
            members: group.spec.members.clone(),
        });
        Snapshot {
            instances: self.instances.iter().map(|instance| describe(instance, now)).collect(),
            groups: groups.collect(),
            trackers: self.trackers.snapshot(),
            unknown_vrids: self.unknown.count,
        }
    }

    fn build(&mut self) {
        self.instances =
            self.spec.instances.iter().map(|spec| Instance::new(Core::new(spec.clone().into()))).collect();
        self.trackers.configure(&self.spec);
        self.links.configure(&self.spec);
        self.pacer.configure(self.spec.garp_groups.clone());
        self.groups = self.build_groups();
    }

    fn build_groups(&self) -> Vec<Group> {
        let members = |names: &[Name]| names.iter().filter_map(|name| self.find(name)).collect();
        self.spec.groups.iter().map(|spec| Group::new(spec.clone(), members(&spec.members))).collect()
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.instances.iter().position(|instance| &*instance.core.spec.name == name)
    }

    /// Between the start and the end of a shutdown.
    fn is_active(&self) -> bool {
        matches!(self.phase, Phase::Delayed(_) | Phase::Running)
    }

    // --- inputs ---

    fn datagram(&mut self, now: Instant, datagram: &Datagram) {
        if !matches!(self.phase, Phase::Running | Phase::Stopping) {
            return;
        }
        let Some(vrid) = advert::vrid(datagram) else { return };
        let Some(at) = self.addressee(vrid, datagram) else {
            self.unknown.count += 1;
            if self.spec.global.log_unknown_vrids && self.unknown.told.insert(vrid) {
                let interface = &datagram.interface;
                self.out
                    .info(format!("Unknown VRID({vrid}) received on interface({interface}). ignoring..."));
            }
            return;
        };
        if !self.instances[at].listens() {
            return;
        }
        let accepted = self.with_cx(now, at, |instance, cx| instance.core.accept(cx, datagram));
        if let Some(advert) = accepted {
            self.drive(now, at, Event::Advert(advert));
            self.finish_if_stopped();
        }
    }

    /// The instance an advert is for. Several may share an identifier on an interface if they use different groups
    /// or different peers.
    fn addressee(&self, vrid: u8, datagram: &Datagram) -> Option<usize> {
        let mut candidates = (0..self.instances.len()).filter(|&at| {
            let spec = &self.instances[at].core.spec;
            let here = spec.wire_interface().is_none_or(|interface| *interface == datagram.interface);
            let other_group = match &spec.transport {
                Transport::Multicast { group } => {
                    datagram.destination.is_multicast() && datagram.destination != *group
                }
                Transport::Unicast { .. } => false,
            };
            spec.vrid == vrid && spec.ipv6 == datagram.source.is_ipv6() && here && !other_group
        });
        let first = candidates.next()?;
        let mut all = std::iter::once(first).chain(candidates);
        let suits = |at: &usize| {
            let transport = &self.instances[*at].core.spec.transport;
            if datagram.destination.is_multicast() {
                !transport.is_unicast()
            } else {
                transport.peers().iter().any(|peer| peer.address == datagram.source)
            }
        };
        all.find(suits).or(Some(first))
    }

    fn link(&mut self, now: Instant, link: &Link) {
        let was_present = self.links.is_present(&link.interface);
        let running = self.phase != Phase::Waiting;
        let changed = self.links.report(now, link, running, &mut self.out);
        if changed {
            self.reassess(now, true);
        }
        if link.present && !was_present && self.is_active() {
            self.interface_returned(now, &link.interface);
        }
    }

    /// An interface has been created again: what we held on it is gone without a word.
    fn interface_returned(&mut self, now: Instant, interface: &Name) {
        for address in &self.spec.fixed.addresses {
            if address.interface.as_ref() == Some(interface) {
                self.out.push(Output::AddAddress(fixed_address(address)));
            }
        }
        for at in 0..self.instances.len() {
            if self.instances[at].holds_addresses() {
                self.with_cx(now, at, |instance, cx| instance.core.restore_interface(cx, interface));
            }
        }
    }

    fn address_removed(&mut self, now: Instant, interface: &Name, address: std::net::IpAddr) {
        self.links.remove_address(interface, address);
        self.reassess(now, true);
        for fixed in &self.spec.fixed.addresses {
            let lost =
                fixed.address() == address && fixed.interface.as_ref() == Some(interface) && fixed.track;
            if lost && self.is_active() {
                self.out.push(Output::AddAddress(fixed_address(fixed)));
            }
        }
        // An interface that went down or away took its addresses along; putting them back is for its return.
        if !self.links.is_present(interface) {
            return;
        }
        for at in 0..self.instances.len() {
            if self.instances[at].holds_addresses() {
                self.with_cx(now, at, |instance, cx| instance.core.restore(cx, interface, address));
            }
        }
    }

    fn admin(&mut self, now: Instant, admin: Admin) {
        match admin {
            Admin::Start => self.start(now),
            Admin::Shutdown => self.shutdown(now),
            Admin::Abandon => {
                self.trackers.stop();
                self.phase = Phase::Finished;
            }
            Admin::StepDown(name) => match self.find(&name) {
                Some(at) => self.drive_masters(now, &self.together(at), || Event::StepDown),
                None => self.out.warn(format!("({name}) no such instance")),
            },
            Admin::Announce(name) => {
                for at in 0..self.instances.len() {
                    if name.as_ref().is_none_or(|name| self.instances[at].core.spec.name == *name) {
                        self.drive(now, at, Event::Announce);
                    }
                }
            }
            Admin::ClearStats => {
                self.instances.iter_mut().for_each(|instance| instance.core.stats = Stats::default());
                self.unknown.count = 0;
            }
        }
    }

    // --- life ---

    fn start(&mut self, now: Instant) {
        if self.phase != Phase::Waiting {
            return;
        }
        for address in &self.spec.fixed.addresses {
            self.out.push(Output::AddAddress(fixed_address(address)));
        }
        for route in &self.spec.fixed.routes {
            self.out.push(Output::AddRoute(route.clone().into()));
        }
        for rule in &self.spec.fixed.rules {
            self.out.push(Output::AddRule(rule.clone().into()));
        }
        self.trackers.start(now, &mut self.out);
        let delay = self.spec.global.startup_delay;
        if delay.is_zero() {
            self.begin(now);
        } else {
            self.phase = Phase::Delayed(now + delay);
        }
    }

    fn begin(&mut self, now: Instant) {
        self.phase = Phase::Running;
        for instance in &mut self.instances {
            let mtu = instance.core.spec.interface.as_ref().and_then(|interface| self.links.mtu(interface));
            instance.core.lay_out(mtu);
        }
        self.resume_masters(now);
        self.announce_group_starts();
        self.reassess(now, false);
    }

    fn shutdown(&mut self, now: Instant) {
        match self.phase {
            Phase::Stopping | Phase::Finished => return,
            Phase::Waiting | Phase::Delayed(_) | Phase::Running => {}
        }
        self.trackers.stop();
        self.phase = Phase::Stopping;
        for at in 0..self.instances.len() {
            self.drive(now, at, Event::Shutdown);
        }
        self.finish_if_stopped();
    }

    fn finish_if_stopped(&mut self) {
        let stopped = |instance: &Instance| instance.kind() == StateKind::Stopped;
        if self.phase != Phase::Stopping || !self.instances.iter().all(stopped) {
            return;
        }
        for group in &mut self.groups {
            group.state = StateKind::Stopped;
            group.notify(&self.spec.global, &mut self.out);
        }
        for rule in &self.spec.fixed.rules {
            self.out.push(Output::DelRule(rule.clone().into()));
        }
        for route in &self.spec.fixed.routes {
            self.out.push(Output::DelRoute(route.clone().into()));
        }
        for address in &self.spec.fixed.addresses {
            self.out.push(Output::DelAddress(fixed_address(address)));
        }
        self.phase = Phase::Finished;
    }

    /// A master that could not speak for longer than its successor's patience has a successor.
    fn notice_late_wake(&mut self, now: Instant, slept: Duration) {
        if self.phase != Phase::Running {
            return;
        }
        let late = |at: &usize| {
            let instance = &self.instances[*at];
            let spec = &instance.core.spec;
            let patience = instance.core.master_down(spec.advert_interval.duration());
            spec.late_wake_backup && instance.silence(now).is_some_and(|silence| silence + slept > patience)
        };
        let late: Vec<usize> = (0..self.instances.len()).filter(late).collect();
        if !late.is_empty() {
            self.drive_masters(now, &late, || Event::LateWake);
        }
    }

    fn fixed_route(&self, route: &crate::spec::Route) -> bool {
        self.spec.fixed.routes.contains(route)
    }

    fn fixed_rule(&self, rule: &crate::spec::Rule) -> bool {
        self.spec.fixed.rules.contains(rule)
    }

    /// Asserts what must hold between two calls. Does nothing in release builds.
    pub(crate) fn check_invariants(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        for instance in &self.instances {
            instance.check_invariants();
            if matches!(self.phase, Phase::Waiting | Phase::Delayed(_)) {
                debug_assert_eq!(instance.kind(), StateKind::Init, "nothing happens before the start");
            }
            if instance.listens() {
                debug_assert!(instance.poll_timeout().is_some(), "who listens has a timer");
            }
        }
        for group in &self.groups {
            let faulty =
                group.members.iter().filter(|&&at| self.instances[at].kind() == StateKind::Fault).count();
            debug_assert!(
                faulty == 0
                    || !group.members.iter().any(|&at| self.instances[at].kind() == StateKind::Master),
                "no master beside a fault in a group"
            );
        }
    }
}

fn fixed_address(address: &crate::spec::VirtualAddress) -> AddressChange {
    AddressChange {
        instance: None,
        interface: address.interface.clone().unwrap_or_default(),
        address: address.clone().into(),
    }
}

fn describe(instance: &Instance, now: Instant) -> InstanceSnapshot {
    let core = &instance.core;
    InstanceSnapshot {
        name: core.spec.name.clone(),
        state: instance.kind(),
        interface: core.spec.interface.clone(),
        vrid: core.spec.vrid,
        base_priority: core.spec.priority,
        effective_priority: core.effective,
        total_priority: core.total,
        source: core.source,
        addresses: core.advertised().to_vec(),
        holds_addresses: instance.holds_addresses(),
        master: core.master,
        master_interval: instance.master_interval(),
        since_transition: core.last_transition.map(|at| now.saturating_duration_since(at)),
        faults: core.faults.iter().map(ToString::to_string).collect(),
        stats: core.stats.clone(),
    }
}
