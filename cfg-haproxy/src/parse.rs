//! Files to tree: lines, conditional blocks, directives, sections, and the environment that lines change.

use crate::codes;
use crate::cond::Condition;
use crate::env::{Changes, Env, Facts};
use crate::lex::{self, LexError, RawWord, Scope};
use crate::section::SectionKind;
use crate::suggest;
use crate::tree::{Line, Role, Section, Tree};
use lb_core::diag::{Diagnostic, Diagnostics, FileId, Span};

/// Conditional blocks may be nested this deep.
const MAX_NESTING: usize = 16;

/// One file: the name shown in diagnostics, and its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a name and a text is all a source is")]
pub struct Source<'a> {
    /// The name shown in diagnostics.
    pub name: &'a str,
    /// The text.
    pub text: &'a str,
}

impl<'a> Source<'a> {
    /// The text `text` under the name `name`.
    pub fn new(name: &'a str, text: &'a str) -> Self {
        Self { name, text }
    }
}

/// Parses `sources` in order; never fails. What could not be understood is in the diagnostics and marked in the tree.
pub fn parse(sources: &[Source<'_>], env: &dyn Env, facts: &Facts) -> (Tree, Diagnostics) {
    let mut parser = Parser { tree: Tree::default(), diagnostics: Diagnostics::new(), env, facts };
    for source in sources {
        let file = parser.tree.sources.add(source.name, source.text);
        FileParser {
            parser: &mut parser,
            file,
            blocks: Vec::new(),
            section: None,
            section_name: String::new(),
        }
        .run(*source);
    }
    crate::legacy::translate(&mut parser.tree, &mut parser.diagnostics);
    (parser.tree, parser.diagnostics)
}

struct Parser<'a> {
    tree: Tree,
    diagnostics: Diagnostics,
    env: &'a dyn Env,
    facts: &'a Facts,
}

/// Where a conditional block stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    /// The lines count.
    Take,
    /// The lines do not count, a later branch may.
    Drop,
    /// A branch was taken, or an outer block is left out.
    Skip,
}

struct OpenBlock {
    state: Block,
    in_else: bool,
    opened: Span,
}

struct FileParser<'p, 'a> {
    parser: &'p mut Parser<'a>,
    file: FileId,
    blocks: Vec<OpenBlock>,
    section: Option<SectionKind>,
    section_name: String,
}

impl FileParser<'_, '_> {
    fn run(mut self, source: Source<'_>) {
        let mut start = 0;
        let mut number = 0;
        while start < source.text.len() {
            let rest = &source.text.as_bytes()[start..];
            let end = memchr(rest).map_or(source.text.len(), |i| start + i + 1);
            number += 1;
            self.line(source, start..end, number);
            start = end;
        }
        if !source.text.is_empty() && !source.text.ends_with('\n') {
            self.missing_newline(source, number);
        }
        if let Some(block) = self.blocks.pop() {
            let diagnostic = Diagnostic::error(codes::CONDITION, block.opened, "this `.if` has no `.endif`")
                .compat("non-terminated '.if' block.");
            self.report(diagnostic);
        }
        self.close_section();
    }

    fn missing_newline(&mut self, source: Source<'_>, number: u32) {
        let column = source.text.len() - source.text.rfind('\n').map_or(0, |i| i + 1) + 1;
        let at = Span::new(self.file, source.text.len()..source.text.len());
        let diagnostic = Diagnostic::warning(codes::LAST_NEWLINE, at, "the last line has no line end")
            .compat(format!(
                "Missing LF on last line, file might have been truncated at position {column} (line {number})."
            ))
            .note("HAProxy refuses such a file; it is read here as if the line end were there")
            .suggest(at, "\n", "add a line end");
        self.report(diagnostic);
    }

    fn line(&mut self, source: Source<'_>, range: std::ops::Range<usize>, number: u32) {
        let span = Span::new(self.file, range.clone());
        let first = self.parser.tree.words.len();
        let text = source.text[range.clone()].trim_start_matches([' ', '\t']);
        let role = if text.starts_with('[') {
            self.report(
                Diagnostic::notice(codes::SCOPE, span, "scopes in brackets change nothing")
                    .compat("scope lines are ignored"),
            );
            Role::Directive
        } else {
            match self.lex(source, range, number) {
                Ok(()) => self.role(first, span),
                Err(error) => {
                    self.parser.tree.words.truncate(first);
                    self.lex_error(source, span, error);
                    Role::Broken
                }
            }
        };
        if role == Role::Header {
            self.close_section();
            let kind = self.section.unwrap_or(SectionKind::Global);
            let from = self.parser.tree.lines.len() as u32;
            self.parser.tree.sections.push(Section { kind, lines: from..from });
        }
        let words = first as u32..self.parser.tree.words.len() as u32;
        self.parser.tree.lines.push(Line { span, number, role, words });
    }

    fn lex(
        &mut self,
        source: Source<'_>,
        range: std::ops::Range<usize>,
        number: u32,
    ) -> Result<(), LexError> {
        let Tree { arena, words, changes, .. } = &mut self.parser.tree;
        let scope = Scope {
            env: self.parser.env,
            changes,
            branch: self.parser.facts.branch,
            version: self.parser.facts.version,
            file: source.name,
            line: number,
            section: &self.section_name,
        };
        lex::words(source.text, range, &scope, arena, words)
    }

    fn text(&self, word: &RawWord) -> &str {
        match word.owned {
            Some((at, length)) => &self.parser.tree.arena[at as usize..(at + length) as usize],
            None => self.parser.tree.sources.text(self.span(word)),
        }
    }

    fn span(&self, word: &RawWord) -> Span {
        Span { file: self.file, start: word.start, end: word.end }
    }

    fn role(&mut self, first: usize, line: Span) -> Role {
        let words: Vec<RawWord> = self.parser.tree.words[first..].to_vec();
        let Some(head) = words.first() else { return Role::Blank };
        let name = self.text(head).to_owned();
        if matches!(name.as_str(), ".if" | ".elif" | ".else" | ".endif") {
            self.condition(&name, &words, line);
            return Role::Directive;
        }
        if self.blocks.last().is_some_and(|b| b.state != Block::Take) {
            return Role::Masked;
        }
        if name.starts_with('.') {
            self.message(&name, &words);
            return Role::Directive;
        }
        if let Some(empty) = words.iter().position(|w| w.owned.is_some_and(|(_, length)| length == 0)) {
            self.empty_word(&words, empty);
            return Role::Broken;
        }
        self.keyword(&name, &words)
    }

    fn keyword(&mut self, name: &str, words: &[RawWord]) -> Role {
        if let Some(kind) = SectionKind::of(name) {
            self.section = Some(kind);
            self.section_name = self.text(words.get(1).unwrap_or(&words[0])).to_owned();
            return Role::Header;
        }
        match self.section {
            None => {
                let span = self.span(&words[0]);
                let near = suggest::nearest(name, SectionKind::ALL.iter().map(|k| k.keyword()));
                let mut diagnostic = Diagnostic::error(
                    codes::UNKNOWN_SECTION,
                    span,
                    format!("`{name}` stands before the first section"),
                )
                .compat(format!("unknown keyword '{name}' out of section."));
                if let Some(near) = near {
                    diagnostic = diagnostic.suggest(span, near, format!("did you mean `{near}`?"));
                }
                self.report(diagnostic);
                Role::Broken
            }
            Some(kind) => {
                self.expand_plain(words);
                if kind == SectionKind::Global && name.ends_with("env") {
                    self.environment(name, words);
                }
                Role::Keyword
            }
        }
    }

    /// Remembers words with variables outside quotes: addresses expand them wherever they stand.
    fn expand_plain(&mut self, words: &[RawWord]) {
        for word in words.iter().filter(|w| w.owned.is_none()) {
            let text = self.parser.tree.sources.text(self.span(word));
            if text.contains('$') {
                let value = lex::expand(text, self.parser.env, &self.parser.tree.changes);
                self.parser.tree.expanded.insert((self.file, word.start), value);
            }
        }
    }

    /// `setenv` and its kin act on the lines that follow, so they are carried out while parsing.
    fn environment(&mut self, name: &str, words: &[RawWord]) {
        let args: Vec<String> = words[1..].iter().map(|w| self.text(w).to_owned()).collect();
        let changes: &mut Changes = &mut self.parser.tree.changes;
        match (name, args.as_slice()) {
            ("setenv", [name, value]) => changes.set(name, value),
            ("presetenv", [name, value]) if changes.var(self.parser.env, name).is_none() => {
                changes.set(name, value)
            }
            ("unsetenv", names) => names.iter().for_each(|name| changes.unset(name)),
            ("resetenv", names) => changes.reset(&names.iter().map(String::as_str).collect::<Vec<_>>()),
            // Wrong numbers of arguments are reported when the keyword is checked.
            _ => {}
        }
    }

    fn close_section(&mut self) {
        let end = self.parser.tree.lines.len() as u32;
        if let Some(section) = self.parser.tree.sections.last_mut()
            && section.lines.end == section.lines.start
        {
            section.lines.end = end;
        }
    }

    fn condition(&mut self, name: &str, words: &[RawWord], line: Span) {
        let span = self.span(&words[0]);
        if matches!(name, ".else" | ".endif") && words.len() > 1 {
            let extra = self.text(&words[1]).to_owned();
            let at = self.span(&words[1]);
            self.report(
                Diagnostic::error(codes::CONDITION, at, format!("`{name}` takes no argument"))
                    .compat(format!("Unexpected argument '{extra}' for '{name}'.")),
            );
        }
        if name == ".if" {
            return self.open_block(words, line);
        }
        let Some(block) = self.blocks.last() else {
            let text = format!("`{name}` without `.if` before it");
            let compat = format!("lone '{name}' with no matching '.if'.");
            return self.report(Diagnostic::error(codes::CONDITION, span, text).compat(compat));
        };
        if name == ".endif" {
            self.blocks.pop();
            return;
        }
        if block.in_else {
            let opened = block.opened;
            return self.report(
                Diagnostic::error(codes::CONDITION, span, format!("`{name}` after `.else`"))
                    .compat(format!("'{name}' after '.else' is not permitted."))
                    .label(opened, "the block starts here"),
            );
        }
        let state = match (block.state, name) {
            (Block::Take | Block::Skip, _) => Block::Skip,
            (Block::Drop, ".else") => Block::Take,
            (Block::Drop, _) if self.decide(name, words) => Block::Take,
            (Block::Drop, _) => Block::Drop,
        };
        if let Some(block) = self.blocks.last_mut() {
            block.state = state;
            block.in_else = name == ".else";
        }
    }

    fn open_block(&mut self, words: &[RawWord], line: Span) {
        let outer = self.blocks.last().map_or(Block::Take, |b| b.state);
        if self.blocks.len() >= MAX_NESTING {
            self.report(
                Diagnostic::error(codes::CONDITION, line, "conditional blocks are nested too deep")
                    .compat(format!("too many nested '.if', max is {MAX_NESTING}.")),
            );
        }
        let state = match outer {
            Block::Take if self.decide(".if", words) => Block::Take,
            Block::Take => Block::Drop,
            _ => Block::Skip,
        };
        let opened = self.span(&words[0]);
        self.blocks.push(OpenBlock { state, in_else: false, opened });
    }

    fn decide(&mut self, name: &str, words: &[RawWord]) -> bool {
        let parts: Vec<&str> = words[1..].iter().map(|w| self.text(w)).collect();
        let text = parts.join(" ");
        let condition =
            Condition { env: self.parser.env, changes: &self.parser.tree.changes, facts: self.parser.facts };
        match condition.evaluate(&text) {
            Ok(value) => value,
            Err(error) => {
                let from = words.get(1).unwrap_or(&words[0]);
                let span = self.span(from).to(self.span(words.last().unwrap_or(from)));
                self.report(
                    Diagnostic::error(codes::CONDITION, span, error.message.clone())
                        .compat(format!("{} in '{name}' at position {}:", error.message, error.at + 1))
                        .note(format!("the condition reads `{text}` once quotes and variables are resolved"))
                        .note("see: configuration manual 2.4, \"Conditional blocks\""),
                );
                false
            }
        }
    }

    fn message(&mut self, name: &str, words: &[RawWord]) {
        let span = self.span(&words[0]);
        if !matches!(name, ".alert" | ".warning" | ".notice" | ".diag") {
            let known = [".if", ".elif", ".else", ".endif", ".alert", ".warning", ".notice", ".diag"];
            let mut diagnostic =
                Diagnostic::error(codes::UNKNOWN_DIRECTIVE, span, format!("unknown directive `{name}`"))
                    .compat(format!("unknown directive '{name}'."));
            if let Some(near) = suggest::nearest(name, known) {
                diagnostic = diagnostic.suggest(span, near, format!("did you mean `{near}`?"));
            }
            return self.report(diagnostic);
        }
        if let Some(extra) = words.get(2) {
            let text = self.text(extra).to_owned();
            let at = self.span(extra);
            return self.report(
                Diagnostic::error(codes::USER_MESSAGE, at, format!("`{name}` takes one message"))
                    .compat(format!(
                        "Unexpected argument '{text}' for '{name}'. Use quotes if the message should contain spaces."
                    ))
                    .note("put the message in quotes"),
            );
        }
        let text = words.get(1).map_or("", |w| self.text(w)).to_owned();
        let compat = format!("'{text}'.");
        let diagnostic = match name {
            ".alert" => Diagnostic::error(codes::USER_MESSAGE, span, text),
            ".warning" => Diagnostic::warning(codes::USER_MESSAGE, span, text),
            ".notice" => Diagnostic::notice(codes::USER_MESSAGE, span, text),
            // Shown by -dD only, which asks for every notice; nothing is lost by keeping it as one.
            _ => Diagnostic::notice(codes::USER_MESSAGE, span, text),
        };
        self.report(diagnostic.compat(compat));
    }

    fn empty_word(&mut self, words: &[RawWord], index: usize) {
        let word = words[index];
        let at = self.span(&word);
        let column = self.parser.tree.sources.locate(at).map_or(1, |(_, p)| p.column);
        let mut diagnostic = Diagnostic::error(codes::EMPTY_WORD, at, "this word is empty").compat(format!(
            "argument number {index} at position {column} is empty and marks the end of the argument list:"
        ));
        diagnostic = if word.unset {
            diagnostic.note("the variable is not set; `${NAME-value}` gives it a default, `${NAME[*]}` makes no word of it")
        } else {
            diagnostic.note("HAProxy stops reading the line at an empty word")
        };
        self.report(diagnostic);
    }

    fn lex_error(&mut self, source: Source<'_>, line: Span, error: LexError) {
        let offset = error.offset();
        let at = Span::new(self.file, offset..(offset + 1).min(line.end as usize));
        let column = self.parser.tree.sources.locate(at).map_or(1, |(_, p)| p.column);
        let (code, message, compat) = match error {
            LexError::Quote(_) => (codes::QUOTE, "this quote is never closed", "unmatched quote"),
            LexError::Brace(_) => (
                codes::VARIABLE,
                "this brace is never closed",
                "unmatched brace in environment variable name",
            ),
            LexError::VariableName(_) => (
                codes::VARIABLE,
                "a variable's name starts with a letter or an underscore",
                "forbidden first char in environment variable name",
            ),
            LexError::Hex(_) => (
                codes::HEX,
                "`\\x` wants two hexadecimal digits",
                "truncated or invalid hexadecimal sequence",
            ),
            LexError::Expansion(_) => (
                codes::VARIABLE,
                "only `[*]` may follow a variable's name",
                "truncated or invalid word expansion sequence",
            ),
            LexError::NotText(_) => (
                codes::HEX,
                "the `\\x` escapes of this word make bytes that are not UTF-8 text",
                "invalid byte sequence",
            ),
            LexError::Nul(_) => (codes::NUL, "a NUL character", "Stray NUL character"),
            LexError::TooMany(_) => (codes::TOO_MANY_WORDS, "a line may have 64 words", "too many words"),
        };
        let shown = source.text[line.start as usize..line.end as usize].trim_end();
        let compat = match error {
            LexError::TooMany(_) => {
                format!("too many words, truncating after word {}, position {column}", lex::MAX_WORDS)
            }
            LexError::Nul(_) => format!("{compat} at position {column}."),
            _ => format!("{compat} at position {column}: {}", shown.trim_start()),
        };
        self.report(Diagnostic::error(code, at, message).compat(compat));
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.parser.diagnostics.push(diagnostic);
    }
}

fn memchr(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|b| *b == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::NoEnv;

    fn roles(text: &str) -> (Vec<Role>, Vec<String>) {
        let (tree, diagnostics) = parse(&[Source::new("a.cfg", text)], &NoEnv, &Facts::default());
        let messages = diagnostics.iter().map(|d| d.compat.clone().unwrap_or_default()).collect();
        (tree.lines().iter().map(Line::role).collect(), messages)
    }

    #[test]
    fn blocks_choose_their_lines() {
        let text = "global\n.if 0\n a\n.elif 1\n b\n.else\n c\n.endif\n d\n";
        let (roles, messages) = roles(text);
        assert!(messages.is_empty(), "{messages:?}");
        let expected = [
            Role::Header,
            Role::Directive,
            Role::Masked,
            Role::Directive,
            Role::Keyword,
            Role::Directive,
            Role::Masked,
            Role::Directive,
            Role::Keyword,
        ];
        assert_eq!(roles, expected);
    }

    #[test]
    fn nested_blocks_inside_a_dropped_one_stay_dropped() {
        let (roles, messages) = roles("global\n.if 0\n.if 1\n a\n.else\n b\n.endif\n.endif\n");
        assert!(messages.is_empty(), "{messages:?}");
        assert_eq!(roles.iter().filter(|r| **r == Role::Masked).count(), 2);
    }

    #[test]
    fn wrong_nesting_is_reported() {
        for (text, expected) in [
            ("global\n.else\n", "lone '.else' with no matching '.if'."),
            ("global\n.if 1\n", "non-terminated '.if' block."),
            ("global\n.if 1\n.else\n.elif 1\n.endif\n", "'.elif' after '.else' is not permitted."),
            ("global\n.foo\n", "unknown directive '.foo'."),
            ("global\n.alert \"no\"\n", "'no'."),
            ("bind :80\n", "unknown keyword 'bind' out of section."),
        ] {
            assert_eq!(roles(text).1, [expected], "{text}");
        }
    }

    #[test]
    fn setenv_acts_on_the_lines_below() {
        let text = "global\n setenv A 80\n presetenv A 90\nfrontend f\n bind \":$A\"\n";
        let (tree, diagnostics) = parse(&[Source::new("a.cfg", text)], &NoEnv, &Facts::default());
        assert!(diagnostics.is_empty());
        let last = tree.lines().last().unwrap();
        assert_eq!(tree.words(last).nth(1).unwrap().text, ":80");
    }

    #[test]
    fn the_tree_gives_the_text_back() {
        let text = "global # x\n\tdaemon \n\n.if 0\n  log \"${X[*]}\" 'a b'\n.endif\r\n bad \"\nfrontend f";
        let (tree, _) = parse(&[Source::new("a.cfg", text)], &NoEnv, &Facts::default());
        let file = tree.sources().files().next().unwrap().0;
        assert_eq!(tree.text(file), text);
    }
}
