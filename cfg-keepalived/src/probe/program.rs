//! `MISC_CHECK`: a program whose exit status is the verdict.

use super::weigh::Scale;
use lb_core::health::{Account, Command, Dialog, OneShot, ProbeSpec, Status, Target, Verdict};
use std::any::Any;
use std::time::{Duration, Instant};

/// A program to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) argv: Vec<String>,
    /// How long it may run; the interval of the check if unset.
    pub(crate) timeout: Option<Duration>,
    /// `misc_dynamic`: every status from 2 on is a success, too, and says what the server weighs.
    pub(crate) dynamic: Option<Scale>,
    /// Who runs it.
    pub(crate) account: Option<Account>,
}

impl ProbeSpec for Program {
    fn start(&self, target: &Target, now: Instant) -> Box<dyn Dialog> {
        let mut command = Command::default();
        let mut argv = self.argv.iter().cloned();
        command.program = argv.next().unwrap_or_default();
        command.args = argv.collect();
        command.env = vec![("PATH".to_owned(), "/usr/sbin:/usr/bin:/sbin:/bin".to_owned())];
        command.account.clone_from(&self.account);
        let deadline = now + self.timeout.unwrap_or(target.schedule.inter);
        let dynamic = self.dynamic;
        Box::new(OneShot::run(command, deadline, move |status| judge(status, dynamic)))
    }

    fn same_as(&self, other: &dyn ProbeSpec) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What an exit code means; a negative one is a signal.
fn judge(status: i32, dynamic: Option<Scale>) -> Verdict {
    match (status, dynamic) {
        (0, None) => Verdict::new(Status::ProcessOk),
        (0, Some(scale)) => Verdict::new(Status::ProcessOk).with_weight(scale.moved(0)),
        (2.., Some(scale)) => {
            // The status is the weight and two.
            let by = i64::from(status) - 2 - i64::from(scale.own);
            Verdict::new(Status::ProcessOk).with_code(status.unsigned_abs()).with_weight(scale.moved(by))
        }
        (..0, _) => {
            let info = format!("killed by signal {}", status.unsigned_abs());
            Verdict::new(Status::ProcessError).with_info(info)
        }
        _ => Verdict::new(Status::ProcessError).with_code(status.unsigned_abs()),
    }
}
