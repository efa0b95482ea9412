//! The statistics page and the metrics as answers.

use std::sync::Arc;

use lb_core::engine::ProxyPlan;

use super::txn::Live;
use crate::answer::{self, Made};

/// The statistics page of a proxy.
pub(super) async fn page(live: &mut Live<'_>, plan: &Arc<ProxyPlan>, body: &mut Vec<u8>) -> Made {
    let _ = plan;
    answer::error_page(&mut live.txn.layer.response, 503, body)
}

/// The metrics of the process.
pub(super) fn prometheus(live: &mut Live<'_>, body: &mut Vec<u8>) -> Made {
    answer::error_page(&mut live.txn.layer.response, 503, body)
}
