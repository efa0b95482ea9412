//! `log-forward`: messages of others, from datagrams and connections, to the targets of the proxy's log.

use super::accept::{Acceptor, ListenerRun};
use super::connection::{BoxFuture, Connection, Protocol, Session};
use super::generation::Generation;
use super::{Stream, udp};
use crate::engine::ProxyPlan;
use crate::engine::state::Running;
use crate::log::{Frame, Message, frame};
use crate::spec::{HostRule, LogForward, ProtocolSpec};
use std::future::Future;
use std::io;
use std::io::Write;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;
use tokio::net::UdpSocket;

/// Longest message.
const LONGEST: usize = 16 * 1024;

/// The driver of [`LogForward`], for [`super::Server::new`].
pub fn log_forward(spec: &dyn ProtocolSpec) -> Option<Arc<dyn Protocol>> {
    spec.as_any().is::<LogForward>().then(|| Arc::new(Streams) as _)
}

/// What a proxy does with messages, if it forwards them.
fn rules(proxy: &ProxyPlan) -> Option<LogForward> {
    proxy.spec.protocol.as_any().downcast_ref().copied()
}

#[derive(Debug)]
struct Streams;

impl Protocol for Streams {
    fn serve(self: Arc<Self>, connection: Connection) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let (stream, session) = connection.split();
            if let Some(rules) = rules(session.frontend()) {
                serve(stream, session, rules).await;
            }
        })
    }
}

/// Takes the messages of a connection, until it ends, is silent for too long, or sends what is none.
async fn serve(mut stream: Stream, session: Session, rules: LogForward) {
    let (generation, proxy) = (Arc::clone(session.generation()), session.proxy());
    let limit = session.frontend().spec.timeouts.client;
    let source = session.peer.map(|peer| peer.ip());
    let timer = session.timers().timer();
    let mut received = Vec::new();
    let mut chunk = vec![0; LONGEST];
    loop {
        timer.set(limit.map(|limit| Instant::now() + limit));
        let got = tokio::select! {
            got = stream.read(&mut chunk) => got.unwrap_or(0),
            () = timer.expired() => 0,
        };
        if got == 0 {
            return;
        }
        received.extend_from_slice(&chunk[..got]);
        let mut used = 0;
        loop {
            match frame(&received[used..], LONGEST, rules.lines) {
                Frame::Message(message, length) => {
                    forward(&generation, proxy, rules, source, session.worker().id(), message);
                    used += length;
                }
                Frame::Partial => break,
                Frame::Broken => return,
            }
        }
        received.drain(..used);
    }
}

/// Takes the datagrams of one socket of a listener until that is stopped.
///
/// # Errors
/// When the socket cannot be watched.
pub(super) fn datagrams(acceptor: Acceptor, socket: OwnedFd) -> io::Result<impl Future<Output = ()> + Send> {
    let socket = UdpSocket::from_std(socket.into())?;
    Ok(async move {
        let mut buffer = vec![0; udp::LARGEST];
        let open = |run: &ListenerRun| run.target.load().proxy().state.front.running() == Running::Open;
        udp::attend(&acceptor, &socket, open, |run| receive(&acceptor, run, &socket, &mut buffer)).await;
    })
}

fn receive(acceptor: &Acceptor, run: &ListenerRun, socket: &UdpSocket, buffer: &mut [u8]) {
    let target = run.target.load();
    let Some(rules) = rules(target.proxy()) else { return };
    udp::take_arrived(socket, buffer, |datagram, sender| {
        let (message, worker) = (&datagram[..datagram.len().min(LONGEST)], acceptor.worker.id());
        forward(&target.generation, target.proxy, rules, Some(sender.ip()), worker, message);
    });
}

fn forward(
    generation: &Generation,
    proxy: usize,
    rules: LogForward,
    source: Option<IpAddr>,
    worker: usize,
    bytes: &[u8],
) {
    let logger = generation.logger(proxy);
    generation.plan.proxy(proxy).state.front.counters.of(worker).requests.inc();
    if rules.unread {
        return logger.forward(worker, &Message::unread(bytes));
    }
    let mut message = Message::parse(bytes);
    let mut host = Vec::new();
    if let Some(source) = source {
        let own = !message.hostname.is_empty();
        // Writing to memory cannot fail.
        let _ = match rules.host {
            HostRule::Fill if !own => write!(host, "{source}"),
            HostRule::Append if own => {
                host.extend_from_slice(message.hostname);
                write!(host, ",{source}")
            }
            HostRule::Replace | HostRule::Append => write!(host, "{source}"),
            HostRule::Fill | HostRule::Keep => Ok(()),
        };
    }
    if !host.is_empty() {
        message.hostname = &host;
    }
    logger.forward(worker, &message);
}
