//! A running proxy, and what the system knows of it.

use crate::config::Place;
use rustix::thread::{CpuSet, sched_setaffinity};
use std::io::{self, Error};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The processor of the proxy.
const PROXY: usize = 0;
/// The processor of everything else.
const LOAD: usize = 1;
/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long an end may take: a build that counts what it does writes its counts then.
const GRACE: Duration = Duration::from_secs(3);

/// A proxy that accepts connections.
pub(crate) struct Program {
    child: Child,
    /// How long it took to accept.
    pub(crate) start: Duration,
}

/// CPU time so far.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cpu {
    /// Of the program.
    pub(crate) own: Duration,
    /// The part of it in user space, in coarser steps.
    pub(crate) user: Duration,
    /// Of everything on the proxy's processor.
    pub(crate) processor: Duration,
}

impl Program {
    /// Starts a program and waits until it accepts.
    pub(crate) fn start(name: &str, path: &Path, place: &Place, master: bool) -> io::Result<Self> {
        let mut command = Command::new(path);
        if name == "haproxy" {
            command.arg("-db");
            if master {
                command.arg("-W");
            }
        }
        command.arg("-f").arg(place.file()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // A child inherits the processor of its parent.
        pin(PROXY)?;
        let begin = Instant::now();
        let child = command.spawn();
        pin(LOAD)?;
        let mut child = child.map_err(|e| Error::new(e.kind(), format!("{}: {e}", path.display())))?;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, place.front)).is_err() {
            if child.try_wait()?.is_some() || begin.elapsed() > PATIENCE {
                let _ = child.kill();
                return Err(Error::other(format!(
                    "{} does not start with {}",
                    path.display(),
                    place.file().display()
                )));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(Self { child, start: begin.elapsed() })
    }

    /// Makes it load its configuration anew.
    pub(crate) fn reload(&self) -> io::Result<()> {
        use rustix::process::{Pid, Signal, kill_process};
        Ok(kill_process(Pid::from_child(&self.child), Signal::USR2)?)
    }

    /// What it has used.
    pub(crate) fn cpu(&self) -> io::Result<Cpu> {
        let mut own = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // A thread may end between the two steps.
            let text = std::fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            own += number(text.split(' ').next());
        }
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let user = number(stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(11)));
        let all = std::fs::read_to_string("/proc/stat")?;
        let line = all.lines().find(|line| line.starts_with(&format!("cpu{PROXY} "))).unwrap_or_default();
        let words: Vec<u64> = line.split(' ').skip(1).map(|word| number(Some(word))).collect();
        let idle = words.get(3).copied().unwrap_or(0) + words.get(4).copied().unwrap_or(0);
        // The last two are parts of the first two.
        let busy = words.iter().take(8).sum::<u64>() - idle;
        let tick = Duration::from_millis(10);
        let ticks = |count: u64| tick * u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Cpu { own: Duration::from_nanos(own), user: ticks(user), processor: ticks(busy) })
    }

    /// Its memory in bytes, shared pages divided among their users.
    pub(crate) fn memory(&self) -> io::Result<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        Ok(number(line.and_then(|rest| rest.split_whitespace().next())) * 1024)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        use rustix::process::{Pid, Signal, kill_process};
        // A master takes its workers along if it is asked to end. Either may have ended by itself.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let asked = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && asked.elapsed() < GRACE {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn number(word: Option<&str>) -> u64 {
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}

fn pin(processor: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(processor);
    Ok(sched_setaffinity(None, &set)?)
}

/// Allows this process and its children as many files as the system permits.
pub(crate) fn raise_limits() -> io::Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}
