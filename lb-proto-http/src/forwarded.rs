//! The `Forwarded` field (`option forwarded`; RFC 7239).

use std::net::{IpAddr, SocketAddr};

use lb_core::expr::{Env, Program, Sample};

/// What `option forwarded` puts into the field; the parts come in this order.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Forwarded {
    /// The protocol the client speaks.
    pub proto: bool,
    /// The host the client asked for.
    pub host: Option<Source>,
    /// The address the client connected to.
    pub by: Option<Source>,
    /// Its port.
    pub by_port: Option<Source>,
    /// The client's address.
    pub client: Option<Source>,
    /// Its port.
    pub client_port: Option<Source>,
}

/// Where a part comes from.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "the two forms of the configuration")]
pub enum Source {
    /// The connection or the request itself.
    Own,
    /// An expression.
    Expression(Program),
}

/// What is known of a request.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "plain facts")]
pub struct Facts<'a> {
    /// The client speaks TLS.
    pub tls: bool,
    /// The `Host` field.
    pub host: Option<&'a [u8]>,
    /// The client's address.
    pub client: Option<SocketAddr>,
    /// The address the client connected to.
    pub local: Option<SocketAddr>,
}

impl Forwarded {
    /// Appends the value of the field; nothing when nothing is known.
    pub fn write(&self, facts: &Facts<'_>, env: &Env<'_>, out: &mut Vec<u8>) {
        if self.proto {
            part(out, b"proto=", if facts.tls { b"https" } else { b"http" });
        }
        let host = match &self.host {
            None => None,
            Some(Source::Own) => facts.host.map(<[u8]>::to_vec),
            Some(Source::Expression(program)) => program.eval_str(env).map(<[u8]>::to_vec),
        };
        if let Some(host) = host {
            part(out, b"host=", &quoted(&host));
        }
        for (name, node, port, addr) in [
            (&b"by="[..], &self.by, &self.by_port, facts.local),
            (&b"for="[..], &self.client, &self.client_port, facts.client),
        ] {
            let Some(source) = node else { continue };
            let port = port.as_ref().and_then(|source| port_text(source, addr, env));
            part(out, name, &node_text(source, addr, port, env));
        }
    }
}

fn part(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    if !out.is_empty() {
        out.push(b';');
    }
    out.extend_from_slice(name);
    out.extend_from_slice(value);
}

fn quoted(text: &[u8]) -> Vec<u8> {
    let mut out = vec![b'"'];
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
    out
}

/// A node: quoted when it has more than a token may have.
fn node_text(source: &Source, addr: Option<SocketAddr>, port: Option<String>, env: &Env<'_>) -> Vec<u8> {
    let ip = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => (ip.to_string(), false),
        IpAddr::V6(ip) => (format!("[{ip}]"), true),
    };
    let (name, special) = match source {
        Source::Own => addr.map_or_else(|| ("unknown".to_owned(), false), |addr| ip(addr.ip())),
        Source::Expression(program) => match program.eval(env) {
            Some(Sample::Ipv4(addr)) => ip(addr.into()),
            Some(Sample::Ipv6(addr)) => ip(addr.into()),
            Some(sample) => match sample.bytes().and_then(|text| std::str::from_utf8(text).ok()) {
                Some(text) => match text.parse::<IpAddr>() {
                    Ok(addr) => ip(addr),
                    Err(_) => (obfuscated(text), false),
                },
                None => ("unknown".to_owned(), false),
            },
            None => ("unknown".to_owned(), false),
        },
    };
    let text = match &port {
        Some(port) => format!("{name}:{port}"),
        None => name,
    };
    if special || port.is_some() { quoted(text.as_bytes()) } else { text.into_bytes() }
}

fn port_text(source: &Source, addr: Option<SocketAddr>, env: &Env<'_>) -> Option<String> {
    match source {
        Source::Own => addr.map(|addr| addr.port().to_string()),
        Source::Expression(program) => match program.eval(env)? {
            Sample::Int(port) => u16::try_from(port).ok().map(|port| port.to_string()),
            sample => {
                let text = std::str::from_utf8(sample.bytes()?).ok()?;
                Some(text.parse::<u16>().map_or_else(|_| obfuscated(text), |port| port.to_string()))
            }
        },
    }
}

/// A name that hides something (RFC 7239 §6.3); what cannot be one is unknown.
fn obfuscated(text: &str) -> String {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if text.is_empty() || text == "unknown" || !text.bytes().all(allowed) {
        return "unknown".to_owned();
    }
    if text.starts_with('_') { text.to_owned() } else { format!("_{text}") }
}
