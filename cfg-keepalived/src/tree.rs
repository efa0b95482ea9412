//! The lossless tree: every byte of every file as tokens, and the blocks and lines they make.

use crate::keyword::Keyword;
use crate::lex::{self, Token};
use crate::mapped::Mapped;
use crate::word::Word;
use lb_core::diag::{FileId, SourceMap, Span};

/// What was read.
///
/// [`tokens`](Self::tokens) is the text, complete: joining it gives every file back. [`root`](Self::root) is its meaning
/// after conditions, definitions, sequences and includes; its spans point into the text.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Tree {
    /// All files, the first being the one that was asked for.
    pub sources: SourceMap,
    /// The statements of the outermost level.
    pub root: Vec<Statement>,
}

impl Tree {
    pub(crate) fn new(sources: SourceMap, root: Vec<Statement>) -> Self {
        Self { sources, root }
    }

    /// The tokens of a file, which cover every byte of it.
    pub fn tokens(&self, file: FileId) -> Vec<Token> {
        self.sources.file(file).map_or_else(Vec::new, |f| lex::tokenize(file, f.text()))
    }

    /// A file put together again from its tokens.
    pub fn text(&self, file: FileId) -> String {
        self.tokens(file).iter().map(|t| self.sources.text(t.span)).collect()
    }

    /// All statements, outer ones before what they hold.
    pub fn statements(&self) -> impl Iterator<Item = &Statement> {
        let mut stack: Vec<&Statement> = self.root.iter().rev().collect();
        std::iter::from_fn(move || {
            let next = stack.pop()?;
            if let Content::Block(inner) = &next.content {
                stack.extend(inner.iter().rev());
            }
            Some(next)
        })
    }
}

/// A keyword with its words, and its block if it has one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Statement {
    /// The keyword; unknown ones are reported and do not become statements.
    pub keyword: &'static Keyword,
    /// All words of the line, the keyword first.
    pub words: Vec<Word>,
    /// What its braces hold.
    pub content: Content,
    /// The whole statement, from the keyword to its closing brace.
    pub span: Span,
    /// The line as it is after replacements, for arguments with quotes of their own.
    pub(crate) line: Mapped,
}

impl Statement {
    /// The keyword's word.
    pub fn name(&self) -> &'static str {
        self.keyword.name
    }

    /// Where the keyword stands.
    pub fn keyword_span(&self) -> Span {
        self.words.first().map_or(self.span, |w| w.span)
    }

    /// The words after the keyword.
    pub fn args(&self) -> &[Word] {
        self.words.get(1..).unwrap_or_default()
    }

    /// Keyword and arguments.
    pub fn head_span(&self) -> Span {
        match (self.words.first(), self.words.last()) {
            (Some(first), Some(last)) => first.span.to(last.span),
            _ => self.span,
        }
    }

    /// The statements of a block; none for other content.
    pub fn statements(&self) -> &[Self] {
        match &self.content {
            Content::Block(statements) => statements,
            _ => &[],
        }
    }

    /// The lines of a value block; none for other content.
    pub fn values(&self) -> &[ValueLine] {
        match &self.content {
            Content::Values(lines) => lines,
            _ => &[],
        }
    }
}

/// What a statement's braces hold.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Content {
    /// There are no braces.
    None,
    /// Statements.
    Block(Vec<Statement>),
    /// Lines of values.
    Values(Vec<ValueLine>),
}

/// A line of a value block.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ValueLine {
    /// Its words, at least one.
    pub words: Vec<Word>,
}

impl ValueLine {
    pub(crate) fn new(words: Vec<Word>) -> Self {
        Self { words }
    }

    /// The whole line.
    pub fn span(&self) -> Span {
        match (self.words.first(), self.words.last()) {
            (Some(first), Some(last)) => first.span.to(last.span),
            _ => Span::default(),
        }
    }
}
