//! The queue of things to be done outside.

use std::collections::VecDeque;

use crate::event::{Log, Output, Severity};

/// Room that is kept while there is nothing to be done.
const KEPT: usize = 256;

/// Collects outputs in the order they must happen.
#[derive(Debug, Default)]
pub(crate) struct Outbox(VecDeque<Output>);

impl Outbox {
    pub(crate) fn push(&mut self, output: Output) {
        self.0.push_back(output);
    }

    pub(crate) fn pop(&mut self) -> Option<Output> {
        let output = self.0.pop_front();
        if output.is_none() && self.0.capacity() > KEPT {
            // The start of a thousand instances says more at once than anything that follows.
            self.0 = VecDeque::new();
        }
        output
    }

    /// A line keepalived always logs.
    pub(crate) fn info(&mut self, text: impl Into<String>) {
        self.log(Severity::Info, false, text);
    }

    /// A line keepalived logs with `-D` only.
    pub(crate) fn detail(&mut self, text: impl Into<String>) {
        self.log(Severity::Info, true, text);
    }

    pub(crate) fn warn(&mut self, text: impl Into<String>) {
        self.log(Severity::Warning, false, text);
    }

    pub(crate) fn error(&mut self, text: impl Into<String>) {
        self.log(Severity::Error, false, text);
    }

    fn log(&mut self, severity: Severity, detail: bool, text: impl Into<String>) {
        self.push(Output::Log(Log { severity, detail, text: text.into() }));
    }
}
