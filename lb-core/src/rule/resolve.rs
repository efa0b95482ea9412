//! Looking a name up for a rule (manual: `do-resolve`).

use crate::dns::{Family, Resolvers};
use crate::expr::{Env, Program, Sample, VarName, Vars};
use std::net::IpAddr;
use std::sync::Arc;

/// A rule that looks a name up and keeps its address in a variable.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Resolve {
    /// Where the address is kept.
    pub variable: VarName,
    /// Whom to ask.
    pub resolvers: Arc<Resolvers>,
    /// What is asked for first.
    pub prefer: Family,
    /// The name.
    pub name: Program,
}

impl Resolve {
    /// The name to look up.
    pub fn name(&self, env: &Env<'_>) -> Option<Vec<u8>> {
        self.name.eval_str(env).map(<[u8]>::to_vec)
    }

    /// Keeps an address. Without one the variable stays as it is.
    pub fn keep(&self, vars: &Vars<'_>, found: Option<IpAddr>) {
        let Some(ip) = found else { return };
        let value = match ip {
            IpAddr::V4(ip) => Sample::Ipv4(ip),
            IpAddr::V6(ip) => Sample::Ipv6(ip),
        };
        vars.set(&self.variable, &value);
    }
}
