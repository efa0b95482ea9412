//! The configuration in the words of HAProxy 3.4: what was translated while reading is written down, all other lines,
//! comments and blanks stay as they are.
//!
//! Most changes are the suggestions of [`codes::TRANSLATED`] diagnostics. Four need more than their own line:
//! rules in anonymous `defaults` (moved to the proxies that inherit them), a frontend and a backend of one name (the
//! frontend gets another one, because nothing routes to it), `program` and `ruleset` sections (commented out), and `compat-version`
//! (replaced by the settings it stands for).

mod edits;
mod names;

use crate::check::check;
use crate::codes;
use crate::config::{Bind, Config, Proxy, ProxyMode, Server};
use crate::env::{Env, Facts};
use crate::host::{AskedOnce, Host};
use crate::lower::lower;
use crate::parse::{Source, parse};
use crate::section::SectionKind;
use crate::tree::{Role, Tree};
use edits::Edits;
use lb_core::diag::{Diagnostics, Severity, Span};
use lb_core::expr::Registry;
use std::fmt::Write as _;

/// A migrated configuration.
#[derive(Debug)]
#[non_exhaustive]
pub struct Migration {
    /// The files in the order they were given.
    pub files: Vec<MigratedFile>,
    /// The files as they were, for showing diagnostics.
    pub tree: Tree,
    /// What there was to say about them; errors among it are still in the migrated files.
    pub diagnostics: Diagnostics,
}

/// One migrated file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigratedFile {
    /// Its name.
    pub name: String,
    /// Its new text.
    pub text: String,
    /// What changed, in order.
    pub changes: Vec<Change>,
}

/// One changed line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// Its number in the old file, from 1.
    pub line: u32,
    /// What it said.
    pub old: String,
    /// What it says now; several lines if it takes several.
    pub new: String,
}

impl Migration {
    /// What stands in the way of HAProxy 3.4 still.
    pub fn left(&self) -> Diagnostics {
        let mut left = Diagnostics::new();
        left.extend(self.diagnostics.iter().filter(|d| d.severity == Severity::Error).cloned());
        left
    }
}

impl MigratedFile {
    /// What changed, for people: the place, the line as it was, and what it says now.
    pub fn changes_text(&self) -> String {
        let mut out = String::new();
        for change in &self.changes {
            let new = change.new.replace('\n', "\n    + ");
            let _ = writeln!(out, "{}:{}\n    - {}\n    + {new}", self.name, change.line, change.old);
        }
        out
    }
}

/// Writes `sources` in the words of HAProxy 3.4.
pub fn migrate(
    sources: &[Source<'_>],
    env: &dyn Env,
    facts: &Facts,
    host: Host<'_>,
    registry: &Registry,
) -> Migration {
    let names = AskedOnce::new(host.names);
    let host = Host { names: &names, ..host };
    let (tree, mut diagnostics) = parse(sources, env, facts);
    let (config, found) = check(&tree, host);
    diagnostics.append(found);
    diagnostics.append(lower(&config, &tree, registry, host, env).diagnostics);
    diagnostics.sort();
    let files = Migrator { tree: &tree, config: &config, edits: Edits::new(&tree) }.run(&diagnostics);
    drop(config);
    Migration { files, tree, diagnostics }
}

struct Migrator<'m, 't> {
    tree: &'t Tree,
    config: &'m Config<'t>,
    edits: Edits<'t>,
}

impl<'t> Migrator<'_, 't> {
    fn run(mut self, diagnostics: &Diagnostics) -> Vec<MigratedFile> {
        for diagnostic in diagnostics {
            match &diagnostic.suggestion {
                Some(change) if diagnostic.code == codes::TRANSLATED => {
                    self.suggested(change.span, &change.replacement);
                }
                _ => {}
            }
            if let Some(span) = diagnostic.span.filter(|_| diagnostic.code == codes::IGNORED_HERE) {
                self.ignored(span);
            }
        }
        self.programs();
        for (span, name) in names::renamed(self.tree, self.config) {
            self.edits.replace(span, &name);
        }
        self.version();
        self.edits.apply()
    }

    /// The first line of a suggestion stands in place of `span`, further ones below.
    fn suggested(&mut self, span: Span, replacement: &str) {
        let Some(line) = self.edits.line_at(span) else { return };
        let is_rule = |l: &str| l.starts_with("http-re") || l.starts_with("stick");
        if self.kind_of(line) == Some(SectionKind::Defaults) && replacement.split('\n').any(is_rule) {
            let (rules, rest): (Vec<&str>, Vec<&str>) = replacement.split('\n').partition(|l| is_rule(l));
            self.move_rules(line, &rules);
            return match rest.is_empty() {
                true => self.edits.comment_out(line),
                false => self.edits.replace_lines(line, span, &rest.join("\n")),
            };
        }
        if replacement.is_empty() && self.edits.fills_line(line, span) {
            return self.edits.comment_out(line);
        }
        self.edits.replace_lines(line, span, replacement);
    }

    /// A line that acts nowhere goes if it has words that HAProxy refuses even there.
    fn ignored(&mut self, span: Span) {
        let Some(line) = self.edits.line_at(span) else { return };
        let mut words = self.tree.words(&self.tree.lines()[line]);
        if words.any(|w| w.text == "avalanche" || w.text.contains(['\r', '\n'])) {
            self.edits.comment_out(line);
        }
    }

    /// Rules of a `defaults` section go to the proxies that inherit from it: anonymous ones may not have any.
    fn move_rules(&mut self, line: usize, rules: &[&str]) {
        let Some(span) = self.tree.lines().get(line).map(|l| l.span()) else { return };
        let Some(section) = self.header_of(line) else { return };
        let header = self.tree.lines()[section].span();
        let inside = |p: &Proxy<'_>| {
            p.span.file == span.file && p.span.start >= header.start && p.span.end <= header.end
        };
        let Some(owner) = self.config.defaults.iter().position(inside) else { return };
        for proxy in &self.config.proxies {
            let inherits =
                std::iter::successors(proxy.base, |i| self.config.defaults[*i].base).any(|i| i == owner);
            let wanted = |rule: &&&str| !rule.starts_with("stick") || proxy.has_backend();
            if inherits {
                for rule in rules.iter().filter(wanted) {
                    self.edits.below_header(proxy.span, rule);
                }
            }
        }
    }

    fn header_of(&self, line: usize) -> Option<usize> {
        let sections = self.tree.sections();
        sections.iter().find(|s| s.lines.contains(&(line as u32))).map(|s| s.lines.start as usize)
    }

    fn kind_of(&self, line: usize) -> Option<SectionKind> {
        let sections = self.tree.sections();
        sections.iter().find(|s| s.lines.contains(&(line as u32))).map(|s| s.kind())
    }

    fn programs(&mut self) {
        let gone = |kind| matches!(kind, SectionKind::Program | SectionKind::Ruleset);
        for section in self.tree.sections().iter().filter(|s| gone(s.kind())) {
            for line in section.lines.clone() {
                if matches!(self.tree.lines()[line as usize].role(), Role::Header | Role::Keyword) {
                    self.edits.comment_out(line as usize);
                }
            }
        }
    }

    /// What `compat-version` stands for, where nothing else was said.
    fn version(&mut self) {
        let Some(version) = self.config.global.compat else { return };
        if let Some(line) = self.edits.line_at(version.span) {
            self.edits.comment_out(line);
        }
        for proxy in &self.config.proxies {
            let settings = self.config.effective(proxy);
            let http = settings.mode.is_some_and(|m| m.value == ProxyMode::Http);
            let before = |v| version.value < v;
            if before((3, 3)) && proxy.has_backend() && settings.balance.is_none() {
                self.edits.below_header(proxy.span, "balance roundrobin");
            }
            let abort = settings.switches.get("abortonclose").and_then(|said| said.value);
            if before((3, 3)) && http && abort.is_none() {
                self.edits.below_header(proxy.span, "no option abortonclose");
            }
            if before((1, 9)) && http && proxy.has_backend() && settings.http_reuse.is_none() {
                self.edits.below_header(proxy.span, "http-reuse never");
            }
            if before((2, 8)) && http {
                let plain = |b: &&Bind<'_>| b.options.ssl.is_some() && b.options.alpn.is_none();
                proxy.binds.iter().filter(plain).for_each(|b| self.edits.append(b.span, " no-alpn"));
            }
            if before((3, 3)) && http {
                let plain = |s: &&Server<'_>| {
                    s.options.ssl.is_some() && s.options.sni.is_none() && s.options.sni_auto.is_none()
                };
                proxy
                    .servers
                    .iter()
                    .filter(plain)
                    .for_each(|s| self.edits.append(s.name.span, " no-sni-auto"));
            }
        }
    }
}
