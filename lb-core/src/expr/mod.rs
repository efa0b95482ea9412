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

#[cfg(test)]
pub(crate) mod testing {
    //! Helpers shared by the tests of expressions, rules and logs.

    /// Some instant; tests only look at differences.
    #[expect(clippy::disallowed_methods, reason = "an Instant cannot be made in any other way")]
    pub(crate) fn instant() -> std::time::Instant {
        std::time::Instant::now()
    }
}

mod arena;
mod arg;
mod context;
mod conv;
pub(crate) mod date;
mod def;
mod fetch;
mod net;
pub mod parse;
pub mod pattern;
mod program;
mod regex;
mod registry;
mod sample;
mod token;
mod vars;

pub mod map;

pub use arena::{Arena, MAX_OUTPUT};
pub use arg::{Arg, ArgType, Args};
pub use context::{
    BackendFact, Direction, EngineView, Env, Facts, FrontendFact, Glimpse, NoEngine, NoFacts, Now, Peek,
    ProxyRef, ServerFact, ServerRef, Side, StreamFact, TlsFact,
};
pub use conv::VarConditions;
pub(crate) use conv::crc32c;
pub use def::{
    AclDef, Build, CertificatePart, ConvDef, ConvFn, EachFn, FetchDef, FetchFn, Needs, NoBuild, Phases,
    Prepare,
};
pub(crate) use fetch::common_name;
#[cfg(feature = "tokio")]
pub(crate) use fetch::rdp_cookie;
pub(crate) use net::{push_ipv4, push_ipv6};
pub use program::Program;
pub use regex::{Group, Regex, RegexError};
pub use registry::Registry;
pub use sample::{Cast, OwnedSample, Sample, SampleType};
pub(crate) use sample::{leading_int, push_hex, push_int};
pub use token::{TokenAlgorithms, TokenKeys};
pub use vars::{Scope, VarName, VarScope, Vars};
