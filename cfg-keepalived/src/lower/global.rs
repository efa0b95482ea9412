//! `global_defs`.

use super::instance::extra_garp;
use super::{Origins, name, run_as};
use crate::config::{Config, Fifo, GarpSettings, Global, ReceiveBuffers};
use crate::env::Env;
use lb_core::diag::Spanned;
use std::time::Duration;
use vrrp::spec;
use vrrp::spec::{
    Around, ChecksumV3, FifoContent, Garp, Mail, MailServer, ProcessTuning, ReceiveBuffer, ScriptSecurity,
    Traps, Version,
};

/// The original's default patience with the relay.
const MAIL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long start and stop scripts may take unless said otherwise.
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(10);
const SMTP_PORT: u16 = 25;
/// Factor of `vrrp_rx_bufs_policy` unless said otherwise.
const BUFFER_FACTOR: u32 = 3;

pub(super) fn lower(config: &Config, env: &dyn Env, origins: &mut Origins) -> spec::Global {
    let from = &config.global;
    let mut to = spec::Global::default();
    let host = env.hostname();
    to.router_id = from.router_id.as_ref().map_or_else(|| host.clone(), |id| id.value.clone());
    to.mail = mail(from, &host);
    starting_values(from, &mut to);
    to.startup_delay = from.vrrp_startup_delay.map_or(Duration::ZERO, |d| d.value);
    to.delay_after_boot = from.vrrp_delay_after_boot.map_or(Duration::ZERO, |d| d.value);
    to.traps = traps(from);
    to.no_local_reports = on(from.disable_local_igmp, false);
    to.log_unknown_vrids = on(from.log_unknown_vrids, false);
    to.default_interface = from.default_interface.as_ref().map(|i| name(&i.value));
    to.dynamic_interfaces = on(from.dynamic_interfaces, false);
    to.scripts = scripts(from);
    let fifos = [
        (&from.notify_fifo, FifoContent::All),
        (&from.vrrp_notify_fifo, FifoContent::Routers),
        (&from.lvs_notify_fifo, FifoContent::Others),
    ];
    to.fifos = fifos.into_iter().filter_map(|(from, content)| fifo(from, content, origins)).collect();
    to.fifo_states_on_reload = on(from.fifo_write_vrrp_states_on_reload, false);
    let limit = |timeout: Option<Spanned<Duration>>| timeout.map_or(SCRIPT_TIMEOUT, |t| t.value);
    to.startup_script =
        from.startup_script.as_ref().map(|c| (origins.command(c, None), limit(from.startup_script_timeout)));
    to.shutdown_script = from
        .shutdown_script
        .as_ref()
        .map(|c| (origins.command(c, None), limit(from.shutdown_script_timeout)));
    to.process = process(from);
    to.receive_buffer = receive_buffer(from);
    let repeat = on(from.reload_repeat, false);
    to.reload_time =
        from.reload_time_file.as_ref().map(|path| spec::ReloadTime::new(path.value.as_str(), repeat));
    to.reload_file = from
        .reload_file
        .as_ref()
        .map(|path| path.as_ref().map_or_else(|| from.place().reload_file(), |path| path.value.clone()));
    if let Some(table) = &from.nftables {
        to.firewall.table.clone_from(&table.value);
    }
    if let Some(priority) = from.nftables_priority {
        to.firewall.priority = priority.value;
    }
    to.firewall.counters = on(from.nftables_counters, false);
    if let Some(prefix) = &from.vmac_prefix {
        to.vmac_prefix.clone_from(&prefix.value);
    }
    let own = from.vmac_addr_prefix.as_ref().map(|prefix| &prefix.value);
    to.vmac_addr_prefix = own.unwrap_or(&to.vmac_prefix).clone();
    to.around = around(from);
    to
}

/// What is only told.
fn around(from: &Global) -> Around {
    let mut to = Around::default();
    (to.namespace, to.instance) = (from.place().namespace, from.place().instance);
    let said = |switch: Option<Spanned<bool>>| switch.map(|on| on.value);
    to.mails = said(from.smtp_alert);
    to.router_mails = said(from.smtp_alert_vrrp);
    to.service_mails = said(from.smtp_alert_checker);
    to.no_check_mails = on(from.no_checker_emails, false);
    to.log_all_failures = on(from.checker_log_all_failures, false);
    to.tell_first_states = on(from.rs_init_notifies, false);
    (to.idle, to.half_closed) = (from.lvs_timeouts.tcp, from.lvs_timeouts.tcpfin);
    to.datagrams = from.lvs_timeouts.udp;
    to
}

/// Without a module there is nothing to tell.
fn traps(from: &Global) -> Option<Traps> {
    let mut to = Traps::default();
    to.socket = from.snmp_socket.as_ref().map(|socket| socket.value.clone());
    to.vrrp = on(from.enable_snmp_vrrp, false);
    to.rfc_v2 = on(from.enable_snmp_rfcv2, false);
    to.rfc_v3 = on(from.enable_snmp_rfcv3, false);
    (on(from.enable_traps, false) && (to.vrrp || to.rfc_v2 || to.rfc_v3)).then_some(to)
}

fn on(switch: Option<Spanned<bool>>, default: bool) -> bool {
    switch.map_or(default, |s| s.value)
}

fn mail(from: &Global, host: &str) -> Mail {
    let mut mail = Mail::default();
    mail.to = from.notification_email.iter().map(|m| m.value.clone()).collect();
    let sender = from.notification_email_from.as_ref().map(|m| m.value.clone());
    // Who runs the original, which is root.
    mail.from = Some(sender.unwrap_or_else(|| format!("root@{host}")));
    mail.server = from
        .smtp_server
        .as_ref()
        .map(|s| MailServer::new(&s.host.value, s.port.map_or(SMTP_PORT, |p| p.value)));
    mail.connect_timeout = Some(from.smtp_connect_timeout.map_or(MAIL_TIMEOUT, |t| t.value));
    mail.helo = Some(from.smtp_helo_name.as_ref().map_or_else(|| host.to_owned(), |h| h.value.clone()));
    mail
}

/// What instances start from.
fn starting_values(from: &Global, to: &mut spec::Global) {
    to.version = if from.vrrp_version.is_some_and(|v| v.value == 3) { Version::V3 } else { Version::V2 };
    to.garp = garp(from).into();
    to.extra_garp = from.vrrp_garp_extra_if.and_then(|extra| extra_garp(extra.value));
    to.lower_prio_no_advert = on(from.vrrp_lower_prio_no_advert, to.lower_prio_no_advert);
    to.higher_prio_send_advert = on(from.vrrp_higher_prio_send_advert, to.higher_prio_send_advert);
    to.down_timer_adverts = from.vrrp_down_timer_adverts.map_or(to.down_timer_adverts, |n| n.value);
    to.owner_ignore_adverts = on(from.vrrp_owner_ignore_adverts, false);
    to.skip_check_adv_addr = on(from.vrrp_skip_check_adv_addr, false);
    to.check_unicast_src = on(from.vrrp_check_unicast_src, false);
    to.strict = on(from.vrrp_strict, false);
    if on(from.v3_checksum_as_v2, false) {
        to.v3_checksum = ChecksumV3::PacketOnly;
    }
    to.multicast_v4 = from.vrrp_mcast_group4.map_or(to.multicast_v4, |g| g.value);
    to.multicast_v6 = from.vrrp_mcast_group6.map_or(to.multicast_v6, |g| g.value);
    to.notify_priority_changes = on(from.vrrp_notify_priority_changes, false);
    to.smtp_alert = on(from.smtp_alert_vrrp.or(from.smtp_alert), false);
    to.no_email_faults = on(from.no_email_faults, false);
}

fn garp(from: &Global) -> Garp {
    let mut garp = Garp::default();
    if on(from.vrrp_min_garp, false) {
        garp.repeat = 1;
        garp.delay = Duration::ZERO;
        garp.refresh = Duration::ZERO;
        garp.refresh_repeat = 0;
    }
    let lower_delay = from.garp.lower_prio_delay.is_some();
    let lower_repeat = from.garp.lower_prio_repeat.is_some();
    apply(&from.garp, &mut garp);
    // Unless set, what a lower priority triggers is what becoming master triggers.
    if !lower_delay {
        garp.lower_prio_delay = garp.delay;
    }
    if !lower_repeat {
        garp.lower_prio_repeat = garp.repeat;
    }
    garp.garp_interval = from.vrrp_garp_interval.map_or(Duration::ZERO, |d| d.value);
    garp.gna_interval = from.vrrp_gna_interval.map_or(Duration::ZERO, |d| d.value);
    garp
}

/// Overwrites what `from` sets.
pub(super) fn apply(from: &GarpSettings, to: &mut Garp) {
    to.delay = from.master_delay.map_or(to.delay, |d| d.value);
    to.repeat = from.master_repeat.map_or(to.repeat, |n| n.value);
    to.refresh = from.master_refresh.map_or(to.refresh, |d| d.value);
    to.refresh_repeat = from.master_refresh_repeat.map_or(to.refresh_repeat, |n| n.value);
    to.lower_prio_delay = from.lower_prio_delay.map_or(to.lower_prio_delay, |d| d.value);
    to.lower_prio_repeat = from.lower_prio_repeat.map_or(to.lower_prio_repeat, |n| n.value);
}

fn scripts(from: &Global) -> ScriptSecurity {
    let mut scripts = ScriptSecurity::default();
    scripts.user = from.script_user.as_ref().map(run_as);
    scripts.enforce = on(from.enable_script_security, false);
    scripts.keep_symlinks = on(from.use_symlink_paths, false);
    scripts.supplementary_groups = on(from.set_supplementary_groups, false);
    scripts
}

fn fifo(from: &Fifo, content: FifoContent, origins: &mut Origins) -> Option<spec::Fifo> {
    let path = from.path.as_ref()?;
    let mut fifo = spec::Fifo::new(&path.value);
    fifo.origin = origins.at(path.span);
    fifo.content = content;
    fifo.owner = from.owner.as_ref().map(run_as);
    fifo.script = from.script.as_ref().map(|c| origins.command(c, None));
    Some(fifo)
}

fn process(from: &Global) -> ProcessTuning {
    let mut process = ProcessTuning::default();
    process.nice = from.process.priority.map(|n| n.value);
    process.realtime = from.process.rt_priority.map(|n| n.value);
    process.max_auto_realtime = from.process.max_auto_priority.map(|n| n.value).filter(|n| *n > 0);
    process.min_auto_delay = from.process.min_auto_priority_delay.map(|d| d.value);
    process.realtime_limit = from.process.rlimit_rttime.map(|d| d.value);
    process.no_swap = on(from.process.no_swap, false);
    process.cpus.clone_from(&from.process.cpu_affinity);
    process
}

fn receive_buffer(from: &Global) -> ReceiveBuffer {
    let factor = from.rx_bufs_multiplier.map_or(BUFFER_FACTOR, |n| n.value);
    match from.rx_bufs_policy.map(|p| p.value) {
        None => ReceiveBuffer::System,
        Some(ReceiveBuffers::Mtu) => ReceiveBuffer::Mtu(factor),
        Some(ReceiveBuffers::Advert) => ReceiveBuffer::Advert(factor),
        Some(ReceiveBuffers::Bytes(n)) => ReceiveBuffer::Bytes(n),
    }
}
