//! What runs in the same program beside the engine and is shown where the engine is: on the control socket, on the
//! statistics page and among the metrics.
//!
//! The engine knows nothing of it but this: words, a table, text. A companion may live in another process, so each
//! answer is a [`Poll`]: [`Poll::Pending`] says that the question is on its way and is to be put again in a moment.
//! Nothing here blocks.

use crate::ctl::{Reply, SocketLevel, Words};
use std::fmt::Debug;
use std::task::Poll;
use std::time::Duration;

/// How long a companion may owe an answer before it is taken for silent.
pub const PATIENCE: Duration = Duration::from_secs(1);
/// How soon a question is put again that was not answered yet.
pub const AGAIN: Duration = Duration::from_millis(20);

/// Something that runs beside the engine.
pub trait Companion: Debug + Send + Sync {
    /// Help lines of its commands: usage and description.
    fn usages(&self) -> &[(&'static str, &'static str)];

    /// Its answer to a command; `None` if the command is not one of its own.
    fn command(&self, words: &Words, level: SocketLevel) -> Option<Poll<Reply>>;

    /// Its section of the statistics page.
    fn table(&self) -> Poll<Table>;

    /// Its metrics in the text format of Prometheus.
    fn metrics(&self) -> Poll<String>;

    /// Whether a session of its own with a neighbour is up; nothing if it knows none of this name.
    fn session(&self, _name: &str) -> Poll<Option<bool>> {
        Poll::Ready(None)
    }
}

/// A section of the statistics page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data that companions build")]
pub struct Table {
    /// Its heading.
    pub title: String,
    /// The heads of its columns.
    pub columns: Vec<String>,
    /// Its rows.
    pub rows: Vec<TableRow>,
}

/// A row of a [`Table`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data that companions build")]
pub struct TableRow {
    /// Its colour.
    pub mood: Mood,
    /// Its cells, in the order of the columns.
    pub cells: Vec<String>,
}

/// What a row says at a glance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the colours of the statistics page that others may use")]
pub enum Mood {
    /// Neither good nor bad.
    #[default]
    Plain,
    /// At work.
    Active,
    /// Ready to work.
    Standby,
    /// Something needs attention.
    Warning,
    /// Out of order.
    Broken,
}

impl Mood {
    fn of_letter(letter: &str) -> Self {
        match letter {
            "a" => Self::Active,
            "s" => Self::Standby,
            "w" => Self::Warning,
            "b" => Self::Broken,
            _ => Self::Plain,
        }
    }
}

impl Table {
    /// Reads a table that comes from another process: lines of cells, each ended by a tab. The first line is the title and
    /// the heads of the columns; the first cell of every other line is the letter of its mood: `a`ctive, `s`tandby,
    /// `w`arning, `b`roken, or anything else for a plain one.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let mut lines = text.lines().map(|line| {
            let mut cells: Vec<String> = line.split_terminator('\t').map(str::to_owned).collect();
            let first = if cells.is_empty() { String::new() } else { cells.remove(0) };
            (first, cells)
        });
        let (title, columns) = lines.next().unwrap_or_default();
        let row = |(letter, cells): (String, Vec<String>)| TableRow { mood: Mood::of_letter(&letter), cells };
        Self { title, columns, rows: lines.map(row).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_travels_as_text() {
        let table = Table::from_text("Things\ta\t\tc\t\nb\t<x>\t\tü y\t\n-\t\t\t\t\n");
        assert_eq!(
            (table.title.as_str(), table.columns.as_slice()),
            ("Things", &["a", "", "c"].map(str::to_owned)[..])
        );
        let moods: Vec<Mood> = table.rows.iter().map(|row| row.mood).collect();
        assert_eq!(moods, [Mood::Broken, Mood::Plain]);
        assert_eq!(table.rows[0].cells, ["<x>", "", "ü y"]);
        assert_eq!(table.rows[1].cells, ["", "", ""]);
        assert_eq!(Table::from_text(""), Table::default());
    }
}
