//! Sections other than `global` and proxies, and stick tables.

#![expect(
    clippy::exhaustive_structs,
    reason = "plain data, filled by this crate and read by whoever wants to"
)]

use super::{Bind, CheckKind, Config, ErrorLine, LogLine, Proxy};
use crate::address::Address;
use crate::check::join;
use crate::section::SectionKind;
use crate::tree::Word;
use lb_core::diag::Span;
use lb_core::spec::{HostRule, RingSpec};
use std::collections::BTreeMap;
use std::time::Duration;

/// `stick-table`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StickTable<'t> {
    /// `type`.
    pub kind: &'static str,
    /// `len`.
    pub length: Option<u32>,
    /// `size`.
    pub size: u64,
    /// `expire`.
    pub expire: Option<Duration>,
    /// `nopurge`.
    pub nopurge: bool,
    /// `peers`.
    pub peers: Option<Word<'t>>,
    /// `write-to`.
    pub write_to: Option<Word<'t>>,
    /// `srvkey addr`.
    pub srvkey_addr: bool,
    /// `recv-only`.
    pub recv_only: bool,
    /// `brates-factor`.
    pub bytes_factor: u32,
    /// `store`: name, element count of arrays, period of rates.
    pub store: Vec<StoreItem>,
    /// The keyword's place.
    pub span: Span,
}

/// One `store` item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreItem {
    /// Name.
    pub name: &'static str,
    /// Number of elements of an array such as `gpc(3)`.
    pub count: Option<u32>,
    /// Period of a rate.
    pub period: Option<Duration>,
}

/// `userlist`.
#[derive(Debug, Clone)]
pub struct Userlist<'t> {
    /// Name.
    pub name: Word<'t>,
    /// Groups with the users named there.
    pub groups: Vec<(Word<'t>, Vec<&'t str>)>,
    /// Users.
    pub users: Vec<User<'t>>,
}

/// A user.
#[derive(Debug, Clone)]
pub struct User<'t> {
    /// Name.
    pub name: Word<'t>,
    /// The password, and whether it is a hash.
    pub password: Option<(&'t str, bool)>,
    /// Groups named on the user's line.
    pub groups: Vec<&'t str>,
}

/// `peers`.
#[derive(Debug, Clone)]
pub struct Peers<'t> {
    /// Name.
    pub name: Word<'t>,
    /// `peer` and `server` lines: name and address.
    pub peers: Vec<(Word<'t>, Option<Address<'t>>)>,
    /// `bind` lines.
    pub binds: Vec<Bind<'t>>,
    /// `table` lines.
    pub tables: Vec<(Word<'t>, StickTable<'t>)>,
    /// `disabled`.
    pub disabled: bool,
}

/// `resolvers`.
#[derive(Debug, Clone)]
pub struct Resolvers<'t> {
    /// Name.
    pub name: Word<'t>,
    /// `nameserver` lines: name and address.
    pub servers: Vec<(Word<'t>, Address<'t>)>,
    /// `parse-resolv-conf`.
    pub system: bool,
    /// `resolve_retries`.
    pub retries: Option<u32>,
    /// `timeout` lines by name.
    pub timeouts: BTreeMap<&'t str, Duration>,
    /// `hold` lines by name.
    pub hold: BTreeMap<&'t str, Duration>,
    /// `accepted_payload_size`.
    pub payload: Option<u32>,
}

/// `mailers`.
#[derive(Debug, Clone)]
pub struct Mailers<'t> {
    /// Name.
    pub name: Word<'t>,
    /// `mailer` lines: name and address.
    pub mailers: Vec<(Word<'t>, Address<'t>)>,
    /// `timeout mail`.
    pub timeout: Option<Duration>,
}

/// `http-errors`.
#[derive(Debug, Clone)]
pub struct HttpErrors<'t> {
    /// Name.
    pub name: Word<'t>,
    /// `errorfile` lines.
    pub files: Vec<ErrorLine<'t>>,
}

/// `ring`.
#[derive(Debug)]
pub struct Ring<'t> {
    /// Name.
    pub name: Word<'t>,
    /// `description`.
    pub description: Option<String>,
    /// `size`.
    pub size: u64,
    /// `maxlen`.
    pub max_length: Option<u32>,
    /// `format`.
    pub format: Option<&'t str>,
    /// `backing-file`.
    pub file: Option<Word<'t>>,
    /// A backend with its `server` lines.
    pub sender: Proxy<'t>,
    /// `timeout connect`.
    pub connect: Option<Duration>,
    /// `timeout server`.
    pub server: Option<Duration>,
    /// The keyword's place.
    pub span: Span,
}

impl<'t> Ring<'t> {
    /// A section without lines.
    pub(crate) fn new(name: Word<'t>) -> Self {
        Self {
            name,
            description: None,
            size: RingSpec::SIZE as u64,
            max_length: None,
            format: None,
            file: None,
            sender: Proxy::new(SectionKind::Backend, name.text, name.span),
            connect: None,
            server: None,
            span: name.span,
        }
    }
}

/// `log-profile`.
#[derive(Debug, Clone)]
pub struct LogProfile<'t> {
    /// Name.
    pub name: Word<'t>,
    /// `log-tag`.
    pub tag: Option<&'t str>,
    /// `on` lines.
    pub steps: Vec<ProfileLine<'t>>,
}

/// One `on` line of a log profile.
#[derive(Debug, Clone)]
pub struct ProfileLine<'t> {
    /// The step.
    pub step: Word<'t>,
    /// `drop`.
    pub drop: bool,
    /// `format`.
    pub format: Option<Word<'t>>,
    /// `sd`.
    pub structured: Option<Word<'t>>,
}

/// `log-forward`.
#[derive(Debug, Clone)]
pub struct LogForward<'t> {
    /// Name.
    pub name: Word<'t>,
    /// `bind` lines.
    pub binds: Vec<Bind<'t>>,
    /// `dgram-bind` lines.
    pub datagrams: Vec<Bind<'t>>,
    /// `log` lines; `None` is `log global`.
    pub log: Vec<Option<LogLine<'t>>>,
    /// `maxconn`.
    pub maxconn: Option<u32>,
    /// `backlog`.
    pub backlog: Option<u32>,
    /// `timeout client`.
    pub timeout: Option<Duration>,
    /// `option host`.
    pub host: HostRule,
    /// `option dont-parse-log`.
    pub unread: bool,
    /// `option assume-rfc6587-ntf`.
    pub lines: bool,
    /// The keyword's place.
    pub span: Span,
}

/// `healthcheck`.
#[derive(Debug, Clone)]
pub struct Healthcheck<'t> {
    /// Name.
    pub name: Word<'t>,
    /// `type`.
    pub kind: Option<CheckKind<'t>>,
    /// `http-check` steps.
    pub http_check: Vec<Vec<Word<'t>>>,
    /// `tcp-check` steps.
    pub tcp_check: Vec<Vec<Word<'t>>>,
}

/// A `load` line of a `crt-store`.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// `crt` below the `crt-base` that applies to it.
    pub path: String,
    /// `key` below the `key-base` that applies to it.
    pub key: Option<String>,
    /// Its key may decrypt tokens (`jwt on`).
    pub tokens: bool,
    /// What kind of line gave it first.
    pub given: Given,
}

/// How a certificate got its options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "plain data")]
pub enum Given {
    /// By a `load` line of a `crt-store`.
    Stored,
    /// By a line with options of the certificate itself.
    Listed,
    /// It was named without any.
    Bare,
    /// A `server` line alone names it, which binds no other line.
    Server,
}

impl Certificate {
    /// What a certificate of the store `store`, empty if that has no name, is called.
    pub(crate) fn called(store: &str, crt: &str, alias: Option<&str>, base: Option<Word<'_>>) -> String {
        match alias {
            Some(alias) => format!("@{store}/{alias}"),
            None if store.is_empty() => join(base, crt),
            None if crt.starts_with('/') => format!("@{store}{crt}"),
            None => format!("@{store}/{crt}"),
        }
    }
}

impl Config<'_> {
    /// The certificate of a `crt-store` that `word` stands for, or the file where there is none: what begins with `@`
    /// is the name of one, other names are below the `crt-base`.
    pub(crate) fn certificate(&self, word: &str) -> Result<&Certificate, String> {
        let name = if word.starts_with('@') { word.to_owned() } else { join(self.global.crt_base, word) };
        self.certificates.get(&name).ok_or(name)
    }
}
