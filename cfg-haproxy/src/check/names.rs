//! Names: first lines of sections, users, hosts.

use super::{Checker, Current};
use crate::address::{Address, Place, Rules};
use crate::codes;
use crate::config::{Bind, BindOptions, Proxy, ServerOptions, Source};
use crate::section::SectionKind;
use crate::suggest;
use crate::tree::Word;
use lb_core::diag::{Diagnostic, Span};

impl<'t> Checker<'t, '_> {
    /// The first line of a section.
    pub(crate) fn header(&mut self, kind: SectionKind, words: &[Word<'t>]) {
        self.order = super::rules::Order::default();
        self.current = Current::None;
        if kind.is_proxy() {
            self.proxy_header(kind, words);
        } else {
            self.other_header(kind, words);
        }
    }

    fn proxy_header(&mut self, kind: SectionKind, words: &[Word<'t>]) {
        let keyword = words[0];
        let named = words.get(1).filter(|w| kind != SectionKind::Defaults || w.text != "from");
        if named.is_none() && kind != SectionKind::Defaults {
            let what = kind.keyword();
            return self.push(
                Diagnostic::error(
                    codes::MISSING_ARGUMENT,
                    keyword.span.after(),
                    format!("a `{what}` section needs a name"),
                )
                .compat(format!("'{what}' expects an <id> argument")),
            );
        }
        let name = named.map_or("", |w| w.text);
        let span = named.map_or(keyword.span, |w| w.span);
        // Nobody sees the names of `defaults` but those that inherit from them.
        if let Some(word) = named
            && kind != SectionKind::Defaults
            && !self.valid_name(*word, kind)
        {
            return;
        }
        let rest = &words[1 + usize::from(named.is_some())..];
        let base = self.base(kind, name, rest);
        // Versions that took an address here let two proxies have one name.
        let old = rest.first().is_some_and(|word| word.text != "from");
        let name = self.unique(kind, name, span, old);
        let mut proxy = Proxy::new(kind, name, span);
        (proxy.base, proxy.default_server) = (base, self.inherited_server(base));
        self.current = Current::Kept(kind);
        if kind == SectionKind::Defaults {
            self.config.defaults.push(proxy);
            self.last_anonymous = Some(self.config.defaults.len() - 1);
        } else {
            self.config.proxies.push(proxy);
            self.addresses_on_header(kind, rest);
        }
    }

    fn inherited_server(&self, base: Option<usize>) -> Box<ServerOptions<'t>> {
        base.and_then(|i| self.config.defaults.get(i)).map(|d| d.default_server.clone()).unwrap_or_default()
    }

    /// Which `defaults` a section starts from.
    fn base(&mut self, kind: SectionKind, name: &str, rest: &[Word<'t>]) -> Option<usize> {
        let from = rest.iter().position(|w| w.text == "from");
        let Some(at) = from else {
            return if kind == SectionKind::Defaults { None } else { self.last_anonymous };
        };
        let Some(wanted) = rest.get(at + 1).copied() else {
            self.error(
                codes::MISSING_ARGUMENT,
                rest[at].span.after(),
                "`from` needs the name of a `defaults` section",
            );
            return None;
        };
        let found: Vec<usize> = (0..self.config.defaults.len())
            .filter(|i| self.config.defaults[*i].name == wanted.text)
            .collect();
        match found.as_slice() {
            [] => {
                let near = suggest::nearest(wanted.text, self.config.defaults.iter().map(|d| d.name));
                let mut diagnostic = Diagnostic::error(
                    codes::UNKNOWN_NAME,
                    wanted.span,
                    format!("no `defaults` section is called `{}`", wanted.text),
                )
                .compat(format!(
                    "defaults section '{}' not found for {} '{name}'.",
                    wanted.text,
                    kind.keyword()
                ));
                if let Some(near) = near {
                    diagnostic = diagnostic.suggest(wanted.span, near, format!("did you mean `{near}`?"));
                }
                self.push(diagnostic);
                None
            }
            [one] => {
                self.rules_in_base(kind, *one, wanted);
                Some(*one)
            }
            [first, .., last] => {
                let (first_span, last) = (self.config.defaults[*first].span, *last);
                let last_span = self.config.defaults[last].span;
                self.push(
                    Diagnostic::error(
                        codes::DUPLICATE,
                        wanted.span,
                        format!("several `defaults` sections are called `{}`", wanted.text),
                    )
                    .compat(format!(
                        "ambiguous defaults section name '{}' referenced by {} '{name}'.",
                        wanted.text,
                        kind.keyword()
                    ))
                    .label(first_span, "here")
                    .label(last_span, "and here"),
                );
                Some(last)
            }
        }
    }

    /// Rules are inherited once only.
    fn rules_in_base(&mut self, kind: SectionKind, base: usize, wanted: Word<'t>) {
        let section = &self.config.defaults[base];
        if kind != SectionKind::Defaults || section.lists.rules.is_empty() {
            return;
        }
        let (name, span) = (section.name, section.span);
        self.push(
            Diagnostic::error(
                codes::CONFLICT,
                wanted.span,
                format!("`{name}` has rules, which only proxies can inherit"),
            )
            .compat("a defaults section cannot inherit from a defaults section defining TCP/HTTP rules")
            .label(span, "this section has rules"),
        );
    }

    /// `listen web 10.0.0.1:80`: the address was allowed here until 1.9.
    fn addresses_on_header(&mut self, kind: SectionKind, rest: &[Word<'t>]) {
        let end = rest.iter().position(|w| w.text == "from").unwrap_or(rest.len());
        let Some((first, _)) = rest[..end].split_first() else {
            if let Some(extra) = rest.get(end + 2).copied() {
                self.error(
                    codes::TOO_MANY_ARGUMENTS,
                    extra.span,
                    format!("unexpected argument `{}`", extra.text),
                );
            }
            return;
        };
        if kind == SectionKind::Backend {
            return self.push(
                Diagnostic::error(codes::TOO_MANY_ARGUMENTS, first.span, "a backend does not listen")
                    .compat(format!("'backend' cannot handle unexpected argument '{}'.", first.text)),
            );
        }
        self.push(
            Diagnostic::warning(
                codes::TRANSLATED,
                first.span,
                "an address after the section's name is read as a `bind` line",
            )
            .compat("please use the 'bind' keyword for listening addresses.")
            .suggest(
                first.span.to(rest[end - 1].span),
                self.line_below(&rest[..end]),
                "move it to a `bind` line",
            )
            .note("HAProxy 1.9 and later refuse this form"),
        );
        let mut options = BindOptions::default();
        let addresses = self.bind_addresses(*first, "bind", Rules::BIND);
        self.bind_options(&rest[1..end], &mut options);
        let span = first.span;
        if let Some(proxy) = self.proxy() {
            proxy.binds.push(Bind { addresses, options, span });
        }
    }

    /// What stood behind a section's name as a line below it.
    fn line_below(&self, words: &[Word<'t>]) -> String {
        let mut out = String::from("\nbind");
        let mut words = words.iter();
        while let Some(word) = words.next() {
            // It has gone, too.
            if word.text == "process" {
                words.next();
                continue;
            }
            out.push(' ');
            out.push_str(self.tree.sources().text(word.span));
        }
        out
    }

    /// Whether a section's name has only characters that names may have.
    pub(crate) fn valid_name(&mut self, word: Word<'t>, kind: SectionKind) -> bool {
        let bad = word.text.char_indices().find(|(_, c)| !(c.is_ascii_alphanumeric() || "-_.:".contains(*c)));
        let Some((at, c)) = bad else { return true };
        let kind = kind.keyword();
        self.push(
            Diagnostic::error(
                codes::NAME,
                word.part(at..at + c.len_utf8()),
                format!("`{c}` is not allowed in the name of a `{kind}` section"),
            )
            .compat(format!("character '{c}' is not permitted in '{kind}' name '{}'.", word.text))
            .note("names are made of letters, digits and the characters `-`, `_`, `.`, `:`"),
        );
        false
    }

    /// Reports a second proxy of the same name; tells the name it gets.
    fn unique(&mut self, kind: SectionKind, name: &'t str, span: Span, old: bool) -> &'t str {
        use SectionKind::{Backend, Defaults, Frontend, Listen};
        if kind == Defaults {
            return name;
        }
        let second = self.tree.second_names.get(&(span.file, span.start)).filter(|_| old);
        for other in [Frontend, Backend, Listen] {
            let Some(first) = self.names.get(&(other, name)).copied() else { continue };
            let place = self.tree.sources().locate(first);
            let place = place.map_or_else(String::new, |(file, at)| format!("{file}:{}", at.line));
            let message = format!("`{name}` is the name of a {} already", other.keyword());
            let compat = format!(
                "{} '{name}' has the same name as {} '{name}' declared at {place}. This is no longer supported as of 3.3. \
                 Please rename one or the other.",
                kind.keyword(),
                other.keyword()
            );
            // A frontend and a backend that share a name worked for two decades and still mean one thing.
            let harmless = matches!((kind, other), (Frontend, Backend) | (Backend, Frontend));
            let diagnostic = match second {
                _ if harmless => Diagnostic::warning(codes::TRANSLATED, span, message)
                    .note("accepted here; HAProxy 3.3 and later refuse it"),
                Some(fresh) => {
                    Diagnostic::warning(codes::TRANSLATED, span, format!("{message}; read as `{fresh}`"))
                        .suggest(span, fresh, "give it a name of its own")
                }
                None => Diagnostic::error(codes::DUPLICATE, span, message),
            };
            self.push(diagnostic.compat(compat).label(first, "first declared here"));
            if !harmless {
                return second.map_or(name, String::as_str);
            }
        }
        self.names.entry((kind, name)).or_insert(span);
        name
    }

    /// Reports a host name that does not resolve; only for addresses that must be known at start.
    pub(crate) fn resolve(&mut self, address: &Address<'t>, word: Word<'t>, owner: &str) -> bool {
        let Place::Name(name) = address.place else { return true };
        if self.host.names.resolve(name).is_some() {
            return true;
        }
        self.push(
            Diagnostic::error(
                codes::UNRESOLVED,
                word.span,
                format!("the host name `{name}` cannot be resolved"),
            )
            .compat(format!("'{owner}' : could not resolve address '{name}'.")),
        );
        false
    }

    /// `source <addr> [usesrc ...] [interface <name>]`; also says how many words it took.
    pub(crate) fn source(&mut self, words: &[Word<'t>], owner: &str) -> Option<(Source<'t>, usize)> {
        let Some(first) = words.first() else {
            self.push(
                Diagnostic::new(lb_core::diag::Severity::Error, codes::MISSING_ARGUMENT, format!("`{owner}` needs an address"))
                    .compat(format!(
                        "'{owner}' expects <addr>[:<port>[-<port>]], and optionally 'usesrc' <addr>, and 'interface' <name> as argument."
                    )),
            );
            return None;
        };
        let address = self.address(*first, Rules::SOURCE, owner)?;
        self.resolve(&address, *first, owner);
        let mut source = Source { address, usesrc: None, interface: None };
        let mut at = 1;
        while let Some(word) = words.get(at) {
            match word.text {
                "usesrc" => source.usesrc = Some(self.follow(words, at, owner)?),
                "interface" => source.interface = Some(self.follow(words, at, owner)?),
                _ => break,
            }
            at += 2;
        }
        Some((source, at))
    }
}
