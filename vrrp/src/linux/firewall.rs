//! Drops traffic to virtual addresses a master does not own and shall not accept (RFC 9568 §6.1, Accept_Mode false).
//!
//! The rules live in a table of their own, which exists only while an address is blocked, and are written with the
//! `nft` program: no maintained crate encodes nf_tables messages, and an encoder of our own would outweigh all the other
//! netlink code here. Neighbour discovery stays open, as the RFC demands.

use std::collections::BTreeSet;
use std::io::{self, Read as _, Write as _};
use std::net::IpAddr;
use std::process::{Command, Stdio};

use crate::spec::FirewallRules;

/// The blocked addresses and how that is done.
#[derive(Default)]
pub(super) struct Firewall {
    rules: FirewallRules,
    blocked: BTreeSet<IpAddr>,
}

impl Firewall {
    /// Changes table, priority and counters. What is blocked stays blocked all the time.
    pub(super) fn configure(&mut self, rules: FirewallRules) -> io::Result<()> {
        if let Some(script) = self.change(&rules) {
            run(&script)?;
        }
        self.rules = rules;
        Ok(())
    }

    fn change(&self, rules: &FirewallRules) -> Option<String> {
        if *rules == self.rules || self.blocked.is_empty() {
            return None;
        }
        let mut script = format!("delete table inet {}\n{}", self.rules.table, table(rules));
        self.blocked.iter().for_each(|address| script += &element(rules, "add", *address));
        Some(script)
    }

    /// Blocks an address or opens it again. What is so already is no error.
    pub(super) fn set(&mut self, address: IpAddr, block: bool) -> io::Result<()> {
        let Some(script) = self.script(address, block) else { return Ok(()) };
        run(&script)?;
        if block {
            self.blocked.insert(address);
        } else {
            self.blocked.remove(&address);
        }
        Ok(())
    }

    fn script(&self, address: IpAddr, block: bool) -> Option<String> {
        match (block, self.blocked.contains(&address)) {
            (true, true) | (false, false) => None,
            (true, false) if self.blocked.is_empty() => {
                Some(table(&self.rules) + &element(&self.rules, "add", address))
            }
            (true, false) => Some(element(&self.rules, "add", address)),
            (false, true) if self.blocked.len() == 1 => {
                Some(format!("delete table inet {}\n", self.rules.table))
            }
            (false, true) => Some(element(&self.rules, "delete", address)),
        }
    }
}

/// A table that blocks nothing. Deleting one that does not exist is an error, adding one that exists is not.
fn table(FirewallRules { table, priority, counters }: &FirewallRules) -> String {
    let counter = if *counters { "counter " } else { "" };
    format!(
        "add table inet {table}
delete table inet {table}
table inet {table} {{
    set v4 {{ type ipv4_addr; }}
    set v6 {{ type ipv6_addr; }}
    chain input {{
        type filter hook input priority {priority}; policy accept;
        ip daddr @v4 {counter}drop
        icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept
        ip6 daddr @v6 {counter}drop
    }}
    chain output {{
        type filter hook output priority {priority}; policy accept;
        ip saddr @v4 {counter}drop
        icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept
        ip6 saddr @v6 {counter}drop
    }}
}}
"
    )
}

fn element(rules: &FirewallRules, verb: &str, address: IpAddr) -> String {
    let set = if address.is_ipv4() { "v4" } else { "v6" };
    format!("{verb} element inet {} {set} {{ {address} }}\n", rules.table)
}

/// Has `nft` carry out a script, all or nothing.
fn run(script: &str) -> io::Result<()> {
    let mut command = Command::new("nft");
    command.args(["-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| {
        io::Error::new(error.kind(), format!("the program nft cannot be started ({error})"))
    })?;
    if let Some(mut input) = child.stdin.take() {
        // If it does not read, it says why.
        let _ = input.write_all(script.as_bytes());
    }
    let mut said = String::new();
    if let Some(mut errors) = child.stderr.take() {
        let _ = errors.read_to_string(&mut said);
    }
    if child.wait()?.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("nft says: {}", said.lines().next().unwrap_or("nothing"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_lives_as_long_as_an_address_is_blocked() {
        let [a, b] = ["10.0.0.1", "2001:db8::1"].map(|text| text.parse::<IpAddr>().unwrap());
        let mut firewall = Firewall::default();
        assert_eq!(firewall.script(a, false), None);
        let first = firewall.script(a, true).unwrap();
        assert!(
            first.starts_with(&table(&FirewallRules::default()))
                && first.ends_with("add element inet vrrp v4 { 10.0.0.1 }\n")
        );
        firewall.blocked.insert(a);
        assert_eq!(firewall.script(a, true), None);
        assert_eq!(firewall.script(b, true).unwrap(), "add element inet vrrp v6 { 2001:db8::1 }\n");
        firewall.blocked.insert(b);
        assert_eq!(firewall.script(b, false).unwrap(), "delete element inet vrrp v6 { 2001:db8::1 }\n");
        firewall.blocked.remove(&b);
        assert_eq!(firewall.script(a, false).unwrap(), "delete table inet vrrp\n");
    }

    #[test]
    fn a_new_table_takes_the_place_of_the_old_one_at_once() {
        let mut firewall = Firewall::default();
        let rules = FirewallRules { table: "edge".to_owned(), priority: 10, counters: true };
        assert_eq!(firewall.change(&rules), None, "nothing is blocked");
        firewall.blocked.insert([10, 0, 0, 1].into());
        assert_eq!(firewall.change(&FirewallRules::default()), None, "nothing changes");
        let script = firewall.change(&rules).unwrap();
        assert!(script.starts_with("delete table inet vrrp\nadd table inet edge\n"), "{script}");
        assert!(script.contains("hook output priority 10;") && script.contains("ip daddr @v4 counter drop"));
        assert!(script.ends_with("add element inet edge v4 { 10.0.0.1 }\n"), "{script}");
    }
}
