//! Hashes that are fast rather than safe.

use twox_hash::{XxHash3_64, XxHash64};

use crate::balance::hash::function::{avalanche, crc32, djb2, sdbm, wt6, xxh32};
use crate::expr::arg::{ArgType, Args};
use crate::expr::def::{ConvDef, ConvFn};
use crate::expr::sample::{Sample, SampleType};

const SEED: &[ArgType] = &[ArgType::Int];

/// Hash converters.
pub(super) static CONVERTERS: &[ConvDef] = &[
    hash("djb2", |_, args, sample| mixed(args, djb2(sample.bytes()?))),
    hash("sdbm", |_, args, sample| mixed(args, sdbm(sample.bytes()?))),
    hash("wt6", |_, args, sample| mixed(args, wt6(sample.bytes()?))),
    hash("crc32", |_, args, sample| mixed(args, crc32(sample.bytes()?))),
    hash("crc32c", |_, args, sample| mixed(args, crc32c(sample.bytes()?))),
    hash("xxh32", |_, args, sample| {
        Some(Sample::Int(xxh32(sample.bytes()?, args.int(0).unwrap_or(0) as u32).into()))
    }),
    hash("xxh64", |_, args, sample| {
        let seed = args.int(0).unwrap_or(0) as u64;
        Some(Sample::Int(XxHash64::oneshot(seed, sample.bytes()?) as i64))
    }),
    hash("xxh3", |_, args, sample| {
        let seed = args.int(0).unwrap_or(0) as u64;
        Some(Sample::Int(XxHash3_64::oneshot_with_seed(seed, sample.bytes()?) as i64))
    }),
];

const fn hash(name: &'static str, eval: ConvFn) -> ConvDef {
    ConvDef::new(name, SampleType::Bin, SampleType::Int, eval).args(0, SEED)
}

/// Applies the full avalanche if argument 0 asks for it.
fn mixed<'a>(args: &Args, hash: u32) -> Option<Sample<'a>> {
    let mixed = args.int(0).unwrap_or(0) != 0;
    Some(Sample::Int(if mixed { avalanche(hash) } else { hash }.into()))
}

/// CRC-32C (RFC 4960, appendix B), bit by bit from a table made at compile time.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    !bytes.iter().fold(!0, |crc, byte| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8))
}

const fn table() -> [u32; 256] {
    let mut table = [0u32; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}
