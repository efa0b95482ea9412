//! Sending a response, while the rest of the request may still be on its way.

use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::task::{Context, Poll};
use std::time::Duration;

use lb_core::health::Observation;
use lb_core::log::{Cause, Origin, Phase};
use lb_core::rt::{Pace, Stream};
use lb_core::stick::Event;

use super::body::{Sink, Transfer};
use super::exchange::{After, end};
use super::flow::{Flow, FlowEnd};
use super::io::{Behind, Watch, give_buffer, take_buffer, take_scratch};
use super::response::closes_server;
use super::txn::Live;
use super::unread::Unread;
use super::upload::Upload;
use super::upstream::{self, Kept};
use super::{coding, log, observed, reply};
use crate::h1::{BodyLength, trim};
use crate::head::Version;
use crate::spec::{ConnectionMode, HttpProxy};

/// How the response is framed towards the client, and whether the connection lives on.
struct Shape {
    sink: Sink,
    keep: bool,
}

fn shape(live: &mut Live<'_>) -> Shape {
    let http10 = live.txn.layer.request.version == Version::Http10;
    let (sink, framed) = match live.txn.layer.response.body {
        _ if is_head(live) => (Sink::Nothing, true),
        // A client of 1.0 gets chunks as they are and the end of the connection behind them.
        BodyLength::Chunked => (Sink::Chunks, !http10),
        BodyLength::UntilClose => (Sink::Plain, false),
        _ => (Sink::Plain, true),
    };
    let keep = framed
        && live.txn.layer.request.wants_keep_alive()
        && live.txn.front.connection != ConnectionMode::Close
        && !live.client.session.generation().is_stopping();
    Shape { sink, keep }
}

/// Sends the response while the rest of the request may still be on its way.
pub(super) async fn send(live: &mut Live<'_>, back: &HttpProxy, upload: &mut Upload) -> After {
    // Nearly always everything is sent at once: then nothing of the transfer has to outlive this call.
    let mut begun = None;
    let begins = std::future::poll_fn(|cx| Poll::Ready(begin(live, back, upload, cx, &mut begun)));
    let after = begins.await;
    let Some(Begun { mut download, keep, surplus }) = begun else { return after };
    // The response's rules may have limited the request.
    if let Some(limiters) = live.txn.take_limits(|limits| &mut limits.request) {
        upload.limit(limiters, live.client.session.timers());
    }
    let before = (upload.bytes(), upload.moved());
    let heeds = heeds_leaving(live, back);
    let ended = stream(live, upload, &mut download, keep, heeds).await;
    // What was there before the answer is counted.
    live.txn.counts.from_client += upload.bytes() - before.0;
    live.txn.counts.to_server += upload.moved() - before.1;
    count(live, &download.transfer, download.moved);
    let after = conclude(live, back, ended, keep, upload, &download.extra, surplus);
    if ended != Ended::Deaf {
        return after;
    }
    match Unread::of_upload(live, upload) {
        Some(unread) => unread.settle(live, keep, live.client_limit()).await,
        None => After::Close,
    }
}

/// Whether a client that closes its sending side is taken to have left: not while it gets a response that only the end of the
/// connection ends.
pub(super) fn heeds_leaving(live: &Live<'_>, back: &HttpProxy) -> bool {
    let layer = &live.txn.layer;
    upstream::heeds_leaving(&layer.request, back) && layer.response.body != BodyLength::UntilClose
}

/// A response that was begun.
struct Begun {
    download: Flow,
    /// The client's connection lives on.
    keep: bool,
    /// The server sent more than the body.
    surplus: bool,
}

/// Makes the head, with what is there of the body, and sends it. What comes after it counts if that was all; else `begun` says
/// how to go on: written in its place, because it is large and nearly never there.
fn begin(
    live: &mut Live<'_>,
    back: &HttpProxy,
    upload: &Upload,
    cx: &mut Context<'_>,
    begun: &mut Option<Begun>,
) -> After {
    let Shape { sink, keep } = shape(live);
    let mut out = take_scratch();
    reply::write_head(live, keep, &mut out);
    let limiters = live.txn.take_limits(|limits| &mut limits.response);
    let response = &live.txn.layer.response;
    let coding = live.txn.coding;
    let mut transfer = coding::transfer(response.body, coding.response, coding.level, sink);
    let mut there = response.buffered_body();
    let pace = limiters.filter(|_| !transfer.is_done()).map(|limiters| {
        // What came along with the head is subject to the limits, too.
        let held = std::mem::take(&mut there).to_vec();
        Pace::new(limiters, live.client.session.timers().timer(), held)
    });
    let (mut broken, mut surplus) = (None, false);
    match transfer.take(there, &mut out) {
        Ok(taken) => {
            if taken.verbatim {
                out.extend_from_slice(&there[..taken.used]);
            }
            surplus = taken.used < there.len();
        }
        Err(reject) => broken = Some(reject),
    }
    if log::is_due(live, Origin::Response) {
        // The line tells of what has come so far, and that there may be more.
        let body = there.len() as u64;
        live.txn.counts.from_server += body;
        log::write(live, Origin::Response);
        live.txn.counts.from_server -= body;
    }
    let whole = out.len() as u64;
    let behind = if keep { Behind::More } else { Behind::End };
    // While the request is under way both are watched.
    let client = upload.is_over().then_some(&mut live.client.stream);
    match Flow::start(cx, client, behind, transfer, out, broken) {
        ControlFlow::Continue(mut download) => {
            if let Some(pace) = pace {
                download.pace(pace);
            }
            *begun = Some(Begun { download, keep, surplus });
            After::Close
        }
        ControlFlow::Break(transfer) => {
            live.txn.times.end = live.txn.times.now;
            count(live, &transfer, whole);
            conclude(live, back, Ended::Done, keep, upload, &[], surplus)
        }
    }
}

/// Counts what was sent of a response.
fn count(live: &mut Live<'_>, transfer: &Transfer, moved: u64) {
    live.txn.counts.from_server += transfer.bytes;
    live.txn.counts.to_client += moved;
    coding::count(live, transfer);
}

/// How the transfer of a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Done,
    Client(Phase),
    Server(Phase),
    /// The server answered, and closed before it had the request.
    Deaf,
    ClientLate(Phase),
    ServerLate(Phase),
    /// The client's body is not what its framing says.
    Broken(Phase),
    /// The server's body is not what its framing says.
    Junk,
    /// Sessions on the server are ended.
    Killed,
}

/// Moves both bodies until they are complete. A response may be over before its request is: then the rest of the
/// request still goes where it was to go, and a client that does not listen any more is told so at once. One that leaves while
/// the server is waited for ends both; it does so by closing its side if the backend `heeds` that.
async fn stream(
    live: &mut Live<'_>,
    upload: &mut Upload,
    download: &mut Flow,
    keep: bool,
    heeds: bool,
) -> Ended {
    let (client_limit, server_limit) = (live.client_limit(), live.server_limit());
    let Live { client, txn } = live;
    let Some(server) = txn.upstream.stream.as_mut() else { return Ended::Server(Phase::Data) };
    let (ending, fault) = (&txn.upstream.ending, &mut txn.upstream.fault);
    let mut sending = !upload.is_over();
    let (mut armed, mut answered) = (None, false);
    let mut watch = Watch::new(true);
    let ended = std::future::poll_fn(|cx| {
        if !answered {
            match download.poll(cx, server, &mut client.stream) {
                Poll::Pending => {}
                Poll::Ready(FlowEnd::Done) => answered = true,
                Poll::Ready(FlowEnd::SinkFailed) => return Poll::Ready(Ended::Client(Phase::Data)),
                Poll::Ready(FlowEnd::Broken(_)) => return Poll::Ready(Ended::Junk),
                Poll::Ready(end) => return Poll::Ready(cut(end, fault)),
            }
            if answered && upload.discards() {
                return Poll::Ready(Ended::Deaf);
            }
            if answered && sending && !keep {
                let _ = client.stream.poll_shutdown(cx);
            }
        }
        let phase = if answered && keep { Phase::Last } else { Phase::Data };
        if sending {
            match send_more(upload, cx, &mut client.stream, server, (answered, phase)) {
                Poll::Pending => {}
                Poll::Ready(Some(ended)) => return Poll::Ready(ended),
                Poll::Ready(None) => sending = false,
            }
        }
        if answered && !sending {
            return Poll::Ready(Ended::Done);
        }
        if !sending && watch.poll_left(&mut client.stream, client.session.worker(), cx, heeds).is_ready() {
            return Poll::Ready(Ended::Client(phase));
        }
        if ending.is_due() {
            return Poll::Ready(Ended::Killed);
        }
        let client_due = download.is_blocked() || (sending && !upload.is_blocked());
        let server_due = upload.is_blocked() || (!answered && !download.is_blocked());
        let (limit, on_client) = first_due((client_due, client_limit), (server_due, server_limit));
        let paused = download.is_paused() || upload.is_paused();
        let progress = (download.moved, upload.moved(), upload.received(), paused);
        if armed != Some((on_client, progress)) {
            armed = Some((on_client, progress));
            // While a limit is waited for, neither side is to blame.
            client.timer.set_after(limit.filter(|_| !paused));
        }
        client
            .timer
            .poll_expired(cx)
            .map(|()| if on_client { Ended::ClientLate(phase) } else { Ended::ServerLate(phase) })
    })
    .await;
    // Nearly always everything is sent at once.
    txn.times.end = if armed.is_some() { Some(client.age()) } else { txn.times.now };
    ended
}

/// The server's connection ended in the middle of its response.
fn cut(end: FlowEnd, fault: &mut Option<ErrorKind>) -> Ended {
    *fault = (end == FlowEnd::SourceFailed).then_some(ErrorKind::ConnectionReset);
    Ended::Server(Phase::Data)
}

/// Sends more of the request while its server answers, or has `answered`. Ready when nothing is left to be sent, with the end of
/// the exchange if it has come to one in this phase.
fn send_more(
    upload: &mut Upload,
    cx: &mut Context<'_>,
    client: &mut Stream,
    server: &mut Stream,
    (answered, phase): (bool, Phase),
) -> Poll<Option<Ended>> {
    loop {
        return Poll::Ready(match std::task::ready!(upload.poll(cx, client, server)) {
            FlowEnd::Done => None,
            FlowEnd::SourceClosed | FlowEnd::SourceFailed => Some(Ended::Client(phase)),
            FlowEnd::SinkFailed if answered => Some(Ended::Deaf),
            FlowEnd::SinkFailed => {
                // What the server has to say may still come.
                upload.discard();
                continue;
            }
            FlowEnd::Broken(_) => Some(Ended::Broken(phase)),
        });
    }
}

/// How long what is due of either side, to send or to take, is waited for, and whether the client is the first to be late.
fn first_due(
    (client_due, client): (bool, Option<Duration>),
    (server_due, server): (bool, Option<Duration>),
) -> (Option<Duration>, bool) {
    match (client.filter(|_| client_due), server.filter(|_| server_due)) {
        (Some(client), Some(server)) => (Some(client.min(server)), client <= server),
        (Some(client), None) => (Some(client), true),
        (None, server) => (server, !server_due),
    }
}

/// Counts, logs, and parts with both connections.
fn conclude(
    live: &mut Live<'_>,
    back: &HttpProxy,
    ended: Ended,
    keep: bool,
    upload: &Upload,
    extra: &[u8],
    surplus: bool,
) -> After {
    let (cause, phase) = match ended {
        Ended::Done => (Cause::Normal, Phase::Done),
        Ended::Client(phase) => (Cause::ClientAbort, phase),
        Ended::Server(phase) => (Cause::ServerAbort, phase),
        Ended::Deaf => (Cause::ServerAbort, Phase::Last),
        Ended::ClientLate(phase) => (Cause::ClientTimeout, phase),
        Ended::ServerLate(phase) => (Cause::ServerTimeout, phase),
        Ended::Broken(phase) => (Cause::Proxy, phase),
        Ended::Junk => (Cause::Proxy, Phase::Data),
        Ended::Killed => (live.txn.upstream.ending.cause(), Phase::Data),
    };
    if cause != Cause::Normal {
        end(live, cause, phase);
        log::abort(live, cause);
    }
    if matches!(ended, Ended::Junk | Ended::Server(_) | Ended::Deaf) {
        log::response_error(live);
    }
    if matches!(ended, Ended::Broken(_)) {
        log::bad_request(live);
    }
    // A truncated response is one failure of its server, and none if the client left. HAProxy counts the former twice and the
    // latter once, against what its manual says of the counter.
    let framed = live.txn.layer.response.body != BodyLength::UntilClose;
    if framed && matches!(ended, Ended::Junk | Ended::Server(_) | Ended::ServerLate(_)) {
        live.count_tracked(Event::HttpFailure);
    }
    let sent = upload.is_over();
    let clean = ended == Ended::Done && sent && !upload.discards() && !surplus && extra.is_empty();
    let response = &live.txn.layer.response;
    let reusable = clean
        && response.body != BodyLength::UntilClose
        && response.keeps_alive()
        && !closes_server(live, back);
    log::account(live);
    upstream::detach(live, kept(live, live.txn.layer.server_status, reusable));
    if ended == Ended::Junk {
        observed::tell(live, Some(Observation::InvalidResponse));
    }
    log::write(live, Origin::Close);
    if ended != Ended::Done || !keep || !sent {
        return After::Close;
    }
    if !upload.extra().is_empty() {
        return with_extra(live, upload.extra());
    }
    After::Keep(live.txn.layer.request.body_at)
}

/// What becomes of a server connection, which can be used again or not, after a response that came with this status.
pub(super) fn kept(live: &Live<'_>, status: u16, reusable: bool) -> Kept {
    match reusable {
        true if is_connection_bound(live, status) => Kept::ByClient,
        true => Kept::ByAll,
        false => Kept::No,
    }
}

/// Puts what was received behind the body of the request where the next request is looked for.
pub(super) fn with_extra(live: &mut Live<'_>, extra: &[u8]) -> After {
    let request = &mut live.txn.layer.request;
    give_buffer(request.fields.take_buffer());
    let mut buffer = take_buffer();
    let Some(room) = buffer.get_mut(..extra.len()) else { return After::Close };
    room.copy_from_slice(extra);
    request.fields.set_buffer(buffer);
    request.filled = extra.len();
    After::Keep(0)
}

/// Authentication schemes that bind to the connection (NTLM, Negotiate) make it unfit for others.
fn is_connection_bound(live: &Live<'_>, status: u16) -> bool {
    let name: &[u8] = match status {
        401 => b"www-authenticate",
        407 => b"proxy-authenticate",
        _ => return false,
    };
    let binds = |challenge: &[u8]| {
        let scheme = trim(challenge).get(..4).unwrap_or_default();
        scheme.eq_ignore_ascii_case(b"ntlm") || scheme.eq_ignore_ascii_case(b"nego")
    };
    let mut values = live.txn.layer.response.fields.all(name);
    values.any(|value| value.split(|byte| *byte == b',').any(binds))
}

/// Whether the client asked for the head of the response only, whatever rules made of its request.
pub(super) fn is_head(live: &Live<'_>) -> bool {
    live.txn.layer.request.received_method() == b"HEAD"
}
