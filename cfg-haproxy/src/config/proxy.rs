//! Proxies: settings, lists, rules.

#![expect(
    clippy::exhaustive_structs,
    reason = "plain data, filled by this crate and read by whoever wants to"
)]

use super::{Bind, FrontendCertificate, Server, ServerOptions, StickTable};
use crate::address::Address;
use crate::keyword::{self, Keyword};
use crate::section::SectionKind;
use crate::tree::Word;
use lb_core::balance::{Algorithm, HashType};
use lb_core::diag::{Span, Spanned};
use lb_core::spec::Severity;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

/// A `defaults`, `frontend`, `backend` or `listen` section.
#[derive(Debug)]
pub struct Proxy<'t> {
    /// Which of them.
    pub kind: SectionKind,
    /// Its name; empty for anonymous defaults.
    pub name: &'t str,
    /// Where the name stands; the keyword for anonymous defaults.
    pub span: Span,
    /// Index into [`defaults`](super::Config::defaults) of the section it inherits from.
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

impl<'t> Proxy<'t> {
    /// One that says nothing yet.
    pub(crate) fn new(kind: SectionKind, name: &'t str, span: Span) -> Self {
        Self {
            kind,
            name,
            span,
            base: None,
            settings: Settings::default(),
            lists: Lists::default(),
            id: None,
            description: None,
            guid: None,
            binds: Vec::new(),
            default_server: Box::default(),
            servers: Vec::new(),
            table: None,
        }
    }

    /// Whether it can listen.
    pub fn has_frontend(&self) -> bool {
        matches!(self.kind, SectionKind::Frontend | SectionKind::Listen)
    }

    /// Whether it can have servers.
    pub fn has_backend(&self) -> bool {
        matches!(self.kind, SectionKind::Backend | SectionKind::Listen)
    }

    /// The side that it does not have.
    pub(crate) fn missing_side(&self) -> Option<&'static str> {
        match self.kind {
            SectionKind::Frontend => Some("backend"),
            SectionKind::Backend => Some("frontend"),
            _ => None,
        }
    }

    /// Servers that bear the name of an earlier one, and the names they get instead.
    pub(crate) fn renamed(&self) -> Vec<(&Server<'t>, String)> {
        let mut taken: HashSet<&str> = HashSet::with_capacity(self.servers.len());
        let plain = self.servers.iter().filter(|s| s.template.is_none());
        let again: Vec<&Server<'t>> = plain.filter(|s| !taken.insert(s.name.text)).collect();
        let mut given: HashSet<String> = HashSet::new();
        let mut fresh = |name: &str| {
            let mut numbered = (2..).map(|n: u32| format!("{name}-{n}"));
            let free =
                numbered.find(|n| !taken.contains(n.as_str()) && !given.contains(n)).unwrap_or_default();
            given.insert(free.clone());
            free
        };
        again.into_iter().map(|server| (server, fresh(server.name.text))).collect()
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
            /// Options that are on, off or back to what they are when nothing is said, by name.
            pub switches: BTreeMap<&'static str, Spanned<Option<bool>>>,
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
    /// `option forwarded`: its words; `None` with `no` in front.
    forwarded: Option<Vec<Word<'t>>>,
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
    log_steps: Word<'t>,
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
    /// Backends that lines name which cannot act here, with the keyword of the line.
    pub idle_targets: Vec<(&'static str, Word<'t>)>,
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
    pub frontend_certificates: Vec<FrontendCertificate<'t>>,
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
    /// It consists of converters of log messages (`balance log-hash`).
    pub messages: bool,
}

impl Balance<'_> {
    /// The mode in which alone servers can be chosen so; in others they are taken in turn.
    pub(crate) fn mode(&self) -> Option<ProxyMode> {
        match self.algorithm {
            _ if self.messages => Some(ProxyMode::Log),
            Algorithm::Uri { .. } | Algorithm::Hdr { .. } | Algorithm::UrlParam { .. } => {
                Some(ProxyMode::Http)
            }
            _ => None,
        }
    }
}

impl From<Algorithm> for Balance<'_> {
    fn from(algorithm: Algorithm) -> Self {
        Self { algorithm, expression: None, messages: false }
    }
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
    /// `option spop-check`.
    Spop,
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
    /// `compression algo-req`.
    pub request_algorithm: Option<&'t str>,
    /// `compression type-req`.
    pub request_types: Vec<&'t str>,
    /// `compression minsize-req`.
    pub request_min_size: u64,
    /// `compression direction`: responses unless said otherwise.
    pub direction: Option<&'t str>,
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
