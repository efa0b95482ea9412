//! What surrounds a message on its way to a log server: RFC 3164, RFC 5424 and the shorter forms.

use std::time::Duration;

use crate::expr::date::{Civil, push_fraction};
use crate::expr::push_int;
use crate::spec::{Facility, LogFormat, Severity};

/// Facility names in the order of their numbers.
pub const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "auth2", "ftp", "ntp",
    "audit", "alert", "cron2", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];

/// Level names, most severe first.
pub const LEVELS: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/// The facility of that name.
pub fn facility(name: &str) -> Option<Facility> {
    FACILITIES.iter().position(|known| *known == name).map(|number| Facility(number as u8))
}

/// The level of that name.
pub fn level(name: &str) -> Option<Severity> {
    Some(match name {
        "emerg" => Severity::Emerg,
        "alert" => Severity::Alert,
        "crit" => Severity::Crit,
        "err" => Severity::Err,
        "warning" => Severity::Warning,
        "notice" => Severity::Notice,
        "info" => Severity::Info,
        "debug" => Severity::Debug,
        _ => return None,
    })
}

/// The facts in front of a message.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain data, built by drivers")]
pub struct Header<'a> {
    /// Which of the forms.
    pub format: LogFormat,
    /// Facility.
    pub facility: Facility,
    /// Level of this message.
    pub level: Severity,
    /// When, since the Unix epoch.
    pub date: Duration,
    /// Seconds east of UTC.
    pub utc_offset: i32,
    /// Host name.
    pub hostname: Option<&'a str>,
    /// Program name; empty for none.
    pub tag: &'a str,
    /// Process id.
    pub pid: Option<u32>,
    /// Message id (RFC 5424).
    pub message_id: Option<&'a str>,
    /// Structured data (RFC 5424), already formatted.
    pub structured: Option<&'a [u8]>,
}

impl Header<'_> {
    /// Appends the header with the blank behind it.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.priority(out);
        self.date(out);
        match self.format {
            LogFormat::Rfc3164 => {
                out.extend_from_slice(self.hostname.unwrap_or("localhost").as_bytes());
                out.push(b' ');
                self.tag(out);
            }
            LogFormat::Local => self.tag(out),
            LogFormat::Rfc5424 => self.fields(out),
            LogFormat::Priority | LogFormat::Short | LogFormat::Timed | LogFormat::Iso | LogFormat::Raw => {}
        }
    }

    /// Appends a whole line: header and message cut to `limit` bytes including the line feed.
    /// Line feeds and zeroes at the end of the message are dropped.
    pub fn write_line(&self, message: &[u8], limit: usize, out: &mut Vec<u8>) {
        let start = out.len();
        self.write(out);
        let end = message.iter().rposition(|byte| !matches!(byte, b'\n' | 0)).map_or(0, |at| at + 1);
        out.extend_from_slice(&message[..end]);
        out.truncate(start.saturating_add(limit.saturating_sub(1)));
        out.push(b'\n');
    }

    fn priority(&self, out: &mut Vec<u8>) {
        let facility = match self.format {
            LogFormat::Iso | LogFormat::Raw => return,
            LogFormat::Timed | LogFormat::Short => 0,
            LogFormat::Local | LogFormat::Rfc3164 | LogFormat::Rfc5424 | LogFormat::Priority => {
                self.facility.0
            }
        };
        out.push(b'<');
        push_int(out, (i64::from(facility) << 3) + i64::from(self.level.number()));
        out.push(b'>');
    }

    fn date(&self, out: &mut Vec<u8>) {
        let date = Civil::new(self.date.as_secs() as i64, self.utc_offset);
        match self.format {
            LogFormat::Local | LogFormat::Rfc3164 => date.push_syslog(out),
            LogFormat::Rfc5424 | LogFormat::Timed | LogFormat::Iso => {
                if self.format == LogFormat::Rfc5424 {
                    out.extend_from_slice(b"1 ");
                }
                date.push_iso(out);
                out.push(b'.');
                push_fraction(out, self.date.subsec_nanos(), 6);
                date.push_zone(out, true);
            }
            LogFormat::Priority | LogFormat::Short | LogFormat::Raw => return,
        }
        out.push(b' ');
    }

    /// `haproxy[123]: `
    fn tag(&self, out: &mut Vec<u8>) {
        if self.tag.is_empty() {
            return;
        }
        out.extend_from_slice(self.tag.as_bytes());
        if let Some(pid) = self.pid {
            out.push(b'[');
            push_int(out, pid.into());
            out.push(b']');
        }
        out.extend_from_slice(b": ");
    }

    /// The named fields of RFC 5424, `-` where one is missing.
    fn fields(&self, out: &mut Vec<u8>) {
        let mut field = |value: &[u8]| {
            out.extend_from_slice(if value.is_empty() { b"-" } else { value });
            out.push(b' ');
        };
        field(self.hostname.unwrap_or("").as_bytes());
        field(self.tag.as_bytes());
        let mut pid = Vec::new();
        if let Some(number) = self.pid {
            push_int(&mut pid, number.into());
        }
        field(&pid);
        field(self.message_id.unwrap_or("").as_bytes());
        field(self.structured.unwrap_or(b""));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header<'static> = Header {
        format: LogFormat::Local,
        facility: Facility::LOCAL0,
        level: Severity::Info,
        date: Duration::from_micros(1_791_005_310_000_042),
        utc_offset: 3600,
        hostname: Some("lb1"),
        tag: "haproxy",
        pid: Some(14385),
        message_id: None,
        structured: None,
    };

    fn line(format: LogFormat) -> String {
        let mut out = Vec::new();
        Header { format, ..HEADER }.write_line(b"hello\n\0", 1024, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_form_equals_the_original() {
        assert_eq!(line(LogFormat::Local), "<134>Oct  3 06:28:30 haproxy[14385]: hello\n");
        assert_eq!(line(LogFormat::Rfc3164), "<134>Oct  3 06:28:30 lb1 haproxy[14385]: hello\n");
        assert_eq!(
            line(LogFormat::Rfc5424),
            "<134>1 2026-10-03T06:28:30.000042+01:00 lb1 haproxy 14385 - - hello\n"
        );
        assert_eq!(line(LogFormat::Priority), "<134>hello\n");
        assert_eq!(line(LogFormat::Short), "<6>hello\n");
        assert_eq!(line(LogFormat::Timed), "<6>2026-10-03T06:28:30.000042+01:00 hello\n");
        assert_eq!(line(LogFormat::Iso), "2026-10-03T06:28:30.000042+01:00 hello\n");
        assert_eq!(line(LogFormat::Raw), "hello\n");
    }

    #[test]
    fn lines_are_cut_to_their_limit() {
        let mut out = b"before".to_vec();
        HEADER.write_line(&[b'x'; 100], 80, &mut out);
        assert_eq!(out.len(), 6 + 80);
        assert!(out.ends_with(b"x\n"));
        out.clear();
        HEADER.write_line(b"message", 4, &mut out);
        assert_eq!(out, b"<13\n");
    }

    #[test]
    fn names_and_numbers_correspond() {
        assert_eq!(facility("local7"), Some(Facility(23)));
        assert_eq!(facility("local8"), None);
        for (number, name) in LEVELS.iter().enumerate() {
            assert_eq!(usize::from(level(name).unwrap().number()), number);
        }
        assert_eq!(level("error"), None);
    }
}
