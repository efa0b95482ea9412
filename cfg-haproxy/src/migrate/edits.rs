//! Changes of lines, collected and carried out at once.

use super::{Change, MigratedFile};
use crate::tree::{Role, Tree};
use lb_core::diag::{FileId, Span};
use std::collections::BTreeMap;

/// What becomes of one line.
#[derive(Debug, Default)]
struct LineEdit {
    replaced: Vec<(Span, String)>,
    /// Lines that follow it.
    below: Vec<String>,
    commented: bool,
}

/// Changes by number of the line in the tree.
pub(super) struct Edits<'t> {
    tree: &'t Tree,
    lines: BTreeMap<usize, LineEdit>,
}

impl<'t> Edits<'t> {
    pub(super) fn new(tree: &'t Tree) -> Self {
        Self { tree, lines: BTreeMap::new() }
    }

    /// The line that holds `span`.
    pub(super) fn line_at(&self, span: Span) -> Option<usize> {
        let key = (span.file.index(), span.start);
        let after = self.tree.lines().partition_point(|l| (l.span().file.index(), l.span().start) <= key);
        after.checked_sub(1)
    }

    /// Whether `span` covers all words of `line`, `no` and `default` aside.
    pub(super) fn fills_line(&self, line: usize, span: Span) -> bool {
        let mut words = self.tree.words(&self.tree.lines()[line]);
        words.all(|w| {
            (w.span.start >= span.start && w.span.end <= span.end) || matches!(w.text, "no" | "default")
        })
    }

    pub(super) fn comment_out(&mut self, line: usize) {
        self.lines.entry(line).or_default().commented = true;
    }

    /// Replaces a part of a line.
    pub(super) fn replace(&mut self, span: Span, text: &str) {
        if let Some(line) = self.line_at(span) {
            self.replace_lines(line, span, text);
        }
    }

    /// Replaces a part of `line` by the first line of `text`; the other ones follow below.
    pub(super) fn replace_lines(&mut self, line: usize, span: Span, text: &str) {
        let edit = self.lines.entry(line).or_default();
        if edit.replaced.iter().any(|(known, _)| known.start < span.end && span.start < known.end) {
            return;
        }
        let mut lines = text.split('\n');
        edit.replaced.push((span, lines.next().unwrap_or("").to_owned()));
        edit.below.extend(lines.map(str::to_owned));
    }

    /// Adds `text` behind the last word of the line that holds `span`.
    pub(super) fn append(&mut self, span: Span, text: &str) {
        let Some(line) = self.line_at(span) else { return };
        if let Some(last) = self.tree.words(&self.tree.lines()[line]).last() {
            let end = last.span.end as usize;
            self.replace_lines(line, Span::new(last.span.file, end..end), text);
        }
    }

    /// Adds a line below the header that holds `span`.
    pub(super) fn below_header(&mut self, span: Span, text: &str) {
        if let Some(line) = self.line_at(span) {
            self.lines.entry(line).or_default().below.push(text.to_owned());
        }
    }

    /// The new texts.
    pub(super) fn apply(self) -> Vec<MigratedFile> {
        let files = self.tree.sources().files();
        files.map(|(file, source)| self.file(file, source.name())).collect()
    }

    fn file(&self, file: FileId, name: &str) -> MigratedFile {
        let mut out = MigratedFile { name: name.to_owned(), text: String::new(), changes: Vec::new() };
        for (index, line) in self.tree.lines().iter().enumerate().filter(|(_, l)| l.span().file == file) {
            let old = self.tree.sources().text(line.span());
            let Some(edit) = self.lines.get(&index) else {
                out.text.push_str(old);
                continue;
            };
            let new = self.changed(index, old, edit);
            out.changes.push(Change {
                line: line.number(),
                old: old.trim().to_owned(),
                new: new.lines().map(str::trim).collect::<Vec<_>>().join("\n"),
            });
            out.text.push_str(&new);
        }
        if !out.text.is_empty() && !out.text.ends_with('\n') {
            out.text.push('\n');
        }
        out
    }

    fn changed(&self, index: usize, old: &str, edit: &LineEdit) -> String {
        let line = &self.tree.lines()[index];
        let body = old.trim_end_matches(['\r', '\n']);
        let end = if old.len() > body.len() { &old[body.len()..] } else { "\n" };
        let indent = &body[..body.len() - body.trim_start().len()];
        let mut new = body.to_owned();
        let mut replaced: Vec<&(Span, String)> = edit.replaced.iter().collect();
        replaced.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
        for (span, text) in replaced {
            let at = (span.start - line.span().start) as usize;
            let to = ((span.end - line.span().start) as usize).min(new.len());
            // What goes takes the blanks before it along.
            let from = if text.is_empty() { new[..at].trim_end().len().max(indent.len()) } else { at };
            new.replace_range(from..to, text);
        }
        if edit.commented {
            new = format!("{indent}# {}", &new[indent.len()..]);
        }
        new.push_str(end);
        let indent = if line.role() == Role::Header { self.indent_below(index) } else { indent };
        for text in &edit.below {
            new.push_str(indent);
            new.push_str(text);
            new.push_str(end);
        }
        new
    }

    /// The indentation of the first line of the section whose header is `index`.
    fn indent_below(&self, index: usize) -> &'t str {
        let mut below = self.tree.lines()[index + 1..].iter();
        let first = below.find(|l| l.role() != Role::Blank).filter(|l| l.role() == Role::Keyword);
        first.map_or("    ", |line| {
            let text = self.tree.sources().text(line.span());
            &text[..text.len() - text.trim_start().len()]
        })
    }
}
