//! Converters (manual 7.3.1).

mod base64;
mod list;
mod maps;
mod number;
mod string;
mod time;
mod variable;

use super::registry::Registry;

/// Adds every converter of this crate.
pub(super) fn register(registry: &mut Registry) {
    registry.add_converters(string::CONVERTERS);
    registry.add_converters(list::CONVERTERS);
    registry.add_converters(number::CONVERTERS);
    registry.add_converters(base64::CONVERTERS);
    registry.add_converters(time::CONVERTERS);
    registry.add_converters(maps::CONVERTERS);
    registry.add_converters(variable::CONVERTERS);
}

#[cfg(test)]
mod tests;
