//! The typed form: one line per value, with its tags and type.
//!
//! `S.4.1.17.status.1:SGPV:str:UP` is kind, proxy, server, position, name and process, then tags, type and value.
//! Management manual of HAProxy 3.4, section 9.2.

use crate::stats::field::{Row, Value};
use std::fmt::Write;

/// Appends the lines of one row; with `describe`, each ends with its description in quotes.
pub fn row(out: &mut String, row: &Row, describe: bool) {
    let kind = row.kind();
    let (proxy, id) = row.identity();
    for (column, value) in row.filled() {
        let (position, name) = (column.position(), column.name());
        // Writing to a string cannot fail.
        let _ = write!(out, "{}.{proxy}.{id}.{position}.{name}.1:{}:", kind.letter(), column.tags(kind));
        self::value(out, value);
        if describe {
            let _ = write!(out, ":\"{}\"", column.description());
        }
        out.push('\n');
    }
}

/// Appends type and value. Line ends inside a text become blanks, since a line is one value.
pub(crate) fn value(out: &mut String, value: &Value) {
    let _ = write!(out, "{}:", value.type_name());
    match value {
        Value::Text(text) => out.extend(text.chars().map(|c| if c.is_control() { ' ' } else { c })),
        other => {
            if let Some(number) = other.number() {
                let _ = write!(out, "{number}");
            }
        }
    }
}
