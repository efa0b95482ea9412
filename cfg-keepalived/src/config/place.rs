//! Where the process runs and how its files are named.

use super::Global;

/// Where the process runs and how its files are named: words of the outermost level.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Place {
    /// The network namespace (`net_namespace`).
    pub namespace: Option<String>,
    /// One of several daemons on a machine (`instance`).
    pub instance: Option<String>,
    /// Pid files have a directory of their own (`use_pid_dir`).
    pub pid_dir: bool,
}

impl Place {
    /// The directory of pid files, where it is not that of all daemons.
    #[must_use]
    pub fn pid_directory(&self) -> Option<&'static str> {
        let own = self.pid_dir || self.namespace.is_some() || self.instance.is_some();
        own.then_some("/run/keepalived")
    }

    /// The file that exists while a changed configuration is read, unless it is named (`reload_file`).
    #[must_use]
    pub fn reload_file(&self) -> String {
        self.file("keepalived", "reload")
    }

    /// The pid file of a process: `keepalived`, or a part's name.
    #[must_use]
    pub fn pid_file(&self, process: &str) -> String {
        self.file(process, "pid")
    }

    fn file(&self, process: &str, extension: &str) -> String {
        let directory = match (self.pid_directory(), process) {
            (Some(directory), _) => format!("{directory}/"),
            (None, "keepalived") => "/run/".to_owned(),
            (None, _) => "/run/keepalived_".to_owned(),
        };
        let instance = self.instance.as_ref().map(|name| format!("_{name}")).unwrap_or_default();
        format!("{directory}{process}{instance}.{extension}")
    }
}

impl Global {
    pub(crate) fn place(&self) -> Place {
        Place {
            namespace: self.net_namespace.as_ref().map(|name| name.value.clone()),
            instance: self.instance.as_ref().map(|name| name.value.clone()),
            pid_dir: self.use_pid_dir,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_as_the_original_names_them() {
        let mut place = Place::default();
        assert_eq!(
            ["keepalived", "vrrp"].map(|process| place.pid_file(process)),
            ["/run/keepalived.pid", "/run/keepalived_vrrp.pid"]
        );
        place.pid_dir = true;
        assert_eq!(place.pid_file("vrrp"), "/run/keepalived/vrrp.pid");
        place = Place { instance: Some("a".to_owned()), ..Place::default() };
        assert_eq!(place.pid_file("keepalived"), "/run/keepalived/keepalived_a.pid");
        assert_eq!(place.reload_file(), "/run/keepalived/keepalived_a.reload");
        place = Place { namespace: Some("n".to_owned()), ..Place::default() };
        assert_eq!(place.pid_file("keepalived"), "/run/keepalived/keepalived.pid");
    }
}
