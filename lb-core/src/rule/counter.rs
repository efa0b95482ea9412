//! Actions on the counters of a tracked entry, common to all rulesets.

use crate::expr::{Env, Program};
use crate::stick::{DataType, EntryId, Table};

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

impl GpcIndex {
    /// Where a table keeps the counter and its rate: the single ones, else the element of the arrays that stands in.
    fn counter(self, table: &Table) -> [Option<(DataType, u8)>; 2] {
        let (count, rate) = match self {
            Self::Zero => (DataType::Gpc0, DataType::Gpc0Rate),
            Self::One => (DataType::Gpc1, DataType::Gpc1Rate),
            Self::Array(element) => {
                return [(DataType::Gpc, element), (DataType::GpcRate, element)]
                    .map(|(data, element)| table.stores(data, element).then_some((data, element)));
            }
        };
        [count, rate].map(|data| stored(table, data))
    }

    /// Where a table keeps the tag.
    fn tag(self, table: &Table) -> Option<(DataType, u8)> {
        match self {
            Self::Zero | Self::One => stored(table, DataType::Gpt0),
            Self::Array(element) => table.stores(DataType::Gpt, element).then_some((DataType::Gpt, element)),
        }
    }
}

fn stored(table: &Table, data: DataType) -> Option<(DataType, u8)> {
    if table.stores(data, 0) {
        return Some((data, 0));
    }
    data.array_form().filter(|(data, element)| table.stores(*data, *element))
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

impl CounterAction {
    /// Carries the action out on the entry tracked in its slot. Without one, or where the table does not store what is to
    /// be changed, nothing happens.
    pub fn run<'a>(&'a self, env: &Env<'a>) {
        let (slot, amount) = match self {
            Self::Increment { slot, .. } => (*slot, Some(1)),
            Self::Add { slot, amount, .. } | Self::SetTag { slot, value: amount, .. } => {
                (*slot, amount.value(env))
            }
        };
        let (Some(tracked), Some(amount)) = (env.facts.tracked(slot), amount) else { return };
        tracked.with(env.facts.now().instant, |table, id, now| self.change(table, id, amount, now));
    }

    fn change(&self, table: &mut Table, id: EntryId, amount: u32, now: u64) {
        match self {
            Self::Increment { counter, .. } | Self::Add { counter, .. } => {
                for (data, element) in counter.counter(table).into_iter().flatten() {
                    table.add(id, data, element, amount.into(), now);
                }
            }
            Self::SetTag { tag, .. } => {
                if let Some((data, element)) = tag.tag(table) {
                    table.set(id, data, element, amount.into(), now);
                }
            }
        }
        table.touch(id, now);
    }
}
