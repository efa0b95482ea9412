//! Diagnostics: what a dialect has to say about its input, as data.
//!
//! A parser never fails; it returns what it understood and a [`Diagnostics`] list. The same value is printed in three
//! ways by [`render`]: in the one-line form of the original programs, in a rich form with carets, and as JSON.

pub mod render;
mod source;

pub use source::{FileId, Position, SourceFile, SourceMap, Span, Spanned};

use std::collections::HashMap;
use std::fmt;

/// A stable identifier of one kind of diagnostic, for example `H0102`; each has a paragraph in the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(&'static str);

impl Code {
    /// A code; by convention a letter for the dialect (`H`, `K`) or `L` for lb itself, then four digits.
    pub const fn new(code: &'static str) -> Self {
        Self(code)
    }

    /// The code's text.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing, changes nothing.
    Notice,
    /// Loaded, but perhaps not what was meant.
    Warning,
    /// Loaded without what is said there.
    Alert,
    /// The configuration cannot be used.
    Error,
}

impl Severity {
    /// The lower-case word used by the rich and JSON forms.
    pub fn word(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Alert => "alert",
            Self::Error => "error",
        }
    }
}

/// A further place that matters, with what it has to do with the problem.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is there, for example "first declared here".
    pub text: String,
}

/// A change that would mend the problem: replace the text of `span` by `replacement`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Suggestion {
    /// What to replace; an empty span inserts.
    pub span: Span,
    /// The new text.
    pub replacement: String,
    /// The words beside the caret, for example "did you mean `balance`?".
    pub text: String,
}

/// One thing to say about the input.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Which kind of problem it is.
    pub code: Code,
    /// What is wrong, lower-case, offending words in backquotes.
    pub message: String,
    /// The words of the original program for the same finding, used by the one-line form where tools may grep them.
    pub compat: Option<String>,
    /// The offending words; `None` when the problem is with the whole input.
    pub span: Option<Span>,
    /// Further places.
    pub labels: Vec<Label>,
    /// What was expected, what to do, where it is documented.
    pub notes: Vec<String>,
    /// A change that would mend it.
    pub suggestion: Option<Suggestion>,
}

impl Diagnostic {
    /// A diagnostic without a place yet.
    pub fn new(severity: Severity, code: Code, message: impl Into<String>) -> Self {
        Self {
            severity,
            code,
            message: message.into(),
            compat: None,
            span: None,
            labels: Vec::new(),
            notes: Vec::new(),
            suggestion: None,
        }
    }

    /// An error at `span`.
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message).at(span)
    }

    /// A warning at `span`.
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message).at(span)
    }

    /// An alert at `span`.
    pub fn alert(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Alert, code, message).at(span)
    }

    /// A notice at `span`.
    pub fn notice(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Notice, code, message).at(span)
    }

    /// Sets the place.
    pub fn at(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }

    /// Sets the wording of the one-line form.
    pub fn compat(mut self, text: impl Into<String>) -> Self {
        self.compat = Some(text.into());
        self
    }

    /// Adds a further place.
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Adds a note.
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Sets the change that would mend it.
    pub fn suggest(mut self, span: Span, replacement: impl Into<String>, text: impl Into<String>) -> Self {
        self.suggestion = Some(Suggestion { span, replacement: replacement.into(), text: text.into() });
        self
    }
}

/// The diagnostics of one run, in the order they were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
}

impl Diagnostics {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.items.push(diagnostic);
    }

    /// Adds all of `other`.
    pub fn append(&mut self, mut other: Self) {
        self.items.append(&mut other.items);
    }

    /// Sorts by file and place (those without a place last), keeping the order of equals.
    pub fn sort(&mut self) {
        self.items.sort_by_key(|d| d.span.map_or((u32::MAX, 0), |s| (s.file.index(), s.start)));
    }

    /// True if anything is an error.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// How many there are of `severity`.
    pub fn count(&self, severity: Severity) -> usize {
        self.items.iter().filter(|d| d.severity == severity).count()
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.items.iter()
    }

    /// True if there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// These, but no more than `most` of one severity and code; what is left out of each kind is told by one more.
    pub fn condensed(&self, most: usize) -> Self {
        let mut seen: HashMap<(Severity, Code), usize> = HashMap::new();
        let kept = self.items.iter().filter(|d| {
            let count = seen.entry((d.severity, d.code)).or_default();
            *count += 1;
            *count <= most
        });
        let mut out = Self { items: kept.cloned().collect() };
        let mut more: Vec<_> = seen.into_iter().filter(|(_, count)| *count > most).collect();
        more.sort_by_key(|((severity, code), _)| (*severity, code.as_str()));
        for ((severity, code), count) in more {
            let text = format!("{} more of this kind ({code}) are not shown", count - most);
            out.push(Diagnostic::new(severity, code, text));
        }
        out
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<T: IntoIterator<Item = Diagnostic>>(&mut self, iter: T) {
        self.items.extend(iter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_of_one_kind_only_the_first_are_kept() {
        let (many, few) = (Code::new("H1"), Code::new("H2"));
        let mut all = Diagnostics::new();
        all.extend((0..7).map(|n| Diagnostic::error(many, Span::default(), format!("{n}"))));
        all.extend((0..3).map(|n| Diagnostic::warning(many, Span::default(), format!("w{n}"))));
        all.push(Diagnostic::error(few, Span::default(), "other"));
        let said = |d: &Diagnostics| d.iter().map(|d| d.message.clone()).collect::<Vec<_>>();
        let condensed = all.condensed(3);
        let expected = ["0", "1", "2", "w0", "w1", "w2", "other", "4 more of this kind (H1) are not shown"];
        assert_eq!(said(&condensed), expected);
        assert!(condensed.has_errors());
        assert_eq!(said(&all.condensed(7)), said(&all));
    }
}
