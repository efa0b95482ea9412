//! Listening sockets from an old process to a new one, over a control socket with `expose-fd listeners`.
//!
//! The protocol is HAProxy's, so that either program can follow the other: the new process sends `_getsocks` and a line
//! end; the old one answers the number of sockets (a native integer), then messages with as many descriptors as fit, each
//! message carrying for each socket the length and name of its network namespace, the length and name of its interface, and
//! four zero bytes; the new one acknowledges each message with four bytes.

use super::sys;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// What the new process sends.
pub const REQUEST: &[u8] = b"_getsocks\n";
/// How long one side waits for the other.
const PATIENCE: Duration = Duration::from_secs(1);
/// Sockets of one message.
const GROUP: usize = super::MAX_DESCRIPTORS;
/// What is said of a socket without namespace and interface.
const PLAIN: [u8; 6] = [0; 6];
/// More sockets than any process has.
const MOST: i32 = 1 << 20;

/// Sends `sockets` to the process on the other end of `stream`, which asked for them.
///
/// # Errors
/// What the stream reports; the other process may have given up.
pub fn give(mut stream: UnixStream, sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let count = i32::try_from(sockets.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    stream.write_all(&count.to_ne_bytes())?;
    let groups = sockets.len().div_ceil(GROUP);
    for (i, group) in sockets.chunks(GROUP).enumerate() {
        let text = PLAIN.repeat(group.len());
        let sent = sys::send_with_fds(stream.as_fd(), &text, group)?;
        stream.write_all(&text[sent..])?;
        // HAProxy may close without acknowledging the last one.
        if i + 1 < groups {
            stream.read_exact(&mut [0; 4])?;
        }
    }
    // Closing with an acknowledgement unread would destroy what the other side has not read yet.
    let _ = stream.read(&mut [0; 4]);
    Ok(())
}

/// Takes the sockets of the process whose control socket is at `path`.
///
/// # Errors
/// When the process cannot be reached, does not expose its sockets, or sends fewer than it announced.
pub fn take(path: &Path) -> io::Result<Vec<OwnedFd>> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(REQUEST)?;
    let mut count = [0; 4];
    stream.read_exact(&mut count)?;
    let count = i32::from_ne_bytes(count);
    let wanted = usize::try_from(count).ok().filter(|_| count <= MOST);
    let wanted = wanted.ok_or_else(|| invalid("not a number of sockets"))?;
    let mut sockets = Vec::new();
    let mut chunk = vec![0; 64 * 1024];
    while sockets.len() < wanted {
        let (read, mut fds) = sys::receive_with_fds(stream.as_fd(), &mut chunk, true)?;
        if read == 0 {
            return Err(invalid("fewer sockets than announced"));
        }
        sockets.append(&mut fds);
        // A process that has sent everything may be gone already.
        let told = stream.write_all(&(sockets.len() as u32).to_ne_bytes());
        if sockets.len() < wanted {
            told?;
        }
    }
    if sockets.len() > wanted { Err(invalid("more sockets than announced")) } else { Ok(sockets) }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    /// A path that goes away with the test.
    struct Path(std::path::PathBuf);

    impl Drop for Path {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    /// What `take` makes of an old process that does `serve` once it was asked.
    fn taken(name: &str, serve: impl FnOnce(UnixStream) + Send + 'static) -> io::Result<Vec<OwnedFd>> {
        let path = Path(std::env::temp_dir().join(format!("lb-handover-{name}-{}", std::process::id())));
        let listener = UnixListener::bind(&path.0).unwrap();
        let old = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; REQUEST.len()];
            stream.read_exact(&mut request).unwrap();
            assert_eq!(request, REQUEST);
            serve(stream);
        });
        let sockets = take(&path.0);
        old.join().unwrap();
        sockets
    }

    #[test]
    fn more_sockets_than_fit_a_message_arrive_in_order() {
        let listeners: Vec<_> = (0..150).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let addrs: Vec<_> = listeners.iter().map(|l| l.local_addr().unwrap()).collect();
        let sockets = taken("many", move |stream| {
            let fds: Vec<_> = listeners.iter().map(AsFd::as_fd).collect();
            give(stream, &fds).unwrap();
        });
        let sockets: Vec<TcpListener> = sockets.unwrap().into_iter().map(Into::into).collect();
        assert_eq!(sockets.iter().map(|l| l.local_addr().unwrap()).collect::<Vec<_>>(), addrs);
    }

    #[test]
    fn a_process_may_leave_once_everything_is_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let sockets = taken("gone", move |mut stream| {
            stream.write_all(&1_i32.to_ne_bytes()).unwrap();
            sys::send_with_fds(stream.as_fd(), &PLAIN, &[listener.as_fd()]).unwrap();
        });
        assert_eq!(sockets.unwrap().len(), 1);
    }

    #[test]
    fn nothing_may_be_nothing() {
        assert_eq!(taken("none", |stream| give(stream, &[]).unwrap()).unwrap().len(), 0);
    }

    #[test]
    fn a_process_that_does_not_keep_its_word_is_refused() {
        let short = taken("short", |mut stream| stream.write_all(&3_i32.to_ne_bytes()).unwrap());
        assert!(short.is_err());
        let text = taken("text", |mut stream| stream.write_all(b"Unknown command\n\n").unwrap());
        assert_eq!(text.unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(take(std::path::Path::new("/nonexistent/lb.sock")).is_err());
    }
}
