//! The lossless tree: files, lines, words, sections.
//!
//! Lines cover their file without gaps, and words lie inside their line, so the text of the tree is the text that was
//! parsed. Values of words that needed quotes, escapes or variables are kept in one arena; all others are ranges of the
//! source, so a large configuration costs sixteen bytes a word.

use crate::env::Changes;
use crate::lex::RawWord;
use crate::section::SectionKind;
use lb_core::diag::{FileId, SourceMap, Span};
use std::collections::HashMap;
use std::ops::Range;

/// A parsed configuration: every line of every file, and the sections they form.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    pub(crate) sources: SourceMap,
    pub(crate) arena: String,
    pub(crate) words: Vec<RawWord>,
    pub(crate) lines: Vec<Line>,
    pub(crate) sections: Vec<Section>,
    pub(crate) changes: Changes,
    /// Lines whose keyword no longer exists: what they say in present words, as ranges of `words`.
    pub(crate) translated: HashMap<u32, Vec<Range<u32>>>,
    /// Words that are written plainly and hold variables, with their values put in. Only addresses read them so.
    pub(crate) expanded: HashMap<(FileId, u32), String>,
    /// Other names for proxies whose own is taken, by the place of the name.
    pub(crate) second_names: HashMap<(FileId, u32), String>,
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Nothing but blanks or a comment.
    Blank,
    /// A directive such as `.if`, or an old `[scope]`.
    Directive,
    /// Left out by a conditional block.
    Masked,
    /// The first line of a section.
    Header,
    /// A keyword with its arguments.
    Keyword,
    /// Could not be cut into words, or stands outside any section; a diagnostic says why.
    Broken,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub(crate) span: Span,
    pub(crate) number: u32,
    pub(crate) role: Role,
    pub(crate) words: Range<u32>,
}

impl Line {
    /// The whole line with its line end.
    pub fn span(&self) -> Span {
        self.span
    }

    /// Its number in its file, from 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// What it is.
    pub fn role(&self) -> Role {
        self.role
    }
}

/// One section: a header and the lines up to the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    pub(crate) kind: SectionKind,
    pub(crate) lines: Range<u32>,
}

impl Section {
    /// What kind of section it is.
    pub fn kind(&self) -> SectionKind {
        self.kind
    }
}

/// One word of a line: its value and where it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Word<'t> {
    /// The value after quotes, escapes and variables.
    pub text: &'t str,
    /// Where it is written.
    pub span: Span,
    /// The value is exactly what is written, so parts of it can be pointed at.
    pub plain: bool,
}

impl Word<'_> {
    /// The place of the bytes `range` of the value; of the whole word if it is not written plainly.
    pub fn part(&self, range: Range<usize>) -> Span {
        if self.plain { self.span.part(range) } else { self.span }
    }
}

impl Tree {
    /// The files, for showing diagnostics.
    pub fn sources(&self) -> &SourceMap {
        &self.sources
    }

    /// All lines of all files in order.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// All sections in order.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The lines of `section`, header first.
    pub fn lines_of(&self, section: &Section) -> &[Line] {
        &self.lines[section.lines.start as usize..section.lines.end as usize]
    }

    /// What `setenv` and its kin did.
    pub fn environment(&self) -> &Changes {
        &self.changes
    }

    /// The words of `line`.
    pub fn words<'t>(&'t self, line: &Line) -> impl Iterator<Item = Word<'t>> + use<'t> {
        let file = line.span.file;
        let raw = &self.words[line.words.start as usize..line.words.end as usize];
        raw.iter().map(move |word| self.word(file, word))
    }

    /// The words `range`, which stand for those of `line`.
    pub(crate) fn words_at<'t>(
        &'t self,
        line: &Line,
        range: Range<u32>,
    ) -> impl Iterator<Item = Word<'t>> + use<'t> {
        let file = line.span.file;
        self.words[range.start as usize..range.end as usize].iter().map(move |word| self.word(file, word))
    }

    fn word(&self, file: FileId, raw: &RawWord) -> Word<'_> {
        let span = Span { file, start: raw.start, end: raw.end };
        let text = match raw.owned {
            Some((at, length)) => &self.arena[at as usize..(at + length) as usize],
            None => self.sources.text(span),
        };
        Word { text, span, plain: raw.owned.is_none() }
    }

    /// The value of `word` with variables outside quotes replaced too, as addresses have it.
    pub(crate) fn expanded<'t>(&'t self, word: Word<'t>) -> &'t str {
        let found = if self.expanded.is_empty() {
            None
        } else {
            self.expanded.get(&(word.span.file, word.span.start))
        };
        found.map_or(word.text, String::as_str)
    }

    /// The text of `file`, put together from its lines; always what was parsed.
    pub fn text(&self, file: FileId) -> String {
        let mut out = String::new();
        for line in self.lines.iter().filter(|l| l.span.file == file) {
            let mut at = line.span.start;
            let words = &self.words[line.words.start as usize..line.words.end as usize];
            for word in words.iter().filter(|w| w.start >= line.span.start) {
                // Words made by one `${X[*]}` share or overlap their place; each byte is written once.
                if word.end <= at {
                    continue;
                }
                out.push_str(self.sources.text(Span { file, start: at, end: word.start.max(at) }));
                out.push_str(self.sources.text(Span { file, start: word.start.max(at), end: word.end }));
                at = word.end;
            }
            out.push_str(self.sources.text(Span { file, start: at, end: line.span.end }));
        }
        out
    }
}
