//! Holding the addresses.

use std::cmp::Ordering;
use std::time::{Duration, Instant};

use super::backup::Backup;
use super::common::SAME_ADDRESS;
use super::fault::Fault;
use super::releasing::Releasing;
use super::rivalry::{Rivalry, settling};
use super::{Core, Cx, Event, State};
use crate::advert::Advert;
use crate::spec::AdvertInterval;
use crate::stats::StateKind;
use crate::timer::{earliest, reached};
use crate::wire::{PRIORITY_OWNER, PRIORITY_STOP};

/// A silence of up to so many times a successor's patience is short: its first adverts are still in our socket.
const SHORT: u32 = 2;
/// After a silence of more than so many times a successor's patience nothing is certain any more.
const TOO_LONG: u32 = 4;

#[derive(Debug)]
pub(super) struct Master {
    /// Adverts follow a fixed schedule. Nothing that is received moves it.
    next_advert: Instant,
    pub(super) last_advert: Instant,
    /// The second set of announcements.
    pub(super) delayed_set: Option<Instant>,
    /// Further sets at regular intervals.
    refresh: Option<Instant>,
    /// Announcements of the base interface of a VMAC.
    extra: Option<Instant>,
    /// When this mastership began.
    pub(super) since: Instant,
    /// What is going on with other masters; nothing as long as there were none.
    pub(super) rivalry: Option<Box<Rivalry>>,
}

impl Master {
    pub(super) fn handle(mut self, core: &mut Core, cx: &mut Cx<'_>, event: Event) -> State {
        match event {
            Event::Timer if reached(self.listening(), cx.now) => self.go_on(core, cx),
            Event::Timer if self.listening().is_some() => {}
            Event::Timer => self.timer(core, cx),
            Event::Advert(advert) if self.listening().is_some() => return self.succeeded(core, cx, &advert),
            Event::Advert(advert) => return self.advert(core, cx, &advert),
            Event::Fault => return self.fault(core, cx),
            // Another member heard a successor: that of this one is told to announce its addresses, too.
            Event::GroupBackup if self.listening().is_some() => return self.give_way(core, cx),
            Event::GroupBackup => return self.leave(core, cx, core.spec.advert_interval),
            Event::LateWake(slept) => return self.late_wake(core, cx, slept),
            Event::Yield => {
                // Priority zero makes the best backup take over within its skew; our next advert, with the true
                // priority, is due only after that. Should nobody else be better, we simply go on.
                core.send_stop(cx);
                core.stats.step_downs += 1;
                self.next_advert = cx.now + core.spec.advert_interval.duration();
            }
            Event::StepDown => {
                core.stats.step_downs += 1;
                return self.give_way(core, cx);
            }
            Event::PriorityChanged(_) => core.notify_priority(cx, StateKind::Master),
            Event::Announce => {
                core.announce(cx, core.spec.garp.repeat);
            }
            Event::GroupRival => self.announce_against_rival(core, cx),
            Event::Claim { address, mac } => self.claim(core, cx, address, mac),
            Event::Reconfigured => self.reconfigured(core, cx),
            Event::Shutdown => return Releasing::begin(core, cx),
            Event::Begin | Event::Resume | Event::Recover | Event::GroupMaster => {}
        }
        State::Master(self)
    }

    /// Becomes master. The advert comes first: the old master should be gone before the addresses are announced.
    pub(super) fn enter(core: &mut Core, cx: &mut Cx<'_>) -> Self {
        core.told.clear();
        core.send_advert(cx, core.effective);
        core.info(cx, "Entering MASTER STATE");
        if core.owner_backed_off {
            core.info(cx, "Restoring our priority to 255 since other address owner has disappeared");
            core.restore_owner();
        }
        core.stats.became_master += 1;
        core.take(cx);
        let master = Self::running(core, cx);
        core.announce(cx, core.spec.garp.repeat);
        core.notify(cx, StateKind::Master);
        master
    }

    /// Takes up the mastership of a former run of this process, whose addresses are still in place.
    pub(super) fn resume(core: &mut Core, cx: &mut Cx<'_>) -> Self {
        core.info(cx, "resuming MASTER STATE of the previous run");
        Self::enter(core, cx)
    }

    pub(super) fn poll_timeout(&self) -> Instant {
        if let Some(until) = self.listening() {
            return until;
        }
        let rivalry = self.rivalry.as_ref().and_then(|rivalry| rivalry.poll_timeout());
        let sets = earliest([self.delayed_set, self.refresh, self.extra, rivalry]);
        sets.map_or(self.next_advert, |at| at.min(self.next_advert))
    }

    pub(super) fn last_advert(&self) -> Instant {
        self.last_advert
    }

    fn running(core: &Core, cx: &Cx<'_>) -> Self {
        let garp = &core.spec.garp;
        let after = |delay: Duration| (!delay.is_zero()).then(|| cx.now + garp.delay + delay);
        let extra = core.spec.extra_garp.map(|extra| extra.interval);
        let mut master = Self {
            next_advert: cx.now + core.spec.advert_interval.duration(),
            last_advert: cx.now,
            delayed_set: (!garp.delay.is_zero()).then(|| cx.now + garp.delay),
            refresh: after(garp.refresh),
            extra: extra.and_then(after),
            since: cx.now,
            rivalry: None,
        };
        if let Some(settling) = settling(core, cx.now) {
            master.rivalry(core).settling = Some(settling);
        }
        master
    }

    fn timer(&mut self, core: &mut Core, cx: &mut Cx<'_>) {
        let now = cx.now;
        let garp = core.spec.garp.clone();
        if self.next_advert <= now {
            // The question first: a false master is deposed by the advert, and would be gone when it is asked.
            core.probe(cx);
            self.send(core, cx);
            self.next_advert += core.spec.advert_interval.duration();
            if self.next_advert <= now {
                // Adverts that were missed are missed.
                self.next_advert = now + core.spec.advert_interval.duration();
            }
            self.advance_dispute(core, cx);
        }
        if reached(self.delayed_set, now) {
            self.delayed_set = None;
            core.announce(cx, garp.repeat);
        }
        if reached(self.refresh, now) {
            self.refresh = Some(now + garp.refresh);
            core.announce(cx, garp.refresh_repeat);
        }
        if reached(self.extra, now) {
            self.extra = core.spec.extra_garp.map(|extra| now + extra.interval);
            core.announce_extra(cx);
        }
        self.rivalry_timer(core, cx);
    }

    pub(super) fn send(&mut self, core: &mut Core, cx: &mut Cx<'_>) {
        core.send_advert(cx, core.effective);
        self.last_advert = cx.now;
        if let Some(rivalry) = &mut self.rivalry {
            rivalry.reassure_at = None;
        }
    }

    fn advert(mut self, core: &mut Core, cx: &mut Cx<'_>, advert: &Advert) -> State {
        if advert.priority == PRIORITY_STOP {
            core.stats.priority_zero_received += 1;
            core.detail(cx, "Master received priority 0 message");
            self.reassure(core, cx);
            self.announce_against_rival(core, cx);
            return State::Master(self);
        }
        let by_address = core.source.map_or(Ordering::Equal, |source| advert.source.cmp(&source));
        self.dispute_owner(core, cx, advert, by_address);
        match advert.priority.cmp(&core.effective).then(by_address) {
            Ordering::Less => {
                self.lower(core, cx, advert);
                State::Master(self)
            }
            Ordering::Equal => {
                if core.told.once(SAME_ADDRESS) {
                    core.warn(
                        cx,
                        "WARNING - equal priority advert received from remote host with our IP address.",
                    );
                }
                self.announce_against_rival(core, cx);
                State::Master(self)
            }
            Ordering::Greater => self.higher(core, cx, advert),
        }
    }

    /// A rival of higher priority: it is the master from now on. A last advert of our own lets it know that there
    /// were two masters, so that it announces the addresses again; otherwise the clients could stay with us.
    fn higher(self, core: &mut Core, cx: &mut Cx<'_>, advert: &Advert) -> State {
        if core.spec.higher_prio_send_advert {
            core.send_advert(cx, core.effective);
        }
        if advert.priority > core.effective {
            core.info(
                cx,
                &format!(
                    "Master received advert from {} with higher priority {}, ours {}",
                    advert.source, advert.priority, core.effective
                ),
            );
        } else {
            if core.effective == PRIORITY_OWNER {
                core.owner_conflict(cx, advert);
            }
            core.info(
                cx,
                &format!(
                    "Master received advert from {} with same priority {} but higher IP address than ours",
                    advert.source, advert.priority
                ),
            );
        }
        core.master = Some((advert.source, advert.priority));
        self.leave(core, cx, advert.interval)
    }

    fn reconfigured(&mut self, core: &mut Core, cx: &mut Cx<'_>) {
        // Priority and interval apply at once, and whoever listens should know.
        if self.listening().is_none() {
            self.send(core, cx);
        }
        self.next_advert = cx.now + core.spec.advert_interval.duration();
        if let Some(rivalry) = &mut self.rivalry {
            rivalry.answer_at = rivalry.answer_at.min(self.next_advert);
        }
        let garp = &core.spec.garp;
        if garp.refresh.is_zero() {
            self.refresh = None;
        } else if self.refresh.is_none() {
            self.refresh = Some(cx.now + garp.delay + garp.refresh);
        }
        if core.addresses_added {
            core.addresses_added = false;
            self.delayed_set = (!garp.delay.is_zero()).then(|| cx.now + garp.delay);
            core.announce(cx, core.spec.garp.repeat);
        }
    }

    /// This process did not run, or the whole machine did not. Whoever has become master meanwhile has said so, and that
    /// waits in our socket. Nobody has when the successor's machine stood still, too: then nothing is lost by going on.
    fn late_wake(mut self, core: &mut Core, cx: &mut Cx<'_>, slept: Duration) -> State {
        let silent = cx.now.saturating_duration_since(self.last_advert) + slept;
        let interval = core.spec.advert_interval.duration();
        let patience = core.master_down(interval);
        if self.listening().is_none() {
            core.warn(cx, &format!("woke up {}ms late, listening for another master", silent.as_millis()));
            core.stats.late_wakes += 1;
        }
        if silent > TOO_LONG * patience {
            return self.give_way(core, cx);
        }
        let listen = if silent > SHORT * patience { interval } else { interval / 4 };
        self.rivalry(core).listening.get_or_insert(cx.now + listen);
        State::Master(self)
    }

    /// Nobody else spoke: the mastership goes on.
    fn go_on(&mut self, core: &mut Core, cx: &mut Cx<'_>) {
        self.rivalry(core).listening = None;
        self.send(core, cx);
        self.next_advert = cx.now + core.spec.advert_interval.duration();
        core.announce(cx, 1);
    }

    /// While we listened an advert came. Whoever has become master stays it, whatever its priority.
    fn succeeded(self, core: &mut Core, cx: &mut Cx<'_>, advert: &Advert) -> State {
        if advert.priority == PRIORITY_STOP || core.source == Some(advert.source) {
            return State::Master(self);
        }
        core.master = Some((advert.source, advert.priority));
        self.give_way(core, cx)
    }

    /// Leaves the addresses, which were in place all the time and may have been answered for, to somebody else. Whoever is master
    /// announces them again when it hears this; an advert of our own priority could depose it instead.
    fn give_way(self, core: &mut Core, cx: &mut Cx<'_>) -> State {
        core.send_stop(cx);
        self.leave(core, cx, core.spec.advert_interval)
    }

    fn fault(self, core: &mut Core, cx: &mut Cx<'_>) -> State {
        core.told.clear();
        core.tell_faults(cx);
        core.info(cx, "Entering FAULT STATE");
        // Twice, as keepalived does: when the link is the trouble one may get lost.
        core.send_advert(cx, PRIORITY_STOP);
        core.send_stop(cx);
        core.release(cx);
        core.stats.released_master += 1;
        core.notify(cx, StateKind::Fault);
        State::Fault(Fault)
    }

    fn leave(self, core: &mut Core, cx: &mut Cx<'_>, interval: AdvertInterval) -> State {
        core.told.clear();
        core.info(cx, "Entering BACKUP STATE");
        core.release(cx);
        core.stats.released_master += 1;
        core.notify(cx, StateKind::Backup);
        let mut backup = Backup::after_master(core, cx, interval);
        backup.find_successor(core, cx);
        State::Backup(backup)
    }
}
