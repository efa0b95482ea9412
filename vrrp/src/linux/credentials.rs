//! As whom a program runs: finding the user, and becoming it.

use std::ffi::CString;
use std::io;
use std::process::Command;

use rustix::process::{Gid, Signal, Uid};

use super::sys;
use crate::spec::{RunAs, ScriptSecurity};

/// The user scripts run as when nothing else is said and it exists.
const DEFAULT_USER: &str = "keepalived_script";

/// Why nobody was found.
#[derive(Debug, thiserror::Error)]
pub(super) enum UserError {
    #[error("unknown user `{0}`")]
    UnknownUser(String),
    #[error("unknown group `{0}`")]
    UnknownGroup(String),
    #[error("cannot look up `{0}`: {1}")]
    Lookup(String, #[source] io::Error),
}

/// Whom a program runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Supplementary groups; empty drops them all.
    pub(super) groups: Vec<u32>,
}

/// Prepares a program: own process group, signal on our death, normal scheduling, and privileges dropped for good.
///
/// The kernel gives the signal when the *thread* that starts the program ends.
pub(super) fn prepare(command: &mut Command, credentials: Option<&Credentials>) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
    // Without the privilege to become somebody else we already are who we can be.
    let privileged = rustix::process::geteuid().is_root();
    let target = credentials.filter(|_| privileged).map(Target::of);
    sys::before_exec(command, move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
        // There may have been nothing to reset.
        let _ = sys::set_normal_scheduling();
        target.as_ref().map_or(Ok(()), Target::become_it)
    });
}

/// Credentials in the form the system calls want, made before the fork.
struct Target {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

impl Target {
    fn of(credentials: &Credentials) -> Self {
        Self {
            uid: Uid::from_raw(credentials.uid),
            gid: Gid::from_raw(credentials.gid),
            groups: credentials.groups.iter().copied().map(Gid::from_raw).collect(),
        }
    }

    /// Drops privileges in the only safe order: supplementary groups, group, user; then makes sure that there is no
    /// way back.
    fn become_it(&self) -> io::Result<()> {
        rustix::thread::set_thread_groups(&self.groups)?;
        rustix::thread::set_thread_res_gid(self.gid, self.gid, self.gid)?;
        rustix::thread::set_thread_res_uid(self.uid, self.uid, self.uid)?;
        if !self.uid.is_root() && rustix::thread::set_thread_uid(Uid::ROOT).is_ok() {
            return Err(io::Error::from_raw_os_error(libc::EPERM));
        }
        Ok(())
    }
}

/// Finds the credentials of a program: its own user, else the common script user, else `keepalived_script` if there
/// is one, else our own (None).
pub(super) fn find(
    run_as: Option<&RunAs>,
    security: &ScriptSecurity,
) -> Result<Option<Credentials>, UserError> {
    let Some(run_as) = run_as.or(security.user.as_ref()) else {
        return match resolve(&RunAs::new(DEFAULT_USER), security.supplementary_groups) {
            Ok(credentials) => Ok(Some(credentials)),
            Err(UserError::UnknownUser(_)) => Ok(None),
            Err(error) => Err(error),
        };
    };
    resolve(run_as, security.supplementary_groups).map(Some)
}

/// Resolves names or numbers.
pub(super) fn resolve(run_as: &RunAs, supplementary: bool) -> Result<Credentials, UserError> {
    let by_name = sys::user_by_name(&run_as.user).map_err(lookup(&run_as.user))?;
    let number = run_as.user.parse::<u32>().ok();
    let (uid, primary) = match (by_name, number) {
        (Some(ids), _) => (ids.uid, Some(ids.gid)),
        (None, Some(uid)) => (uid, None),
        (None, None) => return Err(UserError::UnknownUser(run_as.user.clone())),
    };
    let gid = match (&run_as.group, primary) {
        (Some(group), _) => {
            let by_name = sys::group_by_name(group).map_err(lookup(group))?;
            by_name.or_else(|| group.parse().ok()).ok_or_else(|| UserError::UnknownGroup(group.clone()))?
        }
        (None, Some(gid)) => gid,
        // A bare number without a group: the group of the same number.
        (None, None) => uid,
    };
    let mut groups = Vec::new();
    if supplementary && by_name.is_some() {
        let user =
            CString::new(run_as.user.as_str()).map_err(|_| UserError::UnknownUser(run_as.user.clone()))?;
        groups = sys::groups_of(&user, gid).map_err(lookup(&run_as.user))?;
    }
    Ok(Credentials { uid, gid, groups })
}

fn lookup(name: &str) -> impl FnOnce(io::Error) -> UserError {
    let name = name.to_owned();
    move |error| UserError::Lookup(name, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_resolved() {
        let root = resolve(&RunAs::new("root"), false).unwrap();
        assert_eq!(root, Credentials { uid: 0, gid: 0, groups: Vec::new() });
        let mut numbers = RunAs::new("4000000");
        assert_eq!(resolve(&numbers, true).unwrap().gid, 4_000_000);
        numbers.group = Some("12".to_owned());
        assert_eq!(resolve(&numbers, true).unwrap().gid, 12);
    }

    #[test]
    fn unknown_names_are_told_apart() {
        let mut nobody = RunAs::new("no-such-user-here");
        assert!(matches!(resolve(&nobody, false), Err(UserError::UnknownUser(_))));
        nobody.user = "root".to_owned();
        nobody.group = Some("no-such-group-here".to_owned());
        assert!(matches!(resolve(&nobody, false), Err(UserError::UnknownGroup(_))));
    }
}
