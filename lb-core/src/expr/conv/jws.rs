//! Verification of JSON web tokens (RFC 7515, compact form) with the algorithms of RFC 7518.

use std::sync::Arc;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};

use super::base64;
use crate::expr::arg::{Arg, ArgType, Args};
use crate::expr::def::{Build, CertificatePart, ConvDef};
use crate::expr::sample::{Sample, SampleType};
use crate::expr::vars::VarName;
use crate::expr::{Env, TokenKeys};

const BIN: SampleType = SampleType::Bin;

/// Converters that verify tokens.
pub(super) static CONVERTERS: &[ConvDef] = &[
    ConvDef::new("jwt_verify", BIN, SampleType::Int, verify)
        .args(2, &[ArgType::Str, ArgType::Str])
        .prepare(prepare_verify),
    ConvDef::new("jwt_verify_cert", BIN, SampleType::Int, verify)
        .args(2, &[ArgType::Str, ArgType::Str])
        .prepare(prepare_verify_cert),
];

/// Results of `jwt_verify` besides success (1) and failure (0).
mod status {
    pub(super) const UNKNOWN_ALGORITHM: i64 = -1;
    pub(super) const INVALID_TOKEN: i64 = -3;
    pub(super) const UNKNOWN_KEY: i64 = -5;
    pub(super) const UNUSABLE_CERTIFICATE: i64 = -7;
}

/// A name or secret: fixed or in a variable.
enum Text {
    Fixed(Vec<u8>),
    Variable(VarName),
}

impl Text {
    fn parse(text: &str) -> Self {
        VarName::parse(text).map_or_else(|_| Self::Fixed(text.into()), Self::Variable)
    }

    fn get<'a>(&'a self, env: &Env<'a>) -> Option<&'a [u8]> {
        match self {
            Self::Fixed(text) => Some(text),
            Self::Variable(name) => env.vars.get(name, env.arena)?.to_str(env.arena),
        }
    }
}

/// What `jwt_verify` compares with.
struct Verifier {
    algorithm: Text,
    /// A secret, or the name of a key or certificate.
    key: Text,
    /// Without, only signatures by a key pair are accepted.
    secrets: bool,
    public: Public,
}

/// Whose signatures are accepted.
enum Public {
    None,
    /// The owner's of this public key.
    Fixed(Arc<[u8]>),
    /// The owner's of the certificate of that name.
    Certificates(Arc<TokenKeys>),
}

impl Public {
    /// The key, or what the converter answers without one.
    fn key(&self, name: &[u8]) -> Result<Arc<[u8]>, i64> {
        match self {
            Self::None => Err(status::UNKNOWN_KEY),
            Self::Fixed(key) => Ok(Arc::clone(key)),
            Self::Certificates(keys) => {
                keys.get(name).ok_or(status::UNKNOWN_KEY)?.ok_or(status::UNUSABLE_CERTIFICATE)
            }
        }
    }
}

fn prepare_verify(args: &mut Args, build: &mut dyn Build) -> Result<(), String> {
    let (algorithm, key) = (args.str(0).unwrap_or(""), args.str(1).unwrap_or(""));
    let fixed = VarName::parse(algorithm).is_err();
    if fixed
        && algorithm != "none"
        && !algorithm.starts_with("HS")
        && signature_of(algorithm.as_bytes()).is_none()
    {
        return Err(format!("unknown algorithm '{algorithm}'"));
    }
    let may_be_file = VarName::parse(key).is_err() && !algorithm.starts_with("HS") && algorithm != "none";
    let public = if may_be_file {
        match build.file(key) {
            Ok(pem) => Public::Fixed(public_key(&pem).ok_or_else(|| format!("no public key in '{key}'"))?),
            // With a computed algorithm the text may be a secret instead.
            Err(_) if !fixed => Public::None,
            Err(reason) => return Err(reason),
        }
    } else {
        Public::None
    };
    let key = Text::parse(key);
    let verifier = Verifier { algorithm: Text::parse(algorithm), key, secrets: true, public };
    args.set(0, Arg::Prepared(Arc::new(verifier)));
    Ok(())
}

/// Like `jwt_verify` with a certificate: one that has a name, or a file. Secrets are no certificates.
fn prepare_verify_cert(args: &mut Args, build: &mut dyn Build) -> Result<(), String> {
    let (algorithm, name) = (args.str(0).unwrap_or(""), args.str(1).unwrap_or(""));
    if VarName::parse(algorithm).is_err() && signature_of(algorithm.as_bytes()).is_none() {
        return Err(format!("unknown algorithm '{algorithm}'"));
    }
    let keys = build.token_keys();
    let public = if VarName::parse(name).is_ok() {
        for (name, tokens) in build.certificates() {
            // What an expression names in place stays usable.
            keys.complete(name.clone(), || {
                let text = tokens.then(|| build.certificate(&name, CertificatePart::Public)).flatten();
                text.and_then(|pem| certified_key(&pem))
            });
        }
        Public::Certificates(keys)
    } else {
        // Whoever names a certificate in place lets it verify tokens, wherever it is named.
        let pem = build.certificate(name, CertificatePart::Public);
        let pem = pem.map_or_else(|| build.file(name), Ok)?;
        let key = certified_key(&pem).ok_or_else(|| format!("no certificate in '{name}'"))?;
        keys.insert(name.to_owned(), Arc::clone(&key));
        Public::Fixed(key)
    };
    let verifier =
        Verifier { algorithm: Text::parse(algorithm), key: Text::parse(name), secrets: false, public };
    args.set(0, Arg::Prepared(Arc::new(verifier)));
    Ok(())
}

/// The public key of the first certificate in a PEM file.
fn certified_key(pem: &[u8]) -> Option<Arc<[u8]>> {
    let der = block(std::str::from_utf8(pem).ok()?, "CERTIFICATE")?;
    let mut body = element(&mut element(&mut &der[..], 0x30)?, 0x30)?;
    // RFC 5280 §4.1: version (if given), serial number, signature, issuer, validity, subject, key.
    let _ = element(&mut body, 0xa0);
    element(&mut body, 0x02)?;
    for _ in 0..4 {
        element(&mut body, 0x30)?;
    }
    inner_key(body).map(Arc::from)
}

/// The bytes of the first block with this label.
pub(super) fn block(text: &str, label: &str) -> Option<Vec<u8>> {
    let start = format!("-----BEGIN {label}-----");
    let body = &text[text.find(&start)? + start.len()..];
    let body = &body[..body.find("-----END")?];
    let digits: Vec<u8> = body.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let mut der = Vec::new();
    base64::decode(&mut der, &digits, base64::STANDARD)?;
    Some(der)
}

/// The DER of the first public key in a PEM file.
fn public_key(pem: &[u8]) -> Option<Arc<[u8]>> {
    let text = std::str::from_utf8(pem).ok()?;
    let label = if text.contains("-----BEGIN RSA PUBLIC KEY-----") { "RSA PUBLIC KEY" } else { "PUBLIC KEY" };
    let der = block(text, label)?;
    if label == "PUBLIC KEY" { Some(inner_key(&der).unwrap_or(&der).into()) } else { Some(der.into()) }
}

/// The key inside a SubjectPublicKeyInfo, which is what the library wants for both kinds.
fn inner_key(der: &[u8]) -> Option<&[u8]> {
    let mut outer = element(&mut &*der, 0x30)?;
    element(&mut outer, 0x30)?;
    // The first byte of a bit string counts unused bits: none here.
    element(&mut outer, 0x03)?.strip_prefix(&[0])
}

/// Takes one DER element of the given tag.
fn element<'d>(rest: &mut &'d [u8], tag: u8) -> Option<&'d [u8]> {
    let (head, tail) = rest.split_at_checked(2)?;
    if head[0] != tag {
        return None;
    }
    let (length, tail) = match head[1] {
        short @ 0..=0x7f => (usize::from(short), tail),
        long @ 0x81..=0x84 => {
            let (digits, tail) = tail.split_at_checked(usize::from(long & 0x7f))?;
            (digits.iter().fold(0usize, |acc, byte| acc << 8 | usize::from(*byte)), tail)
        }
        _ => return None,
    };
    let (body, tail) = tail.split_at_checked(length)?;
    *rest = tail;
    Some(body)
}

fn signature_of(name: &[u8]) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match name {
        b"RS256" => &signature::RSA_PKCS1_2048_8192_SHA256,
        b"RS384" => &signature::RSA_PKCS1_2048_8192_SHA384,
        b"RS512" => &signature::RSA_PKCS1_2048_8192_SHA512,
        b"PS256" => &signature::RSA_PSS_2048_8192_SHA256,
        b"PS384" => &signature::RSA_PSS_2048_8192_SHA384,
        b"PS512" => &signature::RSA_PSS_2048_8192_SHA512,
        b"ES256" => &signature::ECDSA_P256_SHA256_FIXED,
        b"ES384" => &signature::ECDSA_P384_SHA384_FIXED,
        b"ES512" => &signature::ECDSA_P521_SHA512_FIXED,
        _ => return None,
    })
}

fn verify<'a>(env: &Env<'a>, args: &'a Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let verifier = args.prepared::<Verifier>(0)?;
    let algorithm = verifier.algorithm.get(env)?;
    let key = verifier.key.get(env)?;
    Some(Sample::Int(verify_token(verifier, key, algorithm, sample.bytes()?)))
}

fn verify_token(verifier: &Verifier, key: &[u8], algorithm: &[u8], token: &[u8]) -> i64 {
    let parts = || {
        let last = memchr::memrchr(b'.', token)?;
        memchr::memchr(b'.', &token[..last]).filter(|first| *first + 1 < last)?;
        Some((&token[..last], &token[last + 1..]))
    };
    let Some((signed, encoded)) = parts() else { return status::INVALID_TOKEN };
    let public = signature_of(algorithm);
    if !verifier.secrets && public.is_none() {
        // A token must not choose that anybody can sign it.
        return status::UNKNOWN_ALGORITHM;
    }
    if algorithm == b"none" {
        return i64::from(encoded.is_empty());
    }
    let mac = match algorithm {
        b"HS256" => Some(hmac::HMAC_SHA256),
        b"HS384" => Some(hmac::HMAC_SHA384),
        b"HS512" => Some(hmac::HMAC_SHA512),
        _ => None,
    };
    if mac.is_none() && public.is_none() {
        return status::UNKNOWN_ALGORITHM;
    }
    let mut signature = Vec::new();
    if encoded.is_empty() || base64::decode(&mut signature, encoded, base64::URL).is_none() {
        return status::INVALID_TOKEN;
    }
    if let Some(mac) = mac {
        let key = hmac::Key::new(mac, key);
        return i64::from(hmac::verify(&key, signed, &signature).is_ok());
    }
    let Some(public) = public else { return status::UNKNOWN_KEY };
    match verifier.public.key(key) {
        Ok(key) => i64::from(UnparsedPublicKey::new(public, key).verify(signed, &signature).is_ok()),
        Err(status) => status,
    }
}
