//! The global definitions, which stand at the head of every data file.

use std::fmt::Write as _;

use super::data::{enabled, line, yes};
use super::instance::{announcements, answers, extra_title};
use super::json::quoted;
use crate::spec::{Around, Command, Fifo, FifoContent, Global, Mail, ProcessTuning, ReceiveBuffer, Traps};

/// What holds for everything, in the words of keepalived's data files, as far as it means something here.
#[must_use]
pub fn global(global: &Global) -> String {
    let mut text = "------< Global definitions >------\n".to_owned();
    let (out, around) = (&mut text, &global.around);
    line(out, 1, "Network namespace", around.namespace.as_deref().unwrap_or("(default)"));
    optional(out, "Instance name", around.instance.as_ref());
    line(out, 1, "Router ID", &global.router_id);
    mail(out, &global.mail);
    alerts(out, around);
    reloads(out, global);
    for (title, script) in [("Startup", &global.startup_script), ("Shutdown", &global.shutdown_script)] {
        if let Some((command, timeout)) = script {
            let _ =
                writeln!(out, " {title} script = {}, timeout {}", quoted(&command.argv), timeout.as_secs());
        }
    }
    line(out, 1, "Dynamic interfaces", global.dynamic_interfaces);
    if global.no_email_faults {
        line(out, 1, "Send emails for fault transitions", "off");
    }
    optional(out, "LVS TCP timeout", around.idle.map(|time| time.as_secs()));
    optional(out, "LVS TCP FIN timeout", around.half_closed.map(|time| time.as_secs()));
    // keepalived writes this timeout under the name of the first one.
    optional(out, "LVS UDP timeout", around.datagrams.map(|time| time.as_secs()));
    line(out, 1, "Default interface", global.default_interface.as_ref().map_or("eth0", |name| name.as_str()));
    line(out, 1, "Disable local IGMP", yes(global.no_local_reports));
    global.fifos.iter().for_each(|of| fifo(out, of));
    routers(out, global);
    announced(out, global);
    firewall(out, global);
    line(out, 1, "VRRP check unicast_src", global.check_unicast_src);
    line(out, 1, "VRRP skip check advert addresses", global.skip_check_adv_addr);
    line(out, 1, "VRRP strict mode", global.strict);
    process(out, &global.process);
    traps(out, global.traps.as_ref());
    let _ = writeln!(out, " Script security {}", enabled(global.scripts.enforce));
    line(out, 1, "rs_init_notifies", u8::from(around.tell_first_states));
    line(out, 1, "no_checker_emails", u8::from(around.no_check_mails));
    ends(out, global);
    text
}

/// A line for what is said.
fn optional(out: &mut String, name: &str, value: Option<impl std::fmt::Display>) {
    if let Some(value) = value {
        line(out, 1, name, value);
    }
}

fn mail(out: &mut String, mail: &Mail) {
    if let Some(server) = &mail.server {
        line(out, 1, "Smtp server", &server.host);
        line(out, 1, "Smtp server port", server.port);
        optional(out, "Smtp HELO name", mail.helo.as_ref());
        optional(out, "Smtp server connection timeout", mail.connect_timeout.map(|time| time.as_secs()));
    }
    if mail.to.is_empty() {
        return;
    }
    optional(out, "Email notification from", mail.from.as_ref());
    out.push_str(" Email notification to:\n");
    for to in &mail.to {
        let _ = writeln!(out, "   {to}");
    }
}

fn alerts(out: &mut String, around: &Around) {
    let word = |switch: Option<bool>| switch.map_or("unset", |on| if on { "on" } else { "off" });
    line(out, 1, "Default smtp_alert", word(around.mails));
    line(out, 1, "Default smtp_alert_vrrp", word(around.router_mails));
    line(out, 1, "Default smtp_alert_checker", word(around.service_mails));
    line(out, 1, "Checkers log all failures", around.log_all_failures);
}

fn reloads(out: &mut String, global: &Global) {
    if let Some(time) = &global.reload_time {
        let repeat = if time.repeat { " (repeat)" } else { "" };
        line(out, 1, "Reload time file", format_args!("{}{repeat}", time.path));
    }
    optional(out, "Reload_file", global.reload_file.as_ref());
}

fn fifo(out: &mut String, of: &Fifo) {
    let title = match of.content {
        FifoContent::All => "Global",
        FifoContent::Routers => "VRRP",
        FifoContent::Others => "LVS",
    };
    let _ = writeln!(out, " {title} notify fifo = {}", of.path);
    if let Some(Command { argv, .. }) = &of.script {
        let _ = writeln!(out, " {title} notify fifo script = {}", quoted(argv));
    }
}

/// What instances begin with.
fn routers(out: &mut String, global: &Global) {
    line(out, 1, "FIFO write vrrp states on reload", global.fifo_states_on_reload);
    line(out, 1, "VRRP notify priority changes", global.notify_priority_changes);
    line(out, 1, "VRRP IPv4 mcast group", global.multicast_v4);
    line(out, 1, "VRRP IPv6 mcast group", global.multicast_v6);
}

fn announced(out: &mut String, global: &Global) {
    let garp = &global.garp;
    announcements(out, 1, "Gratuitous ARP refresh timer", garp);
    line(out, 1, "Num adverts before down", global.down_timer_adverts);
    if let Some(extra) = global.extra_garp {
        line(out, 1, extra_title(extra), format_args!("{}s", extra.interval.as_secs()));
    }
    answers(out, 1, (!global.lower_prio_no_advert, global.higher_prio_send_advert));
    line(out, 1, "Gratuitous ARP interval", format_args!("{:.6}", garp.garp_interval.as_secs_f64()));
    line(out, 1, "Gratuitous NA interval", format_args!("{:.6}", garp.gna_interval.as_secs_f64()));
    line(out, 1, "VRRP default protocol version", global.version.number());
}

fn firewall(out: &mut String, global: &Global) {
    line(out, 1, "nftables table name", &global.firewall.table);
    line(out, 1, "nftables base chain priority", global.firewall.priority);
    let _ = writeln!(out, " nftables with{} counters", if global.firewall.counters { "" } else { "out" });
}

fn process(out: &mut String, of: &ProcessTuning) {
    line(out, 1, "Max auto priority", of.max_auto_realtime.unwrap_or(0));
    let delay = of.auto_delay();
    line(out, 1, "Min auto priority delay", format_args!("{} usecs", delay.as_micros()));
    line(out, 1, "VRRP process priority", of.nice.unwrap_or(0));
    line(out, 1, "VRRP don't swap", of.no_swap);
    line(out, 1, "VRRP realtime priority", of.realtime.unwrap_or(0));
    if !of.cpus.is_empty() {
        let cpus: Vec<String> = of.cpus.iter().map(ToString::to_string).collect();
        line(out, 1, "VRRP CPU Affinity", cpus.join(" "));
    }
    optional(out, "VRRP realtime limit", of.realtime_limit.map(|limit| limit.as_micros()));
}

fn traps(out: &mut String, traps: Option<&Traps>) {
    let on = |of: fn(&Traps) -> bool| enabled(traps.is_some_and(of));
    let _ = writeln!(out, " SNMP vrrp {}", on(|traps| traps.vrrp));
    let _ = writeln!(out, " SNMP RFCv2 {}", on(|traps| traps.rfc_v2));
    let _ = writeln!(out, " SNMP RFCv3 {}", on(|traps| traps.rfc_v3));
    let _ = writeln!(out, " SNMP traps {}", on(|_| true));
    let socket = traps.and_then(|traps| traps.socket.as_deref());
    line(out, 1, "SNMP socket", socket.unwrap_or("default (unix:/var/agentx/master)"));
}

/// What stands at the end, as keepalived has it.
fn ends(out: &mut String, global: &Global) {
    let multiples = match global.receive_buffer {
        ReceiveBuffer::System => None,
        ReceiveBuffer::Mtu(times) => Some(("MTU", times)),
        ReceiveBuffer::Advert(times) => Some(("ADVERT", times)),
        ReceiveBuffer::Bytes(octets) => {
            line(out, 1, "rx_bufs_size", octets);
            None
        }
    };
    if let Some((policy, times)) = multiples {
        line(out, 1, "rx_bufs_policy", policy);
        line(out, 1, "rx_bufs_multiples", times);
    }
    let delay = global.startup_delay;
    optional(out, "vrrp_startup_delay", (!delay.is_zero()).then_some(delay.as_secs_f64()));
    if global.log_unknown_vrids {
        out.push_str(" log_unknown_vrids\n");
    }
    let standard = Global::default().vmac_prefix;
    optional(out, "VMAC prefix", Some(&global.vmac_prefix).filter(|prefix| **prefix != standard));
    let other = global.vmac_addr_prefix != global.vmac_prefix;
    optional(out, "VMAC address prefix", Some(&global.vmac_addr_prefix).filter(|_| other));
}
