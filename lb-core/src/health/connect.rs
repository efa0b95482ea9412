//! The plainest check: can a connection be established?

use std::any::Any;
use std::time::Instant;

use super::{Close, ConnectRequest, Dialog, Input, Layer, Output, ProbeSpec, Status, Target, Verdict};

/// Connects, speaks TLS if the server's checks do, and hangs up with a reset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectProbe {
    /// Where and how to connect, if not as the server's checks are configured.
    pub request: ConnectRequest,
}

impl ConnectProbe {
    /// Connects as the server's checks are configured.
    pub fn new() -> Self {
        Self::default()
    }
}

impl ProbeSpec for ConnectProbe {
    fn start(&self, target: &Target, now: Instant) -> Box<dyn Dialog> {
        Box::new(ConnectDialog {
            secured: self.request.is_secured(target),
            layer: Layer::Connection,
            deadline: target.schedule.connect_deadline(now),
            output: Some(Output::Connect(self.request.clone())),
            verdict: None,
        })
    }

    fn same_as(&self, other: &dyn ProbeSpec) -> bool {
        other.as_any().downcast_ref::<Self>().is_some_and(|other| self == other)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

struct ConnectDialog {
    secured: bool,
    layer: Layer,
    deadline: Instant,
    output: Option<Output>,
    verdict: Option<Verdict>,
}

impl ConnectDialog {
    fn finish(&mut self, verdict: Verdict) {
        self.verdict = Some(verdict);
        self.output = Some(Output::Close(Close::Reset));
    }
}

impl Dialog for ConnectDialog {
    fn handle_input(&mut self, _now: Instant, input: Input<'_>) {
        if self.verdict.is_some() {
            return;
        }
        match input {
            Input::Connected if self.secured => self.layer = Layer::Security,
            Input::Connected => self.finish(Verdict::new(Status::L4Ok)),
            Input::Secured => self.finish(Verdict::new(Status::L6Ok)),
            Input::Failed(failure) => self.finish(failure.verdict()),
            // Some servers speak first, and some close at once; the connection was there all the same.
            Input::Bytes(_) | Input::Closed | Input::Exited(_) | Input::Content(_) => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.verdict.is_none() && now >= self.deadline {
            self.finish(Verdict::new(Status::timeout_at(self.layer)));
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.output.take()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.verdict.is_none().then_some(self.deadline)
    }

    fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "any instant will do as the origin of virtual time")]

    use super::super::{ConnectFailure, TlsChoice, TlsRequest};
    use super::*;

    fn start(probe: &ConnectProbe) -> (Box<dyn Dialog>, Instant) {
        let now = Instant::now();
        let mut dialog = probe.start(&Target::default(), now);
        assert!(matches!(dialog.poll_output(), Some(Output::Connect(_))));
        (dialog, now)
    }

    #[test]
    fn a_connection_is_enough_and_ends_with_a_reset() {
        let (mut dialog, now) = start(&ConnectProbe::new());
        dialog.handle_input(now, Input::Connected);
        assert_eq!(dialog.verdict(), Some(&Verdict::new(Status::L4Ok)));
        assert_eq!(dialog.poll_output(), Some(Output::Close(Close::Reset)));
        assert_eq!((dialog.poll_output(), dialog.poll_timeout()), (None, None));
    }

    #[test]
    fn with_tls_the_handshake_is_needed_too() {
        let mut probe = ConnectProbe::new();
        probe.request.tls = TlsChoice::On(TlsRequest::default());
        let (mut dialog, now) = start(&probe);
        dialog.handle_input(now, Input::Connected);
        assert_eq!(dialog.verdict(), None);
        dialog.handle_input(now, Input::Secured);
        assert_eq!(dialog.verdict(), Some(&Verdict::new(Status::L6Ok)));
        let (mut dialog, now) = start(&probe);
        dialog.handle_input(now, Input::Connected);
        dialog.handle_timeout(dialog.poll_timeout().unwrap());
        assert_eq!(dialog.verdict(), Some(&Verdict::new(Status::L6Timeout)));
    }

    #[test]
    fn failures_keep_their_reason() {
        let (mut dialog, now) = start(&ConnectProbe::new());
        dialog.handle_input(now, Input::Failed(ConnectFailure::new(Layer::Connection, "Connection refused")));
        let expected = Verdict::new(Status::L4Connection).with_info("Connection refused");
        assert_eq!(dialog.verdict(), Some(&expected));
        let (mut dialog, now) = start(&ConnectProbe::new());
        dialog.handle_input(now, Input::Failed(ConnectFailure::local("no port")));
        assert_eq!(dialog.verdict().map(|verdict| verdict.status), Some(Status::SocketError));
    }
}
