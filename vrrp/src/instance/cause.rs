//! Why an instance changed its state, for the operator.

use std::borrow::Cow;
use std::net::IpAddr;

use super::{Core, Event};
use crate::stats::StateKind;

/// What an event was, as far as words about it are concerned. Cheap to make for every event; words are only made for
/// those that changed the state.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cause {
    Start,
    Resume,
    Timer,
    Advert(IpAddr, u8),
    Fault,
    Recover,
    Group,
    LateWake,
    StepDown,
    Shutdown,
    Other,
}

impl Cause {
    pub(super) fn of(event: &Event) -> Self {
        match event {
            Event::Begin => Self::Start,
            Event::Resume => Self::Resume,
            Event::Timer => Self::Timer,
            Event::Advert(advert) => Self::Advert(advert.source, advert.priority),
            Event::Fault => Self::Fault,
            Event::Recover => Self::Recover,
            Event::GroupMaster | Event::GroupBackup | Event::GroupRival => Self::Group,
            Event::LateWake(_) => Self::LateWake,
            Event::Yield | Event::StepDown => Self::StepDown,
            Event::Shutdown => Self::Shutdown,
            Event::PriorityChanged(_) | Event::Announce | Event::Reconfigured | Event::Claim { .. } => {
                Self::Other
            }
        }
    }

    /// The words, for a change that led to `state`.
    pub(super) fn text(self, state: StateKind, core: &Core) -> Cow<'static, str> {
        match self {
            Self::Start => "started".into(),
            Self::Resume => "the mastership of the previous run was taken up again".into(),
            Self::Timer if state == StateKind::Master => match core.master {
                Some((address, priority)) => {
                    format!(
                        "nobody with our priority or more was heard any more; last master {address}, priority {priority}"
                    )
                    .into()
                }
                None => "no other master was heard".into(),
            },
            Self::Timer => "the time for the successor to be heard is over".into(),
            Self::Advert(address, priority) if state == StateKind::Stopped => {
                format!("the successor {address} with priority {priority} was heard").into()
            }
            Self::Advert(address, priority) => {
                format!("advert of {address} with priority {priority}, ours {}", core.effective).into()
            }
            Self::Fault => {
                let faults: Vec<String> = core.faults.iter().map(ToString::to_string).collect();
                if faults.is_empty() { "a fault".into() } else { faults.join("; ").into() }
            }
            Self::Recover => "the fault is over".into(),
            Self::Group => "the sync group changed its state".into(),
            Self::LateWake => "this process slept for longer than a successor waits".into(),
            Self::StepDown => "told to hand over".into(),
            Self::Shutdown => "told to stop".into(),
            Self::Other => "a new configuration".into(),
        }
    }
}
