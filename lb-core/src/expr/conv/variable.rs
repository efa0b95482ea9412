//! Variables, comparisons with them, and look-ups of proxies by computed names.

use std::sync::Arc;

use crate::expr::arg::{Arg, ArgType, Args};
use crate::expr::def::{Build, ConvDef};
use crate::expr::sample::{Sample, SampleType};
use crate::expr::vars::{Scope, VarName, Vars};
use crate::expr::{BackendFact, Env, FrontendFact, ServerFact};

const VAR: &[ArgType] = &[ArgType::Var];

/// Converters that touch variables or proxies.
pub(super) static CONVERTERS: &[ConvDef] = &[
    ConvDef::new("set-var", SampleType::Any, SampleType::Same, set_var)
        .args(1, &[ArgType::Var, ArgType::Str, ArgType::Str, ArgType::Str, ArgType::Str])
        .prepare(prepare_set_var),
    ConvDef::new("unset-var", SampleType::Any, SampleType::Same, |env, args, sample| {
        env.vars.unset(args.var(0)?);
        Some(sample)
    })
    .args(1, VAR),
    ConvDef::new("strcmp", SampleType::Str, SampleType::Int, strcmp).args(1, VAR),
    ConvDef::new("secure_memcmp", SampleType::Bin, SampleType::Bool, secure_memcmp).args(1, VAR),
    ConvDef::new("nbsrv", SampleType::Str, SampleType::Int, |env, _, sample| {
        let name = std::str::from_utf8(sample.bytes()?).ok()?;
        env.facts.engine().backend(name, BackendFact::UsableServers).map(Sample::Int)
    }),
    ConvDef::new("srv_is_up", SampleType::Str, SampleType::Bool, |env, _, sample| {
        server(env, sample, ServerFact::Up).map(|value| Sample::Bool(value != 0))
    }),
    ConvDef::new("srv_queue", SampleType::Str, SampleType::Int, |env, _, sample| {
        server(env, sample, ServerFact::Queued).map(Sample::Int)
    }),
    ConvDef::new("fe_exists", SampleType::Str, SampleType::Bool, |env, _, sample| {
        let known = std::str::from_utf8(sample.bytes()?)
            .is_ok_and(|name| env.facts.engine().frontend(name, FrontendFact::Id).is_some());
        Some(Sample::Bool(known))
    }),
];

/// When `set-var` sets: always, unless conditions say otherwise (`set-var(name,ifnotempty,ifgt)`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VarConditions(Vec<When>);

/// A condition of `set-var`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Exists,
    NotExists,
    Set,
    NotSet,
    Empty,
    NotEmpty,
    Greater,
    Less,
}

impl VarConditions {
    /// Conditions by their names.
    ///
    /// # Errors
    /// Which name is none.
    pub fn parse<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Self, String> {
        let mut all = Vec::new();
        for name in names {
            all.push(match name {
                "ifexists" => When::Exists,
                "ifnotexists" => When::NotExists,
                "ifset" => When::Set,
                "ifnotset" => When::NotSet,
                "ifempty" => When::Empty,
                "ifnotempty" => When::NotEmpty,
                "ifgt" => When::Greater,
                "iflt" => When::Less,
                other => return Err(format!("unknown condition '{other}'")),
            });
        }
        Ok(Self(all))
    }

    /// Whether all of them hold for setting a variable to a value.
    pub fn hold(&self, vars: &Vars<'_>, name: &VarName, value: &Sample<'_>) -> bool {
        self.0.iter().all(|when| when.holds(vars, name, value))
    }
}

fn prepare_set_var(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    let conditions = VarConditions::parse((1..args.len()).map(|at| args.str(at).unwrap_or("")))?;
    args.set(1, Arg::Prepared(Arc::new(conditions)));
    Ok(())
}

fn set_var<'a>(env: &Env<'a>, args: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let name = args.var(0)?;
    let conditions = args.prepared::<VarConditions>(1);
    if conditions.is_none_or(|conditions| conditions.hold(&env.vars, name, &sample)) {
        env.vars.set(name, &sample);
    }
    Some(sample)
}

impl When {
    fn holds(self, vars: &Vars<'_>, name: &VarName, sample: &Sample<'_>) -> bool {
        let read = || vars.scope(name.scope())?.with(name.name(), |value| value.to_owned_sample());
        let empty = || sample.bytes().is_some_and(<[u8]>::is_empty);
        let order = || match (read()?.as_sample(), sample) {
            (Sample::Int(old), Sample::Int(new)) => Some(old.cmp(new)),
            _ => None,
        };
        match self {
            // A variable of the process exists as soon as the configuration names it.
            Self::Exists => name.scope() == Scope::Process || read().is_some(),
            Self::NotExists => name.scope() != Scope::Process && read().is_none(),
            Self::Set => read().is_some(),
            Self::NotSet => read().is_none(),
            Self::Empty => empty(),
            Self::NotEmpty => !empty(),
            // Anything but two integers cannot be compared and counts as true.
            Self::Greater => order().is_none_or(std::cmp::Ordering::is_gt),
            Self::Less => order().is_none_or(std::cmp::Ordering::is_lt),
        }
    }
}

/// As strcmp(3): the difference of the first bytes that differ, or of the lengths.
fn strcmp<'a>(env: &Env<'a>, args: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let left = sample.bytes()?;
    let name = args.var(0)?;
    let order = env.vars.scope(name.scope())?.with(name.name(), |value| {
        let mut text = Vec::new();
        value.write_text(&mut text);
        let differs = left.iter().zip(&text).find(|(a, b)| a != b);
        differs.map_or_else(|| left.len() as i64 - text.len() as i64, |(a, b)| i64::from(*a) - i64::from(*b))
    })?;
    Some(Sample::Int(order))
}

/// Compares without telling by its duration where two equally long values differ.
fn secure_memcmp<'a>(env: &Env<'a>, args: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let left = sample.bytes()?;
    let name = args.var(0)?;
    let equal = env.vars.scope(name.scope())?.with(name.name(), |value| {
        let right = value.bytes()?;
        let difference = left.iter().zip(right).fold(0u8, |acc, (a, b)| std::hint::black_box(acc | (a ^ b)));
        Some(left.len() == right.len() && difference == 0)
    })??;
    Some(Sample::Bool(equal))
}

/// A server named `backend/server`, or in the current backend.
fn server(env: &Env<'_>, sample: Sample<'_>, fact: ServerFact) -> Option<i64> {
    let text = std::str::from_utf8(sample.bytes()?).ok()?;
    let (backend, name) = match text.split_once('/') {
        Some((backend, name)) => (backend, name),
        None => (env.facts.backend()?.name, text),
    };
    env.facts.engine().server(backend, name, fact)
}
