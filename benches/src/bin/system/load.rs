//! The load: clients on one thread, each waiting for its answer before it asks again.

use crate::cases::{Case, Kind};
use crate::config::Place;
use crate::program::{Cpu, Program};
use crate::report::Run;
use crate::{servers, tls};
use std::cell::RefCell;
use std::io::{self, Error, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{LocalSet, spawn_local};
use tokio_rustls::TlsConnector;

/// Before anything is counted.
const WARM_UP: Duration = Duration::from_millis(700);
/// How often the configuration is loaded anew.
const RELOADS: u32 = 5;

/// What the clients saw while it counted.
#[derive(Default)]
struct Seen {
    counting: bool,
    requests: usize,
    errors: usize,
    latencies: Vec<u32>,
}

impl Seen {
    fn note(&mut self, good: bool, micros: u32) {
        if self.counting {
            self.requests += usize::from(good);
            self.errors += usize::from(!good);
            self.latencies.push(micros);
        }
    }
}

/// What every client of a run does.
struct Plan {
    addr: SocketAddr,
    request: Vec<u8>,
    kind: Kind,
    seen: RefCell<Seen>,
}

/// One run against a program.
pub(crate) fn run(case: &Case, place: &Place, program: &Program, time: Duration) -> io::Result<Run> {
    if case.kind == Kind::Start {
        let (cpu, memory) = (program.cpu()?, program.memory()? as f64);
        return Ok(Run { cpu, memory, time: program.start, ..Run::default() });
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, load(case, place, program, time))
}

async fn load(case: &Case, place: &Place, program: &Program, time: Duration) -> io::Result<Run> {
    let lines = servers::start(place, case.answer).await?;
    let plan = Rc::new(Plan {
        addr: (Ipv4Addr::LOCALHOST, place.front).into(),
        request: request(case),
        kind: case.kind,
        seen: RefCell::default(),
    });
    if case.kind == Kind::Idle {
        return idle(case, program, &plan).await;
    }
    for at in 0..case.connections {
        let once = match case.kind {
            Kind::Close | Kind::CloseReuse | Kind::Tls(_) => true,
            Kind::Reload => at % 2 == 1,
            _ => false,
        };
        // Each client keeps sessions of its own.
        let tls = match case.kind {
            Kind::Tls(tls) => Some(tls::connector(tls)?),
            _ => None,
        };
        spawn_local(client(Rc::clone(&plan), once, tls));
    }
    tokio::time::sleep(WARM_UP).await;
    let (begin, before, logged) = (Instant::now(), program.cpu()?, lines.get());
    plan.seen.borrow_mut().counting = true;
    if case.kind == Kind::Reload {
        for _ in 0..RELOADS {
            program.reload()?;
            tokio::time::sleep(time / RELOADS).await;
        }
    } else {
        tokio::time::sleep(time).await;
    }
    let mut seen = plan.seen.take();
    let (took, after) = (begin.elapsed(), program.cpu()?);
    seen.latencies.sort_unstable();
    Ok(Run {
        requests: seen.requests,
        errors: seen.errors,
        lines: lines.get() - logged,
        time: took,
        cpu: Cpu {
            own: after.own.saturating_sub(before.own),
            user: after.user.saturating_sub(before.user),
            processor: after.processor.saturating_sub(before.processor),
        },
        latencies: seen.latencies,
        memory: 0.0,
    })
}

/// Opens many connections, asks once on each, and looks what the program needs for them.
async fn idle(case: &Case, program: &Program, plan: &Plan) -> io::Result<Run> {
    let before = program.memory()?;
    let mut open = Vec::with_capacity(case.connections);
    let mut buffer = vec![0; 65_536];
    let mut errors = 0;
    for _ in 0..case.connections {
        match TcpStream::connect(plan.addr).await {
            Ok(mut stream) => {
                errors += usize::from(exchange(&mut stream, plan, &mut buffer).await.is_err());
                open.push(stream);
            }
            Err(_) => errors += 1,
        }
    }
    // Server connections that are of no more use close meanwhile.
    tokio::time::sleep(Duration::from_secs(11)).await;
    let memory = program.memory()?.saturating_sub(before) as f64 / open.len().max(1) as f64;
    Ok(Run { memory, errors, ..Run::default() })
}

fn request(case: &Case) -> Vec<u8> {
    if case.kind == Kind::Ping {
        return vec![b'p'; case.answer];
    }
    let browser = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\nAccept: \
                   text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: \
                   en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\nReferer: \
                   https://www.example.com/index.html\r\nCookie: sid=5b8e8ee0-7c2a-4b57; theme=dark; \
                   SRV=a\r\nUpgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\n";
    let method = if case.body > 0 { "POST" } else { "GET" };
    let mut text = format!("{method} /app/page?id=1 HTTP/1.1\r\nHost: www.example.com\r\n");
    match case.kind {
        Kind::Real => text.push_str(browser),
        Kind::Close | Kind::CloseReuse => text.push_str("Connection: close\r\n"),
        _ => {}
    }
    if case.body > 0 {
        text.push_str(&format!("Content-Length: {}\r\n", case.body));
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.resize(bytes.len() + case.body, b'b');
    bytes
}

async fn client(plan: Rc<Plan>, once: bool, tls: Option<TlsConnector>) {
    let mut buffer = vec![0; 65_536];
    let mut stream = None;
    loop {
        let begin = Instant::now();
        let done = one(&plan, tls.as_ref(), &mut stream, &mut buffer).await;
        let micros = u32::try_from(begin.elapsed().as_micros()).unwrap_or(u32::MAX);
        if once || done.is_err() {
            stream = None;
        }
        plan.seen.borrow_mut().note(done.is_ok(), micros);
        if done.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn one(
    plan: &Plan,
    tls: Option<&TlsConnector>,
    stream: &mut Option<TcpStream>,
    buffer: &mut [u8],
) -> io::Result<()> {
    if stream.is_none() {
        let new = TcpStream::connect(plan.addr).await?;
        new.set_nodelay(true)?;
        *stream = Some(new);
    }
    match tls {
        None => exchange(stream.as_mut().ok_or(ErrorKind::NotConnected)?, plan, buffer).await,
        Some(connector) => {
            let socket = stream.take().ok_or(ErrorKind::NotConnected)?;
            exchange(&mut tls::connect(connector, socket).await?, plan, buffer).await
        }
    }
}

async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    plan: &Plan,
    buffer: &mut [u8],
) -> io::Result<()> {
    stream.write_all(&plan.request).await?;
    stream.flush().await?;
    let mut length = if plan.kind == Kind::Ping { Some(plan.request.len()) } else { None };
    let mut received = 0;
    while length.is_none_or(|length| received < length) {
        // The head is kept, the body is not.
        let from = if length.is_none() { received } else { 0 };
        let n = stream.read(&mut buffer[from..]).await?;
        if n == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        received += n;
        if length.is_none() {
            length = message(&buffer[..received]);
            let good = buffer.starts_with(b"HTTP/1.1 200");
            if length.is_some() && !good {
                return Err(Error::other("not the answer of the server"));
            }
        }
    }
    Ok(())
}

/// The length of the message that begins here, once its head is complete.
pub(crate) fn message(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let mut body = 0;
    for line in bytes[..head].split(|byte| *byte == b'\n') {
        if line.len() > 15 && line[..15].eq_ignore_ascii_case(b"content-length:") {
            body = std::str::from_utf8(&line[15..]).ok()?.trim().parse().ok()?;
        }
    }
    Some(head + body)
}
