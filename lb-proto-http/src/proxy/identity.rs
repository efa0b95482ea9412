//! What makes a connection to a server different from others to the same server: idle ones are taken only when they are
//! alike.
//!
//! The address may follow the client's, a PROXY header tells of one client, a name in the TLS handshake chooses what the
//! server shows, packets may bear marks (manual: `sni`, `pool-conn-name`, `send-proxy`, `source ... usesrc`,
//! `set-bc-mark`).

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Arc, OnceLock};

use lb_core::engine::{ProxyPlan, ServerPlan};
use lb_core::expr::{Env, Facts, Program};
use lb_core::proxyproto;
use lb_core::rt::server_endpoint;
use lb_core::spec::{ServerSpec, SourceAddr};

use super::txn::Live;
use crate::rule::Session;

/// What a request wants of its server connection.
#[derive(Debug, Default)]
pub(super) struct Identity {
    /// Connections with the same key are alike; 0 unless something distinguishes them.
    pub(super) key: u64,
    /// The name to announce.
    pub(super) sni: Option<String>,
    /// Fields of the PROXY header.
    pub(super) fields: Vec<(u8, Vec<u8>)>,
}

/// The identity of a connection to the chosen server.
pub(super) fn of(live: &mut Live<'_>, backend: &ProxyPlan) -> Identity {
    match &live.txn.server {
        Some(server) if is_special(live, server) => {
            let server = Arc::clone(server);
            special(live, backend, &server)
        }
        _ => Identity::default(),
    }
}

/// Whether the address follows something of the request.
fn moves(spec: &ServerSpec) -> bool {
    spec.addr.port_offset.is_some()
        || spec.addr.endpoint.inet().is_some_and(|addr| addr.ip().is_unspecified())
}

/// Whether connections to the server may be unlike.
fn is_special(live: &Live<'_>, server: &ServerPlan) -> bool {
    let spec = &server.spec;
    moves(spec)
        || matches!(spec.source.as_deref(), Some(SourceAddr::Client))
        || !live.client.marks().is_none()
        || spec.send_proxy.is_some()
        || spec.sni.is_some()
        || spec.pool_name.is_some()
}

fn special(live: &mut Live<'_>, backend: &ProxyPlan, server: &ServerPlan) -> Identity {
    let spec = &server.spec;
    let follows = matches!(spec.source.as_deref(), Some(SourceAddr::Client));
    let marks = live.client.marks();
    let sni = spec.sni.as_ref().and_then(|program| text(live, program));
    let name = spec.pool_name.as_ref().and_then(|program| text(live, program));
    let fields = fields(live, server);
    let mut hasher = keys().build_hasher();
    name.as_ref().or(sni.as_ref()).hash(&mut hasher);
    if moves(spec) {
        let id = live.txn.upstream.cell.as_ref().and_then(|cell| cell.id());
        server_endpoint(backend, server, id, live.dst()).hash(&mut hasher);
    }
    marks.hash(&mut hasher);
    if follows {
        live.src().hash(&mut hasher);
    }
    if spec.send_proxy.is_some() {
        (live.src(), live.dst(), &fields).hash(&mut hasher);
    }
    // 0 is for connections like any other.
    Identity { key: hasher.finish().max(1), sni, fields }
}

/// Values come from clients: nobody outside may know how to make two of them meet.
fn keys() -> &'static RandomState {
    static KEYS: OnceLock<RandomState> = OnceLock::new();
    KEYS.get_or_init(RandomState::new)
}

fn text(live: &mut Live<'_>, program: &Program) -> Option<String> {
    let value = {
        let env = Env::new(live.facts(), live.vars(), live.arena());
        program.eval_str(&env).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    live.reset_arena();
    value.filter(|text| !text.is_empty())
}

/// Additional fields of the PROXY header.
fn fields(live: &mut Live<'_>, server: &ServerPlan) -> Vec<(u8, Vec<u8>)> {
    let Some(version) = server.spec.send_proxy else { return Vec::new() };
    let fields = {
        let env = Env::new(live.facts(), live.vars(), live.arena());
        proxyproto::fields::collect(&server.spec.proxy_fields, version, &env)
    };
    live.reset_arena();
    fields
}
