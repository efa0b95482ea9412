//! `balance` and `hash-type`.

use super::{Checker, Stmt};
use crate::codes;
use crate::config::Balance;
use crate::suggest;
use crate::tree::Word;
use lb_core::balance::{Algorithm, HashFunction, HashMethod, HashType};
use lb_core::diag::{Diagnostic, Spanned};

const ALGORITHMS: &[&str] = &[
    "roundrobin",
    "static-rr",
    "leastconn",
    "first",
    "source",
    "uri",
    "url_param",
    "hdr",
    "random",
    "rdp-cookie",
    "hash",
    "sticky",
    "log-hash",
];

impl<'t> Checker<'t, '_> {
    pub(crate) fn balance_line(&mut self, stmt: &Stmt<'t, '_>) {
        let Some((balance, used)) = self.algorithm(stmt) else { return };
        if let Some(extra) = stmt.args().get(used).copied() {
            self.push(
                Diagnostic::warning(
                    codes::TOO_MANY_ARGUMENTS,
                    extra.span,
                    format!("`balance {}` takes no further argument", stmt.arg(0)),
                )
                .compat(format!(
                    "'balance {}' ignores the argument '{}'.",
                    stmt.arg(0),
                    extra.text
                )),
            );
        }
        let value = Some(Spanned::new(balance, stmt.span()));
        if let Some(proxy) = self.proxy() {
            proxy.settings.balance = value;
        }
    }

    fn algorithm(&mut self, stmt: &Stmt<'t, '_>) -> Option<(Balance<'t>, usize)> {
        let args = stmt.args();
        let Some(word) = args.first().copied() else {
            return Some((Algorithm::DEFAULT.into(), 0));
        };
        let (name, inner) = match word.text.split_once('(') {
            Some((name, rest)) => (name, Some(rest.strip_suffix(')').unwrap_or(rest))),
            None => (word.text, None),
        };
        let simple = |algorithm: Algorithm| Some((algorithm.into(), 1));
        match name {
            "roundrobin" => simple(Algorithm::RoundRobin),
            "static-rr" => simple(Algorithm::StaticRr),
            "leastconn" => simple(Algorithm::LeastConn),
            "first" => simple(Algorithm::First),
            "source" => simple(Algorithm::Source),
            "sticky" => simple(Algorithm::Sticky),
            "random" => simple(Algorithm::Random { draws: self.draws(word, inner)? }),
            "rdp-cookie" => simple(Algorithm::RdpCookie { name: inner.unwrap_or("mstshash").into() }),
            "hdr" => self.header_hash(word, inner, args),
            "uri" => self.uri_hash(args),
            "url_param" => self.param_hash(args),
            "hash" => self.expression_hash(word, args, "an expression"),
            "log-hash" => self.expression_hash(word, args, "a list of converters"),
            _ => {
                self.unknown_algorithm(word, name);
                None
            }
        }
    }

    /// `hash` of an expression, which may be several words, or `log-hash` of converters.
    fn expression_hash(
        &mut self,
        word: Word<'t>,
        args: &[Word<'t>],
        what: &str,
    ) -> Option<(Balance<'t>, usize)> {
        let messages = word.text == "log-hash";
        let words = if messages { args.get(1..2) } else { args.get(1..).filter(|words| !words.is_empty()) };
        let Some(words) = words else {
            let text = format!("`balance {}` needs {what}", word.text);
            self.error(codes::MISSING_ARGUMENT, word.span.after(), text);
            return None;
        };
        let used = 1 + words.len();
        Some((Balance { algorithm: Algorithm::Hash, expression: Some(words.to_vec()), messages }, used))
    }

    fn unknown_algorithm(&mut self, word: Word<'t>, name: &str) {
        let mut diagnostic =
            Diagnostic::error(codes::WORD, word.span, format!("`{}` is not a balancing algorithm", word.text))
                .compat(
                    "balance only supports 'roundrobin', 'static-rr', 'leastconn', 'source', 'uri', 'url_param', 'hash', \
                     'hdr(name)', 'rdp-cookie(name)', 'log-hash' and 'sticky' options.",
                )
                .note("see: configuration manual 4.2, \"balance\"");
        if let Some(near) = suggest::nearest(name, ALGORITHMS.iter().copied()) {
            diagnostic = diagnostic.suggest(word.span, near, format!("did you mean `{near}`?"));
        }
        self.push(diagnostic);
    }

    fn draws(&mut self, word: Word<'t>, inner: Option<&str>) -> Option<u32> {
        let Some(inner) = inner.filter(|i| !i.is_empty()) else { return Some(2) };
        let draws = inner.parse().ok().filter(|n| *n > 0);
        if draws.is_none() {
            self.push(
                Diagnostic::error(codes::NUMBER, word.span, format!("`{inner}` is not a number of draws"))
                    .compat("random draws must be at least 1 and an integer."),
            );
        }
        draws
    }

    fn header_hash(
        &mut self,
        word: Word<'t>,
        inner: Option<&'t str>,
        args: &[Word<'t>],
    ) -> Option<(Balance<'t>, usize)> {
        let Some(name) = inner.filter(|n| !n.is_empty()) else {
            self.push(
                Diagnostic::error(
                    codes::MISSING_ARGUMENT,
                    word.span,
                    "`hdr` needs the name of a header: `hdr(host)`",
                )
                .compat("hdr(name) requires an http header field name."),
            );
            return None;
        };
        let modifier = args.get(1).copied();
        if let Some(other) = modifier.filter(|w| w.text != "use_domain_only") {
            self.push(
                Diagnostic::error(codes::WORD, other.span, "`hdr` knows the modifier `use_domain_only` only")
                    .compat(format!(
                        "balance hdr({name}) only accepts 'use_domain_only' modifier (got '{}').",
                        other.text
                    )),
            );
            return None;
        }
        let use_domain_only = modifier.is_some();
        let algorithm = Algorithm::Hdr { name: name.into(), use_domain_only };
        Some((algorithm.into(), 1 + usize::from(use_domain_only)))
    }

    fn uri_hash(&mut self, args: &[Word<'t>]) -> Option<(Balance<'t>, usize)> {
        let (mut whole, mut path_only, mut len, mut depth) = (false, false, None, None);
        let mut at = 1;
        while let Some(word) = args.get(at).copied() {
            match word.text {
                "whole" => whole = true,
                "path-only" => path_only = true,
                option @ ("len" | "depth") => {
                    let value = self.follow(args, at, "balance uri")?;
                    let number = self.integer(option, value, 1, i64::from(i32::MAX))? as u32;
                    *(if option == "len" { &mut len } else { &mut depth }) = Some(number);
                    at += 1;
                }
                other => {
                    self.push(
                        Diagnostic::error(codes::WORD, word.span, format!("`{other}` is not an option of `balance uri`"))
                            .compat(format!("uri only accepts parameters 'len', 'depth', 'path-only', and 'whole' (got '{other}').")),
                    );
                    return None;
                }
            }
            at += 1;
        }
        Some((Algorithm::Uri { whole, len, depth, path_only }.into(), at))
    }

    fn param_hash(&mut self, args: &[Word<'t>]) -> Option<(Balance<'t>, usize)> {
        let Some(name) = args.get(1) else {
            self.push(
                Diagnostic::error(
                    codes::MISSING_ARGUMENT,
                    args[0].span.after(),
                    "`url_param` needs the name of a parameter",
                )
                .compat("url_param requires an URL parameter name."),
            );
            return None;
        };
        let mut used = 2;
        let check_post = match args.get(2) {
            None => false,
            Some(word) if word.text == "check_post" => {
                used += 1;
                // A number after check_post had a meaning before 1.8 and is still accepted.
                used += usize::from(args.get(3).is_some_and(|w| w.text.parse::<u32>().is_ok()));
                true
            }
            Some(word) => {
                let word = *word;
                self.push(
                    Diagnostic::error(
                        codes::WORD,
                        word.span,
                        format!("`{}` is not an option of `balance url_param`", word.text),
                    )
                    .compat("url_param only accepts check_post modifier."),
                );
                return None;
            }
        };
        Some((Algorithm::UrlParam { name: name.text.into(), check_post }.into(), used))
    }

    pub(crate) fn hash_type_line(&mut self, stmt: &Stmt<'t, '_>) {
        let args = stmt.args();
        let Some(method) = args.first().copied() else {
            return self.push(
                Diagnostic::error(codes::MISSING_ARGUMENT, stmt.head().after(), "`hash-type` needs a method")
                    .compat("'hash-type' only supports 'consistent' and 'map-based'."),
            );
        };
        let mut hash = match method.text {
            "map-based" => HashType::of(HashMethod::MapBased),
            "consistent" => HashType::of(HashMethod::Consistent),
            "avalanche" => {
                self.push(
                    Diagnostic::warning(codes::TRANSLATED, method.span, "`hash-type avalanche` is now `hash-type map-based sdbm avalanche`")
                        .compat("experimental feature 'hash-type avalanche' is not supported anymore, please use 'hash-type map-based sdbm avalanche' instead.")
                        .suggest(method.span, "map-based sdbm avalanche", "write it so"),
                );
                HashType { avalanche: true, ..HashType::of(HashMethod::MapBased) }
            }
            _ => {
                return self.push(
                    Diagnostic::error(
                        codes::WORD,
                        method.span,
                        format!("`{}` is not a hash method", method.text),
                    )
                    .compat("'hash-type' only supports 'consistent' and 'map-based'.")
                    .note("one of: map-based, consistent"),
                );
            }
        };
        if let Some(function) = args.get(1).copied() {
            let Some(found) = self.hash_function(function) else { return };
            hash.function = found;
            hash.avalanche = match args.get(2).copied() {
                None => false,
                Some(word) if word.text == "avalanche" => true,
                Some(word) => {
                    return self.push(
                        Diagnostic::error(
                            codes::WORD,
                            word.span,
                            format!("`{}` is not a hash modifier", word.text),
                        )
                        .compat("'hash-type' only supports 'avalanche' as a modifier for hash functions."),
                    );
                }
            };
        }
        let value = Some(Spanned::new(hash, stmt.span()));
        if let Some(proxy) = self.proxy() {
            proxy.settings.hash_type = value;
        }
    }

    fn hash_function(&mut self, word: Word<'t>) -> Option<HashFunction> {
        Some(match word.text {
            "sdbm" => HashFunction::Sdbm,
            "djb2" => HashFunction::Djb2,
            "wt6" => HashFunction::Wt6,
            "crc32" => HashFunction::Crc32,
            "none" => HashFunction::None,
            _ => {
                self.push(
                    Diagnostic::error(
                        codes::WORD,
                        word.span,
                        format!("`{}` is not a hash function", word.text),
                    )
                    .compat("'hash-type' only supports 'sdbm', 'djb2', 'crc32', or 'wt6' hash functions.")
                    .note("one of: sdbm, djb2, wt6, crc32, none"),
                );
                return None;
            }
        })
    }
}
