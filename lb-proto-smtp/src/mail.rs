//! Notification mails: what the alerts of both daemons look like.
//!
//! The headers and texts are those people filter by: `X-Mailer: Keepalived` and `Subject: [router] …` for alerts in the
//! manner of keepalived, `Subject: [HAProxy Alert] …` for those of HAProxy.

use std::fmt::Write;
use std::time::Duration;

/// A mail, ready to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mail {
    /// The sender, for the envelope and the header.
    pub from: String,
    /// The recipients, for the envelope and the header.
    pub to: Vec<String>,
    /// The subject.
    pub subject: String,
    /// When it was written, as time since 1970.
    pub date: Duration,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// The text.
    pub body: String,
}

impl Mail {
    /// An alert in the manner of keepalived (`smtp_alert`).
    pub fn keepalived(from: &str, to: &[String], subject: &str, body: &str, date: Duration) -> Self {
        Self {
            from: from.to_owned(),
            to: to.to_vec(),
            subject: subject.to_owned(),
            date,
            headers: vec![("X-Mailer", "Keepalived".to_owned())],
            // The original leaves an empty line behind its text.
            body: format!("{body}\n\n"),
        }
    }

    /// An alert in the manner of HAProxy (`email-alert`): the log line is subject and text.
    pub fn haproxy(from: &str, to: &str, line: &str, date: Duration) -> Self {
        Self {
            from: from.to_owned(),
            to: vec![to.to_owned()],
            subject: format!("[HAProxy Alert] {line}"),
            date,
            headers: Vec::new(),
            body: line.to_owned(),
        }
    }

    /// The mail as text, every line ended by CR and LF; dots are not doubled.
    pub fn content(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = write!(out, "Date: {}\r\nFrom: {}\r\n", date(self.date), one_line(&self.from));
        let _ = write!(out, "Subject: {}\r\n", one_line(&self.subject));
        for (name, value) in &self.headers {
            let _ = write!(out, "{name}: {}\r\n", one_line(value));
        }
        let to: Vec<_> = self.to.iter().map(|to| one_line(to)).collect();
        // One recipient a line keeps long lists within the line length of RFC 5322 §2.1.1.
        let _ = write!(out, "To: {}\r\n\r\n", to.join(",\r\n "));
        for line in self.body.lines() {
            out.push_str(&line.replace('\r', ""));
            out.push_str("\r\n");
        }
        out
    }
}

/// A header value must not start another header.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A date as RFC 5322 §3.3 wants it, in UTC.
pub fn date(since_1970: Duration) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = since_1970.as_secs();
    let days = seconds / 86_400;
    let (year, month, day) = civil(days);
    format!(
        "{}, {day:02} {} {year} {:02}:{:02}:{:02} +0000",
        DAYS[(days % 7) as usize],
        MONTHS[month],
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
    )
}

/// Year, month (from 0) and day of a number of days since 1970, by the proleptic Gregorian calendar.
const fn civil(days: u64) -> (u64, usize, u64) {
    // Years that start in March put the leap day at the end; 719 468 days lie between 0000-03-01 and 1970-01-01.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12;
    let year = era * 400 + year_of_era + if month < 2 { 1 } else { 0 };
    (year, month as usize, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> String {
        date(Duration::from_secs(seconds))
    }

    #[test]
    fn dates_know_their_weekday_and_leap_years() {
        assert_eq!(at(0), "Thu, 01 Jan 1970 00:00:00 +0000");
        assert_eq!(at(951_782_399), "Mon, 28 Feb 2000 23:59:59 +0000");
        assert_eq!(at(951_782_400), "Tue, 29 Feb 2000 00:00:00 +0000");
        assert_eq!(at(1_795_365_770), "Sun, 22 Nov 2026 16:42:50 +0000");
        assert_eq!(at(4_107_542_400), "Mon, 01 Mar 2100 00:00:00 +0000");
        assert_eq!(at(1_735_689_599), "Tue, 31 Dec 2024 23:59:59 +0000");
    }

    /// Keepalived 2.2.7 sent this, apart from the recipients on one line.
    #[test]
    fn an_alert_reads_as_keepalived_writes_it() {
        let to = ["ops@example.com".to_owned(), "two@example.com".to_owned()];
        let mail = Mail::keepalived(
            "lb@example.com",
            &to,
            "[ROUTER1] VRRP Instance VI_1 - Entering MASTER state",
            "=> VRRP Instance is now owning VRRP VIPs <=",
            Duration::from_secs(1_795_365_773),
        );
        let lines: Vec<_> = mail.content().split("\r\n").map(str::to_owned).collect();
        assert_eq!(
            lines,
            [
                "Date: Sun, 22 Nov 2026 16:42:53 +0000",
                "From: lb@example.com",
                "Subject: [ROUTER1] VRRP Instance VI_1 - Entering MASTER state",
                "X-Mailer: Keepalived",
                "To: ops@example.com,",
                " two@example.com",
                "",
                "=> VRRP Instance is now owning VRRP VIPs <=",
                "",
                "",
            ]
        );
    }

    #[test]
    fn an_alert_of_haproxy_repeats_the_log_line() {
        let mail = Mail::haproxy("a@b", "c@d", "Server be/s is DOWN", Duration::ZERO).content();
        assert!(mail.contains("\r\nSubject: [HAProxy Alert] Server be/s is DOWN\r\n"));
        assert!(mail.ends_with("\r\n\r\nServer be/s is DOWN\r\n"));
    }

    #[test]
    fn nothing_from_outside_adds_a_header() {
        let to = ["x\r\nBcc: y".to_owned()];
        let mail =
            Mail::keepalived("a\nB: c", &to, "s\r\n\r\nbody", "one\r\ntwo\nthree", Duration::ZERO).content();
        let (head, body) = mail.split_once("\r\n\r\n").expect("an empty line ends the head");
        assert_eq!(head.lines().count(), 5, "{head}");
        assert_eq!(body, "one\r\ntwo\r\nthree\r\n\r\n");
    }
}
