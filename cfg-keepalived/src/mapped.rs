//! Text that remembers where it came from.
//!
//! Cutting comments, replacing definitions and unfolding sequences make lines that stand in no file. Each piece of such a
//! line keeps the place it was copied from, so a diagnostic can still point at what somebody wrote.

use lb_core::diag::Span;
use std::ops::Range;

/// A text made of pieces of files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mapped {
    text: String,
    pieces: Vec<Piece>,
}

/// The pieces of a text lie end to end; each reaches to the start of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    start: usize,
    span: Span,
    /// True if byte n of the piece is byte n of the span; false for a replacement, which is its span as a whole.
    verbatim: bool,
}

impl Mapped {
    /// A stretch of a file as it stands.
    pub(crate) fn verbatim(text: &str, span: Span) -> Self {
        Self { text: text.to_owned(), pieces: vec![Piece { start: 0, span, verbatim: true }] }
    }

    /// Appends `other`.
    pub(crate) fn push(&mut self, other: &Self) {
        let base = self.text.len();
        self.text.push_str(&other.text);
        for piece in &other.pieces {
            let moved = Piece { start: base + piece.start, ..*piece };
            // Verbatim neighbours that continue each other stay one piece, so long lines stay cheap.
            let joined = self.pieces.last().is_some_and(|last| last.continued_by(&moved));
            if joined {
                if let Some(last) = self.pieces.last_mut() {
                    last.span = last.span.to(moved.span);
                }
            } else {
                self.pieces.push(moved);
            }
        }
    }

    /// Appends text that stands for `span` as a whole.
    pub(crate) fn push_replacement(&mut self, text: &str, span: Span) {
        self.pieces.push(Piece { start: self.text.len(), span, verbatim: false });
        self.text.push_str(text);
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// The part `range`, which must lie on character boundaries.
    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        let mut pieces = Vec::new();
        for (i, piece) in self.pieces.iter().enumerate() {
            let end = self.pieces.get(i + 1).map_or(self.text.len(), |p| p.start);
            let (from, to) = (piece.start.max(range.start), end.min(range.end));
            if from > to || (from == to && !(range.is_empty() && pieces.is_empty())) {
                continue;
            }
            let span = if piece.verbatim {
                piece.span.part(from - piece.start..to - piece.start)
            } else {
                piece.span
            };
            pieces.push(Piece { start: from - range.start, span, verbatim: piece.verbatim });
        }
        Self { text: self.text[range].to_owned(), pieces }
    }

    /// Where the bytes `range` were written.
    pub(crate) fn span(&self, range: Range<usize>) -> Span {
        let first = self.at(range.start);
        if range.is_empty() {
            return Span { end: first.start, ..first };
        }
        let last = self.at(range.end - 1);
        if first.file == last.file {
            Span { file: first.file, start: first.start.min(last.start), end: last.end.max(first.end) }
        } else {
            first
        }
    }

    /// Where the whole text was written.
    pub(crate) fn whole(&self) -> Span {
        self.span(0..self.text.len())
    }

    /// The one byte (or the replacement) at `offset`.
    fn at(&self, offset: usize) -> Span {
        let index = self.pieces.partition_point(|p| p.start <= offset).saturating_sub(1);
        let Some(piece) = self.pieces.get(index) else { return Span::default() };
        if !piece.verbatim {
            return piece.span;
        }
        let n = offset - piece.start;
        let byte = piece.span.part(n..n + 1);
        if byte.start == byte.end { piece.span.after() } else { byte }
    }

    /// The text without blanks at both ends.
    pub(crate) fn trimmed(&self) -> Self {
        let start = self.text.len() - self.text.trim_start_matches([' ', '\t']).len();
        let end = start + self.text[start..].trim_end_matches([' ', '\t']).len();
        self.slice(start..end)
    }
}

impl Piece {
    fn continued_by(&self, next: &Self) -> bool {
        let length = (self.span.end - self.span.start) as usize;
        self.verbatim
            && next.verbatim
            && self.span.file == next.span.file
            && self.span.end == next.span.start
            && self.start + length == next.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lb_core::diag::SourceMap;

    #[test]
    fn parts_of_a_rewritten_line_point_at_what_was_written() {
        let mut map = SourceMap::new();
        let source = "priority $PRIO extra";
        let file = map.add("k", source);
        let line = Mapped::verbatim(source, Span::new(file, 0..source.len()));
        let mut out = line.slice(0..9);
        out.push_replacement("150", line.span(9..14));
        out.push(&line.slice(14..20));
        assert_eq!(out.text(), "priority 150 extra");
        assert_eq!(map.text(out.span(0..8)), "priority");
        assert_eq!(map.text(out.span(9..12)), "$PRIO");
        assert_eq!(map.text(out.span(10..11)), "$PRIO");
        assert_eq!(map.text(out.span(13..18)), "extra");
        assert_eq!(map.text(out.whole()), source);
        assert_eq!(map.text(out.slice(13..18).whole()), "extra");
        assert_eq!(map.text(out.slice(9..12).whole()), "$PRIO");
    }

    #[test]
    fn joining_neighbours_gives_one_piece() {
        let mut map = SourceMap::new();
        let file = map.add("k", "abcdef");
        let line = Mapped::verbatim("abcdef", Span::new(file, 0..6));
        let mut out = line.slice(0..3);
        out.push(&line.slice(3..6));
        assert_eq!(out, line);
        assert_eq!(out.span(6..6).start, 6);
    }
}
