//! The supervisor: keeps the listening sockets and the memory of the parts, starts them again when they die, and passes
//! between them what each knows.

use crate::args::RunArgs;
use crate::bridge::{FromPart, ToPart};
use crate::load::{self, Haproxy};
use crate::proxy::explain;
use crate::report;
use crate::sys::give_back_memory;
use crate::world::{World, variable};
use cfg_keepalived::command_line::Only;
use lb_core::process::bundle::pack;
use lb_core::process::{Mark, Notifier, PidFile};
use lb_core::rt::{self, News, Part, Signals, Sockets, collect, news, processors};
use lb_core::spec::Spec;
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
            parts.push(Part::new(PROXY, true, Instant::now()));
        }
        if args.keepalived.is_some() && args.cluster.only != Some(Only::Checkers) {
            parts.push(Part::new(VRRP, true, Instant::now()));
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
            if self.parts.iter().all(Part::is_ready)
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
                        Some(dump) => self.tell(VRRP, &ToPart::Dump(dump)),
                        None => self.reload().await,
                    },
                },
                news = news(&mut self.parts) => match news {
                    News::Message(at, message) => self.heard(at, message.value),
                    News::Ended(at, status) => {
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
        let starts = self.parts.iter().filter_map(Part::due);
        let grace = self.not_serving.filter(|_| !self.told_not_serving).map(|at| at + GRACE);
        starts.chain(grace).chain([Instant::now() + PING]).min().unwrap_or_else(Instant::now)
    }

    fn start_due(&mut self) {
        for at in 0..self.parts.len() {
            if self.parts[at].due().is_some_and(|due| due <= Instant::now())
                && let Err(e) = self.start(at)
            {
                report::alert(&format!("cannot start part {}: {e}", self.parts[at].name()));
            }
        }
    }

    fn start(&mut self, at: usize) -> io::Result<()> {
        let part = &mut self.parts[at];
        let (name, first) = (part.name(), part.is_first());
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
        sent.inspect_err(|_| self.parts[at].give_up(Instant::now()))
    }

    /// A part has ended. Answers an exit status when the whole must end with it: it never worked.
    fn died(&mut self, at: usize, status: &str) -> Option<u8> {
        let part = &mut self.parts[at];
        let (now, name) = (Instant::now(), part.name());
        let ended = part.ended(now);
        if ended.in_vain || self.args.cluster.no_respawn {
            return Some(ended.code.and_then(|c| u8::try_from(c).ok()).filter(|&c| c != 0).unwrap_or(1));
        }
        report::alert(&format!("part {name} ended ({status}); starting it again"));
        if name == PROXY {
            self.not_serving.get_or_insert(now);
        } else {
            self.silent_since = Some(now);
        }
        None
    }

    fn heard(&mut self, at: usize, message: FromPart) {
        match message {
            FromPart::ReloadFile(path) => self.reload_file = path,
            FromPart::Ready => {
                self.parts[at].set_ready();
                if self.parts[at].name() == VRRP { self.brief() } else { self.serves() }
            }
            FromPart::Pong(_) => {
                self.parts[at].answered();
                if self.parts[at].name() == PROXY {
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
                report::notice(&format!("part {}: new configuration loaded.", self.parts[at].name()));
            }
            FromPart::Reloaded(Err(e)) => report::alert(&format!(
                "part {}: {e}; the old configuration keeps running",
                self.parts[at].name()
            )),
        }
    }

    /// The proxy serves (again).
    fn serves(&mut self) {
        self.not_serving = None;
        if std::mem::take(&mut self.told_not_serving) {
            self.tell(VRRP, &ToPart::ProxyServes(true));
        }
    }

    /// Tells a vrrp part that has just started what it missed.
    fn brief(&self) {
        if self.told_not_serving {
            self.tell(VRRP, &ToPart::ProxyServes(false));
        }
        for health in self.health.values() {
            self.tell(VRRP, &ToPart::Health(health.clone()));
        }
    }

    fn tell(&self, name: &str, message: &ToPart) {
        for part in self.parts.iter().filter(|part| part.name() == name) {
            part.tell(message);
        }
    }

    fn tick(&mut self) {
        give_back_memory();
        let now = Instant::now();
        for part in &mut self.parts {
            part.ask(now, &ToPart::Ping(0));
            if part.name() == PROXY && part.hangs(now) && self.not_serving.is_none() {
                report::alert("part proxy does not answer");
                self.not_serving = Some(now);
            }
        }
        if !self.told_not_serving && self.not_serving.is_some_and(|at| now.duration_since(at) >= GRACE) {
            self.told_not_serving = true;
            self.tell(VRRP, &ToPart::ProxyServes(false));
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
        let has_part = self.parts.iter().any(|p| p.name() == PROXY);
        if has_part || !loaded.spec.proxies.is_empty() {
            for address in self.sockets.keys() {
                fresh.insert(address.clone(), Vec::new());
            }
            open_sockets(&loaded, &mut fresh)?;
            fresh.retain(|_, sockets| !sockets.is_empty());
            wanted = Some(loaded.spec);
        }
        let (files, bytes) = pack(&world.files().seen());
        for part in &self.parts {
            let Some(link) = part.link() else { continue };
            let (sockets, fds) = if part.name() == PROXY { collect(&fresh) } else { Default::default() };
            let message = ToPart::Reload { sockets, files: files.clone() };
            link.send_with(&message, &bytes, &fds).map_err(|e| format!("part {}: {e}", part.name()))?;
        }
        self.sockets.extend(fresh);
        if wanted.is_some() && !has_part {
            // The first virtual servers of a file that had none.
            self.parts.push(Part::new(PROXY, false, Instant::now()));
        }
        if let Some(spec) = wanted {
            self.sockets.retain(|address, _| spec.listens_on(address));
        }
        Ok(())
    }

    /// Stops the parts: first the address is handed over, then the proxy ends.
    async fn stop(mut self, graceful: bool, code: u8) -> u8 {
        self.notify("STOPPING=1\n");
        self.tell(VRRP, &ToPart::Stop { graceful });
        self.wait(VRRP, Some(HAND_OVER)).await;
        self.tell(PROXY, &ToPart::Stop { graceful });
        // A graceful stop lasts as long as the sessions, or as the configuration allows.
        self.wait(PROXY, (!graceful).then_some(HAND_OVER)).await;
        // As HAProxy's master: a signal shows in the status. Keepalived's status is always 0.
        if self.args.haproxy.is_empty() || self.args.keepalived.is_some() { 0 } else { code }
    }

    async fn wait(&mut self, name: &str, limit: Option<Duration>) {
        if let Some(part) = self.parts.iter_mut().find(|part| part.name() == name) {
            part.wait(limit).await;
        }
    }

    async fn kill_all(&mut self) {
        for part in &mut self.parts {
            part.kill().await;
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
