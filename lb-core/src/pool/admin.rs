//! Administrative and operational states, and the words operators change them with.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// Operational state of a server: what its checks say.
///
/// The numbers are those of `show servers state`.
#[expect(clippy::exhaustive_enums, reason = "the four states everything distinguishes")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OpState {
    /// Down.
    Stopped = 0,
    /// Up, with growing weight and limits.
    Starting = 1,
    /// Up.
    Running = 2,
    /// Up for persistent traffic only.
    Stopping = 3,
}

/// Administrative state of a server: what people, configuration and resolvers say. A set of independent reasons.
///
/// The numbers are those of `show servers state`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AdminFlags(u8);

impl AdminFlags {
    /// No reason to keep traffic away.
    pub const NONE: Self = Self(0);
    /// Maintenance by order.
    pub const FORCED_MAINT: Self = Self(0x01);
    /// Maintenance of the tracked server.
    pub const INHERITED_MAINT: Self = Self(0x02);
    /// The configuration says `disabled`; comes with [`FORCED_MAINT`](Self::FORCED_MAINT), which orders remove.
    pub const CONFIG_MAINT: Self = Self(0x04);
    /// Drain by order.
    pub const FORCED_DRAIN: Self = Self(0x08);
    /// Drain of the tracked server.
    pub const INHERITED_DRAIN: Self = Self(0x10);
    /// The server's name does not resolve.
    pub const RESOLUTION: Self = Self(0x20);
    /// The server's name was changed at run time.
    pub const NAME_CHANGED: Self = Self(0x40);
    /// Every reason that keeps all traffic away.
    pub const MAINT: Self = Self(0x23);
    /// Every reason that keeps new clients away.
    pub const DRAIN: Self = Self(0x18);

    /// Whether some of these reasons are given.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether the server is in maintenance.
    pub const fn is_maint(self) -> bool {
        self.intersects(Self::MAINT)
    }

    /// Whether the server drains.
    pub const fn is_drain(self) -> bool {
        self.intersects(Self::DRAIN)
    }

    /// These reasons without others.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// As a number.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// From a number; unknown bits are dropped.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0x7f)
    }
}

impl BitOr for AdminFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for AdminFlags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// What an operator orders (`set server … state`).
#[expect(clippy::exhaustive_enums, reason = "the three words of the command")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AdminState {
    /// Normal operation.
    Ready,
    /// No new clients.
    Drain,
    /// No traffic and no checks.
    Maint,
}

/// Health an operator orders (`set server … health`).
#[expect(clippy::exhaustive_enums, reason = "the three words of the command")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ForcedHealth {
    /// Up in full health.
    Up,
    /// Up for persistent traffic only.
    Stopping,
    /// Down.
    Down,
}

/// Where an order comes from, for the log line.
#[expect(clippy::exhaustive_enums, reason = "the places with words of their own in the log")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The control socket.
    Cli,
    /// The statistics page.
    Web,
    /// A saved state.
    StateFile,
}

impl Origin {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Cli => "changed from CLI",
            Self::Web => "changed from Web interface",
            Self::StateFile => "changed from server-state after a reload",
        }
    }
}

/// Why a server's name gives no usable address.
#[expect(clippy::exhaustive_enums, reason = "the reasons with words of their own in the log")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResolutionFailure {
    /// Its SRV record is gone.
    NoEntry,
    /// The name has no address for this server.
    NoAddress,
    /// The name does not exist.
    NxDomain,
    /// Nobody answered.
    Timeout,
    /// The name server refused.
    Refused,
    /// Anything else.
    Unspecified,
    /// Nothing was tried yet.
    Never,
}

impl ResolutionFailure {
    pub(super) const fn words(self) -> Option<&'static str> {
        Some(match self {
            Self::NoEntry => "entry removed from SRV record",
            Self::NoAddress => "No IP for server ",
            Self::NxDomain => "DNS NX status",
            Self::Timeout => "DNS timeout status",
            Self::Refused => "DNS refused status",
            Self::Unspecified => "unspecified DNS error",
            Self::Never => return None,
        })
    }
}

/// Why an order was refused, in the words of the control socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub(super) &'static str);

impl Refused {
    /// The words.
    pub const fn words(self) -> &'static str {
        self.0
    }
}

/// A value with the configuration's opinion and the one in force.
///
/// An operator's change stays in force across reloads until the configuration itself changes the value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Setting<T> {
    configured: T,
    effective: T,
}

impl<T: Clone + PartialEq> Setting<T> {
    pub(super) fn new(configured: T) -> Self {
        Self { effective: configured.clone(), configured }
    }

    pub(super) fn set(&mut self, effective: T) {
        self.effective = effective;
    }

    pub(super) fn reconfigure(&mut self, configured: T) {
        if self.configured != configured {
            *self = Self::new(configured);
        }
    }

    pub(super) const fn get(&self) -> &T {
        &self.effective
    }

    pub(super) const fn configured(&self) -> &T {
        &self.configured
    }
}

impl<T: fmt::Debug> fmt::Debug for Setting<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} (configured {:?})", self.effective, self.configured)
    }
}

/// Reads a number the way the control socket always did: blanks and a sign in front are fine, so is what follows it.
/// Returns the number, saturated, and the rest of the text.
pub(super) fn leading_number(text: &str) -> Option<(i64, &str)> {
    let trimmed = text.trim_start_matches(|c: char| c.is_ascii_whitespace());
    let (negative, digits) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    if end == 0 {
        return None;
    }
    let number = digits[..end].parse::<i64>().unwrap_or(i64::MAX);
    Some((if negative { -number } else { number }, &digits[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_time_change_survives_until_the_configuration_changes() {
        let mut weight = Setting::new(10);
        weight.set(3);
        weight.reconfigure(10);
        assert_eq!(*weight.get(), 3);
        weight.reconfigure(20);
        assert_eq!((*weight.get(), *weight.configured()), (20, 20));
    }

    #[test]
    fn numbers_are_read_up_to_the_first_other_character() {
        assert_eq!(leading_number("12%"), Some((12, "%")));
        assert_eq!(leading_number(" -3x"), Some((-3, "x")));
        assert_eq!(leading_number("+7"), Some((7, "")));
        assert_eq!(leading_number("99999999999999999999"), Some((i64::MAX, "")));
        assert_eq!(leading_number("x"), None);
        assert_eq!(leading_number(""), None);
    }

    #[test]
    fn maintenance_by_configuration_alone_is_not_maintenance() {
        assert!(!AdminFlags::CONFIG_MAINT.is_maint());
        assert!((AdminFlags::CONFIG_MAINT | AdminFlags::FORCED_MAINT).is_maint());
        assert!(AdminFlags::RESOLUTION.is_maint());
        assert!(AdminFlags::INHERITED_DRAIN.is_drain() && !AdminFlags::INHERITED_DRAIN.is_maint());
    }
}
