//! Tree to typed [`Config`]: every line is looked up in the keyword table, its arguments are checked, and what it says
//! is put where it belongs. Problems are reported and reading goes on, so one run says everything.

mod args;
mod balance;
mod bind;
mod cookie;
mod cross;
mod files;
mod global;
mod guid;
mod lint;
mod log;
mod names;
mod option;
mod probe;
pub(crate) use probe::match_words;
mod proxy;
mod rules;
mod sections;
mod server;
mod stats;
mod stick;
mod timeouts;

pub(crate) use cross::effective_lists;
pub(crate) use files::join;
pub(crate) use proxy::STATUSES;
pub(crate) use stick::MAX_ARRAY;

use crate::codes;
use crate::config::{Config, Proxy};
use crate::host::Host;
use crate::keyword::{self, Keyword, Place, Sides, Status};
use crate::section::SectionKind;
use crate::suggest;
use crate::tree::{Line, Role, Section, Tree, Word};
use lb_core::diag::{Code, Diagnostic, Diagnostics, Span};
use std::collections::{HashMap, HashSet};

/// Fills the typed configuration from `tree`; never fails.
pub fn check<'t>(tree: &'t Tree, host: Host<'_>) -> (Config<'t>, Diagnostics) {
    let base = crate::base::default_path(tree);
    let files = crate::base::Based { files: host.files, base: base.as_deref() };
    let host = Host { files: &files, ..host };
    let mut checker = Checker {
        tree,
        host,
        config: Config::default(),
        diagnostics: Diagnostics::new(),
        current: Current::None,
        names: HashMap::new(),
        last_anonymous: None,
        order: rules::Order::default(),
        translated: false,
        store: ("", None, None, false),
        given: HashMap::new(),
        mentioned: HashSet::new(),
    };
    for section in tree.sections() {
        checker.section(section);
    }
    checker.finish();
    (checker.config, checker.diagnostics)
}

/// `no` or `default` before a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prefix {
    None,
    No,
    Default,
}

/// One line to be checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stmt<'t, 'w> {
    pub(crate) keyword: &'static Keyword,
    pub(crate) prefix: Prefix,
    /// All words after the prefix, the keyword's included.
    pub(crate) words: &'w [Word<'t>],
    /// How many words the keyword has.
    pub(crate) skip: usize,
    pub(crate) line: u32,
}

impl<'t> Stmt<'t, '_> {
    /// The words after the keyword.
    pub(crate) fn args(&self) -> &[Word<'t>] {
        &self.words[self.skip.min(self.words.len())..]
    }

    /// The `i`th word after the keyword; empty if there is none.
    pub(crate) fn arg(&self, i: usize) -> &'t str {
        self.args().get(i).map_or("", |w| w.text)
    }

    /// The keyword's place.
    pub(crate) fn head(&self) -> Span {
        self.words[0].span.to(self.words[self.skip.clamp(1, self.words.len()) - 1].span)
    }

    /// From the first to the last word.
    pub(crate) fn span(&self) -> Span {
        self.words[0].span.to(self.words[self.words.len() - 1].span)
    }

    /// All words after the keyword with single blanks between them.
    pub(crate) fn text(&self) -> String {
        self.args().iter().map(|w| w.text).collect::<Vec<_>>().join(" ")
    }
}

/// Which object the lines of the present section fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Current {
    /// The section's first line was wrong; its lines are checked as far as possible but kept nowhere.
    None,
    Kept(SectionKind),
}

pub(crate) struct Checker<'t, 'h> {
    pub(crate) tree: &'t Tree,
    pub(crate) host: Host<'h>,
    pub(crate) config: Config<'t>,
    pub(crate) diagnostics: Diagnostics,
    pub(crate) current: Current,
    /// Where names of sections were declared, by section kind.
    pub(crate) names: HashMap<(SectionKind, &'t str), Span>,
    /// The last `defaults` without `from`, which following proxies inherit from.
    pub(crate) last_anonymous: Option<usize>,
    /// Which kinds of rules the present proxy has had.
    pub(crate) order: rules::Order,
    /// The line at hand stands for an old one, to which the rules of its time apply.
    pub(crate) translated: bool,
    /// The present `crt-store`: its name, `crt-base`, `key-base`, and whether it had a `load`.
    pub(crate) store: (&'t str, Option<Word<'t>>, Option<Word<'t>>, bool),
    /// Global settings of which the first one counts, and where it was made.
    pub(crate) given: HashMap<&'static str, Span>,
    /// Keywords without effect that have been mentioned.
    pub(crate) mentioned: HashSet<(Place, &'static str)>,
}

impl<'t> Checker<'t, '_> {
    fn section(&mut self, section: &Section) {
        let kind = section.kind();
        let mut words = Vec::with_capacity(crate::lex::MAX_WORDS);
        for (index, line) in self.tree.lines_of(section).iter().enumerate() {
            match line.role() {
                Role::Header => {
                    words.clear();
                    words.extend(self.tree.words(line));
                    self.header(kind, &words);
                }
                Role::Keyword if kind == SectionKind::Ruleset => {}
                Role::Keyword => {
                    let number = section.lines.start + index as u32;
                    self.keyword_line(kind, line, number, &mut words);
                }
                _ => {}
            }
        }
        self.close_section(kind);
        self.current = Current::None;
    }

    fn keyword_line(&mut self, kind: SectionKind, line: &Line, number: u32, words: &mut Vec<Word<'t>>) {
        match self.tree.translated.get(&number) {
            None => {
                words.clear();
                words.extend(self.tree.words(line));
                self.line(kind, words, line.number());
            }
            Some(replacements) => {
                self.translated = true;
                for range in replacements {
                    words.clear();
                    words.extend(self.tree.words_at(line, range.clone()));
                    if !words.is_empty() {
                        self.line(kind, words, line.number());
                    }
                }
                self.translated = false;
            }
        }
    }

    fn line(&mut self, kind: SectionKind, all: &[Word<'t>], line: u32) {
        let (prefix, words) = match all[0].text {
            "no" => (Prefix::No, &all[1..]),
            "default" => (Prefix::Default, &all[1..]),
            _ => (Prefix::None, all),
        };
        let Some(first) = words.first() else {
            let place = all[0];
            return self.error(
                codes::NEGATION,
                place.span,
                format!("`{}` must stand before a keyword", place.text),
            );
        };
        let place = match kind {
            SectionKind::Global => Place::Global,
            kind if kind.is_proxy() => Place::Proxy,
            kind => Place::Section(kind),
        };
        if place == Place::Proxy && first.text == "option" {
            return self.option_line(kind, prefix, words, line);
        }
        let found = self.lookup(place, words);
        if prefix != Prefix::None && !found.is_some_and(|k| k.negatable) {
            return self.not_negatable(all[0]);
        }
        let Some(keyword) = found else { return self.unknown(kind, place, words) };
        let stmt = Stmt { keyword, prefix, words, skip: keyword.words(), line };
        self.statement(kind, stmt);
    }

    fn lookup(&self, place: Place, words: &[Word<'t>]) -> Option<&'static Keyword> {
        let texts = [0, 1, 2].map(|i| words.get(i).map_or("", |w| w.text));
        if let Some(keyword) = keyword::find(place, &texts) {
            return Some(keyword);
        }
        // `http-check set-var(name)`: the second word carries its arguments.
        let bare = texts[1].split('(').next().unwrap_or("");
        (bare.len() < texts[1].len()).then(|| keyword::find(place, &[texts[0], bare])).flatten()
    }

    fn statement(&mut self, kind: SectionKind, stmt: Stmt<'t, '_>) {
        if let Status::Refused(why) = stmt.keyword.status {
            return self.refused(stmt.head(), stmt.keyword, why);
        }
        match kind {
            SectionKind::Global => self.global_line(stmt),
            kind if kind.is_proxy() => self.proxy_line(kind, stmt),
            kind => self.section_line(kind, stmt),
        }
    }

    pub(crate) fn refused(&mut self, span: Span, keyword: &'static Keyword, why: &str) {
        self.push(
            Diagnostic::error(codes::REFUSED, span, format!("`{}` is not supported: {why}", keyword.name))
                .compat(format!("'{}' is not supported: {why}.", keyword.name))
                .note(keyword.reference()),
        );
    }

    pub(crate) fn no_effect(&mut self, span: Span, keyword: &'static Keyword) {
        // Once is enough: a thousand servers may share an option.
        if let Status::NoEffect(why) = keyword.status
            && self.mentioned.insert((keyword.place, keyword.name))
        {
            self.push(
                Diagnostic::notice(
                    codes::NO_EFFECT,
                    span,
                    format!("`{}` has no effect here: {why}", keyword.name),
                )
                .compat(format!("'{}' has no effect here: {why}.", keyword.name)),
            );
        }
    }

    fn not_negatable(&mut self, prefix: Word<'t>) {
        self.push(
            Diagnostic::error(
                codes::NEGATION,
                prefix.span,
                format!("`{}` cannot stand before this keyword", prefix.text),
            )
            .compat(
                "negation/default currently supported only for options, log, busy-polling, set-dumpable, \
                     strict-limits, insecure-fork-wanted and numa-cpu-mapping.",
            ),
        );
    }

    fn unknown(&mut self, kind: SectionKind, place: Place, words: &[Word<'t>]) {
        let first = words[0];
        let family = keyword::family(place, first.text);
        if !family.is_empty() {
            return self.unknown_second(kind, words, family);
        }
        let section = kind.keyword();
        let sections = SectionKind::ALL.iter().map(|k| k.keyword());
        let near = suggest::nearest(first.text, keyword::first_words(place, side_of(kind)).chain(sections));
        let compat = match near {
            Some(near) => format!(
                "unknown keyword '{}' in '{section}' section; did you mean '{near}' maybe ?",
                first.text
            ),
            None => format!("unknown keyword '{}' in '{section}' section", first.text),
        };
        let mut diagnostic = Diagnostic::error(
            codes::UNKNOWN_KEYWORD,
            first.span,
            format!("unknown keyword `{}` in a `{section}` section", first.text),
        )
        .compat(compat);
        if let Some(near) = near {
            diagnostic = diagnostic.suggest(first.span, near, format!("did you mean `{near}`?"));
            if let Some(keyword) = keyword::find(place, &[near]) {
                diagnostic = diagnostic.note(keyword.reference());
            }
        }
        self.push(diagnostic);
    }

    /// `timeout cleint 5s`: the first word is known, the second is not.
    fn unknown_second(&mut self, kind: SectionKind, words: &[Word<'t>], family: &'static [&'static Keyword]) {
        let first = words[0].text;
        let present = family.iter().filter(|k| !matches!(k.status, Status::Translated(_)));
        let choices: Vec<&str> = present.filter_map(|k| k.name.split(' ').nth(1)).collect();
        let listed = choices.join("', '");
        let Some(second) = words.get(1) else {
            return self.push(
                Diagnostic::error(
                    codes::MISSING_ARGUMENT,
                    words[0].span.after(),
                    format!("`{first}` needs a second word"),
                )
                .compat(format!("'{first}' expects '{listed}'."))
                .note(format!("one of: {}", choices.join(", "))),
            );
        };
        let near = suggest::nearest(second.text, choices.iter().copied());
        let mut compat = format!("'{first}': unknown keyword '{}', expects '{listed}'", second.text);
        let mut diagnostic = Diagnostic::error(
            codes::UNKNOWN_KEYWORD,
            second.span,
            format!("unknown keyword `{first} {}` in a `{}` section", second.text, kind.keyword()),
        );
        match near {
            Some(near) => {
                compat.push_str(&format!("; did you mean '{near}' maybe ?"));
                diagnostic = diagnostic.suggest(second.span, near, format!("did you mean `{near}`?"));
            }
            None => diagnostic = diagnostic.note(format!("one of: {}", choices.join(", "))),
        }
        self.push(diagnostic.compat(compat));
    }

    /// The proxy whose lines are being read.
    pub(crate) fn proxy(&mut self) -> Option<&mut Proxy<'t>> {
        match self.current {
            Current::Kept(SectionKind::Defaults) => self.config.defaults.last_mut(),
            Current::Kept(kind) if kind.is_proxy() => self.config.proxies.last_mut(),
            _ => None,
        }
    }

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// An error whose HAProxy wording is its own message with quotes for backquotes.
    pub(crate) fn error(&mut self, code: Code, span: Span, message: impl Into<String>) {
        let message = message.into();
        let compat = format!("{}.", message.replace('`', "'"));
        self.push(Diagnostic::error(code, span, message).compat(compat));
    }
}

/// The side bit of a section kind.
pub(crate) fn side_of(kind: SectionKind) -> Sides {
    match kind {
        SectionKind::Defaults => keyword::D,
        SectionKind::Frontend => keyword::F,
        SectionKind::Listen => keyword::L,
        SectionKind::Backend => keyword::B,
        _ => 0,
    }
}
