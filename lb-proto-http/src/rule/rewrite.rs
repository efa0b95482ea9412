//! Rules on start lines.

use lb_core::expr::Regex;

use super::edit::expand_groups;
use super::{Session, format};
use crate::answer::reason;
use crate::h1::Target;
use crate::head::{Method, Request};
use crate::normalize::{BrokenEncoding, Normalizer};
use crate::spec::Action;

pub(super) fn start_line(action: &Action, session: &mut dyn Session, text: &mut Vec<u8>) -> bool {
    let template = match action {
        Action::SetStatus(status, words) => {
            let response = &mut session.layer_mut().response;
            response.status = *status;
            return match words {
                Some(words) => response.set_reason(words),
                None => response.set_reason(reason(*status).as_bytes()),
            };
        }
        Action::SetMethod(template)
        | Action::SetPath(template)
        | Action::SetPathQuery(template)
        | Action::SetQuery(template)
        | Action::SetUri(template)
        | Action::ReplacePath(_, template)
        | Action::ReplacePathQuery(_, template)
        | Action::ReplaceUri(_, template) => template,
        _ => return true,
    };
    format(session, template, text);
    let request = &mut session.layer_mut().request;
    match action {
        Action::SetMethod(_) => request.set_method(text),
        Action::SetPath(_) => set_path(request, text, false),
        Action::SetPathQuery(_) => set_path(request, text, true),
        Action::SetQuery(_) => set_query(request, text),
        Action::SetUri(_) => request.set_target(text) && follow_target(request),
        Action::ReplacePath(regex, _) => replace(request, regex, text, Part::Path),
        Action::ReplacePathQuery(regex, _) => replace(request, regex, text, Part::PathQuery),
        Action::ReplaceUri(regex, _) => replace(request, regex, text, Part::Uri) && follow_target(request),
        _ => true,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Path,
    PathQuery,
    Uri,
}

/// Replaces the path; with `query` also the query string.
fn set_path(request: &mut Request, path: &[u8], query: bool) -> bool {
    let old = request.target();
    let target = Target::parse(old);
    let kept = if query { b"" } else { &target.path_query[target.path().len()..] };
    let new = [&old[..old.len() - target.path_query.len()], path, kept].concat();
    request.set_target(&new)
}

/// Replaces what follows the question mark, which is added when there is something to follow it.
fn set_query(request: &mut Request, query: &[u8]) -> bool {
    let old = request.target().to_vec();
    let mark = memchr::memchr(b'?', &old);
    if mark.is_none() && query.is_empty() {
        return true;
    }
    let mut new = old[..mark.unwrap_or(old.len())].to_vec();
    new.push(b'?');
    new.extend_from_slice(query);
    request.set_target(&new)
}

fn replace(request: &mut Request, regex: &Regex, template: &[u8], part: Part) -> bool {
    let old = request.target().to_vec();
    let target = Target::parse(&old);
    let subject = match part {
        Part::Path => target.path(),
        Part::PathQuery => target.path_query,
        Part::Uri => &old,
    };
    let mut groups = Vec::new();
    if !regex.captures_at(subject, 0, &mut groups) {
        return true;
    }
    let mut new = Vec::with_capacity(old.len() + template.len());
    expand_groups(template, subject, &groups, &mut new);
    match part {
        Part::Path => set_path(request, &new, false),
        Part::PathQuery => set_path(request, &new, true),
        Part::Uri => request.set_target(&new),
    }
}

/// Brings path and query into a normal form; false when there is no room for it.
pub(super) fn normalize(normalizer: Normalizer, request: &mut Request) -> Result<bool, BrokenEncoding> {
    let old = Target::parse(request.target()).path_query;
    if !old.starts_with(b"/") {
        return Ok(true);
    }
    let new = normalizer.apply(old)?;
    Ok(new == old || set_path(request, &new, true))
}

/// After a change of the target: `Host` says what an absolute target says.
fn follow_target(request: &mut Request) -> bool {
    let text = request.target();
    if matches!(text.first(), None | Some(b'/' | b'*')) {
        return true;
    }
    let authority = if request.method == Method::Connect { text } else { Target::parse(text).authority };
    if authority.is_empty() {
        return false;
    }
    let authority = authority.to_vec();
    let mut from = 0;
    while let Some(index) = request.fields.find(b"host", from) {
        if !request.fields.set_value(index, &authority) {
            return false;
        }
        from = index + 1;
    }
    true
}

/// After a change of `Host`: an absolute target says what `Host` says.
pub(super) fn follow_host(request: &mut Request) -> bool {
    let target = Target::parse(request.target());
    if target.authority.is_empty() || request.method == Method::Connect {
        return true;
    }
    let Some(host) = request.fields.get(b"host") else { return true };
    let new = [target.scheme, target.user, host, target.path_query].concat();
    request.set_target(&new)
}
