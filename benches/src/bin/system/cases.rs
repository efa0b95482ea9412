//! What is measured.

/// One case.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) kind: Kind,
    /// Client connections.
    pub(crate) connections: usize,
    /// Bytes of each answer.
    pub(crate) answer: usize,
    /// Bytes of each request's body.
    pub(crate) body: usize,
}

/// How the load goes about it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Requests on connections that stay open.
    Http,
    /// With rules, a browser's header and a log.
    Real,
    /// A new connection per request.
    Close,
    /// The same, with server connections shared by all.
    CloseReuse,
    /// Messages there and back in `mode tcp`.
    Ping,
    /// HTTP answers in `mode tcp`.
    Bulk,
    /// Connections that do nothing after one request.
    Idle,
    /// Start with 1,000 backends of 20 servers.
    Start,
    /// A new TLS connection per request.
    Tls(Tls),
    /// Half of the clients keep their connections, and the configuration is loaded anew several times.
    Reload,
    /// A new server connection per request, chosen among so many.
    Choose { servers: usize, algorithm: &'static str },
}

/// How a connection is encrypted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tls {
    /// The server's certificate with its key.
    pub(crate) certificate: &'static str,
    /// Sessions are resumed.
    pub(crate) resumed: bool,
}

const RSA: &str = include_str!("../../../certs/rsa.pem");
const ECDSA: &str = include_str!("../../../certs/ecdsa.pem");

const fn tls(name: &'static str, about: &'static str, certificate: &'static str, resumed: bool) -> Case {
    case(name, about, Kind::Tls(Tls { certificate, resumed }), 16)
}

const fn case(name: &'static str, about: &'static str, kind: Kind, connections: usize) -> Case {
    Case { name, about, kind, connections, answer: 1024, body: 0 }
}

const fn choose(name: &'static str, algorithm: &'static str, servers: usize) -> Case {
    case(name, "a new server connection per request", Kind::Choose { servers, algorithm }, 64)
}

/// All cases.
pub(crate) const CASES: &[Case] = &[
    case("http_ka", "HTTP keep-alive, 1 KiB, 64 connections", Kind::Http, 64),
    case("http_ka_1", "the same on one connection", Kind::Http, 1),
    case("http_ka_1000", "the same on 1,000 connections", Kind::Http, 1000),
    case("http_real", "10 ACLs, forwardfor, set-header, cookies, httplog to UDP", Kind::Real, 64),
    Case { body: 4096, ..case("http_post", "POST of 4 KiB", Kind::Http, 64) },
    Case { answer: 16_384, ..case("http_16k", "answers of 16 KiB", Kind::Http, 64) },
    Case { answer: 1 << 20, ..case("http_bulk", "answers of 1 MiB", Kind::Http, 8) },
    case("http_close", "a new client connection per request", Kind::Close, 64),
    case("http_close_reuse", "the same with `http-reuse always`", Kind::CloseReuse, 64),
    case("tcp_ping", "mode tcp, 1 KiB there and back", Kind::Ping, 64),
    Case { answer: 1 << 20, ..case("tcp_bulk", "mode tcp, answers of 1 MiB", Kind::Bulk, 8) },
    tls("tls_full_rsa", "a new TLS 1.3 connection per request, RSA-2048", RSA, false),
    tls("tls_full_ecdsa", "the same with ECDSA P-256", ECDSA, false),
    tls("tls_res_rsa", "the same with RSA-2048 and resumed sessions", RSA, true),
    case("reload", "five reloads while 64 clients ask, half of them on kept connections", Kind::Reload, 64),
    case("mem_idle", "memory per idle connection, after one request on each", Kind::Idle, 9000),
    case("start", "start with 1,000 backends of 20 servers", Kind::Start, 0),
    choose("roundrobin_2", "roundrobin", 2),
    choose("roundrobin_10000", "roundrobin", 10_000),
    choose("leastconn_2", "leastconn", 2),
    choose("leastconn_10000", "leastconn", 10_000),
];
