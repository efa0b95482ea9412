//! The ordered start: directory, files, background, sockets, pid file, then one process or a supervisor with its parts.

use crate::args::{PartArgs, RunArgs};
use crate::load::{self, Haproxy};
use crate::report::{self, failed};
use crate::supervisor::{Supervisor, open_sockets};
use crate::sys::apart;
use crate::tools::enter;
use crate::world::World;
use crate::{proxy, router};
use lb_core::process::{self, Detached, Foreground, PidFile, framed};
use lb_core::rt::{self, Sockets};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// `lb run`: answers the exit status.
pub(crate) fn run(mut args: RunArgs) -> u8 {
    for (option, why) in &args.without_effect {
        report::notice(&format!("option `{option}` has no effect: {why}"));
    }
    if let Err(e) = enter(args.directory.as_deref()) {
        return failed(&e);
    }
    let world = World::real(&args);
    let entered = load::settle(&mut args, &world).map_err(|e| failed(&e));
    // What a supervisor reads it forgets, a balancer keeps.
    let read = || load_all(&args, &world);
    let forgets = args.keepalived.is_some() || args.balancer.supervised;
    let loaded = match entered.and_then(|()| if forgets { apart(read) } else { read() }) {
        Ok(loaded) => loaded,
        Err(status) => return status,
    };
    let process = loaded.as_ref().map(|l| l.spec.process.clone()).unwrap_or_default();
    let background = args.daemon.unwrap_or(process.daemon);
    let foreground = match background.then(process::detach).transpose() {
        Ok(Some(Detached::Foreground(status))) => return u8::try_from(status).unwrap_or(1),
        Ok(Some(Detached::Background(foreground))) => Some(foreground),
        Ok(None) => None,
        Err(e) => return failed(&format!("cannot go to the background: {e}")),
    };
    if args.cluster.pid_files && args.pidfile.as_ref().and_then(PidFile::holder).is_some() {
        report::notice("daemon is already running");
        return 0;
    }
    let taken = pidfile(&args, &process).and_then(|pidfile| Ok((pidfile, predecessor(&args)?)));
    let (pidfile, sockets) = match taken {
        Ok(taken) => taken,
        Err(e) => return failed(&e),
    };
    let supervised = args.keepalived.is_some() || args.balancer.supervised || process.master_worker;
    match loaded {
        Some(loaded) if !supervised => framed(|| alone(loaded, &args, &world, sockets, pidfile, foreground)),
        loaded => {
            // The parts read for themselves.
            drop(world);
            framed(|| supervise(loaded, args, sockets, pidfile, foreground))
        }
    }
}

/// Reads both files; everything that is wrong with either is told. None if there is nothing for a balancer to do.
fn load_all(args: &RunArgs, world: &World) -> Result<Option<Haproxy>, u8> {
    match load::haproxy(args, world) {
        Ok(loaded) => {
            if !(args.quiet || loaded.quiet) {
                report::error(&loaded.text);
            }
            let serves = !args.haproxy.is_empty() || !loaded.spec.proxies.is_empty();
            Ok(serves.then_some(loaded))
        }
        Err(rejected) => {
            report::error(&rejected.text);
            Err(args.cluster.start_status(rejected.status))
        }
    }
}

fn pidfile(args: &RunArgs, process: &lb_core::spec::ProcessSpec) -> Result<Option<PidFile>, String> {
    let configured = process.pidfile.as_deref().map(Into::into);
    let Some(path) = args.pidfile.clone().or(configured) else { return Ok(None) };
    PidFile::write(&path).map(Some).map_err(|e| format!("cannot write pid file {}: {e}", path.display()))
}

fn alone(
    loaded: Haproxy,
    args: &RunArgs,
    world: &World,
    mut sockets: Sockets,
    pidfile: Option<PidFile>,
    foreground: Option<Foreground>,
) -> u8 {
    in_runtime(async move {
        let running = match proxy::set_up(loaded, args, world, &mut sockets, None) {
            Ok(running) => running,
            Err(e) => return failed(&e),
        };
        if let Some(Err(e)) = foreground.map(Foreground::release) {
            return failed(&format!("cannot let go of the terminal: {e}"));
        }
        // What the new configuration does not listen on any more is closed.
        drop(sockets);
        running.run_alone(pidfile).await
    })
}

/// The listening sockets of the process that this one follows (`-x`).
fn predecessor(args: &RunArgs) -> Result<Sockets, String> {
    let Some(path) = &args.balancer.takeover else { return Ok(Sockets::new()) };
    let taken = process::handover::take(path).and_then(rt::adopt_all);
    taken.map_err(|e| {
        format!("Failed to get the sockets from the old process through {}: {e}", path.display())
    })
}

fn supervise(
    loaded: Option<Haproxy>,
    args: RunArgs,
    mut sockets: Sockets,
    pidfile: Option<PidFile>,
    foreground: Option<Foreground>,
) -> u8 {
    if let Some(loaded) = &loaded {
        match open_sockets(loaded, &sockets) {
            Ok(opened) => sockets.extend(opened),
            Err(e) => return failed(&e),
        }
        sockets.retain(|address, _| loaded.spec.listens_on(address));
    }
    let supervisor = Supervisor::new(args.clone(), loaded.is_some(), sockets, pidfile);
    drop(loaded);
    in_runtime(supervisor.run(move || {
        proxy::dismiss(&args);
        if let Some(Err(e)) = foreground.map(Foreground::release) {
            report::alert(&format!("cannot let go of the terminal: {e}"));
        }
    }))
}

/// Carries `work` out on a runtime of this thread. It lies on the heap: the stack would hold it once for each call inside.
pub(crate) fn in_runtime(work: impl Future<Output = u8>) -> u8 {
    // Threads for what blocks are rare and not kept: see `ServerOptions::in_place`.
    let idle = Duration::from_millis(10);
    match tokio::runtime::Builder::new_current_thread().enable_all().thread_keep_alive(idle).build() {
        Ok(runtime) => runtime.block_on(Box::pin(work)),
        Err(e) => failed(&format!("cannot start: {e}")),
    }
}

/// `lb part`: the life of one part.
pub(crate) fn part(args: PartArgs) -> u8 {
    let channel = match process::inherited(args.channel) {
        Ok(fd) => UnixStream::from(fd),
        Err(e) => return failed(&format!("`lb part` is for the supervisor only: {e}")),
    };
    process::set_name(&format!("lb-{}", args.part));
    match args.part.as_str() {
        "proxy" => framed(|| proxy::part(&args.run, channel)),
        "vrrp" => framed(|| router::part(&args.run, channel)),
        other => failed(&format!("there is no part `{other}`")),
    }
}

/// `lb reload` and `lb stop`.
pub(crate) fn signal(pidfile: &Path, number: i32) -> u8 {
    let Some(pid) = PidFile::read(pidfile) else {
        return failed(&format!("{} holds no process number", pidfile.display()));
    };
    match process::send_signal(pid, number) {
        Ok(()) => 0,
        Err(e) => failed(&format!("cannot signal process {pid}: {e}")),
    }
}
