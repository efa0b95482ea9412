//! The compatibility list, made from the table.

use super::{Arg, B, D, F, Keyword, L, Place, Status, all};
use std::fmt::Write as _;

/// Appends `args` as the manual would write them.
pub fn syntax(out: &mut String, args: &[Arg]) {
    for (i, arg) in args.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        let _ = match arg {
            Arg::Int(..) => write!(out, "<number>"),
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

/// The whole list as Markdown: `docs/compat/haproxy.md`.
pub fn markdown() -> String {
    let mut out = String::from(HEAD);
    counts(&mut out);
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
    out
}

const HEAD: &str = "# haproxy.cfg compatibility\n\n\
    Generated from the keyword table of `cfg-haproxy`; a test fails when it differs (`UPDATE_GOLDEN=1` rewrites it).\n\
    Manual: section of HAProxy 3.4's configuration manual. Status: **full**; **partial** with what is missing;\n\
    **no effect**, accepted because doing nothing is harmless; **refused**, an error that says what to use instead;\n\
    **translated**, removed from HAProxy and still read here with one warning.\n\
    Sections: D defaults, F frontend, L listen, B backend; rule sets by name. `(*)`: `no` and `default` may precede it.\n";

fn counts(out: &mut String) {
    let count = |f: fn(&Status) -> bool| all().filter(|k| f(&k.status)).count();
    let _ = writeln!(
        out,
        "\n{} keywords: {} full, {} partial, {} without effect, {} refused, {} translated.",
        all().count(),
        count(|s| matches!(s, Status::Full)),
        count(|s| matches!(s, Status::Partial(_))),
        count(|s| matches!(s, Status::NoEffect(_))),
        count(|s| matches!(s, Status::Refused(_))),
        count(|s| matches!(s, Status::Translated(_))),
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
    let status = match keyword.status {
        Status::Full => "full".to_owned(),
        Status::Partial(note) => format!("partial: {note}"),
        Status::NoEffect(why) => format!("no effect: {why}"),
        Status::Refused(why) => format!("refused: {why}"),
        Status::Translated(to) => format!("translated: {to}"),
    };
    let _ = writeln!(
        out,
        "| {} | {} | {} | {} | {} |",
        escape(&name),
        sides(keyword.sides),
        keyword.manual,
        escape(&status),
        escape(keyword.doc)
    );
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
