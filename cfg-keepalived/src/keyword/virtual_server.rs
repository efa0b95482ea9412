//! `virtual_server`, `real_server`, `SSL`.

use super::arg::{Arg, LONGEST, SCRIPT, boolean, int, one_of, seconds_arg, unsigned, word};
use super::{BlockId, Keyword};

const OPT_BOOL: &[Arg] = &[boolean().opt()];
const TIMER: &[Arg] = &[seconds_arg(0, u64::MAX)];
const POSITIVE_TIMER: &[Arg] = &[seconds_arg(1, u64::MAX)];
const CONNECT: &[Arg] = &[seconds_arg(1, LONGEST)];
const RETRY: &[Arg] = &[int("COUNT", 1, u32::MAX as i64)];
const FORWARDING: &[Arg] = &[one_of(&["NAT", "DR", "TUN"]), word("OPTION").opt().many()];
const SCHEDULER: &[Arg] =
    &[word("rr|wrr|lc|wlc|lblc|sh|mh|dh|fo|ovf|lblcr|sed|nq|twos"), word("FLAG").opt().many()];
const NAME: &[Arg] = &[word("NAME")];
const NO_IPVS: &str = "IPVS is not used; virtual servers are relayed in user space";
const RELAYED: &str =
    "connections are relayed whatever the method: servers see this host's address and answer it";
const NO_SNMP: &str = "there is no SNMP agent";

pub(super) const VIRTUAL_SERVER: &[Keyword] = &[
    Keyword::new(
        "lvs_sched",
        SCHEDULER,
        "Balancing algorithm; lblc and lblcr are wlc, as one service has one destination",
    ),
    Keyword::new("lb_algo", SCHEDULER, "Balancing algorithm, by its old name"),
    Keyword::new("hashed", &[], "Use a hashed algorithm's flag").no_effect(NO_IPVS),
    Keyword::new("ops", &[], "One packet per connection: each datagram may go to another server"),
    Keyword::new("flag-1", &[], "First flag of the algorithm").no_effect(NO_IPVS),
    Keyword::new("flag-2", &[], "Second flag of the algorithm").no_effect(NO_IPVS),
    Keyword::new("flag-3", &[], "Third flag of the algorithm").no_effect(NO_IPVS),
    Keyword::new("sh-port", &[], "The source hash covers the port").idle("the hash covers the address alone"),
    Keyword::new("sh-fallback", &[], "The source hash skips dead servers")
        .idle("a dead server is always skipped"),
    Keyword::new("mh-port", &[], "The Maglev hash covers the port").idle("the hash covers the address alone"),
    Keyword::new("mh-fallback", &[], "The Maglev hash skips dead servers")
        .idle("a dead server is always skipped"),
    Keyword::new("lvs_method", FORWARDING, "Forwarding method")
        .partial(RELAYED)
        .complain("PARSER : unknown [{value}] routing method for virtual server."),
    Keyword::new("lb_kind", FORWARDING, "Forwarding method, by its old name")
        .partial(RELAYED)
        .complain("PARSER : unknown [{value}] routing method for virtual server."),
    Keyword::new("persistence_engine", NAME, "How clients are recognised").partial("by source address"),
    Keyword::new(
        "persistence_timeout",
        &[int("SECONDS", 1, 2_678_400).opt()],
        "How long a client keeps its server",
    )
    .complain("persistence_timeout invalid")
    .strict(),
    Keyword::new("persistence_granularity", &[word("NETMASK|LENGTH")], "Which clients count as one"),
    Keyword::new("protocol", &[one_of(&["TCP", "UDP", "SCTP"])], "Transport protocol")
        .complain("Unknown protocol {value} - ignoring"),
    Keyword::new("ha_suspend", &[], "No checks while this host does not hold the address")
        .idle("checks go on whoever holds the address"),
    Keyword::new("smtp_alert", OPT_BOOL, "Mail changes of servers")
        .complain("Invalid virtual_server smtp_alert parameter {value}"),
    Keyword::new("virtualhost", NAME, "Host name of HTTP checks")
        .missing("virtual server virtualhost missing"),
    Keyword::new("snmp_name", NAME, "Name in the MIB")
        .missing("virtual server snmp_name missing or extra parameters")
        .exact()
        .no_effect(NO_SNMP),
    Keyword::new("alpha", &[], "Servers are down until checked"),
    Keyword::new("omega", &[], "Notify on the stop, too"),
    Keyword::new("quorum", &[int("WEIGHT", 1, u32::MAX as i64)], "Live weight the service needs")
        .complain("Quorum {value} must be in [1, 4294967295]. Setting to 1."),
    Keyword::new("hysteresis", &[unsigned("WEIGHT")], "How far from the quorum before it counts")
        .complain("Hysteresis {value} must be in [0, 4294967295] - ignoring"),
    Keyword::new("quorum_up", SCRIPT, "Run when the quorum is reached"),
    Keyword::new("quorum_down", SCRIPT, "Run when it is lost"),
    Keyword::new("weight", &[int("WEIGHT", 1, i32::MAX as i64)], "Weight of servers that name none")
        .complain("Virtual server weight {value} is outside range 1-2147483647"),
    Keyword::new("ip_family", &[one_of(&["inet", "inet6"])], "Address family")
        .complain("unknown address family {value}"),
    Keyword::new("sorry_server", &[word("ADDRESS"), word("PORT").opt()], "Server when no other is left"),
    Keyword::new("sorry_server_inhibit", &[], "Keep it at weight 0"),
    Keyword::new("sorry_server_lvs_method", FORWARDING, "Forwarding method to it")
        .missing("sorry_server forwarding used without sorry_server")
        .no_effect(NO_IPVS),
    Keyword::new("connect_timeout", CONNECT, "Patience of checks")
        .complain("virtual server connect_timeout {value} invalid - ignoring"),
    Keyword::new("retry", RETRY, "Tries before a check fails")
        .complain("retry value invalid - {value}")
        .strict(),
    Keyword::new("delay_before_retry", TIMER, "Time between tries")
        .complain("virtual server delay before retry '{value}' invalid - ignoring"),
    Keyword::new("warmup", TIMER, "Random delay of the first check")
        .complain("virtual server warmup '{value}' invalid - ignoring"),
    Keyword::new("delay_loop", POSITIVE_TIMER, "Time between checks")
        .complain("virtual server delay loop '{value}' invalid - ignoring"),
    Keyword::new("inhibit_on_failure", &[], "A failed server keeps its connections, at weight 0"),
    Keyword::new("real_server", &[word("ADDRESS"), word("PORT").opt()], "One server")
        .block(BlockId::RealServer),
];

pub(super) const REAL_SERVER: &[Keyword] = &[
    Keyword::new("weight", &[int("WEIGHT", 0, i32::MAX as i64)], "Share of the load")
        .complain("Real server weight {value} is outside range 0-2147483647"),
    Keyword::new("lvs_method", FORWARDING, "Forwarding method")
        .partial(RELAYED)
        .complain("PARSER : unknown [{value}] routing method for real server."),
    Keyword::new("uthreshold", &[unsigned("COUNT")], "Most connections")
        .complain("Invalid real_server uthreshold '{value}' - ignoring"),
    Keyword::new("lthreshold", &[unsigned("COUNT")], "Connections below which it takes new ones again")
        .complain("Invalid real_server lthreshold '{value}' - ignoring")
        .idle("a server takes clients again as soon as it has room"),
    Keyword::new("inhibit_on_failure", OPT_BOOL, "A failed server keeps its connections, at weight 0")
        .complain("Invalid inhibit_on_failure parameter {value}"),
    Keyword::new("notify_up", SCRIPT, "Run when it is up").first_wins(),
    Keyword::new("notify_down", SCRIPT, "Run when it is down").first_wins(),
    Keyword::new("alpha", OPT_BOOL, "Down until checked")
        .complain("Invalid real server alpha parameter {value}"),
    Keyword::new("retry", RETRY, "Tries before a check fails")
        .complain("real server retry value invalid - {value}"),
    Keyword::new("delay_before_retry", TIMER, "Time between tries")
        .complain("real server delay before retry '{value}' invalid - ignoring"),
    Keyword::new("warmup", TIMER, "Random delay of the first check")
        .complain("real server warmup '{value}' invalid - ignoring"),
    Keyword::new("connect_timeout", CONNECT, "Patience of checks")
        .complain("real server connect_timeout {value} invalid - ignoring"),
    Keyword::new("delay_loop", POSITIVE_TIMER, "Time between checks")
        .complain("real server delay loop '{value}' invalid - ignoring"),
    Keyword::new("smtp_alert", OPT_BOOL, "Mail its changes")
        .complain("Invalid real_server smtp_alert parameter {value}"),
    Keyword::new("virtualhost", NAME, "Host name of HTTP checks").missing("real server virtualhost missing"),
    Keyword::new("snmp_name", NAME, "Name in the MIB")
        .missing("real server snmp_name missing or extra parameters")
        .exact()
        .no_effect(NO_SNMP),
    Keyword::new("HTTP_GET", &[], "Check by an HTTP request").block(BlockId::HttpGet),
    Keyword::new("SSL_GET", &[], "Check by an HTTPS request").block(BlockId::HttpGet),
    Keyword::new("TCP_CHECK", &[], "Check by a connection").block(BlockId::TcpCheck),
    Keyword::new("SMTP_CHECK", &[], "Check by an SMTP dialogue").block(BlockId::SmtpCheck),
    Keyword::new("DNS_CHECK", &[], "Check by a DNS query").block(BlockId::DnsCheck),
    Keyword::new("MISC_CHECK", &[], "Check by a script").block(BlockId::MiscCheck),
    Keyword::new("PING_CHECK", &[], "Check by an echo request").block(BlockId::PingCheck),
    Keyword::new("UDP_CHECK", &[], "Check by a datagram").block(BlockId::UdpCheck),
    Keyword::new("FILE_CHECK", &[], "Check by a number in a file")
        .block(BlockId::FileCheck)
        .partial("the file is read every second"),
    Keyword::new("BFD_CHECK", &[], "Check by a BFD session")
        .block(BlockId::BfdCheck)
        .partial("the session is looked at every 200 ms"),
];

pub(super) const SSL: &[Keyword] = &[
    Keyword::new("password", &[word("PASSWORD")], "Password of the key")
        .missing("SSL password missing")
        .idle("SSL_GET shows no certificate and checks none"),
    Keyword::new("ca", &[word("PATH")], "Certificate authorities")
        .missing("SSL cafile missing")
        .idle("SSL_GET shows no certificate and checks none"),
    Keyword::new("certificate", &[word("PATH")], "Client certificate")
        .missing("SSL certfile missing")
        .idle("SSL_GET shows no certificate and checks none"),
    Keyword::new("key", &[word("PATH")], "Its key")
        .missing("SSL keyfile missing")
        .idle("SSL_GET shows no certificate and checks none"),
];
