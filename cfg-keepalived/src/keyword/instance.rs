//! `vrrp_instance` and its inner blocks.

use super::arg::{Arg, COMMAND, SCRIPT, address, boolean, int, one_of, seconds_arg, unsigned, word};
use super::{BlockId, Keyword, Values};

const OPT_BOOL: &[Arg] = &[boolean().opt()];
const COUNT: &[Arg] = &[unsigned("COUNT")];
const WHOLE_SECONDS: &[Arg] = &[int("SECONDS", 0, 4294)];
const INTERFACE: &[Arg] = &[word("INTERFACE")];
const OPTIONAL_SCRIPT: &[Arg] = &[COMMAND.opt(), word("USER").opt(), word("GROUP").opt()];
const NO_IPVS: &str = "IPVS is not used; virtual servers are relayed in user space";

pub(super) const INSTANCE: &[Keyword] = &[
    Keyword::new("state", &[one_of(&["MASTER", "BACKUP"])], "Wished state; MASTER matters only with priority 255")
        .complain("({name}) unknown state '{value}', defaulting to BACKUP"),
    Keyword::new("interface", INTERFACE, "The interface the instance lives on"),
    Keyword::new("virtual_router_id", &[int("VRID", 1, 255)], "Number of the virtual router on its network")
        .complain("({name}): VRID '{value}' not valid - must be between 1 & 255").strict(),
    Keyword::new("priority", &[int("PRIORITY", 1, 255)], "Base priority; 255 owns the addresses")
        .complain("({name}) Priority not valid! must be between 1 & 255. Using default 100").strict(),
    Keyword::new("advert_int", &[seconds_arg(10_000, 255_000_000)], "Time between two adverts")
        .complain("({name}) Advert interval ({value}) not valid! Must be > 0 - ignoring"),
    Keyword::new("version", &[int("VERSION", 2, 3)], "Protocol version")
        .complain("({name}): Version must be either 2 or 3"),
    Keyword::new("authentication", &[], "Password of version 2").block(BlockId::Authentication),
    Keyword::new("auth_hmac", &[], "Keyed authentication of adverts").block(BlockId::AuthHmac).refused(
        "adverts would not be authenticated as asked; remove the block or keep the original daemon",
    ),
    Keyword::new("virtual_ipaddress", &[], "Addresses named in the adverts and held by the master").values(Values::Addresses),
    Keyword::new("virtual_ipaddress_excluded", &[], "Addresses held by the master but not named in the adverts")
        .values(Values::Addresses),
    Keyword::new("no_virtual_ipaddress", &[], "Having no addresses is what was meant"),
    Keyword::new("virtual_routes", &[], "Routes held by the master")
        .values(Values::Routes),
    Keyword::new("virtual_rules", &[], "Policy rules held by the master")
        .values(Values::Rules),
    Keyword::new("promote_secondaries", &[], "Removing one address does not take others of its network along"),
    Keyword::new("accept", &[], "Accept traffic for the addresses although not their owner"),
    Keyword::new("no_accept", &[], "Do not accept such traffic")
        .partial("the rules are written with the program `nft`, into a table of their own"),
    Keyword::new("preempt", &[], "A higher priority takes over from a lower one"),
    Keyword::new("nopreempt", &[], "A living master keeps the addresses"),
    Keyword::new("preempt_delay", &[seconds_arg(0, 1_000_000_000)], "How long a higher priority waits")
        .complain("({name}) Preempt_delay not valid! must be between 0-1000"),
    // Trackers
    Keyword::new("track_interface", &[], "Interfaces that must be up").values(Values::TrackInterfaces),
    Keyword::new("track_script", &[], "Scripts that must succeed").values(Values::TrackScripts),
    Keyword::new("track_file", &[], "Numbers in files").values(Values::TrackFiles),
    Keyword::new("track_process", &[], "Processes that must run").values(Values::TrackProcesses),
    Keyword::new("track_bfd", &[], "BFD sessions that must be up")
        .values(Values::TrackBfds),
    Keyword::new("track_backend", &[word("NAME")], "A pool of the balancer that must have live servers: `min-up N`, `weight W`")
        .optional_values(Values::TrackBackend)
        .extension(),
    Keyword::new("dont_track_primary", &[], "The own interface is not watched"),
    Keyword::new("track_src_ip", &[], "Loss of the source address is a fault"),
    // Transport
    Keyword::new("mcast_src_ip", &[address()], "Source address of multicast adverts")
        .complain("Configuration error: VRRP instance[{name}] malformed src address[{value}]. Skipping..."),
    Keyword::new("mcast_dst_ip", &[address()], "Multicast group")
        .complain("({name}) malformed mcast dest address {value}. Skipping..."),
    Keyword::new("unicast_src_ip", &[address()], "Source address of unicast adverts")
        .complain("Configuration error: VRRP instance[{name}] malformed src address[{value}]. Skipping..."),
    Keyword::new("unicast_peer", &[], "Peers spoken to by unicast").values(Values::Peers),
    Keyword::new("unicast_ttl", &[int("TTL", 0, 255)], "Hop limit of unicast adverts")
        .complain("({name}): TTL '{value}' not valid - must be between 0 & 255").strict(),
    Keyword::new("unicast_fault_no_peer", &[], "Having no peer at all is a fault"),
    Keyword::new("check_unicast_src", &[], "Accept adverts from the listed peers only"),
    Keyword::new("old_unicast_checksum", &[one_of(&["never"]).opt()], "Checksums as version 1.2.20 computed them")
        .complain("({name}) Unknown old_unicast_chksum mode {value} - ignoring"),
    Keyword::new("vrf", INTERFACE, "Virtual routing domain of the sockets"),
    Keyword::new("native_ipv6", &[], "Adverts over IPv6"),
    Keyword::new("kernel_rx_buf_size", &[unsigned("BYTES")], "Receive buffer of the socket").missing("({name}) invalid kernel_rx_buf_size specified")
        .complain("({name}) invalid kernel_rx_buf_size specified").strict().exact(),
    // VMAC
    Keyword::new("use_vmac", &[word("[name] INTERFACE|MAC|netlink_notify_msg|group ID").opt().many()], "A separate interface with the virtual router's hardware address"),
    Keyword::new("use_vmac_addr", &[], "Such an interface for each address of another interface or family"),
    Keyword::new("vmac_xmit_base", &[], "Adverts on the base interface"),
    Keyword::new("use_ipvlan", &[word("[name] INTERFACE|ADDRESS|bridge|private|vepa|group ID").opt().many()], "An ipvlan interface instead")
        ,
    Keyword::new("garp_extra_if", &[word("[all] SECONDS").many()], "Announcements on interfaces where no adverts are sent").missing("({name}): garp_extra_if specified without time - ignoring"),
    Keyword::new("vmac_garp_intvl", &[word("[all] SECONDS").many()], "Announcements on interfaces where no adverts are sent").missing("({name}): vmac_garp_intvl specified without time - ignoring").deprecated("garp_extra_if")
        .complain("Keyword \"vmac_garp_intvl\" is deprecated - please use \"garp_extra_if\""),
    // Behaviour
    Keyword::new("garp_master_delay", WHOLE_SECONDS, "Time from becoming master to the second set of announcements")
        .complain("({name}): garp_master_delay '{value}' invalid - ignoring"),
    Keyword::new("garp_master_repeat", COUNT, "Announcements per address and set")
        .complain("({name}): garp_master_repeat '{value}' invalid - ignoring"),
    Keyword::new("garp_master_refresh", COUNT, "Seconds between further sets while master, 0 for none")
        .complain("({name}): Invalid garp_master_refresh '{value}' - ignoring"),
    Keyword::new("garp_master_refresh_repeat", COUNT, "Announcements per address and further set")
        .complain("({name}): garp_master_refresh_repeat '{value}' invalid - ignoring"),
    Keyword::new("garp_lower_prio_delay", WHOLE_SECONDS, "Time from an advert of lower priority to the second set")
        .complain("({name}): garp_lower_prio_delay '{value}' invalid - ignoring"),
    Keyword::new("garp_lower_prio_repeat", &[int("COUNT", 0, i32::MAX as i64)], "Announcements when a lower priority is heard")
        .complain("({name}): Invalid garp_lower_prio_repeat '{value}'"),
    Keyword::new("lower_prio_no_advert", OPT_BOOL, "A master does not answer lower priorities")
        .complain("({name}) invalid lower_prio_no_advert {value} specified"),
    Keyword::new("higher_prio_send_advert", OPT_BOOL, "A master sends a last advert before it yields")
        .complain("({name}) invalid higher_prio_send_advert {value} specified"),
    Keyword::new("owner_ignore_adverts", OPT_BOOL, "An address owner ignores everybody else")
        .complain("({name}) invalid owner_ignore_adverts {value} specified"),
    Keyword::new("down_timer_adverts", &[int("COUNT", 1, 100)], "Intervals of silence until a master is taken for dead")
        .complain("({name}): Invalid down_timer_adverts [1:100] '{value}'"),
    Keyword::new("timer_expired_backup", &[int("PRIORITY", 1, 254).opt()], "Go to BACKUP first when the master timer fires late")
        .partial("always on; the priority of others is not needed").strict(),
    Keyword::new("thread_timer_expired", &[int("PRIORITY", 1, 254).opt()], "Go to BACKUP first when the master timer fires late")
        .deprecated("timer_expired_backup"),
    Keyword::new("v3_checksum_as_v2", OPT_BOOL, "Version 3 checksums without pseudo-header, as RFC 9568 has them")
        .complain("({name}) invalid v3_checksum_as_v2 {value} specified"),
    Keyword::new("skip_check_adv_addr", OPT_BOOL, "Do not compare address lists")
        .complain("({name}) invalid skip_check_adv_addr {value} specified"),
    Keyword::new("strict_mode", OPT_BOOL, "Strict conformance")
        .complain("({name}) invalid strict_mode {value} specified"),
    Keyword::new("debug", &[int("LEVEL", 0, 4)], "Log level of the instance")
        .complain("({name}) Debug value '{value}' not valid; must be between 0-4"),
    // Notification
    Keyword::new("notify_master", SCRIPT, "Run on becoming master").first_wins(),
    Keyword::new("notify_backup", SCRIPT, "Run on becoming backup").first_wins(),
    Keyword::new("notify_fault", SCRIPT, "Run on a fault").first_wins(),
    Keyword::new("notify_stop", SCRIPT, "Run on the orderly stop").first_wins(),
    Keyword::new("notify_deleted", OPTIONAL_SCRIPT, "Run when a reload removes the instance").first_wins(),
    Keyword::new("notify_master_rx_lower_pri", SCRIPT, "Run when a master hears a lower priority").first_wins(),
    Keyword::new("notify", SCRIPT, "Run on every change, with kind, name, state and priority appended").first_wins(),
    Keyword::new("notify_priority_changes", OPT_BOOL, "Notify changes of the priority, too")
        .complain("({name}) Invalid value '{value}' for notify_priority_changes specified"),
    Keyword::new("smtp_alert", OPT_BOOL, "Mail state changes")
        .complain("Invalid vrrp_instance smtp_alert parameter {value}"),
    // Others
    Keyword::new("linkbeat_use_polling", &[], "Poll the link state")
        .complain("({name}) 'linkbeat_use_polling' in vrrp instance deprecated - use linkbeat_interfaces block")
        .no_effect("link state comes from netlink notifications")
        .deprecated("linkbeat_interfaces"),
    Keyword::new("lvs_sync_daemon_interface", INTERFACE, "Synchronise connections")
        .complain("({name}) Specifying lvs_sync_daemon_interface against a vrrp is deprecated.\n         Please use global lvs_sync_daemon")
        .no_effect(NO_IPVS)
        .deprecated("lvs_sync_daemon"),
];

pub(super) const AUTHENTICATION: &[Keyword] = &[
    Keyword::new("auth_type", &[one_of(&["PASS", "AH"])], "Plain password, or IPsec authentication header")
        .complain("({name}) unknown authentication type '{value}'"),
    Keyword::new("auth_pass", &[word("PASSWORD")], "The password; eight bytes count"),
];

pub(super) const AUTH_HMAC: &[Keyword] = &[
    Keyword::new("key", &[int("ID", 1, 255), word("KEY")], "A key, as hex: or file:"),
    Keyword::new("active_key", &[int("ID", 1, 255)], "The key to send with"),
    Keyword::new("anti_replay", &[one_of(&["time", "monotonic"])], "How replays are told"),
    Keyword::new("time_window", &[int("SECONDS", 1, 3600)], "How old an advert may be"),
    Keyword::new(
        "mode",
        &[one_of(&["enforce", "permissive", "receive-only"])],
        "What happens to adverts without",
    ),
];
