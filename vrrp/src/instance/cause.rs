//! Why an instance changed its state, for the operator.

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
    pub(super) fn text(self, state: StateKind, core: &Core) -> String {
        match self {
            Self::Start => "started".to_owned(),
            Self::Resume => "the mastership of the previous run was taken up again".to_owned(),
            Self::Timer if state == StateKind::Master => match core.master {
                Some((address, priority)) => {
                    format!(
                        "nobody with our priority or more was heard any more; last master {address}, priority {priority}"
                    )
                }
                None => "no other master was heard".to_owned(),
            },
            Self::Timer => "the time for the successor to be heard is over".to_owned(),
            Self::Advert(address, priority) if state == StateKind::Stopped => {
                format!("the successor {address} with priority {priority} was heard")
            }
            Self::Advert(address, priority) => {
                format!("advert of {address} with priority {priority}, ours {}", core.effective)
            }
            Self::Fault => {
                let faults: Vec<String> = core.faults.iter().map(ToString::to_string).collect();
                if faults.is_empty() { "a fault".to_owned() } else { faults.join("; ") }
            }
            Self::Recover => "the fault is over".to_owned(),
            Self::Group => "the sync group changed its state".to_owned(),
            Self::LateWake => "this process slept for longer than a successor waits".to_owned(),
            Self::StepDown => "told to hand over".to_owned(),
            Self::Shutdown => "told to stop".to_owned(),
            Self::Other => "a new configuration".to_owned(),
        }
    }
}
