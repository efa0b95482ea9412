//! Listeners on addresses that nobody brings up: neither the machine nor the virtual routers that move addresses around.

use crate::codes;
use crate::lower::Origins;
use lb_core::diag::{Diagnostic, Diagnostics};
use lb_core::spec::{ListenerSpec, Spec};
use std::collections::HashSet;
use std::net::IpAddr;

/// A warning for every address that a listener of `spec` names and for which `owned` answers no.
pub fn unowned(spec: &Spec, origins: &Origins, owned: impl Fn(IpAddr) -> bool) -> Diagnostics {
    let mut out = Diagnostics::new();
    let mut told = HashSet::new();
    for listener in spec.proxies.iter().filter(|p| !p.disabled).flat_map(|p| &p.listeners) {
        let Some(address) = named(listener).filter(|a| !owned(*a)) else { continue };
        let Some(span) = origins.span(listener.origin) else { continue };
        if !told.insert((span, address)) {
            continue;
        }
        out.push(
            Diagnostic::warning(codes::UNOWNED, span, format!("no node has the address `{address}`"))
                .compat(format!("'bind' : no node has the address '{address}'."))
                .note("it is neither an address of this machine nor one that a virtual router brings up")
                .note("add it to `virtual_ipaddress`, or listen on an address that exists"),
        );
    }
    out
}

/// The one address that a listener waits at, if it is to be found on an interface.
fn named(listener: &ListenerSpec) -> Option<IpAddr> {
    let address = listener.endpoint.inet()?.ip();
    (!address.is_unspecified() && !address.is_loopback() && !listener.transparent).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::tests::load_text;

    #[test]
    fn addresses_that_nobody_has_are_told_once() {
        let text = "defaults\n timeout client 1s\nfrontend f\n bind 192.0.2.1:80-82,:83,127.0.0.2:84\n \
                    bind 192.0.2.2:80\n bind 192.0.2.3:80 transparent\n";
        let loaded = load_text(text);
        let own: IpAddr = "192.0.2.2".parse().unwrap();
        let found = unowned(&loaded.spec, &loaded.origins, |a| a == own);
        let said: Vec<&str> = found.iter().map(|d| d.message.as_str()).collect();
        assert_eq!(said, ["no node has the address `192.0.2.1`"]);
    }
}
