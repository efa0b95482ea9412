//! A server that takes every mail and remembers which it took, for demonstrations and tests.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::server::{Limits, Output, Received, Server};

/// Identifiers kept; the oldest are forgotten first.
const KEPT: usize = 100_000;
/// Sessions at the same time; further ones wait to be accepted.
const SESSIONS: usize = 512;
/// How long a client may be silent.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause after a failure to accept, which is lack of descriptors as a rule.
const RECOVERY: Duration = Duration::from_millis(100);

/// The server. Clones are the same server.
#[derive(Clone, Debug)]
pub struct Sink {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    name: String,
    taken: AtomicU64,
    ids: Mutex<VecDeque<String>>,
}

impl Sink {
    /// A server that introduces itself as `name`.
    pub fn new(name: impl Into<String>) -> Self {
        let shared = Shared { name: name.into(), taken: AtomicU64::new(0), ids: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Binds `addr` and serves there in the background until the returned task is aborted.
    pub async fn listen(&self, addr: SocketAddr) -> io::Result<(SocketAddr, tokio::task::JoinHandle<()>)> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        Ok((addr, tokio::spawn(self.clone().serve(listener))))
    }

    /// Serves every connection to the listener, for ever. Cancel safe: dropping the future stops accepting, sessions in
    /// progress go on.
    pub async fn serve(self, listener: TcpListener) {
        let permits = Arc::new(Semaphore::new(SESSIONS));
        while let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let sink = self.clone();
                    tokio::spawn(async move {
                        // A client that breaks off concerns nobody but itself.
                        let _ = sink.session(stream).await;
                        drop(permit);
                    });
                }
                Err(_) => tokio::time::sleep(RECOVERY).await,
            }
        }
    }

    /// Number of mails taken.
    pub fn taken(&self) -> u64 {
        self.shared.taken.load(Relaxed)
    }

    /// The `Message-ID`s of the mails taken since the last call, in order; mails without one are only counted.
    pub fn drain_ids(&self) -> Vec<String> {
        let mut ids = self.shared.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.drain(..).collect()
    }

    async fn session(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut server = Server::new(&self.shared.name, Limits::default());
        let mut buffer = [0; 4096];
        loop {
            while let Some(output) = server.poll_output() {
                match output {
                    Output::Send(bytes) => timeout(PATIENCE, stream.write_all(&bytes)).await??,
                    Output::Mail(mail) => self.take(&mail),
                    Output::Close => return stream.shutdown().await,
                }
            }
            let length = timeout(PATIENCE, stream.read(&mut buffer)).await??;
            if length == 0 {
                return Ok(());
            }
            server.handle_input(&buffer[..length]);
        }
    }

    fn take(&self, mail: &Received) {
        self.shared.taken.fetch_add(1, Relaxed);
        if let Some(id) = mail.header("Message-ID") {
            let mut ids = self.shared.ids.lock().unwrap_or_else(PoisonError::into_inner);
            if ids.len() == KEPT {
                ids.pop_front();
            }
            ids.push_back(id);
        }
    }
}
