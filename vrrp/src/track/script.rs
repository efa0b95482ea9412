//! A periodic check: when it runs, how long it may, and what its results mean.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::event::{Output, ScriptResult, ScriptSignal};
use crate::outbox::Outbox;
use crate::spec::{self, Command, Name};
use crate::timer::{earliest, reached};

/// How long a script has to react to a signal.
const GRACE: Duration = Duration::from_secs(2);
/// How often the final signal is repeated to a script that does not die.
const STUBBORN: Duration = Duration::from_secs(10);

/// A periodic check.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) spec: spec::Script,
    command: Arc<Command>,
    run: Run,
    next_run: Option<Instant>,
    /// Position on keepalived's ladder: below `rise` is failed, `rise + fall - 1` is perfectly well.
    level: u32,
    /// It has not returned yet and nothing is assumed about it.
    unknown: bool,
    last_status: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    Idle,
    Running { until: Instant },
    Terminating { until: Instant },
    Killing { until: Instant },
}

/// What is worth keeping of a script when the process is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Remembered {
    name: Name,
    argv: Vec<String>,
    up: bool,
}

impl Script {
    pub(super) fn new(spec: spec::Script) -> Self {
        let command = Arc::new(spec.command.clone());
        // One success is enough at the start, one failure is a failure.
        let level = if spec.init_fail { 0 } else { spec.rise.saturating_sub(1) };
        let unknown = !spec.init_fail;
        Self { spec, command, run: Run::Idle, next_run: None, level, unknown, last_status: 0 }
    }

    /// Whether a script of a new specification is this one.
    pub(super) fn is_same(&self, spec: &spec::Script) -> bool {
        self.spec.name == spec.name
            && self.spec.command.argv == spec.command.argv
            && self.spec.command.run_as == spec.command.run_as
    }

    /// The same script with new settings; what is known of it stays.
    pub(super) fn with_spec(mut self, spec: spec::Script) -> Self {
        let up = self.up();
        self.command = Arc::new(spec.command.clone());
        self.spec = spec;
        if let Some(up) = up {
            self.settle(up);
        }
        self
    }

    pub(super) fn start(&mut self, now: Instant, out: &mut Outbox) {
        if self.next_run.is_none() {
            self.launch(now, out);
        }
    }

    pub(super) fn stop(&mut self) {
        self.next_run = None;
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) {
        match self.run {
            Run::Running { until } if until <= now => {
                out.push(Output::SignalScript(self.spec.name.clone(), ScriptSignal::Term));
                self.run = Run::Terminating { until: now + GRACE };
            }
            Run::Terminating { until } if until <= now => {
                out.push(Output::SignalScript(self.spec.name.clone(), ScriptSignal::Kill));
                self.run = Run::Killing { until: now + GRACE };
            }
            Run::Killing { until } if until <= now => {
                out.info(format!("Script {} child failed to terminate after kill", self.spec.name));
                out.push(Output::SignalScript(self.spec.name.clone(), ScriptSignal::Kill));
                self.run = Run::Killing { until: now + STUBBORN };
            }
            _ => {}
        }
        if reached(self.next_run, now) {
            self.launch(now, out);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let run = match self.run {
            Run::Idle => None,
            Run::Running { until } | Run::Terminating { until } | Run::Killing { until } => Some(until),
        };
        earliest([run, self.next_run])
    }

    /// Takes in the end of a run. True if the script has become known, well or failed by it.
    pub(super) fn ended(&mut self, result: ScriptResult, out: &mut Outbox) -> bool {
        let killed_by_us = matches!(self.run, Run::Terminating { .. } | Run::Killing { .. });
        self.run = Run::Idle;
        let name = &self.spec.name;
        let (success, how) = match result {
            ScriptResult::Exited(status) => {
                if status != self.last_status {
                    out.info(format!("Script `{name}` now returning {status}"));
                    self.last_status = status;
                }
                (status == 0, format!("failed (exited with status {status})"))
            }
            // Our own signals are what ended it, whatever the signal was that did.
            ScriptResult::Signalled(_) if killed_by_us => (false, "timed_out".to_owned()),
            ScriptResult::Signalled(signal) => (false, format!("failed (due to signal {signal})")),
            ScriptResult::NotStarted(error) => {
                // keepalived takes this for success; a check that cannot check has not succeeded.
                if self.last_status != NOT_STARTED {
                    out.error(format!("Script `{name}` cannot be started (error {error})"));
                    self.last_status = NOT_STARTED;
                }
                (false, "failed (not started)".to_owned())
            }
        };
        let before = self.up();
        self.step(success);
        let changed = before != self.up();
        if changed {
            let how = if success { "succeeded".to_owned() } else { how };
            out.info(format!("VRRP_Script({}) {how}", self.spec.name));
        }
        changed
    }

    /// Well or failed; None until that is known.
    pub(super) fn up(&self) -> Option<bool> {
        (!self.unknown).then_some(self.level >= self.spec.rise)
    }

    pub(super) fn last_status(&self) -> Option<i64> {
        (!self.unknown).then_some(i64::from(self.last_status))
    }

    pub(super) fn remember(&self) -> Option<Remembered> {
        let up = self.up()?;
        Some(Remembered { name: self.spec.name.clone(), argv: self.spec.command.argv.clone(), up })
    }

    pub(super) fn recall(&mut self, memory: &[Remembered]) {
        let known = memory.iter().find(|m| m.name == self.spec.name && m.argv == self.spec.command.argv);
        if let (true, Some(known)) = (self.unknown, known) {
            self.settle(known.up);
        }
    }

    fn settle(&mut self, up: bool) {
        self.unknown = false;
        self.level = if up { self.best() } else { 0 };
    }

    /// Moves on the ladder: a failed script needs `rise` successes, a well one `fall` failures, and one success puts
    /// a well one back to perfect.
    fn step(&mut self, success: bool) {
        let rise = self.spec.rise;
        if success {
            let next = self.level + 1;
            self.level = if next >= rise { self.best() } else { next };
        } else {
            self.level = if self.level > rise && !self.unknown { self.level - 1 } else { 0 };
        }
        // The first success after the start reaches `rise` at once, because it starts one below.
        self.unknown = false;
    }

    fn best(&self) -> u32 {
        self.spec.rise + self.spec.fall.saturating_sub(1)
    }

    fn launch(&mut self, now: Instant, out: &mut Outbox) {
        self.next_run = Some(now + self.spec.interval.max(Duration::from_millis(1)));
        match self.run {
            Run::Idle => {
                self.run = Run::Running { until: now + self.spec.time_limit() };
                out.push(Output::RunScript(self.spec.name.clone(), Arc::clone(&self.command)));
            }
            Run::Running { .. } => out.info(format!(
                "Track script {} is already running, expect idle - skipping run",
                self.spec.name
            )),
            Run::Terminating { .. } | Run::Killing { .. } => out.info(format!(
                "Track script {} is being timed out, expect idle - skipping run",
                self.spec.name
            )),
        }
    }
}

/// Stands for "could not be started" among the exit statuses, which are 0 to 255.
const NOT_STARTED: i32 = -1;
