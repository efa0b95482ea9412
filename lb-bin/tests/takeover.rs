//! A new process takes the listening sockets of an old one (`-x`) and lets it finish (`-sf`), under load.

#![allow(clippy::unwrap_used, reason = "a test driver outside of test functions")]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// How long anything may take before the test fails.
const LIMIT: Duration = Duration::from_secs(60);
const TAKEOVERS: usize = 5;

/// A directory that goes away with the test.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("lb-takeover-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let text = format!(
            "global\n  nbthread 2\n  stats socket {0}/cli level admin expose-fd listeners\n\
             defaults\n  mode http\n  timeout client 30s\n  timeout connect 5s\n  timeout server 30s\n\
             frontend web\n  bind unix@{0}/web\n  http-request return status 200 content-type text/plain string ok\n",
            path.display()
        );
        std::fs::write(path.join("cfg"), text).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A process that is gone when the test is.
struct Process(Child);

impl Process {
    fn start(dir: &Dir, predecessor: Option<u32>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lb"));
        command.arg0("haproxy").arg("-db").arg("-f").arg(dir.path("cfg")).stdin(Stdio::null());
        if let Some(pid) = predecessor {
            command.arg("-x").arg(dir.path("cli")).arg("-sf").arg(pid.to_string());
        }
        Self(command.spawn().unwrap())
    }

    /// Waits for its end; answers whether it ended well.
    fn ended(self) -> bool {
        let (sender, receiver) = mpsc::channel();
        let mut this = self;
        std::thread::spawn(move || {
            let status = this.0.wait();
            let _ = sender.send(status.is_ok_and(|s| s.success()));
        });
        receiver.recv_timeout(LIMIT).expect("the old process ends")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends a request and reads its answer; whether the connection may be used again.
fn exchange(stream: &mut UnixStream) -> std::io::Result<bool> {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
    let mut reader = BufReader::new(stream);
    let (mut line, mut close, mut length) = (String::new(), false, 0);
    reader.read_line(&mut line)?;
    let good = line.starts_with("HTTP/1.1 200");
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let field = line.trim_end().to_ascii_lowercase();
        close |= field == "connection: close";
        if let Some(value) = field.strip_prefix("content-length: ") {
            length = value.parse().unwrap_or(0);
        }
        if field.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    if good && body == b"ok" { Ok(!close) } else { Err(std::io::ErrorKind::InvalidData.into()) }
}

/// Asks again and again, over one connection as long as it may be kept, or over a new one each time.
fn load(path: &Path, keep: bool, stop: &AtomicBool, done: &AtomicUsize) -> Result<(), String> {
    let connect = || {
        let stream = UnixStream::connect(path).map_err(|e| format!("connect: {e}"))?;
        stream.set_read_timeout(Some(LIMIT)).map_err(|e| e.to_string())?;
        Ok::<_, String>(stream)
    };
    let mut stream = connect()?;
    while !stop.load(Relaxed) {
        let again = exchange(&mut stream).map_err(|e| format!("after {}: {e}", done.load(Relaxed)))?;
        done.fetch_add(1, Relaxed);
        if !keep || !again {
            stream = connect()?;
        }
    }
    Ok(())
}

#[test]
fn takeovers_under_load_lose_no_request() {
    let dir = Dir::new();
    let mut old = Process::start(&dir, None);
    while UnixStream::connect(dir.path("web")).is_err() {
        assert!(matches!(old.0.try_wait(), Ok(None)), "the first process runs");
        std::thread::yield_now();
    }
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = [true, false, true, false]
        .into_iter()
        .map(|keep| {
            let (path, stop, done) = (dir.path("web"), Arc::clone(&stop), Arc::clone(&done));
            std::thread::spawn(move || load(&path, keep, &stop, &done))
        })
        .collect();
    let mut before = 0;
    for round in 0..TAKEOVERS {
        let new = Process::start(&dir, Some(old.0.id()));
        assert!(std::mem::replace(&mut old, new).ended(), "round {round}: the old process ends well");
        let now = done.load(Relaxed);
        assert!(now > before, "round {round}: requests were served meanwhile");
        before = now;
    }
    stop.store(true, Relaxed);
    for client in clients {
        assert_eq!(client.join().unwrap(), Ok(()));
    }
}
