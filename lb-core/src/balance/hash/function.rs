//! The hash functions a configuration can name. All of them are compatible with HAProxy's, byte for byte: a cluster
//! that mixes both must send a key to the same server.

/// The hash of the sdbm database: `hash * 65599 + byte`.
pub fn sdbm(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |hash: u32, &byte| hash.wrapping_mul(65_599).wrapping_add(u32::from(byte)))
}

/// Bernstein's hash: `hash * 33 + byte`, from 5381.
pub fn djb2(bytes: &[u8]) -> u32 {
    bytes.iter().fold(5381, |hash: u32, &byte| hash.wrapping_mul(33).wrapping_add(u32::from(byte)))
}

/// Two words that swap places after data-dependent rotations.
pub fn wt6(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (0xa53c_965a_u32, 0x5ca6_953a_u32);
    let (mut low_turn, mut high_turn) = (6, 18);
    for &byte in bytes {
        let mixed = !(low ^ u32::from(byte));
        let summed = !high.wrapping_add(u32::from(byte));
        low = summed.rotate_left(low_turn);
        high = mixed.rotate_left(high_turn);
        let turns = ((low >> 16) ^ high) & 0xffff;
        low_turn = turns & 31;
        high_turn = turns >> 11;
    }
    low ^ high
}

/// CRC-32 as in Ethernet and gzip.
pub fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| (crc >> 8) ^ CRC32_TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize];
    !bytes.iter().fold(u32::MAX, step)
}

/// The bytes read as a decimal number, of which the lowest 32 bits are used. Reading stops at the first byte that is
/// not a digit; numbers beyond 64 bits saturate.
pub fn decimal(bytes: &[u8]) -> u32 {
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        _ => (false, bytes),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let number = digits.fold(0i64, |number, &digit| {
        let digit = i64::from(digit - b'0');
        let number = number.saturating_mul(10);
        if negative { number.saturating_sub(digit) } else { number.saturating_add(digit) }
    });
    number as u32
}

/// A full avalanche over 32 bits, followed by a multiplication that spreads neighbours over the whole ring.
///
/// The mixing is Bob Jenkins' 6-shift integer hash (public domain).
pub const fn avalanche(hash: u32) -> u32 {
    let hash = hash.wrapping_add(0x7ed5_5d16).wrapping_add(hash << 12);
    let hash = (hash ^ 0xc761_c23c) ^ (hash >> 19);
    let hash = hash.wrapping_add(0x1656_67b1).wrapping_add(hash << 5);
    let hash = hash.wrapping_add(0xd3a2_646c) ^ (hash << 9);
    let hash = hash.wrapping_add(0xfd70_46c5).wrapping_add(hash << 3);
    let hash = (hash ^ 0xb55a_4f09) ^ (hash >> 16);
    hash.wrapping_mul(3_221_225_473)
}

/// XXH32, used for the ring places of servers named by IPv6 address or GUID.
pub fn xxh32(bytes: &[u8], seed: u32) -> u32 {
    const PRIMES: [u32; 5] = [2_654_435_761, 2_246_822_519, 3_266_489_917, 668_265_263, 374_761_393];
    let word = |chunk: &[u8]| u32::from_le_bytes(chunk.try_into().expect("chunks of four bytes"));
    let round = |lane: u32, input: u32| {
        lane.wrapping_add(input.wrapping_mul(PRIMES[1])).rotate_left(13).wrapping_mul(PRIMES[0])
    };
    let stripes = bytes.chunks_exact(16);
    let tail = stripes.remainder();
    let mut hash = if bytes.len() < 16 {
        seed.wrapping_add(PRIMES[4])
    } else {
        let mut lanes = [
            seed.wrapping_add(PRIMES[0]).wrapping_add(PRIMES[1]),
            seed.wrapping_add(PRIMES[1]),
            seed,
            seed.wrapping_sub(PRIMES[0]),
        ];
        for stripe in stripes {
            for (lane, chunk) in lanes.iter_mut().zip(stripe.chunks_exact(4)) {
                *lane = round(*lane, word(chunk));
            }
        }
        let turns = [1, 7, 12, 18];
        lanes
            .into_iter()
            .zip(turns)
            .fold(0, |sum: u32, (lane, turn)| sum.wrapping_add(lane.rotate_left(turn)))
    };
    hash = hash.wrapping_add(bytes.len() as u32);
    let words = tail.chunks_exact(4);
    let rest = words.remainder();
    for chunk in words {
        hash = hash.wrapping_add(word(chunk).wrapping_mul(PRIMES[2])).rotate_left(17).wrapping_mul(PRIMES[3]);
    }
    for &byte in rest {
        hash = hash
            .wrapping_add(u32::from(byte).wrapping_mul(PRIMES[4]))
            .rotate_left(11)
            .wrapping_mul(PRIMES[0]);
    }
    hash = (hash ^ (hash >> 15)).wrapping_mul(PRIMES[1]);
    hash = (hash ^ (hash >> 13)).wrapping_mul(PRIMES[2]);
    hash ^ (hash >> 16)
}

/// Remainders of every byte by the reversed polynomial of CRC-32.
const CRC32_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_check_values() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(xxh32(b"", 0), 0x02cc_5d05);
        assert_eq!(xxh32(b"abc", 0), 0x32d1_53ff);
        assert_eq!(xxh32(b"Nobody inspects the spammish repetition", 0), 0xe229_3b2f);
        assert_eq!(djb2(b""), 5381);
        assert_eq!(sdbm(b"a"), 97);
    }

    #[test]
    fn decimal_stops_at_the_first_other_byte_and_saturates() {
        assert_eq!(decimal(b"1234x5"), 1234);
        assert_eq!(decimal(b"-1"), u32::MAX);
        assert_eq!(decimal(b"+12"), 12);
        assert_eq!(decimal(b""), 0);
        assert_eq!(decimal(b"4294967297"), 1);
        assert_eq!(decimal(b"99999999999999999999"), u32::MAX);
    }
}
