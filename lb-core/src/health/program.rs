//! Checks that ask one thing of the driver, whose outcome is the verdict: a program's exit code, the content of a file.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::{Command, Dialog, Input, Output, Status, Verdict};

/// What an input means, if it is the outcome.
type Judge = Box<dyn Fn(Input<'_>) -> Option<Verdict> + Send>;

/// One thing asked of the driver.
pub struct OneShot {
    output: Option<Output>,
    deadline: Instant,
    late: Status,
    judge: Judge,
    verdict: Option<Verdict>,
}

impl OneShot {
    /// A run of `command` that may last until `deadline`; `judge` makes a verdict of the exit code, which is the negative
    /// signal number for a program that was killed. A program that cannot be started is an error of the process.
    pub fn run(command: Command, deadline: Instant, judge: impl Fn(i32) -> Verdict + Send + 'static) -> Self {
        let judge = move |input: Input<'_>| match input {
            Input::Exited(code) => Some(judge(code)),
            Input::Failed(failure) => Some(Verdict::new(Status::ProcessError).with_info(failure.reason)),
            _ => None,
        };
        Self::new(Output::Run(command), deadline, Status::ProcessTimeout, Box::new(judge))
    }

    /// A look at the file at `path` that may last until `deadline`; `judge` makes a verdict of its beginning.
    pub fn read(
        path: Arc<str>,
        deadline: Instant,
        judge: impl Fn(&[u8]) -> Verdict + Send + 'static,
    ) -> Self {
        let judge = move |input: Input<'_>| match input {
            Input::Content(content) => Some(judge(content)),
            _ => None,
        };
        Self::new(Output::Read(path), deadline, Status::L7Timeout, Box::new(judge))
    }

    fn new(output: Output, deadline: Instant, late: Status, judge: Judge) -> Self {
        Self { output: Some(output), deadline, late, judge, verdict: None }
    }
}

impl fmt::Debug for OneShot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneShot").field("output", &self.output).finish_non_exhaustive()
    }
}

impl Dialog for OneShot {
    fn handle_input(&mut self, _now: Instant, input: Input<'_>) {
        if self.verdict.is_none() {
            self.verdict = (self.judge)(input);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.verdict.is_none() && now >= self.deadline {
            self.verdict = Some(Verdict::new(self.late));
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
