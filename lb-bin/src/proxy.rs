//! Running the balancer: in one process, or as the `proxy` part of a supervised program.

use crate::args::RunArgs;
use crate::bridge::{FromPart, ToPart};
use crate::load::{self, Haproxy, Rejected};
use crate::registry;
use crate::report;
use crate::world::World;
use lb_core::companion::Companion;
use lb_core::process::bundle::unpack;
use lb_core::process::{
    self, Channel, Identity, PidFile, SupplementaryGroups, confine, raise_descriptor_limit,
};
use lb_core::rt::{Event, Link, Message, Questions, Remote, Server, Signals, Sockets, block_on, distribute};
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// What is asked about the virtual routers by whoever asks the proxy: see [`vrrp::linux::control`].
const QUESTIONS: Questions = Questions {
    command: ["show", "vrrp"],
    options: &["stats", "metrics"],
    usage: (
        "show vrrp [stats|metrics]",
        "the virtual routers, and what is wrong between this node and others",
    ),
    table: "table",
    metrics: "metrics",
    sessions: "sessions",
};

/// A server that is set up, and what must live as long.
pub(crate) struct Running {
    server: Server,
    args: RunArgs,
    confined: bool,
    beside: Option<Arc<Remote>>,
}

/// Sets a server up: opens listeners, gives up privileges. Nothing is accepted yet.
pub(crate) fn set_up(
    mut loaded: Haproxy,
    args: &RunArgs,
    world: &World,
    sockets: &mut Sockets,
    beside: Option<Arc<Remote>>,
) -> Result<Running, String> {
    let spec = std::mem::take(&mut loaded.spec);
    let process = spec.process.clone();
    let wanted = process.descriptors();
    let limit = raise_descriptor_limit(wanted).unwrap_or(0);
    if limit < wanted && process.ulimit_n.is_some() {
        report::alert(&format!("[haproxy.main()] cannot raise FD limit to {wanted}, limit is {limit}."));
    }
    let identity = Identity::of(&process).map_err(|e| e.to_string())?;
    let mut options = registry::options(world, Arc::clone(&loaded.tree));
    options.companion = beside.clone().map(|beside| beside as Arc<dyn Companion>);
    let server = Server::new(spec, options, sockets).map_err(|e| loaded.explain(&e))?;
    let chroot = process.chroot.as_deref().map(Path::new);
    let groups = confine(chroot, identity).map_err(|e| format!("[haproxy.main()] {e}"))?;
    if groups == SupplementaryGroups::Kept {
        report::notice("[haproxy.main()] the supplementary groups cannot be given up here and are kept.");
    }
    let confined = chroot.is_some() || identity != Identity::default();
    Ok(Running { server, args: args.clone(), confined, beside })
}

impl Running {
    /// Serves in the foreground until told to stop; answers the exit status.
    pub(crate) async fn run_alone(self, pidfile: Option<PidFile>) -> Result<u8, String> {
        use libc::{SIGHUP, SIGINT, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2};
        let signals = Signals::new(&[SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP, SIGTTOU, SIGTTIN]);
        let mut signals = signals.map_err(|e| format!("cannot listen to signals: {e}"))?;
        self.server.start().map_err(|e| e.to_string())?;
        process::dismiss(&self.args.balancer.finish, &self.args.balancer.terminate);
        loop {
            match signals.next().await {
                signal @ (SIGTERM | SIGINT | SIGUSR1) => {
                    self.server.stop(signal == SIGUSR1).await;
                    drop(pidfile);
                    return Ok(0);
                }
                SIGUSR2 | SIGHUP => self.reload_here().await,
                signal => self.server.pause(signal == SIGTTOU),
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
        let world = World::real(&self.args);
        match self.read_again(&world).await {
            Ok(loaded) => {
                report::error(&loaded.text);
                match self.reload(loaded, &world, &mut Sockets::new()) {
                    Ok(()) => report::notice("New configuration loaded."),
                    Err(e) => report::alert(&format!("{e}; the old configuration keeps running")),
                }
            }
            Err(rejected) => {
                rejected.told();
                report::alert("the new configuration was refused; the old one keeps running");
            }
        }
    }

    fn reload(&self, mut loaded: Haproxy, world: &World, sockets: &mut Sockets) -> Result<(), String> {
        let spec = std::mem::take(&mut loaded.spec);
        let options = registry::options(world, Arc::clone(&loaded.tree));
        self.server.reload(spec, options, sockets).map_err(|e| loaded.explain(&e))
    }

    /// Serves as a part until the supervisor says stop or is gone.
    async fn run_as_part(self, mut link: Link, mut questions: UnboundedReceiver<&str>) -> Result<u8, String> {
        let mut events = self.server.events();
        self.server.start().map_err(|e| e.to_string())?;
        // A supervisor that cannot be told anything is gone, which the next receive shows.
        let _ = link.send(&FromPart::Ready);
        loop {
            tokio::select! {
                message = link.receive::<ToPart>() => match message {
                    Ok(Some(message)) => if self.told(&link, message).await.is_break() { return Ok(0); },
                    // What lives and breaks off a message, or sends another one than ours, starts another part.
                    gone => {
                        self.server.stop(false).await;
                        return gone.map(|_| 0).map_err(|e| format!("no message of the supervisor: {e}"));
                    }
                },
                Some(question) = questions.recv() => drop(link.send(&FromPart::Ask(question.to_owned()))),
                event = events.recv() => if let Ok(Event::Health(health)) = event {
                    drop(link.send(&FromPart::Health(health)));
                },
            }
        }
    }

    /// Carries out what the supervisor says; breaks when that was to stop.
    async fn told(&self, link: &Link, message: Message<ToPart>) -> ControlFlow<()> {
        match message.value {
            ToPart::Ping(n) => {
                // The answer comes from a worker, so that it tells whether workers still turn.
                if self.server.is_responsive(Duration::from_secs(1)).await {
                    let _ = link.send(&FromPart::Pong(n));
                }
            }
            ToPart::Stop { graceful } => {
                self.server.stop(graceful).await;
                return ControlFlow::Break(());
            }
            ToPart::Reload { sockets, files, names } => {
                let files = unpack(files, &message.bytes);
                let world = World::remembered(files, &self.args).knowing(names);
                let mut sockets = distribute(sockets, message.descriptors);
                let result = match self.read_again(&world).await {
                    Ok(loaded) => self.reload(loaded, &world, &mut sockets),
                    Err(rejected) => Err(rejected.text),
                };
                let _ = link.send(&FromPart::Reloaded(result));
            }
            ToPart::PeerGone(ip) => self.server.suspect(ip),
            ToPart::Told(question, text) => {
                if let Some(beside) = &self.beside {
                    beside.told(&question, text);
                }
            }
            ToPart::Init { .. }
            | ToPart::ProxyServes(_)
            | ToPart::Health(_)
            | ToPart::Dump(_)
            | ToPart::Ask(_) => {}
        }
        ControlFlow::Continue(())
    }
}

/// The life of the `proxy` part.
pub(crate) fn part(args: &RunArgs, channel: UnixStream) -> Result<u8, String> {
    let life = async {
        let link = Link::new(Channel::new(channel));
        let mut link = link.map_err(|e| format!("cannot reach the supervisor: {e}"))?;
        let Ok(Some(Message { value: ToPart::Init { sockets, .. }, descriptors, .. })) = link.receive().await
        else {
            return Err("the supervisor did not say how to begin".to_owned());
        };
        let world = World::real(args);
        let loaded = match load::haproxy(args, &world) {
            Ok(loaded) => loaded,
            Err(rejected) => return Ok(rejected.told()),
        };
        let (ask, questions) = unbounded_channel();
        // The receiver lives as long as the process.
        let remote = Remote::new(QUESTIONS, move |question| {
            let _ = ask.send(question);
        });
        let beside = args.keepalived.is_some().then(|| Arc::new(remote));
        let running = set_up(loaded, args, &world, &mut distribute(sockets, descriptors), beside)?;
        running.run_as_part(link, questions).await
    };
    block_on(life).unwrap_or_else(|e| Err(format!("cannot start: {e}")))
}
