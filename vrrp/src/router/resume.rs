//! Remembering masterships across a restart of the process.
//!
//! A process that is replaced, or dies and is started again, finds its addresses still in place. If it is back before
//! any backup loses patience, the mastership goes on as if nothing had happened, instead of the addresses being
//! removed and a whole election waited for.

use std::time::{Duration, Instant};

use super::Router;
use crate::instance::{Core, Event};
use crate::spec::{self, Name};
use crate::stats::StateKind;
use crate::track::Remembered;

/// What a successor of this process needs to know. Plain data; with the `serde` feature it can be written anywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Memory {
    /// The instances that were master.
    pub masters: Vec<RememberedInstance>,
    /// What was known about the scripts.
    scripts: Vec<Remembered>,
    /// The sessions with neighbours that were up.
    #[cfg_attr(feature = "serde", serde(default))]
    pub sessions: Vec<Name>,
}

/// An instance that was master. Written as a list without names: a thousand of them are told at every change of one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(into = "Entry", from = "Entry")
)]
#[non_exhaustive]
pub struct RememberedInstance {
    /// Its identifier.
    pub vrid: u8,
    /// Its interface.
    pub interface: Option<Name>,
    /// Its family.
    pub ipv6: bool,
    /// The last sequence number of its authentication headers, when this was told.
    pub sequence: u32,
}

/// An instance as it is written.
#[cfg(feature = "serde")]
type Entry = (u8, Option<Name>, bool, u32);

#[cfg(feature = "serde")]
impl From<RememberedInstance> for Entry {
    fn from(instance: RememberedInstance) -> Self {
        (instance.vrid, instance.interface, instance.ipv6, instance.sequence)
    }
}

#[cfg(feature = "serde")]
impl From<Entry> for RememberedInstance {
    fn from((vrid, interface, ipv6, sequence): Entry) -> Self {
        Self { vrid, interface, ipv6, sequence }
    }
}

impl RememberedInstance {
    fn of(core: &Core) -> Self {
        let spec = &core.spec;
        Self {
            vrid: spec.vrid,
            interface: spec.interface.clone(),
            ipv6: spec.ipv6,
            sequence: core.sequence(),
        }
    }

    fn is(&self, spec: &spec::Instance) -> bool {
        (self.vrid, &self.interface, self.ipv6) == (spec.vrid, &spec.interface, spec.ipv6)
    }
}

impl Router {
    /// What a successor of this process needs to know. Changes whenever an instance enters or leaves MASTER, which
    /// [`Output::Notify`](crate::Output::Notify) tells.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let masters = || self.instances.iter().filter(|instance| instance.kind() == StateKind::Master);
        let mut remembered = Vec::with_capacity(masters().count());
        remembered.extend(masters().map(|instance| RememberedInstance::of(&instance.core)));
        Memory {
            masters: remembered,
            scripts: self.trackers.remember(),
            sessions: self.trackers.sessions_up(),
        }
    }

    /// Hands over what a former run of this process remembered, `age` ago. To be called before
    /// [`Admin::Start`](crate::event::Admin::Start).
    ///
    /// An instance resumes its mastership at the start if it was master, the time has not been long enough for
    /// another router to take over, at least one of its addresses is still in place, and nothing keeps it from
    /// taking part.
    pub fn resume(&mut self, memory: Memory, age: Duration) {
        if self.spec.global.resume {
            self.trackers.recall(&memory.scripts, &memory.sessions);
            self.memory = Some((memory, age));
        }
    }

    pub(super) fn resume_masters(&mut self, now: Instant) {
        let Some((memory, age)) = self.memory.take() else { return };
        self.choose_sources();
        let verdicts = self.verdicts();
        let able: Vec<bool> = (0..self.instances.len())
            .map(|at| {
                let core = &self.instances[at].core;
                let patience = core.master_down(core.spec.advert_interval.duration());
                memory.masters.iter().any(|remembered| remembered.is(&core.spec))
                    && age + self.spec.global.startup_delay <= patience
                    && verdicts[at].faults.is_empty()
                    && !verdicts[at].pending
                    && core
                        .held()
                        .any(|change| self.links.has_address(change.interface, change.address.address()))
            })
            .collect();
        for at in 0..self.instances.len() {
            let together = self
                .group_of(at)
                .is_none_or(|group| self.groups[group].members.iter().all(|&member| able[member]));
            if able[at] && together {
                // The weights first, so that the first advert says the true priority.
                let sequence = memory
                    .masters
                    .iter()
                    .find(|remembered| remembered.is(&self.instances[at].core.spec))
                    .map_or(0, |remembered| remembered.sequence);
                self.with_cx(now, at, |instance, cx| {
                    instance.core.set_weight(verdicts[at].weight, cx);
                    instance.core.resume_sequence(sequence);
                });
                self.drive(now, at, Event::Resume);
            }
        }
    }
}
