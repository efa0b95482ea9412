//! Expressions, conditions, ACLs and formats: words to compiled programs, errors to places.

use super::Lowerer;
use super::proxy::Making;
use crate::codes;
use crate::config::{Acl as AclLine, Certificate, Cond, Config, Proxy, ProxyMode};
use crate::env::Env;
use crate::host::Host;
use crate::keyword::{self, Place, Status};
use crate::suggest;
use crate::tree::{Tree, Word};
use lb_core::diag::{Diagnostic, Span};
use lb_core::expr::map::Reference;
use lb_core::expr::parse::{self, ErrorKind, ParseError};
use lb_core::expr::{
    ArgType, Build, CertificatePart, ConvDef, FetchDef, Needs, NoBuild, Phases, Program, Regex, Registry,
    TokenAlgorithms, TokenKeys,
};
use lb_core::log::{Style, Template};
use lb_core::rule::cond::{self, Acl, AclLookup, Condition, Polarity, Remark};
use lb_core::spec::{PatternList, key_text};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// The lists and maps of patterns a configuration uses, numbered in the order they are met.
#[derive(Debug, Default)]
struct Lists {
    all: Vec<PatternList>,
    /// Places of those with a name: files, and `virt@` ones.
    named: HashMap<String, usize>,
}

impl Lists {
    fn add(&mut self, name: &str, description: String, reference: &Arc<Reference>) {
        let id = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        if !name.is_empty() {
            self.named.insert(name.to_owned(), self.all.len());
        }
        self.all.push(PatternList::new(id, name, description, Arc::clone(reference)));
    }
}

/// What expressions ask while they are built.
pub(super) struct Context<'h> {
    tree: &'h Tree,
    host: Host<'h>,
    env: &'h dyn Env,
    proxy: Option<String>,
    lists: Lists,
    /// Certificates with names of their own.
    certificates: BTreeMap<String, Certificate>,
    token_algorithms: TokenAlgorithms,
    token_keys: Arc<TokenKeys>,
    /// Servers that something names, `backend/server`.
    pinned: HashSet<String>,
    /// What is being built, for saying what uses a list.
    at: Span,
    names: Known,
    registry: &'h Registry,
    /// ACLs of the present proxy declared so far.
    acls: HashMap<String, Arc<Acl>>,
    /// Fetches and converters met that do nothing, to be told once what they stand in is built.
    idle: Vec<(&'static str, Status)>,
    /// Something reads the number of a stream.
    reads_number: bool,
}

/// Names that expressions may refer to.
#[derive(Debug, Default)]
struct Known {
    frontends: HashSet<String>,
    backends: HashSet<String>,
    tables: HashSet<String>,
    userlists: HashSet<String>,
    /// `backend/server`, and `backend/` for backends with templates.
    servers: HashSet<String>,
}

impl Known {
    fn new(config: &Config<'_>) -> Self {
        let mut known = Self::default();
        for proxy in &config.proxies {
            if proxy.has_frontend() {
                known.frontends.insert(proxy.name.to_owned());
            }
            if proxy.has_backend() {
                known.backends.insert(proxy.name.to_owned());
            }
            for server in &proxy.servers {
                let name = if server.template.is_some() { "" } else { server.name.text };
                known.servers.insert(format!("{}/{name}", proxy.name));
            }
        }
        known.tables.extend(config.tables().map(|(name, _)| name));
        known.userlists.extend(config.userlists.iter().map(|u| u.name.text.to_owned()));
        known
    }
}

impl<'h> Context<'h> {
    pub(super) fn new(
        tree: &'h Tree,
        config: &Config<'_>,
        registry: &'h Registry,
        host: Host<'h>,
        env: &'h dyn Env,
    ) -> Self {
        Self {
            tree,
            host,
            env,
            proxy: None,
            lists: Lists::default(),
            certificates: config.certificates.clone(),
            token_algorithms: config.global.token_algorithms,
            token_keys: Arc::default(),
            pinned: HashSet::new(),
            at: Span::default(),
            names: Known::new(config),
            registry,
            acls: HashMap::new(),
            idle: Vec::new(),
            reads_number: false,
        }
    }

    /// Whether anything reads the number of a stream.
    pub(super) fn reads_number(&self) -> bool {
        self.reads_number
    }

    fn meets(&mut self, name: &'static str, status: Status) {
        if matches!(status, Status::NoValue(_) | Status::NoEffect(_)) {
            self.idle.push((name, status));
        }
    }

    /// Whether a stick table of that name exists.
    pub(super) fn has_table(&self, name: &str) -> bool {
        self.names.tables.contains(name)
    }

    pub(super) fn into_lists(self) -> Vec<PatternList> {
        self.lists.all
    }

    /// Takes note that something names a server of `backend`.
    pub(super) fn pin(&mut self, backend: &str, server: &str) {
        self.pinned.insert(format!("{backend}/{server}"));
    }

    /// Whether something names a server.
    pub(super) fn is_pinned(&self, backend: &str, server: &str) -> bool {
        self.pinned.contains(&format!("{backend}/{server}"))
    }

    /// Where the words being built stand, `file 'haproxy.cfg' line 12`.
    fn place(&self) -> String {
        let (file, line) = self.tree.sources().locate(self.at).map_or(("", 0), |(file, at)| (file, at.line));
        format!("file '{file}' line {line}")
    }

    pub(super) fn set_proxy(&mut self, name: &str) {
        self.proxy = Some(name.to_owned());
        self.acls.clear();
    }

    pub(super) fn read(&self, path: &str) -> std::io::Result<Vec<u8>> {
        self.host.files.read(path)
    }

    pub(super) fn resolve_any(&self, name: &str) -> Option<IpAddr> {
        self.host.names.resolve(name)
    }
}

impl Build for Context<'_> {
    fn proxy(&self) -> Option<&str> {
        self.proxy.as_deref()
    }

    fn patterns(&mut self, file: &str, as_map: bool) -> Result<Arc<Reference>, String> {
        let name = file.strip_prefix("file@").or_else(|| file.strip_prefix("opt@")).unwrap_or(file);
        if let Some(known) = self.lists.named.get(name) {
            return Ok(Arc::clone(&self.lists.all[*known].reference));
        }
        let reference = if file.starts_with("virt@") {
            Reference::new(name, as_map)
        } else {
            match self.host.files.read(name) {
                Ok(bytes) => Reference::from_text(name, &String::from_utf8_lossy(&bytes), as_map),
                Err(_) if file.starts_with("opt@") => Reference::new(name, as_map),
                Err(error) => return Err(format!("failed to open pattern file <{name}>: {error}")),
            }
        };
        let user = if as_map { "map" } else { "acl" };
        let description = format!("pattern loaded from file '{name}' used by {user} at {}", self.place());
        self.lists.add(name, description, &reference);
        Ok(reference)
    }

    fn inline_patterns(&mut self, reference: &Arc<Reference>) {
        let description = format!("acl '{}' {}", reference.name(), self.place());
        self.lists.add("", description, reference);
    }

    fn resolve(&self, host: &str) -> Option<Ipv4Addr> {
        match self.host.names.resolve(host)? {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        }
    }

    fn acl(&self, name: &str) -> Option<Arc<Acl>> {
        if let Some(acl) = self.acls.get(name) {
            return Some(Arc::clone(acl));
        }
        let (_, words) = cond::PREDEFINED.iter().find(|(known, _)| *known == name)?;
        let (test, _) = cond::parse_test(words, name, self.registry, &mut NoBuild).ok()?;
        let mut acl = Acl::new(name);
        acl.push(test);
        Some(Arc::new(acl))
    }

    fn file(&mut self, name: &str) -> Result<Vec<u8>, String> {
        self.host.files.read(name).map_err(|e| format!("cannot read '{name}': {e}"))
    }

    fn certificates(&self) -> Vec<(String, bool)> {
        self.certificates.iter().map(|(name, certificate)| (name.clone(), certificate.tokens)).collect()
    }

    fn certificate(&mut self, name: &str, part: CertificatePart) -> Option<Vec<u8>> {
        let Certificate { path, key, .. } = self.certificates.get(name)?;
        match (part, key) {
            (CertificatePart::Public, _) => self.read(path).ok(),
            (CertificatePart::Private, Some(key)) => self.read(key).ok(),
            (CertificatePart::Private, None) => key_text(path, self.read(path).ok()?, |file| self.read(file)),
        }
    }

    fn token_keys(&mut self) -> Arc<TokenKeys> {
        Arc::clone(&self.token_keys)
    }

    fn token_algorithms(&self) -> TokenAlgorithms {
        self.token_algorithms
    }

    fn env(&self, name: &str) -> Option<String> {
        self.tree.environment().var(self.env, name).map(std::borrow::Cow::into_owned)
    }

    fn uses_number(&mut self) {
        self.reads_number = true;
    }

    fn uses_fetch(&mut self, fetch: &'static FetchDef) {
        self.reads_number |= fetch.name == "txn.id32";
        self.meets(fetch.name, keyword::fetch_status(fetch.name));
    }

    fn uses_converter(&mut self, converter: &'static ConvDef) {
        self.meets(converter.name, keyword::converter_status(converter.name));
    }

    fn refers(&mut self, kind: ArgType, name: &str) -> Result<(), String> {
        let names = &self.names;
        let (known, what) = match kind {
            ArgType::Frontend => (names.frontends.contains(name), "frontend"),
            ArgType::Backend => (names.backends.contains(name), "backend"),
            ArgType::Table => (names.tables.contains(name), "table"),
            ArgType::Userlist => (names.userlists.contains(name), "userlist"),
            ArgType::Server => {
                let backend = name.split('/').next().unwrap_or("");
                (names.servers.contains(name) || names.servers.contains(&format!("{backend}/")), "server")
            }
            _ => (true, ""),
        };
        if kind == ArgType::Server {
            match name.split_once('/') {
                Some((backend, server)) => self.pin(backend, server),
                None => self.pin(&self.proxy.clone().unwrap_or_default(), name),
            }
        }
        if known { Ok(()) } else { Err(format!("unable to find {what} '{name}'")) }
    }
}

/// The ACLs of one proxy, with the place where each was first declared.
pub(super) type Acls<'t> = HashMap<&'t str, (Arc<Acl>, Span)>;

/// Whose conditions are not looked at for bytes of connections.
const TOLD_NOTHING: [&str; 4] = ["redirect", "force-persist", "monitor fail", "http-after-response"];

/// ACLs as a condition at `span` sees them: those declared before it.
struct Visible<'a, 't> {
    acls: &'a Acls<'t>,
    span: Span,
}

impl AclLookup for Visible<'_, '_> {
    fn acl(&self, name: &str) -> Option<Arc<Acl>> {
        let (acl, declared) = self.acls.get(name)?;
        let before = declared.file != self.span.file || declared.start < self.span.start;
        before.then(|| Arc::clone(acl))
    }
}

impl<'t> Lowerer<'_, 't, '_, '_> {
    /// All ACLs that rules of `proxy` may use: those of its named defaults and its own.
    pub(super) fn acls(&mut self, proxy: &Proxy<'t>) -> Acls<'t> {
        let config = self.config;
        let mut lines: Vec<&AclLine<'t>> = Vec::new();
        let mut bases: Vec<_> = config.bases(proxy).collect();
        bases.reverse();
        for base in bases {
            lines.extend(&base.lists.acls);
        }
        lines.extend(&proxy.lists.acls);
        let mut building: HashMap<&'t str, (Acl, Span)> = HashMap::new();
        for line in lines {
            if let Some(test) = self.acl_test(line) {
                let entry = building
                    .entry(line.name.text)
                    .or_insert_with(|| (Acl::new(line.name.text), line.name.span));
                entry.0.push(test);
                self.context.acls.insert(line.name.text.to_owned(), Arc::new(entry.0.clone()));
            }
        }
        building.into_iter().map(|(name, (acl, span))| (name, (Arc::new(acl), span))).collect()
    }

    fn acl_test(&mut self, line: &AclLine<'t>) -> Option<cond::Test> {
        let words: Vec<&str> = line.words.iter().map(|w| w.text).collect();
        let parsed = self.build(line.name.span, &line.words, |registry, context| {
            cond::parse_test(&words, line.name.text, registry, context)
        });
        match parsed {
            Ok((test, remarks)) => {
                for remark in remarks {
                    self.remark(&line.words, 0, &remark);
                }
                Some(test)
            }
            Err(error) => {
                let compat = format!("error detected while parsing ACL '{}' : {error}.", line.name.text);
                self.expression_error(&error, &line.words, codes::ACL, compat);
                None
            }
        }
    }

    /// A condition, or `None` if there is none; `Err` if it is wrong, which has been reported.
    pub(super) fn condition(
        &mut self,
        cond: Option<&Cond<'t>>,
        making: &Making<'_, 't>,
        phases: Phases,
        owner: &str,
    ) -> Result<Option<Condition>, ()> {
        let Some(cond) = cond else { return Ok(None) };
        let polarity = if cond.keyword.text == "unless" { Polarity::Unless } else { Polarity::If };
        let words: Vec<&str> = cond.words.iter().map(|w| w.text).collect();
        let visible = Visible { acls: making.acls, span: cond.keyword.span };
        let parsed = self.build(cond.keyword.span, &cond.words, |registry, context| {
            cond::parse(&words, polarity, &visible, registry, context)
        });
        match parsed {
            Ok((mut condition, remarks)) => {
                for (at, remark) in &remarks {
                    self.remark(&cond.words, *at, remark);
                }
                self.tell_never(cond, &condition, phases, owner);
                if making.mode == ProxyMode::Http && !TOLD_NOTHING.iter().any(|o| owner.starts_with(o)) {
                    self.tell_bytes(cond, &condition, making.proxy.name);
                }
                condition.restrict(phases);
                Ok(Some(condition))
            }
            Err(error) => {
                let compat = format!("error detected while parsing an '{owner}' rule : {error}.");
                let mut diagnostic = self.diagnose(&error, &cond.words, codes::ACL).compat(compat);
                diagnostic = match &error.kind {
                    ErrorKind::Other(text) => {
                        unknown_acl(diagnostic, text, &cond.words, error.word, making.acls)
                    }
                    _ => self.nearest(&error, diagnostic),
                };
                self.out.push(diagnostic);
                Err(())
            }
        }
    }

    /// Says what is odd about the test that begins at a word.
    fn remark(&mut self, words: &[Word<'t>], at: usize, remark: &Remark) {
        let Some(word) = words.get(at) else { return };
        let keyword = word.text.split('(').next().unwrap_or(word.text);
        let warning = |message: String| Diagnostic::warning(codes::SUSPECT_TEST, word.span, message);
        let diagnostic = match remark {
            Remark::NoPatterns => {
                let what = "no pattern to match against were provided, so this ACL will never match";
                warning(format!("`{}` has nothing to compare with and never matches", word.text))
                    .compat(format!(
                        "acl keyword '{}' : {what}; if this is intended, please add '--'.",
                        word.text
                    ))
                    .note("`-m found` asks whether there is a value, `-m bool` whether a number is not 0")
            }
            Remark::MethodOverridden => {
                warning(format!("`-m` replaces what `{keyword}` stands for"))
                    .compat(format!("original matching method '{keyword}' was overwritten and will not be applied as expected."))
            }
            Remark::DetachedArguments => {
                let pattern = words.get(at + 1).map_or("", |word| word.text);
                warning(format!("`{pattern}` is compared with `{keyword}`; arguments follow it without a blank"))
                    .compat(format!("matching '{keyword}' for pattern '{pattern}' is likely a mistake and probably not what you want."))
            }
            Remark::SuspiciousPattern(index) => {
                let Some(pattern) = words.get(at + index) else { return };
                let message = format!("`{}` is a pattern here, no operator", pattern.text);
                Diagnostic::notice(codes::SUSPECT_TEST, pattern.span, message).compat(format!(
                    "pattern '{}' looks like a failed attempt at using an operator inside a pattern list.",
                    pattern.text
                ))
            }
            _ => return,
        };
        self.push_once(diagnostic);
    }

    /// Says that bytes as they come are no matter of a proxy that sees messages.
    fn tell_bytes(&mut self, cond: &Cond<'t>, condition: &Condition, proxy: &str) {
        if condition.needs().any_of(Needs::L6_REQUEST.and(Needs::L6_RESPONSE)) {
            let message = "the condition reads bytes of a connection, of which nothing is known in HTTP mode";
            let compat =
                format!("Proxy '{proxy}': L6 sample fetches ignored on HTTP proxies (declared here).");
            self.push_once(
                Diagnostic::warning(codes::NEVER_MATCHES, cond.keyword.span, message).compat(compat),
            );
        }
    }

    /// Says of the first ACL that cannot match in any of `phases` that it will not.
    fn tell_never(&mut self, cond: &Cond<'t>, condition: &Condition, phases: Phases, owner: &str) {
        let Some(acl) =
            condition.acls().find(|acl| !acl.tests().is_empty() && !acl.phases().intersects(phases))
        else {
            return;
        };
        let (shown, compat) = match acl.name() {
            "" => {
                let keyword = acl.tests()[0].keyword();
                let shown = format!("the test of `{keyword}`");
                (
                    shown,
                    format!(
                        "anonymous acl will never match in '{owner}' because it uses keyword '{keyword}' which is not available there."
                    ),
                )
            }
            name => {
                let compat = format!(
                    "acl '{name}' will never match in '{owner}' because it only involves keywords that are not available there."
                );
                (format!("the ACL `{name}`"), compat)
            }
        };
        let message = format!("{shown} never matches here: what it reads is not there yet, or no longer");
        self.out.push(Diagnostic::warning(codes::NEVER_MATCHES, cond.keyword.span, message).compat(compat));
    }

    /// An expression that takes the whole of `words` and can be evaluated in one of `phases`.
    pub(super) fn program_in(&mut self, words: &[Word<'t>], phases: Phases, owner: &str) -> Option<Program> {
        let program = self.program(words, owner)?;
        self.is_readable(&program, words, phases, owner).then_some(program)
    }

    /// Whether what `program` reads is there in one of `phases`; says so if not.
    pub(super) fn is_readable(
        &mut self,
        program: &Program,
        words: &[Word<'t>],
        phases: Phases,
        owner: &str,
    ) -> bool {
        let readable = program.needs().phases().intersects(phases);
        if let (false, Some(word)) = (readable, words.first()) {
            self.error(
                codes::EXPRESSION,
                word.span,
                format!("`{}` has no value here: what it reads is not there yet, or no longer", word.text),
                format!(
                    "error detected while parsing '{owner}' rule : '{}' extracts information which is not available here.",
                    word.text
                ),
            );
        }
        readable
    }

    /// An expression that takes the whole of `words`.
    pub(super) fn program(&mut self, words: &[Word<'t>], owner: &str) -> Option<Program> {
        let (program, used) = self.program_prefix(words, owner)?;
        if let Some(extra) = words.get(used) {
            self.error(
                codes::EXPRESSION,
                extra.span,
                format!("`{}` does not belong to the expression", extra.text),
                format!(
                    "error detected while parsing an '{owner}' rule : unexpected argument '{}'.",
                    extra.text
                ),
            );
            return None;
        }
        Some(program)
    }

    /// An expression at the beginning of `words`; also how many words it took.
    pub(super) fn program_prefix(&mut self, words: &[Word<'t>], owner: &str) -> Option<(Program, usize)> {
        let texts: Vec<&str> = words.iter().map(|w| w.text).collect();
        let at = words.first().map_or_else(Span::default, |w| w.span);
        let parsed = self.build(at, words, |registry, context| parse::parse_words(&texts, registry, context));
        match parsed {
            Ok(found) => Some(found),
            Err(error) => {
                let shown = texts.join(" ");
                let compat = format!(
                    "error detected while parsing an '{owner}' rule : failed to parse sample expression <{shown}> : {error}."
                );
                self.expression_error(&error, words, codes::EXPRESSION, compat);
                None
            }
        }
    }

    /// A format.
    pub(super) fn template(
        &mut self,
        word: Word<'t>,
        style: Style,
        phases: Phases,
        owner: &str,
    ) -> Option<Template> {
        let parsed = self.build(word.span, &[word], |registry, context| {
            Template::parse(word.text, style, phases, registry, context)
        });
        match parsed {
            Ok(template) => Some(template),
            Err(error) => {
                let compat = format!(
                    "error detected while parsing an '{owner}' rule : failed to parse log-format : {error}."
                );
                self.expression_error(&error, &[word], codes::LOG_FORMAT, compat);
                None
            }
        }
    }

    /// A format of a header value, path or body.
    pub(super) fn header_template(
        &mut self,
        word: Word<'t>,
        phases: Phases,
        owner: &str,
    ) -> Option<Template> {
        self.template(word, Style::Header, phases, owner)
    }

    /// A regular expression.
    pub(super) fn regex(&mut self, word: Word<'t>, owner: &str) -> Option<Regex> {
        match Regex::new(word.text, false) {
            Ok(regex) => Some(regex),
            Err(error) => {
                let compat = format!("error detected while parsing an '{owner}' rule : {error}.");
                self.error(
                    codes::EXPRESSION,
                    word.span,
                    format!("this regular expression is wrong: {}", error.reason),
                    compat,
                );
                None
            }
        }
    }

    /// Builds what `words` at `at` say, and tells what of it has no value or does nothing.
    pub(super) fn build<T>(
        &mut self,
        at: Span,
        words: &[Word<'t>],
        parse: impl FnOnce(&Registry, &mut Context<'_>) -> T,
    ) -> T {
        self.context.at = at;
        let built = parse(self.registry, &mut self.context);
        self.tell_idle(words);
        built
    }

    /// Says of the fetches and converters in `words`, just parsed, which have no value or do nothing.
    fn tell_idle(&mut self, words: &[Word<'t>]) {
        for (name, status) in std::mem::take(&mut self.context.idle) {
            let span = place_of(name, words);
            let told = |d: &Diagnostic| d.span == Some(span) && d.code == codes::NO_EFFECT;
            if self.out.iter().any(told) {
                continue;
            }
            self.out.push(match status {
                Status::NoValue(why) => {
                    Diagnostic::notice(codes::NO_EFFECT, span, format!("`{name}` never has a value: {why}"))
                        .compat(format!("sample fetch '{name}' never has a value: {why}."))
                }
                Status::NoEffect(why) => {
                    Diagnostic::notice(codes::NO_EFFECT, span, format!("`{name}` has no effect here: {why}"))
                        .compat(format!("converter '{name}' has no effect here: {why}."))
                }
                _ => continue,
            });
        }
    }

    pub(super) fn expression_error(
        &mut self,
        error: &ParseError,
        words: &[Word<'t>],
        code: lb_core::diag::Code,
        compat: String,
    ) {
        let diagnostic = self.diagnose(error, words, code).compat(compat);
        let diagnostic = self.nearest(error, diagnostic);
        self.push_once(diagnostic);
    }

    /// Lines of `defaults` are built for each proxy that uses them, and told of once.
    pub(super) fn push_once(&mut self, diagnostic: Diagnostic) {
        if !self.out.iter().any(|d| d.span == diagnostic.span && d.message == diagnostic.message) {
            self.out.push(diagnostic);
        }
    }

    /// Adds the known name that looks like an unknown one.
    fn nearest(&self, error: &ParseError, diagnostic: Diagnostic) -> Diagnostic {
        let near = match &error.kind {
            ErrorKind::UnknownFetch(name) => {
                let fetches = self.registry.fetches().map(|f| f.name);
                suggest::nearest(name, fetches.chain(self.registry.acls().map(|a| a.name)))
            }
            ErrorKind::UnknownConverter(name) => {
                suggest::nearest(name, self.registry.converters().map(|c| c.name))
            }
            _ => None,
        };
        match (near.filter(|_| diagnostic.code != codes::REFUSED), diagnostic.span) {
            (Some(near), Some(span)) => diagnostic.suggest(span, near, format!("did you mean `{near}`?")),
            _ => diagnostic,
        }
    }

    fn diagnose(&self, error: &ParseError, words: &[Word<'t>], code: lb_core::diag::Code) -> Diagnostic {
        let span = match words.get(error.word) {
            Some(word) => word.part(error.start..error.end.max(error.start + 1)),
            None => words.last().map_or_else(Span::default, |w| w.span.after()),
        };
        let absent = match &error.kind {
            ErrorKind::UnknownFetch(name) => keyword::find(Place::Fetch, &[name]),
            ErrorKind::UnknownConverter(name) => keyword::find(Place::Converter, &[name]),
            _ => None,
        };
        match absent.map(|k| (k, k.status)) {
            Some((keyword, Status::Refused(why))) => {
                let message = format!("`{}` is not supported: {why}", keyword.name);
                Diagnostic::error(codes::REFUSED, span, message).note(keyword.reference())
            }
            _ => {
                let diagnostic = Diagnostic::error(code, span, error.to_string().replace('\'', "`"));
                match super::advice::of(error, self.registry) {
                    Some(advice) => diagnostic.note(advice),
                    None => diagnostic,
                }
            }
        }
    }
}

/// Where `name` stands in `words` as a word of its own; else where they begin.
fn place_of(name: &str, words: &[Word<'_>]) -> Span {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte);
    let found = words.iter().find_map(|word| {
        let bytes = word.text.as_bytes();
        let alone = |at: usize| {
            !at.checked_sub(1).is_some_and(|before| inside(bytes[before]))
                && !bytes.get(at + name.len()).is_some_and(|&after| inside(after))
        };
        let at = word.text.match_indices(name).map(|(at, _)| at).find(|&at| alone(at))?;
        Some(word.part(at..at + name.len()))
    });
    found.or_else(|| words.first().map(|word| word.span)).unwrap_or_default()
}

fn unknown_acl(
    diagnostic: Diagnostic,
    text: &str,
    words: &[Word<'_>],
    at: usize,
    acls: &Acls<'_>,
) -> Diagnostic {
    if !text.starts_with("no such ACL") {
        return diagnostic;
    }
    let Some(word) = words.get(at) else { return diagnostic };
    let name = word.text.trim_start_matches('!');
    if let Some((_, declared)) = acls.get(name) {
        return diagnostic.label(*declared, "it is declared here, after its use");
    }
    let known = acls.keys().copied().chain(cond::PREDEFINED.iter().map(|(name, _)| *name));
    match suggest::nearest(name, known) {
        Some(near) => diagnostic.suggest(word.span, near, format!("did you mean `{near}`?")),
        None => diagnostic.note(super::advice::of_acl(name)),
    }
}
