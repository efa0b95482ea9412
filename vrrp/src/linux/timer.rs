//! One timer, precise to what the kernel can do.
//!
//! The timer wheel of tokio counts in milliseconds and rounds up. With adverts every 10 ms that is a tenth of the
//! interval, so the driver waits on a `timerfd` instead.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

use super::sys;

/// A timer armed for one moment at a time.
pub(super) struct Timer {
    fd: AsyncFd<OwnedFd>,
    armed: Option<Instant>,
}

impl Timer {
    /// A timer that is not armed.
    pub(super) fn new() -> io::Result<Self> {
        let fd = sys::watch(timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?)?;
        Ok(Self { fd, armed: None })
    }

    /// Arms the timer for `deadline`, or disarms it. A moment in the past fires at once.
    pub(super) fn arm(&mut self, now: Instant, deadline: Option<Instant>) -> io::Result<()> {
        if self.armed == deadline {
            return Ok(());
        }
        let delay = deadline.map(|deadline| deadline.saturating_duration_since(now));
        timerfd_settime(self.fd.get_ref(), TimerfdTimerFlags::empty(), &once(delay))?;
        self.armed = deadline;
        Ok(())
    }

    /// Waits until the timer fires; for ever if it is not armed. Cancel safe.
    pub(super) async fn fired(&mut self) -> io::Result<()> {
        loop {
            let mut guard = self.fd.readable().await?;
            if guard
                .try_io(|fd| rustix::io::read(fd.get_ref(), &mut [0; 8]).map_err(io::Error::from))
                .is_ok_and(|read| read.is_ok())
            {
                self.armed = None;
                return Ok(());
            }
        }
    }
}

/// One expiry after `delay`, or none. A zero would disarm the timer, so that the least is a nanosecond.
fn once(delay: Option<Duration>) -> Itimerspec {
    let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
    let value = delay.map_or(zero, |delay| {
        let delay = delay.max(Duration::from_nanos(1));
        Timespec {
            tv_sec: delay.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: delay.subsec_nanos().into(),
        }
    });
    Itimerspec { it_interval: zero, it_value: value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn a_moment_in_the_past_fires_at_once_and_only_once() {
        let mut timer = Timer::new().unwrap();
        let now = Instant::now();
        timer.arm(now, Some(now)).unwrap();
        timer.fired().await.unwrap();
        assert_eq!(timer.armed, None);
        tokio::select! {
            biased;
            _ = timer.fired() => panic!("fired twice"),
            () = tokio::task::yield_now() => {}
        }
    }

    #[test]
    fn no_deadline_disarms() {
        assert_eq!(once(None).it_value.tv_nsec, 0);
        assert_eq!(once(Some(Duration::ZERO)).it_value.tv_nsec, 1);
        assert_eq!(once(Some(Duration::from_millis(1500))).it_value.tv_sec, 1);
    }
}
