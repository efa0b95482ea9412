//! Checks a server once: `http_check ADDRESS [URI]`, for example `http_check 127.0.0.1:80 /health`.
//!
//! Shows how a check is run by hand: the dialog says what to do, this program does it on a blocking socket. Real code
//! would run many dialogs at once, repeat them and let a monitor turn their verdicts into the state of a server; the
//! drivers of `lb-core` do all of that.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use lb_core::health::{Input, Output, ProbeSpec, Target};
use lb_proto_http::check::{Expect, HttpProbe, SendStep, Step};

#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "an example opens sockets and prints")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let addr: SocketAddr = args.next().ok_or("the address is missing")?.parse()?;
    let mut send = SendStep::default();
    send.method = Arc::from(&b"GET"[..]);
    if let Some(uri) = args.next() {
        send.uri = uri.as_bytes().into();
    }
    let probe = HttpProbe::of(vec![Step::Send(send), Step::Expect(Expect::default())]);
    let mut check = probe.start(&Target::new("example", "server", Some(addr)), Instant::now());
    let mut stream: Option<TcpStream> = None;
    let mut buffer = [0; 4096];
    while check.verdict().is_none() {
        match check.poll_output() {
            Some(Output::Connect(_)) => {
                stream = Some(TcpStream::connect(addr)?);
                check.handle_input(Instant::now(), Input::Connected);
            }
            Some(Output::Send(bytes)) => stream.as_mut().ok_or("not connected")?.write_all(&bytes)?,
            Some(_) => {}
            None => {
                let n = stream.as_mut().ok_or("not connected")?.read(&mut buffer)?;
                let input = if n == 0 { Input::Closed } else { Input::Bytes(&buffer[..n]) };
                check.handle_input(Instant::now(), input);
            }
        }
    }
    if let Some(verdict) = check.verdict() {
        println!("{} {} {}", verdict.status.code(), verdict.code, verdict.info);
    }
    Ok(())
}
