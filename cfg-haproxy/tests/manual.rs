//! Nothing of HAProxy 3.4's manual is missing from the tables: `manual-3.4.txt` lists its keywords as facts.

use cfg_haproxy::keyword::{self, Keyword, Place};
use cfg_haproxy::section::SectionKind;
use lb_core::diag::Severity;
use lb_core::expr::Registry;
use std::fmt::Write as _;

const FACTS: &str = include_str!("manual-3.4.txt");

/// The facts: heading, keyword, and what stands behind it.
fn facts() -> impl Iterator<Item = (&'static str, &'static str, Option<&'static str>)> {
    let mut heading = "";
    FACTS.lines().filter(|l| !l.is_empty() && !l.starts_with("# ")).filter_map(move |line| {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            heading = name;
            return None;
        }
        Some(match line.split_once('\t') {
            Some((name, sides)) => (heading, name, Some(sides)),
            None => (heading, line, None),
        })
    })
}

fn registry() -> Registry {
    let mut registry = Registry::builtin();
    lb_proto_http::fetch::register(&mut registry);
    registry
}

fn find(place: Place, name: &str) -> Option<&'static Keyword> {
    keyword::find(place, &name.split(' ').collect::<Vec<_>>())
        .filter(|k| k.words() >= name.split(' ').count())
}

/// Where a heading's keywords stand in the table.
fn place(heading: &str) -> Place {
    let section = |name| SectionKind::of(name).unwrap_or_else(|| panic!("unknown heading [{heading}]"));
    match heading {
        "global" => Place::Global,
        "proxy" => Place::Proxy,
        "bind" | "crt-list" => Place::Bind,
        "server" => Place::Server,
        "action" => Place::Rule,
        "load" => Place::Load,
        "filter" => Place::Filter,
        name => Place::Section(section(name)),
    }
}

/// What is said about a proxy with that line.
fn said(line: &str) -> String {
    let text = format!("listen a\n mode http\n bind :80\n{line}\n");
    let source = cfg_haproxy::Source::new("a.cfg", &text);
    let facts = cfg_haproxy::Facts::default();
    let loaded =
        cfg_haproxy::load(&[source], &cfg_haproxy::NoEnv, &facts, cfg_haproxy::Host::ANY, &registry());
    loaded.diagnostics.iter().filter(|d| d.severity == Severity::Error).map(|d| d.message.clone()).collect()
}

fn loads(line: &str) -> bool {
    said(line).is_empty()
}

/// Whether a line that lacks the arguments of its last word is understood as far as that word.
fn mentions(line: &str) -> bool {
    let said = said(line);
    !said.contains("unknown") && !said.contains("does not know")
}

/// A kind of data with the arguments it needs.
fn stored(name: &str) -> String {
    let arguments = match name {
        "gpc" | "gpt" => "(2)",
        "gpc_rate" => "(2,10s)",
        _ if name.ends_with("_rate") => "(10s)",
        _ => "",
    };
    format!("{name}{arguments}")
}

fn known(heading: &str, name: &str, registry: &Registry) -> bool {
    match heading {
        "converter" => registry.converter(name).is_some() || find(Place::Converter, name).is_some(),
        "acl alias" => registry.acl(name).is_some() || find(Place::Fetch, name).is_some(),
        "acl" => loads(&format!(" http-request deny if {name}")),
        "alias" => loads(&format!(" log-format \"{name}\"")),
        "stick-table word" => mentions(&format!(" stick-table type ip size 1k {name}")),
        "stick-table data" => loads(&format!(" stick-table type ip size 1k store {}", stored(name))),
        _ if heading.starts_with("fetch ") => {
            registry.fetch(name).is_some() || find(Place::Fetch, name).is_some()
        }
        "proxy" if name.starts_with("option ") => find(Place::Option, &name[7..]).is_some(),
        "server" if name == "<addr>" => true,
        _ => find(place(heading), name).is_some(),
    }
}

#[test]
fn every_keyword_of_the_manual_is_in_the_tables() {
    let registry = registry();
    let mut missing = String::new();
    let mut count = 0;
    for (heading, name, _) in facts() {
        count += 1;
        if !known(heading, name, &registry) {
            let _ = writeln!(missing, "[{heading}] {name}");
        }
    }
    assert!(count > 1800, "only {count} facts");
    assert!(missing.is_empty(), "missing:\n{missing}");
}

#[test]
fn proxy_keywords_stand_in_the_sections_the_manual_names() {
    let mut wrong = String::new();
    for (heading, name, sides) in facts() {
        let (Some(sides), "proxy") = (sides, heading) else { continue };
        let entry = match name.strip_prefix("option ") {
            Some(option) => find(Place::Option, option),
            None => find(Place::Proxy, name),
        };
        let Some(entry) = entry else { continue };
        let bits = [('D', keyword::D), ('F', keyword::F), ('L', keyword::L), ('B', keyword::B)];
        for (letter, bit) in bits {
            if sides.contains(letter) && entry.sides & bit == 0 {
                let _ = writeln!(wrong, "{name} may stand in {letter}");
            }
        }
        if sides.contains('*') && !entry.negatable {
            let _ = writeln!(wrong, "{name} may be negated");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn actions_stand_in_the_rule_sets_the_manual_names() {
    let mut wrong = String::new();
    for (heading, name, sets) in facts() {
        let (Some(sets), "action") = (sets, heading) else { continue };
        let Some(entry) = find(Place::Rule, name) else { continue };
        for set in sets.split(',') {
            let bit = match set {
                "QI" => keyword::QI,
                "TC" => keyword::TC,
                "TS" => keyword::TS,
                "TQ" => keyword::TQ,
                "TR" => keyword::TR,
                "HQ" => keyword::HQ,
                "HR" => keyword::HR,
                _ => keyword::HA,
            };
            if entry.sides & bit == 0 {
                let _ = writeln!(wrong, "{name} may stand in {set}");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
