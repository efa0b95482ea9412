//! A proxy that was confined is given its configuration anew, by a supervisor that still sees the machine. Needs root, as
//! confining does; does nothing without.

use std::io::{BufRead, BufReader};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long the start may take before the test fails.
const LIMIT: Duration = Duration::from_secs(60);

/// A process and a directory that are gone when the test is.
struct Running(Child, PathBuf);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = lb_core::process::send_signal(self.0.id(), libc::SIGTERM);
        let _ = self.0.wait();
        let _ = std::fs::remove_dir_all(&self.1);
    }
}

#[test]
fn a_confined_proxy_takes_a_configuration_with_names_from_its_supervisor() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: it needs root");
        return;
    }
    let name = format!("lb-confined-{}", std::process::id());
    let dir = std::env::temp_dir().join(&name);
    std::fs::create_dir_all(dir.join("jail")).expect("a directory");
    let text = format!(
        "global\n chroot {}\n user nobody\ndefaults\n mode tcp\n timeout client 1s\n timeout server 1s\n timeout connect 1s\n\
         listen web\n bind abns@{name}\n server s localhost:1\n",
        dir.join("jail").display()
    );
    std::fs::write(dir.join("a.cfg"), text).expect("a file");
    let address = SocketAddr::from_abstract_name(format!("{name}-notify")).expect("a name");
    let manager = UnixDatagram::bind_addr(&address).expect("a socket");
    manager.set_read_timeout(Some(LIMIT)).expect("a limit");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lb"));
    command.args(["run", "--notify", "-f"]).arg(&dir).env("NOTIFY_SOCKET", format!("@{name}-notify"));
    let child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut running = Running(child, dir);
    let mut state = [0; 64];
    let length = manager.recv(&mut state).expect("it is ready in time");
    assert_eq!(&state[..length], b"READY=1\n");
    lb_core::process::send_signal(running.0.id(), libc::SIGHUP).expect("it runs");
    let said = BufReader::new(running.0.stderr.take().expect("a pipe"));
    let over = |line: &String| line.contains("configuration loaded") || line.contains("keeps running");
    let outcome = said.lines().map_while(Result::ok).find(over);
    let outcome = outcome.expect("it says what became of it");
    assert!(outcome.contains("part proxy: new configuration loaded"), "{outcome}");
}
