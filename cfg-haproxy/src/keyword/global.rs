//! `global` keywords other than `tune.*` (configuration manual 3.1 to 3.4).

use super::Arg::{Any, Digits, Free, Int, OneOf, Opt, Rest, Seconds, Size, Time, Unchecked};
use super::{Keyword, Place};

const ON_OFF: &[super::Arg] = &[OneOf(&["on", "off"])];
const MAX: i64 = i32::MAX as i64;
const COUNT: &[super::Arg] = &[Int(0, MAX)];
const DIGITS: &[super::Arg] = &[Digits(0, MAX)];
const UNCHECKED: &[super::Arg] = &[Unchecked(0, MAX)];
const WORD: &[super::Arg] = &[Any("text")];

const POLLER: &str = "the event loop of this program is always epoll";
const CPU: &str = "threads are not bound to processors";
const DEVICE: &str = "device detection libraries are not supported; classify by header in the rules";
const LUA: &str = "Lua is not supported; use rules, maps and expressions";
const ENGINE: &str = "the TLS library has no engines or providers";
const HTTPCLIENT: &str = "there is no embedded HTTP client";
const OCSP: &str = "OCSP responses are not fetched; stapled responses come from .ocsp files";
const SIGALGS: &str = "signature algorithms are those of the TLS library";
const STATE: &str = "server state is kept in the process across reloads";

const fn g(name: &'static str, args: &'static [super::Arg], doc: &'static str) -> Keyword {
    Keyword::new(Place::Global, name, args, "3.1", doc)
}

const fn p(name: &'static str, args: &'static [super::Arg], doc: &'static str) -> Keyword {
    Keyword::new(Place::Global, name, args, "3.2", doc)
}

const fn d(name: &'static str, args: &'static [super::Arg], doc: &'static str) -> Keyword {
    Keyword::new(Place::Global, name, args, "3.3", doc)
}

const fn h(name: &'static str, args: &'static [super::Arg], doc: &'static str) -> Keyword {
    Keyword::new(Place::Global, name, args, "3.4", doc).no_effect(HTTPCLIENT)
}

pub(super) const KEYWORDS: &[Keyword] = &[
    g("51degrees-data-file", &[Rest("path")], "device detection data").refused(DEVICE),
    g("51degrees-property-name-list", &[Rest("name")], "device properties to load").refused(DEVICE),
    g("51degrees-property-separator", WORD, "separator of device properties").refused(DEVICE),
    g("51degrees-cache-size", COUNT, "device detection cache").refused(DEVICE),
    g("51degrees-use-performance-graph", ON_OFF, "device detection tuning").refused(DEVICE),
    g("51degrees-use-predictive-graph", ON_OFF, "device detection tuning").refused(DEVICE),
    g("51degrees-drift", COUNT, "device detection tuning").refused(DEVICE),
    g("51degrees-difference", COUNT, "device detection tuning").refused(DEVICE),
    g("51degrees-allow-unmatched", ON_OFF, "device detection tuning").refused(DEVICE),
    g("acme.scheduler", &[OneOf(&["auto", "off"])], "renewal of ACME certificates")
        .no_effect("certificates are not requested by ACME"),
    g("ca-base", &[Any("dir")], "where relative CA and CRL files are"),
    g("chroot", &[Any("dir")], "directory the process confines itself to"),
    g("close-spread-time", &[Time], "spreads the closing of idle connections while stopping")
        .no_effect("idle connections are closed at once when stopping"),
    g("cluster-secret", WORD, "secret shared by a cluster, for QUIC tokens and stable identifiers")
        .no_effect("only QUIC uses it"),
    g("cpu-map", &[Any("threads"), Rest("cpus")], "binds threads to processors").no_effect(CPU),
    Keyword::new(
        Place::Global,
        "compat-version",
        &[Any("version")],
        "none, of this program",
        "whose defaults apply: before 3.3 `balance roundrobin`, no abortonclose and no names for TLS servers, before 2.8 no \
         ALPN unless asked for, before 1.9 no shared server connections; TLS 1.2 stays the lowest version",
    ),
    g("cpu-affinity", &[Any("policy"), Rest("argument")], "how threads are bound to processors")
        .no_effect(CPU),
    g("cpu-policy", &[Any("policy"), Rest("argument")], "how threads and processors are grouped")
        .no_effect(CPU),
    g("cpu-set", &[Rest("directive")], "which processors are used").no_effect(CPU),
    g("crt-base", &[Any("dir")], "where relative certificate files are"),
    g("daemon", &[], "run in the background"),
    g(
        "default-path",
        &[OneOf(&["current", "config", "parent", "origin"]), Opt(&[Any("path")])],
        "where relative paths start",
    ),
    g("description", &[Rest("text")], "text shown on the statistics page"),
    g("deviceatlas-json-file", &[Any("path")], "device detection data").refused(DEVICE),
    g("deviceatlas-log-level", WORD, "device detection log level").refused(DEVICE),
    g("deviceatlas-properties-cookie", WORD, "device detection cookie").refused(DEVICE),
    g("deviceatlas-separator", WORD, "device detection separator").refused(DEVICE),
    g("dns-accept-family", WORD, "address families taken from DNS answers")
        .no_effect("both families are asked for, the preferred one first"),
    g("expose-deprecated-directives", &[], "allows deprecated keywords without a warning"),
    g("expose-experimental-directives", &[], "allows experimental keywords")
        .no_effect("experimental keywords are always allowed"),
    g("external-check", &[Opt(&[OneOf(&["preserve-env"])])], "allows checks that run a program")
        .partial("`preserve-env` does not pass the environment on"),
    g("fd-hard-limit", &[Unchecked(1, MAX)], "most file descriptors the process may use").no_effect("the limit of descriptors follows from `maxconn` or `ulimit-n`"),
    g("gid", UNCHECKED, "group to run as, by number"),
    g("grace", &[Time], "how long listeners stay open after the signal to stop").no_effect("listeners are closed as soon as the process is told to stop"),
    g("group", &[Any("name")], "group to run as"),
    g("h1-accept-payload-with-any-method", &[], "accepts bodies of GET, HEAD and DELETE over HTTP/1.0")
        .no_effect("such requests of HTTP/1.0 are refused; HTTP/1.1 may have bodies with any method"),
    g("h1-do-not-close-on-insecure-transfer-encoding", &[], "keeps connections with suspicious framing open")
        .no_effect("such connections are always closed"),
    g(
        "h1-case-adjust",
        &[Any("from"), Any("to")],
        "how the case of a header name is written for bogus peers",
    ),
    g("h1-case-adjust-file", &[Any("file")], "file of header names with their case"),
    g("h2-workaround-bogus-websocket-clients", &[], "does not announce websockets over HTTP/2")
        .no_effect("HTTP/2 is not spoken"),
    g("hard-stop-after", &[Time], "longest time a stopping process waits for its connections, and sessions go on after a reload"),
    g("harden.reject-privileged-ports.tcp", ON_OFF, "refuses clients with ports below 1024")
        .no_effect("clients are accepted from any port; `tcp-request connection reject if { src_port lt 1024 }` refuses these"),
    g("harden.reject-privileged-ports.quic", ON_OFF, "refuses QUIC clients with ports below 1024")
        .no_effect("QUIC is not supported"),
    g("http-err-codes", &[Rest("range")], "status codes counted as client errors"),
    g("http-fail-codes", &[Rest("range")], "status codes counted as server failures"),
    g("insecure-fork-wanted", &[], "allows the process to start programs")
        .negatable()
        .no_effect("checks may start programs whenever `external-check` allows them"),
    g("insecure-setuid-wanted", &[], "allows set-user-id programs to be run").no_effect("set-user-id programs are not held back; set `NoNewPrivileges` in the service unit"),
    g("issuers-chain-path", &[Any("dir")], "certificates that complete chains").no_effect("chains are sent as the file of the certificate holds them"),
    g("jwt.decrypt_alg_list", WORD, "algorithms accepted by JWT decryption"),
    g("jwt.decrypt_enc_list", WORD, "content algorithms accepted by JWT decryption"),
    g("key-base", &[Any("dir")], "where relative private keys are").no_effect("a private key is looked for beside its certificate; `key-base` of a `crt-store` is used"),
    g("limited-quic", &[], "QUIC without the library's own support").no_effect("QUIC is not supported"),
    g("localpeer", &[Any("name")], "name of this process in peers sections")
        .no_effect("each node keeps tables of its own; a reload keeps them"),
    g(
        "log",
        &[Free(
            "<target> [len <n>] [format <f>] [sample <ranges>:<n>] [profile <p>] <facility> [<max> [<min>]]",
        )],
        "where messages are sent",
    )
    .negatable(),
    g("log-send-hostname", &[Opt(&[Any("name")])], "puts a host name into messages"),
    g("log-tag", WORD, "program name in messages").ignores_more(),
    g("lua-load", &[Any("file"), Rest("argument")], "loads a Lua program").refused(LUA),
    g("lua-load-per-thread", &[Any("file"), Rest("argument")], "loads a Lua program in every thread")
        .refused(LUA),
    g("lua-prepend-path", &[Any("path"), Opt(&[OneOf(&["path", "cpath"])])], "where Lua searches modules")
        .no_effect(LUA),
    g(
        "master-worker",
        &[Opt(&[Any("option")])],
        "run as a master with workers; better given on the command line",
    ),
    g("max-threads-per-group", &[Int(1, 1024)], "threads in one group").no_effect("threads form one group"),
    g("mworker-max-reloads", DIGITS, "reloads an old worker survives")
        .no_effect("a reload starts no process; sessions from before it go on until they end"),
    g("nbthread", &[Int(1, 1024)], "number of worker threads"),
    g("nbproc", &[Rest("number")], "number of processes")
        .translated("dropped; `nbthread` sets the number of threads"),
    g("numa-cpu-mapping", &[], "stay on one NUMA node").no_effect(CPU).negatable(),
    g("ocsp-update.disable", ON_OFF, "no OCSP updates").no_effect(OCSP),
    g("ocsp-update.httpproxy", &[Any("addr")], "proxy for OCSP updates").no_effect(OCSP),
    g("ocsp-update.maxdelay", COUNT, "longest time between OCSP updates").no_effect(OCSP),
    g("ocsp-update.mindelay", DIGITS, "shortest time between OCSP updates").no_effect(OCSP),
    g("ocsp-update.mode", ON_OFF, "default of the certificate option of this name").no_effect(OCSP),
    g("pidfile", &[Any("file")], "file that gets the process number"),
    g("pp2-never-send-local", &[], "sends real addresses instead of LOCAL in PROXY headers of checks")
        .no_effect("checks always say LOCAL in the binary header"),
    g("prealloc-fd", &[], "reserve the descriptor table at start")
        .no_effect("the kernel grows it when needed"),
    g("presetenv", &[Any("name"), Any("value")], "sets an environment variable unless it is set"),
    g("resetenv", &[Rest("name")], "removes all environment variables but these"),
    g("server-state-base", &[Any("dir")], "where relative state files are").no_effect(STATE),
    g("server-state-file", &[Any("file")], "file with the server state to load").no_effect(STATE),
    g("set-dumpable", &[Opt(&[OneOf(&["on", "off", "libs"])])], "allow core dumps after a change of user")
        .negatable()
        .no_effect("the system decides about core dumps; set `LimitCORE` in the service unit"),
    g("set-var", &[Any("name"), Rest("expression")], "sets a variable of the process"),
    g("set-var-fmt", &[Any("name"), Rest("format")], "sets a variable of the process from a format"),
    g("setcap", WORD, "capabilities kept after a change of user").no_effect("no capability is kept after a change of user; ports are bound before it"),
    g("setenv", &[Any("name"), Any("value")], "sets an environment variable"),
    g("shm-stats-file", WORD, "counters shared with the next process").no_effect(STATE),
    g("shm-stats-file-max-objects", UNCHECKED, "room in the shared counters").no_effect(STATE),
    g("ssl-default-bind-ciphers", WORD, "ciphers of all bind lines up to TLS 1.2")
        .partial("names the TLS library does not have are dropped with one warning"),
    g("ssl-default-bind-ciphersuites", WORD, "cipher suites of all bind lines for TLS 1.3")
        .partial(super::SUITES),
    g("ssl-default-bind-client-sigalgs", WORD, "signatures accepted from clients").no_effect(SIGALGS),
    g("ssl-default-bind-curves", WORD, "key exchange groups of all bind lines")
        .partial(super::CURVES),
    g("ssl-default-bind-options", &[Rest("option")], "TLS options of all bind lines"),
    g("ssl-default-bind-sigalgs", WORD, "signatures of all bind lines").no_effect(SIGALGS),
    g("ssl-default-server-ciphers", WORD, "ciphers of all server lines up to TLS 1.2")
        .partial("names the TLS library does not have are dropped with one warning"),
    g("ssl-default-server-ciphersuites", WORD, "cipher suites of all server lines for TLS 1.3")
        .partial(super::SUITES),
    g("ssl-default-server-client-sigalgs", WORD, "signatures offered to servers").no_effect(SIGALGS),
    g("ssl-default-server-curves", WORD, "key exchange groups of all server lines")
        .no_effect(super::SERVER_CURVES),
    g("ssl-default-server-options", &[Rest("option")], "TLS options of all server lines")
        .partial("TLS versions only"),
    g("ssl-default-server-sigalgs", WORD, "signatures of all server lines").no_effect(SIGALGS),
    g("ssl-dh-param-file", &[Any("file")], "Diffie-Hellman parameters")
        .no_effect("the TLS library uses elliptic curves only"),
    g("ssl-load-extra-del-ext", &[], "replaces the extension when side files are searched")
        .no_effect("side files are looked for with and without the extension"),
    g("ssl-load-extra-files", &[Rest("kind")], "side files loaded with certificates").no_effect("side files that are understood are always loaded"),
    g("ssl-passphrase-cmd", &[Rest("argument")], "program that prints the passphrase of keys")
        .refused("keys with a passphrase are not supported; store them decrypted"),
    g("ssl-propquery", WORD, "property query of the TLS library").no_effect(ENGINE),
    g("ssl-provider", WORD, "loads a provider of the TLS library").no_effect(ENGINE),
    g("ssl-provider-path", WORD, "where providers are").no_effect(ENGINE),
    g("ssl-security-level", &[Int(0, 5)], "security level of the TLS library")
        .no_effect("the TLS library offers only what its level 2 allows"),
    g("ssl-server-verify", &[OneOf(&["none", "required"])], "default verification of servers"),
    g("ssl-skip-self-issued-ca", &[], "leaves self-signed issuers out of chains").no_effect("chains are sent as the file of the certificate holds them"),
    g("stats calculate-max-counters", ON_OFF, "keep the highest values of counters").ignores_more()
        .no_effect("the highest values are always kept"),
    g("stats maxconn", &[Digits(1, MAX)], "connections to the statistics sockets at most").ignores_more(),
    g("stats socket", &[Free("<address> [<option>...]")], "a control socket"),
    g("stats timeout", &[Time], "how long an idle control connection stays").ignores_more(),
    g("stats bind-process", &[Rest("processes")], "processes of control sockets").ignores_more()
        .translated("dropped; there is one process"),
    g("stats-file", &[Any("file")], "counters loaded at start").no_effect(STATE),
    g("stress-level", COUNT, "a developer's switch").no_effect("only for tests of HAProxy itself"),
    g("strict-limits", &[], "fail when limits cannot be set").negatable().no_effect("a limit that cannot be set is reported and the start goes on"),
    g("thread-group", &[Int(1, 64), Rest("threads")], "threads of a group")
        .no_effect("threads form one group"),
    g("thread-groups", &[Int(1, 64)], "number of thread groups").no_effect("threads form one group"),
    g("thread-hard-limit", &[Int(1, 1024)], "threads at most").no_effect("`nbthread` and the number of processors decide"),
    g("uid", UNCHECKED, "user to run as, by number"),
    g("ulimit-n", UNCHECKED, "limit of file descriptors"),
    g(
        "unix-bind",
        &[Free("[prefix <p>] [mode <m>] [user <u>] [uid <n>] [group <g>] [gid <n>]")],
        "defaults of unix listeners",
    ),
    g("unsetenv", &[Rest("name")], "removes environment variables"),
    g("user", &[Any("name")], "user to run as"),
    g("node", &[Any("name")], "name of this machine in the statistics"),
    g("wurfl-cache-size", COUNT, "device detection cache").refused(DEVICE),
    g("wurfl-data-file", &[Any("file")], "device detection data").refused(DEVICE),
    g("wurfl-information-list", &[Rest("name")], "device detection properties").refused(DEVICE),
    g("wurfl-information-list-separator", WORD, "device detection separator").refused(DEVICE),
    g("wurfl-patch-file", &[Rest("file")], "device detection patches").refused(DEVICE),
    p("busy-polling", &[], "never sleep").no_effect(POLLER).negatable(),
    p("max-spread-checks", &[Time], "longest random delay between checks").no_effect("the share of `spread-checks` alone bounds the delay"),
    p("maxcompcpuusage", &[Digits(0, 100)], "processor use above which compression stops")
        .no_effect("compression does not depend on the load"),
    p("maxcomprate", UNCHECKED, "compressed kilobytes per second").no_effect("compression does not depend on the load"),
    p("maxconn", UNCHECKED, "connections of the whole process"),
    p("maxconnrate", UNCHECKED, "new connections per second of the whole process"),
    p("maxpipes", UNCHECKED, "pipes used for splicing").no_effect("`maxconn` bounds the pipes, too"),
    p("maxsessrate", UNCHECKED, "new sessions per second of the whole process").no_effect("`maxconnrate` bounds the process and `rate-limit sessions` a frontend"),
    p("maxsslconn", DIGITS, "TLS connections of the whole process").no_effect("`maxconn` of the process or of the `bind` line bounds TLS connections, too"),
    p("maxsslrate", UNCHECKED, "TLS handshakes per second of the whole process").no_effect("`maxconnrate` bounds handshakes, too"),
    p("maxzlibmem", UNCHECKED, "memory for compression")
        .no_effect("compression uses bounded memory per connection"),
    p("no-memory-trimming", &[], "never give memory back").no_effect("memory is left to the allocator"),
    p("noepoll", &[], "do not use epoll").no_effect(POLLER),
    p("noevports", &[], "do not use event ports").no_effect(POLLER),
    p("nogetaddrinfo", &[], "resolve names the old way").no_effect("names are resolved by the C library"),
    p("nokqueue", &[], "do not use kqueue").no_effect(POLLER),
    p("noktls", &[], "do not use TLS in the kernel").no_effect("TLS in the kernel is not used"),
    p("nopoll", &[], "do not use poll").no_effect(POLLER),
    p("noreuseport", &[], "do not share ports between sockets").no_effect("each worker listens with a socket of its own, which needs shared ports"),
    p("nosplice", &[], "do not splice").no_effect("splicing is chosen by this program itself"),
    p("profiling.memory", ON_OFF, "count allocations").no_effect("there is no memory profiler"),
    p("profiling.tasks", &[Rest("mode")], "measure tasks").no_effect("there is no task profiler"),
    p("spread-checks", &[Digits(0, 50)], "random part of check intervals, in percent"),
    p("ssl-engine", &[Any("name"), Rest("algo")], "uses an engine of the TLS library").no_effect(ENGINE),
    p("ssl-mode-async", &[], "asynchronous TLS").no_effect(ENGINE),
    d("anonkey", DIGITS, "key to anonymise dumps with").no_effect("dumps are not anonymised"),
    d("debug.counters", ON_OFF, "developer counters").no_effect("only for tests of HAProxy itself"),
    d("force-cfg-parser-pause", &[Time], "sleeps while parsing")
        .no_effect("only for tests of HAProxy itself"),
    d("quick-exit", &[], "exit without freeing memory").no_effect("memory is left to the kernel"),
    d("quiet", &[], "no messages at start"),
    d("warn-blocked-traffic-after", &[Time], "warns about tasks that block")
        .no_effect("there is no task watchdog"),
    d("zero-warning", &[], "warnings prevent the start"),
    d("debug", &[], "verbose foreground mode").translated("dropped; use -d on the command line"),
    h("httpclient.resolvers.disabled", ON_OFF, "resolve without a resolvers section"),
    h("httpclient.resolvers.id", WORD, "resolvers section of the HTTP client"),
    h("httpclient.resolvers.prefer", &[OneOf(&["ipv4", "ipv6"])], "preferred address family"),
    h("httpclient.retries", UNCHECKED, "retries of the HTTP client"),
    h("httpclient.ssl.ca-file", &[Any("file")], "CA file of the HTTP client"),
    h("httpclient.ssl.verify", &[Opt(&[OneOf(&["none", "required"])])], "verification by the HTTP client"),
    h("httpclient.timeout.connect", &[Time], "connection timeout of the HTTP client"),
    p("tune.ssl.ocsp-update.maxdelay", COUNT, "old name of ocsp-update.maxdelay").no_effect(OCSP),
    p("tune.ssl.ocsp-update.mindelay", DIGITS, "old name of ocsp-update.mindelay").no_effect(OCSP),
    p("tune.ssl.lifetime", &[Seconds], "how long TLS sessions can be resumed").no_effect("the TLS library chooses how long its tickets are good"),
    p("tune.bufsize", &[Size], "size of a buffer, which bounds the head of a message"),
];
