//! `virtual_server`: what is missing, contradicts itself, or can never hold.

use super::{advice, warn};
use crate::codes;
use crate::config::{CheckKind, Config, Forwarding, GroupEntry, RealServer, VirtualServer, VirtualServerKey};
use crate::lower::{MAX_RANGE, listeners, regex, transport};
use lb_core::diag::{Diagnostic, Diagnostics};
use std::net::SocketAddr;

pub(super) fn check(config: &Config, out: &mut Diagnostics) {
    for server in &config.virtual_servers {
        let it = Check { server, label: server.label(), config };
        it.service(out);
        it.scheduler(out);
        it.real_servers(out);
        it.quorum(out);
        it.ports(out);
        it.served(out);
        it.checkers(out);
    }
    forwarding(config, out);
}

/// Once for the whole file: what relaying in user space makes different for servers that were to answer clients directly.
fn forwarding(config: &Config, out: &mut Diagnostics) {
    let methods =
        config.virtual_servers.iter().filter(|server| transport(server).is_some()).flat_map(|server| {
            std::iter::once(server.method).chain(server.real_servers.iter().map(|real| real.method))
        });
    let Some(direct) = methods.flatten().find(|method| method.value != Forwarding::Nat) else { return };
    out.push(
        Diagnostic::warning(
            codes::PARTIAL,
            direct.span,
            "servers see this host's address instead of the client's, and answer through it",
        )
        .note("connections are relayed in user space: the servers need no address of the service on a loopback interface")
        .note("where servers must know the client, write the service in an haproxy.cfg: `send-proxy`, or `source 0.0.0.0 usesrc clientip`"),
    );
}

struct Check<'a> {
    server: &'a VirtualServer,
    label: String,
    config: &'a Config,
}

impl Check<'_> {
    fn entries(&self) -> Vec<&GroupEntry> {
        let VirtualServerKey::Group(name) = &self.server.key.value else { return Vec::new() };
        let group = self.config.virtual_server_groups.iter().find(|g| g.name.value == *name);
        group.map_or_else(Vec::new, |g| g.entries.iter().map(|e| &e.value).collect())
    }

    fn has_marks(&self) -> bool {
        matches!(self.server.key.value, VirtualServerKey::Mark(_))
            || self.entries().iter().any(|e| matches!(e, GroupEntry::Mark(_)))
    }

    fn has_addresses(&self) -> bool {
        match &self.server.key.value {
            VirtualServerKey::Address(_) => true,
            VirtualServerKey::Mark(_) => false,
            VirtualServerKey::Group(_) => {
                self.entries().iter().any(|e| matches!(e, GroupEntry::Addresses(..)))
            }
        }
    }

    fn service(&self, out: &mut Diagnostics) {
        let (server, label) = (self.server, &self.label);
        if let Some(suspend) = server.ha_suspend
            && self.has_marks()
        {
            let compat =
                format!("Virtual server {label}: cannot use ha_suspend with fwmarks - clearing ha_suspend");
            out.push(warn(
                codes::CONFLICT,
                suspend.span,
                "`ha_suspend` needs an address; it is ignored",
                compat,
            ));
        }
        if self.has_addresses() && server.protocol.is_none() {
            let unset = label.replace(":udp:", ":none:");
            let compat = format!("Virtual server {unset}: no protocol set - defaulting to UDP");
            out.push(
                warn(codes::NOT_SET, server.span, "`protocol` is not set, so UDP is balanced", compat)
                    .note("write `protocol TCP` or `protocol UDP`"),
            );
        }
        if let Some(protocol) = &server.protocol
            && self.has_marks()
            && !self.has_addresses()
        {
            let compat = format!(
                "Warning: Virtual server {label}: protocol specified for fwmark - protocol will be ignored"
            );
            out.push(warn(
                codes::CONFLICT,
                protocol.span,
                "a firewall mark has no protocol; it is ignored",
                compat,
            ));
        }
        let portless = match &server.key.value {
            VirtualServerKey::Address(address) => address.port() == 0,
            _ => self.entries().iter().any(|e| matches!(e, GroupEntry::Addresses(_, _, 0))),
        };
        if portless && server.persistence_timeout.is_none() && server.persistence_granularity.is_none() {
            let compat =
                format!("Virtual server {label}: zero port only valid for persistent services - setting");
            out.push(warn(codes::NOT_SET, server.span, "a service for all ports must be persistent", compat));
        }
    }

    fn scheduler(&self, out: &mut Diagnostics) {
        if self.server.scheduler.is_none() {
            let compat = format!("Virtual server {}: no scheduler set, setting default 'wlc'", self.label);
            out.push(advice(
                codes::NOT_SET,
                self.server.span,
                "`lvs_sched` is not set; `wlc` is taken",
                compat,
            ));
        }
        if self.server.method.is_none() && self.server.real_servers.iter().any(|r| r.method.is_none()) {
            let compat =
                format!("Virtual server {}: no forwarding method set, setting default NAT", self.label);
            out.push(advice(
                codes::NOT_SET,
                self.server.span,
                "`lvs_method` is not set; `NAT` is taken",
                compat,
            ));
        }
    }

    fn real_servers(&self, out: &mut Diagnostics) {
        let servers = &self.server.real_servers;
        for (n, server) in servers.iter().enumerate() {
            let Some(first) = servers[..n].iter().find(|s| s.address.value == server.address.value) else {
                continue;
            };
            let compat = format!(
                "VS {}: real server {} is duplicated - removing second rs",
                self.label,
                self.real(server)
            );
            out.push(
                warn(
                    codes::DUPLICATE,
                    server.address.span,
                    "this real server is here twice; the second is dropped",
                    compat,
                )
                .label(first.address.span, "first here"),
            );
        }
    }

    fn real(&self, server: &RealServer) -> String {
        let protocol =
            self.server.protocol.as_ref().map_or_else(|| "udp".to_owned(), |p| p.value.to_ascii_lowercase());
        let address: SocketAddr = server.address.value;
        format!("[{}]:{protocol}:{}", address.ip(), address.port())
    }

    fn quorum(&self, out: &mut Diagnostics) {
        let default = self.server.weight.map_or(1, |w| w.value);
        let total = self
            .server
            .real_servers
            .iter()
            .fold(0u32, |n, r| n.saturating_add(r.weight.map_or(default, |w| w.value)));
        let mut quorum = self.server.quorum.map_or(1, |q| q.value);
        let span = self.server.quorum.map_or(self.server.span, |q| q.span);
        if quorum > total {
            let compat = format!(
                "Warning - quorum {quorum} for {} exceeds total weight of real servers {total}, reducing quorum to {total}",
                self.label
            );
            let message = format!(
                "the real servers together weigh {total}, so the quorum {quorum} can never be reached"
            );
            out.push(warn(codes::CONFLICT, span, message, compat));
            quorum = total;
        }
        if let Some(hysteresis) = self.server.hysteresis
            && hysteresis.value >= quorum
        {
            let taken = quorum.saturating_sub(1);
            let compat = format!(
                "Virtual server {}: hysteresis {} >= quorum {quorum}; setting hysteresis to {taken}",
                self.label, hysteresis.value
            );
            out.push(warn(
                codes::CONFLICT,
                hysteresis.span,
                "`hysteresis` must be less than `quorum`",
                compat,
            ));
        }
    }

    /// What this program does not serve, and why.
    fn served(&self, out: &mut Diagnostics) {
        let server = self.server;
        let (span, why) = match &server.protocol {
            _ if listeners(server, self.config).is_empty() => {
                (server.span, "only addresses with a port can be listened on")
            }
            Some(protocol) if transport(server).is_none() => {
                (protocol.span, "TCP and UDP are relayed, SCTP is not")
            }
            _ => return self.large_ranges(out),
        };
        out.push(Diagnostic::warning(codes::NO_EFFECT, span, "this virtual server is not served").note(why));
    }

    fn large_ranges(&self, out: &mut Diagnostics) {
        if listeners(self.server, self.config).len() >= MAX_RANGE as usize {
            let message = "the range is too large; only its first addresses are served";
            out.push(
                Diagnostic::warning(codes::PARTIAL, self.server.span, message)
                    .note(format!("every address is listened on, at most {MAX_RANGE} of a range")),
            );
        }
    }

    fn checkers(&self, out: &mut Diagnostics) {
        for real in &self.server.real_servers {
            for check in &real.checks {
                let CheckKind::Http(http) = &check.kind else { continue };
                for url in &http.urls {
                    if let (Some(Err(why)), Some(word)) = (regex(url), &url.regex) {
                        let message = "this expression cannot be used; the body is not looked at";
                        out.push(Diagnostic::warning(codes::BAD_WORD, word.span, message).note(why));
                    }
                }
            }
        }
    }

    /// Only NAT can change the port on the way.
    fn ports(&self, out: &mut Diagnostics) {
        for server in &self.server.real_servers {
            let nat = server.method.or(self.server.method).is_none_or(|m| m.value == Forwarding::Nat);
            let port = server.address.value.port();
            if nat || port == 0 {
                continue;
            }
            let (label, real) = (&self.label, self.real(server));
            let compat = match &self.server.key.value {
                VirtualServerKey::Address(own) if own.port() != port => {
                    format!(
                        "WARNING - virtual server {label} and real server {real} ports don't match - resetting"
                    )
                }
                VirtualServerKey::Mark(_) => {
                    format!(
                        "WARNING - fwmark virtual server {label}, real server {real} has port specified - clearing"
                    )
                }
                VirtualServerKey::Group(_) if self.entries().iter().any(|e| !same_port(e, port)) => {
                    format!("virtual server {label} and real server {real} ports don't match")
                }
                _ => continue,
            };
            let message = "with DR and TUN a real server has the port of the virtual server";
            out.push(warn(codes::CONFLICT, server.address.span, message, compat));
        }
    }
}

fn same_port(entry: &GroupEntry, port: u16) -> bool {
    matches!(entry, GroupEntry::Addresses(_, _, p) if *p == port)
}
