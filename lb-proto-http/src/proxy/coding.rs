//! Compression within an exchange: when it is decided, announced, carried out and counted.

use std::sync::Arc;

use super::body::{Sink, Transfer};
use super::front_of;
use super::txn::{Coding, Live};
use crate::compress::{Encoder, Settings, announce};
use crate::h1::BodyLength;
use crate::spec::{CompressionAlgorithm, HttpProxy};

fn settings<'a>(back: &'a HttpProxy, front: Option<&'a HttpProxy>) -> Option<Settings<'a>> {
    let front = front.filter(|front| !std::ptr::eq(*front, back));
    Settings::new(back.compression.as_ref(), front.and_then(|front| front.compression.as_ref()))
}

/// Looks at a request whose rules have been run.
pub(super) fn choose(live: &mut Live<'_>, front: &HttpProxy, back: &HttpProxy) {
    let Some(settings) = settings(back, Some(front)) else { return };
    let request = &mut live.txn.layer.request;
    let response = settings.choose(request);
    let mut coding = Coding { request: None, response, level: settings.level() };
    if let Some(algorithm) = settings.of_request(request)
        && announce(&mut request.fields, algorithm, false)
    {
        coding.request = Some(algorithm);
    }
    live.txn.coding = coding;
}

/// Looks at a response as the server sent it.
pub(super) fn judge(live: &mut Live<'_>, back: &HttpProxy) {
    if live.txn.coding.response.is_none() {
        return;
    }
    let plan = Arc::clone(live.client.session.frontend());
    let front = front_of(&*plan.spec.protocol);
    let fit = settings(back, front)
        .is_some_and(|settings| settings.compresses(&live.txn.layer.request, &live.txn.layer.response));
    if !fit {
        live.txn.coding.response = None;
    }
}

/// The way of a body to its receiver.
#[inline]
pub(super) fn transfer(
    length: BodyLength,
    algorithm: Option<CompressionAlgorithm>,
    level: u32,
    sink: Sink,
) -> Transfer {
    match algorithm {
        Some(algorithm) => compressed(length, algorithm, level, sink),
        None => Transfer::new(length, sink),
    }
}

#[cold]
fn compressed(length: BodyLength, algorithm: CompressionAlgorithm, level: u32, sink: Sink) -> Transfer {
    match Encoder::new(algorithm, level) {
        Some(encoder) => Transfer::compressed(length, encoder),
        None => Transfer::new(length, sink),
    }
}

/// Changes the head of a response that will be compressed.
#[inline]
pub(super) fn announce_response(live: &mut Live<'_>) {
    if let Some(algorithm) = live.txn.coding.response {
        announce_coding(live, algorithm);
    }
}

fn announce_coding(live: &mut Live<'_>, algorithm: CompressionAlgorithm) {
    // Without the coding in this build the response stays what it is.
    let usable = Encoder::new(algorithm, live.txn.coding.level).is_some();
    if !usable || !announce(&mut live.txn.layer.response.fields, algorithm, true) {
        live.txn.coding.response = None;
    }
}

/// Counts what compression did, at both proxies.
#[inline]
pub(super) fn count(live: &Live<'_>, transfer: &Transfer) {
    if let Some((taken, given)) = transfer.compression() {
        count_compressed(live, taken, given);
    }
}

fn count_compressed(live: &Live<'_>, taken: u64, given: u64) {
    let worker = live.client.session.worker().id();
    let front = live.client.session.frontend().state.front.counters.of(worker);
    front.comp_in.add(taken);
    front.comp_out.add(given);
    front.comp_responses.inc();
    let Some(backend) = &live.txn.backend else { return };
    let back = backend.pool.counters().of(worker);
    back.comp_in.add(taken);
    back.comp_out.add(given);
    back.comp_responses.inc();
}
