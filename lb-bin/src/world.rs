//! What configurations ask of the machine: files, names, environment.

use crate::args::RunArgs;
use cfg_haproxy::FileKind;
use lb_core::process::answers::{Answers, Known};
use lb_core::process::bundle::{Bundle, Files};
pub(crate) use lb_core::process::hostname;
use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::Path;

/// The machine, or a remembered part of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    /// Its files.
    pub files: Files,
    /// What was found out about names.
    pub names: Answers,
    iproute: vrrp::linux::Iproute,
    /// What `@ID` conditions are compared with, if the command line says so.
    config_id: Option<String>,
    /// Whether host names may be looked up: it can take seconds, in which a running node would say nothing.
    looks_up: bool,
}

impl World {
    /// The machine as it is for a program that runs with these arguments.
    pub(crate) fn real(args: &RunArgs) -> Self {
        Self { config_id: args.cluster.config_id.clone(), ..Self::default() }
    }

    /// The machine as it is for a test of files.
    pub(crate) fn tested(config_id: Option<&str>) -> Self {
        Self { config_id: config_id.map(str::to_owned), looks_up: true, ..Self::default() }
    }

    /// What somebody else saw.
    pub(crate) fn remembered(bundle: Bundle, args: &RunArgs) -> Self {
        Self { files: Files::remembered(bundle), ..Self::real(args) }
    }

    /// With what somebody else found out about names.
    pub(crate) fn knowing(self, names: Known) -> Self {
        Self { names: Answers::told(names), ..self }
    }
}

impl cfg_haproxy::Files for World {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.files.read(path)
    }

    fn kind(&self, path: &str) -> Option<FileKind> {
        self.files.is_directory(path).map(|is| if is { FileKind::Directory } else { FileKind::File })
    }
}

impl cfg_haproxy::Names for World {
    fn resolve(&self, name: &str) -> Option<IpAddr> {
        let found = (name, 0).to_socket_addrs().ok().and_then(|mut all| all.next());
        self.names.recall(&format!("host {name}"), found.map(|address| address.ip()))
    }

    fn user(&self, name: &str) -> bool {
        self.names.recall(&format!("user {name}"), lb_core::process::user_id(name).ok().flatten()).is_some()
    }

    fn group(&self, name: &str) -> bool {
        self.names.recall(&format!("group {name}"), lb_core::process::group_id(name).ok().flatten()).is_some()
    }
}

/// The environment of the process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProcessEnv;

impl cfg_haproxy::Env for ProcessEnv {
    fn var(&self, name: &str) -> Option<Cow<'_, str>> {
        variable(name).map(Cow::Owned)
    }
}

impl cfg_keepalived::Env for World {
    fn hostname(&self) -> String {
        hostname()
    }

    fn given_id(&self) -> Option<String> {
        self.config_id.clone()
    }

    fn var(&self, name: &str) -> Option<String> {
        variable(name)
    }

    fn directory(&self) -> String {
        std::env::current_dir().map(|d| d.to_string_lossy().into_owned()).unwrap_or_default()
    }

    fn random_seed(&self) -> u64 {
        u64::from(std::process::id())
    }

    fn interface_exists(&self, name: &str) -> Option<bool> {
        lb_core::process::has_interface(name)
    }

    fn is_vrf(&self, name: &str) -> Option<bool> {
        vrrp::linux::is_vrf(name)
    }

    fn program(&self, name: &str) -> Option<cfg_keepalived::Program> {
        Some(vrrp::linux::is_runnable(name, &variable("PATH").unwrap_or_default()).into())
    }

    fn account_exists(&self, user: &str, group: Option<&str>) -> Option<bool> {
        Some(lb_core::process::has_account(user, group))
    }

    fn iproute_number(&self, list: &str, name: &str) -> Option<u32> {
        self.iproute.number(list, name)
    }

    fn resolves(&self, name: &str) -> Option<bool> {
        self.looks_up.then(|| (name, 25).to_socket_addrs().is_ok())
    }
}

/// A variable of the environment.
pub(crate) fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the program owns its environment")]
    std::env::var(name).ok()
}

/// Files that a keepalived.conf includes.
pub(crate) struct Includes<'a>(pub &'a Files);

impl cfg_keepalived::Sources for Includes<'_> {
    fn include(&mut self, pattern: &str, from: &str) -> cfg_keepalived::Included {
        let mut found = cfg_keepalived::Included::default();
        let directory = Path::new(from).parent().unwrap_or_else(|| Path::new("."));
        for path in self.0.matching(&directory.join(pattern).to_string_lossy()) {
            match self.0.text(&path) {
                Ok(text) => found.files.push(cfg_keepalived::Source::new(path, text)),
                Err(e) => found.unreadable.push((path, e.to_string())),
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cfg_keepalived::Env;

    #[test]
    fn who_sees_no_accounts_and_asks_no_name_server_knows_what_it_was_told() {
        use cfg_haproxy::Names;
        let args = RunArgs::default();
        let here = World::real(&args);
        assert!(here.user("root") && here.group("root") && !here.user("no such user"));
        let known = here.names.known();
        let told = [("user u", "7"), ("group g", "7"), ("host h.invalid", "192.0.2.1")];
        let told = told.map(|(question, answer)| (question.to_owned(), answer.to_owned()));
        let there = World::remembered(Bundle::new(), &args).knowing(Known::from(told));
        assert!(there.user("u") && there.group("g") && !there.user("g") && known.contains_key("user root"));
        assert_eq!(there.resolve("h.invalid"), Some([192, 0, 2, 1].into()));
    }

    #[test]
    fn names_are_looked_up_for_tests_of_files_alone() {
        assert_eq!(World::real(&RunArgs::default()).resolves("localhost"), None);
        assert_eq!(World::tested(None).resolves("localhost"), Some(true));
    }
}
