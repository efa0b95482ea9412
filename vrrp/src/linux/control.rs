//! What a running router tells: questions over a socket, and the data files of keepalived.
//!
//! A question is a line of words: `status`, `metrics`, `table`, `data`, `stats`, `json` (see [`dump`]), `hand-over NAME`,
//! `announce [NAME]`. The answer is text; one that begins with `! ` is a problem.
//!
//! The socket is an abstract one, so that every network namespace has its own and nothing stays behind in a file system.
//! Only root and the user the program runs as are answered.

use std::io::{self, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream as Blocking};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::Handle;
use crate::dump;
use crate::event::Admin;
use crate::spec::Spec;
use crate::stats::Snapshot;

/// Longest question, and how long one may take.
const QUESTION: u64 = 256;
const PATIENCE: Duration = Duration::from_secs(2);
/// Pause after a client could not be taken.
const RETRY: Duration = Duration::from_millis(200);
/// Where keepalived writes its files.
const DIRECTORY: &str = "/tmp";

/// Which of keepalived's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Dump {
    /// `/tmp/keepalived.data` and, beside it, `keepalived_parent.data`; with sessions `keepalived_bfd.data`, with services
    /// `keepalived_check.data`
    Data,
    /// `/tmp/keepalived.stats`
    Stats,
    /// `/tmp/keepalived.json`
    Json,
    /// None: the counters begin anew.
    ClearStats,
}

impl Dump {
    /// The signals that ask for them, as keepalived's manual has it.
    #[must_use]
    pub fn signals() -> [(i32, Self); 4] {
        [
            (libc::SIGUSR1, Self::Data),
            (libc::SIGUSR2, Self::Stats),
            (libc::SIGRTMIN() + 2, Self::Json),
            (libc::SIGRTMAX() - 1, Self::ClearStats),
        ]
    }

    /// What a signal asks for.
    #[must_use]
    pub fn asked_by(signal: i32) -> Option<Self> {
        Self::signals().into_iter().find_map(|(known, what)| (known == signal).then_some(what))
    }
}

/// The signal that keepalived documents under a name.
#[must_use]
pub fn signal_number(name: &str) -> Option<i32> {
    let [data, stats, json, clear] = Dump::signals().map(|(number, _)| number);
    Some(match name {
        "STOP" => libc::SIGTERM,
        "RELOAD" => libc::SIGHUP,
        "DATA" => data,
        "STATS" => stats,
        "JSON" => json,
        "STATS_CLEAR" => clear,
        _ => return None,
    })
}

/// Opens the socket, inside a runtime; a name with a slash is a path.
pub fn listen(name: &str) -> io::Result<UnixListener> {
    let listener = if name.contains('/') {
        // A file that a killed predecessor left behind is in the way.
        let stale = Blocking::connect(name).is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused);
        if stale {
            std::fs::remove_file(name)?;
        }
        std::os::unix::net::UnixListener::bind(name)?
    } else {
        std::os::unix::net::UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?
    };
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

/// Answers one client.
pub async fn answer(stream: UnixStream, handle: &Handle, spec: &Spec) {
    let talk = async {
        let mut stream = stream;
        if !may_ask(&stream) {
            return stream.write_all(b"! only root and the user of the program are answered\n").await;
        }
        let mut question = Vec::new();
        let (read, mut write) = stream.split();
        read.take(QUESTION).read_to_end(&mut question).await?;
        let text = reply(&String::from_utf8_lossy(&question), handle, spec).await;
        write.write_all(text.as_bytes()).await
    };
    // Whoever asked and went away, or never finished asking, misses the answer.
    let _ = tokio::time::timeout(PATIENCE, talk).await;
}

fn may_ask(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == own)
}

/// The next client, if there is a socket. Cancel safe.
pub async fn next_client(listener: Option<&UnixListener>) -> UnixStream {
    let Some(listener) = listener else { return std::future::pending().await };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // Too many open files, most likely; that passes.
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    }
}

/// The answer to a question. One of those that only tell may come from anybody; who may ask the others is for the caller
/// to know.
pub async fn reply(question: &str, handle: &Handle, spec: &Spec) -> String {
    let mut words = question.split_whitespace();
    let (command, name) = (words.next().unwrap_or("status"), words.next());
    let known = |name: &str| spec.instance(name).is_some();
    match (command, name) {
        ("hand-over", Some(name)) if known(name) => {
            handle.admin(Admin::StepDown(name.into())).await;
            format!("{name} hands over\n")
        }
        ("announce", name) if name.is_none_or(known) => {
            handle.admin(Admin::Announce(name.map(Into::into))).await;
            "announced\n".to_owned()
        }
        ("hand-over" | "announce", Some(name)) => format!("! there is no virtual router `{name}`\n"),
        ("hand-over", None) => "! which virtual router?\n".to_owned(),
        _ => match handle.snapshot().await {
            Some(snapshot) => show(command, spec, &snapshot),
            None => "! the virtual routers have ended\n".to_owned(),
        },
    }
}

fn show(command: &str, spec: &Spec, snapshot: &Snapshot) -> String {
    match command {
        "status" => dump::status(spec, snapshot),
        "data" => dump::data(spec, snapshot, wall(), 0),
        "stats" => dump::stats(snapshot),
        "json" => dump::json(spec, snapshot, wall()),
        "metrics" => dump::metrics(snapshot),
        "table" => dump::table(snapshot),
        "sessions" => dump::sessions(snapshot),
        other => format!("! unknown command `{other}`\n"),
    }
}

fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Writes keepalived's files of a kind, or clears what they count. `services` is what the program around the router has to say
/// about services, below the global definitions.
pub async fn write_files(
    what: Dump,
    handle: Handle,
    spec: Arc<Spec>,
    services: Option<String>,
) -> io::Result<()> {
    if what == Dump::ClearStats {
        handle.admin(Admin::ClearStats).await;
        return Ok(());
    }
    let Some(snapshot) = handle.snapshot().await else { return Ok(()) };
    let all = files(what, &spec, &snapshot, services);
    all.into_iter().try_for_each(|(name, text)| replace(&Path::new(DIRECTORY).join(name), &text))
}

/// The files of a kind, by name.
fn files(
    what: Dump,
    spec: &Spec,
    snapshot: &Snapshot,
    services: Option<String>,
) -> Vec<(&'static str, String)> {
    let global = || dump::global(&spec.global);
    match what {
        Dump::Data => {
            let mut all = vec![("keepalived.data", show("data", spec, snapshot))];
            all.push(("keepalived_parent.data", global()));
            all.extend(services.map(|text| ("keepalived_check.data", global() + &text)));
            all.extend(dump::bfd(spec, snapshot).map(|text| ("keepalived_bfd.data", text)));
            all
        }
        Dump::Stats => vec![("keepalived.stats", show("stats", spec, snapshot))],
        Dump::Json => vec![("keepalived.json", show("json", spec, snapshot))],
        Dump::ClearStats => Vec::new(),
    }
}

/// Puts a new file in place of whatever is there. The directory belongs to everybody: what others put there, links above
/// all, must not decide where this is written.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let fresh = path.with_extension(format!("new-{}", std::process::id()));
    let _ = std::fs::remove_file(&fresh);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    file.write_all(text.as_bytes())?;
    std::fs::rename(&fresh, path).inspect_err(|_| drop(std::fs::remove_file(&fresh)))
}

/// Asks a running router. Blocks.
pub fn ask(name: &str, question: &str) -> io::Result<String> {
    let mut stream = connect(name)?;
    stream.set_read_timeout(Some(PATIENCE * 2))?;
    stream.write_all(question.as_bytes())?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

fn connect(name: &str) -> io::Result<Blocking> {
    if name.contains('/') {
        Blocking::connect(name)
    } else {
        Blocking::connect_addr(&SocketAddr::from_abstract_name(name)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_replaces_a_link_and_does_not_follow_it() {
        let directory = std::env::temp_dir().join(format!("vrrp-control-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let (victim, path) = (directory.join("victim"), directory.join("keepalived.data"));
        std::fs::write(&victim, "mine").unwrap();
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        replace(&path, "text").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "text");
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "mine");
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a snapshot is of some moment")]
    fn the_data_come_in_the_files_of_the_processes_that_keepalived_would_run() {
        let names = |spec: &Spec, services: Option<&str>| -> Vec<&str> {
            let snapshot = crate::Router::new(spec.clone()).unwrap().snapshot(std::time::Instant::now());
            let all = files(Dump::Data, spec, &snapshot, services.map(str::to_owned));
            assert!(all.iter().all(|(_, text)| text.starts_with("------< Global definitions >------\n")));
            all.into_iter().map(|(name, _)| name).collect()
        };
        let mut spec = Spec::new();
        assert_eq!(names(&spec, None), ["keepalived.data", "keepalived_parent.data"]);
        spec.bfds.push(crate::spec::Bfd::new("path", [192, 0, 2, 1].into()));
        let all =
            ["keepalived.data", "keepalived_parent.data", "keepalived_check.data", "keepalived_bfd.data"];
        assert_eq!(names(&spec, Some("------< LVS Topology >------\n")), all);
    }

    #[tokio::test]
    async fn a_name_taken_is_refused_and_a_stale_file_is_not_in_the_way() {
        let name = format!("vrrp-test-{}", std::process::id());
        let first = listen(&name).unwrap();
        assert!(listen(&name).is_err());
        drop(first);
        assert!(listen(&name).is_ok());
        let path = std::env::temp_dir().join(&name).to_string_lossy().into_owned();
        drop(listen(&path).unwrap());
        assert!(listen(&path).is_ok());
        std::fs::remove_file(&path).unwrap();
    }
}
