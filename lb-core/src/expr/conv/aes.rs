//! AES in the modes CBC and GCM.

use std::sync::Arc;

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    self, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;

use super::base64;
use crate::expr::Env;
use crate::expr::arg::{Arg, ArgType, Args};
use crate::expr::def::{Build, ConvDef};
use crate::expr::sample::{Sample, SampleType};
use crate::expr::vars::VarName;

const BIN: SampleType = SampleType::Bin;
const CBC: &[ArgType] = &[ArgType::Int, ArgType::Str, ArgType::Str, ArgType::Str];
const GCM: &[ArgType] = &[ArgType::Int, ArgType::Str, ArgType::Str, ArgType::Str, ArgType::Str];

/// Converters that encrypt and decrypt.
pub(super) static CONVERTERS: &[ConvDef] = &[
    ConvDef::new("aes_cbc_enc", BIN, BIN, |env, args, sample| cbc(env, args, &sample, true))
        .args(3, CBC)
        .prepare(prepare_cbc),
    ConvDef::new("aes_cbc_dec", BIN, BIN, |env, args, sample| cbc(env, args, &sample, false))
        .args(3, CBC)
        .prepare(prepare_cbc),
    ConvDef::new("aes_gcm_enc", BIN, BIN, gcm_encrypt).args(4, GCM).prepare(prepare_gcm_encrypt),
    ConvDef::new("aes_gcm_dec", BIN, BIN, gcm_decrypt).args(4, GCM).prepare(prepare_gcm_decrypt),
];

/// Bytes of a block, and of the vector CBC begins with.
const BLOCK: usize = 16;

/// Bytes given in base 64, in place or by a variable.
enum Coded {
    Ready(Vec<u8>),
    Variable(VarName),
}

impl Coded {
    fn parse(text: &str, what: &str) -> Result<Self, String> {
        if let Ok(name) = VarName::parse(text) {
            return Ok(Self::Variable(name));
        }
        let mut bytes = Vec::new();
        base64::decode(&mut bytes, text.as_bytes(), base64::STANDARD)
            .ok_or_else(|| format!("failed to parse {what} : '{text}' is not base 64"))?;
        Ok(Self::Ready(bytes))
    }

    fn get(&self, env: &Env<'_>) -> Option<Vec<u8>> {
        match self {
            Self::Ready(bytes) => Some(bytes.clone()),
            Self::Variable(name) => {
                let mut bytes = Vec::new();
                let text = env.vars.get(name, env.arena)?.to_str(env.arena)?;
                base64::decode(&mut bytes, text, base64::STANDARD)?;
                Some(bytes)
            }
        }
    }
}

/// Arguments of all four.
struct Settings {
    /// Bytes of a key.
    key_length: usize,
    nonce: Coded,
    key: Coded,
    /// What is authenticated along with the data.
    aad: Option<Coded>,
}

fn settings(args: &Args, aad: usize) -> Result<Settings, String> {
    let key_length = match args.int(0) {
        Some(bits @ (128 | 192 | 256)) => bits as usize / 8,
        _ => return Err("key size must be 128, 192 or 256 (bits).".into()),
    };
    let nonce = Coded::parse(args.str(1).unwrap_or(""), "nonce")?;
    let key = Coded::parse(args.str(2).unwrap_or(""), "key")?;
    let aad = args.str(aad).map(|text| Coded::parse(text, "aad")).transpose()?;
    Ok(Settings { key_length, nonce, key, aad })
}

fn prepare_cbc(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    // CBC authenticates nothing: additional data is read and has no effect.
    let settings = settings(args, 3)?;
    args.set(0, Arg::Prepared(Arc::new(settings)));
    Ok(())
}

fn prepare_gcm_encrypt(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    let tag =
        VarName::parse(args.str(3).unwrap_or("")).map_err(|e| format!("failed to parse aead_tag : {e}"))?;
    let settings = settings(args, 4)?;
    args.set(0, Arg::Prepared(Arc::new(settings)));
    args.set(3, Arg::Prepared(Arc::new(tag)));
    Ok(())
}

fn prepare_gcm_decrypt(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    let tag = Coded::parse(args.str(3).unwrap_or(""), "aead_tag")?;
    let settings = settings(args, 4)?;
    args.set(0, Arg::Prepared(Arc::new(settings)));
    args.set(3, Arg::Prepared(Arc::new(tag)));
    Ok(())
}

fn cbc<'a>(env: &Env<'a>, args: &Args, sample: &Sample<'a>, encrypt: bool) -> Option<Sample<'a>> {
    let settings = args.prepared::<Settings>(0)?;
    // A shorter nonce is filled with zeroes, the rest of a longer one is not looked at.
    let mut nonce = settings.nonce.get(env)?;
    nonce.resize(BLOCK, 0);
    let vector = FixedLength::<BLOCK>::try_from(&nonce[..]).ok()?;
    let algorithm = match settings.key_length {
        16 => &cipher::AES_128,
        24 => &cipher::AES_192,
        _ => &cipher::AES_256,
    };
    let key = settings.key.get(env)?;
    let key = UnboundCipherKey::new(algorithm, key.get(..settings.key_length)?).ok()?;
    let mut data = sample.bytes()?.to_vec();
    if encrypt {
        let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).ok()?;
        key.less_safe_encrypt(&mut data, EncryptionContext::Iv128(vector)).ok()?;
        return env.arena.copy(&data).map(Sample::Bin);
    }
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).ok()?;
    let plain = key.decrypt(&mut data, DecryptionContext::Iv128(vector)).ok()?;
    env.arena.copy(plain).map(Sample::Bin)
}

/// Key, nonce and additional data; `None` for a nonce of any length but the usual 96 bits.
fn gcm(env: &Env<'_>, settings: &Settings) -> Option<(LessSafeKey, Nonce, Aad<Vec<u8>>)> {
    let algorithm = match settings.key_length {
        16 => &aead::AES_128_GCM,
        24 => &aead::AES_192_GCM,
        _ => &aead::AES_256_GCM,
    };
    let key = settings.key.get(env)?;
    let key = UnboundKey::new(algorithm, key.get(..settings.key_length)?).ok()?;
    let nonce = Nonce::try_assume_unique_for_key(&settings.nonce.get(env)?).ok()?;
    let aad = match &settings.aad {
        Some(aad) => aad.get(env)?,
        None => Vec::new(),
    };
    Some((LessSafeKey::new(key), nonce, Aad::from(aad)))
}

fn gcm_encrypt<'a>(env: &Env<'a>, args: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let (key, nonce, aad) = gcm(env, args.prepared::<Settings>(0)?)?;
    let mut data = sample.bytes()?.to_vec();
    let tag = key.seal_in_place_separate_tag(nonce, aad, &mut data).ok()?;
    let mut text = Vec::new();
    base64::encode(&mut text, tag.as_ref(), base64::STANDARD, true);
    env.vars.set(args.prepared::<VarName>(3)?, &Sample::Str(&text));
    env.arena.copy(&data).map(Sample::Bin)
}

fn gcm_decrypt<'a>(env: &Env<'a>, args: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let (key, nonce, aad) = gcm(env, args.prepared::<Settings>(0)?)?;
    let mut data = sample.bytes()?.to_vec();
    data.extend(args.prepared::<Coded>(3)?.get(env)?);
    let plain = key.open_in_place(nonce, aad, &mut data).ok()?;
    env.arena.copy(plain).map(Sample::Bin)
}
