//! What surrounds a message on its way to a log server: RFC 3164, RFC 5424 and the shorter forms.

use std::time::Duration;

use crate::expr::date::{Civil, month, month_name, push_fraction};
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
    /// When the message says it was written.
    pub time: Time<'a>,
    /// What time it is, since the Unix epoch.
    pub date: Duration,
    /// Seconds east of UTC.
    pub utc_offset: i32,
    /// Host name; empty for none, as in all that follow.
    pub hostname: &'a [u8],
    /// Program name.
    pub tag: &'a [u8],
    /// Process id.
    pub pid: &'a [u8],
    /// Message id (RFC 5424).
    pub message_id: &'a [u8],
    /// Structured data (RFC 5424), already formatted.
    pub structured: &'a [u8],
}

/// When a message was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the forms of time that the two standards know")]
pub enum Time<'a> {
    /// Now.
    #[default]
    Now,
    /// Not told (`-` of RFC 5424).
    Untold,
    /// As in RFC 3164: 15 bytes, `Jan  1 00:00:00`.
    Old(&'a [u8]),
    /// As in RFC 5424: at least 20 bytes, `1970-01-01T00:00:00.000000+00:00`.
    Iso(&'a [u8]),
}

impl Header<'_> {
    /// Appends the header with the blank behind it.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.priority(out);
        self.time(out);
        match self.format {
            LogFormat::Rfc3164 => {
                let none = self.hostname.is_empty();
                out.extend_from_slice(if none { b"localhost" } else { self.hostname });
                out.push(b' ');
                self.tag(out);
            }
            LogFormat::Local => self.tag(out),
            LogFormat::Rfc5424 => {
                for value in [self.hostname, self.tag, self.pid, self.message_id, self.structured] {
                    out.extend_from_slice(if value.is_empty() { b"-" } else { value });
                    out.push(b' ');
                }
            }
            _ => {}
        }
    }

    /// Appends a whole line: header and message cut to `limit` bytes including the line feed.
    /// Line feeds and zeroes at the end of the message are dropped.
    pub fn write_line(&self, message: &[u8], limit: usize, out: &mut Vec<u8>) {
        self.write_event(message, limit.saturating_sub(1), out);
        out.push(b'\n');
    }

    /// Appends header and message cut to `limit` bytes, without a line feed.
    pub fn write_event(&self, message: &[u8], limit: usize, out: &mut Vec<u8>) {
        let start = out.len();
        self.write(out);
        let end = message.iter().rposition(|byte| !matches!(byte, b'\n' | 0)).map_or(0, |at| at + 1);
        out.extend_from_slice(&message[..end]);
        out.truncate(start.saturating_add(limit));
    }

    fn priority(&self, out: &mut Vec<u8>) {
        let facility = match self.format {
            LogFormat::Timed | LogFormat::Short => 0,
            LogFormat::Local | LogFormat::Rfc3164 | LogFormat::Rfc5424 | LogFormat::Priority => {
                self.facility.0
            }
            LogFormat::Iso | LogFormat::Raw => return,
        };
        out.push(b'<');
        push_int(out, (i64::from(facility) << 3) + i64::from(self.level.number()));
        out.push(b'>');
    }

    fn time(&self, out: &mut Vec<u8>) {
        match self.format {
            LogFormat::Local | LogFormat::Rfc3164 => match self.time {
                Time::Old(text) => out.extend_from_slice(text),
                Time::Iso(text) if push_old(text, out) => {}
                _ => self.now().push_syslog(out),
            },
            LogFormat::Rfc5424 | LogFormat::Timed | LogFormat::Iso => {
                if self.format == LogFormat::Rfc5424 {
                    out.extend_from_slice(b"1 ");
                }
                match self.time {
                    Time::Untold if self.format == LogFormat::Rfc5424 => out.push(b'-'),
                    Time::Iso(text) => out.extend_from_slice(text),
                    Time::Old(text) if self.push_iso(text, out) => {}
                    _ => self.push_now(out),
                }
            }
            _ => return,
        }
        out.push(b' ');
    }

    fn now(&self) -> Civil {
        Civil::new(self.date.as_secs() as i64, self.utc_offset)
    }

    fn push_now(&self, out: &mut Vec<u8>) {
        let date = self.now();
        date.push_iso(out);
        out.push(b'.');
        push_fraction(out, self.date.subsec_nanos(), 6);
        date.push_zone(out, true);
    }

    /// Writes an old date as an ISO date: it is of the last twelve months, and of a zone that is not known. False if it is none.
    fn push_iso(&self, text: &[u8], out: &mut Vec<u8>) -> bool {
        let (Some(month), Some(day), Some(clock)) = (month(text), text.get(4..6), text.get(7..15)) else {
            return false;
        };
        let now = self.now();
        push_int(out, if usize::from(now.month) <= month { now.year - 1 } else { now.year });
        out.extend_from_slice(if month < 9 { b"-0" } else { b"-" });
        push_int(out, month as i64 + 1);
        out.extend_from_slice(&[b'-', if day[0] == b' ' { b'0' } else { day[0] }, day[1], b'T']);
        out.extend_from_slice(clock);
        // RFC 5424 §6.2.3 leaves this for a zone that is not known.
        out.extend_from_slice(b"-00:00");
        true
    }

    /// `haproxy[123]: `
    fn tag(&self, out: &mut Vec<u8>) {
        if self.tag.is_empty() {
            return;
        }
        out.extend_from_slice(self.tag);
        if !self.pid.is_empty() {
            out.push(b'[');
            out.extend_from_slice(self.pid);
            out.push(b']');
        }
        out.extend_from_slice(b": ");
    }
}

/// Writes an ISO date as an old one. False if it is none.
fn push_old(text: &[u8], out: &mut Vec<u8>) -> bool {
    let (Some(&[tens, ones]), Some(&[day, digit]), Some(clock)) =
        (text.get(5..7), text.get(8..10), text.get(11..19))
    else {
        return false;
    };
    let number = usize::from(tens.wrapping_sub(b'0')) * 10 + usize::from(ones.wrapping_sub(b'0'));
    let Some(name) = month_name(number.saturating_sub(1)) else { return false };
    out.extend_from_slice(name);
    out.extend_from_slice(&[b' ', if day == b'0' { b' ' } else { day }, digit, b' ']);
    out.extend_from_slice(clock);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header<'static> = Header {
        format: LogFormat::Local,
        facility: Facility::LOCAL0,
        level: Severity::Info,
        time: Time::Now,
        date: Duration::from_micros(1_791_005_310_000_042),
        utc_offset: 3600,
        hostname: b"lb1",
        tag: b"haproxy",
        pid: b"14385",
        message_id: b"",
        structured: b"",
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
    fn times_of_others_are_turned_into_the_form_that_is_written() {
        let at = |format, time| {
            let mut out = Vec::new();
            Header { format, time, ..HEADER }.write(&mut out);
            String::from_utf8(out).unwrap()
        };
        let iso = Time::Iso(b"2024-03-05T10:11:12.123456Z");
        assert_eq!(at(LogFormat::Rfc3164, iso), "<134>Mar  5 10:11:12 lb1 haproxy[14385]: ");
        assert_eq!(at(LogFormat::Iso, iso), "2024-03-05T10:11:12.123456Z ");
        let (old, later) = (Time::Old(b"Mar  5 10:11:12"), Time::Old(b"Nov 25 10:11:12"));
        assert_eq!(at(LogFormat::Iso, old), "2026-03-05T10:11:12-00:00 ");
        assert_eq!(at(LogFormat::Iso, later), "2025-11-25T10:11:12-00:00 ");
        assert_eq!(at(LogFormat::Local, old), "<134>Mar  5 10:11:12 haproxy[14385]: ");
        assert_eq!(at(LogFormat::Rfc5424, Time::Untold), "<134>1 - lb1 haproxy 14385 - - ");
        assert_eq!(at(LogFormat::Timed, Time::Untold), "<6>2026-10-03T06:28:30.000042+01:00 ");
        assert_eq!(
            at(LogFormat::Local, Time::Iso(b"2024-99-05T10:11:12Z")),
            "<134>Oct  3 06:28:30 haproxy[14385]: "
        );
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
