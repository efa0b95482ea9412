//! The TLS layer of both connections (manual 7.3.4).

use crate::expr::def::{AclDef, FetchDef, FetchFn, Needs};
use crate::expr::pattern::Method;
use crate::expr::sample::{Sample, SampleType};
use crate::expr::{Env, Side, TlsFact};

const CLIENT: Needs = Needs::L5_CLIENT;
const SERVER: Needs = Needs::L5_SERVER;

/// Fetches on TLS properties.
pub(super) static FETCHES: &[FetchDef] = &[
    flag("ssl_fc", CLIENT, |env, _| Some(Sample::Bool(is(env, Side::Client, TlsFact::Active)))),
    flag("ssl_fc_has_crt", CLIENT, |env, _| {
        active(env, Side::Client)?;
        Some(Sample::Bool(is(env, Side::Client, TlsFact::PeerCertificateFresh)))
    }),
    flag("ssl_fc_has_sni", CLIENT, |env, _| {
        active(env, Side::Client)?;
        Some(Sample::Bool(env.facts.tls(Side::Client, TlsFact::Sni).is_some()))
    }),
    flag("ssl_fc_has_early", CLIENT, |env, _| {
        active(env, Side::Client)?;
        Some(Sample::Bool(is(env, Side::Client, TlsFact::EarlyData)))
    }),
    flag("ssl_fc_is_resumed", CLIENT, |env, _| Some(Sample::Bool(is(env, Side::Client, TlsFact::Resumed)))),
    text("ssl_fc_sni", CLIENT, |env, _| env.facts.tls(Side::Client, TlsFact::Sni)),
    text("ssl_fc_alpn", CLIENT, |env, _| env.facts.tls(Side::Client, TlsFact::Alpn)),
    text("ssl_fc_npn", CLIENT, |_, _| None),
    text("ssl_fc_protocol", CLIENT, |env, _| env.facts.tls(Side::Client, TlsFact::Protocol)),
    text("ssl_fc_cipher", CLIENT, |env, _| env.facts.tls(Side::Client, TlsFact::Cipher)),
    int("ssl_fc_alg_keysize", CLIENT, |env, _| env.facts.tls(Side::Client, TlsFact::KeySize)),
    int("ssl_fc_use_keysize", CLIENT, |env, _| env.facts.tls(Side::Client, TlsFact::KeySize)),
    bin("ssl_fc_session_id", CLIENT, |env, _| env.facts.tls(Side::Client, TlsFact::SessionId)),
    bin("ssl_fc_unique_id", CLIENT, |env, _| env.facts.tls(Side::Client, TlsFact::UniqueId)),
    bin("ssl_fc_client_random", CLIENT, |env, _| env.facts.tls(Side::Client, TlsFact::ClientRandom)),
    bin("ssl_fc_server_random", CLIENT, |env, _| env.facts.tls(Side::Client, TlsFact::ServerRandom)),
    int("ssl_fc_err", CLIENT, |env, _| env.facts.tls(Side::Client, TlsFact::Error)),
    text("ssl_fc_err_str", CLIENT, |env, _| env.facts.tls(Side::Client, TlsFact::ErrorText)),
    flag("ssl_bc", SERVER, |env, _| Some(Sample::Bool(is(env, Side::Server, TlsFact::Active)))),
    flag("ssl_bc_is_resumed", SERVER, |env, _| Some(Sample::Bool(is(env, Side::Server, TlsFact::Resumed)))),
    text("ssl_bc_sni", SERVER, |env, _| env.facts.tls(Side::Server, TlsFact::Sni)),
    text("ssl_bc_alpn", SERVER, |env, _| env.facts.tls(Side::Server, TlsFact::Alpn)),
    text("ssl_bc_npn", SERVER, |_, _| None),
    text("ssl_bc_protocol", SERVER, |env, _| env.facts.tls(Side::Server, TlsFact::Protocol)),
    text("ssl_bc_cipher", SERVER, |env, _| env.facts.tls(Side::Server, TlsFact::Cipher)),
    int("ssl_bc_alg_keysize", SERVER, |env, _| env.facts.tls(Side::Server, TlsFact::KeySize)),
    int("ssl_bc_use_keysize", SERVER, |env, _| env.facts.tls(Side::Server, TlsFact::KeySize)),
    bin("ssl_bc_session_id", SERVER, |env, _| env.facts.tls(Side::Server, TlsFact::SessionId)),
    bin("ssl_bc_unique_id", SERVER, |env, _| env.facts.tls(Side::Server, TlsFact::UniqueId)),
    bin("ssl_bc_client_random", SERVER, |env, _| env.facts.tls(Side::Server, TlsFact::ClientRandom)),
    bin("ssl_bc_server_random", SERVER, |env, _| env.facts.tls(Side::Server, TlsFact::ServerRandom)),
    int("ssl_bc_err", SERVER, |env, _| env.facts.tls(Side::Server, TlsFact::Error)),
    text("ssl_bc_err_str", SERVER, |env, _| env.facts.tls(Side::Server, TlsFact::ErrorText)),
    flag("ssl_c_used", CLIENT, |env, _| {
        active(env, Side::Client)?;
        Some(Sample::Bool(env.facts.tls(Side::Client, TlsFact::PeerCertificate).is_some()))
    }),
    int("ssl_c_verify", CLIENT, |env, _| verify_result(env)),
    int("ssl_c_err", CLIENT, |env, _| verify_result(env)),
    int("ssl_c_ca_err", CLIENT, |env, _| {
        active(env, Side::Client)?;
        Some(Sample::Int(0))
    }),
    int("ssl_c_ca_err_depth", CLIENT, |env, _| {
        active(env, Side::Client)?;
        Some(Sample::Int(0))
    }),
];

/// ACL keywords on TLS properties.
pub(super) static ACLS: &[AclDef] = &[
    AclDef::new("ssl_fc_sni_end", "ssl_fc_sni", Method::End),
    AclDef::new("ssl_fc_sni_reg", "ssl_fc_sni", Method::Reg),
];

const fn flag(name: &'static str, needs: Needs, eval: FetchFn) -> FetchDef {
    FetchDef::new(name, SampleType::Bool, needs, eval)
}

const fn int(name: &'static str, needs: Needs, eval: FetchFn) -> FetchDef {
    FetchDef::new(name, SampleType::Int, needs, eval)
}

const fn text(name: &'static str, needs: Needs, eval: FetchFn) -> FetchDef {
    FetchDef::new(name, SampleType::Str, needs, eval)
}

const fn bin(name: &'static str, needs: Needs, eval: FetchFn) -> FetchDef {
    FetchDef::new(name, SampleType::Bin, needs, eval)
}

fn is(env: &Env<'_>, side: Side, fact: TlsFact) -> bool {
    env.facts.tls(side, fact).and_then(|sample| sample.to_bool()) == Some(true)
}

fn active(env: &Env<'_>, side: Side) -> Option<()> {
    is(env, side, TlsFact::Active).then_some(())
}

fn verify_result<'a>(env: &Env<'a>) -> Option<Sample<'a>> {
    active(env, Side::Client)?;
    env.facts.tls(Side::Client, TlsFact::VerifyResult).or(Some(Sample::Int(0)))
}
