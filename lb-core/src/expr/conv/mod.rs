//! Converters (manual 7.3.1).

#[cfg(feature = "crypto")]
mod aes;
mod base64;
#[cfg(feature = "crypto")]
mod crypto;
mod fix;
mod forwarded;
mod hash;
mod json;
#[cfg(feature = "crypto")]
mod jwe;
#[cfg(feature = "crypto")]
mod jws;
mod list;
mod maps;
mod mqtt;
mod number;
mod protobuf;
mod string;
mod table;
mod time;
mod variable;
mod when;

use super::registry::Registry;

pub(crate) use hash::crc32c;
pub use variable::VarConditions;

/// Adds every converter of this crate.
pub(super) fn register(registry: &mut Registry) {
    registry.add_converters(string::CONVERTERS);
    registry.add_converters(list::CONVERTERS);
    registry.add_converters(number::CONVERTERS);
    registry.add_converters(base64::CONVERTERS);
    registry.add_converters(time::CONVERTERS);
    registry.add_converters(maps::CONVERTERS);
    registry.add_converters(variable::CONVERTERS);
    registry.add_converters(hash::CONVERTERS);
    registry.add_converters(forwarded::CONVERTERS);
    registry.add_converters(protobuf::CONVERTERS);
    registry.add_converters(fix::CONVERTERS);
    registry.add_converters(mqtt::CONVERTERS);
    registry.add_converters(when::CONVERTERS);
    registry.add_converters(table::COUNTERS);
    registry.add_converters(table::ARRAYS);
    registry.add_converters(table::OTHERS);
    registry.add_converters(json::CONVERTERS);
    #[cfg(feature = "crypto")]
    {
        registry.add_converters(crypto::CONVERTERS);
        registry.add_converters(aes::CONVERTERS);
        registry.add_converters(jwe::CONVERTERS);
        registry.add_converters(jws::CONVERTERS);
    }
}

#[cfg(test)]
mod tests;
