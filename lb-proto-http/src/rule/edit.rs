//! Rules on header fields.

use std::cell::RefCell;

use lb_core::expr::Regex;

use super::{Session, Subject, format};
use crate::h1::Elements;
use crate::head::{Fields, HeaderName};
use crate::layer::HttpLayer;
use crate::spec::Action;

/// Positions of the groups of a match.
type Groups = Vec<Option<(usize, usize)>>;

thread_local! {
    /// Space for the groups of one match and for the text made of them.
    static SPACE: RefCell<(Groups, Vec<u8>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

pub(super) fn fields(
    action: &Action,
    subject: Subject,
    session: &mut dyn Session,
    text: &mut Vec<u8>,
) -> bool {
    match action {
        Action::SetHeader(name, value) => {
            format(session, value, text);
            set(session.layer_mut(), subject, name.as_bytes(), text)
        }
        Action::AddHeader(name, value) => {
            format(session, value, text);
            target(session.layer_mut(), subject).push(name.as_bytes(), text)
        }
        Action::DelHeader(names) => {
            target(session.layer_mut(), subject).remove_if(|name, _| names.matches(name));
            true
        }
        Action::ReplaceHeader(name, regex, value) => {
            format(session, value, text);
            replace(target(session.layer_mut(), subject), name, regex, text, true)
        }
        Action::ReplaceValue(name, regex, value) => {
            format(session, value, text);
            replace(target(session.layer_mut(), subject), name, regex, text, false)
        }
        _ => true,
    }
}

/// Makes a field the only one of its name; the target follows the host.
pub(super) fn set(layer: &mut HttpLayer, subject: Subject, name: &[u8], value: &[u8]) -> bool {
    let done = target(layer, subject).set(name, value);
    if done && subject == Subject::Request && name == b"host" {
        return super::rewrite::follow_host(&mut layer.request);
    }
    done
}

pub(super) fn target(layer: &mut HttpLayer, subject: Subject) -> &mut Fields {
    match subject {
        Subject::Request => &mut layer.request.fields,
        Subject::Response => &mut layer.response.fields,
    }
}

/// Replaces the values, or elements of values, that match by `template` with its group references filled in.
fn replace(fields: &mut Fields, name: &HeaderName, regex: &Regex, template: &[u8], full: bool) -> bool {
    SPACE.with_borrow_mut(|(groups, out)| {
        let mut from = 0;
        while let Some(index) = fields.find(name.as_bytes(), from) {
            from = index + 1;
            let value = fields.value(index);
            out.clear();
            let changed = if full {
                replace_one(value, regex, template, groups, out)
            } else {
                replace_elements(value, regex, template, groups, out)
            };
            if changed && !fields.set_value(index, out) {
                return false;
            }
        }
        true
    })
}

fn replace_one(value: &[u8], regex: &Regex, template: &[u8], groups: &mut Groups, out: &mut Vec<u8>) -> bool {
    if !regex.captures_at(value, 0, groups) {
        return false;
    }
    expand_groups(template, value, groups, out);
    true
}

/// The commas between the elements stay as they are.
fn replace_elements(
    value: &[u8],
    regex: &Regex,
    template: &[u8],
    groups: &mut Groups,
    out: &mut Vec<u8>,
) -> bool {
    let mut copied = 0;
    for (at, end) in Elements::new(value) {
        let element = &value[at..end];
        if regex.captures_at(element, 0, groups) {
            // The blanks in front of an element belong to it.
            out.extend_from_slice(value[copied..at].trim_ascii_end());
            expand_groups(template, element, groups, out);
            copied = end;
        }
    }
    if copied == 0 {
        return false;
    }
    out.extend_from_slice(&value[copied..]);
    true
}

/// Appends `template` with `\0` to `\9` replaced by the groups of a match in `source` and `\xHH` by the byte. A
/// backslash before anything else is dropped.
pub fn expand_groups(template: &[u8], source: &[u8], groups: &[Option<(usize, usize)>], out: &mut Vec<u8>) {
    let mut rest = template;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        match rest {
            [digit @ b'0'..=b'9', tail @ ..] => {
                let group = groups.get(usize::from(digit - b'0')).copied().flatten();
                if let Some(bytes) = group.and_then(|(from, to)| source.get(from..to)) {
                    out.extend_from_slice(bytes);
                }
                rest = tail;
            }
            [b'x', high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit = |byte: &u8| (*byte as char).to_digit(16).unwrap_or_default() as u8;
                out.push(digit(high) << 4 | digit(low));
                rest = tail;
            }
            [other, tail @ ..] => {
                out.push(*other);
                rest = tail;
            }
            [] => out.push(b'\\'),
        }
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_references_are_filled_in() {
        let groups = [Some((0, 5)), Some((1, 2)), None];
        let mut out = Vec::new();
        expand_groups(br"<\0|\1|\2|\9|\x41|\\|\q>\", b"abcde", &groups, &mut out);
        assert_eq!(out, br"<abcde|b|||A|\|q>\");
    }
}
