//! What is known about a word: for people who ask, and for tools that show help.

use super::doc::{converter_syntax, fetch_syntax, status, type_name};
use super::{Keyword, Place, all};
use crate::suggest;
use lb_core::expr::Registry;
use lb_core::rule::cond::PREDEFINED;
use std::fmt::Write as _;

/// Everything the tables say about `name`, one paragraph for each meaning; nothing if no table knows it. Codes of diagnostics are known, too.
///
/// A name may be written as in a file (`option forwardfor`, `http-request set-header`, `timeout client`) or by its last
/// word alone; `registry` holds the fetches and converters of this program.
pub fn explain(name: &str, registry: &Registry) -> Option<String> {
    let mut out = String::new();
    let words: Vec<&str> = name.split_whitespace().collect();
    for keyword in all().filter(|k| registered(k, registry).is_none() && names(k, &words)) {
        paragraph(&mut out, keyword);
    }
    let [word] = words.as_slice() else { return some(out) };
    let word = word.split('(').next().unwrap_or(word);
    if let Some(def) = registry.fetch(word) {
        let section = super::fetch_section(def.name).unwrap_or("7.3");
        let _ = write!(
            out,
            "{}\n  sample fetch, {}\n  status: {}\n  manual: {section}\n\n",
            fetch_syntax(def),
            type_name(def.out),
            status(super::fetch_status(def.name))
        );
    }
    if let Some(def) = registry.converter(word) {
        let _ = write!(
            out,
            "{}\n  converter, {} to {}\n  status: {}\n  manual: 7.3.1\n\n",
            converter_syntax(def),
            type_name(def.input),
            type_name(def.out),
            status(super::converter_status(def.name))
        );
    }
    if let Some(def) = registry.acl(word).filter(|def| def.name != def.fetch) {
        let method = format!("{:?}", def.method).to_lowercase();
        let _ = write!(
            out,
            "{}\n  ACL keyword, stands for `{} -m {method}`\n  status: {}\n\n",
            def.name,
            def.fetch,
            status(super::fetch_status(def.fetch))
        );
    }
    if let Some((name, words)) = PREDEFINED.iter().find(|(name, _)| *name == word) {
        let text = words.join(" ");
        let _ =
            write!(out, "{name}\n  predefined ACL, stands for `{text}`\n  status: full\n  manual: 7.4\n\n");
    }
    if let Some((code, text, advice)) = crate::codes::ALL.iter().find(|(code, ..)| code.as_str() == word) {
        let _ = write!(out, "{}\n  diagnostic\n  {text}\n  {advice}\n\n", code.as_str());
    }
    some(out)
}

/// What [`explain`] says, as one text.
///
/// # Errors
///
/// Nothing is known; the text says so, and which known word looks like this one.
pub fn answer(name: &str, registry: &Registry) -> Result<String, String> {
    if let Some(text) = explain(name, registry) {
        return Ok(format!("{}\n", text.trim_end_matches('\n')));
    }
    let hint = nearest(name, registry).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    Err(format!("nothing is known about `{name}`{hint}"))
}

/// Known words that look like `name`.
pub fn nearest(name: &str, registry: &Registry) -> Option<&'static str> {
    let known = all().flat_map(|k| k.name.split(' ').chain([k.name]));
    let known = known.chain(registry.fetches().map(|f| f.name)).chain(registry.converters().map(|c| c.name));
    suggest::nearest(name, known)
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// The registry's own entry, which says more than the table's.
fn registered(keyword: &Keyword, registry: &Registry) -> Option<()> {
    match keyword.place {
        Place::Fetch => registry.fetch(keyword.name).map(|_| ()),
        Place::Converter => registry.converter(keyword.name).map(|_| ()),
        _ => None,
    }
}

/// Whether `words` name the keyword: all of its words, behind the line's keyword or not, or its last one.
fn names(keyword: &Keyword, words: &[&str]) -> bool {
    let own: Vec<&str> = keyword.name.split(' ').collect();
    let (before, rest) = words.split_at(words.len().saturating_sub(own.len()));
    if rest == own {
        return before.is_empty() || line_of(keyword.place, before);
    }
    matches!(words, [one] if own.last() == Some(one))
}

/// Whether `words` start a line on which keywords of `place` stand.
fn line_of(place: Place, words: &[&str]) -> bool {
    match (place, words) {
        (Place::Global, ["global"])
        | (Place::Proxy, ["defaults" | "frontend" | "listen" | "backend"])
        | (Place::Option, ["option"])
        | (Place::Bind, ["bind"])
        | (Place::Server, ["server" | "default-server" | "server-template"])
        | (Place::Load, ["load"])
        | (Place::Filter, ["filter"]) => true,
        (Place::Rule, _) => super::doc::RULE_SETS.iter().any(|(_, name)| *name == words.join(" ")),
        (Place::Section(kind), [name]) => kind.keyword() == *name,
        _ => false,
    }
}

fn paragraph(out: &mut String, keyword: &Keyword) {
    let (before, kind) = match keyword.place {
        Place::Global => ("", "global section".to_owned()),
        Place::Proxy => ("", "proxies".to_owned()),
        Place::Option => ("option ", "proxies".to_owned()),
        Place::Bind => ("bind ... ", "bind lines".to_owned()),
        Place::Server => ("server ... ", "server lines".to_owned()),
        Place::Rule => ("", "rule action".to_owned()),
        Place::Load => ("", "certificates in crt-store and crt-list".to_owned()),
        Place::Alias => ("", "log format item".to_owned()),
        Place::Filter => ("filter ", "filter".to_owned()),
        Place::Fetch => ("", "sample fetch".to_owned()),
        Place::Converter => ("", "converter".to_owned()),
        Place::Section(section) => ("", format!("{} section", section.keyword())),
    };
    let syntax = keyword.syntax();
    let gap = if syntax.is_empty() || syntax.starts_with('(') { "" } else { " " };
    let _ = write!(out, "{before}{}{gap}{syntax}\n  {kind}", keyword.name);
    let places = super::doc::places(keyword.sides);
    if !places.is_empty() {
        let _ = write!(out, ": {places}");
    }
    if keyword.negatable {
        out.push_str("; `no` and `default` may stand before it");
    }
    let _ = write!(
        out,
        "\n  {}\n  status: {}\n  manual: {}\n\n",
        keyword.doc,
        status(keyword.status),
        keyword.manual
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str) -> String {
        explain(name, &Registry::builtin()).unwrap_or_default()
    }

    #[test]
    fn a_keyword_is_found_as_it_is_written_and_by_its_last_word() {
        for name in ["option forwardfor", "forwardfor"] {
            assert!(text(name).starts_with("option forwardfor "), "{}", text(name));
        }
        assert!(text("timeout client").contains("defaults, frontend, listen"), "{}", text("timeout client"));
        assert!(text("http-request set-header").contains("rule action: http-request"));
        assert!(text("server slowstart").contains("server lines"));
        assert!(text("http-request slowstart").is_empty());
    }

    #[test]
    fn every_meaning_of_a_word_is_told() {
        let maxconn = text("maxconn");
        for place in ["global section", "proxies", "bind lines", "server lines"] {
            assert!(maxconn.contains(place), "{place}: {maxconn}");
        }
    }

    #[test]
    fn expressions_are_known_too() {
        assert!(text("lower").contains("converter, string to string"), "{}", text("lower"));
        assert!(text("src").contains("sample fetch"), "{}", text("src"));
        assert!(text("TRUE").contains("always_true"));
        assert!(text("%ST").contains("status"));
        assert!(text("ip.ttl").contains("refused"));
        assert!(text("fs.id").contains("status: no value: "), "{}", text("fs.id"));
        assert!(text("digest").contains("status: partial: "), "{}", text("digest"));
    }

    #[test]
    fn who_asks_for_an_unknown_word_is_told_of_one_that_looks_like_it() {
        let registry = Registry::builtin();
        let known = answer("forwardfor", &registry).unwrap();
        assert!(known.starts_with("option forwardfor ") && !known.ends_with("\n\n"), "{known}");
        let hint = "nothing is known about `forwardfro`; did you mean `forwardfor`?";
        assert_eq!(answer("forwardfro", &registry).unwrap_err(), hint);
        assert_eq!(answer("qqqqqqqqqqqq", &registry).unwrap_err(), "nothing is known about `qqqqqqqqqqqq`");
    }

    #[test]
    fn codes_of_diagnostics_are_explained() {
        assert!(text("H0204").contains("us, ms, s, m, h, d"), "{}", text("H0204"));
    }

    #[test]
    fn unknown_words_have_neighbours() {
        assert!(text("balanse").is_empty());
        assert_eq!(nearest("balanse", &Registry::builtin()), Some("balance"));
    }
}
