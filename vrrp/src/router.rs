//! The set of virtual routers: the one type a driver talks to.

mod apply;
mod findings;
mod input;
mod life;
mod lookup;
mod reconfigure;
mod resume;
mod source;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::event::{AddressChange, Input, Output};
use crate::garp::Pacer;
use crate::group::Group;
use crate::instance::{Core, Event, Instance};
use crate::link::Links;
use crate::outbox::Outbox;
use crate::spec::check::check;
use crate::spec::{InstanceRef, Name, Spec, SpecError};
use crate::stats::{GroupSnapshot, Snapshot, StateKind};
use crate::timer::{earliest, reached};
use crate::track::Trackers;

use findings::Unknown;
use lookup::Lookup;
pub use resume::{Memory, RememberedInstance};

/// All virtual routers of one specification.
///
/// The four calls: feed it with [`handle_input`](Self::handle_input) and [`handle_timeout`](Self::handle_timeout);
/// after either one take everything [`poll_output`](Self::poll_output) yields and do it in that order, then set one
/// timer to [`poll_timeout`](Self::poll_timeout). It reads no clock, opens nothing and never blocks.
///
/// First tell all interfaces and addresses there are, then [`Admin::Start`](crate::event::Admin::Start).
#[derive(Debug)]
pub struct Router {
    spec: Arc<Spec>,
    instances: Vec<Instance>,
    groups: Vec<Group>,
    trackers: Trackers,
    links: Links,
    pacer: Pacer,
    out: Outbox,
    phase: Phase,
    memory: Option<(Memory, Duration)>,
    unknown: Unknown,
    lookup: Lookup,
    /// When the timers were last served.
    served: Option<Instant>,
    /// Since when some are due that were left for the next call, and the instance to begin with then.
    behind: Option<(Instant, usize)>,
    /// No instance has a timer that comes up earlier. With a thousand instances, looking at each of them whenever somebody
    /// asks would cost more than all they do.
    due: Option<Instant>,
}

/// Instances whose timers are served in one call.
const SERVED_AT_ONCE: usize = 64;

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

impl Router {
    /// A router for this specification that waits for its surroundings to be described.
    ///
    /// # Errors
    ///
    /// If the specification contradicts itself or the protocol.
    pub fn new(spec: impl Into<Arc<Spec>>) -> Result<Self, SpecError> {
        let spec = spec.into();
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
            lookup: Lookup::default(),
            served: None,
            behind: None,
            due: None,
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
                let matters = self.matters(address.prefix.address);
                self.links.add_address(address);
                if matters {
                    self.reassess(now, true);
                }
            }
            Input::AddressRemoved(address) => {
                self.address_removed(now, &address.interface, address.prefix.address)
            }
            Input::RouteRemoved(route) => {
                let held = |instance: &Instance| {
                    instance.holds_addresses() && instance.core.spec.routes.contains(&route)
                };
                if route.track
                    && self.is_active()
                    && (self.fixed_route(&route) || self.instances.iter().any(held))
                {
                    self.out.push(Output::AddRoute(route));
                }
            }
            Input::RuleRemoved(rule) => {
                let held = |instance: &Instance| {
                    instance.holds_addresses() && instance.core.spec.rules.contains(&rule)
                };
                if rule.track
                    && self.is_active()
                    && (self.fixed_rule(&rule) || self.instances.iter().any(held))
                {
                    self.out.push(Output::AddRule(rule));
                }
            }
            Input::Claim(claim) => self.claim(now, &claim),
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
            self.serve_timers(now);
            self.finish_if_stopped();
        }
        if self.behind.is_none() {
            self.served = Some(now);
        }
        self.check_invariants();
    }

    /// Serves the instances whose time has come, a few at a time: what the first of them want done is done before the
    /// last are looked at. The rest is due at once, which [`poll_timeout`](Self::poll_timeout) says.
    fn serve_timers(&mut self, now: Instant) {
        let (count, first) = (self.instances.len(), self.behind.map_or(0, |(_, at)| at));
        let mut served = 0;
        // Those that are served tell their next time themselves.
        self.due = None;
        for at in (first..count).chain(0..first.min(count)) {
            let next = self.lookup.next[at];
            if !reached(next, now) {
                self.due = earliest([self.due, next]);
                continue;
            }
            if served == SERVED_AT_ONCE {
                self.behind = Some((now, at));
                return;
            }
            served += 1;
            self.drive(now, at, Event::Timer);
        }
        self.behind = None;
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
            Phase::Running | Phase::Stopping if self.behind.is_some() => self.behind.map(|(since, _)| since),
            Phase::Running | Phase::Stopping => {
                let (trackers, links) = (self.trackers.poll_timeout(), self.links.poll_timeout());
                earliest([self.due, trackers, links, self.pacer.poll_timeout()])
            }
        }
    }

    /// True after a shutdown that is complete, and after [`Admin::Abandon`](crate::event::Admin::Abandon).
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

    /// The master an instance last heard.
    #[must_use]
    pub fn master(&self, instance: &str) -> Option<std::net::IpAddr> {
        self.find(instance).and_then(|at| self.instances[at].core.master).map(|(address, _)| address)
    }

    /// Source address of the adverts of an instance.
    #[cfg(feature = "linux")]
    pub(crate) fn advert_source(&self, instance: &str) -> Option<std::net::IpAddr> {
        self.find(instance).and_then(|at| self.instances[at].core.source)
    }

    /// Who sends adverts of an instance's virtual router.
    #[cfg(feature = "linux")]
    pub(crate) fn senders(&self, now: Instant, instance: &str) -> Vec<crate::stats::SenderSnapshot> {
        self.find(instance).map_or_else(Vec::new, |at| self.instances[at].core.senders(now))
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
            instances: (0..self.instances.len()).map(|at| self.describe(now, at)).collect(),
            groups: groups.collect(),
            trackers: self.trackers.snapshot(),
            unknown_vrids: self.unknown.count,
            interfaces: self.links.snapshot(),
        }
    }

    fn build(&mut self) {
        let specs = InstanceRef::all(&self.spec);
        self.instances = specs.map(|spec| Instance::new(Core::new(spec))).collect();
        self.trackers.configure(&self.spec);
        self.links.configure(&self.spec);
        self.pacer.configure(self.spec.garp_groups.clone());
        self.groups = self.build_groups();
        self.refresh_lookup();
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

    /// Asserts what must hold between two calls. Does nothing in release builds.
    pub(crate) fn check_invariants(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        for (instance, &next) in self.instances.iter().zip(&self.lookup.next) {
            instance.check_invariants();
            debug_assert_eq!(instance.poll_timeout(), next, "the list of times is right");
            if matches!(self.phase, Phase::Waiting | Phase::Delayed(_)) {
                debug_assert_eq!(instance.kind(), StateKind::Init, "nothing happens before the start");
            }
            if instance.listens() {
                debug_assert!(instance.poll_timeout().is_some(), "who listens has a timer");
            }
            let known = self.behind.is_some() || earliest([self.due, instance.poll_timeout()]) == self.due;
            debug_assert!(known, "no timer is forgotten");
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
