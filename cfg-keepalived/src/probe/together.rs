//! Several checkers of one real server: each at its own pace, all must be well.

use super::weigh::Scale;
use lb_core::health::{Dialog, Input, LastCheck, Outcome, Output, Part, ProbeSpec, Status, Target, Verdict};
use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// One checker and its pace.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) probe: Arc<dyn ProbeSpec>,
    /// Its place among the checkers of the server, from 1.
    pub(crate) place: usize,
    pub(crate) every: Duration,
    pub(crate) again: Duration,
    pub(crate) patience: Duration,
    /// Failures in a row that count.
    pub(crate) tries: u32,
}

/// All checkers of a server. Each look at it runs those that are due and answers for all of them; the pauses between looks
/// must not be longer than those of any member.
pub(crate) struct Together {
    members: Vec<Member>,
    scale: Scale,
    /// What each found last. Belongs to the one server that is checked.
    past: Arc<Mutex<Vec<Past>>>,
}

#[derive(Debug, Clone, Default)]
struct Past {
    due: Option<Instant>,
    failures: u32,
    /// Well or not, and in which words; nothing until that is certain.
    verdict: Option<Verdict>,
}

impl Together {
    pub(crate) fn new(members: Vec<Member>, scale: Scale) -> Self {
        // At the start one failure counts, however many tries there are later.
        let begin = |member: &Member| Past { failures: member.tries.saturating_sub(1), ..Past::default() };
        let past = Arc::new(Mutex::new(members.iter().map(begin).collect()));
        Self { members, scale, past }
    }

    /// The pause between looks.
    pub(crate) fn pace(&self) -> Duration {
        let all = self.members.iter().flat_map(|member| [member.every, member.again]);
        all.filter(|pause| !pause.is_zero()).min().unwrap_or(Duration::from_secs(1))
    }
}

impl fmt::Debug for Together {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Together").field("members", &self.members).finish_non_exhaustive()
    }
}

impl ProbeSpec for Together {
    fn start(&self, target: &Target, now: Instant) -> Box<dyn Dialog> {
        // What falls due before half of the pause is over would be late otherwise.
        let soon = now + self.pace() / 2;
        let due: Vec<usize> = {
            let past = lock(&self.past);
            (0..self.members.len()).rev().filter(|at| past[*at].due.is_none_or(|due| due <= soon)).collect()
        };
        let mut look = Look {
            members: self.members.clone(),
            scale: self.scale,
            past: Arc::clone(&self.past),
            due,
            target: target.clone(),
            now,
            current: None,
            parts: Vec::new(),
            verdict: None,
        };
        look.next();
        Box::new(look)
    }

    fn same_as(&self, other: &dyn ProbeSpec) -> bool {
        let same = |a: &Member, b: &Member| {
            (a.place, a.every, a.again, a.patience, a.tries)
                == (b.place, b.every, b.again, b.patience, b.tries)
                && a.probe.same_as(&*b.probe)
        };
        other.as_any().downcast_ref::<Self>().is_some_and(|other| {
            self.members.len() == other.members.len()
                && self.scale == other.scale
                && self.members.iter().zip(&other.members).all(|(a, b)| same(a, b))
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn lock(past: &Mutex<Vec<Past>>) -> MutexGuard<'_, Vec<Past>> {
    past.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One look at a server.
struct Look {
    members: Vec<Member>,
    scale: Scale,
    past: Arc<Mutex<Vec<Past>>>,
    /// Who is still to run, the next one last.
    due: Vec<usize>,
    target: Target,
    now: Instant,
    current: Option<(usize, Box<dyn Dialog>)>,
    /// What this look found that was not known.
    parts: Vec<Part>,
    verdict: Option<Verdict>,
}

impl Look {
    /// Starts the next member that is due; sums up when there is none.
    fn next(&mut self) {
        let Some(at) = self.due.pop() else {
            let mut verdict = self.sum();
            verdict.parts = std::mem::take(&mut self.parts);
            self.verdict = Some(verdict);
            return;
        };
        let member = &self.members[at];
        let mut target = self.target.clone();
        let patience = Some(member.patience);
        let schedule = &mut target.schedule;
        (schedule.inter, schedule.check, schedule.connect) = (member.every, patience, patience);
        self.current = Some((at, member.probe.start(&target, self.now)));
    }

    /// Takes note of how a member ended.
    fn note(&mut self, at: usize, mut verdict: Verdict) {
        let member = &self.members[at];
        let mut all = lock(&self.past);
        let past = &mut all[at];
        let before = past.verdict.as_ref().map(Verdict::outcome);
        let passed = verdict.outcome() == Outcome::Passed;
        past.failures = if passed { 0 } else { past.failures.saturating_add(1) };
        let again = !passed && before != Some(Outcome::Failed) && past.failures < member.tries;
        past.due = Some(self.now + if again { member.again } else { member.every });
        if verdict.outcome() != Outcome::Neutral && (again || before != Some(verdict.outcome())) {
            let found = LastCheck::new(verdict.status, verdict.code, verdict.info.as_str());
            self.parts.push(Part { place: member.place, found, again });
        }
        if !again {
            // Who made the difference is named, also where a server comes back.
            if !passed || before == Some(Outcome::Failed) {
                let info = std::mem::take(&mut verdict.info);
                verdict = verdict.with_info(format!("check {}: {info}", member.place));
            }
            past.verdict = Some(verdict);
        }
    }

    /// What the members found, together.
    fn sum(&self) -> Verdict {
        let past = lock(&self.past);
        let found =
            |outcome| past.iter().filter_map(|past| past.verdict.as_ref()).find(|v| v.outcome() == outcome);
        if let Some(failed) = found(Outcome::Failed) {
            return failed.clone();
        }
        if past.iter().any(|past| past.verdict.is_none()) {
            // Nothing is said before everybody has been heard, so that a reload takes nobody for well too early.
            return Verdict::new(Status::Checked);
        }
        let weights = past.iter().filter_map(|past| past.verdict.as_ref()?.weight);
        let sum = self.scale.together(weights);
        let news = self.parts.iter().rev().find(|part| !part.again);
        let came = self
            .members
            .iter()
            .zip(past.iter())
            .find(|(member, _)| news.is_some_and(|part| part.place == member.place));
        let passed = came.and_then(|(_, past)| past.verdict.as_ref()).or_else(|| found(Outcome::Passed));
        let mut verdict = passed.cloned().unwrap_or_else(|| Verdict::new(Status::Checked));
        verdict.weight = sum;
        verdict
    }
}

impl Dialog for Look {
    fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        self.now = now;
        if let Some((_, dialog)) = &mut self.current {
            dialog.handle_input(now, input);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        if let Some((_, dialog)) = &mut self.current {
            dialog.handle_timeout(now);
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        loop {
            let (at, dialog) = self.current.as_mut()?;
            if let Some(output) = dialog.poll_output() {
                return Some(output);
            }
            let (at, verdict) = (*at, dialog.verdict()?.clone());
            self.current = None;
            self.note(at, verdict);
            // The next one closes the connection of this one by opening its own.
            self.next();
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.current.as_ref()?.1.poll_timeout()
    }

    fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }
}
