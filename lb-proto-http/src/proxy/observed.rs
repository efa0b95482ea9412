//! What exchanges say about the health of a server (`observe`).

use std::time::Instant;

use lb_core::health::Observation;

use super::response::NoResponse;
use super::txn::Live;

/// What waiting for a response says about the server, if anything.
pub(super) fn first(live: &Live<'_>, waited: &Result<(), NoResponse>) -> Option<Observation> {
    let response = &live.txn.layer.response;
    match waited {
        Ok(()) => Some(Observation::Response(response.status)),
        Err(NoResponse::Closed) if response.filled > 0 => Some(Observation::InvalidHeaders),
        // An idle connection may close at any time.
        Err(NoResponse::Closed) => (!live.txn.upstream.reused).then_some(Observation::ReadError),
        Err(NoResponse::Bad) => Some(Observation::InvalidHeaders),
        Err(NoResponse::Late) => Some(Observation::ReadTimeout),
        Err(_) => None,
    }
}

/// Tells the pool what was seen of the server of the exchange.
pub(super) fn tell(live: &Live<'_>, seen: Option<Observation>) {
    let upstream = &live.txn.upstream;
    let (Some(seen), Some(cell), Some(backend)) = (seen, &upstream.cell, &live.txn.backend) else { return };
    if cell.is_observed() {
        let events = backend.pool.observe(cell, seen, Instant::now());
        live.client.session.generation().report(backend, events);
    }
}
