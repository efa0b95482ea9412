//! Giving up privileges: directory, groups, group, user, in this order and verified.

use super::sys;
use crate::spec::ProcessSpec;
use std::io;
use std::path::Path;

/// Who to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Identity {
    /// User number; unset keeps the present one.
    pub uid: Option<u32>,
    /// Group number; unset keeps the present one.
    pub gid: Option<u32>,
}

/// Why an identity or a directory could not be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// No such account.
    #[error("cannot find user id for '{0}'")]
    User(String),
    /// No such group.
    #[error("cannot find group id for '{0}'")]
    Group(String),
    /// A step failed.
    #[error("cannot {step}: {cause}")]
    Step {
        /// What was tried.
        step: String,
        /// What the system said.
        cause: io::Error,
    },
    /// The steps succeeded but the privileges are still there.
    #[error("privileges could be taken back after giving them up")]
    NotGivenUp,
}

impl Identity {
    /// Looks the accounts of `process` up. A user without a group keeps the present group.
    ///
    /// # Errors
    /// When an account does not exist.
    pub fn of(process: &ProcessSpec) -> Result<Self, IdentityError> {
        let mut identity = Self { uid: process.uid, gid: process.gid };
        if let Some(name) = &process.user {
            let found = sys::user(name).ok().flatten();
            identity.uid = Some(found.ok_or_else(|| IdentityError::User(name.to_string()))?.0);
        }
        if let Some(name) = &process.group {
            let found = sys::group(name).ok().flatten();
            identity.gid = Some(found.ok_or_else(|| IdentityError::Group(name.to_string()))?);
        }
        Ok(identity)
    }
}

/// What became of the supplementary groups of a confined process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SupplementaryGroups {
    /// None is left beside the group itself, or none was asked to go.
    Settled,
    /// The system allows nobody to change them here, as in an unprivileged user namespace.
    Kept,
}

/// Confines this process to `chroot` if given and becomes `identity`. There is no way back.
///
/// # Errors
/// The step that failed. The process may then be confined in part and should end.
pub fn confine(chroot: Option<&Path>, identity: Identity) -> Result<SupplementaryGroups, IdentityError> {
    let mut groups = SupplementaryGroups::Settled;
    let step = |step: String| move |cause| IdentityError::Step { step, cause };
    if let Some(dir) = chroot {
        std::os::unix::fs::chroot(dir).map_err(step(format!("chroot to {}", dir.display())))?;
        std::env::set_current_dir("/").map_err(step("enter the new root".to_owned()))?;
    }
    if let Some(gid) = identity.gid {
        // Supplementary groups first: later there is no right to change them. Without root there are none to give up.
        if rustix::process::geteuid().is_root() {
            groups = replace_groups(gid).map_err(step(format!("set supplementary groups to {gid}")))?;
        }
        sys::set_gid(gid).map_err(step(format!("set group id {gid}")))?;
    }
    if let Some(uid) = identity.uid {
        sys::set_uid(uid).map_err(step(format!("set user id {uid}")))?;
        if uid != 0 && sys::set_uid(0).is_ok() {
            return Err(IdentityError::NotGivenUp);
        }
    }
    Ok(groups)
}

/// Who may not change the groups may well be allowed to become another user in the next step, or be that user already.
fn replace_groups(gid: u32) -> io::Result<SupplementaryGroups> {
    match sys::set_groups(gid) {
        Ok(()) => Ok(SupplementaryGroups::Settled),
        Err(refused) if refused.kind() == io::ErrorKind::PermissionDenied => Ok(SupplementaryGroups::Kept),
        Err(failed) => Err(failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_account_is_named() {
        let process = ProcessSpec { user: Some("no-such-user-here".into()), ..ProcessSpec::default() };
        assert_eq!(
            Identity::of(&process).unwrap_err().to_string(),
            "cannot find user id for 'no-such-user-here'"
        );
    }

    #[test]
    fn root_is_number_zero() {
        let process =
            ProcessSpec { user: Some("root".into()), group: Some("root".into()), ..ProcessSpec::default() };
        assert_eq!(Identity::of(&process).unwrap(), Identity { uid: Some(0), gid: Some(0) });
    }

    #[test]
    fn nothing_asked_changes_nothing() {
        assert_eq!(confine(None, Identity::default()).unwrap(), SupplementaryGroups::Settled);
    }
}
