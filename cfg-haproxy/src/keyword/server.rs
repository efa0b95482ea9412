//! Words of `server`, `default-server` and `server-template` lines (configuration manual 5.2).

use super::Arg::{Any, Digits, Free, OneOf, Time, Unchecked};
use super::bind::VERSIONS;
use super::{Arg, Keyword, Place};

const WORD: &[Arg] = &[Any("text")];
const MAX: i64 = i32::MAX as i64;
const UNCHECKED: &[Arg] = &[Unchecked(0, MAX)];
const SIGALGS: &str = "signature algorithms are those of the TLS library";
const OLD_TLS: &str = "the TLS library offers TLS 1.2 and 1.3 only";

const fn s(name: &'static str, args: &'static [Arg], doc: &'static str) -> Keyword {
    Keyword::new(Place::Server, name, args, "5.2", doc)
}

pub(super) const KEYWORDS: &[Keyword] = &[
    s("addr", WORD, "address to check"),
    s("agent-addr", WORD, "address of the agent"),
    s("agent-check", &[], "asks an agent for the weight and state"),
    s("agent-inter", &[Time], "time between questions to the agent"),
    s("agent-port", &[Unchecked(1, 65535)], "port of the agent"),
    s("agent-send", WORD, "text sent to the agent"),
    s("allow-0rtt", &[], "sends early data").no_effect("early data is not sent"),
    s("alpn", WORD, "protocols offered by ALPN").partial(super::HTTP_2),
    s("backup", &[], "used when no other server is left"),
    s("ca-file", WORD, "CAs the server is checked with"),
    s("cc", WORD, "congestion control algorithm")
        .no_effect("the system's congestion control is used (`net.ipv4.tcp_congestion_control`)"),
    s("check", &[], "health checks"),
    s("check-alpn", WORD, "ALPN of checks"),
    s("check-pool-conn-name", WORD, "idle connection used by checks")
        .no_effect("checks open their own connections"),
    s("check-proto", WORD, "protocol of checks").no_effect("checks speak HTTP/1"),
    s("check-reuse-pool", &[], "checks use idle connections").no_effect("checks open their own connections"),
    s("check-send-proxy", &[], "PROXY header in checks"),
    s("check-sni", WORD, "name in the TLS handshake of checks"),
    s("check-sni-auto", &[], "that name from the Host header")
        .no_effect("`check-sni` names the host of a check"),
    s("check-ssl", &[], "checks over TLS"),
    s("check-via-socks4", &[], "checks through the SOCKS proxy")
        .refused("SOCKS is not supported; connect directly or through a tunnel"),
    s("ciphers", WORD, "ciphers up to TLS 1.2")
        .partial("names the TLS library does not have are dropped with one warning"),
    s("ciphersuites", WORD, "cipher suites of TLS 1.3").partial(super::SUITES),
    s("client-sigalgs", WORD, "signatures of the client certificate").no_effect(SIGALGS),
    s("cookie", WORD, "value of the persistence cookie"),
    s("crl-file", WORD, "revoked server certificates"),
    s("crt", WORD, "client certificate"),
    s("curves", WORD, "key exchange groups").no_effect(super::SERVER_CURVES),
    s("disabled", &[], "in maintenance from the start"),
    s("downinter", &[Time], "time between checks of a server that is down"),
    s("ech", WORD, "encrypted client hello").refused("encrypted client hello is not supported; leave it out"),
    s("enabled", &[], "undoes disabled"),
    s("error-limit", &[Digits(1, MAX)], "errors before on-error acts"),
    s("fall", &[Digits(1, MAX)], "failed checks before a server is down"),
    s("fastinter", &[Time], "time between checks of a server that changes"),
    s("force-sslv3", &[], "SSLv3 only").refused(OLD_TLS),
    s("force-tlsv10", &[], "TLS 1.0 only").refused(OLD_TLS),
    s("force-tlsv11", &[], "TLS 1.1 only").refused(OLD_TLS),
    s("force-tlsv12", &[], "TLS 1.2 only"),
    s("force-tlsv13", &[], "TLS 1.3 only"),
    s("guid", WORD, "a name that survives renaming").partial("for `hash-key`; servers are known by their names"),
    s("hash-key", &[OneOf(&["id", "id32", "guid", "addr", "addr-port"])], "what consistent hashes use"),
    s("healthcheck", WORD, "a named health check"),
    s("id", &[Digits(1, MAX)], "number of the server"),
    s("idle-ping", &[Time], "probes idle HTTP/2 connections").no_effect("idle connections are not probed"),
    s("init-addr", WORD, "where the first address comes from")
        .partial("names are resolved by the system when the file is read; with `none` or an address, one that is not found is no warning"),
    s("init-state", &[OneOf(&["fully-up", "up", "down", "fully-down", "none"])], "state before the first check"),
    s("inter", &[Time], "time between checks"),
    s("ktls", &[OneOf(&["on", "off"])], "TLS in the kernel").no_effect("TLS in the kernel is not used"),
    s("log-bufsize", &[Digits(1, MAX)], "buffer of log servers"),
    s("log-proto", &[OneOf(&["legacy", "octet-count"])], "framing of log messages"),
    s("max-reuse", &[Unchecked(-1, MAX)], "requests over one connection")
        .no_effect("a connection serves requests until a side closes it"),
    s("maxconn", UNCHECKED, "connections at most").zero_if_missing(),
    s("maxqueue", UNCHECKED, "queue length at most").zero_if_missing(),
    s("minconn", UNCHECKED, "connections at low load").zero_if_missing(),
    s("namespace", WORD, "network namespace")
        .refused("network namespaces are not supported; start one process in each"),
    s("no-agent-check", &[], "undoes agent-check"),
    s("no-backup", &[], "undoes backup"),
    s("no-check", &[], "undoes check"),
    s("no-check-reuse-pool", &[], "undoes check-reuse-pool"),
    s("no-check-send-proxy", &[], "undoes check-send-proxy"),
    s("no-check-sni-auto", &[], "undoes check-sni-auto"),
    s("no-check-ssl", &[], "undoes check-ssl"),
    s("no-renegotiate", &[], "no renegotiation").no_effect("the TLS library never renegotiates"),
    s("no-send-proxy", &[], "undoes send-proxy"),
    s("no-send-proxy-v2", &[], "undoes send-proxy-v2"),
    s("no-send-proxy-v2-ssl", &[], "undoes send-proxy-v2-ssl"),
    s("no-send-proxy-v2-ssl-cn", &[], "undoes send-proxy-v2-ssl-cn"),
    s("no-sni-auto", &[], "undoes sni-auto"),
    s("no-ssl", &[], "undoes ssl"),
    s("no-ssl-reuse", &[], "no resumed sessions").no_effect("sessions are resumed when the server allows it"),
    s("no-sslv3", &[], "no SSLv3"),
    s("no-tfo", &[], "undoes tfo"),
    s("no-tls-tickets", &[], "no session tickets").no_effect("sessions are resumed when the server allows it"),
    s("no-tlsv10", &[], "no TLS 1.0"),
    s("no-tlsv11", &[], "no TLS 1.1"),
    s("no-tlsv12", &[], "no TLS 1.2"),
    s("no-tlsv13", &[], "no TLS 1.3"),
    s("no-verifyhost", &[], "undoes verifyhost"),
    s("non-stick", &[], "never stored in stick tables"),
    s("npn", WORD, "protocols offered by NPN").no_effect("NPN has been replaced by ALPN"),
    s("observe", &[OneOf(&["none", "layer4", "layer7"])], "learns from traffic"),
    s(
        "on-error",
        &[OneOf(&["fastinter", "fail-check", "sudden-death", "mark-down"])],
        "what too many errors do",
    ),
    s("on-marked-down", &[OneOf(&["shutdown-sessions"])], "what happens to sessions of a server that fails"),
    s("on-marked-up", &[OneOf(&["shutdown-backup-sessions"])], "what happens to backup sessions"),
    s("pool-conn-name", WORD, "name of idle connections"),
    s("pool-low-conn", UNCHECKED, "idle connections a thread keeps for itself")
        .partial("what is kept beyond the need is closed when `pool-purge-delay` is over"),
    s("pool-max-conn", &[Digits(-1, MAX)], "idle connections at most").partial("counted for each thread"),
    s("pool-purge-delay", &[Time], "how long idle connections stay")
        .partial("what exceeds the need is closed at once when the delay is over, not by halves"),
    s("port", &[Unchecked(1, 65535)], "port to check"),
    s("proto", WORD, "protocol without negotiation").no_effect(super::HTTP_2),
    s("proxy-v2-options", WORD, "what a PROXY v2 header holds")
        .partial("nothing is told of our own certificate (cert-key, cert-sig)"),
    s("quic-cc-algo", WORD, "QUIC congestion control").no_effect("QUIC is not supported"),
    s("redir", WORD, "redirects instead of forwarding"),
    s("renegotiate", &[], "allows renegotiation").no_effect("the TLS library never renegotiates"),
    s("resolve-net", WORD, "preferred networks"),
    s("resolve-opts", WORD, "how answers are used"),
    s("resolve-prefer", &[OneOf(&["ipv4", "ipv6"])], "preferred address family"),
    s("resolvers", WORD, "name servers").partial("SRV records are not asked for"),
    s("rise", &[Digits(1, MAX)], "good checks before a server is up"),
    s("send-proxy", &[], "PROXY header, text form"),
    s("send-proxy-v2", &[], "PROXY header, binary form"),
    s("send-proxy-v2-ssl", &[], "that with TLS details"),
    s("send-proxy-v2-ssl-cn", &[], "that with the certificate's name"),
    s("set-proxy-v2-tlv-fmt", &[Free("(<id>) <format>")], "adds a field to PROXY headers"),
    s("shard", UNCHECKED, "part of a table a peer gets").zero_if_missing().no_effect("peers get whole tables"),
    s("sigalgs", WORD, "signatures").no_effect(SIGALGS),
    s("slowstart", &[Time], "how long the weight grows after a start"),
    s("sni", WORD, "name in the TLS handshake"),
    s("sni-auto", &[], "that name from the Host header"),
    s("socks4", WORD, "SOCKS proxy").refused("SOCKS is not supported; connect directly or through a tunnel"),
    s("source", &[Free("<address> [usesrc ...] [interface <name>]")], "address to connect from")
        .partial("without port ranges; `usesrc` knows `client` and `clientip` only"),
    s("ssl", &[], "TLS"),
    s("ssl-max-ver", &[OneOf(VERSIONS)], "newest TLS version"),
    s("ssl-min-ver", &[OneOf(VERSIONS)], "oldest TLS version"),
    s("ssl-reuse", &[], "resumed sessions"),
    s("stick", &[], "undoes non-stick"),
    s("strict-maxconn", &[], "never exceed maxconn")
        .no_effect("`maxconn` counts the connections that serve a request"),
    s("tcp-md5sig", WORD, "TCP signatures").refused("TCP signatures are not supported; use TLS or IPsec"),
    s("tcp-ut", &[Time], "TCP user timeout")
        .no_effect("the system's limit of retransmissions applies (`net.ipv4.tcp_retries2`)"),
    s("tfo", &[], "TCP fast open").no_effect("connections to servers are opened plainly"),
    s("tls-tickets", &[], "session tickets"),
    s("track", WORD, "follows the state of another server"),
    s("usesrc", WORD, "only after source")
        .partial("`client` and `clientip` only; both use the client's port as well"),
    s("verify", &[OneOf(&["none", "required"])], "whether the certificate is checked"),
    s("verifyhost", WORD, "name the certificate must have"),
    s("weight", &[Digits(0, 256)], "share of the load").zero_if_missing(),
    s("ws", &[OneOf(&["auto", "h1", "h2"])], "how websockets are carried")
        .no_effect("websockets are carried over HTTP/1"),
];
