//! Redirections.

use super::{Made, finish, start};
use crate::h1::Target;
use crate::rule::{Session, format};
use crate::spec::{Redirect, RedirectCookie, RedirectTarget};

/// Makes a redirection; nothing when its address is empty and that is to be ignored.
pub fn redirect(session: &mut dyn Session, redirect: &Redirect, location: &mut Vec<u8>) -> Made {
    let template = match &redirect.target {
        RedirectTarget::Location(template)
        | RedirectTarget::Prefix(template)
        | RedirectTarget::Scheme(template) => template,
    };
    format(session, template, location);
    let request = &session.layer_mut().request;
    let target = Target::parse(request.target());
    let mut path = if redirect.drop_query { target.path() } else { target.path_query };
    if path.first() != Some(&b'/') {
        path = b"/";
    }
    match &redirect.target {
        RedirectTarget::Location(_) => {
            if location.is_empty() && redirect.ignore_empty {
                return Made::Nothing;
            }
            if let Some(query) = target.query().filter(|query| redirect.keep_query && !query.is_empty()) {
                match memchr::memchr(b'?', location) {
                    None => location.push(b'?'),
                    Some(at) if at + 1 < location.len() => location.push(b'&'),
                    Some(_) => {}
                }
                location.extend_from_slice(query);
            }
        }
        RedirectTarget::Prefix(template) => {
            // A prefix of one slash stands for no prefix, so that the site can be redirected to itself.
            if template.as_literal() == Some(b"/") {
                location.clear();
            }
            location.extend_from_slice(path);
        }
        RedirectTarget::Scheme(_) => {
            location.extend_from_slice(b"://");
            location.extend_from_slice(request.fields.get(b"host").unwrap_or_default());
            location.extend_from_slice(path);
        }
    }
    let whole = matches!(redirect.target, RedirectTarget::Location(_));
    if !whole && redirect.append_slash && !location.ends_with(b"/") {
        location.push(b'/');
    }
    let response = &mut session.layer_mut().response;
    start(response, redirect.code);
    finish(response, 0);
    let fits = response.fields.push(b"location", location);
    if matches!(redirect.code, 302 | 303 | 307) {
        response.fields.push(b"cache-control", b"no-cache");
    }
    if let Some(cookie) = &redirect.set_cookie {
        let (text, attributes) = match cookie {
            RedirectCookie::Set(text) => (text, &b"; path=/;"[..]),
            RedirectCookie::Clear(text) => (text, &b"; path=/; Max-Age=0;"[..]),
        };
        format(session, text, location);
        location.extend_from_slice(attributes);
        session.layer_mut().response.fields.push(b"set-cookie", location);
    }
    if fits { Made::Response } else { Made::Nothing }
}
