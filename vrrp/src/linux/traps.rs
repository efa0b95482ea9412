//! Brings SNMP notifications to a master agent. A task of its own keeps the connection.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::snmp::agentx::{Binding, Session};
use crate::spec::Traps;

/// Where the master agent of net-snmp listens.
const SOCKET: &str = "/var/agentx/master";
/// Time between two attempts to reach it.
const RETRY: Duration = Duration::from_secs(5);
/// How long it may take to answer, and to take what is sent.
const PATIENCE: Duration = Duration::from_secs(5);
/// Notifications that wait for the task; what comes on top is dropped.
const QUEUE: usize = 256;

/// The driver's end of the task.
pub(super) struct Sender {
    traps: Option<Traps>,
    queue: Option<mpsc::Sender<Vec<Binding>>>,
}

impl Sender {
    /// Nothing is sent.
    pub(super) const fn new() -> Self {
        Self { traps: None, queue: None }
    }

    /// Takes over a specification. What fails is told to `problems`.
    pub(super) fn configure(&mut self, traps: Option<&Traps>, problems: mpsc::UnboundedSender<String>) {
        if self.traps.as_ref() == traps {
            return;
        }
        self.traps = traps.cloned();
        // The former task ends when nothing more can come.
        self.queue = traps.map(|traps| {
            let (sender, queue) = mpsc::channel(QUEUE);
            let socket = traps.socket.clone().unwrap_or_else(|| SOCKET.to_owned());
            tokio::spawn(run(socket, queue, problems));
            sender
        });
    }

    /// What is to be sent, if anything.
    pub(super) fn wanted(&self) -> Option<&Traps> {
        self.traps.as_ref()
    }

    pub(super) fn send(&self, notification: Vec<Binding>) {
        if let Some(queue) = &self.queue {
            // A master agent that hangs must not hold up the router.
            let _ = queue.try_send(notification);
        }
    }
}

/// Why a connection ended.
enum End {
    /// There is nothing more to send.
    Done,
    Problem(String),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Problem(error.to_string())
    }
}

async fn run(
    socket: String,
    mut queue: mpsc::Receiver<Vec<Binding>>,
    problems: mpsc::UnboundedSender<String>,
) {
    let mut session = Session::new("Keepalived");
    let mut told = None;
    loop {
        let end = converse(&socket, &mut session, &mut queue, &mut told).await;
        session.disconnected();
        match end {
            End::Done => return,
            End::Problem(why) => {
                let text = format!("cannot send SNMP notifications through {socket}: {why}");
                if told.replace(text.clone()).as_ref() != Some(&text) && problems.send(text).is_err() {
                    return;
                }
            }
        }
        let wait = async {
            while let Some(notification) = queue.recv().await {
                session.notify(notification);
            }
        };
        // Ended by itself it means that the driver is gone.
        if timeout(RETRY, wait).await.is_ok() {
            return;
        }
    }
}

/// One connection, from its beginning to its end.
async fn converse(
    socket: &str,
    session: &mut Session,
    queue: &mut mpsc::Receiver<Vec<Binding>>,
    told: &mut Option<String>,
) -> End {
    let path = socket.strip_prefix("unix:").unwrap_or(socket);
    let late = || End::Problem("it does not answer".to_owned());
    let result = if path.starts_with('/') {
        match timeout(PATIENCE, UnixStream::connect(path)).await {
            Ok(Ok(stream)) => exchange(stream, session, queue, told).await,
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(late()),
        }
    } else {
        match timeout(PATIENCE, TcpStream::connect(path.strip_prefix("tcp:").unwrap_or(path))).await {
            Ok(Ok(stream)) => exchange(stream, session, queue, told).await,
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(late()),
        }
    };
    match result {
        Ok(()) => End::Done,
        Err(end) => end,
    }
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    session: &mut Session,
    queue: &mut mpsc::Receiver<Vec<Binding>>,
    told: &mut Option<String>,
) -> Result<(), End> {
    session.connected();
    let mut buffer = [0; 4096];
    loop {
        while let Some(octets) = session.poll_output() {
            let written = timeout(PATIENCE, stream.write_all(&octets)).await;
            written.map_err(|_| End::Problem("it takes nothing".to_owned()))??;
        }
        tokio::select! {
            read = stream.read(&mut buffer) => match read? {
                0 => return Err(End::Problem("the connection was closed".to_owned())),
                count => {
                    session.receive(&buffer[..count]).map_err(|ended| End::Problem(ended.to_string()))?;
                    *told = None;
                }
            },
            notification = queue.recv() => match notification {
                Some(notification) => session.notify(notification),
                None => return Ok(()),
            },
        }
    }
}
