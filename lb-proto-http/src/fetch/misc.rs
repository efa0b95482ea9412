//! Start lines, captures and the rest.

use lb_core::balance::hash::uri_path;
use lb_core::expr::{ArgType, Args, Env, FetchDef, Needs, Sample, SampleType as T};
use lb_core::log::Capture;

use super::{REQUEST_KEPT, RESPONSE_KEPT, with_request, with_response};
use crate::head::{Method, Version};
use crate::layer::HttpLayer;

const INDEX: &[ArgType] = &[ArgType::Int];

pub(super) const FETCHES: &[FetchDef] = &[
    FetchDef::new("method", T::Method, REQUEST_KEPT, method),
    FetchDef::new("req.ver", T::Str, REQUEST_KEPT, request_version),
    FetchDef::new("req_ver", T::Str, REQUEST_KEPT, request_version),
    FetchDef::new("res.ver", T::Str, RESPONSE_KEPT, response_version),
    FetchDef::new("resp_ver", T::Str, RESPONSE_KEPT, response_version),
    FetchDef::new("req.proto_http", T::Bool, REQUEST_KEPT, is_http),
    FetchDef::new("req_proto_http", T::Bool, REQUEST_KEPT, is_http),
    FetchDef::new("http_first_req", T::Bool, REQUEST_KEPT, first),
    FetchDef::new("status", T::Int, RESPONSE_KEPT, status),
    FetchDef::new("txn.status", T::Int, RESPONSE_KEPT, status),
    FetchDef::new("server_status", T::Int, RESPONSE_KEPT, server_status),
    FetchDef::new("unique-id", T::Str, Needs::L4_CLIENT, unique_id),
    FetchDef::new("capture.req.hdr", T::Str, REQUEST_KEPT, request_capture).args(1, INDEX),
    FetchDef::new("capture.res.hdr", T::Str, RESPONSE_KEPT, response_capture).args(1, INDEX),
    FetchDef::new("capture.req.method", T::Str, REQUEST_KEPT, captured_method),
    FetchDef::new("capture.req.uri", T::Str, REQUEST_KEPT, captured_uri),
    FetchDef::new("capture.req.ver", T::Str, REQUEST_KEPT, captured_version),
    FetchDef::new("capture.res.ver", T::Str, RESPONSE_KEPT, captured_response_version),
];

fn method<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    let request = &with_request(env)?.request;
    // What a rule made of a known method does not show, as in HAProxy.
    let received = request.received_method();
    let known = Method::of(received) != Method::Other;
    Some(Sample::Method(if known { received } else { request.method_text() }))
}

/// The two numbers without the protocol's name.
fn request_version<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    with_request(env)?.request.version_text().strip_prefix(b"HTTP/").map(Sample::Str)
}

fn numbers(version: Version) -> &'static [u8] {
    match version {
        Version::Http10 => b"1.0",
        Version::Http11 => b"1.1",
    }
}

fn response_version<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    with_response(env).map(|layer| Sample::Str(numbers(layer.response.version)))
}

fn is_http<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    with_request(env).map(|_| Sample::Bool(true))
}

fn first<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    HttpLayer::of(env).map(|layer| Sample::Bool(layer.first_request))
}

fn status<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    with_response(env).map(|layer| Sample::Int(i64::from(layer.response.status)))
}

fn server_status<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    let status = HttpLayer::of(env)?.server_status;
    (status > 0).then(|| Sample::Int(i64::from(status)))
}

fn unique_id<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    env.facts.unique_id().map(Sample::Str)
}

fn capture<'a>(captures: &'a [Capture], args: &Args) -> Option<Sample<'a>> {
    captures.get(usize::try_from(args.int(0)?).ok()?)?.get().map(Sample::Str)
}

fn request_capture<'a>(env: &Env<'a>, args: &'a Args) -> Option<Sample<'a>> {
    match HttpLayer::of(env) {
        Some(layer) => capture(&layer.request_captures, args),
        // Rules capture on connections of any protocol.
        None => capture(env.facts.record()?.http?.request_captures, args),
    }
}

fn response_capture<'a>(env: &Env<'a>, args: &'a Args) -> Option<Sample<'a>> {
    capture(&HttpLayer::of(env)?.response_captures, args)
}

fn captured_method<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    with_request(env).map(|layer| Sample::Str(layer.request.received_method()))
}

/// The path with its query: of `*` and of an authority there is none.
fn captured_uri<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    let path = uri_path(with_request(env)?.request.received_target());
    (!path.is_empty()).then_some(Sample::Str(path))
}

fn captured_version<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    with_request(env).map(|layer| match layer.request.version {
        Version::Http10 => Sample::Str(b"HTTP/1.0"),
        Version::Http11 => Sample::Str(b"HTTP/1.1"),
    })
}

fn captured_response_version<'a>(env: &Env<'a>, _: &'a Args) -> Option<Sample<'a>> {
    with_response(env).map(|layer| match layer.response.version {
        Version::Http10 => Sample::Str(b"HTTP/1.0"),
        Version::Http11 => Sample::Str(b"HTTP/1.1"),
    })
}
