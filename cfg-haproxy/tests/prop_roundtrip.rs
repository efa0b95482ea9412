//! Whatever is parsed, the tree gives the text back, and nothing panics on the way to the specification.

use cfg_haproxy::{Facts, NoEnv, Source};
use proptest::prelude::*;

/// Words of real files, and a few that make trouble.
#[rustfmt::skip]
const WORDS: &[&str] = &[
    "global", "defaults", "frontend", "backend", "listen", "peers", "userlist", "resolvers", "program",
    "bind", "server", "mode", "http", "tcp", "timeout", "client", "5s", "acl", "path_beg", "/x", "if",
    "unless", "{", "}", "!", "||", "http-request", "set-header", "X", "%[path,lower]", "use_backend",
    "default_backend", "b", "f", "option", "httpchk", "no", "default", "stats", "uri", "balance",
    "hdr(host)", "cookie", "insert", "stick-table", "type", "ip", "size", "1m", "reqadd", "X:\\ y",
    "rspidel", "^S:.*", "log", "127.0.0.1:514", "local0", "global", "errorfile", "503", "/e",
    "server-template", "s", "1-3", "a:80", ":80", "*:443", "ssl", "crt", "/c.pem", "check", "inter",
    "weight", "\"$A\"", "\"${A-1}\"", "'a b'", "\\x41", "\"", "'", "\\", ".if", "1", ".else", ".endif",
    ".elif", "#", "\t", "from", "tcp-check", "expect", "string", "http-check", "send", "hdr", "capture",
    "request", "header", "len", "10", "é", "\u{0}",
];

/// Pieces that real files are made of, so that most cases reach deep into the checks.
fn piece() -> impl Strategy<Value = String> {
    let words = prop::sample::select(WORDS);
    (words, prop::sample::select(vec![" ", " ", " ", "\n ", "\n", "", "\r\n"]))
        .prop_map(|(word, gap)| format!("{word}{gap}"))
}

/// Lines of old files: a keyword, a pattern, a replacement, a condition, a comment.
fn old_line() -> impl Strategy<Value = String> {
    let keywords = vec![
        "reqadd",
        "rspadd",
        "reqrep",
        "reqirep",
        "rsprep",
        "reqdel",
        "rspidel",
        "reqdeny",
        "reqitarpit",
        "rspideny",
        "reqallow",
        "reqpass",
        "reqisetbe",
        "block",
        "monitor-net",
        "option httpchk GET /",
    ];
    let patterns = vec![
        "X-A:\\ b",
        "^Host:",
        "^X-A:.*",
        "^([^\\ ]*)\\ /a/(.*)",
        "evil",
        "'^POST (.*)'",
        "10.0.0.0/8",
        "if",
        "\"a:$HOME\"",
        "HTTP/1.1\\r\\nHost:\\ x",
        "^HTTP/1.1\\ 404.*",
        "^(Location:)\\ http(.*)",
        "^(set-cookie:.*)",
        "^(GET|POST)\\ /a(.*)",
        "^([^\\ ]*\\ /)x[/]?(.*)",
        "^GET\\ /foo[/\\ ].*",
        "^X-(A|B):",
        "^([^\\ ]*)\\ ([^\\ ]*)\\ (.*)$",
        "^(()",
    ];
    let replacements = vec![
        "",
        " \\1\\ /b/\\2",
        " Host:\\ c",
        " b",
        " 'GET \\1'",
        " HTTP/1.1\\ 200\\ OK",
        " \\1\\2",
        " GET\\ /b\\1",
        " \\0\\nCookie:\\ b=2",
        " New:\\2",
        " \\1\\ \\2\\ \\3",
    ];
    let tails = vec!["", " if TRUE", " unless { src 10.0.0.1 }", " # note"];
    let pick = prop::sample::select;
    (pick(keywords), pick(patterns), pick(replacements), pick(tails)).prop_map(
        |(keyword, pattern, replacement, tail)| format!(" {keyword} {pattern}{replacement}{tail}\n"),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn files_of_known_words_survive(pieces in prop::collection::vec(piece(), 0..60)) {
        cfg_haproxy::fuzzing::haproxy_cfg(pieces.concat().as_bytes());
    }

    #[test]
    fn any_text_is_given_back(text in "(?s).{0,200}") {
        let (tree, _) = cfg_haproxy::parse(&[Source::new("a", &text)], &NoEnv, &Facts::default());
        let (file, source) = tree.sources().files().next().unwrap();
        prop_assert_eq!(tree.text(file), source.text());
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        cfg_haproxy::fuzzing::haproxy_cfg(&bytes);
    }
}

proptest! {
    // Each case loads, migrates and loads again.
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn files_of_known_words_still_load_when_migrated(pieces in prop::collection::vec(piece(), 0..60)) {
        cfg_haproxy::fuzzing::haproxy_migrate(pieces.concat().as_bytes());
    }

    #[test]
    fn old_lines_still_load_when_migrated(lines in prop::collection::vec(old_line(), 0..12)) {
        let head = "defaults\n mode http\nfrontend f 127.0.0.1:80\n default_backend b\n";
        let text = format!("{head}{}backend b\n server s 127.0.0.1:80\n", lines.concat());
        cfg_haproxy::fuzzing::haproxy_migrate(text.as_bytes());
    }
}
