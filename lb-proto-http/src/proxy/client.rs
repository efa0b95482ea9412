//! One client connection between its requests.

use std::net::SocketAddr;
use std::task::Poll;
use std::time::{Duration, Instant};

use lb_core::expr::VarScope;
use lb_core::rt::{Connection, Session, Stream, Timer};

use super::http_of;
use super::io::poll_ready;
use super::runner::Runner;
use crate::spec::HttpProxy;

/// A client connection, without anything that only a request needs.
pub(super) struct Client {
    pub(super) stream: Stream,
    pub(super) session: Session,
    pub(super) timer: Timer,
    /// Requests that were begun.
    pub(super) requests: u32,
    /// When the last exchange ended; the accept at first.
    pub(super) idle_since: Instant,
    /// Variables of the session; made when the first is set.
    pub(super) vars: Option<Box<VarScope>>,
    /// Addresses changed by rules.
    pub(super) source: Option<SocketAddr>,
    pub(super) destination: Option<SocketAddr>,
}

impl Client {
    pub(super) fn new(connection: Connection) -> Self {
        let (stream, session) = connection.split();
        let timer = session.worker.timers().timer();
        let idle_since = session.accepted.instant;
        Self { stream, session, timer, requests: 0, idle_since, vars: None, source: None, destination: None }
    }

    /// What the frontend is configured to do.
    pub(super) fn frontend(&self) -> Option<&HttpProxy> {
        http_of(&*self.session.frontend().spec.protocol)
    }

    /// How long the next request may be waited for.
    fn patience(&self) -> Option<Duration> {
        let timeouts = &self.session.frontend().spec.timeouts;
        if self.requests == 0 { timeouts.effective_http_request() } else { timeouts.effective_keep_alive() }
    }
}

/// Serves a connection to its end.
pub(super) async fn serve(mut client: Box<Client>) {
    loop {
        if client.requests > 0 || !client.stream.is_tls() {
            client.timer.set(client.patience().map(|patience| client.idle_since + patience));
            let ready = std::future::poll_fn(|cx| {
                if poll_ready(&client.stream, cx).is_ready() {
                    return Poll::Ready(true);
                }
                client.timer.poll_expired(cx).map(|()| false)
            })
            .await;
            if !ready && client.requests > 0 {
                // Between two requests nobody is owed an explanation.
                return;
            }
        }
        match Runner::take().run(client).await {
            Some(back) => client = back,
            None => return,
        }
    }
}
