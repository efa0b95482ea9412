//! Listening to a master.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::fault::Fault;
use super::master::Master;
use super::{Core, Cx, Event, State};
use crate::advert::Advert;
use crate::spec::{AdvertInterval, InitialState, Preempt, Version};
use crate::stats::StateKind;
use crate::timer;
use crate::wire::PRIORITY_STOP;

/// How soon the owner of the addresses becomes master after the start.
const AT_ONCE: Duration = Duration::from_micros(1);
/// How long an answer to the question for the successor is believed.
const SUCCESSION: Duration = Duration::from_secs(1);
/// A timer that fires later than this part of the master's interval means that this process did not run.
const TOLERABLE: u32 = 4;

#[derive(Debug)]
pub(super) struct Backup {
    /// When the master is taken for dead.
    down_at: Instant,
    /// Version 3: the interval of the master, adopted from its adverts.
    master_interval: AdvertInterval,
    /// Sender of the last advert.
    heard: Option<IpAddr>,
    /// When the wait that `preempt_delay` imposes ends, once it has begun.
    preempt_at: Option<Instant>,
    /// The timer has expired, but the group was not ready.
    held_by_group: bool,
    /// After a mastership that another router ended.
    succession: Option<Box<Succession>>,
}

/// What a former master does for the one it gave way to. Not every router announces its addresses again when it hears a rival,
/// and until it does, or until they notice by themselves, the clients go on sending to us.
#[derive(Debug)]
struct Succession {
    until: Instant,
    /// Addresses of which the clients have not been told yet.
    left: Vec<IpAddr>,
}

impl Backup {
    pub(super) fn handle(mut self, core: &mut Core, cx: &mut Cx<'_>, event: Event) -> State {
        match event {
            Event::Timer if self.down_at <= cx.now => return self.timeout(core, cx),
            Event::Advert(advert) => self.advert(core, cx, &advert),
            Event::Fault => {
                core.tell_faults(cx);
                core.info(cx, "Entering FAULT STATE");
                core.notify(cx, StateKind::Fault);
                return State::Fault(Fault);
            }
            Event::GroupMaster => return State::Master(Master::enter(core, cx)),
            Event::PriorityChanged(old) => {
                self.shift(core, old);
                core.notify_priority(cx, StateKind::Backup);
            }
            Event::Reconfigured => self.reconfigured(core, cx),
            Event::Claim { address, mac } => self.claim(core, cx, address, mac),
            Event::Shutdown => {
                core.notify(cx, StateKind::Stopped);
                return State::Stopped;
            }
            _ => {}
        }
        State::Backup(self)
    }

    /// The first state of every instance. The owner of the addresses does not wait if it is to begin as master.
    pub(super) fn at_start(core: &Core, cx: &Cx<'_>) -> Self {
        let mut backup = Self::listening(core, cx);
        if core.spec.is_owner() && core.spec.state == InitialState::Master {
            backup.down_at = cx.now + AT_ONCE;
        }
        backup
    }

    /// After a fault the owner waits for one interval only.
    pub(super) fn after_fault(core: &Core, cx: &Cx<'_>) -> Self {
        let mut backup = Self::listening(core, cx);
        if core.spec.is_owner() && core.spec.state == InitialState::Master {
            let interval = core.spec.advert_interval.duration();
            backup.down_at = cx.now + interval + core.skew(interval);
        }
        backup
    }

    /// After a mastership: the whole master-down time, with the interval the new master spoke of.
    pub(super) fn after_master(core: &Core, cx: &Cx<'_>, interval: AdvertInterval) -> Self {
        let mut backup = Self::listening(core, cx);
        if core.spec.version == Version::V3 {
            backup.master_interval = interval;
            backup.restart(core, cx);
        }
        backup
    }

    pub(super) fn poll_timeout(&self) -> Instant {
        self.down_at
    }

    pub(super) fn wants_master(&self) -> bool {
        self.held_by_group
    }

    pub(super) fn master_interval(&self) -> AdvertInterval {
        self.master_interval
    }

    fn listening(core: &Core, cx: &Cx<'_>) -> Self {
        let master_interval = core.spec.advert_interval;
        Self {
            down_at: cx.now + core.master_down(master_interval.duration()),
            master_interval,
            heard: None,
            preempt_at: None,
            held_by_group: false,
            succession: None,
        }
    }

    /// Asks where the addresses are now.
    pub(super) fn find_successor(&mut self, core: &Core, cx: &mut Cx<'_>) {
        let left = core.probe_all(cx);
        let until = cx.now + SUCCESSION;
        self.succession = (!left.is_empty()).then(|| Box::new(Succession { until, left }));
    }

    /// Another machine answers for an address. The first one that does so is believed: it was asked when there was a master.
    fn claim(&mut self, core: &mut Core, cx: &mut Cx<'_>, address: IpAddr, mac: [u8; 6]) {
        let Some(succession) = self.succession.as_mut().filter(|one| cx.now < one.until) else { return };
        let Some(at) = succession.left.iter().position(|left| *left == address) else { return };
        succession.left.swap_remove(at);
        core.introduce(cx, address, mac);
    }

    fn timeout(mut self, core: &mut Core, cx: &mut Cx<'_>) -> State {
        let late = cx.now.saturating_duration_since(self.down_at);
        let interval = self.master_interval.duration();
        if core.spec.late_wake_backup && late > interval / TOLERABLE && !self.held_by_group {
            // This process was not scheduled when the timer expired, so the adverts of a living master may be waiting
            // in the socket unread, and what held this machine up may have held up the master's, too. Look and listen first.
            let skew = core.skew(interval);
            self.down_at = cx.now + if late > interval { interval + skew } else { skew.max(interval / 2) };
            core.info(cx, &format!("timer expired {}ms late, listening first", late.as_millis()));
            return State::Backup(self);
        }
        if !self.held_by_group {
            core.detail(cx, "Receive advertisement timeout");
        }
        if !cx.others_ready {
            // The time is of no importance, others will say when they are ready; but this one must not be forgotten.
            self.held_by_group = true;
            self.restart(core, cx);
            return State::Backup(self);
        }
        if core.spec.version == Version::V3 && self.master_interval != core.spec.advert_interval {
            core.detail(
                cx,
                &format!(
                    "changing advert interval from {}ms to locally configured {}ms",
                    self.master_interval.duration().as_millis(),
                    core.spec.advert_interval.duration().as_millis()
                ),
            );
        }
        State::Master(Master::enter(core, cx))
    }

    fn advert(&mut self, core: &mut Core, cx: &mut Cx<'_>, advert: &Advert) {
        self.note_sender(core, cx, advert);
        if advert.priority == PRIORITY_STOP {
            // RFC 9568 §6.4.2: the skew alone, whoever sent it.
            core.detail(cx, "Backup received priority 0 advertisement");
            core.stats.priority_zero_received += 1;
            let interval = self.master_interval.duration();
            let skew = cx.now + core.skew(interval);
            self.down_at = match core.wary(cx.now) {
                // Others spoke in its name: it gets the time for one more advert.
                Some(source) if source == advert.source => self.down_at.min(skew + interval),
                _ => skew,
            };
        } else if self.honours(core, cx, advert) {
            self.adopt(core, cx, advert);
        } else {
            core.info(
                cx,
                &format!(
                    "received lower priority ({}) advert from {} - discarding",
                    advert.priority, advert.source
                ),
            );
        }
    }

    fn note_sender(&mut self, core: &mut Core, cx: &mut Cx<'_>, advert: &Advert) {
        let changed = self.heard != Some(advert.source);
        match self.heard {
            None => core.detail(cx, &format!("master set to {}", advert.source)),
            Some(old) if changed => {
                core.detail(cx, &format!("master changed from {old} to {}", advert.source))
            }
            Some(_) => {}
        }
        self.heard = Some(advert.source);
        if core.owner_backed_off && (changed || advert.priority != crate::wire::PRIORITY_OWNER) {
            core.info(cx, "Restoring our priority to 255 since received advert with lower priority");
            core.restore_owner();
        }
    }

    /// RFC 9568 §6.4.2, with the two ways of keepalived to be less eager.
    fn honours(&self, core: &Core, cx: &Cx<'_>, advert: &Advert) -> bool {
        advert.priority >= core.effective
            || match core.spec.preempt {
                Preempt::Immediate => false,
                Preempt::Never => true,
                Preempt::After(_) => self.preempt_at.is_none_or(|at| at > cx.now),
            }
    }

    fn adopt(&mut self, core: &mut Core, cx: &mut Cx<'_>, advert: &Advert) {
        if core.spec.version == Version::V3 && self.master_interval != advert.interval {
            core.detail(
                cx,
                &format!(
                    "advertisement interval updated from {}ms to {}ms by master",
                    self.master_interval.duration().as_millis(),
                    advert.interval.duration().as_millis()
                ),
            );
            self.master_interval = advert.interval;
        }
        self.held_by_group = false;
        if core.master.is_none_or(|(address, _)| address != advert.source) {
            core.told.clear();
            core.told.note_mismatch(advert);
        }
        core.master = Some((advert.source, advert.priority));
        if let Preempt::After(delay) = core.spec.preempt {
            if advert.priority >= core.effective {
                if self.preempt_at.take().is_some() {
                    core.detail(cx, "stop preempt delay");
                }
            } else if self.preempt_at.is_none() {
                core.detail(
                    cx,
                    &format!("start preempt delay ({}.{:06})", delay.as_secs(), delay.subsec_micros()),
                );
                self.preempt_at = Some(cx.now + delay);
            }
        }
        self.restart(core, cx);
    }

    fn restart(&mut self, core: &Core, cx: &Cx<'_>) {
        self.down_at = cx.now + core.master_down(self.master_interval.duration());
    }

    /// A change of the priority moves the running timer by the difference of the skews and does not restart it.
    fn shift(&mut self, core: &Core, old: u8) {
        let interval = self.master_interval.duration();
        let (before, after) = (timer::skew(core.spec.version, old, interval), core.skew(interval));
        if after >= before {
            self.down_at += after - before;
        } else {
            self.down_at = self.down_at.checked_sub(before - after).unwrap_or(self.down_at);
        }
    }

    fn reconfigured(&mut self, core: &Core, cx: &Cx<'_>) {
        if core.spec.version == Version::V2 && self.master_interval != core.spec.advert_interval {
            self.master_interval = core.spec.advert_interval;
            self.restart(core, cx);
        }
        let longest = cx.now + core.master_down(self.master_interval.duration());
        self.down_at = self.down_at.min(longest);
        if !matches!(core.spec.preempt, Preempt::After(_)) {
            self.preempt_at = None;
        }
    }
}
