//! Replays what fuzzers found, on stable and without a fuzzer.

use std::fs;
use std::path::Path;

#[expect(clippy::print_stdout, reason = "a failing test shows which file it was")]
fn replay(target: &str, entry: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let Ok(files) = fs::read_dir(&directory) else {
        // A published crate comes without the corpus.
        return;
    };
    for file in files {
        let path = file.expect("a readable directory").path();
        let bytes = fs::read(&path).expect("a readable file");
        println!("{}", path.display());
        entry(&bytes);
    }
}

#[test]
fn packets() {
    replay("vrrp_packet", vrrp::fuzzing::packet);
}

#[test]
fn bfd_packets() {
    replay("vrrp_bfd", vrrp::fuzzing::bfd);
}

#[test]
fn router_operations() {
    replay("vrrp_router", vrrp::fuzzing::router_ops);
}
