//! Telling others: scripts, pipes, mail and the log.

use std::sync::Arc;

use super::{Core, Cx};
use crate::event::{MailMessage, Notify, NotifyState, Output, Subject};
use crate::spec;
use crate::stats::StateKind;

impl Core {
    /// Tells scripts, pipes and mail about a state.
    pub(crate) fn notify(&mut self, cx: &mut Cx<'_>, state: StateKind) {
        if self.notified && cx.group == Some(state) {
            // The group has told already.
            return;
        }
        self.notified = true;
        let Some(told) = notify_state(state) else { return };
        self.emit_notify(cx, told, false);
        if state == StateKind::Stopped {
            self.mail(cx, state, "Stopping", "=> VRRP Instance stopping <=");
        } else {
            let owning = if state == StateKind::Master { "now" } else { "no longer" };
            let subject = format!("Entering {} state", state.word());
            self.mail(cx, state, &subject, &format!("=> VRRP Instance is {owning} owning VRRP VIPs <="));
        }
    }

    /// Tells that the instance is no longer configured.
    pub(crate) fn notify_deleted(&mut self, cx: &mut Cx<'_>) {
        let told = if self.spec.notify.tell_deleted { NotifyState::Deleted } else { NotifyState::Fault };
        self.emit_notify(cx, told, false);
        self.mail(cx, StateKind::Stopped, "Deleted", "=> VRRP Deleted at reload <=");
    }

    /// Tells a state again, for the pipes alone.
    pub(crate) fn notify_again(&mut self, cx: &mut Cx<'_>, state: StateKind) {
        if let Some(told) = notify_state(state) {
            self.emit_notify(cx, told, true);
        }
    }

    pub(crate) fn notify_priority(&mut self, cx: &mut Cx<'_>, state: StateKind) {
        if self.spec.notify_priority_changes {
            let master = state == StateKind::Master;
            let told = if master { NotifyState::MasterPriority } else { NotifyState::BackupPriority };
            self.emit_notify(cx, told, false);
        }
    }

    pub(crate) fn notify_lower(&mut self, cx: &mut Cx<'_>) {
        self.emit_notify(cx, NotifyState::MasterRxLowerPri, false);
    }

    fn emit_notify(&mut self, cx: &mut Cx<'_>, state: NotifyState, repeated: bool) {
        let scripts = &self.spec.notify;
        cx.out.push(Output::Notify(Notify {
            subject: Subject::Instance,
            name: self.spec.name.clone(),
            state,
            priority: self.effective,
            specific: if repeated { None } else { specific_script(scripts, state) },
            generic: scripts.any.clone().filter(|_| !repeated && state.is_state()),
            repeated,
        }));
    }

    fn mail(&mut self, cx: &mut Cx<'_>, state: StateKind, subject: &str, body: &str) {
        if !self.spec.smtp_alert || self.mailed == Some(state) {
            return;
        }
        if state == StateKind::Fault && cx.global.no_email_faults {
            return;
        }
        self.mailed = Some(state);
        cx.out.push(Output::Mail(MailMessage {
            subject: format!("[{}] VRRP Instance {} - {subject}", cx.global.router_id, self.spec.name),
            body: body.to_owned(),
        }));
    }

    pub(crate) fn tell_faults(&self, cx: &mut Cx<'_>) {
        for fault in &self.faults {
            cx.out.info(format!("({}): {fault}", self.spec.name));
        }
    }

    pub(crate) fn info(&self, cx: &mut Cx<'_>, text: &str) {
        cx.out.info(format!("({}) {text}", self.spec.name));
    }

    pub(crate) fn detail(&self, cx: &mut Cx<'_>, text: &str) {
        cx.out.detail(format!("({}) {text}", self.spec.name));
    }

    pub(crate) fn warn(&self, cx: &mut Cx<'_>, text: &str) {
        cx.out.warn(format!("({}) {text}", self.spec.name));
    }

    pub(crate) fn error(&self, cx: &mut Cx<'_>, text: &str) {
        cx.out.error(format!("({}) {text}", self.spec.name));
    }
}

/// The script of exactly this state.
pub(crate) fn specific_script(
    scripts: &spec::NotifyScripts,
    state: NotifyState,
) -> Option<Arc<spec::Command>> {
    match state {
        NotifyState::Master => scripts.master.clone(),
        NotifyState::Backup => scripts.backup.clone(),
        NotifyState::Fault => scripts.fault.clone(),
        NotifyState::Stop => scripts.stop.clone(),
        NotifyState::Deleted => scripts.deleted.clone(),
        NotifyState::MasterRxLowerPri => scripts.master_rx_lower_pri.clone(),
        NotifyState::MasterPriority | NotifyState::BackupPriority => None,
    }
}

/// How a state is told to others; a silent start is not told.
pub(crate) fn notify_state(state: StateKind) -> Option<NotifyState> {
    match state {
        StateKind::Init => None,
        StateKind::Backup => Some(NotifyState::Backup),
        StateKind::Master | StateKind::Releasing => Some(NotifyState::Master),
        StateKind::Fault => Some(NotifyState::Fault),
        StateKind::Stopped => Some(NotifyState::Stop),
    }
}
