//! Findings that HAProxy does not report: what is declared and never used, what can never act, what was forgotten.
//!
//! All are notices: a file that HAProxy loads in silence is loaded in silence here, unless somebody asks to be told.

use crate::codes;
use crate::config::{CheckKind, Clause, Cond, Config, Proxy, ProxyMode, Settings};
use crate::section::SectionKind;
use crate::tree::{Role, Tree, Word};
use lb_core::diag::{Code, Diagnostic, Diagnostics, Span};
use std::collections::{HashMap, HashSet};

/// Everything there is to notice in `config`.
pub(super) fn notices(config: &Config<'_>, tree: &Tree) -> Diagnostics {
    let mut lint = Lint { config, out: Diagnostics::new() };
    for proxy in &config.proxies {
        lint.acls(proxy);
        lint.repeated_conditions(proxy);
        if proxy.has_backend() {
            lint.servers(proxy);
        }
    }
    lint.exposed_frontends();
    lint.binds();
    lint.backends(tree);
    lint.sections(tree);
    lint.out
}

struct Lint<'c, 't> {
    config: &'c Config<'t>,
    out: Diagnostics,
}

impl<'t> Lint<'_, 't> {
    fn notice(&mut self, code: Code, span: Span, message: String, note: &str) {
        let compat = format!("{}.", message.replace('`', "'"));
        self.out.push(Diagnostic::notice(code, span, message).compat(compat).note(note));
    }

    /// ACLs of a proxy that none of its conditions names.
    fn acls(&mut self, proxy: &Proxy<'t>) {
        if proxy.lists.acls.is_empty() {
            return;
        }
        let mut used = HashSet::new();
        conditions(proxy, |cond| used.extend(names(cond)));
        let words = proxy.lists.rules.iter().flat_map(|r| &r.words);
        // `acl(name)` in an expression uses it as well; which one is not worth finding out.
        if words.chain(proxy.lists.acls.iter().flat_map(|a| &a.words)).any(|w| w.text.contains("acl(")) {
            return;
        }
        let mut told = HashSet::new();
        for acl in &proxy.lists.acls {
            let name = acl.name;
            if !used.contains(name.text) && told.insert(name.text) {
                self.notice(
                    codes::UNUSED,
                    name.span,
                    format!("the ACL `{}` is never used in `{}`", name.text, proxy.name),
                    "conditions of other proxies do not see it; remove it, or name it behind an `if`",
                );
            }
        }
    }

    /// `use_backend` lines that an earlier one with the same condition, or none, makes pointless.
    fn repeated_conditions(&mut self, proxy: &Proxy<'t>) {
        let mut seen: HashMap<String, Span> = HashMap::new();
        for clause in &proxy.lists.use_backends {
            // A dynamic name may lead nowhere, and then the evaluation stops anyway.
            let dynamic = clause.words.first().is_some_and(|w| w.text.contains('%'));
            let text = clause.cond.as_ref().map_or_else(String::new, text_of);
            let earlier = seen.get("").or_else(|| seen.get(&text)).copied();
            match earlier {
                Some(first) => {
                    let diagnostic = Diagnostic::notice(
                        codes::UNREACHABLE,
                        clause.span,
                        "this `use_backend` never acts: an earlier one applies whenever it does",
                    );
                    let compat = "'use_backend' never acts: an earlier one applies whenever it does.";
                    self.out.push(diagnostic.compat(compat).label(first, "this one comes first"));
                }
                None if !dynamic => {
                    seen.insert(text, clause.span);
                }
                None => {}
            }
        }
        let Some(first) = seen.get("").copied() else { return };
        if let Some(default) = &proxy.settings.default_backend {
            let diagnostic = Diagnostic::notice(
                codes::UNREACHABLE,
                default.span,
                "this `default_backend` never acts: a `use_backend` without a condition decides",
            );
            let compat = "'default_backend' never acts: a 'use_backend' without a condition decides.";
            self.out.push(diagnostic.compat(compat).label(first, "here"));
        }
    }

    fn servers(&mut self, proxy: &Proxy<'t>) {
        let settings = self.config.effective(proxy);
        let servers = &proxy.servers;
        if servers.is_empty() {
            return;
        }
        let checked = servers.iter().any(|s| s.options.check || s.options.track.is_some());
        let own = proxy.settings.check.as_ref().filter(|c| !matches!(c.value, CheckKind::Tcp));
        if let Some(kind) = own.filter(|_| !checked) {
            self.notice(
                codes::USELESS,
                kind.span,
                format!("no server of `{}` is checked, so this says nothing", proxy.name),
                "write `check` behind the servers, or `default-server check` above them",
            );
        }
        if servers.len() > 1 && servers.iter().all(|s| s.options.backup) {
            self.notice(
                codes::USELESS,
                servers[0].name.span,
                format!("all servers of `{}` are backups", proxy.name),
                "only the first usable one gets traffic unless `option allbackups` is set",
            );
        }
        self.cookies(proxy, &settings);
    }

    fn cookies(&mut self, proxy: &Proxy<'t>, settings: &Settings<'t>) {
        let http = settings.mode.is_some_and(|m| m.value == ProxyMode::Http);
        let with = proxy.servers.iter().find(|s| s.options.cookie.is_some());
        match (&proxy.settings.cookie, with) {
            (Some(cookie), None) if http && cookie.value.insert && settings.dynamic_cookie_key.is_none() => {
                self.notice(
                    codes::USELESS,
                    cookie.span,
                    format!("no server of `{}` has a `cookie` value, so none is ever set", proxy.name),
                    "write `cookie <value>` behind each server",
                );
            }
            (_, Some(server)) if http && settings.cookie.is_none() => {
                self.notice(
                    codes::USELESS,
                    server.name.span,
                    format!(
                        "`{}` has no `cookie` line, so the `cookie` of its servers says nothing",
                        proxy.name
                    ),
                    "write `cookie <name> insert indirect nocache` in the backend",
                );
            }
            _ => {}
        }
    }

    /// HTTP frontends that wait for a request as long as a client likes.
    fn exposed_frontends(&mut self) {
        for proxy in self.config.proxies.iter().filter(|p| !p.binds.is_empty()) {
            let settings = self.config.effective(proxy);
            let http = settings.mode.is_some_and(|m| m.value == ProxyMode::Http);
            let has = |name: &str| settings.timeouts.contains_key(name);
            if http && has("client") && !has("http-request") {
                self.notice(
                    codes::TIMEOUTS,
                    proxy.span,
                    format!("`{}` lacks `timeout http-request`", proxy.name),
                    "a client that sends its request a byte at a time holds a connection for ever; 5s to 10s is usual",
                );
            }
        }
    }

    /// Addresses that two lines listen on.
    fn binds(&mut self) {
        let mut seen: HashMap<(&str, Option<&str>), Span> = HashMap::new();
        for proxy in &self.config.proxies {
            for bind in &proxy.binds {
                for address in &bind.addresses {
                    let key = (address.text, bind.options.interface);
                    let Some(first) = seen.insert(key, bind.span).filter(|_| address.is_inet()) else {
                        continue;
                    };
                    let message = format!("`{}` is listened on twice", address.text);
                    let compat = format!("'{}' is listened on twice.", address.text);
                    let diagnostic = Diagnostic::notice(codes::CONFLICT, bind.span, message).compat(compat);
                    self.out.push(
                        diagnostic
                            .label(first, "here, too")
                            .note("the kernel spreads connections over both, whatever they say"),
                    );
                }
            }
        }
    }

    /// Backends that nothing leads to.
    fn backends(&mut self, tree: &Tree) {
        let proxies = &self.config.proxies;
        let mut fronts = proxies.iter().filter(|p| p.has_frontend()).peekable();
        if fronts.peek().is_none() {
            return;
        }
        let dynamic = |p: &Proxy<'_>| {
            let texts = p.lists.use_backends.iter().filter_map(|c| c.words.first());
            texts.into_iter().any(|w| w.text.contains('%'))
        };
        if fronts.any(dynamic) {
            return;
        }
        let wanted: Vec<&Proxy<'t>> = proxies.iter().filter(|p| p.kind == SectionKind::Backend).collect();
        let mentioned = mentioned(tree, wanted.iter().map(|p| p.name));
        for proxy in wanted {
            if !mentioned.contains(proxy.name) {
                self.notice(
                    codes::UNUSED,
                    proxy.span,
                    format!("nothing leads to the backend `{}`", proxy.name),
                    "no `use_backend`, `default_backend` or expression names it",
                );
            }
        }
    }

    /// Other sections that nothing names.
    fn sections(&mut self, tree: &Tree) {
        let c = self.config;
        let mut all: Vec<(&str, Word<'t>)> = Vec::new();
        all.extend(c.userlists.iter().map(|s| ("userlist", s.name)));
        all.extend(c.resolvers.iter().filter(|s| s.name.text != "default").map(|s| ("resolvers", s.name)));
        all.extend(c.http_errors.iter().map(|s| ("http-errors", s.name)));
        all.extend(c.healthchecks.iter().map(|s| ("healthcheck", s.name)));
        all.extend(c.rings.iter().map(|s| ("ring", s.name)));
        all.extend(c.mailers.iter().map(|s| ("mailers", s.name)));
        all.extend(c.caches.iter().map(|s| ("cache", *s)));
        let mentioned = mentioned(tree, all.iter().map(|(_, name)| name.text));
        for (kind, name) in all {
            if !mentioned.contains(name.text) {
                self.notice(
                    codes::UNUSED,
                    name.span,
                    format!("nothing uses the {kind} section `{}`", name.text),
                    "remove it, or name it where it is meant to act",
                );
            }
        }
    }
}

/// Which of `names` occur as a word, or as a part between punctuation, of some line that is not a header.
fn mentioned<'n>(tree: &Tree, names: impl Iterator<Item = &'n str>) -> HashSet<&'n str> {
    let wanted: HashSet<&'n str> = names.collect();
    let mut found = HashSet::new();
    if wanted.is_empty() {
        return found;
    }
    for line in tree.lines().iter().filter(|l| l.role() == Role::Keyword) {
        // The words of a server line that name things stand behind its address.
        for word in tree.words(line).skip(1) {
            if let Some(name) = wanted.get(word.text) {
                found.insert(*name);
            } else if word.text.contains(['(', '/', '@', ',']) {
                let parts = word.text.split(['(', ')', '/', '@', ',']);
                found.extend(parts.filter_map(|p| wanted.get(p)));
            }
        }
    }
    found
}

/// Calls `each` with every condition of `proxy`.
fn conditions<'p, 't>(proxy: &'p Proxy<'t>, mut each: impl FnMut(&'p Cond<'t>)) {
    let l = &proxy.lists;
    l.rules.iter().filter_map(|r| r.cond.as_ref()).for_each(&mut each);
    let clauses = [&l.redirects, &l.use_backends, &l.use_servers, &l.force_switch, &l.monitor_fail];
    let clauses = clauses.into_iter().chain([&l.stats_admin, &l.stats_rules]).flatten();
    let more = l.persistence.iter().map(|(_, c)| c).chain(l.stick.iter().map(|(_, c)| c));
    clauses.chain(more).filter_map(|c: &Clause<'t>| c.cond.as_ref()).for_each(&mut each);
}

/// The names of ACLs in a condition: words outside braces.
fn names<'p, 't>(cond: &'p Cond<'t>) -> impl Iterator<Item = &'t str> + use<'p, 't> {
    let mut depth = 0;
    cond.words.iter().filter_map(move |word| {
        match word.text.trim_start_matches('!') {
            "{" => depth += 1,
            "}" => depth -= 1,
            name if depth == 0 && !name.is_empty() => return Some(name),
            _ => {}
        }
        None
    })
}

/// A condition in one form of writing.
fn text_of(cond: &Cond<'_>) -> String {
    let words = cond.words.iter().map(|w| w.text).collect::<Vec<_>>().join(" ");
    format!("{} {words}", cond.keyword.text)
}
