//! The CSV form, byte for byte what exporters have been reading for years.
//!
//! Every line ends with a comma, the header starts with `# `, and a `-` separates the fixed columns from those of the
//! modules. Management manual of HAProxy 3.4, section 9.1.

use crate::stats::field::{Column, Row, Value};
use std::fmt::Write;

/// Appends the header line.
pub fn header(out: &mut String) {
    out.push_str("# ");
    for column in Column::ALL {
        if *column == Column::FIRST_OF_MODULES {
            out.push_str("-,");
        }
        out.push_str(column.name());
        out.push(',');
    }
    out.push('\n');
}

/// Appends one line.
pub fn row(out: &mut String, row: &Row) {
    for column in Column::ALL {
        if *column == Column::FIRST_OF_MODULES {
            out.push_str("-,");
        }
        value(out, row.value(*column));
        out.push(',');
    }
    out.push('\n');
}

fn value(out: &mut String, value: &Value) {
    match value {
        Value::Text(text) => quoted(out, text),
        other => {
            if let Some(number) = other.number() {
                // Writing to a string cannot fail.
                let _ = write!(out, "{number}");
            }
        }
    }
}

/// Appends `text`, in quotes if it contains anything that would end the cell.
fn quoted(out: &mut String, text: &str) {
    if !text.contains(['"', ',', '\r', '\n']) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        if c == '"' {
            out.push('"');
        }
        out.push(c);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cells_that_need_quotes_get_them() {
        let text = |text: &str| {
            let mut out = String::new();
            quoted(&mut out, text);
            out
        };
        assert_eq!(text("Connection refused (x)"), "Connection refused (x)");
        assert_eq!(text("a,b"), "\"a,b\"");
        assert_eq!(text("say \"hi\""), "\"say \"\"hi\"\"\"");
        assert_eq!(text("a\nb"), "\"a\nb\"");
    }
}
