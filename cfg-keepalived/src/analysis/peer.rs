//! Two nodes' files against each other.

use super::priority::{Effect, priorities};
use crate::check::Resolved;
use crate::codes;
use crate::config::Instance;
use crate::load::Loaded;
use lb_core::diag::{Diagnostic, Diagnostics, Span};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Compares a node's configuration with its peer's: settings that must be equal, and whether a failure of what this node
/// tracks makes the peer take over. The places are those of `own`; the peer's are named in the notes. Call it a second
/// time with the two exchanged for the other direction.
pub fn compare_peers(own: &Loaded, peer: &Loaded) -> Diagnostics {
    let mut out = Diagnostics::new();
    for instance in &own.config.instances {
        let Some(vrid) = instance.virtual_router_id else { continue };
        let same = |other: &&Instance| {
            other.virtual_router_id.is_some_and(|v| v.value == vrid.value)
                && other.ipv6.unwrap_or(false) == instance.ipv6.unwrap_or(false)
        };
        let candidates: Vec<&Instance> = peer.config.instances.iter().filter(same).collect();
        // Several networks may use one id; then the interface or the name tells which belong together.
        let interface = |i: &Instance| i.interface.as_ref().map(|n| n.value.clone());
        let by_interface = || candidates.iter().find(|c| interface(c) == interface(instance));
        let by_name = candidates.iter().find(|c| c.name.value == instance.name.value);
        let Some(other) = by_name.or_else(by_interface).or_else(|| candidates.first()) else {
            out.push(
                Diagnostic::warning(
                    codes::PEER_MISMATCH,
                    vrid.span,
                    format!("the peer has no instance with virtual router id {}", vrid.value),
                )
                .note(format!("`{}` will be master alone", instance.name.value)),
            );
            continue;
        };
        let pair = Pair {
            own,
            peer,
            a: instance,
            b: other,
            ra: Resolved::new(instance, &own.config),
            rb: Resolved::new(other, &peer.config),
        };
        pair.protocol(&mut out);
        pair.addresses(&mut out);
        pair.transport(&mut out);
        pair.priorities(&mut out);
        pair.failover(&mut out);
    }
    out
}

struct Pair<'a> {
    own: &'a Loaded,
    peer: &'a Loaded,
    a: &'a Instance,
    b: &'a Instance,
    ra: Resolved,
    rb: Resolved,
}

impl Pair<'_> {
    /// A place in the peer's file, for notes.
    fn place(&self, span: Span) -> String {
        match self.peer.tree.sources.locate(span) {
            Some((file, at)) => format!("{file}:{at}"),
            None => "the peer".to_owned(),
        }
    }

    fn mismatch(&self, span: Option<Span>, theirs: Option<Span>, message: String, note: &str) -> Diagnostic {
        let there = self.place(theirs.unwrap_or(self.b.name.span));
        Diagnostic::error(codes::PEER_MISMATCH, span.unwrap_or(self.a.name.span), message)
            .note(format!("the peer's is at {there}"))
            .note(note)
    }

    fn protocol(&self, out: &mut Diagnostics) {
        let (a, b) = (self.a, self.b);
        if self.ra.version != self.rb.version {
            let message =
                format!("version {} here, version {} at the peer", self.ra.version, self.rb.version);
            let note = "the nodes will not understand each other: both will be master";
            out.push(self.mismatch(a.version.map(|v| v.span), b.version.map(|v| v.span), message, note));
            return;
        }
        if self.ra.interval != self.rb.interval {
            let seconds = |centis: u16| f64::from(centis) / 100.0;
            let message = format!(
                "interval {} s here, {} s at the peer",
                seconds(self.ra.interval),
                seconds(self.rb.interval)
            );
            let (span, theirs) = (a.advert_int.map(|d| d.span), b.advert_int.map(|d| d.span));
            if self.ra.version == 2 {
                let note = "version 2 refuses adverts of another interval: both nodes will be master";
                out.push(self.mismatch(span, theirs, message, note));
            } else {
                let mut diagnostic =
                    self.mismatch(span, theirs, message, "a backup takes the master's interval over");
                diagnostic.severity = lb_core::diag::Severity::Notice;
                out.push(diagnostic);
            }
        }
        let secret =
            |i: &Instance| i.auth_pass.as_ref().map(|p| p.value.bytes().take(8).collect::<Vec<u8>>());
        let auth = |i: &Instance, r: &Resolved| r.auth.map(|kind| (kind as u8, secret(i)));
        if auth(a, &self.ra) != auth(b, &self.rb) {
            let span = a.auth_pass.as_ref().map(|p| p.span).or_else(|| a.auth_type.map(|t| t.span));
            let theirs = b.auth_pass.as_ref().map(|p| p.span).or_else(|| b.auth_type.map(|t| t.span));
            let note = "the nodes refuse each other's adverts: both will be master";
            out.push(self.mismatch(span, theirs, "the peer's authentication is different".to_owned(), note));
        }
    }

    fn addresses(&self, out: &mut Diagnostics) {
        let set =
            |i: &Instance| i.addresses.iter().map(crate::config::Address::ip).collect::<BTreeSet<IpAddr>>();
        let (ours, theirs) = (set(self.a), set(self.b));
        if ours == theirs {
            return;
        }
        let list =
            |set: &BTreeSet<IpAddr>| set.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let here = list(&ours.difference(&theirs).copied().collect());
        let there = list(&theirs.difference(&ours).copied().collect());
        let message = match (here.is_empty(), there.is_empty()) {
            (false, true) => format!("only here: {here}"),
            (true, _) => format!("only at the peer: {there}"),
            (false, false) => format!("here {here}, at the peer {there}"),
        };
        let span = self.a.addresses.first().map(|a| a.line);
        let theirs = self.b.addresses.first().map(|a| a.line);
        let message = format!(
            "the addresses of virtual router {} differ; {message}",
            self.a.virtual_router_id.map_or(0, |v| v.value)
        );
        let note = "two virtual routers on one network need two ids; one virtual router needs one list";
        out.push(self.mismatch(span, theirs, message, note));
    }

    fn transport(&self, out: &mut Diagnostics) {
        let (a, b) = (self.a, self.b);
        let place = |i: &Instance| i.unicast.map(|u| u.span);
        match (a.is_unicast(), b.is_unicast()) {
            (true, true) => {
                let lists = |i: &Instance, ip: Option<IpAddr>| {
                    ip.is_none_or(|ip| i.unicast_peers.iter().any(|p| p.address.value == ip))
                };
                let source = |i: &Instance| i.source.map(|s| s.value);
                if !lists(a, source(b)) {
                    let message = "the peer's `unicast_src_ip` is not among the peers here".to_owned();
                    let note = "adverts to it go nowhere";
                    out.push(self.mismatch(place(a), b.source.map(|s| s.span), message, note));
                }
                if !lists(b, source(a)) {
                    let message = "the peer does not list this node's `unicast_src_ip`".to_owned();
                    let note = "it sends its adverts elsewhere";
                    out.push(self.mismatch(a.source.map(|s| s.span), place(b), message, note));
                }
            }
            (false, false) => {
                let group = |i: &Instance| i.mcast_dst_ip.map(|g| g.value);
                if group(a) != group(b) {
                    let message = "the peer speaks to another multicast group".to_owned();
                    let span = |i: &Instance| i.mcast_dst_ip.map(|g| g.span);
                    out.push(self.mismatch(span(a), span(b), message, "the nodes do not hear each other"));
                }
            }
            _ => {
                let message = "one node speaks unicast, the other multicast".to_owned();
                out.push(self.mismatch(place(a), place(b), message, "the nodes do not hear each other"));
            }
        }
    }

    fn priorities(&self, out: &mut Diagnostics) {
        let (span, theirs) = (self.a.priority.map(|p| p.span), self.b.priority.map(|p| p.span));
        if self.ra.owner() && self.rb.owner() {
            let message = "both nodes have priority 255".to_owned();
            out.push(self.mismatch(
                span,
                theirs,
                message,
                "255 is for the one owner of the addresses: both will be master",
            ));
        } else if self.ra.priority == self.rb.priority {
            let message = format!("both nodes have priority {}", self.ra.priority);
            let note =
                "the first to start is master and stays it; after a failure the addresses do not come back";
            let mut diagnostic = self.mismatch(span, theirs, message, note);
            diagnostic.severity = lb_core::diag::Severity::Notice;
            out.push(diagnostic);
        }
    }

    /// Whether the peer, being well, takes over when something tracked here fails while this node is master.
    fn failover(&self, out: &mut Diagnostics) {
        let ours = priorities(&self.own.config, self.a);
        let theirs = priorities(&self.peer.config, self.b);
        for effect in ours.effects.iter().filter(|e| !e.fault) {
            let reason = if effect.failed >= theirs.healthy {
                format!("{} here while it fails, {} at the peer", effect.failed, theirs.healthy)
            } else if self.rb.nopreempt {
                "the peer has `nopreempt`, so it leaves the addresses to a master of any priority".to_owned()
            } else {
                continue;
            };
            out.push(self.stuck(effect, &reason));
        }
    }

    fn stuck(&self, effect: &Effect, reason: &str) -> Diagnostic {
        let message =
            format!("if the {} `{}` fails here, the peer does not take over", effect.what, effect.name);
        let place = self.b.priority.map_or(self.b.name.span, |p| p.span);
        Diagnostic::warning(codes::PEER_NO_FAILOVER, effect.span, message)
            .note(reason)
            .note(format!("the peer's priority is at {}", self.place(place)))
            .note("a tracker without weight (or with `weight 0`) gives the addresses up in any case")
    }
}
