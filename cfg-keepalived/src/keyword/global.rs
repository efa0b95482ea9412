//! `global_defs`.

use super::arg::{Arg, LONGEST, SCRIPT, address, boolean, int, one_of, seconds_arg, unsigned, word};
use super::{Keyword, Values};

const OPT_BOOL: &[Arg] = &[boolean().opt()];
const COUNT: &[Arg] = &[unsigned("COUNT")];
const BYTES: &[Arg] = &[unsigned("BYTES")];
const NICE: &[Arg] = &[int("NICE", -20, 19)];
const RT_PRIORITY: &[Arg] = &[int("PRIORITY", 1, 99)];
const RT_LIMIT: &[Arg] = &[int("MICROSECONDS", 1, u32::MAX as i64)];
const CPUS: &[Arg] = &[int("CPU", 0, 4095).many()];
const OWNED_FIFO: &[Arg] = &[word("PATH"), word("USER").opt(), word("GROUP").opt()];
const PATH: &[Arg] = &[word("PATH")];
const NAME: &[Arg] = &[word("NAME")];
const WHOLE_SECONDS: &[Arg] = &[int("SECONDS", 0, 4294)];

const NO_SNMP: &str = "nothing can be asked by SNMP; use the statistics and the JSON dump";
const TRAPS_ALONE: &str = "its notifications are sent with `enable_traps`; nothing can be asked by SNMP";
const NO_DBUS: &str = "there is no DBus interface";
const NO_IPVS: &str = "IPVS is not used; virtual servers are relayed in user space";
const NO_FIREWALL: &str = "the rules of `no_accept` are made with `nft`";
const NO_INTERFACES: &str = "the rules name no interfaces";
const FIREWALL: &str =
    "one table of family `inet`, which exists while an address is blocked; `vrrp` unless named";
const ONE_PROCESS: &str = "there is no separate process of this kind";
const NAMES: &str = "process names are fixed";
const INCLUDE_CHECKS: &[&str] = &[
    "readable",
    "match",
    "wildcard_match",
    "brace_match",
    "+readable",
    "+match",
    "+wildcard_match",
    "+brace_match",
    "-readable",
    "-match",
    "-wildcard_match",
    "-brace_match",
];
const BUFFERS: &str = "netlink buffers are sized by need";
const DUMPS: &str = "dumps are written where the command line or the signal asks";
const READ_WHOLE: &str = "the configuration is read once, as a whole";

pub(super) const GLOBAL_DEFS: &[Keyword] = &[
    // Identity and mail
    Keyword::new("router_id", NAME, "Name of this machine in mails").missing("routerid name missing - ignoring"),
    Keyword::new("notification_email", &[], "Recipients of mails").values(Values::Words),
    Keyword::new("notification_email_from", &[word("ADDRESS")], "Sender of mails").missing("emailfrom missing - ignoring"),
    Keyword::new("smtp_server", &[word("HOST"), int("PORT", 1, 65535).opt()], "Mail relay"),
    Keyword::new("smtp_helo_name", &[word("NAME").opt()], "Name in HELO"),
    Keyword::new("smtp_connect_timeout", WHOLE_SECONDS, "Patience with the relay")
        .complain("smtp_connect_timeout '{value}' must be in [0, 4294] - ignoring"),
    Keyword::new("smtp_alert", OPT_BOOL, "Send mails on all state changes unless a block says otherwise")
        .complain("Invalid value '{value}' for global smtp_alert specified"),
    Keyword::new("smtp_alert_vrrp", OPT_BOOL, "The same for VRRP")
        .complain("Invalid value '{value}' for global smtp_alert_vrrp specified"),
    Keyword::new("smtp_alert_checker", OPT_BOOL, "The same for real servers")
        .complain("Invalid value '{value}' for global smtp_alert_checker specified"),
    Keyword::new("no_email_faults", &[], "No mails about FAULT"),
    Keyword::new("no_checker_emails", OPT_BOOL, "No mails about single checkers")
        .complain("Invalid value '{value}' for global no_checker_emails specified"),
    Keyword::new("checker_log_all_failures", OPT_BOOL, "Log every failed check")
        .complain("Invalid value for checker_log_all_failures specified"),
    // Scripts
    Keyword::new("script_user", &[word("USER"), word("GROUP").opt()], "User of scripts that name none")
        .missing("No script username specified"),
    Keyword::new("enable_script_security", &[], "Refuse scripts that others than root could change"),
    Keyword::new("use_symlink_paths", OPT_BOOL, "Keep symbolic links in script paths"),
    Keyword::new("set_supplementary_groups", &[], "Give scripts the supplementary groups of their user"),
    Keyword::new("startup_script", SCRIPT, "Run once before anything else").missing("startup script missing").first_wins(),
    Keyword::new("startup_script_timeout", &[int("SECONDS", 1, 1000)], "How long it may take").missing("startup_script_timeout requires value")
        .complain("{keyword} '{value}' must be in [1, 1000] - ignoring"),
    Keyword::new("shutdown_script", SCRIPT, "Run once after everything else").missing("shutdown script missing").first_wins(),
    Keyword::new("shutdown_script_timeout", &[int("SECONDS", 1, 1000)], "How long it may take").missing("shutdown_script_timeout requires value")
        .complain("{keyword} '{value}' must be in [1, 1000] - ignoring"),
    Keyword::new("notify_fifo", OWNED_FIFO, "Named pipe that receives all state changes")
        .first_wins()
        .missing("No notify_fifo name specified"),
    Keyword::new("notify_fifo_script", SCRIPT, "Started with the pipe's name")
        .first_wins()
        .missing("No notify_fifo_script specified"),
    Keyword::new("vrrp_notify_fifo", OWNED_FIFO, "Named pipe that receives VRRP state changes")
        .first_wins()
        .missing("No vrrp_notify_fifo name specified"),
    Keyword::new("vrrp_notify_fifo_script", SCRIPT, "Started with the pipe's name")
        .first_wins()
        .missing("No vrrp_notify_fifo_script specified"),
    Keyword::new("lvs_notify_fifo", OWNED_FIFO, "Named pipe that receives changes of servers")
        .first_wins()
        .missing("No lvs_notify_fifo name specified"),
    Keyword::new("lvs_notify_fifo_script", SCRIPT, "Started with the pipe's name")
        .first_wins()
        .missing("No lvs_notify_fifo_script specified"),
    Keyword::new("fifo_write_vrrp_states_on_reload", &[], "Tell the pipes all states again after a reload"),
    // VRRP defaults
    Keyword::new(
        "vrrp_version",
        &[int("VERSION", 2, 3)],
        "Protocol version unless an instance says otherwise",
    )
    .complain("VRRP Error: Version must be either 2 or 3"),
    Keyword::new("vrrp_strict", OPT_BOOL, "Strict conformance")
        .complain("Invalid value '{value}' for global vrrp_strict specified"),
    Keyword::new("vrrp_skip_check_adv_addr", &[], "Do not compare address lists"),
    Keyword::new("vrrp_check_unicast_src", &[], "Accept unicast adverts from configured peers only"),
    Keyword::new("vrrp_mcast_group4", &[address()], "IPv4 multicast group")
        .complain("Can't parse {keyword} [{value}]. Skipping"),
    Keyword::new("vrrp_mcast_group6", &[address()], "IPv6 multicast group")
        .complain("Can't parse {keyword} [{value}]. Skipping"),
    Keyword::new(
        "vrrp_garp_master_delay",
        WHOLE_SECONDS,
        "Time from becoming master to the second set of announcements",
    )
    .complain("vrrp_garp_master_delay '{value}' invalid - ignoring"),
    Keyword::new("vrrp_garp_master_repeat", COUNT, "Announcements per address and set")
        .complain("vrrp_garp_master_repeat '{value}' invalid - ignoring"),
    Keyword::new("vrrp_garp_master_refresh", COUNT, "Seconds between further sets while master, 0 for none")
        .complain("Invalid vrrp_garp_master_refresh '{value}' - ignoring"),
    Keyword::new("vrrp_garp_master_refresh_repeat", COUNT, "Announcements per address and further set")
        .complain("vrrp_garp_master_refresh_repeat '{value}' invalid - ignoring"),
    Keyword::new(
        "vrrp_garp_lower_prio_delay",
        WHOLE_SECONDS,
        "Time from an advert of lower priority to the second set",
    )
    .complain("vrrp_garp_lower_prio_delay '{value}' invalid - ignoring"),
    Keyword::new(
        "vrrp_garp_lower_prio_repeat",
        &[int("COUNT", 0, i32::MAX as i64)],
        "Announcements when a lower priority is heard",
    )
    .complain("Invalid vrrp_garp_lower_prio_repeat '{value}'"),
    Keyword::new("vrrp_garp_interval", &[seconds_arg(1, LONGEST)], "Time between two gratuitous ARPs")
        .complain("vrrp_garp_interval '{value}' is invalid"),
    Keyword::new(
        "vrrp_gna_interval",
        &[seconds_arg(1, LONGEST)],
        "Time between two neighbour advertisements",
    )
    .complain("vrrp_gna_interval '{value}' is invalid"),
    Keyword::new("vrrp_min_garp", OPT_BOOL, "One announcement per address, nothing repeated")
        .complain("Invalid value '{value}' for global vrrp_min_garp specified"),
    Keyword::new(
        "vrrp_garp_extra_if",
        &[word("[all] SECONDS").many()],
        "Announcements on interfaces where no adverts are sent",
    ).missing("vrrp_garp_extra_if specified without time - ignoring"),
    Keyword::new(
        "vrrp_vmac_garp_intvl",
        &[word("[all] SECONDS").many()],
        "Announcements on interfaces where no adverts are sent",
    ).missing("vrrp_vmac_garp_intvl specified without time - ignoring")
    .deprecated("vrrp_garp_extra_if")
        .complain("Keyword \"vrrp_vmac_garp_intvl\" is deprecated - please use \"vrrp_garp_extra_if\""),
    Keyword::new(
        "vrrp_down_timer_adverts",
        &[int("COUNT", 1, 100)],
        "Intervals of silence until a master is taken for dead",
    )
    .complain("Invalid vrrp_down_timer_adverts [1:100] '{value}'"),
    Keyword::new("vrrp_lower_prio_no_advert", OPT_BOOL, "A master does not answer lower priorities")
        .complain("Invalid value for vrrp_lower_prio_no_advert specified"),
    Keyword::new("vrrp_higher_prio_send_advert", OPT_BOOL, "A master sends a last advert before it yields")
        .complain("Invalid value for vrrp_higher_prio_send_advert specified"),
    Keyword::new("vrrp_owner_ignore_adverts", OPT_BOOL, "An address owner ignores everybody else"),
    Keyword::new(
        "v3_checksum_as_v2",
        OPT_BOOL,
        "Version 3 checksums without pseudo-header, as RFC 9568 has them",
    ),
    Keyword::new("vrrp_notify_priority_changes", OPT_BOOL, "Notify changes of the priority, too")
        .complain("Invalid value '{value}' for global vrrp_notify_priority_changes specified"),
    Keyword::new(
        "vrrp_startup_delay",
        &[seconds_arg(1_000, LONGEST)],
        "How long to listen to nobody after the start",
    )
    .complain("vrrp_startup_delay '{value}' is invalid"),
    Keyword::new(
        "vrrp_delay_after_boot",
        &[seconds_arg(1_000, LONGEST)],
        "How long after the boot instances may start",
    )
    .complain("vrrp_delay_after_boot '{value}' is invalid"),
    Keyword::new("log_unknown_vrids", &[], "Log adverts of virtual routers nobody configured"),
    Keyword::new("default_interface", &[word("INTERFACE")], "Interface of what names none").missing("default_interface requires interface name"),
    Keyword::new(
        "dynamic_interfaces",
        &[one_of(&["allow_if_changes"]).opt()],
        "Interfaces may be absent at the start",
    )
    .complain("Unknown dynamic_interfaces option '{value}'"),
    Keyword::new("disable_local_igmp", &[], "Report no memberships of groups of the link"),
    Keyword::new("vmac_prefix", NAME, "Prefix of VMAC interface names").first_wins(),
    Keyword::new("vmac_addr_prefix", NAME, "Prefix of names of VMACs for addresses").first_wins(),
    // Firewall
    Keyword::new("nftables", &[word("TABLE").opt()], "Table of firewall rules").partial(FIREWALL),
    Keyword::new(
        "nftables_priority",
        &[int("PRIORITY", i32::MIN as i64, i32::MAX as i64)],
        "Priority of its chains",
    )
    .complain("invalid nftables chain priority '{value}'")
    .strict(),
    Keyword::new("nftables_counters", &[], "Counters in its rules"),
    Keyword::new("nftables_ifindex", &[], "Interface numbers in its rules").no_effect(NO_INTERFACES),
    Keyword::new("nftables_ipvs", &[word("TABLE").opt()], "Table of marks for groups").no_effect(NO_IPVS),
    Keyword::new(
        "nftables_ipvs_priority",
        &[int("PRIORITY", i32::MIN as i64, i32::MAX as i64)],
        "Priority of its chain",
    )
    .no_effect(NO_IPVS)
    .strict(),
    Keyword::new("nftables_ipvs_start_fwmark", &[int("MARK", 1, u32::MAX as i64)], "First mark of groups")
        .no_effect(NO_IPVS)
        .strict(),
    Keyword::new("vrrp_iptables", &[word("IN").opt(), word("OUT").opt()], "Chains of firewall rules")
        .no_effect(NO_FIREWALL)
        .deprecated("nftables")
        .complain("iptables not supported, using nftables instead. Please replace 'vrrp_iptables and 'vrrp_ipsets' with 'nftables' config option"),
    Keyword::new("vrrp_ipsets", &[word("SET").opt().many()], "Names of address sets").no_effect(NO_FIREWALL).deprecated("nftables").complain("Unknown keyword 'vrrp_ipsets'"),
    // Process
    Keyword::new("process_names", &[], "Default process names").no_effect(NAMES),
    Keyword::new("process_name", NAME, "Name of the parent process").no_effect(NAMES),
    Keyword::new("vrrp_process_name", NAME, "Name of the VRRP process").no_effect(NAMES),
    Keyword::new("checker_process_name", NAME, "Name of the checker process").no_effect(NAMES),
    Keyword::new("lvs_process_name", NAME, "Name of the checker process")
        .no_effect(NAMES)
        .deprecated("checker_process_name"),
    Keyword::new("bfd_process_name", NAME, "Name of the BFD process").no_effect(NAMES),
    Keyword::new(
        "max_auto_priority",
        &[int("PRIORITY", -1, 99).opt()],
        "Raise the real-time priority when timers fire late",
    )
    .complain("max_auto_priority '{value}' must be in [0, 99] (or -1 to disable) - ignoring"),
    Keyword::new("min_auto_priority_delay", &[int("MICROSECONDS", 1, 10_000_000)], "How late counts as late").missing("min_auto_priority_delay requires delay time")
        .complain("min_auto_priority_delay '{value}' must be in [1, 10000000] - ignoring"),
    Keyword::new("vrrp_priority", NICE, "Nice value").missing("No vrrp process priority specified").complain("Invalid vrrp process priority specified"),
    Keyword::new("vrrp_no_swap", &[], "Lock the memory"),
    Keyword::new("vrrp_rt_priority", RT_PRIORITY, "Real-time priority").missing("No vrrp process real-time priority specified")
        .complain("vrrp process real-time priority '{value}' invalid"),
    Keyword::new("vrrp_cpu_affinity", CPUS, "Processors to run on").missing("No vrrp cpu_id set specified"),
    Keyword::new("vrrp_rlimit_rttime", RT_LIMIT, "Limit of real-time processor time")
        .complain("Invalid vrrp real-time limit - {value}"),
    Keyword::new("vrrp_rlimit_rtime", RT_LIMIT, "Limit of real-time processor time")
        .deprecated("vrrp_rlimit_rttime"),
    Keyword::new("checker_priority", NICE, "Nice value of the checker process").missing("No checker process priority specified").no_effect(ONE_PROCESS).complain("Invalid checker process priority specified"),
    Keyword::new("checker_no_swap", &[], "Lock the checker's memory").no_effect(ONE_PROCESS),
    Keyword::new("checker_rt_priority", RT_PRIORITY, "Real-time priority of the checker").missing("No checker process real-time priority specified")
        .no_effect(ONE_PROCESS)
        .complain("checker process real-time priority '{value}' invalid"),
    Keyword::new("checker_cpu_affinity", CPUS, "Processors of the checker").missing("No checker cpu_id set specified").no_effect(ONE_PROCESS),
    Keyword::new("checker_rlimit_rttime", RT_LIMIT, "Limit of the checker's real-time")
        .no_effect(ONE_PROCESS)
        .complain("Invalid checker real-time limit - {value}"),
    Keyword::new("checker_rlimit_rtime", RT_LIMIT, "Limit of the checker's real-time")
        .no_effect(ONE_PROCESS)
        .deprecated("checker_rlimit_rttime"),
    Keyword::new("bfd_priority", NICE, "Nice value of the BFD process").missing("No bfd process priority specified").no_effect(ONE_PROCESS).complain("Invalid bfd process priority specified"),
    Keyword::new("bfd_no_swap", &[], "Lock the BFD process's memory").no_effect(ONE_PROCESS),
    Keyword::new("bfd_rt_priority", RT_PRIORITY, "Real-time priority of the BFD process").missing("No bfd process real-time priority specified")
        .no_effect(ONE_PROCESS)
        .complain("bfd process real-time priority '{value}' invalid"),
    Keyword::new("bfd_cpu_affinity", CPUS, "Processors of the BFD process").missing("No bfd cpu_id set specified").no_effect(ONE_PROCESS),
    Keyword::new("bfd_rlimit_rttime", RT_LIMIT, "Limit of the BFD process's real-time")
        .no_effect(ONE_PROCESS)
        .complain("Invalid bfd real-time limit - {value}"),
    Keyword::new("bfd_rlimit_rtime", RT_LIMIT, "Limit of the BFD process's real-time")
        .no_effect(ONE_PROCESS)
        .deprecated("bfd_rlimit_rttime"),
    // Buffers
    Keyword::new("vrrp_rx_bufs_policy", &[word("MTU|ADVERT|BYTES").many()], "Size of receive buffers")
        .complain("Invalid vrrp_rx_bufs_policy {value}")
        .missing("vrrp_rx_bufs_policy missing"),
    Keyword::new("vrrp_rx_bufs_multiplier", &[int("COUNT", 1, u32::MAX as i64)], "Factor of that size")
        .complain("Invalid vrrp_rx_bufs_multiplier {value}")
        .strict()
        .exact()
        .missing("Invalid vrrp_rx_bufs_multiplier"),
    Keyword::new("vrrp_netlink_cmd_rcv_bufs", BYTES, "Netlink buffer").missing("vrrp_netlink_cmd_rcv_bufs size missing").complain("vrrp_netlink_cmd_rcv_bufs size ({value}) invalid").no_effect(BUFFERS).strict(),
    Keyword::new("vrrp_netlink_cmd_rcv_bufs_force", OPT_BOOL, "Netlink buffer above the limit")
        .no_effect(BUFFERS),
    Keyword::new("vrrp_netlink_monitor_rcv_bufs", BYTES, "Netlink buffer").missing("vrrp_netlink_monitor_rcv_bufs size missing").complain("vrrp_netlink_monitor_rcv_bufs size ({value}) invalid").no_effect(BUFFERS),
    Keyword::new("vrrp_netlink_monitor_rcv_bufs_force", OPT_BOOL, "Netlink buffer above the limit")
        .no_effect(BUFFERS),
    Keyword::new("lvs_netlink_cmd_rcv_bufs", BYTES, "Netlink buffer").missing("lvs_netlink_cmd_rcv_bufs size missing").complain("lvs_netlink_cmd_rcv_bufs size ({value}) invalid").no_effect(NO_IPVS),
    Keyword::new("lvs_netlink_cmd_rcv_bufs_force", OPT_BOOL, "Netlink buffer above the limit")
        .no_effect(NO_IPVS),
    Keyword::new("lvs_netlink_monitor_rcv_bufs", BYTES, "Netlink buffer").missing("lvs_netlink_monitor_rcv_bufs size missing").complain("lvs_netlink_monitor_rcv_bufs size ({value}) invalid").no_effect(NO_IPVS),
    Keyword::new("lvs_netlink_monitor_rcv_bufs_force", OPT_BOOL, "Netlink buffer above the limit")
        .no_effect(NO_IPVS),
    Keyword::new("process_monitor_rcv_bufs", BYTES, "Buffer of process events").missing("process_monitor_rcv_bufs size missing").complain("process_monitor_rcv_bufs size ({value}) invalid").no_effect(BUFFERS),
    Keyword::new("process_monitor_rcv_bufs_force", OPT_BOOL, "Buffer of process events above the limit")
        .no_effect(BUFFERS),
    // Reload, dumps, files
    Keyword::new("reload_check_config", &[word("LOG").opt()], "Check a configuration before a reload")
        .partial("always on: a configuration with errors never replaces a running one"),
    Keyword::new("reload_time_file", PATH, "Reload at the time in this file").missing("reload_time_file invalid"),
    Keyword::new("reload_repeat", &[], "Reload at that time every day"),
    Keyword::new("reload_file", &[word("PATH").opt()], "A file that exists while a changed configuration is read"),
    Keyword::new(
        "include_check",
        &[one_of(INCLUDE_CHECKS).opt().many()],
        "What include directives insist on",
    )
    .complain("Unknown include_check type '{value}' - ignoring"),
    Keyword::new("config_save_dir", PATH, "Save configurations here").no_effect(READ_WHOLE),
    Keyword::new("tmp_config_directory", PATH, "Directory of the configuration's copy").missing("tmp_config_directory missing directory name").no_effect(READ_WHOLE),
    Keyword::new("random_seed", &[unsigned("SEED")], "Seed of ${_RANDOM}")
        .no_effect("${_RANDOM} is replaced before the blocks are read; the seed is the caller's")
        .complain("random_seed {value} invalid")
        .strict(),
    Keyword::new("umask", &[word("MASK|BITS").many()], "File mode creation mask")
        .idle("files are created with explicit modes"),
    Keyword::new("data_use_instance", OPT_BOOL, "Instance name in dump file names").no_effect(DUMPS),
    Keyword::new("state_dump_file", PATH, "File of the state dump").no_effect(DUMPS),
    Keyword::new("stats_dump_file", PATH, "File of the statistics dump").no_effect(DUMPS),
    Keyword::new("json_dump_file", PATH, "File of the JSON dump").no_effect(DUMPS),
    Keyword::new("state_file_location", PATH, "File of the state dump, as the manual has it")
        .no_effect(DUMPS),
    Keyword::new("stats_file_location", PATH, "File of the statistics dump, as the manual has it")
        .no_effect(DUMPS),
    Keyword::new("json_file_location", PATH, "File of the JSON dump, as the manual has it").no_effect(DUMPS),
    Keyword::new("json_version", &[int("VERSION", 1, 2)], "Layout of the JSON dump")
        .complain("Invalid JSON version")
        .no_effect("the JSON dump has one layout, that of version 1")
        .missing("json_version requires version"),
    Keyword::new("iproute_usr_dir", PATH, "Directory of iproute2's names")
        .no_effect("the usual directories are searched"),
    Keyword::new("iproute_etc_dir", PATH, "Directory of iproute2's names")
        .no_effect("the usual directories are searched"),
    // SNMP and DBus
    Keyword::new("snmp_socket", &[word("SOCKET")], "Socket of the SNMP master agent: a path, or `tcp:`, host and port")
        .missing("SNMP error : snmp socket name missing")
        .alone("Too many parameters specified for snmp_socket - ignoring"),
    Keyword::new("enable_traps", &[], "Send SNMP notifications")
        .partial("state changes and new masters are told; failed authentication, protocol errors and servers are not"),
    Keyword::new("enable_snmp_vrrp", &[], "The VRRP part of KEEPALIVED-MIB").partial(TRAPS_ALONE),
    Keyword::new("enable_snmp_keepalived", &[], "The VRRP part of KEEPALIVED-MIB")
        .partial(TRAPS_ALONE)
        .deprecated("enable_snmp_vrrp"),
    Keyword::new("enable_snmp_checker", &[], "Serve the checker part of the MIB").no_effect(NO_SNMP),
    Keyword::new("enable_snmp_rfc", &[], "VRRP-MIB and VRRPV3-MIB").partial(TRAPS_ALONE),
    Keyword::new("enable_snmp_rfcv2", &[], "VRRP-MIB (RFC 2787)").partial(TRAPS_ALONE),
    Keyword::new("enable_snmp_rfcv3", &[], "VRRPV3-MIB (RFC 6527)").partial(TRAPS_ALONE),
    Keyword::new("snmp_vs_stats_update_interval", &[seconds_arg(1_000, 30_000_000)], "Age of statistics")
        .no_effect(NO_SNMP),
    Keyword::new("snmp_rs_stats_update_interval", &[seconds_arg(1_000, 30_000_000)], "Age of statistics")
        .no_effect(NO_SNMP),
    Keyword::new("enable_dbus", &[], "Serve DBus objects").no_effect(NO_DBUS),
    Keyword::new("dbus_service_name", NAME, "Name on the bus")
        .no_effect(NO_DBUS)
        .missing("dbus_service_name missing - ignoring"),
    Keyword::new("dbus_no_interface_name", NAME, "Name where there is no interface")
        .no_effect(NO_DBUS)
        .missing("dbus_no_interface_name missing - ignoring"),
    // LVS
    Keyword::new(
        "lvs_sync_daemon",
        &[word("INTERFACE"), word("OPTION").opt().many()],
        "Synchronise connections",
    ).missing("lvs_sync_daemon requires interface")
    .no_effect(NO_IPVS),
    Keyword::new("lvs_timeouts", &[word("tcp|tcpfin|udp SECONDS").many()], "Seconds after which an idle or half closed connection, or an exchange of datagrams, is forgotten")
        .missing("lvs_timeouts requires at least one option"),
    Keyword::new("lvs_flush", &[], "Remove all IPVS services at the start").no_effect(NO_IPVS),
    Keyword::new("lvs_flush_on_stop", &[one_of(&["VS"]).opt()], "Remove IPVS services at the end")
        .no_effect(NO_IPVS),
    Keyword::new("lvs_flush_onstop", &[one_of(&["VS"]).opt()], "Remove IPVS services at the end")
        .no_effect(NO_IPVS)
        .deprecated("lvs_flush_on_stop"),
    Keyword::new("rs_init_notifies", OPT_BOOL, "Notify the first state of real servers")
        .complain("Invalid value '{value}' for global rs_init_notifies specified"),
];
