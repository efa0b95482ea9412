//! What the caller of a driver holds, asks and hears.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::event::{Admin, Input, Log, MailMessage, Notify, Outside, Track};
use crate::spec::{Name, Spec};
use crate::stats::Snapshot;
use crate::{Memory, SpecError};

/// What the caller of a driver hears.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The first round is over: sockets are open, the instances have begun.
    Started,
    /// A line for the log.
    Log(Log),
    /// A line for the log of the program around the router: what [`Outside::Log`] asked for.
    Outside(String),
    /// A state changed. Its scripts and pipes have been taken care of.
    Notify(Notify),
    /// A mail is to be sent.
    Mail(MailMessage),
    /// The time of a reload has come (`reload_time_file`): the caller reads its files again.
    ReloadDue,
    /// What a successor of this process has to know in order to resume. Replaces what was told before.
    Memory(Memory),
}

/// How a driver is to begin.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Options {
    /// What a predecessor last told by [`Event::Memory`], and how long ago it ceased to be; to resume its
    /// masterships.
    pub memory: Option<(Memory, Duration)>,
}

pub(super) enum Command {
    Input(Input),
    Reload(Box<Spec>, oneshot::Sender<Result<(), SpecError>>),
    Outside(Name, Vec<Outside>),
    Spec(oneshot::Sender<Arc<Spec>>),
    Snapshot(oneshot::Sender<Snapshot>),
    Master(Name, oneshot::Sender<Option<IpAddr>>),
}

/// Talks to a running driver; cheap to clone. When the driver has ended, everything asked of it is in vain.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(super) commands: mpsc::Sender<Command>,
}

/// Why a reload did not happen. The old specification stays in force.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// The new specification contradicts itself.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Nobody is there to reload.
    #[error("the driver has ended")]
    Ended,
}

impl Handle {
    /// Reports news of a tracker, such as the health of a pool. Cancel safe.
    pub async fn track(&self, track: Track) {
        self.input(Input::Track(track)).await;
    }

    /// Passes on a wish of the operator. Cancel safe.
    pub async fn admin(&self, admin: Admin) {
        self.input(Input::Admin(admin)).await;
    }

    /// Has things done beside the router, about a subject of the caller's: its programs run one after the other. Cancel
    /// safe.
    pub async fn outside(&self, subject: Name, what: Vec<Outside>) {
        // A driver that has ended runs nothing.
        let _ = self.commands.send(Command::Outside(subject, what)).await;
    }

    /// Replaces the specification. Instances that stay keep their state. Cancel safe: the reload happens or it does
    /// not, and its outcome is lost.
    pub async fn reload(&self, spec: Spec) -> Result<(), ReloadError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Reload(Box::new(spec), reply);
        self.commands.send(command).await.map_err(|_| ReloadError::Ended)?;
        answer.await.map_err(|_| ReloadError::Ended)?.map_err(ReloadError::Spec)
    }

    /// The specification in force, fitted to this machine: what cannot run here has been taken out. None when the
    /// driver has ended. Cancel safe.
    pub async fn spec(&self) -> Option<Arc<Spec>> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Spec(reply)).await.ok()?;
        answer.await.ok()
    }

    /// What every instance is doing; None when the driver has ended. Cancel safe.
    pub async fn snapshot(&self) -> Option<Snapshot> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Snapshot(reply)).await.ok()?;
        answer.await.ok()
    }

    /// The master an instance last heard, at little cost; None also when the driver has ended. Cancel safe.
    pub async fn master(&self, instance: Name) -> Option<IpAddr> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Master(instance, reply)).await.ok()?;
        answer.await.ok().flatten()
    }

    async fn input(&self, input: Input) {
        // A driver that has ended needs no news.
        let _ = self.commands.send(Command::Input(input)).await;
    }
}

/// Why a driver could not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The specification contradicts itself.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The system refused something that nothing works without.
    #[error("cannot start the virtual router: {0}")]
    System(#[from] io::Error),
}
