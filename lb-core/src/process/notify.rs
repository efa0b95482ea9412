//! Telling the service manager that the process is ready (`sd_notify`).

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The way to the service manager; by default there is none, and nobody is told.
#[derive(Debug, Default)]
pub struct Notifier {
    socket: Option<UnixDatagram>,
}

impl Notifier {
    /// The service manager at `address`, the value of `NOTIFY_SOCKET`: a path, or `@` and an abstract name.
    ///
    /// # Errors
    /// When there is no such socket.
    pub fn new(address: &str) -> io::Result<Self> {
        let addr = match address.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(address)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&addr)?;
        Ok(Self { socket: Some(socket) })
    }

    /// As [`send`](Self::send), for who can do nothing about a service manager that went away.
    pub fn tell(&self, state: &str) {
        let _ = self.send(state);
    }

    /// Sends assignments such as `READY=1`, one a line.
    ///
    /// # Errors
    /// What the socket reports.
    pub fn send(&self, state: &str) -> io::Result<()> {
        self.socket.as_ref().map_or(Ok(()), |socket| socket.send(state.as_bytes()).map(drop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_reaches_an_abstract_socket() {
        let name = format!("lb-notify-test-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Notifier::new(&format!("@{name}")).unwrap().send("READY=1\n").unwrap();
        let mut buf = [0; 64];
        let n = manager.recv(&mut buf).unwrap();
        assert_eq!(&buf[..n], b"READY=1\n");
        let notifier = Notifier::new(&format!("@{name}")).unwrap();
        drop(manager);
        assert!(notifier.send("READY=1\n").is_err());
        notifier.tell("READY=1\n");
    }

    #[test]
    fn where_there_is_no_service_manager_nobody_is_told() {
        assert!(Notifier::default().send("READY=1\n").is_ok());
        assert!(Notifier::new("/nonexistent/notify").is_err());
    }
}
