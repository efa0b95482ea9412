//! Whether what is about to run exists, and whether others could have written it.

use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::credentials;
use crate::event::{Log, Severity};
use crate::spec::{Command, NotifyScripts, ScriptSecurity, Spec, TrackList};

/// Takes out of a specification what must not or cannot run, as keepalived does: an instance goes on without a check
/// whose program is missing. What is left runs by the path that was judged. Returns what there is to say about it, loudly.
///
/// `search` is the value of `PATH`.
pub(super) fn apply(spec: &mut Spec, search: &str) -> Vec<Log> {
    let mut judge = Judge::new(&spec.global.scripts, search);
    let mut disabled = Vec::new();
    spec.scripts.retain_mut(|script| {
        let keep = judge.allows(&mut script.command);
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
    let global = &mut spec.global;
    for (name, slot) in [("startup", &mut global.startup_script), ("shutdown", &mut global.shutdown_script)] {
        if slot.as_mut().is_some_and(|(command, _)| !judge.allows(command)) {
            judge.error(format!("Disabling {name} script since not found/accessible or insecure"));
            *slot = None;
        }
    }
    for fifo in &mut global.fifos {
        if fifo.script.as_mut().is_some_and(|command| !judge.allows(command)) {
            judge.error(format!(
                "Disabling the script of {} since not found/accessible or insecure",
                fifo.path
            ));
            fifo.script = None;
        }
    }
    if judge.resolved {
        // What instances have in common is common to them with its new paths as well.
        *spec = spec.compact();
    }
    judge.logs
}

/// Whether one more command may run, by the path that was judged, and what there is to say about it.
pub(super) fn permit(command: &mut Command, security: &ScriptSecurity, search: &str) -> (bool, Vec<Log>) {
    let mut judge = Judge::new(security, search);
    (judge.allows(command), judge.logs)
}

struct Judge<'a> {
    security: ScriptSecurity,
    search: &'a str,
    logs: Vec<Log>,
    /// The path of some program is another than was written.
    resolved: bool,
}

impl<'a> Judge<'a> {
    fn new(security: &ScriptSecurity, search: &'a str) -> Self {
        Self { security: security.clone(), search, logs: Vec::new(), resolved: false }
    }

    fn notify_scripts(&mut self, owner: &str, scripts: &mut NotifyScripts) {
        let NotifyScripts { master, backup, fault, stop, deleted, master_rx_lower_pri, any, .. } = scripts;
        for slot in [master, backup, fault, stop, deleted, master_rx_lower_pri, any] {
            self.notify_script(owner, slot);
        }
    }

    fn notify_script(&mut self, owner: &str, slot: &mut Option<Arc<Command>>) {
        let Some(mut command) = slot.as_deref().cloned() else { return };
        if !self.allows(&mut command) {
            self.error(format!("({owner}) Disabling notify script since not found/accessible or insecure"));
            *slot = None;
        } else if slot.as_deref() != Some(&command) {
            *slot = Some(Arc::new(command));
        }
    }

    /// True if the command may run, which it does by the path that was judged; otherwise, and if it had better not, says why.
    fn allows(&mut self, command: &mut Command) -> bool {
        if command.only_readable {
            return true;
        }
        let as_root = match credentials::find(command.run_as.as_ref(), &self.security) {
            Ok(credentials) => {
                credentials.is_none_or(|credentials| credentials.uid == 0 || credentials.gid == 0)
            }
            Err(error) => {
                self.error(format!("Script `{}`: {error}", command.line));
                return false;
            }
        };
        let Some(program) = command.argv.first_mut() else { return false };
        let paths = match Paths::of(program, self.search, self.security.keep_symlinks) {
            Ok(paths) => paths,
            Err(reason) => {
                let text = format!("Script {program} cannot be accessed - {reason}");
                self.error(text);
                return false;
            }
        };
        let verdict = if as_root || paths.becomes_root() { paths.check() } else { Ok(()) };
        let consequence = if self.security.enforce { " - disabling" } else { "" };
        let text = verdict.map_err(|reason| {
            format!("Unsafe permissions found for script '{program}'{consequence} ({reason})")
        });
        if let Some(path) = paths.run.to_str().filter(|path| path != program) {
            path.clone_into(program);
            self.resolved = true;
        }
        let safe = text.is_ok();
        text.err().into_iter().for_each(|text| self.error(text));
        safe || !self.security.enforce
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

/// The paths of a program.
struct Paths {
    /// By which it is run: its own name, in a directory without links on the way unless they are to be kept. Some programs do
    /// by their name what they do.
    run: PathBuf,
    /// The file that is run in the end.
    real: PathBuf,
}

impl Paths {
    /// Those of the program `name`, found through `search` (the value of `PATH`) if it is a bare name.
    fn of(name: &str, search: &str, keep_links: bool) -> Result<Self, Insecure> {
        let missing = || Insecure::NotExecutable(PathBuf::from(name));
        let written = locate(name, search).ok_or_else(missing)?;
        let real = std::fs::canonicalize(&written).map_err(|_| missing())?;
        if keep_links {
            return Ok(Self { run: written, real });
        }
        let named = real.parent().zip(written.file_name()).map(|(directory, name)| directory.join(name));
        let file = |path: &Path| path.metadata().ok().map(|meta| (meta.dev(), meta.ino()));
        let run = named.filter(|named| file(named) == file(&real)).unwrap_or_else(|| real.clone());
        Ok(Self { run, real })
    }

    /// Whether whoever runs it becomes root.
    fn becomes_root(&self) -> bool {
        let root = |meta: &Metadata| {
            let mode = meta.mode();
            (mode & 0o4000 != 0 && meta.uid() == 0) || (mode & 0o2000 != 0 && meta.gid() == 0)
        };
        self.real.metadata().is_ok_and(|meta| root(&meta))
    }

    /// Whether nobody but root can change what is run: neither of the two files, nor a directory or link above them.
    fn check(&self) -> Result<(), Insecure> {
        let both = [&self.run, &self.real];
        both.into_iter().flat_map(|path| path.ancestors()).try_for_each(check_part)
    }
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
    // The empty path above a relative one is the directory of this process.
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    // A link is judged by whom it belongs to, as that is who can point it elsewhere. What it points to has its own turn.
    let meta = path.symlink_metadata().map_err(|_| Insecure::NotExecutable(path.to_owned()))?;
    let mode = meta.mode();
    // In a directory with the sticky bit nobody replaces what belongs to another.
    let guarded = meta.is_symlink() || (meta.is_dir() && mode & 0o1000 != 0);
    let group_writable = mode & 0o020 != 0 && meta.gid() != 0;
    if meta.uid() != 0 || ((mode & 0o002 != 0 || group_writable) && !guarded) {
        return Err(Insecure::Writable(path.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By which path a program runs, if that is safe.
    fn check(name: &str, search: &str, keep_links: bool) -> Result<PathBuf, Insecure> {
        let paths = Paths::of(name, search, keep_links)?;
        paths.check().map(|()| paths.run)
    }

    #[test]
    fn a_program_of_the_system_is_safe() {
        let real = std::fs::canonicalize("/bin").unwrap();
        assert_eq!(check("sh", "/nowhere:/bin:/usr/bin", false), Ok(real.join("sh")));
        assert_eq!(check("/bin/sh", "", false), Ok(real.join("sh")));
        assert_eq!(check("/bin/sh", "", true), Ok("/bin/sh".into()));
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
        spec.global.startup_script = Some((command(), std::time::Duration::ZERO));
        let mut fifo = crate::spec::Fifo::new("/nowhere/fifo");
        fifo.script = Some(command());
        spec.global.fifos.push(fifo);
        spec.instances.push(instance);
        (path, spec)
    }

    #[test]
    fn a_script_that_others_may_change_is_told_and_runs_unless_security_is_asked_for() {
        let (path, spec) = writable("script");
        let found = check(path.to_str().unwrap(), "", false);
        assert_eq!(found, Err(Insecure::Writable(path.clone())));
        for enforce in [false, true] {
            let mut spec = spec.clone();
            spec.global.scripts.enforce = enforce;
            let logs = apply(&mut spec, "");
            let told = logs.iter().filter(|log| log.text.starts_with("Unsafe permissions found for script"));
            assert_eq!(told.count(), 4, "{logs:?}");
            let (instance, global) = (&spec.instances[0], &spec.global);
            let left = [
                !spec.scripts.is_empty(),
                !instance.track.scripts.is_empty(),
                instance.notify.any.is_some(),
                global.startup_script.is_some(),
                global.fifos[0].script.is_some(),
            ];
            assert_eq!(left, [!enforce; 5]);
        }
        std::fs::remove_file(path).unwrap();
    }

    /// A directory of root's with a script in it; None without the rights to make one.
    fn directory(name: &str) -> Option<PathBuf> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("{name}: skipped, it needs root");
            return None;
        }
        let path = std::env::temp_dir().join(format!("vrrp-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let path = std::fs::canonicalize(path).unwrap();
        let script = path.join("script");
        std::fs::write(&script, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        Some(path)
    }

    /// A link that belongs to somebody else than root.
    fn link(target: &Path, link: &Path) {
        std::os::unix::fs::symlink(target, link).unwrap();
        std::os::unix::fs::lchown(link, Some(65534), Some(65534)).unwrap();
    }

    #[test]
    fn a_link_of_somebody_else_on_the_way_is_not_gone_by_unless_links_are_kept() {
        let Some(path) = directory("way") else { return };
        let way = path.join("link");
        link(&path, &way);
        let script = way.join("script");
        let found = [false, true].map(|keep| check(script.to_str().unwrap(), "", keep));
        std::fs::remove_dir_all(&path).unwrap();
        // Wherever the link points from now on, what was judged is what runs.
        assert_eq!(found, [Ok(path.join("script")), Err(Insecure::Writable(way))]);
    }

    #[test]
    fn a_script_that_is_itself_a_link_of_somebody_else_is_unsafe_if_it_runs_by_that_name() {
        let Some(path) = directory("name") else { return };
        let (alias, far) = (path.join("alias"), path.join("far"));
        link(&path.join("script"), &alias);
        link(&std::fs::canonicalize("/bin/sh").unwrap(), &far);
        let found = [&alias, &far].map(|script| check(script.to_str().unwrap(), "", false));
        std::fs::remove_dir_all(&path).unwrap();
        // The file behind the second is elsewhere and known by its own name.
        let shell = std::fs::canonicalize("/bin/sh").unwrap();
        assert_eq!(found, [Err(Insecure::Writable(alias)), Ok(shell)]);
    }

    #[test]
    fn what_may_run_runs_by_the_path_that_was_judged() {
        let mut spec = Spec::new();
        spec.scripts.push(crate::spec::Script::new("c", Command::new(["sh", "-c", "true"])));
        assert_eq!(apply(&mut spec, "/bin").len(), 0);
        let shell = std::fs::canonicalize("/bin").unwrap().join("sh");
        assert_eq!(spec.scripts[0].command.argv, [shell.to_str().unwrap(), "-c", "true"]);
    }

    #[test]
    fn what_is_not_there_is_told() {
        assert!(matches!(check("no-such-program", "/bin", false), Err(Insecure::NotExecutable(_))));
        assert!(matches!(check("/etc/passwd", "", false), Err(Insecure::NotExecutable(_))));
    }
}
