//! `resolvers` to [`Resolvers`], for rules that look names up and for names of servers.
//!
//! Defaults: three questions, a second apart; an address is good for ten seconds; names of servers are asked for every
//! second, and a failure is borne for half a minute. A section called `default` is there in
//! any case, with the name servers of the system.

use super::Lowerer;
use lb_core::dns::{NameServer, ResolverSpec, Resolvers, system_servers};
use std::sync::Arc;
use std::time::Duration;

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
            for (name, address) in &section.servers {
                let addr = self.endpoint(address, 53).inet();
                spec.servers.extend(addr.map(|addr| NameServer { name: name.text.to_owned(), addr }));
            }
            spec.tries = section.retries.unwrap_or(spec.tries);
            set(&mut spec.patience, section.timeouts.get("retry"));
            set(&mut spec.interval, section.timeouts.get("resolve"));
            set(&mut spec.hold, section.hold.get("valid"));
            set(&mut spec.obsolete, section.hold.get("obsolete"));
            let tolerance = &mut spec.tolerance;
            set(&mut tolerance.no_name, section.hold.get("nx"));
            set(&mut tolerance.refused, section.hold.get("refused"));
            set(&mut tolerance.silence, section.hold.get("timeout"));
            set(&mut tolerance.other, section.hold.get("other"));
            let payload = section.payload.and_then(|size| u16::try_from(size).ok());
            spec.payload = payload.unwrap_or(spec.payload);
        }
        let made = Arc::new(Resolvers::new(spec));
        self.resolvers.insert(name, Arc::clone(&made));
        Some(made)
    }
}

fn set(time: &mut Duration, configured: Option<&Duration>) {
    *time = configured.copied().unwrap_or(*time);
}

#[cfg(test)]
mod tests {
    use crate::load::tests::load_text;
    use lb_core::addr::Network;
    use lb_core::dns::{Choice, Family, NameServer, Tolerance};
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
        let server =
            |name: &str, addr: &str| NameServer { name: name.to_owned(), addr: addr.parse().unwrap() };
        assert_eq!(spec.servers, [server("a", "192.0.2.1:5353"), server("b", "[2001:db8::1]:53")]);
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

    #[test]
    fn a_server_says_who_is_asked_for_its_name_and_what_it_takes() {
        let loaded = load_text(
            "resolvers r\n nameserver a 192.0.2.1:53\n timeout resolve 3s\n hold nx 4s\n hold refused 5s\n \
             hold timeout 6s\n hold other 7s\n hold obsolete 8s\nbackend b\n \
             server s a.example:80 init-addr none resolvers r resolve-prefer ipv4 resolve-net 10.0.0.0/8,fe80::/10 \
             resolve-opts allow-dup-ip\n server t b.example:81 init-addr 192.0.2.9 resolvers r\n \
             server u 192.0.2.7:82 resolvers r\n",
        );
        assert!(!loaded.diagnostics.has_errors(), "{:?}", loaded.diagnostics);
        let servers = &loaded.spec.proxies[0].pool.servers;
        let resolution = |at: usize| servers[at].resolution.clone().unwrap();
        let seconds = |at: usize| Duration::from_secs([3, 4, 5, 6, 7, 8][at]);
        let spec = resolution(0).resolvers.spec().clone();
        assert_eq!((spec.interval, spec.obsolete), (seconds(0), seconds(5)));
        let tolerance =
            Tolerance { no_name: seconds(1), refused: seconds(2), silence: seconds(3), other: seconds(4) };
        assert_eq!(spec.tolerance, tolerance);
        let networks = [("10.0.0.0", 8), ("fe80::", 10)];
        let networks = networks.map(|(addr, bits)| Network { addr: addr.parse().unwrap(), bits }).to_vec();
        let choice = Choice { prefer: Family::V4, networks, duplicates: true };
        assert_eq!(resolution(0).choice, choice);
        let usual = Choice { prefer: Family::V6, networks: Vec::new(), duplicates: false };
        assert_eq!(resolution(1).choice, usual);
        let names: Vec<_> = servers.iter().map(|server| server.hostname.as_deref()).collect();
        assert_eq!(names, [Some("a.example"), Some("b.example"), None]);
    }

    #[test]
    fn what_servers_cannot_take_is_refused() {
        for (words, good) in [
            ("resolve-net 10.0.0.0/8,::/0,1.2.3.4/255.0.0.0", true),
            ("resolve-net 10.0.0.0/33", false),
            ("resolve-net 10.0.0.0/8,,::/0", false),
            ("resolve-net ::/255.0.0.0", false),
            ("resolve-net ::/1,::/2,::/3,::/4,::/5", true),
            ("resolve-net ::/1,::/2,::/3,::/4,::/5,::/6", false),
            ("resolve-opts allow-dup-ip,ignore-weight,prevent-dup-ip", true),
            ("resolve-opts x", false),
        ] {
            let text = format!("resolvers r\nbackend b\n server s 192.0.2.1:80 resolvers r {words}\n");
            assert_eq!(!load_text(&text).diagnostics.has_errors(), good, "{words}");
        }
    }
}
