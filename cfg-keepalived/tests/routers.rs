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

/// Where the addresses of an instance are, and what is made for that, each as `NAME@BASE` with its family.
fn places(text: &str) -> (Vec<String>, Vec<String>) {
    let spec = lowered(text);
    let instance = &spec.instances[0];
    let all = instance.addresses.iter().chain(&instance.excluded_addresses);
    let places =
        all.filter_map(|address| instance.address_interface(address).map(ToString::to_string)).collect();
    let made = instance
        .vmacs()
        .map(|(vmac, base, ipv6)| format!("{}@{base} {}", vmac.name, if ipv6 { 6 } else { 4 }));
    (places, made.collect())
}

#[test]
fn an_address_on_another_interface_asks_for_a_vmac_there() {
    let text =
        router("a", "eth0", 51, "use_vmac", "10.0.0.3\n 10.1.0.3 dev eth1\n 10.1.0.4 dev eth1 use_vmac");
    let (places, made) = places(&text);
    assert_eq!(places, ["vrrp.51", "eth1", "vrrp1.51"]);
    assert_eq!(made, ["vrrp.51@eth0 4", "vrrp1.51@eth1 4"]);
}

#[test]
fn an_address_of_the_other_family_has_no_use_for_the_vmac_of_its_instance() {
    let excluded = "virtual_ipaddress_excluded {\n 2001:db8::3\n 2001:db8::4 use_vmac\n }";
    let text = router("a", "eth0", 51, &format!("use_vmac 02:00:00:00:00:05\n {excluded}"), "10.0.0.3");
    let (places, made) = places(&text);
    assert_eq!(places, ["vrrp.51", "eth0", "vrrp6.51"]);
    assert_eq!(made, ["vrrp.51@eth0 4", "vrrp6.51@eth0 6"]);
    let spec = lowered(&text);
    assert_eq!(
        spec.instances[0].address_vmacs[0].vmac.mac,
        Some([2, 0, 0, 0, 0, 5]),
        "the one that was given"
    );
}

#[test]
fn vmacs_for_addresses_are_for_those_that_are_elsewhere() {
    let excluded = "virtual_ipaddress_excluded {\n 2001:db8::3\n 2001:db8::4 dev eth1\n }";
    let text =
        router("a", "eth0", 51, &format!("use_vmac_addr\n {excluded}"), "10.0.0.3\n 10.1.0.3 dev eth1");
    let (places, made) = places(&text);
    assert_eq!(places, ["eth0", "vrrp.51", "vrrp6.51", "vrrp1.51"]);
    assert_eq!(made, ["vrrp.51@eth1 4", "vrrp6.51@eth0 6", "vrrp1.51@eth1 6"]);
    assert_eq!(lowered(&text).instances[0].wire_interface().unwrap().as_str(), "eth0");
}

#[test]
fn one_hardware_address_on_one_interface_is_one_vmac() {
    let text = [
        router("a", "eth0", 51, "use_vmac", "10.0.0.3"),
        router("b", "eth1", 51, "", "10.1.0.3\n 10.0.0.4 dev eth0 use_vmac"),
    ];
    let spec = lowered(&text.concat());
    assert_eq!(spec.instances[1].address_vmacs[0].vmac.name, spec.instances[0].vmac.as_ref().unwrap().name);
}
