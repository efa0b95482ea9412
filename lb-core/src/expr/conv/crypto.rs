//! Cryptographic digests and message authentication.

use std::sync::Arc;

use aws_lc_rs::digest::{self, Algorithm};
use aws_lc_rs::hmac;
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
