//! The settings of an instance with all defaults applied, in the original's order. Checks report what changes on the way;
//! lowering takes the result, so both always agree.

use crate::config::{AuthType, Config, Instance, State};
use std::time::Duration;

/// The effective settings of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) strict: bool,
    pub(crate) ipv6: bool,
    pub(crate) version: u8,
    pub(crate) priority: u8,
    pub(crate) master: bool,
    pub(crate) auth: Option<AuthType>,
    pub(crate) unicast: bool,
    pub(crate) nopreempt: bool,
    pub(crate) preempt_delay: Duration,
    pub(crate) accept: bool,
    /// In hundredths of a second.
    pub(crate) interval: u16,
}

impl Resolved {
    pub(crate) fn new(instance: &Instance, config: &Config) -> Self {
        let global = &config.global;
        let strict = pick(instance.strict_mode, global.vrrp_strict, false);
        let ipv6 = instance.ipv6.unwrap_or(false);
        let version = version(instance, config, ipv6, strict);
        let (priority, master) = priority(instance, strict);
        let owner = priority == 255;
        let auth = auth(instance, version, strict, ipv6);
        let master = master && (auth != Some(AuthType::Ah) || owner);
        let nopreempt = instance.nopreempt.is_some() && !owner && !master;
        let delay = instance.preempt_delay.map_or(Duration::ZERO, |d| d.value);
        let delayed = !master && !strict && !nopreempt;
        let accept = instance.accept.map_or(owner || !strict, |a| a.value);
        let given = instance.advert_int.map_or(Duration::from_secs(1), |d| d.value);
        Self {
            strict,
            ipv6,
            version,
            priority,
            master,
            auth,
            unicast: instance.is_unicast(),
            nopreempt,
            preempt_delay: if delayed { delay } else { Duration::ZERO },
            accept: accept && !(strict && version == 2 && !owner),
            interval: interval_centis(given, version),
        }
    }

    pub(crate) fn owner(&self) -> bool {
        self.priority == 255
    }
}

fn pick(
    own: Option<lb_core::diag::Spanned<bool>>,
    global: Option<lb_core::diag::Spanned<bool>>,
    default: bool,
) -> bool {
    own.or(global).map_or(default, |s| s.value)
}

fn version(instance: &Instance, config: &Config, ipv6: bool, strict: bool) -> u8 {
    match instance.version {
        Some(v) if ipv6 && v.value == 2 && strict => 3,
        Some(v) => v.value,
        None if ipv6 => 3,
        None => config.global.vrrp_version.map_or(2, |v| v.value),
    }
}

/// The priority follows from the state if it is not set, and the state from the priority.
fn priority(instance: &Instance, strict: bool) -> (u8, bool) {
    let wanted = instance.state.map(|s| s.value == State::Master);
    let priority = match (instance.priority, wanted) {
        (Some(p), _) => p.value,
        (None, Some(true)) => 255,
        (None, _) => 100,
    };
    let owner = priority == 255;
    (priority, if strict { owner } else { wanted.unwrap_or(owner) })
}

fn auth(instance: &Instance, version: u8, strict: bool, ipv6: bool) -> Option<AuthType> {
    let kind = instance.auth_type?.value;
    let usable = instance.auth_pass.as_ref().is_some_and(|p| !p.value.is_empty());
    (usable && !strict && version == 2 && !(ipv6 && kind == AuthType::Ah)).then_some(kind)
}

/// The interval as the protocol carries it: whole seconds in version 2, hundredths up to 40.95 s in version 3.
fn interval_centis(interval: Duration, version: u8) -> u16 {
    let micros = interval.as_micros();
    let (unit, most) = if version == 2 { (1_000_000, 255) } else { (10_000, 4095) };
    let units = ((micros + unit / 2) / unit).clamp(1, most);
    u16::try_from(if version == 2 { units * 100 } else { units }).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_rounded_as_the_protocol_carries_them() {
        let centis = |millis, version| interval_centis(Duration::from_millis(millis), version);
        assert_eq!(centis(500, 2), 100);
        assert_eq!(centis(1_400, 2), 100);
        assert_eq!(centis(1_500, 2), 200);
        assert_eq!(centis(10, 2), 100);
        assert_eq!(centis(255_000, 2), 25_500);
        assert_eq!(centis(15, 3), 2);
        assert_eq!(centis(41_000, 3), 4095);
        assert_eq!(centis(100, 3), 10);
    }
}
