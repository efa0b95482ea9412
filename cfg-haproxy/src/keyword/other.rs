//! Keywords of all other sections (configuration manual 5.3, 6, 8.3.5, 10, 11.2 and 12).

use super::Arg::{Any, Free, Int, OneOf, Rest, Size, Time, Unchecked};
use super::{Arg, Keyword, Place};
use crate::section::SectionKind as S;

const MAX: i64 = i32::MAX as i64;
const COUNT: &[Arg] = &[Int(0, MAX)];
const WORD: &[Arg] = &[Any("text")];
const ON_OFF: &[Arg] = &[OneOf(&["on", "off"])];
const LOG: &[Arg] =
    &[Free("global | <target> [len <n>] [format <f>] [sample <ranges>:<n>] <facility> [<max> [<min>]]")];

const KEY: &str =
    "on `bind` lines; for `crt` of a server the key is looked for in the certificate file and beside it";
const FCGI: &str = "FastCGI is not supported";
const CACHE: &str = "there is no response cache";
const ACME: &str = "certificates are not requested by ACME";
const TRACES: &str = "there are no traces";

const fn k(
    kind: S,
    name: &'static str,
    args: &'static [Arg],
    manual: &'static str,
    doc: &'static str,
) -> Keyword {
    Keyword::new(Place::Section(kind), name, args, manual, doc)
}

const fn peers(name: &'static str, args: &'static [Arg], doc: &'static str) -> Keyword {
    k(S::Peers, name, args, "11.2", doc).no_effect("each node keeps tables of its own; a reload keeps them")
}

const fn resolvers(name: &'static str, args: &'static [Arg], doc: &'static str) -> Keyword {
    k(S::Resolvers, name, args, "5.3.2", doc)
}

const fn cache(name: &'static str, args: &'static [Arg], doc: &'static str) -> Keyword {
    k(S::Cache, name, args, "6.2.1", doc).no_effect(CACHE)
}

const fn fcgi(name: &'static str, args: &'static [Arg], doc: &'static str) -> Keyword {
    k(S::FcgiApp, name, args, "10.1.1", doc).no_effect(FCGI)
}

const fn ring(name: &'static str, args: &'static [Arg], doc: &'static str) -> Keyword {
    k(S::Ring, name, args, "12.5", doc)
}

const fn forward(name: &'static str, args: &'static [Arg], doc: &'static str) -> Keyword {
    k(S::LogForward, name, args, "12.6", doc)
}

const fn acme(name: &'static str, args: &'static [Arg], doc: &'static str) -> Keyword {
    k(S::Acme, name, args, "12.8", doc).no_effect(ACME)
}

const fn check(name: &'static str, args: &'static [Arg], doc: &'static str) -> Keyword {
    k(S::Healthcheck, name, args, "12.9", doc)
}

const fn load(name: &'static str, args: &'static [Arg], doc: &'static str) -> Keyword {
    Keyword::new(Place::Load, name, args, "12.7.1", doc)
}

pub(super) const KEYWORDS: &[Keyword] = &[
    peers("bind", &[Any("address"), Free("[<option>...]")], "where peers connect to"),
    peers("default-bind", &[Free("[<option>...]")], "options of the bind line"),
    peers("default-server", &[Free("[<option>...]")], "options of the peers"),
    peers("disabled", &[], "do not start this section"),
    peers("enabled", &[], "undoes disabled"),
    peers("log", LOG, "where messages are sent"),
    peers("peer", &[Any("name"), Any("address"), Free("[<option>...]")], "a peer"),
    peers("server", &[Any("name"), Free("[<address>] [<option>...]")], "a peer with server options"),
    peers("shards", &[Int(1, MAX)], "parts the tables are split into").no_effect("peers get whole tables"),
    peers(
        "table",
        &[Any("name"), Free("type <t> [len <n>] size <n> [expire <t>] [write-to <t>] [store <d>]*")],
        "a table",
    ),
    resolvers("accepted_payload_size", &[Int(512, 65535)], "largest DNS answer"),
    resolvers(
        "hold",
        &[OneOf(&["nx", "obsolete", "other", "refused", "timeout", "valid"]), Time],
        "how long a result is kept",
    )
    .partial("`valid` for `do-resolve`, which keeps no failures; the others for servers"),
    resolvers("nameserver", &[Any("name"), Any("address"), Free("[<option>...]")], "a name server")
        .partial("asked over UDP, not for SRV records"),
    resolvers("parse-resolv-conf", &[], "takes the name servers of /etc/resolv.conf"),
    resolvers("resolution_pool_size", &[Rest("number")], "resolutions at once")
        .translated("dropped; there is no such limit"),
    resolvers("resolve_retries", &[Int(1, MAX)], "questions before a failure"),
    resolvers("timeout", &[OneOf(&["resolve", "retry"]), Time], "times of questions"),
    k(S::Userlist, "group", &[Any("name"), Free("[users <user>,...]")], "12.2", "a group"),
    k(
        S::Userlist,
        "user",
        &[Any("name"), Free("[password <hash> | insecure-password <text>] [groups <group>,...]")],
        "12.2",
        "a user",
    )
    .partial("hashes of SHA-256 ($5$) and SHA-512 ($6$) only"),
    k(S::Mailers, "mailer", &[Any("name"), Any("address")], "12.3", "a mail server")
        .no_effect("proxies send no mails; changes of servers are in the log and on the control socket"),
    k(S::Mailers, "timeout mail", &[Time], "12.3", "time a mail may take")
        .no_effect("proxies send no mails; changes of servers are in the log and on the control socket"),
    cache("max-age", COUNT, "how long objects are kept"),
    cache("max-object-size", COUNT, "largest object"),
    cache("max-secondary-entries", COUNT, "variants of an object"),
    cache("process-vary", ON_OFF, "keep variants"),
    cache("total-max-size", &[Int(1, 4095)], "memory in megabytes"),
    k(S::HttpErrors, "errorfile", &[Int(100, 599), Any("file")], "12.4", "a whole response for an error"),
    ring("backing-file", WORD, "file that also keeps the messages").partial(
        "as text; bytes of zero part the newest message from the oldest; a reload in place goes on in it",
    ),
    ring("description", &[Any("text"), Rest("text")], "text shown for the ring"),
    ring(
        "format",
        &[OneOf(&["local", "rfc3164", "rfc5424", "priority", "short", "timed", "iso", "raw"])],
        "format of messages",
    ),
    ring("maxlen", &[Int(1, MAX)], "longest message"),
    ring("server", &[Any("name"), Any("address"), Free("[<option>...]")], "where messages go"),
    ring("size", &[Size], "size of the ring"),
    ring("timeout connect", &[Time], "time to connect to the server"),
    ring("timeout server", &[Time], "server silence"),
    forward("backlog", &[Unchecked(0, MAX)], "connections the kernel queues"),
    forward("bind", &[Any("address"), Free("[<option>...]")], "stream address to listen on"),
    forward("dgram-bind", &[Any("address"), Free("[<option>...]")], "datagram address to listen on"),
    forward("log", LOG, "where messages are sent"),
    forward("maxconn", &[Unchecked(0, MAX)], "connections at most"),
    forward("timeout client", &[Time], "client silence"),
    forward("option assume-rfc6587-ntf", &[], "messages end at line ends").negatable(),
    forward("option dont-parse-log", &[], "messages are passed unread").negatable(),
    forward(
        "option host",
        &[OneOf(&["replace", "fill", "keep", "append"])],
        "what becomes of the host field",
    ),
    k(S::LogProfile, "log-tag", WORD, "8.3.5", "program name in messages").ignores_more(),
    k(
        S::LogProfile,
        "on",
        &[Any("step"), Free("[drop] [format <f>] [sd <f>]")],
        "8.3.5",
        "what is logged at a step",
    ),
    fcgi("acl", &[Any("name"), Rest("word")], "an access list"),
    fcgi("docroot", WORD, "directory of the scripts"),
    fcgi("hide-header", WORD, "a header that is dropped"),
    fcgi("index", WORD, "script of a directory"),
    fcgi("log-stderr", &[Rest("word")], "where errors are sent"),
    fcgi("option", &[Any("name"), Rest("value")], "a FastCGI option").negatable(),
    fcgi("pass-header", &[Any("name"), Rest("word")], "a header that is passed"),
    fcgi("path-info", WORD, "how path information is found"),
    fcgi("set-param", &[Any("name"), Any("format"), Rest("word")], "a parameter"),
    fcgi("unset-param", &[Any("name"), Rest("word")], "removes a parameter"),
    k(S::CrtStore, "crt-base", WORD, "12.7", "where relative certificate files are"),
    k(S::CrtStore, "key-base", WORD, "12.7", "where relative private keys are").partial(KEY),
    k(S::CrtStore, "load", &[Free("[crt <file>] [<option>...]")], "12.7", "a certificate")
        .partial("`crt`, `alias`, `key` and `jwt` only"),
    load("acme", WORD, "ACME account of the certificate").no_effect(ACME),
    load("alias", WORD, "another name of the certificate"),
    load("bits", COUNT, "size of generated keys").no_effect(ACME),
    load("crt", WORD, "file of the certificate"),
    load("curves", WORD, "curve of generated keys").no_effect(ACME),
    load("domains", WORD, "names of the requested certificate").no_effect(ACME),
    load("generate-dummy", ON_OFF, "a temporary certificate").no_effect(ACME),
    load("ips", WORD, "addresses of the requested certificate").no_effect(ACME),
    load("issuer", WORD, "file of the issuer").no_effect("the chain is the one in the certificate file"),
    load("jwt", ON_OFF, "use for tokens"),
    load("key", WORD, "file of the private key").partial(KEY),
    load("keytype", &[OneOf(&["RSA", "ECDSA"])], "type of generated keys").no_effect(ACME),
    load("ocsp", WORD, "file of the OCSP response").no_effect("OCSP responses are not sent"),
    load("ocsp-update", ON_OFF, "fetches OCSP responses").no_effect("OCSP responses are not fetched"),
    load("sctl", WORD, "file of certificate timestamps").no_effect("certificate timestamps are not sent"),
    acme("account-key", WORD, "file of the account's key"),
    acme("acme-vars", WORD, "values for the challenge program"),
    acme("bits", COUNT, "size of keys"),
    acme("challenge", WORD, "kind of challenge"),
    acme("challenge-ready", WORD, "when a challenge is ready"),
    acme("contact", WORD, "mail address of the account"),
    acme("curves", WORD, "curve of keys"),
    acme("directory", WORD, "address of the authority"),
    acme("dns-delay", &[Time], "wait before a DNS challenge"),
    acme("dns-timeout", &[Time], "time of a DNS challenge"),
    acme("eab-key-id", WORD, "external account"),
    acme("eab-mac-alg", WORD, "external account"),
    acme("eab-mac-key", WORD, "external account"),
    acme("keytype", &[OneOf(&["RSA", "ECDSA"])], "type of keys"),
    acme("map", WORD, "map that carries challenges"),
    acme("profile", WORD, "profile of the authority"),
    acme("provider-name", WORD, "DNS provider"),
    acme("reuse-key", ON_OFF, "keep the private key"),
    k(S::Traces, "trace", &[Any("source"), Rest("argument")], "12.1", "a trace").no_effect(TRACES),
    check("http-check", &[Free("<step> [<argument>...]")], "a step of an HTTP check"),
    check("tcp-check", &[Free("<step> [<argument>...]")], "a step of a TCP check"),
    check(
        "type",
        &[Free(
            "{ tcp-check | httpchk | smtpchk | mysql-check | pgsql-check | redis-check | ldap-check | \
        ssl-hello-chk | spop-check | external-check } [<argument>...]",
        )],
        "kind of check",
    )
    .partial("external-check only connects"),
    k(S::Program, "command", &[Rest("word")], "3.1", "program to run")
        .translated("dropped; start it by its own service unit"),
    k(S::Program, "group", WORD, "3.1", "group of the program").translated("dropped"),
    k(S::Program, "option", &[Any("name")], "3.1", "an option of the program")
        .translated("dropped")
        .negatable(),
    k(S::Program, "user", WORD, "3.1", "user of the program").translated("dropped"),
];
