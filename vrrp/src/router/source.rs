//! Source addresses of adverts.

use std::net::IpAddr;

use super::Router;
use crate::spec::Instance;
use crate::track::Fault;

impl Router {
    /// Chooses the source address of every instance anew.
    pub(super) fn choose_sources(&mut self) {
        for at in 0..self.instances.len() {
            let source = self.source(&self.instances[at].core.spec);
            let core = &mut self.instances[at].core;
            // A master whose last address went away still says goodbye with it.
            core.source = source.or(core.source);
        }
    }

    /// What is wrong with the source address of an instance.
    pub(super) fn source_fault(&self, at: usize) -> Option<Fault> {
        let spec = &self.instances[at].core.spec;
        if let crate::spec::Transport::Unicast { peers, fault_without_peer: true, .. } = &spec.transport
            && peers.is_empty()
        {
            return Some(Fault::NoPeer);
        }
        match spec.source {
            Some(source) if spec.track_source && !self.links.has_address_anywhere(source) => {
                Some(Fault::SourceGone)
            }
            Some(_) => None,
            None => self.source(spec).is_none().then_some(Fault::NoSource { ipv6: spec.ipv6 }),
        }
    }

    /// The configured address, or the first one of the interface that is not virtual. Multicast over IPv6 must come
    /// from a link-local address (RFC 9568 §5.1.2.1).
    fn source(&self, spec: &Instance) -> Option<IpAddr> {
        if spec.source.is_some() {
            return spec.source;
        }
        let interface = spec.interface.as_ref()?;
        let mut own = self
            .links
            .addresses(interface)
            .map(|prefix| prefix.address)
            .filter(|address| address.is_ipv6() == spec.ipv6 && !self.is_virtual(*address));
        if !spec.ipv6 {
            return own.next();
        }
        let candidates: Vec<IpAddr> = own.collect();
        let wants_local = match &spec.transport {
            crate::spec::Transport::Multicast { .. } => true,
            transport => transport.peers().first().is_some_and(|peer| is_link_local(peer.address)),
        };
        candidates.into_iter().find(|address| is_link_local(*address) == wants_local)
    }
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.segments()[0] & 0xffc0 == 0xfe80)
}
