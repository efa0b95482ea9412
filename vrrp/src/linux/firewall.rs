//! Drops traffic to virtual addresses a master does not own and shall not accept (RFC 9568 §6.1, Accept_Mode false).
//!
//! The rules live in a table of their own, which exists only while an address is blocked, and are written with the
//! `nft` program: no maintained crate encodes nf_tables messages, and an encoder of our own would outweigh all the other
//! netlink code here. Neighbour discovery stays open, as the RFC demands.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::net::IpAddr;
use std::process::{Command, Stdio};

/// The skeleton: deleting a table that does not exist is an error, adding one that exists is not.
const TABLE: &str = "\
add table inet vrrp
delete table inet vrrp
table inet vrrp {
    set v4 { type ipv4_addr; }
    set v6 { type ipv6_addr; }
    chain input {
        type filter hook input priority -1; policy accept;
        ip daddr @v4 drop
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
        ip6 daddr @v6 drop
    }
    chain output {
        type filter hook output priority -1; policy accept;
        ip saddr @v4 drop
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
        ip6 saddr @v6 drop
    }
}
";

/// The blocked addresses.
#[derive(Default)]
pub(super) struct Firewall {
    blocked: BTreeSet<IpAddr>,
}

impl Firewall {
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
        let set = if address.is_ipv4() { "v4" } else { "v6" };
        match (block, self.blocked.contains(&address)) {
            (true, true) | (false, false) => None,
            (true, false) => {
                let mut script = if self.blocked.is_empty() { TABLE.to_owned() } else { String::new() };
                let written = writeln!(script, "add element inet vrrp {set} {{ {address} }}");
                written.ok().map(|()| script)
            }
            (false, true) if self.blocked.len() == 1 => Some("delete table inet vrrp\n".to_owned()),
            (false, true) => Some(format!("delete element inet vrrp {set} {{ {address} }}\n")),
        }
    }
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
        assert!(first.starts_with(TABLE) && first.ends_with("add element inet vrrp v4 { 10.0.0.1 }\n"));
        firewall.blocked.insert(a);
        assert_eq!(firewall.script(a, true), None);
        assert_eq!(firewall.script(b, true).unwrap(), "add element inet vrrp v6 { 2001:db8::1 }\n");
        firewall.blocked.insert(b);
        assert_eq!(firewall.script(b, false).unwrap(), "delete element inet vrrp v6 { 2001:db8::1 }\n");
        firewall.blocked.remove(&b);
        assert_eq!(firewall.script(a, false).unwrap(), "delete table inet vrrp\n");
    }
}
