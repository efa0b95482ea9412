//! Starts a program of the configuration and waits for it.
//!
//! Starting a program blocks until the kernel has loaded it, which on a dead file server is for ever. So each run
//! has a thread of its own, which ends with it; that thread is also the parent whose death the kernel reports to the
//! program.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command as Process, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal};

use super::credentials::{self, Credentials};
use crate::event::ScriptResult;
use crate::spec::Command;

/// A program that was started, or is about to be.
#[derive(Debug, Clone, Default)]
pub(super) struct Running {
    /// Process id and group; zero before the start and after the end.
    leader: Arc<AtomicU32>,
}

impl Running {
    /// Signals the process group, if there is one.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        let leader = i32::try_from(self.leader.load(Ordering::Acquire)).unwrap_or(0);
        // Group one would be everybody.
        let Some(leader) = Pid::from_raw(leader).filter(|leader| !leader.is_init()) else { return Ok(()) };
        match rustix::process::kill_process_group(leader, signal) {
            // It ended this moment.
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// What to run: arguments appended to the configured ones, and as whom.
pub(super) struct Start {
    pub(super) command: Arc<Command>,
    pub(super) extra: Vec<String>,
    pub(super) credentials: Option<Credentials>,
}

/// Starts a program. `done` is called from another thread with the way it ended.
pub(super) fn start(start: Start, done: impl FnOnce(ScriptResult) + Send + 'static) -> Running {
    let running = Running::default();
    let leader = Arc::clone(&running.leader);
    let done = Arc::new(std::sync::Mutex::new(Some(done)));
    let finish = {
        let done = Arc::clone(&done);
        move |result| {
            let done = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
            if let Some(done) = done {
                done(result);
            }
        }
    };
    let finish_here = finish.clone();
    let spawned = std::thread::Builder::new()
        .name("vrrp-script".to_owned())
        .spawn(move || finish(run(&start, &leader)));
    if let Err(error) = spawned {
        finish_here(not_started(&error));
    }
    running
}

fn run(start: &Start, leader: &AtomicU32) -> ScriptResult {
    let Some(program) = start.command.argv.first() else { return ScriptResult::NotStarted(libc::ENOENT) };
    if start.command.only_readable {
        return match std::fs::File::open(program) {
            Ok(_) => ScriptResult::Exited(0),
            Err(_) => ScriptResult::Exited(1),
        };
    }
    let mut process = Process::new(program);
    process.args(&start.command.argv[1..]).args(&start.extra);
    process.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // What could make a program run as somebody else do what its caller likes.
    for name in ["IFS", "LD_PRELOAD", "LD_LIBRARY_PATH"] {
        process.env_remove(name);
    }
    credentials::prepare(&mut process, start.credentials.as_ref());
    let mut child = match process.spawn() {
        Ok(child) => child,
        Err(error) => return not_started(&error),
    };
    leader.store(child.id(), Ordering::Release);
    let status = child.wait();
    leader.store(0, Ordering::Release);
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => ScriptResult::Exited(code),
            (None, signal) => ScriptResult::Signalled(signal.unwrap_or(0)),
        },
        Err(error) => not_started(&error),
    }
}

fn not_started(error: &io::Error) -> ScriptResult {
    ScriptResult::NotStarted(error.raw_os_error().unwrap_or(libc::EIO))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn result_of(command: Command) -> ScriptResult {
        let (done, wait) = mpsc::channel();
        let command = Arc::new(command);
        start(Start { command, extra: Vec::new(), credentials: None }, move |result| {
            done.send(result).unwrap()
        });
        wait.recv().unwrap()
    }

    #[test]
    fn exit_codes_and_signals_are_told_apart() {
        assert_eq!(result_of(Command::new(["/bin/sh", "-c", "exit 3"])), ScriptResult::Exited(3));
        assert_eq!(result_of(Command::new(["/bin/sh", "-c", "kill -9 $$"])), ScriptResult::Signalled(9));
        assert_eq!(result_of(Command::new(["true"])), ScriptResult::Exited(0));
    }

    #[test]
    fn a_program_that_cannot_be_started_is_no_success() {
        assert_eq!(result_of(Command::new(["/no/such/program"])), ScriptResult::NotStarted(libc::ENOENT));
        assert_eq!(result_of(Command::new(["/"])), ScriptResult::NotStarted(libc::EACCES));
        assert_eq!(result_of(Command::new(Vec::<String>::new())), ScriptResult::NotStarted(libc::ENOENT));
    }

    #[test]
    fn a_file_can_be_tested_for_being_readable() {
        let mut command = Command::new(["/dev/null"]);
        command.only_readable = true;
        assert_eq!(result_of(command.clone()), ScriptResult::Exited(0));
        command.argv = vec!["/no/such/file".to_owned()];
        assert_eq!(result_of(command), ScriptResult::Exited(1));
    }

    #[test]
    fn a_running_group_can_be_signalled() {
        let (done, wait) = mpsc::channel();
        let command = Arc::new(Command::new(["/bin/sh", "-c", "sleep 1000 & wait"]));
        let running = start(Start { command, extra: Vec::new(), credentials: None }, move |result| {
            done.send(result).unwrap()
        });
        while running.leader.load(Ordering::Acquire) == 0 {
            std::thread::yield_now();
        }
        running.signal(Signal::TERM).unwrap();
        assert_eq!(wait.recv().unwrap(), ScriptResult::Signalled(libc::SIGTERM));
        running.signal(Signal::TERM).unwrap();
    }
}
