//! One run of a program whose exit code is the verdict.

use std::fmt;
use std::time::Instant;

use super::{Command, Dialog, Input, Output, Status, Verdict};

/// Runs a program and judges how it ended.
pub struct ProgramRun {
    output: Option<Output>,
    deadline: Instant,
    judge: Box<dyn Fn(i32) -> Verdict + Send>,
    verdict: Option<Verdict>,
}

impl ProgramRun {
    /// A run of `command` that may last until `deadline`; `judge` makes a verdict of the exit code, which is the negative
    /// signal number for a program that was killed. A program that cannot be started is an error of the process.
    pub fn new(command: Command, deadline: Instant, judge: impl Fn(i32) -> Verdict + Send + 'static) -> Self {
        Self { output: Some(Output::Run(command)), deadline, judge: Box::new(judge), verdict: None }
    }
}

impl fmt::Debug for ProgramRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgramRun").field("output", &self.output).finish_non_exhaustive()
    }
}

impl Dialog for ProgramRun {
    fn handle_input(&mut self, _now: Instant, input: Input<'_>) {
        if self.verdict.is_some() {
            return;
        }
        self.verdict = match input {
            Input::Exited(code) => Some((self.judge)(code)),
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
