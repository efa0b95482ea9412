//! Logical lines to statements: which braces belong to what, and what to make of those that are missing.
//!
//! The shape of each keyword comes from the table, so a forgotten brace can be put where it belongs. The original forgives
//! a missing `{` the same way, but scatters dozens of messages; here each mistake is one diagnostic.

use crate::codes;
use crate::keyword::{BlockId, Body, Keyword, Values};
use crate::mapped::Mapped;
use crate::reader::Line;
use crate::suggest;
use crate::tree::{Content, Statement, ValueLine};
use crate::word::{self, Word};
use lb_core::diag::{Diagnostic, Diagnostics, Span};

/// Builds the statements of the outermost level.
pub(crate) fn build(lines: &[Line], braces: Braces, diagnostics: &mut Diagnostics) -> Vec<Statement> {
    let missing = if braces == Braces::Meant { unclosed(lines) } else { 0 };
    Builder { lines, at: 0, diagnostics, open: Vec::new(), missing, braces, unknown: 0 }.root()
}

/// What to make of misplaced braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Braces {
    /// What was plainly meant.
    Meant,
    /// What one of the original's processes makes of them, to answer as its configuration test does.
    Literal(Process),
}

/// The original's processes read the file each for itself, and skip the blocks of the others by counting braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Process {
    Parent,
    Vrrp,
    Checker,
}

impl Process {
    fn skips(self, keyword: &str) -> bool {
        let global = keyword == "global_defs";
        let checks = matches!(keyword, "virtual_server" | "virtual_server_group" | "SSL");
        let shared = matches!(keyword, "track_file" | "vrrp_track_file" | "bfd_instance");
        match self {
            Self::Parent => !global,
            Self::Vrrp => global || checks,
            Self::Checker => global || (!checks && !shared),
        }
    }
}

/// How many blocks are not closed at the end, going by braces alone.
fn unclosed(lines: &[Line]) -> usize {
    let mut depth = 0usize;
    for line in lines {
        match line {
            Line::Open(_) => depth += 1,
            Line::Close(_) => depth = depth.saturating_sub(1),
            Line::Words(_) => {}
        }
    }
    depth
}

struct Builder<'a> {
    lines: &'a [Line],
    at: usize,
    diagnostics: &'a mut Diagnostics,
    /// The blocks being read, outermost first.
    open: Vec<Frame>,
    /// Closing braces still known to be missing.
    missing: usize,
    braces: Braces,
    /// Unknown words so far.
    unknown: usize,
}

#[derive(Clone, Copy)]
struct Frame {
    block: BlockId,
    /// Its opening brace is missing, so its closing one may be missing, too.
    implicit: bool,
}

/// How a block came to its end.
enum End {
    /// By its brace, at this place.
    Closed(Span),
    /// By something that cannot be inside it.
    Implied,
}

impl Builder<'_> {
    fn root(&mut self) -> Vec<Statement> {
        let mut statements = Vec::new();
        loop {
            let (found, end) = self.statements(BlockId::Root);
            statements.extend(found);
            match end {
                End::Closed(span) => self.extra_close(span),
                End::Implied => return statements,
            }
        }
    }

    fn extra_close(&mut self, span: Span) {
        self.diagnostics.push(
            Diagnostic::warning(codes::EXTRA_CLOSE, span, "this `}` closes nothing")
                .compat("Extra '}' found")
                .suggest(span, "", "remove it"),
        );
    }

    fn literal(&self) -> bool {
        self.braces != Braces::Meant
    }

    /// True if the keyword's block is not this process's business.
    fn skips(&self, keyword: &Keyword) -> bool {
        matches!(self.braces, Braces::Literal(process) if process.skips(keyword.name))
    }

    fn peek(&self) -> Option<&Line> {
        self.lines.get(self.at)
    }

    /// The words at the start of the next line, if it has words.
    fn next_word(&self) -> Option<String> {
        match self.peek()? {
            Line::Words(text) => word::split(text).into_iter().next().map(|w| w.text),
            _ => None,
        }
    }

    /// Statements up to the block's end.
    fn statements(&mut self, block: BlockId) -> (Vec<Statement>, End) {
        let mut statements = Vec::new();
        // Opening braces that began nothing; as many closing ones belong to them.
        let mut stray = 0usize;
        while let Some(line) = self.peek() {
            match line {
                Line::Close(span) => {
                    let span = *span;
                    self.at += 1;
                    if stray == 0 {
                        return (statements, End::Closed(span));
                    }
                    stray -= 1;
                }
                Line::Open(span) => {
                    let span = *span;
                    self.at += 1;
                    stray += usize::from(!self.literal());
                    self.diagnostics.push(
                        Diagnostic::warning(codes::UNEXPECTED_OPEN, span, "no block begins here")
                            .compat("Unexpected '{' - ignoring")
                            .note("what the braces hold is read as if they were not there"),
                    );
                }
                Line::Words(text) => {
                    let text = text.clone();
                    let words = word::split(&text);
                    let Some(first) = words.first() else {
                        self.at += 1;
                        continue;
                    };
                    match block.find(&first.text) {
                        Some(keyword) if block == BlockId::Root && self.skips(keyword) => {
                            self.at += 1;
                            if matches!(self.peek(), Some(Line::Open(_))) {
                                self.at += 1;
                                self.skip_block();
                            }
                        }
                        Some(keyword) => {
                            self.at += 1;
                            statements.push(self.statement(keyword, words, text));
                        }
                        None if self.ends(block, &first.text) => return (statements, End::Implied),
                        None => self.unknown(block, first),
                    }
                }
            }
        }
        (statements, End::Implied)
    }

    /// True if `word` shows that a closing brace of `block` is missing before it.
    fn ends(&self, block: BlockId, word: &str) -> bool {
        if block == BlockId::Root || self.literal() {
            return false;
        }
        let mut outer = self.open.iter().rev().skip(1).map(|f| f.block).chain([BlockId::Root]);
        let Some(keyword) = outer.find_map(|b| b.find(word)) else { return false };
        if self.open.last().is_some_and(|f| f.implicit) {
            return true;
        }
        if keyword.body == Body::None || !matches!(self.lines.get(self.at + 1), Some(Line::Open(_))) {
            return false;
        }
        // A whole block of an outer level: what follows it shows whether it slipped in here or this one should have ended.
        match self.after_block(self.at + 2) {
            Some(Line::Words(text)) => match word::split(text).first() {
                Some(next) => block.find(&next.text).is_none(),
                None => self.missing > 0,
            },
            _ => self.missing > 0,
        }
    }

    /// The line after the brace that closes the block whose content begins at `start`.
    fn after_block(&self, start: usize) -> Option<&Line> {
        // A real block is shorter; the bound keeps a file of nothing but open braces cheap.
        const LONGEST: usize = 5_000;
        let mut depth = 1;
        for (n, line) in self.lines.iter().enumerate().skip(start).take(LONGEST) {
            match line {
                Line::Open(_) => depth += 1,
                Line::Close(_) => depth -= 1,
                Line::Words(_) => {}
            }
            if depth == 0 {
                return self.lines.get(n + 1);
            }
        }
        None
    }

    fn statement(&mut self, keyword: &'static Keyword, words: Vec<Word>, line: Mapped) -> Statement {
        let head = line.whole();
        let (content, end) = match keyword.body {
            Body::None => (Content::None, head),
            Body::Block(inner) => self.block(keyword, inner, head),
            Body::Values(kind) => self.values(keyword, kind, &words, head),
            Body::Optional(kind) => {
                if matches!(self.peek(), Some(Line::Open(_))) {
                    self.values(keyword, kind, &words, head)
                } else {
                    (Content::None, head)
                }
            }
        };
        Statement { keyword, words, content, span: head.to(end), line }
    }

    fn block(&mut self, keyword: &Keyword, inner: BlockId, head: Span) -> (Content, Span) {
        let implicit = !matches!(self.peek(), Some(Line::Open(_)));
        if !implicit {
            self.at += 1;
        } else if !self.literal()
            && (matches!(self.peek(), None | Some(Line::Close(_))) || self.next_is_outside(inner))
        {
            self.missing_open(keyword, head, "the block is empty");
            return (Content::Block(Vec::new()), head);
        } else {
            self.missing_open(keyword, head, "the lines below are read as its content");
        }
        self.open.push(Frame { block: inner, implicit });
        let (statements, end) = self.statements(inner);
        self.open.pop();
        let last = statements.last().map_or(head, |s| s.span);
        let end = match end {
            End::Closed(span) => span,
            End::Implied => {
                if !implicit {
                    self.missing_close(keyword, head, last);
                }
                last
            }
        };
        (Content::Block(statements), end)
    }

    /// True if the next line cannot be the content of a block of this kind.
    fn next_is_outside(&self, inner: BlockId) -> bool {
        let Some(word) = self.next_word() else { return false };
        if inner.find(&word).is_some() {
            return false;
        }
        let outer = self.open.iter().rev().map(|f| f.block).chain([BlockId::Root]);
        outer.into_iter().any(|b| b.find(&word).is_some())
    }

    fn missing_open(&mut self, keyword: &Keyword, head: Span, reading: &str) {
        let name = keyword.name;
        self.diagnostics.push(
            Diagnostic::warning(codes::MISSING_OPEN, head, format!("`{name}` is not followed by `{{`"))
                .compat("Missing '{' at beginning of configuration block")
                .suggest(head.after(), " {", "the brace belongs here")
                .note(reading),
        );
    }

    fn missing_close(&mut self, keyword: &Keyword, head: Span, last: Span) {
        self.missing = self.missing.saturating_sub(1);
        let name = keyword.name;
        let mut diagnostic = Diagnostic::warning(
            codes::MISSING_CLOSE,
            last.after(),
            format!("the block of `{name}` is not closed"),
        )
        .compat("There are 1 missing '}'s or extra '{'s")
        .suggest(last.after(), "\n}", "a `}` belongs after this")
        .label(head, "the block begins here");
        if self.peek().is_some() {
            let note = match keyword.body {
                Body::Block(_) => "keepalived reads what follows as part of this block",
                _ => "keepalived takes the lines that follow for values",
            };
            diagnostic = diagnostic.note(note);
        }
        self.diagnostics.push(diagnostic);
    }

    fn values(&mut self, keyword: &Keyword, kind: Values, words: &[Word], head: Span) -> (Content, Span) {
        let mut lines = Vec::new();
        let has_words = keyword.args.is_empty() && words.len() > 1;
        if matches!(self.peek(), Some(Line::Open(_))) {
            self.at += 1;
            if has_words {
                self.words_before_brace(keyword, words);
            }
        } else if has_words && self.literal() {
            self.words_before_brace(keyword, words);
            // The next line is the first value, and a brace after it is one, too.
            lines.extend(self.first_literal_value());
        } else if has_words {
            // `track_interface eth0`: what was meant are the words themselves.
            self.words_without_brace(keyword, words, head);
            return (Content::Values(vec![ValueLine::new(words[1..].to_vec())]), head);
        } else if self.next_is_keyword_around() || matches!(self.peek(), None | Some(Line::Close(_))) {
            self.missing_open(keyword, head, "the block is empty");
            return (Content::Values(lines), head);
        } else {
            self.missing_open(keyword, head, "the lines below are read as its content");
        }
        let mut last = head;
        loop {
            match self.peek() {
                Some(Line::Close(span)) => {
                    last = *span;
                    self.at += 1;
                    break;
                }
                Some(Line::Words(text)) if !self.value_ends(kind) => {
                    let words = word::split(text);
                    last = text.whole();
                    self.at += 1;
                    if !words.is_empty() {
                        lines.push(ValueLine::new(words));
                    }
                }
                Some(Line::Open(span)) => {
                    let span = *span;
                    self.at += 1;
                    self.stray_open_in_values(span);
                }
                _ => {
                    self.missing_close(keyword, head, last);
                    break;
                }
            }
        }
        (Content::Values(lines), last)
    }

    fn first_literal_value(&mut self) -> Option<ValueLine> {
        let Some(Line::Words(text)) = self.peek() else { return None };
        let words = word::split(text);
        self.at += 1;
        if matches!(self.peek(), Some(Line::Open(_))) {
            self.at += 1;
        }
        (!words.is_empty()).then(|| ValueLine::new(words))
    }

    fn words_before_brace(&mut self, keyword: &Keyword, words: &[Word]) {
        let span = words[1].span.to(words[words.len() - 1].span);
        self.diagnostics.push(
            Diagnostic::warning(
                codes::BLOCK_HEADER,
                span,
                format!("`{}` takes no words before its `{{`", keyword.name),
            )
            .compat(format!("Block {} has extra parameters {} ...", keyword.name, words[1].text))
            .note("they are ignored"),
        );
    }

    fn words_without_brace(&mut self, keyword: &Keyword, words: &[Word], head: Span) {
        let rest = words[1].span.to(words[words.len() - 1].span);
        let values: Vec<&str> = words[1..].iter().map(Word::as_str).collect();
        self.diagnostics.push(
            Diagnostic::warning(codes::MISSING_OPEN, rest, format!("`{}` takes a block", keyword.name))
                .compat(format!("Block {} has extra parameters {} ...", keyword.name, words[1].text))
                .suggest(
                    head,
                    format!("{} {{ {} }}", keyword.name, values.join(" ")),
                    "put the values in braces",
                )
                .note("the words are taken for its content; keepalived takes the lines below for it"),
        );
    }

    fn stray_open_in_values(&mut self, span: Span) {
        self.diagnostics.push(
            Diagnostic::warning(codes::UNEXPECTED_OPEN, span, "no block begins inside a list of values")
                .compat("Unexpected '{' - ignoring"),
        );
        // Its content would be read as values; skip to its brace instead.
        self.skip_block();
    }

    /// True if the next word is a keyword of the blocks being read, so that it can hardly be a value.
    fn next_is_keyword_around(&self) -> bool {
        let Some(word) = self.next_word().filter(|_| !self.literal()) else { return false };
        self.open.iter().rev().map(|f| f.block).chain([BlockId::Root]).any(|b| b.find(&word).is_some())
    }

    /// True if the next line shows that the value block's closing brace is missing.
    fn value_ends(&self, kind: Values) -> bool {
        if self.missing == 0 || !self.next_is_keyword_around() {
            return false;
        }
        if !kind.holds_names() {
            return true;
        }
        let Some(Line::Words(text)) = self.peek() else { return false };
        let words = word::split(text);
        let option = words.get(1).is_some_and(|w| w.text == "weight");
        let opens = matches!(self.lines.get(self.at + 1), Some(Line::Open(_)));
        (words.len() > 1 && !option) || opens
    }

    /// Skips to the brace that closes what was just opened.
    fn skip_block(&mut self) -> Option<Span> {
        let mut depth = 1;
        while let Some(line) = self.peek() {
            let span = line.span();
            match line {
                Line::Open(_) => depth += 1,
                Line::Close(_) => depth -= 1,
                Line::Words(_) => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(span);
            }
        }
        None
    }

    fn unknown(&mut self, block: BlockId, word: &Word) {
        self.at += 1;
        self.unknown += 1;
        let mut diagnostic = unknown_keyword(block, word, self.unknown <= MAX_SUGGESTIONS);
        if matches!(self.peek(), Some(Line::Open(_))) && !self.literal() {
            self.at += 1;
            let end = self.skip_block();
            diagnostic = diagnostic.note("its whole block is ignored");
            if end.is_some() && block != BlockId::Root {
                diagnostic = diagnostic.note(format!(
                    "keepalived takes its `}}` for the end of `{}` and loses the rest",
                    block.name()
                ));
            }
        }
        self.diagnostics.push(diagnostic);
    }
}

/// Unknown words that are compared with the known ones; nobody reads thousands of suggestions.
const MAX_SUGGESTIONS: usize = 1000;

fn unknown_keyword(block: BlockId, word: &Word, suggest: bool) -> Diagnostic {
    let text = &word.text;
    let place = if block == BlockId::Root {
        "at the outermost level".to_owned()
    } else {
        format!("in `{}`", block.name())
    };
    let mut diagnostic =
        Diagnostic::warning(codes::UNKNOWN_KEYWORD, word.span, format!("unknown keyword `{text}` {place}"))
            .compat(format!("Unknown keyword '{text}'"));
    let names = block.keywords().iter().map(|k| k.name);
    if suggest && let Some(better) = suggest::nearest(text, names) {
        diagnostic = diagnostic.suggest(word.span, better, format!("did you mean `{better}`?"));
    }
    let homes: Vec<String> =
        BlockId::ALL
            .iter()
            .filter(|b| b.find(text).is_some())
            .map(|b| {
                if *b == BlockId::Root { "the outermost level".to_owned() } else { format!("`{}`", b.name()) }
            })
            .take(3)
            .collect();
    if !homes.is_empty() {
        diagnostic = diagnostic.note(format!("`{text}` belongs to {}", homes.join(", ")));
    }
    diagnostic
}
