//! A compiled expression: one fetch and the converters behind it.

use std::ops::ControlFlow;

use super::arg::Args;
use super::context::Env;
use super::def::{ConvDef, FetchDef, Needs};
use super::sample::{Cast, Sample, SampleType};

/// A compiled sample expression. Made by [`super::parse`].
#[derive(Clone, Debug)]
pub struct Program {
    fetch: &'static FetchDef,
    args: Args,
    steps: Vec<Step>,
    out: SampleType,
    needs: Needs,
    text: Box<str>,
}

#[derive(Clone, Debug)]
struct Step {
    conv: &'static ConvDef,
    args: Args,
}

impl Program {
    pub(crate) fn new(fetch: &'static FetchDef, args: Args) -> Self {
        Self { fetch, args, steps: Vec::new(), out: fetch.out, needs: fetch.needs, text: fetch.name.into() }
    }

    /// Appends a converter; the caller has checked that the types fit.
    pub(crate) fn push(&mut self, conv: &'static ConvDef, args: Args) {
        if conv.out != SampleType::Same {
            self.out = conv.out;
        } else if self.out.cast_to(conv.input) != Cast::Free {
            self.out = conv.input;
        }
        self.steps.push(Step { conv, args });
    }

    pub(crate) fn set_text(&mut self, text: &str) {
        self.text = text.into();
    }

    /// The fetch keyword.
    pub const fn fetch(&self) -> &'static FetchDef {
        self.fetch
    }

    /// Arguments of the fetch.
    pub const fn args(&self) -> &Args {
        &self.args
    }

    /// The converters with their arguments.
    pub fn converters(&self) -> impl Iterator<Item = (&'static ConvDef, &Args)> {
        self.steps.iter().map(|step| (step.conv, &step.args))
    }

    /// Output type as far as it is known in advance.
    pub const fn out(&self) -> SampleType {
        self.out
    }

    /// What it reads.
    pub const fn needs(&self) -> Needs {
        self.needs
    }

    /// The expression as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Evaluates to one sample.
    pub fn eval<'a>(&'a self, env: &Env<'a>) -> Option<Sample<'a>> {
        self.convert(env, (self.fetch.eval)(env, &self.args)?)
    }

    /// What the converters make of `sample`, in place of what the fetch finds.
    pub fn eval_on<'a>(&'a self, env: &Env<'a>, sample: Sample<'a>) -> Option<Sample<'a>> {
        self.convert(env, sample)
    }

    /// Evaluates and converts to `ty`.
    pub fn eval_as<'a>(&'a self, env: &Env<'a>, ty: SampleType) -> Option<Sample<'a>> {
        self.eval(env)?.cast(ty, env.arena)
    }

    /// Evaluates to bytes as a header value or key would show them.
    pub fn eval_str<'a>(&'a self, env: &Env<'a>) -> Option<&'a [u8]> {
        self.eval(env)?.to_str(env.arena)
    }

    /// Calls `visit` for every occurrence the fetch finds, converted, until it breaks.
    pub fn each<'a>(&'a self, env: &Env<'a>, visit: &mut dyn FnMut(Sample<'a>) -> ControlFlow<()>) {
        match self.fetch.each {
            None => {
                if let Some(sample) = self.eval(env) {
                    let _ = visit(sample);
                }
            }
            Some(each) if self.steps.is_empty() => each(env, &self.args, visit),
            Some(each) => each(env, &self.args, &mut |sample| match self.convert(env, sample) {
                Some(converted) => visit(converted),
                None => ControlFlow::Continue(()),
            }),
        }
    }

    #[inline]
    fn convert<'a>(&'a self, env: &Env<'a>, mut sample: Sample<'a>) -> Option<Sample<'a>> {
        for step in &self.steps {
            if sample.ty() != step.conv.input && step.conv.input != SampleType::Any {
                sample = sample.cast(step.conv.input, env.arena)?;
            }
            sample = (step.conv.eval)(env, &step.args, sample)?;
        }
        Some(sample)
    }
}
