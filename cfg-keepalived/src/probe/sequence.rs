//! Several requests of one checker, one after the other: all must pass. And where a checker connects to and from.

use lb_core::health::{Dialog, Input, Outcome, Output, ProbeSpec, Target, TlsChoice, Verdict};
use lb_core::spec::SourceAddr;
use std::any::Any;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// Checks in their order; the first that fails decides.
#[derive(Debug, Clone)]
pub(crate) struct Sequence {
    pub(crate) probes: Vec<Arc<dyn ProbeSpec>>,
}

impl ProbeSpec for Sequence {
    fn start(&self, target: &Target, now: Instant) -> Box<dyn Dialog> {
        let mut probes = self.probes.clone();
        probes.reverse();
        let current = probes.pop().map(|probe| probe.start(target, now));
        Box::new(Running { rest: probes, target: target.clone(), now, current })
    }

    fn same_as(&self, other: &dyn ProbeSpec) -> bool {
        other.as_any().downcast_ref::<Self>().is_some_and(|other| {
            self.probes.len() == other.probes.len()
                && self.probes.iter().zip(&other.probes).all(|(a, b)| a.same_as(&**b))
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

struct Running {
    /// What follows, the next one last.
    rest: Vec<Arc<dyn ProbeSpec>>,
    target: Target,
    now: Instant,
    current: Option<Box<dyn Dialog>>,
}

impl Dialog for Running {
    fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        self.now = now;
        if let Some(current) = &mut self.current {
            current.handle_input(now, input);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        if let Some(current) = &mut self.current {
            current.handle_timeout(now);
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        loop {
            let current = self.current.as_mut()?;
            if let Some(output) = current.poll_output() {
                return Some(output);
            }
            if current.verdict()?.outcome() != Outcome::Passed {
                return None;
            }
            // The next one closes the connection of this one by opening its own.
            let next = self.rest.pop()?;
            self.current = Some(next.start(&self.target, self.now));
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.current.as_ref()?.poll_timeout()
    }

    fn verdict(&self) -> Option<&Verdict> {
        let verdict = self.current.as_ref()?.verdict()?;
        (self.rest.is_empty() || verdict.outcome() != Outcome::Passed).then_some(verdict)
    }
}

/// A check that connects to or from another place than the server's traffic (`connect_ip`, `bindto`, …), and speaks TLS only
/// if it asks for that itself.
#[derive(Debug, Clone)]
pub(crate) struct Elsewhere {
    pub(crate) probe: Arc<dyn ProbeSpec>,
    pub(crate) addr: Option<IpAddr>,
    pub(crate) port: Option<u16>,
    pub(crate) source: Option<Arc<SourceAddr>>,
}

impl ProbeSpec for Elsewhere {
    fn start(&self, target: &Target, now: Instant) -> Box<dyn Dialog> {
        let mut target = target.clone();
        target.tls = false;
        let dialog = self.probe.start(&target, now);
        Box::new(Diverted { dialog, addr: self.addr, port: self.port, source: self.source.clone() })
    }

    fn same_as(&self, other: &dyn ProbeSpec) -> bool {
        other.as_any().downcast_ref::<Self>().is_some_and(|other| {
            (self.addr, self.port, &self.source) == (other.addr, other.port, &other.source)
                && self.probe.same_as(&*other.probe)
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

struct Diverted {
    dialog: Box<dyn Dialog>,
    addr: Option<IpAddr>,
    port: Option<u16>,
    source: Option<Arc<SourceAddr>>,
}

impl Dialog for Diverted {
    fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        self.dialog.handle_input(now, input);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.dialog.handle_timeout(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        let output = self.dialog.poll_output()?;
        Some(match output {
            Output::Connect(mut request) => {
                request.addr = request.addr.or(self.addr);
                request.port = request.port.or(self.port);
                request.source = request.source.or_else(|| self.source.clone());
                if request.tls == TlsChoice::Inherit {
                    request.tls = TlsChoice::Off;
                }
                Output::Connect(request)
            }
            other => other,
        })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.dialog.poll_timeout()
    }

    fn verdict(&self) -> Option<&Verdict> {
        self.dialog.verdict()
    }
}
