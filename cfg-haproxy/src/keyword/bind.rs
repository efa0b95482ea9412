//! Words of `bind` lines (configuration manual 5.1).

use super::Arg::{Any, Digits, Int, OneOf, Opt, Rest, Time, Unchecked};
use super::{Arg, Keyword, Place};

const WORD: &[Arg] = &[Any("text")];
const MAX: i64 = i32::MAX as i64;
const DIGITS: &[Arg] = &[Digits(0, MAX)];
const UNCHECKED: &[Arg] = &[Unchecked(0, MAX)];
const SIGALGS: &str = "signature algorithms are those of the TLS library";
const OLD_TLS: &str = "the TLS library offers TLS 1.2 and 1.3 only";
const GENERATE: &str = "certificates are not generated on the fly";

const IGNORED: &str = "client certificates are verified without exceptions";

const fn b(name: &'static str, args: &'static [Arg], doc: &'static str) -> Keyword {
    Keyword::new(Place::Bind, name, args, "5.1", doc)
}

pub(super) const KEYWORDS: &[Keyword] = &[
    b("accept-netscaler-cip", &[Int(0, u32::MAX as i64)], "expects NetScaler's client address header")
        .refused("the NetScaler header is not supported; use accept-proxy"),
    b("accept-proxy", &[], "expects a PROXY header"),
    b("allow-0rtt", &[], "accepts early data").no_effect("early data is not offered"),
    b("alpn", WORD, "protocols offered by ALPN").partial(super::HTTP_2),
    b("backlog", DIGITS, "connections the kernel queues"),
    b("ca-file", WORD, "CAs that client certificates are checked with"),
    b("ca-ignore-err", WORD, "errors of CA certificates to ignore").no_effect(IGNORED),
    b("ca-sign-file", WORD, "CA that signs generated certificates").no_effect(GENERATE),
    b("ca-sign-pass", WORD, "passphrase of that CA").no_effect(GENERATE),
    b("ca-verify-file", WORD, "CAs not announced to clients")
        .no_effect("clients are verified by the certificates of `ca-file` alone"),
    b("cc", WORD, "congestion control algorithm")
        .no_effect("the system's congestion control is used (`net.ipv4.tcp_congestion_control`)"),
    b("ciphers", WORD, "ciphers up to TLS 1.2")
        .partial("names the TLS library does not have are dropped with one warning"),
    b("ciphersuites", WORD, "cipher suites of TLS 1.3").partial(super::SUITES),
    b("client-sigalgs", WORD, "signatures accepted from clients").no_effect(SIGALGS),
    b("crl-file", WORD, "revoked client certificates"),
    b("crt", WORD, "certificate and key, or a directory of them"),
    b("crt-ignore-err", WORD, "errors of client certificates to ignore").no_effect(IGNORED),
    b("crt-list", WORD, "list of certificates with options")
        .partial("of the options of single certificates `key` and `jwt` count, others are left out with one warning; `verify`, `ca-file` and `crl-file` there are errors"),
    b("curves", WORD, "key exchange groups").partial(super::CURVES),
    b("default-crt", WORD, "certificate without matching name"),
    b("defer-accept", &[], "accept when data has arrived"),
    b("ecdhe", WORD, "key exchange group (old name of curves)").partial(super::CURVES),
    b("ech", WORD, "encrypted client hello")
        .refused("encrypted client hello is not supported; leave it out, clients fall back"),
    b("expose-fd", &[OneOf(&["listeners"])], "passes listeners to another process"),
    b("force-sslv3", &[], "SSLv3 only").refused(OLD_TLS),
    b("force-tlsv10", &[], "TLS 1.0 only").refused(OLD_TLS),
    b("force-tlsv11", &[], "TLS 1.1 only").refused(OLD_TLS),
    b("force-tlsv12", &[], "TLS 1.2 only"),
    b("force-tlsv13", &[], "TLS 1.3 only"),
    b("generate-certificates", &[], "certificates made for any name").refused(GENERATE),
    b("gid", UNCHECKED, "group of a unix socket, by number"),
    b("group", WORD, "group of a unix socket"),
    b("guid-prefix", WORD, "names that survive changes").no_effect("listeners have no counters of their own"),
    b("id", &[Digits(1, MAX)], "number of the listener"),
    b("idle-ping", &[Time], "probes idle HTTP/2 connections").no_effect("idle connections are not probed"),
    b("interface", WORD, "network interface"),
    b("ktls", &[OneOf(&["on", "off"])], "TLS in the kernel").no_effect("TLS in the kernel is not used"),
    b("label", WORD, "text for the statistics").no_effect("listeners have no counters of their own"),
    b("level", &[OneOf(&["user", "operator", "admin"])], "rights on a control socket"),
    b("severity-output", &[OneOf(&["none", "number", "string"])], "severity in answers of a control socket")
        .no_effect("sockets begin with `none`; `set severity-output` changes it for a session"),
    b("maxconn", UNCHECKED, "connections of this listener"),
    b("mode", WORD, "permissions of a unix socket, in octal"),
    b("mss", &[Digits(-65535, 65535)], "largest TCP segment"),
    b("name", WORD, "name of the listener"),
    b("namespace", WORD, "network namespace")
        .refused("network namespaces are not supported; start one process in each"),
    b("nbconn", &[Int(1, MAX)], "connections of a reverse listener")
        .refused("connections that servers open are not used; let the servers listen"),
    b("nice", &[Digits(-1024, 1024)], "priority of its connections")
        .no_effect("connections are scheduled alike"),
    b("no-alpn", &[], "no ALPN"),
    b("no-ca-names", &[], "do not announce CAs").no_effect("the names of the CAs are always announced"),
    b("no-sslv3", &[], "no SSLv3"),
    b("no-strict-sni", &[], "undoes strict-sni"),
    b("no-tls-tickets", &[], "no session tickets"),
    b("no-tlsv10", &[], "no TLS 1.0"),
    b("no-tlsv11", &[], "no TLS 1.1"),
    b("no-tlsv12", &[], "no TLS 1.2"),
    b("no-tlsv13", &[], "no TLS 1.3"),
    b("npn", WORD, "protocols offered by NPN").no_effect("NPN has been replaced by ALPN"),
    b("ocsp-update", &[OneOf(&["on", "off"])], "fetches OCSP responses")
        .no_effect("OCSP responses are not fetched"),
    b("prefer-client-ciphers", &[], "the client's order of ciphers counts"),
    b("process", WORD, "processes of this listener").translated("dropped; there is one process"),
    b("proto", WORD, "protocol without negotiation").no_effect("the mode of the proxy decides which protocol is spoken"),
    b("quic-cc-algo", WORD, "QUIC congestion control").no_effect("QUIC is not supported"),
    b("quic-force-retry", &[], "QUIC retry").no_effect("QUIC is not supported"),
    b("quic-socket", &[OneOf(&["connection", "listener"])], "QUIC sockets")
        .no_effect("QUIC is not supported"),
    b("shards", WORD, "sockets of this listener").no_effect("each worker listens with a socket of its own"),
    b("sigalgs", WORD, "signatures").no_effect(SIGALGS),
    b("ssl", &[], "TLS"),
    b("ssl-max-ver", &[OneOf(VERSIONS)], "newest TLS version"),
    b("ssl-min-ver", &[OneOf(VERSIONS)], "oldest TLS version"),
    b("strict-sni", &[], "refuses clients without a matching certificate"),
    b("tcp-md5sig", WORD, "TCP signatures").refused("TCP signatures are not supported; use TLS or IPsec"),
    b("tcp-ss", &[Digits(0, 2)], "saves the SYN headers").no_effect("SYN headers are not kept"),
    b("tcp-ut", &[Time], "TCP user timeout")
        .no_effect("the system's limit of retransmissions applies (`net.ipv4.tcp_retries2`)"),
    b("tfo", &[], "TCP fast open"),
    b("thread", WORD, "threads of this listener").no_effect("all threads accept"),
    b("tls-ticket-keys", WORD, "keys of session tickets")
        .no_effect("ticket keys are made at the start and changed by the TLS library"),
    b("tls-tickets", &[], "session tickets"),
    b("transparent", &[], "accepts foreign addresses"),
    b("uid", UNCHECKED, "user of a unix socket, by number"),
    b("user", WORD, "user of a unix socket"),
    b("v4v6", &[], "IPv4 and IPv6 on one socket"),
    b("v6only", &[], "IPv6 only"),
    b("verify", &[OneOf(&["none", "optional", "required"])], "whether clients need a certificate"),
    b("bind-process", &[Opt(&[Rest("process")])], "processes").translated("dropped; there is one process"),
];

/// TLS versions by name.
pub(super) const VERSIONS: &[&str] = &["SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"];
