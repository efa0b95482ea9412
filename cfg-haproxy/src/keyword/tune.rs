//! `tune.*` (configuration manual 3.2). Most have no counterpart here: they size structures of HAProxy itself.

use super::Arg::{Any, Digits, Int, OneOf, Rest, Size, Time, Unchecked};
use super::{Arg, Keyword, Place};

const VARIABLES: &str = "variables are bounded by the messages they are made from";
const ON_OFF: &[Arg] = &[OneOf(&["on", "off"])];
const MAX: i64 = i32::MAX as i64;
const COUNT: &[Arg] = &[Int(0, MAX)];
const PERCENT: &[Arg] = &[Int(0, 100)];
const DIGITS: &[Arg] = &[Digits(0, MAX)];
const UNCHECKED: &[Arg] = &[Unchecked(0, MAX)];

const BUFFERS: &str = "buffers are sized and pooled by this program itself";
const ZERO_COPY: &str = "forwarding without copies is chosen by this program itself";
const QUIC: &str = "QUIC is not supported";
const LUA: &str = "Lua is not supported";
const SCHEDULER: &str = "tasks are scheduled by this program's own runtime";
const KERNEL: &str = "the kernel's automatic sizing is used";
const ZLIB: &str = "compression levels and memory are fixed";
const GLITCHES: &str = "what is suspicious is not counted; what is wrong is refused";
const H2: &str = "HTTP/2 is not spoken";
const POOLS: &str = "idle connections belong to one worker";

const fn t(name: &'static str, args: &'static [Arg], doc: &'static str) -> Keyword {
    Keyword::new(Place::Global, name, args, "3.2", doc)
}

const fn q(name: &'static str, args: &'static [Arg], doc: &'static str) -> Keyword {
    t(name, args, doc).no_effect(QUIC)
}

pub(super) const KEYWORDS: &[Keyword] = &[
    t("tune.applet.zero-copy-forwarding", ON_OFF, "zero-copy from applets").no_effect(ZERO_COPY),
    t("tune.buffers.limit", DIGITS, "buffers per process").no_effect(BUFFERS),
    t("tune.buffers.reserve", DIGITS, "buffers kept for emergencies").no_effect(BUFFERS),
    t("tune.bufsize.large", &[Size], "size of large buffers").no_effect(BUFFERS),
    t("tune.bufsize.small", &[Size], "size of small buffers").no_effect(BUFFERS),
    t("tune.chksize", &[Rest("number")], "buffer of health checks").translated("dropped; removed in 2.2"),
    t("tune.cli.max-payload-size", &[Size], "longest payload of a control command")
        .no_effect("payloads are bounded by the size of a command"),
    t("tune.comp.maxlevel", &[Digits(1, 9)], "highest compression level"),
    t("tune.defaults.purge", &[], "forget defaults sections after parsing")
        .no_effect("they are not kept anyway"),
    t("tune.disable-fast-forward", &[], "no fast forwarding").no_effect(ZERO_COPY),
    t("tune.disable-zero-copy-forwarding", &[], "no zero-copy forwarding").no_effect(ZERO_COPY),
    t("tune.epoll.mask-events", &[Any("events")], "ignored poller events").no_effect(SCHEDULER),
    t("tune.events.max-events-at-once", &[Digits(1, 10_000)], "events handled in one round")
        .no_effect(SCHEDULER),
    t("tune.fail-alloc", DIGITS, "failing allocations, for tests")
        .no_effect("only for tests of HAProxy itself"),
    t("tune.fd.edge-triggered", ON_OFF, "edge-triggered polling").no_effect(SCHEDULER),
    t("tune.glitches.kill.cpu-usage", &[Digits(0, 100)], "load above which suspicious peers are cut")
        .no_effect("limits apply at any load"),
    t("tune.h1.be.glitches-threshold", DIGITS, "suspicious events before a server connection is closed")
        .no_effect(GLITCHES),
    t("tune.h1.fe.glitches-threshold", DIGITS, "suspicious events before a client connection is closed")
        .no_effect(GLITCHES),
    t("tune.h1.zero-copy-fwd-recv", ON_OFF, "zero-copy receives").no_effect(ZERO_COPY),
    t("tune.h1.zero-copy-fwd-send", ON_OFF, "zero-copy sends").no_effect(ZERO_COPY),
    t("tune.h2.be.glitches-threshold", DIGITS, "suspicious events before a server connection is closed")
        .no_effect(H2),
    t("tune.h2.be.initial-window-size", DIGITS, "HTTP/2 window towards servers").no_effect(H2),
    t("tune.h2.be.max-concurrent-streams", DIGITS, "HTTP/2 streams per server connection").no_effect(H2),
    t("tune.h2.be.max-frames-at-once", UNCHECKED, "frames handled in one round").no_effect(H2),
    t("tune.h2.be.rxbuf", &[Size], "receive buffer per server connection").no_effect(H2),
    t("tune.h2.fe.glitches-threshold", DIGITS, "suspicious events before a client connection is closed")
        .no_effect(H2),
    t("tune.h2.fe.initial-window-size", DIGITS, "HTTP/2 window towards clients").no_effect(H2),
    t(
        "tune.h2.fe.max-concurrent-streams",
        &[Int(0, MAX), Rest("option")],
        "HTTP/2 streams per client connection",
    )
    .no_effect(H2),
    t("tune.h2.fe.max-frames-at-once", UNCHECKED, "frames handled in one round").no_effect(H2),
    t("tune.h2.fe.max-rst-at-once", UNCHECKED, "resets handled in one round").no_effect(H2),
    t("tune.h2.fe.max-total-streams", DIGITS, "streams before a connection is closed").no_effect(H2),
    t("tune.h2.fe.rxbuf", &[Size], "receive buffer per client connection").no_effect(H2),
    t("tune.h2.header-table-size", COUNT, "HPACK table").no_effect(H2),
    t("tune.h2.initial-window-size", DIGITS, "HTTP/2 window").no_effect(H2),
    t("tune.h2.log-errors", &[OneOf(&["none", "connection", "stream"])], "which HTTP/2 errors are logged")
        .no_effect(H2),
    t("tune.h2.max-concurrent-streams", DIGITS, "HTTP/2 streams per connection").no_effect(H2),
    t("tune.h2.max-frame-size", COUNT, "largest HTTP/2 frame").no_effect(H2),
    t("tune.h2.zero-copy-fwd-send", ON_OFF, "zero-copy sends over HTTP/2").no_effect(ZERO_COPY),
    t("tune.http.cookielen", DIGITS, "longest captured cookie")
        .no_effect("the length in `capture cookie` alone bounds what is captured"),
    t("tune.http.logurilen", DIGITS, "longest logged URI"),
    t("tune.http.maxhdr", &[Digits(1, 32767)], "most headers of a message"),
    t(
        "tune.idle-pool.shared",
        &[OneOf(&["full", "on", "auto", "off"])],
        "share idle connections between threads",
    )
    .no_effect(POOLS),
    t("tune.idletimer", &[Time], "silence after which a stream counts as idle").no_effect(SCHEDULER),
    t(
        "tune.listener.default-shards",
        &[OneOf(&["by-process", "by-thread", "by-group"])],
        "sockets per listener",
    )
    .no_effect(SCHEDULER),
    t("tune.listener.multi-queue", &[OneOf(&["on", "fair", "off"])], "how accepted connections are spread")
        .no_effect(SCHEDULER),
    t("tune.lua.bool-sample-conversion", &[OneOf(&["normal", "pre-3.1-bug"])], "Lua booleans").no_effect(LUA),
    t("tune.lua.burst-timeout", &[Time], "Lua limit").no_effect(LUA),
    t("tune.lua.forced-yield", COUNT, "Lua limit").no_effect(LUA),
    t("tune.lua.log.loggers", ON_OFF, "Lua messages").no_effect(LUA),
    t("tune.lua.log.stderr", &[OneOf(&["on", "auto", "off"])], "Lua messages").no_effect(LUA),
    t("tune.lua.maxmem", COUNT, "Lua limit").no_effect(LUA),
    t("tune.lua.openlibs", &[Any("libs")], "Lua libraries").no_effect(LUA),
    t("tune.lua.service-timeout", &[Time], "Lua limit").no_effect(LUA),
    t("tune.lua.session-timeout", &[Time], "Lua limit").no_effect(LUA),
    t("tune.lua.task-timeout", &[Time], "Lua limit").no_effect(LUA),
    t("tune.max-checks-per-thread", UNCHECKED, "checks a thread starts at once").no_effect(SCHEDULER),
    t("tune.max-rules-at-once", DIGITS, "rules evaluated in one round").no_effect(SCHEDULER),
    t("tune.maxaccept", &[Digits(-1, MAX)], "connections accepted in one round").no_effect(SCHEDULER),
    t("tune.maxpollevents", DIGITS, "events taken in one round").no_effect(SCHEDULER),
    t("tune.maxrewrite", UNCHECKED, "room kept for added headers"),
    t("tune.memory.hot-size", UNCHECKED, "memory cache per thread").no_effect(BUFFERS),
    t("tune.notsent-lowat.client", &[Size], "unsent bytes kept in the kernel towards clients")
        .no_effect(KERNEL),
    t("tune.notsent-lowat.server", &[Size], "unsent bytes kept in the kernel towards servers")
        .no_effect(KERNEL),
    t("tune.pattern.cache-size", DIGITS, "cache of pattern lookups")
        .no_effect("patterns are indexed instead"),
    t("tune.peers.max-updates-at-once", DIGITS, "table updates sent in one round").no_effect(SCHEDULER),
    t("tune.pipesize", &[Size], "size of splicing pipes").no_effect(KERNEL),
    t("tune.pool-high-fd-ratio", &[Digits(0, 100)], "descriptors above which idle connections are closed")
        .no_effect(POOLS),
    t("tune.pool-low-fd-ratio", &[Digits(0, 100)], "descriptors above which idle connections are not shared")
        .no_effect(POOLS),
    t("tune.pt.zero-copy-forwarding", ON_OFF, "zero-copy in TCP mode").no_effect(ZERO_COPY),
    q("tune.quic.be.cc.cubic-min-losses", COUNT, "QUIC congestion control"),
    q("tune.quic.fe.cc.cubic-min-losses", COUNT, "QUIC congestion control"),
    q("tune.quic.cc.cubic.min-losses", COUNT, "QUIC congestion control"),
    q("tune.quic.be.cc.hystart", ON_OFF, "QUIC congestion control"),
    q("tune.quic.fe.cc.hystart", ON_OFF, "QUIC congestion control"),
    q("tune.quic.cc-hystart", ON_OFF, "QUIC congestion control"),
    q("tune.quic.be.cc.max-frame-loss", COUNT, "QUIC congestion control"),
    q("tune.quic.fe.cc.max-frame-loss", COUNT, "QUIC congestion control"),
    q("tune.quic.max-frame-loss", COUNT, "QUIC congestion control"),
    q("tune.quic.be.cc.max-win-size", &[Size], "QUIC congestion control"),
    q("tune.quic.fe.cc.max-win-size", &[Size], "QUIC congestion control"),
    q("tune.quic.frontend.default-max-window-size", &[Size], "QUIC congestion control"),
    q("tune.quic.be.cc.reorder-ratio", PERCENT, "QUIC congestion control"),
    q("tune.quic.fe.cc.reorder-ratio", PERCENT, "QUIC congestion control"),
    q("tune.quic.reorder-ratio", PERCENT, "QUIC congestion control"),
    q("tune.quic.be.max-idle-timeout", &[Time], "QUIC idle time"),
    q("tune.quic.fe.max-idle-timeout", &[Time], "QUIC idle time"),
    q("tune.quic.frontend.max-idle-timeout", &[Time], "QUIC idle time"),
    q("tune.quic.be.sec.glitches-threshold", COUNT, "QUIC suspicious events"),
    q("tune.quic.fe.sec.glitches-threshold", COUNT, "QUIC suspicious events"),
    q("tune.quic.frontend.glitches-threshold", COUNT, "QUIC suspicious events"),
    q("tune.quic.fe.sec.retry-threshold", COUNT, "QUIC retry"),
    q("tune.quic.retry-threshold", COUNT, "QUIC retry"),
    q("tune.quic.fe.sock-per-conn", &[OneOf(&["default-on", "force-off"])], "QUIC sockets"),
    q("tune.quic.socket-owner", &[OneOf(&["connection", "listener"])], "QUIC sockets"),
    q("tune.quic.be.stream.data-ratio", PERCENT, "QUIC streams"),
    q("tune.quic.fe.stream.data-ratio", PERCENT, "QUIC streams"),
    q("tune.quic.frontend.stream-data-ratio", PERCENT, "QUIC streams"),
    q("tune.quic.be.stream.max-concurrent", COUNT, "QUIC streams"),
    q("tune.quic.fe.stream.max-concurrent", COUNT, "QUIC streams"),
    q("tune.quic.fe.stream.max-total", COUNT, "QUIC streams"),
    q("tune.quic.frontend.max-streams-bidi", COUNT, "QUIC streams"),
    q("tune.quic.be.stream.rxbuf", &[Size], "QUIC streams"),
    q("tune.quic.fe.stream.rxbuf", &[Size], "QUIC streams"),
    q("tune.quic.frontend.max-data-size", &[Size], "QUIC streams"),
    q("tune.quic.be.tx.pacing", ON_OFF, "QUIC sending"),
    q("tune.quic.fe.tx.pacing", ON_OFF, "QUIC sending"),
    q("tune.quic.disable-tx-pacing", &[], "QUIC sending"),
    q("tune.quic.be.tx.udp-gso", ON_OFF, "QUIC sending"),
    q("tune.quic.fe.tx.udp-gso", ON_OFF, "QUIC sending"),
    q("tune.quic.disable-udp-gso", &[], "QUIC sending"),
    q("tune.quic.listen", ON_OFF, "QUIC listeners"),
    q("tune.quic.mem.tx-max", &[Size], "QUIC memory"),
    q("tune.quic.frontend.max-tx-mem", &[Size], "QUIC memory"),
    q("tune.quic.zero-copy-fwd-send", ON_OFF, "QUIC sending"),
    t("tune.renice.runtime", &[Int(-20, 19)], "priority of the running process")
        .no_effect("set it in the service unit"),
    t("tune.renice.startup", &[Int(-20, 19)], "priority of the starting process")
        .no_effect("set it in the service unit"),
    t("tune.rcvbuf.backend", &[Size], "receive buffer of datagram servers").no_effect(KERNEL),
    t("tune.rcvbuf.frontend", &[Size], "receive buffer of datagram listeners").no_effect(KERNEL),
    t("tune.rcvbuf.client", &[Size], "receive buffer of client connections").no_effect(KERNEL),
    t("tune.rcvbuf.server", &[Size], "receive buffer of server connections").no_effect(KERNEL),
    t("tune.recv_enough", &[Size], "bytes after which no further read is tried").no_effect(SCHEDULER),
    t("tune.ring.queues", DIGITS, "queues of a ring").no_effect(SCHEDULER),
    t("tune.runqueue-depth", UNCHECKED, "tasks run in one round").no_effect(SCHEDULER),
    t("tune.sched.low-latency", ON_OFF, "prefer latency to throughput").no_effect(SCHEDULER),
    t("tune.sndbuf.backend", &[Size], "send buffer of datagram servers").no_effect(KERNEL),
    t("tune.sndbuf.frontend", &[Size], "send buffer of datagram listeners").no_effect(KERNEL),
    t("tune.sndbuf.client", &[Size], "send buffer of client connections").no_effect(KERNEL),
    t("tune.sndbuf.server", &[Size], "send buffer of server connections").no_effect(KERNEL),
    t("tune.ssl.cachesize", DIGITS, "TLS sessions kept"),
    t("tune.ssl.capture-buffer-size", DIGITS, "bytes of the client hello kept for fetches")
        .no_effect("the client's hello is not kept; `req.ssl_*` in `tcp-request content` sees it"),
    t("tune.ssl.capture-cipherlist-size", DIGITS, "old name of tune.ssl.capture-buffer-size")
        .no_effect("the client's hello is not kept; `req.ssl_*` in `tcp-request content` sees it"),
    t("tune.ssl.certificate-compression", &[OneOf(&["auto", "off"])], "compressed certificates")
        .no_effect("certificates are not compressed"),
    t("tune.ssl.default-dh-param", &[Unchecked(1024, MAX)], "size of Diffie-Hellman parameters")
        .no_effect("the TLS library uses elliptic curves only"),
    t("tune.ssl.force-private-cache", &[], "do not share the session cache")
        .no_effect("there is one process"),
    t("tune.ssl.hard-maxrecord", DIGITS, "largest TLS record")
        .no_effect("records are sized by the TLS library"),
    t("tune.ssl.keylog", ON_OFF, "keep TLS secrets for the keylog fetches")
        .no_effect("secrets are never kept"),
    t("tune.ssl.maxrecord", DIGITS, "largest TLS record at first")
        .no_effect("records are sized by the TLS library"),
    t("tune.ssl.ssl-ctx-cache-size", DIGITS, "generated certificates kept")
        .no_effect("certificates are not generated"),
    t("tune.streams-elasticity", COUNT, "streams per connection under load").no_effect(H2),
    t("tune.stick-counters", &[Int(0, 255)], "number of sc counters")
        .no_effect("every counter that a rule names is there"),
    t(
        "tune.takeover-other-tg-connections",
        &[OneOf(&["none", "restricted", "full"])],
        "idle connections of other groups",
    )
    .no_effect(POOLS),
    t("tune.vars.check-max-size", &[Size], "memory of check variables").no_effect(VARIABLES),
    t("tune.vars.global-max-size", &[Size], "memory of all variables").no_effect(VARIABLES),
    t("tune.vars.proc-max-size", &[Size], "memory of process variables").no_effect(VARIABLES),
    t("tune.vars.reqres-max-size", &[Size], "memory of request and response variables").no_effect(VARIABLES),
    t("tune.vars.sess-max-size", &[Size], "memory of session variables").no_effect(VARIABLES),
    t("tune.vars.txn-max-size", &[Size], "memory of transaction variables").no_effect(VARIABLES),
    t("tune.zlib.memlevel", &[Int(1, 9)], "compression memory").no_effect(ZLIB),
    t("tune.zlib.windowsize", &[Int(8, 15)], "compression window").no_effect(ZLIB),
];
