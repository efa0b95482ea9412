//! Which algorithms may protect tokens that are decrypted (RFC 7518 §4.1 and §5.1), and with which keys tokens are verified.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Names of algorithms that protect keys, then of those that protect contents.
const NAMES: [&str; 20] = [
    "RSA1_5",
    "RSA-OAEP",
    "RSA-OAEP-256",
    "A128KW",
    "A192KW",
    "A256KW",
    "dir",
    "ECDH-ES",
    "ECDH-ES+A128KW",
    "ECDH-ES+A192KW",
    "ECDH-ES+A256KW",
    "A128GCMKW",
    "A192GCMKW",
    "A256GCMKW",
    "A128CBC-HS256",
    "A192CBC-HS384",
    "A256CBC-HS512",
    "A128GCM",
    "A192GCM",
    "A256GCM",
];
const KEYS: u32 = (1 << 14) - 1;
const CONTENTS: u32 = ((1 << NAMES.len()) - 1) & !KEYS;

/// The public keys of the certificates that a variable may name, of all expressions of a configuration. They are complete when the
/// configuration has been read.
#[derive(Debug, Default)]
pub struct TokenKeys(RwLock<HashMap<String, Option<Arc<[u8]>>>>);

impl TokenKeys {
    /// Adds a certificate by its name, with its public key: tokens may be verified with it.
    pub fn insert(&self, name: String, key: Arc<[u8]>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(name, Some(key));
    }

    /// Adds a certificate of this name unless there is one, with what `key` finds: nothing if tokens are not verified with it.
    pub fn complete(&self, name: String, key: impl FnOnce() -> Option<Arc<[u8]>>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).entry(name).or_insert_with(key);
    }

    /// The key of the certificate of this name: `None` where there is no such certificate, and `Some(None)` where tokens are not
    /// verified with it.
    pub fn get(&self, name: &[u8]) -> Option<Option<Arc<[u8]>>> {
        let name = std::str::from_utf8(name).ok()?;
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

/// A set of algorithms that tokens may be protected with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenAlgorithms(u32);

impl TokenAlgorithms {
    /// Accepts, of the algorithms that protect keys, those that `list` names.
    ///
    /// # Errors
    /// A name that is none.
    pub fn limit_keys(&mut self, list: &str) -> Result<(), String> {
        self.limit(list, KEYS)
    }

    /// Accepts, of the algorithms that protect contents, those that `list` names.
    ///
    /// # Errors
    /// A name that is none.
    pub fn limit_contents(&mut self, list: &str) -> Result<(), String> {
        self.limit(list, CONTENTS)
    }

    /// Names are joined by colons; `ALL` stands for each of them, `!` leaves one out.
    fn limit(&mut self, list: &str, kind: u32) -> Result<(), String> {
        let mut chosen = 0;
        for word in list.split(':') {
            let name = word.strip_prefix('!').unwrap_or(word);
            let found = match name {
                "ALL" => kind,
                _ => Self::bit(name.as_bytes()) & kind,
            };
            if found == 0 {
                return Err(name.to_owned());
            }
            chosen = if name == word { chosen | found } else { chosen & !found };
        }
        self.0 = self.0 & !kind | chosen;
        Ok(())
    }

    /// Whether the algorithm of this name is accepted.
    pub fn accept(self, name: &[u8]) -> bool {
        self.0 & Self::bit(name) != 0
    }

    fn bit(name: &[u8]) -> u32 {
        NAMES.iter().position(|known| known.as_bytes() == name).map_or(0, |at| 1 << at)
    }
}

/// Every algorithm but `RSA1_5`, which must be asked for (RFC 8725 §3.2).
impl Default for TokenAlgorithms {
    fn default() -> Self {
        Self((KEYS | CONTENTS) & !Self::bit(b"RSA1_5"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weakest_algorithm_must_be_asked_for() {
        let mut set = TokenAlgorithms::default();
        assert!(NAMES.iter().all(|name| set.accept(name.as_bytes()) == (*name != "RSA1_5")));
        set.limit_keys("ALL").unwrap();
        assert!(NAMES.iter().all(|name| set.accept(name.as_bytes())));
    }

    #[test]
    fn a_list_names_all_that_is_accepted_of_its_kind() {
        let mut set = TokenAlgorithms::default();
        set.limit_keys("ALL:!ECDH-ES:!dir").unwrap();
        assert!(set.accept(b"RSA-OAEP") && !set.accept(b"ECDH-ES") && !set.accept(b"dir"));
        set.limit_contents("A128GCM:A256GCM").unwrap();
        assert!(set.accept(b"A128GCM") && !set.accept(b"A192GCM") && !set.accept(b"A128CBC-HS256"));
        assert!(set.accept(b"RSA-OAEP"), "keys are another kind");
    }

    #[test]
    fn unknown_names_and_those_of_the_other_kind_are_refused() {
        let mut set = TokenAlgorithms::default();
        for list in ["A128GCM", "RSA-OAEP:", "", "rsa-oaep", "!x"] {
            assert!(set.limit_keys(list).is_err(), "{list}");
        }
        assert_eq!(set.limit_contents("dir"), Err("dir".to_owned()));
        assert_eq!(set, TokenAlgorithms::default());
    }
}
