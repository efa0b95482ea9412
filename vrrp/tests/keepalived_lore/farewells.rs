//! Adverts of priority zero, whoever sends them: nothing in one proves that it is the master's own.

use vrrp::Spec;
use vrrp::spec::{AdvertInterval, Version};
use vrrp::stats::StateKind;

use crate::common::*;

/// Version 3 with an advert every 100 ms: a backup of priority 100 waits 60.9 ms after a farewell.
fn fast() -> Spec {
    spec(|instance| {
        instance.version = Version::V3;
        instance.advert_interval = AdvertInterval::from_centis(10);
    })
}

/// A backup that has heard a master of priority 150 for a while, the last time just now.
fn backup() -> Node {
    let mut node = Node::start(fast());
    for _ in 0..5 {
        node.advance(ms(100));
        node.hear(HIGH, 150);
    }
    node
}

fn false_farewells(node: &Node) -> u64 {
    node.snapshot().stats.false_farewells
}

#[test]
fn a_farewell_makes_the_backup_master_after_its_skew_alone() {
    let mut node = backup();
    node.advance(ms(20));
    node.hear(HIGH, 0);
    node.advance(ms(60));
    assert_eq!(node.state(), StateKind::Backup);
    node.advance(ms(1));
    assert_eq!(node.state(), StateKind::Master);
    assert_eq!(false_farewells(&node), 0);
}

#[test]
fn a_master_that_goes_on_after_a_farewell_in_its_name_is_back_with_its_next_advert() {
    let mut node = backup();
    node.hear(HIGH, 0);
    node.advance(ms(100));
    assert_eq!(node.state(), StateKind::Master, "nothing tells it from the master's own");
    node.hear(HIGH, 150);
    assert_eq!(node.state(), StateKind::Backup);
    assert_eq!(false_farewells(&node), 1);
    assert!(
        node.logs().iter().any(|line| line.contains("goes on after a farewell (priority 0) in its name"))
    );
    let finding = node.snapshot().findings.into_iter().find(|finding| finding.reason == "false-farewell");
    assert!(!finding.expect("the operator is told").split);
}

#[test]
fn a_stream_of_false_farewells_deposes_the_master_once_at_most() {
    let mut node = backup();
    node.hear(HIGH, 0);
    node.advance(ms(100));
    node.hear(HIGH, 150);
    node.done.clear();
    for step in 0..3000 {
        node.advance(ms(10));
        if step % 10 == 9 {
            node.hear(HIGH, 150);
        } else {
            node.hear(HIGH, 0);
        }
        assert_eq!(node.state(), StateKind::Backup, "step {step}");
    }
    assert!(node.logs().iter().filter(|line| line.contains("in its name")).count() <= 1, "told once");
}

#[test]
fn a_true_farewell_of_a_master_in_whose_name_others_spoke_costs_one_interval_more() {
    let mut node = backup();
    node.hear(HIGH, 0);
    node.advance(ms(50));
    node.hear(HIGH, 150);
    assert_eq!((node.state(), false_farewells(&node)), (StateKind::Backup, 1));
    node.hear(HIGH, 0);
    node.advance(ms(160));
    assert_eq!(node.state(), StateKind::Backup);
    node.advance(ms(1));
    assert_eq!(node.state(), StateKind::Master);
    // And after a minute nothing of it is left.
    node.hear(HIGH, 150);
    for _ in 0..600 {
        node.advance(ms(100));
        node.hear(HIGH, 150);
    }
    node.hear(HIGH, 0);
    node.advance(ms(61));
    assert_eq!(node.state(), StateKind::Master);
}

#[test]
fn whoever_yields_or_starts_again_has_said_a_true_farewell() {
    // Weaker than before: that is why it said it.
    let mut node = backup();
    node.hear(HIGH, 0);
    node.advance(ms(50));
    node.hear(HIGH, 120);
    assert_eq!(false_farewells(&node), 0);
    // Gone for longer than its adverts are apart.
    node.hear(HIGH, 0);
    node.advance(ms(400));
    node.hear(HIGH, 120);
    assert_eq!(false_farewells(&node), 0);
    // Somebody nobody had heard before.
    node.hear(LOW, 0);
    node.hear(LOW, 120);
    assert_eq!(false_farewells(&node), 0);
}
