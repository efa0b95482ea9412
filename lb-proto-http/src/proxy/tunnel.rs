//! Tunnels: after 101, or 2xx to CONNECT, bytes pass in both directions untouched.

use lb_core::log::{Cause, Origin, Phase};
use lb_core::rt::{Relay, RelayEnd, RelayLimits};

use super::exchange::{After, end};
use super::io::{give_scratch, take_scratch, write_all};
use super::txn::Live;
use super::upload::Upload;
use super::{log, reply, upstream};

/// Sends the response's head and relays until both sides are done.
pub(super) async fn run(live: &mut Live<'_>, upload: &Upload) -> After {
    let mut out = take_scratch();
    reply::write_head(live, true, &mut out);
    let response = &live.txn.layer.response;
    out.extend_from_slice(response.buffered_body());
    live.txn.counts.from_server += response.buffered_body().len() as u64;
    let request = &live.txn.layer.request;
    // What the client sent behind its request already belongs to the tunnel.
    let early = [request.buffered_body(), upload.extra()].concat();
    live.txn.counts.from_client += early.len() as u64;
    live.txn.counts.to_server += early.len() as u64;
    let sent = write_all(&mut live.client.stream, &out).await.is_ok();
    live.txn.counts.to_client += out.len() as u64;
    give_scratch(out);
    let Some(mut server) = live.txn.upstream.stream.take() else {
        upstream::detach(live, upstream::Kept::No);
        return After::Close;
    };
    let through = sent && (early.is_empty() || write_all(&mut server, &early).await.is_ok());
    let (mut cause, mut phase) = (Cause::ClientAbort, Phase::Data);
    if through {
        let ended = relay(live, &mut server).await;
        (cause, phase) = match ended {
            RelayEnd::Finished => (Cause::Normal, Phase::Done),
            RelayEnd::ClientTimeout => (Cause::ClientTimeout, Phase::Data),
            RelayEnd::ServerTimeout => (Cause::ServerTimeout, Phase::Data),
            RelayEnd::Client(_) => (Cause::ClientAbort, Phase::Data),
            _ => (Cause::ServerAbort, Phase::Data),
        };
    }
    if cause != Cause::Normal {
        end(live, cause, phase);
    }
    log::account(live);
    live.txn.upstream.stream = Some(server);
    upstream::detach(live, upstream::Kept::Ended);
    log::write(live, Origin::Close);
    After::Close
}

async fn relay(live: &mut Live<'_>, server: &mut lb_core::rt::Stream) -> RelayEnd {
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
