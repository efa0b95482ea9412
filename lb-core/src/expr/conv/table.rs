//! Look-ups of the input in a stick table (manual 7.3.1, `in_table` and `table_*`).

use crate::expr::Env;
use crate::expr::arg::{ArgType, Args};
use crate::expr::def::ConvDef;
use crate::expr::fetch::{Target, byte_rate};
use crate::expr::sample::{Sample, SampleType};
use crate::stick::DataType;

/// Reads something of a target; the number is the index of an array.
type Read = fn(&Target<'_>, u8) -> Option<u64>;

/// What is looked up in the table that exists; nothing of what cannot be a key.
fn target<'a>(env: &Env<'a>, args: &'a Args, at: usize, sample: &Sample<'a>) -> Option<Option<Target<'a>>> {
    let table = env.facts.engine().table(args.str(at)?)?;
    Some(table.key(sample).map(|key| Target { table, key, now: env.facts.now().instant }))
}

/// What is read of a target; what cannot be a key has no entry.
fn read<'a>(target: Option<Target<'_>>, read: Read, element: u8) -> Option<Sample<'a>> {
    int(target.map_or(Some(0), |target| read(&target, element)))
}

fn int<'a>(value: Option<u64>) -> Option<Sample<'a>> {
    value.map(|value| Sample::Int(value as i64))
}

const fn conv(name: &'static str, out: SampleType, eval: crate::expr::ConvFn) -> ConvDef {
    ConvDef::new(name, SampleType::Any, out, eval).args(1, &[ArgType::Table])
}

macro_rules! readers {
    ($($name:literal => $read:expr;)*) => {
        &[$(conv($name, SampleType::Int, |env, args, sample| {
            read(target(env, args, 0, &sample)?, $read, 0)
        }),)*]
    };
}

macro_rules! array_readers {
    ($($name:literal => $read:expr;)*) => {
        &[$(ConvDef::new($name, SampleType::Any, SampleType::Int, |env, args, sample| {
            let element = u8::try_from(args.int(0)?).ok()?;
            read(target(env, args, 1, &sample)?, $read, element)
        })
        .args(2, &[ArgType::Int, ArgType::Table]),)*]
    };
}

/// Values of single counters and rates.
pub(super) static COUNTERS: &[ConvDef] = readers! {
    "table_conn_cnt" => |t, _| t.read(DataType::ConnCnt, 0);
    "table_conn_cur" => |t, _| t.read(DataType::ConnCur, 0);
    "table_conn_rate" => |t, _| t.read(DataType::ConnRate, 0);
    "table_sess_cnt" => |t, _| t.read(DataType::SessCnt, 0);
    "table_sess_rate" => |t, _| t.read(DataType::SessRate, 0);
    "table_http_req_cnt" => |t, _| t.read(DataType::HttpReqCnt, 0);
    "table_http_req_rate" => |t, _| t.read(DataType::HttpReqRate, 0);
    "table_http_err_cnt" => |t, _| t.read(DataType::HttpErrCnt, 0);
    "table_http_err_rate" => |t, _| t.read(DataType::HttpErrRate, 0);
    "table_http_fail_cnt" => |t, _| t.read(DataType::HttpFailCnt, 0);
    "table_http_fail_rate" => |t, _| t.read(DataType::HttpFailRate, 0);
    "table_kbytes_in" => |t, _| t.read(DataType::BytesInCnt, 0).map(|bytes| bytes >> 10);
    "table_kbytes_out" => |t, _| t.read(DataType::BytesOutCnt, 0).map(|bytes| bytes >> 10);
    "table_bytes_in_rate" => |t, _| byte_rate(t, DataType::BytesInRate);
    "table_bytes_out_rate" => |t, _| byte_rate(t, DataType::BytesOutRate);
    "table_glitch_cnt" => |t, _| t.read(DataType::GlitchCnt, 0);
    "table_glitch_rate" => |t, _| t.read(DataType::GlitchRate, 0);
    "table_server_id" => |t, _| t.read(DataType::ServerId, 0);
    "table_gpc0" => |t, _| t.read(DataType::Gpc0, 0);
    "table_gpc1" => |t, _| t.read(DataType::Gpc1, 0);
    "table_gpt0" => |t, _| t.read(DataType::Gpt0, 0);
    "table_gpc0_rate" => |t, _| t.read(DataType::Gpc0Rate, 0);
    "table_gpc1_rate" => |t, _| t.read(DataType::Gpc1Rate, 0);
    "table_inc_gpc0" => |t, _| t.increment(DataType::Gpc0, DataType::Gpc0Rate, 0);
    "table_inc_gpc1" => |t, _| t.increment(DataType::Gpc1, DataType::Gpc1Rate, 0);
    "table_clr_gpc0" => |t, _| t.clear(DataType::Gpc0, 0);
    "table_clr_gpc1" => |t, _| t.clear(DataType::Gpc1, 0);
    "table_trackers" => |t, _| {
        Some(t.table.lookup(&t.key, t.now, |table, id, _| table.users(id)).unwrap_or(0).into())
    };
};

/// Values of arrays.
pub(super) static ARRAYS: &[ConvDef] = array_readers! {
    "table_gpc" => |t, i| t.read(DataType::Gpc, i);
    "table_gpt" => |t, i| t.read(DataType::Gpt, i);
    "table_gpc_rate" => |t, i| t.read(DataType::GpcRate, i);
    "table_inc_gpc" => |t, i| t.increment(DataType::Gpc, DataType::GpcRate, i);
    "table_clr_gpc" => |t, i| t.clear(DataType::Gpc, i);
};

/// What is no plain value.
pub(super) static OTHERS: &[ConvDef] = &[
    conv("in_table", SampleType::Bool, |env, args, sample| {
        let target = target(env, args, 0, &sample)?;
        let found = target.and_then(|t| t.table.lookup(&t.key, t.now, |_, _, _| ()));
        Some(Sample::Bool(found.is_some()))
    }),
    ConvDef::new("table_expire", SampleType::Any, SampleType::Int, |env, args, sample| {
        let left = target(env, args, 0, &sample)?.and_then(|target| target.expires_in());
        int(left).or_else(|| args.int(1).map(Sample::Int))
    })
    .args(1, &[ArgType::Table, ArgType::Int]),
    ConvDef::new("table_idle", SampleType::Any, SampleType::Int, |env, args, sample| {
        let idle = target(env, args, 0, &sample)?.and_then(|target| {
            let life = target.table.spec().expire?.as_millis() as u64;
            target.expires_in().map(|left| life.saturating_sub(left))
        });
        int(idle).or_else(|| args.int(1).map(Sample::Int))
    })
    .args(1, &[ArgType::Table, ArgType::Int]),
];

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use crate::expr::{Arena, Build, EngineView, Env, Facts, Now, Registry, Vars, parse};
    use crate::stick::{DataType, KeyType, SharedTable, Store, TableSpec, Tracked};

    struct World {
        table: Arc<SharedTable>,
        tracked: Option<Tracked>,
        now: Instant,
    }

    impl EngineView for World {
        fn table(&self, name: &str) -> Option<&Arc<SharedTable>> {
            (name == "t").then_some(&self.table)
        }
    }

    impl Facts for World {
        fn now(&self) -> Now {
            Now { date: Duration::ZERO, instant: self.now }
        }
        fn src(&self) -> Option<std::net::SocketAddr> {
            "10.0.0.1:99".parse().ok()
        }
        fn engine(&self) -> &dyn EngineView {
            self
        }
        fn tracked(&self, slot: usize) -> Option<&Tracked> {
            self.tracked.as_ref().filter(|_| slot == 0)
        }
    }

    struct Proxy;

    impl Build for Proxy {
        fn proxy(&self) -> Option<&str> {
            Some("t")
        }
    }

    fn world() -> World {
        let now = crate::expr::testing::instant();
        let mut spec = TableSpec::new("t", KeyType::Ip, 100);
        spec.expire = Some(Duration::from_secs(10));
        for data in [DataType::ConnCnt, DataType::ConnCur, DataType::Gpc0, DataType::BytesInCnt] {
            spec.add_store(Store::new(data));
        }
        spec.add_store(Store::rate(DataType::Gpc0Rate, Duration::from_secs(10)));
        spec.add_store(Store { data: DataType::Gpc, count: 2, period: Duration::ZERO });
        World { table: SharedTable::new(spec, now), tracked: None, now }
    }

    fn eval(world: &World, text: &str) -> Option<i64> {
        let program =
            parse::parse(text, &Registry::builtin(), &mut Proxy).unwrap_or_else(|e| panic!("{text}: {e}"));
        let arena = Arena::new();
        program.eval(&Env::new(world, Vars::NONE, &arena))?.to_int()
    }

    #[test]
    fn tables_answer_for_keys_that_exist() {
        let mut world = world();
        assert_eq!(eval(&world, "src,in_table"), Some(0));
        assert_eq!(eval(&world, "src,table_conn_cnt(t)"), Some(0));
        assert_eq!(eval(&world, "str(x),table_conn_cnt(t)"), Some(0), "no key of this table");
        assert_eq!(eval(&world, "str(x),in_table(t)"), Some(0));
        assert_eq!(eval(&world, "str(x),table_expire(t,5)"), Some(5));
        assert_eq!(eval(&world, "src,table_sess_cnt(t)"), None, "not stored");
        assert_eq!(eval(&world, "src,table_conn_cnt(other)"), None);
        assert_eq!(eval(&world, "src,table_expire(t)"), None);
        assert_eq!(eval(&world, "src,table_expire(t,77)"), Some(77));
        assert_eq!(eval(&world, "src,table_inc_gpc0"), Some(1));
        assert_eq!(eval(&world, "src_inc_gpc0"), Some(2));
        assert_eq!(eval(&world, "src_gpc0_rate"), Some(2));
        assert_eq!(eval(&world, "str(10.0.0.1),in_table(t)"), Some(1));
        assert_eq!(eval(&world, "src,table_inc_gpc(1,t)"), Some(1));
        assert_eq!(eval(&world, "src,table_inc_gpc(2,t)"), None, "beyond the array");
        assert_eq!(eval(&world, "src_get_gpc1"), Some(1), "the array stands in");
        assert_eq!(eval(&world, "src_clr_gpc0"), Some(2));
        assert_eq!(eval(&world, "src_get_gpc0(t)"), Some(0));
        assert_eq!(eval(&world, "table_cnt"), Some(1));
        assert_eq!(eval(&world, "table_avl(t)"), Some(99));
        world.now += Duration::from_secs(4);
        assert_eq!(eval(&world, "src,table_expire(t)"), Some(6000));
        assert_eq!(eval(&world, "src,table_idle(t)"), Some(4000));
        world.now += Duration::from_secs(7);
        assert_eq!(eval(&world, "src,in_table"), Some(0));
    }

    #[test]
    fn slots_answer_only_while_tracked() {
        let mut world = world();
        assert_eq!(eval(&world, "sc0_conn_cnt"), None);
        assert_eq!(eval(&world, "sc0_tracked"), Some(0));
        let key = world.table.key(&crate::expr::Sample::Str(b"10.0.0.1")).unwrap();
        world.tracked = Tracked::start(&world.table, key, world.now);
        assert_eq!(eval(&world, "sc0_conn_cnt"), Some(1));
        assert_eq!(eval(&world, "sc_conn_cur(0)"), Some(1));
        assert_eq!(eval(&world, "sc_conn_cur(0,t)"), Some(1));
        assert_eq!(eval(&world, "sc1_conn_cnt"), None);
        assert_eq!(eval(&world, "sc0_tracked"), Some(1));
        assert_eq!(eval(&world, "sc_trackers(0)"), Some(1));
        assert_eq!(eval(&world, "sc_inc_gpc(0,0)"), Some(1));
        assert_eq!(eval(&world, "sc_get_gpc(0,0)"), Some(1));
        assert_eq!(eval(&world, "sc0_key,ipmask(8)"), Some(0x0a00_0000));
        assert_eq!(eval(&world, "sc0_kbytes_in"), Some(0));
        assert_eq!(eval(&world, "src_updt_conn_cnt"), Some(2));
    }
}
