//! A check by a program of one's own.
//!
//! The program is told of the server in its arguments and its environment; exit code 0 means that the server is well
//! (configuration manual, `option external-check`).

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use super::{Command, Dialog, OneShot, ProbeSpec, Status, Target, Verdict};

/// Runs a program for each check.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExternalProbe {
    /// The program.
    pub program: Arc<str>,
    /// `PATH` of the program.
    pub path: Option<Arc<str>>,
    /// Address and port of the first listener of the proxy, for proxies that have one.
    pub listener: Option<(Arc<str>, Arc<str>)>,
    /// Number of the proxy.
    pub proxy_id: u32,
    /// Environment to pass on.
    pub environment: Vec<(String, String)>,
}

impl ExternalProbe {
    /// This program, without anything else.
    pub fn new(program: impl Into<Arc<str>>) -> Self {
        Self { program: program.into(), path: None, listener: None, proxy_id: 0, environment: Vec::new() }
    }

    fn command(&self, target: &Target) -> Command {
        let (addr, port) = target.addr.map_or_else(
            || ("NOT_USED".to_owned(), "NOT_USED".to_owned()),
            |addr| (addr.ip().to_string(), addr.port().to_string()),
        );
        let unused: Arc<str> = "NOT_USED".into();
        let (own_addr, own_port) = self.listener.clone().unwrap_or_else(|| (unused.clone(), unused));
        let mut env = self.environment.clone();
        let mut set = |name: &str, value: &str| env.push((name.to_owned(), value.to_owned()));
        set("HAPROXY_PROXY_NAME", &target.backend);
        set("HAPROXY_PROXY_ID", &self.proxy_id.to_string());
        set("HAPROXY_PROXY_ADDR", &own_addr);
        set("HAPROXY_PROXY_PORT", &own_port);
        set("HAPROXY_SERVER_NAME", &target.server);
        set("HAPROXY_SERVER_ADDR", &addr);
        set("HAPROXY_SERVER_PORT", &port);
        set("HAPROXY_SERVER_CURCONN", &target.snapshot.sessions.to_string());
        set("HAPROXY_SERVER_PROTO", "tcp");
        set("HAPROXY_SERVER_SSL", if target.tls { "1" } else { "0" });
        if let Some(path) = &self.path {
            set("PATH", path);
        }
        Command {
            program: self.program.to_string(),
            args: vec![own_addr.to_string(), own_port.to_string(), addr, port],
            env,
            account: None,
        }
    }
}

impl ProbeSpec for ExternalProbe {
    fn start(&self, target: &Target, now: Instant) -> Box<dyn Dialog> {
        let limit = target.schedule.check.unwrap_or(target.schedule.inter);
        Box::new(OneShot::run(self.command(target), now + limit, judge))
    }

    fn same_as(&self, other: &dyn ProbeSpec) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The verdict on a program that ended by itself: only 0 is a success.
fn judge(code: i32) -> Verdict {
    match u32::try_from(code) {
        Ok(0) => Verdict::new(Status::ProcessOk),
        Ok(code) => Verdict::new(Status::ProcessError).with_code(code),
        Err(_) => Verdict::new(Status::ProcessError),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Input, Output};
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do as the origin of virtual time")]
    fn the_exit_code_decides() {
        let probe = ExternalProbe::new("/bin/check");
        let target = Target::new("be", "s1", Some("192.0.2.1:25".parse().unwrap()));
        let now = Instant::now();
        for (code, status) in [(0, Status::ProcessOk), (3, Status::ProcessError), (-9, Status::ProcessError)]
        {
            let mut dialog = probe.start(&target, now);
            let Some(Output::Run(command)) = dialog.poll_output() else { panic!("nothing run") };
            assert_eq!(command.args, ["NOT_USED", "NOT_USED", "192.0.2.1", "25"]);
            assert!(command.env.contains(&("HAPROXY_SERVER_NAME".into(), "s1".into())));
            dialog.handle_input(now, Input::Exited(code));
            assert_eq!(dialog.verdict().map(|verdict| verdict.status), Some(status));
        }
        let mut dialog = probe.start(&target, now);
        dialog.handle_timeout(dialog.poll_timeout().unwrap());
        assert_eq!(dialog.verdict().map(|verdict| verdict.status), Some(Status::ProcessTimeout));
    }
}
