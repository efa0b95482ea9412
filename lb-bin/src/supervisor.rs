//! The supervisor: keeps the listening sockets and the memory of the parts, starts them again when they die, and passes
//! between them what each knows.

use crate::args::RunArgs;
use crate::bridge::{FromPart, Link, Message, ToPart};
use crate::load::{self, Haproxy};
use crate::proxy::explain;
use crate::report;
use crate::sys::give_back_memory;
use crate::world::{World, variable};
use cfg_keepalived::command_line::Only;
use lb_core::process::bundle::pack;
use lb_core::process::{Channel, Mark, Notifier, PidFile, keep_over_exec};
use lb_core::rt::{self, Signals, Sockets, processors};
use lb_core::spec::Spec;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};
use tokio::process::Child;
use vrrp::linux::control::Dump;

/// How long a dead proxy may take to serve again before the address is handed over.
const GRACE: Duration = Duration::from_millis(700);
/// How long a proxy may owe an answer before it counts as hanging.
const HANGING: Duration = Duration::from_secs(3);
/// How often parts are asked whether they live.
const PING: Duration = Duration::from_millis(500);
/// A part that dies sooner than this after its start is started again only after a pause.
const SHORT_LIFE: Duration = Duration::from_secs(1);
/// The longest pause between two starts of a part.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long the address may take to be handed over at a stop.
const HAND_OVER: Duration = Duration::from_secs(5);

/// Which part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Proxy,
    Vrrp,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Vrrp => "vrrp",
        }
    }
}

/// A part and what is known of it.
struct Part {
    kind: Kind,
    life: Option<(Child, Link)>,
    started: Instant,
    ready: bool,
    /// When to start it again.
    due: Option<Instant>,
    pause: Duration,
    /// When the oldest unanswered question was asked.
    asked: Option<Instant>,
    first: bool,
}

impl Part {
    /// A part to be started now; one that fails its first start ends the program.
    fn new(kind: Kind, first: bool) -> Self {
        Self {
            kind,
            life: None,
            started: Instant::now(),
            ready: false,
            due: Some(Instant::now()),
            pause: Duration::ZERO,
            asked: None,
            first,
        }
    }
}

/// The supervisor's state.
pub(crate) struct Supervisor {
    args: RunArgs,
    parts: Vec<Part>,
    sockets: Sockets,
    memory: Option<vrrp::Memory>,
    /// Made while files are read again (`reload_file`).
    reload_file: Option<String>,
    /// When the vrrp part ended.
    silent_since: Option<Instant>,
    health: HashMap<(String, Option<String>), lb_core::health::Health>,
    /// Since when the proxy does not serve.
    not_serving: Option<Instant>,
    told_not_serving: bool,
    notifier: Option<Notifier>,
    _pidfile: Option<PidFile>,
}

/// Prepares what needs the privileges of the start: the listening sockets of the balancer.
pub(crate) fn open_sockets(loaded: &Haproxy, sockets: &mut Sockets) -> Result<(), String> {
    let workers = loaded.spec.process.threads.unwrap_or_else(processors);
    rt::open_all(&loaded.spec, workers, sockets).map_err(|e| explain(loaded, &e))
}

impl Supervisor {
    /// A supervisor of the parts that `args` name.
    pub(crate) fn new(args: RunArgs, balancer: bool, sockets: Sockets, pidfile: Option<PidFile>) -> Self {
        let mut parts = Vec::new();
        if balancer {
            parts.push(Part::new(Kind::Proxy, true));
        }
        if args.keepalived.is_some() && args.cluster.only != Some(Only::Checkers) {
            parts.push(Part::new(Kind::Vrrp, true));
        }
        let notifier = args.notify.then(|| variable("NOTIFY_SOCKET")).flatten();
        Self {
            parts,
            sockets,
            memory: None,
            reload_file: None,
            silent_since: None,
            health: HashMap::new(),
            not_serving: None,
            told_not_serving: false,
            notifier: notifier.and_then(|address| Notifier::new(&address).ok()),
            _pidfile: pidfile,
            args,
        }
    }

    /// Runs until told to stop; answers the exit status. `ready` is called once all parts work.
    pub(crate) async fn run(mut self, ready: impl FnOnce()) -> u8 {
        let mut all = vec![libc::SIGTERM, libc::SIGINT, libc::SIGHUP];
        all.extend(Dump::signals().map(|(signal, _)| signal));
        let Ok(mut signals) = Signals::new(&all) else {
            report::alert("cannot listen to signals");
            return 1;
        };
        // A signal means what it means to the program whose configuration this is.
        let balancer = !self.args.haproxy.is_empty();
        let mut ready = Some(ready);
        loop {
            self.start_due();
            if self.parts.iter().all(|p| p.ready)
                && let Some(ready) = ready.take()
            {
                ready();
                self.notify("READY=1\n");
            }
            let tick = tokio::time::sleep_until(self.next_tick().into());
            tokio::select! {
                signal = signals.next() => match signal {
                    libc::SIGTERM => return self.stop(false, 143).await,
                    libc::SIGINT => return self.stop(false, 130).await,
                    libc::SIGUSR1 if balancer => return self.stop(true, 0).await,
                    libc::SIGUSR2 if balancer => self.reload().await,
                    signal => match Dump::asked_by(signal) {
                        Some(dump) => self.tell(Kind::Vrrp, &ToPart::Dump(dump)),
                        None => self.reload().await,
                    },
                },
                news = news(&mut self.parts) => match news {
                    News::Message(at, message) => self.heard(at, message.value),
                    News::Died(at, status) => {
                        if let Some(code) = self.died(at, &status) {
                            self.kill_all().await;
                            return code;
                        }
                    }
                },
                () = tick => self.tick(),
            }
        }
    }

    fn next_tick(&self) -> Instant {
        let starts = self.parts.iter().filter_map(|p| p.due);
        let grace = self.not_serving.filter(|_| !self.told_not_serving).map(|at| at + GRACE);
        starts.chain(grace).chain([Instant::now() + PING]).min().unwrap_or_else(Instant::now)
    }

    fn start_due(&mut self) {
        for at in 0..self.parts.len() {
            if self.parts[at].due.is_some_and(|due| due <= Instant::now())
                && let Err(e) = self.start(at)
            {
                report::alert(&format!("cannot start part {}: {e}", self.parts[at].kind.word()));
                self.parts[at].due = Some(Instant::now() + LONGEST_PAUSE);
            }
        }
    }

    fn start(&mut self, at: usize) -> io::Result<()> {
        let kind = self.parts[at].kind;
        let (ours, theirs) = Channel::pair()?;
        keep_over_exec(theirs.as_fd())?;
        let mut command = std::process::Command::new("/proc/self/exe");
        command.arg0(format!("lb-{}", kind.word())).arg("part").arg(kind.word());
        command.arg(theirs.as_fd().as_raw_fd().to_string()).args(self.args.words());
        if kind == Kind::Vrrp {
            // It reads its file and is quiet from then on: the allocator gives back at once what is freed.
            command.env("MIMALLOC_PURGE_DELAY", "0");
        }
        let child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
        drop(theirs);
        let link = Link::new(ours)?;
        let mut list = Vec::new();
        let mut fds: Vec<BorrowedFd<'_>> = Vec::new();
        if kind == Kind::Proxy {
            for (address, sockets) in &self.sockets {
                list.push((address.clone(), sockets.len()));
                fds.extend(sockets.iter().map(AsFd::as_fd));
            }
        }
        let age = self.silent_since.map_or(Duration::ZERO, |since| since.elapsed());
        let memory = self.memory.clone().filter(|_| kind == Kind::Vrrp).map(|memory| (memory, age));
        let part = &mut self.parts[at];
        link.send_with(&ToPart::Init { sockets: list, memory, first: part.first }, &[], &fds)?;
        part.life = Some((child, link));
        part.started = Instant::now();
        part.due = None;
        part.ready = false;
        part.asked = None;
        Ok(())
    }

    /// A part has ended. Answers an exit status when the whole must end with it: it never worked.
    fn died(&mut self, at: usize, status: &str) -> Option<u8> {
        let part = &mut self.parts[at];
        let kind = part.kind;
        let code = part
            .life
            .take()
            .and_then(|(mut child, _)| child.try_wait().ok().flatten())
            .and_then(|s| s.code());
        if part.first && !part.ready || self.args.cluster.no_respawn {
            return Some(code.and_then(|c| u8::try_from(c).ok()).filter(|&c| c != 0).unwrap_or(1));
        }
        report::alert(&format!("part {} ended ({status}); starting it again", kind.word()));
        part.first = false;
        part.ready = false;
        // A part that lived is started at once; one that keeps dying must not eat the machine.
        part.pause = if part.started.elapsed() < SHORT_LIFE {
            (part.pause * 2).clamp(Duration::from_millis(50), LONGEST_PAUSE)
        } else {
            Duration::ZERO
        };
        part.due = Some(Instant::now() + part.pause);
        match kind {
            Kind::Proxy => self.not_serving = self.not_serving.or_else(|| Some(Instant::now())),
            Kind::Vrrp => self.silent_since = Some(Instant::now()),
        }
        None
    }

    fn heard(&mut self, at: usize, message: FromPart) {
        match message {
            FromPart::ReloadFile(path) => self.reload_file = path,
            FromPart::Ready => {
                self.parts[at].ready = true;
                match self.parts[at].kind {
                    Kind::Proxy => {
                        self.not_serving = None;
                        if std::mem::take(&mut self.told_not_serving) {
                            self.tell(Kind::Vrrp, &ToPart::ProxyServes(true));
                        }
                    }
                    Kind::Vrrp => self.brief(),
                }
            }
            FromPart::Pong(_) => self.parts[at].asked = None,
            FromPart::Memory(memory) => self.memory = Some(memory),
            FromPart::PeerGone(ip) => self.tell(Kind::Proxy, &ToPart::PeerGone(ip)),
            FromPart::Ask(question) => self.tell(Kind::Vrrp, &ToPart::Ask(question)),
            FromPart::Told(question, text) => self.tell(Kind::Proxy, &ToPart::Told(question, text)),
            FromPart::Health(health) => {
                self.tell(Kind::Vrrp, &ToPart::Health(health.clone()));
                let server = health.server.as_ref().map(|server| server.name.clone());
                self.health.insert((health.backend.clone(), server), health);
            }
            FromPart::Reloaded(Ok(())) => {
                report::notice(&format!("part {}: new configuration loaded.", self.parts[at].kind.word()));
            }
            FromPart::Reloaded(Err(e)) => report::alert(&format!(
                "part {}: {e}; the old configuration keeps running",
                self.parts[at].kind.word()
            )),
        }
    }

    /// Tells a vrrp part that has just started what it missed.
    fn brief(&self) {
        if self.told_not_serving {
            self.tell(Kind::Vrrp, &ToPart::ProxyServes(false));
        }
        for health in self.health.values() {
            self.tell(Kind::Vrrp, &ToPart::Health(health.clone()));
        }
    }

    fn tell(&self, kind: Kind, message: &ToPart) {
        for part in self.parts.iter().filter(|p| p.kind == kind) {
            if let Some((_, link)) = &part.life {
                // A part that cannot be told has ended or hangs; both show elsewhere.
                let _ = link.send(message);
            }
        }
    }

    fn tick(&mut self) {
        give_back_memory();
        let now = Instant::now();
        for part in &mut self.parts {
            let Some((_, link)) = &part.life else { continue };
            if !part.ready {
                continue;
            }
            if part.asked.is_none() && link.send(&ToPart::Ping(0)).is_ok() {
                part.asked = Some(now);
            }
            let hangs = part.asked.is_some_and(|at| now.duration_since(at) > HANGING);
            if part.kind == Kind::Proxy && hangs && self.not_serving.is_none() {
                report::alert("part proxy does not answer");
                self.not_serving = Some(now);
            } else if part.kind == Kind::Proxy && !hangs && part.asked.is_none() {
                self.not_serving = None;
            }
        }
        let serving = self.not_serving.is_none();
        if serving && self.told_not_serving {
            self.told_not_serving = false;
            self.tell(Kind::Vrrp, &ToPart::ProxyServes(true));
        }
        if !self.told_not_serving && self.not_serving.is_some_and(|at| now.duration_since(at) >= GRACE) {
            self.told_not_serving = true;
            self.tell(Kind::Vrrp, &ToPart::ProxyServes(false));
        }
    }

    /// Reads the files again and hands them to the parts; what is wrong with them is told and changes nothing.
    async fn reload(&mut self) {
        self.notify("RELOADING=1\n");
        let _reading = self.reload_file.as_deref().and_then(|path| Mark::new(path).ok());
        if let Err(text) = self.reload_parts() {
            report::alert(&format!("{text}; the old configuration keeps running"));
        }
        self.notify("READY=1\n");
    }

    fn reload_parts(&mut self) -> Result<(), String> {
        let world = World::real(&self.args);
        let mut fresh = Sockets::new();
        let mut wanted: Option<Spec> = None;
        let loaded = load::haproxy(&self.args, &world).map_err(|r| refused(&r.text))?;
        report::error(&loaded.text);
        let has_part = self.parts.iter().any(|p| p.kind == Kind::Proxy);
        if has_part || !loaded.spec.proxies.is_empty() {
            for address in self.sockets.keys() {
                fresh.insert(address.clone(), Vec::new());
            }
            open_sockets(&loaded, &mut fresh)?;
            fresh.retain(|_, sockets| !sockets.is_empty());
            wanted = Some(loaded.spec);
        }
        let (files, bytes) = pack(&world.seen());
        for part in &self.parts {
            let Some((_, link)) = &part.life else { continue };
            let mut list = Vec::new();
            let mut fds: Vec<BorrowedFd<'_>> = Vec::new();
            if part.kind == Kind::Proxy {
                for (address, sockets) in &fresh {
                    list.push((address.clone(), sockets.len()));
                    fds.extend(sockets.iter().map(AsFd::as_fd));
                }
            }
            let message = ToPart::Reload { sockets: list, files: files.clone() };
            link.send_with(&message, &bytes, &fds).map_err(|e| format!("part {}: {e}", part.kind.word()))?;
        }
        self.sockets.extend(fresh);
        if wanted.is_some() && !has_part {
            // The first virtual servers of a file that had none.
            self.parts.push(Part::new(Kind::Proxy, false));
        }
        if let Some(spec) = wanted {
            self.sockets.retain(|address, _| spec.listens_on(address));
        }
        Ok(())
    }

    /// Stops the parts: first the address is handed over, then the proxy ends.
    async fn stop(mut self, graceful: bool, code: u8) -> u8 {
        self.notify("STOPPING=1\n");
        self.tell(Kind::Vrrp, &ToPart::Stop { graceful });
        self.wait(Kind::Vrrp, Some(HAND_OVER)).await;
        self.tell(Kind::Proxy, &ToPart::Stop { graceful });
        // A graceful stop lasts as long as the sessions, or as the configuration allows.
        self.wait(Kind::Proxy, (!graceful).then_some(HAND_OVER)).await;
        // As HAProxy's master: a signal shows in the status. Keepalived's status is always 0.
        if self.args.haproxy.is_empty() || self.args.keepalived.is_some() { 0 } else { code }
    }

    async fn wait(&mut self, kind: Kind, limit: Option<Duration>) {
        let Some(part) = self.parts.iter_mut().find(|p| p.kind == kind) else { return };
        let Some((child, _)) = &mut part.life else { return };
        match limit {
            Some(limit) => {
                if tokio::time::timeout(limit, child.wait()).await.is_err() {
                    let _ = child.kill().await;
                }
            }
            None => drop(child.wait().await),
        }
    }

    async fn kill_all(&mut self) {
        for part in &mut self.parts {
            if let Some((child, _)) = &mut part.life {
                let _ = child.kill().await;
            }
        }
    }

    fn notify(&self, state: &str) {
        if let Some(notifier) = &self.notifier {
            // A service manager that went away cannot be told.
            let _ = notifier.send(state);
        }
    }
}

fn refused(text: &str) -> String {
    report::error(text);
    "the new configuration was refused".to_owned()
}

/// What happened to a part.
enum News {
    Message(usize, Message<FromPart>),
    Died(usize, String),
}

/// The next message or end of any part. Cancel safe.
async fn news(parts: &mut [Part]) -> News {
    let waits = parts.iter_mut().enumerate().filter_map(|(at, part)| {
        let (child, link) = part.life.as_mut()?;
        Some(Box::pin(async move {
            tokio::select! {
                biased;
                message = link.receive::<FromPart>() => match message {
                    Ok(Some(message)) => News::Message(at, message),
                    // The channel closes when the part ends, sometimes a moment before its status is there.
                    _ => News::Died(at, describe(child.wait().await)),
                },
                status = child.wait() => News::Died(at, describe(status)),
            }
        }))
    });
    let mut waits: Vec<_> = waits.collect();
    if waits.is_empty() {
        return std::future::pending().await;
    }
    std::future::poll_fn(|cx| {
        for wait in &mut waits {
            if let std::task::Poll::Ready(news) = wait.as_mut().poll(cx) {
                return std::task::Poll::Ready(news);
            }
        }
        std::task::Poll::Pending
    })
    .await
}

fn describe(status: io::Result<std::process::ExitStatus>) -> String {
    status.map_or_else(|e| e.to_string(), |status| status.to_string())
}
