//! `BFD_CHECK`: whether a session with a neighbour is up.

use lb_core::companion::AGAIN;
use lb_core::health::{Dialog, EngineHandle, Input, Output, ProbeSpec, Status, Target, Verdict};
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Poll;
use std::time::{Duration, Instant};

/// Patience with who runs the sessions.
const PATIENCE: Duration = Duration::from_secs(1);

/// A session that a server depends on.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    name: Arc<str>,
    /// It has been up. Before that nothing is said: a neighbour that speaks no BFD is no failure.
    was_up: Arc<AtomicBool>,
}

impl Session {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.into(), was_up: Arc::default() }
    }

    fn judge(&self, up: Option<bool>) -> Verdict {
        if up == Some(true) {
            self.was_up.store(true, Relaxed);
            return Verdict::new(Status::L7Ok);
        }
        if up == Some(false) && self.was_up.load(Relaxed) {
            return Verdict::new(Status::L7Status).with_info(format!("the session {} is down", self.name));
        }
        Verdict::new(Status::Checked)
    }
}

impl ProbeSpec for Session {
    fn start(&self, target: &Target, now: Instant) -> Box<dyn Dialog> {
        let engine = target.engine.clone();
        let mut look =
            Look { session: self.clone(), engine, again: now, deadline: now + PATIENCE, verdict: None };
        look.handle_timeout(now);
        Box::new(look)
    }

    fn same_as(&self, other: &dyn ProbeSpec) -> bool {
        other.as_any().downcast_ref::<Self>().is_some_and(|other| self.name == other.name)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// One look at a session. The answer may come from another process.
#[derive(Debug)]
struct Look {
    session: Session,
    engine: EngineHandle,
    again: Instant,
    deadline: Instant,
    verdict: Option<Verdict>,
}

impl Dialog for Look {
    fn handle_input(&mut self, _now: Instant, _input: Input<'_>) {}

    fn handle_timeout(&mut self, now: Instant) {
        if self.verdict.is_some() || now < self.again {
            return;
        }
        self.again = now + AGAIN;
        self.verdict = match self.engine.session(&self.session.name) {
            Poll::Ready(up) => Some(self.session.judge(up)),
            // Whoever runs the sessions has ended, and will be there again.
            Poll::Pending => (now >= self.deadline).then(|| self.session.judge(None)),
        };
    }

    fn poll_output(&mut self) -> Option<Output> {
        None
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.verdict.is_none().then_some(self.again)
    }

    fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lb_core::expr::EngineView;
    use std::sync::Mutex;

    /// Answers in this order, the last one for ever.
    #[derive(Clone)]
    struct Answers(Arc<Mutex<Vec<Poll<Option<bool>>>>>);

    impl EngineView for Answers {
        fn session(&self, name: &str) -> Poll<Option<bool>> {
            assert_eq!(name, "b");
            let mut answers = self.0.lock().unwrap();
            if answers.len() > 1 { answers.remove(0) } else { answers[0] }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "tests begin at some moment and go on from there")]
    fn look(session: &Session, answers: &[Poll<Option<bool>>]) -> (Status, Duration) {
        let begin = Instant::now();
        let mut target = Target::new("be", "s", None);
        target.engine = EngineHandle::new(Arc::new(Answers(Arc::new(Mutex::new(answers.to_vec())))));
        let mut dialog = session.start(&target, begin);
        let mut now = begin;
        while dialog.verdict().is_none() {
            assert!(dialog.poll_output().is_none());
            now = dialog.poll_timeout().expect("who has no verdict has a timer");
            dialog.handle_timeout(now);
        }
        (dialog.verdict().unwrap().status, now - begin)
    }

    #[test]
    fn a_server_is_as_its_session_once_that_has_been_up() {
        let session = Session::new("b");
        let say = |answer| look(&session, &[Poll::Ready(answer)]).0;
        assert_eq!([say(None), say(Some(false))], [Status::Checked; 2], "nothing is known yet");
        assert_eq!([say(Some(true)), say(Some(false))], [Status::L7Ok, Status::L7Status]);
        assert_eq!(say(None), Status::Checked, "whoever runs the sessions has a new configuration");
        assert_eq!(say(Some(true)), Status::L7Ok);
    }

    #[test]
    fn an_answer_on_its_way_is_waited_for_but_not_for_ever() {
        let session = Session::new("b");
        let late = [Poll::Pending, Poll::Pending, Poll::Ready(Some(true))];
        assert_eq!(look(&session, &late), (Status::L7Ok, AGAIN * 2));
        let (status, after) = look(&session, &[Poll::Pending]);
        assert_eq!(status, Status::Checked, "a process that has died is no failure of the server");
        assert!(after >= PATIENCE && after < PATIENCE * 2);
    }

    #[test]
    fn a_reload_goes_on_with_the_session_of_the_same_name() {
        let session = Session::new("b");
        assert!(session.same_as(&Session::new("b")) && !session.same_as(&Session::new("c")));
    }
}
