//! From a series of verdicts to "up" and "down": the rise and fall counters of one check.
//!
//! Health is a number. From 0 to `rise - 1` the check considers the server down, from `rise` to `rise + fall - 1` up:
//!
//! ```text
//!            success: +1                success: straight to the top
//!   0 ── 1 ── … ── rise-1 ─────────▶ rise ── … ── rise+fall-1
//!   ▲                                 │  failure: -1          │
//!   └─────────────────────────────────┴───────────────────────┘
//!     failure below `rise`: straight to 0
//! ```
//!
//! A new monitor stands at `rise`: the server is taken to be up, but a single failure takes it down. The same holds
//! when checks resume after maintenance.

use std::fmt;
use std::time::Duration;

use super::{Outcome, Status, Verdict};
use crate::rng::Rng;

/// Which of a server's two checks a monitor follows.
#[expect(clippy::exhaustive_enums, reason = "a server has these two kinds of checks")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckKind {
    /// The health check.
    Health,
    /// The agent check.
    Agent,
}

/// State a server is given at start and when it leaves maintenance (`init-state`).
#[expect(clippy::exhaustive_enums, reason = "the words a configuration can use")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum InitState {
    /// Nothing was configured: up, and one failure takes it down.
    #[default]
    Unset,
    /// Up in full health.
    FullyUp,
    /// Up; one failure takes it down.
    Up,
    /// Down; one success takes it up.
    Down,
    /// Down; `rise` successes take it up.
    FullyDown,
}

/// How often a check runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Intervals {
    /// In full health.
    pub inter: Duration,
    /// In transition, and once after errors on live traffic; `inter` when unset.
    pub fast: Option<Duration>,
    /// When down and out; `inter` when unset.
    pub down: Option<Duration>,
}

impl Intervals {
    /// The same interval in every state.
    pub const fn every(inter: Duration) -> Self {
        Self { inter, fast: None, down: None }
    }
}

impl Default for Intervals {
    fn default() -> Self {
        Self::every(Duration::from_secs(2))
    }
}

/// What a verdict did to a monitor.
#[expect(clippy::exhaustive_structs, reason = "plain data")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Something changed that is worth a line under `option log-health-checks`.
    pub report: bool,
    /// A failure was counted.
    pub failed: bool,
    /// The failure makes the server down, unless it already is.
    pub down: bool,
}

/// The counters of one check of one server, and its last result.
#[derive(Clone, Debug)]
pub struct Monitor {
    kind: CheckKind,
    rise: u32,
    fall: u32,
    health: u32,
    enabled: bool,
    paused: bool,
    hurry: bool,
    last: LastCheck,
}

/// The last finished check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct LastCheck {
    /// Its verdict's status; [`Status::Initializing`] before the first.
    pub status: Status,
    /// Its verdict's code.
    pub code: u32,
    /// Its verdict's text.
    pub info: String,
    /// How long it took; unknown for errors seen on live traffic.
    pub duration: Option<Duration>,
}

impl LastCheck {
    /// The end of a check.
    pub fn new(status: Status, code: u32, info: impl Into<String>) -> Self {
        Self { status, code, info: info.into(), duration: None }
    }
}

impl fmt::Display for LastCheck {
    /// As appended to log lines: `, reason: …, code: …, info: "…", check duration: …ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ", reason: {}", self.status.description())?;
        if self.status.has_code() {
            write!(f, ", code: {}", self.code)?;
        }
        if !self.info.is_empty() {
            write!(f, ", info: \"{}\"", Escaped(&self.info))?;
        }
        if let Some(duration) = self.duration {
            write!(f, ", check duration: {}ms", duration.as_millis())?;
        }
        Ok(())
    }
}

/// Text for logs: quotes, angle brackets and what is not printable ASCII as `<XX>`.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for byte in self.0.bytes() {
            match byte {
                b'"' | b'<' | b'>' => write!(f, "<{byte:02X}>")?,
                b' '..=b'~' => f.write_char(byte as char)?,
                _ => write!(f, "<{byte:02X}>")?,
            }
        }
        Ok(())
    }
}

impl Monitor {
    /// A monitor that takes its server to be up but falls at the first failure. `rise` and `fall` are at least 1.
    pub fn new(kind: CheckKind, rise: u32, fall: u32) -> Self {
        let rise = rise.max(1);
        Self {
            kind,
            rise,
            fall: fall.max(1),
            health: rise,
            enabled: true,
            paused: false,
            hurry: false,
            last: LastCheck { status: Status::Initializing, ..LastCheck::default() },
        }
    }

    /// Takes note of a finished check.
    ///
    /// Not reaching an agent says nothing about the server, so such failures of agent checks are not counted.
    pub fn conclude(&mut self, verdict: &Verdict, duration: Option<Duration>) -> Effect {
        let mut report = verdict.status != self.last.status;
        let mut failed = false;
        self.last =
            LastCheck { status: verdict.status, code: verdict.code, info: verdict.info.clone(), duration };
        match verdict.outcome() {
            Outcome::Neutral => return Effect { report: false, failed: false, down: false },
            Outcome::Failed => {
                if self.health > 0 && (self.kind == CheckKind::Health || verdict.status.has_code()) {
                    failed = true;
                    report = true;
                    self.health -= 1;
                    if !self.is_up() {
                        self.health = 0;
                    }
                }
            }
            Outcome::Passed | Outcome::Conditional => {
                if !self.is_full() {
                    report = true;
                    self.health += 1;
                    if self.is_up() {
                        self.health = self.top();
                    }
                }
            }
        }
        let speaks = self.kind == CheckKind::Health || verdict.status == Status::L7Status;
        let down = verdict.outcome() == Outcome::Failed && self.health == 0 && speaks;
        Effect { report, failed, down }
    }

    /// Applies `init-state`. Returns whether the server is to be up, or nothing when nothing was configured.
    pub fn initialize(&mut self, state: InitState) -> Option<bool> {
        self.health = match state {
            InitState::Unset => return None,
            InitState::FullyUp => self.top(),
            InitState::Up => self.rise,
            InitState::Down => self.rise - 1,
            InitState::FullyDown => 0,
        };
        Some(self.is_up())
    }

    /// Stops checks because of maintenance.
    pub fn pause(&mut self) {
        if self.enabled {
            self.paused = true;
            self.health = 0;
        }
    }

    /// Resumes checks after maintenance: up, and one failure takes it down.
    pub fn resume(&mut self) {
        if self.enabled {
            self.paused = false;
            self.health = self.rise;
        }
    }

    /// Switches the check on or off (`enable health`, `disable agent`).
    pub fn set_enabled(&mut self, enabled: bool) {
        self.enabled = enabled;
    }

    /// Forces full health or none (`set server … health up`).
    pub fn force(&mut self, up: bool) {
        self.health = if up { self.top() } else { 0 };
    }

    /// Sets the counter as saved, within bounds.
    pub fn restore(&mut self, health: u32) {
        self.health = health.min(self.top());
    }

    /// Adopts changed limits, keeping the side of the threshold on which the health stands.
    pub fn set_limits(&mut self, rise: u32, fall: u32) {
        let (rise, fall) = (rise.max(1), fall.max(1));
        if (rise, fall) == (self.rise, self.fall) {
            return;
        }
        let (up, full) = (self.is_up(), self.is_full());
        self.health = match (up, full) {
            (true, true) => rise + fall - 1,
            (true, false) => (self.health - self.rise + rise).min(rise + fall - 1),
            _ => self.health.min(rise - 1),
        };
        self.rise = rise;
        self.fall = fall;
    }

    /// Makes the next interval a fast one, once.
    pub fn hurry(&mut self) {
        self.hurry = true;
    }

    /// Lowers the health to where one more failure is fatal (`on-error sudden-death`).
    pub fn weaken(&mut self) {
        if self.health > self.rise {
            self.health = self.rise + 1;
        }
    }

    /// Lowers the health so that the failure to come is fatal (`on-error mark-down`).
    pub fn doom(&mut self) {
        self.health = self.rise;
    }

    /// The time from the end of one check to the start of the next. `stopped` says whether the server is down.
    pub fn interval(&self, intervals: &Intervals, stopped: bool) -> Duration {
        if !self.hurry && self.is_full() {
            intervals.inter
        } else if stopped && self.health == 0 {
            intervals.down.unwrap_or(intervals.inter)
        } else {
            intervals.fast.unwrap_or(intervals.inter)
        }
    }

    /// [`interval`](Self::interval) varied by up to `spread` percent, for the timer that is armed now. Ends the hurry.
    pub fn next_delay(
        &mut self,
        intervals: &Intervals,
        stopped: bool,
        spread: u32,
        rng: &mut Rng,
    ) -> Duration {
        let interval = self.interval(intervals, stopped);
        self.hurry = false;
        super::spread::vary(interval, spread, rng)
    }

    /// Whether the check considers the server up.
    pub const fn is_up(&self) -> bool {
        self.health >= self.rise
    }

    /// Whether health is at its best.
    pub const fn is_full(&self) -> bool {
        self.health == self.top()
    }

    /// Whether checks are to run: switched on and not paused.
    pub const fn is_running(&self) -> bool {
        self.enabled && !self.paused
    }

    /// Whether the check is switched on.
    pub const fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Whether the check is paused for maintenance.
    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    /// Which check this is.
    pub const fn kind(&self) -> CheckKind {
        self.kind
    }

    /// Successes needed to become up.
    pub const fn rise(&self) -> u32 {
        self.rise
    }

    /// Failures needed to become down.
    pub const fn fall(&self) -> u32 {
        self.fall
    }

    /// The health counter.
    pub const fn health(&self) -> u32 {
        self.health
    }

    /// The last finished check.
    pub const fn last(&self) -> &LastCheck {
        &self.last
    }

    /// Position and length of the counter on its present side: `3/3` up in full health, `1/2` half way up from down.
    pub const fn progress(&self) -> (u32, u32) {
        if self.is_up() { (self.health - self.rise + 1, self.fall) } else { (self.health, self.rise) }
    }

    const fn top(&self) -> u32 {
        self.rise + self.fall - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(monitor: &mut Monitor) -> Effect {
        monitor.conclude(&Verdict::new(Status::L4Ok), None)
    }

    fn fail(monitor: &mut Monitor) -> Effect {
        monitor.conclude(&Verdict::new(Status::L4Connection), None)
    }

    #[test]
    fn one_failure_after_the_start_is_fatal() {
        let mut monitor = Monitor::new(CheckKind::Health, 2, 3);
        assert_eq!(fail(&mut monitor), Effect { report: true, failed: true, down: true });
        assert_eq!(monitor.health(), 0);
        assert_eq!(fail(&mut monitor), Effect { report: false, failed: false, down: true });
    }

    #[test]
    fn one_success_after_the_start_gives_full_health() {
        let mut monitor = Monitor::new(CheckKind::Health, 2, 3);
        assert!(pass(&mut monitor).report);
        assert_eq!((monitor.health(), monitor.progress()), (4, (3, 3)));
        assert!(!pass(&mut monitor).report);
    }

    #[test]
    fn all_health_values_and_both_outcomes() {
        // rise 2, fall 3: down at 0 and 1, up from 2 to 4.
        for (health, after_pass, after_fail) in [(0, 1, 0), (1, 4, 0), (2, 4, 0), (3, 4, 2), (4, 4, 3)] {
            let mut monitor = Monitor::new(CheckKind::Health, 2, 3);
            monitor.restore(health);
            pass(&mut monitor);
            assert_eq!(monitor.health(), after_pass, "success at {health}");
            monitor.restore(health);
            fail(&mut monitor);
            assert_eq!(monitor.health(), after_fail, "failure at {health}");
        }
    }

    #[test]
    fn intervals_follow_the_health() {
        let secs = Duration::from_secs;
        let intervals = Intervals { inter: secs(10), fast: Some(secs(1)), down: Some(secs(30)) };
        let mut monitor = Monitor::new(CheckKind::Health, 2, 3);
        assert_eq!(monitor.interval(&intervals, false), secs(1));
        pass(&mut monitor);
        assert_eq!(monitor.interval(&intervals, false), secs(10));
        monitor.hurry();
        assert_eq!(monitor.interval(&intervals, false), secs(1));
        let mut rng = Rng::new(0);
        assert_eq!(monitor.next_delay(&intervals, false, 0, &mut rng), secs(1));
        assert_eq!(monitor.next_delay(&intervals, false, 0, &mut rng), secs(10));
        fail(&mut monitor);
        assert_eq!(monitor.interval(&intervals, false), secs(1));
        monitor.force(false);
        assert_eq!(monitor.interval(&intervals, true), secs(30));
        pass(&mut monitor);
        assert_eq!(monitor.interval(&intervals, true), secs(1));
        assert_eq!(monitor.interval(&Intervals::every(secs(7)), true), secs(7));
    }

    #[test]
    fn an_agent_that_cannot_be_reached_changes_nothing() {
        let mut monitor = Monitor::new(CheckKind::Agent, 1, 1);
        let effect = fail(&mut monitor);
        assert!(!effect.failed && !effect.down && monitor.is_up());
        let effect = monitor.conclude(&Verdict::new(Status::L7Status).with_info("via agent : down"), None);
        assert!(effect.failed && effect.down);
    }

    #[test]
    fn a_neutral_result_changes_nothing_but_the_last_check() {
        let mut monitor = Monitor::new(CheckKind::Agent, 1, 1);
        let effect = monitor.conclude(&Verdict::new(Status::Checked).with_info("odd"), None);
        assert_eq!(effect, Effect { report: false, failed: false, down: false });
        assert_eq!((monitor.last().status, monitor.last().info.as_str()), (Status::Checked, "odd"));
    }

    #[test]
    fn the_initial_state_can_be_configured() {
        for (state, health, up) in [
            (InitState::FullyUp, 4, Some(true)),
            (InitState::Up, 2, Some(true)),
            (InitState::Down, 1, Some(false)),
            (InitState::FullyDown, 0, Some(false)),
            (InitState::Unset, 2, None),
        ] {
            let mut monitor = Monitor::new(CheckKind::Health, 2, 3);
            assert_eq!(monitor.initialize(state), up);
            assert_eq!(monitor.health(), health);
        }
    }

    #[test]
    fn new_limits_keep_the_side_of_the_threshold() {
        for (health, rise, fall, after) in
            [(4, 1, 1, 1), (3, 5, 9, 6), (2, 3, 1, 3), (1, 1, 5, 0), (1, 9, 1, 1)]
        {
            let mut monitor = Monitor::new(CheckKind::Health, 2, 3);
            monitor.restore(health);
            let up = monitor.is_up();
            monitor.set_limits(rise, fall);
            assert_eq!((monitor.health(), monitor.is_up()), (after, up), "{health} {rise} {fall}");
        }
    }

    #[test]
    fn the_last_check_reads_as_in_the_logs() {
        let mut monitor = Monitor::new(CheckKind::Health, 2, 3);
        let verdict = Verdict::new(Status::L7Status).with_code(503).with_info("say \"no\"\r\n\u{e9}");
        monitor.conclude(&verdict, Some(Duration::from_millis(12)));
        assert_eq!(
            monitor.last().to_string(),
            ", reason: Layer7 wrong status, code: 503, info: \"say <22>no<22><0D><0A><C3><A9>\", check duration: 12ms"
        );
        monitor.conclude(&Verdict::new(Status::Observed), None);
        assert_eq!(monitor.last().to_string(), ", reason: Health analyze");
    }
}
