//! Cookies of requests and responses.

use std::ops::ControlFlow;

use lb_core::expr::{ArgType, Args, Direction, Env, FetchDef, Sample, SampleType as T};

use super::{REQUEST, RESPONSE, request_fields, response_fields};
use crate::cookie::{Cookies, set_cookie};

const NAME: &[ArgType] = &[ArgType::Str];

pub(super) const FETCHES: &[FetchDef] = &[
    FetchDef::new("cook", T::Str, REQUEST, request).args(0, NAME).each(request_each),
    FetchDef::new("cook_cnt", T::Int, REQUEST, request_count).args(0, NAME),
    FetchDef::new("cook_val", T::Int, REQUEST, request_int).args(0, NAME),
    FetchDef::new("cookie", T::Str, REQUEST, any).args(0, NAME).each(any_each),
    FetchDef::new("req.cook", T::Str, REQUEST, request).args(0, NAME).each(request_each),
    FetchDef::new("req.cook_cnt", T::Int, REQUEST, request_count).args(0, NAME),
    FetchDef::new("req.cook_val", T::Int, REQUEST, request_int).args(0, NAME),
    FetchDef::new("req.cook_names", T::Str, REQUEST, request_names).args(0, NAME),
    FetchDef::new("res.cook", T::Str, RESPONSE, response).args(0, NAME).each(response_each),
    FetchDef::new("res.cook_cnt", T::Int, RESPONSE, response_count).args(0, NAME),
    FetchDef::new("res.cook_val", T::Int, RESPONSE, response_int).args(0, NAME),
    FetchDef::new("res.cook_names", T::Str, RESPONSE, response_names).args(0, NAME),
    FetchDef::new("scook", T::Str, RESPONSE, response).args(0, NAME).each(response_each),
    FetchDef::new("scook_cnt", T::Int, RESPONSE, response_count).args(0, NAME),
    FetchDef::new("scook_val", T::Int, RESPONSE, response_int).args(0, NAME),
];

/// Names and values in order.
fn pairs<'a>(env: &Env<'a>, direction: Direction) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    let (fields, name) = match direction {
        Direction::Request => (request_fields(env), &b"cookie"[..]),
        Direction::Response => (response_fields(env), &b"set-cookie"[..]),
    };
    let values = fields.into_iter().flat_map(move |fields| fields.all(name));
    values.flat_map(move |value| {
        let (request, response) = match direction {
            Direction::Request => (Some(Cookies::new(value)), None),
            Direction::Response => (None, set_cookie(value).map(|(name, value, _)| (name, value))),
        };
        let request = request.into_iter().flatten().filter_map(|cookie| Some((cookie.name, cookie.value?)));
        request.chain(response)
    })
}

fn values<'a>(env: &Env<'a>, args: &'a Args, direction: Direction) -> impl Iterator<Item = &'a [u8]> {
    let wanted = args.str(0).unwrap_or_default().as_bytes();
    pairs(env, direction)
        .filter(move |(name, _)| wanted.is_empty() || *name == wanted)
        .map(|(_, value)| value)
}

/// The last value of the cookie that is named; without a name, the first value there is.
fn value<'a>(env: &Env<'a>, args: &'a Args, direction: Direction) -> Option<Sample<'a>> {
    let mut values = values(env, args, direction);
    let named = args.str(0).is_some_and(|name| !name.is_empty());
    if named { values.last() } else { values.next() }.map(Sample::Str)
}

fn names<'a>(env: &Env<'a>, args: &'a Args, direction: Direction) -> Option<Sample<'a>> {
    let separator = args.str(0).filter(|text| !text.is_empty()).unwrap_or(",").as_bytes()[0];
    let out = env.arena.build(|out| {
        for (at, (name, _)) in pairs(env, direction).enumerate() {
            if at > 0 {
                out.push(separator);
            }
            out.extend_from_slice(name);
        }
    })?;
    Some(Sample::Str(out))
}

macro_rules! family {
    ($direction:expr, $one:ident $each:ident $count:ident $int:ident $names:ident) => {
        fn $one<'a>(env: &Env<'a>, args: &'a Args) -> Option<Sample<'a>> {
            value(env, args, $direction)
        }
        fn $each<'a>(env: &Env<'a>, args: &'a Args, visit: &mut dyn FnMut(Sample<'a>) -> ControlFlow<()>) {
            let _ = values(env, args, $direction).try_for_each(|value| visit(Sample::Str(value)));
        }
        fn $count<'a>(env: &Env<'a>, args: &'a Args) -> Option<Sample<'a>> {
            Some(Sample::Int(values(env, args, $direction).count() as i64))
        }
        fn $int<'a>(env: &Env<'a>, args: &'a Args) -> Option<Sample<'a>> {
            $one(env, args)?.to_int().map(Sample::Int)
        }
        fn $names<'a>(env: &Env<'a>, args: &'a Args) -> Option<Sample<'a>> {
            names(env, args, $direction)
        }
    };
}

family!(Direction::Request, request request_each request_count request_int request_names);
family!(Direction::Response, response response_each response_count response_int response_names);

fn any<'a>(env: &Env<'a>, args: &'a Args) -> Option<Sample<'a>> {
    value(env, args, env.facts.direction())
}

fn any_each<'a>(env: &Env<'a>, args: &'a Args, visit: &mut dyn FnMut(Sample<'a>) -> ControlFlow<()>) {
    let _ = values(env, args, env.facts.direction()).try_for_each(|value| visit(Sample::Str(value)));
}
