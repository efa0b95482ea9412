//! The loggers of proxies: lines are made once, framed for each target, and given to its outlet.

use super::generation::Hub;
use super::log_backend::{RingWay, ServedRing, Way, Ways};
use super::ring_file::{Promise, RingFileError};
use super::sink::Sink;
use super::view::host;
use super::{Outlet, Stamp, Worker};
use crate::ctl::EventSink;
use crate::engine::{Plan, ProxyPlan};
use crate::expr::Env;
use crate::health::{EventLevel, HealthEvent};
use crate::log::syslog::{Header, Time};
use crate::log::{Message, Origin, Record, Schedule, Template, write_accept_line, write_error_line};
use crate::spec::{
    LogDestination, LogFormat, LogProfile, LogTarget, Mode, ProxyLog, RingSpec, SampleRange, Severity,
};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

thread_local! {
    /// The message and the framed line being made; they keep their memory.
    static SCRATCH: RefCell<(Vec<u8>, Vec<u8>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// Where the lines of a server leave: outlets, one per destination and worker, and rings. Outlets stay when a reload removes
/// their last user.
#[derive(Debug)]
pub(super) struct LogHub {
    count: usize,
    /// Those that send lines, once they run.
    workers: OnceLock<Vec<Worker>>,
    outlets: Mutex<HashMap<LogDestination, Vec<Arc<Outlet>>>>,
    sinks: Mutex<Vec<Arc<Sink>>>,
    /// Lines that no outlet and no ring lost: there was nowhere to send them.
    lost: AtomicU64,
    /// Lines of others.
    received: AtomicU64,
}

impl LogHub {
    /// The hub of so many workers.
    pub(super) fn new(count: usize) -> Self {
        let standing = RingSpec::STANDING.map(|(name, description, size)| {
            let sink = Sink::new(name, size);
            sink.serve(&description.into(), &[], std::iter::empty());
            sink
        });
        Self {
            count,
            workers: OnceLock::new(),
            outlets: Mutex::default(),
            sinks: Mutex::new(standing.to_vec()),
            lost: AtomicU64::new(0),
            received: AtomicU64::new(0),
        }
    }

    /// The outlets to a destination, one for each worker.
    pub(super) fn outlets(&self, destination: &LogDestination) -> Vec<Arc<Outlet>> {
        let mut all = self.outlets.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let made: Vec<_> = (0..self.count).map(|_| Outlet::new(destination.clone())).collect();
            made.iter().zip(self.workers.get().into_iter().flatten()).for_each(|(o, w)| o.start(w));
            made
        };
        all.entry(destination.clone()).or_insert_with(make).clone()
    }

    /// The ring of that name, size and file.
    pub(super) fn sink(&self, spec: &RingSpec) -> Arc<Sink> {
        let mut sinks = self.sinks();
        let same =
            |sink: &&Arc<Sink>| sink.name == spec.name && sink.size == spec.size && sink.path == spec.file;
        if let Some(sink) = sinks.iter().find(same) {
            return Arc::clone(sink);
        }
        let sink = Sink::backed(&spec.name, spec.size, spec.file.clone());
        sinks.push(Arc::clone(&sink));
        sink
    }

    /// The files that rings of a plan are going to need. Nothing that runs is touched, for the plan may still be refused.
    ///
    /// # Errors
    /// The first file that cannot be had.
    pub(super) fn files(&self, plan: &Plan) -> Result<Vec<(Arc<Sink>, Promise)>, RingFileError> {
        let file = |spec: &RingSpec| {
            let (path, sink) = (spec.file.as_ref()?, self.sink(spec));
            let promise = sink.is_without_file().then(|| Promise::new(path, spec.size))?;
            let wrong = |cause| RingFileError {
                ring: Arc::clone(&spec.name),
                path: Arc::clone(path),
                cause,
                origin: spec.origin,
            };
            Some(promise.map(|promise| (sink, promise)).map_err(wrong))
        };
        plan.rings().iter().filter_map(file).collect()
    }

    /// The way into a ring that is there in every configuration.
    pub(super) fn standing(&self, name: &str) -> Option<RingWay> {
        let mut spec = RingSpec::new(name);
        spec.size = RingSpec::STANDING.iter().find(|(own, _, _)| *own == name)?.2;
        Some(RingWay::standing(self.sink(&spec), LogFormat::Timed))
    }

    /// The ring of that name in the configuration in use.
    pub(super) fn find(&self, name: &str) -> Option<Arc<Sink>> {
        self.sinks().iter().find(|sink| *sink.name == *name && sink.is_live()).cloned()
    }

    /// How everything that takes lines is shown.
    pub(super) fn list(&self) -> Vec<EventSink> {
        let fd = |name: &str, fd| EventSink::new(name, "fd", 0, &format!("standard output (fd#{fd})"));
        let mut all = vec![fd("stdout", 1), fd("stderr", 2)];
        all.extend(self.sinks().iter().filter(|sink| sink.is_live()).map(|sink| sink.line()));
        all
    }

    /// Counts a line that there was nowhere to send.
    pub(super) fn lose(&self) {
        self.lost.fetch_add(1, Relaxed);
    }

    /// Lines that were given up, and lines of others that came in.
    pub(super) fn counts(&self) -> (u64, u64) {
        let outlets = self.outlets.lock().unwrap_or_else(PoisonError::into_inner);
        let dropped: u64 = outlets.values().flatten().map(|outlet| outlet.dropped()).sum();
        (dropped + self.lost.load(Relaxed), self.received.load(Relaxed))
    }

    fn sinks(&self) -> MutexGuard<'_, Vec<Arc<Sink>>> {
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets lines leave in batches, each worker's by the worker, and rings send to their servers.
    pub(super) fn start(&self, workers: &[Worker], rings: &[ServedRing]) {
        let workers = self.workers.get_or_init(|| workers.to_vec());
        for outlets in self.outlets.lock().unwrap_or_else(PoisonError::into_inner).values() {
            for (outlet, worker) in outlets.iter().zip(workers) {
                outlet.start(worker);
            }
        }
        let mut turn = workers.iter().cycle();
        for ring in rings {
            ring.sink.serve(&ring.description, &ring.servers, &mut turn);
        }
        self.sinks().retain(|sink| {
            let used =
                RingSpec::STANDING.iter().any(|(name, _, size)| *name == &*sink.name && *size == sink.size)
                    || rings.iter().any(|ring| Arc::ptr_eq(&ring.sink, sink));
            if !used {
                sink.retire();
            }
            used
        });
    }

    /// Opens what can be opened now, before the process confines itself; failures show when lines are lost.
    pub(super) fn open(&self) {
        for outlets in self.outlets.lock().unwrap_or_else(PoisonError::into_inner).values() {
            for outlet in outlets {
                let _ = outlet.open();
            }
        }
    }
}

/// Writes the lines of one proxy.
#[derive(Debug)]
pub struct ProxyLogger {
    targets: Vec<Target>,
    tag: String,
    hostname: Option<Arc<str>>,
    pid: String,
    template: Option<Arc<Template>>,
    error_template: Option<Arc<Template>>,
    /// Structured data, where a target's lines have a place for it.
    structured: Option<Arc<Template>>,
    dontlog_normal: bool,
    separate_errors: bool,
    schedule: Schedule,
    reads_server: bool,
    hub: Arc<Hub>,
}

#[derive(Debug)]
struct Target {
    spec: LogTarget,
    way: Way,
    /// Lines seen, for sampling.
    seen: AtomicU32,
}

/// A line that is written, but for what its target adds.
#[derive(Clone, Copy)]
struct Sent<'a> {
    worker: usize,
    severity: Severity,
    date: Duration,
    message: &'a [u8],
    tag: &'a str,
}

/// The name to send in place of one that was left empty is that of this machine.
fn named(name: Arc<str>) -> Arc<str> {
    if name.is_empty() { host().into() } else { name }
}

impl ProxyLogger {
    pub(super) fn new(plan: &Plan, proxy: &ProxyPlan, ways: &Ways, hub: &Arc<Hub>) -> Self {
        let process = plan.process();
        let target = |spec: &LogTarget| Target {
            spec: spec.clone(),
            way: ways.to(&spec.destination, &hub.logs),
            seen: AtomicU32::new(0),
        };
        let log = &proxy.spec.log;
        let tag = log.tag.as_deref().or(process.syslog.tag.as_deref()).unwrap_or("haproxy");
        let targets: Vec<_> = proxy.log.targets.iter().map(|t| target(&t.spec)).collect();
        let http = proxy.spec.mode == Mode::Http;
        Self {
            schedule: Schedule::new(
                log.format.as_deref(),
                log.structured_format.as_deref(),
                log.steps,
                http,
                log.asap,
                log.captures,
            ),
            reads_server: reads_server(log, &targets),
            targets,
            tag: tag.to_owned(),
            hostname: process.syslog.hostname.clone().map(named),
            pid: std::process::id().to_string(),
            template: log.format.clone(),
            error_template: log.error_format.clone(),
            structured: log.structured_format.clone(),
            dontlog_normal: log.dontlog_normal,
            separate_errors: log.separate_errors,
            hub: Arc::clone(hub),
        }
    }

    /// True if there is anywhere to log to.
    pub fn is_enabled(&self) -> bool {
        !self.targets.is_empty()
    }

    /// Whether a line is to be written at a step of a stream about which one was or was not `written` before.
    pub fn is_due(&self, step: Origin, written: bool) -> bool {
        self.is_enabled() && self.schedule.is_due(step, written)
    }

    /// Whether lines tell totals that are not complete when they are written.
    pub fn is_early(&self) -> bool {
        self.schedule.is_early()
    }

    /// Whether lines tell of connections to servers, which are to be kept until the line is written.
    pub fn reads_server(&self) -> bool {
        self.reads_server
    }

    /// The severity of the line of a session or request; `None` if it is not to be written (`option dontlog-normal`).
    fn severity(&self, record: &Record<'_>) -> Option<Severity> {
        match record.is_error() {
            true if self.separate_errors => Some(Severity::Err),
            false if self.dontlog_normal => None,
            _ => Some(Severity::Info),
        }
    }

    /// Writes the line of a session or request, in the proxy's format or the default one, with another severity than usual
    /// if there is one (`http-request set-log-level`). `env` must know the [`record`](crate::expr::Facts::record), whose
    /// [`origin`](Record::origin) says at which step. False if the line is not to be written.
    pub fn traffic(&self, worker: usize, severity: Option<Severity>, env: &Env<'_>) -> bool {
        let Some(record) = env.facts.record() else { return false };
        let Some(usual) = self.severity(&record) else { return false };
        self.line(worker, severity.unwrap_or(usual), env, &record, None);
        true
    }

    /// Writes a line that a rule asks for (`do-log`), as its profile or else that of each target says.
    pub fn asked_for(
        &self,
        worker: usize,
        severity: Option<Severity>,
        env: &Env<'_>,
        profile: Option<&LogProfile>,
    ) {
        let Some(record) = env.facts.record() else { return };
        self.line(worker, severity.unwrap_or(Severity::Info), env, &record, profile);
    }

    fn line(
        &self,
        worker: usize,
        severity: Severity,
        env: &Env<'_>,
        record: &Record<'_>,
        profile: Option<&LogProfile>,
    ) {
        self.formatted(worker, severity, env, (record.origin, profile), |message| match &self.template {
            Some(template) => template.write_record(record, env, message),
            None if record.origin.is_step() => write_accept_line(record, message),
            None => {}
        });
    }

    /// Writes the line of a connection that failed before its protocol began. `env` must know the
    /// [`record`](crate::expr::Facts::record).
    pub(super) fn failure(&self, worker: usize, env: &Env<'_>) {
        self.without_stream(worker, env, self.error_template.as_deref(), write_error_line);
    }

    /// Writes the line of what was not a request, and thus had no stream. `env` must know the [`record`](crate::expr::Facts::record).
    pub fn no_stream(&self, worker: usize, env: &Env<'_>) {
        let template = self.error_template.as_deref().or(self.template.as_deref());
        self.without_stream(worker, env, template, |_, _, _| {});
    }

    /// Writes a line about what had no stream, by a template or, if there is none, in another way.
    fn without_stream(
        &self,
        worker: usize,
        env: &Env<'_>,
        template: Option<&Template>,
        otherwise: impl Fn(&Record<'_>, &Env<'_>, &mut Vec<u8>),
    ) {
        let Some(record) = env.facts.record() else { return };
        let severity = if self.separate_errors { Severity::Err } else { Severity::Info };
        self.formatted(worker, severity, env, (record.origin, None), |message| match template {
            Some(template) => template.write_record(&record, env, message),
            None => otherwise(&record, env, message),
        });
    }

    /// Writes the line that `make` makes, which it does not if every target has another one.
    fn formatted(
        &self,
        worker: usize,
        severity: Severity,
        env: &Env<'_>,
        (origin, profile): (Origin, Option<&LogProfile>),
        make: impl Fn(&mut Vec<u8>),
    ) {
        SCRATCH.with_borrow_mut(|(message, line)| {
            message.clear();
            let (mut made, mut structured) = (false, None);
            let date = env.facts.now().date;
            for target in self.targets.iter().filter(|target| target.takes(Some(severity))) {
                let profile = profile.or(target.spec.profile.as_deref());
                let step = profile.and_then(|profile| profile.step(origin));
                if step.is_some_and(|step| step.drop) {
                    continue;
                }
                let own = step.and_then(|step| step.format.as_ref()).map(|template| text(template, env));
                if own.is_none() && !std::mem::replace(&mut made, true) {
                    make(message);
                }
                let sent = Sent {
                    worker,
                    severity,
                    date,
                    message: own.as_deref().unwrap_or(message),
                    tag: own_tag(profile).unwrap_or(&self.tag),
                };
                let own = step.and_then(|step| step.structured.as_ref()).map(|template| text(template, env));
                if own.is_none() && structured.is_none() && self.wants_structured(target) {
                    structured = self.structured.as_ref().map(|template| text(template, env));
                }
                self.send(target, &sent, own.as_deref().or(structured.as_deref()), line);
            }
        });
    }

    /// Writes what became of a server.
    pub fn health(&self, event: &HealthEvent) {
        let severity = match event.level() {
            EventLevel::Emergency => Severity::Emerg,
            EventLevel::Alert => Severity::Alert,
            EventLevel::Notice => Severity::Notice,
        };
        self.message(0, severity, event.to_string().as_bytes());
    }

    /// Writes any message.
    pub fn message(&self, worker: usize, severity: Severity, message: &[u8]) {
        let date = Stamp::now().date;
        for target in self.targets.iter().filter(|target| target.takes(Some(severity))) {
            let tag = own_tag(target.spec.profile.as_deref()).unwrap_or(&self.tag);
            self.send(target, &Sent { worker, severity, date, message, tag }, None, &mut Vec::new());
        }
    }

    /// Passes on a message of somebody else.
    pub(super) fn forward(&self, worker: usize, message: &Message<'_>) {
        self.hub.logs.received.fetch_add(1, Relaxed);
        let severity = message.priority.map(|(_, severity)| severity);
        if message.text.is_empty() {
            return;
        }
        let date = Stamp::now().date;
        for target in self.targets.iter().filter(|target| target.takes(severity)) {
            let spec = &target.spec;
            let header = Header {
                format: if spec.keeps_format { message.form() } else { spec.format },
                facility: message.priority.map_or(spec.facility, |(facility, _)| facility),
                level: severity.unwrap_or(Severity::Emerg).max(spec.min_level),
                time: message.time,
                date,
                utc_offset: super::zone::utc_offset(date.as_secs() as i64),
                hostname: message.hostname,
                tag: own_tag(spec.profile.as_deref()).map_or(message.tag, str::as_bytes),
                pid: message.pid,
                message_id: message.message_id,
                structured: message.structured,
            };
            SCRATCH.with_borrow_mut(|(_, line)| {
                target.way.send((spec, &self.hub.logs), &header, message.text, worker, line);
            });
        }
    }

    /// Whether the lines of a target have a place for structured data.
    fn wants_structured(&self, target: &Target) -> bool {
        self.structured.is_some() && target.way.has_form(LogFormat::Rfc5424, &target.spec)
    }

    fn send(&self, target: &Target, sent: &Sent<'_>, structured: Option<&[u8]>, line: &mut Vec<u8>) {
        if sent.message.is_empty() {
            return;
        }
        let spec = &target.spec;
        let header = Header {
            format: spec.format,
            facility: spec.facility,
            level: sent.severity.max(spec.min_level),
            time: Time::Now,
            date: sent.date,
            utc_offset: super::zone::utc_offset(sent.date.as_secs() as i64),
            hostname: self.hostname.as_deref().unwrap_or_default().as_bytes(),
            tag: sent.tag.as_bytes(),
            pid: self.pid.as_bytes(),
            message_id: b"",
            structured: structured.unwrap_or_default(),
        };
        target.way.send((spec, &self.hub.logs), &header, sent.message, sent.worker, line);
    }
}

/// The severity that rules chose for a line instead of the usual one, if they did (`set-log-level`); `None` if they want no
/// line.
pub fn chosen_severity(level: Option<Option<Severity>>) -> Option<Option<Severity>> {
    level.map_or(Some(None), |level| level.map(Some))
}

/// Whether some line tells of connections to servers.
fn reads_server(log: &ProxyLog, targets: &[Target]) -> bool {
    let own = [&log.format, &log.error_format, &log.structured_format].into_iter().flatten();
    let profiles = targets.iter().filter_map(|target| target.spec.profile.as_deref());
    let all = own.chain(profiles.flat_map(LogProfile::templates));
    !targets.is_empty() && all.into_iter().any(|template| template.reads_server())
}

/// The tag of a profile, if it has one.
fn own_tag(profile: Option<&LogProfile>) -> Option<&str> {
    profile?.tag.as_deref()
}

fn text(template: &Template, env: &Env<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    template.write(env, &mut text);
    text
}

impl Target {
    /// Whether it takes a line of that severity; one whose severity is not known is for all.
    fn takes(&self, severity: Option<Severity>) -> bool {
        severity.is_none_or(|severity| severity <= self.spec.max_level) && self.samples()
    }

    /// Whether this line is one of those that the target samples.
    fn samples(&self) -> bool {
        let Some(ranges) = &self.spec.sample else { return true };
        let number = self.seen.fetch_add(1, Relaxed) % self.spec.sample_size.max(1) + 1;
        ranges.iter().any(|&SampleRange { from, to }| (from..=to).contains(&number))
    }
}
