//! `show sess`: the sessions in progress.
//!
//! The short form has the fields tools look for (`proto=`, `src=`, `fe=`, `be=`, `srv=`, `age=`, `rq[`, `rp[`, `exp=`);
//! those that only describe the inside of another program are 0.

use crate::ctl::catalogue::Exec;
use crate::ctl::control::{Control, Proxy, SessionFilter, SessionLine};
use crate::ctl::parse::Request;
use crate::ctl::process::{duration, session_id};
use crate::ctl::reply::Reply;
use std::fmt::Write;
use std::time::Duration;

const HELP: &str = "Usage: show sess [<id> | all | help] [<options>*]
Lists the sessions in progress:
   <id>         show this session only, in the long form (0x...)
   all          show every session in the long form
   help         display this message
Options:
   show-uri     add the address asked for, if there is one
   older <age>  only sessions older than <age> seconds
   server <b/s> only sessions on this server
   backend <b>  only sessions of this backend
   frontend <f> only sessions of this frontend
";

struct Options {
    filter: SessionFilter,
    long: bool,
    uri: bool,
    suspicious: bool,
}

pub(in crate::ctl) fn run(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let Some(options) = parse(exec.control, request.words.from(2))? else {
        return Ok(Reply::info(HELP));
    };
    let sessions = exec.control.sessions(&options.filter);
    if sessions.is_empty() && options.filter.id.is_some() {
        return Err(Reply::error("Session not found."));
    }
    let mut out = String::new();
    // What HAProxy suspects are inconsistencies of its own machinery, which have no counterpart here.
    for session in sessions.iter().filter(|_| !options.suspicious) {
        if options.long { long(&mut out, session) } else { short(&mut out, session, options.uri) }
    }
    Ok(Reply::dump(out))
}

/// Reads the arguments; `None` asks for help.
fn parse(control: &dyn Control, words: &[String]) -> Result<Option<Options>, Reply> {
    let mut options =
        Options { filter: SessionFilter::default(), long: false, uri: false, suspicious: false };
    let mut words = words.iter().map(String::as_str);
    let no_backend = || Reply::error("No such backend.");
    while let Some(word) = words.next() {
        match word {
            "help" => return Ok(None),
            "all" => options.long = true,
            "susp" => options.suspicious = true,
            "show-uri" => options.uri = true,
            "older" => {
                let age = words.next().and_then(|age| duration(age, 1_000_000));
                let age =
                    age.ok_or_else(|| Reply::error("Expects a minimum age (in seconds by default)."))?;
                options.filter.older = Some(age);
            }
            "server" => {
                let (backend, server) = words
                    .next()
                    .and_then(|word| word.split_once('/'))
                    .ok_or_else(|| Reply::error("Require 'backend/server'."))?;
                let backend = control.find_backend(Proxy::parse(backend)).ok_or_else(no_backend)?;
                let server = control.find_server(&backend, Proxy::parse(server));
                options.filter.server = Some(server.ok_or_else(|| Reply::error("No such server."))?);
                options.filter.backend = Some(backend);
            }
            "backend" => {
                let backend = words.next().and_then(|word| control.find_backend(Proxy::parse(word)));
                options.filter.backend = Some(backend.ok_or_else(no_backend)?);
            }
            "frontend" => {
                let frontend = words.next().and_then(|word| control.find_frontend(Proxy::parse(word)));
                options.filter.frontend = Some(frontend.ok_or_else(|| Reply::error("No such frontend."))?);
            }
            word => {
                let unsupported =
                    || Reply::error(format!("Unsupported option '{word}', try 'help' for more info."));
                options.filter.id = Some(session_id(word).ok_or_else(unsupported)?);
                options.long = true;
            }
        }
    }
    Ok(Some(options))
}

fn short(out: &mut String, session: &SessionLine, uri: bool) {
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "{:#x}: proto={} src={} fe={} be={} srv={} ts=00 epoch=0 age={} calls={} rate=0 cpu=0 lat=0 \
         rq[f=0h,i={},an=00h,ax=] rp[f=0h,i={},an=00h,ax=] scf=[8,0h,fd=-1,rex=,wex=] scb=[8,1h,fd=-1,rex=,wex=] \
         exp={} rc={} c_exp=",
        session.id,
        session.proto,
        session.source,
        session.frontend,
        session.backend.as_deref().unwrap_or("<NONE>"),
        session.server.as_deref().unwrap_or("<none>"),
        span(session.age),
        session.requests,
        session.request_pending,
        session.response_pending,
        session.expires_in.map_or_else(String::new, span),
        session.retries,
    );
    if let Some(address) = session.uri.as_ref().filter(|_| uri) {
        out.push_str(" uri=\"");
        out.extend(address.chars().map(|c| if c.is_control() || c == '"' { '?' } else { c }));
        out.push('"');
    }
    out.push('\n');
}

fn long(out: &mut String, session: &SessionLine) {
    let none = "<NONE>";
    let _ = writeln!(out, "{:#x}: proto={} source={}", session.id, session.proto, session.source);
    let _ = writeln!(
        out,
        "  conn_retries={}, waiting={} age={} requests={} expires={}",
        session.retries,
        u8::from(session.queued),
        span(session.age),
        session.requests,
        session.expires_in.map_or_else(|| "<NEVER>".to_owned(), span),
    );
    let _ = writeln!(
        out,
        "  frontend={}, listener={} addr={}",
        session.frontend, session.listener, session.destination
    );
    let _ = writeln!(out, "  backend={}", session.backend.as_deref().unwrap_or(none));
    let _ = write!(out, "  server={}", session.server.as_deref().unwrap_or(none));
    if let Some(addr) = &session.server_addr {
        let _ = write!(out, " addr={addr}");
    }
    let _ = writeln!(
        out,
        "\n  request_pending={} response_pending={}",
        session.request_pending, session.response_pending
    );
    if let Some(uri) = &session.uri {
        out.push_str("  uri=");
        out.extend(uri.chars().map(|c| if c.is_control() { '?' } else { c }));
        out.push('\n');
    }
}

/// A duration in its two largest units: `10s`, `2m3s`, `1h4m`, `3d2h`.
fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds / 3600 % 24),
    }
}
