//! Events of instances and what they mean for their groups; verdicts of the trackers and what they mean for
//! instances.

use std::time::Instant;

use super::{Phase, Router};
use crate::instance::{Cx, Event, Instance};
use crate::stats::StateKind;
use crate::timer::earliest;
use crate::track::{Assessment, Fault};

impl Router {
    /// Gives an event to an instance and its consequences to its group.
    pub(super) fn drive(&mut self, now: Instant, at: usize, event: Event) {
        let before = self.instances[at].kind();
        let rival_heard = self.apply(now, at, event);
        let Some(group) = self.group_of(at) else { return };
        if rival_heard {
            // On the other side the whole group gives way to one advert, so the other members here will not hear
            // their rivals; their clients need to be told all the same.
            for member in self.others(group, at) {
                self.apply(now, member, Event::GroupRival);
            }
        }
        if self.instances[at].kind() != before {
            self.synchronise(now, group, at, before);
        }
    }

    /// Gives the same event to some masters before any group takes notice, so that each says its own goodbye.
    pub(super) fn drive_masters(&mut self, now: Instant, masters: &[usize], event: impl Fn() -> Event) {
        let masters: Vec<usize> =
            masters.iter().copied().filter(|&at| self.instances[at].kind() == StateKind::Master).collect();
        for &at in &masters {
            self.apply(now, at, event());
        }
        for at in masters {
            if let (Some(group), true) = (self.group_of(at), self.instances[at].kind() != StateKind::Master) {
                self.synchronise(now, group, at, StateKind::Master);
            }
        }
    }

    /// The instance and all that share its fate.
    pub(super) fn together(&self, at: usize) -> Vec<usize> {
        match self.group_of(at) {
            Some(group) => self.groups[group].members.clone(),
            None => vec![at],
        }
    }

    /// Gives an event to an instance. True if it heard a rival.
    fn apply(&mut self, now: Instant, at: usize, event: Event) -> bool {
        self.with_cx(now, at, |instance, cx| {
            instance.handle(cx, event);
            cx.announce_group
        })
    }

    pub(super) fn with_cx<R>(
        &mut self,
        now: Instant,
        at: usize,
        action: impl FnOnce(&mut Instance, &mut Cx<'_>) -> R,
    ) -> R {
        let group = self.group_of(at);
        let others_ready = group
            .is_none_or(|group| self.others(group, at).all(|other| self.instances[other].wants_master()));
        let mut cx = Cx {
            now,
            out: &mut self.out,
            pacer: &mut self.pacer,
            global: &self.spec.global,
            group: group.map(|group| self.groups[group].state),
            others_ready,
            announce_group: false,
        };
        let result = action(&mut self.instances[at], &mut cx);
        let next = self.instances[at].poll_timeout();
        // While a new specification is put in place the list is the old one; it is made anew then.
        if let Some(known) = self.lookup.next.get_mut(at) {
            *known = next;
        }
        self.due = earliest([self.due, next]);
        result
    }

    /// Makes the other members of a group follow one that changed its state.
    fn synchronise(&mut self, now: Instant, group: usize, at: usize, before: StateKind) {
        let state = self.instances[at].kind();
        if !matches!(state, StateKind::Master | StateKind::Backup | StateKind::Fault) {
            return;
        }
        let lost = before == StateKind::Master && state == StateKind::Backup;
        let first = self.groups[group].state != state;
        // At the start everybody begins as backup on its own.
        if first && before != StateKind::Init {
            let name = &self.groups[group].spec.name;
            self.out.info(format!("VRRP_Group({name}) Syncing instances to {} state", state.word()));
        }
        let followers: Vec<usize> = self.others(group, at).collect();
        for member in followers {
            match state {
                StateKind::Master => drop(self.apply(now, member, Event::GroupMaster)),
                StateKind::Backup if lost => drop(self.apply(now, member, Event::GroupBackup)),
                // Faults and recoveries come to every member by way of the verdict.
                _ => {}
            }
        }
        if self.groups[group].enter(state) {
            self.groups[group].notify(&self.spec.global, &mut self.out);
        }
    }

    /// Computes anew what the trackers, the links and the addresses mean for every instance.
    ///
    /// `yielding` allows masters to step down actively when they lost priority; after a start or a new specification
    /// a lower priority is not the sign of a local failure.
    pub(super) fn reassess(&mut self, now: Instant, yielding: bool) {
        if self.phase != Phase::Running {
            if self.phase == Phase::Stopping {
                self.choose_sources();
            }
            return;
        }
        self.choose_sources();
        let verdicts = self.verdicts();
        let mut weaker = Vec::new();
        // Those with faults of their own first, so that the log names the cause before the consequence.
        let own_fault = |fault: &Fault| !matches!(fault, Fault::Group(_));
        let mut order: Vec<usize> = (0..self.instances.len()).collect();
        order.sort_by_key(|&at| !verdicts[at].faults.iter().any(own_fault));
        let mut moved = Vec::new();
        for at in order {
            let (loses, before) = self.take_verdict(now, at, verdicts[at].clone());
            weaker.extend(loses.then_some(at));
            moved.extend(before.map(|before| (at, before)));
        }
        // A group tells its state after its members: who is in the state of its group already tells nothing.
        for (at, before) in moved {
            if let Some(group) = self.group_of(at) {
                self.synchronise(now, group, at, before);
            }
        }
        if yielding && self.spec.global.active_step_down {
            self.yield_masters(now, &weaker);
        }
    }

    /// The verdict on every instance, the trouble of its group included.
    pub(super) fn verdicts(&self) -> Vec<Assessment> {
        let group_spec = |at: usize| self.group_of(at).map(|group| &*self.groups[group].spec);
        let mut verdicts: Vec<Assessment> = (0..self.instances.len())
            .map(|at| {
                let core = &self.instances[at].core;
                let mut verdict = self.trackers.assess(&core.spec, group_spec(at), &self.links);
                verdict.faults.extend(self.source_fault(at));
                verdict
            })
            .collect();
        for group in &self.groups {
            let faulty = group.members.iter().any(|&at| !verdicts[at].faults.is_empty());
            let pending = group.members.iter().any(|&at| verdicts[at].pending);
            for &at in &group.members {
                if faulty && verdicts[at].faults.is_empty() {
                    verdicts[at].faults.push(Fault::Group(group.spec.name.clone()));
                }
                verdicts[at].pending |= pending;
            }
        }
        verdicts
    }

    /// Whether it is a master that is weaker than before, and the state it had if it has another now.
    fn take_verdict(&mut self, now: Instant, at: usize, verdict: Assessment) -> (bool, Option<StateKind>) {
        let changed = self.with_cx(now, at, |instance, cx| {
            instance.core.faults = verdict.faults;
            instance.core.pending = verdict.pending;
            instance.core.set_weight(verdict.weight, cx)
        });
        let core = &self.instances[at].core;
        let (faulty, pending) = (!core.faults.is_empty(), core.pending);
        let weaker = changed.is_some_and(|old| core.effective < old);
        if let Some(old) = changed {
            self.apply(now, at, Event::PriorityChanged(old));
        }
        let before = self.instances[at].kind();
        let event = match before {
            StateKind::Init if faulty => Event::Fault,
            StateKind::Init => Event::Begin,
            StateKind::Backup | StateKind::Master | StateKind::Releasing if faulty => Event::Fault,
            StateKind::Fault if !faulty && !pending => Event::Recover,
            kind => return (weaker && kind == StateKind::Master, None),
        };
        self.apply(now, at, event);
        (false, Some(before).filter(|before| self.instances[at].kind() != *before))
    }

    /// Masters whose own trackers make them lose hand over now, instead of waiting to be outbid.
    fn yield_masters(&mut self, now: Instant, weaker: &[usize]) {
        let mut yielded = Vec::new();
        for &at in weaker {
            let core = &self.instances[at].core;
            if self.instances[at].kind() != StateKind::Master || !core.expects_to_lose() {
                continue;
            }
            // The other side takes over all members of a group or none.
            for member in self.together(at) {
                if !yielded.contains(&member) {
                    yielded.push(member);
                    self.apply(now, member, Event::Yield);
                }
            }
        }
    }

    /// States of the groups at the start, which are told like those of instances.
    pub(super) fn announce_group_starts(&mut self) {
        self.choose_sources();
        let verdicts = self.verdicts();
        for group in &mut self.groups {
            if group.state != StateKind::Init {
                continue;
            }
            let state = if group.members.iter().any(|&at| !verdicts[at].faults.is_empty()) {
                StateKind::Fault
            } else if group.members.iter().any(|&at| verdicts[at].pending) {
                StateKind::Init
            } else {
                StateKind::Backup
            };
            if group.enter(state) {
                group.notify(&self.spec.global, &mut self.out);
            }
        }
    }

    fn others(&self, group: usize, at: usize) -> impl Iterator<Item = usize> + use<> {
        let members = self.groups[group].members.clone();
        members.into_iter().filter(move |&member| member != at)
    }
}
