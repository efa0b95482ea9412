//! `MISC_CHECK`: a program whose exit status is the verdict.

use lb_core::health::{Command, Dialog, Input, Output, ProbeSpec, Status, Target, Verdict};
use std::any::Any;
use std::time::{Duration, Instant};

/// A program to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) argv: Vec<String>,
    /// How long it may run; the interval of the check if unset.
    pub(crate) timeout: Option<Duration>,
    /// `misc_dynamic`: every status from 2 on is a success, too.
    pub(crate) dynamic: bool,
}

impl ProbeSpec for Program {
    fn start(&self, target: &Target, now: Instant) -> Box<dyn Dialog> {
        let mut command = Command::default();
        let mut argv = self.argv.iter().cloned();
        command.program = argv.next().unwrap_or_default();
        command.args = argv.collect();
        command.env = vec![("PATH".to_owned(), "/usr/sbin:/usr/bin:/sbin:/bin".to_owned())];
        Box::new(Run {
            dynamic: self.dynamic,
            deadline: now + self.timeout.unwrap_or(target.schedule.inter),
            output: Some(Output::Run(command)),
            verdict: None,
        })
    }

    fn same_as(&self, other: &dyn ProbeSpec) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

struct Run {
    dynamic: bool,
    deadline: Instant,
    output: Option<Output>,
    verdict: Option<Verdict>,
}

impl Dialog for Run {
    fn handle_input(&mut self, _now: Instant, input: Input<'_>) {
        if self.verdict.is_some() {
            return;
        }
        self.verdict = match input {
            Input::Exited(0) => Some(Verdict::new(Status::ProcessOk)),
            Input::Exited(status @ 2..) if self.dynamic => {
                Some(Verdict::new(Status::ProcessOk).with_code(status.unsigned_abs()))
            }
            Input::Exited(status) if status < 0 => {
                let info = format!("killed by signal {}", status.unsigned_abs());
                Some(Verdict::new(Status::ProcessError).with_info(info))
            }
            Input::Exited(status) => {
                Some(Verdict::new(Status::ProcessError).with_code(status.unsigned_abs()))
            }
            // It could not be started, which is not a healthy server.
            Input::Failed(failure) => Some(Verdict::new(Status::ProcessError).with_info(failure.reason)),
            _ => None,
        };
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.verdict.is_none() && now >= self.deadline {
            self.verdict = Some(Verdict::new(Status::ProcessTimeout));
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.output.take()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.verdict.is_none().then_some(self.deadline)
    }

    fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }
}
