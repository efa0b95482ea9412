//! The ordered start: directory, files, background, sockets, pid file, then one process or a supervisor with its parts.

use crate::args::{PartArgs, RunArgs};
use crate::load::{self, Haproxy};
use crate::report::{self, failed};
use crate::supervisor::Supervisor;
use crate::sys::apart;
use crate::tools::enter;
use crate::world::World;
use crate::{proxy, router};
use lb_core::process::{self, Detached, Foreground, PidFile, framed};
use lb_core::rt::{self, Sockets};
use std::path::Path;

/// `lb run`: answers the exit status.
pub(crate) fn run(mut args: RunArgs) -> Result<u8, String> {
    for (option, why) in args.without_effect.iter().filter(|_| !args.quiet) {
        report::notice(&format!("option `{option}` has no effect: {why}"));
    }
    enter(args.directory.as_deref())?;
    let world = World::real(&args);
    load::settle(&mut args, &world)?;
    // What a supervisor reads it forgets, a balancer keeps.
    let read = || load_all(&args, &world);
    let forgets = args.keepalived.is_some() || args.balancer.supervised;
    let loaded = match if forgets { apart(read) } else { read() } {
        Ok(loaded) => loaded,
        Err(status) => return Ok(status),
    };
    let configured = loaded.as_ref().is_some_and(|l| l.spec.process.daemon);
    let detached = args.daemon.unwrap_or(configured).then(process::detach).transpose();
    let mut foreground = match detached.map_err(|e| format!("cannot go to the background: {e}"))? {
        Some(Detached::Foreground(status)) => return Ok(u8::try_from(status).unwrap_or(1)),
        Some(Detached::Background(foreground)) => Some(foreground),
        None => None,
    };
    // What goes wrong is told before the process in the foreground ends.
    Ok(framed(|| start(loaded, args, world, &mut foreground)).unwrap_or_else(|e| failed(&e)))
}

fn start(
    loaded: Option<Haproxy>,
    args: RunArgs,
    world: World,
    foreground: &mut Option<Foreground>,
) -> Result<u8, String> {
    if args.cluster.pid_files && args.pidfile.as_ref().and_then(PidFile::holder).is_some() {
        report::notice("daemon is already running");
        return Ok(0);
    }
    let process = loaded.as_ref().map(|l| l.spec.process.clone()).unwrap_or_default();
    let pidfile = pidfile(&args, &process)?;
    let sockets = predecessor(&args)?;
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
        Err(rejected) => Err(args.cluster.start_status(rejected.told())),
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
    foreground: &mut Option<Foreground>,
) -> Result<u8, String> {
    let serving = async move {
        let running = proxy::set_up(loaded, args, world, &mut sockets, None)?;
        let released = foreground.take().map(Foreground::release).transpose();
        released.map_err(|e| format!("cannot let go of the terminal: {e}"))?;
        // What the new configuration does not listen on any more is closed.
        drop(sockets);
        running.run_alone(pidfile).await
    };
    rt::block_on(serving).unwrap_or_else(|e| Err(format!("cannot start: {e}")))
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
    foreground: &mut Option<Foreground>,
) -> Result<u8, String> {
    if let Some(loaded) = &loaded {
        // What needs the privileges of the start.
        sockets.extend(rt::open_missing(&loaded.spec, &sockets).map_err(|e| loaded.explain(&e))?);
        sockets.retain(|address, _| loaded.spec.listens_on(address));
    }
    let supervisor = Supervisor::new(args.clone(), loaded.is_some(), sockets, pidfile);
    drop(loaded);
    let supervising = supervisor.run(move || {
        process::dismiss(&args.balancer.finish, &args.balancer.terminate);
        if let Some(Err(e)) = foreground.take().map(Foreground::release) {
            report::alert(&format!("cannot let go of the terminal: {e}"));
        }
    });
    rt::block_on(supervising).unwrap_or_else(|e| Err(format!("cannot start: {e}")))
}

/// Carries `work` out on a runtime of this thread.
pub(crate) fn in_runtime(work: impl Future<Output = u8>) -> u8 {
    rt::block_on(work).unwrap_or_else(|e| failed(&format!("cannot start: {e}")))
}

/// `lb part`: the life of one part.
pub(crate) fn part(args: PartArgs) -> Result<u8, String> {
    let inherited = process::inherited(args.channel);
    let channel = inherited.map_err(|e| format!("`lb part` is for the supervisor only: {e}"))?.into();
    process::set_name(&format!("lb-{}", args.part));
    match args.part.as_str() {
        "proxy" => framed(|| proxy::part(&args.run, channel)),
        "vrrp" => Ok(framed(|| router::part(&args.run, channel))),
        other => Err(format!("there is no part `{other}`")),
    }
}

/// `lb reload` and `lb stop`.
pub(crate) fn signal(pidfile: &Path, number: i32) -> Result<u8, String> {
    let pid =
        PidFile::read(pidfile).ok_or_else(|| format!("{} holds no process number", pidfile.display()))?;
    process::send_signal(pid, number).map_err(|e| format!("cannot signal process {pid}: {e}"))?;
    Ok(0)
}
