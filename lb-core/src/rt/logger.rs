//! The loggers of proxies: lines are made once, framed for each target, and given to its outlet.

use super::view::host;
use super::{Outlet, Stamp, Worker};
use crate::engine::{Plan, ProxyPlan};
use crate::expr::Env;
use crate::health::{EventLevel, HealthEvent};
use crate::log::syslog::Header;
use crate::log::{Origin, Record, Schedule, Template, write_accept_line, write_error_line};
use crate::spec::{LogDestination, LogFormat, LogProfile, LogTarget, ProxyLog, SampleRange, Severity};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

thread_local! {
    /// The message and the framed line being made; they keep their memory.
    static SCRATCH: RefCell<(Vec<u8>, Vec<u8>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// The outlets of a server, one per destination and worker. Outlets stay when a reload removes their last user.
#[derive(Debug)]
pub(super) struct LogHub {
    workers: usize,
    outlets: Mutex<HashMap<LogDestination, Vec<Arc<Outlet>>>>,
}

impl LogHub {
    pub(super) fn new(workers: usize) -> Self {
        Self { workers, outlets: Mutex::default() }
    }

    fn outlets(&self, destination: &LogDestination) -> Vec<Arc<Outlet>> {
        let mut all = self.outlets.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || (0..self.workers).map(|_| Outlet::new(destination.clone())).collect();
        all.entry(destination.clone()).or_insert_with(make).clone()
    }

    /// Lets lines leave in batches, each worker's by the worker.
    pub(super) fn start(&self, workers: &[Worker]) {
        for outlets in self.outlets.lock().unwrap_or_else(PoisonError::into_inner).values() {
            for (outlet, worker) in outlets.iter().zip(workers) {
                outlet.start(worker);
            }
        }
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
    pid: u32,
    template: Option<Arc<Template>>,
    error_template: Option<Arc<Template>>,
    /// Structured data, where a target's lines have a place for it.
    structured: Option<Arc<Template>>,
    dontlog_normal: bool,
    separate_errors: bool,
    schedule: Schedule,
    reads_server: bool,
}

#[derive(Debug)]
struct Target {
    spec: LogTarget,
    outlets: Vec<Arc<Outlet>>,
    /// Lines seen, for sampling.
    seen: AtomicU32,
}

/// A line to be made and written.
#[derive(Clone, Copy)]
struct Line<'a> {
    worker: usize,
    severity: Severity,
    date: Duration,
    message: &'a [u8],
    structured: Option<&'a [u8]>,
    /// What it was made of, where a profile may make it of something else.
    origin: Option<(&'a Env<'a>, Origin)>,
    /// The profile to follow in place of the target's.
    profile: Option<&'a LogProfile>,
}

/// The name to send in place of one that was left empty is that of this machine.
fn named(name: Arc<str>) -> Arc<str> {
    if name.is_empty() { host().into() } else { name }
}

impl ProxyLogger {
    pub(super) fn new(plan: &Plan, proxy: &ProxyPlan, hub: &LogHub) -> Self {
        let process = plan.process();
        let target = |spec: &LogTarget| Target {
            spec: spec.clone(),
            outlets: hub.outlets(&spec.destination),
            seen: AtomicU32::new(0),
        };
        let log = &proxy.spec.log;
        let tag = log.tag.as_deref().or(process.syslog.tag.as_deref()).unwrap_or("haproxy");
        let targets: Vec<_> = proxy.log.targets.iter().map(|t| target(&t.spec)).collect();
        let http = proxy.spec.protocol.kind() == "http";
        Self {
            schedule: Schedule::new(log.format.as_deref(), log.steps, http, log.asap, log.captures),
            reads_server: reads_server(log, &targets),
            targets,
            tag: tag.to_owned(),
            hostname: process.syslog.hostname.clone().map(named),
            pid: std::process::id(),
            template: log.format.clone(),
            error_template: log.error_format.clone(),
            structured: log.structured_format.clone(),
            dontlog_normal: log.dontlog_normal,
            separate_errors: log.separate_errors,
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
            Some(template) => template.write(env, message),
            None if record.origin.is_step() => write_accept_line(record, message),
            None => {}
        });
    }

    /// Writes the line of a connection that failed before its protocol began. `env` must know the
    /// [`record`](crate::expr::Facts::record).
    pub(super) fn failure(&self, worker: usize, env: &Env<'_>) {
        let Some(record) = env.facts.record() else { return };
        let severity = if self.separate_errors { Severity::Err } else { Severity::Info };
        self.formatted(worker, severity, env, (record.origin, None), |message| match &self.error_template {
            Some(template) => template.write(env, message),
            None => write_error_line(&record, env, message),
        });
    }

    /// Writes the line of what was not a request, and thus had no stream. `env` must know the [`record`](crate::expr::Facts::record).
    pub fn no_stream(&self, worker: usize, env: &Env<'_>) {
        let Some(record) = env.facts.record() else { return };
        let severity = if self.separate_errors { Severity::Err } else { Severity::Info };
        self.formatted(worker, severity, env, (record.origin, None), |message| {
            if let Some(template) = self.error_template.as_ref().or(self.template.as_ref()) {
                template.write(env, message);
            }
        });
    }

    /// Writes the line that `make` makes.
    fn formatted(
        &self,
        worker: usize,
        severity: Severity,
        env: &Env<'_>,
        (origin, profile): (Origin, Option<&LogProfile>),
        make: impl FnOnce(&mut Vec<u8>),
    ) {
        SCRATCH.with_borrow_mut(|(message, line)| {
            message.clear();
            make(message);
            let structured = self.structured_data(env);
            let made = Line {
                worker,
                severity,
                date: env.facts.now().date,
                message,
                structured: structured.as_deref(),
                origin: Some((env, origin)),
                profile,
            };
            self.write(&made, line);
        });
    }

    /// The structured data of a line, if any target wants it.
    fn structured_data(&self, env: &Env<'_>) -> Option<Vec<u8>> {
        let template = self.structured.as_ref()?;
        self.targets
            .iter()
            .any(|target| target.spec.format == LogFormat::Rfc5424)
            .then(|| text(template, env))
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
        let made = Line { worker, severity, date, message, structured: None, origin: None, profile: None };
        self.write(&made, &mut Vec::new());
    }

    fn write(&self, made: &Line<'_>, line: &mut Vec<u8>) {
        for target in &self.targets {
            let spec = &target.spec;
            if made.severity > spec.max_level || !target.samples() {
                continue;
            }
            match made.profile.or(spec.profile.as_deref()) {
                None => self.send(target, made, &self.tag, line),
                Some(profile) => self.send_profiled(target, made, profile, line),
            }
        }
    }

    /// Sends a line to a target as a profile says.
    fn send_profiled(&self, target: &Target, made: &Line<'_>, profile: &LogProfile, line: &mut Vec<u8>) {
        let tag = profile.tag.as_deref().unwrap_or(&self.tag);
        let step = made.origin.and_then(|(env, origin)| Some((env, profile.step(origin)?)));
        let Some((env, step)) = step else { return self.send(target, made, tag, line) };
        if step.drop {
            return;
        }
        let message = step.format.as_ref().map(|template| text(template, env));
        let structured = step.structured.as_ref().map(|template| text(template, env));
        let own = Line {
            message: message.as_deref().unwrap_or(made.message),
            structured: structured.as_deref().or(made.structured),
            ..*made
        };
        self.send(target, &own, tag, line);
    }

    fn send(&self, target: &Target, made: &Line<'_>, tag: &str, line: &mut Vec<u8>) {
        if made.message.is_empty() {
            return;
        }
        let spec = &target.spec;
        let header = Header {
            format: spec.format,
            facility: spec.facility,
            level: made.severity.max(spec.min_level),
            date: made.date,
            utc_offset: super::zone::utc_offset(made.date.as_secs() as i64),
            hostname: self.hostname.as_deref(),
            tag,
            pid: Some(self.pid),
            message_id: None,
            structured: made.structured,
        };
        line.clear();
        header.write_line(made.message, spec.length, line);
        target.outlets[made.worker % target.outlets.len()].send(line);
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

fn text(template: &Template, env: &Env<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    template.write(env, &mut text);
    text
}

impl Target {
    /// Whether this line is one of those that the target samples.
    fn samples(&self) -> bool {
        let Some(ranges) = &self.spec.sample else { return true };
        let number = self.seen.fetch_add(1, Relaxed) % self.spec.sample_size.max(1) + 1;
        ranges.iter().any(|&SampleRange { from, to }| (from..=to).contains(&number))
    }
}
