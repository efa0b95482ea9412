//! What a part does when its supervisor says something that it cannot understand.

#![expect(clippy::unwrap_used, reason = "a test driver outside of test functions")]

use lb_core::process::{Channel, keep_over_exec};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

fn temporary(name: &str) -> String {
    std::env::temp_dir().join(format!("lb-parts-{}.{name}", std::process::id())).display().to_string()
}

const PROXY: &str = "proxy";
const VRRP: &str = "vrrp";

/// A part that was told how to begin, and then this: what it said of it, and its exit status.
fn told(part: &str, last: &[u8]) -> (String, Option<i32>) {
    let (mut own, theirs) = UnixStream::pair().unwrap();
    keep_over_exec(theirs.as_fd()).unwrap();
    let (file, socket) = (temporary("cfg"), temporary("sock"));
    let text = match part {
        PROXY => {
            format!("global\n nbthread 1\nfrontend web\n mode tcp\n timeout client 1s\n bind unix@{socket}\n")
        }
        _ => "global_defs {\n router_id r\n}\n".to_owned(),
    };
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lb"));
    command.args(["part", part, &theirs.as_raw_fd().to_string()]);
    match part {
        PROXY => command.arg("-f").arg(&file),
        _ => command.args(["--vrrp-socket", &socket, "-k"]).arg(&file),
    };
    let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drop(theirs);
    let channel = Channel::new(own.try_clone().unwrap());
    channel.send(br#"{"Init":{"sockets":[],"memory":null,"first":true}}"#, &[]).unwrap();
    own.write_all(last).unwrap();
    own.shutdown(Shutdown::Write).unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let status = child.wait().unwrap().code();
    [file, socket].iter().for_each(|path| drop(std::fs::remove_file(path)));
    (said, status)
}

#[test]
fn a_message_that_breaks_off_or_says_nothing_known_is_told_and_not_taken_for_the_end() {
    let broken: [&[u8]; 3] =
        [b"\x40\0\0\0\0\0\0\0{\"Ping\"", b"\x04\0\0\0\0\0\0\0{\"P\"", b"\xff\xff\xff\xff\0\0\0\0"];
    for part in [PROXY, VRRP] {
        for message in broken {
            let (said, status) = told(part, message);
            assert!(
                said.contains("no message of the supervisor") && status == Some(1),
                "{part} {status:?} {said}"
            );
        }
        let (said, status) = told(part, b"");
        assert!(
            !said.contains("supervisor") && status == Some(0),
            "the supervisor is gone: {part} {status:?} {said}"
        );
    }
}
