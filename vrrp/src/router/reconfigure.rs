//! A new specification, without giving up what need not be given up.
//!
//! An instance is the same as before if it has the same identifier, family, interface and transport, whatever its
//! name: it keeps its state, and only the difference of its addresses is changed. Everything is checked before
//! anything is touched, so a specification that cannot be used leaves the old one running.

use std::sync::Arc;
use std::time::Instant;

use super::{Phase, Router, fixed_address};
use crate::event::Output;
use crate::group::Group;
use crate::instance::{Core, Event, Instance};
use crate::outbox::Outbox;
use crate::spec::check::check;
use crate::spec::{self, InstanceRef, Spec, SpecError, StaticItems, Transport};
use crate::stats::StateKind;

impl Router {
    /// Puts a new specification in place of the old one. Outputs and timeout may change.
    ///
    /// # Errors
    ///
    /// If the specification contradicts itself or the protocol; the old one stays in force then.
    pub fn reconfigure(&mut self, now: Instant, spec: impl Into<Arc<Spec>>) -> Result<(), SpecError> {
        let spec = spec.into();
        check(&spec)?;
        match self.phase {
            Phase::Waiting | Phase::Delayed(_) => {
                self.replace_fixed(&spec.fixed);
                self.spec = spec;
                self.build();
                if matches!(self.phase, Phase::Delayed(_)) {
                    self.trackers.start(now, &mut self.out);
                }
            }
            Phase::Running => self.reconfigure_running(now, spec),
            // Too late to matter.
            Phase::Stopping | Phase::Finished => {}
        }
        self.check_invariants();
        Ok(())
    }

    fn reconfigure_running(&mut self, now: Instant, spec: Arc<Spec>) {
        let mut later = std::mem::take(&mut self.out);
        self.remove_instances(now, &spec);
        self.replace_fixed(&spec.fixed);
        let old_groups = std::mem::take(&mut self.groups);
        self.spec = spec;
        self.pacer.configure(self.spec.garp_groups.clone());
        self.links.configure(&self.spec);
        self.trackers.configure(&self.spec);
        let kept = self.rebuild_instances(now);
        self.groups = self.rebuild_groups(&old_groups);
        self.refresh_lookup();
        self.restore_moved_addresses(&mut later);
        self.trackers.start(now, &mut self.out);
        self.announce_group_starts();
        self.reassess(now, false);
        for at in kept {
            self.drive(now, at, Event::Reconfigured);
            if self.spec.global.fifo_states_on_reload {
                self.with_cx(now, at, |instance, cx| {
                    let state = instance.kind();
                    instance.core.notify_again(cx, state);
                });
            }
        }
        if self.spec.global.fifo_states_on_reload {
            self.groups.iter().for_each(|group| group.notify_again(&mut self.out));
        }
    }

    /// Ends the instances the new specification does not have.
    fn remove_instances(&mut self, now: Instant, spec: &Spec) {
        for at in 0..self.instances.len() {
            let old = self.instances[at].core.spec.clone();
            if !spec.instances.iter().any(|new| is_same(&old, new)) {
                self.with_cx(now, at, |instance, cx| instance.delete(cx));
            }
        }
    }

    /// Makes the list of instances that of the new specification. Returns which ones existed before.
    fn rebuild_instances(&mut self, now: Instant) -> Vec<usize> {
        let mut old = std::mem::take(&mut self.instances);
        let mut kept = Vec::new();
        for spec in InstanceRef::all(&self.spec) {
            let mtu = spec.interface.as_ref().and_then(|interface| self.links.mtu(interface));
            match old.iter().position(|instance| is_same(&instance.core.spec, &spec)) {
                Some(found) => {
                    kept.push(self.instances.len());
                    self.instances.push(old.swap_remove(found));
                    let at = self.instances.len() - 1;
                    self.with_cx(now, at, |instance, cx| instance.core.reconfigure(cx, spec, mtu));
                }
                None => {
                    let mut core = Core::new(spec);
                    core.lay_out(mtu);
                    self.instances.push(Instance::new(core));
                }
            }
        }
        kept
    }

    fn rebuild_groups(&self, old: &[Group]) -> Vec<Group> {
        let mut groups = self.build_groups();
        for group in &mut groups {
            if let Some(old) = old.iter().find(|old| old.spec.name == group.spec.name) {
                let members = std::mem::take(&mut group.members);
                *group = Group::new((*group.spec).clone(), members).continuing(old);
            } else if group.members.iter().all(|&at| self.instances[at].kind() == StateKind::Master) {
                group.state = StateKind::Master;
            }
        }
        groups
    }

    /// An address that moved from one instance to another may have been added before it was removed: whatever was
    /// removed and is still held is added once more.
    fn restore_moved_addresses(&mut self, earlier: &mut Outbox) {
        let mut removed = Vec::new();
        while let Some(output) = self.out.pop() {
            if let Output::DelAddress(change) = &output {
                removed.push((change.interface.clone(), change.address.address()));
            }
            earlier.push(output);
        }
        for instance in self.instances.iter().filter(|instance| instance.holds_addresses()) {
            for change in instance.core.held() {
                if removed.contains(&(change.interface.clone(), change.address.address())) {
                    earlier.push(Output::AddAddress(change.change()));
                }
            }
        }
        std::mem::swap(&mut self.out, earlier);
    }

    fn replace_fixed(&mut self, new: &StaticItems) {
        if self.phase == Phase::Waiting {
            return;
        }
        let old = self.spec.fixed.clone();
        let gone = |list: &[spec::VirtualAddress], item| !list.contains(item);
        for address in old.addresses.iter().filter(|item| gone(&new.addresses, item)) {
            self.out.push(Output::DelAddress(fixed_address(address)));
        }
        for address in new.addresses.iter().filter(|item| gone(&old.addresses, item)) {
            self.out.push(Output::AddAddress(fixed_address(address)));
        }
        for route in old.routes.iter().filter(|route| !new.routes.contains(route)) {
            self.out.push(Output::DelRoute(route.clone().into()));
        }
        for route in new.routes.iter().filter(|route| !old.routes.contains(route)) {
            self.out.push(Output::AddRoute(route.clone().into()));
        }
        for rule in old.rules.iter().filter(|rule| !new.rules.contains(rule)) {
            self.out.push(Output::DelRule(rule.clone().into()));
        }
        for rule in new.rules.iter().filter(|rule| !old.rules.contains(rule)) {
            self.out.push(Output::AddRule(rule.clone().into()));
        }
    }
}

/// Whether a new instance is an old one with other settings.
fn is_same(old: &spec::Instance, new: &spec::Instance) -> bool {
    let transport = match (&old.transport, &new.transport) {
        (Transport::Multicast { group }, Transport::Multicast { group: other }) => group == other,
        (Transport::Unicast { .. }, Transport::Unicast { .. }) => old.source == new.source,
        _ => false,
    };
    let vmac = |instance: &spec::Instance| instance.vmac.as_ref().map(|vmac| vmac.name.clone());
    old.vrid == new.vrid
        && old.ipv6 == new.ipv6
        && old.version == new.version
        && old.interface == new.interface
        && vmac(old) == vmac(new)
        && transport
}
