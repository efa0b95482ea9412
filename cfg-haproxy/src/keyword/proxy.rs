//! Keywords of `defaults`, `frontend`, `listen` and `backend` other than options (configuration manual 4.2).

use super::Arg::{Any, Digits, Free, Int, OneOf, Opt, Rest, Time, Unchecked};
use super::{Arg, B, D, F, Keyword, L, Place, Sides};

const MAX: i64 = i32::MAX as i64;
const COUNT: &[Arg] = &[Int(0, MAX)];
const UNCHECKED: &[Arg] = &[Unchecked(0, MAX)];
const CONNECT: &str = "takes the server's TLS and PROXY settings; ports are numbers";
const COND: Arg = Free("[{ if | unless } <condition>]");

const DFLB: Sides = D | F | L | B;
const DFL: Sides = D | F | L;
const DLB: Sides = D | L | B;
const FLB: Sides = F | L | B;
const FL: Sides = F | L;
const LB: Sides = L | B;

const fn k(sides: Sides, name: &'static str, args: &'static [Arg], doc: &'static str) -> Keyword {
    Keyword::new(Place::Proxy, name, args, "4.2", doc).sides(sides)
}

/// A removed keyword; still an entry, so that it is translated or refused by name.
const fn old(name: &'static str, doc: &'static str, to: &'static str) -> Keyword {
    Keyword::new(Place::Proxy, name, &[Rest("argument")], "4.2", doc).sides(DFLB).translated(to)
}

pub(super) const KEYWORDS: &[Keyword] = &[
    k(DFLB, "acl", &[Any("name"), Free("<criterion> [flags] [operator] <value>...")], "declares or extends an access list"),
    k(DFL, "backlog", UNCHECKED, "connections the kernel queues before they are accepted"),
    k(DLB, "balance", &[Free("<algorithm> [<argument>...]")], "how servers are chosen"),
    k(FL, "bind", &[Any("address"), Free("[<option>...]")], "an address to listen on"),
    k(FL, "capture cookie", &[Any("name"), OneOf(&["len"]), Unchecked(0, 65535)], "a cookie to log").ignores_more(),
    k(FL, "capture request header", &[Any("name"), OneOf(&["len"]), Unchecked(0, 65535)], "a request header to log"),
    k(FL, "capture response header", &[Any("name"), OneOf(&["len"]), Unchecked(0, 65535)], "a response header to log"),
    k(DFL, "clitcpka-cnt", COUNT, "keepalive probes before a client is given up").no_effect("the system's settings apply (`net.ipv4.tcp_keepalive_*`)"),
    k(DFL, "clitcpka-idle", &[Time], "silence before keepalive probes to clients").no_effect("the system's settings apply (`net.ipv4.tcp_keepalive_*`)"),
    k(DFL, "clitcpka-intvl", &[Time], "time between keepalive probes to clients").no_effect("the system's settings apply (`net.ipv4.tcp_keepalive_*`)"),
    k(DFLB, "compression algo", &[Rest("name")], "compression algorithms"),
    k(DFLB, "compression algo-req", &[Any("name")], "compression algorithm of requests").ignores_more(),
    k(DFLB, "compression algo-res", &[Rest("name")], "compression algorithms of responses"),
    k(DFLB, "compression type", &[Rest("mime-type")], "content types to compress"),
    k(DFLB, "compression type-req", &[Rest("mime-type")], "content types of requests to compress"),
    k(DFLB, "compression type-res", &[Rest("mime-type")], "content types of responses to compress"),
    k(DFLB, "compression offload", &[], "hide the client's Accept-Encoding from servers").ignores_more(),
    k(DFLB, "compression direction", &[OneOf(&["request", "response", "both"])], "what is compressed").ignores_more(),
    k(DFLB, "compression minsize-req", &[Arg::Size], "smallest request to compress").ignores_more(),
    k(DFLB, "compression minsize-res", &[Arg::Size], "smallest response to compress").ignores_more(),
    k(DLB, "cookie", &[Any("name"), Free("[rewrite | insert | prefix] [indirect] [nocache] [postonly] [preserve] \
        [httponly] [secure] [domain <d>]* [maxidle <t>] [maxlife <t>] [dynamic] [attr <v>]*")], "persistence by cookie"),
    k(FL, "declare capture", &[OneOf(&["request", "response"]), OneOf(&["len"]), Int(1, 65535)], "a capture slot").ignores_more(),
    k(DLB, "default-server", &[Free("[<option>...]")], "options of the servers that follow"),
    k(DFL, "default_backend", &[Any("backend")], "backend when no use_backend matches"),
    k(FLB, "description", &[Any("text"), Rest("text")], "text shown on the statistics page"),
    k(DFLB, "disabled", &[], "do not start this proxy"),
    k(LB, "dispatch", &[Any("address")], "one server address for everything (deprecated)"),
    k(DLB, "dynamic-cookie-key", &[Any("key")], "secret of dynamic cookies").ignores_more(),
    k(DFLB, "email-alert from", &[Any("address")], "sender of alert mails").ignores_more().no_effect("proxies send no mails; changes of servers are in the log and on the control socket"),
    k(DFLB, "email-alert level", &[OneOf(LEVELS)], "least severe level that is mailed").ignores_more().no_effect("proxies send no mails; changes of servers are in the log and on the control socket"),
    k(DFLB, "email-alert mailers", &[Any("section")], "mailers that send alerts").ignores_more().no_effect("proxies send no mails; changes of servers are in the log and on the control socket"),
    k(DFLB, "email-alert myhostname", &[Any("name")], "name used in the greeting").ignores_more().no_effect("proxies send no mails; changes of servers are in the log and on the control socket"),
    k(DFLB, "email-alert to", &[Any("address")], "recipient of alert mails").ignores_more().no_effect("proxies send no mails; changes of servers are in the log and on the control socket"),
    k(DFLB, "enabled", &[], "start this proxy even if the defaults disable it"),
    k(DFLB, "errorfile", &[Int(100, 599), Any("file")], "a whole response for an error"),
    k(DFLB, "errorfiles", &[Any("section"), Rest("code")], "error responses of an http-errors section"),
    k(DFLB, "errorloc", &[Int(100, 599), Any("url")], "redirects an error with 302"),
    k(DFLB, "errorloc302", &[Int(100, 599), Any("url")], "redirects an error with 302"),
    k(DFLB, "errorloc303", &[Int(100, 599), Any("url")], "redirects an error with 303"),
    k(DFL, "error-log-format", &[Any("format")], "log format of failed connections"),
    k(DLB, "external-check command", &[Any("file")], "program that checks servers"),
    k(DLB, "external-check path", &[Any("path")], "PATH of that program"),
    k(LB, "force-persist", &[COND], "keep persistence even to servers that are down")
        .partial("cookies and `use-server` in HTTP mode only"),
    k(FL, "force-be-switch", &[COND], "switch to backends that were unpublished"),
    k(FLB, "filter", &[Any("name"), Rest("argument")], "a stream filter")
        .partial("compression and bandwidth limits only; the cache is not implemented, SPOE is refused"),
    k(FLB, "filter-sequence", &[OneOf(&["request", "response"]), Rest("name")], "order of filters").no_effect("the order of filters is fixed"),
    k(DLB, "fullconn", UNCHECKED, "connections at which servers get their full maxconn"),
    k(FLB, "guid", &[Any("id")], "a name that survives renaming").ignores_more().no_effect("proxies are known by their names across reloads"),
    k(DLB, "hash-balance-factor", &[Unchecked(0, 65535)], "bound of a server's load over the average, in percent").ignores_more(),
    k(DLB, "hash-preserve-affinity", &[OneOf(&["always", "maxconn", "maxqueue"])], "when a hash may choose another server").ignores_more(),
    k(DLB, "hash-type", &[Free("{ map-based | consistent } [sdbm | djb2 | wt6 | crc32 | none] [avalanche]")],
        "how hashes map to servers"),
    k(DFLB, "http-after-response", &[Free("<action> [<argument>...] [{ if | unless } <condition>]")],
        "rules on every response, also those made here"),
    k(DLB, "http-check comment", &[Any("text")], "text shown when the next check step fails")
        .no_effect("only the comment of an expect step is shown"),
    k(DLB, "http-check connect", &[Free("[default] [port <e>] [addr <a>] [send-proxy] [via-socks4] [ssl] [sni <s>] \
        [alpn <a>] [linger] [proto <p>] [comment <m>]")], "opens a connection of a check").partial(CONNECT),
    k(DLB, "http-check disable-on-404", &[], "404 puts a server into drain mode"),
    k(DLB, "http-check expect", &[Free("[min-recv <n>] [comment <m>] [ok-status <s>] [error-status <s>] \
        [tout-status <s>] [on-success <f>] [on-error <f>] [status-code <e>] [!] <match> <pattern>")], "what a check expects"),
    k(DLB, "http-check send", &[Free("[meth <m>] [uri <u> | uri-lf <f>] [ver <v>] [hdr <n> <f>]* [body <b> | body-lf <f>] \
        [comment <m>]")], "the request of a check"),
    k(DLB, "http-check send-state", &[], "tells servers their state"),
    k(DLB, "http-check set-var", &[Free("(<name>) <expression>")], "sets a variable of a check"),
    k(DLB, "http-check set-var-fmt", &[Free("(<name>) <format>")], "sets a variable of a check from a format"),
    k(DLB, "http-check unset-var", &[Free("(<name>)")], "removes a variable of a check"),
    k(DFLB, "http-error", &[OneOf(&["status"]), Free("<code> [content-type <t>] [errorfile <f> | file <f> | lf-file <f> | string <s> \
        | lf-string <f> | errorfiles <n> | default-errorfiles] [hdr <n> <f>]*")], "a response for an error"),
    k(DFLB, "http-request", &[Free("<action> [<argument>...] [{ if | unless } <condition>]")], "rules on requests"),
    k(DFLB, "http-response", &[Free("<action> [<argument>...] [{ if | unless } <condition>]")], "rules on responses"),
    k(DLB, "http-reuse", &[OneOf(&["never", "safe", "aggressive", "always"])], "when server connections are shared"),
    k(DLB, "http-send-name-header", &[Any("header")], "tells a server its name").ignores_more(),
    k(FLB, "id", &[Digits(1, MAX)], "number of this proxy"),
    k(LB, "ignore-persist", &[COND], "ignore persistence for some requests").partial("cookies in HTTP mode only"),
    k(DLB, "load-server-state-from-file", &[OneOf(&["global", "local", "none"])], "where the last server state is").ignores_more()
        .no_effect("server state is kept in the process across reloads"),
    k(DFLB, "log", &[Free("global | <target> [len <n>] [format <f>] [sample <ranges>:<n>] [profile <p>] <facility> [<max> [<min>]]")],
        "where messages are sent").negatable(),
    k(DFL, "log-format", &[Any("format")], "what is logged"),
    k(DFL, "log-format-sd", &[Any("format")], "structured data of RFC 5424 messages"),
    k(DFLB, "log-tag", &[Any("tag")], "program name in messages").ignores_more(),
    k(DFL, "log-steps", &[Any("steps")], "at which steps a session is logged").ignores_more(),
    k(DLB, "max-keep-alive-queue", &[Int(-1, MAX)], "queue length at which a kept connection is left").no_effect("a kept connection is used whatever the length of its server's queue"),
    k(DFL, "max-session-srv-conns", UNCHECKED, "idle server connections kept for a client").ignores_more().no_effect("the pools of the servers alone bound idle connections (`pool-max-conn`)"),
    k(DFL, "maxconn", UNCHECKED, "connections of this proxy"),
    k(DFLB, "mode", &[OneOf(&["tcp", "http", "log", "spop", "haterm", "health", "smtp"])], "protocol of this proxy")
        .partial("spop and haterm are refused; health is translated to `http-request return status 200`; smtp is an addition of this program"),
    k(FL, "monitor fail", &[COND], "when the monitor URI answers 503"),
    k(DFL, "monitor-uri", &[Any("uri")], "a path answered here"),
    k(DLB, "persist rdp-cookie", &[], "persistence by RDP cookie").ignores_more(),
    k(DFL, "quic-initial", &[Free("<action> [{ if | unless } <condition>]")], "rules on QUIC packets")
        .no_effect("QUIC is not supported"),
    k(DFL, "rate-limit sessions", COUNT, "new sessions per second").ignores_more(),
    k(FLB, "redirect", &[Free("{ location | prefix | scheme } <to> [code <n>] [<option>] [{ if | unless } <condition>]")],
        "redirects clients"),
    k(DLB, "retries", UNCHECKED, "connection attempts after the first"),
    k(DLB, "retry-on", &[Any("event"), Rest("event")], "which failures are retried"),
    k(LB, "server", &[Any("name"), Any("address"), Free("[<option>...]")], "a server"),
    k(DLB, "server-state-file-name", &[Opt(&[Any("file")])], "file with this backend's server state")
        .no_effect("server state is kept in the process across reloads"),
    k(LB, "server-template", &[Any("prefix"), Any("count"), Any("address"), Free("[<option>...]")], "many servers at once"),
    k(DLB, "source", &[Any("address"), Free("[usesrc { <address> | client | clientip | hdr_ip(<header>) }] [interface <name>]")],
        "address to connect from").partial("without port ranges; `usesrc` knows `client` and `clientip` only, and both use the client's port as well"),
    k(DLB, "srvtcpka-cnt", COUNT, "keepalive probes before a server is given up").no_effect("the system's settings apply (`net.ipv4.tcp_keepalive_*`)"),
    k(DLB, "srvtcpka-idle", &[Time], "silence before keepalive probes to servers").no_effect("the system's settings apply (`net.ipv4.tcp_keepalive_*`)"),
    k(DLB, "srvtcpka-intvl", &[Time], "time between keepalive probes to servers").no_effect("the system's settings apply (`net.ipv4.tcp_keepalive_*`)"),
    k(FL, "ssl-f-use", &[Free("[<certificate option>...]")], "a certificate of this frontend").partial("`crt` and `key` only"),
    k(FLB, "stats admin", &[COND], "who may change servers on the page").ignores_more(),
    k(DFLB, "stats auth", &[Any("user:password")], "an account of the statistics page").ignores_more(),
    k(DFLB, "stats enable", &[], "serves the statistics page").ignores_more(),
    k(DFLB, "stats hide-version", &[], "no version on the page").ignores_more(),
    k(FLB, "stats http-request", &[Free("{ allow | deny | auth [realm <r>] } [{ if | unless } <condition>]")], "who may see the page").ignores_more(),
    k(DFLB, "stats realm", &[Any("text")], "realm of the page").ignores_more(),
    k(DFLB, "stats refresh", &[Arg::Seconds], "how often the page reloads").ignores_more(),
    k(DFLB, "stats scope", &[Any("name")], "proxies shown on the page").ignores_more(),
    k(DFLB, "stats show-desc", &[Rest("text")], "shows a description").ignores_more(),
    k(DFLB, "stats show-legends", &[], "shows more about each line").ignores_more(),
    k(DFLB, "stats show-modules", &[], "shows counters of modules").ignores_more().no_effect("there are no extra module counters"),
    k(DFLB, "stats show-node", &[Opt(&[Any("name")])], "shows the node's name").ignores_more(),
    k(DFLB, "stats show-version", &[], "shows the version").ignores_more(),
    k(DFLB, "stats uri", &[Any("prefix")], "path of the page").ignores_more(),
    k(LB, "stick match", &[Free("<pattern> [table <t>] [{ if | unless } <condition>]")], "finds the server in a table"),
    k(LB, "stick on", &[Free("<pattern> [table <t>] [{ if | unless } <condition>]")], "match and store-request in one"),
    k(LB, "stick store-request", &[Free("<pattern> [table <t>] [{ if | unless } <condition>]")], "stores the server by the request"),
    k(LB, "stick store-response", &[Free("<pattern> [table <t>] [{ if | unless } <condition>]")], "stores the server by the response"),
    k(FLB, "stick-table", &[Free("type <t> [len <n>] size <n> [expire <t>] [nopurge] [peers <p>] [write-to <t>] [srvkey <k>] [store <d>]*")],
        "a table of keys seen").partial("peers, write-to and recv-only have no effect"),
    k(DLB, "tcp-check comment", &[Any("text")], "text shown when the next check step fails").ignores_more(),
    k(DLB, "tcp-check connect", &[Free("[default] [port <e>] [addr <a>] [send-proxy] [via-socks4] [ssl] [sni <s>] [alpn <a>] \
        [linger] [proto <p>] [comment <m>]")], "opens a connection of a check").partial(CONNECT),
    k(DLB, "tcp-check expect", &[Free("[min-recv <n>] [comment <m>] [<option>...] [!] <match> <pattern>")], "what a check expects"),
    k(DLB, "tcp-check send", &[Any("data"), Opt(&[OneOf(&["comment"]), Any("text")])], "what a check sends"),
    k(DLB, "tcp-check send-lf", &[Any("format"), Opt(&[OneOf(&["comment"]), Any("text")])], "what a check sends, from a format"),
    k(DLB, "tcp-check send-binary", &[Any("hex"), Opt(&[OneOf(&["comment"]), Any("text")])], "what a check sends, in hexadecimal"),
    k(DLB, "tcp-check send-binary-lf", &[Any("format"), Opt(&[OneOf(&["comment"]), Any("text")])],
        "what a check sends, from a hexadecimal format"),
    k(DLB, "tcp-check set-var", &[Free("(<name>) <expression>")], "sets a variable of a check"),
    k(DLB, "tcp-check set-var-fmt", &[Free("(<name>) <format>")], "sets a variable of a check from a format"),
    k(DLB, "tcp-check unset-var", &[Free("(<name>)")], "removes a variable of a check"),
    k(DFL, "tcp-request connection", &[Free("<action> [{ if | unless } <condition>]")], "rules on new connections"),
    k(DFLB, "tcp-request content", &[Free("<action> [{ if | unless } <condition>]")], "rules on the first bytes of a request"),
    k(DFLB, "tcp-request inspect-delay", &[Time], "how long content rules may wait").ignores_more(),
    k(DFL, "tcp-request session", &[Free("<action> [{ if | unless } <condition>]")], "rules on established sessions"),
    k(DLB, "tcp-response content", &[Free("<action> [{ if | unless } <condition>]")], "rules on the first bytes of a response"),
    k(DLB, "tcp-response inspect-delay", &[Time], "how long content rules may wait").ignores_more(),
    k(DLB, "timeout check", &[Time], "time a check may take once connected"),
    k(DFL, "timeout client", &[Time], "client silence"),
    k(DFL, "timeout client-fin", &[Time], "client silence after one side closed"),
    k(DFL, "timeout client-hs", &[Time], "time for the client's handshakes"),
    k(DLB, "timeout connect", &[Time], "time to connect to a server"),
    k(DFLB, "timeout http-keep-alive", &[Time], "time between two requests"),
    k(DFLB, "timeout http-request", &[Time], "time for a whole request head"),
    k(DLB, "timeout queue", &[Time], "time in the queue"),
    k(DLB, "timeout server", &[Time], "server silence"),
    k(DLB, "timeout server-fin", &[Time], "server silence after one side closed"),
    k(DFLB, "timeout tarpit", &[Time], "how long a tarpitted client waits"),
    k(DLB, "timeout tunnel", &[Time], "silence in both directions of a tunnel"),
    k(DLB, "transparent", &[], "connect to the address the client wanted (deprecated)"),
    k(DFLB, "unique-id-format", &[Any("format")], "how a unique identifier is made"),
    k(DFL, "unique-id-header", &[Any("header")], "header that carries the unique identifier").ignores_more(),
    k(FL, "use_backend", &[Any("backend"), COND], "chooses a backend"),
    k(LB, "use-fcgi-app", &[Any("name")], "speaks FastCGI to the servers").refused("FastCGI is not supported; put an HTTP server before the application"),
    k(LB, "use-server", &[Any("server"), COND], "chooses a server"),
];

const LEVELS: &[&str] = &["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/// Keywords that HAProxy no longer has.
pub(super) const REMOVED: &[Keyword] = &[
    old("appsession", "persistence by application cookie", "a stick-table keyed by the cookie"),
    old("bind-process", "processes of this proxy", "dropped; there is one process"),
    old("block", "denies requests", "http-request deny"),
    old("cliexp", "replaces in request headers", "http-request replace-header"),
    old("clitimeout", "client silence", "timeout client"),
    old("contimeout", "time to connect", "timeout connect"),
    old("grace", "delay before stopping", "dropped; `grace` in the global section remains"),
    old("monitor-net", "clients answered here", "http-request return status 200 if { src ... }"),
    old("redisp", "reconnect elsewhere", "option redispatch"),
    old("redispatch", "reconnect elsewhere", "option redispatch"),
    old("reqadd", "adds a request header", "http-request add-header"),
    old("reqallow", "allows by header", "http-request allow"),
    old("reqdel", "deletes request headers", "http-request del-header"),
    old("reqdeny", "denies by header", "http-request deny"),
    old("reqiallow", "allows by header", "http-request allow"),
    old("reqidel", "deletes request headers", "http-request del-header"),
    old("reqideny", "denies by header", "http-request deny"),
    old("reqipass", "skips further rules", "dropped; it had no lasting effect"),
    old("reqirep", "replaces in the request", "http-request replace-header or replace-path"),
    old("reqisetbe", "chooses a backend by header", "use_backend"),
    old("reqitarpit", "delays by header", "http-request tarpit"),
    old("reqpass", "skips further rules", "dropped; it had no lasting effect"),
    old("reqrep", "replaces in the request", "http-request replace-header or replace-path"),
    old("reqsetbe", "chooses a backend by header", "use_backend"),
    old("reqtarpit", "delays by header", "http-request tarpit"),
    old("rspadd", "adds a response header", "http-response add-header"),
    old("rspdel", "deletes response headers", "http-response del-header"),
    old("rspdeny", "denies by response header", "http-response deny"),
    old("rspidel", "deletes response headers", "http-response del-header"),
    old("rspideny", "denies by response header", "http-response deny"),
    old("rspirep", "replaces in response headers", "http-response replace-header"),
    old("rsprep", "replaces in response headers", "http-response replace-header"),
    old("srvexp", "replaces in response headers", "http-response replace-header"),
    old("srvtimeout", "server silence", "timeout server"),
    old("timeout clitimeout", "client silence", "timeout client"),
    old("timeout contimeout", "time to connect", "timeout connect"),
    old("timeout srvtimeout", "server silence", "timeout server"),
];
