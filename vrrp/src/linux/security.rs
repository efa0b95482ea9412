//! Whether what is about to run exists, and whether others could have written it.

use std::fmt;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::credentials;
use crate::event::{Log, Severity};
use crate::spec::{Command, NotifyScripts, ScriptSecurity, Spec, TrackList};

/// Takes out of a specification what must not or cannot run, as keepalived does: an instance goes on without a check
/// whose program is missing. Returns what there is to say about it, loudly.
///
/// `search` is the value of `PATH`.
pub(super) fn apply(spec: &mut Spec, search: &str) -> Vec<Log> {
    let mut judge = Judge { security: spec.global.scripts.clone(), search, logs: Vec::new() };
    let mut disabled = Vec::new();
    spec.scripts.retain(|script| {
        let keep = judge.allows(&script.command);
        if !keep {
            judge.error(format!(
                "Disabling track script {} since not found/accessible or insecure",
                script.name
            ));
            disabled.push(script.name.clone());
        }
        keep
    });
    let strip = |track: &mut TrackList| track.scripts.retain(|script| !disabled.contains(&script.name));
    for group in &mut spec.groups {
        group.track.change(strip);
        group.notify.change(|scripts| judge.notify_scripts(&group.name, scripts));
    }
    for instance in &mut spec.instances {
        instance.track.change(strip);
        instance.notify.change(|scripts| judge.notify_scripts(&instance.name, scripts));
    }
    judge.logs
}

/// Whether one more command may run, and what there is to say about it.
pub(super) fn permit(command: &Command, security: &ScriptSecurity, search: &str) -> (bool, Vec<Log>) {
    let mut judge = Judge { security: security.clone(), search, logs: Vec::new() };
    (judge.allows(command), judge.logs)
}

struct Judge<'a> {
    security: ScriptSecurity,
    search: &'a str,
    logs: Vec<Log>,
}

impl Judge<'_> {
    fn notify_scripts(&mut self, owner: &str, scripts: &mut NotifyScripts) {
        let NotifyScripts { master, backup, fault, stop, deleted, master_rx_lower_pri, any, .. } = scripts;
        for slot in [master, backup, fault, stop, deleted, master_rx_lower_pri, any] {
            self.notify_script(owner, slot);
        }
    }

    fn notify_script(&mut self, owner: &str, slot: &mut Option<Arc<Command>>) {
        if slot.as_ref().is_some_and(|command| !self.allows(command)) {
            self.error(format!("({owner}) Disabling notify script since not found/accessible or insecure"));
            *slot = None;
        }
    }

    /// True if the command may run; otherwise, and if it had better not, says why.
    fn allows(&mut self, command: &Command) -> bool {
        if command.only_readable {
            return true;
        }
        let as_root = match credentials::find(command.run_as.as_ref(), &self.security) {
            Ok(credentials) => credentials.is_none_or(|credentials| credentials.uid == 0),
            Err(error) => {
                self.error(format!("Script `{}`: {error}", command.line));
                return false;
            }
        };
        let program = command.argv.first().map_or("", String::as_str);
        match check(program, self.search) {
            Ok(()) => true,
            Err(reason @ Insecure::NotExecutable(_)) => {
                self.error(format!("Script {program} cannot be accessed - {reason}"));
                false
            }
            Err(Insecure::Writable(_)) if !as_root => true,
            Err(reason @ Insecure::Writable(_)) => {
                let consequence = if self.security.enforce { " - disabling" } else { "" };
                self.error(format!(
                    "Unsafe permissions found for script '{program}'{consequence} ({reason})"
                ));
                !self.security.enforce
            }
        }
    }

    fn error(&mut self, text: String) {
        self.logs.push(Log { severity: Severity::Error, detail: false, text });
    }
}

/// What is wrong with a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Insecure {
    /// Somebody else than root can replace the file or a directory above it.
    Writable(PathBuf),
    /// It is not there or cannot be executed.
    NotExecutable(PathBuf),
}

impl fmt::Display for Insecure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Writable(path) => write!(f, "{} can be changed by others", path.display()),
            Self::NotExecutable(path) => write!(f, "{} is not an executable file", path.display()),
        }
    }
}

/// Checks the program `name`, found through `search` (the value of `PATH`) if it is a bare name.
pub(super) fn check(name: &str, search: &str) -> Result<(), Insecure> {
    let path = locate(name, search).ok_or_else(|| Insecure::NotExecutable(PathBuf::from(name)))?;
    // Both the path as written and the path with every link followed: either could be changed under us.
    let real = std::fs::canonicalize(&path).map_err(|_| Insecure::NotExecutable(path.clone()))?;
    for path in [path.as_path(), real.as_path()] {
        for part in path.ancestors().filter(|part| !part.as_os_str().is_empty()) {
            check_part(part)?;
        }
    }
    Ok(())
}

/// Whether a program can be run, a bare name being looked for in the directories of `search`: `None` if nothing of that
/// name is there at all.
#[must_use]
pub fn is_runnable(name: &str, search: &str) -> Option<bool> {
    let there = |path: PathBuf| path.exists().then_some(false);
    match locate(name, search) {
        Some(_) => Some(true),
        None if name.contains('/') => there(name.into()),
        None => search.split(':').find_map(|directory| there(Path::new(directory).join(name))),
    }
}

/// Finds a program as `execvp` does.
fn locate(name: &str, search: &str) -> Option<PathBuf> {
    if name.contains('/') {
        let path = PathBuf::from(name);
        return is_executable(&path).then_some(path);
    }
    search.split(':').map(|directory| Path::new(directory).join(name)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn check_part(path: &Path) -> Result<(), Insecure> {
    let meta = path.metadata().map_err(|_| Insecure::NotExecutable(path.to_owned()))?;
    let mode = meta.permissions().mode();
    // In a directory with the sticky bit nobody replaces what belongs to another.
    let sticky = meta.is_dir() && mode & 0o1000 != 0;
    let group_writable = mode & 0o020 != 0 && meta.gid() != 0;
    if meta.uid() != 0 || ((mode & 0o002 != 0 || group_writable) && !sticky) {
        return Err(Insecure::Writable(path.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_the_system_is_safe() {
        assert_eq!(check("sh", "/nowhere:/bin:/usr/bin"), Ok(()));
        assert_eq!(check("/bin/sh", ""), Ok(()));
    }

    /// A script that anybody may change, in a directory that nobody may, and a tracker and a notification that run it.
    fn writable(name: &str) -> (PathBuf, Spec) {
        let path = std::env::temp_dir().join(format!("vrrp-writable-{name}-{}", std::process::id()));
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
        let mut spec = Spec::new();
        let command = || Command::new([path.to_str().unwrap()]);
        spec.scripts.push(crate::spec::Script::new("c", command()));
        let mut instance = crate::spec::Instance::new("i", 1, &spec.global);
        instance.track.change(|track| track.scripts.push(crate::spec::TrackRef::new("c")));
        instance.notify.change(|scripts| scripts.any = Some(Arc::new(command())));
        spec.instances.push(instance);
        (path, spec)
    }

    #[test]
    fn a_script_that_others_may_change_is_told_and_runs_unless_security_is_asked_for() {
        let (path, spec) = writable("script");
        assert_eq!(check(path.to_str().unwrap(), ""), Err(Insecure::Writable(path.clone())));
        for enforce in [false, true] {
            let mut spec = spec.clone();
            spec.global.scripts.enforce = enforce;
            let logs = apply(&mut spec, "");
            let told = logs.iter().filter(|log| log.text.starts_with("Unsafe permissions found for script"));
            assert_eq!(told.count(), 2, "{logs:?}");
            let instance = &spec.instances[0];
            let left = (spec.scripts.len(), instance.track.scripts.len(), instance.notify.any.is_some());
            assert_eq!(left, if enforce { (0, 0, false) } else { (1, 1, true) });
        }
        std::fs::remove_file(path).unwrap();
    }

    /// As `/bin` is one on every system whose `/usr` is merged.
    #[test]
    fn a_link_on_the_way_to_a_script_is_no_danger_by_itself() {
        let link = std::env::temp_dir().join(format!("vrrp-link-{}", std::process::id()));
        std::os::unix::fs::symlink("/usr/bin", &link).unwrap();
        let owner = link.symlink_metadata().unwrap().uid();
        let found = check(link.join("env").to_str().unwrap(), "");
        std::fs::remove_file(link).unwrap();
        assert!(found.is_ok() || owner != 0, "{found:?}");
    }

    #[test]
    fn what_is_not_there_is_told() {
        assert!(matches!(check("no-such-program", "/bin"), Err(Insecure::NotExecutable(_))));
        assert!(matches!(check("/etc/passwd", ""), Err(Insecure::NotExecutable(_))));
    }
}
