//! Actions of rules (configuration manual 4.3 and 4.4).

use super::Arg::{Any, Free, Int, OneOf, Opt, Rest};
use super::{Arg, HA, HQ, HR, Keyword, Place, QI, Sides, TC, TQ, TR, TS};

const QUIC_ONLY: &str = "QUIC is not supported";
const MARK: &str = "needs CAP_NET_ADMIN, which a change of user (`user`, `uid`) gives up";
const UNBROKEN: &str = "a name or a value that would break the message fails the rule";
const CACHE: &str = "there is no response cache";
const ALL: Sides = TC | TS | TQ | TR | HQ | HR | HA;
const CALL: &[Arg] = &[Free("(<argument>...)")];
const CALL1: &[Arg] = &[Free("(<argument>...) <value>")];

const fn a(sides: Sides, name: &'static str, args: &'static [Arg], doc: &'static str) -> Keyword {
    Keyword::new(Place::Rule, name, args, "4.4", doc).sides(sides)
}

pub(super) const KEYWORDS: &[Keyword] = &[
    a(QI | TC | TS | TQ | TR, "accept", &[], "accepts and ends the evaluation"),
    a(HQ | HR, "add-acl", CALL1, "adds a pattern to an ACL"),
    a(HQ | HR | HA, "add-header", &[Any("name"), Any("format")], "adds a header"),
    a(
        HQ | HR | HA,
        "add-headers-bin",
        &[Any("expression"), Opt(&[OneOf(&["prefix"]), Any("text")])],
        "adds headers from binary data",
    )
    .partial(UNBROKEN),
    a(HQ | HR | HA, "allow", &[], "ends the evaluation"),
    a(TS, "attach-srv", &[Any("server"), Rest("name")], "gives the connection to a server")
        .refused("connections that servers open are not used; let the servers listen"),
    a(HQ, "auth", &[Opt(&[OneOf(&["realm"]), Any("text")])], "asks for a user and password"),
    a(HR, "cache-store", &[Any("cache")], "stores the response").no_effect(CACHE),
    a(HQ, "cache-use", &[Any("cache")], "answers from a cache").no_effect(CACHE),
    a(
        TQ | HQ | HR | HA,
        "capture",
        &[Any("expression"), OneOf(&["len", "id"]), Int(0, 65535)],
        "captures a value",
    ),
    a(TR, "close", &[], "closes the server side"),
    a(HQ | HR, "del-acl", CALL1, "removes a pattern from an ACL"),
    a(
        HQ | HR | HA,
        "del-header",
        &[Any("name"), Opt(&[OneOf(&["-m"]), OneOf(&["str", "beg", "end", "sub", "reg"])])],
        "removes headers",
    ),
    a(
        HQ | HR | HA,
        "del-headers-bin",
        &[Any("expression"), Opt(&[OneOf(&["-m"]), Any("method")])],
        "removes headers named by binary data",
    ),
    a(HQ | HR | HA, "del-map", CALL1, "removes an entry of a map"),
    a(HQ | HR, "deny", &[Free("[deny_status <n>] [<response>]")], "refuses"),
    a(QI, "dgram-drop", &[], "drops a datagram").no_effect(QUIC_ONLY),
    a(HQ, "disable-l7-retry", &[], "no retry of this request"),
    a(QI | ALL, "do-log", &[Opt(&[OneOf(&["profile"]), Any("name")])], "logs now"),
    a(TQ | HQ, "do-resolve", CALL1, "resolves a name").partial("name servers are asked over UDP only"),
    a(HQ, "early-hint", &[Any("name"), Any("format")], "adds a header to a 103 response"),
    a(TC, "expect-netscaler-cip", &[OneOf(&["layer4"])], "expects NetScaler's header")
        .refused("the NetScaler header is not supported; let the device send the PROXY header"),
    a(TC, "expect-proxy", &[OneOf(&["layer4"])], "expects a PROXY header"),
    a(HQ, "normalize-uri", &[Any("normalizer"), Rest("option")], "brings the URI to a normal form"),
    a(HQ | HR, "pause", &[Any("time")], "waits"),
    a(HQ | HR, "redirect", &[Free("{ location | prefix | scheme } <to> [code <n>] [<option>]")], "redirects"),
    a(QI | TC | TS | TQ | TR | HQ, "reject", &[], "closes the connection"),
    a(
        HQ | HR | HA,
        "replace-header",
        &[Any("name"), Any("regex"), Any("format")],
        "replaces in whole header values",
    ),
    a(HQ, "replace-path", &[Any("regex"), Any("format")], "replaces in the path"),
    a(HQ, "replace-pathq", &[Any("regex"), Any("format")], "replaces in the path with query"),
    a(HQ, "replace-uri", &[Any("regex"), Any("format")], "replaces in the URI"),
    a(
        HQ | HR | HA,
        "replace-value",
        &[Any("name"), Any("regex"), Any("format")],
        "replaces in each value of a header",
    ),
    a(HQ | HR, "return", &[Free("[status <n>] [content-type <t>] [<body>] [hdr <n> <f>]*")], "answers"),
    a(ALL, "sc-add-gpc", CALL1, "adds to a counter"),
    a(ALL, "sc-inc-gpc", CALL, "increments a counter"),
    a(ALL, "sc-inc-gpc0", CALL, "increments the first counter"),
    a(ALL, "sc-inc-gpc1", CALL, "increments the second counter"),
    a(ALL, "sc-set-gpt", CALL1, "sets a tag"),
    a(ALL, "sc-set-gpt0", CALL1, "sets the first tag"),
    a(QI, "send-retry", &[], "sends a Retry packet").no_effect(QUIC_ONLY),
    a(TQ | TR | HQ | HR, "send-spoe-group", &[Any("engine"), Any("group")], "asks an agent")
        .refused("SPOE is not supported; ask agents from the servers, or decide by rules, maps and tables"),
    a(
        TQ | TR | HQ | HR,
        "set-bandwidth-limit",
        &[Any("name"), Free("[limit { <size> | <expr> }] [period { <time> | <expr> }]")],
        "limits the bandwidth",
    ),
    a(TQ | HQ, "set-bc-mark", &[Any("mark")], "marks packets to the server").partial(MARK),
    a(TQ | HQ, "set-bc-tos", &[Any("tos")], "type of service of packets to the server"),
    a(TC | TS | TQ | HQ, "set-dst", &[Any("expression")], "replaces the destination address"),
    a(TC | TS | TQ | HQ, "set-dst-port", &[Any("expression")], "replaces the destination port"),
    a(TC | TS | TQ | TR | HQ | HR, "set-fc-mark", &[Any("mark")], "marks packets to the client")
        .partial(MARK),
    a(TC | TS | TQ | TR | HQ | HR, "set-fc-tos", &[Any("tos")], "type of service of packets to the client"),
    a(HQ | HR | HA, "set-header", &[Any("name"), Any("format")], "replaces a header"),
    a(
        HQ | HR | HA,
        "set-headers-bin",
        &[Any("expression"), Opt(&[OneOf(&["prefix"]), Any("text")])],
        "sets headers from binary data",
    )
    .partial(UNBROKEN),
    a(
        TQ | TR | HQ | HR | HA,
        "set-log-level",
        &[OneOf(&["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug", "silent"])],
        "level of this session's log",
    ),
    a(HQ | HR | HA, "set-map", &[Free("(<map>) <key> <value>")], "sets an entry of a map"),
    a(TC | TS | TQ | TR | HQ | HR, "set-mark", &[Any("mark")], "marks packets (deprecated)").partial(MARK),
    a(HQ, "set-method", &[Any("format")], "replaces the method"),
    a(TQ | TR | HQ | HR, "set-nice", &[Int(-1024, 1024)], "priority of this session")
        .no_effect("sessions are scheduled alike"),
    a(HQ, "set-path", &[Any("format")], "replaces the path"),
    a(HQ, "set-pathq", &[Any("format")], "replaces the path with query"),
    a(TQ | HQ, "set-priority-class", &[Any("expression")], "class in the queue"),
    a(TQ | HQ, "set-priority-offset", &[Any("expression")], "place in the queue"),
    a(HQ, "set-query", &[Any("format")], "replaces the query"),
    a(TQ | HQ, "set-retries", &[Any("expression")], "number of retries").partial("http-request only"),
    a(TC | TS | TQ | HQ, "set-src", &[Any("expression")], "replaces the source address"),
    a(TC | TS | TQ | HQ, "set-src-port", &[Any("expression")], "replaces the source port"),
    a(
        HR | HA,
        "set-status",
        &[Int(100, 999), Opt(&[OneOf(&["reason"]), Any("text")])],
        "replaces the status",
    ),
    a(
        HQ | HR,
        "set-timeout",
        &[
            OneOf(&["server", "tunnel", "client", "connect", "queue", "tarpit"]),
            Any("value"),
            Rest("expression"),
        ],
        "replaces a timeout",
    ),
    a(TC | TS | TQ | TR | HQ | HR, "set-tos", &[Any("tos")], "type of service of packets (deprecated)"),
    a(HQ, "set-uri", &[Any("format")], "replaces the URI"),
    a(ALL, "set-var", CALL1, "sets a variable"),
    a(ALL, "set-var-fmt", CALL1, "sets a variable from a format"),
    a(
        TC | TS | TQ | TR | HQ | HR,
        "silent-drop",
        &[Free("[rst-ttl <n>]")],
        "forgets the connection without telling the client",
    ),
    a(HQ | HR | HA, "strict-mode", &[OneOf(&["on", "off"])], "whether failing rules refuse the message"),
    a(TQ, "switch-mode", &[OneOf(&["http"]), Opt(&[OneOf(&["proto"]), Any("name")])], "continues as HTTP")
        .partial("HTTP/1.1, whatever `proto` says"),
    a(HQ, "tarpit", &[Free("[deny_status <n>] [<response>]")], "refuses after a delay"),
    a(
        TC | TS | TQ | HQ | HR,
        "track-sc0",
        &[Any("key"), Opt(&[OneOf(&["table"]), Any("name")])],
        "tracks a key",
    ),
    a(
        TC | TS | TQ | HQ | HR,
        "track-sc1",
        &[Any("key"), Opt(&[OneOf(&["table"]), Any("name")])],
        "tracks a key",
    ),
    a(
        TC | TS | TQ | HQ | HR,
        "track-sc2",
        &[Any("key"), Opt(&[OneOf(&["table"]), Any("name")])],
        "tracks a key",
    ),
    a(
        TC | TS | TQ | HQ | HR,
        "track-sc",
        &[Any("key"), Opt(&[OneOf(&["table"]), Any("name")])],
        "tracks a key in any counter",
    ),
    a(ALL, "unset-var", CALL, "removes a variable"),
    a(TQ | HQ, "use-service", &[Any("service")], "answers by a service")
        .partial("prometheus-exporter in http-request only"),
    a(
        HQ | HR,
        "wait-for-body",
        &[Free("time <time> [at-least <n>] [use-large-buffer]")],
        "waits for the body",
    )
    .partial("use-large-buffer changes nothing"),
    a(HQ, "wait-for-handshake", &[], "waits for the TLS handshake")
        .no_effect("early data is not accepted, so the handshake is always complete"),
];
