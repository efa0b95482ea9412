//! What the program says of itself.

/// The version of Keepalived whose dialect and behaviour it follows.
const KEEPALIVED: &str = "2.3.4";

/// What statistics call this program. Tools look for the name and the version of the dialect.
pub(crate) const PRODUCT: lb_core::rt::Product =
    lb_core::rt::Product { name: "HAProxy", version: cfg_haproxy::VERSION, date: "2026/06/03" };

/// The first line of `lb --version`.
pub(crate) fn own() -> String {
    format!("lb {}\n", env!("CARGO_PKG_VERSION"))
}

/// The answer to `haproxy -v` and `-vv`.
pub(crate) fn haproxy(long: bool) -> String {
    cfg_haproxy::command_line::version(cfg_haproxy::VERSION, own().trim_end(), long.then_some(&features()))
}

/// Features by the names HAProxy's build gives them.
fn features() -> [(&'static str, bool); 14] {
    let tls = cfg!(feature = "tls");
    let regex = cfg!(feature = "regex");
    [
        ("EPOLL", true),
        ("GETADDRINFO", true),
        ("LINUX_SPLICE", true),
        ("LUA", false),
        ("NETFILTER", true),
        ("OPENSSL", tls),
        ("PCRE2", regex),
        ("PROMEX", true),
        ("QUIC", false),
        ("SLZ", false),
        ("TFO", true),
        ("THREAD", true),
        ("TPROXY", true),
        ("ZLIB", false),
    ]
}

/// The answer to `keepalived -v`.
pub(crate) fn keepalived() -> String {
    format!("Keepalived v{KEEPALIVED} compatible lb {}\n", env!("CARGO_PKG_VERSION"))
}

/// The answer to `lb help`.
pub(crate) const HELP: &str = "\
lb - one daemon for HAProxy and Keepalived configurations

  lb run -f haproxy.cfg [-k keepalived.conf]   run; with both files a supervisor with two parts
      -D           go to the background            -p FILE   write the process number
      -W           supervise a balancer alone      -C DIR    change to DIR first
      --notify     tell the service manager        -L NAME   name among peers
      --vrrp-socket NAME  where `lb vrrp -s NAME` asks (a path, or a name in the network namespace)
      --strict     refuse files with warnings      --format auto|human|haproxy|json
      --config-id ID  what `@ID` conditions of a keepalived.conf are compared with
      --vrrp-only, --checkers-only, --keep-addresses, --no-respawn, --dump-conf, --no-syslog,
      --log-facility N, --vrrp-pid FILE  as keepalived's -P -C -V -R -d -G -S -r
  lb check -f haproxy.cfg [-k keepalived.conf]     judge files; exit status as the originals'
      --strict     warnings are errors             --format auto|human|haproxy|json
  lb check -k own.conf --peer other.conf           also: do the two nodes fit together
  lb vrrp [status]                                 virtual routers: state, reason, priority, peers, split brain;
                                                   status 2 while two masters serve an address
  lb vrrp metrics|data|stats|json                  the same for programs; the last three as keepalived writes them
  lb vrrp hand-over NAME | announce [NAME]         give the addresses away; announce them again
  lb migrate -f haproxy.cfg [-i]                   write it in the words of HAProxy 3.4, comments and
                                                   layout kept; -i in place, the old one as FILE.orig
  lb explain WORD...                               what a keyword, action, fetch or converter means
  lb dump -f haproxy.cfg                           what the file comes to, defaults included, as JSON
  lb demo [--rate N] [--plain] [--single]          two nodes, mail, failures: see it work
  lb reload -p FILE                                read the files again, lose nothing
  lb stop -p FILE                                  stop gracefully
  lb haproxy ARGS, lb keepalived ARGS              the command lines of these programs; also through
                                                   links named haproxy and keepalived
";
