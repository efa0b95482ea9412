//! A check by a program of one's own.
//!
//! The program is told of the server in its arguments and its environment; exit code 0 means that the server is well
//! (configuration manual, `option external-check`).

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use crate::addr::Endpoint;

use super::{Command, Dialog, OneShot, ProbeSpec, Status, Target, Verdict};

/// Stands for an address or port that there is not.
const UNUSED: &str = "NOT_USED";

/// Runs a program for each check.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExternalProbe {
    /// The program.
    pub program: Arc<str>,
    /// `PATH` of the program.
    pub path: Option<Arc<str>>,
    /// Environment to pass on.
    pub environment: Vec<(String, String)>,
}

impl ExternalProbe {
    /// This program, without anything else.
    pub fn new(program: impl Into<Arc<str>>) -> Self {
        Self { program: program.into(), path: None, environment: Vec::new() }
    }

    fn command(&self, target: &Target) -> Command {
        let (addr, port) = place(target.server_endpoint.as_ref());
        let (own_addr, own_port) = place(target.listener.as_ref());
        let mut env = self.environment.clone();
        let mut set = |name: &str, value: &str| env.push((name.to_owned(), value.to_owned()));
        set("HAPROXY_PROXY_NAME", &target.backend);
        set("HAPROXY_PROXY_ID", &target.proxy_id.to_string());
        set("HAPROXY_PROXY_ADDR", &own_addr);
        set("HAPROXY_PROXY_PORT", &own_port);
        set("HAPROXY_SERVER_NAME", &target.server);
        set("HAPROXY_SERVER_ID", &target.server_id.to_string());
        set("HAPROXY_SERVER_ADDR", &addr);
        set("HAPROXY_SERVER_PORT", &port);
        set("HAPROXY_SERVER_MAXCONN", &target.maxconn.to_string());
        set("HAPROXY_SERVER_CURCONN", &target.snapshot.sessions.to_string());
        set("HAPROXY_SERVER_PROTO", if target.http { "h1" } else { "tcp" });
        set("HAPROXY_SERVER_SSL", if target.tls { "1" } else { "0" });
        if let Some(path) = &self.path {
            set("PATH", path);
        }
        Command {
            program: self.program.to_string(),
            args: vec![own_addr, own_port, addr, port],
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

/// Address and port as the program is told them.
fn place(endpoint: Option<&Endpoint>) -> (String, String) {
    match endpoint {
        Some(Endpoint::Inet(addr)) => (addr.ip().to_string(), addr.port().to_string()),
        Some(Endpoint::Unix(path)) => (path.to_string(), UNUSED.to_owned()),
        _ => (UNUSED.to_owned(), UNUSED.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Input, Output};
    use super::*;

    #[test]
    fn the_program_is_told_of_the_server_and_of_the_proxy() {
        let mut target = Target::new("be", "s1", Some("192.0.2.1:81".parse().unwrap()));
        // Where the check would connect is not where the server is.
        target.server_endpoint = Some(Endpoint::Inet("192.0.2.1:80".parse().unwrap()));
        target.listener = Some(Endpoint::Inet("[::1]:443".parse().unwrap()));
        (target.proxy_id, target.server_id, target.maxconn, target.http) = (3, 7, 20, true);
        let command = ExternalProbe::new("/bin/check").command(&target);
        assert_eq!(command.args, ["::1", "443", "192.0.2.1", "80"]);
        for (name, value) in [
            ("PROXY_ID", "3"),
            ("PROXY_PORT", "443"),
            ("SERVER_ID", "7"),
            ("SERVER_MAXCONN", "20"),
            ("SERVER_PROTO", "h1"),
            ("SERVER_PORT", "80"),
        ] {
            assert!(command.env.contains(&(format!("HAPROXY_{name}"), value.to_owned())), "{name}");
        }
        target.server_endpoint = Some(Endpoint::Unix("/run/s".into()));
        target.listener = Some(Endpoint::Unix("/run/l".into()));
        let command = ExternalProbe::new("/bin/check").command(&target);
        assert_eq!(command.args, ["/run/l", "NOT_USED", "/run/s", "NOT_USED"]);
    }

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
