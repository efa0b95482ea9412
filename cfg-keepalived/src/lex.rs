//! Physical text to tokens, without loss: joining the tokens of a file gives the file back.
//!
//! The rules are those of the original's line reader: `#` and `!` start a comment anywhere outside double quotes, a
//! backslash protects the next character, a quote never spans lines, braces need no blanks around them.

use lb_core::diag::{FileId, Span};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the lexical grammar is closed")]
pub enum TokenKind {
    /// Blanks within a line, and the byte order mark some editors put first.
    Space,
    /// An unquoted word, or part of one.
    Word,
    /// A double-quoted string with its quotes; without the closing one if the line ends first.
    Quoted,
    /// `{`
    Open,
    /// `}`
    Close,
    /// `#` or `!` and the rest of the line.
    Comment,
    /// A line end, with a carriage return before it if there is one.
    Newline,
}

/// A piece of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "kind and place is all a token can be")]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it is; its text is the file's text there.
    pub span: Span,
}

/// Splits the text of `file` into tokens that cover every byte of it.
pub fn tokenize(file: FileId, text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    if text.starts_with('\u{feff}') {
        at = '\u{feff}'.len_utf8();
        tokens.push(Token { kind: TokenKind::Space, span: Span::new(file, 0..at) });
    }
    while at < text.len() {
        let (kind, length) = next(&text.as_bytes()[at..]);
        tokens.push(Token { kind, span: Span::new(file, at..at + length) });
        at += length;
    }
    tokens
}

/// The first token of `rest`, which is not empty. All boundaries are ASCII, so lengths never cut a character.
fn next(rest: &[u8]) -> (TokenKind, usize) {
    match rest[0] {
        b'\n' => (TokenKind::Newline, 1),
        b'\r' if rest.get(1) == Some(&b'\n') => (TokenKind::Newline, 2),
        b if is_blank(b) => {
            let end = rest
                .iter()
                .enumerate()
                .position(|(i, &b)| !is_blank(b) || (b == b'\r' && rest.get(i + 1) == Some(&b'\n')));
            (TokenKind::Space, end.unwrap_or(rest.len()))
        }
        b'#' | b'!' => (TokenKind::Comment, line_length(rest)),
        b'"' => (TokenKind::Quoted, quoted_length(rest)),
        b'{' => (TokenKind::Open, 1),
        b'}' => (TokenKind::Close, 1),
        _ => (TokenKind::Word, word_length(rest)),
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | 0x0b | 0x0c)
}

fn line_length(rest: &[u8]) -> usize {
    let end = rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
    if end < rest.len() && end > 0 && rest[end - 1] == b'\r' { end - 1 } else { end }
}

fn quoted_length(rest: &[u8]) -> usize {
    let line = line_length(rest);
    let mut at = 1;
    while at < line {
        match rest[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    line.max(1)
}

fn word_length(rest: &[u8]) -> usize {
    let line = line_length(rest);
    let mut at = 0;
    while at < line {
        match rest[at] {
            b'\\' => at += 2,
            // `${NAME}` belongs to the word; its braces are no block.
            b'$' if rest.get(at + 1) == Some(&b'{') => {
                let close = rest[at..line].iter().position(|&b| b == b'}');
                at += close.map_or(2, |n| n + 1);
            }
            b'#' | b'!' | b'"' | b'{' | b'}' => break,
            b if is_blank(b) => break,
            _ => at += 1,
        }
    }
    at.clamp(1, line.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lb_core::diag::SourceMap;

    fn kinds(text: &str) -> Vec<(TokenKind, String)> {
        let mut map = SourceMap::new();
        let file = map.add("t", text);
        tokenize(file, text).iter().map(|t| (t.kind, map.text(t.span).to_owned())).collect()
    }

    #[test]
    fn a_comment_starts_inside_a_word_but_not_inside_quotes() {
        use TokenKind::*;
        let got = kinds("auth_pass ab!cd\n\"a !#b\" c\\!d # x\r\n");
        let want = [
            (Word, "auth_pass"),
            (Space, " "),
            (Word, "ab"),
            (Comment, "!cd"),
            (Newline, "\n"),
            (Quoted, "\"a !#b\""),
            (Space, " "),
            (Word, "c\\!d"),
            (Space, " "),
            (Comment, "# x"),
            (Newline, "\r\n"),
        ];
        assert_eq!(got, want.map(|(k, t)| (k, t.to_owned())));
    }

    #[test]
    fn braces_stand_alone_except_in_a_variable() {
        use TokenKind::*;
        let got: Vec<_> = kinds("a{${B}c}").into_iter().map(|(k, _)| k).collect();
        assert_eq!(got, [Word, Open, Word, Close]);
    }

    #[test]
    fn odd_ends_lose_nothing() {
        for text in
            ["\\", "\"", "a\\", "${", "\r", "é\"é", "\u{feff}x", "a\\\u{e9}", "\"\\\u{1F600}", "$\\\n"]
        {
            let joined: String = kinds(text).into_iter().map(|(_, t)| t).collect();
            assert_eq!(joined, text, "{text:?}");
        }
    }
}
