//! Replays the inputs that fuzzers found worth keeping, on stable and without a fuzzer.
//!
//! `fuzz/corpus/TARGET/` holds them; a target without a directory, or a directory without a target, is a mistake.

#![expect(clippy::disallowed_methods, reason = "the entry points take the time as an argument")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

type Entry = fn(&[u8]);

/// Every target of `fuzz/` but those of the `vrrp` crate, which replays its own.
const TARGETS: [(&str, Entry); 15] = [
    ("converters", |data| lb_core::fuzzing::converters(data, Instant::now())),
    ("ctl_command", |data| lb_core::fuzzing::ctl_command(data, Instant::now())),
    ("h1_chunked", lb_proto_http::fuzzing::h1_chunked),
    ("h1_request", lb_proto_http::fuzzing::h1_request),
    ("h1_response", lb_proto_http::fuzzing::h1_response),
    ("haproxy_cfg", cfg_haproxy::fuzzing::haproxy_cfg),
    ("haproxy_expr", |data| lb_core::fuzzing::expr(data, Instant::now())),
    ("haproxy_migrate", cfg_haproxy::fuzzing::haproxy_migrate),
    ("keepalived_cfg", cfg_keepalived::fuzzing::keepalived_cfg),
    ("log_message", lb_core::fuzzing::log_message),
    ("log_format", |data| lb_core::fuzzing::log_format(data, Instant::now())),
    ("proxy_protocol", lb_core::fuzzing::proxy_protocol),
    ("smtp_reply", lb_proto_smtp::fuzzing::smtp_reply),
    ("smtp_server", lb_proto_smtp::fuzzing::smtp_server),
    ("stats_page", lb_core::fuzzing::stats_page),
];

/// `None` in a published crate, which comes without the corpora.
fn corpora() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    path.is_dir().then_some(path)
}

#[test]
fn what_fuzzers_found_stays_harmless() {
    let Some(corpora) = corpora() else { return };
    for (target, entry) in TARGETS {
        for file in fs::read_dir(corpora.join(target)).expect("a corpus for each target") {
            let path = file.expect("a readable directory").path();
            println!("{}", path.display());
            entry(&fs::read(&path).expect("a readable file"));
        }
    }
}

#[test]
fn every_corpus_is_replayed() {
    let Some(corpora) = corpora() else { return };
    let names = fs::read_dir(corpora).expect("a readable directory").map(|entry| {
        entry.expect("a readable directory").file_name().into_string().expect("a name of ASCII letters")
    });
    let replayed: BTreeSet<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    let left: Vec<String> =
        names.filter(|name| !name.starts_with("vrrp_") && !replayed.contains(name.as_str())).collect();
    assert!(left.is_empty(), "nothing replays {left:?}");
}
