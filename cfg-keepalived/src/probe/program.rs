//! `MISC_CHECK`: a program whose exit status is the verdict.

use lb_core::health::{Command, Dialog, ProbeSpec, ProgramRun, Status, Target, Verdict};
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
        let deadline = now + self.timeout.unwrap_or(target.schedule.inter);
        Box::new(ProgramRun::new(command, deadline, if self.dynamic { judge_dynamic } else { judge }))
    }

    fn same_as(&self, other: &dyn ProbeSpec) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What an exit code means; a negative one is a signal.
fn judge(status: i32) -> Verdict {
    match status {
        0 => Verdict::new(Status::ProcessOk),
        ..0 => {
            let info = format!("killed by signal {}", status.unsigned_abs());
            Verdict::new(Status::ProcessError).with_info(info)
        }
        _ => Verdict::new(Status::ProcessError).with_code(status.unsigned_abs()),
    }
}

/// `misc_dynamic`.
fn judge_dynamic(status: i32) -> Verdict {
    match status {
        2.. => Verdict::new(Status::ProcessOk).with_code(status.unsigned_abs()),
        _ => judge(status),
    }
}
