//! What a specification must fulfil before a router accepts it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use super::{AdvertInterval, Auth, Bfd, Instance, Name, Origin, Spec, TrackList, Transport, Version, Weight};

/// Why a specification was refused. Nothing has been changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{item}: {problem}")]
#[non_exhaustive]
pub struct SpecError {
    /// Where the offending item was configured.
    pub origin: Origin,
    /// The offending item, for example `instance dc1server`.
    pub item: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What can be wrong with an item of a specification.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Two items of a kind have the same name.
    #[error("the name is taken")]
    DuplicateName,
    /// The identifier is zero.
    #[error("the virtual router identifier must be 1 to 255")]
    BadVrid,
    /// The priority is zero.
    #[error("the priority must be 1 to 255")]
    BadPriority,
    /// The interval cannot be expressed in the version of the protocol.
    #[error("an advertisement interval of {0:?} is not possible in this version")]
    BadInterval(Duration),
    /// No interval of silence is allowed.
    #[error("down_timer_adverts must be 1 to 100")]
    BadDownTimer,
    /// The authentication header is one of IPv4 here.
    #[error("an authentication header cannot be used with IPv6")]
    AuthNeedsIpv4,
    /// Version 3 has no authentication.
    #[error("authentication needs version 2")]
    AuthNeedsVersion2,
    /// Source, peers or group are of another family than the instance.
    #[error("{0} is of the wrong address family")]
    WrongFamily(IpAddr),
    /// Multicast adverts need an interface, and so do addresses.
    #[error("no interface")]
    NoInterface,
    /// Unicast without an interface needs a source address.
    #[error("no interface and no source address")]
    NoSource,
    /// Another instance uses the same identifier on the same interface.
    #[error("virtual router {0} exists already on this interface")]
    DuplicateVrid(u8),
    /// A tracker nobody defined.
    #[error("no such {kind}: {name}")]
    Unknown {
        /// Kind of the tracker or member.
        kind: &'static str,
        /// Its name.
        name: Name,
    },
    /// A group without members.
    #[error("the group has no members")]
    NoMembers,
    /// An instance in two groups.
    #[error("{0} is in another group already")]
    TwoGroups(Name),
    /// A weight beyond the range of priorities.
    #[error("the weight {0} is not within -253 to 253")]
    BadWeight(i32),
    /// A script that never runs, or never counts.
    #[error("interval, rise and fall must not be zero")]
    BadScript,
    /// Times or a multiplier of a BFD session that cannot be told in its packets, or never count.
    #[error("intervals and multiplier must not be zero, nor intervals longer than 4294 s")]
    BadSession,
    /// Not a name that `nft` can read.
    #[error("not the name of a table")]
    BadTable,
    /// A command without a program.
    #[error("no program to run")]
    NoProgram,
}

/// Looks for the first problem of a specification.
///
/// # Errors
///
/// The first problem found.
/// It becomes part of a script.
fn is_table(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() < 256
        && bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte))
}

pub(crate) fn check(spec: &Spec) -> Result<(), SpecError> {
    trackers(spec)?;
    let table = &spec.global.firewall.table;
    if !is_table(table) {
        return fail(Origin::default(), "table", &Name::new(table), Problem::BadTable);
    }
    let mut names = BTreeSet::new();
    for instance in &spec.instances {
        let fail = |problem| fail(instance.origin, "instance", &instance.name, problem);
        if !names.insert(&instance.name) {
            return fail(Problem::DuplicateName);
        }
        numbers(instance).or_else(fail)?;
        network(instance).or_else(fail)?;
        tracked(spec, &instance.track).or_else(fail)?;
    }
    for (at, instance) in spec.instances.iter().enumerate() {
        if spec.instances[..at].iter().any(|other| clash(other, instance)) {
            let problem = Problem::DuplicateVrid(instance.vrid);
            return fail(instance.origin, "instance", &instance.name, problem);
        }
    }
    groups(spec)?;
    for address in &spec.fixed.addresses {
        if address.interface.is_none() {
            let name = Name::new(address.prefix.to_string());
            return fail(address.origin, "static address", &name, Problem::NoInterface);
        }
    }
    Ok(())
}

fn fail(origin: Origin, kind: &str, name: &Name, problem: Problem) -> Result<(), SpecError> {
    Err(SpecError { origin, item: format!("{kind} {name}"), problem })
}

fn trackers(spec: &Spec) -> Result<(), SpecError> {
    let mut names = BTreeSet::new();
    for script in &spec.scripts {
        let fail = |problem| fail(script.origin, "script", &script.name, problem);
        if !names.insert(&script.name) {
            return fail(Problem::DuplicateName);
        }
        if script.interval.is_zero() || script.rise == 0 || script.fall == 0 {
            return fail(Problem::BadScript);
        }
        if script.command.argv.first().is_none_or(String::is_empty) {
            return fail(Problem::NoProgram);
        }
        weight(script.weight).or_else(fail)?;
    }
    unique("track file", spec.files.iter().map(|file| (file.origin, &file.name)))?;
    unique("process", spec.processes.iter().map(|process| (process.origin, &process.name)))?;
    unique("backend", spec.externals.iter().map(|external| (external.origin, &external.name)))?;
    unique("BFD session", spec.bfds.iter().map(|session| (session.origin, &session.name)))?;
    spec.bfds.iter().try_for_each(|bfd| {
        session(bfd).or_else(|problem| fail(bfd.origin, "BFD session", &bfd.name, problem))
    })
}

fn session(bfd: &Bfd) -> Result<(), Problem> {
    let possible = |time: &Duration| !time.is_zero() && u32::try_from(time.as_micros()).is_ok();
    if ![bfd.min_rx, bfd.min_tx, bfd.idle_tx].iter().all(possible) || bfd.multiplier == 0 {
        return Err(Problem::BadSession);
    }
    if let Some(source) = bfd.source.filter(|source| source.is_ipv6() != bfd.neighbor.is_ipv6()) {
        return Err(Problem::WrongFamily(source));
    }
    weight(bfd.weight)
}

fn unique<'a>(kind: &str, items: impl Iterator<Item = (Origin, &'a Name)>) -> Result<(), SpecError> {
    let mut names = BTreeSet::new();
    for (origin, name) in items {
        if !names.insert(name) {
            return fail(origin, kind, name, Problem::DuplicateName);
        }
    }
    Ok(())
}

fn numbers(instance: &Instance) -> Result<(), Problem> {
    if instance.vrid == 0 {
        return Err(Problem::BadVrid);
    }
    if instance.priority == 0 {
        return Err(Problem::BadPriority);
    }
    if !(1..=100).contains(&instance.down_timer_adverts) {
        return Err(Problem::BadDownTimer);
    }
    let centis = instance.advert_interval.centis();
    let possible = match instance.version {
        Version::V2 => centis.is_multiple_of(100) && (1..=255).contains(&(centis / 100)),
        Version::V3 => (1..=AdvertInterval::MAX_V3.centis()).contains(&centis),
    };
    if possible { Ok(()) } else { Err(Problem::BadInterval(instance.advert_interval.duration())) }
}

fn network(instance: &Instance) -> Result<(), Problem> {
    if instance.ipv6 && matches!(instance.auth, Auth::Ah(_)) {
        return Err(Problem::AuthNeedsIpv4);
    }
    if instance.version == Version::V3 && instance.auth != Auth::None {
        return Err(Problem::AuthNeedsVersion2);
    }
    let wrong = |address: &IpAddr| address.is_ipv6() != instance.ipv6;
    let peers = instance.transport.peers().iter().map(|peer| peer.address);
    let group = match &instance.transport {
        Transport::Multicast { group } => Some(*group),
        Transport::Unicast { .. } => None,
    };
    if let Some(address) = instance.source.into_iter().chain(peers).chain(group).find(wrong) {
        return Err(Problem::WrongFamily(address));
    }
    if instance.interface.is_none() {
        if !instance.transport.is_unicast() || instance.vmac.is_some() {
            return Err(Problem::NoInterface);
        }
        if instance.source.is_none() {
            return Err(Problem::NoSource);
        }
    }
    let mut addresses = instance.addresses.iter().chain(&instance.excluded_addresses);
    if addresses.any(|address| instance.address_interface(address).is_none()) {
        return Err(Problem::NoInterface);
    }
    Ok(())
}

fn tracked(spec: &Spec, list: &TrackList) -> Result<(), Problem> {
    let kinds = [
        ("script", &list.scripts, spec.scripts.iter().map(|s| &s.name).collect::<BTreeSet<_>>()),
        ("track file", &list.files, spec.files.iter().map(|f| &f.name).collect()),
        ("process", &list.processes, spec.processes.iter().map(|p| &p.name).collect()),
        ("backend", &list.externals, spec.externals.iter().map(|e| &e.name).collect()),
        ("BFD session", &list.bfds, spec.bfds.iter().map(|b| &b.name).collect()),
    ];
    for (kind, references, known) in kinds {
        for reference in references {
            if !known.contains(&reference.name) {
                return Err(Problem::Unknown { kind, name: reference.name.clone() });
            }
            if kind != "track file" {
                weight(reference.weight.unwrap_or_default())?;
            }
        }
    }
    list.interfaces.iter().try_for_each(|reference| weight(reference.weight))
}

fn weight(weight: Weight) -> Result<(), Problem> {
    if (-253..=253).contains(&weight.value) { Ok(()) } else { Err(Problem::BadWeight(weight.value)) }
}

/// Two instances that would hear each other's adverts as their own.
fn clash(a: &Instance, b: &Instance) -> bool {
    let place = |instance: &Instance| (instance.vrid, instance.ipv6, instance.interface.clone());
    if place(a) != place(b) {
        return false;
    }
    match (&a.transport, &b.transport) {
        (Transport::Multicast { group }, Transport::Multicast { group: other }) => group == other,
        (Transport::Unicast { peers, .. }, Transport::Unicast { peers: others, .. }) => {
            peers.is_empty()
                || others.is_empty()
                || peers.iter().any(|peer| others.iter().any(|other| other.address == peer.address))
        }
        _ => false,
    }
}

fn groups(spec: &Spec) -> Result<(), SpecError> {
    let mut names = BTreeSet::new();
    let mut members = BTreeSet::new();
    for group in &spec.groups {
        let fail = |problem| fail(group.origin, "group", &group.name, problem);
        if !names.insert(&group.name) {
            return fail(Problem::DuplicateName);
        }
        if group.members.is_empty() {
            return fail(Problem::NoMembers);
        }
        for member in &group.members {
            if spec.instance(member).is_none() {
                return fail(Problem::Unknown { kind: "instance", name: member.clone() });
            }
            if !members.insert(member) {
                return fail(Problem::TwoGroups(member.clone()));
            }
        }
        tracked(spec, &group.track).or_else(fail)?;
    }
    Ok(())
}
