//! ACLs and the conditions made of them (manual 7.1, 7.2).
//!
//! An ACL is a list of tests, true when one of them is. A condition is a disjunction of
//! conjunctions of possibly negated ACLs. Evaluation knows three answers, because on a stream
//! whose data is still arriving a test may not be decidable yet.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::expr::map::{Output, Reference, View, ViewSpec};
use crate::expr::parse::{self, ErrorKind, ParseError};
use crate::expr::pattern::{Flags, Method};
use crate::expr::{Build, Cast, Env, Needs, Phases, Program, Registry, Sample};

/// The answer of a test or condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "three-valued logic")]
pub enum Answer {
    /// It does not hold.
    No,
    /// More data may change the answer.
    NotYet,
    /// It holds.
    Yes,
}

impl std::ops::Not for Answer {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::NotYet => Self::NotYet,
            Self::Yes => Self::No,
        }
    }
}

/// One test: an expression, a matching method and patterns.
#[derive(Clone, Debug)]
pub struct Test {
    program: Program,
    method: Method,
    patterns: Vec<Arc<View>>,
    keyword: Box<str>,
}

impl Test {
    /// The expression.
    pub const fn program(&self) -> &Program {
        &self.program
    }

    /// The matching method.
    pub const fn method(&self) -> Method {
        self.method
    }

    /// The pattern lists, in the order given.
    pub fn patterns(&self) -> &[Arc<View>] {
        &self.patterns
    }

    /// The keyword as written (`path_beg`).
    pub fn keyword(&self) -> &str {
        &self.keyword
    }

    /// Evaluates the test.
    pub fn eval(&self, env: &Env<'_>) -> Answer {
        env.take_unsettled();
        let hit = if self.program.fetch().each.is_none() {
            self.program.eval(env).is_some_and(|sample| self.matches(sample, env))
        } else {
            let mut hit = false;
            self.program.each(env, &mut |sample| {
                hit = self.matches(sample, env);
                if hit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            hit
        };
        if hit {
            Answer::Yes
        } else if env.take_unsettled() && !env.last {
            Answer::NotYet
        } else {
            Answer::No
        }
    }

    #[inline]
    fn matches<'a>(&self, sample: Sample<'a>, env: &Env<'a>) -> bool {
        match self.method {
            Method::Found => true,
            Method::Bool => sample.to_bool() == Some(true),
            _ => self.patterns.iter().any(|view| view.matches(sample, env.arena)),
        }
    }
}

/// A named list of tests; true when one of them is.
#[derive(Clone, Debug, Default)]
pub struct Acl {
    name: Box<str>,
    tests: Vec<Test>,
}

impl Acl {
    /// An ACL without tests, never true.
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), tests: Vec::new() }
    }

    /// Adds a test (another `acl` line of the same name).
    pub fn push(&mut self, test: Test) {
        self.tests.push(test);
    }

    /// Its name; empty for anonymous ones.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its tests.
    pub fn tests(&self) -> &[Test] {
        &self.tests
    }

    /// Everything its tests read.
    pub fn needs(&self) -> Needs {
        self.tests.iter().fold(Needs::CONST, |all, test| all.and(test.program.needs()))
    }

    /// Where at least one test can be evaluated.
    pub fn phases(&self) -> Phases {
        self.tests.iter().fold(Phases::default(), |all, test| all.or(test.program.needs().phases()))
    }

    /// Evaluates test after test until one holds.
    pub fn eval(&self, env: &Env<'_>) -> Answer {
        let mut answer = Answer::No;
        for test in &self.tests {
            answer = answer.max(test.eval(env));
            if answer == Answer::Yes {
                break;
            }
        }
        answer
    }
}

/// `if` or `unless`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "two polarities")]
pub enum Polarity {
    /// The condition must hold.
    #[default]
    If,
    /// The condition must not hold.
    Unless,
}

/// A compiled condition.
#[derive(Clone, Debug)]
pub struct Condition {
    polarity: Polarity,
    alternatives: Vec<Vec<Term>>,
}

#[derive(Clone, Debug)]
struct Term {
    acl: Arc<Acl>,
    negated: bool,
}

impl Condition {
    /// Evaluates the condition with its polarity.
    pub fn eval(&self, env: &Env<'_>) -> Answer {
        let mut answer = Answer::No;
        for terms in &self.alternatives {
            let mut all = Answer::Yes;
            for term in terms {
                let one = term.acl.eval(env);
                all = all.min(if term.negated { !one } else { one });
                if all == Answer::No {
                    break;
                }
            }
            answer = answer.max(all);
            if answer == Answer::Yes {
                break;
            }
        }
        if self.polarity == Polarity::Unless { !answer } else { answer }
    }

    /// Evaluates on complete input: yes or no.
    pub fn holds(&self, env: &Env<'_>) -> bool {
        self.eval(env) == Answer::Yes
    }

    /// `if` or `unless`.
    pub const fn polarity(&self) -> Polarity {
        self.polarity
    }

    /// All ACLs it uses.
    pub fn acls(&self) -> impl Iterator<Item = &Arc<Acl>> {
        self.alternatives.iter().flatten().map(|term| &term.acl)
    }

    /// Leaves out the tests that cannot be evaluated in any of `phases`: what they read might happen to be there still, but
    /// is not to be relied on. The backend can be asked for everywhere: its frontend stands in until there is one.
    pub fn restrict(&mut self, phases: Phases) {
        let readable = |test: &Test| {
            let needs = test.program.needs();
            needs == Needs::BACKEND || needs.phases().intersects(phases)
        };
        for term in self.alternatives.iter_mut().flatten() {
            if !term.acl.tests.iter().all(readable) {
                let tests = term.acl.tests.iter().filter(|test| readable(test)).cloned().collect();
                term.acl = Arc::new(Acl { name: term.acl.name.clone(), tests });
            }
        }
    }

    /// Everything its ACLs read.
    pub fn needs(&self) -> Needs {
        self.acls().fold(Needs::CONST, |all, acl| all.and(acl.needs()))
    }

    /// Where at least one alternative can be evaluated as a whole.
    pub fn phases(&self) -> Phases {
        self.alternatives.iter().fold(Phases::default(), |any, terms| {
            any.or(terms.iter().fold(Phases::ALL, |all, term| all.both(term.acl.phases())))
        })
    }
}

/// What parsing a test found besides the test itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remark {
    /// Nothing to compare with: the test will never hold. Index of the keyword's word is 0.
    NoPatterns,
    /// `-m` replaces the method the keyword stands for.
    MethodOverridden,
    /// The first pattern begins with a parenthesis, as if arguments of the keyword were meant.
    DetachedArguments,
    /// The pattern at this word looks like a misplaced operator or keyword.
    SuspiciousPattern(usize),
}

/// Parses the words after `acl <name>`: criterion, flags, operator, patterns.
///
/// `label` names the list of patterns written in place towards the control socket. Errors carry
/// the index of the word.
pub fn parse_test(
    words: &[&str],
    label: &str,
    registry: &Registry,
    build: &mut dyn Build,
) -> Result<(Test, Vec<Remark>), ParseError> {
    let mut parser = TestParser::start(words, registry, build)?;
    parser.flags(words, build)?;
    parser.patterns(words, label, build)?;
    let TestParser { program, method, views, remarks, .. } = parser;
    let method = method.ok_or_else(|| no_method(words))?;
    let keyword = words[0];
    let end = keyword.find(|c: char| !parse::is_id_byte(c as u8)).unwrap_or(keyword.len());
    Ok((Test { program, method, patterns: views, keyword: keyword[..end].into() }, remarks))
}

fn no_method(words: &[&str]) -> ParseError {
    let word = words.first().copied().unwrap_or("");
    let text = format!(
        "matching method must be specified first (using '-m') when using a sample fetch of this type ('{word}')"
    );
    other(text, 0, word)
}

fn other(text: String, index: usize, word: &str) -> ParseError {
    ParseError::new(0, word.len(), ErrorKind::Other(text)).in_word(index)
}

/// State while one test is parsed.
struct TestParser {
    program: Program,
    method: Option<Method>,
    /// Method implied by the keyword itself.
    implied: Option<Method>,
    /// Next word to read.
    at: usize,
    ignore_case: bool,
    resolve: bool,
    as_map: bool,
    views: Vec<Arc<View>>,
    remarks: Vec<Remark>,
}

impl TestParser {
    fn start(words: &[&str], registry: &Registry, build: &mut dyn Build) -> Result<Self, ParseError> {
        let first = words.first().copied().unwrap_or("");
        let end = first.find(|c: char| !parse::is_id_byte(c as u8)).unwrap_or(first.len());
        let (program, used, implied) = match registry.acl(&first[..end]) {
            Some(acl) => {
                let program = acl_program(acl.fetch, first, end, registry, build)?;
                let implied = program.converters().next().is_none().then_some(acl.method);
                (program, 1, implied)
            }
            None => {
                let (program, used) = parse::parse_words(words, registry, build)?;
                (program, used, None)
            }
        };
        let method = implied.or_else(|| Method::default_for(program.out()));
        Ok(Self {
            program,
            method,
            implied,
            at: used,
            ignore_case: false,
            resolve: true,
            as_map: false,
            views: Vec::new(),
            remarks: Vec::new(),
        })
    }

    fn flags(&mut self, words: &[&str], build: &mut dyn Build) -> Result<(), ParseError> {
        let mut forced = false;
        while let Some(word) = words.get(self.at).filter(|word| word.starts_with('-')) {
            let value = words.get(self.at + 1).copied().unwrap_or("");
            let index = self.at;
            self.at += 1;
            match *word {
                "-i" => self.ignore_case = true,
                "-n" => self.resolve = false,
                "-M" => self.as_map = true,
                "--" => return Ok(()),
                "-u" => {
                    self.at += 1;
                    if value.parse::<i64>().is_err() {
                        return Err(other("the argument of -u must be an integer".into(), index, word));
                    }
                }
                "-f" => {
                    self.at += 1;
                    let method = self.method.ok_or_else(|| no_method(words))?;
                    let reference =
                        build.patterns(value, self.as_map).map_err(|e| other(e, index + 1, value))?;
                    self.add_view(&reference, method, build).map_err(|e| other(e, index + 1, value))?;
                }
                "-m" => {
                    self.at += 1;
                    self.force_method(value, forced, index)?;
                    forced = true;
                }
                _ => {
                    let text = format!(
                        "'{word}' is not a valid ACL option. \
                         Please use '--' before any pattern beginning with a '-'"
                    );
                    return Err(other(text, index, word));
                }
            }
        }
        Ok(())
    }

    fn force_method(&mut self, name: &str, forced: bool, index: usize) -> Result<(), ParseError> {
        let refuse = |text: String| Err(other(text, index + 1, name));
        if !self.views.is_empty() {
            return refuse("'-m' must only be specified before patterns and files".into());
        }
        if forced {
            return refuse("only one explicit matching method can be defined with '-m' parameter".into());
        }
        let Some(method) = Method::by_name(name) else {
            return refuse(format!("unknown matching method '{name}'"));
        };
        if method != Method::Found && self.program.out().cast_to(method.input()) == Cast::Never {
            let keyword = self.program.fetch().name;
            return refuse(format!("matching method '{name}' cannot be used with fetch keyword '{keyword}'"));
        }
        if self.implied.is_some_and(|implied| implied != method && self.stands_for(implied)) {
            self.remarks.push(Remark::MethodOverridden);
        }
        self.method = Some(method);
        Ok(())
    }

    /// Whether the keyword was chosen for its method, and not for its type alone.
    fn stands_for(&self, method: Method) -> bool {
        use Method::{Beg, Dir, Dom, End, Len, Reg, Sub};
        // Groups have a method of their own behind the name of the usual one.
        matches!(method, Beg | Dir | Dom | End | Len | Reg | Sub)
            || self.program.fetch().name == "http_auth_group"
    }

    fn patterns(&mut self, words: &[&str], label: &str, build: &mut dyn Build) -> Result<(), ParseError> {
        let method = self.method.ok_or_else(|| no_method(words))?;
        let given_dashes = words.get(1).is_some();
        if !words[0].contains('(') && words.get(1).is_some_and(|word| word.starts_with('(')) {
            self.remarks.push(Remark::DetachedArguments);
        }
        let first = self.at;
        let mut operator = "eq";
        let mut list: Vec<String> = Vec::new();
        for (index, word) in words.iter().enumerate().skip(first) {
            let numeric = matches!(method, Method::Int | Method::Version | Method::Len);
            if numeric && matches!(*word, "eq" | "ge" | "gt" | "le" | "lt") {
                operator = word;
                continue;
            }
            if matches!(*word, "&&" | "and" | "||" | "or" | "#" | "//") {
                self.remarks.push(Remark::SuspiciousPattern(index));
            }
            let text = if numeric { with_operator(operator, word, method) } else { Ok((*word).to_owned()) };
            list.push(text.map_err(|e| other(e, index, word))?);
        }
        if list.is_empty() && !self.views.is_empty() {
            return Ok(());
        }
        if list.is_empty() && !given_dashes && !matches!(method, Method::Bool | Method::Found) {
            self.remarks.push(Remark::NoPatterns);
        }
        let reference = Reference::from_patterns(label, list.iter().map(String::as_str));
        build.inline_patterns(&reference);
        self.add_view(&reference, method, build).map_err(|e| {
            // The message quotes the pattern; find its word for the position.
            let index = words.iter().skip(first).position(|word| e.contains(&format!("'{word}'")));
            let index = index.map_or(0, |at| at + first);
            other(e, index, words[index])
        })
    }

    fn add_view(
        &mut self,
        reference: &Arc<Reference>,
        method: Method,
        build: &mut dyn Build,
    ) -> Result<(), String> {
        let spec = ViewSpec { method, ignore_case: self.ignore_case, output: Output::None };
        let resolver = |host: &str| build.resolve(host);
        let flags = Flags { ignore_case: self.ignore_case, resolve: self.resolve.then_some(&resolver as _) };
        self.views.push(reference.view(spec, flags)?);
        Ok(())
    }
}

fn acl_program(
    fetch: &str,
    text: &str,
    after: usize,
    registry: &Registry,
    build: &mut dyn Build,
) -> Result<Program, ParseError> {
    let Some(fetch) = registry.fetch(fetch) else {
        return Err(ParseError::new(0, after, ErrorKind::UnknownFetch(fetch.to_owned())));
    };
    let (args, at) = parse::fetch_args(fetch, text, after, build)?;
    let mut program = Program::new(fetch, args);
    let end = parse::converters(&mut program, text, at, registry, build)?;
    if end < text.len() {
        let kind = ErrorKind::MissingComma(text[..after].to_owned());
        return Err(ParseError::new(end, text.len(), kind));
    }
    program.set_text(text);
    Ok(program)
}

/// Turns `gt 5` into the range `6:`.
fn with_operator(operator: &str, word: &str, method: Method) -> Result<String, String> {
    if operator == "eq" || word.contains([':', '-']) {
        // A lone negative number is written like a range without start.
        return match operator {
            "lt" | "le" | "gt" | "ge" if word.parse::<i64>().is_ok() => bounded(operator, word, method),
            _ => Ok(word.to_owned()),
        };
    }
    bounded(operator, word, method)
}

fn bounded(operator: &str, word: &str, method: Method) -> Result<String, String> {
    let invalid = || format!("'{word}' is neither a number nor a supported operator");
    let value = match (method, word.split_once('.')) {
        (Method::Version, dotted) => {
            let (major, minor) = dotted.unwrap_or((word, "0"));
            let major: u16 = major.parse().map_err(|_| invalid())?;
            let minor: u16 = minor.parse().map_err(|_| invalid())?;
            i64::from(major) << 16 | i64::from(minor)
        }
        _ => word.parse::<i64>().map_err(|_| invalid())?,
    };
    let value = match operator {
        "gt" => value.saturating_add(1),
        "lt" => value.saturating_sub(1),
        _ => value,
    };
    let text = if method == Method::Version {
        format!("{}.{}", value >> 16, value & 0xffff)
    } else {
        value.to_string()
    };
    Ok(if operator.starts_with('g') { format!("{text}:") } else { format!(":{text}") })
}

/// Finds ACLs by name while conditions are parsed.
pub trait AclLookup {
    /// The ACL declared under that name, if any.
    fn acl(&self, name: &str) -> Option<Arc<Acl>>;
}

impl AclLookup for std::collections::HashMap<String, Arc<Acl>> {
    fn acl(&self, name: &str) -> Option<Arc<Acl>> {
        self.get(name).cloned()
    }
}

/// Parses the words after `if` or `unless`.
///
/// Declared ACLs come first, then the predefined ones of the manual (7.4), which are built
/// through the registry and therefore exist only with the protocols that define their fetches.
pub fn parse(
    words: &[&str],
    polarity: Polarity,
    acls: &dyn AclLookup,
    registry: &Registry,
    build: &mut dyn Build,
) -> Result<(Condition, Vec<(usize, Remark)>), ParseError> {
    let mut alternatives: Vec<Vec<Term>> = vec![Vec::new()];
    let mut remarks = Vec::new();
    let mut negated = false;
    let mut at = 0;
    while at < words.len() {
        let name = words[at].trim_start_matches('!');
        let marks = words[at].len() - name.len();
        negated ^= marks % 2 == 1;
        if name.is_empty() {
            at += 1;
            continue;
        }
        if name == "||" || name.eq_ignore_ascii_case("or") {
            alternatives.push(Vec::new());
            negated = false;
            at += 1;
            continue;
        }
        let (acl, used) = if name == "{" {
            let (acl, used, found) = anonymous(words, at, registry, build)?;
            remarks.extend(found.into_iter().map(|remark| (at + 1, remark)));
            (acl, used)
        } else {
            (named(name, marks, at, acls, registry, build)?, 1)
        };
        let term = Term { acl, negated: std::mem::take(&mut negated) };
        alternatives.last_mut().expect("never empty").push(term);
        at += used;
    }
    alternatives.retain(|terms| !terms.is_empty());
    Ok((Condition { polarity, alternatives }, remarks))
}

fn anonymous(
    words: &[&str],
    at: usize,
    registry: &Registry,
    build: &mut dyn Build,
) -> Result<(Arc<Acl>, usize, Vec<Remark>), ParseError> {
    let Some(len) = words[at + 1..].iter().position(|word| *word == "}") else {
        return Err(other("missing closing '}' in condition".into(), at, words[at]));
    };
    let inner = &words[at + 1..at + 1 + len];
    if inner.is_empty() {
        return Err(other("missing fetch method".into(), at, words[at]));
    }
    let (test, remarks) = parse_test(inner, "anonymous acl", registry, build).map_err(|mut e| {
        e.word += at + 1;
        e
    })?;
    let mut acl = Acl::new("");
    acl.push(test);
    Ok((Arc::new(acl), len + 2, remarks))
}

fn named(
    name: &str,
    offset: usize,
    index: usize,
    acls: &dyn AclLookup,
    registry: &Registry,
    build: &mut dyn Build,
) -> Result<Arc<Acl>, ParseError> {
    if let Some(acl) = acls.acl(name) {
        return Ok(acl);
    }
    let unknown = || {
        let kind = ErrorKind::Other(format!("no such ACL : '{name}'"));
        ParseError::new(offset, offset + name.len(), kind).in_word(index)
    };
    let (_, definition) = PREDEFINED.iter().find(|(known, _)| *known == name).ok_or_else(unknown)?;
    let (test, _) = parse_test(definition, name, registry, build).map_err(|_| unknown())?;
    let mut acl = Acl::new(name);
    acl.push(test);
    Ok(Arc::new(acl))
}

/// The predefined ACLs of the manual, 7.4.
pub const PREDEFINED: &[(&str, &[&str])] = &[
    ("FALSE", &["always_false"]),
    ("HTTP", &["req.proto_http"]),
    ("HTTP_1.0", &["req.ver", "1.0"]),
    ("HTTP_1.1", &["req.ver", "1.1"]),
    ("HTTP_2.0", &["req.ver", "2.0"]),
    ("HTTP_3.0", &["req.ver", "3.0"]),
    ("HTTP_CONTENT", &["req.hdr_val(content-length)", "gt", "0"]),
    ("HTTP_URL_ABS", &["url_reg", "^[^/:]*://"]),
    ("HTTP_URL_SLASH", &["url_beg", "/"]),
    ("HTTP_URL_STAR", &["url", "*"]),
    ("LOCALHOST", &["src", "127.0.0.1/8", "::1"]),
    ("METH_CONNECT", &["method", "CONNECT"]),
    ("METH_DELETE", &["method", "DELETE"]),
    ("METH_GET", &["method", "GET", "HEAD"]),
    ("METH_HEAD", &["method", "HEAD"]),
    ("METH_OPTIONS", &["method", "OPTIONS"]),
    ("METH_POST", &["method", "POST"]),
    ("METH_PUT", &["method", "PUT"]),
    ("METH_TRACE", &["method", "TRACE"]),
    ("RDP_COOKIE", &["req.rdp_cookie_cnt", "gt", "0"]),
    ("REQ_CONTENT", &["req.len", "gt", "0"]),
    ("TRUE", &["always_true"]),
    ("WAIT_END", &["wait_end"]),
];

#[cfg(test)]
mod tests;
