//! The typed configuration: what was written, with places, defaults not yet applied.

mod address;
mod bfd;
mod checker;
mod command;
mod cursor;
mod encapsulation;
mod global;
mod group;
mod index;
mod instance;
mod place;
mod read;
mod route;
mod rule;
mod track;
mod virtual_server;

pub use address::Address;
pub use bfd::Bfd;
pub use checker::{
    Check, CheckKind, Connection, DnsCheck, FileCheck, HttpCheck, HttpUrl, MiscCheck, Scheduling, SmtpCheck,
    UdpCheck,
};
pub use command::{Command, Notify, User};
pub use global::{Fifo, GarpSettings, Global, LvsTimeouts, MailRelay, ProcessSettings, ReceiveBuffers};
pub use group::{GarpGroup, LinkDelay, StaticItems, SyncGroup, TrackGroup};
pub use instance::{AuthType, Instance, Peer, State, Vmac};
pub use place::Place;
pub use route::Route;
pub use rule::Rule;
pub use track::{Backend, Script, Track, TrackFile, TrackProcess, Tracked, TrackedInterface, Weight};
pub use virtual_server::{
    Forwarding, GroupEntry, PersistenceMask, RealServer, SorryServer, Ssl, VirtualServer, VirtualServerGroup,
    VirtualServerKey,
};

pub(crate) use index::Index;
pub(crate) use read::Reading;

use crate::env::Env;
use crate::keyword::Keyword;
use crate::tree::{Statement, Tree};
use lb_core::diag::{Diagnostics, Span};

/// Everything a configuration says.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Config {
    /// `global_defs` and the words of the outermost level.
    pub global: Global,
    /// `vrrp_script`
    pub scripts: Vec<Script>,
    /// `track_file`
    pub track_files: Vec<TrackFile>,
    /// `vrrp_track_process`
    pub track_processes: Vec<TrackProcess>,
    /// `vrrp_sync_group`
    pub sync_groups: Vec<SyncGroup>,
    /// `vrrp_instance`
    pub instances: Vec<Instance>,
    /// `track_group`
    pub track_groups: Vec<TrackGroup>,
    /// `garp_group`
    pub garp_groups: Vec<GarpGroup>,
    /// `static_ipaddress`, `static_routes`, `static_rules`
    pub fixed: StaticItems,
    /// `interface_up_down_delays`
    pub link_delays: Vec<LinkDelay>,
    /// `bfd_instance`
    pub bfds: Vec<Bfd>,
    /// `virtual_server_group`
    pub virtual_server_groups: Vec<VirtualServerGroup>,
    /// `virtual_server`
    pub virtual_servers: Vec<VirtualServer>,
    /// `SSL`
    pub ssl: Option<Ssl>,
    /// Settings that are accepted without effect.
    pub without_effect: Vec<Setting>,
}

/// A setting without effect, as it was written.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Setting {
    /// The keyword.
    #[cfg_attr(feature = "serde", serde(serialize_with = "keyword_name"))]
    pub keyword: &'static Keyword,
    /// Its words.
    pub words: Vec<String>,
    /// Where it stands.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub span: Span,
}

#[cfg(feature = "serde")]
fn keyword_name<S: serde::Serializer>(keyword: &&'static Keyword, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(keyword.name)
}

impl Config {
    /// Reads the tree. What cannot be understood is left out and reported; never fails.
    pub fn from_tree(tree: &Tree, env: &dyn Env) -> (Self, Diagnostics) {
        Self::from_statements(&tree.root, env)
    }

    pub(crate) fn from_statements(root: &[Statement], env: &dyn Env) -> (Self, Diagnostics) {
        let mut reading = Reading::new(env);
        let mut config = Self::default();
        config.read(root, &mut reading);
        config.without_effect = std::mem::take(&mut reading.without_effect);
        (config, reading.out)
    }

    /// Where the process runs and how its files are named.
    #[must_use]
    pub fn place(&self) -> Place {
        self.global.place()
    }

    /// The instance of this name.
    pub fn instance(&self, name: &str) -> Option<&Instance> {
        self.instances.iter().find(|i| i.name.value == name)
    }

    /// The script of this name.
    pub fn script(&self, name: &str) -> Option<&Script> {
        self.scripts.iter().find(|s| s.name.value == name)
    }

    /// The sync group an instance belongs to.
    pub fn group_of(&self, instance: &str) -> Option<&SyncGroup> {
        self.sync_groups.iter().find(|g| g.members.iter().any(|m| m.value == instance))
    }
}
