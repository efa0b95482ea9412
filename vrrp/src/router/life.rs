//! The beginning, the end, and awakenings.

use std::time::{Duration, Instant};

use super::{Phase, Router, fixed_address};
use crate::event::Output;
use crate::instance::{Event, Instance};
use crate::spec::{Route, Rule};
use crate::stats::StateKind;

impl Router {
    pub(super) fn start(&mut self, now: Instant) {
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

    pub(super) fn begin(&mut self, now: Instant) {
        self.phase = Phase::Running;
        for instance in &mut self.instances {
            let mtu = instance.core.spec.interface.as_ref().and_then(|interface| self.links.mtu(interface));
            instance.core.lay_out(mtu);
        }
        self.resume_masters(now);
        self.announce_group_starts();
        self.reassess(now, false);
    }

    pub(super) fn shutdown(&mut self, now: Instant) {
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

    pub(super) fn finish_if_stopped(&mut self) {
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

    /// A master that could not speak for longer than the patience of any successor has one. As long as some successors still
    /// wait, speaking is better than listening: it keeps them from taking over.
    pub(super) fn notice_late_wake(&mut self, now: Instant, slept: Duration) {
        if self.phase != Phase::Running {
            return;
        }
        // Whoever was served a moment ago cannot be late, and most calls come in between.
        let recent = |at: Instant| now.saturating_duration_since(at) <= self.lookup.unhurried;
        if slept.is_zero() && self.served.is_some_and(recent) {
            return;
        }
        let late = |at: &usize| {
            let instance = &self.instances[*at];
            let spec = &instance.core.spec;
            let patience = instance.core.longest_patience();
            spec.late_wake_backup && instance.silence(now).is_some_and(|silence| silence + slept > patience)
        };
        let late: Vec<usize> = (0..self.instances.len()).filter(late).collect();
        if !late.is_empty() {
            self.drive_masters(now, &late, || Event::LateWake(slept));
        }
    }

    pub(super) fn fixed_route(&self, route: &Route) -> bool {
        self.spec.fixed.routes.contains(route)
    }

    pub(super) fn fixed_rule(&self, rule: &Rule) -> bool {
        self.spec.fixed.rules.contains(rule)
    }
}
