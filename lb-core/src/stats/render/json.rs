//! The JSON form: an array of lines, each an array of values with position, tags and type.

use crate::stats::field::{Row, Value, tag_words};
use std::fmt::Write;

/// JSON schema (draft 4) of [`rows`], of the process information, and of an error.
pub const SCHEMA: &str = include_str!("schema.json");

/// Appends all rows as one document with a line end.
pub fn rows<'a>(out: &mut String, rows: impl IntoIterator<Item = &'a Row>) {
    out.push('[');
    for (index, row) in rows.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        self::row(out, row);
    }
    out.push_str("]\n");
}

fn row(out: &mut String, row: &Row) {
    let kind = row.kind();
    let (proxy, id) = row.identity();
    out.push('[');
    for (index, (column, value)) in row.filled().enumerate() {
        if index > 0 {
            out.push(',');
        }
        // Writing to a string cannot fail.
        let _ = write!(out, "{{\"objType\":\"{}\",\"proxyId\":{proxy},\"id\":{id},", kind.name());
        field(out, column.position(), column.name(), column.tags(kind), value);
        out.push('}');
    }
    out.push(']');
}

/// Appends the members every value has, in the statistics and in the process information.
pub(crate) fn field(out: &mut String, position: usize, name: &str, tags: &str, value: &Value) {
    let [origin, nature, scope] = tag_words(tags);
    let _ = write!(out, "\"field\":{{\"pos\":{position},\"name\":");
    string(out, name);
    let _ = write!(
        out,
        "}},\"processNum\":1,\"tags\":{{\"origin\":\"{origin}\",\"nature\":\"{nature}\",\"scope\":\"{scope}\"}},\
         \"value\":{{\"type\":\"{}\",\"value\":",
        value.type_name()
    );
    match value {
        Value::Text(text) => string(out, text),
        other => {
            let _ = write!(out, "{}", other.number().unwrap_or_default());
        }
    }
    out.push('}');
}

/// Appends a string literal.
pub(crate) fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped() {
        let mut out = String::new();
        string(&mut out, "a\"b\\c\n\u{1}é</script>");
        assert_eq!(out, "\"a\\\"b\\\\c\\n\\u0001é</script>\"");
    }
}
