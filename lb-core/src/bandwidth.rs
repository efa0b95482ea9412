//! Bandwidth limits (manual 9.7): how many bytes of one direction of a stream may pass now, and when the next may.
//!
//! A [`Shaper`] is a limit as it is configured. A rule switches it on for its stream ([`SetBandwidth`]), which makes a
//! [`Limiter`]: before bytes are taken from one side it is asked how many ([`allow`]), and told afterwards how many came
//! ([`charge`]). Streams that no rule limits have no limiter and are not asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::expr::{Direction, Env, Program};
use crate::stick::rate::Rate;
use crate::stick::{DataType, Tracked};

/// A limit of a proxy (`filter bwlim-in`, `filter bwlim-out`).
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Shaper {
    /// Name of the proxy.
    pub owner: Arc<str>,
    /// Its place among the filters of the proxy.
    pub place: usize,
    /// What is limited: bytes of requests or of responses.
    pub direction: Direction,
    /// How much.
    pub quota: Quota,
    /// Fewer bytes are not passed at a time, unless there are no more.
    pub min_size: u32,
}

/// How much may pass.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "the two kinds of limits")]
pub enum Quota {
    /// Bytes of each stream in a period, unless the rule says otherwise.
    Stream {
        /// Bytes.
        limit: u32,
        /// Milliseconds.
        period: u32,
    },
    /// Bytes of all streams of one key, in the period of the rate that the table stores.
    Shared {
        /// Bytes.
        limit: u32,
        /// The key.
        key: Program,
        /// The table.
        table: Arc<str>,
    },
}

/// `set-bandwidth-limit`.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct SetBandwidth {
    /// What is switched on.
    pub shaper: Arc<Shaper>,
    /// Bytes, in place of those of the shaper.
    pub limit: Option<Program>,
    /// Milliseconds, in place of those of the shaper.
    pub period: Option<Program>,
}

impl SetBandwidth {
    /// The limiter that the rule asks for; `None` where there is no key or no room in the table for it.
    pub fn limiter<'a>(&'a self, env: &Env<'a>) -> Option<Limiter> {
        let now = env.facts.now().instant;
        let number = |program: &'a Option<Program>| {
            let value = program.as_ref()?.eval(env)?.to_int()?;
            u32::try_from(value).ok().filter(|value| *value > 0)
        };
        let (limit, meter) = match &self.shaper.quota {
            Quota::Stream { limit, period } => {
                let period = number(&self.period).unwrap_or(*period).max(1);
                let meter = Meter::Own { rate: Rate::default(), epoch: now, period: period.into() };
                (number(&self.limit).unwrap_or(*limit), meter)
            }
            Quota::Shared { limit, key, table } => {
                let table = env.facts.engine().table(table)?;
                let key = table.key(&key.eval(env)?)?;
                let data = match self.shaper.direction {
                    Direction::Request => DataType::BytesInRate,
                    Direction::Response => DataType::BytesOutRate,
                };
                (*limit, Meter::Shared { entry: Tracked::hold(table, key, now)?, data })
            }
        };
        Some(Limiter {
            shaper: Arc::clone(&self.shaper),
            limit: limit.max(1),
            meter,
            until: None,
            grant: None,
        })
    }
}

/// A limit at work on one stream.
#[derive(Debug)]
pub struct Limiter {
    shaper: Arc<Shaper>,
    limit: u32,
    meter: Meter,
    /// Nothing may pass before.
    until: Option<Instant>,
    /// Less than was asked for.
    grant: Option<Grant>,
}

/// What is counted.
#[derive(Debug)]
enum Meter {
    /// Bytes of this stream, in milliseconds since an epoch.
    Own { rate: Rate, epoch: Instant, period: u64 },
    /// Bytes of all streams of an entry.
    Shared { entry: Tracked, data: DataType },
}

/// What was granted where it was less than was asked for.
#[derive(Clone, Copy, Debug)]
struct Grant {
    bytes: u64,
    missing: u64,
    /// Milliseconds for what was granted beyond the share of the stream.
    debt: u64,
}

/// What a decision depends on.
#[derive(Clone, Copy, Debug)]
struct Scale {
    now: u64,
    period: u64,
    limit: u64,
    min_size: u64,
    /// Streams that share the limit.
    users: u64,
    /// So many bytes count as one.
    factor: u64,
}

/// What comes of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    /// All of it.
    All,
    /// So much, at a cost of so many milliseconds.
    Some(u64, u64),
    /// Nothing for so many milliseconds.
    Wait(u64),
}

impl Scale {
    fn decide(&self, rate: &Rate, len: u64) -> Decision {
        // Streams would use up what a period allows in a moment, and then wait for the rest of it.
        let ahead = rate.overshoot(self.now, self.period, self.limit);
        if ahead > 0 {
            return Decision::Wait((self.min_size + ahead) * self.period * self.users / self.limit);
        }
        let remain = rate.remaining(self.now, self.period, self.limit) * self.factor;
        let share = remain.div_ceil(self.users);
        if share >= len {
            return Decision::All;
        }
        if share >= self.min_size {
            return if share > 0 { Decision::Some(share, 0) } else { self.next(rate, len) };
        }
        let full = self.limit * self.factor;
        match self.min_size {
            least if least <= remain => {
                let debt = ((least - share) * self.period * self.users).div_ceil(full);
                Decision::Some(least, debt)
            }
            least if full < least && remain > 0 => Decision::Some(remain, 0),
            _ => self.next(rate, len),
        }
    }

    /// Nothing until the missing bytes, but not more than is passed at a time, have their place.
    fn next(&self, rate: &Rate, missing: u64) -> Decision {
        Decision::Wait(self.delay(rate, missing))
    }

    fn delay(&self, rate: &Rate, missing: u64) -> u64 {
        rate.delay(self.now, self.period, self.limit, missing.min(self.min_size * self.users))
    }
}

impl Limiter {
    /// Whether it comes from the same configuration.
    fn is_of(&self, shaper: &Arc<Shaper>) -> bool {
        Arc::ptr_eq(&self.shaper, shaper)
    }

    /// How much of `len` bytes may pass at `now`, at least one; else when to ask again.
    fn allow(&mut self, now: Instant, len: usize) -> Result<usize, Instant> {
        if let Some(until) = self.until.filter(|until| now < *until) {
            return Err(until);
        }
        (self.until, self.grant) = (None, None);
        let len = len as u64;
        match self.on_rate(now, |rate, scale| scale.decide(rate, len)) {
            None | Some(Decision::All) => Ok(len as usize),
            Some(Decision::Some(bytes, debt)) => {
                let bytes = bytes.min(len);
                self.grant = Some(Grant { bytes, missing: len - bytes, debt });
                Ok(bytes as usize)
            }
            Some(Decision::Wait(millis)) => {
                let until = after(now, millis);
                self.until = Some(until);
                Err(until)
            }
        }
    }

    /// So many bytes have passed.
    fn charge(&mut self, now: Instant, bytes: u64) {
        if let Meter::Shared { entry, .. } = &mut self.meter {
            entry.keep(now);
        }
        let grant = self.grant.take().filter(|grant| bytes >= grant.bytes);
        let wait = self.on_rate(now, |rate, scale| {
            let count = u32::try_from(bytes.div_ceil(scale.factor)).unwrap_or(u32::MAX);
            rate.add(count, scale.now, scale.period);
            grant.map(|grant| grant.debt + scale.delay(rate, grant.missing))
        });
        self.until = wait.flatten().map(|millis| after(now, millis));
    }

    fn on_rate<R>(&mut self, now: Instant, work: impl FnOnce(&mut Rate, &Scale) -> R) -> Option<R> {
        let (limit, min_size) = (u64::from(self.limit), u64::from(self.shaper.min_size));
        match &mut self.meter {
            Meter::Own { rate, epoch, period } => {
                let now = now.saturating_duration_since(*epoch).as_millis() as u64;
                Some(work(rate, &Scale { now, period: *period, limit, min_size, users: 1, factor: 1 }))
            }
            Meter::Shared { entry, data } => {
                let factor = u64::from(entry.table().spec().bytes_factor.max(1));
                entry.with(now, |table, id, now| {
                    let users = u64::from(table.users(id).max(1));
                    let (rate, period) = table.rate(id, *data)?;
                    let period = period.max(1);
                    Some(work(rate, &Scale { now, period, limit, min_size, users, factor }))
                })
            }
        }
    }
}

/// A time to wait for is never none at all.
fn after(now: Instant, millis: u64) -> Instant {
    now + Duration::from_millis(millis.clamp(1, u32::MAX.into()))
}

/// How much of `len` bytes every limiter lets pass at `now`, at least one; else when to ask again.
pub fn allow(limiters: &mut [Limiter], now: Instant, len: usize) -> Result<usize, Instant> {
    limiters.iter_mut().try_fold(len, |len, limiter| limiter.allow(now, len))
}

/// Tells every limiter how many bytes have passed.
pub fn charge(limiters: &mut [Limiter], now: Instant, bytes: u64) {
    limiters.iter_mut().for_each(|limiter| limiter.charge(now, bytes));
}

/// The limits of one stream.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct StreamLimits {
    /// Those of bytes from the client.
    pub request: Vec<Limiter>,
    /// Those of bytes from the server.
    pub response: Vec<Limiter>,
}

impl StreamLimits {
    /// Puts a limit into force, see [`set`].
    pub fn set(&mut self, limiter: Limiter) {
        match limiter.shaper.direction {
            Direction::Request => set(&mut self.request, limiter),
            Direction::Response => set(&mut self.response, limiter),
        }
    }
}

/// Puts a limit into force, in place of what an earlier rule made of the same shaper. What passed so far stays counted.
pub fn set(own: &mut Vec<Limiter>, mut limiter: Limiter) {
    if let Some(at) = own.iter().position(|old| old.is_of(&limiter.shaper)) {
        if let (Meter::Own { rate, epoch, .. }, Meter::Own { rate: old, epoch: since, .. }) =
            (&mut limiter.meter, &own[at].meter)
        {
            (*rate, *epoch) = (*old, *since);
        }
        own[at] = limiter;
        return;
    }
    let behind =
        |old: &Limiter| old.shaper.owner == limiter.shaper.owner && old.shaper.place > limiter.shaper.place;
    let at = own.iter().position(behind).unwrap_or(own.len());
    own.insert(at, limiter);
}

#[cfg(test)]
pub(crate) mod tests;
