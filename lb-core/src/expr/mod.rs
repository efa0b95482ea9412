//! Sample expressions: `hdr(host),lower,map(hosts.map)` as compiled programs.
//!
//! A [`Program`] is a fetch followed by converters. Fetches and converters are data
//! ([`FetchDef`], [`ConvDef`]) kept in a [`Registry`]; [`parse`] turns text into programs and
//! reports errors with byte offsets, knowing no configuration dialect. Evaluation reads the
//! traffic through an [`Env`] and allocates nothing once its [`Arena`] is warm.
//!
//! Protocol crates add their own definitions to the registry and reach their view of the
//! message through [`Facts::layer`].
//!
//! Reference: HAProxy configuration manual, chapter 7.

mod arena;
mod arg;
mod context;
mod conv;
mod def;
mod fetch;
mod net;
pub mod parse;
pub mod pattern;
mod program;
mod regex;
mod registry;
mod sample;
mod vars;

pub mod map;

pub use arena::{Arena, MAX_OUTPUT};
pub use arg::{Arg, ArgType, Args};
pub use context::{
    BackendFact, Direction, EngineView, Env, Facts, FrontendFact, NoEngine, NoFacts, Now, Peek, ProxyRef,
    ServerFact, ServerRef, Side, TlsFact,
};
pub use def::{AclDef, Build, ConvDef, ConvFn, EachFn, FetchDef, FetchFn, Needs, NoBuild, Phases, Prepare};
pub use program::Program;
pub use regex::{Group, Regex, RegexError};
pub use registry::Registry;
pub use sample::{Cast, OwnedSample, Sample, SampleType};
pub use vars::{Scope, VarName, VarScope, Vars};
