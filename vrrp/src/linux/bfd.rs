//! The sockets and the clock of BFD sessions (RFC 5881 §4).
//!
//! A task of its own runs the sessions and tells the driver what changes. It exists once a session is configured.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd as _;
use std::task::Poll;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

use super::driver::problem;
use super::socket::unspecified;
use super::sys;
use super::timer::Timer;
use crate::bfd::wire::Refusal;
use crate::bfd::{Output, Packet, Sessions, Transmit};
use crate::event::{Log, Severity, Track};
use crate::spec::{Bfd, Name};
use crate::timer::{earliest, reached};

/// Time between two attempts to open sockets that could not be opened.
const RETRY: Duration = Duration::from_secs(1);
/// Packets taken from a socket before the clock is looked at.
const BATCH: usize = 32;
/// Where packets come from (RFC 5881 §4).
const PORTS: std::ops::RangeInclusive<u16> = 49152..=65535;
/// How many of these are tried.
const ATTEMPTS: u32 = 64;
/// News that wait for the driver; while there are as many the sessions wait.
const NEWS_QUEUE: usize = 64;

/// What the sessions tell the driver.
pub(super) enum News {
    /// A session is up, or is not.
    Track(Track),
    /// A line for the log.
    Log(Log),
}

/// The driver's end of the task.
pub(super) struct Runner {
    specs: Option<mpsc::UnboundedSender<Vec<Bfd>>>,
    news: mpsc::Sender<News>,
    were_up: Vec<Name>,
}

impl Runner {
    /// No sessions so far; those named were up in a former run. Returns where their news come out.
    pub(super) fn new(were_up: Vec<Name>) -> (Self, mpsc::Receiver<News>) {
        let (news, received) = mpsc::channel(NEWS_QUEUE);
        (Self { specs: None, news, were_up }, received)
    }

    /// Takes over a specification.
    pub(super) fn configure(&mut self, specs: &[Bfd]) -> io::Result<()> {
        // Of use at the start only: what a later reload adds was not up a moment ago.
        let were_up = std::mem::take(&mut self.were_up);
        if self.specs.is_none() && !specs.is_empty() {
            let (sender, receiver) = mpsc::unbounded_channel();
            let task = Task::new(receiver, self.news.clone(), were_up)?;
            tokio::spawn(task.run());
            self.specs = Some(sender);
        }
        if let Some(sender) = &self.specs {
            // A task that ended before has told why.
            let _ = sender.send(specs.to_vec());
        }
        Ok(())
    }
}

/// A socket packets arrive on.
struct Listener {
    socket: AsyncFd<Socket>,
    multihop: bool,
}

struct Task {
    sessions: Sessions,
    specs: Vec<Bfd>,
    /// By family (IPv6 or not) and port.
    listeners: BTreeMap<(bool, u16), Listener>,
    /// By session.
    senders: BTreeMap<Name, (Bfd, Socket)>,
    timer: Timer,
    random: RandomState,
    retry_at: Option<Instant>,
    /// Problems that were told and not solved, and kinds of packets that were refused.
    told: BTreeSet<String>,
    /// Sessions whose last packet could not be sent.
    send_failed: BTreeSet<Name>,
    refused: BTreeSet<Refusal>,
    were_up: Vec<Name>,
    configured: mpsc::UnboundedReceiver<Vec<Bfd>>,
    news: mpsc::Sender<News>,
}

impl Task {
    fn new(
        configured: mpsc::UnboundedReceiver<Vec<Bfd>>,
        news: mpsc::Sender<News>,
        were_up: Vec<Name>,
    ) -> io::Result<Self> {
        // Seeded by the system, and asked for nothing else.
        let random = RandomState::new();
        Ok(Self {
            sessions: Sessions::new(random.hash_one(0)),
            specs: Vec::new(),
            listeners: BTreeMap::new(),
            senders: BTreeMap::new(),
            timer: Timer::new()?,
            random,
            retry_at: None,
            told: BTreeSet::new(),
            send_failed: BTreeSet::new(),
            refused: BTreeSet::new(),
            were_up,
            configured,
            news,
        })
    }

    /// Runs until the driver is gone, or the system refuses a timer.
    async fn run(mut self) {
        while self.step().await.is_some() {}
    }

    async fn step(&mut self) -> Option<()> {
        self.act().await?;
        let now = Instant::now();
        let deadline = earliest([self.sessions.poll_timeout(), self.retry_at]);
        if let Err(error) = self.timer.arm(now, deadline) {
            return self.end(&error).await;
        }
        tokio::select! {
            biased;
            // What waits in a socket is heard before a neighbour is called lost.
            packets = received(&self.listeners) => {
                let now = Instant::now();
                for packet in packets {
                    if let Err(refusal) = self.sessions.handle_packet(now, &packet) {
                        self.refuse(&packet, refusal).await?;
                    }
                }
                // However many packets wait, what is due is done.
                self.expire(now).await?;
            }
            fired = self.timer.fired() => match fired {
                Ok(()) => self.expire(Instant::now()).await?,
                Err(error) => return self.end(&error).await,
            },
            specs = self.configured.recv() => {
                self.specs = specs?;
                let now = Instant::now();
                self.sessions.configure(now, &self.specs, &std::mem::take(&mut self.were_up));
                self.open(now).await?;
            }
        }
        Some(())
    }

    /// Does what is due.
    async fn expire(&mut self, now: Instant) -> Option<()> {
        self.sessions.handle_timeout(now);
        if reached(self.retry_at, now) {
            self.open(now).await?;
        }
        Some(())
    }

    /// Without a timer there are no sessions.
    async fn end(&self, error: &io::Error) -> Option<()> {
        self.tell(News::Log(problem(format!("BFD sessions end: {error}")))).await?;
        None
    }

    /// Does what the sessions want.
    async fn act(&mut self) -> Option<()> {
        while let Some(output) = self.sessions.poll_output() {
            match output {
                Output::Transmit(transmit) => self.transmit(&transmit).await?,
                Output::State(name, up) => self.tell(News::Track(Track::Bfd(name, up))).await?,
                Output::Log(log) => self.tell(News::Log(log)).await?,
            }
        }
        Some(())
    }

    async fn transmit(&mut self, transmit: &Transmit) -> Option<()> {
        let Some((spec, socket)) = self.senders.get(&transmit.session) else { return Some(()) };
        let to = SocketAddr::new(spec.neighbor, spec.port());
        match socket.send_to(&transmit.payload, &to.into()) {
            Ok(_) => {
                self.send_failed.remove(&transmit.session);
            }
            // A session that cannot send goes down by itself, at the other end and then here.
            Err(error) => {
                if self.send_failed.insert(transmit.session.clone()) {
                    let text = format!("({}) cannot send to {to}: {error}", transmit.session);
                    self.tell(News::Log(problem(text))).await?;
                }
            }
        }
        Some(())
    }

    /// Opens the sockets that are wanted and closes the others.
    async fn open(&mut self, now: Instant) -> Option<()> {
        let mut failed = false;
        let wanted: BTreeSet<_> =
            self.specs.iter().map(|spec| (spec.neighbor.is_ipv6(), spec.port(), spec.multihop)).collect();
        self.listeners.retain(|(ipv6, port), open| wanted.contains(&(*ipv6, *port, open.multihop)));
        for (ipv6, port, multihop) in wanted {
            if self.listeners.contains_key(&(ipv6, port)) {
                continue;
            }
            let what = format!("cannot receive BFD packets on UDP port {port}");
            match listen(ipv6, port).and_then(sys::watch) {
                Ok(socket) => {
                    self.told.remove(&what);
                    self.listeners.insert((ipv6, port), Listener { socket, multihop });
                }
                Err(error) => {
                    failed = true;
                    self.once(what, &error).await?;
                }
            }
        }
        let specs = self.specs.clone();
        self.senders.retain(|_, (open, _)| {
            specs.iter().any(|spec| spec.is_same_session(open) && spec.ttl == open.ttl)
        });
        for spec in specs {
            if self.senders.contains_key(&spec.name) {
                continue;
            }
            let what = format!("({}) cannot open a socket for BFD packets", spec.name);
            match self.connect(&spec) {
                Ok(socket) => {
                    self.told.remove(&what);
                    self.senders.insert(spec.name.clone(), (spec, socket));
                }
                Err(error) => {
                    failed = true;
                    self.once(what, &error).await?;
                }
            }
        }
        self.retry_at = failed.then(|| now + RETRY);
        Some(())
    }

    /// The socket of a session, on a port nobody else uses.
    fn connect(&self, spec: &Bfd) -> io::Result<Socket> {
        let own = spec.source.unwrap_or_else(|| unspecified(spec.neighbor.is_ipv6()));
        let domain = Domain::for_address(SocketAddr::new(own, 0));
        let socket = Socket::new(domain, Type::DGRAM.nonblocking(), None)?;
        match spec.neighbor {
            IpAddr::V4(_) => socket.set_ttl_v4(spec.ttl.into())?,
            IpAddr::V6(_) => socket.set_unicast_hops_v6(spec.ttl.into())?,
        }
        let count = u64::from(PORTS.end() - PORTS.start()) + 1;
        let mut result = Err(io::ErrorKind::AddrInUse.into());
        for attempt in 0..ATTEMPTS {
            let offset = self.random.hash_one((&spec.name, attempt)) % count;
            let port = PORTS.start() + u16::try_from(offset).unwrap_or(0);
            result = socket.bind(&SocketAddr::new(own, port).into());
            if !result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse) {
                break;
            }
        }
        result.map(|()| socket)
    }

    /// Tells a problem unless it was told since it was last solved.
    async fn once(&mut self, what: String, error: &io::Error) -> Option<()> {
        if self.told.contains(&what) {
            return Some(());
        }
        let log = problem(format!("{what}: {error}"));
        self.told.insert(what);
        self.tell(News::Log(log)).await
    }

    /// Tells of the first packet of each kind that is refused.
    async fn refuse(&mut self, packet: &Packet, refusal: Refusal) -> Option<()> {
        if !self.refused.insert(refusal) {
            return Some(());
        }
        let text = format!("Discarding a BFD packet from {}: {}", packet.source, refusal.text());
        self.tell(News::Log(Log { severity: Severity::Warning, detail: false, text })).await
    }

    /// None when the driver is gone.
    async fn tell(&self, news: News) -> Option<()> {
        self.news.send(news).await.ok()
    }
}

fn listen(ipv6: bool, port: u16) -> io::Result<Socket> {
    let any = SocketAddr::new(unspecified(ipv6), port);
    let socket = Socket::new(Domain::for_address(any), Type::DGRAM.nonblocking(), None)?;
    let (level, options) = if ipv6 {
        socket.set_only_v6(true)?;
        (libc::IPPROTO_IPV6, [libc::IPV6_RECVHOPLIMIT, libc::IPV6_RECVPKTINFO])
    } else {
        (libc::IPPROTO_IP, [libc::IP_RECVTTL, libc::IP_PKTINFO])
    };
    for option in options {
        sys::set_int_option(socket.as_fd(), level, option, 1)?;
    }
    socket.bind(&any.into())?;
    Ok(socket)
}

/// Waits for packets. Cancel safe: what was taken from a socket is returned at once.
async fn received(listeners: &BTreeMap<(bool, u16), Listener>) -> Vec<Packet> {
    std::future::poll_fn(|cx| {
        let (mut packets, mut emptied) = (Vec::new(), true);
        for listener in listeners.values() {
            emptied &= (0..BATCH).any(|_| {
                let Poll::Ready(Ok(mut guard)) = listener.socket.poll_read_ready(cx) else { return true };
                // Otherwise: nothing there after all, or an error report about something sent.
                if let Ok(Ok(packet)) = guard.try_io(|socket| receive(socket.get_ref(), listener.multihop)) {
                    packets.push(packet);
                }
                false
            });
        }
        // A socket that was not emptied does not wake anybody.
        if packets.is_empty() && emptied { Poll::Pending } else { Poll::Ready(packets) }
    })
    .await
}

fn receive(socket: &Socket, multihop: bool) -> io::Result<Packet> {
    // A packet without authentication has 24 octets; of one with it so much is enough to refuse it by its name.
    let mut buffer = [0; 256];
    let message = sys::receive(socket.as_fd(), &mut buffer)?;
    let payload = buffer[..message.len].to_vec();
    Ok(Packet {
        source: message.source,
        destination: message.path.destination,
        ttl: message.path.hop_limit,
        multihop,
        payload,
    })
}
