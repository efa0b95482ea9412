//! `mode tcp`: one session from the choice of a backend to the log line.

use super::connection::{BoxFuture, Connection, Protocol, Session};
use super::dial::{Dial, DialError, Dialed, Tell, Told, Trace};
use super::facts::SessionFacts;
use super::first_answer::{self, Answer};
use super::inspect::{self, Inbox};
use super::passage::{HANDOVER, Handover, Passage};
use super::rules::Verdict;
use super::{Relay, RelayEnd, RelayLimits, Stream, Timer, tcp_log, tcp_server};
use crate::engine::ProxyPlan;
use crate::expr::{Arena, Env};
use crate::log::{Cause, Origin, Phase};
use crate::proxyproto;
use crate::spec::{Mode, ProtocolSpec, ServerSpec, TcpProxy};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

/// The driver of [`TcpProxy`], for [`super::Server::new`].
pub fn tcp(spec: &dyn ProtocolSpec) -> Option<Arc<dyn Protocol>> {
    // What a proxy is configured to do is found through the plan of each connection.
    spec.as_any().is::<TcpProxy>().then(|| Arc::new(Tcp) as _)
}

#[derive(Debug)]
struct Tcp;

impl Protocol for Tcp {
    fn serve(self: Arc<Self>, connection: Connection) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let (stream, session) = connection.split();
            if let Some((protocol, connection)) = serve(stream, session).await {
                protocol.serve(connection).await;
            }
        })
    }
}

/// What is known at the end of a session.
pub(super) struct End<'a> {
    pub(super) backend: Option<&'a ProxyPlan>,
    pub(super) trace: Trace,
    pub(super) local: Option<SocketAddr>,
    pub(super) cause: Cause,
    pub(super) phase: Phase,
    pub(super) bytes: (u64, u64),
    pub(super) server_connections: u64,
    pub(super) backend_addr: Option<SocketAddr>,
    pub(super) server_addr: Option<SocketAddr>,
    /// The connection to the server, if lines tell of it.
    pub(super) upstream: Option<Stream>,
    /// Why the server could not be reached.
    pub(super) unreachable: Option<std::io::ErrorKind>,
    /// Number of the stream.
    pub(super) number: u32,
    /// A line was written.
    pub(super) written: bool,
    /// Time spent on content rules.
    pub(super) inspected: Duration,
    /// How the client's connection is to end.
    pub(super) leave: Leave,
}

impl End<'_> {
    /// Of a stream that begins.
    pub(super) fn new(local: Option<SocketAddr>, number: u32) -> Self {
        Self {
            backend: None,
            trace: Trace::default(),
            local,
            cause: Cause::ServerAbort,
            phase: Phase::Connect,
            bytes: (0, 0),
            server_connections: 0,
            backend_addr: None,
            server_addr: None,
            upstream: None,
            unreachable: None,
            number,
            written: false,
            inspected: Duration::ZERO,
            leave: Leave::Usual,
        }
    }
}

/// How the client's connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// As the circumstances ask for.
    Usual,
    /// With a close, after a rule refused it.
    Close,
    /// Without telling the client.
    Silent(Option<u8>),
}

/// What content rules came to.
enum Inspected {
    /// The session goes on.
    GoOn,
    /// It goes on with another protocol.
    Switch,
    /// It ends.
    End,
}

/// One session in progress.
struct Tcping<'a> {
    client: &'a mut Stream,
    session: &'a mut Session,
    timer: &'a Timer,
    inbox: Inbox,
    /// Only there if some rule may need it.
    passage: Option<Box<Passage>>,
}

/// Where a session goes once the frontend's rules have run.
enum Entered {
    /// To this backend.
    Backend(usize),
    /// On with another protocol, to this backend if that is what it takes the other protocol for.
    Upgrade(Option<usize>),
    /// Nowhere.
    End,
}

/// Serves a session; what is returned goes on with another protocol.
async fn serve(mut client: Stream, mut session: Session) -> Option<(Arc<dyn Protocol>, Connection)> {
    let local = session.local(&client);
    let plan = Arc::clone(&session.generation().plan);
    let timer = session.timers().timer();
    let tune = &plan.process().tune;
    let mut end = End::new(local, session.next_number());
    let upgrade = session.generation().upgrade(session.proxy()).cloned();
    let room = if upgrade.is_some() { tune.bufsize.min(HANDOVER) } else { tune.bufsize };
    let mut live = Tcping {
        client: &mut client,
        session: &mut session,
        timer: &timer,
        inbox: Inbox::new(room, tune.maxrewrite),
        passage: None,
    };
    tcp_log::write(live.session, (live.client, None), None, &mut end, Origin::Accept);
    let entered = live.enter(&plan, &mut end).await;
    if let (Entered::Upgrade(backend), Some(protocol)) = (&entered, upgrade) {
        let handover = Some(live.hand_over(*backend, end.number));
        return Some((protocol, Connection { stream: client, session, handover }));
    }
    if let Entered::Backend(index) = entered {
        let backend = plan.proxy(index);
        end.backend = Some(backend);
        live.session.bound_for(index, None);
        // The line counts the session among those of the frontend only, as HAProxy's does.
        let _visit = backend.pool.visit(Instant::now());
        if !live.is_left(&mut end) {
            through(&mut live, backend, &mut end).await;
        }
    }
    if end.leave == Leave::Usual && matches!(end.phase, Phase::Connect | Phase::Queue) {
        // Closing on bytes nobody has read would reset the connection instead of ending it.
        live.inbox.receive_now(live.client).await;
        end.bytes.0 = live.inbox.peek().bytes.len() as u64;
    }
    let passage = live.passage.take();
    finish(client, &mut session, passage, &mut end);
    None
}

/// Lets the client go, counts the session and writes its line.
fn finish(client: Stream, session: &mut Session, mut passage: Option<Box<Passage>>, end: &mut End<'_>) {
    match end.leave {
        Leave::Usual | Leave::Close => {}
        Leave::Silent(ttl) => client.silence_on_close(ttl),
    }
    tcp_log::account(session, passage.as_deref_mut(), end);
    let upstream = end.upstream.take();
    tcp_log::write(session, (&client, upstream.as_ref()), passage.as_deref(), end, Origin::Close);
}

impl Tcping<'_> {
    /// Runs the frontend's rules and finds the backend that its routes lead to.
    async fn enter(&mut self, plan: &crate::engine::Plan, end: &mut End<'_>) -> Entered {
        let front = Arc::clone(self.session.frontend());
        if !front.spec.tcp_rules.request.is_empty() {
            match self.inspect(&front, end).await {
                Inspected::GoOn => {}
                Inspected::Switch => return Entered::Upgrade(None),
                Inspected::End => return Entered::End,
            }
        }
        let found = if front.spec.routes.is_empty() { None } else { self.route(&front, plan).await };
        let upgrades = self.session.generation().upgrade(front.index).is_some();
        match found.or(front.default_backend) {
            Some(index) if upgrades && plan.proxy(index).spec.mode == Mode::Http => {
                Entered::Upgrade(Some(index))
            }
            Some(index) => Entered::Backend(index),
            None => Entered::End,
        }
    }

    /// The backend that the frontend's routes lead to.
    async fn route(&mut self, front: &ProxyPlan, plan: &crate::engine::Plan) -> Option<usize> {
        if self.inbox.is_empty() {
            self.inbox.receive_now(self.client).await;
        }
        let (found, glimpsed) = {
            let facts = self.facts(None);
            let arena = Arena::new();
            let env = Env::new(&facts, facts.vars(), &arena);
            (front.route(plan, &env), facts.is_glimpsed())
        };
        if glimpsed {
            self.passage.get_or_insert_default().glimpsed = true;
        }
        found
    }

    /// Parts with what another protocol needs to go on.
    fn hand_over(mut self, backend: Option<usize>, number: u32) -> Box<Handover> {
        let received = self.inbox.take().map_or_else(Vec::new, |buffer| buffer.filled().to_vec());
        let mut passage = self.passage.map_or_else(Passage::default, |passage| *passage);
        passage.number = number;
        Box::new(Handover { received, passage, backend })
    }

    /// Runs the content rules of a proxy.
    async fn inspect(&mut self, owner: &ProxyPlan, end: &mut End<'_>) -> Inspected {
        let start = Instant::now();
        let passage = self.passage.get_or_insert_default();
        passage.number = end.number;
        if let Some(front) = self.session.frontend().spec.protocol.as_any().downcast_ref::<TcpProxy>() {
            passage.captures.resize_with(front.captures, Default::default);
        }
        let verdict = Box::pin(inspect::request(
            self.client,
            self.session,
            passage,
            &mut self.inbox,
            self.timer,
            owner,
        ))
        .await;
        end.inspected += start.elapsed();
        end.local = passage.destination.or(end.local);
        end.leave = match verdict {
            Verdict::Reject | Verdict::Close => Leave::Close,
            Verdict::SilentDrop(ttl) => Leave::Silent(ttl),
            Verdict::Accept | Verdict::Wait | Verdict::Pause(..) | Verdict::Resolve(_) => {
                return Inspected::GoOn;
            }
            Verdict::Switch => return Inspected::Switch,
        };
        (end.cause, end.phase) = (Cause::Proxy, Phase::Request);
        end.bytes.0 = self.inbox.peek().bytes.len() as u64;
        let dropped = matches!(end.leave, Leave::Silent(_)) && owner.index != self.session.proxy();
        self.session.deny_request(dropped.then_some(owner));
        Inspected::End
    }

    /// Whether the client broke the connection while rules waited for its bytes: no server needs to know then.
    fn is_left(&self, end: &mut End<'_>) -> bool {
        if self.inbox.is_broken() {
            (end.cause, end.phase) = (Cause::ClientAbort, Phase::Request);
            end.bytes.0 = self.inbox.peek().bytes.len() as u64;
        }
        self.inbox.is_broken()
    }

    /// What a connection to a server tells of the client's.
    fn tell(&self, backend: &ProxyPlan, server: &ServerSpec) -> Told {
        let marks = self.passage.as_ref().map(|passage| passage.marks).unwrap_or_default();
        let mut told = Told { marks, ..Told::default() };
        if server.send_proxy.is_none() && server.sni.is_none() {
            return told;
        }
        let facts = self.facts(Some(backend));
        let arena = Arena::new();
        let env = Env::new(&facts, facts.vars(), &arena);
        let name = server.sni.as_ref().and_then(|program| program.eval_str(&env));
        told.sni =
            name.filter(|name| !name.is_empty()).map(|name| String::from_utf8_lossy(name).into_owned());
        if let Some(version) = server.send_proxy {
            told.fields = proxyproto::fields::collect(&server.proxy_fields, version, &env);
        }
        told
    }

    /// What is known.
    fn facts<'a>(&'a self, backend: Option<&'a ProxyPlan>) -> SessionFacts<'a> {
        let mut facts = SessionFacts::new(self.session, Some(self.client));
        facts.request = Some(self.inbox.peek());
        facts.backend = backend.map(|b| crate::expr::ProxyRef { name: b.spec.name.as_str(), id: b.spec.id });
        facts.passage = self.passage.as_deref();
        facts
    }
}

async fn through(live: &mut Tcping<'_>, backend: &ProxyPlan, end: &mut End<'_>) {
    let rules = &backend.spec.tcp_rules;
    let inspects = backend.index != live.session.proxy() && !rules.request.is_empty();
    if inspects && (matches!(live.inspect(backend, end).await, Inspected::End) || live.is_left(end)) {
        return;
    }
    if first_answer::matters(backend) {
        live.passage.get_or_insert_default();
    }
    if tcp_server::looks_at_bytes(backend) && live.inbox.is_empty() {
        live.inbox.receive_now(live.client).await;
    }
    let choice = {
        let mut pending = live.passage.as_mut().map(|p| std::mem::take(&mut p.pending)).unwrap_or_default();
        let facts = live.facts(Some(backend));
        let arena = Arena::new();
        let env = Env::new(&facts, facts.vars(), &arena);
        let choice = tcp_server::Choice::new(backend, &env, live.passage.as_deref(), &mut pending);
        if let Some(passage) = &mut live.passage {
            passage.pending = pending;
        }
        choice
    };
    let dialed = {
        let live = &*live;
        let tell = |server: &ServerSpec| live.tell(backend, server);
        let dial = Dial {
            generation: live.session.generation(),
            backend,
            client: choice.source,
            destination: choice.destination,
            worker: live.session.worker().id(),
            timer: live.timer,
            tell: Tell(&tell),
        };
        dial.run(&choice.request()).await
    };
    match dialed {
        Ok(dialed) => relay(live, backend, end, dialed).await,
        Err((error, trace)) => {
            end.unreachable = match &error {
                DialError::Connect(error) => Some(error.kind()),
                DialError::ConnectTimeout => Some(std::io::ErrorKind::TimedOut),
                _ => None,
            };
            end.server_addr = end.unreachable.and(trace.server.as_ref()).and_then(|server| {
                let id = backend.pool.by_name(server.spec.name.as_str());
                super::server_endpoint(backend, server, id, live.session.announced()).inet()
            });
            end.trace = trace;
            (end.cause, end.phase) = match error {
                DialError::QueueTimeout => (Cause::ServerTimeout, Phase::Queue),
                DialError::QueueFull => (Cause::ServerAbort, Phase::Queue),
                DialError::ConnectTimeout => (Cause::ServerTimeout, Phase::Connect),
                DialError::NoServer | DialError::Connect(_) => (Cause::ServerAbort, Phase::Connect),
            };
        }
    }
}

/// How the end of a relay is told.
fn outcome(ended: RelayEnd) -> (Cause, Phase) {
    match ended {
        RelayEnd::Finished => (Cause::Normal, Phase::Done),
        RelayEnd::ClientTimeout => (Cause::ClientTimeout, Phase::Data),
        RelayEnd::ServerTimeout => (Cause::ServerTimeout, Phase::Data),
        RelayEnd::Client(_) => (Cause::ClientAbort, Phase::Data),
        RelayEnd::Server(_) => (Cause::ServerAbort, Phase::Data),
    }
}

/// Tells of the connection to the server; true if the line at the end will, too.
fn connected(live: &Tcping<'_>, end: &mut End<'_>, upstream: &Stream) -> bool {
    let told = live.session.generation().logger(live.session.proxy()).reads_server();
    if told {
        (end.backend_addr, end.server_addr) = (upstream.local_addr(), upstream.peer_addr());
    }
    let streams = (&*live.client, Some(upstream));
    tcp_log::write(live.session, streams, live.passage.as_deref(), end, Origin::Connect);
    told
}

/// A relay that begins with what was received.
fn begin(live: &mut Tcping<'_>, backend: &ProxyPlan) -> Relay {
    let limits = RelayLimits::new(
        &live.session.frontend().spec.timeouts,
        &backend.spec.timeouts,
        live.session.generation().plan.process().tune.bufsize,
    );
    let mut relay = Relay::new(limits);
    if let Some(bytes) = live.inbox.take() {
        relay.preload(bytes);
    }
    let waits = first_answer::matters(backend);
    limit(live.passage.as_deref_mut(), &mut relay, live.session, !waits);
    relay
}

/// Puts the limits that rules have set into force. What the server says first is received without one while rules wait for it;
/// the limits of its direction count from when it is to pass.
fn limit(passage: Option<&mut Passage>, relay: &mut Relay, session: &Session, answered: bool) {
    let Some(limits) = passage.and_then(|passage| passage.limits.as_deref_mut()) else { return };
    let mut due = std::mem::take(limits);
    if !answered {
        std::mem::swap(&mut due.response, &mut limits.response);
    }
    relay.limit(due, session.timers());
}

/// Moves the bytes of a session whose server is connected.
async fn relay(live: &mut Tcping<'_>, backend: &ProxyPlan, end: &mut End<'_>, dialed: Dialed) {
    let Dialed { lease, server, stream: mut upstream, trace } = dialed;
    end.trace = trace;
    live.session.bound_for(backend.index, Some(server.index));
    end.server_connections = lease.server().served().cur;
    let told = connected(live, end, &upstream);
    let mut relay = begin(live, backend);
    let ending = live.session.ending(backend, &server);
    let finished = {
        let mut moved = std::pin::pin!(async {
            let answer = match &mut live.passage {
                Some(passage) if first_answer::matters(backend) => {
                    let streams = (&mut *live.client, &mut upstream);
                    let scene = (&mut *live.session, &mut **passage);
                    let place = (backend, &*server);
                    let answer =
                        Box::pin(first_answer::wait(streams, scene, &mut relay, live.timer, place)).await;
                    limit(Some(passage), &mut relay, live.session, true);
                    answer
                }
                _ => Answer::GoOn,
            };
            match answer {
                Answer::GoOn => Ok(relay.run(live.client, &mut upstream, live.timer).await),
                Answer::Ended(end) => Ok(end),
                Answer::Refused => Err((Cause::Proxy, Phase::Data)),
                Answer::Closed => {
                    upstream.reset_on_close();
                    Err((Cause::Normal, Phase::Done))
                }
            }
        });
        std::future::poll_fn(|cx| match moved.as_mut().poll(cx) {
            Poll::Pending if ending.is_due() => Poll::Ready(None),
            other => other.map(Some),
        })
        .await
    };
    end.bytes = relay.bytes();
    (end.cause, end.phase) = match finished {
        None => (ending.cause(), Phase::Data),
        Some(Err(how)) => {
            end.leave = Leave::Close;
            how
        }
        Some(Ok(ended)) => outcome(ended),
    };
    let cell = Arc::clone(lease.server());
    drop(lease);
    end.upstream = told.then_some(upstream);
    end.server_connections = cell.served().cur;
}
