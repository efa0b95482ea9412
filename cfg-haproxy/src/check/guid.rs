//! Globally unique names of proxies and servers (manual: `guid`).

use crate::codes;
use crate::config::{Config, Proxy};
use crate::tree::Word;
use lb_core::diag::{Diagnostic, Span};
use std::collections::HashMap;

/// Longest name.
const MAX: usize = 127;

/// What is wrong with a name; `end` is what HAProxy ends the message with.
pub(super) fn fault(word: Word<'_>, end: &str) -> Option<Diagnostic> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_:.-".contains(c);
    let fault = match word.text.chars().find(|c| !fits(*c)) {
        _ if word.text.is_empty() || word.text.len() > MAX => "invalid length".to_owned(),
        Some(c) => format!("invalid character '{c}'"),
        None => return None,
    };
    let message = format!("`{}` cannot be a name: {fault}", word.text);
    Some(Diagnostic::error(codes::WORD, word.span, message).compat(format!("'guid': {fault}{end}")))
}

/// Names that several proxies or servers have.
pub(super) fn duplicates(config: &Config<'_>) -> Vec<Diagnostic> {
    let mut owners: HashMap<&str, (String, Span)> = HashMap::new();
    let mut out = Vec::new();
    for proxy in &config.proxies {
        let own = proxy.guid.map(|word| (word, owner(proxy), String::new()));
        let servers = proxy.servers.iter().filter_map(|server| {
            let label = format!("server {}/{}", proxy.name, server.name.text);
            Some((server.options.guid?, label.clone(), format!("'{label}' : ")))
        });
        for (word, owner, place) in own.into_iter().chain(servers) {
            match owners.get(word.text) {
                Some((first, span)) => out.push(twice(word, first, *span, &place)),
                None => drop(owners.insert(word.text, (owner, word.span))),
            }
        }
    }
    out
}

fn twice(word: Word<'_>, first: &str, span: Span, place: &str) -> Diagnostic {
    let end = if place.is_empty() { "" } else { "." };
    Diagnostic::error(codes::DUPLICATE, word.span, format!("the name `{}` is that of {first}", word.text))
        .compat(format!("{place}'guid': duplicate entry with {first}{end}"))
        .label(span, "first used here")
}

fn owner(proxy: &Proxy<'_>) -> String {
    let kind = match (proxy.has_frontend(), proxy.has_backend()) {
        (true, false) => "frontend",
        (false, true) => "backend",
        _ => "proxy",
    };
    format!("{kind} {}", proxy.name)
}

#[cfg(test)]
mod tests {
    use crate::load::tests::load_text;
    use lb_core::diag::Severity;

    #[test]
    fn a_name_has_one_owner_and_no_odd_characters() {
        let long = "x".repeat(128);
        for (front, server, other, wanted) in [
            ("a", "b", "c:d.e_f-G", None),
            ("a", "a", "c", Some("'server b/s' : 'guid': duplicate entry with frontend f.")),
            ("a", "b", "b", Some("'server b/t' : 'guid': duplicate entry with server b/s.")),
            ("a", "b", "c/d", Some("'guid': invalid character '/'.")),
            ("a!", "b", "c", Some("'guid': invalid character '!'")),
            ("a", &long, "c", Some("'guid': invalid length.")),
        ] {
            let loaded = load_text(&format!(
                "frontend f\n bind :1\n guid {front}\nbackend b\n server s 192.0.2.1:1 guid {server}\n \
                 server t 192.0.2.1:1 guid {other}\n"
            ));
            let errors = loaded.diagnostics.iter().filter(|d| d.severity == Severity::Error);
            let fault = errors.filter_map(|d| d.compat.as_deref()).next();
            assert_eq!(fault.is_some(), wanted.is_some(), "{front} {server} {other}");
            assert!(fault.is_none_or(|fault| fault.ends_with(wanted.unwrap())), "{fault:?}");
        }
    }

    #[test]
    fn proxies_and_servers_know_their_names() {
        let loaded = load_text(
            "backend b\n guid b\n balance hash src\n hash-type consistent\n server s 192.0.2.1:1 guid s hash-key guid\n",
        );
        let proxy = &loaded.spec.proxies[0];
        assert_eq!((proxy.guid.as_deref(), proxy.pool.servers[0].guid.as_deref()), (Some("b"), Some("s")));
    }
}
