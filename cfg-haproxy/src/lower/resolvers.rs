//! `resolvers` to [`Resolvers`], for rules that look names up.
//!
//! Defaults: three questions, a second apart; an address is good for ten seconds. A section called `default` is there in
//! any case, with the name servers of the system.

use super::Lowerer;
use lb_core::dns::{ResolverSpec, Resolvers, system_servers};
use std::sync::Arc;

/// Where the system names its name servers.
const SYSTEM: &str = "/etc/resolv.conf";

impl<'t> Lowerer<'_, 't, '_, '_> {
    /// The section called `name`.
    pub(super) fn resolvers(&mut self, name: &'t str) -> Option<Arc<Resolvers>> {
        if let Some(made) = self.resolvers.get(name) {
            return Some(Arc::clone(made));
        }
        let config = self.config;
        let section = config.resolvers.iter().find(|section| section.name.text == name);
        let mut spec = ResolverSpec::new(name);
        if section.map_or(name == "default", |section| section.system) {
            let text = self.context.read(SYSTEM).unwrap_or_default();
            spec.servers = system_servers(&String::from_utf8_lossy(&text));
        } else {
            section?;
        }
        if let Some(section) = section {
            for (_, address) in &section.servers {
                spec.servers.extend(self.endpoint(address, 53).inet());
            }
            spec.tries = section.retries.unwrap_or(spec.tries);
            spec.patience = section.timeouts.get("retry").copied().unwrap_or(spec.patience);
            spec.hold = section.hold.get("valid").copied().unwrap_or(spec.hold);
            let payload = section.payload.and_then(|size| u16::try_from(size).ok());
            spec.payload = payload.unwrap_or(spec.payload);
        }
        let made = Arc::new(Resolvers::new(spec));
        self.resolvers.insert(name, Arc::clone(&made));
        Some(made)
    }
}

#[cfg(test)]
mod tests {
    use crate::load::tests::load_text;
    use lb_core::rule::tcp::TcpAction;
    use std::time::Duration;

    fn load(rule: &str) -> crate::Loaded {
        let text = format!(
            "resolvers r\n nameserver a 192.0.2.1:5353\n nameserver b [2001:db8::1]:53\n resolve_retries 2\n \
             timeout retry 200ms\n hold valid 30s\n accepted_payload_size 1232\n\
             frontend f\n bind :80\n {rule}\n {rule}\n"
        );
        load_text(&text)
    }

    #[test]
    fn a_rule_asks_the_name_servers_of_its_section() {
        let loaded = load("tcp-request content do-resolve(txn.ip,r,ipv4) str(a.example)");
        let rules = loaded.spec.proxies[0].tcp_rules.request.rules();
        let (TcpAction::Resolve(one), TcpAction::Resolve(two)) = (&rules[0].action, &rules[1].action) else {
            panic!("{rules:?}");
        };
        assert!(std::sync::Arc::ptr_eq(&one.resolvers, &two.resolvers), "what one finds the other knows");
        let spec = one.resolvers.spec();
        assert_eq!(spec.servers, ["192.0.2.1:5353", "[2001:db8::1]:53"].map(|s| s.parse().unwrap()));
        assert_eq!((spec.tries, spec.patience), (2, Duration::from_millis(200)));
        assert_eq!((spec.hold, spec.payload), (Duration::from_secs(30), 1232));
    }

    #[test]
    fn the_default_section_is_always_there_and_others_are_not() {
        for (arguments, good) in
            [("txn.ip,default", true), ("txn.ip,other", false), ("txn.ip", false), ("txn.ip,r,ip", false)]
        {
            let loaded = load(&format!("tcp-request content do-resolve({arguments}) str(a.example)"));
            assert_eq!(!loaded.diagnostics.has_errors(), good, "{arguments}");
        }
    }
}
