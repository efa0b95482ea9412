//! The additional fields of the headers that are sent to servers.

use super::tlv;
use crate::expr::{Env, Sample, Side, StreamFact, TlsFact, common_name};
use crate::spec::{ProxyFields, ProxyHeaderVersion};

/// The client speaks TLS.
const CLIENT_SSL: u8 = 1;
/// It presented a certificate on this connection.
const CLIENT_CERT_CONNECTION: u8 = 2;
/// It presented a certificate in this session, maybe on an earlier connection.
const CLIENT_CERT_SESSION: u8 = 4;

/// The fields of a header in the order they are sent, for [`write_v2`](super::write_v2).
pub fn collect(spec: &ProxyFields, version: ProxyHeaderVersion, env: &Env<'_>) -> Vec<(u8, Vec<u8>)> {
    let mut out = Vec::new();
    if version == ProxyHeaderVersion::V1 {
        return out;
    }
    for (kind, format) in &spec.custom {
        let mut text = Vec::new();
        format.write(env, &mut text);
        out.push((*kind, text));
    }
    if spec.checksum {
        out.push((tlv::CRC32C, vec![0; 4]));
    }
    let tls = |fact| env.facts.tls(Side::Client, fact);
    let mut push = |kind, value: Option<Sample<'_>>| {
        if let Some(bytes) = value.as_ref().and_then(Sample::bytes) {
            out.push((kind, bytes.to_vec()));
        }
    };
    push(tlv::ALPN, tls(TlsFact::Alpn));
    if spec.authority {
        push(tlv::AUTHORITY, env.facts.stream(StreamFact::ProxyAuthority).or_else(|| tls(TlsFact::Sni)));
    }
    if spec.unique_id {
        push(tlv::UNIQUE_ID, env.facts.unique_id().map(Sample::Bin));
    }
    let with_name = spec.common_name || version == ProxyHeaderVersion::V2SslCn;
    if spec.tls || with_name || version == ProxyHeaderVersion::V2Ssl {
        out.push((tlv::SSL, about_tls(spec, with_name, env)));
    }
    out
}

/// What is told of the client's TLS: flags, result of the verification, further fields.
fn about_tls(spec: &ProxyFields, with_name: bool, env: &Env<'_>) -> Vec<u8> {
    let tls = |fact| env.facts.tls(Side::Client, fact);
    let holds = |fact| tls(fact).and_then(|sample| sample.to_bool()) == Some(true);
    let mut out = vec![0; 5];
    if !holds(TlsFact::Active) {
        return out;
    }
    out[0] = CLIENT_SSL;
    let certificate = tls(TlsFact::PeerCertificate);
    if certificate.is_some() {
        out[0] |= CLIENT_CERT_SESSION;
        if holds(TlsFact::PeerCertificateFresh) {
            out[0] |= CLIENT_CERT_CONNECTION;
        }
        let result = tls(TlsFact::VerifyResult).and_then(|sample| sample.to_int()).unwrap_or_default();
        out[1..5].copy_from_slice(&u32::try_from(result).unwrap_or_default().to_be_bytes());
    }
    let mut push = |kind, value: Option<&[u8]>| {
        if let Some(value) = value {
            tlv::push(&mut out, kind, value);
        }
    };
    push(tlv::SSL_VERSION, tls(TlsFact::Protocol).as_ref().and_then(Sample::bytes));
    if with_name {
        push(tlv::SSL_CN, certificate.as_ref().and_then(Sample::bytes).and_then(common_name));
    }
    if spec.cipher {
        push(tlv::SSL_CIPHER, tls(TlsFact::Cipher).as_ref().and_then(Sample::bytes));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::{Parsed, Tlv, parse, write_v2};
    use super::*;
    use crate::expr::{Arena, Facts, Now, Vars};
    use std::time::Duration;

    struct Client(bool);

    impl Facts for Client {
        fn now(&self) -> Now {
            Now { date: Duration::ZERO, instant: crate::expr::testing::instant() }
        }
        fn tls(&self, side: Side, fact: TlsFact) -> Option<Sample<'_>> {
            match fact {
                TlsFact::Active => Some(Sample::Bool(self.0 && side == Side::Client)),
                TlsFact::Protocol => Some(Sample::Str(b"TLSv1.3")),
                TlsFact::Cipher => Some(Sample::Str(b"TLS_AES_128_GCM_SHA256")),
                TlsFact::Sni => Some(Sample::Str(b"example.org")),
                _ => None,
            }
        }
        fn unique_id(&self) -> Option<&[u8]> {
            Some(b"unique")
        }
    }

    #[test]
    fn every_field_asked_for_is_there_and_the_checksum_fits() {
        let (facts, arena) = (Client(true), Arena::new());
        let env = Env::new(&facts, Vars::NONE, &arena);
        let mut spec = ProxyFields::default();
        (spec.authority, spec.unique_id, spec.cipher, spec.checksum) = (true, true, true, true);
        let fields = collect(&spec, ProxyHeaderVersion::V2Ssl, &env);
        let fields: Vec<Tlv<'_>> = fields.iter().map(|(kind, value)| Tlv { kind: *kind, value }).collect();
        let addr = Some("192.0.2.1:1".parse().unwrap());
        let mut bytes = Vec::new();
        write_v2(&mut bytes, addr, addr, &fields);
        let Parsed::Complete(header) = parse(&bytes) else { panic!("{bytes:?}") };
        let kinds: Vec<u8> = header.tlvs().map(|field| field.kind).collect();
        assert_eq!(kinds, [tlv::CRC32C, tlv::AUTHORITY, tlv::UNIQUE_ID, tlv::SSL]);
        assert_eq!(tlv::find(header.fields(), tlv::AUTHORITY), Some(&b"example.org"[..]));
        let ssl = tlv::find(header.fields(), tlv::SSL).unwrap();
        assert_eq!(ssl[..5], [CLIENT_SSL, 0, 0, 0, 0]);
        assert_eq!(tlv::find(&ssl[5..], tlv::SSL_VERSION), Some(&b"TLSv1.3"[..]));
        assert_eq!(tlv::find(&ssl[5..], tlv::SSL_CIPHER), Some(&b"TLS_AES_128_GCM_SHA256"[..]));
    }

    #[test]
    fn a_client_without_tls_is_told_as_one() {
        let (facts, arena) = (Client(false), Arena::new());
        let env = Env::new(&facts, Vars::NONE, &arena);
        let fields = collect(&ProxyFields::default(), ProxyHeaderVersion::V2SslCn, &env);
        assert_eq!(fields, [(tlv::SSL, vec![0; 5])]);
        assert!(collect(&ProxyFields::default(), ProxyHeaderVersion::V1, &env).is_empty());
    }
}
