//! Runs notification scripts, one after the other for each instance or group, and feeds the named pipes.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::io::Errno;
use rustix::process::Signal;
use tokio::sync::mpsc;

use super::credentials::{self, Credentials};
use super::program::{self, Running, Start};
use crate::event::{Notify, ScriptResult, Subject};
use crate::spec::{Command, Fifo, FifoContent, Global, Name, ScriptSecurity, Spec};

/// How long the next script of an instance waits for the one before it. Scripts that stay for ever, because they
/// *are* the service, must not silence those that come later.
const PATIENCE: Duration = Duration::from_secs(30);
/// More notifications of one instance than this are not remembered; the oldest waiting one is dropped.
const QUEUE_LIMIT: usize = 64;

/// An instance, a group or something else, as scripts see it.
type Key = (u8, Name);
/// The first half of the key of what is neither an instance nor a group.
const OTHERS: u8 = 2;

/// The end of a notification script.
pub(super) struct Ended {
    key: Key,
    line: String,
    run: u64,
    result: ScriptResult,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Start>,
    current: Option<Current>,
}

struct Current {
    run: u64,
    since: Instant,
    overtaken: bool,
}

/// Everything that tells the outside about state changes.
pub(super) struct Notifier {
    queues: BTreeMap<Key, Queue>,
    pipes: Vec<Pipe>,
    security: ScriptSecurity,
    runs: u64,
    ended: mpsc::UnboundedSender<Ended>,
}

impl Notifier {
    /// Nothing to tell yet. The ends of scripts go to `ended` and have to be handed to [`Notifier::ended`].
    pub(super) fn new(ended: mpsc::UnboundedSender<Ended>) -> Self {
        Self {
            queues: BTreeMap::new(),
            pipes: Vec::new(),
            security: ScriptSecurity::default(),
            runs: 0,
            ended,
        }
    }

    /// Opens the pipes of a specification; those it shares with the former one stay open. Returns problems.
    pub(super) fn configure(&mut self, spec: &Spec) -> Vec<String> {
        let mut problems = Vec::new();
        self.security = spec.global.scripts.clone();
        let mut old = std::mem::take(&mut self.pipes);
        for fifo in &spec.global.fifos {
            if let Some(at) = old.iter().position(|pipe| pipe.fifo == *fifo) {
                self.pipes.push(old.swap_remove(at));
                continue;
            }
            match Pipe::open(fifo, &spec.global) {
                Ok(pipe) => self.pipes.push(pipe),
                Err(error) => problems.push(format!("cannot open the notify fifo {}: {error}", fifo.path)),
            }
        }
        problems
    }

    /// Tells a state change. Returns problems.
    pub(super) fn notify(&mut self, notify: &Notify, now: Instant) -> Vec<String> {
        let mut problems = Vec::new();
        let line = notify.fifo_line();
        problems.extend(self.write(&line, FifoContent::Others));
        if notify.repeated {
            return problems;
        }
        let key = key(notify);
        let scripts = [(&notify.specific, Vec::new()), (&notify.generic, notify.arguments().to_vec())];
        for (command, extra) in scripts {
            let Some(command) = command else { continue };
            match credentials::find(command.run_as.as_ref(), &self.security) {
                Ok(credentials) => problems.extend(self.enqueue(&key, command, extra, credentials)),
                Err(error) => {
                    problems.push(format!("cannot run the notify script `{}`: {error}", command.line))
                }
            }
        }
        self.advance(&key, now);
        problems
    }

    /// Tells the pipes something of the program around the router. Returns problems.
    pub(super) fn line(&mut self, line: &str) -> Vec<String> {
        self.write(line, FifoContent::Routers)
    }

    /// Runs a program of the program around the router, in the order of its subject. Returns problems.
    pub(super) fn run(&mut self, subject: Name, command: Command, now: Instant) -> Vec<String> {
        let key = (OTHERS, subject);
        let mut problems = Vec::new();
        match credentials::find(command.run_as.as_ref(), &self.security) {
            Ok(credentials) => {
                problems.extend(self.enqueue(&key, &Arc::new(command), Vec::new(), credentials));
                self.advance(&key, now);
            }
            Err(error) => problems.push(format!("cannot run the script `{}`: {error}", command.line)),
        }
        problems
    }

    /// Writes a line to all pipes but those that get nothing but `other` content.
    fn write(&mut self, line: &str, other: FifoContent) -> Vec<String> {
        let pipes = self.pipes.iter_mut().filter(|pipe| pipe.fifo.content != other);
        pipes.filter_map(|pipe| pipe.write(line)).collect()
    }

    /// Takes note of the end of a script and starts the next one. Returns a message if it could not be started.
    pub(super) fn ended(&mut self, ended: Ended, now: Instant) -> Option<String> {
        if let Some(queue) = self.queues.get_mut(&ended.key)
            && queue.current.as_ref().is_some_and(|current| current.run == ended.run)
        {
            queue.current = None;
        }
        self.advance(&ended.key, now);
        let ScriptResult::NotStarted(code) = ended.result else { return None };
        Some(format!("cannot run the notify script `{}`: {}", ended.line, io::Error::from_raw_os_error(code)))
    }

    /// Starts what has waited long enough for its predecessor. Returns problems.
    pub(super) fn overtake(&mut self, now: Instant) -> Vec<String> {
        let late: Vec<Key> = self
            .queues
            .iter()
            .filter(|(_, queue)| !queue.waiting.is_empty())
            .filter(|(_, queue)| {
                queue.current.as_ref().is_some_and(|current| now >= current.since + PATIENCE)
            })
            .map(|(key, _)| key.clone())
            .collect();
        let mut problems = Vec::new();
        for key in late {
            if let Some(current) = self.queues.get_mut(&key).and_then(|queue| queue.current.as_mut()) {
                current.overtaken = true;
            }
            let patience = PATIENCE.as_secs();
            problems.push(format!(
                "a notify script of {} runs for more than {patience} s, starting the next",
                key.1
            ));
            self.advance(&key, now);
        }
        problems
    }

    /// When [`Notifier::overtake`] has something to do next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let waiting = self.queues.values().filter(|queue| !queue.waiting.is_empty());
        waiting.filter_map(|queue| queue.current.as_ref().map(|current| current.since + PATIENCE)).min()
    }

    /// True if no script waits or runs, as far as order matters.
    pub(super) fn is_idle(&self) -> bool {
        self.queues.values().all(|queue| queue.current.is_none() && queue.waiting.is_empty())
    }

    fn enqueue(
        &mut self,
        key: &Key,
        command: &Arc<Command>,
        extra: Vec<String>,
        credentials: Option<Credentials>,
    ) -> Option<String> {
        let queue = self.queues.entry(key.clone()).or_default();
        let full = queue.waiting.len() >= QUEUE_LIMIT;
        let dropped = if full { queue.waiting.pop_front() } else { None };
        queue.waiting.push_back(Start { command: Arc::clone(command), extra, credentials });
        dropped.map(|start| {
            format!("too many notify scripts wait for {}, dropping `{}`", key.1, start.command.line)
        })
    }

    /// Starts the next script of a queue unless one is running.
    fn advance(&mut self, key: &Key, now: Instant) {
        let Some(queue) = self.queues.get_mut(key) else { return };
        if queue.current.as_ref().is_some_and(|current| !current.overtaken) {
            return;
        }
        let Some(start) = queue.waiting.pop_front() else {
            if queue.current.is_none() {
                self.queues.remove(key);
            }
            return;
        };
        self.runs += 1;
        let run = self.runs;
        queue.current = Some(Current { run, since: now, overtaken: false });
        let (sender, key, line) = (self.ended.clone(), key.clone(), start.command.line.clone());
        program::start(start, move |result| {
            // Nobody listens any more when the driver has ended; the script ran all the same.
            let _ = sender.send(Ended { key, line, run, result });
        });
    }
}

fn key(notify: &Notify) -> Key {
    (u8::from(matches!(notify.subject, Subject::Group)), notify.name.clone())
}

/// A named pipe, and the program that reads it.
struct Pipe {
    fifo: Fifo,
    file: File,
    reader: Option<Running>,
    /// The pipe is full and that has been told.
    full: bool,
}

impl Pipe {
    fn open(fifo: &Fifo, global: &Global) -> io::Result<Self> {
        let path = Path::new(&fifo.path);
        match mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR) {
            Ok(()) => {
                if let Some(owner) = &fifo.owner {
                    let ids = credentials::resolve(owner, false).map_err(io::Error::other)?;
                    std::os::unix::fs::chown(path, Some(ids.uid), Some(ids.gid))?;
                }
            }
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        // Opened for reading, too, so that no reader has to be there.
        let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        if !file.metadata()?.file_type().is_fifo() {
            return Err(io::Error::other("it exists and is no named pipe"));
        }
        let mut pipe = Self { fifo: fifo.clone(), file, reader: None, full: false };
        if let Some(script) = &fifo.script {
            let credentials =
                credentials::find(script.run_as.as_ref(), &global.scripts).map_err(io::Error::other)?;
            let extra = vec![fifo.path.clone()];
            let start = Start { command: Arc::new(script.clone()), extra, credentials };
            pipe.reader = Some(program::start(start, |_| {}));
        }
        Ok(pipe)
    }

    /// Writes a line, all or nothing. Returns a message when lines begin to be lost.
    fn write(&mut self, line: &str) -> Option<String> {
        // A line is shorter than PIPE_BUF, so the kernel never writes a part of it.
        let result = self.file.write_all(line.as_bytes());
        let was_full = std::mem::replace(&mut self.full, result.is_err());
        match result {
            Err(error) if !was_full => {
                Some(format!("cannot write to the notify fifo {}: {error}", self.fifo.path))
            }
            _ => None,
        }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        if let Some(reader) = &self.reader {
            // It may have ended by itself.
            let _ = reader.signal(Signal::TERM);
        }
    }
}
