//! A reload at a time that a file names.

use std::time::{Duration, Instant};

use super::files::beginning;
use super::sys::{civil_time, unix_time};
use crate::spec::ReloadTime;

/// How often the file and the clock on the wall are looked at.
const PERIOD: Duration = Duration::from_secs(1);
/// More of the file than this is no time.
const FILE_LIMIT: u64 = 64;
const DAY: i64 = 86_400;

/// The file, what it said last, and when that is.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    wanted: Option<ReloadTime>,
    said: Option<String>,
    due: Option<When>,
    look_at: Option<Instant>,
}

/// What came of looking.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Looked {
    /// The time has come.
    pub(super) reload: bool,
    /// What the log should say.
    pub(super) lines: Vec<String>,
}

/// A time in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct When {
    unix: i64,
    /// With a date it comes once.
    dated: bool,
}

impl Schedule {
    /// Takes over what a specification says; what is scheduled stays if the file is the same.
    pub(super) fn configure(&mut self, now: Instant, wanted: Option<&ReloadTime>) {
        if self.wanted.as_ref().map(|w| &w.path) != wanted.map(|w| &w.path) {
            *self = Self { look_at: wanted.is_some().then_some(now), ..Self::default() };
        }
        self.wanted = wanted.cloned();
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due; never if no file is to be looked at.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.look_at
    }

    /// Looks at the file and at the clock. `clock` is seconds since 1970.
    pub(super) fn handle_timeout(&mut self, now: Instant, clock: i64) -> Looked {
        let Some(wanted) = self.wanted.clone() else { return Looked::default() };
        self.look_at = Some(now + PERIOD);
        let mut looked = Looked { reload: false, lines: self.hear(first_line(&wanted.path), clock) };
        if let Some(when) = self.due.filter(|when| when.unix <= clock) {
            looked.reload = true;
            if wanted.repeat && !when.dated {
                // On a day of which the clock skips this time it comes as if it had not.
                let tomorrow = When { unix: when.unix + DAY, ..when };
                let said = self.said.as_deref().and_then(|text| parse(text, clock).ok());
                self.due = Some(said.unwrap_or(tomorrow));
            } else {
                self.due = None;
                if let Err(error) = std::fs::remove_file(&wanted.path) {
                    looked.lines.push(format!("cannot remove the reload time file {}: {error}", wanted.path));
                }
                self.said = first_line(&wanted.path);
            }
        }
        looked
    }

    /// Takes in what the file says now.
    fn hear(&mut self, said: Option<String>, clock: i64) -> Vec<String> {
        if said == self.said {
            return Vec::new();
        }
        let before = self.due.take();
        let found = said.as_deref().map(|text| parse(text, clock));
        self.said = said;
        let line = match (before, found) {
            (None, None) => return Vec::new(),
            (Some(before), None) => format!("Cancelling reload scheduled for {}", show(before.unix)),
            (_, Some(Err(problem))) => problem,
            (before, Some(Ok(when))) => {
                self.due = Some(when);
                match before {
                    Some(before) => {
                        format!("Reload time updated from {} to {}", show(before.unix), show(when.unix))
                    }
                    None => format!("Scheduling reload for {}", show(when.unix)),
                }
            }
        };
        vec![line]
    }
}

fn first_line(path: &str) -> Option<String> {
    let text = beginning(path, FILE_LIMIT)?;
    let text = String::from_utf8_lossy(&text);
    Some(text.split('\n').next().unwrap_or_default().to_owned())
}

fn show(unix: i64) -> String {
    let [year, month, day, hour, minute, second] = civil_time(unix, false);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// `HH:MM:SS`, `YY-MM-DD HH:MM:SS` or `YYYY-MM-DD HH:MM:SS`, each with a Z behind it when it is UTC. A time without a date is
/// that of today or of tomorrow.
fn parse(text: &str, clock: i64) -> Result<When, String> {
    let wrong = || format!("Reload time {text:?} format is incorrect - ignoring");
    let (rest, utc) = text.strip_suffix('Z').map_or((text, false), |rest| (rest, true));
    let (date, time) = rest.split_once(' ').map_or((None, rest), |(date, time)| (Some(date), time));
    let [hour, minute, second] = numbers(time, ':', &[2]).ok_or_else(wrong)?;
    let at = |[year, month, day]: [i32; 3]| {
        let unix = unix_time([year, month, day, hour, minute, second], utc);
        unix.ok_or_else(|| format!("Reload date/time {text:?} invalid - ignoring"))
    };
    if let Some(date) = date {
        let [year, month, day] = numbers(date, '-', &[2, 4]).ok_or_else(wrong)?;
        let unix = at([if year < 100 { year + 2000 } else { year }, month, day])?;
        let ahead = (unix > clock).then_some(When { unix, dated: true });
        return ahead.ok_or_else(|| format!("Reload time {text:?} is in the past - ignoring"));
    }
    let on_day_of = |clock| {
        let [year, month, day, ..] = civil_time(clock, utc);
        at([year, month, day])
    };
    let today = on_day_of(clock)?;
    let unix = if today > clock { today } else { on_day_of(clock + DAY)? };
    Ok(When { unix, dated: false })
}

/// Three numbers of two digits; the first may be longer.
fn numbers(text: &str, between: char, first: &[usize]) -> Option<[i32; 3]> {
    let mut parts = text.split(between);
    let mut next = |lengths: &[usize]| {
        let part = parts.next()?;
        let plain = lengths.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        if plain { part.parse().ok() } else { None }
    };
    let found = [next(first)?, next(&[2])?, next(&[2])?];
    parts.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23 05:00:00 UTC.
    const CLOCK: i64 = 1_795_410_000;

    #[test]
    fn times_are_read_as_they_are_documented() {
        let when = |unix, dated| Ok(When { unix, dated });
        assert_eq!(parse("05:00:01Z", CLOCK), when(CLOCK + 1, false));
        assert_eq!(parse("05:00:00Z", CLOCK), when(CLOCK + DAY, false), "tomorrow");
        assert_eq!(parse("26-11-24 05:00:00Z", CLOCK), when(CLOCK + DAY, true));
        assert_eq!(parse("2026-11-24 05:00:00Z", CLOCK), when(CLOCK + DAY, true));
        for (text, problem) in [
            ("", "incorrect"),
            (" 05:00:01", "incorrect"),
            ("5:00:01", "incorrect"),
            ("05:00", "incorrect"),
            ("05:00:01:02", "incorrect"),
            ("+5:00:01", "incorrect"),
            ("2026-11-24  05:00:00", "incorrect"),
            ("202-11-24 05:00:00", "incorrect"),
            ("05:00:01Z ", "incorrect"),
            ("2026-02-30 05:00:00Z", "invalid"),
            ("2027-01-01 25:00:00Z", "invalid"),
            ("2026-11-23 05:00:00Z", "past"),
        ] {
            let told = parse(text, CLOCK).unwrap_err();
            assert!(told.contains(problem), "{text:?}: {told}");
        }
    }

    #[test]
    fn local_time_comes_back_as_it_was() {
        let parts = civil_time(CLOCK, false);
        assert_eq!(unix_time(parts, false), Some(CLOCK));
        assert_eq!(civil_time(CLOCK, true), [2026, 11, 23, 5, 0, 0]);
    }

    /// A schedule and its file.
    fn schedule(name: &str, repeat: bool) -> (Schedule, String, Instant) {
        let path = std::env::temp_dir().join(format!("lb-reload-{name}-{}", std::process::id()));
        let path = path.to_str().unwrap().to_owned();
        let _ = std::fs::remove_file(&path);
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        schedule.configure(now, Some(&ReloadTime::new(path.as_str(), repeat)));
        assert_eq!(schedule.poll_timeout(), Some(now));
        (schedule, path, now)
    }

    #[test]
    fn the_file_is_followed_and_removed_when_the_time_has_come() {
        let (mut schedule, path, now) = schedule("once", false);
        assert_eq!(schedule.handle_timeout(now, CLOCK), Looked::default());
        std::fs::write(&path, "05:00:30Z\n").unwrap();
        assert!(schedule.handle_timeout(now, CLOCK).lines[0].starts_with("Scheduling reload for 20"));
        assert_eq!(schedule.handle_timeout(now, CLOCK), Looked::default());
        std::fs::write(&path, "05:00:20Z\n").unwrap();
        assert!(schedule.handle_timeout(now, CLOCK).lines[0].starts_with("Reload time updated from"));
        assert!(!schedule.handle_timeout(now, CLOCK + 19).reload);
        assert!(schedule.handle_timeout(now, CLOCK + 20).reload);
        assert!(!std::path::Path::new(&path).exists());
        assert_eq!(schedule.handle_timeout(now, CLOCK + 21), Looked::default());
    }

    #[test]
    fn a_removed_file_cancels() {
        let (mut schedule, path, now) = schedule("cancel", false);
        std::fs::write(&path, "05:00:30Z").unwrap();
        schedule.handle_timeout(now, CLOCK);
        std::fs::remove_file(&path).unwrap();
        assert!(schedule.handle_timeout(now, CLOCK).lines[0].starts_with("Cancelling reload"));
        assert!(!schedule.handle_timeout(now, CLOCK + 31).reload);
    }

    #[test]
    fn a_time_that_repeats_comes_every_day() {
        let (mut schedule, path, now) = schedule("daily", true);
        std::fs::write(&path, "05:00:30Z").unwrap();
        schedule.handle_timeout(now, CLOCK);
        assert!(schedule.handle_timeout(now, CLOCK + 30).reload);
        assert!(!schedule.handle_timeout(now, CLOCK + 31).reload);
        assert!(schedule.handle_timeout(now, CLOCK + 30 + DAY).reload);
        std::fs::remove_file(&path).unwrap();
    }
}
