//! What the rules on connections and sessions decide, before any byte of the protocol is read.

use super::Stamp;
use super::connection::Connection;
use crate::expr::{Arena, EngineView, Env, Facts, Now, ProxyRef, VarScope, Vars};
use crate::rule::tcp::{Outcome, TcpAction};
use crate::rule::{Next, RuleSet};
use std::net::{IpAddr, SocketAddr};

/// The decision of a set of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// The connection goes on.
    Accept,
    /// It is closed with a reset.
    Reject,
}

struct ConnectionFacts<'a> {
    connection: &'a Connection,
    now: Stamp,
}

impl Facts for ConnectionFacts<'_> {
    fn now(&self) -> Now {
        Now { date: self.now.date, instant: self.now.instant }
    }

    fn src(&self) -> Option<SocketAddr> {
        self.connection.peer
    }

    fn dst(&self) -> Option<SocketAddr> {
        self.connection.local()
    }

    fn listener(&self) -> Option<ProxyRef<'_>> {
        let listener = &self.connection.listener;
        Some(ProxyRef { name: listener.spec.name.as_deref().unwrap_or_default(), id: listener.id })
    }

    fn frontend(&self) -> Option<ProxyRef<'_>> {
        let spec = &self.connection.frontend().spec;
        Some(ProxyRef { name: spec.name.as_str(), id: spec.id })
    }

    fn engine(&self) -> &dyn EngineView {
        &*self.connection.generation
    }
}

/// A change of the connection that a rule asks for.
enum Change {
    Source(IpAddr),
    SourcePort(u16),
    Destination(IpAddr),
    DestinationPort(u16),
}

/// Evaluates `rules` in order; what they change applies to the rules behind them.
pub(super) fn decide(
    rules: &RuleSet<TcpAction>,
    connection: &mut Connection,
    session: &VarScope,
) -> Decision {
    let mut from = 0;
    loop {
        let change = {
            let facts = ConnectionFacts { connection, now: Stamp::now() };
            let arena = Arena::new();
            let generation = &connection.generation;
            let process = Some(generation.plan.variables());
            let vars = Vars { process, session: Some(session), ..Vars::default() };
            let env = Env::new(&facts, vars, &arena);
            let (at, action) = match rules.next(from, &env) {
                Next::Apply(at, action) => (at, action),
                Next::Wait(_) | Next::End => return Decision::Accept,
            };
            from = at + 1;
            match action.apply(&env) {
                Outcome::Accept => return Decision::Accept,
                Outcome::Reject | Outcome::Close | Outcome::SilentDrop(_) => return Decision::Reject,
                Outcome::SetSrc(ip) => Some(Change::Source(ip)),
                Outcome::SetSrcPort(port) => Some(Change::SourcePort(port)),
                Outcome::SetDst(ip) => Some(Change::Destination(ip)),
                Outcome::SetDstPort(port) => Some(Change::DestinationPort(port)),
                _ => None,
            }
        };
        let (peer, local) = (connection.peer, connection.local());
        match change {
            Some(Change::Source(ip)) => {
                connection.peer = Some(SocketAddr::new(ip, peer.map_or(0, |p| p.port())))
            }
            Some(Change::SourcePort(port)) => connection.peer = peer.map(|p| SocketAddr::new(p.ip(), port)),
            Some(Change::Destination(ip)) => {
                connection.announced = Some(SocketAddr::new(ip, local.map_or(0, |l| l.port())));
            }
            Some(Change::DestinationPort(port)) => {
                connection.announced = local.map(|l| SocketAddr::new(l.ip(), port));
            }
            None => {}
        }
    }
}
