//! Where log lines leave the process: UDP, unix datagrams, descriptors.
//!
//! Lines of one turn of the event loop are collected and leave together, with one system call where the system allows it.
//! Nothing ever waits for a log server: what it does not take is dropped and counted.

use super::{Worker, sys};
use crate::addr::Endpoint;
use crate::spec::LogDestination;
use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Lines that are sent without waiting for the end of the turn.
const BATCH: usize = 32;
/// Lines kept while a stream is not ready for them.
const BACKLOG: usize = 1 << 20;

/// One destination, as one worker uses it.
#[derive(Debug)]
pub struct Outlet {
    destination: LogDestination,
    state: Mutex<State>,
    flush: Notify,
    running: AtomicBool,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    link: Link,
    lines: Lines,
}

#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

#[derive(Debug, Default)]
enum Link {
    #[default]
    Closed,
    Datagram(OwnedFd),
    Stream(OwnedFd),
}

impl Outlet {
    /// An outlet to `destination`. Nothing is opened before [`Outlet::open`] or the first line.
    pub fn new(destination: LogDestination) -> Arc<Self> {
        Arc::new(Self {
            destination,
            state: Mutex::default(),
            flush: Notify::new(),
            running: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
        })
    }

    /// Opens the way out now, for example before the process confines itself to a directory.
    ///
    /// # Errors
    /// What the system reports; the next line tries again.
    pub fn open(&self) -> io::Result<()> {
        let mut state = self.state();
        if matches!(state.link, Link::Closed) {
            state.link = Link::open(&self.destination)?;
        }
        Ok(())
    }

    /// Starts the task that sends the lines of each turn, for as long as `worker` runs. Without it every line leaves by
    /// itself.
    pub fn start(self: &Arc<Self>, worker: &Worker) {
        if self.running.swap(true, Relaxed) {
            return;
        }
        let outlet = Arc::clone(self);
        worker.spawn(async move {
            loop {
                outlet.flush.notified().await;
                outlet.flush_lines();
            }
        });
    }

    /// Takes one line.
    pub fn send(&self, line: &[u8]) {
        let mut state = self.state();
        state.lines.push(line, matches!(self.destination, LogDestination::Fd(_)));
        let first = state.lines.ends.len() == 1;
        if state.lines.ends.len() >= BATCH || !self.running.load(Relaxed) {
            self.send_batch(&mut state);
        } else if first {
            drop(state);
            self.flush.notify_one();
        }
    }

    /// Lines that were given up.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    fn flush_lines(&self) {
        self.send_batch(&mut self.state());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send_batch(&self, state: &mut State) {
        if state.lines.ends.is_empty() {
            return;
        }
        if matches!(state.link, Link::Closed) {
            match Link::open(&self.destination) {
                Ok(link) => state.link = link,
                Err(_) => return self.give_up(state),
            }
        }
        let State { link, lines } = state;
        let sent = match link {
            Link::Datagram(socket) => lines.send_datagrams(socket),
            Link::Stream(stream) => lines.write_stream(stream),
            Link::Closed => Ok(0),
        };
        if let Ok(lost) = sent {
            self.dropped.fetch_add(lost, Relaxed);
        } else {
            *link = Link::Closed;
            self.give_up(state);
        }
    }

    fn give_up(&self, state: &mut State) {
        self.dropped.fetch_add(state.lines.ends.len() as u64, Relaxed);
        state.lines.clear();
    }
}

impl Lines {
    fn push(&mut self, line: &[u8], newline: bool) {
        self.bytes.extend_from_slice(line);
        if newline && line.last() != Some(&b'\n') {
            self.bytes.push(b'\n');
        }
        self.ends.push(self.bytes.len());
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Sends every line; says how many were lost.
    fn send_datagrams(&mut self, socket: &OwnedFd) -> io::Result<u64> {
        let mut lines: [&[u8]; BATCH] = [&[]; BATCH];
        let (mut start, mut count, mut lost) = (0, 0, 0);
        for (i, &end) in self.ends.iter().enumerate() {
            lines[count] = &self.bytes[start..end];
            start = end;
            count += 1;
            if count == BATCH || i + 1 == self.ends.len() {
                lost += send_all(socket, &lines[..count])?;
                count = 0;
            }
        }
        self.clear();
        Ok(lost)
    }

    fn write_stream(&mut self, stream: &OwnedFd) -> io::Result<u64> {
        let mut written = 0;
        while written < self.bytes.len() {
            match rustix::io::write(stream, &self.bytes[written..]) {
                Ok(n) => written += n,
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => break,
                Err(e) => return Err(e.into()),
            }
        }
        self.bytes.drain(..written);
        // Boundaries only count lines here; a part of a line waits for the next turn.
        let lost = if self.bytes.len() > BACKLOG { self.ends.len() as u64 } else { 0 };
        if lost > 0 {
            self.bytes.clear();
        }
        self.ends.clear();
        Ok(lost)
    }
}

/// Sends datagrams; a full socket buffer loses the rest, a refusal by the far side is forgiven once.
fn send_all(socket: &OwnedFd, mut lines: &[&[u8]]) -> io::Result<u64> {
    let mut refused = 0;
    while !lines.is_empty() {
        match sys::send_datagrams(socket.as_fd(), lines) {
            Ok(n) => lines = &lines[n..],
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(lines.len() as u64),
            // An ICMP answer to an earlier datagram is reported here; the line itself was not sent.
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused && refused < 2 => refused += 1,
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => return Ok(lines.len() as u64),
            Err(e) => return Err(e),
        }
    }
    Ok(0)
}

impl Link {
    fn open(destination: &LogDestination) -> io::Result<Self> {
        Ok(match destination {
            LogDestination::Syslog(Endpoint::Inet(addr)) => {
                let any = if addr.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = UdpSocket::bind(any)?;
                socket.connect(addr)?;
                socket.set_nonblocking(true)?;
                Self::Datagram(socket.into())
            }
            LogDestination::Syslog(Endpoint::Unix(path)) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(&**path)?;
                socket.set_nonblocking(true)?;
                Self::Datagram(socket.into())
            }
            LogDestination::Syslog(Endpoint::Abstract(name)) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect_addr(&SocketAddr::from_abstract_name(name.as_bytes())?)?;
                socket.set_nonblocking(true)?;
                Self::Datagram(socket.into())
            }
            LogDestination::Fd(fd) => Self::Stream(sys::adopt(*fd)?),
            other => {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    format!("no way to send lines to {other:?}"),
                ));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver() -> (UdpSocket, LogDestination) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let destination = LogDestination::Syslog(socket.local_addr().unwrap().into());
        (socket, destination)
    }

    fn line(socket: &UdpSocket) -> String {
        let mut buf = [0; 256];
        let n = socket.recv(&mut buf).unwrap();
        String::from_utf8_lossy(&buf[..n]).into_owned()
    }

    #[test]
    fn without_its_task_every_line_leaves_at_once() {
        let (socket, destination) = receiver();
        let outlet = Outlet::new(destination);
        outlet.send(b"<134>one");
        assert_eq!(line(&socket), "<134>one");
    }

    #[tokio::test]
    async fn lines_of_one_turn_leave_together_and_in_order() {
        let (socket, destination) = receiver();
        let outlet = Outlet::new(destination);
        outlet.start(&Worker::current());
        for i in 0..100 {
            outlet.send(format!("line {i}").as_bytes());
        }
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        socket.set_nonblocking(true).unwrap();
        for i in 0..100 {
            assert_eq!(line(&socket), format!("line {i}"));
        }
        assert_eq!(outlet.dropped(), 0);
    }

    #[test]
    fn abstract_sockets_take_lines() {
        let name = format!("lb-outlet-{}", std::process::id());
        let receiver = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Outlet::new(LogDestination::Syslog(Endpoint::Abstract(name.into()))).send(b"<134>one");
        let mut buf = [0; 16];
        let n = receiver.recv(&mut buf).unwrap();
        assert_eq!(&buf[..n], b"<134>one");
    }

    #[test]
    fn lines_for_nobody_are_counted() {
        let outlet = Outlet::new(LogDestination::Syslog(Endpoint::Unix("/nonexistent/log".into())));
        outlet.send(b"lost");
        assert_eq!(outlet.dropped(), 1);
    }
}
