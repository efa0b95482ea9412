//! The loggers of proxies: lines are made once, framed for each target, and given to its outlet.

use super::view::host;
use super::{Outlet, Stamp, Worker};
use crate::engine::{Plan, ProxyPlan};
use crate::expr::{Arena, Env, Facts, Vars};
use crate::health::{EventLevel, HealthEvent};
use crate::log::syslog::Header;
use crate::log::{Record, Template, write_accept_line, write_error_line};
use crate::spec::{LogDestination, LogFormat, LogTarget, SampleRange, Severity};
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
}

#[derive(Debug)]
struct Target {
    spec: LogTarget,
    outlets: Vec<Arc<Outlet>>,
    /// Lines seen, for sampling.
    seen: AtomicU32,
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
        let tag = proxy.spec.log.tag.as_deref().or(process.syslog.tag.as_deref()).unwrap_or("haproxy");
        Self {
            targets: proxy.log.targets.iter().map(|t| target(&t.spec)).collect(),
            tag: tag.to_owned(),
            hostname: process.syslog.hostname.clone().map(named),
            pid: std::process::id(),
            template: proxy.spec.log.format.clone(),
            error_template: proxy.spec.log.error_format.clone(),
            structured: proxy.spec.log.structured_format.clone(),
            dontlog_normal: proxy.spec.log.dontlog_normal,
            separate_errors: proxy.spec.log.separate_errors,
        }
    }

    /// True if there is anywhere to log to.
    pub fn is_enabled(&self) -> bool {
        !self.targets.is_empty()
    }

    /// The severity of the line of a session or request; `None` if it is not to be written (`option dontlog-normal`).
    fn severity(&self, record: &Record<'_>) -> Option<Severity> {
        match record.is_error() {
            true if self.separate_errors => Some(Severity::Err),
            false if self.dontlog_normal => None,
            _ => Some(Severity::Info),
        }
    }

    /// Writes the line of a session or request, in the proxy's format or the default one. `facts` must know the
    /// [`record`](Facts::record).
    pub fn traffic(&self, worker: usize, facts: &dyn Facts) {
        let Some(record) = facts.record() else { return };
        if let Some(severity) = self.severity(&record) {
            self.traffic_at(worker, severity, facts, &record);
        }
    }

    /// The same in an environment of the caller, so that the line can print variables; with another severity than usual
    /// if there is one (`http-request set-log-level`).
    pub fn traffic_in(&self, worker: usize, severity: Option<Severity>, env: &Env<'_>) {
        let Some(record) = env.facts.record() else { return };
        let Some(usual) = self.severity(&record) else { return };
        SCRATCH.with_borrow_mut(|(message, line)| {
            message.clear();
            match &self.template {
                Some(template) => template.write(env, message),
                None => write_accept_line(&record, message),
            }
            let structured = self.structured_data(env);
            let severity = severity.unwrap_or(usual);
            self.write(worker, severity, env.facts.now().date, (message, structured.as_deref()), line);
        });
    }

    /// The same as [`traffic`](Self::traffic) with another severity.
    pub fn traffic_at(&self, worker: usize, severity: Severity, facts: &dyn Facts, record: &Record<'_>) {
        SCRATCH.with_borrow_mut(|(message, line)| {
            message.clear();
            match &self.template {
                Some(template) => {
                    let arena = Arena::new();
                    let env = Env::new(facts, Vars::default(), &arena);
                    template.write(&env, message);
                }
                None => write_accept_line(record, message),
            }
            self.write(worker, severity, Stamp::now().date, (message, None), line);
        });
    }

    /// The structured data of a line, if any target wants it.
    fn structured_data(&self, env: &Env<'_>) -> Option<Vec<u8>> {
        let template = self.structured.as_ref()?;
        self.targets.iter().any(|target| target.spec.format == LogFormat::Rfc5424).then(|| {
            let mut data = Vec::new();
            template.write(env, &mut data);
            data
        })
    }

    /// Writes the line of a connection that failed before its protocol began. `env` must know the
    /// [`record`](Facts::record).
    pub(super) fn failure(&self, worker: usize, env: &Env<'_>) {
        let Some(record) = env.facts.record() else { return };
        let severity = if self.separate_errors { Severity::Err } else { Severity::Info };
        SCRATCH.with_borrow_mut(|(message, line)| {
            message.clear();
            match &self.error_template {
                Some(template) => template.write(env, message),
                None => write_error_line(&record, env, message),
            }
            let structured = self.structured_data(env);
            self.write(worker, severity, env.facts.now().date, (message, structured.as_deref()), line);
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
        let mut line = Vec::new();
        self.write(worker, severity, Stamp::now().date, (message, None), &mut line);
    }

    fn write(
        &self,
        worker: usize,
        severity: Severity,
        date: Duration,
        (message, structured): (&[u8], Option<&[u8]>),
        line: &mut Vec<u8>,
    ) {
        for target in &self.targets {
            let spec = &target.spec;
            if severity > spec.max_level || !target.samples() {
                continue;
            }
            let header = Header {
                format: spec.format,
                facility: spec.facility,
                level: severity.max(spec.min_level),
                date,
                utc_offset: super::zone::utc_offset(date.as_secs() as i64),
                hostname: self.hostname.as_deref(),
                tag: &self.tag,
                pid: Some(self.pid),
                message_id: None,
                structured,
            };
            line.clear();
            header.write_line(message, spec.length, line);
            target.outlets[worker % target.outlets.len()].send(line);
        }
    }
}

impl Target {
    /// Whether this line is one of those that the target samples.
    fn samples(&self) -> bool {
        let Some(ranges) = &self.spec.sample else { return true };
        let number = self.seen.fetch_add(1, Relaxed) % self.spec.sample_size.max(1) + 1;
        ranges.iter().any(|&SampleRange { from, to }| (from..=to).contains(&number))
    }
}
