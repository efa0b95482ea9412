//! The exchanges of one client connection, until it turns idle or ends.

use lb_core::log::{Cause, Origin, Phase, Termination};

use super::client::Client;
use super::io::{poll_presence, take_buffer};
use super::reply::{self, Answer};
use super::request::{self, Fate, NoRequest};
use super::runner::Ended;
use super::txn::{Front, Live, Txn};
use super::{front_of, handover, log, response, upstream};
use crate::h1::Reject;
use std::sync::Arc;
use std::task::Poll;

/// What becomes of the client connection after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// It may carry another request. What was received beyond this one begins there in the request's buffer.
    Keep(usize),
    /// There was none: nothing has come.
    Wait,
    /// It ends.
    Close,
    /// It ends without the client being told, or with a reset of this TTL.
    Silence(Option<u8>),
}

/// Serves requests for as long as they come without a pause.
pub(super) async fn run(mut client: Box<Client>, mut txn: Box<Txn>) -> Ended {
    loop {
        let after = one(&mut client, &mut txn).await;
        log::session_end(&mut client, &mut txn);
        let from = match after {
            After::Keep(from) => from,
            After::Wait => return (Some(client), txn),
            After::Close => {
                finish(client).await;
                return (None, txn);
            }
            After::Silence(ttl) => {
                client.stream.silence_on_close(ttl);
                return (None, txn);
            }
        };
        client.turn_idle(txn.times.end.unwrap_or_else(|| client.age()));
        if from >= txn.layer.request.filled && !client.stream.is_tls() {
            // The transaction is cleared when it is put away.
            return (Some(client), txn);
        }
        let rest = txn.leftover(from);
        super::io::give_fields(&mut txn.layer.response.fields);
        txn.reset();
        if let Some((buffer, filled)) = rest {
            txn.layer.request.fields.set_buffer(buffer);
            txn.layer.request.filled = filled;
        }
    }
}

/// Ends a connection so that what was written arrives: the sending side is shut down, and what still comes is read,
/// for a short while, because closing with unread bytes would reset the connection.
async fn finish(mut client: Box<Client>) {
    const LINGER: std::time::Duration = std::time::Duration::from_millis(500);
    if client.stream.is_bare() {
        // Its request came in one piece, and no more was seen.
        return;
    }
    let waiting = std::future::poll_fn(|cx| Poll::Ready(poll_presence(&mut client.stream, cx))).await;
    let data = waiting == Poll::Ready(super::io::Presence::Data);
    if !data && !client.stream.is_tls() {
        // Closing says the same.
        return;
    }
    if client.stream.shutdown().await.is_err() || !data {
        return;
    }
    client.timer.set_after(Some(LINGER));
    let mut buffer = take_buffer();
    loop {
        let got = std::future::poll_fn(|cx| match client.stream.poll_read(cx, &mut buffer) {
            Poll::Ready(got) => Poll::Ready(got.unwrap_or(0)),
            Poll::Pending => client.timer.poll_expired(cx).map(|()| 0),
        })
        .await;
        if got == 0 {
            super::io::give_buffer(buffer);
            return;
        }
    }
}

/// One request and its response.
async fn one(client: &mut Client, txn: &mut Txn) -> After {
    let plan = Arc::clone(client.session.frontend());
    let http = front_of(&*plan.spec.protocol);
    let mut live = Live { client, txn };
    live.txn.front = Front::of(http, live.client);
    if let Err(none) = request::read(&mut live).await {
        return Box::pin(no_request(&mut live, &none)).await;
    }
    live.txn.counts.from_client = live.txn.layer.request.logged_len();
    let settled = handover::take(&mut live);
    live.txn.number = settled.number.unwrap_or_else(|| live.client.session.next_number());
    if !settled.inspected {
        log::write(&mut live, Origin::Accept);
    }
    match request::process(&mut live, &plan, http, settled).await {
        Ok(backend) => response::forward(&mut live, &backend).await,
        Err(Fate::Answer(answer)) => reply::answer(&mut live, answer).await,
        Err(Fate::Gone) => gone(&mut live, Phase::Request),
        Err(Fate::Drop(parting)) => {
            live.txn.untimed = true;
            end(&mut live, Cause::Proxy, Phase::Request);
            log::close(&mut live);
            parting.into()
        }
    }
}

/// The client went away before there was a response.
pub(super) fn gone(live: &mut Live<'_>, phase: Phase) -> After {
    end(live, Cause::ClientAbort, phase);
    upstream::detach(live, upstream::Kept::No);
    log::close(live);
    After::Close
}

/// Notes how the exchange ended, unless that is known already.
pub(super) fn end(live: &mut Live<'_>, cause: Cause, phase: Phase) {
    let old = live.txn.termination;
    if old.cause == Cause::Normal {
        live.txn.termination = Termination { cause, phase, ..old };
    }
}

/// What is said, and logged, when there is no request.
async fn no_request(live: &mut Live<'_>, none: &NoRequest) -> After {
    let first = live.client.requests == 0;
    let ignore = live.client.frontend().is_some_and(|http| http.ignore_probes);
    let silent = live.txn.layer.request.filled == 0;
    let (status, cause) = match none {
        NoRequest::Idle => return After::Wait,
        // Who made rules wait long enough is told nothing more.
        NoRequest::Nothing | NoRequest::Aborted | NoRequest::Late if live.client.was_waited_for() => {
            return After::Close;
        }
        NoRequest::Nothing if !first || ignore => return After::Close,
        NoRequest::Nothing => (400, Cause::ClientAbort),
        NoRequest::Late if silent && ignore => return After::Close,
        NoRequest::Aborted => (400, Cause::ClientAbort),
        NoRequest::Late => (408, Cause::ClientTimeout),
        NoRequest::Bad(reject) => (reject.status(), Cause::Proxy),
    };
    if live.client.is_handed_over() {
        // The line is that of a session without a request.
        live.txn.answered = Some(0);
        end(live, Cause::Proxy, Phase::Request);
    }
    end(live, cause, Phase::Request);
    log::request(live);
    log::bad_request(live);
    if matches!(none, NoRequest::Bad(Reject::Http2Preface)) {
        // Well-formed, but of a protocol that is not spoken here: refused like any request.
        fail(live, status, cause, Phase::Request).await;
        return After::Close;
    }
    if silent && live.client.session.frontend().spec.log.dontlognull {
        live.txn.logged = true;
    }
    reply::early(live, status).await;
    After::Close
}

/// Answers an error of a stage that has no more to say.
pub(super) async fn fail(live: &mut Live<'_>, status: u16, cause: Cause, phase: Phase) -> After {
    reply::answer(live, Answer::Error { status, cause, phase }).await
}
