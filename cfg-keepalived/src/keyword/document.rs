//! The compatibility page, generated from the table.

use super::{BlockId, Body, Keyword, Status};
use std::fmt::Write as _;

/// `docs/compat/keepalived.md`: every keyword with its usage and what becomes of it.
pub fn compat_page() -> String {
    let mut out = String::from(
        "# keepalived.conf: keyword by keyword\n\n\
         Generated from the keyword table of `cfg-keepalived`; a test fails when they differ, `UPDATE_GOLDEN=1` \
         rewrites this file.\n\n\
         *full*: as the manual says · *partial*: with the difference named · *no effect*: read and checked, one warning \
         at its first use · *refused*: an error · *ours*: not in the original.\n\n\
         The file syntax (comments, quotes, `@conditions`, `$definitions`, `~SEQ`, `~LST`, `include`) is complete, see \
         the crate documentation.\n",
    );
    summary(&mut out);
    for block in BlockId::ALL {
        let title = if block == BlockId::Root { "Outermost level" } else { block.name() };
        let _ = write!(out, "\n## {title}\n\n| keyword | what it does | status |\n|---|---|---|\n");
        for keyword in block.keywords() {
            row(&mut out, keyword);
        }
    }
    out
}

fn summary(out: &mut String) {
    let mut counts = [0usize; 4];
    for block in BlockId::ALL {
        for keyword in block.keywords() {
            let index = match keyword.status {
                Status::Full => 0,
                Status::Partial(_) => 1,
                Status::NoEffect(_) => 2,
                Status::Refused(_) => 3,
            };
            counts[index] += 1;
        }
    }
    let total: usize = counts.iter().sum();
    let [full, partial, idle, refused] = counts;
    let _ = write!(
        out,
        "\n{total} keywords: {full} full, {partial} partial, {idle} without effect, {refused} refused.\n"
    );
}

fn row(out: &mut String, keyword: &Keyword) {
    let ranges: Vec<String> = keyword.args.iter().map(|a| a.range()).filter(|r| !r.is_empty()).collect();
    let range = if ranges.is_empty() { String::new() } else { format!(" ({})", ranges.join("; ")) };
    let old = keyword.replaced_by.map_or_else(String::new, |new| format!("; deprecated for `{new}`"));
    let ours = if keyword.original { "" } else { " *ours*" };
    let inner = match keyword.body {
        Body::Block(block) if block.name() != keyword.name => format!("; keywords as in `{}`", block.name()),
        _ => String::new(),
    };
    let status = match keyword.status {
        Status::Full => "full".to_owned(),
        Status::Partial(note) => format!("partial: {note}"),
        Status::NoEffect(why) => format!("no effect: {why}"),
        Status::Refused(why) => format!("refused: {why}"),
    };
    let usage = keyword.usage().replace('|', "\\|");
    let _ = writeln!(out, "| `{usage}` | {}{range}{inner}{old}{ours} | {status} |", keyword.doc);
}
