//! `option ...` (configuration manual 4.2).

use super::Arg::{Any, Free, OneOf, Opt, Rest, Unchecked};
use super::{Arg, B, D, F, Keyword, L, Place, Sides};

const DFLB: Sides = D | F | L | B;
const DFL: Sides = D | F | L;
const DLB: Sides = D | L | B;

const SPLICE: &str = "splicing is chosen by this program itself";

/// An option that `no` and `default` may precede.
const fn n(sides: Sides, name: &'static str, doc: &'static str) -> Keyword {
    o(sides, name, &[], doc).negatable()
}

const fn o(sides: Sides, name: &'static str, args: &'static [Arg], doc: &'static str) -> Keyword {
    Keyword::new(Place::Option, name, args, "4.2", doc).sides(sides)
}

const fn old(name: &'static str, doc: &'static str, to: &'static str) -> Keyword {
    o(DFLB, name, &[Rest("argument")], doc).negatable().translated(to)
}

pub(super) const KEYWORDS: &[Keyword] = &[
    n(DFLB, "abortonclose", "abort queued requests of clients that left").partial("HTTP mode only"),
    n(DFL, "accept-unsafe-violations-in-http-request", "relaxes request parsing"),
    n(DLB, "accept-unsafe-violations-in-http-response", "relaxes response parsing"),
    n(DLB, "allbackups", "uses all backup servers at once"),
    n(DLB, "checkcache", "refuses cacheable responses with cookies")
        .no_effect("responses are not looked at for this; `http-response deny` rules can do it"),
    n(DFL, "clitcpka", "keepalive probes to clients"),
    n(DFL, "contstats", "count bytes while a session runs")
        .no_effect("bytes are always counted while a session runs"),
    n(DFL, "disable-h2-upgrade", "no upgrade from HTTP/1 to HTTP/2").no_effect("HTTP/2 is not spoken"),
    n(DFL, "dontlog-normal", "log only what went wrong"),
    n(DFL, "dontlognull", "no log of connections without data"),
    o(DLB, "external-check", &[], "checks servers by a program"),
    o(DFLB, "forwardfor", &[Free("[except <network>] [header <name>] [if-none]")], "adds X-Forwarded-For"),
    o(
        DLB,
        "forwarded",
        &[Free(
            "[proto] [host | host-expr <e>] [by | by-expr <e>] [by_port | by_port-expr <e>] \
        [for | for-expr <e>] [for_port | for_port-expr <e>]",
        )],
        "adds the Forwarded header of RFC 7239",
    )
    .negatable(),
    n(DFL, "h1-case-adjust-bogus-client", "adjusts the case of header names for clients"),
    n(DLB, "h1-case-adjust-bogus-server", "adjusts the case of header names for servers"),
    n(DFLB, "http-buffer-request", "waits for the body before choosing a server"),
    n(D | B, "http-drop-request-trailers", "drops trailers of requests").no_effect("trailers are passed on"),
    n(D | L | F, "http-drop-response-trailers", "drops trailers of responses")
        .no_effect("trailers are passed on"),
    n(DFL, "http-ignore-probes", "no error for connections without a request"),
    n(DFLB, "http-keep-alive", "keeps connections on both sides"),
    n(DFLB, "http-no-delay", "sends every byte at once")
        .no_effect("what there is to send is always sent at once"),
    n(DLB, "http-pretend-keepalive", "hides from servers that the connection will be closed"),
    o(
        DFLB,
        "http-restrict-req-hdr-names",
        &[OneOf(&["preserve", "delete", "reject"])],
        "header names with unusual characters",
    ),
    n(DFLB, "http-server-close", "closes the server side after a response"),
    n(DFL, "http-use-proxy-header", "requests with an absolute target authenticate to a proxy"),
    o(
        DLB,
        "httpchk",
        &[Opt(&[Any("uri-or-method")]), Opt(&[Any("uri")]), Opt(&[Any("version")]), Opt(&[Any("host")])],
        "checks servers by HTTP",
    )
    .ignores_more(),
    n(DFLB, "httpclose", "closes both sides after a response"),
    o(DFL, "httplog", &[Opt(&[OneOf(&["clf"])])], "logs requests"),
    o(DFL, "httpslog", &[], "logs requests with TLS details"),
    n(DFL, "idle-close-on-response", "keeps idle connections while stopping")
        .no_effect("idle connections are closed at once when stopping"),
    n(DFLB, "independent-streams", "counts silence of each direction alone")
        .no_effect("silence counts when both directions are silent"),
    o(DLB, "ldap-check", &[], "checks servers by LDAP"),
    n(DLB, "log-health-checks", "logs changes of check results"),
    n(DFL, "log-separate-errors", "logs failures at a higher level"),
    n(DFL, "logasap", "logs before the response is complete"),
    o(DLB, "mysql-check", &[Free("[user <name> [post-41 | pre-41]]")], "checks servers by MySQL"),
    n(DFLB, "nolinger", "closes with a reset"),
    o(DFLB, "originalto", &[Free("[except <network>] [header <name>]")], "adds X-Original-To"),
    n(DLB, "persist", "sends to the persistent server even if it is down"),
    o(DLB, "pgsql-check", &[OneOf(&["user"]), Any("name")], "checks servers by PostgreSQL"),
    n(DLB, "prefer-last-server", "reuses the last server"),
    o(
        DLB,
        "redispatch",
        &[Opt(&[Unchecked(i32::MIN as i64, i32::MAX as i64)])],
        "tries another server when connecting fails",
    )
    .negatable(),
    o(DLB, "redis-check", &[], "checks servers by Redis"),
    o(DLB, "smtpchk", &[Opt(&[Any("hello")]), Opt(&[Any("domain")])], "checks servers by SMTP"),
    n(DFL, "socket-stats", "counts each listener")
        .no_effect("proxies and servers are counted, their listeners together"),
    n(DFLB, "splice-auto", "splice when useful").no_effect(SPLICE),
    n(DFLB, "splice-request", "splice requests").no_effect(SPLICE),
    n(DFLB, "splice-response", "splice responses").no_effect(SPLICE),
    o(DLB, "spop-check", &[], "checks servers by SPOP"),
    n(DLB, "srvtcpka", "keepalive probes to servers"),
    o(DLB, "ssl-hello-chk", &[], "checks servers by an SSLv3 hello"),
    o(DLB, "tcp-check", &[], "checks servers by a script"),
    n(DFL, "tcp-smart-accept", "delays the kernel's acknowledgement"),
    n(DLB, "tcp-smart-connect", "delays the kernel's acknowledgement")
        .no_effect("acknowledgements are left to the kernel"),
    o(DFLB, "tcpka", &[], "keepalive probes on both sides"),
    o(DFL, "tcplog", &[Opt(&[OneOf(&["clf"])])], "logs connections"),
    n(DLB, "transparent", "connects to the address the client wanted (deprecated)"),
    o(DLB, "use-small-buffers", &[Rest("use")], "small buffers where possible")
        .negatable()
        .no_effect("buffers are sized and pooled by this program itself"),
    old(
        "accept-invalid-http-request",
        "relaxes request parsing",
        "option accept-unsafe-violations-in-http-request",
    ),
    old(
        "accept-invalid-http-response",
        "relaxes response parsing",
        "option accept-unsafe-violations-in-http-response",
    ),
    old("forceclose", "closes both sides", "option httpclose"),
    old("http-tunnel", "no analysis after the first request", "dropped; use mode tcp if it is needed"),
    old("http-use-htx", "the present HTTP engine", "dropped; there is one engine"),
    old(
        "http_proxy",
        "forwards to the requested host",
        "`http-request set-dst url_ip` and a server `0.0.0.0:0`",
    ),
    old("independant-streams", "counts silence of each direction alone", "option independent-streams"),
];
