//! `global_defs`.

use super::cursor::auto_base;
use super::{Command, Reading, User};
use crate::codes;
use crate::tree::Statement;
use crate::value::{self, Values};
use crate::word::Word;
use lb_core::diag::{Span, Spanned};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Longest timeout the kernel's balancer takes, in seconds.
const LONGEST_IPVS: i64 = 86_400 * 31;

/// `garp_*` of an instance, `vrrp_garp_*` of `global_defs`
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the keywords without their prefix")]
pub struct GarpSettings {
    pub master_delay: Option<Spanned<Duration>>,
    pub master_repeat: Option<Spanned<u32>>,
    pub master_refresh: Option<Spanned<Duration>>,
    pub master_refresh_repeat: Option<Spanned<u32>>,
    pub lower_prio_delay: Option<Spanned<Duration>>,
    pub lower_prio_repeat: Option<Spanned<u32>>,
}

impl GarpSettings {
    pub(super) fn take(
        &mut self,
        statement: &Statement,
        owner: &str,
        values: &Values,
        cx: &mut Reading<'_>,
    ) -> bool {
        let keyword = statement.name();
        match keyword.strip_prefix("vrrp_").unwrap_or(keyword) {
            "garp_master_delay" => self.master_delay = values.seconds(),
            "garp_master_repeat" => self.master_repeat = at_least_one(statement, owner, values, cx),
            "garp_master_refresh" => self.master_refresh = values.seconds(),
            "garp_master_refresh_repeat" => {
                self.master_refresh_repeat = at_least_one(statement, owner, values, cx)
            }
            "garp_lower_prio_delay" => self.lower_prio_delay = values.seconds(),
            "garp_lower_prio_repeat" => self.lower_prio_repeat = values.number(),
            _ => return false,
        }
        true
    }
}

fn at_least_one(
    statement: &Statement,
    owner: &str,
    values: &Values,
    cx: &mut Reading<'_>,
) -> Option<Spanned<u32>> {
    let number = values.number::<u32>()?;
    if number.value == 0 {
        let name = statement.name();
        let place = if name.starts_with("vrrp_") { String::new() } else { format!("({owner}): ") };
        let compat = format!("{place}{name} must be greater than 0, setting to 1");
        cx.warn(codes::ADJUSTED, number.span, format!("`{name}` must be more than 0; 1 is taken"), compat);
    }
    Some(number.map(|n| n.max(1)))
}

/// A script of the start or the end, unless nobody can run it.
fn start_script(keyword: &str, values: &Values, cx: &mut Reading<'_>) -> Option<Command> {
    let command = Command::read(values, cx)?;
    let span = command.line.span;
    if !cx.lacks_user(command.user.as_ref(), span) {
        return Some(command);
    }
    let compat = format!("Invalid {}", keyword.replace('_', " "));
    cx.warn(codes::BAD_SCRIPT, span, format!("`{keyword}` has nobody to run it; it is ignored"), compat);
    None
}

fn mail_timeout(values: &Values, cx: &mut Reading<'_>) -> Option<Spanned<Duration>> {
    let timeout = values.seconds()?;
    if !timeout.value.is_zero() {
        return Some(timeout);
    }
    let compat = "smtp_conect_timeout must be greater than 0, setting to 1";
    cx.warn(codes::ADJUSTED, timeout.span, "the timeout must be more than 0; 1 second is taken", compat);
    Some(Spanned::new(Duration::from_secs(1), timeout.span))
}

/// `smtp_server`
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the words of the line")]
pub struct MailRelay {
    pub host: Spanned<String>,
    pub port: Option<Spanned<u16>>,
}

/// `notify_fifo` and `notify_fifo_script`
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the words of the lines")]
pub struct Fifo {
    pub path: Option<Spanned<String>>,
    pub owner: Option<User>,
    pub script: Option<Command>,
}

/// `vrrp_rx_bufs_policy`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the variants are the words of the line")]
pub enum ReceiveBuffers {
    Mtu,
    Advert,
    Bytes(u32),
}

/// Scheduling and memory.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the keywords without their prefix")]
pub struct ProcessSettings {
    pub priority: Option<Spanned<i8>>,
    pub rt_priority: Option<Spanned<u8>>,
    pub max_auto_priority: Option<Spanned<u8>>,
    pub min_auto_priority_delay: Option<Spanned<Duration>>,
    pub rlimit_rttime: Option<Spanned<Duration>>,
    pub no_swap: Option<Spanned<bool>>,
    pub cpu_affinity: Vec<u32>,
}

/// `lvs_timeouts`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the words of the line")]
pub struct LvsTimeouts {
    pub tcp: Option<Duration>,
    pub tcpfin: Option<Duration>,
    pub udp: Option<Duration>,
}

impl LvsTimeouts {
    /// Pairs of a word and seconds; 0 leaves the standard.
    fn take(&mut self, words: &[Word], cx: &mut Reading<'_>) {
        if let [only] = words {
            let compat = "lvs_timeouts requires at least one option";
            cx.warn(codes::NOT_SET, only.span, format!("`{}` lacks its seconds", only.text), compat);
            return;
        }
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let name = word.text.as_str();
            let slot = match name {
                "tcp" => &mut self.tcp,
                "tcpfin" => &mut self.tcpfin,
                "udp" => &mut self.udp,
                _ => {
                    let compat = format!("Unknown option {name} specified for lvs_timeouts");
                    cx.warn(codes::BAD_WORD, word.span, format!("`{name}` is no timeout"), compat)
                        .note("known are tcp, tcpfin and udp, each followed by seconds");
                    continue;
                }
            };
            let Some(number) = words.next() else {
                let compat = format!("No value specified for lvs_timeout {name} - ignoring");
                cx.warn(
                    codes::NOT_SET,
                    word.span,
                    format!("`{name}` lacks its seconds; it is ignored"),
                    compat,
                );
                return;
            };
            match value::integer(&number.text, 0, LONGEST_IPVS, false) {
                Ok(0) => *slot = None,
                Ok(seconds) => *slot = Some(Duration::from_secs(seconds.unsigned_abs())),
                Err(problem) => {
                    let message = format!("`{}` are no seconds; it is ignored", number.text);
                    let told = problem.compat();
                    let compat = format!("{told}\nInvalid lvs_timeout {name} ({}) - ignoring", number.text);
                    cx.warn(codes::BAD_NUMBER, number.span, message, compat);
                }
            }
        }
    }
}

/// `global_defs` and what else concerns the whole daemon.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the keywords of the block")]
pub struct Global {
    pub router_id: Option<Spanned<String>>,
    pub notification_email: Vec<Spanned<String>>,
    pub notification_email_from: Option<Spanned<String>>,
    pub smtp_server: Option<MailRelay>,
    pub smtp_helo_name: Option<Spanned<String>>,
    pub smtp_connect_timeout: Option<Spanned<Duration>>,
    pub smtp_alert: Option<Spanned<bool>>,
    pub smtp_alert_vrrp: Option<Spanned<bool>>,
    pub smtp_alert_checker: Option<Spanned<bool>>,
    pub no_email_faults: Option<Spanned<bool>>,
    pub no_checker_emails: Option<Spanned<bool>>,
    pub checker_log_all_failures: Option<Spanned<bool>>,
    pub script_user: Option<User>,
    pub enable_script_security: Option<Spanned<bool>>,
    pub use_symlink_paths: Option<Spanned<bool>>,
    pub set_supplementary_groups: Option<Spanned<bool>>,
    pub startup_script: Option<Command>,
    pub startup_script_timeout: Option<Spanned<Duration>>,
    pub shutdown_script: Option<Command>,
    pub shutdown_script_timeout: Option<Spanned<Duration>>,
    pub notify_fifo: Fifo,
    pub vrrp_notify_fifo: Fifo,
    pub lvs_notify_fifo: Fifo,
    pub fifo_write_vrrp_states_on_reload: Option<Spanned<bool>>,
    pub vrrp_version: Option<Spanned<u8>>,
    pub vrrp_strict: Option<Spanned<bool>>,
    pub vrrp_skip_check_adv_addr: Option<Spanned<bool>>,
    pub vrrp_check_unicast_src: Option<Spanned<bool>>,
    pub vrrp_mcast_group4: Option<Spanned<Ipv4Addr>>,
    pub vrrp_mcast_group6: Option<Spanned<Ipv6Addr>>,
    pub garp: GarpSettings,
    pub vrrp_garp_interval: Option<Spanned<Duration>>,
    pub vrrp_gna_interval: Option<Spanned<Duration>>,
    pub vrrp_min_garp: Option<Spanned<bool>>,
    pub vrrp_garp_extra_if: Option<Spanned<vrrp::spec::ExtraGarp>>,
    pub vrrp_down_timer_adverts: Option<Spanned<u8>>,
    pub vrrp_lower_prio_no_advert: Option<Spanned<bool>>,
    pub vrrp_higher_prio_send_advert: Option<Spanned<bool>>,
    pub vrrp_owner_ignore_adverts: Option<Spanned<bool>>,
    pub v3_checksum_as_v2: Option<Spanned<bool>>,
    pub vrrp_notify_priority_changes: Option<Spanned<bool>>,
    pub vrrp_startup_delay: Option<Spanned<Duration>>,
    pub vrrp_delay_after_boot: Option<Spanned<Duration>>,
    pub disable_local_igmp: Option<Spanned<bool>>,
    pub log_unknown_vrids: Option<Spanned<bool>>,
    pub snmp_socket: Option<Spanned<String>>,
    pub enable_traps: Option<Spanned<bool>>,
    pub enable_snmp_vrrp: Option<Spanned<bool>>,
    pub enable_snmp_rfcv2: Option<Spanned<bool>>,
    pub enable_snmp_rfcv3: Option<Spanned<bool>>,
    pub default_interface: Option<Spanned<String>>,
    pub dynamic_interfaces: Option<Spanned<bool>>,
    pub vmac_prefix: Option<Spanned<String>>,
    pub vmac_addr_prefix: Option<Spanned<String>>,
    pub process: ProcessSettings,
    pub rx_bufs_policy: Option<Spanned<ReceiveBuffers>>,
    pub rx_bufs_multiplier: Option<Spanned<u32>>,
    pub rs_init_notifies: Option<Spanned<bool>>,
    pub lvs_timeouts: LvsTimeouts,
    pub reload_check_config: Option<Spanned<bool>>,
    pub nftables: Option<Spanned<String>>,
    pub nftables_priority: Option<Spanned<i32>>,
    pub nftables_counters: Option<Spanned<bool>>,
    pub reload_file: Option<Option<Spanned<String>>>,
    pub reload_time_file: Option<Spanned<String>>,
    pub reload_repeat: Option<Spanned<bool>>,
    /// `instance`, outside the block
    pub instance: Option<Spanned<String>>,
    /// `use_pid_dir`, outside the block
    pub use_pid_dir: bool,
    /// `net_namespace`, outside the block
    pub net_namespace: Option<Spanned<String>>,
    /// `child_wait_time`, outside the block
    pub child_wait_time: Option<Spanned<Duration>>,
}

impl Global {
    pub(super) fn read(&mut self, statement: &Statement, cx: &mut Reading<'_>) {
        for (inner, values) in cx.each(statement.statements(), "global_defs") {
            let name = inner.name();
            let known = self.garp.take(inner, "global_defs", &values, cx)
                || self.mail(inner, &values, cx)
                || self.scripts(name, &values, cx)
                || self.fifos(name, &values, cx)
                || self.defaults(inner, &values, cx)
                || self.switches(name, &values)
                || self.process(inner, &values, cx)
                // Read when the includes are.
                || name == "include_check";
            debug_assert!(known, "`{name}` is read by nobody");
        }
    }

    fn mail(&mut self, statement: &Statement, values: &Values, cx: &mut Reading<'_>) -> bool {
        match statement.name() {
            "router_id" => self.router_id = values.word(),
            "snmp_socket" => self.snmp_socket = values.word(),
            "notification_email" => {
                let words = statement.values().iter().flat_map(|l| &l.words);
                self.notification_email.extend(words.map(super::track::spanned));
                if self.notification_email.is_empty() {
                    let message = "the list of recipients is empty";
                    cx.hint(
                        codes::EMPTY_BLOCK,
                        statement.head_span(),
                        message,
                        "Warning - empty notification_email block",
                    );
                }
            }
            "notification_email_from" => self.notification_email_from = values.word(),
            "smtp_server" => {
                let port = values.number_at(1);
                let said = statement.args().get(1);
                if let Some(host) = values.word()
                    && (said.is_some() && port.is_none() || cx.env.resolves(&host.value) == Some(false))
                {
                    let port = said.map_or("25", |port| port.text.as_str());
                    let compat = format!("Invalid smtp server {} {port}", host.value);
                    let message = "there is no such mail relay; it is ignored";
                    cx.warn(codes::BAD_ADDRESS, host.span, message, compat);
                } else {
                    self.smtp_server = values.word().map(|host| MailRelay { host, port });
                }
            }
            "smtp_helo_name" => self.smtp_helo_name = values.word(),
            "smtp_connect_timeout" => self.smtp_connect_timeout = mail_timeout(values, cx),
            "smtp_alert" => self.smtp_alert = values.switch(),
            "smtp_alert_vrrp" => self.smtp_alert_vrrp = values.switch(),
            "smtp_alert_checker" => self.smtp_alert_checker = values.switch(),
            "no_email_faults" => self.no_email_faults = values.flag(),
            "no_checker_emails" => self.no_checker_emails = values.switch(),
            "checker_log_all_failures" => self.checker_log_all_failures = values.switch(),
            _ => return false,
        }
        true
    }

    fn scripts(&mut self, keyword: &str, values: &Values, cx: &mut Reading<'_>) -> bool {
        match keyword {
            "script_user" => self.script_user = User::read(values, 0),
            "enable_script_security" => self.enable_script_security = values.flag(),
            "use_symlink_paths" => self.use_symlink_paths = values.switch(),
            "set_supplementary_groups" => self.set_supplementary_groups = values.flag(),
            "startup_script" => self.startup_script = start_script(keyword, values, cx),
            "startup_script_timeout" => self.startup_script_timeout = values.seconds(),
            "shutdown_script" => self.shutdown_script = start_script(keyword, values, cx),
            "shutdown_script_timeout" => self.shutdown_script_timeout = values.seconds(),
            _ => return false,
        }
        true
    }

    fn fifos(&mut self, keyword: &str, values: &Values, cx: &mut Reading<'_>) -> bool {
        let (fifo, script) = match keyword {
            "notify_fifo" => (&mut self.notify_fifo, false),
            "notify_fifo_script" => (&mut self.notify_fifo, true),
            "vrrp_notify_fifo" => (&mut self.vrrp_notify_fifo, false),
            "vrrp_notify_fifo_script" => (&mut self.vrrp_notify_fifo, true),
            "lvs_notify_fifo" => (&mut self.lvs_notify_fifo, false),
            "lvs_notify_fifo_script" => (&mut self.lvs_notify_fifo, true),
            "fifo_write_vrrp_states_on_reload" => {
                self.fifo_write_vrrp_states_on_reload = values.flag();
                return true;
            }
            _ => return false,
        };
        if script {
            fifo.script = Command::read_event(values, cx);
        } else {
            fifo.path = values.word();
            fifo.owner = User::read(values, 1);
        }
        true
    }

    fn defaults(&mut self, statement: &Statement, values: &Values, cx: &mut Reading<'_>) -> bool {
        match statement.name() {
            "vrrp_version" => self.vrrp_version = values.number(),
            "vrrp_mcast_group4" | "vrrp_mcast_group6" => self.multicast(statement.name(), values, cx),
            "vrrp_garp_interval" => self.vrrp_garp_interval = values.duration(),
            "vrrp_gna_interval" => self.vrrp_gna_interval = values.duration(),
            "vrrp_garp_extra_if" | "vrrp_vmac_garp_intvl" => {
                self.vrrp_garp_extra_if = super::instance::extra_garp(statement, cx);
            }
            "vrrp_down_timer_adverts" => self.vrrp_down_timer_adverts = values.number(),
            "vrrp_startup_delay" => self.vrrp_startup_delay = values.duration(),
            "vrrp_delay_after_boot" => self.vrrp_delay_after_boot = values.duration(),
            "lvs_timeouts" => self.lvs_timeouts.take(statement.args(), cx),
            "default_interface" => self.default_interface = values.word(),
            "reload_file" => self.reload_file = Some(values.word()),
            "nftables" => self.nftables = values.word(),
            "nftables_priority" => self.nftables_priority = values.number(),
            "reload_time_file" => self.reload_time_file = values.word(),
            "vmac_prefix" => self.vmac_prefix = values.word(),
            "vmac_addr_prefix" => self.vmac_addr_prefix = values.word(),
            "dynamic_interfaces" => self.dynamic_interfaces = values.flag(),
            "umask" => umask(statement, cx),
            _ => return false,
        }
        true
    }

    fn multicast(&mut self, keyword: &str, values: &Values, cx: &mut Reading<'_>) {
        let Some(Spanned { value, span }) = values.address() else { return };
        let ok = match (value, keyword) {
            (IpAddr::V4(a), "vrrp_mcast_group4") if a.is_multicast() => {
                self.vrrp_mcast_group4 = Some(Spanned::new(a, span));
                true
            }
            (IpAddr::V6(a), "vrrp_mcast_group6") if a.is_multicast() => {
                self.vrrp_mcast_group6 = Some(Spanned::new(a, span));
                true
            }
            _ => false,
        };
        if !ok {
            let family = if keyword == "vrrp_mcast_group4" { "IPv4" } else { "IPv6" };
            let lack = if value.is_ipv4() == (family == "IPv4") { "multicast" } else { family };
            let compat = format!("{keyword} [{value}] is not {lack}. Skipping");
            cx.warn(
                codes::BAD_ADDRESS,
                span,
                format!("`{value}` is no multicast address of this family; it is ignored"),
                compat,
            );
        }
    }

    fn switches(&mut self, keyword: &str, values: &Values) -> bool {
        let (slot, value) = match keyword {
            "vrrp_strict" => (&mut self.vrrp_strict, values.switch()),
            "vrrp_skip_check_adv_addr" => (&mut self.vrrp_skip_check_adv_addr, values.switch()),
            "vrrp_check_unicast_src" => (&mut self.vrrp_check_unicast_src, values.flag()),
            "vrrp_min_garp" => (&mut self.vrrp_min_garp, values.switch()),
            "vrrp_lower_prio_no_advert" => (&mut self.vrrp_lower_prio_no_advert, values.switch()),
            "vrrp_higher_prio_send_advert" => (&mut self.vrrp_higher_prio_send_advert, values.switch()),
            "vrrp_owner_ignore_adverts" => (&mut self.vrrp_owner_ignore_adverts, values.switch()),
            "v3_checksum_as_v2" => (&mut self.v3_checksum_as_v2, values.switch()),
            "vrrp_notify_priority_changes" => (&mut self.vrrp_notify_priority_changes, values.switch()),
            "enable_traps" => (&mut self.enable_traps, values.flag()),
            "enable_snmp_vrrp" | "enable_snmp_keepalived" => (&mut self.enable_snmp_vrrp, values.flag()),
            "enable_snmp_rfc" => {
                self.enable_snmp_rfcv2 = values.flag();
                (&mut self.enable_snmp_rfcv3, values.flag())
            }
            "enable_snmp_rfcv2" => (&mut self.enable_snmp_rfcv2, values.flag()),
            "enable_snmp_rfcv3" => (&mut self.enable_snmp_rfcv3, values.flag()),
            "disable_local_igmp" => (&mut self.disable_local_igmp, values.flag()),
            "log_unknown_vrids" => (&mut self.log_unknown_vrids, values.flag()),
            "rs_init_notifies" => (&mut self.rs_init_notifies, values.switch()),
            "reload_check_config" => (&mut self.reload_check_config, values.flag()),
            "nftables_counters" => (&mut self.nftables_counters, values.flag()),
            "reload_repeat" => (&mut self.reload_repeat, values.flag()),
            _ => return false,
        };
        *slot = value;
        true
    }

    fn process(&mut self, statement: &Statement, values: &Values, cx: &mut Reading<'_>) -> bool {
        let micros = |n: Option<Spanned<u64>>| n.map(|n| n.map(Duration::from_micros));
        match statement.name() {
            "vrrp_priority" => self.process.priority = values.number(),
            "vrrp_rt_priority" => self.process.rt_priority = values.number(),
            "max_auto_priority" => {
                self.process.max_auto_priority =
                    values.number().or_else(|| values.flag().map(|f| f.map(|_| 99)))
            }
            "min_auto_priority_delay" => self.process.min_auto_priority_delay = micros(values.number()),
            "vrrp_rlimit_rttime" | "vrrp_rlimit_rtime" => {
                self.process.rlimit_rttime = micros(values.number())
            }
            "vrrp_no_swap" => self.process.no_swap = values.flag(),
            "vrrp_cpu_affinity" => {
                let cpus = (0..statement.args().len()).filter_map(|n| values.number_at::<u32>(n));
                self.process.cpu_affinity = cpus.map(|n| n.value).collect();
            }
            "vrrp_rx_bufs_policy" => self.rx_bufs_policy = receive_buffers(statement, cx),
            "vrrp_rx_bufs_multiplier" => self.rx_bufs_multiplier = values.number(),
            _ => return false,
        }
        true
    }
}

fn receive_buffers(statement: &Statement, cx: &mut Reading<'_>) -> Option<Spanned<ReceiveBuffers>> {
    let mut policy: Option<Spanned<ReceiveBuffers>> = None;
    for word in statement.args() {
        let next = match word.text.as_str() {
            "MTU" => ReceiveBuffers::Mtu,
            "ADVERT" => ReceiveBuffers::Advert,
            text => match value::integer(text, 0, i64::from(u32::MAX), false) {
                Ok(n) => ReceiveBuffers::Bytes(u32::try_from(n).unwrap_or(u32::MAX)),
                Err(problem) => {
                    let compat = format!("{}\nInvalid vrrp_rx_bufs_policy {text}", problem.compat());
                    cx.warn(codes::BAD_WORD, word.span, format!("`{text}` is no buffer policy"), compat)
                        .note("expected `MTU`, `ADVERT` or a number of bytes");
                    continue;
                }
            },
        };
        if let Some(first) = policy {
            conflict(first.span, word.span, cx);
            continue;
        }
        policy = Some(Spanned::new(next, word.span));
    }
    policy
}

fn conflict(first: Span, second: Span, cx: &mut Reading<'_>) {
    let compat = "Cannot set both vrrp_rx_bufs_policy MTU and ADVERT, ignoring ADVERT";
    cx.warn(codes::CONFLICT, second, "only one policy counts; this one is ignored", compat)
        .label(first, "this one counts");
}

/// A number of three octal digits, or names of bits with `|` between them.
fn umask(statement: &Statement, cx: &mut Reading<'_>) {
    let words = statement.args();
    let Some(first) = words.first() else { return };
    let problem = if first.text.starts_with(|c: char| c.is_ascii_digit()) {
        let fits = auto_base(&first.text).is_some_and(|mask| mask <= 0o777);
        match words {
            [_] if fits => None,
            [_] => Some((first, format!("invalid umask value {}", first.text))),
            [.., last] => Some((last, "Extra parameter(s) to umask option".to_owned())),
            [] => None,
        }
    } else {
        mask_bits(words)
    };
    if let Some((word, compat)) = problem {
        cx.warn(codes::BAD_WORD, word.span, "this is no file mode mask", compat)
            .note("expected a number up to 0777, or bits as in `IRGRP|IWGRP`");
    }
}

/// What is wrong with the names of bits.
fn mask_bits(words: &[Word]) -> Option<(&Word, String)> {
    const BITS: [&str; 9] = ["IRUSR", "IWUSR", "IXUSR", "IRGRP", "IWGRP", "IXGRP", "IROTH", "IWOTH", "IXOTH"];
    let mut complete = false;
    for word in words {
        let mut rest = word.text.as_str();
        while !rest.is_empty() {
            if complete {
                let Some(next) = rest.strip_prefix('|') else {
                    return Some((word, format!("Invalid umask syntax {}", word.text)));
                };
                (rest, complete) = (next, false);
            } else {
                let Some(next) = BITS.iter().find_map(|bit| rest.strip_prefix(bit)) else {
                    return Some((word, format!("Unknown umask bit {rest}")));
                };
                (rest, complete) = (next, true);
            }
        }
    }
    words.last().filter(|_| !complete).map(|last| (last, "umask missing bit value".to_owned()))
}
