//! Running the balancer: in one process, or as the `proxy` part of a supervised program.

use crate::args::RunArgs;
use crate::boot::in_runtime;
use crate::bridge::{FromPart, Health, Link, Message, ToPart, distribute, unpack};
use crate::load::{self, Haproxy, Rejected};
use crate::registry;
use crate::report::{self, failed};
use crate::world::World;
use lb_core::process::{Channel, Identity, PidFile, SupplementaryGroups, confine, raise_descriptor_limit};
use lb_core::rt::{Event, Server, ServerError, Sockets, processors};
use lb_core::spec::ProcessSpec;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Descriptors beside those of connections: listeners, checks, logs.
const SPARE: u64 = 1024;

/// A server that is set up, and what must live as long.
pub(crate) struct Running {
    server: Server,
    args: RunArgs,
    process: ProcessSpec,
    confined: bool,
}

/// Sets a server up: opens listeners, gives up privileges. Nothing is accepted yet.
pub(crate) fn set_up(
    mut loaded: Haproxy,
    args: &RunArgs,
    world: &World,
    sockets: &mut Sockets,
) -> Result<Running, String> {
    let spec = std::mem::take(&mut loaded.spec);
    let process = spec.process.clone();
    let wanted = process
        .ulimit_n
        .map_or_else(|| process.maxconn.map_or(SPARE, |n| 2 * u64::from(n) + SPARE), u64::from);
    let limit = raise_descriptor_limit(wanted).unwrap_or(0);
    if limit < wanted && process.ulimit_n.is_some() {
        report::alert(&format!("[haproxy.main()] cannot raise FD limit to {wanted}, limit is {limit}."));
    }
    let workers = process.threads.unwrap_or_else(processors);
    let identity = Identity::of(&process).map_err(|e| e.to_string())?;
    let options = registry::options(workers, world, Arc::clone(&loaded.tree));
    let server = Server::new(spec, options, sockets).map_err(|e| explain(&loaded, &e))?;
    let chroot = process.chroot.as_deref().map(Path::new);
    let groups = confine(chroot, identity).map_err(|e| format!("[haproxy.main()] {e}"))?;
    if groups == SupplementaryGroups::Kept {
        report::notice("[haproxy.main()] the supplementary groups cannot be given up here and are kept.");
    }
    let confined = chroot.is_some() || identity != Identity::default();
    Ok(Running { server, args: args.clone(), process, confined })
}

/// The words for an error of the engine, with the place in the file it concerns.
pub(crate) fn explain(loaded: &Haproxy, error: &ServerError) -> String {
    match error {
        ServerError::Listen { origin, proxy, cause } => {
            let place = loaded.place(*origin).map_or_else(String::new, |p| format!("[{p}] "));
            format!("Binding {place}for proxy {proxy}: {cause}")
        }
        ServerError::Build(build) => {
            let texts = build.problems.iter().map(|problem| match loaded.place(problem.origin) {
                Some(place) => format!("config : [{place}] : {}", problem.message),
                None => format!("config : {}", problem.message),
            });
            texts.collect::<Vec<_>>().join("; ")
        }
        ServerError::Protocol { origin, .. } => match loaded.place(*origin) {
            Some(place) => format!("config : [{place}] : {error}"),
            None => error.to_string(),
        },
        other => match other.origin().and_then(|origin| loaded.place(origin)) {
            Some(place) => format!("config : [{place}] : {other}"),
            None => other.to_string(),
        },
    }
}

/// Signals to listen to.
pub(crate) struct Signals(Vec<(i32, Signal)>);

impl Signals {
    /// From now on these numbers are told and have no other effect.
    pub(crate) fn new(numbers: &[i32]) -> std::io::Result<Self> {
        let listen = |&n| Ok((n, signal(SignalKind::from_raw(n))?));
        numbers.iter().map(listen).collect::<std::io::Result<_>>().map(Self)
    }

    /// The next one. Cancel safe.
    pub(crate) async fn next(&mut self) -> i32 {
        let next = |cx: &mut std::task::Context<'_>| {
            let came = self.0.iter_mut().find_map(|(n, s)| s.poll_recv(cx).is_ready().then_some(*n));
            came.map_or(Poll::Pending, Poll::Ready)
        };
        std::future::poll_fn(next).await
    }
}

impl Running {
    /// Serves in the foreground until told to stop; answers the exit status.
    pub(crate) async fn run_alone(self, pidfile: Option<PidFile>) -> u8 {
        let (stop, reload, pause) = (
            [libc::SIGTERM, libc::SIGINT, libc::SIGUSR1],
            [libc::SIGUSR2, libc::SIGHUP],
            [libc::SIGTTOU, libc::SIGTTIN],
        );
        let mut signals = match Signals::new(&[&stop[..], &reload, &pause].concat()) {
            Ok(signals) => signals,
            Err(e) => return failed(&format!("cannot listen to signals: {e}")),
        };
        if let Err(e) = self.server.start() {
            return failed(&e.to_string());
        }
        dismiss(&self.args);
        loop {
            match signals.next().await {
                signal if stop.contains(&signal) => {
                    self.stop(signal == libc::SIGUSR1).await;
                    drop(pidfile);
                    return 0;
                }
                signal if reload.contains(&signal) => self.reload_here().await,
                signal => self.server.pause(signal == libc::SIGTTOU),
            }
        }
    }

    /// Reads the files again on a thread of its own: the one that asks may be serving.
    async fn read_again(&self, world: &World) -> Result<Haproxy, Rejected> {
        let (args, world) = (self.args.clone(), world.clone());
        let read = tokio::task::spawn_blocking(move || load::haproxy(&args, &world)).await;
        read.unwrap_or_else(|broken| Err(Rejected { text: format!("{broken}\n"), status: 1 }))
    }

    async fn reload_here(&self) {
        if self.confined {
            return report::alert(
                "cannot reload: this process was confined (chroot, user) and no longer reads its files; run it with -W",
            );
        }
        let world = World::real();
        match self.read_again(&world).await {
            Ok(loaded) => {
                report::error(&loaded.text);
                match self.reload(loaded, &world, &mut Sockets::new()) {
                    Ok(()) => report::notice("New configuration loaded."),
                    Err(e) => report::alert(&format!("{e}; the old configuration keeps running")),
                }
            }
            Err(rejected) => {
                report::error(&rejected.text);
                report::alert("the new configuration was refused; the old one keeps running");
            }
        }
    }

    fn reload(&self, mut loaded: Haproxy, world: &World, sockets: &mut Sockets) -> Result<(), String> {
        let spec = std::mem::take(&mut loaded.spec);
        let options = registry::options(0, world, Arc::clone(&loaded.tree));
        self.server.reload(spec, options, sockets).map_err(|e| explain(&loaded, &e))
    }

    async fn stop(&self, graceful: bool) {
        self.server.close_listeners();
        if graceful {
            self.server.drained(self.process.hard_stop_after.map(|d| Instant::now() + d)).await;
        }
    }

    /// Serves as a part until the supervisor says stop or is gone.
    async fn run_as_part(self, mut link: Link) -> u8 {
        let mut events = self.server.events();
        if let Err(e) = self.server.start() {
            return failed(&e.to_string());
        }
        // A supervisor that cannot be told anything is gone, which the next receive shows.
        let _ = link.send(&FromPart::Ready);
        loop {
            let message = tokio::select! {
                message = link.receive::<ToPart>() => message,
                event = events.recv() => {
                    let (backend, server, usable) = match event {
                        Ok(Event::Backend { name, usable, .. }) => (name.to_string(), None, usable),
                        Ok(Event::Server { backend, server, up }) => {
                            (backend.to_string(), Some(server.to_string()), up.into())
                        }
                        _ => continue,
                    };
                    let _ = link.send(&FromPart::Health(Health { backend, server, usable }));
                    continue;
                }
            };
            let Ok(Some(Message { value, bytes, descriptors })) = message else {
                self.stop(false).await;
                return 0;
            };
            match value {
                ToPart::Ping(n) => {
                    // The answer comes from a worker, so that it tells whether workers still turn.
                    let alive = self.server.is_responsive(Duration::from_secs(1)).await;
                    if alive {
                        let _ = link.send(&FromPart::Pong(n));
                    }
                }
                ToPart::Stop { graceful } => {
                    self.stop(graceful).await;
                    return 0;
                }
                ToPart::Reload { sockets, files } => {
                    let world = World::remembered(unpack(files, &bytes));
                    let mut sockets = distribute(sockets, descriptors);
                    let result = match self.read_again(&world).await {
                        Ok(loaded) => self.reload(loaded, &world, &mut sockets),
                        Err(rejected) => Err(rejected.text),
                    };
                    let _ = link.send(&FromPart::Reloaded(result));
                }
                ToPart::PeerGone(ip) => self.server.suspect(ip),
                ToPart::Init { .. } | ToPart::ProxyServes(_) | ToPart::Health(_) | ToPart::Dump(_) => {}
            }
        }
    }
}

/// The life of the `proxy` part.
pub(crate) fn part(args: &RunArgs, channel: UnixStream) -> u8 {
    in_runtime(async {
        let mut link = match Link::new(Channel::new(channel)) {
            Ok(link) => link,
            Err(e) => return failed(&format!("cannot reach the supervisor: {e}")),
        };
        let Ok(Some(Message { value: ToPart::Init { sockets, .. }, descriptors, .. })) = link.receive().await
        else {
            return failed("the supervisor did not say how to begin");
        };
        let world = World::real();
        let loaded = match load::haproxy(args, &world) {
            Ok(loaded) => loaded,
            Err(rejected) => {
                report::error(&rejected.text);
                return rejected.status;
            }
        };
        match set_up(loaded, args, &world, &mut distribute(sockets, descriptors)) {
            Ok(running) => running.run_as_part(link).await,
            Err(e) => failed(&e),
        }
    })
}

/// Tells the predecessors that this process has taken over (`-sf`, `-st`).
pub(crate) fn dismiss(args: &RunArgs) {
    for pid in &args.finish {
        tell(*pid, rustix::process::Signal::USR1);
    }
    for pid in &args.terminate {
        tell(*pid, rustix::process::Signal::TERM);
    }
}

fn tell(pid: u32, signal: rustix::process::Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
        // A predecessor that has ended already needs no telling.
        let _ = rustix::process::kill_process(pid, signal);
    }
}
