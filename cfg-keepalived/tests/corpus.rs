//! Files people wrote: what the original's configuration test says of each, and what is said here.
//!
//! The files are not part of the repository. `LB_KEEPALIVED_CORPUS` names a directory with `keepalived-verdicts.csv`
//! (columns `file` and `exit_in_made_up_environment`) and the files in `keepalived/`.

#![expect(clippy::print_stderr, reason = "skipping is said")]

use cfg_keepalived::{NoIncludes, StaticEnv, fuzzing, load};
use std::path::{Path, PathBuf};

#[test]
fn files_people_wrote_are_judged_as_the_original_judges_them() {
    let Some(directory) = corpus() else { return };
    let table = std::fs::read_to_string(directory.join("keepalived-verdicts.csv")).unwrap();
    let mut lines = table.lines();
    let columns: Vec<&str> = lines.next().unwrap().split(',').collect();
    let file = columns.iter().position(|c| *c == "file").unwrap();
    let exit = columns.iter().position(|c| *c == "exit_in_made_up_environment").unwrap();
    let mut wrong = Vec::new();
    for line in lines.filter(|l| !l.is_empty()) {
        // The columns wanted come before the one with quoted messages.
        let cells: Vec<&str> = line.split(',').collect();
        let bytes = std::fs::read(directory.join("keepalived").join(cells[file])).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let loaded = load(cells[file], &text, &mut NoIncludes, &StaticEnv::new("localhost"));
        let got = loaded.test_exit_code();
        if got.to_string() != cells[exit] {
            wrong.push(format!("{}: {got} instead of {}", cells[file], cells[exit]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_in_the_corpus_breaks_an_invariant() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut directories = vec![own.join("ok"), own.join("err")];
    directories.extend(corpus().map(|d| d.join("keepalived")));
    for directory in directories {
        for entry in std::fs::read_dir(directory).unwrap() {
            fuzzing::keepalived_cfg(&std::fs::read(entry.unwrap().path()).unwrap());
        }
    }
}

fn corpus() -> Option<PathBuf> {
    let directory = std::env::var_os("LB_KEEPALIVED_CORPUS").map(PathBuf::from);
    if directory.is_none() {
        eprintln!("LB_KEEPALIVED_CORPUS is not set; files outside the repository are not read");
    }
    directory
}
