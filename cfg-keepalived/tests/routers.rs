//! What virtual routers become.

use cfg_keepalived::{NoIncludes, StaticEnv, load, lower};
use vrrp::spec::Spec;

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
