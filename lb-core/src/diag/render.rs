//! The three faces of a diagnostic: one line as the original programs print it, rich with carets, JSON.
//!
//! All functions append to a string; printing is the program's business.

use super::{Diagnostic, Diagnostics, Severity, SourceMap, Span};
use std::fmt::Write as _;

/// Most diagnostics of one kind that are shown: who has not read these does not read more.
const MOST: usize = 200;

/// The face that somebody chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(clippy::exhaustive_enums, reason = "there are three faces")]
pub enum Format {
    /// For people on a terminal, the original's otherwise.
    #[default]
    Auto,
    /// For people.
    Human,
    /// One line as the original prints it, whose configuration this is.
    Original,
    /// JSON, one object a line.
    Json,
}

impl Format {
    const NAMES: [(&str, Self); 4] =
        [("auto", Self::Auto), ("human", Self::Human), ("haproxy", Self::Original), ("json", Self::Json)];

    /// Its name, from which [`str::parse`] makes it again.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, format)| *format == self).map_or("", |(name, _)| name)
    }
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::NAMES.iter().find(|(name, _)| *name == word);
        let format = found.map(|(_, format)| *format);
        format.ok_or_else(|| format!("`{word}` is not a format; there are auto, human, haproxy and json"))
    }
}

/// Where diagnostics are shown, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Style {
    /// The face that is wanted.
    pub format: Format,
    /// Whether they go to a terminal.
    pub terminal: bool,
    /// The process that shows them.
    pub pid: u32,
}

impl Style {
    /// All of `diagnostics` in one text, those beyond a few hundred of a kind by their number; `original` writes the one-line
    /// form of the dialect.
    pub fn render(
        self,
        map: &SourceMap,
        diagnostics: &Diagnostics,
        original: impl Fn(&mut String, &Diagnostic),
    ) -> String {
        let color = if self.terminal { Color::On } else { Color::Off };
        let mut out = String::new();
        for diagnostic in &diagnostics.condensed(MOST) {
            match self.format {
                Format::Json => json(&mut out, map, diagnostic),
                Format::Auto if !self.terminal => original(&mut out, diagnostic),
                Format::Original => original(&mut out, diagnostic),
                Format::Human | Format::Auto => {
                    rich(&mut out, map, diagnostic, color);
                    out.push('\n');
                }
            }
        }
        out
    }
}

/// Whether the rich form uses terminal colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "colours are on or off")]
pub enum Color {
    /// Plain text.
    Off,
    /// ANSI colours.
    On,
}

/// HAProxy's one-line form: `[ALERT]    (PID) : config : parsing [FILE:LINE] : TEXT`.
pub fn haproxy(out: &mut String, map: &SourceMap, diagnostic: &Diagnostic, pid: u32) {
    let level = match diagnostic.severity {
        Severity::Alert | Severity::Error => "ALERT",
        Severity::Warning => "WARNING",
        Severity::Notice => "NOTICE",
    };
    let label = format!("[{level}]");
    let text = diagnostic.compat.as_deref().unwrap_or(&diagnostic.message);
    let _ = match diagnostic.span.and_then(|s| map.locate(s)) {
        Some((file, at)) => {
            writeln!(out, "{label:<10} ({pid}) : config : parsing [{file}:{}] : {text}", at.line)
        }
        None => writeln!(out, "{label:<10} ({pid}) : config : {text}"),
    };
}

/// Keepalived's form: `(FILE: Line N) TEXT`; it logs every severity alike. Findings it tells in several messages have
/// one line each.
pub fn keepalived(out: &mut String, map: &SourceMap, diagnostic: &Diagnostic) {
    let text = diagnostic.compat.as_deref().unwrap_or(&diagnostic.message);
    let place = diagnostic.span.and_then(|s| map.locate(s));
    for line in text.lines() {
        let _ = match place {
            Some((file, at)) => writeln!(out, "({file}: Line {}) {line}", at.line),
            None => writeln!(out, "{line}"),
        };
    }
}

/// The rich form: message, place, the line with carets, labels, notes, suggestion.
pub fn rich(out: &mut String, map: &SourceMap, diagnostic: &Diagnostic, color: Color) {
    let paint = Paint { on: color == Color::On };
    let tone = match diagnostic.severity {
        Severity::Alert | Severity::Error => "1;31",
        Severity::Warning => "1;33",
        Severity::Notice => "1;36",
    };
    let head = format!("{}[{}]", diagnostic.severity.word(), diagnostic.code);
    let _ = writeln!(out, "{}: {}", paint.with(tone, &head), paint.with("1", &diagnostic.message));
    let mark = diagnostic.suggestion.as_ref().map_or("", |s| s.text.as_str());
    let width = gutter(map, diagnostic);
    if let Some(span) = diagnostic.span {
        snippet(out, map, span, mark, width, (paint, tone, "-->"));
    }
    for label in &diagnostic.labels {
        snippet(out, map, label.span, &label.text, width, (paint, "1;34", ":::"));
    }
    for note in &diagnostic.notes {
        let _ = writeln!(out, "{:width$} {} {note}", "", paint.with("1;34", "="));
    }
    if diagnostic.span.is_none() && !mark.is_empty() {
        let _ = writeln!(out, "{:width$} {} {mark}", "", paint.with("1;34", "="));
    }
}

#[derive(Clone, Copy)]
struct Paint {
    on: bool,
}

impl Paint {
    fn with(self, tone: &str, text: &str) -> String {
        if self.on { format!("\x1b[{tone}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn gutter(map: &SourceMap, diagnostic: &Diagnostic) -> usize {
    let spans = diagnostic.span.into_iter().chain(diagnostic.labels.iter().map(|l| l.span));
    let line = spans.filter_map(|s| map.locate(s)).map(|(_, at)| at.line).max().unwrap_or(1);
    line.to_string().len()
}

fn snippet(
    out: &mut String,
    map: &SourceMap,
    span: Span,
    mark: &str,
    width: usize,
    style: (Paint, &str, &str),
) {
    let (paint, tone, arrow) = style;
    let Some(file) = map.file(span.file) else { return };
    let (from, to) = (file.position(span.start), file.position(span.end));
    let line = file.line(from.line);
    let bar = paint.with("1;34", "|");
    let _ = writeln!(out, "{:width$} {} {}:{from}", "", paint.with("1;34", arrow), file.name());
    let _ = writeln!(out, "{:width$} {bar}", "");
    let _ = writeln!(out, "{:>width$} {bar} {}", from.line, line.replace('\t', " "));
    let length = line.chars().count() as u32;
    // A span over several lines is underlined to the end of its first one; an empty span gets one caret.
    let end = if to.line == from.line { to.column } else { length + 1 };
    let carets = "^".repeat(end.saturating_sub(from.column).max(1) as usize);
    let pad = " ".repeat(from.column as usize - 1);
    let text = if mark.is_empty() { carets } else { format!("{carets} {mark}") };
    let _ = writeln!(out, "{:width$} {bar} {pad}{}", "", paint.with(tone, &text));
}

/// One JSON object on one line: severity, code, message, file, line, column, end, notes, labels, suggestion.
pub fn json(out: &mut String, map: &SourceMap, diagnostic: &Diagnostic) {
    out.push('{');
    field(out, "severity", diagnostic.severity.word());
    out.push(',');
    field(out, "code", diagnostic.code.as_str());
    out.push(',');
    field(out, "message", &diagnostic.message);
    if let Some(span) = diagnostic.span {
        out.push(',');
        place(out, map, span);
    }
    out.push_str(",\"labels\":[");
    for (i, label) in diagnostic.labels.iter().enumerate() {
        out.push_str(if i == 0 { "{" } else { ",{" });
        place(out, map, label.span);
        out.push(',');
        field(out, "text", &label.text);
        out.push('}');
    }
    out.push_str("],\"notes\":[");
    for (i, note) in diagnostic.notes.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        string(out, note);
    }
    out.push(']');
    if let Some(suggestion) = &diagnostic.suggestion {
        out.push_str(",\"suggestion\":{");
        place(out, map, suggestion.span);
        out.push(',');
        field(out, "replacement", &suggestion.replacement);
        out.push(',');
        field(out, "text", &suggestion.text);
        out.push('}');
    }
    out.push_str("}\n");
}

fn place(out: &mut String, map: &SourceMap, span: Span) {
    let Some(file) = map.file(span.file) else { return field(out, "file", "") };
    field(out, "file", file.name());
    let (from, to) = (file.position(span.start), file.position(span.end));
    let _ = write!(
        out,
        ",\"line\":{},\"column\":{},\"end_line\":{},\"end_column\":{}",
        from.line, from.column, to.line, to.column
    );
}

fn field(out: &mut String, key: &str, value: &str) {
    string(out, key);
    out.push(':');
    string(out, value);
}

fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if (c as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::super::{Code, FileId};
    use super::*;

    fn sample() -> (SourceMap, Diagnostic) {
        let mut map = SourceMap::new();
        let id: FileId = map.add("haproxy.cfg", "backend b\n  blance roundrobin\n");
        let span = Span::new(id, 12..18);
        let diagnostic =
            Diagnostic::error(Code::new("H0102"), span, "unknown keyword `blance` in a `backend` section")
                .compat("unknown keyword 'blance' in 'backend' section; did you mean 'balance' maybe ?")
                .suggest(span, "balance", "did you mean `balance`?")
                .note("see: configuration manual 4.2, \"balance\"");
        (map, diagnostic)
    }

    #[test]
    fn the_one_line_form_is_what_tools_grep() {
        let (map, diagnostic) = sample();
        let mut out = String::new();
        haproxy(&mut out, &map, &diagnostic, 16135);
        assert_eq!(
            out,
            "[ALERT]    (16135) : config : parsing [haproxy.cfg:2] : unknown keyword 'blance' in 'backend' section; \
             did you mean 'balance' maybe ?\n"
        );
    }

    #[test]
    fn the_rich_form_points_at_the_word() {
        let (map, diagnostic) = sample();
        let mut out = String::new();
        rich(&mut out, &map, &diagnostic, Color::Off);
        assert_eq!(
            out,
            "error[H0102]: unknown keyword `blance` in a `backend` section\n  --> haproxy.cfg:2:3\n  |\n2 |   blance \
             roundrobin\n  |   ^^^^^^ did you mean `balance`?\n  = see: configuration manual 4.2, \"balance\"\n"
        );
    }

    #[test]
    fn json_escapes_what_must_be_escaped() {
        let (map, diagnostic) = sample();
        let mut out = String::new();
        json(&mut out, &map, &diagnostic);
        assert!(out.contains(r#""line":2,"column":3,"end_line":2,"end_column":9"#), "{out}");
        assert!(out.contains(r#"manual 4.2, \"balance\"""#), "{out}");
    }

    #[test]
    fn the_face_follows_the_terminal_unless_one_was_chosen() {
        let (map, diagnostic) = sample();
        let mut all = Diagnostics::new();
        (0..MOST + 2).for_each(|_| all.push(diagnostic.clone()));
        let shown = |format, terminal| {
            let style = Style { format, terminal, pid: 7 };
            style.render(&map, &all, |out, d| haproxy(out, &map, d, style.pid))
        };
        let lines = shown(Format::Auto, false);
        assert!(lines.starts_with("[ALERT]    (7) : config : parsing [haproxy.cfg:2]"), "{lines}");
        assert_eq!(lines.lines().count(), MOST + 1, "what is left out is told by one more");
        assert_eq!(shown(Format::Original, true), lines);
        assert!(shown(Format::Auto, true).contains("\x1b[1;31m"));
        assert!(shown(Format::Human, false).starts_with("error[H0102]: "));
        assert!(shown(Format::Json, true).starts_with('{'));
    }

    #[test]
    fn formats_are_known_by_their_names() {
        for (name, format) in Format::NAMES {
            assert_eq!((format.name(), name.parse()), (name, Ok(format)));
        }
        assert!("xml".parse::<Format>().unwrap_err().contains("`xml`"));
    }

    #[test]
    fn an_empty_span_at_the_end_of_the_file_still_gets_a_caret() {
        let mut map = SourceMap::new();
        let id = map.add("a", "global");
        let diagnostic = Diagnostic::error(Code::new("H0001"), Span::new(id, 6..6), "no line end");
        let mut out = String::new();
        rich(&mut out, &map, &diagnostic, Color::Off);
        assert!(out.contains("1 | global\n  |       ^\n"), "{out}");
    }
}
