//! Every state with every event. The table is `transitions.txt` beside this file; `UPDATE_GOLDEN=1` rewrites it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::event::Output;
use crate::spec::{self, AdvertInterval, Prefix, VirtualAddress};
use crate::track;

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/instance/transitions.txt");

/// An instance with what an event may use.
struct Bench {
    instance: Instance,
    now: Instant,
    out: Outbox,
    pacer: Pacer,
    global: Global,
}

impl Bench {
    #[expect(clippy::disallowed_methods, reason = "a virtual clock needs one real instant to begin with")]
    fn new() -> Self {
        let global = Global::default();
        let mut spec = spec::Instance::new("i", 50, &global);
        spec.interface = Some("eth0".into());
        spec.addresses.push(VirtualAddress::new(Prefix::host([10, 0, 0, 9].into())));
        let mut all = spec::Spec::default();
        all.instances.push(spec);
        let mut core = Core::new(spec::InstanceRef::all(&Arc::new(all)).next().unwrap());
        core.source = Some([10, 0, 0, 5].into());
        let instance = Instance::new(core);
        Self { instance, now: Instant::now(), out: Outbox::default(), pacer: Pacer::default(), global }
    }

    fn give(&mut self, event: Event) {
        let mut cx = Cx {
            now: self.now,
            out: &mut self.out,
            pacer: &mut self.pacer,
            global: &self.global,
            group: None,
            others_ready: true,
            announce_group: false,
        };
        self.instance.handle(&mut cx, event);
    }

    fn reach(state: StateKind) -> Self {
        let mut bench = Self::new();
        match state {
            StateKind::Init => {}
            StateKind::Backup => bench.give(Event::Begin),
            StateKind::Master | StateKind::Releasing => {
                bench.give(Event::Resume);
                // Past the time in which rivals are overlooked.
                bench.now += Duration::from_millis(1500);
                bench.give(Event::Timer);
                bench.now += Duration::from_millis(400);
                if state == StateKind::Releasing {
                    bench.give(Event::Shutdown);
                }
            }
            StateKind::Fault => {
                bench.instance.core.faults.push(track::Fault::NoPeer);
                bench.give(Event::Fault);
            }
            StateKind::Stopped => bench.give(Event::Shutdown),
        }
        assert_eq!(bench.instance.kind(), state);
        while bench.out.pop().is_some() {}
        bench
    }

    /// What was done, repetitions counted.
    fn outline(&mut self) -> String {
        let mut items: Vec<(String, usize)> = Vec::new();
        while let Some(output) = self.out.pop() {
            let item = match output {
                Output::Log(_) => continue,
                Output::Transmit(transmit) => format!("advert {}", transmit.payload()[2]),
                Output::AddAddress(_) => "add".into(),
                Output::DelAddress(_) => "remove".into(),
                Output::Garp(_) => "announce".into(),
                Output::Probe(_) => "ask".into(),
                Output::Notify(notify) => format!("tell {}", notify.state.word()),
                other => format!("{other:?}"),
            };
            match items.last_mut() {
                Some((last, count)) if *last == item => *count += 1,
                _ => items.push((item, 1)),
            }
        }
        let text =
            |(item, count): (String, usize)| if count > 1 { format!("{count} × {item}") } else { item };
        items.into_iter().map(text).collect::<Vec<_>>().join(", ")
    }
}

fn advert(priority: u8, last: u8) -> Event {
    Event::Advert(Advert {
        source: [10, 0, 0, last].into(),
        priority,
        interval: AdvertInterval::ONE_SECOND,
        address_mismatch: None,
        sequence: None,
    })
}

/// Makes an event anew for every state.
struct Make(&'static str, fn() -> Event);

fn events() -> Vec<Make> {
    vec![
        Make("begin", || Event::Begin),
        Make("resume", || Event::Resume),
        Make("timer, not yet due", || Event::Timer),
        Make("timer", || Event::Timer),
        Make("advert of priority 0", || advert(0, 4)),
        Make("advert of lower priority", || advert(50, 4)),
        Make("advert of equal priority, lower address", || advert(100, 4)),
        Make("advert of equal priority, own address", || advert(100, 5)),
        Make("advert of equal priority, higher address", || advert(100, 6)),
        Make("advert of higher priority", || advert(150, 4)),
        Make("fault", || Event::Fault),
        Make("recover", || Event::Recover),
        Make("group becomes master", || Event::GroupMaster),
        Make("group becomes backup", || Event::GroupBackup),
        Make("late wake-up", || Event::LateWake(Duration::ZERO)),
        Make("yield", || Event::Yield),
        Make("step down", || Event::StepDown),
        Make("priority changed", || Event::PriorityChanged(90)),
        Make("announce", || Event::Announce),
        Make("rival of the group", || Event::GroupRival),
        Make("claim of another machine", || Event::Claim {
            address: [10, 0, 0, 9].into(),
            mac: [2, 0, 0, 0, 0, 9],
        }),
        Make("reconfigured", || Event::Reconfigured),
        Make("shutdown", || Event::Shutdown),
    ]
}

#[test]
#[expect(clippy::disallowed_methods, reason = "whether to rewrite the table comes from the environment")]
fn every_state_answers_every_event_as_the_table_says() {
    let mut table = String::new();
    for state in [
        StateKind::Init,
        StateKind::Backup,
        StateKind::Master,
        StateKind::Fault,
        StateKind::Releasing,
        StateKind::Stopped,
    ] {
        for Make(name, event) in events() {
            let mut bench = Bench::reach(state);
            if name == "timer"
                && let Some(at) = bench.instance.poll_timeout()
            {
                bench.now = bench.now.max(at);
            }
            if name == "recover" {
                bench.instance.core.faults.clear();
            }
            bench.give(event());
            let line = format!("{state:?} × {name} → {:?}: {}", bench.instance.kind(), bench.outline());
            table.push_str(line.trim_end_matches([':', ' ']));
            table.push('\n');
        }
    }
    if std::env::var("UPDATE_GOLDEN").is_ok() {
        std::fs::write(TABLE, &table).expect("the table can be written");
    }
    let expected = std::fs::read_to_string(TABLE).expect("the table can be read");
    assert_eq!(table, expected);
}
