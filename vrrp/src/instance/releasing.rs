//! The end of a mastership in good order: priority zero has been sent, and the addresses stay until the successor is
//! heard, so that there is no moment without anybody. The wait is bounded by the longest skew a backup can have.

use std::time::Instant;

use super::{Core, Cx, Event, State};
use crate::spec::AdvertInterval;
use crate::stats::StateKind;
use crate::timer;
use crate::wire::PRIORITY_STOP;

#[derive(Debug)]
pub(super) struct Releasing {
    until: Instant,
}

impl Releasing {
    /// Tells everybody that the mastership ends. Not where the addresses stay: the successor would have them as well.
    pub(super) fn begin(core: &mut Core, cx: &mut Cx<'_>) -> State {
        if cx.global.keep_on_stop {
            core.abandon(cx);
            return stopped(core, cx);
        }
        core.send_stop(cx);
        let interval = AdvertInterval::duration(core.spec.advert_interval);
        let wait = timer::longest_skew(core.spec.version, interval);
        let releasing = Self { until: cx.now + wait };
        if cx.global.release_after_takeover {
            State::Releasing(releasing)
        } else {
            releasing.finish(core, cx)
        }
    }

    pub(super) fn handle(self, core: &mut Core, cx: &mut Cx<'_>, event: Event) -> State {
        match event {
            // Whoever it is and whatever its priority: somebody else serves now.
            Event::Advert(advert) if advert.priority != PRIORITY_STOP => self.finish(core, cx),
            Event::Timer if self.until <= cx.now => self.finish(core, cx),
            Event::Fault => self.finish(core, cx),
            _ => State::Releasing(self),
        }
    }

    pub(super) fn poll_timeout(&self) -> Instant {
        self.until
    }

    fn finish(self, core: &mut Core, cx: &mut Cx<'_>) -> State {
        core.release(cx);
        stopped(core, cx)
    }
}

fn stopped(core: &mut Core, cx: &mut Cx<'_>) -> State {
    core.stats.released_master += 1;
    core.notify(cx, StateKind::Stopped);
    State::Stopped
}
