//! The supervisor: keeps the listening sockets and the memory of the parts, starts them again when they die, and passes
//! between them what each knows.

use crate::args::RunArgs;
use crate::bridge::{FromPart, ToPart};
use crate::load;
use crate::report;
use crate::sys::give_back_memory;
use crate::world::{World, variable};
use cfg_keepalived::command_line::Only;
use lb_core::process::bundle::pack;
use lb_core::process::{Mark, Notifier, PidFile};
use lb_core::rt::{News, Outage, Part, Parts, Signals, Sockets, collect, open_missing};
use std::collections::HashMap;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};
use vrrp::linux::control::Dump;

/// How long a dead proxy may take to serve again before the address is handed over.
const GRACE: Duration = Duration::from_millis(700);
/// How often parts are asked whether they live.
const PING: Duration = Duration::from_millis(500);
/// How long the address may take to be handed over at a stop.
const HAND_OVER: Duration = Duration::from_secs(5);

/// The part that balances.
const PROXY: &str = "proxy";
/// The part that keeps the addresses.
const VRRP: &str = "vrrp";

/// The supervisor's state.
pub(crate) struct Supervisor {
    args: RunArgs,
    parts: Parts,
    sockets: Sockets,
    memory: Option<vrrp::Memory>,
    /// Made while files are read again (`reload_file`).
    reload_file: Option<String>,
    /// When the vrrp part ended.
    silent_since: Option<Instant>,
    health: HashMap<(String, Option<String>), lb_core::health::Health>,
    /// Of the proxy, as the vrrp part is told.
    outage: Outage,
    notifier: Notifier,
    _pidfile: Option<PidFile>,
}

impl Supervisor {
    /// A supervisor of the parts that `args` name.
    pub(crate) fn new(args: RunArgs, balancer: bool, sockets: Sockets, pidfile: Option<PidFile>) -> Self {
        let mut parts = Parts::default();
        if balancer {
            parts.add(Part::new(PROXY, true, Instant::now()));
        }
        if args.keepalived.is_some() && args.cluster.only != Some(Only::Checkers) {
            parts.add(Part::new(VRRP, true, Instant::now()));
        }
        let notifier = args.notify.then(|| variable("NOTIFY_SOCKET")).flatten();
        Self {
            parts,
            sockets,
            memory: None,
            reload_file: None,
            silent_since: None,
            health: HashMap::new(),
            outage: Outage::new(GRACE),
            notifier: notifier.and_then(|address| Notifier::new(&address).ok()).unwrap_or_default(),
            _pidfile: pidfile,
            args,
        }
    }

    /// Runs until told to stop; answers the exit status. `ready` is called once all parts work.
    pub(crate) async fn run(mut self, ready: impl FnOnce()) -> Result<u8, String> {
        let mut all = vec![libc::SIGTERM, libc::SIGINT, libc::SIGHUP];
        all.extend(Dump::signals().map(|(signal, _)| signal));
        let mut signals = Signals::new(&all).map_err(|_| "cannot listen to signals".to_owned())?;
        // A signal means what it means to the program whose configuration this is.
        let balancer = !self.args.haproxy.is_empty();
        let mut ready = Some(ready);
        loop {
            self.start_due();
            if self.parts.are_ready()
                && let Some(ready) = ready.take()
            {
                ready();
                self.notifier.tell("READY=1\n");
            }
            let tick = tokio::time::sleep_until(self.next_tick().into());
            tokio::select! {
                signal = signals.next() => match signal {
                    libc::SIGTERM => return Ok(self.stop(false, 143).await),
                    libc::SIGINT => return Ok(self.stop(false, 130).await),
                    libc::SIGUSR1 if balancer => return Ok(self.stop(true, 0).await),
                    libc::SIGUSR2 if balancer => self.reload().await,
                    signal => match Dump::asked_by(signal) {
                        Some(dump) => self.tell(VRRP, &ToPart::Dump(dump)),
                        None => self.reload().await,
                    },
                },
                news = self.parts.news() => match news {
                    News::Message(name, message) => self.heard(name, message.value),
                    News::Ended(name, status) => {
                        if let Some(code) = self.died(name, &status) {
                            self.parts.kill().await;
                            return Ok(code);
                        }
                    }
                },
                () = tick => self.tick(),
            }
        }
    }

    fn next_tick(&self) -> Instant {
        let start = self.parts.due().map(|(_, due)| due);
        start.into_iter().chain(self.outage.deadline()).fold(Instant::now() + PING, Instant::min)
    }

    fn start_due(&mut self) {
        let now = Instant::now();
        while let Some((name, _)) = self.parts.due().filter(|(_, due)| *due <= now) {
            if let Err(e) = self.start(name) {
                report::alert(&format!("cannot start part {name}: {e}"));
            }
        }
    }

    fn start(&mut self, name: &'static str) -> io::Result<()> {
        let Some(part) = self.parts.named(name) else { return Ok(()) };
        let first = part.is_first();
        let link = part.start(Instant::now(), |channel| {
            let mut command = Command::new("/proc/self/exe");
            command.arg0(format!("lb-{name}")).arg("part").arg(name);
            command.arg(channel.as_raw_fd().to_string()).args(self.args.words());
            if name == VRRP {
                // It reads its file and is quiet from then on: the allocator gives back at once what is freed.
                command.env("MIMALLOC_PURGE_DELAY", "0");
            }
            command
        })?;
        let (sockets, fds) = if name == PROXY { collect(&self.sockets) } else { Default::default() };
        let age = self.silent_since.map_or(Duration::ZERO, |since| since.elapsed());
        let memory = self.memory.clone().filter(|_| name == VRRP).map(|memory| (memory, age));
        let sent = link.send_with(&ToPart::Init { sockets, memory, first }, &[], &fds);
        sent.inspect_err(|_| part.give_up(Instant::now()))
    }

    /// A part has ended. Answers an exit status when the whole must end with it: it never worked.
    fn died(&mut self, name: &str, status: &str) -> Option<u8> {
        let now = Instant::now();
        let ended = self.parts.named(name)?.ended(now);
        if ended.in_vain || self.args.cluster.no_respawn {
            return Some(ended.code.and_then(|c| u8::try_from(c).ok()).filter(|&c| c != 0).unwrap_or(1));
        }
        report::alert(&format!("part {name} ended ({status}); starting it again"));
        if name == PROXY {
            self.outage.begin(now);
        } else {
            self.silent_since = Some(now);
        }
        None
    }

    fn heard(&mut self, name: &str, message: FromPart) {
        let Some(part) = self.parts.named(name) else { return };
        match message {
            FromPart::ReloadFile(path) => self.reload_file = path,
            FromPart::Ready => {
                part.set_ready();
                if name == VRRP { self.brief() } else { self.serves() }
            }
            FromPart::Pong(_) => {
                part.answered();
                if name == PROXY {
                    self.serves();
                }
            }
            FromPart::Memory(memory) => self.memory = Some(memory),
            FromPart::PeerGone(ip) => self.tell(PROXY, &ToPart::PeerGone(ip)),
            FromPart::Ask(question) => self.tell(VRRP, &ToPart::Ask(question)),
            FromPart::Told(question, text) => self.tell(PROXY, &ToPart::Told(question, text)),
            FromPart::Health(health) => {
                self.tell(VRRP, &ToPart::Health(health.clone()));
                let server = health.server.as_ref().map(|server| server.name.clone());
                self.health.insert((health.backend.clone(), server), health);
            }
            FromPart::Reloaded(Ok(())) => {
                report::notice(&format!("part {name}: new configuration loaded."));
            }
            FromPart::Reloaded(Err(e)) => {
                report::alert(&format!("part {name}: {e}; the old configuration keeps running"));
            }
        }
    }

    /// The proxy serves (again).
    fn serves(&mut self) {
        if self.outage.end() {
            self.tell(VRRP, &ToPart::ProxyServes(true));
        }
    }

    /// Tells a vrrp part that has just started what it missed.
    fn brief(&self) {
        if self.outage.is_told() {
            self.tell(VRRP, &ToPart::ProxyServes(false));
        }
        for health in self.health.values() {
            self.tell(VRRP, &ToPart::Health(health.clone()));
        }
    }

    fn tell(&self, name: &str, message: &ToPart) {
        self.parts.tell(name, message);
    }

    fn tick(&mut self) {
        give_back_memory();
        let now = Instant::now();
        self.parts.ask(now, &ToPart::Ping(0));
        if self.parts.named(PROXY).is_some_and(|proxy| proxy.hangs(now)) && self.outage.begin(now) {
            report::alert("part proxy does not answer");
        }
        if self.outage.is_due(now) {
            self.tell(VRRP, &ToPart::ProxyServes(false));
        }
    }

    /// Reads the files again and hands them to the parts; what is wrong with them is told and changes nothing.
    async fn reload(&mut self) {
        self.notifier.tell("RELOADING=1\n");
        let _reading = self.reload_file.as_deref().and_then(|path| Mark::new(path).ok());
        if let Err(text) = self.reload_parts() {
            report::alert(&format!("{text}; the old configuration keeps running"));
        }
        self.notifier.tell("READY=1\n");
    }

    fn reload_parts(&mut self) -> Result<(), String> {
        let world = World::real(&self.args);
        let loaded = load::haproxy(&self.args, &world).map_err(|rejected| {
            rejected.told();
            "the new configuration was refused".to_owned()
        })?;
        report::error(&loaded.text);
        let wanted = self.parts.has(PROXY) || !loaded.spec.proxies.is_empty();
        let opened = wanted.then(|| open_missing(&loaded.spec, &self.sockets)).transpose();
        let fresh = opened.map_err(|e| loaded.explain(&e))?.unwrap_or_default();
        let (files, bytes) = pack(&world.files.seen());
        for part in self.parts.iter() {
            let Some(link) = part.link() else { continue };
            let (sockets, fds) = if part.name() == PROXY { collect(&fresh) } else { Default::default() };
            let message = ToPart::Reload { sockets, files: files.clone(), names: world.names.known() };
            link.send_with(&message, &bytes, &fds).map_err(|e| format!("part {}: {e}", part.name()))?;
        }
        self.sockets.extend(fresh);
        if wanted && !self.parts.has(PROXY) {
            // The first virtual servers of a file that had none.
            self.parts.add(Part::new(PROXY, false, Instant::now()));
        }
        if wanted {
            self.sockets.retain(|address, _| loaded.spec.listens_on(address));
        }
        Ok(())
    }

    /// Stops the parts: first the address is handed over, then the proxy ends.
    async fn stop(mut self, graceful: bool, code: u8) -> u8 {
        self.notifier.tell("STOPPING=1\n");
        self.tell(VRRP, &ToPart::Stop { graceful });
        self.parts.wait(VRRP, Some(HAND_OVER)).await;
        self.tell(PROXY, &ToPart::Stop { graceful });
        // A graceful stop lasts as long as the sessions, or as the configuration allows.
        self.parts.wait(PROXY, (!graceful).then_some(HAND_OVER)).await;
        // As HAProxy's master: a signal shows in the status. Keepalived's status is always 0.
        if self.args.haproxy.is_empty() || self.args.keepalived.is_some() { 0 } else { code }
    }
}
