//! Filters (configuration manual 9), and the sample fetches and converters (7.3) that the registry lacks.
//!
//! An expression that uses one of these is an error: a condition or a log that silently never matches would be worse.

use super::Arg::{Any, Free, Opt, Rest};
use super::{Arg, B, F, Keyword, L, Place};

const FLB: super::Sides = F | L | B;
const PACKET: &str = "packets are not captured (`fc_saved_syn` has none), so there is nothing to take apart";
const CPU: &str = "tasks are not profiled";
const SECRET: &str = "the TLS library gives its secrets to key logs only";
const HELLO: &str =
    "the lists of the client's hello are not kept; `req.ssl_*` in `tcp-request content` sees them";
const TLS: &str = "the TLS library does not tell";
const CHAIN: &str = "the chain of certificates is not kept; the peer's own is in `ssl_c_der` and `ssl_s_der`";
const DISTCC: &str = "there is no decoder of distcc";
const CACHE: &str = "there is no response cache";
const HTX: &str = "it shows a structure inside HAProxy";
const FCGI: &str = "FastCGI is not supported";
const DEVICES: &str = "device detection libraries are not supported; classify by header";

const fn f(name: &'static str, args: &'static [Arg], manual: &'static str, doc: &'static str) -> Keyword {
    Keyword::new(Place::Filter, name, args, manual, doc).sides(FLB)
}

pub(super) const FILTERS: &[Keyword] = &[
    f("bwlim-in", BWLIM, "9.7", "limits the bandwidth of requests").partial(UNCODED),
    f("bwlim-out", BWLIM, "9.7", "limits the bandwidth of responses").partial(UNCODED),
    f("cache", &[Any("name")], "9.4", "where the cache stands among the filters").no_effect(CACHE),
    f("comp-req", &[], "9.2", "where compression of requests stands among the filters")
        .no_effect("the order of filters is fixed"),
    f("comp-res", &[], "9.2", "where compression of responses stands among the filters")
        .no_effect("the order of filters is fixed"),
    f("compression", &[], "9.2", "where compression stands among the filters (deprecated)")
        .no_effect("the order of filters is fixed"),
    f("fcgi-app", &[Any("name")], "9.5", "where a FastCGI application stands among the filters")
        .refused(FCGI),
    f("opentracing", &[Rest("argument")], "9.6", "distributed traces")
        .refused("OpenTracing is not supported; `unique-id-header` and logs join what belongs together"),
    f("spoe", &[Opt(&[Free("engine <name>")]), Free("config <file>")], "9.3", "asks agents about streams")
        .refused("SPOE is not supported; ask agents from the servers, or decide by rules, maps and tables"),
    f("trace", &[Rest("option")], "9.1", "prints what filters see")
        .no_effect("only for tests of HAProxy itself"),
];

const BWLIM: &[Arg] = &[
    Any("name"),
    Free(
        "{ default-limit <size> default-period <time> | limit <size> key <pattern> [table <table>] } [min-size <size>]",
    ),
];
const UNCODED: &str = "bytes count before they are compressed, wherever `filter compression` stands";

const fn s(name: &'static str, manual: &'static str, doc: &'static str, why: &'static str) -> Keyword {
    Keyword::new(Place::Fetch, name, &[], manual, doc).refused(why)
}

const fn v(
    name: &'static str,
    args: &'static [Arg],
    manual: &'static str,
    doc: &'static str,
    why: &'static str,
) -> Keyword {
    Keyword::new(Place::Fetch, name, args, manual, doc).refused(why)
}

pub(super) const FETCHES: &[Keyword] = &[
    v("51d.all", &[Free("(<property>...)")], "7.3.4", "device properties", DEVICES),
    s(
        "be_queue_timeout",
        "7.3.3",
        "the backend's queue timeout",
        "a timeout of the configuration can be written as a number",
    ),
    s(
        "be_tarpit_timeout",
        "7.3.3",
        "the backend's tarpit timeout",
        "a timeout of the configuration can be written as a number",
    ),
    s("bs.debug_str", "7.3.4", "state of the server stream", HTX),
    s("cpu_calls", "7.3.2", "how often the stream's task ran", CPU),
    s("cpu_ns_avg", "7.3.2", "time a run of the stream's task took", CPU),
    s("cpu_ns_tot", "7.3.2", "time all runs of the stream's task took", CPU),
    s("cpu_usage_grp", "7.3.2", "load of the thread group", CPU),
    s("cpu_usage_proc", "7.3.2", "load of the process", CPU),
    s("cpu_usage_thr", "7.3.2", "load of the thread", CPU),
    s("distcc_body", "7.3.5", "body of a distcc token", DISTCC),
    s("distcc_param", "7.3.5", "parameter of a distcc token", DISTCC),
    s("fc_fackets", "7.3.3", "a TCP counter of the client connection", "the kernel no longer counts it"),
    s("fc_saved_syn", "7.3.3", "the client's first packet", "it is not asked for (`tcp-ss`)"),
    s("fcgi.docroot", "10.2", "document root of a FastCGI application", FCGI),
    s("fcgi.index", "10.2", "index script of a FastCGI application", FCGI),
    s(
        "fe_tarpit_timeout",
        "7.3.3",
        "the frontend's tarpit timeout",
        "a timeout of the configuration can be written as a number",
    ),
    s("fs.debug_str", "7.3.4", "state of the client stream", HTX),
    s("internal.htx.data", "7.3.7", "a message buffer", HTX),
    s("internal.htx.free", "7.3.7", "a message buffer", HTX),
    s("internal.htx.free_data", "7.3.7", "a message buffer", HTX),
    s("internal.htx.has_eom", "7.3.7", "a message buffer", HTX),
    s("internal.htx.nbblks", "7.3.7", "a message buffer", HTX),
    s("internal.htx.size", "7.3.7", "a message buffer", HTX),
    s("internal.htx.used", "7.3.7", "a message buffer", HTX),
    s("internal.htx_blk.data", "7.3.7", "a block of a message buffer", HTX),
    s("internal.htx_blk.hdrname", "7.3.7", "a block of a message buffer", HTX),
    s("internal.htx_blk.hdrval", "7.3.7", "a block of a message buffer", HTX),
    s("internal.htx_blk.size", "7.3.7", "a block of a message buffer", HTX),
    s("internal.htx_blk.start_line", "7.3.7", "a block of a message buffer", HTX),
    s("internal.htx_blk.type", "7.3.7", "a block of a message buffer", HTX),
    s("internal.strm.is_htx", "7.3.7", "whether the stream is parsed as HTTP", HTX),
    s("lat_ns_avg", "7.3.2", "time the stream's task waited on average", CPU),
    s("lat_ns_tot", "7.3.2", "time the stream's task waited", CPU),
    s(
        "req.bytes_out",
        "7.3.3",
        "request bytes sent to the server",
        "bytes are counted where they arrive; use `req.bytes_in`",
    ),
    s(
        "res.bytes_out",
        "7.3.3",
        "response bytes sent to the client",
        "bytes are counted where they arrive; use `res.bytes_in`",
    ),
    s("res.cache_hit", "7.3.6", "whether a cache answered", CACHE),
    s("res.cache_name", "7.3.6", "the cache that answered", CACHE),
    s(
        "res.comp",
        "7.3.6",
        "whether the response was compressed",
        "compression comes behind the rules and logs; `res.hdr(content-encoding)` tells that of the server",
    ),
    s(
        "res.comp_algo",
        "7.3.6",
        "how the response was compressed",
        "compression comes behind the rules and logs; `res.hdr(content-encoding)` tells that of the server",
    ),
    s("sc1_clr_gpc", "7.3.3", "reads and clears a counter", "`sc_clr_gpc(<i>,1)` does the same"),
    s(
        "spoe.engine-id",
        "7.3.2",
        "identity of an SPOE engine",
        "SPOE is not supported; ask agents from the servers, or decide by rules, maps and tables",
    ),
    s("ssl_bc_client_early_traffic_secret", "7.3.4", "a secret of the server's TLS session", SECRET),
    s("ssl_bc_client_handshake_traffic_secret", "7.3.4", "a secret of the server's TLS session", SECRET),
    s("ssl_bc_client_traffic_secret_0", "7.3.4", "a secret of the server's TLS session", SECRET),
    s("ssl_bc_curve", "7.3.4", "key exchange group towards the server", TLS),
    s("ssl_bc_early_exporter_secret", "7.3.4", "a secret of the server's TLS session", SECRET),
    s("ssl_bc_exporter_secret", "7.3.4", "a secret of the server's TLS session", SECRET),
    s("ssl_bc_server_handshake_traffic_secret", "7.3.4", "a secret of the server's TLS session", SECRET),
    s("ssl_bc_server_traffic_secret_0", "7.3.4", "a secret of the server's TLS session", SECRET),
    s("ssl_bc_session_key", "7.3.4", "master key of the server's TLS session", SECRET),
    s("ssl_c_chain_der", "7.3.4", "the client's certificates", CHAIN),
    s("ssl_c_r_dn", "7.3.4", "subject of the client's root certificate", CHAIN),
    s(
        "ssl_c_san",
        "7.3.4",
        "alternative names of the client's certificate",
        "alternative names are not taken apart; use `ssl_c_s_dn(CN)` or `ssl_c_der`",
    ),
    s("ssl_fc_cipherlist_bin", "7.3.4", "ciphers the client offered", HELLO),
    s("ssl_fc_cipherlist_hex", "7.3.4", "ciphers the client offered", HELLO),
    s("ssl_fc_cipherlist_str", "7.3.4", "ciphers the client offered", HELLO),
    s("ssl_fc_cipherlist_xxh", "7.3.4", "hash of the ciphers the client offered", HELLO),
    s("ssl_fc_client_early_traffic_secret", "7.3.4", "a secret of the client's TLS session", SECRET),
    s("ssl_fc_client_handshake_traffic_secret", "7.3.4", "a secret of the client's TLS session", SECRET),
    s("ssl_fc_client_traffic_secret_0", "7.3.4", "a secret of the client's TLS session", SECRET),
    s(
        "ssl_fc_crtname",
        "7.3.4",
        "name of the certificate that was presented",
        "the name of the file is not kept; `ssl_fc_sni` tells which certificate was asked for",
    ),
    s("ssl_fc_curve", "7.3.4", "key exchange group towards the client", TLS),
    s("ssl_fc_early_exporter_secret", "7.3.4", "a secret of the client's TLS session", SECRET),
    s("ssl_fc_early_rcvd", "7.3.4", "whether early data came", "early data is not accepted"),
    s("ssl_fc_ecformats_bin", "7.3.4", "point formats the client offered", HELLO),
    s("ssl_fc_eclist_bin", "7.3.4", "groups the client offered", HELLO),
    s("ssl_fc_exporter_secret", "7.3.4", "a secret of the client's TLS session", SECRET),
    s("ssl_fc_extlist_bin", "7.3.4", "extensions of the client's hello", HELLO),
    s("ssl_fc_protocol_hello_id", "7.3.4", "version the client offered", HELLO),
    s("ssl_fc_server_handshake_traffic_secret", "7.3.4", "a secret of the client's TLS session", SECRET),
    s("ssl_fc_server_traffic_secret_0", "7.3.4", "a secret of the client's TLS session", SECRET),
    s("ssl_fc_session_key", "7.3.4", "master key of the client's TLS session", SECRET),
    s("ssl_fc_sigalgs_bin", "7.3.4", "signatures the client offered", HELLO),
    s("ssl_fc_supported_versions_bin", "7.3.4", "versions the client offered", HELLO),
    s("ssl_s_chain_der", "7.3.4", "the server's certificates", CHAIN),
    s("term_events", "7.3.2", "how both sides ended", HTX),
];

const fn c(name: &'static str, args: &'static [Arg], doc: &'static str, why: &'static str) -> Keyword {
    Keyword::new(Place::Converter, name, args, "7.3.1", doc).refused(why)
}

pub(super) const CONVERTERS: &[Keyword] = &[
    c("51d.single", &[Free("(<property>...)")], "device properties", DEVICES),
    c(
        "capture-req",
        &[Free("(<id>)")],
        "keeps a value in a capture",
        "use `http-request capture ... id <id>`",
    ),
    c(
        "capture-res",
        &[Free("(<id>)")],
        "keeps a value in a capture",
        "use `http-response capture ... id <id>`",
    ),
    c("eth.data", &[], "part of an Ethernet frame", PACKET),
    c("eth.dst", &[], "part of an Ethernet frame", PACKET),
    c("eth.hdr", &[], "part of an Ethernet frame", PACKET),
    c("eth.proto", &[], "part of an Ethernet frame", PACKET),
    c("eth.src", &[], "part of an Ethernet frame", PACKET),
    c("eth.vlan", &[], "part of an Ethernet frame", PACKET),
    c("ip.data", &[], "part of an IP packet", PACKET),
    c("ip.df", &[], "part of an IP packet", PACKET),
    c("ip.dst", &[], "part of an IP packet", PACKET),
    c("ip.fp", &[Free("([<mode>])")], "fingerprint of a first packet", PACKET),
    c("ip.hdr", &[], "part of an IP packet", PACKET),
    c("ip.proto", &[], "part of an IP packet", PACKET),
    c("ip.src", &[], "part of an IP packet", PACKET),
    c("ip.tos", &[], "part of an IP packet", PACKET),
    c("ip.ttl", &[], "part of an IP packet", PACKET),
    c("ip.ver", &[], "part of an IP packet", PACKET),
    c("tcp.dst", &[], "part of a TCP header", PACKET),
    c("tcp.flags", &[], "part of a TCP header", PACKET),
    c("tcp.options.mss", &[], "part of a TCP header", PACKET),
    c("tcp.options.sack", &[], "part of a TCP header", PACKET),
    c("tcp.options.tsopt", &[], "part of a TCP header", PACKET),
    c("tcp.options.tsval", &[], "part of a TCP header", PACKET),
    c("tcp.options.wscale", &[], "part of a TCP header", PACKET),
    c("tcp.options.wsopt", &[], "part of a TCP header", PACKET),
    c("tcp.options_list", &[], "part of a TCP header", PACKET),
    c("tcp.seq", &[], "part of a TCP header", PACKET),
    c("tcp.src", &[], "part of a TCP header", PACKET),
    c("tcp.win", &[], "part of a TCP header", PACKET),
];
