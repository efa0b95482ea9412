//! Other masters beside this one: answering them, and having the clients back.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::common::Claim;
use super::master::Master;
use super::{Core, Cx};
use crate::advert::Advert;
use crate::timer::{earliest, reached};
use crate::wire::{PRIORITY_OWNER, hardware_address};

/// Time between two sets of announcements that rivals can provoke, in the long run. Without such a limit fifty adverts a
/// second of a lower priority would make a master send hundreds of broadcasts a second.
const RIVAL_SET_SPACING: Duration = Duration::from_secs(1);
/// How far one set may run ahead of that spacing.
const RIVAL_SETS_AT_ONCE: Duration = Duration::from_secs(3);

/// The pauses after which a master with a virtual hardware address shows itself again when it is new or has heard a rival.
/// A last answer of the other one, on its way when this one spoke, leads the switches back to the old port, where nobody
/// listens, until the next advert.
const SETTLING: [Duration; 4] = [
    Duration::from_millis(20),
    Duration::from_millis(60),
    Duration::from_millis(120),
    Duration::from_millis(240),
];

/// There may be another master, or one of its answers may be on its way.
#[derive(Debug)]
pub(super) struct Rivalry {
    /// The second set of announcements after a rival was heard.
    set: Option<Instant>,
    /// A set that a rival provoked too soon after another one.
    soon: Option<Instant>,
    /// The switches are shown once more where the virtual hardware address is, so many times still.
    pub(super) settling: Option<(Instant, usize)>,
    /// When a rival may provoke an advert again.
    pub(super) answer_at: Instant,
    /// An answer to a priority zero that came too soon after our last advert.
    pub(super) reassure_at: Option<Instant>,
    /// The sets that rivals provoked are spread over the time until then.
    announce_at: Instant,
    dispute: Dispute,
    /// This process did not run for longer than a successor waits. Until then it listens and says nothing.
    pub(super) listening: Option<Instant>,
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

impl Rivalry {
    fn new(answer_at: Instant, announce_at: Instant) -> Self {
        Self {
            set: None,
            soon: None,
            settling: None,
            answer_at,
            reassure_at: None,
            announce_at,
            dispute: Dispute::None,
            listening: None,
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        earliest([self.set, self.soon, self.reassure_at, self.settling.map(|(at, _)| at)])
    }
}

impl Master {
    pub(super) fn listening(&self) -> Option<Instant> {
        self.rivalry.as_ref()?.listening
    }

    /// What is known of other masters, to be changed.
    pub(super) fn rivalry(&mut self, core: &Core) -> &mut Rivalry {
        let since = self.since;
        self.rivalry.get_or_insert_with(|| {
            let answer_at = since + core.spec.advert_interval.duration() / 2;
            Box::new(Rivalry::new(answer_at, since + RIVAL_SET_SPACING))
        })
    }

    pub(super) fn rivalry_timer(&mut self, core: &mut Core, cx: &mut Cx<'_>) {
        let Some(rivalry) = &mut self.rivalry else { return };
        let now = cx.now;
        if let Dispute::LastWarning(until) = rivalry.dispute
            && until <= now
        {
            core.info(cx, "rogue address owner appears to have stopped advertising");
            rivalry.dispute = Dispute::None;
        }
        if let Some((at, step)) = rivalry.settling
            && at <= now
        {
            core.announce(cx, 1);
            rivalry.settling = SETTLING.get(step + 1).map(|pause| (now + *pause, step + 1));
        }
        if reached(rivalry.set, now) {
            rivalry.set = None;
            core.announce(cx, core.spec.garp.lower_prio_repeat);
        }
        let (reassure, soon) = (reached(rivalry.reassure_at, now), reached(rivalry.soon, now));
        if reassure {
            self.send(core, cx);
        }
        if soon {
            self.rival_burst(core, cx);
        }
    }

    /// A rival of lower priority: it must hear us, and the clients must forget it.
    pub(super) fn lower(&mut self, core: &mut Core, cx: &mut Cx<'_>, advert: &Advert) {
        if cx.now < self.rivalry(core).answer_at {
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
            self.rivalry(core).answer_at = cx.now + core.spec.advert_interval.duration() / 2;
            if answers {
                self.send(core, cx);
            }
            core.notify_lower(cx);
        }
        self.announce_against_rival(core, cx);
        cx.announce_group = true;
    }

    /// Two owners of the same addresses. The lower address steps back at once; the higher one gives it two adverts
    /// and a bit to do so, then steps back itself, because two masters are worse than none of the owners.
    pub(super) fn dispute_owner(
        &mut self,
        core: &mut Core,
        cx: &mut Cx<'_>,
        advert: &Advert,
        by_address: Ordering,
    ) {
        let both = advert.priority == PRIORITY_OWNER && core.effective == PRIORITY_OWNER;
        if !both || by_address != Ordering::Less {
            return;
        }
        let rivalry = self.rivalry(core);
        match rivalry.dispute {
            Dispute::None => {
                core.owner_conflict(cx, advert);
                rivalry.dispute = Dispute::Patience(2);
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
                rivalry.dispute = Dispute::None;
                core.owner_backed_off = true;
                core.effective = PRIORITY_OWNER - 1;
            }
        }
    }

    pub(super) fn advance_dispute(&mut self, core: &Core, cx: &Cx<'_>) {
        if let Some(rivalry) = &mut self.rivalry
            && let Dispute::Patience(left) = rivalry.dispute
        {
            rivalry.dispute = match left {
                0 | 1 => Dispute::LastWarning(cx.now + core.spec.advert_interval.duration() * 12 / 10),
                left => Dispute::Patience(left - 1),
            };
        }
    }

    /// Backups that heard a priority zero wait for their skew only. The best of them has no shorter one than we
    /// would have, so they must hear us within that time, even if they heard us a moment before the priority zero.
    pub(super) fn reassure(&mut self, core: &mut Core, cx: &mut Cx<'_>) {
        let interval = core.spec.advert_interval.duration();
        let spacing = (core.skew(interval) / 2).max(interval / 32);
        let at = self.last_advert + spacing;
        if at <= cx.now {
            self.send(core, cx);
        } else {
            core.stats.answers_limited += 1;
            self.rivalry(core).reassure_at = Some(at);
        }
    }

    /// Another machine answers for one of our addresses: it was master a moment ago, or is and cannot be heard.
    pub(super) fn claim(&mut self, core: &mut Core, cx: &mut Cx<'_>, address: IpAddr, mac: [u8; 6]) {
        core.stats.claims_heard += 1;
        let claim = core.hearing_mut().claimed(cx.now, address, mac, RIVAL_SET_SPACING);
        if claim == Claim::New {
            let who = hardware_address(mac);
            core.warn(cx, &format!("{address} is also answered for by {who}, announcing it again"));
        }
        if claim != Claim::Quiet {
            self.announce_against_rival(core, cx);
        }
    }

    /// Any rival may have taken the clients along, so the addresses are announced again, now and once more later.
    pub(super) fn announce_against_rival(&mut self, core: &mut Core, cx: &mut Cx<'_>) {
        if core.spec.garp.lower_prio_repeat == 0 {
            return;
        }
        // At the end of a split several signs of the rival come in one moment, and only after its last one are the clients
        // to be had back for good.
        let rivalry = self.rivalry(core);
        if rivalry.announce_at > cx.now + RIVAL_SETS_AT_ONCE {
            core.stats.answers_limited += 1;
            rivalry.soon = rivalry.announce_at.checked_sub(RIVAL_SETS_AT_ONCE);
            return;
        }
        self.rival_burst(core, cx);
    }

    fn rival_burst(&mut self, core: &mut Core, cx: &mut Cx<'_>) {
        let delay = core.spec.garp.lower_prio_delay;
        let again = (!delay.is_zero() && self.delayed_set.is_none()).then(|| cx.now + delay);
        let rivalry = self.rivalry(core);
        rivalry.soon = None;
        rivalry.announce_at = rivalry.announce_at.max(cx.now) + RIVAL_SET_SPACING;
        rivalry.settling = settling(core, cx.now);
        rivalry.set = again.or(rivalry.set);
        core.announce(cx, core.spec.garp.lower_prio_repeat);
    }
}

/// When switches have to be shown a virtual hardware address once more, if there is one.
pub(super) fn settling(core: &Core, now: Instant) -> Option<(Instant, usize)> {
    core.spec.vmacs().next().map(|_| (now + SETTLING[0], 0))
}
