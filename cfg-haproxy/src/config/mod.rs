//! The typed configuration: what the file says, line by line, before any default is applied.
//!
//! Everything borrows its words from the [`Tree`](crate::Tree), so nothing is copied and every value keeps its place.
//! Rules, expressions and formats are kept as words; they are compiled while lowering, when the registry of fetches and
//! converters is known.

#![expect(
    clippy::exhaustive_structs,
    reason = "plain data, filled by this crate and read by whoever wants to"
)]

mod proxy;
mod section;
mod server;

pub use proxy::*;
pub use section::*;
pub use server::*;

use crate::tree::Word;
use lb_core::diag::Spanned;
use lb_core::spec::TlsVersion;
use std::collections::BTreeMap;
use std::time::Duration;

/// The whole configuration.
#[derive(Debug, Default)]
pub struct Config<'t> {
    /// All `global` sections together.
    pub global: Global<'t>,
    /// `defaults` sections in order.
    pub defaults: Vec<Proxy<'t>>,
    /// Frontends, backends and listens in order.
    pub proxies: Vec<Proxy<'t>>,
    /// `userlist` sections.
    pub userlists: Vec<Userlist<'t>>,
    /// `peers` sections.
    pub peers: Vec<Peers<'t>>,
    /// `resolvers` sections.
    pub resolvers: Vec<Resolvers<'t>>,
    /// `mailers` sections.
    pub mailers: Vec<Mailers<'t>>,
    /// `http-errors` sections.
    pub http_errors: Vec<HttpErrors<'t>>,
    /// `ring` sections.
    pub rings: Vec<Ring<'t>>,
    /// `cache` sections.
    pub caches: Vec<Word<'t>>,
    /// `log-forward` sections.
    pub log_forwards: Vec<LogForward<'t>>,
    /// `log-profile` sections.
    pub log_profiles: Vec<LogProfile<'t>>,
    /// `healthcheck` sections.
    pub healthchecks: Vec<Healthcheck<'t>>,
    /// `fcgi-app` sections.
    pub fcgi_apps: Vec<Word<'t>>,
    /// Certificates of `crt-store` sections, by what they are called where one is asked for: `@store/alias`, `@store/crt`, or
    /// the file if neither the store nor the certificate has a name.
    pub certificates: BTreeMap<String, Certificate>,
}

/// `global`.
#[derive(Debug, Default)]
pub struct Global<'t> {
    /// `user`.
    pub user: Option<Word<'t>>,
    /// `group`.
    pub group: Option<Word<'t>>,
    /// `uid`.
    pub uid: Option<u32>,
    /// `gid`.
    pub gid: Option<u32>,
    /// `chroot`.
    pub chroot: Option<Word<'t>>,
    /// `pidfile`.
    pub pidfile: Option<Word<'t>>,
    /// `daemon`.
    pub daemon: bool,
    /// `master-worker`.
    pub master_worker: bool,
    /// `zero-warning`.
    pub zero_warning: bool,
    /// `quiet`.
    pub quiet: bool,
    /// `maxconn`.
    pub maxconn: Option<u32>,
    /// `nbthread`.
    pub threads: Option<u32>,
    /// `ca-base`.
    pub ca_base: Option<Word<'t>>,
    /// `crt-base`.
    pub crt_base: Option<Word<'t>>,
    /// `key-base`.
    pub key_base: Option<Word<'t>>,
    /// `log` lines.
    pub log: Vec<LogLine<'t>>,
    /// `log-tag`.
    pub log_tag: Option<Word<'t>>,
    /// `log-send-hostname`: `Some(None)` sends the system's name.
    pub send_hostname: Option<Option<Word<'t>>>,
    /// `node`.
    pub node: Option<Word<'t>>,
    /// `description`.
    pub description: Option<String>,
    /// `localpeer`.
    pub localpeer: Option<Word<'t>>,
    /// `http-err-codes` and `http-fail-codes`.
    pub http_codes: lb_core::spec::HttpCodes,
    /// `jwt.decrypt_alg_list` and `jwt.decrypt_enc_list`.
    pub token_algorithms: lb_core::expr::TokenAlgorithms,
    /// `h1-case-adjust`: names of header fields as some peers need them.
    pub case_adjust: Vec<String>,
    /// `stats socket` lines.
    pub sockets: Vec<Bind<'t>>,
    /// `stats timeout`.
    pub stats_timeout: Option<Duration>,
    /// `stats maxconn`.
    pub stats_maxconn: Option<u32>,
    /// `hard-stop-after`.
    pub hard_stop_after: Option<Duration>,
    /// `server-state-base`.
    pub state_base: Option<Word<'t>>,
    /// `server-state-file`.
    pub state_file: Option<Word<'t>>,
    /// TLS defaults of bind lines.
    pub bind_tls: TlsDefaults<'t>,
    /// TLS defaults of server lines.
    pub server_tls: TlsDefaults<'t>,
    /// `ssl-server-verify none`.
    pub server_verify_none: bool,
    /// `unix-bind`.
    pub unix_bind: UnixBind<'t>,
    /// `external-check`.
    pub external_check: bool,
    /// `insecure-fork-wanted`.
    pub fork_wanted: bool,
    /// `expose-experimental-directives`.
    pub experimental: bool,
    /// `expose-deprecated-directives`.
    pub deprecated: bool,
    /// `set-var` and `set-var-fmt`, the latter marked true.
    pub variables: Vec<(bool, Vec<Word<'t>>)>,
    /// `compat-version`.
    pub compat: Option<Spanned<(u8, u8)>>,
    /// Numbers and switches without a field of their own, by keyword.
    pub values: BTreeMap<&'static str, Spanned<u64>>,
}

/// TLS defaults of one side.
#[derive(Debug, Default, Clone)]
pub struct TlsDefaults<'t> {
    /// Ciphers up to TLS 1.2.
    pub ciphers: Option<Word<'t>>,
    /// Cipher suites of TLS 1.3.
    pub ciphersuites: Option<Word<'t>>,
    /// Key exchange groups.
    pub curves: Option<Word<'t>>,
    /// Oldest version.
    pub min: Option<TlsVersion>,
    /// Newest version.
    pub max: Option<TlsVersion>,
    /// `no-tls-tickets`.
    pub no_tickets: bool,
    /// `prefer-client-ciphers`.
    pub prefer_client: bool,
    /// `strict-sni`.
    pub strict_sni: bool,
}

/// `unix-bind`.
#[derive(Debug, Default, Clone, Copy)]
pub struct UnixBind<'t> {
    /// Put before relative paths.
    pub prefix: Option<Word<'t>>,
    /// Permissions.
    pub mode: Option<u32>,
    /// User by name.
    pub user: Option<Word<'t>>,
    /// Group by name.
    pub group: Option<Word<'t>>,
    /// User by number.
    pub uid: Option<u32>,
    /// Group by number.
    pub gid: Option<u32>,
}

impl<'t> Config<'t> {
    /// The settings of `proxy` with what it inherits.
    pub fn effective(&self, proxy: &Proxy<'t>) -> Settings<'t> {
        let mut settings = proxy.settings.clone();
        let mut base = proxy.base;
        while let Some(defaults) = base.and_then(|i| self.defaults.get(i)) {
            settings.inherit(&defaults.settings);
            base = defaults.base;
        }
        settings
    }

    /// Whether the defaults of a version before `version` were asked for.
    pub fn older_than(&self, version: (u8, u8)) -> bool {
        self.global.compat.is_some_and(|c| c.value < version)
    }

    /// Whether sessions of a frontend in TCP mode may go on with HTTP: a rule takes them there, or a backend is in that
    /// mode.
    pub fn goes_to_http(&self, proxy: &Proxy<'t>) -> bool {
        if !proxy.has_frontend() {
            return false;
        }
        let sections = || std::iter::once(proxy).chain(self.bases(proxy));
        let switches = sections().flat_map(|p| &p.lists.rules).any(|rule| rule.action.name == "switch-mode");
        let speaks = |backend: &Proxy<'t>| {
            let mode = self.setting(backend, |settings| settings.mode);
            backend.has_backend() && mode.is_some_and(|mode| mode.value == ProxyMode::Http)
        };
        let leads = |name: &str| match name.contains('%') {
            true => self.proxies.iter().any(speaks),
            false => self.proxies.iter().any(|backend| backend.name == name && speaks(backend)),
        };
        switches
            || proxy
                .lists
                .use_backends
                .iter()
                .filter_map(|clause| clause.words.first())
                .any(|w| leads(w.text))
            || self.setting(proxy, |s| s.default_backend).is_some_and(|backend| leads(backend.value))
    }

    /// A setting of `proxy`, its own or inherited.
    pub(crate) fn setting<T>(
        &self,
        proxy: &Proxy<'t>,
        get: impl Fn(&Settings<'t>) -> Option<T>,
    ) -> Option<T> {
        get(&proxy.settings).or_else(|| self.bases(proxy).find_map(|section| get(&section.settings)))
    }

    /// All stick tables by their full names, those of proxies first.
    pub(crate) fn tables(&self) -> impl Iterator<Item = (String, &StickTable<'t>)> {
        let own =
            self.proxies.iter().filter_map(|proxy| Some((proxy.name.to_owned(), proxy.table.as_ref()?)));
        let shared = self.peers.iter().flat_map(|section| {
            let full = |name: &str| format!("{}/{name}", section.name.text);
            section.tables.iter().map(move |(name, table)| (full(name.text), table))
        });
        own.chain(shared)
    }

    /// The sections `proxy` inherits from, nearest first.
    pub fn bases<'c>(&'c self, proxy: &'c Proxy<'t>) -> impl Iterator<Item = &'c Proxy<'t>> {
        std::iter::successors(proxy.base.and_then(|i| self.defaults.get(i)), |d| {
            d.base.and_then(|i| self.defaults.get(i))
        })
    }
}
