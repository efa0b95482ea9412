//! Who holds the address, and who takes it over.

use std::process::Command as Process;
use std::time::Duration;

use vrrp::event::{Admin, Notify, NotifyState};
use vrrp::linux::Event;
use vrrp::spec::{AdvertInterval, Prefix, Spec, Version, VirtualAddress};
use vrrp::stats::StateKind;

use crate::lab::{Lab, VIP, ip, possible, spec, until};

#[test]
fn the_higher_priority_holds_the_address_and_hands_it_over_when_stopped() {
    if !possible("the_higher_priority_holds_the_address_and_hands_it_over_when_stopped") {
        return;
    }
    let lab = Lab::new();
    let (a, b) = (lab.start(0, spec(150), None), lab.start(1, spec(100), None));
    a.await_state(NotifyState::Master);
    assert!(a.snapshot().instance("VI_1").unwrap().stats.adverts_sent > 0);
    assert!(!lab.holds(1, VIP));
    a.admin(Admin::Shutdown);
    b.await_state(NotifyState::Master);
    a.join();
    assert!(!lab.holds(0, VIP));
    b.stop();
    assert!(!lab.holds(1, VIP));
}

#[test]
fn a_backup_that_did_not_run_when_its_timer_expired_hears_the_waiting_adverts_first() {
    if !possible("a_backup_that_did_not_run_when_its_timer_expired_hears_the_waiting_adverts_first") {
        return;
    }
    let lab = Lab::new();
    let slow = |priority| {
        let mut spec = spec(priority);
        spec.instances[0].advert_interval = AdvertInterval::from_centis(20);
        spec
    };
    let a = lab.start(0, slow(150), None);
    a.await_state(NotifyState::Master);
    // The machine stands still from the beginning until a little after the end of the backup's patience, not so long that
    // it would mistrust its own timer; the master speaks all the time.
    let patience = vrrp::timer::master_down(Version::V3, 3, 100, Duration::from_millis(200));
    let b = lab.start_with(1, slow(100), None, move |event| {
        if matches!(event, Event::Started) {
            std::thread::sleep(patience + Duration::from_millis(15));
        }
    });
    until("several adverts were heard", || b.snapshot().instance("VI_1").unwrap().stats.adverts_received > 3);
    assert!(b.said("Entering BACKUP STATE (init)") && !b.said("Entering MASTER STATE"));
    b.stop();
    a.stop();
}

#[test]
fn a_successor_resumes_the_mastership_and_the_address_never_leaves() {
    if !possible("a_successor_resumes_the_mastership_and_the_address_never_leaves") {
        return;
    }
    let lab = Lab::new();
    let first = lab.start(0, spec(150), None);
    first.await_state(NotifyState::Master);
    until("added", || lab.holds(0, VIP));
    first.admin(Admin::Abandon);
    let memory = first.join().expect("a master has something to remember");
    assert!(lab.holds(0, VIP));
    let mut monitor = Process::new("ip")
        .args(["-n", &lab.names[0], "monitor", "address"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let second = lab.start(0, spec(150), Some(memory));
    second.await_event(|event| match event {
        Event::Notify(Notify { state, .. }) => {
            assert_eq!(*state, NotifyState::Master, "the first state after a resumption");
            true
        }
        _ => false,
    });
    assert!(lab.holds(0, VIP));
    monitor.kill().unwrap();
    let seen = String::from_utf8(monitor.wait_with_output().unwrap().stdout).unwrap();
    assert!(!seen.contains("Deleted"), "{seen}");
    second.stop();
}

#[test]
fn an_address_left_behind_by_nobody_we_know_is_removed_at_the_start() {
    if !possible("an_address_left_behind_by_nobody_we_know_is_removed_at_the_start") {
        return;
    }
    let lab = Lab::new();
    ip(&format!("-n {} addr add {VIP}/32 dev eth0", lab.names[0]));
    let master = lab.start(1, spec(150), None);
    master.await_state(NotifyState::Master);
    let backup = lab.start(0, spec(100), None);
    backup.await_state(NotifyState::Backup);
    backup.stop();
    assert!(!lab.holds(0, VIP));
    master.stop();
}

#[test]
fn a_refused_reload_changes_nothing() {
    if !possible("a_refused_reload_changes_nothing") {
        return;
    }
    let lab = Lab::new();
    let node = lab.start(0, spec(150), None);
    node.await_state(NotifyState::Master);
    until("added", || lab.holds(0, VIP));
    let before = node.snapshot();
    let mut broken = spec(150);
    broken.instances[0].addresses.push(VirtualAddress::new(Prefix::host([10, 98, 0, 201].into())));
    broken.instances.push(broken.instances[0].clone());
    assert!(node.block_on(node.handle.reload(broken)).is_err(), "the same router twice");
    let after = node.snapshot();
    assert_eq!(after.instance("VI_1").unwrap().addresses, before.instance("VI_1").unwrap().addresses);
    assert_eq!(after.instance("VI_1").unwrap().stats.released_master, 0);
    assert!(lab.holds(0, VIP) && !lab.holds(0, "10.98.0.201"));
    node.stop();
}

#[test]
fn an_address_that_is_there_already_is_no_obstacle() {
    if !possible("an_address_that_is_there_already_is_no_obstacle") {
        return;
    }
    let lab = Lab::new();
    let node = lab.start(0, spec(150), None);
    // After the start, so that it is not taken for a left-over.
    until("started", || node.snapshot().instance("VI_1").unwrap().state != StateKind::Init);
    lab.ip(0, &format!("addr replace {VIP}/32 dev eth0"));
    node.await_state(NotifyState::Master);
    assert!(lab.holds(0, VIP) && !node.said("cannot add"));
    node.stop();
    assert!(!lab.holds(0, VIP));
}

#[test]
fn an_address_somebody_removes_is_put_back_without_losing_the_mastership() {
    if !possible("an_address_somebody_removes_is_put_back_without_losing_the_mastership") {
        return;
    }
    let lab = Lab::new();
    let node = lab.start(0, spec(150), None);
    node.await_state(NotifyState::Master);
    ip(&format!("-n {} addr del {VIP}/32 dev eth0", lab.names[0]));
    until("restored", || node.snapshot().instance("VI_1").unwrap().stats.addresses_restored > 0);
    until("back", || lab.holds(0, VIP));
    let stats = node.snapshot().instance("VI_1").unwrap().stats.clone();
    assert_eq!((stats.became_master, stats.released_master), (1, 0));
    node.stop();
}

#[test]
fn an_interface_that_vanishes_and_returns_is_taken_up_again() {
    if !possible("an_interface_that_vanishes_and_returns_is_taken_up_again") {
        return;
    }
    let lab = Lab::new();
    let node = lab.start(0, spec(150), None);
    node.await_state(NotifyState::Master);
    lab.ip(0, "link del eth0");
    node.await_state(NotifyState::Fault);
    lab.connect();
    node.await_state(NotifyState::Master);
    until("back", || lab.holds(0, VIP));
    let before = node.snapshot().instance("VI_1").unwrap().stats.adverts_sent;
    until("sending", || node.snapshot().instance("VI_1").unwrap().stats.adverts_sent > before);
    node.stop();
}

#[test]
fn a_reload_keeps_the_mastership_and_exchanges_the_addresses() {
    if !possible("a_reload_keeps_the_mastership_and_exchanges_the_addresses") {
        return;
    }
    let lab = Lab::new();
    let node = lab.start(0, spec(150), None);
    node.await_state(NotifyState::Master);
    until("added", || lab.holds(0, VIP));
    let mut changed = spec(150);
    changed.instances[0].addresses = vec![VirtualAddress::new(Prefix::host("10.98.0.201".parse().unwrap()))];
    node.reload(changed);
    until("exchanged", || lab.holds(0, "10.98.0.201") && !lab.holds(0, VIP));
    let mut broken = spec(150);
    broken.instances[0].vrid = 0;
    assert!(node.block_on(node.handle.reload(broken)).is_err());
    let snapshot = node.snapshot();
    assert_eq!(snapshot.instance("VI_1").unwrap().stats.became_master, 1);
    node.reload(Spec::new());
    until("removed", || !lab.holds(0, "10.98.0.201"));
    node.stop();
}
