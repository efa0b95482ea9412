//! What the crate may know of the outside: host name, environment, and the text of included files.
//!
//! The crate reads nothing itself; the caller answers these questions.

use std::collections::BTreeMap;

/// Facts about the host that the configuration language can refer to.
pub trait Env {
    /// The node name (`uname -n`); its first label is the default configuration id of `@ID` conditions.
    fn hostname(&self) -> String;

    /// The configuration id, where one is given (`-i` on the command line).
    fn given_id(&self) -> Option<String> {
        None
    }

    /// What `@ID` conditions are compared with.
    fn config_id(&self) -> String {
        let first_label = || self.hostname().split('.').next().unwrap_or_default().to_owned();
        self.given_id().unwrap_or_else(first_label)
    }

    /// The value of an environment variable, for `${_ENV NAME}`.
    fn var(&self, name: &str) -> Option<String>;

    /// The working directory, for `${_PWD}`.
    fn directory(&self) -> String {
        String::from("/")
    }

    /// The seed of `${_RANDOM}`, when the file sets none.
    fn random_seed(&self) -> u64 {
        0
    }

    /// Whether a network interface exists; `None` when the caller cannot tell, and then nothing is reported.
    fn interface_exists(&self, _name: &str) -> Option<bool> {
        None
    }

    /// Whether an interface is a VRF; `None` when the caller cannot tell, or when there is no such interface.
    fn is_vrf(&self, _name: &str) -> Option<bool> {
        None
    }

    /// Whether a program can be run, a bare name being looked for where the host looks for programs; `None` when the
    /// caller cannot tell, and then nothing is reported.
    fn program(&self, _name: &str) -> Option<Program> {
        None
    }

    /// Whether a user exists, and a group if one is named, both by name or by number; `None` when the caller cannot tell.
    fn account_exists(&self, _user: &str, _group: Option<&str>) -> Option<bool> {
        None
    }

    /// Whether a host has an address; `None` when the caller cannot tell.
    fn resolves(&self, _name: &str) -> Option<bool> {
        None
    }

    /// The number that one of iproute2's lists on the host has for a name: `rt_tables`, `rt_realms`, `rt_protos`,
    /// `rt_scopes`, `rt_dsfield` or `group`.
    fn iproute_number(&self, _list: &str, _name: &str) -> Option<u32> {
        None
    }
}

/// What is at the place of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Program {
    /// It can be run.
    Runs,
    /// It is there and nobody may run it.
    NotExecutable,
    /// Nothing.
    Missing,
}

/// Whether what is there can be run, if anything is there.
impl From<Option<bool>> for Program {
    fn from(runs: Option<bool>) -> Self {
        match runs {
            Some(true) => Self::Runs,
            Some(false) => Self::NotExecutable,
            None => Self::Missing,
        }
    }
}

/// A fixed set of facts, for tests and for callers that collect them beforehand.
#[derive(Debug, Clone, Default)]
pub struct StaticEnv {
    hostname: String,
    vars: BTreeMap<String, String>,
    interfaces: Option<Vec<String>>,
    vrfs: Vec<String>,
    programs: Option<Vec<String>>,
    users: Option<Vec<String>>,
    hosts: Option<Vec<String>>,
    config_id: Option<String>,
    iproute: BTreeMap<(String, String), u32>,
}

impl StaticEnv {
    /// A host with this name and an empty environment.
    pub fn new(hostname: impl Into<String>) -> Self {
        Self { hostname: hostname.into(), ..Self::default() }
    }

    /// Adds an environment variable.
    pub fn with_var(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.vars.insert(name.into(), value.into());
        self
    }

    /// Sets the complete list of interfaces, so that others are reported as missing.
    pub fn with_interfaces(mut self, names: &[&str]) -> Self {
        self.interfaces = Some(names.iter().map(|&n| n.to_owned()).collect());
        self
    }

    /// Names those of the interfaces that are VRFs.
    pub fn with_vrfs(mut self, names: &[&str]) -> Self {
        self.vrfs = names.iter().map(|&n| n.to_owned()).collect();
        self
    }

    /// Sets the complete list of programs that can be run, so that others are reported as missing.
    pub fn with_programs(mut self, names: &[&str]) -> Self {
        self.programs = Some(names.iter().map(|&n| n.to_owned()).collect());
        self
    }

    /// Sets the complete list of names that have addresses.
    pub fn with_hosts(mut self, names: &[&str]) -> Self {
        self.hosts = Some(names.iter().map(|&n| n.to_owned()).collect());
        self
    }

    /// Sets the complete list of users, each of whom has a group of that name.
    pub fn with_users(mut self, names: &[&str]) -> Self {
        self.users = Some(names.iter().map(|&n| n.to_owned()).collect());
        self
    }

    /// Adds a name to one of iproute2's lists.
    pub fn with_iproute(mut self, list: &str, name: &str, number: u32) -> Self {
        self.iproute.insert((list.to_owned(), name.to_owned()), number);
        self
    }

    /// Sets the configuration id.
    pub fn with_config_id(mut self, id: impl Into<String>) -> Self {
        self.config_id = Some(id.into());
        self
    }
}

impl Env for StaticEnv {
    fn hostname(&self) -> String {
        self.hostname.clone()
    }

    fn given_id(&self) -> Option<String> {
        self.config_id.clone()
    }

    fn var(&self, name: &str) -> Option<String> {
        self.vars.get(name).cloned()
    }

    fn interface_exists(&self, name: &str) -> Option<bool> {
        self.interfaces.as_ref().map(|list| list.iter().any(|n| n == name))
    }

    fn is_vrf(&self, name: &str) -> Option<bool> {
        self.interface_exists(name)?.then(|| self.vrfs.iter().any(|n| n == name))
    }

    fn program(&self, name: &str) -> Option<Program> {
        let there = self.programs.as_ref()?.iter().any(|n| n == name);
        Some(if there { Program::Runs } else { Program::Missing })
    }

    fn account_exists(&self, user: &str, group: Option<&str>) -> Option<bool> {
        let known = |list: &Vec<String>, name: &str| list.iter().any(|n| n == name);
        self.users.as_ref().map(|list| known(list, user) && group.is_none_or(|group| known(list, group)))
    }

    fn iproute_number(&self, list: &str, name: &str) -> Option<u32> {
        self.iproute.get(&(list.to_owned(), name.to_owned())).copied()
    }

    fn resolves(&self, name: &str) -> Option<bool> {
        self.hosts.as_ref().map(|list| list.iter().any(|n| n == name))
    }
}

/// One file that an include directive brought in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a name and a text is all a source can be")]
pub struct Source {
    /// The name messages show; also what relative includes inside it are relative to.
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl Source {
    /// A file's name and text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

/// What an include pattern matched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "files found and files unreadable is all an answer can hold")]
pub struct Included {
    /// The files, in the order in which they are to be read.
    pub files: Vec<Source>,
    /// What matched but could not be read, with the reason.
    pub unreadable: Vec<(String, String)>,
}

/// Where the text of included files comes from.
pub trait Sources {
    /// The files that `pattern`, written in the file `from`, stands for. Patterns may hold `*`, `?`, `[…]` and
    /// `{a,b}`, and are relative to the directory of `from`.
    fn include(&mut self, pattern: &str, from: &str) -> Included;
}

/// No included files: every include directive finds nothing.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to it")]
pub struct NoIncludes;

impl Sources for NoIncludes {
    fn include(&mut self, _pattern: &str, _from: &str) -> Included {
        Included::default()
    }
}

/// Included files held in memory, found by exact name or by `*` in the last part of the path.
#[derive(Debug, Clone, Default)]
pub struct InMemory {
    files: BTreeMap<String, String>,
}

impl InMemory {
    /// No files yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file.
    pub fn with(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.files.insert(name.into(), text.into());
        self
    }
}

impl Sources for InMemory {
    fn include(&mut self, pattern: &str, from: &str) -> Included {
        let full = match from.rsplit_once('/') {
            Some((directory, _)) if !pattern.starts_with('/') => format!("{directory}/{pattern}"),
            _ => pattern.to_owned(),
        };
        let matching = self.files.iter().filter(|(name, _)| star_match(&full, name));
        Included {
            files: matching.map(|(name, text)| Source::new(name, text)).collect(),
            unreadable: Vec::new(),
        }
    }
}

/// Matches one `*` (any run of characters but `/`), which is all the in-memory sources need.
fn star_match(pattern: &str, name: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == name };
    name.strip_prefix(head)
        .and_then(|rest| rest.strip_suffix(tail))
        .is_some_and(|middle| !middle.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_id_is_the_first_label_of_the_host_name() {
        assert_eq!(StaticEnv::new("dc1.example.org").config_id(), "dc1");
        assert_eq!(StaticEnv::new("dc1").with_config_id("x").config_id(), "x");
    }

    #[test]
    fn in_memory_sources_resolve_relative_to_the_including_file() {
        let mut files = InMemory::new().with("/etc/k/a.conf", "a").with("/etc/k/b.conf", "b");
        let found = files.include("*.conf", "/etc/k/main");
        assert_eq!(found.files.len(), 2);
        assert_eq!(files.include("b.conf", "/etc/k/main").files[0].text, "b");
        assert!(files.include("c.conf", "/etc/k/main").files.is_empty());
    }
}
