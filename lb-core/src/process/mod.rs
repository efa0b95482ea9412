//! What a process needs around the engine: descriptors handed over, privileges given up, pid file, readiness, limits.
//!
//! The order of these steps is the program's business; each step is a function here.

mod addresses;
pub mod answers;
pub mod bundle;
mod channel;
mod daemon;
pub mod handover;
mod limits;
mod memory;
mod notify;
mod pidfile;
mod privileges;
mod sys;

pub use addresses::local_addresses;
pub use channel::{Channel, MAX_DESCRIPTORS, Parcel};
pub use daemon::{Detached, Foreground, detach};
pub use limits::{descriptor_limit, raise_descriptor_limit};
pub use memory::{apart, framed, let_go};
pub use notify::Notifier;
pub use pidfile::{Mark, PidFile};
pub use privileges::{Identity, IdentityError, SupplementaryGroups, confine};

/// Names this process (and its main thread) as `ps` and `/proc/PID/comm` show it; at most 15 bytes count.
pub fn set_name(name: &str) {
    sys::set_name(name);
}

/// Asks to be terminated when the parent process ends. Without effect if it has already ended: then this says false.
pub fn die_with_parent(parent: u32) -> bool {
    sys::die_with_parent();
    std::os::unix::process::parent_id() == parent
}

/// Sends a signal to a process.
///
/// # Errors
/// If there is no such process, no such signal, or none that this process may send there.
pub fn send_signal(pid: u32, number: i32) -> std::io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    let signal = rustix::process::Signal::from_named_raw(number);
    let (Some(pid), Some(signal)) = (pid, signal) else {
        return Err(std::io::ErrorKind::InvalidInput.into());
    };
    Ok(rustix::process::kill_process(pid, signal)?)
}

/// Tells predecessors that somebody else serves now: `finish` are to end with their last connection, `terminate` at once. One
/// that has ended already needs no telling.
pub fn dismiss(finish: &[u32], terminate: &[u32]) {
    use rustix::process::Signal;
    for (pids, signal) in [(finish, Signal::USR1), (terminate, Signal::TERM)] {
        pids.iter().for_each(|pid| drop(send_signal(*pid, signal.as_raw())));
    }
}

/// The name of this machine.
pub fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// Moves this thread, and what it starts from now on, to the network namespace of this name.
///
/// # Errors
/// When there is none, or it may not be entered.
pub fn enter_network(name: &str) -> std::io::Result<()> {
    let file = std::fs::File::open(std::path::Path::new("/run/netns").join(name))?;
    let kind = rustix::thread::LinkNameSpaceType::Network;
    Ok(rustix::thread::move_into_link_name_space(std::os::fd::AsFd::as_fd(&file), Some(kind))?)
}

/// Whether the network namespace of this thread has an interface of this name; nothing where that cannot be found out.
pub fn has_interface(name: &str) -> Option<bool> {
    // The mounted /sys may be that of another network namespace.
    let all = std::fs::read_to_string("/proc/thread-self/net/dev").ok()?;
    Some(all.lines().any(|line| line.split_once(':').is_some_and(|(own, _)| own.trim() == name)))
}

/// The number of a user account.
///
/// # Errors
/// When the accounts cannot be read.
pub fn user_id(name: &str) -> std::io::Result<Option<u32>> {
    sys::user(name).map(|found| found.map(|(uid, _)| uid))
}

/// The numbers of a user account and of its own group.
///
/// # Errors
/// When the accounts cannot be read.
pub fn user_and_group(name: &str) -> std::io::Result<Option<(u32, u32)>> {
    sys::user(name)
}

/// The number of a group.
///
/// # Errors
/// When the groups cannot be read.
pub fn group_id(name: &str) -> std::io::Result<Option<u32>> {
    sys::group(name)
}

/// Whether there is an account `user`, and a group `group` if one is named; both by name or by number.
pub fn has_account(user: &str, group: Option<&str>) -> bool {
    // Digits alone are a number; a sign before them belongs to a name that nobody has.
    let number = |name: &str| name.bytes().all(|b| b.is_ascii_digit()) && name.parse::<u32>().is_ok();
    let known = |name: &str, id: fn(&str) -> std::io::Result<Option<u32>>| {
        number(name) || id(name).is_ok_and(|found| found.is_some())
    };
    known(user, user_id) && group.is_none_or(|group| known(group, group_id))
}

/// Takes over the descriptor `fd` that this process inherited for itself alone.
///
/// # Errors
/// If no such descriptor is open.
pub fn inherited(fd: i32) -> std::io::Result<std::os::fd::OwnedFd> {
    sys::take(fd)
}

/// Lets `fd` survive the next `exec`.
///
/// # Errors
/// What `fcntl` reports.
pub fn keep_over_exec(fd: std::os::fd::BorrowedFd<'_>) -> std::io::Result<()> {
    sys::keep_over_exec(fd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    #[test]
    fn predecessors_end_by_the_signal_that_says_how() {
        let mut children = [(); 2].map(|()| Command::new("sleep").arg("1000").spawn().unwrap());
        let [finish, terminate] = [&children[0], &children[1]].map(|child| child.id());
        dismiss(&[finish, 999_999_999], &[terminate]);
        let signals = children.each_mut().map(|child| child.wait().unwrap().signal());
        assert_eq!(signals, [Some(10), Some(15)]);
    }

    #[test]
    fn an_account_is_a_known_name_or_digits_alone() {
        assert!(has_account("root", Some("root")) && has_account("4294967295", Some("0")));
        assert!(!has_account("+5", None) && !has_account("-1", None) && !has_account("4294967296", None));
        assert!(!has_account("root", Some("+5")) && !has_account("", None));
    }
}
