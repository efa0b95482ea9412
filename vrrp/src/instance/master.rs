//! Holding the addresses.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::backup::Backup;
use super::common::{Claim, SAME_ADDRESS};
use super::fault::Fault;
use super::releasing::Releasing;
use super::{Core, Cx, Event, State};
use crate::advert::Advert;
use crate::spec::AdvertInterval;
use crate::stats::StateKind;
use crate::timer::{earliest, reached};
use crate::wire::{PRIORITY_OWNER, PRIORITY_STOP};

/// Time between two sets of announcements that rivals can provoke, in the long run. Without such a limit fifty adverts a
/// second of a lower priority would make a master send hundreds of broadcasts a second.
const RIVAL_SET_SPACING: Duration = Duration::from_secs(1);
/// How far one set may run ahead of that spacing.
const RIVAL_SETS_AT_ONCE: Duration = Duration::from_secs(1);

/// A silence of up to so many times a successor's patience is short: its first adverts are still in our socket.
const SHORT: u32 = 2;
/// After a silence of more than so many times a successor's patience nothing is certain any more.
const TOO_LONG: u32 = 4;

/// The pauses after which a master with a virtual hardware address shows itself again when it is new or has heard a rival.
/// A last answer of the other one, on its way when this one spoke, leads the switches back to the old port, where nobody
/// listens, until the next advert.
const SETTLING: [Duration; 4] = [
    Duration::from_millis(20),
    Duration::from_millis(60),
    Duration::from_millis(120),
    Duration::from_millis(240),
];

#[derive(Debug)]
pub(super) struct Master {
    /// Adverts follow a fixed schedule. Nothing that is received moves it.
    next_advert: Instant,
    last_advert: Instant,
    /// The second set of announcements.
    delayed_set: Option<Instant>,
    /// Further sets at regular intervals.
    refresh: Option<Instant>,
    /// The second set after a rival was heard.
    rival_set: Option<Instant>,
    /// A set that a rival provoked too soon after another one.
    rival_soon: Option<Instant>,
    /// Announcements of the base interface of a VMAC.
    extra: Option<Instant>,
    /// The switches are shown once more where the virtual hardware address is, so many times still.
    settling: Option<(Instant, usize)>,
    /// When a rival may provoke an advert again.
    answer_at: Instant,
    /// An answer to a priority zero that came too soon after our last advert.
    reassure_at: Option<Instant>,
    /// The sets that rivals provoked are spread over the time until then.
    announce_at: Instant,
    dispute: Dispute,
    /// This process did not run for longer than a successor waits. Until then it listens and says nothing.
    listening: Option<Instant>,
}

/// Another router claims to own the addresses as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dispute {
    None,
    /// It is given the time of so many of our adverts to notice us and step back.
    Patience(u8),
    /// If it is heard once more until then, we step back.
    LastWarning(Instant),
}

impl Master {
    pub(super) fn handle(mut self, core: &mut Core, cx: &mut Cx<'_>, event: Event) -> State {
        match event {
            Event::Timer if reached(self.listening, cx.now) => self.go_on(core, cx),
            Event::Timer if self.listening.is_some() => {}
            Event::Timer => self.timer(core, cx),
            Event::Advert(advert) if self.listening.is_some() => return self.succeeded(core, cx, &advert),
            Event::Advert(advert) => return self.advert(core, cx, &advert),
            Event::Fault => return self.fault(core, cx),
            // Another member heard a successor: that of this one is told to announce its addresses, too.
            Event::GroupBackup if self.listening.is_some() => return self.give_way(core, cx),
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
        if let Some(until) = self.listening {
            return until;
        }
        let sets = earliest([
            self.delayed_set,
            self.refresh,
            self.rival_set,
            self.rival_soon,
            self.extra,
            self.reassure_at,
            self.settling.map(|(at, _)| at),
        ]);
        sets.map_or(self.next_advert, |at| at.min(self.next_advert))
    }

    pub(super) fn last_advert(&self) -> Instant {
        self.last_advert
    }

    fn running(core: &Core, cx: &Cx<'_>) -> Self {
        let garp = &core.spec.garp;
        let after = |delay: Duration| (!delay.is_zero()).then(|| cx.now + garp.delay + delay);
        let extra = core.spec.vmac.as_ref().and_then(|vmac| vmac.extra_garp);
        let interval = core.spec.advert_interval.duration();
        Self {
            next_advert: cx.now + interval,
            last_advert: cx.now,
            delayed_set: (!garp.delay.is_zero()).then(|| cx.now + garp.delay),
            refresh: after(garp.refresh),
            rival_set: None,
            rival_soon: None,
            extra: extra.and_then(after),
            settling: settling(core, cx.now),
            answer_at: cx.now + interval / 2,
            reassure_at: None,
            announce_at: cx.now + RIVAL_SET_SPACING,
            dispute: Dispute::None,
            listening: None,
        }
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
        if let Dispute::LastWarning(until) = self.dispute
            && until <= now
        {
            core.info(cx, "rogue address owner appears to have stopped advertising");
            self.dispute = Dispute::None;
        }
        if reached(self.reassure_at, now) {
            self.send(core, cx);
        }
        if let Some((at, step)) = self.settling
            && at <= now
        {
            core.announce(cx, 1);
            self.settling = SETTLING.get(step + 1).map(|pause| (now + *pause, step + 1));
        }
        if reached(self.delayed_set, now) {
            self.delayed_set = None;
            core.announce(cx, garp.repeat);
        }
        if reached(self.rival_soon, now) {
            self.rival_soon = None;
            self.rival_burst(core, cx);
        }
        if reached(self.rival_set, now) {
            self.rival_set = None;
            core.announce(cx, garp.lower_prio_repeat);
        }
        if reached(self.refresh, now) {
            self.refresh = Some(now + garp.refresh);
            core.announce(cx, garp.refresh_repeat);
        }
        if reached(self.extra, now) {
            let interval = core.spec.vmac.as_ref().and_then(|vmac| vmac.extra_garp);
            self.extra = interval.map(|interval| now + interval);
            core.announce_on_base(cx);
        }
    }

    fn send(&mut self, core: &mut Core, cx: &mut Cx<'_>) {
        core.send_advert(cx, core.effective);
        self.last_advert = cx.now;
        self.reassure_at = None;
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

    /// A rival of lower priority: it must hear us, and the clients must forget it.
    fn lower(&mut self, core: &mut Core, cx: &mut Cx<'_>, advert: &Advert) {
        if cx.now < self.answer_at {
            // Most likely the farewell of the old master, or a flood.
            core.stats.answers_limited += 1;
        } else {
            let answers = !core.spec.lower_prio_no_advert;
            let election = if answers { ", forcing new election" } else { "" };
            core.info(
                cx,
                &format!(
                    "Received advert from {} with lower priority {}, ours {}{election}",
                    advert.source, advert.priority, core.effective
                ),
            );
            self.answer_at = cx.now + core.spec.advert_interval.duration() / 2;
            if answers {
                self.send(core, cx);
            }
            core.notify_lower(cx);
        }
        self.announce_against_rival(core, cx);
        cx.announce_group = true;
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

    /// Two owners of the same addresses. The lower address steps back at once; the higher one gives it two adverts
    /// and a bit to do so, then steps back itself, because two masters are worse than none of the owners.
    fn dispute_owner(&mut self, core: &mut Core, cx: &mut Cx<'_>, advert: &Advert, by_address: Ordering) {
        let both = advert.priority == PRIORITY_OWNER && core.effective == PRIORITY_OWNER;
        if !both || by_address != Ordering::Less {
            return;
        }
        match self.dispute {
            Dispute::None => {
                core.owner_conflict(cx, advert);
                self.dispute = Dispute::Patience(2);
            }
            Dispute::Patience(_) => {}
            Dispute::LastWarning(_) => {
                core.info(
                    cx,
                    &format!(
                        "{} is still advertising as address owner, please resolve - reducing our priority",
                        advert.source
                    ),
                );
                self.dispute = Dispute::None;
                core.owner_backed_off = true;
                core.effective = PRIORITY_OWNER - 1;
            }
        }
    }

    fn advance_dispute(&mut self, core: &Core, cx: &Cx<'_>) {
        if let Dispute::Patience(left) = self.dispute {
            self.dispute = match left {
                0 | 1 => Dispute::LastWarning(cx.now + core.spec.advert_interval.duration() * 12 / 10),
                left => Dispute::Patience(left - 1),
            };
        }
    }

    /// Backups that heard a priority zero wait for their skew only. The best of them has no shorter one than we
    /// would have, so they must hear us within that time, even if they heard us a moment before the priority zero.
    fn reassure(&mut self, core: &mut Core, cx: &mut Cx<'_>) {
        let interval = core.spec.advert_interval.duration();
        let spacing = (core.skew(interval) / 2).max(interval / 32);
        let at = self.last_advert + spacing;
        if at <= cx.now {
            self.send(core, cx);
        } else {
            core.stats.answers_limited += 1;
            self.reassure_at = Some(at);
        }
    }

    /// Another machine answers for one of our addresses: it was master a moment ago, or is and cannot be heard.
    fn claim(&mut self, core: &mut Core, cx: &mut Cx<'_>, address: IpAddr, mac: [u8; 6]) {
        core.stats.claims_heard += 1;
        let claim = core.hearing.claimed(cx.now, address, mac, RIVAL_SET_SPACING);
        if claim == Claim::New {
            let [a, b, c, d, e, f] = mac;
            core.warn(
                cx,
                &format!(
                    "{address} is also answered for by {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}, announcing it again"
                ),
            );
        }
        if claim != Claim::Quiet {
            self.announce_against_rival(core, cx);
        }
    }

    /// Any rival may have taken the clients along, so the addresses are announced again, now and once more later.
    fn announce_against_rival(&mut self, core: &mut Core, cx: &mut Cx<'_>) {
        if core.spec.garp.lower_prio_repeat == 0 {
            return;
        }
        // At the end of a split several signs of the rival come in one moment, and only after its last one are the clients
        // to be had back for good.
        if self.announce_at > cx.now + RIVAL_SETS_AT_ONCE {
            core.stats.answers_limited += 1;
            self.rival_soon = self.announce_at.checked_sub(RIVAL_SETS_AT_ONCE);
            return;
        }
        self.rival_burst(core, cx);
    }

    fn rival_burst(&mut self, core: &mut Core, cx: &mut Cx<'_>) {
        self.announce_at = self.announce_at.max(cx.now) + RIVAL_SET_SPACING;
        self.settling = settling(core, cx.now);
        core.announce(cx, core.spec.garp.lower_prio_repeat);
        let delay = core.spec.garp.lower_prio_delay;
        if !delay.is_zero() && self.delayed_set.is_none() {
            self.rival_set = Some(cx.now + delay);
        }
    }

    fn reconfigured(&mut self, core: &mut Core, cx: &mut Cx<'_>) {
        // Priority and interval apply at once, and whoever listens should know.
        if self.listening.is_none() {
            self.send(core, cx);
        }
        self.next_advert = cx.now + core.spec.advert_interval.duration();
        self.answer_at = self.answer_at.min(self.next_advert);
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
        if self.listening.is_none() {
            core.warn(cx, &format!("woke up {}ms late, listening for another master", silent.as_millis()));
            core.stats.late_wakes += 1;
        }
        if silent > TOO_LONG * patience {
            return self.give_way(core, cx);
        }
        let listen = if silent > SHORT * patience { interval } else { interval / 4 };
        self.listening.get_or_insert(cx.now + listen);
        State::Master(self)
    }

    /// Nobody else spoke: the mastership goes on.
    fn go_on(&mut self, core: &mut Core, cx: &mut Cx<'_>) {
        self.listening = None;
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
        State::Backup(Backup::after_master(core, cx, interval))
    }
}

/// When switches have to be shown a virtual hardware address once more, if there is one.
fn settling(core: &Core, now: Instant) -> Option<(Instant, usize)> {
    core.spec.vmac.as_ref().map(|_| (now + SETTLING[0], 0))
}
