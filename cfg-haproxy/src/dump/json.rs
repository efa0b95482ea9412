//! A writer of indented JSON: objects and lists as nested calls.

use std::fmt::Write as _;
use std::time::Duration;

/// Text that grows.
#[derive(Debug, Default)]
pub(super) struct Json {
    out: String,
    depth: usize,
    /// Something stands before in the present object or list.
    filled: bool,
}

impl Json {
    pub(super) fn finish(mut self) -> String {
        self.out.push('\n');
        self.out
    }

    /// A value of its own: an item of a list, or the whole text.
    pub(super) fn object(&mut self, fill: impl FnOnce(&mut Self)) {
        self.item();
        self.nest('{', '}', fill);
    }

    /// A member that is an object.
    pub(super) fn member(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.name(name);
        self.nest('{', '}', fill);
    }

    /// A member that is a list; left out if it is empty.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        each: impl Fn(&mut Self, T),
    ) {
        let mut items = items.into_iter().peekable();
        if items.peek().is_some() {
            self.name(name);
            self.nest('[', ']', |json| items.for_each(|item| each(json, item)));
        }
    }

    /// A list of texts; left out if it is empty.
    pub(super) fn texts<S: AsRef<str>>(&mut self, name: &str, items: impl IntoIterator<Item = S>) {
        self.list(name, items, |json, item| {
            json.item();
            json.quoted(item.as_ref());
        });
    }

    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.quoted(value);
    }

    /// A text that may be absent.
    pub(super) fn some(&mut self, name: &str, value: Option<impl AsRef<str>>) {
        if let Some(value) = value {
            self.text(name, value.as_ref());
        }
    }

    pub(super) fn number(&mut self, name: &str, value: impl Into<i64>) {
        self.name(name);
        let _ = write!(self.out, "{}", value.into());
    }

    pub(super) fn some_number(&mut self, name: &str, value: Option<impl Into<i64>>) {
        if let Some(value) = value {
            self.number(name, value);
        }
    }

    pub(super) fn flag(&mut self, name: &str, value: bool) {
        self.name(name);
        self.out.push_str(if value { "true" } else { "false" });
    }

    /// A time in milliseconds; absent if there is none.
    pub(super) fn time(&mut self, name: &str, value: impl Into<Option<Duration>>) {
        if let Some(time) = value.into() {
            self.number(name, i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
        }
    }

    fn nest(&mut self, open: char, close: char, fill: impl FnOnce(&mut Self)) {
        self.out.push(open);
        self.depth += 1;
        self.filled = false;
        fill(self);
        self.depth -= 1;
        if self.filled {
            self.line();
        }
        self.out.push(close);
        self.filled = true;
    }

    fn name(&mut self, name: &str) {
        self.item();
        self.quoted(name);
        self.out.push_str(": ");
    }

    fn item(&mut self) {
        if self.filled {
            self.out.push(',');
        }
        self.filled = true;
        if self.depth > 0 {
            self.line();
        }
    }

    fn line(&mut self) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n("  ", self.depth));
    }

    fn quoted(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => self.out.extend(['\\', c]),
                '\n' => self.out.push_str("\\n"),
                c if (c as u32) < 0x20 => {
                    let _ = write!(self.out, "\\u{:04x}", c as u32);
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_and_lists_nest() {
        let mut json = Json::default();
        json.object(|json| {
            json.text("a", "x\"\n\u{1}");
            json.list("l", [1, 2], |json, n| json.object(|json| json.number("n", n)));
            json.list("none", [0; 0], |json, n| json.number("n", n));
            json.member("o", |json| json.flag("f", true));
        });
        let expected = "{\n  \"a\": \"x\\\"\\n\\u0001\",\n  \"l\": [\n    {\n      \"n\": 1\n    },\n    {\n      \"n\": 2\n    }\n  ],\n  \"o\": {\n    \"f\": true\n  }\n}\n";
        assert_eq!(json.finish(), expected);
    }
}
