//! What should run, as plain data.
//!
//! A [`Spec`] is complete: every default of a configuration dialect has been applied by whoever built it, nothing in
//! here is looked up anywhere else. It names interfaces, scripts and users but opens none of them. The values are
//! checked by [`Router::new`](crate::Router::new) and [`Router::reconfigure`](crate::Router::reconfigure), which
//! answer with a [`SpecError`] that carries the [`Origin`] of the offending item.

mod address;
mod around;
mod bfd;
pub(crate) mod check;
mod encapsulation;
mod global;
mod instance;
mod notify;
mod shared;
mod track;

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

pub(crate) use address::MAIN_TABLE;
pub use address::{
    Broadcast, Lifetime, NextHop, Prefix, RTPROT_KEEPALIVED, Realms, Route, RouteKind, RouteMetric,
    RoutePlace, Rule, RuleAction, VirtualAddress,
};
pub use around::Around;
pub use bfd::Bfd;
pub use check::{Problem, SpecError};
pub use encapsulation::{Encapsulation, Tunnel};
pub use global::{
    Fifo, FifoContent, FirewallRules, GarpGroup, Global, LinkDelay, Mail, MailServer, ProcessTuning,
    ReceiveBuffer, ReloadTime, ScriptSecurity, StaticItems, Traps,
};
pub use instance::{
    AddressVmac, AdvertInterval, Auth, ChecksumV3, ExtraGarp, Garp, InitialState, Instance, Password, Peer,
    Preempt, Transport, Version, Vmac, VmacKind,
};
pub use notify::{Command, NotifyScripts, RunAs};
pub use shared::Shared;
pub use track::{
    External, InterfaceRef, ProcessMatch, Script, SyncGroup, TrackFile, TrackList, TrackProcess, TrackRef,
    Weight,
};

/// Everything one [`Router`](crate::Router) is to do.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Spec {
    /// Settings of the whole router.
    pub global: Global,
    /// Periodic check scripts (`vrrp_script`).
    pub scripts: Vec<Script>,
    /// Numbers read from files (`track_file`).
    pub files: Vec<TrackFile>,
    /// Processes that must be present (`vrrp_track_process`).
    pub processes: Vec<TrackProcess>,
    /// Conditions reported by the program around the router, such as the health of a pool (`track_backend`).
    pub externals: Vec<External>,
    /// Sessions that watch the path to a neighbour (`bfd_instance`).
    pub bfds: Vec<Bfd>,
    /// Instances that change state together (`vrrp_sync_group`).
    pub groups: Vec<SyncGroup>,
    /// The virtual routers (`vrrp_instance`).
    pub instances: Vec<Instance>,
    /// Addresses, routes and rules present as long as the router runs.
    pub fixed: StaticItems,
    /// Rate limits of gratuitous announcements per set of interfaces (`garp_group`).
    pub garp_groups: Vec<GarpGroup>,
    /// Debouncing of link changes (`interface_up_down_delays`).
    pub link_delays: Vec<LinkDelay>,
}

impl Spec {
    /// Makes every instance follow this tracker.
    pub fn track_everywhere(&mut self, tracker: External) {
        for instance in &mut self.instances {
            instance.track.externals.push(TrackRef::new(tracker.name.clone()));
        }
        self.externals.push(tracker);
    }

    /// The external trackers that follow a pool of servers, and how many usable servers each of them asks for: one, or as many
    /// as its name says behind a slash.
    pub fn trackers_of(&self, pool: &str) -> impl Iterator<Item = (&Name, u32)> {
        self.externals.iter().filter_map(move |tracker| {
            let needed = match tracker.name.as_str().strip_prefix(pool)? {
                "" => 1,
                rest => rest.strip_prefix('/')?.parse().ok()?,
            };
            Some((&tracker.name, needed))
        })
    }

    /// A specification with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The instance of this name.
    #[must_use]
    pub fn instance(&self, name: &str) -> Option<&Instance> {
        self.instances.iter().find(|instance| &*instance.name == name)
    }

    /// Every address that the configuration gives to some node of the cluster, now or after a failover.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let nodes = self
            .instances
            .iter()
            .flat_map(|i| i.source.into_iter().chain(i.transport.peers().iter().map(|p| p.address)));
        let moving = self.instances.iter().flat_map(|i| i.addresses.iter().chain(&i.excluded_addresses));
        moving.chain(&self.fixed.addresses).map(|a| a.prefix.address).chain(nodes)
    }

    /// The script of this name.
    #[must_use]
    pub fn script(&self, name: &str) -> Option<&Script> {
        self.scripts.iter().find(|script| &*script.name == name)
    }
}

/// An instance of a specification that is shared as a whole, so that a thousand of them exist once.
#[derive(Debug, Clone)]
pub(crate) struct InstanceRef {
    spec: Arc<Spec>,
    at: usize,
}

impl InstanceRef {
    /// Every instance, in its order.
    pub(crate) fn all(spec: &Arc<Spec>) -> impl Iterator<Item = Self> + use<> {
        let spec = Arc::clone(spec);
        (0..spec.instances.len()).map(move |at| Self { spec: Arc::clone(&spec), at })
    }
}

impl Deref for InstanceRef {
    type Target = Instance;

    fn deref(&self) -> &Instance {
        &self.spec.instances[self.at]
    }
}

/// The name of an instance, a group, a tracker or a network interface; cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Name(Arc<str>);

impl Name {
    /// Makes a name of a string.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(Arc::from(name.as_ref()))
    }

    /// The text of the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Name {
    fn default() -> Self {
        Self::new("")
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for Name {
    fn from(name: String) -> Self {
        Self(Arc::from(name))
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Where an item came from: a number only the producer of the [`Spec`] can read, so that an error found late can
/// still name a file and a line. Zero means "nowhere in particular".
///
/// Two specifications that differ in origins alone describe the same thing, so any two origins are equal.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Origin(u32);

impl Origin {
    /// Wraps the producer's number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The producer's number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl PartialEq for Origin {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Origin {}

impl std::hash::Hash for Origin {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}
