//! The Linux driver against itself and against the kernel, in network namespaces. Needs root and iproute2; says so and
//! passes where they are missing.
#![cfg(feature = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests, which may fail and say why they skip"
)]

use std::fs::File;
use std::process::Command as Process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use vrrp::Memory;
use vrrp::event::{Admin, Notify, NotifyState};
use vrrp::linux::{Driver, Event, Handle, Options};
use vrrp::spec::{AdvertInterval, Instance, Prefix, Spec, Version, VirtualAddress};
use vrrp::stats::Snapshot;

const VIP: &str = "10.98.0.200";
/// Far beyond anything that may happen here; only a hang gets so far.
const PATIENCE: Duration = Duration::from_secs(20);

/// True if namespaces can be made; otherwise says why the test proves nothing.
fn possible(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    let ip = root
        && Process::new("ip").args(["netns", "list"]).output().is_ok_and(|output| output.status.success());
    if !ip {
        eprintln!("{test}: skipped, it needs root and iproute2 with network namespaces");
    }
    ip
}

fn ip(arguments: &str) -> String {
    let output = Process::new("ip").args(arguments.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Two namespaces joined by a cable, removed when dropped.
struct Lab {
    names: [String; 2],
}

impl Lab {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let names = ["a", "b"].map(|side| format!("vrrpt{}-{count}{side}", std::process::id()));
        for name in &names {
            ip(&format!("netns add {name}"));
        }
        ip(&format!("link add eth0 netns {} type veth peer name eth0 netns {}", names[0], names[1]));
        for (name, host) in names.iter().zip([11, 12]) {
            ip(&format!("-n {name} addr add 10.98.0.{host}/24 dev eth0"));
            ip(&format!("-n {name} link set eth0 up"));
        }
        Self { names }
    }

    fn holds(&self, side: usize, address: &str) -> bool {
        ip(&format!("-n {} -o addr show dev eth0", self.names[side])).contains(&format!(" {address}/"))
    }

    fn start(&self, side: usize, spec: Spec, memory: Option<Memory>) -> Node {
        let namespace = File::open(format!("/run/netns/{}", self.names[side])).unwrap();
        let (event_sender, events) = channel();
        let (handle_sender, handle) = channel();
        let thread = std::thread::spawn(move || {
            use std::os::fd::AsFd as _;
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let mut options = Options::default();
                options.memory = memory.map(|memory| (memory, Duration::ZERO));
                let tell = move |event| drop(event_sender.send(event));
                let (driver, handle) = Driver::new(spec, options, tell).unwrap();
                handle_sender.send(handle).unwrap();
                driver.run().await.unwrap();
            });
        });
        Node { handle: handle.recv().unwrap(), events, thread: Some(thread) }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for name in &self.names {
            // Best effort: a failed test must not hide behind a failed clean-up.
            let _ = Process::new("ip").args(["netns", "del", name]).status();
        }
    }
}

/// A running driver.
struct Node {
    handle: Handle,
    events: Receiver<Event>,
    thread: Option<JoinHandle<()>>,
}

impl Node {
    fn await_event(&self, wanted: impl Fn(&Event) -> bool) -> Event {
        loop {
            match self.events.recv_timeout(PATIENCE) {
                Ok(event) if wanted(&event) => return event,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => panic!("it did not happen"),
                Err(RecvTimeoutError::Disconnected) => panic!("the driver ended"),
            }
        }
    }

    fn await_state(&self, wanted: NotifyState) {
        self.await_event(|event| matches!(event, Event::Notify(Notify { state, .. }) if *state == wanted));
    }

    fn admin(&self, admin: Admin) {
        self.block_on(self.handle.admin(admin));
    }

    fn snapshot(&self) -> Snapshot {
        self.block_on(self.handle.snapshot()).unwrap()
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    /// Waits for the end of the driver and returns what it last wanted to be remembered.
    fn join(mut self) -> Option<Memory> {
        self.thread.take().unwrap().join().unwrap();
        self.events
            .try_iter()
            .filter_map(|event| if let Event::Memory(memory) = event { Some(memory) } else { None })
            .last()
    }
}

fn spec(priority: u8) -> Spec {
    let mut spec = Spec::new();
    let mut instance = Instance::new("VI_1", 51, &spec.global);
    instance.interface = Some("eth0".into());
    instance.version = Version::V3;
    instance.advert_interval = AdvertInterval::from_centis(10);
    instance.priority = priority;
    instance.addresses.push(VirtualAddress::new(Prefix::host(VIP.parse().unwrap())));
    spec.instances.push(instance);
    spec
}

#[test]
fn the_higher_priority_holds_the_address_and_hands_it_over_when_stopped() {
    if !possible("the_higher_priority_holds_the_address_and_hands_it_over_when_stopped") {
        return;
    }
    let lab = Lab::new();
    let (a, b) = (lab.start(0, spec(150), None), lab.start(1, spec(100), None));
    a.await_state(NotifyState::Master);
    assert!(a.snapshot().instance("VI_1").unwrap().stats.adverts_sent > 0);
    assert!(!lab.holds(1, VIP));
    a.admin(Admin::Shutdown);
    b.await_state(NotifyState::Master);
    a.join();
    assert!(!lab.holds(0, VIP));
    b.admin(Admin::Shutdown);
    b.join();
    assert!(!lab.holds(1, VIP));
}

#[test]
fn a_successor_resumes_the_mastership_and_the_address_never_leaves() {
    if !possible("a_successor_resumes_the_mastership_and_the_address_never_leaves") {
        return;
    }
    let lab = Lab::new();
    let first = lab.start(0, spec(150), None);
    first.await_state(NotifyState::Master);
    first.admin(Admin::Abandon);
    let memory = first.join().expect("a master has something to remember");
    assert!(lab.holds(0, VIP));
    let mut monitor = Process::new("ip")
        .args(["-n", &lab.names[0], "monitor", "address"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let second = lab.start(0, spec(150), Some(memory));
    second.await_event(|event| match event {
        Event::Notify(Notify { state, .. }) => {
            assert_eq!(*state, NotifyState::Master, "the first state after a resumption");
            true
        }
        _ => false,
    });
    assert!(lab.holds(0, VIP));
    monitor.kill().unwrap();
    let seen = String::from_utf8(monitor.wait_with_output().unwrap().stdout).unwrap();
    assert!(!seen.contains("Deleted"), "{seen}");
    second.admin(Admin::Shutdown);
    second.join();
}

#[test]
fn an_address_left_behind_by_nobody_we_know_is_removed_at_the_start() {
    if !possible("an_address_left_behind_by_nobody_we_know_is_removed_at_the_start") {
        return;
    }
    let lab = Lab::new();
    ip(&format!("-n {} addr add {VIP}/32 dev eth0", lab.names[0]));
    let master = lab.start(1, spec(150), None);
    master.await_state(NotifyState::Master);
    let backup = lab.start(0, spec(100), None);
    backup.await_state(NotifyState::Backup);
    backup.admin(Admin::Shutdown);
    backup.join();
    assert!(!lab.holds(0, VIP));
    master.admin(Admin::Shutdown);
    master.join();
}

#[test]
fn an_address_somebody_removes_is_put_back_without_losing_the_mastership() {
    if !possible("an_address_somebody_removes_is_put_back_without_losing_the_mastership") {
        return;
    }
    let lab = Lab::new();
    let node = lab.start(0, spec(150), None);
    node.await_state(NotifyState::Master);
    ip(&format!("-n {} addr del {VIP}/32 dev eth0", lab.names[0]));
    while node.snapshot().instance("VI_1").unwrap().stats.addresses_restored == 0 {
        std::thread::yield_now();
    }
    let stats = node.snapshot().instance("VI_1").unwrap().stats.clone();
    assert_eq!((stats.became_master, stats.released_master), (1, 0));
    node.admin(Admin::Shutdown);
    node.join();
}
