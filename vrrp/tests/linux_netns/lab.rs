//! Two namespaces joined by a cable, and drivers that run in them.

use std::cell::RefCell;
use std::fs::File;
use std::process::Command as Process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use vrrp::Memory;
use vrrp::event::{Admin, Notify, NotifyState};
use vrrp::linux::{Driver, Event, Handle, Options};
use vrrp::spec::{AdvertInterval, Instance, Prefix, Spec, Version, VirtualAddress};
use vrrp::stats::Snapshot;

pub(crate) const VIP: &str = "10.98.0.200";
/// Far beyond anything that may happen here; only a hang gets so far.
const PATIENCE: Duration = Duration::from_secs(20);

/// True if namespaces can be made; otherwise says why the test proves nothing.
pub(crate) fn possible(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    let ip = root
        && Process::new("ip").args(["netns", "list"]).output().is_ok_and(|output| output.status.success());
    if !ip {
        eprintln!("{test}: skipped, it needs root and iproute2 with network namespaces");
    }
    ip
}

/// True if a program is there; otherwise says why the test proves nothing.
pub(crate) fn installed(test: &str, program: &str) -> bool {
    let there = Process::new(program).arg("--version").output().is_ok();
    if !there {
        eprintln!("{test}: skipped, it needs the program {program}");
    }
    there
}

pub(crate) fn ip(arguments: &str) -> String {
    let output = Process::new("ip").args(arguments.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Waits until something is so. What it looks at changes outside of this process, so all it can do is look again.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "it did not happen: {what}");
        std::thread::yield_now();
    }
}

/// Two namespaces joined by a cable, removed when dropped.
pub(crate) struct Lab {
    pub(crate) names: [String; 2],
}

impl Lab {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let names = ["a", "b"].map(|side| format!("vrrpt{}-{count}{side}", std::process::id()));
        for name in &names {
            ip(&format!("netns add {name}"));
        }
        let lab = Self { names };
        lab.connect();
        lab
    }

    /// Plugs the cable in and gives both ends an address of each family.
    pub(crate) fn connect(&self) {
        let [a, b] = &self.names;
        ip(&format!("link add eth0 netns {a} type veth peer name eth0 netns {b}"));
        for (name, host) in self.names.iter().zip([11, 12]) {
            ip(&format!("-n {name} addr add 10.98.0.{host}/24 dev eth0"));
            ip(&format!("-n {name} addr add fe80::{host}/64 dev eth0 nodad"));
            ip(&format!("-n {name} link set eth0 up"));
        }
        // The kernel notices the carrier a moment later.
        for name in &self.names {
            until("carrier", || ip(&format!("-n {name} link show eth0")).contains("state UP"));
        }
    }

    pub(crate) fn holds(&self, side: usize, address: &str) -> bool {
        ip(&format!("-n {} -o addr show dev eth0", self.names[side])).contains(&format!(" {address}/"))
    }

    /// Runs `ip` in the namespace of a side.
    pub(crate) fn ip(&self, side: usize, arguments: &str) -> String {
        ip(&format!("-n {} {arguments}", self.names[side]))
    }

    /// Runs a program in the namespace of a side.
    pub(crate) fn run(&self, side: usize, line: &str) -> String {
        ip(&format!("netns exec {} {line}", self.names[side]))
    }

    /// Does something in the namespace of a side.
    pub(crate) fn inside(&self, side: usize, work: impl FnOnce() + Send + 'static) {
        let namespace = File::open(format!("/run/netns/{}", self.names[side])).unwrap();
        let thread = std::thread::spawn(move || {
            use std::os::fd::AsFd as _;
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            work();
        });
        thread.join().unwrap();
    }

    pub(crate) fn start(&self, side: usize, spec: Spec, memory: Option<Memory>) -> Node {
        self.start_with(side, spec, memory, |_| ())
    }

    /// Starts a driver on whose thread `meanwhile` sees each event.
    pub(crate) fn start_with(
        &self,
        side: usize,
        spec: Spec,
        memory: Option<Memory>,
        mut meanwhile: impl FnMut(&Event) + Send + 'static,
    ) -> Node {
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
                let tell = move |event| {
                    meanwhile(&event);
                    drop(event_sender.send(event));
                };
                let (driver, handle) = Driver::new(spec, options, tell).unwrap();
                handle_sender.send(handle).unwrap();
                driver.run().await.unwrap();
            });
        });
        Node { handle: handle.recv().unwrap(), events, lines: RefCell::default(), thread: Some(thread) }
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
pub(crate) struct Node {
    pub(crate) handle: Handle,
    events: Receiver<Event>,
    lines: RefCell<Vec<String>>,
    thread: Option<JoinHandle<()>>,
}

impl Node {
    pub(crate) fn await_event(&self, wanted: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = match self.events.recv_timeout(PATIENCE) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => panic!("it did not happen"),
                Err(RecvTimeoutError::Disconnected) => panic!("the driver ended"),
            };
            self.note(&event);
            if wanted(&event) {
                return event;
            }
        }
    }

    pub(crate) fn await_state(&self, wanted: NotifyState) {
        self.await_event(|event| matches!(event, Event::Notify(Notify { state, .. }) if *state == wanted));
    }

    pub(crate) fn admin(&self, admin: Admin) {
        self.block_on(self.handle.admin(admin));
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.block_on(self.handle.snapshot()).unwrap()
    }

    /// True if a line with these words has been logged.
    pub(crate) fn said(&self, words: &str) -> bool {
        self.events.try_iter().for_each(|event| self.note(&event));
        self.lines.borrow().iter().any(|line| line.contains(words))
    }

    fn note(&self, event: &Event) {
        if let Event::Log(log) = event {
            self.lines.borrow_mut().push(log.text.clone());
        }
    }

    /// Ends the driver in good order.
    pub(crate) fn stop(self) {
        self.admin(Admin::Shutdown);
        self.join();
    }

    pub(crate) fn reload(&self, spec: Spec) {
        self.block_on(self.handle.reload(spec)).unwrap();
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    /// Waits for the end of the driver and returns what it last wanted to be remembered.
    pub(crate) fn join(mut self) -> Option<Memory> {
        self.thread.take().unwrap().join().unwrap();
        self.events
            .try_iter()
            .filter_map(|event| if let Event::Memory(memory) = event { Some(memory) } else { None })
            .last()
    }
}

pub(crate) fn spec(priority: u8) -> Spec {
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
