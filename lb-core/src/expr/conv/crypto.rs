//! Cryptographic digests, message authentication and the signatures of JSON web tokens.

use std::sync::Arc;

use aws_lc_rs::digest::{self, Algorithm};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use blake2::{Blake2b512, Blake2s256};
use hmac_of::{Hmac, Mac as _};
use md5::{Digest as _, Md5};
use ripemd::Ripemd160;

use super::base64;
use crate::expr::Env;
use crate::expr::arg::{Arg, ArgType, Args};
use crate::expr::def::{Build, ConvDef};
use crate::expr::sample::{Sample, SampleType};
use crate::expr::vars::VarName;

const BIN: SampleType = SampleType::Bin;

/// Converters backed by the cryptographic library.
pub(super) static CONVERTERS: &[ConvDef] = &[
    ConvDef::new("sha1", BIN, BIN, |env, _, sample| {
        hash(env, &digest::SHA1_FOR_LEGACY_USE_ONLY, sample.bytes()?)
    }),
    ConvDef::new("sha2", BIN, BIN, hash_prepared).args(0, &[ArgType::Int]).prepare(prepare_sha2),
    ConvDef::new("digest", BIN, BIN, digest_prepared).args(1, &[ArgType::Str]).prepare(prepare_digest),
    ConvDef::new("hmac", BIN, BIN, authenticate).args(2, &[ArgType::Str, ArgType::Str]).prepare(prepare_hmac),
    ConvDef::new("jwt_verify", BIN, SampleType::Int, verify)
        .args(2, &[ArgType::Str, ArgType::Str])
        .prepare(prepare_verify),
    ConvDef::new("jwt_verify_cert", BIN, SampleType::Int, verify)
        .args(2, &[ArgType::Str, ArgType::Str])
        .prepare(prepare_verify_cert),
];

fn hash<'a>(env: &Env<'a>, algorithm: &'static Algorithm, bytes: &[u8]) -> Option<Sample<'a>> {
    env.arena.copy(digest::digest(algorithm, bytes).as_ref()).map(Sample::Bin)
}

fn hash_prepared<'a>(env: &Env<'a>, args: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    hash(env, args.prepared::<&'static Algorithm>(0)?, sample.bytes()?)
}

fn prepare_sha2(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    let algorithm: &'static Algorithm = match args.int(0).unwrap_or(256) {
        224 => &digest::SHA224,
        256 => &digest::SHA256,
        384 => &digest::SHA384,
        512 => &digest::SHA512,
        other => return Err(format!("unsupported number of bits: '{other}'")),
    };
    args.set(0, Arg::Prepared(Arc::new(algorithm)));
    Ok(())
}

/// Digests of a message by other crates.
type Other = for<'a> fn(&Env<'a>, &[u8]) -> Option<&'a [u8]>;

enum Digest {
    Ours(&'static Algorithm),
    Other(Other),
}

fn digest_prepared<'a>(env: &Env<'a>, args: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    match args.prepared::<Digest>(0)? {
        Digest::Ours(algorithm) => hash(env, algorithm, sample.bytes()?),
        Digest::Other(digest) => digest(env, sample.bytes()?).map(Sample::Bin),
    }
}

/// Digests by the names OpenSSL uses.
fn by_name(name: &str) -> Result<Digest, String> {
    let other: Other = match name.to_ascii_lowercase().as_str() {
        "md5" => |env, bytes| env.arena.copy(&Md5::digest(bytes)),
        "rmd160" | "ripemd" | "ripemd160" | "ripemd-160" => {
            |env, bytes| env.arena.copy(&Ripemd160::digest(bytes))
        }
        "blake2b512" | "blake2b-512" => |env, bytes| env.arena.copy(&Blake2b512::digest(bytes)),
        "blake2s256" | "blake2s-256" => |env, bytes| env.arena.copy(&Blake2s256::digest(bytes)),
        lower => {
            let ours = ours(lower).map(Digest::Ours);
            return ours.ok_or_else(|| format!("unsupported digest algorithm '{name}'"));
        }
    };
    Ok(Digest::Other(other))
}

fn ours(lower: &str) -> Option<&'static Algorithm> {
    Some(match lower {
        "sha1" | "sha-1" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        "sha224" | "sha-224" | "sha2-224" => &digest::SHA224,
        "sha256" | "sha-256" | "sha2-256" => &digest::SHA256,
        "sha384" | "sha-384" | "sha2-384" => &digest::SHA384,
        "sha512" | "sha-512" | "sha2-512" => &digest::SHA512,
        "sha512-256" | "sha2-512/256" => &digest::SHA512_256,
        "sha3-256" => &digest::SHA3_256,
        "sha3-384" => &digest::SHA3_384,
        "sha3-512" => &digest::SHA3_512,
        _ => return None,
    })
}

fn prepare_digest(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    let algorithm = by_name(args.str(0).unwrap_or(""))?;
    args.set(0, Arg::Prepared(Arc::new(algorithm)));
    Ok(())
}

/// What makes authentication codes; none is MD5.
type Mac = Option<hmac::Algorithm>;

fn hmac_algorithm(name: &str) -> Result<Mac, String> {
    Ok(Some(match name.to_ascii_lowercase().as_str() {
        "md5" => return Ok(None),
        "sha1" | "sha-1" => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        "sha224" | "sha-224" => hmac::HMAC_SHA224,
        "sha256" | "sha-256" => hmac::HMAC_SHA256,
        "sha384" | "sha-384" => hmac::HMAC_SHA384,
        "sha512" | "sha-512" => hmac::HMAC_SHA512,
        _ => return Err(format!("unsupported digest algorithm '{name}' for hmac")),
    }))
}

/// A key given in place or by a variable holding its base 64 form.
enum Key {
    Ready(Signer),
    Variable(Mac, VarName),
}

enum Signer {
    Ours(Box<hmac::Key>),
    Md5(Box<Hmac<Md5>>),
}

impl Signer {
    fn new(mac: Mac, key: &[u8]) -> Option<Self> {
        match mac {
            Some(algorithm) => Some(Self::Ours(Box::new(hmac::Key::new(algorithm, key)))),
            None => Hmac::new_from_slice(key).ok().map(|hmac| Self::Md5(Box::new(hmac))),
        }
    }

    fn sign<'a>(&self, env: &Env<'a>, bytes: &[u8]) -> Option<&'a [u8]> {
        match self {
            Self::Ours(key) => env.arena.copy(hmac::sign(key, bytes).as_ref()),
            Self::Md5(hmac) => {
                env.arena.copy(&Hmac::<Md5>::clone(hmac).chain_update(bytes).finalize().into_bytes())
            }
        }
    }
}

fn prepare_hmac(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    let algorithm = hmac_algorithm(args.str(0).unwrap_or(""))?;
    let text = args.str(1).unwrap_or("");
    let key = match VarName::parse(text) {
        Ok(name) => Key::Variable(algorithm, name),
        Err(_) => {
            let mut bytes = Vec::new();
            base64::decode(&mut bytes, text.as_bytes(), base64::STANDARD)
                .ok_or_else(|| format!("failed to parse key '{text}' as base 64"))?;
            Key::Ready(Signer::new(algorithm, &bytes).ok_or("no key")?)
        }
    };
    args.set(1, Arg::Prepared(Arc::new(key)));
    Ok(())
}

fn authenticate<'a>(env: &Env<'a>, args: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let bytes = sample.bytes()?;
    let tag = match args.prepared::<Key>(1)? {
        Key::Ready(key) => key.sign(env, bytes),
        Key::Variable(algorithm, name) => {
            let text = env.vars.get(name, env.arena)?.to_str(env.arena)?;
            let mut key = Vec::new();
            base64::decode(&mut key, text, base64::STANDARD)?;
            Signer::new(*algorithm, &key)?.sign(env, bytes)
        }
    };
    tag.map(Sample::Bin)
}

/// Results of `jwt_verify` besides success (1) and failure (0).
mod status {
    pub(super) const UNKNOWN_ALGORITHM: i64 = -1;
    pub(super) const INVALID_TOKEN: i64 = -3;
    pub(super) const UNKNOWN_KEY: i64 = -5;
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
    /// Without one, only signatures by a key pair are accepted.
    secret: Option<Text>,
    /// The public key in the file the second argument names, if it is one.
    public: Option<Vec<u8>>,
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
            Ok(pem) => Some(public_key(&pem).ok_or_else(|| format!("no public key in '{key}'"))?),
            // With a computed algorithm the text may be a secret instead.
            Err(_) if !fixed => None,
            Err(reason) => return Err(reason),
        }
    } else {
        None
    };
    let secret = Some(Text::parse(key));
    let verifier = Verifier { algorithm: Text::parse(algorithm), secret, public };
    args.set(0, Arg::Prepared(Arc::new(verifier)));
    Ok(())
}

/// Like `jwt_verify` with a file, which must hold a certificate. Secrets are no certificates.
fn prepare_verify_cert(args: &mut Args, build: &mut dyn Build) -> Result<(), String> {
    let (algorithm, file) = (args.str(0).unwrap_or(""), args.str(1).unwrap_or(""));
    if VarName::parse(algorithm).is_err() && signature_of(algorithm.as_bytes()).is_none() {
        return Err(format!("unknown algorithm '{algorithm}'"));
    }
    if VarName::parse(file).is_ok() {
        return Err(format!("'{file}': a certificate is named here, not by a variable"));
    }
    let pem = build.file(file)?;
    let public = certified_key(&pem).ok_or_else(|| format!("no certificate in '{file}'"))?;
    let verifier = Verifier { algorithm: Text::parse(algorithm), secret: None, public: Some(public) };
    args.set(0, Arg::Prepared(Arc::new(verifier)));
    Ok(())
}

/// The public key of the first certificate in a PEM file.
fn certified_key(pem: &[u8]) -> Option<Vec<u8>> {
    let der = block(std::str::from_utf8(pem).ok()?, "CERTIFICATE")?;
    let mut body = element(&mut element(&mut &der[..], 0x30)?, 0x30)?;
    // RFC 5280 §4.1: version (if given), serial number, signature, issuer, validity, subject, key.
    let _ = element(&mut body, 0xa0);
    element(&mut body, 0x02)?;
    for _ in 0..4 {
        element(&mut body, 0x30)?;
    }
    inner_key(body).map(<[u8]>::to_vec)
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
fn public_key(pem: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(pem).ok()?;
    let label = if text.contains("-----BEGIN RSA PUBLIC KEY-----") { "RSA PUBLIC KEY" } else { "PUBLIC KEY" };
    let der = block(text, label)?;
    if label == "PUBLIC KEY" {
        Some(inner_key(&der).map_or_else(|| der.clone(), <[u8]>::to_vec))
    } else {
        Some(der)
    }
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
    Some(Sample::Int(verify_token(env, verifier, algorithm, sample.bytes()?)))
}

fn verify_token<'a>(env: &Env<'a>, verifier: &'a Verifier, algorithm: &[u8], token: &[u8]) -> i64 {
    let parts = || {
        let last = memchr::memrchr(b'.', token)?;
        memchr::memchr(b'.', &token[..last]).filter(|first| *first + 1 < last)?;
        Some((&token[..last], &token[last + 1..]))
    };
    let Some((signed, encoded)) = parts() else { return status::INVALID_TOKEN };
    let public = signature_of(algorithm);
    if verifier.secret.is_none() && public.is_none() {
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
        let Some(secret) = verifier.secret.as_ref().and_then(|secret| secret.get(env)) else {
            return status::UNKNOWN_KEY;
        };
        let key = hmac::Key::new(mac, secret);
        return i64::from(hmac::verify(&key, signed, &signature).is_ok());
    }
    match (public, &verifier.public) {
        (Some(public), Some(key)) => {
            i64::from(UnparsedPublicKey::new(public, key).verify(signed, &signature).is_ok())
        }
        _ => status::UNKNOWN_KEY,
    }
}
