use super::*;
use crate::env::{NoIncludes, StaticEnv};
use crate::load::{Loaded, load};

fn node(name: &str, body: &str) -> Loaded {
    let text = format!(
        "vrrp_script chk {{\n script \"/bin/true\"\n weight 2\n}}\nvrrp_instance v {{\n interface eth0\n \
         virtual_router_id 50\n{body}\n virtual_ipaddress {{ 10.0.0.3 }}\n}}\n"
    );
    load(name, &text, &mut NoIncludes, &StaticEnv::new(name))
}

fn messages(own: &str, peer: &str) -> Vec<String> {
    compare_peers(&node("a.conf", own), &node("b.conf", peer)).iter().map(|d| d.message.clone()).collect()
}

#[test]
fn weights_make_priorities() {
    let loaded =
        node("a", " priority 101\n track_script { chk weight 20 }\n track_interface { eth1 weight -30 }");
    let found = priorities(&loaded.config, &loaded.config.instances[0]);
    assert_eq!((found.base, found.healthy), (101, 121));
    let failed: Vec<_> = found.effects.iter().map(|e| (e.name.as_str(), e.fault, e.failed)).collect();
    assert_eq!(failed, [("eth1", false, 91), ("chk", false, 101), ("eth0", true, 121)]);
}

#[test]
fn a_reversed_weight_counts_the_other_way() {
    let loaded = node("a", " priority 100\n track_script { chk weight 20 reverse }");
    let found = priorities(&loaded.config, &loaded.config.instances[0]);
    assert_eq!((found.healthy, found.effects[0].failed), (100, 80));
}

#[test]
fn a_weight_that_is_cut_off_is_told() {
    let loaded = node("a", " priority 254\n track_script { chk weight 20 }");
    assert_eq!(failover(&loaded.config).len(), 1);
    let told = |d: &Diagnostic| d.message == "a failure of the script `chk` changes nothing";
    assert!(loaded.diagnostics.iter().any(told), "also where no other node's file is at hand");
    assert!(failover(&node("a", " priority 101\n track_script { chk }").config).is_empty());
}

#[test]
fn two_equal_nodes_fail_over_and_are_told_to_be_equal() {
    let body = " priority 101\n track_script { chk weight 20 }";
    assert_eq!(messages(body, body), ["both nodes have priority 101"]);
}

#[test]
fn a_difference_larger_than_the_weight_prevents_failover() {
    let own = " priority 150\n track_script { chk }";
    let peer = " priority 100\n track_script { chk }";
    assert_eq!(messages(own, peer), ["if the script `chk` fails here, the peer does not take over"]);
    assert!(messages(" priority 101\n track_script { chk }", peer).is_empty());
}

#[test]
fn nopreempt_keeps_a_lowered_master() {
    let own = " priority 101\n track_script { chk }";
    let found = messages(own, " priority 100\n nopreempt\n track_script { chk }");
    assert_eq!(found, ["if the script `chk` fails here, the peer does not take over"]);
}

#[test]
fn what_must_be_equal_is_compared() {
    let found = messages(
        " priority 101\n advert_int 1\n authentication { auth_type PASS\n auth_pass a }",
        " priority 100\n advert_int 2\n authentication { auth_type PASS\n auth_pass b }",
    );
    assert_eq!(found, ["interval 1 s here, 2 s at the peer", "the peer's authentication is different"]);
    let found = messages(" priority 101\n version 3", " priority 100");
    assert_eq!(found, ["version 3 here, version 2 at the peer"]);
    let own = " priority 101\n unicast_src_ip 10.0.0.1\n unicast_peer { 10.0.0.2 }";
    assert!(messages(own, " priority 100\n unicast_src_ip 10.0.0.2\n unicast_peer { 10.0.0.1 }").is_empty());
    let found = messages(own, " priority 100\n unicast_src_ip 10.0.0.9\n unicast_peer { 10.0.0.1 }");
    assert_eq!(found, ["the peer's `unicast_src_ip` is not among the peers here"]);
    assert_eq!(messages(own, " priority 100"), ["one node speaks unicast, the other multicast"]);
}

#[test]
fn different_addresses_and_missing_instances_are_told() {
    let own = node("a.conf", " priority 101");
    let other = load(
        "b.conf",
        "vrrp_instance w {\n interface eth0\n virtual_router_id 50\n virtual_ipaddress { 10.0.0.4 }\n}\n",
        &mut NoIncludes,
        &StaticEnv::new("b"),
    );
    let found: Vec<_> = compare_peers(&own, &other).iter().map(|d| d.message.clone()).collect();
    assert_eq!(found, ["the addresses of virtual router 50 differ; here 10.0.0.3, at the peer 10.0.0.4"]);
    let empty = load("b.conf", "", &mut NoIncludes, &StaticEnv::new("b"));
    assert_eq!(compare_peers(&own, &empty).len(), 1);
}
