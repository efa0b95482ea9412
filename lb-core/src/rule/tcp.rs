//! Actions of `tcp-request` and `tcp-response` rules.
//!
//! [`TcpAction::apply`] evaluates what an action needs and does at once what touches only
//! variables and counters of tracked entries; everything else comes back as an [`Outcome`] for the session that owns the sockets.

use std::net::IpAddr;
use std::sync::Arc;

use super::counter::CounterAction;
use super::marks::{ConnectionSide, PacketMarks, SetMark};
use super::resolve::Resolve;
use crate::bandwidth::SetBandwidth;
use crate::expr::{Env, Program, Sample, SampleType, VarConditions, VarName};
use crate::log::Template;
use crate::spec::{LogProfile, Severity};

/// What a layer 4 rule does.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TcpAction {
    /// `accept`: ends this ruleset.
    Accept,
    /// `reject`: closes the connection.
    Reject,
    /// `close`: closes the server side (responses).
    Close,
    /// `silent-drop`, with the TTL its reset is sent with if it cannot be dropped silently.
    SilentDrop(Option<u8>),
    /// `expect-proxy layer4`.
    ExpectProxy,
    /// `set-var`.
    SetVar(VarName, Program, VarConditions),
    /// `set-var-fmt`.
    SetVarFmt(VarName, Template, VarConditions),
    /// `unset-var`.
    UnsetVar(VarName),
    /// `set-src`.
    SetSrc(Program),
    /// `set-src-port`.
    SetSrcPort(Program),
    /// `set-dst`.
    SetDst(Program),
    /// `set-dst-port`.
    SetDstPort(Program),
    /// `set-mark`, `set-tos` and their `fc` and `bc` forms.
    SetMark(SetMark),
    /// `track-sc`.
    Track(Track),
    /// `sc-inc-gpc`, `sc-add-gpc`, `sc-set-gpt`.
    Counter(CounterAction),
    /// `capture` into a slot of the request, at most so many bytes.
    Capture(Program, usize, usize),
    /// `set-log-level`; `None` is `silent`.
    SetLogLevel(Option<Severity>),
    /// `set-priority-class`.
    SetPriorityClass(Program),
    /// `set-priority-offset`.
    SetPriorityOffset(Program),
    /// `switch-mode http`.
    SwitchMode,
    /// `do-resolve`.
    Resolve(Resolve),
    /// `pause`, in milliseconds.
    Pause(Program),
    /// `do-log`, as this profile says if one is named.
    DoLog(Option<Arc<LogProfile>>),
    /// `set-bandwidth-limit`.
    SetBandwidth(SetBandwidth),
}

/// `track-sc<slot> <key> [table <table>]`.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Track {
    /// Which counter.
    pub slot: usize,
    /// The key.
    pub key: Program,
    /// The table; the proxy's own when unset.
    pub table: Option<Arc<str>>,
}

/// What the session has to do after [`TcpAction::apply`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Outcome<'a> {
    /// Go on with the next rule.
    Next,
    /// End this ruleset, the connection goes on.
    Accept,
    /// Close the connection.
    Reject,
    /// Close the server side.
    Close,
    /// Forget the connection without telling the client.
    SilentDrop(Option<u8>),
    /// Read a PROXY protocol header first.
    ExpectProxy,
    /// Replace the source address.
    SetSrc(IpAddr),
    /// Replace the source port.
    SetSrcPort(u16),
    /// Replace the destination address.
    SetDst(IpAddr),
    /// Replace the destination port.
    SetDstPort(u16),
    /// Mark the packets of a connection.
    Mark(ConnectionSide, PacketMarks),
    /// Track this key unless the slot is in use.
    Track {
        /// Which counter.
        slot: usize,
        /// The key.
        key: Sample<'a>,
        /// The table; the proxy's own when unset.
        table: Option<&'a str>,
    },
    /// Store the bytes in a capture slot.
    Capture(usize, &'a [u8]),
    /// Log at this level, or not at all.
    SetLogLevel(Option<Severity>),
    /// Queue with this class.
    SetPriorityClass(i64),
    /// Queue with this offset.
    SetPriorityOffset(i64),
    /// Go on with another protocol.
    SwitchMode,
    /// Look a name up, then go on with the next rule.
    Resolve,
    /// Wait so many milliseconds before the next rule.
    Pause(u64),
    /// Write a log line now, as this profile says if there is one.
    DoLog(Option<&'a Arc<LogProfile>>),
    /// Limit the bandwidth of the stream.
    Bandwidth(&'a SetBandwidth),
}

impl TcpAction {
    /// Evaluates the action. What cannot be evaluated does nothing, as it always did.
    pub fn apply<'a>(&'a self, env: &Env<'a>) -> Outcome<'a> {
        self.outcome(env).unwrap_or(Outcome::Next)
    }

    fn outcome<'a>(&'a self, env: &Env<'a>) -> Option<Outcome<'a>> {
        Some(match self {
            Self::Accept => Outcome::Accept,
            Self::Reject => Outcome::Reject,
            Self::Close => Outcome::Close,
            Self::SilentDrop(ttl) => Outcome::SilentDrop(*ttl),
            Self::ExpectProxy => Outcome::ExpectProxy,
            Self::SetVar(name, value, when) => {
                set_var(env, name, value, when);
                Outcome::Next
            }
            Self::SetVarFmt(name, format, when) => {
                set_var_fmt(env, name, format, when);
                Outcome::Next
            }
            Self::UnsetVar(name) => {
                env.vars.unset(name);
                Outcome::Next
            }
            Self::SetSrc(value) => Outcome::SetSrc(address(value, env)?),
            Self::SetSrcPort(value) => Outcome::SetSrcPort(number(value, env)?.try_into().ok()?),
            Self::SetDst(value) => Outcome::SetDst(address(value, env)?),
            Self::SetDstPort(value) => Outcome::SetDstPort(number(value, env)?.try_into().ok()?),
            Self::SetMark(set) => Outcome::Mark(set.side, set.eval(env)),
            Self::Track(track) => {
                Outcome::Track { slot: track.slot, key: track.key.eval(env)?, table: track.table.as_deref() }
            }
            Self::Counter(action) => {
                action.run(env);
                Outcome::Next
            }
            Self::Capture(value, slot, limit) => {
                let bytes = value.eval_str(env)?;
                Outcome::Capture(*slot, &bytes[..bytes.len().min(*limit)])
            }
            Self::SetLogLevel(level) => Outcome::SetLogLevel(*level),
            Self::SetPriorityClass(value) => {
                Outcome::SetPriorityClass(number(value, env)?.clamp(-2047, 2047))
            }
            Self::SetPriorityOffset(value) => {
                Outcome::SetPriorityOffset(number(value, env)?.clamp(-524_287, 524_287))
            }
            Self::SwitchMode => Outcome::SwitchMode,
            Self::Resolve(_) => Outcome::Resolve,
            Self::Pause(value) => Outcome::Pause(number(value, env)?.try_into().ok()?),
            Self::DoLog(profile) => Outcome::DoLog(profile.as_ref()),
            Self::SetBandwidth(set) => Outcome::Bandwidth(set),
        })
    }
}

/// `set-var`: the variable stays as it is where the expression finds nothing.
pub fn set_var<'a>(env: &Env<'a>, name: &VarName, value: &'a Program, when: &VarConditions) {
    if let Some(sample) = value.eval(env)
        && when.hold(&env.vars, name, &sample)
    {
        env.vars.set(name, &sample);
    }
}

/// `set-var-fmt`.
pub fn set_var_fmt(env: &Env<'_>, name: &VarName, format: &Template, when: &VarConditions) {
    let text = env.arena.build(|out| format.write(env, out));
    if let Some(value) = text.map(Sample::Str)
        && when.hold(&env.vars, name, &value)
    {
        env.vars.set(name, &value);
    }
}

fn address<'a>(value: &'a Program, env: &Env<'a>) -> Option<IpAddr> {
    match value.eval_as(env, SampleType::Addr)? {
        Sample::Ipv4(addr) => Some(addr.into()),
        Sample::Ipv6(addr) => Some(addr.into()),
        _ => None,
    }
}

fn number<'a>(value: &'a Program, env: &Env<'a>) -> Option<i64> {
    value.eval(env)?.to_int()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::{Arena, NoBuild, NoFacts, Now, Phases, Registry, VarScope, Vars, parse};
    use crate::log::Style;

    fn program(text: &str) -> Program {
        parse::parse(text, &Registry::builtin(), &mut NoBuild).unwrap()
    }

    #[test]
    fn variables_change_at_once_and_the_rest_is_handed_back() {
        let facts =
            NoFacts(Now { date: std::time::Duration::ZERO, instant: crate::expr::testing::instant() });
        let (arena, txn) = (Arena::new(), VarScope::new());
        let env = Env::new(&facts, Vars { transaction: Some(&txn), ..Vars::NONE }, &arena);
        let name = VarName::parse("txn.a").unwrap();
        let always = VarConditions::default();
        let set = TcpAction::SetVar(name.clone(), program("str(10.0.0.1)"), always.clone());
        assert!(matches!(set.apply(&env), Outcome::Next));
        let src = TcpAction::SetSrc(program("var(txn.a)"));
        assert!(matches!(src.apply(&env), Outcome::SetSrc(addr) if addr.to_string() == "10.0.0.1"));
        let format =
            Template::parse("<%[var(txn.a)]>", Style::Plain, Phases::ALL, &Registry::builtin(), &mut NoBuild)
                .unwrap();
        TcpAction::SetVarFmt(name.clone(), format, always.clone()).apply(&env);
        assert_eq!(env.vars.get(&name, &arena), Some(Sample::Str(b"<10.0.0.1>")));
        assert!(matches!(src.apply(&env), Outcome::Next), "no address, no change");
        TcpAction::SetVar(name.clone(), program("src"), always).apply(&env);
        assert_eq!(env.vars.get(&name, &arena), Some(Sample::Str(b"<10.0.0.1>")), "nothing found, no change");
        let port = TcpAction::SetDstPort(program("int(70000)"));
        assert!(matches!(port.apply(&env), Outcome::Next));
    }
}
