//! What the packets of a connection tell routers and packet filters: a mark and a type of service (manual:
//! `set-fc-mark`, `set-bc-tos` and their kin).

use crate::expr::{Env, Program};

/// Which connection of a session is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a session has two connections")]
pub enum ConnectionSide {
    /// The client's.
    Front,
    /// The server's.
    Back,
}

/// What is told; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct PacketMarks {
    /// For the packet filter and the routing rules of this machine.
    pub mark: Option<u32>,
    /// For routers on the way: type of service, or traffic class.
    pub tos: Option<u8>,
}

impl PacketMarks {
    /// Whether nothing is told.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// These, as far as `newer` says nothing else.
    #[must_use]
    pub fn updated(self, newer: Self) -> Self {
        Self { mark: newer.mark.or(self.mark), tos: newer.tos.or(self.tos) }
    }
}

/// What a rule sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the fields of `PacketMarks`")]
pub enum MarkKind {
    /// The mark.
    Mark,
    /// The type of service.
    TypeOfService,
}

/// A rule that sets one of [`PacketMarks`].
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct SetMark {
    /// On which connection.
    pub side: ConnectionSide,
    /// What.
    pub kind: MarkKind,
    /// To what.
    pub value: Program,
}

impl SetMark {
    /// What is to be told; nothing if the value is no number. Bits beyond the width of a field are cut off.
    pub fn eval<'a>(&'a self, env: &Env<'a>) -> PacketMarks {
        let Some(value) = self.value.eval(env).and_then(|sample| sample.to_int()) else {
            return PacketMarks::default();
        };
        match self.kind {
            MarkKind::Mark => PacketMarks { mark: Some(value as u32), tos: None },
            MarkKind::TypeOfService => PacketMarks { mark: None, tos: Some(value as u8) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_later_replaces_what_was_said_of_the_same_field() {
        let first = PacketMarks { mark: Some(1), tos: None };
        let both = first.updated(PacketMarks { mark: None, tos: Some(16) });
        assert_eq!(both, PacketMarks { mark: Some(1), tos: Some(16) });
        assert_eq!(both.updated(PacketMarks { mark: Some(2), tos: None }).mark, Some(2));
        assert!(!both.is_none() && PacketMarks::default().is_none());
    }
}
