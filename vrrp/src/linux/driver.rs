//! The run loop: everything that happens outside goes into the router, everything the router wants is done.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use tokio::sync::mpsc;

use super::bfd::{News, Runner};
use super::clock::{Clock, boot_clock};
use super::effects::{Effects, Senders};
use super::files::Files;
use super::handle::{Command, Event, Handle, Options, StartError};
use super::netlink::{Monitor, Netlink, message};
use super::notify::Ended;
use super::processes::Processes;
use super::rivals::Heard;
use super::schedule::Schedule;
use super::security;
use super::timer::Timer;
use super::tuning::{self, AutoPriority};
use crate::event::{Admin, Datagram, Input, Log, Notify, Output, ScriptResult, Severity, Track};
use crate::snmp::mib::MasterReason;
use crate::spec::{Instance, Name, Spec};
use crate::timer::{earliest, reached};
use crate::{Router, SpecError};

/// Received adverts that wait for the router; what comes on top waits in the kernel or is dropped there.
const DATAGRAM_QUEUE: usize = 256;
/// Claims of other machines that wait; more than that would say nothing new.
const CLAIM_QUEUE: usize = 64;
/// A timer that comes later than this comes after something else may have happened.
const PUNCTUAL: Duration = Duration::from_micros(500);
/// How often the inbox is emptied before a late timer: for the adverts of some thousand instances, and not for ever.
const CATCH_UP_ROUNDS: usize = 16;
/// Adverts handled before the clock is looked at again.
const DATAGRAM_BATCH: usize = 32;
/// Requests of the caller that wait.
const COMMAND_QUEUE: usize = 64;
/// The longest the end of a graceful stop waits for the kernel and for notification scripts.
const FINISH_LIMIT: Duration = Duration::from_secs(1);
/// Time between two attempts to open a socket that could not be opened.
const RETRY: Duration = Duration::from_secs(1);

/// The router with its hands.
pub struct Driver {
    router: Router,
    spec: Arc<Spec>,
    effects: Effects,
    netlink: Netlink,
    monitor: Monitor,
    timer: Timer,
    files: Files,
    processes: Option<Processes>,
    bfd: Runner,
    auto_priority: AutoPriority,
    clock: Clock,
    retry_at: Option<Instant>,
    schedule: Schedule,
    /// The picture of links and addresses may be incomplete and could not be renewed yet.
    relist: bool,
    abandoned: bool,
    /// Something happened that a successor may have to know.
    changed: bool,
    inbox: Inbox,
}

/// The receiving ends of everything that happens elsewhere.
struct Inbox {
    datagrams: mpsc::Receiver<Datagram>,
    problems: mpsc::UnboundedReceiver<String>,
    scripts: mpsc::UnboundedReceiver<(Name, ScriptResult)>,
    ended: mpsc::UnboundedReceiver<Ended>,
    claims: mpsc::Receiver<Heard>,
    bfd: mpsc::Receiver<News>,
    tracks: mpsc::UnboundedReceiver<Track>,
    track_sender: mpsc::UnboundedSender<Track>,
    commands: mpsc::Receiver<Command>,
    commands_open: bool,
}

impl Driver {
    /// Opens what is needed to run a specification. Nothing is sent or changed yet.
    ///
    /// Has to be called inside a tokio runtime with I/O and time enabled, on a thread in the network namespace to
    /// serve. `events` is called from within [`Driver::run`] and must not block.
    pub fn new(
        mut spec: Spec,
        options: Options,
        events: impl FnMut(Event) + Send + 'static,
    ) -> Result<(Self, Handle), StartError> {
        let now = Instant::now();
        let logs = prepare(&mut spec);
        let spec = Arc::new(spec);
        let mut router = Router::new(Arc::clone(&spec))?;
        // The sessions and the router must remember the same.
        let memory = options.memory.filter(|_| spec.global.resume);
        let were_up = memory.as_ref().map_or_else(Vec::new, |(memory, _)| memory.sessions.clone());
        if let Some((memory, age)) = memory {
            router.resume(memory, age);
        }
        let (bfd, bfd_news) = Runner::new(were_up);
        let (datagram_sender, datagrams) = mpsc::channel(DATAGRAM_QUEUE);
        let (problem_sender, problems) = mpsc::unbounded_channel();
        let (script_sender, scripts) = mpsc::unbounded_channel();
        let (ended_sender, ended) = mpsc::unbounded_channel();
        let (claim_sender, claims) = mpsc::channel(CLAIM_QUEUE);
        let (track_sender, tracks) = mpsc::unbounded_channel();
        let (command_sender, commands) = mpsc::channel(COMMAND_QUEUE);
        let mut effects = Effects::new(
            Box::new(events),
            Senders {
                datagrams: datagram_sender,
                problems: problem_sender,
                scripts: script_sender,
                ended: ended_sender,
                claims: claim_sender,
            },
        )?;
        logs.into_iter().for_each(|log| effects.log(log));
        let inbox = Inbox {
            datagrams,
            problems,
            scripts,
            ended,
            claims,
            bfd: bfd_news,
            tracks,
            track_sender,
            commands,
            commands_open: true,
        };
        let driver = Self {
            router,
            effects,
            netlink: Netlink::open()?,
            monitor: Monitor::open(watches_routes(&spec))?,
            timer: Timer::new()?,
            files: Files::new()?,
            processes: None,
            bfd,
            auto_priority: AutoPriority::new(&spec.global.process),
            clock: Clock::new(now),
            retry_at: None,
            schedule: Schedule::default(),
            relist: false,
            abandoned: false,
            changed: false,
            inbox,
            spec,
        };
        Ok((driver, Handle { commands: command_sender }))
    }

    /// The specification in force, fitted to this machine: what cannot run here has been taken out.
    #[must_use]
    pub fn spec(&self) -> Arc<Spec> {
        Arc::clone(&self.spec)
    }

    /// Runs until a graceful stop is complete ([`Admin::Shutdown`]) or the driver is told to let go
    /// ([`Admin::Abandon`]). Not cancel safe: a dropped future leaves addresses in place.
    pub async fn run(mut self) -> io::Result<()> {
        self.begin().await?;
        while !self.router.is_finished() {
            self.step().await?;
        }
        self.finish().await;
        Ok(())
    }

    async fn begin(&mut self) -> io::Result<()> {
        self.effects.problems(tuning::apply(&self.spec.global.process));
        if let Some(priority) = self.spec.global.process.realtime {
            self.effects.realtime(priority);
        }
        if let Some((command, limit)) = self.spec.global.startup_script.clone() {
            self.effects.run_to_end("startup script", command, limit).await;
        }
        self.effects.links.focus(&self.spec, &mut Vec::new());
        // The monitor is listening already, so nothing that changes from here on is missed.
        self.list_everything();
        self.configure();
        self.settle();
        self.input(Input::Admin(Admin::Start));
        self.effects.tell(Event::Started);
        Ok(())
    }

    /// Waits for one thing to happen and deals with it.
    async fn step(&mut self) -> io::Result<()> {
        let now = self.tick();
        let deadline = earliest([
            self.router.poll_timeout(),
            self.effects.deadline(),
            self.retry_at,
            self.schedule.poll_timeout(),
        ]);
        if let Some(deadline) = deadline.filter(|deadline| *deadline <= now) {
            let late = now.saturating_duration_since(deadline) > PUNCTUAL;
            let now = if late { self.catch_up().await } else { now };
            self.expire(now);
            return Ok(());
        }
        self.tell_memory();
        self.timer.arm(now, deadline)?;
        tokio::select! {
            biased;
            fired = self.timer.fired() => fired?,
            Some(datagram) = self.inbox.datagrams.recv() => self.receive(datagram),
            ready = self.monitor.ready() => { ready?; self.hear(); }
            Some((name, result)) = self.inbox.scripts.recv() => {
                self.effects.script_ended(&name);
                self.input(Input::Track(Track::Script(name, result)));
            }
            Some(heard) = self.inbox.claims.recv() => {
                if let Some(claim) = self.effects.claim(&heard) {
                    self.input(claim);
                }
            }
            Some(news) = self.inbox.bfd.recv() => match news {
                News::Track(track) => self.input(Input::Track(track)),
                News::Log(log) => self.effects.log(log),
            },
            Some(problem) = self.inbox.problems.recv() => self.effects.problem(problem),
            Some(ended) = self.inbox.ended.recv() => self.effects.notify_ended(ended, Instant::now()),
            command = self.inbox.commands.recv(), if self.inbox.commands_open => match command {
                Some(command) => self.obey(command),
                None => self.inbox.commands_open = false,
            },
            Some(track) = self.inbox.tracks.recv() => self.input(Input::Track(track)),
            changed = self.files.changed() => { changed?; self.read_files(); }
        }
        Ok(())
    }

    /// Deals with what was to happen until now.
    fn expire(&mut self, now: Instant) {
        if let Some(due) = self.router.poll_timeout().filter(|due| *due <= now) {
            let late = now.saturating_duration_since(due);
            self.router.handle_timeout(now);
            self.drain(now);
            if let Some(text) = self.auto_priority.observe(now, late) {
                self.effects.problem(text);
            }
        }
        self.effects.overtake(now);
        if reached(self.schedule.poll_timeout(), now) {
            self.look_at_schedule(now);
        }
        if reached(self.retry_at, now) {
            if self.relist {
                self.list_everything();
            }
            self.refresh(now);
        }
    }

    fn look_at_schedule(&mut self, now: Instant) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let looked = self.schedule.handle_timeout(now, i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
        for text in looked.lines {
            self.effects.log(Log { severity: Severity::Info, detail: false, text });
        }
        if looked.reload {
            self.effects.tell(Event::ReloadDue);
        }
    }

    /// The time, after telling the router of any sleep the monotonic clock does not show.
    fn tick(&mut self) -> Instant {
        let now = Instant::now();
        if let Some(slept) = self.clock.slept(now, boot_clock()) {
            self.router.handle_input(now, Input::ClockJump(slept));
            self.drain(now);
        }
        now
    }

    /// Hears what came while this thread did not run. It counts before the timers that expired meanwhile: a backup that does
    /// not know of the advert in its socket becomes a second master.
    async fn catch_up(&mut self) -> Instant {
        for _ in 0..CATCH_UP_ROUNDS {
            // First the runtime looks at the sockets, then whoever reads them has a turn.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            let Ok(first) = self.inbox.datagrams.try_recv() else { break };
            self.input(Input::Datagram(first));
            while let Ok(datagram) = self.inbox.datagrams.try_recv() {
                self.input(Input::Datagram(datagram));
            }
        }
        self.tick()
    }

    fn receive(&mut self, first: Datagram) {
        self.input(Input::Datagram(first));
        for _ in 1..DATAGRAM_BATCH {
            let Ok(datagram) = self.inbox.datagrams.try_recv() else { return };
            self.input(Input::Datagram(datagram));
        }
    }

    /// Reads what the kernel tells of links and addresses.
    fn hear(&mut self) {
        let mut changes = Vec::new();
        loop {
            match self.monitor.read(&mut changes) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // ENOBUFS: more changed at once than the socket could hold.
                    self.effects
                        .problem(format!("netlink messages were lost, listing everything again: {error}"));
                    self.relist = true;
                    break;
                }
            }
        }
        let mut inputs = Vec::new();
        for change in changes {
            inputs.extend(self.effects.gone(&change));
            self.effects.links.apply(change, &mut inputs);
        }
        if !inputs.is_empty() {
            // Sockets first: an instance that starts on a returned interface wants to send at once.
            self.settle();
            inputs.into_iter().for_each(|input| self.input(input));
        }
        if self.relist {
            self.list_everything();
        }
    }

    /// Compares what is known of links and addresses with what there is. What fails is tried again later.
    fn list_everything(&mut self) {
        let listing = self.netlink.dump(message::list_links()).and_then(|mut listing| {
            listing.extend(self.netlink.dump(message::list_addresses())?);
            Ok(listing)
        });
        self.relist = listing.is_err();
        match listing {
            Ok(listing) => {
                let mut inputs = Vec::new();
                self.effects.links.replace(listing, &mut inputs);
                inputs.into_iter().for_each(|input| self.input(input));
            }
            Err(error) => {
                self.effects.problem(format!("cannot list links and addresses: {error}"));
                self.retry_at = Some(Instant::now() + RETRY);
            }
        }
    }

    /// Makes interfaces and opens sockets as far as the links allow.
    fn settle(&mut self) {
        let problems = self.effects.vmacs.configure(&self.spec, &mut self.netlink, &self.effects.links);
        self.effects.problems(problems);
        self.refresh(Instant::now());
    }

    fn refresh(&mut self, now: Instant) {
        self.effects.open_sockets();
        self.retry_at = (self.relist || self.effects.sockets.has_failures()).then(|| now + RETRY);
    }

    /// Takes over what the specification says of things the router does not know.
    fn configure(&mut self) {
        self.effects.configure(&self.spec);
        let problem = self.effects.vmacs.silence_reports(self.spec.global.no_local_reports);
        self.effects.problems(problem.into_iter().collect());
        self.schedule.configure(Instant::now(), self.spec.global.reload_time.as_ref());
        let problems = self.files.configure(&self.spec.files);
        self.effects.problems(problems);
        match Processes::start(self.spec.processes.clone(), self.inbox.track_sender.clone()) {
            Ok(processes) => self.processes = Some(processes),
            Err(error) => self.effects.problem(format!("cannot watch processes: {error}")),
        }
        if let Err(error) = self.bfd.configure(&self.spec.bfds) {
            self.effects.problem(format!("cannot run BFD sessions: {error}"));
        }
        self.read_files();
    }

    fn read_files(&mut self) {
        for track in self.files.news() {
            self.input(Input::Track(track));
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Input(input) => {
                self.abandoned |= input == Input::Admin(Admin::Abandon);
                self.input(input);
            }
            Command::Snapshot(reply) => {
                // Whoever asked may have gone away.
                let _ = reply.send(self.router.snapshot(Instant::now()));
            }
            Command::Outside(subject, what) => {
                let (search, now) = (search_path(), Instant::now());
                what.into_iter().for_each(|what| self.effects.outside(&subject, what, &search, now));
            }
            Command::Spec(reply) => drop(reply.send(Arc::clone(&self.spec))),
            Command::Master(name, reply) => drop(reply.send(self.router.master(&name))),
            Command::Reload(spec, reply) => {
                let _ = reply.send(self.reload(*spec));
            }
        }
    }

    fn reload(&mut self, mut spec: Spec) -> Result<(), SpecError> {
        let now = Instant::now();
        let logs = prepare(&mut spec);
        // What the new specification names and the old one did not, so that the router can judge at once. If it
        // refuses, it knows a little more than it has to.
        let mut inputs = Vec::new();
        let spec = Arc::new(spec);
        let farewells = self.effects.links.focus(&spec, &mut inputs);
        inputs.into_iter().for_each(|input| self.input(input));
        if let Err(error) = self.router.reconfigure(now, Arc::clone(&spec)) {
            self.effects.links.focus(&self.spec, &mut Vec::new());
            return Err(error);
        }
        logs.into_iter().for_each(|log| self.effects.log(log));
        let monitor_changes = watches_routes(&spec) != watches_routes(&self.spec);
        self.spec = spec;
        if monitor_changes {
            match Monitor::open(watches_routes(&self.spec)) {
                Ok(monitor) => self.monitor = monitor,
                Err(error) => self.effects.problem(format!("cannot watch routes: {error}")),
            }
        }
        // New sockets and interfaces before what needs them, old ones closed only after the farewells.
        self.effects.configure(&self.spec);
        self.settle();
        self.drain(now);
        self.effects.sockets.prune(&self.spec);
        self.effects.vmacs.prune(&self.spec, &mut self.netlink);
        farewells.into_iter().for_each(|input| self.input(input));
        self.list_everything();
        self.configure();
        Ok(())
    }

    /// Tells the router something and does what it wants.
    fn input(&mut self, input: Input) {
        let now = Instant::now();
        self.router.handle_input(now, input);
        self.drain(now);
    }

    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.router.poll_output() {
            if let (Output::Notify(notify), true) = (&output, self.effects.traps()) {
                let source = self.router.advert_source(&notify.name);
                self.effects.trap(&self.spec, notify, source, self.master_reason(notify, now));
            }
            self.changed |= self.effects.perform(output, now);
        }
    }

    /// Tells what a successor has to know: once for all that happens at the same time. Nobody takes it before this task waits.
    fn tell_memory(&mut self) {
        if std::mem::take(&mut self.changed) {
            self.effects.remember(self.router.memory());
        }
    }

    /// Why an instance became master. Whoever was heard within the last intervals was not missed, but outbid.
    fn master_reason(&self, notify: &Notify, now: Instant) -> MasterReason {
        if self.spec.instance(&notify.name).is_some_and(Instance::is_owner) {
            return MasterReason::Priority;
        }
        let senders = self.router.senders(now, &notify.name);
        let speaks = senders
            .iter()
            .filter_map(|sender| sender.last_accepted)
            .any(|(priority, interval, age)| priority > 0 && age < interval.duration() * 2);
        if speaks { MasterReason::Preempted } else { MasterReason::MasterNoResponse }
    }

    async fn finish(&mut self) {
        self.tell_memory();
        if !self.effects.flush(FINISH_LIMIT).await {
            self.effects
                .problem("the kernel did not answer in time, addresses may be left behind".to_owned());
        }
        while let Ok(problem) = self.inbox.problems.try_recv() {
            self.effects.problem(problem);
        }
        self.end_programs().await;
        // The addresses that stay may be on an interface made here.
        if !self.abandoned && !self.spec.global.keep_on_stop {
            // Groups are left while nothing is reported, if nothing is to be reported.
            self.effects.sockets.prune(&Spec::new());
            tokio::task::yield_now().await;
            self.effects.vmacs.clear(&mut self.netlink);
        }
        if let Some((command, limit)) = self.spec.global.shutdown_script.clone() {
            self.effects.run_to_end("shutdown script", command, limit).await;
        }
    }
}

impl Driver {
    /// Ends the check scripts and lets the notification scripts finish, both within limits.
    async fn end_programs(&mut self) {
        self.effects.signal_scripts(Signal::TERM);
        let wait = async {
            while !self.effects.programs_ended() {
                tokio::select! {
                    Some((name, _)) = self.inbox.scripts.recv() => self.effects.script_ended(&name),
                    Some(ended) = self.inbox.ended.recv() => self.effects.notify_ended(ended, Instant::now()),
                }
            }
        };
        // Notification scripts that need longer go on without us; a check that does not want to end has to.
        if tokio::time::timeout(FINISH_LIMIT, wait).await.is_err() {
            self.effects.signal_scripts(Signal::KILL);
        }
    }
}

/// Fits a specification to this machine: scripts that cannot run are taken out, a delay counted from the boot becomes
/// one counted from now. Returns what there is to say about it.
fn prepare(spec: &mut Spec) -> Vec<Log> {
    let search = search_path();
    let left = spec.global.delay_after_boot.saturating_sub(boot_clock());
    spec.global.startup_delay = spec.global.startup_delay.max(left);
    let mut logs = security::apply(spec, &search);
    if tuning::needs_realtime(spec) {
        spec.global.process.realtime = Some(tuning::FAST);
        let text = format!("adverts every 100 ms or faster are sent at real-time priority {}", tuning::FAST);
        logs.push(Log { severity: Severity::Info, detail: false, text });
    }
    logs
}

/// Where programs without a path are looked for.
fn search_path() -> String {
    std::env::var("PATH").unwrap_or_else(|_| "/usr/sbin:/usr/bin:/sbin:/bin".to_owned())
}

/// True if somebody else's removal of a route or a rule has to be noticed.
fn watches_routes(spec: &Spec) -> bool {
    let fixed = &spec.fixed;
    let instances = spec.instances.iter();
    let mut routes = instances.clone().flat_map(|instance| &instance.routes).chain(&fixed.routes);
    let mut rules = instances.flat_map(|instance| &instance.rules).chain(&fixed.rules);
    routes.any(|route| route.track) || rules.any(|rule| rule.track)
}

/// An error line of the driver's own.
pub(super) fn problem(text: String) -> Log {
    Log { severity: Severity::Error, detail: false, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_counted_from_the_boot_counts_as_far_as_it_is_not_over() {
        let up = boot_clock();
        for (delay, after_boot, least) in [(5, 0, 5), (0, 1000, 999), (5, 1000, 999), (2000, 1000, 2000)] {
            let mut spec = Spec::new();
            spec.global.startup_delay = Duration::from_secs(delay);
            let after = Duration::from_secs(after_boot);
            spec.global.delay_after_boot = if after.is_zero() { after } else { up + after };
            prepare(&mut spec);
            let least = Duration::from_secs(least);
            assert!((least..=least + Duration::from_secs(1)).contains(&spec.global.startup_delay), "{delay}");
        }
        let mut spec = Spec::new();
        spec.global.delay_after_boot = up / 2;
        prepare(&mut spec);
        assert_eq!(spec.global.startup_delay, Duration::ZERO);
    }

    #[test]
    fn a_driver_may_run_on_any_runtime() {
        fn assert_send<T: Send>(_: impl FnOnce(Driver) -> T) {}
        assert_send(Driver::run);
    }
}
