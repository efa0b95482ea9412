//! State of the process, its proxies and servers (manual 7.3.2).

use std::sync::Arc;

use crate::expr::arg::{Arg, ArgType, Args};
use crate::expr::def::{Build, FetchDef, Needs};
use crate::expr::sample::{Sample, SampleType, push_int};
use crate::expr::vars::{Scope, VarName};
use crate::expr::{BackendFact, Env, FrontendFact, ServerFact, StreamFact};
use crate::rule::cond::{Acl, Answer};

const BACKEND: &[ArgType] = &[ArgType::Backend];
const FRONTEND: &[ArgType] = &[ArgType::Frontend];
const SERVER: &[ArgType] = &[ArgType::Server];

/// Fetches on the process and its proxies.
pub(super) static FETCHES: &[FetchDef] = &[
    int("nbsrv", |env, args| backend(env, args, BackendFact::UsableServers)).args(1, BACKEND),
    int("be_conn", |env, args| backend(env, args, BackendFact::Sessions)).args(1, BACKEND),
    int("be_conn_free", |env, args| backend(env, args, BackendFact::ConnFree)).args(1, BACKEND),
    int("be_sess_rate", |env, args| backend(env, args, BackendFact::SessionRate)).args(1, BACKEND),
    int("connslots", |env, args| backend(env, args, BackendFact::ConnSlots)).args(1, BACKEND),
    int("queue", |env, args| backend(env, args, BackendFact::Queued)).args(1, BACKEND),
    int("avg_queue", |env, args| backend(env, args, BackendFact::AverageQueue)).args(1, BACKEND),
    int("fe_conn", |env, args| frontend(env, args, FrontendFact::Sessions)).args(1, FRONTEND),
    int("fe_req_rate", |env, args| frontend(env, args, FrontendFact::RequestRate)).args(1, FRONTEND),
    int("fe_sess_rate", |env, args| frontend(env, args, FrontendFact::SessionRate)).args(1, FRONTEND),
    int("srv_conn", |env, args| server(env, args, ServerFact::Sessions)).args(1, SERVER),
    int("srv_conn_free", |env, args| server(env, args, ServerFact::ConnFree)).args(1, SERVER),
    int("srv_queue", |env, args| server(env, args, ServerFact::Queued)).args(1, SERVER),
    int("srv_sess_rate", |env, args| server(env, args, ServerFact::SessionRate)).args(1, SERVER),
    int("srv_weight", |env, args| server(env, args, ServerFact::Weight)).args(1, SERVER),
    int("srv_iweight", |env, args| server(env, args, ServerFact::InitialWeight)).args(1, SERVER),
    int("srv_uweight", |env, args| server(env, args, ServerFact::UserWeight)).args(1, SERVER),
    FetchDef::new("srv_is_up", SampleType::Bool, Needs::INTERNAL, |env, args| {
        server(env, args, ServerFact::Up)?.to_bool().map(Sample::Bool)
    })
    .args(1, SERVER),
    int("act_conn", |env, _| Some(Sample::Int(env.facts.engine().connections() as i64))),
    int("date", date).args(0, &[ArgType::Int, ArgType::Str]).prepare(prepare_unit),
    int("date_us", |env, _| Some(Sample::Int(env.facts.now().date.subsec_micros().into()))),
    text("hostname", |env, _| Some(Sample::Str(env.facts.engine().hostname().as_bytes()))),
    int("nbproc", |_, _| Some(Sample::Int(1))),
    int("nbthread", |env, _| Some(Sample::Int(env.facts.engine().threads().into()))),
    int("proc", |_, _| Some(Sample::Int(1))),
    int("pid", |env, _| Some(Sample::Int(env.facts.engine().pid().into()))),
    int("thread", |env, _| env.facts.stream(StreamFact::Thread)),
    int("tgroup", |_, _| Some(Sample::Int(0))),
    int("uptime", |env, _| env.facts.engine().uptime().map(|seconds| Sample::Int(seconds as i64))),
    FetchDef::new("stopping", SampleType::Bool, Needs::INTERNAL, |env, _| {
        Some(Sample::Bool(env.facts.engine().is_stopping()))
    }),
    FetchDef::new("quic_enabled", SampleType::Bool, Needs::INTERNAL, |_, _| Some(Sample::Bool(false))),
    int("prio_class", |env, _| env.facts.stream(StreamFact::PriorityClass)),
    int("prio_offset", |env, _| env.facts.stream(StreamFact::PriorityOffset)),
    text("last_rule_file", |env, _| env.facts.stream(StreamFact::LastRuleFile)),
    int("last_rule_line", |env, _| env.facts.stream(StreamFact::LastRuleLine)),
    text("last_entity", |env, _| env.facts.stream(StreamFact::LastEntity)),
    text("waiting_entity", |env, _| env.facts.stream(StreamFact::WaitingEntity)),
    int("rand", rand).args(0, &[ArgType::Int]),
    text("uuid", uuid).args(0, &[ArgType::Int]).prepare(prepare_uuid),
    FetchDef::new("acl", SampleType::Bool, Needs::INTERNAL, acl)
        .args(1, &[ArgType::Str; 12])
        .prepare(prepare_acl),
    FetchDef::new("var", SampleType::Any, Needs::CONST, var).args(1, &[ArgType::Var, ArgType::Str]),
    text("dump_all_vars", dump_vars)
        .args(0, &[ArgType::Str, ArgType::Str, ArgType::Str])
        .prepare(prepare_dump),
    FetchDef::new("wait_end", SampleType::Bool, Needs::INTERNAL, |env, _| {
        if env.last {
            Some(Sample::Bool(true))
        } else {
            env.mark_unsettled();
            None
        }
    }),
];

const fn int(name: &'static str, eval: crate::expr::FetchFn) -> FetchDef {
    FetchDef::new(name, SampleType::Int, Needs::INTERNAL, eval)
}

const fn text(name: &'static str, eval: crate::expr::FetchFn) -> FetchDef {
    FetchDef::new(name, SampleType::Str, Needs::INTERNAL, eval)
}

fn backend<'a>(env: &Env<'a>, args: &Args, fact: BackendFact) -> Option<Sample<'a>> {
    env.facts.engine().backend(args.str(0)?, fact).map(Sample::Int)
}

fn frontend<'a>(env: &Env<'a>, args: &Args, fact: FrontendFact) -> Option<Sample<'a>> {
    env.facts.engine().frontend(args.str(0)?, fact).map(Sample::Int)
}

fn server<'a>(env: &Env<'a>, args: &Args, fact: ServerFact) -> Option<Sample<'a>> {
    match args.get(0)? {
        Arg::Server { backend, server } => env.facts.engine().server(backend, server, fact).map(Sample::Int),
        _ => None,
    }
}

/// Units per second of a time unit argument.
fn unit(name: &str) -> Option<i64> {
    match name {
        "" | "s" => Some(1),
        "ms" => Some(1000),
        "us" => Some(1_000_000),
        _ => None,
    }
}

/// Replaces the unit in argument 1 by its number per second.
fn prepare_unit(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    if let Some(name) = args.str(1) {
        let scale = unit(name).ok_or_else(|| format!("expects 's', 'ms' or 'us', got '{name}'"))?;
        args.set(1, Arg::Int(scale));
    }
    Ok(())
}

fn date<'a>(env: &Env<'a>, args: &Args) -> Option<Sample<'a>> {
    let scale = args.int(1).unwrap_or(1);
    let micros = env.facts.now().date.as_micros() as i64;
    let value = micros / (1_000_000 / scale);
    Some(Sample::Int(value.saturating_add(args.int(0).unwrap_or(0))))
}

fn rand<'a>(env: &Env<'a>, args: &Args) -> Option<Sample<'a>> {
    let value = env.facts.random() & 0xffff_ffff;
    let range = args.int(0).unwrap_or(1 << 32).clamp(0, 1 << 32) as u64;
    Some(Sample::Int((value.wrapping_mul(range) >> 32) as i64))
}

fn prepare_uuid(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    match args.int(0) {
        None | Some(4 | 7) => Ok(()),
        Some(other) => Err(format!("unsupported UUID version: '{other}'")),
    }
}

/// RFC 9562, versions 4 and 7.
fn uuid<'a>(env: &Env<'a>, args: &Args) -> Option<Sample<'a>> {
    let version = args.int(0).unwrap_or(4) as u64;
    let mut high = env.facts.random();
    let low = env.facts.random() & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000;
    if version == 7 {
        high = (env.facts.now().date.as_millis() as u64) << 16 | high & 0xffff;
    }
    high = high & !0xf000 | version << 12;
    let text = format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    );
    env.arena.copy(text.as_bytes()).map(Sample::Str)
}

/// ACLs with their negation.
type Terms = Vec<(Arc<Acl>, bool)>;

fn prepare_acl(args: &mut Args, build: &mut dyn Build) -> Result<(), String> {
    let mut terms = Terms::new();
    for at in 0..args.len() {
        let text = args.str(at).unwrap_or("");
        let (name, negated) = text.strip_prefix('!').map_or((text, false), |name| (name, true));
        let acl = build.acl(name).ok_or_else(|| format!("ACL '{name}' not found"))?;
        terms.push((acl, negated));
    }
    args.set(0, Arg::Prepared(Arc::new(terms)));
    Ok(())
}

/// True when every ACL named is; not found while one cannot be decided.
fn acl<'a>(env: &Env<'a>, args: &Args) -> Option<Sample<'a>> {
    for (acl, negated) in args.prepared::<Terms>(0)? {
        let answer = acl.eval(env);
        match if *negated { !answer } else { answer } {
            Answer::Yes => {}
            Answer::No => return Some(Sample::Bool(false)),
            Answer::NotYet => {
                env.mark_unsettled();
                return None;
            }
        }
    }
    Some(Sample::Bool(true))
}

fn var<'a>(env: &Env<'a>, args: &'a Args) -> Option<Sample<'a>> {
    env.vars
        .get(args.var(0)?, env.arena)
        .or_else(|| args.str(1).map(|default| Sample::Str(default.as_bytes())))
}

const SCOPES: [Scope; 5] =
    [Scope::Session, Scope::Transaction, Scope::Request, Scope::Response, Scope::Process];

fn prepare_dump(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    let scope = match args.str(0) {
        None | Some("") => None,
        Some(name) => {
            let known = VarName::parse(&format!("{name}.x")).map(|name| name.scope());
            Some(known.map_err(|_| format!("invalid scope '{name}'"))?)
        }
    };
    if !args.is_empty() {
        args.set(0, Arg::Prepared(Arc::new(scope)));
    }
    Ok(())
}

fn dump_vars<'a>(env: &Env<'a>, args: &'a Args) -> Option<Sample<'a>> {
    let only = args.prepared::<Option<Scope>>(0).copied().flatten();
    let prefix = args.str(1).unwrap_or("");
    let delimiter = args.str(2).filter(|text| !text.is_empty()).unwrap_or(", ");
    let text = env.arena.build(|out| {
        for scope in SCOPES.into_iter().filter(|scope| only.is_none_or(|only| only == *scope)) {
            let Some(vars) = env.vars.scope(scope) else { continue };
            for (name, value) in vars.list() {
                if !name.starts_with(prefix) {
                    continue;
                }
                if !out.is_empty() {
                    out.extend_from_slice(delimiter.as_bytes());
                }
                out.extend_from_slice(scope.prefix().as_bytes());
                out.push(b'.');
                out.extend_from_slice(name.as_bytes());
                out.push(b'=');
                push_value(out, &value.as_sample());
            }
        }
    })?;
    Some(Sample::Str(text))
}

fn push_value(out: &mut Vec<u8>, value: &Sample<'_>) {
    match value {
        Sample::Bool(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        Sample::Int(number) => push_int(out, *number),
        Sample::Ipv4(_) | Sample::Ipv6(_) => value.write_text(out),
        Sample::Bin(bytes) => {
            out.push(b'x');
            for byte in *bytes {
                out.extend_from_slice(format!("{byte:02x}").as_bytes());
            }
        }
        Sample::Str(text) | Sample::Method(text) => {
            out.push(b'"');
            for &byte in *text {
                match byte {
                    b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
                    b'\r' => out.extend_from_slice(b"\\r"),
                    b'\n' => out.extend_from_slice(b"\\n"),
                    8 => out.extend_from_slice(b"\\b"),
                    0 => out.extend_from_slice(b"\\0"),
                    _ => out.push(byte),
                }
            }
            out.push(b'"');
        }
    }
}
