//! Verification of `crypt(3)` password hashes: SHA-256 (`$5$`) and SHA-512 (`$6$`).
//!
//! The scheme is Ulrich Drepper's "Unix crypt using SHA-256 and SHA-512". Other schemes never match; a dialect crate
//! tells about them with [`supported`].

use sha2::{Digest, Sha256, Sha512};

use crate::auth::same;

const ROUNDS_DEFAULT: u32 = 5000;
const ROUNDS_MIN: u32 = 1000;
const ROUNDS_MAX: u32 = 999_999_999;
const MAX_SALT: usize = 16;

/// The alphabet of encoded hashes; it is not base64's.
const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Whether hashes like `hash` can be verified.
pub fn supported(hash: &str) -> bool {
    hash.starts_with("$5$") || hash.starts_with("$6$")
}

/// Whether `password` hashes to `hash`. Takes as long as the hash asks for, about a millisecond by default.
pub fn verify(password: &[u8], hash: &str) -> bool {
    let Some((rounds, salt, encoded)) = parts(hash) else { return false };
    let made = if hash.starts_with("$5$") {
        let digest = run::<Sha256>(password, salt, rounds);
        encode(&digest, &sha256_order())
    } else if hash.starts_with("$6$") {
        let digest = run::<Sha512>(password, salt, rounds);
        encode(&digest, &sha512_order())
    } else {
        return false;
    };
    same(encoded.as_bytes(), &made)
}

/// Rounds, salt and encoded digest of a hash.
fn parts(hash: &str) -> Option<(u32, &[u8], &str)> {
    let rest = hash.get(3..)?;
    let (rounds, rest) = match rest.strip_prefix("rounds=") {
        Some(rest) => {
            let (number, rest) = rest.split_once('$')?;
            (number.parse::<u32>().ok()?.clamp(ROUNDS_MIN, ROUNDS_MAX), rest)
        }
        None => (ROUNDS_DEFAULT, rest),
    };
    let (salt, encoded) = rest.split_once('$')?;
    let salt = salt.as_bytes();
    Some((rounds, &salt[..salt.len().min(MAX_SALT)], encoded))
}

fn run<D: Digest>(password: &[u8], salt: &[u8], rounds: u32) -> Vec<u8> {
    let size = <D as Digest>::output_size();
    let fill = |digest: &[u8], len: usize| -> Vec<u8> { digest.iter().copied().cycle().take(len).collect() };
    let alternate = D::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut main = D::new().chain_update(password).chain_update(salt);
    main.update(fill(&alternate, password.len()));
    let mut bits = password.len();
    while bits > 0 {
        if bits & 1 == 1 {
            main.update(&alternate);
        } else {
            main.update(password);
        }
        bits >>= 1;
    }
    let mut digest = main.finalize().to_vec();
    debug_assert_eq!(digest.len(), size);
    let mut repeated = D::new();
    for _ in 0..password.len() {
        repeated.update(password);
    }
    let password_bytes = fill(&repeated.finalize(), password.len());
    let mut repeated = D::new();
    for _ in 0..16 + usize::from(digest[0]) {
        repeated.update(salt);
    }
    let salt_bytes = fill(&repeated.finalize(), salt.len());
    for round in 0..rounds {
        let mut step = D::new();
        step.update(if round & 1 == 1 { &password_bytes } else { &digest });
        if round % 3 != 0 {
            step.update(&salt_bytes);
        }
        if round % 7 != 0 {
            step.update(&password_bytes);
        }
        step.update(if round & 1 == 1 { &digest } else { &password_bytes });
        digest.clear();
        digest.extend_from_slice(&step.finalize());
    }
    digest
}

/// In which order the digest's bytes are encoded: groups of three, most significant first; the last group is shorter.
fn sha256_order() -> Vec<[Option<usize>; 3]> {
    let mut order: Vec<_> =
        (0..10).map(|group| rotate([group, group + 10, group + 20], group % 3, [0, 2, 1])).collect();
    order.push([None, Some(31), Some(30)]);
    order
}

fn sha512_order() -> Vec<[Option<usize>; 3]> {
    let mut order: Vec<_> =
        (0..21).map(|group| rotate([group, group + 21, group + 42], group % 3, [0, 1, 2])).collect();
    order.push([None, None, Some(63)]);
    order
}

/// Turns the three indexes round as the scheme does from group to group.
fn rotate(indexes: [usize; 3], group: usize, turns: [usize; 3]) -> [Option<usize>; 3] {
    let turn = turns[group];
    [Some(indexes[turn]), Some(indexes[(turn + 1) % 3]), Some(indexes[(turn + 2) % 3])]
}

fn encode(digest: &[u8], order: &[[Option<usize>; 3]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(86);
    for group in order {
        let byte = |at: usize| group[at].and_then(|index| digest.get(index)).copied().map_or(0, u32::from);
        let mut bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let digits = group.iter().flatten().count() + 1;
        for _ in 0..digits {
            out.push(ALPHABET[(bits & 0x3f) as usize]);
            bits >>= 6;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made by `openssl passwd -5|-6 -salt SALT PASSWORD`.
    const LONG: &str = "a much longer password than one block of the digest, really long indeed it is";

    #[test]
    fn hashes_made_elsewhere_verify() {
        for (hash, password) in [
            ("$5$abc$qsg6EHbUzHQzF1POlD7zUwBINSELQxypPaeDcZe6vH0", "secret"),
            ("$5$saltstringsaltst$3OT7DylLdqCiNocmZp8cbg.s2W09uc/sxL8613CY1xC", LONG),
            (
                "$6$abc$IdWKNKTJEb8LxY7CGg8YBXlvtfZzFw7Mp/r6niK9YB2mdvgY..TKjv1T..8RadRt2qvUHYRLr/TsVArtr91iR1",
                "secret",
            ),
            (
                "$6$saltstringsaltst$LjJA1rafzRu.0tiVssnCupUlY6f0ySyQfjUbzBevda7nXw.6n0pUpPY005soGaCYyV0ZsUoYbJt\
                 WGUwCkAagr/",
                LONG,
            ),
        ] {
            assert!(supported(hash));
            assert!(verify(password.as_bytes(), hash), "{hash}");
            assert!(!verify(b"Secret", hash));
        }
    }

    #[test]
    fn the_number_of_rounds_may_be_given() {
        let hash = "$5$rounds=10000$saltstringsaltst$3xv.VbSCBX41eDL9L3voZedOg7xF6nJLQZDrvI7lEo4.";
        assert_eq!(
            parts(hash).map(|(rounds, salt, _)| (rounds, salt)),
            Some((10_000, &b"saltstringsaltst"[..]))
        );
        assert_eq!(parts("$5$rounds=1$s$x").map(|(rounds, ..)| rounds), Some(1000));
    }

    #[test]
    fn broken_hashes_never_match() {
        for hash in ["", "$", "$6", "$6$", "$6$salt", "$6$rounds=x$salt$y", "$1$salt$x", "plain", "é$5"] {
            assert!(!verify(b"", hash), "{hash}");
        }
    }
}
