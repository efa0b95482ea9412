//! The outermost level.

use super::arg::{unsigned, word};
use super::{BlockId, Keyword, Values};

const NAME: &[super::Arg] = &[word("NAME")];

pub(super) const ROOT: &[Keyword] = &[
    Keyword::new("global_defs", &[], "Settings of the whole daemon; may appear several times")
        .block(BlockId::GlobalDefs),
    Keyword::new("vrrp_instance", NAME, "One virtual router")
        .block(BlockId::VrrpInstance)
        .missing("vrrp_instance must have a name")
        .exact(),
    Keyword::new("vrrp_script", NAME, "A periodic check; must stand above what tracks it")
        .block(BlockId::VrrpScript),
    Keyword::new("vrrp_sync_group", NAME, "Instances that change state together")
        .block(BlockId::SyncGroup)
        .missing("vrrp_sync_group must have a name - skipping")
        .exact(),
    Keyword::new("track_file", NAME, "A number read from a file").block(BlockId::TrackFile),
    Keyword::new("vrrp_track_file", NAME, "A number read from a file")
        .block(BlockId::TrackFile)
        .deprecated("track_file"),
    Keyword::new("vrrp_track_process", NAME, "Processes that must be present").block(BlockId::TrackProcess),
    Keyword::new("track_group", NAME, "Instances that watch static addresses, routes and rules")
        .block(BlockId::TrackGroup)
        .no_effect("static items are restored when they vanish; their loss does not fault an instance")
        .missing("track_group must have a name - skipping"),
    Keyword::new("garp_group", &[], "A rate limit of announcements shared by interfaces")
        .block(BlockId::GarpGroup),
    Keyword::new("static_ipaddress", &[], "Addresses present as long as the daemon runs")
        .values(Values::Addresses),
    Keyword::new("static_routes", &[], "Routes present as long as the daemon runs").values(Values::Routes),
    Keyword::new("static_rules", &[], "Policy rules present as long as the daemon runs")
        .values(Values::Rules),
    Keyword::new("linkbeat_interfaces", &[], "Interfaces whose link state is polled")
        .values(Values::Linkbeat)
        .no_effect("link state comes from netlink notifications"),
    Keyword::new("linkbeat_use_polling", &[], "Poll link states")
        .no_effect("link state comes from netlink notifications"),
    Keyword::new("interface_up_down_delays", &[], "How long a link change must last before it counts")
        .values(Values::UpDownDelays),
    Keyword::new("bfd_instance", NAME, "A BFD session").block(BlockId::BfdInstance),
    Keyword::new(
        "virtual_server",
        &[word("ADDRESS|fwmark|group"), word("PORT|MARK|NAME").opt()],
        "A balanced service",
    )
    .block(BlockId::VirtualServer)
    .partial("relayed in user space instead of by kernel IPVS"),
    Keyword::new("virtual_server_group", NAME, "Addresses and marks that share one virtual_server")
        .values(Values::ServerGroup)
        .partial("addresses and ranges only; a firewall mark cannot be listened on"),
    Keyword::new("SSL", &[], "Certificates of SSL_GET checks").block(BlockId::Ssl),
    Keyword::new("net_namespace", NAME, "Network namespace to run in")
        .missing("net_namespace name missing - ignoring"),
    Keyword::new("net_namespace_ipvs", &[word("NAME").opt()], "Network namespace of IPVS")
        .no_effect("IPVS is not used"),
    Keyword::new("namespace_with_ipsets", &[], "Allow ipsets in a namespace of old kernels")
        .no_effect("ipsets are not used"),
    Keyword::new("instance", NAME, "Name added to pid files").missing("instance name missing - ignoring"),
    Keyword::new("use_pid_dir", &[], "Put pid files into a directory of their own"),
    Keyword::new("child_wait_time", &[unsigned("SECONDS")], "How long children may take to stop").strict(),
];
