//! The compatibility list, made from the table.

use super::{Arg, B, D, F, Keyword, L, Place, Status, all};
use lb_core::expr::{ArgType, ConvDef, FetchDef, Registry, SampleType};
use lb_core::rule::cond::PREDEFINED;
use std::fmt::Write as _;

/// Appends `args` as the manual would write them.
pub fn syntax(out: &mut String, args: &[Arg]) {
    for (i, arg) in args.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        let _ = match arg {
            Arg::Int(..) | Arg::Digits(..) | Arg::Unchecked(..) => write!(out, "<number>"),
            Arg::Time | Arg::Seconds => write!(out, "<time>"),
            Arg::Size => write!(out, "<size>"),
            Arg::Any(name) => write!(out, "<{name}>"),
            Arg::OneOf([word]) => write!(out, "{word}"),
            Arg::OneOf(words) => write!(out, "{{ {} }}", words.join(" | ")),
            Arg::Rest(name) => write!(out, "[<{name}>...]"),
            Arg::Free(text) => write!(out, "{text}"),
            Arg::Opt(inner) => {
                out.push('[');
                syntax(out, inner);
                out.push(']');
                Ok(())
            }
        };
    }
}

/// The whole list as Markdown: `docs/compat/haproxy.md`; `registry` holds the fetches and converters of this program.
pub fn markdown(registry: &Registry) -> String {
    let mut out = String::from(HEAD);
    counts(&mut out, registry);
    for (title, place) in groups() {
        let mut keywords: Vec<&Keyword> = all().filter(|k| k.place == place).collect();
        if keywords.is_empty() {
            continue;
        }
        keywords.sort_by_key(|k| k.name);
        let _ = write!(
            out,
            "\n## {title}\n\n| keyword | sections | manual | status | meaning |\n|---|---|---|---|---|\n"
        );
        for keyword in keywords {
            row(&mut out, keyword);
        }
    }
    fetches(&mut out, registry);
    converters(&mut out, registry);
    acls(&mut out, registry);
    out
}

/// A fetch with its arguments as the manual would write them.
pub fn fetch_syntax(def: &FetchDef) -> String {
    format!("{}{}", def.name, call(def.args, def.required))
}

/// A converter with its arguments as the manual would write them.
pub fn converter_syntax(def: &ConvDef) -> String {
    format!("{}{}", def.name, call(def.args, def.required))
}

fn call(args: &[ArgType], required: usize) -> String {
    if args.is_empty() {
        return String::new();
    }
    let mut out = String::from("(");
    for (i, arg) in args.iter().enumerate() {
        let comma = if i > 0 { "," } else { "" };
        let _ = match i < required {
            true => write!(out, "{comma}<{}>", arg.name()),
            false => write!(out, "[{comma}<{}>", arg.name()),
        };
    }
    out.push_str(&"]".repeat(args.len().saturating_sub(required)));
    out.push(')');
    out
}

/// The manual's name of a type.
pub(super) fn type_name(kind: SampleType) -> &'static str {
    match kind {
        SampleType::Same => "same",
        SampleType::Bool => "boolean",
        SampleType::Int => "integer",
        SampleType::Addr => "address",
        SampleType::Ipv4 => "ipv4",
        SampleType::Ipv6 => "ipv6",
        SampleType::Str => "string",
        SampleType::Bin => "binary",
        SampleType::Method => "method",
        _ => "any",
    }
}

fn fetches(out: &mut String, registry: &Registry) {
    out.push_str("\n## Sample fetches\n\n| fetch | type | manual | status |\n|---|---|---|---|\n");
    let mut rows: Vec<(&str, String)> = registry
        .fetches()
        .map(|def| {
            let section = super::fetch_section(def.name).unwrap_or("");
            let status = status(super::fetch_status(def.name));
            (def.name, format!("| `{}` | {} | {section} | {status} |", fetch_syntax(def), type_name(def.out)))
        })
        .collect();
    rows.extend(absent(Place::Fetch, |name| registry.fetch(name).is_some()));
    push_sorted(out, rows);
}

fn converters(out: &mut String, registry: &Registry) {
    out.push_str("\n## Converters\n\n| converter | types | manual | status |\n|---|---|---|---|\n");
    let mut rows: Vec<(&str, String)> = registry
        .converters()
        .map(|def| {
            let types = format!("{} → {}", type_name(def.input), type_name(def.out));
            let status = status(super::converter_status(def.name));
            (def.name, format!("| `{}` | {types} | 7.3.1 | {status} |", converter_syntax(def)))
        })
        .collect();
    rows.extend(absent(Place::Converter, |name| registry.converter(name).is_some()));
    push_sorted(out, rows);
}

fn absent(place: Place, present: impl Fn(&str) -> bool) -> Vec<(&'static str, String)> {
    all()
        .filter(|k| k.place == place && !present(k.name))
        .map(|k| (k.name, format!("| `{}{}` |  | {} | {} |", k.name, k.syntax(), k.manual, status(k.status))))
        .collect()
}

fn push_sorted(out: &mut String, mut rows: Vec<(&str, String)>) {
    rows.sort();
    for (_, row) in rows {
        out.push_str(&row);
        out.push('\n');
    }
}

fn acls(out: &mut String, registry: &Registry) {
    out.push_str(
        "\n## ACL keywords with a matching method of their own\n\n| keyword | stands for |\n|---|---|\n",
    );
    let rows = registry.acls().map(|def| {
        let method = format!("{:?}", def.method).to_lowercase();
        (def.name, format!("| `{}` | `{} -m {method}` |", def.name, def.fetch))
    });
    push_sorted(out, rows.collect());
    out.push_str("\n## Predefined ACLs\n\n| ACL | stands for |\n|---|---|\n");
    for (name, words) in PREDEFINED {
        let _ = writeln!(out, "| `{name}` | `{}` |", words.join(" "));
    }
}

const HEAD: &str = "# haproxy.cfg compatibility\n\n\
    Generated from the keyword table of `cfg-haproxy`; a test fails when it differs (`UPDATE_GOLDEN=1` rewrites it).\n\
    Manual: section of HAProxy 3.4's configuration manual. Status: **full**; **partial** with what is missing;\n\
    **no effect**, accepted because doing nothing is harmless; **no value**, a sample fetch that is accepted with a\n\
    warning and never has a value; **refused**, an error that says what to use instead;\n\
    **translated**, removed from HAProxy and still read here with one warning.\n\
    Sections: D defaults, F frontend, L listen, B backend; rule sets by name. `(*)`: `no` and `default` may precede it.\n";

fn counts(out: &mut String, registry: &Registry) {
    let keywords = || all().filter(|k| !matches!(k.place, Place::Fetch | Place::Converter));
    let count = |f: fn(&Status) -> bool| keywords().filter(|k| f(&k.status)).count();
    let _ = writeln!(
        out,
        "\n{} keywords: {} full, {} partial, {} without effect, {} refused, {} translated.",
        keywords().count(),
        count(|s| matches!(s, Status::Full)),
        count(|s| matches!(s, Status::Partial(_))),
        count(|s| matches!(s, Status::NoEffect(_))),
        count(|s| matches!(s, Status::Refused(_))),
        count(|s| matches!(s, Status::Translated(_))),
    );
    let fetches =
        |f: fn(&Status) -> bool| registry.fetches().filter(|d| f(&super::fetch_status(d.name))).count();
    let converters = |f: fn(&Status) -> bool| {
        registry.converters().filter(|d| f(&super::converter_status(d.name))).count()
    };
    let _ = writeln!(
        out,
        "\n{} sample fetches, of which {} are partial and {} have no value, and {} converters, of which {} are partial \
         and {} without effect; {} and {} more of HAProxy's are refused.",
        registry.fetches().count(),
        fetches(|s| matches!(s, Status::Partial(_))),
        fetches(|s| matches!(s, Status::NoValue(_))),
        registry.converters().count(),
        converters(|s| matches!(s, Status::Partial(_))),
        converters(|s| matches!(s, Status::NoEffect(_))),
        absent(Place::Fetch, |name| registry.fetch(name).is_some()).len(),
        absent(Place::Converter, |name| registry.converter(name).is_some()).len(),
    );
}

fn groups() -> Vec<(String, Place)> {
    let mut groups = vec![
        ("Global section".to_owned(), Place::Global),
        ("Proxies".to_owned(), Place::Proxy),
        ("Options of proxies".to_owned(), Place::Option),
        ("bind lines".to_owned(), Place::Bind),
        ("server lines".to_owned(), Place::Server),
        ("Rule actions".to_owned(), Place::Rule),
        ("Filters".to_owned(), Place::Filter),
        ("Log format items".to_owned(), Place::Alias),
    ];
    for &kind in crate::section::SectionKind::ALL {
        groups.push((format!("{} section", kind.keyword()), Place::Section(kind)));
    }
    groups.push(("Certificate options (crt-store and crt-list)".to_owned(), Place::Load));
    groups
}

fn row(out: &mut String, keyword: &Keyword) {
    let escape = |text: &str| text.replace('|', "\\|");
    let mut name = format!("`{}", keyword.name);
    let syntax = keyword.syntax();
    if !syntax.is_empty() {
        if !syntax.starts_with('(') {
            name.push(' ');
        }
        name.push_str(&syntax);
    }
    name.push('`');
    if keyword.negatable {
        name.push_str(" (*)");
    }
    let _ = writeln!(
        out,
        "| {} | {} | {} | {} | {} |",
        escape(&name),
        sides(keyword.sides),
        keyword.manual,
        escape(&status(keyword.status)),
        escape(keyword.doc)
    );
}

/// What becomes of a keyword, in words.
pub(super) fn status(status: Status) -> String {
    match status {
        Status::Full => "full".to_owned(),
        Status::Partial(note) => format!("partial: {note}"),
        Status::NoEffect(why) => format!("no effect: {why}"),
        Status::NoValue(why) => format!("no value: {why}"),
        Status::Refused(why) => format!("refused: {why}"),
        Status::Translated(to) => format!("translated: {to}"),
    }
}

fn sides(sides: super::Sides) -> String {
    let letters: String = [(D, 'D'), (F, 'F'), (L, 'L'), (B, 'B')]
        .iter()
        .filter(|(bit, _)| sides & bit != 0)
        .map(|(_, c)| *c)
        .collect();
    let sets = RULE_SETS
        .iter()
        .filter(|(bit, _)| sides & bit != 0)
        .map(|(_, name)| *name)
        .collect::<Vec<_>>()
        .join(", ");
    if letters.is_empty() { sets } else { letters }
}

/// The sections or rule sets of `sides` by their full names.
pub(crate) fn places(sides: super::Sides) -> String {
    let sections = [(D, "defaults"), (F, "frontend"), (L, "listen"), (B, "backend")];
    let named = sections.iter().chain(RULE_SETS).filter(|(bit, _)| sides & bit != 0).map(|(_, name)| *name);
    named.collect::<Vec<_>>().join(", ")
}

/// Rule sets and their names.
pub(crate) const RULE_SETS: &[(super::Sides, &str)] = &[
    (super::QI, "quic-initial"),
    (super::TC, "tcp-request connection"),
    (super::TS, "tcp-request session"),
    (super::TQ, "tcp-request content"),
    (super::TR, "tcp-response content"),
    (super::HQ, "http-request"),
    (super::HR, "http-response"),
    (super::HA, "http-after-response"),
];
