//! What to do about a wrong expression or condition.

use crate::keyword::doc::{converter_syntax, fetch_syntax};
use lb_core::expr::Registry;
use lb_core::expr::parse::{ErrorKind, ParseError};

/// Advice for `error`, if there is better one than that of its kind.
pub(super) fn of(error: &ParseError, registry: &Registry) -> Option<String> {
    match &error.kind {
        ErrorKind::Argument { keyword, reason } => {
            if reason.starts_with("unable to find") {
                return Some("correct the name, or declare what it names".to_owned());
            }
            let name = keyword.split('\'').nth(1)?;
            let converter = registry.converter(name).filter(|_| keyword.starts_with("converter"));
            let syntax =
                converter.map(converter_syntax).or_else(|| registry.fetch(name).map(fetch_syntax))?;
            Some(format!("write it as `{syntax}`"))
        }
        ErrorKind::UnknownConverter(_) => {
            Some("a comma joins converters; `lb explain NAME` says what one takes and gives".to_owned())
        }
        ErrorKind::Other(text) => other(text).map(str::to_owned),
        _ => None,
    }
}

fn other(text: &str) -> Option<&'static str> {
    if text.contains("missing closing '}'") {
        return Some("a `}` with a blank before it ends the test that begins here");
    }
    if text.starts_with("regex ") {
        return Some("close groups and classes; a backslash makes the next character stand for itself");
    }
    if text.contains("IPv4") || text.contains("IPv6") {
        return Some("write an address, a network such as `10.0.0.0/8`, or `-f` and a file of them");
    }
    None
}

/// Advice for a word that is no ACL, by what other languages write there.
pub(super) fn of_acl(name: &str) -> &'static str {
    match name {
        "not" => "`!` negates: `!{ ... }` or `!name`",
        "and" | "AND" | "&&" => "terms that stand side by side must all hold; nothing stands between them",
        "OR" | "|" => "`or` or `||` stands between alternatives",
        _ if name.len() > 1 && name.starts_with('{') => {
            "a blank must stand before and behind each brace: `{ path_beg /x }`"
        }
        _ => "an ACL is declared by an `acl` line above; a test written in place needs braces: `{ ... }`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lb_core::expr::{NoBuild, parse};

    fn advice(text: &str) -> String {
        let registry = Registry::builtin();
        let error = parse::parse(text, &registry, &mut NoBuild).expect_err("wrong");
        of(&error, &registry).unwrap_or_default()
    }

    #[test]
    fn wrong_arguments_are_told_the_right_ones() {
        assert!(advice("src,word(a)").starts_with("write it as `word(<"), "{}", advice("src,word(a)"));
        assert!(advice("src,lowercase").contains("comma"));
    }

    #[test]
    fn what_other_languages_write_is_understood() {
        assert!(of_acl("not").contains('!'));
        assert!(of_acl("{path").contains("blank"));
        assert!(other("regex '(' is invalid: unclosed group").is_some());
        assert!(other("'10.0.0.300' is not a valid IPv4 or IPv6 address").is_some());
        assert!(other("missing closing '}' in condition").is_some());
    }
}
