//! The typed configuration: what the file says, line by line, before any default is applied.
//!
//! Everything borrows its words from the [`Tree`](crate::Tree), so nothing is copied and every value keeps its place.
//! Rules, expressions and formats are kept as words; they are compiled while lowering, when the registry of fetches and
//! converters is known.

#![expect(
    clippy::exhaustive_structs,
    reason = "plain data, filled by this crate and read by whoever wants to"
)]

use crate::address::Address;
use crate::keyword::{self, Keyword};
use crate::section::SectionKind;
use crate::tree::Word;
use lb_core::balance::{Algorithm, HashType};
use lb_core::diag::{Span, Spanned};
use lb_core::spec::{AccessLevel, InitAddr, ProxyHeaderVersion, Severity, TlsVersion, Verify};
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
    pub log_profiles: Vec<Word<'t>>,
    /// `healthcheck` sections.
    pub healthchecks: Vec<Healthcheck<'t>>,
    /// `fcgi-app` sections.
    pub fcgi_apps: Vec<Word<'t>>,
    /// Certificates of `crt-store` sections.
    pub certificates: Vec<Certificate<'t>>,
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

/// A `defaults`, `frontend`, `backend` or `listen` section.
#[derive(Debug)]
pub struct Proxy<'t> {
    /// Which of them.
    pub kind: SectionKind,
    /// Its name; empty for anonymous defaults.
    pub name: &'t str,
    /// Where the name stands; the keyword for anonymous defaults.
    pub span: Span,
    /// Index into [`Config::defaults`] of the section it inherits from.
    pub base: Option<usize>,
    /// What it says itself.
    pub settings: Settings<'t>,
    /// Settings that are lists and add up.
    pub lists: Lists<'t>,
    /// `id`.
    pub id: Option<Spanned<u32>>,
    /// `description`.
    pub description: Option<String>,
    /// `guid`.
    pub guid: Option<Word<'t>>,
    /// `bind` lines.
    pub binds: Vec<Bind<'t>>,
    /// Options collected by `default-server` so far.
    pub default_server: Box<ServerOptions<'t>>,
    /// `server` and `server-template` lines.
    pub servers: Vec<Server<'t>>,
    /// `stick-table`.
    pub table: Option<StickTable<'t>>,
}

impl Proxy<'_> {
    /// Whether it can listen.
    pub fn has_frontend(&self) -> bool {
        matches!(self.kind, SectionKind::Frontend | SectionKind::Listen)
    }

    /// Whether it can have servers.
    pub fn has_backend(&self) -> bool {
        matches!(self.kind, SectionKind::Backend | SectionKind::Listen)
    }

    /// The word HAProxy uses for it in messages.
    pub fn type_word(&self) -> &'static str {
        match self.kind {
            SectionKind::Listen => "proxy",
            kind => kind.keyword(),
        }
    }
}

macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)*) => {
        /// Settings that a proxy has once and inherits from its `defaults`.
        #[derive(Debug, Default, Clone)]
        pub struct Settings<'t> {
            $($(#[$doc])* pub $name: Option<Spanned<$type>>,)*
            /// Options that are on or off, by name.
            pub switches: BTreeMap<&'static str, Spanned<bool>>,
            /// Timeouts, by name.
            pub timeouts: BTreeMap<&'static str, Spanned<Duration>>,
        }

        impl Settings<'_> {
            /// Takes from `base` what is not set here.
            pub fn inherit(&mut self, base: &Self) {
                $(if self.$name.is_none() { self.$name.clone_from(&base.$name); })*
                for (name, value) in &base.switches {
                    self.switches.entry(name).or_insert(*value);
                }
                for (name, value) in &base.timeouts {
                    self.timeouts.entry(name).or_insert(*value);
                }
            }
        }
    };
}

settings! {
    /// `mode`.
    mode: ProxyMode,
    /// `maxconn`.
    maxconn: u32,
    /// `backlog`.
    backlog: u32,
    /// `fullconn`.
    fullconn: u32,
    /// `rate-limit sessions`.
    rate_limit: u32,
    /// `retries`.
    retries: u32,
    /// `option redispatch`.
    redispatch: i32,
    /// `balance`.
    balance: Balance<'t>,
    /// `hash-type`.
    hash_type: HashType,
    /// `hash-balance-factor`.
    hash_balance_factor: u32,
    /// `default_backend`.
    default_backend: &'t str,
    /// `disabled` or `enabled`.
    disabled: bool,
    /// `log-tag`.
    log_tag: &'t str,
    /// `log-format`, or the format an option stands for.
    log_format: LogFormatChoice<'t>,
    /// `error-log-format`.
    error_log_format: Word<'t>,
    /// `log-format-sd`.
    log_format_sd: Word<'t>,
    /// `unique-id-format`.
    unique_id_format: Word<'t>,
    /// `unique-id-header`.
    unique_id_header: &'t str,
    /// `monitor-uri`.
    monitor_uri: &'t str,
    /// Which of httpclose, http-server-close and http-keep-alive is in force.
    connection: ConnectionOption,
    /// `option forwardfor`.
    forward_for: ForwardFor<'t>,
    /// `option originalto`.
    original_to: ForwardFor<'t>,
    /// `option forwarded`: its words.
    forwarded: Vec<Word<'t>>,
    /// `option http-restrict-req-hdr-names`.
    restrict_names: &'t str,
    /// The kind of check chosen by an option.
    check: CheckKind<'t>,
    /// `http-check disable-on-404`.
    disable_on_404: bool,
    /// `http-check send-state`.
    send_state: bool,
    /// `external-check command`.
    external_command: &'t str,
    /// `external-check path`.
    external_path: &'t str,
    /// `http-reuse`.
    http_reuse: &'t str,
    /// `http-send-name-header`.
    send_name_header: &'t str,
    /// `retry-on`: its words.
    retry_on: Vec<Word<'t>>,
    /// `cookie`.
    cookie: Cookie<'t>,
    /// `dynamic-cookie-key`.
    dynamic_cookie_key: &'t str,
    /// `source`.
    source: Source<'t>,
    /// `stats` lines.
    stats: Stats<'t>,
    /// `compression` lines.
    compression: Compression<'t>,
    /// `email-alert mailers`.
    alert_mailers: &'t str,
    /// `email-alert from`.
    alert_from: &'t str,
    /// `email-alert to`.
    alert_to: &'t str,
    /// `email-alert level`.
    alert_level: Severity,
    /// `email-alert myhostname`.
    alert_hostname: &'t str,
    /// `tcp-request inspect-delay`.
    inspect_delay: Duration,
    /// `tcp-response inspect-delay`.
    response_inspect_delay: Duration,
    /// `persist rdp-cookie`.
    persist_rdp: &'t str,
    /// `transparent` or `option transparent`.
    transparent: bool,
    /// `dispatch`.
    dispatch: Address<'t>,
    /// `load-server-state-from-file`.
    load_state: &'t str,
    /// `server-state-file-name`.
    state_file: &'t str,
    /// `log-steps`.
    log_steps: &'t str,
    /// `hash-preserve-affinity`.
    hash_affinity: &'t str,
    /// `max-keep-alive-queue`.
    max_keep_alive_queue: i64,
    /// `max-session-srv-conns`.
    max_session_srv_conns: u32,
}

/// Settings that add up line by line.
#[derive(Debug, Default, Clone)]
pub struct Lists<'t> {
    /// `log` lines; `None` is `log global`.
    pub log: Vec<Option<LogLine<'t>>>,
    /// `no log` was said: nothing is inherited.
    pub no_log: bool,
    /// `acl` lines.
    pub acls: Vec<Acl<'t>>,
    /// Rules of all rule sets in the order of the file.
    pub rules: Vec<Rule<'t>>,
    /// `redirect` lines.
    pub redirects: Vec<Clause<'t>>,
    /// `use_backend` lines.
    pub use_backends: Vec<Clause<'t>>,
    /// `use-server` lines.
    pub use_servers: Vec<Clause<'t>>,
    /// `force-persist` (true) and `ignore-persist` lines.
    pub persistence: Vec<(bool, Clause<'t>)>,
    /// `force-be-switch` lines.
    pub force_switch: Vec<Clause<'t>>,
    /// `monitor fail` lines.
    pub monitor_fail: Vec<Clause<'t>>,
    /// `stick` lines with their second word.
    pub stick: Vec<(&'t str, Clause<'t>)>,
    /// `stats admin` lines.
    pub stats_admin: Vec<Clause<'t>>,
    /// `stats http-request` lines.
    pub stats_rules: Vec<Clause<'t>>,
    /// `http-check` steps: the whole lines without the keyword.
    pub http_check: Vec<Vec<Word<'t>>>,
    /// `tcp-check` steps.
    pub tcp_check: Vec<Vec<Word<'t>>>,
    /// `errorfile` and `errorloc` lines.
    pub errors: Vec<ErrorLine<'t>>,
    /// `http-error` lines.
    pub http_errors: Vec<Vec<Word<'t>>>,
    /// `errorfiles` lines.
    pub error_groups: Vec<Vec<Word<'t>>>,
    /// `capture` and `declare capture` lines in order.
    pub captures: Vec<Capture<'t>>,
    /// `filter` lines.
    pub filters: Vec<Vec<Word<'t>>>,
    /// `ssl-f-use` lines.
    pub frontend_certificates: Vec<Vec<Word<'t>>>,
}

/// `mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the modes of the configuration")]
pub enum ProxyMode {
    /// Bytes.
    Tcp,
    /// HTTP.
    Http,
    /// Syslog messages.
    Log,
    /// SMTP, an addition of this program.
    Smtp,
}

impl ProxyMode {
    /// The word in the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Http => "http",
            Self::Log => "log",
            Self::Smtp => "smtp",
        }
    }
}

/// `balance`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance<'t> {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The expression of `balance hash`.
    pub expression: Option<Vec<Word<'t>>>,
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the ways to choose a format")]
pub enum LogFormatChoice<'t> {
    /// `log-format`.
    Custom(Word<'t>),
    /// `option httplog`, with `clf` if true.
    Http(bool),
    /// `option httpslog`.
    Https,
    /// `option tcplog`, with `clf` if true.
    Tcp(bool),
}

/// How connections are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the three options")]
pub enum ConnectionOption {
    /// `option http-keep-alive`.
    KeepAlive,
    /// `option http-server-close`.
    ServerClose,
    /// `option httpclose`.
    Close,
}

/// `option forwardfor` and `option originalto`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForwardFor<'t> {
    /// `except`.
    pub except: Option<Word<'t>>,
    /// `header`.
    pub header: Option<Word<'t>>,
    /// `if-none`.
    pub if_none: bool,
}

/// A kind of check.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the kinds of the configuration")]
pub enum CheckKind<'t> {
    /// `option tcp-check`.
    Tcp,
    /// `option httpchk` with its words.
    Http(Vec<Word<'t>>),
    /// `option smtpchk` with its words.
    Smtp(Vec<Word<'t>>),
    /// `option mysql-check`: user, and whether the protocol before 4.1 is spoken.
    Mysql(Option<&'t str>, bool),
    /// `option pgsql-check`: user.
    Pgsql(&'t str),
    /// `option redis-check`.
    Redis,
    /// `option ldap-check`.
    Ldap,
    /// `option ssl-hello-chk`.
    SslHello,
    /// `option external-check`.
    External,
}

/// `cookie`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cookie<'t> {
    /// Name.
    pub name: &'t str,
    /// `rewrite`.
    pub rewrite: bool,
    /// `insert`.
    pub insert: bool,
    /// `prefix`.
    pub prefix: bool,
    /// `indirect`.
    pub indirect: bool,
    /// `nocache`.
    pub nocache: bool,
    /// `postonly`.
    pub postonly: bool,
    /// `preserve`.
    pub preserve: bool,
    /// `httponly`.
    pub httponly: bool,
    /// `secure`.
    pub secure: bool,
    /// `dynamic`.
    pub dynamic: bool,
    /// `domain`.
    pub domains: Vec<&'t str>,
    /// `maxidle`.
    pub maxidle: Option<Duration>,
    /// `maxlife`.
    pub maxlife: Option<Duration>,
    /// `attr`.
    pub attributes: Vec<&'t str>,
}

/// `source`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source<'t> {
    /// Address to connect from.
    pub address: Address<'t>,
    /// `usesrc`.
    pub usesrc: Option<Word<'t>>,
    /// `interface`.
    pub interface: Option<Word<'t>>,
}

/// `stats` lines of a proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats<'t> {
    /// `stats uri`.
    pub uri: Option<&'t str>,
    /// `stats realm`.
    pub realm: Option<&'t str>,
    /// `stats auth`.
    pub accounts: Vec<&'t str>,
    /// `stats scope`.
    pub scopes: Vec<&'t str>,
    /// `stats refresh`.
    pub refresh: Option<Duration>,
    /// `stats show-version` after `hide-version`, and so on.
    pub hide_version: bool,
    /// `stats show-legends`.
    pub legends: bool,
    /// `stats show-node`: the name, empty for the system's.
    pub node: Option<&'t str>,
    /// `stats show-desc`: the text, empty for the process's.
    pub description: Option<String>,
}

/// `compression` lines of a proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compression<'t> {
    /// `compression algo`.
    pub algorithms: Vec<&'t str>,
    /// `compression type`.
    pub types: Vec<&'t str>,
    /// `compression offload`.
    pub offload: bool,
    /// `compression minsize-res`.
    pub min_size: u64,
}

/// A `log` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine<'t> {
    /// Where messages go.
    pub target: LogTarget<'t>,
    /// Facility.
    pub facility: u8,
    /// Least severe level sent.
    pub level: Option<Severity>,
    /// Most severe level written.
    pub min_level: Option<Severity>,
    /// `len`.
    pub length: Option<u32>,
    /// `format`.
    pub format: Option<&'t str>,
    /// `sample`: ranges and period.
    pub sample: Option<(Vec<(u32, u32)>, u32)>,
    /// `profile`.
    pub profile: Option<Word<'t>>,
    /// The whole line.
    pub span: Span,
}

/// Where log messages go.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the kinds of targets of the configuration")]
pub enum LogTarget<'t> {
    /// A syslog server.
    Address(Address<'t>),
    /// `stdout`, `stderr` or `fd@`.
    Fd(i32),
    /// `ring@`.
    Ring(Word<'t>),
    /// `backend@`.
    Backend(Word<'t>),
}

/// An `acl` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl<'t> {
    /// Its name.
    pub name: Word<'t>,
    /// Criterion, flags, operator, patterns.
    pub words: Vec<Word<'t>>,
}

/// `if` or `unless` with what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cond<'t> {
    /// `if` or `unless`.
    pub keyword: Word<'t>,
    /// The words of the condition.
    pub words: Vec<Word<'t>>,
}

/// Words with an optional condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause<'t> {
    /// The words before the condition.
    pub words: Vec<Word<'t>>,
    /// The condition.
    pub cond: Option<Cond<'t>>,
    /// The keyword's place.
    pub span: Span,
}

/// A rule of a rule set.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule<'t> {
    /// The rule set, one of the constants of [`keyword`].
    pub set: keyword::Sides,
    /// The action.
    pub action: &'static Keyword,
    /// The action's word with its parentheses, then its arguments.
    pub words: Vec<Word<'t>>,
    /// The condition.
    pub cond: Option<Cond<'t>>,
    /// The capture slot that a `capture ... len` action declares.
    pub slot: Option<usize>,
}

/// `errorfile`, `errorloc` and their kin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorLine<'t> {
    /// Status.
    pub status: u16,
    /// The keyword.
    pub kind: &'static str,
    /// File or URL.
    pub target: Word<'t>,
}

/// A capture slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture<'t> {
    /// Request, response or cookie.
    pub kind: CaptureKind,
    /// Header or cookie; `None` for a declared slot.
    pub name: Option<&'t str>,
    /// Longest value.
    pub length: u32,
}

/// What a capture slot is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the three kinds")]
pub enum CaptureKind {
    /// Of the request.
    Request,
    /// Of the response.
    Response,
    /// Of a cookie.
    Cookie,
}

/// A `bind` line, or a `stats socket` line.
#[derive(Debug, Clone)]
pub struct Bind<'t> {
    /// Addresses of the line.
    pub addresses: Vec<Address<'t>>,
    /// Its options.
    pub options: BindOptions<'t>,
    /// The whole line.
    pub span: Span,
}

/// Options of a `bind` line.
#[derive(Debug, Clone, Default)]
pub struct BindOptions<'t> {
    /// `name`.
    pub name: Option<&'t str>,
    /// `id`.
    pub id: Option<u32>,
    /// `ssl`.
    pub ssl: Option<Span>,
    /// `crt` and `default-crt`.
    pub certificates: Vec<Word<'t>>,
    /// `crt-list`.
    pub lists: Vec<Word<'t>>,
    /// `strict-sni`.
    pub strict_sni: Option<bool>,
    /// `alpn`; an empty list for `no-alpn`.
    pub alpn: Option<Vec<String>>,
    /// `verify`.
    pub verify: Option<Verify>,
    /// `ca-file`.
    pub ca_file: Option<Word<'t>>,
    /// `crl-file`.
    pub crl_file: Option<Word<'t>>,
    /// `ciphers`.
    pub ciphers: Option<Word<'t>>,
    /// `ciphersuites`.
    pub ciphersuites: Option<Word<'t>>,
    /// `curves` or `ecdhe`.
    pub curves: Option<Word<'t>>,
    /// Oldest version.
    pub min: Option<TlsVersion>,
    /// Newest version.
    pub max: Option<TlsVersion>,
    /// `tls-tickets`.
    pub tickets: Option<bool>,
    /// `prefer-client-ciphers`.
    pub prefer_client: bool,
    /// `accept-proxy`.
    pub accept_proxy: bool,
    /// `maxconn`.
    pub maxconn: Option<u32>,
    /// `backlog`.
    pub backlog: Option<u32>,
    /// `interface`.
    pub interface: Option<&'t str>,
    /// `transparent`.
    pub transparent: bool,
    /// `tfo`.
    pub tfo: bool,
    /// `defer-accept`.
    pub defer_accept: bool,
    /// `mss`.
    pub mss: Option<i32>,
    /// `v6only`.
    pub v6only: bool,
    /// `v4v6`.
    pub v4v6: bool,
    /// Permissions of a unix socket.
    pub unix: UnixBind<'t>,
    /// `proto`.
    pub proto: Option<&'t str>,
    /// `level`.
    pub level: Option<AccessLevel>,
    /// `expose-fd listeners`.
    pub expose_fd: bool,
}

/// A `server` or `server-template` line.
#[derive(Debug, Clone)]
pub struct Server<'t> {
    /// Name, or prefix of a template.
    pub name: Word<'t>,
    /// Numbers of a template.
    pub template: Option<(u32, u32)>,
    /// Address.
    pub address: Address<'t>,
    /// Options.
    pub options: ServerOptions<'t>,
    /// The name's line.
    pub line: u32,
}

/// Options of a `server` line, over those of `default-server`.
#[derive(Debug, Clone, Default)]
pub struct ServerOptions<'t> {
    /// `id`.
    pub id: Option<Spanned<u32>>,
    /// `weight`.
    pub weight: Option<u16>,
    /// `backup`.
    pub backup: bool,
    /// `disabled`.
    pub disabled: bool,
    /// `maxconn`.
    pub maxconn: Option<u32>,
    /// `minconn`.
    pub minconn: Option<u32>,
    /// `maxqueue`.
    pub maxqueue: Option<u32>,
    /// `slowstart`.
    pub slowstart: Option<Duration>,
    /// `cookie`.
    pub cookie: Option<&'t str>,
    /// `redir`.
    pub redir: Option<&'t str>,
    /// `check`.
    pub check: bool,
    /// `check-ssl` or `no-check-ssl`.
    pub check_ssl: Option<bool>,
    /// `check-send-proxy`.
    pub check_send_proxy: bool,
    /// `check-sni`.
    pub check_sni: Option<&'t str>,
    /// `check-alpn`.
    pub check_alpn: Option<&'t str>,
    /// `check-proto`.
    pub check_proto: Option<&'t str>,
    /// `inter`.
    pub inter: Option<Duration>,
    /// `fastinter`.
    pub fastinter: Option<Duration>,
    /// `downinter`.
    pub downinter: Option<Duration>,
    /// `rise`.
    pub rise: Option<u32>,
    /// `fall`.
    pub fall: Option<u32>,
    /// `port`.
    pub port: Option<u16>,
    /// `addr`.
    pub addr: Option<Address<'t>>,
    /// `track`.
    pub track: Option<Word<'t>>,
    /// `healthcheck`.
    pub healthcheck: Option<Word<'t>>,
    /// `agent-check`.
    pub agent_check: bool,
    /// `agent-addr`.
    pub agent_addr: Option<Word<'t>>,
    /// `agent-port`.
    pub agent_port: Option<u16>,
    /// `agent-inter`.
    pub agent_inter: Option<Duration>,
    /// `agent-send`.
    pub agent_send: Option<&'t str>,
    /// `observe`.
    pub observe: Option<Word<'t>>,
    /// `error-limit`.
    pub error_limit: Option<u32>,
    /// `on-error`.
    pub on_error: Option<&'t str>,
    /// `on-marked-down shutdown-sessions`.
    pub shutdown_sessions: bool,
    /// `on-marked-up shutdown-backup-sessions`.
    pub shutdown_backups: bool,
    /// `init-addr`.
    pub init_addr: Option<Vec<InitAddr>>,
    /// `init-state`.
    pub init_state: Option<&'t str>,
    /// `resolvers`.
    pub resolvers: Option<Word<'t>>,
    /// `resolve-prefer`.
    pub resolve_prefer: Option<&'t str>,
    /// `ssl`.
    pub ssl: Option<Span>,
    /// `verify`.
    pub verify: Option<Verify>,
    /// `verifyhost`.
    pub verify_host: Option<&'t str>,
    /// `ca-file`.
    pub ca_file: Option<Word<'t>>,
    /// `crl-file`.
    pub crl_file: Option<Word<'t>>,
    /// `crt`.
    pub certificate: Option<Word<'t>>,
    /// `sni`.
    pub sni: Option<Word<'t>>,
    /// `sni-auto` or `no-sni-auto`.
    pub sni_auto: Option<bool>,
    /// `alpn`.
    pub alpn: Option<Vec<String>>,
    /// `ciphers`.
    pub ciphers: Option<Word<'t>>,
    /// `ciphersuites`.
    pub ciphersuites: Option<Word<'t>>,
    /// `curves`.
    pub curves: Option<Word<'t>>,
    /// Oldest version.
    pub min: Option<TlsVersion>,
    /// Newest version.
    pub max: Option<TlsVersion>,
    /// `send-proxy` and its kin.
    pub send_proxy: Option<ProxyHeaderVersion>,
    /// `proxy-v2-options`.
    pub proxy_options: Option<Word<'t>>,
    /// `source`.
    pub source: Option<Box<Source<'t>>>,
    /// `proto`.
    pub proto: Option<&'t str>,
    /// `pool-max-conn`.
    pub pool_max_conn: Option<i64>,
    /// `pool-purge-delay`.
    pub pool_purge_delay: Option<Duration>,
    /// `max-reuse`.
    pub max_reuse: Option<i64>,
    /// `non-stick`.
    pub non_stick: bool,
    /// `hash-key`.
    pub hash_key: Option<&'t str>,
    /// `ws`.
    pub ws: Option<&'t str>,
    /// `set-proxy-v2-tlv-fmt`: numbers and formats.
    pub tlvs: Vec<(Word<'t>, Word<'t>)>,
}

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
    /// `srvkey addr`.
    pub srvkey_addr: bool,
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
#[derive(Debug, Clone)]
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
    /// `server` lines.
    pub servers: Vec<Server<'t>>,
    /// `timeout connect`.
    pub connect: Option<Duration>,
    /// `timeout server`.
    pub server: Option<Duration>,
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
    /// `timeout client`.
    pub timeout: Option<Duration>,
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
pub struct Certificate<'t> {
    /// Name of the store; empty for the unnamed one.
    pub store: &'t str,
    /// `crt`.
    pub crt: Word<'t>,
    /// `alias`.
    pub alias: Option<&'t str>,
    /// `key`.
    pub key: Option<Word<'t>>,
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

    /// The sections `proxy` inherits from, nearest first.
    pub fn bases<'c>(&'c self, proxy: &'c Proxy<'t>) -> impl Iterator<Item = &'c Proxy<'t>> {
        std::iter::successors(proxy.base.and_then(|i| self.defaults.get(i)), |d| {
            d.base.and_then(|i| self.defaults.get(i))
        })
    }
}
