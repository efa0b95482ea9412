//! Credentials of requests.

use lb_core::expr::{ArgType, Args, Env, FetchDef, Sample, SampleType as T};

use super::{REQUEST, lower_name, with_request};
use crate::auth::Credentials;
use crate::h1::trim;
use crate::layer::HttpLayer;

const LIST: &[ArgType] = &[ArgType::Userlist];

pub(super) const FETCHES: &[FetchDef] = &[
    FetchDef::new("http_auth", T::Bool, REQUEST, accepted).args(1, LIST),
    FetchDef::new("http_auth_group", T::Str, REQUEST, group).args(1, LIST).each(groups),
    FetchDef::new("http_auth_type", T::Str, REQUEST, scheme),
    FetchDef::new("http_auth_user", T::Str, REQUEST, user),
    FetchDef::new("http_auth_pass", T::Str, REQUEST, password),
    FetchDef::new("http_auth_bearer", T::Str, REQUEST, bearer).args(0, &[ArgType::Str]).prepare(lower_name),
];

/// Requests to a proxy authenticate to that.
fn field(layer: &HttpLayer) -> Option<&[u8]> {
    let name: &[u8] = if layer.is_proxied() { b"proxy-authorization" } else { b"authorization" };
    layer.request.fields.get(name)
}

fn credentials<'a>(env: &Env<'a>) -> Option<Credentials<'a>> {
    let value = field(with_request(env)?)?;
    let mut end = None;
    let decoded = env.arena.try_build(|out| {
        end = Credentials::basic(value, out).map(|credentials| credentials.user.len());
        end.map(|_| ())
    })?;
    let end = end?;
    Some(Credentials { user: &decoded[..end], password: &decoded[end + 1..] })
}

fn accepted<'a>(env: &Env<'a>, args: &'a Args) -> Option<Sample<'a>> {
    let users = with_request(env)?.users.as_ref()?.get(args.str(0)?)?;
    let accepted = credentials(env).is_some_and(|credentials| users.check(&credentials).is_some());
    Some(Sample::Bool(accepted))
}

/// The name of the user, for the matching against groups.
fn group<'a>(env: &Env<'a>, args: &'a Args) -> Option<Sample<'a>> {
    let users = with_request(env)?.users.as_ref()?.get(args.str(0)?)?;
    let credentials = credentials(env)?;
    users.check(&credentials)?;
    Some(Sample::Str(credentials.user))
}

/// Every group of the user.
fn groups<'a>(env: &Env<'a>, args: &'a Args, visit: &mut dyn FnMut(Sample<'a>) -> std::ops::ControlFlow<()>) {
    let users = with_request(env).and_then(|layer| layer.users.as_ref()?.get(args.str(0)?));
    let (Some(users), Some(credentials)) = (users, credentials(env)) else { return };
    if let Some(user) = users.check(&credentials) {
        let _ = user.groups.iter().try_for_each(|group| visit(Sample::Str(group.as_bytes())));
    }
}

fn scheme<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    let value = field(with_request(env)?)?;
    let end = memchr::memchr(b' ', value)?;
    let word = &value[..end];
    let known = word.eq_ignore_ascii_case(b"basic") || word.eq_ignore_ascii_case(b"bearer");
    known.then_some(Sample::Str(word))
}

fn user<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    credentials(env).map(|credentials| Sample::Str(credentials.user))
}

fn password<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    credentials(env).map(|credentials| Sample::Str(credentials.password))
}

fn bearer<'a>(env: &Env<'a>, args: &'a Args) -> Option<Sample<'a>> {
    let layer = with_request(env)?;
    let value = match args.str(0).filter(|name| !name.is_empty()) {
        Some(name) => layer.request.fields.get(name.as_bytes())?,
        None => field(layer)?,
    };
    let (scheme, rest) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| Sample::Str(trim(rest)))
}
