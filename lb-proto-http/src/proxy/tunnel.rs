//! Tunnels: after 101, or 2xx to CONNECT, bytes pass in both directions untouched.

use std::io;

use lb_core::log::{Cause, Origin, Phase};
use lb_core::rt::{Buffer, Relay, RelayEnd, RelayLimits, Stream};

use super::exchange::{After, end};
use super::io::{give_scratch, take_scratch, write_in_time};
use super::txn::Live;
use super::upload::Upload;
use super::{log, reply, upstream};

/// Sends the response's head and relays until both sides are done.
pub(super) async fn run(live: &mut Live<'_>, upload: &Upload) -> After {
    let mut out = take_scratch();
    reply::write_head(live, true, &mut out);
    // What came behind the heads already belongs to the tunnel.
    let early = [live.txn.layer.request.buffered_body(), upload.extra()].concat();
    let answer = live.txn.layer.response.buffered_body();
    // It goes along with the head unless it is subject to limits.
    let held = if live.txn.limits.is_some() {
        answer.to_vec()
    } else {
        out.extend_from_slice(answer);
        live.txn.counts.from_server += answer.len() as u64;
        Vec::new()
    };
    let limit = live.client_limit();
    let sent = write_in_time(live.client, &out, limit).await;
    live.txn.counts.to_client += out.len() as u64;
    give_scratch(out);
    let mut server = live.txn.upstream.stream.take();
    let ended = match (sent, &mut server) {
        (Ok(()), Some(server)) => relay(live, server, (&early, &held)).await,
        (Ok(()), None) => RelayEnd::Server(io::ErrorKind::NotConnected.into()),
        (Err(error), _) if error.kind() == io::ErrorKind::TimedOut => RelayEnd::ClientTimeout,
        (Err(error), _) => RelayEnd::Client(error),
    };
    let (cause, phase) = match ended {
        RelayEnd::Finished => (Cause::Normal, Phase::Done),
        RelayEnd::ClientTimeout => (Cause::ClientTimeout, Phase::Data),
        RelayEnd::ServerTimeout => (Cause::ServerTimeout, Phase::Data),
        RelayEnd::Client(_) => (Cause::ClientAbort, Phase::Data),
        _ => (Cause::ServerAbort, Phase::Data),
    };
    if cause != Cause::Normal {
        end(live, cause, phase);
        log::abort(live, cause);
    }
    if cause == Cause::ServerAbort {
        log::response_error(live);
    }
    log::account(live);
    live.txn.upstream.stream = server;
    upstream::detach(live, upstream::Kept::Ended);
    log::write(live, Origin::Close);
    After::Close
}

/// Relays what is there already from the client and from the server, and what follows.
async fn relay(live: &mut Live<'_>, server: &mut Stream, (early, held): (&[u8], &[u8])) -> RelayEnd {
    let Live { client, txn } = live;
    let mut front = client.session.frontend().spec.timeouts;
    let mut back = txn.backend.as_ref().map(|backend| backend.spec.timeouts).unwrap_or_default();
    // In a tunnel one timeout holds for both sides.
    if let Some(tunnel) = txn.settings.tunnel.or(back.tunnel).or(front.tunnel) {
        front.client = Some(tunnel);
        back.server = Some(tunnel);
    }
    let size = client.session.generation().plan.process().tune.bufsize;
    // The times of half-closed connections are those of TCP mode.
    (front.client_fin, back.server_fin) = (None, None);
    let mut relay = Relay::new(RelayLimits::new(&front, &back, size));
    if !early.is_empty() {
        relay.preload(Buffer::holding(early));
    }
    if !held.is_empty() {
        relay.preload_answer(Buffer::holding(held));
    }
    if let Some(limits) = txn.limits.take() {
        relay.limit(*limits, client.session.timers());
    }
    let ended = relay.run(&mut client.stream, server, &client.timer).await;
    let (from_client, from_server) = relay.bytes();
    txn.counts.from_client += from_client;
    txn.counts.to_server += from_client;
    txn.counts.from_server += from_server;
    txn.counts.to_client += from_server;
    ended
}
