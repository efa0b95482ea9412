//! Scheduling and memory of the thread the driver runs on.

use std::io;
use std::time::{Duration, Instant};

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, Rlimit, setpriority_process, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

use super::sys;
use crate::spec::{Instance, ProcessTuning, Spec};

/// A timer this late says that the thread does not get the processor in time.
const LATE: Duration = Duration::from_millis(20);

/// The real-time priority of fast adverts unless something else is configured: enough to go before everything ordinary.
pub(super) const FAST: u8 = 1;
/// Adverts that often are fast: on a busy machine an ordinary thread can wait for longer than a successor does.
const FAST_INTERVAL: Duration = Duration::from_millis(100);

/// Whether adverts are sent so often that ordinary scheduling may be too late, and nobody said how to schedule.
pub(super) fn needs_realtime(spec: &Spec) -> bool {
    let tuning = &spec.global.process;
    let decided = tuning.realtime.is_some() || tuning.nice.is_some() || tuning.max_auto_realtime.is_some();
    let fast = |instance: &Instance| instance.advert_interval.duration() <= FAST_INTERVAL;
    !decided && spec.instances.iter().any(fast)
}

/// Applies what the specification asks for. What is not permitted is told and left.
pub(super) fn apply(tuning: &ProcessTuning) -> Vec<String> {
    let mut problems = Vec::new();
    let mut attempt = |what: &str, result: io::Result<()>| {
        problems.extend(result.err().map(|error| format!("cannot {what}: {error}")));
    };
    if tuning.no_swap {
        attempt(
            "lock the memory",
            mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE).map_err(Into::into),
        );
    }
    if let Some(nice) = tuning.nice {
        attempt("set the nice value", setpriority_process(None, nice.into()).map_err(Into::into));
    }
    if !tuning.cpus.is_empty() {
        attempt("bind to the processors", bind(&tuning.cpus));
    }
    if let Some(limit) = tuning.realtime_limit {
        attempt("limit the real-time processor use", limit_realtime(limit));
    }
    if let Some(priority) = tuning.realtime {
        attempt("set the real-time priority", sys::set_realtime(priority.into()));
    }
    problems
}

fn bind(cpus: &[u32]) -> io::Result<()> {
    let mut set = CpuSet::new();
    let known = cpus.iter().filter_map(|cpu| usize::try_from(*cpu).ok()).filter(|cpu| *cpu < CpuSet::MAX_CPU);
    known.for_each(|cpu| set.set(cpu));
    Ok(sched_setaffinity(None, &set)?)
}

fn limit_realtime(limit: Duration) -> io::Result<()> {
    let micros = u64::try_from(limit.as_micros()).ok();
    Ok(setrlimit(Resource::Rttime, Rlimit { current: micros, maximum: micros })?)
}

/// Raises the real-time priority step by step while timers fire late (`max_auto_priority`).
pub(super) struct AutoPriority {
    current: u8,
    max: u8,
    delay: Duration,
    last: Option<Instant>,
}

impl AutoPriority {
    pub(super) fn new(tuning: &ProcessTuning) -> Self {
        Self {
            current: tuning.realtime.unwrap_or(0),
            max: tuning.max_auto_realtime.unwrap_or(0),
            delay: tuning.auto_delay(),
            last: None,
        }
    }

    /// Hears how late a timer was. Returns what was done about it, if anything.
    pub(super) fn observe(&mut self, now: Instant, late: Duration) -> Option<String> {
        let next = self.next(now, late)?;
        self.last = Some(now);
        match sys::set_realtime(next.into()) {
            Ok(()) => {
                self.current = next;
                Some(format!(
                    "a timer was {} ms late, raised the real-time priority to {next}",
                    late.as_millis()
                ))
            }
            Err(error) => {
                self.max = 0;
                Some(format!("cannot raise the real-time priority: {error}"))
            }
        }
    }

    fn next(&self, now: Instant, late: Duration) -> Option<u8> {
        let rested = self.last.is_none_or(|last| now.saturating_duration_since(last) >= self.delay);
        (late >= LATE && rested && self.current < self.max).then_some(self.current.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Time between two raises unless told otherwise.
    const DELAY: Duration = Duration::from_secs(1);

    #[test]
    fn fast_adverts_go_before_ordinary_work_unless_the_operator_decided() {
        let mut spec = Spec::new();
        let mut instance = Instance::new("i", 1, &spec.global);
        spec.instances.push(instance.clone());
        assert!(!needs_realtime(&spec));
        instance.advert_interval = crate::spec::AdvertInterval::from_centis(1);
        spec.instances.push(instance);
        assert!(needs_realtime(&spec));
        spec.global.process.nice = Some(-10);
        assert!(!needs_realtime(&spec));
    }

    #[test]
    fn the_priority_is_raised_only_when_late_allowed_and_rested() {
        let mut tuning = ProcessTuning::default();
        let now = Instant::now();
        assert_eq!(AutoPriority::new(&tuning).next(now, LATE), None);
        tuning.max_auto_realtime = Some(2);
        let mut auto = AutoPriority::new(&tuning);
        assert_eq!(auto.next(now, LATE / 2), None);
        assert_eq!(auto.next(now, LATE), Some(1));
        auto.last = Some(now);
        assert_eq!(auto.next(now + DELAY / 2, LATE), None);
        auto.current = 1;
        assert_eq!(auto.next(now + DELAY, LATE), Some(2));
        auto.current = 2;
        assert_eq!(auto.next(now + DELAY, LATE), None);
    }
}
