//! `show events`: where lines and events go, and the messages that rings keep.

use crate::ctl::catalogue::Exec;
use crate::ctl::parse::Request;
use crate::ctl::reply::{Reply, Severity};
use crate::ctl::session::{FOR_GOOD, Tail, Until, Wait};
use crate::ctl::{EventSink, SocketLevel};
use std::fmt::Write;

pub(in crate::ctl) fn run(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let sinks = exec.control.event_sinks();
    let name = request.words.at(2);
    if name.is_empty() {
        return Ok(Reply::message(Severity::Warning, list(&sinks)));
    }
    if exec.state.level < SocketLevel::Operator {
        return Err(Reply::error("Permission denied"));
    }
    match sinks.iter().find(|sink| sink.name == name).map(|sink| sink.kind) {
        None => return Err(Reply::error("No such event sink")),
        Some("buffer") => {}
        Some(_) => return Ok(Reply::message(Severity::Notice, "Nothing to report for this sink")),
    }
    let (mut wait, mut new, mut delimiter) = (false, false, b'\n');
    for word in request.words.from(3) {
        match word.as_str() {
            "-w" => wait = true,
            "-n" => new = true,
            "-0" => delimiter = 0,
            "-wn" | "-nw" => (wait, new) = (true, true),
            _ => return Err(Reply::error("unknown option")),
        }
    }
    let events = exec.control.watch_events(name, new);
    let events = events.ok_or_else(|| Reply::error("Sorry, too many watchers on this ring buffer."))?;
    exec.state.wait = Some(Wait { limit: FOR_GOOD, until: Until::Events(Tail { events, delimiter, wait }) });
    Ok(Reply::empty())
}

fn list(sinks: &[EventSink]) -> String {
    let mut out =
        "Supported events sinks are listed below. Add -0(zero), -w(wait), -n(new). Any key to stop.\n"
            .to_owned();
    for EventSink { name, kind, dropped, description, .. } in sinks {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "    {name:<10} : type={kind}, {dropped} dropped, {description}");
    }
    out
}
