//! Counters of the engine: one set per worker, summed when somebody reads them.
//!
//! A worker only ever touches its own set, on cache lines nobody else writes, so counting needs no locked instruction: those
//! wait for everything that was written before, and a request counts some thirty things.
//! Numbers that need the whole picture at once, such as "most sessions at the same time" or "sessions of the last
//! second", are kept once in a [`Gauge`], a [`RateMeter`] or an [`AverageMeter`].

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Keeps the sets of different workers on different cache lines (two lines, because processors fetch them in pairs).
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

/// One set of counters per worker.
#[derive(Debug)]
pub struct PerWorker<T> {
    sets: Box<[Padded<T>]>,
}

impl<T: CounterSet> PerWorker<T> {
    /// Sets for this many workers, at least one.
    pub fn new(workers: usize) -> Self {
        Self { sets: (0..workers.max(1)).map(|_| Padded(T::default())).collect() }
    }

    /// The set of a worker; numbers beyond the last worker share the sets, and may lose what they count at the same moment.
    pub fn of(&self, worker: usize) -> &T {
        match self.sets.get(worker) {
            Some(set) => &set.0,
            None => &self.sets[worker % self.sets.len()].0,
        }
    }

    /// How many workers have a set.
    pub(crate) fn workers(&self) -> usize {
        self.sets.len()
    }

    /// The sum of all workers.
    pub fn sum(&self) -> T::Counts {
        let mut sum = T::Counts::default();
        for set in &self.sets {
            set.0.add_to(&mut sum);
        }
        sum
    }

    /// Starts every counter again from zero (`clear counters all`). What is counted at the same moment may bring a count
    /// back.
    pub fn clear(&self) {
        for set in &self.sets {
            set.0.clear();
        }
    }
}

impl<T: CounterSet> Default for PerWorker<T> {
    fn default() -> Self {
        Self::new(1)
    }
}

/// A set of counters and the plain form it is read into.
pub trait CounterSet: Default {
    /// Plain numbers with the same names.
    type Counts: Default;

    /// Adds this set to `sum`.
    fn add_to(&self, sum: &mut Self::Counts);

    /// Sets every counter to zero.
    fn clear(&self);
}

/// A counter that is only ever increased, by one thread at a time.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Counts `n`. Of two threads that count at the same moment one may be forgotten; a lock, or a set per worker, keeps them
    /// apart.
    pub fn add(&self, n: u64) {
        self.0.store(self.get().wrapping_add(n), Relaxed);
    }

    /// Counts one, whoever else does at the same moment.
    pub fn inc_shared(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// The present count.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    fn clear(&self) {
        self.0.store(0, Relaxed);
    }
}

macro_rules! counters {
    ($(#[$doc:meta])* $set:ident => $counts:ident { $($field:ident: $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        #[non_exhaustive]
        pub struct $set {
            $(#[doc = $text] pub $field: Counter,)*
            /// Responses by class: 1xx to 5xx, then all others.
            pub responses: [Counter; 6],
        }

        #[doc = concat!("The plain numbers of [`", stringify!($set), "`].")]
        #[expect(clippy::exhaustive_structs, reason = "plain data")]
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $counts {
            $(#[doc = $text] pub $field: u64,)*
            /// Responses by class: 1xx to 5xx, then all others.
            pub responses: [u64; 6],
        }

        impl $set {
            /// Counts a response by its status.
            pub fn response(&self, status: u16) {
                self.responses[class_of(status)].inc();
            }
        }

        impl CounterSet for $set {
            type Counts = $counts;

            fn add_to(&self, sum: &mut $counts) {
                $(sum.$field += self.$field.get();)*
                for (sum, counter) in sum.responses.iter_mut().zip(&self.responses) {
                    *sum += counter.get();
                }
            }

            fn clear(&self) {
                $(self.$field.clear();)*
                self.responses.iter().for_each(Counter::clear);
            }
        }
    };
}

const fn class_of(status: u16) -> usize {
    match status {
        100..=599 => status as usize / 100 - 1,
        _ => 5,
    }
}

counters! {
    /// What a frontend counts.
    FrontendCounters => FrontendCounts {
        connections: "Connections accepted.",
        sessions: "Sessions started.",
        request_bytes_in: "Bytes of requests received from clients.",
        request_bytes_out: "Bytes of requests passed on.",
        response_bytes_in: "Bytes of responses received from the server side.",
        response_bytes_out: "Bytes of responses sent to clients.",
        denied_connections: "Connections refused by a rule.",
        denied_sessions: "Sessions refused by a rule.",
        denied_requests: "Requests denied by a rule.",
        denied_responses: "Responses denied by a rule.",
        request_errors: "Requests that could not be understood.",
        requests: "HTTP requests.",
        intercepted: "Requests answered without a server.",
        failed_rewrites: "Headers that could not be rewritten.",
        internal_errors: "Internal errors.",
        cache_lookups: "Requests looked up in the cache.",
        cache_hits: "Requests answered from the cache.",
        comp_in: "Bytes given to compression.",
        comp_out: "Bytes that came out of compression.",
        comp_bypassed: "Bytes that went past compression.",
        comp_responses: "Responses compressed.",
        h1_sessions: "HTTP/1 sessions.",
        h2_sessions: "HTTP/2 sessions.",
        h3_sessions: "HTTP/3 sessions.",
        other_sessions: "Sessions that are not HTTP.",
        h1_requests: "HTTP/1 requests.",
        h2_requests: "HTTP/2 requests.",
        h3_requests: "HTTP/3 requests.",
        other_requests: "Requests that are not HTTP.",
    }
}

counters! {
    /// What a listener counts (`option socket-stats`).
    ListenerCounters => ListenerCounts {
        connections: "Connections accepted.",
        sessions: "Sessions started.",
        request_bytes_in: "Bytes of requests received.",
        request_bytes_out: "Bytes of requests passed on.",
        response_bytes_in: "Bytes of responses received from the server side.",
        response_bytes_out: "Bytes of responses sent.",
        denied_connections: "Connections refused by a rule.",
        denied_sessions: "Sessions refused by a rule.",
        denied_requests: "Requests denied by a rule.",
        denied_responses: "Responses denied by a rule.",
        request_errors: "Requests that could not be understood.",
        failed_rewrites: "Headers that could not be rewritten.",
        internal_errors: "Internal errors.",
    }
}

counters! {
    /// What a backend counts.
    BackendCounters => BackendCounts {
        sessions: "Sessions that reached the backend.",
        balanced: "Requests placed by the balancing algorithm.",
        request_bytes_in: "Bytes of requests received.",
        request_bytes_out: "Bytes of requests sent to servers.",
        response_bytes_in: "Bytes of responses received from servers.",
        response_bytes_out: "Bytes of responses passed on.",
        denied_requests: "Requests denied by a rule.",
        denied_responses: "Responses denied by a rule.",
        connection_errors: "Connections to servers that failed.",
        response_errors: "Responses that could not be understood.",
        retries: "Connection attempts repeated.",
        redispatches: "Requests sent to another server after a failure.",
        requests: "HTTP requests.",
        client_aborts: "Transfers aborted by the client.",
        server_aborts: "Transfers aborted by the server.",
        failed_rewrites: "Headers that could not be rewritten.",
        internal_errors: "Internal errors.",
        connects: "Attempts to connect.",
        reuses: "Requests sent over a connection that was already open.",
        cache_lookups: "Requests looked up in the cache.",
        cache_hits: "Requests answered from the cache.",
        comp_in: "Bytes given to compression.",
        comp_out: "Bytes that came out of compression.",
        comp_bypassed: "Bytes that went past compression.",
        comp_responses: "Responses compressed.",
        went_down: "Times the backend lost its last server.",
    }
}

counters! {
    /// What a server counts.
    ServerCounters => ServerCounts {
        sessions: "Sessions that were sent to the server.",
        balanced: "Requests placed by the balancing algorithm.",
        request_bytes_in: "Bytes of requests received.",
        request_bytes_out: "Bytes of requests sent to the server.",
        response_bytes_in: "Bytes of responses received from the server.",
        response_bytes_out: "Bytes of responses passed on.",
        denied_responses: "Responses denied by a rule.",
        connection_errors: "Connections that failed.",
        response_errors: "Responses that could not be understood.",
        retries: "Connection attempts repeated.",
        redispatches: "Requests sent to another server after a failure.",
        requests: "HTTP requests that got a response; an interim one counts, too.",
        client_aborts: "Transfers aborted by the client.",
        server_aborts: "Transfers aborted by the server.",
        failed_rewrites: "Headers that could not be rewritten.",
        internal_errors: "Internal errors.",
        connects: "Attempts to connect.",
        reuses: "Requests sent over a connection that was already open.",
        failed_checks: "Health checks that failed.",
        went_down: "Times the server went from UP to DOWN.",
        observed_failures: "Failures reported by observing live traffic.",
    }
}

/// A present value and the highest one seen.
#[expect(clippy::exhaustive_structs, reason = "plain data")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// Now.
    pub cur: u64,
    /// Highest since the start or since `clear counters`.
    pub max: u64,
}

/// Counts what is present at the same time, and remembers the peak.
#[derive(Debug, Default)]
pub struct Gauge {
    cur: AtomicU64,
    max: AtomicU64,
}

impl Gauge {
    /// One more; returns how many there are now.
    pub fn enter(&self) -> u64 {
        let cur = self.cur.fetch_add(1, Relaxed) + 1;
        // Reading first keeps the line shared while the peak stands.
        if cur > self.max.load(Relaxed) {
            self.max.fetch_max(cur, Relaxed);
        }
        cur
    }

    /// One less. Every call follows one of [`enter`](Self::enter).
    pub fn leave(&self) {
        let before = self.cur.fetch_sub(1, Relaxed);
        debug_assert!(before > 0, "left more often than entered");
    }

    /// Present value and peak.
    pub fn level(&self) -> Level {
        Level { cur: self.cur.load(Relaxed), max: self.max.load(Relaxed) }
    }

    /// Forgets the peak (`clear counters`).
    pub fn clear_max(&self) {
        self.max.store(self.cur.load(Relaxed), Relaxed);
    }
}

/// Events per second over a sliding second, and the peak.
///
/// The rate is the count of the running second plus the part of the previous one that still lies within the last second.
/// Time is given in milliseconds since any fixed origin. Two workers that turn the second at the same moment may lose a
/// handful of events; that is accepted for not taking a lock on every connection.
#[derive(Debug, Default)]
pub struct RateMeter {
    second: AtomicU64,
    cur: AtomicU64,
    prev: AtomicU64,
    max: AtomicU64,
}

impl RateMeter {
    /// Counts one event and returns the rate.
    pub fn tick(&self, now_ms: u64) -> u64 {
        let second = now_ms / 1000;
        let before = self.second.load(Relaxed);
        if second > before && self.second.compare_exchange(before, second, Relaxed, Relaxed).is_ok() {
            let ended = self.cur.swap(0, Relaxed);
            self.prev.store(if second == before + 1 { ended } else { 0 }, Relaxed);
        }
        self.cur.fetch_add(1, Relaxed);
        let rate = self.rate(now_ms);
        if rate > self.max.load(Relaxed) {
            self.max.fetch_max(rate, Relaxed);
        }
        rate
    }

    /// The rate now.
    pub fn rate(&self, now_ms: u64) -> u64 {
        let counted = self.second.load(Relaxed);
        let (cur, prev) = match (now_ms / 1000).saturating_sub(counted) {
            0 => (self.cur.load(Relaxed), self.prev.load(Relaxed)),
            1 => (0, self.cur.load(Relaxed)),
            _ => return 0,
        };
        cur + prev * (999 - now_ms % 1000) / 1000
    }

    /// Rate and peak.
    pub fn level(&self, now_ms: u64) -> Level {
        Level { cur: self.rate(now_ms), max: self.max.load(Relaxed) }
    }

    /// Forgets the peak (`clear counters`).
    pub fn clear_max(&self) {
        self.max.store(0, Relaxed);
    }
}

/// Number of values an [`AverageMeter`] averages over.
const SAMPLES: u64 = 1024;

/// Average over the last 1024 values, and the highest one.
///
/// Two threads that record at the same moment may lose one of the values: an estimate is not worth a locked
/// instruction per request. The highest value is never lost.
#[derive(Debug, Default)]
pub struct AverageMeter {
    sum: AtomicU64,
    count: AtomicU64,
    max: AtomicU64,
}

impl AverageMeter {
    /// Takes a value into account.
    pub fn record(&self, value: u64) {
        let (count, sum) = (self.count.load(Relaxed), self.sum.load(Relaxed));
        if count < SAMPLES {
            self.count.store(count + 1, Relaxed);
        }
        let kept = if count < SAMPLES { sum } else { sum - sum.div_ceil(SAMPLES) };
        self.sum.store(kept.saturating_add(value), Relaxed);
        if value > self.max.load(Relaxed) {
            self.max.fetch_max(value, Relaxed);
        }
    }

    /// Average and highest value; both are 0 before the first value.
    pub fn level(&self) -> Level {
        let count = self.count.load(Relaxed).clamp(1, SAMPLES);
        Level { cur: self.sum.load(Relaxed).div_ceil(count), max: self.max.load(Relaxed) }
    }

    /// Forgets the highest value (`clear counters`).
    pub fn clear_max(&self) {
        self.max.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_count_apart_and_are_read_together() {
        let sets = PerWorker::<ServerCounters>::new(2);
        sets.of(0).sessions.inc();
        sets.of(1).sessions.add(2);
        sets.of(3).response(404);
        sets.of(0).response(99);
        let sum = sets.sum();
        assert_eq!((sum.sessions, sum.responses), (3, [0, 0, 0, 1, 0, 1]));
        sets.clear();
        assert_eq!(sets.sum(), ServerCounts::default());
    }

    #[test]
    fn every_status_has_a_class() {
        assert_eq!([100, 199, 200, 302, 499, 599].map(class_of), [0, 0, 1, 2, 3, 4]);
        assert_eq!([0, 99, 600, u16::MAX].map(class_of), [5; 4]);
    }

    #[test]
    fn a_gauge_remembers_its_peak_until_told_to_forget() {
        let gauge = Gauge::default();
        assert_eq!((gauge.enter(), gauge.enter()), (1, 2));
        gauge.leave();
        assert_eq!(gauge.level(), Level { cur: 1, max: 2 });
        gauge.clear_max();
        assert_eq!(gauge.level(), Level { cur: 1, max: 1 });
    }

    #[test]
    fn a_rate_slides_over_the_second() {
        let rate = RateMeter::default();
        for ms in 0..10 {
            rate.tick(5000 + ms);
        }
        assert_eq!(rate.rate(5999), 10);
        assert_eq!(rate.rate(6000), 9);
        assert_eq!(rate.rate(6500), 4);
        assert_eq!(rate.rate(7000), 0);
        rate.tick(6000);
        assert_eq!(rate.level(6999), Level { cur: 1, max: 10 });
        rate.tick(9000);
        assert_eq!(rate.rate(9000), 1, "a gap forgets the previous second");
    }

    #[test]
    fn an_average_is_right_from_the_first_value_and_follows_the_last_ones() {
        let average = AverageMeter::default();
        assert_eq!(average.level(), Level::default());
        average.record(7);
        assert_eq!(average.level(), Level { cur: 7, max: 7 });
        average.record(3);
        assert_eq!(average.level().cur, 5);
        for _ in 0..20_000 {
            average.record(100);
        }
        assert_eq!(average.level(), Level { cur: 100, max: 100 });
    }
}
