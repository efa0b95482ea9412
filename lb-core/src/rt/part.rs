//! Parts of a program that run as processes of their own: started, spoken to, asked whether they live, started again when
//! they die.
//!
//! When to do what is decided by whoever supervises them; a part keeps the times and says what is due.

use super::link::{Link, Message};
use crate::process::{Channel, keep_over_exec};
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::process::{Command, ExitStatus};
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::process::Child;

/// A part that dies sooner than this after its start is started again only after a pause.
const SHORT_LIFE: Duration = Duration::from_secs(1);
/// The first pause.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause between two starts of a part.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long a part may owe an answer before it counts as hanging.
const HANGING: Duration = Duration::from_secs(3);

/// When a process that died is started again: at once if it lived, after ever longer pauses if it keeps dying.
#[derive(Debug, Clone, Copy)]
struct Restarts {
    started: Instant,
    pause: Duration,
    /// When to start it.
    due: Option<Instant>,
}

impl Restarts {
    fn died(&mut self, now: Instant) {
        self.pause = if now.saturating_duration_since(self.started) < SHORT_LIFE {
            (self.pause * 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
        } else {
            Duration::ZERO
        };
        self.due = Some(now + self.pause);
    }
}

/// A part and what is known of it.
#[derive(Debug)]
pub struct Part {
    name: &'static str,
    life: Option<(Child, Link)>,
    restarts: Restarts,
    ready: bool,
    first: bool,
    /// When the oldest unanswered question was asked.
    asked: Option<Instant>,
}

/// How a part ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended {
    /// Its exit status, if it has one.
    pub code: Option<i32>,
    /// It ended in its first life, before it was ready: starting it again will not help.
    pub in_vain: bool,
}

impl Part {
    /// A part that is to be started at once. `first` is whether nobody knows yet that it can work.
    pub fn new(name: &'static str, first: bool, now: Instant) -> Self {
        let restarts = Restarts { started: now, pause: Duration::ZERO, due: Some(now) };
        Self { name, life: None, restarts, ready: false, first, asked: None }
    }

    /// Starts the process that `command` describes, given the descriptor by which it reaches us; it inherits that. If this
    /// fails, it is due again after a while. To be called inside a runtime.
    ///
    /// # Errors
    /// When there is no descriptor or process to be had.
    pub fn start(
        &mut self,
        now: Instant,
        command: impl FnOnce(BorrowedFd<'_>) -> Command,
    ) -> io::Result<&Link> {
        self.restarts.due = Some(now + LONGEST_PAUSE);
        let (ours, theirs) = Channel::pair()?;
        keep_over_exec(theirs.as_fd())?;
        let mut command = tokio::process::Command::from(command(theirs.as_fd()));
        let child = command.kill_on_drop(true).spawn()?;
        drop(theirs);
        let life = self.life.insert((child, Link::new(ours)?));
        self.restarts.started = now;
        self.restarts.due = None;
        self.ready = false;
        self.asked = None;
        Ok(&life.1)
    }

    /// Ends a process that could not be told how to begin. It is due again after a while.
    pub fn give_up(&mut self, now: Instant) {
        // The process is killed with what stands for it.
        self.life = None;
        self.restarts.due = Some(now + LONGEST_PAUSE);
    }

    /// Notes that the process is gone; when to start it again is then due.
    pub fn ended(&mut self, now: Instant) -> Ended {
        let status = self.life.take().and_then(|(mut child, _)| child.try_wait().ok().flatten());
        let in_vain = self.first && !self.ready;
        self.first = false;
        self.ready = false;
        self.restarts.died(now);
        Ended { code: status.and_then(|status| status.code()), in_vain }
    }

    /// Notes that it does its work.
    pub fn set_ready(&mut self) {
        self.ready = true;
    }

    /// Asks whether it lives, if it is ready and owes no answer.
    pub fn ask<T: Serialize>(&mut self, now: Instant, question: &T) {
        if self.ready && self.asked.is_none() && self.tell(question) {
            self.asked = Some(now);
        }
    }

    /// Notes that it answered.
    pub fn answered(&mut self) {
        self.asked = None;
    }

    /// Waits for its end; after `limit` it is killed.
    pub async fn wait(&mut self, limit: Option<Duration>) {
        let Some((child, _)) = &mut self.life else { return };
        match limit {
            Some(limit) => {
                if tokio::time::timeout(limit, child.wait()).await.is_err() {
                    let _ = child.kill().await;
                }
            }
            None => drop(child.wait().await),
        }
    }

    /// Kills it.
    pub async fn kill(&mut self) {
        if let Some((child, _)) = &mut self.life {
            // It may have ended by itself.
            let _ = child.kill().await;
        }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// When it is to be started.
    pub fn due(&self) -> Option<Instant> {
        self.restarts.due
    }

    /// Whether it does its work.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Whether it never ended so far.
    pub fn is_first(&self) -> bool {
        self.first
    }

    /// Whether it owes an answer for too long.
    pub fn hangs(&self, now: Instant) -> bool {
        self.asked.is_some_and(|at| now.saturating_duration_since(at) > HANGING)
    }

    /// The way to it, while it lives.
    pub fn link(&self) -> Option<&Link> {
        self.life.as_ref().map(|(_, link)| link)
    }

    /// Tells it something. One that cannot be told has ended or hangs; both show elsewhere.
    pub fn tell<T: Serialize>(&self, message: &T) -> bool {
        self.link().is_some_and(|link| link.send(message).is_ok())
    }
}

/// What happened to a part, by its name.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a part speaks or ends")]
pub enum News<T> {
    /// It said something.
    Message(&'static str, Message<T>),
    /// It ended, with this status in words.
    Ended(&'static str, String),
}

/// The parts of a program, each of another name.
#[derive(Debug, Default)]
pub struct Parts(Vec<Part>);

impl Parts {
    /// Adds one.
    pub fn add(&mut self, part: Part) {
        self.0.push(part);
    }

    /// The part of this name.
    pub fn named(&mut self, name: &str) -> Option<&mut Part> {
        self.0.iter_mut().find(|part| part.name == name)
    }

    /// Asks each whether it lives, as [`Part::ask`].
    pub fn ask<T: Serialize>(&mut self, now: Instant, question: &T) {
        self.0.iter_mut().for_each(|part| part.ask(now, question));
    }

    /// Waits for the end of the part of this name, as [`Part::wait`].
    pub async fn wait(&mut self, name: &str, limit: Option<Duration>) {
        if let Some(part) = self.named(name) {
            part.wait(limit).await;
        }
    }

    /// Kills all of them.
    pub async fn kill(&mut self) {
        for part in &mut self.0 {
            part.kill().await;
        }
    }

    /// The next message or end of any part. Cancel safe.
    pub async fn news<T: for<'de> Deserialize<'de>>(&mut self) -> News<T> {
        let waits = self.0.iter_mut().filter_map(|part| {
            let name = part.name;
            let (child, link) = part.life.as_mut()?;
            Some(Box::pin(async move {
                tokio::select! {
                    biased;
                    message = link.receive::<T>() => match message {
                        Ok(Some(message)) => News::Message(name, message),
                        // The channel closes when the part ends, sometimes a moment before its status is there. A part that
                        // lives and broke off a message is an error instead.
                        Ok(None) => News::Ended(name, describe(child.wait().await)),
                        // What cannot be understood or was broken off is not followed by anything that can be.
                        Err(e) => {
                            let _ = child.start_kill();
                            News::Ended(name, e.to_string())
                        }
                    },
                    status = child.wait() => News::Ended(name, describe(status)),
                }
            }))
        });
        first(waits.collect()).await
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Part> {
        self.0.iter()
    }

    /// Whether there is one of this name.
    pub fn has(&self, name: &str) -> bool {
        self.iter().any(|part| part.name == name)
    }

    /// Whether all of them do their work.
    pub fn are_ready(&self) -> bool {
        self.iter().all(Part::is_ready)
    }

    /// The next one to be started, and when.
    pub fn due(&self) -> Option<(&'static str, Instant)> {
        self.iter().filter_map(|part| Some((part.name, part.due()?))).min_by_key(|(_, due)| *due)
    }

    /// Tells one of them something, as [`Part::tell`].
    pub fn tell<T: Serialize>(&self, name: &str, message: &T) -> bool {
        self.iter().any(|part| part.name == name && part.tell(message))
    }
}

/// What the first of some is ready with; none is ever ready if there are none.
async fn first<T>(mut all: Vec<Pin<Box<impl Future<Output = T>>>>) -> T {
    std::future::poll_fn(|cx| {
        all.iter_mut()
            .find_map(|one| match one.as_mut().poll(cx) {
                Poll::Ready(value) => Some(Poll::Ready(value)),
                Poll::Pending => None,
            })
            .unwrap_or(Poll::Pending)
    })
    .await
}

fn describe(status: io::Result<ExitStatus>) -> String {
    status.map_or_else(|e| e.to_string(), |status| status.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;

    /// What it is sent it sends back.
    fn echo(channel: BorrowedFd<'_>) -> Command {
        let end = || Stdio::from(channel.try_clone_to_owned().unwrap());
        let mut command = Command::new("cat");
        command.stdin(end()).stdout(end());
        command
    }

    fn failing(_: BorrowedFd<'_>) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "exit 3"]);
        command
    }

    #[test]
    fn what_keeps_dying_is_started_ever_more_rarely_and_what_lived_at_once() {
        let begin = Instant::now();
        let mut restarts = Restarts { started: begin, pause: Duration::ZERO, due: None };
        let mut pauses = Vec::new();
        for _ in 0..10 {
            restarts.died(restarts.started);
            pauses.push(restarts.pause.as_millis());
        }
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        restarts.died(begin + SHORT_LIFE);
        assert_eq!(restarts.due, Some(begin + SHORT_LIFE));
    }

    #[tokio::test]
    async fn a_part_that_ends_before_it_is_ready_ended_in_vain() {
        let now = Instant::now();
        let mut parts = Parts(vec![Part::new("part", true, now)]);
        assert_eq!(parts.due(), Some(("part", now)));
        parts.0[0].start(now, failing).unwrap();
        assert_eq!(parts.due(), None);
        let News::Ended("part", text) = parts.news::<u8>().await else { panic!("it speaks") };
        assert!(text.contains('3'), "{text}");
        assert_eq!(parts.0[0].ended(now), Ended { code: Some(3), in_vain: true });
        assert_eq!(parts.due(), Some(("part", now + SHORTEST_PAUSE)));
        assert!(!parts.0[0].is_first());
    }

    #[tokio::test]
    async fn a_part_is_heard_and_asked_once_at_a_time() {
        let now = Instant::now();
        let mut parts = Parts(vec![Part::new("part", true, now)]);
        parts.0[0].start(now, echo).unwrap();
        parts.0[0].ask(now, &7);
        assert!(parts.0[0].asked.is_none(), "it is not ready yet");
        parts.0[0].set_ready();
        parts.0[0].ask(now, &7);
        parts.0[0].ask(now, &8);
        assert!(parts.0[0].asked.is_some() && !parts.0[0].hangs(now + HANGING));
        assert!(parts.0[0].hangs(now + HANGING + Duration::from_millis(1)));
        let News::Message("part", message) = parts.news::<u8>().await else { panic!("it ended") };
        assert_eq!(message.value, 7);
        parts.0[0].answered();
        assert!(parts.0[0].asked.is_none());
        parts.0[0].kill().await;
        assert!(matches!(parts.news::<u8>().await, News::Ended("part", _)));
        assert_eq!(parts.0[0].ended(now), Ended { code: None, in_vain: false });
    }

    #[tokio::test]
    async fn parts_are_known_by_their_names() {
        let now = Instant::now();
        let mut parts = Parts::default();
        assert!(parts.are_ready(), "there is nothing to wait for");
        for name in ["one", "two"] {
            parts.add(Part::new(name, true, now + Duration::from_secs(u64::from(name == "one"))));
        }
        assert_eq!(parts.due(), Some(("two", now)), "the one that is due first");
        assert!(parts.has("one") && !parts.has("three") && !parts.tell("two", &7), "nobody lives");
        parts.named("two").unwrap().start(now, echo).unwrap();
        assert!(parts.tell("two", &7) && !parts.tell("three", &7));
        let News::Message("two", message) = parts.news::<u8>().await else { panic!("it ended") };
        assert_eq!(message.value, 7);
        parts.named("two").unwrap().set_ready();
        assert!(!parts.are_ready());
        parts.wait("two", Some(Duration::ZERO)).await;
        assert!(matches!(parts.news::<u8>().await, News::Ended("two", _)), "it was killed");
        parts.wait("three", None).await;
        parts.kill().await;
    }

    #[tokio::test]
    async fn what_cannot_be_started_is_due_again_later() {
        let now = Instant::now();
        let mut part = Part::new("part", true, now);
        assert!(part.start(now, |_| Command::new("/nonexistent")).is_err());
        assert_eq!(part.due(), Some(now + LONGEST_PAUSE));
        assert!(part.link().is_none() && !part.tell(&1));
        part.start(now, echo).unwrap();
        assert!(part.tell(&1) && part.due().is_none());
        part.give_up(now);
        assert_eq!((part.due(), part.tell(&1)), (Some(now + LONGEST_PAUSE), false));
    }
}
