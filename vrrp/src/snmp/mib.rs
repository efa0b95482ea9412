//! State changes as notifications of the three modules.

use std::net::IpAddr;

use super::agentx::{Binding, Oid, Value};
use crate::event::{Notify, NotifyState, Subject};
use crate::spec::{InitialState, Instance, Spec, Traps, Version};

/// `snmpTrapOID.0`
const TRAP_OID: [u32; 11] = [1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0];
/// KEEPALIVED-MIB
const KEEPALIVED: [u32; 9] = [1, 3, 6, 1, 4, 1, 9586, 100, 5];
/// VRRP-MIB (RFC 2787)
const VRRP_V2: [u32; 7] = [1, 3, 6, 1, 2, 1, 68];
/// VRRPV3-MIB (RFC 6527)
const VRRP_V3: [u32; 7] = [1, 3, 6, 1, 2, 1, 207];

/// Why an instance became master, in the numbers of RFC 6527.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MasterReason {
    /// It owns the addresses.
    Priority = 1,
    /// The master before it still speaks.
    Preempted = 2,
    /// The master before it was not heard any more.
    MasterNoResponse = 3,
}

/// What the driver knows about an instance beyond its specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what two of the modules ask for")]
pub struct Place {
    /// Index of its interface; zero if it has none.
    pub interface: u32,
    /// Source address of its adverts, if it has one.
    pub source: Option<IpAddr>,
    /// Why it became master.
    pub reason: MasterReason,
}

/// The notifications a change comes to.
#[must_use]
pub fn notifications(spec: &Spec, traps: &Traps, notify: &Notify, place: Place) -> Vec<Vec<Binding>> {
    let (Some(state), false) = (number(notify.state), notify.repeated) else { return Vec::new() };
    let mut out = Vec::new();
    let instance = spec.instance(&notify.name).filter(|_| notify.subject == Subject::Instance);
    if traps.vrrp {
        out.push(keepalived(spec, notify, state, instance));
    }
    // Neither module knows an instance without addresses.
    let master = instance.filter(|of| notify.state == NotifyState::Master && !of.addresses.is_empty());
    let (Some(instance), Some(source)) = (master, place.source) else { return out };
    if let (true, Version::V2, IpAddr::V4(source)) = (traps.rfc_v2, instance.version, source) {
        let row = [place.interface, instance.vrid.into()];
        // vrrpOperMasterIpAddr
        let address = Oid(VRRP_V2.to_vec()).with(&[1, 3, 1, 7]).with(&row);
        out.push(vec![trap(&VRRP_V2, &[0, 1]), (address, Value::IpAddress(source.octets()))]);
    }
    if traps.rfc_v3 {
        let row = [place.interface, instance.vrid.into(), if source.is_ipv4() { 1 } else { 2 }];
        let module = Oid(VRRP_V3.to_vec());
        let octets = match source {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        // vrrpv3OperationsMasterIpAddr, vrrpv3StatisticsNewMasterReason
        let address = (module.with(&[1, 1, 1, 1, 3]).with(&row), Value::Octets(octets));
        let reason = (module.with(&[1, 2, 5, 1, 2]).with(&row), Value::Integer(place.reason as i32));
        out.push(vec![trap(&VRRP_V3, &[0, 1]), address, reason]);
    }
    out
}

/// vrrpInstanceStateChange, or vrrpSyncGroupStateChange.
fn keepalived(spec: &Spec, notify: &Notify, state: i32, instance: Option<&Instance>) -> Vec<Binding> {
    let module = Oid(KEEPALIVED.to_vec());
    let text = |name: &[u32], text: &str| (module.with(name), Value::Octets(text.as_bytes().to_vec()));
    let value = |name: &[u32], value: i32| (module.with(name), Value::Integer(value));
    let router = text(&[1, 2, 0], &spec.global.router_id);
    if notify.subject == Subject::Group {
        return vec![
            trap(&KEEPALIVED, &[2, 10, 0, 1]),
            text(&[2, 1, 1, 2], &notify.name),
            value(&[2, 1, 1, 3], state),
            router,
        ];
    }
    let wanted = instance.is_some_and(|of| of.state == InitialState::Master);
    vec![
        trap(&KEEPALIVED, &[2, 10, 0, 2]),
        text(&[2, 3, 1, 2], &notify.name),
        value(&[2, 3, 1, 4], state),
        value(&[2, 3, 1, 5], if wanted { 2 } else { 1 }),
        router,
    ]
}

fn trap(module: &[u32], name: &[u32]) -> Binding {
    (Oid(TRAP_OID.to_vec()), Value::Oid(Oid(module.to_vec()).with(name)))
}

/// The number of a state, if the change is one of state.
const fn number(state: NotifyState) -> Option<i32> {
    match state {
        NotifyState::Backup => Some(1),
        NotifyState::Master => Some(2),
        NotifyState::Fault => Some(3),
        NotifyState::Stop => Some(5),
        NotifyState::Deleted => Some(6),
        NotifyState::MasterRxLowerPri | NotifyState::MasterPriority | NotifyState::BackupPriority => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Prefix, VirtualAddress};

    fn all() -> Traps {
        let mut traps = Traps::default();
        (traps.vrrp, traps.rfc_v2, traps.rfc_v3) = (true, true, true);
        traps
    }

    fn place() -> Place {
        let source = Some("10.0.0.1".parse().unwrap());
        Place { interface: 7, source, reason: MasterReason::Preempted }
    }

    fn spec() -> Spec {
        let mut spec = Spec::new();
        spec.global.router_id = "node".to_owned();
        let mut instance = Instance::new("VI", 50, &spec.global);
        instance.interface = Some("eth0".into());
        instance.addresses.push(VirtualAddress::new(Prefix::host("10.0.0.9".parse().unwrap())));
        spec.instances.push(instance);
        spec
    }

    fn change(subject: Subject, state: NotifyState) -> Notify {
        let name = "VI".into();
        Notify { subject, name, state, priority: 100, specific: None, generic: None, repeated: false }
    }

    /// The names of the notifications, as written.
    fn names(spec: &Spec, traps: &Traps, notify: &Notify) -> Vec<String> {
        let sent = notifications(spec, traps, notify, place());
        let name = |bindings: &Vec<Binding>| match &bindings[0].1 {
            Value::Oid(oid) => oid.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("."),
            other => panic!("{other:?} is no name"),
        };
        sent.iter().map(name).collect()
    }

    #[test]
    fn a_new_master_is_told_in_every_module_it_belongs_to() {
        let master = change(Subject::Instance, NotifyState::Master);
        let mut spec = spec();
        let [ours, v2, v3] = ["1.3.6.1.4.1.9586.100.5.2.10.0.2", "1.3.6.1.2.1.68.0.1", "1.3.6.1.2.1.207.0.1"];
        assert_eq!(names(&spec, &all(), &master), [ours, v2, v3]);
        spec.instances[0].version = Version::V3;
        assert_eq!(names(&spec, &all(), &master), [ours, v3]);
        spec.instances[0].addresses.clear();
        assert_eq!(names(&spec, &all(), &master), [ours]);
        assert!(names(&spec, &Traps::default(), &master).is_empty());
    }

    #[test]
    fn a_state_change_carries_name_state_and_router() {
        let sent =
            notifications(&spec(), &all(), &change(Subject::Instance, NotifyState::Fault), place()).remove(0);
        let values: Vec<&Value> = sent.iter().skip(1).map(|(_, value)| value).collect();
        let text = |text: &str| Value::Octets(text.as_bytes().to_vec());
        assert_eq!(values, [&text("VI"), &Value::Integer(3), &Value::Integer(1), &text("node")]);
        let group = names(&spec(), &all(), &change(Subject::Group, NotifyState::Master));
        assert_eq!(group, ["1.3.6.1.4.1.9586.100.5.2.10.0.1"]);
    }

    #[test]
    fn rows_name_interface_router_and_family() {
        let sent = notifications(&spec(), &all(), &change(Subject::Instance, NotifyState::Master), place());
        assert_eq!(sent[1][1].0.0[7..], [1, 3, 1, 7, 7, 50]);
        assert_eq!(sent[2][1].0.0[7..], [1, 1, 1, 1, 3, 7, 50, 1]);
        assert_eq!(sent[2][2], (Oid([&VRRP_V3[..], &[1, 2, 5, 1, 2, 7, 50, 1]].concat()), Value::Integer(2)));
    }

    #[test]
    fn what_is_no_change_of_state_is_not_told() {
        for state in [NotifyState::MasterRxLowerPri, NotifyState::MasterPriority, NotifyState::BackupPriority]
        {
            assert!(names(&spec(), &all(), &change(Subject::Instance, state)).is_empty());
        }
        let mut again = change(Subject::Instance, NotifyState::Master);
        again.repeated = true;
        assert!(names(&spec(), &all(), &again).is_empty());
    }
}
