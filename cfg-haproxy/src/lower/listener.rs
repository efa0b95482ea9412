//! `bind` lines to [`ListenerSpec`]s: one for each address and port.

use super::Lowerer;
use super::proxy::Making;
use crate::address::{Address, Place, Ports};
use crate::config::{Bind, FrontendCertificate, ProxyMode};
use lb_core::addr::Endpoint;
use lb_core::spec::{Family, ListenerSpec, UnixPermissions};
use std::sync::Arc;

impl<'t> Lowerer<'_, 't, '_, '_> {
    /// The listeners of `bind`, with certificates of its frontend; those that speak HTTP offer all versions of it over TLS.
    pub(super) fn listeners(
        &mut self,
        bind: &Bind<'t>,
        own: &[FrontendCertificate<'t>],
        http: bool,
    ) -> Vec<ListenerSpec> {
        let tls = bind.options.ssl.map(|_| Arc::new(self.server_tls(&bind.options, own, http)));
        let origin = self.origin(bind.span);
        let mut out = Vec::new();
        for address in &bind.addresses {
            for endpoint in self.listen_endpoints(address) {
                let mut listener = ListenerSpec::new(endpoint);
                let o = &bind.options;
                listener.family = match (o.v6only, o.v4v6) {
                    (true, _) => Family::V6Only,
                    (_, true) => Family::Both,
                    _ => Family::Any,
                };
                listener.name = o.name.map(Arc::from);
                listener.id = o.id;
                listener.tls.clone_from(&tls);
                listener.accept_proxy = o.accept_proxy;
                listener.maxconn = o.maxconn.filter(|n| *n > 0);
                listener.backlog = o.backlog.filter(|n| *n > 0);
                listener.interface = o.interface.map(Arc::from);
                listener.transparent = o.transparent;
                listener.tfo = o.tfo;
                listener.defer_accept = o.defer_accept;
                listener.mss = o.mss;
                listener.proto = o.proto.map(Arc::from);
                listener.unix = permissions(bind, &self.config.global.unix_bind);
                listener.origin = origin;
                out.push(listener);
            }
        }
        out
    }

    /// The listeners of a proxy.
    pub(super) fn proxy_listeners(&mut self, making: &Making<'_, 't>) -> Vec<ListenerSpec> {
        let (binds, own) = (&making.proxy.binds, &making.proxy.lists.frontend_certificates);
        let http = making.mode == ProxyMode::Http;
        let mut all: Vec<_> = binds.iter().flat_map(|bind| self.listeners(bind, own, http)).collect();
        let said = making.settings.switches.get("tcp-smart-accept").and_then(|switch| switch.value);
        for listener in &mut all {
            // Who speaks HTTP or TLS answers what was sent; of others that is known only if it is said.
            listener.delay_ack = said.unwrap_or_else(|| http || listener.tls.is_some());
        }
        all
    }

    fn listen_endpoints(&mut self, address: &Address<'t>) -> Vec<Endpoint> {
        // Relative paths of unix sockets start from the prefix of `unix-bind`.
        if let (Place::Unix(path), Some(prefix)) = (address.place, self.config.global.unix_bind.prefix) {
            let path = if path.starts_with('/') {
                format!("{}{path}", prefix.text)
            } else {
                format!("{}/{path}", prefix.text)
            };
            return vec![Endpoint::Unix(Arc::from(path))];
        }
        let endpoint = self.endpoint(address, 0);
        match address.ports {
            Ports::Range(low, high) => (low..=high).map(|port| endpoint.with_port(port)).collect(),
            _ => vec![endpoint],
        }
    }
}

fn permissions(bind: &Bind<'_>, default: &crate::config::UnixBind<'_>) -> UnixPermissions {
    let own = &bind.options.unix;
    let mut unix = UnixPermissions::default();
    unix.mode = own.mode.or(default.mode);
    unix.user = own.user.or(default.user).map(|w| Arc::from(w.text));
    unix.group = own.group.or(default.group).map(|w| Arc::from(w.text));
    unix.uid = own.uid.or(default.uid);
    unix.gid = own.gid.or(default.gid);
    unix
}

#[cfg(test)]
mod tests {
    use crate::load::tests::load_text;

    #[test]
    fn acknowledgements_are_delayed_where_an_answer_is_expected_or_it_is_said() {
        let delays = |lines: &str| {
            let text = format!("frontend f\n bind :80\n{lines}\n");
            let loaded = load_text(&text);
            loaded.spec.proxies[0].listeners[0].delay_ack
        };
        assert!(delays(" mode http"));
        assert!(!delays(" mode http\n no option tcp-smart-accept"));
        assert!(delays(" mode http\n no option tcp-smart-accept\n default option tcp-smart-accept"));
        assert!(!delays(" mode tcp"));
        assert!(!delays(" mode tcp\n option tcp-smart-accept\n default option tcp-smart-accept"));
        assert!(delays(" mode tcp\n option tcp-smart-accept"));
    }
}
