//! Files to logical lines: comments cut, conditions decided, definitions replaced, sequences unfolded, includes read,
//! braces set apart. See the chapters "conditional configuration" and "parameter substitution" of the manual.
//!
//! Every brace becomes a line of its own, which is also what the original's block reader sees.

use crate::codes;
use crate::defs::{Definitions, Expansion};
use crate::env::{Env, Sources};
use crate::include::{self, Checks};
use crate::mapped::Mapped;
use crate::seq::Sequence;
use lb_core::diag::{Diagnostic, Diagnostics, FileId, SourceMap, Span};

/// Longest line the original reads whole.
const ORIGINAL_LINE: usize = 1023;
/// Bounds on what a small file may grow to; far above any real configuration.
const MAX_LINES: usize = 200_000;
const MAX_BYTES: usize = 32 << 20;
const MAX_LINE: usize = 64 << 10;
const MAX_FILES: usize = 2_000;
const MAX_DEPTH: usize = 32;
/// How deeply definitions of several lines may stand in each other; one that refers to itself stops here.
const MAX_NESTING: usize = 32;

/// A line as the block structure sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// Words, at least one.
    Words(Mapped),
    /// `{`
    Open(Span),
    /// `}`
    Close(Span),
}

impl Line {
    pub(crate) fn span(&self) -> Span {
        match self {
            Self::Words(text) => text.whole(),
            Self::Open(span) | Self::Close(span) => *span,
        }
    }
}

/// What reading gave.
pub(crate) struct Read {
    pub(crate) map: SourceMap,
    pub(crate) lines: Vec<Line>,
    pub(crate) diagnostics: Diagnostics,
}

/// Reads `name` and whatever it includes.
pub(crate) fn read(name: &str, text: &str, sources: &mut dyn Sources, env: &dyn Env) -> Read {
    let mut reader = Reader::new(sources, env);
    reader.file(name, text);
    if reader.exhausted {
        // It is refused for its size; what it says is not worth hundreds of thousands of messages.
        reader.lines.clear();
    }
    Read { map: reader.map, lines: reader.lines, diagnostics: reader.diagnostics }
}

struct Reader<'a> {
    sources: &'a mut dyn Sources,
    env: &'a dyn Env,
    map: SourceMap,
    lines: Vec<Line>,
    bytes: usize,
    work: usize,
    exhausted: bool,
    diagnostics: Diagnostics,
    definitions: Definitions,
    /// The multi-line definition whose lines are being gathered.
    collecting: Option<String>,
    checks: Checks,
    depth: usize,
}

/// What is still to be turned into lines; the last is next.
enum Work {
    /// A line, and in how many definitions of several lines it stands.
    Text(Mapped, usize),
    Sequence(Sequence, usize),
}

impl<'a> Reader<'a> {
    fn new(sources: &'a mut dyn Sources, env: &'a dyn Env) -> Self {
        Self {
            sources,
            env,
            map: SourceMap::new(),
            lines: Vec::new(),
            bytes: 0,
            work: 0,
            exhausted: false,
            diagnostics: Diagnostics::new(),
            definitions: Definitions::new(env),
            collecting: None,
            checks: Checks::default(),
            depth: 0,
        }
    }

    fn file(&mut self, name: &str, text: &str) {
        let file = self.map.add(name, text);
        let directory = name.rsplit_once('/').map(|(directory, _)| directory.to_owned());
        let outer = directory.map(|d| self.definitions.set_directory(d));
        let body = self.without_bom(file, text);
        let mut at = text.len() - body.len();
        for raw in body.split_inclusive('\n') {
            let line = raw.trim_end_matches(['\n', '\r']);
            let span = Span::new(file, at..at + line.len());
            at += raw.len();
            self.physical(line, span);
            if self.exhausted {
                break;
            }
        }
        if let Some(outer) = outer {
            self.definitions.set_directory(outer);
        }
    }

    fn without_bom<'t>(&mut self, file: FileId, text: &'t str) -> &'t str {
        let Some(rest) = text.strip_prefix('\u{feff}') else { return text };
        let span = Span::new(file, 0..3);
        let word = rest.split_whitespace().next().unwrap_or_default();
        self.diagnostics.push(
            Diagnostic::warning(
                codes::BYTE_ORDER_MARK,
                span,
                "the file begins with a byte order mark, which is skipped",
            )
            .compat(format!("Unknown keyword '\u{feff}{word}'"))
            .note("keepalived takes it for part of the first word and ignores the whole first block")
            .suggest(span, "", "remove the mark"),
        );
        rest
    }

    fn physical(&mut self, line: &str, span: Span) {
        if line.contains('\0') {
            self.diagnostics.push(
                Diagnostic::warning(codes::BAD_LINE, span, "the line holds a NUL byte and is ignored")
                    .compat("configuration appears to have embedded NULs - ignoring line"),
            );
            return;
        }
        if line.len() > ORIGINAL_LINE {
            self.diagnostics.push(
                Diagnostic::warning(
                    codes::BAD_LINE,
                    span,
                    format!("the line is longer than {ORIGINAL_LINE} bytes"),
                )
                .note(
                    "it is read whole here; keepalived 2.2 cuts it into several lines, later ones ignore it",
                ),
            );
        }
        let text = self.decomment(&Mapped::verbatim(line, span));
        if let Some(name) = self.collecting.take() {
            if self.definitions.extend(&name, &text) {
                self.collecting = Some(name);
            }
            return;
        }
        self.unfold(text);
    }

    /// Cuts a comment and blanks at both ends, and takes the backslash from `\#` and `\!`.
    fn decomment(&mut self, line: &Mapped) -> Mapped {
        let text = line.text();
        let bytes = text.as_bytes();
        let mut out = Mapped::default();
        let (mut from, mut at, mut open) = (0, 0, None);
        let mut end = text.len();
        while at < bytes.len() {
            match bytes[at] {
                b'"' => {
                    open = if open.is_some() { None } else { Some(at) };
                    at += 1;
                }
                b'\\' if open.is_none() && matches!(bytes.get(at + 1), Some(b'#' | b'!')) => {
                    out.push(&line.slice(from..at));
                    from = at + 1;
                    at += 2;
                }
                b'\\' => at += 2,
                b'#' | b'!' if open.is_none() => {
                    end = at;
                    break;
                }
                _ => at += 1,
            }
        }
        if let Some(quote) = open {
            self.diagnostics.push(open_quote(line, quote));
        }
        out.push(&line.slice(from..end.max(from)));
        out.trimmed()
    }

    /// Turns one line into all the lines it stands for.
    fn unfold(&mut self, line: Mapped) {
        let mut stack = vec![Work::Text(line, 0)];
        while let Some(work) = stack.pop() {
            self.work += 1;
            if self.work > MAX_LINES * 2 || self.exhausted {
                return self.exhaust(None);
            }
            match work {
                Work::Text(text, nesting) => self.text(text, nesting, &mut stack),
                Work::Sequence(mut sequence, nesting) => {
                    let Some(bindings) = sequence.advance() else { continue };
                    for (name, value) in bindings {
                        self.definitions.set(&name, &value);
                    }
                    let body = sequence.body().clone();
                    stack.push(Work::Sequence(sequence, nesting));
                    stack.push(Work::Text(body, nesting));
                }
            }
        }
    }

    fn text(&mut self, text: Mapped, nesting: usize, stack: &mut Vec<Work>) {
        let Some(text) = self.condition(text) else { return };
        if text.text().is_empty() || self.definition(&text) {
            return;
        }
        if Sequence::starts(text.text()) {
            match Sequence::parse(&text, &mut self.definitions) {
                Ok(sequence) => stack.push(Work::Sequence(sequence, nesting)),
                Err(diagnostic) => self.diagnostics.push(*diagnostic),
            }
            return;
        }
        match self.definitions.expand(&text, self.env, MAX_LINE) {
            Expansion::Unchanged => self.finished(text, nesting, stack),
            Expansion::Line(line) => {
                let line = self.decomment(&line);
                if line.text().starts_with(['@', '~']) {
                    stack.push(Work::Text(line, nesting));
                } else {
                    self.finished(line, nesting, stack);
                }
            }
            Expansion::Lines(lines) if nesting < MAX_NESTING => {
                stack.extend(lines.into_iter().rev().map(|line| Work::Text(line, nesting + 1)));
            }
            Expansion::Lines(_) | Expansion::TooLong => self.diagnostics.push(Diagnostic::warning(
                codes::BAD_LINE,
                text.whole(),
                "the definitions on this line refer to each other without end, or grow too long; it is ignored",
            )),
        }
    }

    /// `@ID text` and `@^ID text`: the text if the condition holds.
    fn condition(&self, text: Mapped) -> Option<Mapped> {
        let Some(rest) = text.text().strip_prefix('@') else { return Some(text) };
        let (id, negated) = rest.strip_prefix('^').map_or((rest, false), |id| (id, true));
        let end = id.find([' ', '\t'])?;
        if (self.env.config_id() == id[..end]) == negated {
            return None;
        }
        let skipped = text.len() - id.len() + end;
        Some(text.slice(skipped..text.len()).trimmed())
    }

    /// `$NAME=value`: true if the line was a definition.
    fn definition(&mut self, text: &Mapped) -> bool {
        let Some((name, more)) = self.definitions.define(text) else { return false };
        self.collecting = more.then_some(name);
        true
    }

    /// A line on which nothing is left to replace: an include, or words and braces.
    fn finished(&mut self, text: Mapped, nesting: usize, stack: &mut Vec<Work>) {
        if let Some(directive) = include::Directive::parse(&text) {
            return self.include(&directive);
        }
        let Some(brace) = first_brace(text.text()) else { return self.emit(Line::Words(text.trimmed())) };
        let head = text.slice(0..brace).trimmed();
        if head.len() > 0 {
            self.emit(Line::Words(head));
        }
        let span = text.span(brace..brace + 1);
        self.emit(if text.text().as_bytes()[brace] == b'{' { Line::Open(span) } else { Line::Close(span) });
        let rest = text.slice(brace + 1..text.len()).trimmed();
        if rest.len() > 0 {
            stack.push(Work::Text(rest, nesting));
        }
    }

    fn emit(&mut self, line: Line) {
        if let Line::Words(text) = &line {
            if text.len() == 0 {
                return;
            }
            self.bytes += text.len();
            self.checks.observe(text.text());
        }
        if self.lines.len() >= MAX_LINES || self.bytes > MAX_BYTES {
            return self.exhaust(Some(line.span()));
        }
        self.lines.push(line);
    }

    fn exhaust(&mut self, span: Option<Span>) {
        if self.exhausted {
            return;
        }
        self.exhausted = true;
        let mut diagnostic = Diagnostic::new(
            lb_core::diag::Severity::Error,
            codes::BAD_LINE,
            "the configuration grows beyond all bounds; the rest is not read",
        );
        diagnostic.span = span;
        self.diagnostics.push(diagnostic);
    }

    fn include(&mut self, directive: &include::Directive) {
        if self.depth >= MAX_DEPTH || self.map.files().count() >= MAX_FILES {
            self.diagnostics.push(Diagnostic::error(
                codes::INCLUDE,
                directive.span,
                "files include each other too deeply; this one is not read",
            ));
            return;
        }
        let from = self.map.file(directive.span.file).map_or_else(String::new, |f| f.name().to_owned());
        let found = self.sources.include(&directive.pattern, &from);
        include::report(directive, &found, self.checks, &mut self.diagnostics);
        self.depth += 1;
        for source in found.files {
            self.file(&source.name, &source.text);
            self.collecting = None;
        }
        self.depth -= 1;
    }
}

fn open_quote(line: &Mapped, at: usize) -> Diagnostic {
    let span = line.span(at..line.len());
    Diagnostic::warning(codes::OPEN_QUOTE, span, "a quote is not closed on its line")
        .compat(format!("Unterminated quote '{0}'\nUnmatched quote: '{0}'", line.text().trim()))
        .note("the rest of the line is not read; keepalived crashes on this in a `script` line")
}

/// The first brace outside double quotes; none after a quote that is not closed.
fn first_brace(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        at += bytes[at..].iter().position(|b| matches!(b, b'{' | b'}' | b'"'))?;
        if bytes[at] != b'"' {
            return Some(at);
        }
        at += 2 + bytes[at + 1..].iter().position(|&b| b == b'"')?;
    }
}

#[cfg(test)]
mod tests;
