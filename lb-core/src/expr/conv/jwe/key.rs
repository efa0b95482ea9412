//! Keys that tokens are opened with: secrets, JSON web keys (RFC 7517) and those of certificates.

use aws_lc_rs::{agreement, rsa};

use super::super::jws::block;
use super::super::{base64, json};

/// What the key in a token is opened with.
pub(super) enum Key {
    Secret(Vec<u8>),
    Rsa(RsaKey),
    Agreement { curve: Curve, own: agreement::PrivateKey },
}

/// A key pair of RSA, for each of the paddings.
pub(super) struct RsaKey {
    pub(super) oaep: rsa::OaepPrivateDecryptingKey,
    pub(super) pkcs1: rsa::Pkcs1PrivateDecryptingKey,
}

/// A curve that keys are agreed on by.
#[derive(Clone, Copy)]
pub(super) struct Curve {
    pub(super) name: &'static [u8],
    pub(super) method: &'static agreement::Algorithm,
    /// Bytes of a coordinate.
    size: usize,
}

impl Key {
    pub(super) fn of_secret(text: &[u8]) -> Option<Self> {
        decoded(text, base64::STANDARD).map(Self::Secret)
    }

    /// A JSON web key (RFC 7517).
    pub(super) fn of_jwk(jwk: &[u8]) -> Option<Self> {
        match &json::text_at(jwk, &["kty"])?[..] {
            b"oct" => member(jwk, &["k"]).map(Self::Secret),
            b"RSA" => RsaKey::of_jwk(jwk).map(Self::Rsa),
            b"EC" => {
                let name = json::text_at(jwk, &["crv"])?;
                let curve = *CURVES.iter().find(|curve| *curve.name == *name)?;
                let own = curve.coordinate(jwk, &["d"])?;
                let own = agreement::PrivateKey::from_private_key(curve.method, &own).ok()?;
                Some(Self::Agreement { curve, own })
            }
            _ => None,
        }
    }

    /// The private key in a PEM text.
    pub(super) fn of_pem(pem: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(pem).ok()?;
        if let Some(der) = block(text, "RSA PRIVATE KEY") {
            return RsaKey::of_pkcs1(&der).map(Self::Rsa);
        }
        let der = block(text, "PRIVATE KEY").or_else(|| block(text, "EC PRIVATE KEY"))?;
        RsaKey::of_pkcs8(&der).map(Self::Rsa).or_else(|| {
            CURVES.into_iter().find_map(|curve| {
                let own = agreement::PrivateKey::from_private_key_der(curve.method, &der).ok()?;
                Some(Self::Agreement { curve, own })
            })
        })
    }
}

impl RsaKey {
    /// The key that a JSON web key describes.
    fn of_jwk(jwk: &[u8]) -> Option<Self> {
        let mut numbers = element(0x02, &[0]);
        for name in ["n", "e", "d", "p", "q", "dp", "dq", "qi"] {
            let mut number = member(jwk, &[name])?;
            if number.first().is_some_and(|byte| *byte >= 0x80) {
                number.insert(0, 0);
            }
            numbers.extend(element(0x02, &number));
        }
        Self::of_pkcs1(&element(0x30, &numbers))
    }

    /// A key in its own form (RFC 8017 appendix A.1.2).
    fn of_pkcs1(der: &[u8]) -> Option<Self> {
        // PrivateKeyInfo (RFC 5208): version, rsaEncryption, the key.
        let mut info = element(0x02, &[0]);
        info.extend([0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0]);
        info.extend(element(0x04, der));
        Self::of_pkcs8(&element(0x30, &info))
    }

    fn of_pkcs8(der: &[u8]) -> Option<Self> {
        let key = || rsa::PrivateDecryptingKey::from_pkcs8(der).ok();
        Some(Self {
            oaep: rsa::OaepPrivateDecryptingKey::new(key()?).ok()?,
            pkcs1: rsa::Pkcs1PrivateDecryptingKey::new(key()?).ok()?,
        })
    }
}

const CURVES: [Curve; 3] = [
    Curve { name: b"P-256", method: &agreement::ECDH_P256, size: 32 },
    Curve { name: b"P-384", method: &agreement::ECDH_P384, size: 48 },
    Curve { name: b"P-521", method: &agreement::ECDH_P521, size: 66 },
];

impl Curve {
    /// A number of a document, as long as those of the curve are.
    pub(super) fn coordinate(self, document: &[u8], path: &[&str]) -> Option<Vec<u8>> {
        let number = member(document, path)?;
        let mut out = vec![0; usize::checked_sub(self.size, number.len())?];
        out.extend(number);
        Some(out)
    }
}

pub(super) fn decoded(text: &[u8], alphabet: &[u8; 64]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    base64::decode(&mut bytes, text, alphabet)?;
    Some(bytes)
}

/// The bytes of a member given in base 64.
pub(super) fn member(document: &[u8], path: &[&str]) -> Option<Vec<u8>> {
    decoded(&json::text_at(document, path)?, base64::URL)
}

/// One DER element.
fn element(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u64).to_be_bytes();
    let digits = &length[length.iter().position(|byte| *byte != 0).unwrap_or(7)..];
    let mut out = vec![tag];
    if body.len() >= 0x80 {
        out.push(0x80 | digits.len() as u8);
    }
    out.extend_from_slice(digits);
    out.extend_from_slice(body);
    out
}
