//! Calendar arithmetic and the date texts of logs and converters; no clock, no zone files.

use super::sample::push_uint;

/// A broken-down date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    /// 1 to 12.
    pub(crate) month: u8,
    /// 1 to 31.
    pub(crate) day: u8,
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    pub(crate) second: u8,
    /// 0 is Sunday.
    pub(crate) weekday: u8,
    /// 0 to 365.
    pub(crate) yearday: u16,
    /// Seconds east of UTC.
    pub(crate) offset: i32,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// The month whose short English name `text` starts with, counted from 0.
pub(crate) fn month(text: &[u8]) -> Option<usize> {
    MONTHS.iter().position(|name| text.starts_with(short(name)))
}

/// The short English name of a month that is counted from 0.
pub(crate) fn month_name(month: usize) -> Option<&'static [u8]> {
    MONTHS.get(month).copied().map(short)
}

/// The short form of the name of a month or a day.
fn short(name: &str) -> &[u8] {
    &name.as_bytes()[..3]
}

/// Largest date handled, the end of the year 9999; anything beyond is clamped.
const MAX_SECONDS: i64 = 253_402_300_799;

impl Civil {
    /// The date `seconds` after the Unix epoch, `offset` seconds east of UTC.
    pub(crate) fn new(seconds: i64, offset: i32) -> Self {
        let local = seconds.clamp(-MAX_SECONDS, MAX_SECONDS) + i64::from(offset);
        let (days, rest) = (local.div_euclid(86_400), local.rem_euclid(86_400));
        // Days since 0000-03-01, in eras of 400 years (146097 days).
        let shifted = days + 719_468;
        let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let yearday = if month > 2 { of_year + 59 + i64::from(leap) } else { of_year - 306 };
        Self {
            year,
            month: month as u8,
            day: (of_year - (153 * shifted_month + 2) / 5 + 1) as u8,
            hour: (rest / 3600) as u8,
            minute: (rest / 60 % 60) as u8,
            second: (rest % 60) as u8,
            weekday: (days + 4).rem_euclid(7) as u8,
            yearday: yearday as u16,
            offset,
        }
    }

    fn month_name(&self) -> &'static str {
        MONTHS[usize::from(self.month - 1)]
    }

    fn day_name(&self) -> &'static str {
        DAYS[usize::from(self.weekday)]
    }

    /// `22/Nov/2026:15:08:30`.
    pub(crate) fn push_log(&self, out: &mut Vec<u8>) {
        push_two(out, self.day);
        out.push(b'/');
        out.extend_from_slice(short(self.month_name()));
        out.push(b'/');
        self.push_year(out);
        out.push(b':');
        self.push_time(out);
    }

    /// `Sun, 22 Nov 2026 15:08:30 GMT`; the zone is the caller's claim. A fraction is printed as
    /// the plain number it is, without leading zeroes, as it always was.
    pub(crate) fn push_http(&self, fraction: Option<i64>, out: &mut Vec<u8>) {
        out.extend_from_slice(short(self.day_name()));
        out.extend_from_slice(b", ");
        push_two(out, self.day);
        out.push(b' ');
        out.extend_from_slice(short(self.month_name()));
        out.push(b' ');
        self.push_year(out);
        out.push(b' ');
        self.push_time(out);
        if let Some(fraction) = fraction {
            out.push(b'.');
            super::sample::push_int(out, fraction);
        }
        out.extend_from_slice(b" GMT");
    }

    /// `Nov 22 15:08:30`, the day padded with a blank (RFC 3164).
    pub(crate) fn push_syslog(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(short(self.month_name()));
        out.push(b' ');
        push_blank_two(out, self.day);
        out.push(b' ');
        self.push_time(out);
    }

    /// `2026-11-22T15:08:30`.
    pub(crate) fn push_iso(&self, out: &mut Vec<u8>) {
        self.push_year(out);
        out.push(b'-');
        push_two(out, self.month);
        out.push(b'-');
        push_two(out, self.day);
        out.push(b'T');
        self.push_time(out);
    }

    /// `+0100`, or `+01:00` with a colon.
    pub(crate) fn push_zone(&self, out: &mut Vec<u8>, colon: bool) {
        out.push(if self.offset < 0 { b'-' } else { b'+' });
        let minutes = self.offset.unsigned_abs() / 60;
        push_two(out, (minutes / 60) as u8);
        if colon {
            out.push(b':');
        }
        push_two(out, (minutes % 60) as u8);
    }

    fn push_time(&self, out: &mut Vec<u8>) {
        push_two(out, self.hour);
        out.push(b':');
        push_two(out, self.minute);
        out.push(b':');
        push_two(out, self.second);
    }

    fn push_year(&self, out: &mut Vec<u8>) {
        if (0..=9999).contains(&self.year) {
            push_two(out, (self.year / 100) as u8);
            push_two(out, (self.year % 100) as u8);
        } else {
            super::sample::push_int(out, self.year);
        }
    }

    /// Expands a strftime format in the C locale. `%N` and `%1N` to `%9N` print the fraction.
    pub(crate) fn push_format(&self, format: &[u8], nanos: u32, seconds: i64, out: &mut Vec<u8>) {
        let mut rest = format;
        while let Some(at) = memchr::memchr(b'%', rest) {
            out.extend_from_slice(&rest[..at]);
            rest = &rest[at + 1..];
            rest = match rest {
                [digit @ b'1'..=b'9', b'N', tail @ ..] => {
                    push_fraction(out, nanos, usize::from(digit - b'0'));
                    tail
                }
                [b'N', tail @ ..] => {
                    push_fraction(out, nanos, 9);
                    tail
                }
                // Modifiers ask for the alternative forms of a locale, of which C has none.
                [b'E' | b'O', code, tail @ ..] | [code, tail @ ..] => {
                    self.push_field(*code, seconds, out);
                    tail
                }
                [] => {
                    out.push(b'%');
                    &[]
                }
            };
        }
        out.extend_from_slice(rest);
    }

    fn push_field(&self, code: u8, seconds: i64, out: &mut Vec<u8>) {
        let twelve = if self.hour.is_multiple_of(12) { 12 } else { self.hour % 12 };
        match code {
            b'a' => out.extend_from_slice(short(self.day_name())),
            b'A' => out.extend_from_slice(self.day_name().as_bytes()),
            b'b' | b'h' => out.extend_from_slice(short(self.month_name())),
            b'B' => out.extend_from_slice(self.month_name().as_bytes()),
            b'c' => self.push_format(b"%a %b %e %H:%M:%S %Y", 0, seconds, out),
            b'C' => push_two(out, (self.year / 100).rem_euclid(100) as u8),
            b'd' => push_two(out, self.day),
            b'D' | b'x' => self.push_format(b"%m/%d/%y", 0, seconds, out),
            b'e' => push_blank_two(out, self.day),
            b'F' => self.push_format(b"%Y-%m-%d", 0, seconds, out),
            b'g' => push_two(out, self.iso_week().0.rem_euclid(100) as u8),
            b'G' => super::sample::push_int(out, self.iso_week().0),
            b'H' => push_two(out, self.hour),
            b'I' => push_two(out, twelve),
            b'j' => {
                let day = self.yearday + 1;
                push_two(out, (day / 10) as u8);
                out.push(b'0' + (day % 10) as u8);
            }
            b'k' => push_blank_two(out, self.hour),
            b'l' => push_blank_two(out, twelve),
            b'm' => push_two(out, self.month),
            b'M' => push_two(out, self.minute),
            b'n' => out.push(b'\n'),
            b'p' => out.extend_from_slice(if self.hour < 12 { b"AM" } else { b"PM" }),
            b'P' => out.extend_from_slice(if self.hour < 12 { b"am" } else { b"pm" }),
            b'r' => self.push_format(b"%I:%M:%S %p", 0, seconds, out),
            b'R' => self.push_format(b"%H:%M", 0, seconds, out),
            b's' => super::sample::push_int(out, seconds),
            b'S' => push_two(out, self.second),
            b't' => out.push(b'\t'),
            b'T' | b'X' => self.push_time(out),
            b'u' => push_uint(out, if self.weekday == 0 { 7 } else { u64::from(self.weekday) }),
            b'U' => push_two(out, ((self.yearday + 7 - u16::from(self.weekday)) / 7) as u8),
            b'V' => push_two(out, self.iso_week().1),
            b'w' => push_uint(out, u64::from(self.weekday)),
            b'W' => push_two(out, ((self.yearday + 7 - u16::from((self.weekday + 6) % 7)) / 7) as u8),
            b'y' => push_two(out, self.year.rem_euclid(100) as u8),
            b'Y' => super::sample::push_int(out, self.year),
            b'z' => self.push_zone(out, false),
            b'Z' if self.offset == 0 => out.extend_from_slice(b"GMT"),
            b'Z' => self.push_zone(out, false),
            b'%' => out.push(b'%'),
            other => out.extend_from_slice(&[b'%', other]),
        }
    }

    /// ISO 8601 year and week.
    fn iso_week(&self) -> (i64, u8) {
        let monday_based = i64::from((self.weekday + 6) % 7);
        let week = (i64::from(self.yearday) - monday_based + 10) / 7;
        if week < 1 {
            return (self.year - 1, weeks_in(self.year - 1));
        }
        if week > i64::from(weeks_in(self.year)) {
            return (self.year + 1, 1);
        }
        (self.year, week as u8)
    }
}

/// A year has 53 ISO weeks if it starts or ends on a Thursday.
fn weeks_in(year: i64) -> u8 {
    let last_day =
        |year: i64| (year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400)).rem_euclid(7);
    if last_day(year) == 4 || last_day(year - 1) == 3 { 53 } else { 52 }
}

/// Appends the first `digits` digits of a fraction given in nanoseconds.
pub(crate) fn push_fraction(out: &mut Vec<u8>, nanos: u32, digits: usize) {
    let mut scale = 100_000_000;
    for _ in 0..digits.min(9) {
        out.push(b'0' + (nanos / scale % 10) as u8);
        scale = (scale / 10).max(1);
    }
}

fn push_two(out: &mut Vec<u8>, value: u8) {
    out.extend_from_slice(&[b'0' + value / 10 % 10, b'0' + value % 10]);
}

fn push_blank_two(out: &mut Vec<u8>, value: u8) {
    let tens = if value < 10 { b' ' } else { b'0' + value / 10 };
    out.extend_from_slice(&[tens, b'0' + value % 10]);
}

/// Seconds since the epoch of a date in UTC.
pub(crate) fn seconds_of(year: i64, month: i64, day: i64, hour: i64, minute: i64, second: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let shifted_month = (month + 9) % 12;
    let of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    days * 86_400 + hour * 3600 + minute * 60 + second
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(seconds: i64, offset: i32, format: &str) -> String {
        let mut out = Vec::new();
        Civil::new(seconds, offset).push_format(format.as_bytes(), 123_456_789, seconds, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dates_equal_those_of_the_c_library() {
        // Produced by `date -u -d @N +FORMAT` in the C locale.
        assert_eq!(format(1_792_682_910, 0, "%d/%b/%Y:%H:%M:%S %z"), "22/Oct/2026:15:28:30 +0000");
        assert_eq!(format(0, 0, "%a %A %b %B %e %j %u %w %y"), "Thu Thursday Jan January  1 001 4 4 70");
        assert_eq!(format(1_709_164_800, 0, "%F %j"), "2024-02-29 060");
        assert_eq!(format(1_735_689_599, 0, "%c|%U|%W|%V|%G"), "Tue Dec 31 23:59:59 2024|52|53|01|2025");
        assert_eq!(format(1_609_459_200, 0, "%V %G %g"), "53 2020 20");
        assert_eq!(format(951_782_400, 0, "%D %T"), "02/29/00 00:00:00");
        assert_eq!(format(0, -18_000, "%F %T %z %I %p"), "1969-12-31 19:00:00 -0500 07 PM");
        assert_eq!(format(0, 0, "%3N|%6N|%N|%%|%Q|%"), "123|123456|123456789|%|%Q|%");
    }

    #[test]
    fn every_day_of_eight_centuries_round_trips() {
        for days in (-150_000..150_000).step_by(7) {
            let seconds = i64::from(days) * 86_400 + 3_661;
            let date = Civil::new(seconds, 0);
            let back = seconds_of(
                date.year,
                date.month.into(),
                date.day.into(),
                date.hour.into(),
                date.minute.into(),
                date.second.into(),
            );
            assert_eq!(back, seconds);
        }
    }

    #[test]
    fn extreme_numbers_are_clamped() {
        for seconds in [i64::MIN, i64::MAX] {
            format(seconds, 0, "%c %G %V");
        }
    }
}
