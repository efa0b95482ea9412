//! Writing HTML: every text passes through [`Html::text`], which escapes it.

use std::fmt::{self, Write};

/// A document under construction.
#[derive(Debug, Default)]
pub(super) struct Html {
    out: String,
}

impl Html {
    /// Appends markup, which must not contain anything from outside.
    pub(super) fn raw(&mut self, markup: &str) -> &mut Self {
        self.out.push_str(markup);
        self
    }

    /// Appends text, escaped for content and for quoted attributes.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                '\'' => self.out.push_str("&#39;"),
                c if c.is_control() && c != '\n' => self.out.push(' '),
                c => self.out.push(c),
            }
        }
        self
    }

    /// Appends anything that can be displayed, escaped.
    pub(super) fn show(&mut self, value: impl fmt::Display) -> &mut Self {
        let text = value.to_string();
        self.text(&text)
    }

    /// Appends a number with its thousands set apart.
    pub(super) fn number(&mut self, number: u64) -> &mut Self {
        let digits = number.to_string();
        let first = digits.len() % 3;
        let (head, tail) = digits.split_at(if first == 0 { 3.min(digits.len()) } else { first });
        self.out.push_str(head);
        for at in (0..tail.len()).step_by(3) {
            // A gap by style and not by a blank, so that copied numbers stay numbers.
            let _ = write!(self.out, "<i>{}</i>", &tail[at..at + 3]);
        }
        self
    }

    /// A cell with a number.
    pub(super) fn cell(&mut self, number: u64) -> &mut Self {
        self.raw("<td>").number(number).raw("</td>")
    }

    /// A cell with a limit, `-` if there is none.
    pub(super) fn limit(&mut self, limit: Option<u64>) -> &mut Self {
        match limit {
            Some(limit) => self.cell(limit),
            None => self.raw("<td>-</td>"),
        }
    }

    /// `count` empty cells.
    pub(super) fn blank(&mut self, count: usize) -> &mut Self {
        for _ in 0..count {
            self.out.push_str("<td></td>");
        }
        self
    }

    /// A cell with text in its middle.
    pub(super) fn middle(&mut self, text: impl fmt::Display) -> &mut Self {
        self.raw("<td class=\"mid\">").show(text).raw("</td>")
    }

    /// A number with a table that shows when it is pointed at.
    pub(super) fn detailed(&mut self, number: u64, details: &Details) -> &mut Self {
        self.raw("<td><span class=\"tip\">").number(number).raw("<span><table>");
        self.raw(&details.rows.out).raw("</table></span></span></td>")
    }

    /// Text with a remark that shows when it is pointed at.
    pub(super) fn remarked(&mut self, text: impl fmt::Display, remark: &str) -> &mut Self {
        self.raw("<span class=\"tip\">").show(text).raw("<span>").text(remark).raw("</span></span>")
    }

    /// The document.
    pub(super) fn finish(self) -> String {
        self.out
    }
}

/// Rows of a tooltip.
#[derive(Debug, Default)]
pub(super) struct Details {
    rows: Html,
}

impl Details {
    /// A row with a number.
    pub(super) fn count(&mut self, label: &str, number: u64) -> &mut Self {
        self.rows.raw("<tr><th>").text(label).raw("</th><td>").number(number).raw("</td></tr>");
        self
    }

    /// A row with a number and its share of `whole` in percent.
    pub(super) fn share(&mut self, label: &str, number: u64, whole: u64) -> &mut Self {
        let percent = if whole == 0 { 0 } else { u128::from(number) * 100 / u128::from(whole) };
        self.rows.raw("<tr><th>").text(label).raw("</th><td>").number(number).raw("</td><td>(");
        self.rows.show(percent).raw("%)</td></tr>");
        self
    }

    /// A row with text.
    pub(super) fn word(&mut self, label: &str, text: impl fmt::Display) -> &mut Self {
        self.rows.raw("<tr><th>").text(label).raw("</th><td>").show(text).raw("</td></tr>");
        self
    }
}

/// A duration in at most two units: `45s`, `3m12s`, `5h7m`, `2d4h`.
pub(super) fn age(seconds: u32) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_from_outside_is_escaped() {
        let mut html = Html::default();
        html.text("<script>\"'&\u{1b}").show("<b>").middle("<i>").remarked("<a>", "<u>");
        let out = html.finish();
        assert!(out.starts_with("&lt;script&gt;&quot;&#39;&amp; &lt;b&gt;"), "{out}");
        for tag in ["<script", "<b>", "<i>", "<a>", "<u>"] {
            assert!(!out.contains(tag), "{tag} in {out}");
        }
    }

    #[test]
    fn thousands_are_set_apart() {
        let number = |number| {
            let mut html = Html::default();
            html.number(number);
            html.finish()
        };
        assert_eq!([0, 12, 123].map(number), ["0", "12", "123"]);
        assert_eq!(number(1234), "1<i>234</i>");
        assert_eq!(number(123_456), "123<i>456</i>");
        assert_eq!(number(u64::MAX).matches("<i>").count(), 6);
    }

    #[test]
    fn ages_have_two_units() {
        assert_eq!(
            [0, 59, 60, 3599, 3600, 86_399, 86_400, 200_000].map(age),
            ["0s", "59s", "1m0s", "59m59s", "1h0m", "23h59m", "1d0h", "2d7h"]
        );
    }
}
