//! What is going on, as text: for people, and in the formats of keepalived's data files, which monitoring reads.
//!
//! Pure functions of a specification and a snapshot. The wall clock is an argument, as seconds since 1970.

mod address;
mod bfd;
mod data;
mod global;
mod instance;
mod interface;
mod json;
mod metrics;
mod route;
mod stats;
mod status;
mod table;
#[cfg(test)]
mod tests;
mod trackers;

use std::time::Duration;

use crate::stats::Snapshot;

pub use bfd::bfd;
pub use data::{data, line, yes};
pub use global::global;
pub use json::json;
pub use metrics::metrics;
pub use stats::stats;
pub use status::status;
pub use table::table;

/// The sessions with neighbours: a line with the name and `up` or `down` for each.
#[must_use]
pub fn sessions(snapshot: &Snapshot) -> String {
    let sessions = snapshot.trackers.iter().filter(|tracker| tracker.kind == "bfd");
    let state = |up: Option<bool>| if up == Some(true) { "up" } else { "down" };
    sessions.map(|session| format!("{} {}\n", session.name, state(session.up))).collect()
}

/// A moment as keepalived writes it: seconds and microseconds, and the date in words. The date is that of the zone `offset`
/// seconds east of Greenwich.
fn moment(at: Duration, offset: i32) -> String {
    let seconds = at.as_secs().saturating_add_signed(offset.into());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(days % 7) as usize];
    let name = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        [month as usize - 1];
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let micros = at.subsec_micros();
    format!(
        "{}.{micros:06} ({weekday} {name} {day:2} {hour:02}:{minute:02}:{second:02}.{micros:06} {year})",
        at.as_secs()
    )
}

/// Year, month and day of a day counted from 1970-01-01.
fn civil(days: u64) -> (u64, u64, u64) {
    // Years begin in March here, so that the odd day comes last.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, of_month)
}
