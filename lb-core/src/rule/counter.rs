//! Actions on the counters of a tracked entry, common to all rulesets.

use crate::expr::{Env, Program};

/// Which general purpose counter or tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the two single counters and the array")]
pub enum GpcIndex {
    /// `gpc0`, `gpt0`.
    Zero,
    /// `gpc1`.
    One,
    /// An element of the array.
    Array(u8),
}

/// An amount or value: fixed or computed.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "two forms by the configuration")]
pub enum Amount {
    /// Fixed.
    Fixed(u32),
    /// An expression.
    Computed(Box<Program>),
}

impl Amount {
    /// The value; `None` if the expression finds nothing that fits.
    pub fn value<'a>(&'a self, env: &Env<'a>) -> Option<u32> {
        match self {
            Self::Fixed(value) => Some(*value),
            Self::Computed(program) => u32::try_from(program.eval(env)?.to_int()?).ok(),
        }
    }
}

/// What happens to a counter of the entry tracked in a slot.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "the sc- actions")]
pub enum CounterAction {
    /// `sc-inc-gpc`, `sc-inc-gpc0`, `sc-inc-gpc1`.
    Increment {
        /// Slot of the tracked entry.
        slot: usize,
        /// Which counter.
        counter: GpcIndex,
    },
    /// `sc-add-gpc`.
    Add {
        /// Slot of the tracked entry.
        slot: usize,
        /// Which counter.
        counter: GpcIndex,
        /// How much.
        amount: Amount,
    },
    /// `sc-set-gpt`, `sc-set-gpt0`.
    SetTag {
        /// Slot of the tracked entry.
        slot: usize,
        /// Which tag.
        tag: GpcIndex,
        /// Its new value.
        value: Amount,
    },
}
