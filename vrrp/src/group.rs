//! Instances that change state together.

use std::sync::Arc;

use crate::event::{MailMessage, Notify, NotifyState, Output, Subject};
use crate::instance::specific_script;
use crate::outbox::Outbox;
use crate::spec::{Global, SyncGroup};
use crate::stats::StateKind;

/// A sync group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) spec: Arc<SyncGroup>,
    /// Positions of the member instances.
    pub(crate) members: Vec<usize>,
    pub(crate) state: StateKind,
    mailed: Option<StateKind>,
}

impl Group {
    pub(crate) fn new(spec: SyncGroup, members: Vec<usize>) -> Self {
        Self { spec: Arc::new(spec), members, state: StateKind::Init, mailed: None }
    }

    /// Takes over what a former group of this name was doing.
    pub(crate) fn continuing(mut self, old: &Self) -> Self {
        (self.state, self.mailed) = (old.state, old.mailed);
        self
    }

    /// Enters a state. False if it is in that state already.
    pub(crate) fn enter(&mut self, state: StateKind) -> bool {
        std::mem::replace(&mut self.state, state) != state
    }

    /// Tells scripts, pipes and mail about the state.
    pub(crate) fn notify(&mut self, global: &Global, out: &mut Outbox) {
        let (told, word) = match self.state {
            StateKind::Master => (NotifyState::Master, "Entering MASTER state"),
            StateKind::Backup => (NotifyState::Backup, "Entering BACKUP state"),
            StateKind::Fault => (NotifyState::Fault, "Entering FAULT state"),
            StateKind::Stopped => (NotifyState::Stop, "Stopping"),
            StateKind::Init | StateKind::Releasing => return,
        };
        self.emit(told, false, out);
        let silent = self.state == StateKind::Fault && global.no_email_faults;
        if self.spec.smtp_alert && !silent && self.mailed != Some(self.state) {
            self.mailed = Some(self.state);
            let body = match self.state {
                StateKind::Stopped => "=> All VRRP group instances are now stopping <=".to_owned(),
                state => format!("=> All VRRP group instances are now in {} state <=", state.word()),
            };
            let subject = format!("[{}] VRRP Group {} - {word}", global.router_id, self.spec.name);
            out.push(Output::Mail(MailMessage { subject, body }));
        }
    }

    /// Tells the state again, for the pipes alone.
    pub(crate) fn notify_again(&self, out: &mut Outbox) {
        if let Some(told) = crate::instance::notify_state(self.state) {
            self.emit(told, true, out);
        }
    }

    fn emit(&self, state: NotifyState, repeated: bool, out: &mut Outbox) {
        let scripts = &self.spec.notify;
        out.push(Output::Notify(Notify {
            subject: Subject::Group,
            name: self.spec.name.clone(),
            state,
            priority: 0,
            specific: if repeated { None } else { specific_script(scripts, state) },
            generic: if repeated { None } else { scripts.any.clone() },
            repeated,
        }));
    }
}
