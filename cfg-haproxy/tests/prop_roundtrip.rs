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
