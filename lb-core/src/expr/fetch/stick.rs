//! Counters of tracked entries and of the client's address (manual 7.3.3, `sc_*` and `src_*`).

use std::sync::Arc;
use std::time::Instant;

use crate::expr::Env;
use crate::expr::arg::{ArgType, Args};
use crate::expr::def::{FetchDef, FetchFn, Needs};
use crate::expr::sample::{Sample, SampleType};
use crate::stick::{DataType, Key, SharedTable};

/// An entry that may exist: a key in a table.
pub(crate) struct Target<'t> {
    pub(crate) table: &'t Arc<SharedTable>,
    pub(crate) key: Key,
    pub(crate) now: Instant,
}

impl Target<'_> {
    /// Reads a value: zero without an entry, `None` where the table does not store it.
    pub(crate) fn read(&self, data: DataType, element: u8) -> Option<u64> {
        let (data, element) = self.stored(data, element)?;
        let found =
            self.table.lookup(&self.key, self.now, |table, id, now| table.get(id, data, element, now));
        Some(found.flatten().unwrap_or(0))
    }

    /// Milliseconds for which the entry will still be there.
    pub(crate) fn expires_in(&self) -> Option<u64> {
        self.table.lookup(&self.key, self.now, |table, id, now| table.expires_in(id, now)).flatten()
    }

    /// Adds one to a counter and its rate, creating the entry; the new value.
    pub(crate) fn increment(&self, counter: DataType, rate: DataType, element: u8) -> Option<u64> {
        let count = self.stored(counter, element);
        let rate = self.stored(rate, element);
        if count.is_none() && rate.is_none() {
            return None;
        }
        self.table.update(&self.key, self.now, |table, id, now| {
            let events = rate.and_then(|(data, element)| table.add(id, data, element, 1, now));
            let total = count.and_then(|(data, element)| table.add(id, data, element, 1, now));
            total.or(events).unwrap_or(0)
        })
    }

    /// Sets a counter to zero, creating the entry; the value before.
    pub(crate) fn clear(&self, counter: DataType, element: u8) -> Option<u64> {
        let (data, element) = self.stored(counter, element)?;
        self.table.update(&self.key, self.now, |table, id, now| table.set(id, data, element, 0, now))?
    }

    /// Where the table keeps a value: as asked, or in the array that stands in for it.
    fn stored(&self, data: DataType, element: u8) -> Option<(DataType, u8)> {
        if self.table.stores(data, element) {
            return Some((data, element));
        }
        data.array_form().filter(|(data, element)| self.table.stores(*data, *element))
    }
}

/// Reads something of a target; the number is the index of an array.
type Read = fn(&Target<'_>, u8) -> Option<u64>;

/// The entry tracked in a slot, looked up in another table if argument `at` names one.
fn tracked<'a>(env: &Env<'a>, args: &'a Args, slot: i64, at: usize) -> Option<Target<'a>> {
    let tracked = env.facts.tracked(usize::try_from(slot).ok()?)?;
    let table = match args.str(at) {
        Some(name) => env.facts.engine().table(name)?,
        None => tracked.table(),
    };
    Some(Target { table, key: tracked.key().clone(), now: env.facts.now().instant })
}

/// The client's address in the table named by argument `at`.
fn source<'a>(env: &Env<'a>, args: &'a Args, at: usize) -> Option<Target<'a>> {
    let table = env.facts.engine().table(args.str(at)?)?;
    let address = match env.facts.src()?.ip() {
        std::net::IpAddr::V4(addr) => Sample::Ipv4(addr),
        std::net::IpAddr::V6(addr) => Sample::Ipv6(addr),
    };
    Some(Target { table, key: table.key(&address)?, now: env.facts.now().instant })
}

fn int<'a>(value: Option<u64>) -> Option<Sample<'a>> {
    value.map(|value| Sample::Int(value as i64))
}

fn element(args: &Args) -> Option<u8> {
    u8::try_from(args.int(0)?).ok()
}

const fn def(name: &'static str, required: usize, args: &'static [ArgType], eval: FetchFn) -> FetchDef {
    FetchDef::new(name, SampleType::Int, Needs::TRACKED, eval).args(required, args)
}

const fn src(name: &'static str, eval: FetchFn) -> FetchDef {
    FetchDef::new(name, SampleType::Int, Needs::L4_CLIENT, eval).args(1, &[ArgType::Table])
}

/// Five spellings of every value: `sc0_`, `sc1_`, `sc2_`, `sc_` with a slot, and `src_`.
macro_rules! spellings {
    ($($name:literal => $read:expr;)*) => {
        &[$(
            def(concat!("sc0_", $name), 0, &[ArgType::Table], |env, args| {
                int(($read as Read)(&tracked(env, args, 0, 0)?, 0))
            }),
            def(concat!("sc1_", $name), 0, &[ArgType::Table], |env, args| {
                int(($read as Read)(&tracked(env, args, 1, 0)?, 0))
            }),
            def(concat!("sc2_", $name), 0, &[ArgType::Table], |env, args| {
                int(($read as Read)(&tracked(env, args, 2, 0)?, 0))
            }),
            def(concat!("sc_", $name), 1, &[ArgType::Int, ArgType::Table], |env, args| {
                int(($read as Read)(&tracked(env, args, args.int(0)?, 1)?, 0))
            }),
            src(concat!("src_", $name), |env, args| int(($read as Read)(&source(env, args, 0)?, 0))),
        )*]
    };
}

/// Two spellings of every array value: `sc_x(idx,slot[,table])` and `src_x(idx[,table])`.
macro_rules! array_spellings {
    ($($name:literal => $read:expr;)*) => {
        &[$(
            def(concat!("sc_", $name), 2, &[ArgType::Int, ArgType::Int, ArgType::Table], |env, args| {
                int(($read as Read)(&tracked(env, args, args.int(1)?, 2)?, element(args)?))
            }),
            FetchDef::new(concat!("src_", $name), SampleType::Int, Needs::L4_CLIENT, |env, args| {
                int(($read as Read)(&source(env, args, 1)?, element(args)?))
            })
            .args(2, &[ArgType::Int, ArgType::Table]),
        )*]
    };
}

/// Values of single counters and rates.
pub(super) static COUNTERS: &[FetchDef] = spellings! {
    "conn_cnt" => |t, _| t.read(DataType::ConnCnt, 0);
    "conn_cur" => |t, _| t.read(DataType::ConnCur, 0);
    "conn_rate" => |t, _| t.read(DataType::ConnRate, 0);
    "sess_cnt" => |t, _| t.read(DataType::SessCnt, 0);
    "sess_rate" => |t, _| t.read(DataType::SessRate, 0);
    "http_req_cnt" => |t, _| t.read(DataType::HttpReqCnt, 0);
    "http_req_rate" => |t, _| t.read(DataType::HttpReqRate, 0);
    "http_err_cnt" => |t, _| t.read(DataType::HttpErrCnt, 0);
    "http_err_rate" => |t, _| t.read(DataType::HttpErrRate, 0);
    "http_fail_cnt" => |t, _| t.read(DataType::HttpFailCnt, 0);
    "http_fail_rate" => |t, _| t.read(DataType::HttpFailRate, 0);
    "kbytes_in" => |t, _| t.read(DataType::BytesInCnt, 0).map(|bytes| bytes >> 10);
    "kbytes_out" => |t, _| t.read(DataType::BytesOutCnt, 0).map(|bytes| bytes >> 10);
    "bytes_in_rate" => |t, _| byte_rate(t, DataType::BytesInRate);
    "bytes_out_rate" => |t, _| byte_rate(t, DataType::BytesOutRate);
    "glitch_cnt" => |t, _| t.read(DataType::GlitchCnt, 0);
    "glitch_rate" => |t, _| t.read(DataType::GlitchRate, 0);
    "get_gpc0" => |t, _| t.read(DataType::Gpc0, 0);
    "get_gpc1" => |t, _| t.read(DataType::Gpc1, 0);
    "get_gpt0" => |t, _| t.read(DataType::Gpt0, 0);
    "gpc0_rate" => |t, _| t.read(DataType::Gpc0Rate, 0);
    "gpc1_rate" => |t, _| t.read(DataType::Gpc1Rate, 0);
    "inc_gpc0" => |t, _| t.increment(DataType::Gpc0, DataType::Gpc0Rate, 0);
    "inc_gpc1" => |t, _| t.increment(DataType::Gpc1, DataType::Gpc1Rate, 0);
    "clr_gpc0" => |t, _| t.clear(DataType::Gpc0, 0);
    "clr_gpc1" => |t, _| t.clear(DataType::Gpc1, 0);
};

/// Values of arrays.
pub(super) static ARRAYS: &[FetchDef] = array_spellings! {
    "get_gpc" => |t, i| t.read(DataType::Gpc, i);
    "get_gpt" => |t, i| t.read(DataType::Gpt, i);
    "gpc_rate" => |t, i| t.read(DataType::GpcRate, i);
    "inc_gpc" => |t, i| t.increment(DataType::Gpc, DataType::GpcRate, i);
    "clr_gpc" => |t, i| t.clear(DataType::Gpc, i);
};

/// Byte rates are stored divided by the table's factor.
pub(crate) fn byte_rate(target: &Target<'_>, data: DataType) -> Option<u64> {
    let factor = u64::from(target.table.spec().bytes_factor.max(1));
    target.read(data, 0).map(|rate| rate.saturating_mul(factor))
}

/// What is no plain value.
pub(super) static OTHERS: &[FetchDef] = &[
    def("sc0_trackers", 0, &[ArgType::Table], |env, args| trackers(tracked(env, args, 0, 0)?)),
    def("sc1_trackers", 0, &[ArgType::Table], |env, args| trackers(tracked(env, args, 1, 0)?)),
    def("sc2_trackers", 0, &[ArgType::Table], |env, args| trackers(tracked(env, args, 2, 0)?)),
    def("sc_trackers", 1, &[ArgType::Int, ArgType::Table], |env, args| {
        trackers(tracked(env, args, args.int(0)?, 1)?)
    }),
    flag("sc0_tracked", 0, &[ArgType::Table], |env, args| is_tracked(env, args, 0, 0)),
    flag("sc1_tracked", 0, &[ArgType::Table], |env, args| is_tracked(env, args, 1, 0)),
    flag("sc2_tracked", 0, &[ArgType::Table], |env, args| is_tracked(env, args, 2, 0)),
    flag("sc_tracked", 1, &[ArgType::Int, ArgType::Table], |env, args| {
        is_tracked(env, args, args.int(0)?, 1)
    }),
    key("sc0_key", 0, &[], |env, _| tracked_key(env, 0)),
    key("sc1_key", 0, &[], |env, _| tracked_key(env, 1)),
    key("sc2_key", 0, &[], |env, _| tracked_key(env, 2)),
    key("sc_key", 1, &[ArgType::Int], |env, args| tracked_key(env, args.int(0)?)),
    src("src_updt_conn_cnt", |env, args| {
        let target = source(env, args, 0)?;
        int(target
            .table
            .update(&target.key, target.now, |table, id, now| table.add(id, DataType::ConnCnt, 0, 1, now))?)
    }),
    FetchDef::new("table_cnt", SampleType::Int, Needs::INTERNAL, |env, args| {
        int(Some(env.facts.engine().table(args.str(0)?)?.len() as u64))
    })
    .args(1, &[ArgType::Table]),
    FetchDef::new("table_avl", SampleType::Int, Needs::INTERNAL, |env, args| {
        let table = env.facts.engine().table(args.str(0)?)?;
        int(Some(table.spec().size.saturating_sub(table.len()) as u64))
    })
    .args(1, &[ArgType::Table]),
];

const fn flag(name: &'static str, required: usize, args: &'static [ArgType], eval: FetchFn) -> FetchDef {
    FetchDef::new(name, SampleType::Bool, Needs::TRACKED, eval).args(required, args)
}

const fn key(name: &'static str, required: usize, args: &'static [ArgType], eval: FetchFn) -> FetchDef {
    FetchDef::new(name, SampleType::Any, Needs::TRACKED, eval).args(required, args)
}

fn trackers<'a>(target: Target<'_>) -> Option<Sample<'a>> {
    let found = target.table.lookup(&target.key, target.now, |table, id, _| table.users(id));
    int(Some(found.unwrap_or(0).into()))
}

fn is_tracked<'a>(env: &Env<'a>, args: &'a Args, slot: i64, at: usize) -> Option<Sample<'a>> {
    let found = tracked(env, args, slot, at)
        .is_some_and(|target| target.table.lookup(&target.key, target.now, |_, _, _| ()).is_some());
    Some(Sample::Bool(found))
}

fn tracked_key<'a>(env: &Env<'a>, slot: i64) -> Option<Sample<'a>> {
    let tracked = env.facts.tracked(usize::try_from(slot).ok()?)?;
    Some(tracked.key().sample(tracked.table().spec().key))
}
