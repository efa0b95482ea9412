//! What is going on, one line per virtual router, for pages that show many things.

use super::status::{fault, finding, priority_sum, span, state_word};
use crate::stats::{InstanceSnapshot, Snapshot, StateKind};

/// The heads of the columns.
const COLUMNS: [&str; 9] =
    ["Router", "VRID", "State", "Since", "Why", "Priority", "Addresses", "Heard", "Trouble"];

/// Every instance as a line of cells, each ended by a tab. The first line are the title and the heads of the columns; the
/// first cell of the others is a letter: `b` for broken (a fault, or two masters at once), `w` for a warning, `a` for an
/// active master, `s` for a standby, `-` for anything else.
#[must_use]
pub fn table(snapshot: &Snapshot) -> String {
    let mut out = String::new();
    line(&mut out, std::iter::once("Virtual routers").chain(COLUMNS));
    for instance in &snapshot.instances {
        let cells = cells(instance);
        line(&mut out, std::iter::once(letter(instance)).chain(cells.iter().map(String::as_str)));
    }
    out
}

fn line<'a>(out: &mut String, cells: impl Iterator<Item = &'a str>) {
    for cell in cells {
        out.extend(cell.chars().map(|c| if c.is_control() { ' ' } else { c }));
        out.push('\t');
    }
    out.push('\n');
}

fn letter(instance: &InstanceSnapshot) -> &'static str {
    match instance.state {
        _ if instance.findings.iter().any(|finding| finding.split) => "b",
        StateKind::Fault => "b",
        _ if !instance.findings.is_empty() => "w",
        StateKind::Master | StateKind::Releasing => "a",
        StateKind::Backup => "s",
        StateKind::Init | StateKind::Stopped => "-",
    }
}

fn cells(instance: &InstanceSnapshot) -> [String; COLUMNS.len()] {
    let addresses: Vec<String> = instance.addresses.iter().map(ToString::to_string).collect();
    let trouble: Vec<String> =
        instance.faults.iter().map(fault).chain(instance.findings.iter().map(finding)).collect();
    let interface = instance.interface.as_ref().map_or("-", |name| name.as_str());
    [
        instance.name.to_string(),
        format!("{} on {interface}", instance.vrid),
        state_word(instance.state).to_owned(),
        instance.since_transition.map_or_else(|| "-".to_owned(), span),
        instance.why.clone().unwrap_or_default(),
        priority_sum(instance),
        addresses.join(" "),
        heard(instance),
        trouble.join("; "),
    ]
}

/// Whom it heard last, and how many packets were good and bad.
fn heard(instance: &InstanceSnapshot) -> String {
    let stats = &instance.stats;
    let counts = format!("{} adverts, {} refused", stats.adverts_received, stats.rejected_total());
    let good = instance.senders.iter().filter_map(|sender| Some((sender.source, sender.last_accepted?)));
    match good.min_by_key(|(_, (_, _, age))| *age) {
        Some((source, (priority, _, age))) => {
            format!("{source} with priority {priority} {} ago; {counts}", span(age))
        }
        None => counts,
    }
}
