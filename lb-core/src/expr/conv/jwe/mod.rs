//! Decryption of JSON web tokens (RFC 7516, compact form) with the algorithms of RFC 7518.
//!
//! A token names two algorithms: one that protects a key, and one by which that key protects the contents.

mod key;

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{self, DecryptingKey, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::{agreement, constant_time, digest, hmac, rand, rsa};

use self::key::{Curve, Key, RsaKey, decoded, member};
use super::{base64, json};
use crate::expr::arg::{Arg, ArgType, Args};
use crate::expr::def::{Build, CertificatePart, ConvDef};
use crate::expr::sample::{Sample, SampleType};
use crate::expr::vars::VarName;
use crate::expr::{Env, TokenAlgorithms};

const BIN: SampleType = SampleType::Bin;

/// Converters that decrypt tokens.
pub(super) static CONVERTERS: &[ConvDef] = &[
    ConvDef::new("jwt_decrypt_secret", BIN, BIN, opened).args(1, &[ArgType::Str]).prepare(prepare_secret),
    ConvDef::new("jwt_decrypt_jwk", BIN, BIN, opened).args(1, &[ArgType::Str]).prepare(prepare_jwk),
    ConvDef::new("jwt_decrypt_cert", BIN, BIN, opened).args(1, &[ArgType::Str]).prepare(prepare_cert),
];

/// What a converter opens tokens with.
struct Opener {
    accepted: TokenAlgorithms,
    given: Given,
}

/// A key: in place, where it is understood once, or by a variable.
enum Given {
    /// Nothing if no token can be opened with it.
    Fixed(Option<Key>),
    /// The variable holds the key as it would stand in the configuration.
    Variable(VarName, fn(&[u8]) -> Option<Key>),
    /// The variable holds the name of one of these certificates.
    Certificate(VarName, HashMap<String, Key>),
}

fn set(args: &mut Args, build: &dyn Build, given: Given) {
    let accepted = build.token_algorithms();
    args.set(0, Arg::Prepared(Arc::new(Opener { accepted, given })));
}

fn prepare_secret(args: &mut Args, build: &mut dyn Build) -> Result<(), String> {
    let text = args.str(0).unwrap_or("");
    let given = match VarName::parse(text) {
        Ok(name) => Given::Variable(name, Key::of_secret),
        Err(_) => match Key::of_secret(text.as_bytes()) {
            Some(key) => Given::Fixed(Some(key)),
            None => return Err(format!("failed to parse secret: '{text}' is not base 64")),
        },
    };
    set(args, build, given);
    Ok(())
}

fn prepare_jwk(args: &mut Args, build: &mut dyn Build) -> Result<(), String> {
    let text = args.str(0).unwrap_or("");
    let given = match VarName::parse(text) {
        Ok(name) => Given::Variable(name, Key::of_jwk),
        Err(_) if json::text_at(text.as_bytes(), &["kty"]).is_none() => {
            return Err(format!("failed to parse key: '{text}' is not a JSON web key"));
        }
        Err(_) => Given::Fixed(Key::of_jwk(text.as_bytes())),
    };
    set(args, build, given);
    Ok(())
}

fn prepare_cert(args: &mut Args, build: &mut dyn Build) -> Result<(), String> {
    let text = args.str(0).unwrap_or("");
    let named = build.certificates();
    let mut key = |name: &str| Key::of_pem(&build.certificate(name, CertificatePart::Private)?);
    let given = match VarName::parse(text) {
        Ok(variable) => {
            let usable = named.into_iter().filter(|(_, tokens)| *tokens);
            let keys = usable.filter_map(|(name, _)| key(&name).map(|key| (name, key)));
            Given::Certificate(variable, keys.collect())
        }
        Err(_) => match named.iter().find(|(name, _)| name == text) {
            None => return Err(format!("unknown certificate {text}")),
            Some((_, false)) => {
                return Err(format!("unusable certificate {text} (\"jwt\" option not set to \"on\")"));
            }
            Some(_) => {
                let missing = || format!("certificate {text} has no usable key");
                Given::Fixed(Some(key(text).ok_or_else(missing)?))
            }
        },
    };
    set(args, build, given);
    Ok(())
}

fn opened<'a>(env: &Env<'a>, args: &'a Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let token = sample.bytes()?;
    let Opener { accepted, given } = args.prepared::<Opener>(0)?;
    let held = |name| env.vars.get(name, env.arena)?.to_bin(env.arena);
    let plain = match given {
        Given::Fixed(key) => decrypt(token, *accepted, key.as_ref()?)?,
        Given::Variable(name, understood) => decrypt(token, *accepted, &understood(held(name)?)?)?,
        Given::Certificate(name, keys) => {
            decrypt(token, *accepted, keys.get(std::str::from_utf8(held(name)?).ok()?)?)?
        }
    };
    env.arena.copy(&plain).map(Sample::Bin)
}

/// The contents of a token.
fn decrypt(token: &[u8], accepted: TokenAlgorithms, key: &Key) -> Option<Vec<u8>> {
    let mut parts = token.split(|byte| *byte == b'.');
    let protected = parts.next()?;
    let mut next = || decoded(parts.next()?, base64::URL);
    let (wrapped, nonce, mut data, tag) = (next()?, next()?, next()?, next()?);
    if parts.next().is_some() {
        return None;
    }
    let header = decoded(protected, base64::URL)?;
    let algorithm = json::text_at(&header, &["alg"])?;
    let encryption = json::text_at(&header, &["enc"])?;
    if !accepted.accept(&algorithm) || !accepted.accept(&encryption) {
        return None;
    }
    let contents = Contents::of(&encryption)?;
    let key = content_key(&header, &algorithm, contents, wrapped, key)?;
    contents.open(&key, &nonce, protected, &mut data, &tag)
}

/// The key that protects the contents.
fn content_key(
    header: &[u8],
    algorithm: &[u8],
    contents: Contents,
    wrapped: Vec<u8>,
    key: &Key,
) -> Option<Vec<u8>> {
    match key {
        Key::Secret(secret) => by_secret(header, algorithm, wrapped, secret),
        Key::Rsa(own) => by_rsa(algorithm, contents, &wrapped, own),
        Key::Agreement { curve, own } => by_agreement(header, algorithm, contents, &wrapped, (*curve, own)),
    }
}

fn by_secret(header: &[u8], algorithm: &[u8], mut wrapped: Vec<u8>, secret: &[u8]) -> Option<Vec<u8>> {
    if algorithm == b"dir" {
        return wrapped.is_empty().then(|| secret.to_vec());
    }
    let bytes = match algorithm {
        b"A128KW" | b"A128GCMKW" => 16,
        b"A192KW" | b"A192GCMKW" => 24,
        b"A256KW" | b"A256GCMKW" => 32,
        _ => return None,
    };
    if secret.len() != bytes || wrapped.is_empty() {
        return None;
    }
    if algorithm.ends_with(b"GCMKW") {
        let (nonce, tag) = (member(header, &["iv"])?, member(header, &["tag"])?);
        return open_gcm(secret, &nonce, &[], &mut wrapped, &tag);
    }
    unwrap(secret, &wrapped)
}

fn aes(bytes: usize) -> Option<&'static cipher::Algorithm> {
    Some(match bytes {
        16 => &cipher::AES_128,
        24 => &cipher::AES_192,
        32 => &cipher::AES_256,
        _ => return None,
    })
}

/// Opens a wrapped key (RFC 3394 §2.2.2).
fn unwrap(secret: &[u8], wrapped: &[u8]) -> Option<Vec<u8>> {
    if !wrapped.len().is_multiple_of(8) || !(24..=1024).contains(&wrapped.len()) {
        return None;
    }
    let key = DecryptingKey::ecb(UnboundCipherKey::new(aes(secret.len())?, secret).ok()?).ok()?;
    let (first, rest) = wrapped.split_first_chunk::<8>()?;
    let (mut check, mut words) = (*first, rest.to_vec());
    let count = words.len() / 8;
    for step in (1..=6 * count).rev() {
        let at = (step - 1) % count * 8;
        let mixed = u64::from_be_bytes(check) ^ step as u64;
        let mut block = [0; 16];
        block[..8].copy_from_slice(&mixed.to_be_bytes());
        block[8..].copy_from_slice(&words[at..at + 8]);
        key.decrypt(&mut block, DecryptionContext::None).ok()?;
        check.copy_from_slice(&block[..8]);
        words[at..at + 8].copy_from_slice(&block[8..]);
    }
    constant_time::verify_slices_are_equal(&check, &[0xa6; 8]).ok().map(|()| words)
}

fn open_gcm(secret: &[u8], nonce: &[u8], aad: &[u8], data: &mut Vec<u8>, tag: &[u8]) -> Option<Vec<u8>> {
    let algorithm = match secret.len() {
        16 => &aead::AES_128_GCM,
        24 => &aead::AES_192_GCM,
        32 => &aead::AES_256_GCM,
        _ => return None,
    };
    let key = LessSafeKey::new(UnboundKey::new(algorithm, secret).ok()?);
    data.extend_from_slice(tag);
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    (tag.len() == 16).then_some(())?;
    key.open_in_place(nonce, Aad::from(aad), data).ok().map(|plain| plain.to_vec())
}

/// The key inside, for the owner of an RSA key.
fn by_rsa(algorithm: &[u8], contents: Contents, wrapped: &[u8], own: &RsaKey) -> Option<Vec<u8>> {
    let padding = match algorithm {
        b"RSA-OAEP" => &rsa::OAEP_SHA1_MGF1SHA1,
        b"RSA-OAEP-256" => &rsa::OAEP_SHA256_MGF1SHA256,
        b"RSA1_5" => return by_rsa_1_5(contents, wrapped, own),
        _ => return None,
    };
    let mut out = vec![0; own.oaep.min_output_size()];
    own.oaep.decrypt(padding, wrapped, &mut out, None).ok().map(|plain| plain.to_vec())
}

/// Like [`by_rsa`] with the padding of PKCS #1 version 1.5. Whether that was right must not be told from how, or how fast,
/// a token fails: then the contents are opened in vain with a random key (RFC 7516 §11.5).
fn by_rsa_1_5(contents: Contents, wrapped: &[u8], own: &RsaKey) -> Option<Vec<u8>> {
    let mut key = vec![0; contents.key_length()];
    rand::fill(&mut key).ok()?;
    let mut out = vec![0; own.pkcs1.min_output_size()];
    if let Ok(plain) = own.pkcs1.decrypt(wrapped, &mut out)
        && plain.len() == key.len()
    {
        key.copy_from_slice(plain);
    }
    Some(key)
}

/// The key inside, agreed on with the sender's key (RFC 7518 §4.6).
fn by_agreement(
    header: &[u8],
    algorithm: &[u8],
    contents: Contents,
    wrapped: &[u8],
    (curve, own): (Curve, &agreement::PrivateKey),
) -> Option<Vec<u8>> {
    let (name, length) = match algorithm {
        b"ECDH-ES" => (json::text_at(header, &["enc"])?, contents.key_length()),
        b"ECDH-ES+A128KW" => (algorithm.to_vec(), 16),
        b"ECDH-ES+A192KW" => (algorithm.to_vec(), 24),
        b"ECDH-ES+A256KW" => (algorithm.to_vec(), 32),
        _ => return None,
    };
    (json::text_at(header, &["epk", "crv"])? == curve.name).then_some(())?;
    let mut point = vec![4];
    point.extend(curve.coordinate(header, &["epk", "x"])?);
    point.extend(curve.coordinate(header, &["epk", "y"])?);
    let peer = agreement::UnparsedPublicKey::new(curve.method, &point);
    let party = |name| match json::text_at(header, &[name]) {
        Some(text) => decoded(&text, base64::URL),
        None => Some(Vec::new()),
    };
    let mut other = Vec::new();
    for text in [name, party("apu")?, party("apv")?] {
        other.extend((text.len() as u32).to_be_bytes());
        other.extend(text);
    }
    other.extend((length as u32 * 8).to_be_bytes());
    let derived = agreement::agree(own, peer, (), |shared| Ok(derive(shared, &other, length))).ok()?;
    if algorithm == b"ECDH-ES" { wrapped.is_empty().then_some(derived) } else { unwrap(&derived, wrapped) }
}

/// The single-step key derivation of NIST SP 800-56A with SHA-256.
fn derive(shared: &[u8], other: &[u8], length: usize) -> Vec<u8> {
    let mut key = Vec::new();
    for round in 1u32.. {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&round.to_be_bytes());
        context.update(shared);
        context.update(other);
        key.extend_from_slice(context.finish().as_ref());
        if key.len() >= length {
            break;
        }
    }
    key.truncate(length);
    key
}

/// How contents are protected.
#[derive(Clone, Copy)]
enum Contents {
    /// AES in CBC mode with so many bytes of key, and as many for HMAC.
    Cbc(usize),
    /// AES in GCM mode with so many bytes of key.
    Gcm(usize),
}

impl Contents {
    fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"A128CBC-HS256" => Self::Cbc(16),
            b"A192CBC-HS384" => Self::Cbc(24),
            b"A256CBC-HS512" => Self::Cbc(32),
            b"A128GCM" => Self::Gcm(16),
            b"A192GCM" => Self::Gcm(24),
            b"A256GCM" => Self::Gcm(32),
            _ => return None,
        })
    }

    fn key_length(self) -> usize {
        match self {
            Self::Cbc(half) => half * 2,
            Self::Gcm(whole) => whole,
        }
    }

    fn open(self, key: &[u8], nonce: &[u8], aad: &[u8], data: &mut Vec<u8>, tag: &[u8]) -> Option<Vec<u8>> {
        (key.len() == self.key_length()).then_some(())?;
        let half = match self {
            Self::Gcm(_) => return open_gcm(key, nonce, aad, data, tag),
            Self::Cbc(half) => half,
        };
        let (authentication, encryption) = key.split_at(half);
        let method = match half {
            16 => hmac::HMAC_SHA256,
            24 => hmac::HMAC_SHA384,
            _ => hmac::HMAC_SHA512,
        };
        let mut context = hmac::Context::with_key(&hmac::Key::new(method, authentication));
        context.update(aad);
        context.update(nonce);
        context.update(data);
        context.update(&(aad.len() as u64 * 8).to_be_bytes());
        constant_time::verify_slices_are_equal(&context.sign().as_ref()[..half], tag).ok()?;
        let key = UnboundCipherKey::new(aes(half)?, encryption).ok()?;
        let vector = DecryptionContext::Iv128(FixedLength::try_from(nonce).ok()?);
        let plain = PaddedBlockDecryptingKey::cbc_pkcs7(key).ok()?.decrypt(data, vector).ok()?;
        Some(plain.to_vec())
    }
}

#[cfg(test)]
mod tests;
