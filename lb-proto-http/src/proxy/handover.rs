//! Going on with a session that began in TCP mode (manual: 4, `switch-mode`).

use super::txn::Live;

/// What is settled of a request before its own rules run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Settled {
    /// The frontend's rules on contents have run.
    pub(super) inspected: bool,
    /// The backend, by its index in the plan.
    pub(super) backend: Option<usize>,
    /// Number of the stream, if it has one.
    pub(super) number: Option<u32>,
}

/// Takes over what rules in TCP mode left behind for the first request.
pub(super) fn take(live: &mut Live<'_>) -> Settled {
    if !live.client.is_handed_over() {
        return Settled::default();
    }
    let extras = live.client.extras();
    let Some(handover) = extras.handover.take() else { return Settled::default() };
    let passage = handover.passage;
    extras.source = passage.source;
    extras.destination = passage.destination;
    extras.marks = passage.marks;
    live.txn.vars.restore(passage.transaction, passage.request, passage.response);
    live.txn.tracked = passage.tracked;
    live.txn.limits = passage.limits;
    live.txn.last_rule = passage.last_rule;
    live.txn.layer.request_captures = passage.captures;
    let settings = &mut live.txn.settings;
    settings.log_level = passage.log_level;
    settings.class = passage.class.into();
    settings.offset = passage.offset;
    Settled { inspected: true, backend: handover.backend, number: Some(passage.number) }
}
