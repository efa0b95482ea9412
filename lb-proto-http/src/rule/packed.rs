//! Rules on header fields that come out of an expression, packed as `req.hdrs_bin` packs them (manual: `add-headers-bin`,
//! `del-headers-bin`, `set-headers-bin`).
//!
//! HAProxy writes what it finds there as it is. Here a name that is none, or a value with a line break in it, fails the
//! rule: nobody is to split a message that way.

use super::edit::{set, target};
use super::{Session, Subject, env};
use crate::h1::token_len;
use crate::spec::{PackedFields, PackedUse};

/// Fields that say how a message is framed or what becomes of its connection: rules of this kind leave them alone.
const IMMUTABLE: [&[u8]; 10] = [
    b"expect",
    b"trailer",
    b"upgrade",
    b"connection",
    b"keep-alive",
    b"content-length",
    b"proxy-connection",
    b"transfer-encoding",
    b"proxy-authenticate",
    b"proxy-authorization",
];

/// Carries out a rule; false when what the expression gives is not packed rightly, or something did not fit.
pub(super) fn run(
    action: &PackedFields,
    subject: Subject,
    session: &mut dyn Session,
    text: &mut Vec<u8>,
) -> bool {
    text.clear();
    let found = {
        let env = env(session);
        let packed = action.packed.eval(&env).and_then(|sample| sample.to_bin(env.arena));
        packed.map(|packed| text.extend_from_slice(packed)).is_some()
    };
    if !found {
        return true;
    }
    let mut packed = Packed(text);
    let done = loop {
        break match packed.next() {
            None => false,
            Some([]) if matches!(action.used, PackedUse::Delete(_)) => true,
            // Behind the last field there is one without name and value.
            Some([]) => packed.next().is_some_and(<[u8]>::is_empty),
            Some(name) => {
                if apply(action, subject, session, name, &mut packed) {
                    continue;
                }
                false
            }
        };
    };
    text.clear();
    done
}

/// Carries a rule out for one name.
fn apply(
    action: &PackedFields,
    subject: Subject,
    session: &mut dyn Session,
    name: &[u8],
    packed: &mut Packed<'_>,
) -> bool {
    let lower = name.to_ascii_lowercase();
    let free = !IMMUTABLE.contains(&&lower[..]);
    let (prefix, replace) = match &action.used {
        PackedUse::Delete(part) => {
            if free {
                let fields = target(session.layer_mut(), subject);
                fields.remove_if(|own, _| part.matches(own, &lower));
            }
            return true;
        }
        PackedUse::Write { prefix, replace } => (prefix, *replace),
    };
    let Some(value) = packed.next() else { return false };
    if !free || !name.starts_with(prefix) {
        return true;
    }
    let breaks = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0);
    if token_len(&lower) < lower.len() || value.iter().any(breaks) {
        return false;
    }
    let layer = session.layer_mut();
    if replace { set(layer, subject, &lower, value) } else { target(layer, subject).push(&lower, value) }
}

/// What is left of texts with their lengths in front.
struct Packed<'a>(&'a [u8]);

impl<'a> Packed<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(text)
    }

    /// Four bits of the first byte from 240 on, then seven bits a byte, least significant first.
    fn length(&mut self) -> Option<usize> {
        let mut length = usize::from(*self.0.split_off_first()?);
        if length < 240 {
            return Some(length);
        }
        // Nothing longer than 2^32 bytes is in any buffer.
        for shift in [4, 11, 18, 25] {
            let next = *self.0.split_off_first()?;
            length += usize::from(next) << shift;
            if next < 128 {
                return Some(length);
            }
        }
        None
    }
}
