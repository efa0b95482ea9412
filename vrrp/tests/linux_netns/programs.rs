//! Check scripts, notification scripts, pipes, tracked files and processes.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use vrrp::event::NotifyState;
use vrrp::spec::{Command, Fifo, Script, Spec, TrackFile, TrackProcess, TrackRef, Weight};
use vrrp::stats::StateKind;

use crate::lab::{Lab, possible, spec, until};

/// A directory of a test, removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vrrp-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn script(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Best effort, as with every clean-up of a test.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn with_script(line: &[&str], weight: i32) -> Spec {
    let mut wanted = spec(150);
    let mut script = Script::new("check", Command::new(line.iter().copied()));
    script.interval = Duration::from_millis(100);
    wanted.scripts.push(script);
    wanted.instances[0].track.scripts.push(TrackRef::weighted("check", Weight::new(weight)));
    wanted
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn a_check_that_begins_to_fail_is_a_fault_and_its_recovery_ends_it() {
    if !possible("a_check_that_begins_to_fail_is_a_fault_and_its_recovery_ends_it") {
        return;
    }
    let (lab, scratch) = (Lab::new(), Scratch::new("check"));
    let flag = scratch.path("fail");
    let node = lab.start(0, with_script(&["/usr/bin/test", "!", "-e", &flag], 0), None);
    node.await_state(NotifyState::Master);
    fs::write(&flag, "").unwrap();
    node.await_state(NotifyState::Fault);
    fs::remove_file(&flag).unwrap();
    node.await_state(NotifyState::Master);
    node.stop();
}

#[test]
fn a_check_whose_interpreter_is_missing_has_failed() {
    if !possible("a_check_whose_interpreter_is_missing_has_failed") {
        return;
    }
    let (lab, scratch) = (Lab::new(), Scratch::new("interpreter"));
    let script = scratch.script("check", "#!/no/such/interpreter\nexit 0\n");
    let node = lab.start(0, with_script(&[&script], -50), None);
    node.await_state(NotifyState::Master);
    until("weighed", || node.snapshot().instance("VI_1").unwrap().effective_priority == 100);
    node.stop();
}

#[test]
fn a_check_that_hangs_is_ended_with_all_its_children() {
    if !possible("a_check_that_hangs_is_ended_with_all_its_children") {
        return;
    }
    let (lab, scratch) = (Lab::new(), Scratch::new("hang"));
    let pids = scratch.path("pids");
    let text = format!("#!/bin/sh\ntrap '' TERM\nsleep 1000 &\necho $! >> {pids}\nwait\nwait\n");
    let node = lab.start(0, with_script(&[&scratch.script("check", &text)], -50), None);
    until("failed", || node.snapshot().instance("VI_1").unwrap().effective_priority == 100);
    let gone = |child: &str| {
        let stat = read(&format!("/proc/{child}/stat"));
        stat.is_empty() || stat.contains(") Z ")
    };
    let first = read(&pids).lines().next().unwrap().to_owned();
    until("killed", || gone(&first));
    until("started again", || read(&pids).lines().count() > 1);
    node.stop();
    until("none left", || read(&pids).lines().all(gone));
}

/// It fills no pipe, and whoever it leaves behind holds nothing of ours.
#[test]
fn a_check_that_prints_without_measure_and_leaves_a_daemon_succeeds_like_any_other() {
    if !possible("a_check_that_prints_without_measure_and_leaves_a_daemon_succeeds_like_any_other") {
        return;
    }
    let (lab, scratch) = (Lab::new(), Scratch::new("print"));
    let runs = scratch.path("runs");
    let text = format!(
        "#!/bin/sh\nhead -c 300000 /dev/zero\nhead -c 300000 /dev/zero >&2\n(setsid sleep 3 &)\necho x >> {runs}\n"
    );
    let node = lab.start(0, with_script(&[&scratch.script("check", &text)], 0), None);
    node.await_state(NotifyState::Master);
    until("it runs again and again", || read(&runs).lines().count() > 3);
    let now = node.snapshot();
    assert_eq!(now.instance("VI_1").unwrap().state, StateKind::Master);
    assert_eq!(now.instance("VI_1").unwrap().stats.released_master, 0);
    node.stop();
}

#[test]
fn a_check_that_is_killed_has_failed() {
    if !possible("a_check_that_is_killed_has_failed") {
        return;
    }
    let (lab, scratch) = (Lab::new(), Scratch::new("killed"));
    let node =
        lab.start(0, with_script(&[&scratch.script("check", "#!/bin/sh\nkill -SEGV $$\n")], -50), None);
    until("failed", || node.snapshot().instance("VI_1").unwrap().effective_priority == 100);
    node.stop();
}

#[test]
fn a_check_that_does_not_exist_is_left_out() {
    if !possible("a_check_that_does_not_exist_is_left_out") {
        return;
    }
    let lab = Lab::new();
    let node = lab.start(0, with_script(&["/no/such/check"], 0), None);
    node.await_state(NotifyState::Master);
    node.stop();
}

#[test]
fn notifications_run_in_order_and_feed_the_pipe() {
    if !possible("notifications_run_in_order_and_feed_the_pipe") {
        return;
    }
    let (lab, scratch) = (Lab::new(), Scratch::new("notify"));
    let told = scratch.path("told");
    // The first notification is the slowest: order must come from waiting, not from luck.
    let text = format!("#!/bin/sh\n[ $3 = BACKUP ] && sleep 0.3\necho \"$@\" >> {told}\n");
    let script = scratch.script("notify", &text);
    let mut wanted = spec(150);
    wanted.instances[0].notify.any = Some(Arc::new(Command::new([script.as_str(), "own"])));
    wanted.instances[0].notify.master = Some(Arc::new(Command::new([script.as_str(), "specific", "x", "y"])));
    let fifo = scratch.path("fifo");
    wanted.global.fifos.push(Fifo::new(&fifo));
    let node = lab.start(0, wanted, None);
    node.await_state(NotifyState::Master);
    node.stop();
    let lines = read(&told);
    let expected = "own INSTANCE VI_1 BACKUP 150\nspecific x y\nown INSTANCE VI_1 MASTER 150\n\
                    own INSTANCE VI_1 STOP 150\n";
    assert_eq!(lines, expected);
    assert!(Path::new(&fifo).exists());
}

#[test]
fn a_reader_of_the_pipe_hears_every_state() {
    if !possible("a_reader_of_the_pipe_hears_every_state") {
        return;
    }
    let (lab, scratch) = (Lab::new(), Scratch::new("pipe"));
    let path = scratch.path("fifo");
    let mut wanted = spec(150);
    wanted.global.fifos.push(Fifo::new(&path));
    let node = lab.start(0, wanted, None);
    node.await_state(NotifyState::Backup);
    let mut reader = fs::File::open(&path).unwrap();
    node.stop();
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "INSTANCE \"VI_1\" BACKUP 150\nINSTANCE \"VI_1\" STOP 150\n");
}

#[test]
fn a_number_in_a_file_moves_the_priority_when_it_is_written() {
    if !possible("a_number_in_a_file_moves_the_priority_when_it_is_written") {
        return;
    }
    let (lab, scratch) = (Lab::new(), Scratch::new("file"));
    let path = scratch.path("number");
    let mut file = TrackFile::new("number", &path);
    file.initial = Some((5, false));
    let mut wanted = spec(150);
    wanted.files.push(file);
    wanted.instances[0].track.files.push(TrackRef::new("number"));
    let node = lab.start(0, wanted, None);
    let priority = || node.snapshot().instance("VI_1").unwrap().effective_priority;
    until("initial", || priority() == 155);
    fs::write(&path, "-20\n").unwrap();
    until("written", || priority() == 130);
    fs::rename(&path, scratch.path("away")).unwrap();
    until("gone", || priority() == 150);
    node.stop();
}

#[test]
fn a_tracked_process_that_ends_is_a_fault() {
    if !possible("a_tracked_process_that_ends_is_a_fault") {
        return;
    }
    let (lab, scratch) = (Lab::new(), Scratch::new("process"));
    let program = scratch.path("vrrp-tracked");
    fs::copy("/bin/sleep", &program).unwrap();
    let mut process = std::process::Command::new(&program).arg("1000").spawn().unwrap();
    let mut wanted = spec(150);
    wanted.processes.push(TrackProcess::new("tracked", vec!["vrrp-tracked".to_owned()]));
    wanted.instances[0].track.processes.push(TrackRef::new("tracked"));
    let node = lab.start(0, wanted, None);
    node.await_state(NotifyState::Master);
    process.kill().unwrap();
    process.wait().unwrap();
    node.await_state(NotifyState::Fault);
    assert_eq!(node.snapshot().instance("VI_1").unwrap().state, StateKind::Fault);
    node.stop();
}
