//! What virtual routers become.

use cfg_keepalived::{NoIncludes, StaticEnv, load, lower};
use std::time::Duration;
use vrrp::spec::{Auth, InitialState, Instance, Password, Preempt, Spec};

fn lowered(text: &str) -> Spec {
    let env = StaticEnv::new("node");
    lower(&load("k.conf", text, &mut NoIncludes, &env).config, &env).spec
}

fn router(name: &str, interface: &str, vrid: u8, vmac: &str, address: &str) -> String {
    format!(
        "vrrp_instance {name} {{\n interface {interface}\n virtual_router_id {vrid}\n {vmac}\n virtual_ipaddress {{\n \
         {address}\n }}\n}}\n"
    )
}

#[test]
fn every_vmac_has_a_name_of_its_own() {
    let text = [
        router("a", "eth0", 51, "use_vmac", "10.0.0.3"),
        router("b", "eth1", 51, "use_vmac", "10.0.1.3"),
        router("c", "eth0", 51, "use_vmac", "fe80::3"),
        router("d", "eth1", 51, "use_vmac", "fe80::3"),
        router("e", "eth0", 52, "use_vmac", "10.0.0.4"),
        router("f", "eth0", 53, "use_vmac vrrp.52", "10.0.0.5"),
    ];
    let spec = lowered(&text.concat());
    let names: Vec<&str> = spec.instances.iter().map(|i| i.vmac.as_ref().unwrap().name.as_str()).collect();
    assert_eq!(names, ["vrrp.51", "vrrp1.51", "vrrp6.51", "vrrp2.51", "vrrp1.52", "vrrp.52"]);
}

#[test]
fn an_address_may_ask_for_a_vmac_while_its_router_has_none() {
    let spec = lowered(&router("a", "eth0", 51, "", "10.0.0.3\n 10.0.0.4 use_vmac"));
    let instance = &spec.instances[0];
    assert_eq!(instance.wire_interface().unwrap().as_str(), "eth0");
    let interfaces = instance.addresses.iter().map(|a| instance.address_interface(a).unwrap().as_str());
    assert_eq!(interfaces.collect::<Vec<_>>(), ["eth0", "vrrp.51"]);
    assert!(lowered(&router("a", "eth0", 51, "", "10.0.0.3")).instances[0].vmac.is_none());
}

/// A router with these lines beside the usual ones.
fn with(lines: &str) -> Instance {
    lowered(&router("a", "eth0", 51, lines, "10.0.0.3")).instances.remove(0)
}

#[test]
fn state_and_priority_follow_from_each_other() {
    for (lines, expected) in [
        ("state MASTER", (InitialState::Master, 255)),
        ("state BACKUP", (InitialState::Backup, 100)),
        ("", (InitialState::Backup, 100)),
        ("priority 255", (InitialState::Master, 255)),
        ("priority 150", (InitialState::Backup, 150)),
        ("state MASTER\n priority 101", (InitialState::Master, 101)),
    ] {
        let instance = with(lines);
        assert_eq!((instance.state, instance.priority), expected, "{lines}");
    }
}

#[test]
fn a_configured_master_gives_no_lower_one_time() {
    for (lines, expected) in [
        ("state BACKUP\n nopreempt", Preempt::Never),
        ("state BACKUP\n preempt_delay 10", Preempt::After(Duration::from_secs(10))),
        ("state MASTER\n priority 101\n nopreempt", Preempt::Immediate),
        ("state MASTER\n priority 101\n preempt_delay 10", Preempt::Immediate),
    ] {
        assert_eq!(with(lines).preempt, expected, "{lines}");
    }
}

#[test]
fn a_password_has_eight_characters_and_ends_where_a_comment_begins() {
    for (word, expected) in [
        ("SOMEPASSWORD!", "SOMEPASS"),
        ("short", "short"),
        ("ab!cd", "ab"),
        ("ab#cd", "ab"),
        ("\"ab!cd\"", "ab!cd"),
    ] {
        let instance = with(&format!("authentication {{\n auth_type PASS\n auth_pass {word}\n }}"));
        assert_eq!(instance.auth, Auth::Pass(Password::new(expected.as_bytes())), "{word}");
    }
}
