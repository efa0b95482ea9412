//! The log of a program about itself: lines to the local syslog.

use super::Outlet;
use crate::addr::Endpoint;
use crate::log::syslog::{Header, Time};
use crate::spec::{Facility, LogDestination, LogFormat, Severity};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Longest line.
const LIMIT: usize = 1024;

/// Writes lines to a syslog socket under one tag.
#[derive(Debug)]
pub struct Reporter {
    outlet: Arc<Outlet>,
    facility: Facility,
    tag: &'static str,
    host: String,
}

impl Reporter {
    /// Lines of the program `tag` on the machine `host`, to the syslog socket at `path`.
    pub fn new(path: &str, facility: Facility, tag: &'static str, host: &str) -> Self {
        let outlet = Outlet::new(LogDestination::Syslog(Endpoint::Unix(path.into())));
        Self { outlet, facility, tag, host: host.to_owned() }
    }

    /// Sends a line, and returns it as it would stand in a log file. A log that does not listen misses it.
    pub fn report(&self, level: Severity, text: &str) -> String {
        let pid = std::process::id().to_string();
        let header = Header {
            format: LogFormat::Local,
            facility: self.facility,
            level,
            date: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            time: Time::Now,
            utc_offset: 0,
            hostname: self.host.as_bytes(),
            tag: self.tag.as_bytes(),
            pid: pid.as_bytes(),
            message_id: b"",
            structured: b"",
        };
        let mut line = Vec::new();
        header.write_line(text.as_bytes(), LIMIT, &mut line);
        self.outlet.send(&line);
        let text = String::from_utf8_lossy(&line);
        text.split_once('>').map_or(&*text, |(_, rest)| rest).to_owned()
    }
}
