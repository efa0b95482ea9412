//! Which server a session in TCP mode asks for.

use super::passage::Passage;
use crate::addr::Endpoint;
use crate::balance::{Algorithm, Key, ServerId};
use crate::engine::ProxyPlan;
use crate::expr::{Direction, Env, rdp_cookie};
use crate::pool::Request;
use crate::spec::TcpProxy;
use crate::stick::{Pending, Remembered};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// What a session asks its backend for.
pub(super) struct Choice {
    key: OwnedKey,
    direct: Option<ServerId>,
    class: i16,
    offset: i32,
    /// The client's address, for sources and headers.
    pub(super) source: Option<SocketAddr>,
    /// The address the client connected to.
    pub(super) destination: Option<SocketAddr>,
}

enum OwnedKey {
    None,
    Address(IpAddr),
    Bytes(Box<[u8]>),
}

/// Whether the choice of a server depends on what the client sent.
pub(super) fn looks_at_bytes(backend: &ProxyPlan) -> bool {
    let own = tcp_of(backend).is_some_and(|tcp| !tcp.servers.is_empty() || tcp.persist_rdp.is_some());
    own || !backend.spec.stick.is_empty()
        || matches!(backend.spec.pool.algorithm, Algorithm::Hash | Algorithm::RdpCookie { .. })
}

impl Choice {
    /// Evaluates everything that has a say: `use-server`, persistence by RDP cookie, `stick` rules, the algorithm's key.
    pub(super) fn new(
        backend: &ProxyPlan,
        env: &Env<'_>,
        passage: Option<&Passage>,
        pending: &mut Pending,
    ) -> Self {
        let by_rule = tcp_of(backend).and_then(|tcp| by_rule(tcp, backend, env));
        let by_cookie = || rdp_server(tcp_of(backend)?.persist_rdp.as_deref()?, backend, env);
        let direct = by_rule.or_else(by_cookie);
        let stuck =
            pending.on_request(&backend.spec.stick, backend.spec.name.as_str(), env, &mut |remembered| {
                remembered_server(backend, remembered)
            });
        Self {
            key: key(backend, env),
            direct: direct.or(stuck),
            class: passage.map_or(0, |passage| passage.class),
            offset: passage.map_or(0, |passage| passage.offset),
            source: env.facts.src(),
            destination: env.facts.dst(),
        }
    }

    /// The request for the pool.
    pub(super) fn request(&self) -> Request<'_> {
        let key = match &self.key {
            OwnedKey::None => Key::None,
            OwnedKey::Address(ip) => Key::Address(*ip),
            OwnedKey::Bytes(bytes) => Key::Bytes(bytes),
        };
        let mut request = Request::new().with_key(key).with_priority(self.class, self.offset);
        request.direct = self.direct;
        request
    }
}

fn tcp_of(backend: &ProxyPlan) -> Option<&TcpProxy> {
    backend.spec.protocol.as_any().downcast_ref()
}

fn key(backend: &ProxyPlan, env: &Env<'_>) -> OwnedKey {
    let bytes = |bytes: Option<&[u8]>| bytes.map_or(OwnedKey::None, |bytes| OwnedKey::Bytes(bytes.into()));
    match &backend.spec.pool.algorithm {
        Algorithm::Hash => {
            let program = tcp_of(backend).and_then(|tcp| tcp.hash_key.as_ref());
            bytes(program.and_then(|program| backend.spec.pool.hash_key(program.eval(env)?, env.arena)))
        }
        Algorithm::RdpCookie { name } => {
            let peek = env.facts.buffer(Direction::Request);
            let cookie = peek.and_then(|peek| rdp_cookie(peek.bytes, name));
            bytes(cookie.filter(|cookie| !cookie.is_empty()))
        }
        _ => env.facts.src().map_or(OwnedKey::None, |source| OwnedKey::Address(source.ip())),
    }
}

/// The first server that `use-server` names and that is up.
fn by_rule(tcp: &TcpProxy, backend: &ProxyPlan, env: &Env<'_>) -> Option<ServerId> {
    backend.chosen_server(&tcp.servers, env, |id| is_usable(backend, id))
}

fn is_usable(backend: &ProxyPlan, id: ServerId) -> bool {
    backend.pool.server(id).is_some_and(|cell| cell.accepts_persistent())
}

/// The server a stick table remembers, if it may be used.
pub fn remembered_server(backend: &ProxyPlan, remembered: &Remembered) -> Option<ServerId> {
    let by_key = remembered.key.as_deref().and_then(|key| match remembered.by_address {
        true => {
            let at = backend.servers.iter().position(|s| s.spec.addr.endpoint.to_string() == key)?;
            u32::try_from(at).ok().map(ServerId)
        }
        false => backend.pool.by_name(key),
    });
    let id = by_key.or_else(|| backend.pool.by_id(remembered.id))?;
    (backend.spec.pool.persist || is_usable(backend, id)).then_some(id)
}

/// The server whose address the cookie of a remote desktop client holds: the number of the address, the port, a reserved
/// field.
fn rdp_server(name: &str, backend: &ProxyPlan, env: &Env<'_>) -> Option<ServerId> {
    let bytes = env.facts.buffer(Direction::Request)?.bytes;
    let value = std::str::from_utf8(rdp_cookie(bytes, name)?).ok()?;
    let mut parts = value.split('.');
    let (ip, port) = (parts.next()?.parse::<u32>().ok()?, parts.next()?.parse::<u16>().ok()?);
    parts.next()?;
    // Both are written the way they lie in the memory of a little-endian machine.
    let wanted = SocketAddr::new(Ipv4Addr::from(ip.to_le_bytes()).into(), u16::from_be(port));
    let at = backend.servers.iter().position(|s| s.spec.addr.endpoint == Endpoint::Inet(wanted))?;
    let id = ServerId(u32::try_from(at).ok()?);
    (backend.spec.pool.persist || is_usable(backend, id)).then_some(id)
}
