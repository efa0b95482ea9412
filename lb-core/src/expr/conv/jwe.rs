//! Decryption of JSON web tokens (RFC 7516, compact form) with the algorithms of RFC 7518.
//!
//! A token names two algorithms: one that protects a key, and one by which that key protects the contents.

use std::sync::Arc;

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{self, DecryptingKey, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::{agreement, constant_time, digest, hmac, rsa};

use super::{base64, json};
use crate::expr::Env;
use crate::expr::arg::{Arg, ArgType, Args};
use crate::expr::def::{Build, ConvDef};
use crate::expr::sample::{Sample, SampleType};
use crate::expr::vars::VarName;

const BIN: SampleType = SampleType::Bin;

/// Converters that decrypt tokens.
pub(super) static CONVERTERS: &[ConvDef] = &[
    ConvDef::new("jwt_decrypt_secret", BIN, BIN, with_secret)
        .args(1, &[ArgType::Str])
        .prepare(prepare_secret),
    ConvDef::new("jwt_decrypt_jwk", BIN, BIN, with_jwk).args(1, &[ArgType::Str]).prepare(prepare_jwk),
];

/// A key: in place, where it is understood once, or by a variable.
enum Given {
    /// Nothing if no token can be opened with it.
    Fixed(Option<Key>),
    Variable(VarName),
}

/// What the key in a token is opened with.
enum Key {
    Secret(Vec<u8>),
    Rsa(rsa::OaepPrivateDecryptingKey),
    Agreement { curve: Curve, own: agreement::PrivateKey },
}

/// A curve that keys are agreed on by.
#[derive(Clone, Copy)]
struct Curve {
    name: &'static [u8],
    method: &'static agreement::Algorithm,
    /// Bytes of a coordinate.
    size: usize,
}

fn prepare_secret(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    let text = args.str(0).unwrap_or("");
    let given = match VarName::parse(text) {
        Ok(name) => Given::Variable(name),
        Err(_) => match Key::of_secret(text.as_bytes()) {
            Some(key) => Given::Fixed(Some(key)),
            None => return Err(format!("failed to parse secret: '{text}' is not base 64")),
        },
    };
    args.set(0, Arg::Prepared(Arc::new(given)));
    Ok(())
}

fn prepare_jwk(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    let text = args.str(0).unwrap_or("");
    let given = match VarName::parse(text) {
        Ok(name) => Given::Variable(name),
        Err(_) if json::text_at(text.as_bytes(), &["kty"]).is_none() => {
            return Err(format!("failed to parse key: '{text}' is not a JSON web key"));
        }
        Err(_) => Given::Fixed(Key::of_jwk(text.as_bytes())),
    };
    args.set(0, Arg::Prepared(Arc::new(given)));
    Ok(())
}

fn with_secret<'a>(env: &Env<'a>, args: &'a Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    opened(env, args, sample, Key::of_secret)
}

fn with_jwk<'a>(env: &Env<'a>, args: &'a Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    opened(env, args, sample, Key::of_jwk)
}

/// The contents of a token; a variable holds the key as it would stand in the configuration.
fn opened<'a>(
    env: &Env<'a>,
    args: &'a Args,
    sample: Sample<'a>,
    understood: fn(&[u8]) -> Option<Key>,
) -> Option<Sample<'a>> {
    let token = sample.bytes()?;
    let plain = match args.prepared::<Given>(0)? {
        Given::Fixed(key) => decrypt(token, key.as_ref()?)?,
        Given::Variable(name) => {
            decrypt(token, &understood(env.vars.get(name, env.arena)?.to_bin(env.arena)?)?)?
        }
    };
    env.arena.copy(&plain).map(Sample::Bin)
}

impl Key {
    fn of_secret(text: &[u8]) -> Option<Self> {
        decoded(text, base64::STANDARD).map(Self::Secret)
    }

    /// A JSON web key (RFC 7517).
    fn of_jwk(jwk: &[u8]) -> Option<Self> {
        match &json::text_at(jwk, &["kty"])?[..] {
            b"oct" => member(jwk, &["k"]).map(Self::Secret),
            b"RSA" => rsa_key(jwk).map(Self::Rsa),
            b"EC" => {
                let curve = Curve::of(&json::text_at(jwk, &["crv"])?)?;
                let own = curve.coordinate(jwk, &["d"])?;
                let own = agreement::PrivateKey::from_private_key(curve.method, &own).ok()?;
                Some(Self::Agreement { curve, own })
            }
            _ => None,
        }
    }
}

impl Curve {
    fn of(name: &[u8]) -> Option<Self> {
        let (name, method, size): (&[u8], _, _) = match name {
            b"P-256" => (b"P-256", &agreement::ECDH_P256, 32),
            b"P-384" => (b"P-384", &agreement::ECDH_P384, 48),
            b"P-521" => (b"P-521", &agreement::ECDH_P521, 66),
            _ => return None,
        };
        Some(Self { name, method, size })
    }

    /// A number of a document, as long as those of the curve are.
    fn coordinate(self, document: &[u8], path: &[&str]) -> Option<Vec<u8>> {
        let number = member(document, path)?;
        let mut out = vec![0; usize::checked_sub(self.size, number.len())?];
        out.extend(number);
        Some(out)
    }
}

fn decoded(text: &[u8], alphabet: &[u8; 64]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    base64::decode(&mut bytes, text, alphabet)?;
    Some(bytes)
}

/// The bytes of a member given in base 64.
fn member(document: &[u8], path: &[&str]) -> Option<Vec<u8>> {
    decoded(&json::text_at(document, path)?, base64::URL)
}

/// The contents of a token.
fn decrypt(token: &[u8], key: &Key) -> Option<Vec<u8>> {
    let mut parts = token.split(|byte| *byte == b'.');
    let protected = parts.next()?;
    let mut next = || decoded(parts.next()?, base64::URL);
    let (wrapped, nonce, mut data, tag) = (next()?, next()?, next()?, next()?);
    if parts.next().is_some() {
        return None;
    }
    let header = decoded(protected, base64::URL)?;
    let algorithm = json::text_at(&header, &["alg"])?;
    let contents = Contents::of(&json::text_at(&header, &["enc"])?)?;
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
        Key::Rsa(own) => by_rsa(algorithm, &wrapped, own),
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
fn by_rsa(algorithm: &[u8], wrapped: &[u8], own: &rsa::OaepPrivateDecryptingKey) -> Option<Vec<u8>> {
    let padding = match algorithm {
        b"RSA-OAEP" => &rsa::OAEP_SHA1_MGF1SHA1,
        b"RSA-OAEP-256" => &rsa::OAEP_SHA256_MGF1SHA256,
        // RSA1_5 is not accepted unless asked for (RFC 8725 §3.2).
        _ => return None,
    };
    let mut out = vec![0; own.min_output_size()];
    own.decrypt(padding, wrapped, &mut out, None).ok().map(|plain| plain.to_vec())
}

/// The private key that a JSON web key describes.
fn rsa_key(jwk: &[u8]) -> Option<rsa::OaepPrivateDecryptingKey> {
    let mut numbers = element(0x02, &[0]);
    for name in ["n", "e", "d", "p", "q", "dp", "dq", "qi"] {
        let mut number = member(jwk, &[name])?;
        if number.first().is_some_and(|byte| *byte >= 0x80) {
            number.insert(0, 0);
        }
        numbers.extend(element(0x02, &number));
    }
    // PrivateKeyInfo (RFC 5208): version, rsaEncryption, the key.
    let mut info = element(0x02, &[0]);
    info.extend([0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0]);
    info.extend(element(0x04, &element(0x30, &numbers)));
    let key = rsa::PrivateDecryptingKey::from_pkcs8(&element(0x30, &info)).ok()?;
    rsa::OaepPrivateDecryptingKey::new(key).ok()
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
mod tests {
    use super::*;

    /// Appendix A.3 of RFC 7516.
    const WRAPPED: &str = "eyJhbGciOiJBMTI4S1ciLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0.\
        6KB707dM9YTIgHtLvtgWQ8mKwboJW3of9locizkDTHzBC2IlrT1oOQ.AxY8DCtDaGlsbGljb3RoZQ.\
        KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY.U0m_YmjN04DJvceFICbCVQ";

    #[test]
    fn the_token_of_the_standard_is_opened() {
        let jwk = br#"{"kty":"oct","k":"GawgguFyGrWKav7AX4VKUg"}"#;
        assert_eq!(
            decrypt(WRAPPED.as_bytes(), &Key::of_jwk(jwk).unwrap()).unwrap(),
            b"Live long and prosper."
        );
        let secret = Key::Secret(decoded(b"GawgguFyGrWKav7AX4VKUg", base64::URL).unwrap());
        assert!(decrypt(WRAPPED.as_bytes(), &secret).is_some());
    }

    #[test]
    fn what_was_changed_on_its_way_is_not_opened() {
        let bytes = decoded(b"GawgguFyGrWKav7AX4VKUg", base64::URL).unwrap();
        let short = Key::Secret(bytes[..15].to_vec());
        let secret = Key::Secret(bytes);
        for at in 0..WRAPPED.len() {
            let mut token = WRAPPED.as_bytes().to_vec();
            token[at] = if token[at] == b'A' { b'B' } else { b'A' };
            // The last digit of a part may hold bits that mean nothing.
            let plain = decrypt(&token, &secret);
            assert!(plain.is_none_or(|plain| plain == b"Live long and prosper."), "{at}");
        }
        for cut in 0..WRAPPED.len() - 1 {
            assert!(decrypt(&WRAPPED.as_bytes()[..cut], &secret).is_none());
        }
        assert!(decrypt(WRAPPED.as_bytes(), &short).is_none());
    }

    #[test]
    fn an_agreed_key_is_derived_as_in_the_standard() {
        // Appendix C of RFC 7518: Alice's side, with the roles of the keys turned around.
        let header = br#"{"alg":"ECDH-ES","enc":"A128GCM","apu":"QWxpY2U","apv":"Qm9i","epk":{"kty":"EC",
            "crv":"P-256","x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
            "y":"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"}}"#;
        let bob = br#"{"kty":"EC","crv":"P-256","d":"VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"}"#;
        let bob = Key::of_jwk(bob).unwrap();
        let key = content_key(header, b"ECDH-ES", Contents::Gcm(16), Vec::new(), &bob).unwrap();
        assert_eq!(key, decoded(b"VqqN6vgjbSBcIijNcacQGg", base64::URL).unwrap());
    }
}
