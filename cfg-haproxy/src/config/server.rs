//! `bind` and `server` lines.

#![expect(
    clippy::exhaustive_structs,
    reason = "plain data, filled by this crate and read by whoever wants to"
)]

use super::{Source, UnixBind};
use crate::address::Address;
use crate::tree::Word;
use lb_core::addr::Network;
use lb_core::diag::{Span, Spanned};
use lb_core::spec::{AccessLevel, InitAddr, ProxyHeaderVersion, TlsVersion, Verify};
use std::time::Duration;

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

/// Where certificates of a `bind` line are.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "the three words of the configuration")]
pub enum BindCertificate<'t> {
    /// `crt`: a file or directory.
    File(Word<'t>),
    /// `default-crt`: likewise.
    Default(Word<'t>),
    /// `crt-list`: what a file names.
    List(Vec<ListedCertificate>),
}

/// A certificate of a `crt-list`.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "what a line of the list holds")]
pub struct ListedCertificate {
    /// A file, directory or name in a store.
    pub name: String,
    /// Names it is shown for.
    pub filters: Vec<String>,
}

/// A `ssl-f-use` line.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "what of the line has an effect")]
pub struct FrontendCertificate<'t> {
    /// `crt`.
    pub crt: Word<'t>,
    /// `key`.
    pub key: Option<Word<'t>>,
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
    /// `crt`, `default-crt` and `crt-list`, in their order.
    pub certificates: Vec<BindCertificate<'t>>,
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
    /// A `default-server` line precedes it.
    pub from_default: bool,
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
    /// `resolve-net`.
    pub resolve_net: Vec<Network>,
    /// `resolve-opts allow-dup-ip`.
    pub resolve_duplicates: bool,
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
    /// `pool-low-conn`.
    pub pool_low_conn: Option<u32>,
    /// `pool-conn-name`.
    pub pool_conn_name: Option<Word<'t>>,
    /// `pool-purge-delay`.
    pub pool_purge_delay: Option<Duration>,
    /// `log-proto`.
    pub log_proto: Option<&'t str>,
    /// `log-bufsize`.
    pub log_bufsize: Option<u32>,
    /// `max-reuse`.
    pub max_reuse: Option<i64>,
    /// `non-stick`.
    pub non_stick: bool,
    /// `guid`.
    pub guid: Option<Word<'t>>,
    /// `hash-key`.
    pub hash_key: Option<&'t str>,
    /// `ws`.
    pub ws: Option<&'t str>,
    /// `set-proxy-v2-tlv-fmt`: numbers and formats; without one the field is sent empty.
    pub tlvs: Vec<(Word<'t>, Option<Word<'t>>)>,
}
