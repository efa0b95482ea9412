//! The HTTP fetches of the expression language (manual 7.3.6) as tables.

mod auth;
pub(crate) mod body;
mod cookie;
mod glimpse;
mod header;
mod misc;
mod url;

use lb_core::expr::pattern::Method as Match;
use lb_core::expr::{AclDef, Arg, Args, Build, Direction, Env, Needs, Registry};

use crate::head::Fields;
use crate::layer::HttpLayer;

/// Adds every HTTP fetch and ACL keyword to `registry`.
pub fn register(registry: &mut Registry) {
    for table in [header::FETCHES, url::FETCHES, cookie::FETCHES, body::FETCHES, auth::FETCHES, misc::FETCHES]
    {
        registry.add_fetches(table);
    }
    registry.add_acls(ACLS);
}

const REQUEST: Needs = Needs::HTTP_REQUEST;
const RESPONSE: Needs = Needs::HTTP_RESPONSE;
const REQUEST_KEPT: Needs = Needs::HTTP_REQUEST_KEPT;
const RESPONSE_KEPT: Needs = Needs::HTTP_RESPONSE_KEPT;

/// The layer with a valid request.
fn with_request<'a>(env: &Env<'a>) -> Option<&'a HttpLayer> {
    let Some(layer) = HttpLayer::of(env) else { return glimpse::request(env) };
    if !layer.has_request {
        env.mark_unsettled();
        return None;
    }
    Some(layer)
}

/// The layer with a response.
fn with_response<'a>(env: &Env<'a>) -> Option<&'a HttpLayer> {
    HttpLayer::of(env).filter(|layer| layer.has_response)
}

fn request_fields<'a>(env: &Env<'a>) -> Option<&'a Fields> {
    with_request(env).map(|layer| &layer.request.fields)
}

fn response_fields<'a>(env: &Env<'a>) -> Option<&'a Fields> {
    with_response(env).map(|layer| &layer.response.fields)
}

/// The fields of the message that is being processed.
fn current_fields<'a>(env: &Env<'a>) -> Option<&'a Fields> {
    match env.facts.direction() {
        Direction::Request => request_fields(env),
        Direction::Response => response_fields(env),
    }
}

/// Puts the first argument, a field name, into lower case.
fn lower_name(args: &mut Args, _build: &mut dyn Build) -> Result<(), String> {
    if let Some(name) = args.str(0).map(str::to_ascii_lowercase) {
        args.set(0, Arg::Str(name.into()));
    }
    Ok(())
}

macro_rules! acls {
    ($($fetch:literal: $($suffix:literal $method:ident),*;)*) => {
        &[$($(AclDef::new($suffix, $fetch, Match::$method),)*)*]
    };
}

const ACLS: &[AclDef] = acls! {
    "base": "base" Str, "base_beg" Beg, "base_dir" Dir, "base_dom" Dom, "base_end" End, "base_len" Len,
        "base_reg" Reg, "base_sub" Sub;
    "req.cook": "cook" Str, "cook_beg" Beg, "cook_dir" Dir, "cook_dom" Dom, "cook_end" End, "cook_len" Len,
        "cook_reg" Reg, "cook_sub" Sub;
    "req.hdr": "hdr" Str, "hdr_beg" Beg, "hdr_dir" Dir, "hdr_dom" Dom, "hdr_end" End, "hdr_len" Len,
        "hdr_reg" Reg, "hdr_sub" Sub;
    "http_auth_group": "http_auth_group" Str;
    "method": "method" Str;
    "path": "path" Str, "path_beg" Beg, "path_dir" Dir, "path_dom" Dom, "path_end" End, "path_len" Len,
        "path_reg" Reg, "path_sub" Sub;
    "req.ver": "req_ver" Str;
    "res.ver": "resp_ver" Str;
    "res.cook": "scook" Str, "scook_beg" Beg, "scook_dir" Dir, "scook_dom" Dom, "scook_end" End,
        "scook_len" Len, "scook_reg" Reg, "scook_sub" Sub;
    "res.hdr": "shdr" Str, "shdr_beg" Beg, "shdr_dir" Dir, "shdr_dom" Dom, "shdr_end" End, "shdr_len" Len,
        "shdr_reg" Reg, "shdr_sub" Sub;
    "url": "url" Str, "url_beg" Beg, "url_dir" Dir, "url_dom" Dom, "url_end" End, "url_len" Len, "url_reg" Reg,
        "url_sub" Sub;
    "urlp": "urlp" Str, "urlp_beg" Beg, "urlp_dir" Dir, "urlp_dom" Dom, "urlp_end" End, "urlp_len" Len,
        "urlp_reg" Reg, "urlp_sub" Sub;
};

#[cfg(test)]
mod tests;
