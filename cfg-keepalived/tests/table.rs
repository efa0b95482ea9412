//! The generated pages, and the tables they are made from, are the same.

use cfg_keepalived::{codes, keyword};
use std::fmt::Write as _;
use std::path::Path;

fn compare(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/compat").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        return std::fs::write(&path, page).expect("the page can be written");
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == page, "docs/compat/{name} is out of date; run with UPDATE_GOLDEN=1");
}

#[test]
fn the_compatibility_page_is_generated_from_the_table() {
    compare("keepalived.md", &keyword::compat_page());
}

#[test]
fn every_code_has_a_paragraph() {
    let mut page = String::from(
        "# Diagnostic codes of keepalived.conf\n\nGenerated from `cfg_keepalived::codes`; a test fails when it differs.\n\n\
         All of them are stable; `lb check --format json` gives them with every finding.\n",
    );
    for (code, text, advice) in codes::ALL {
        let _ = writeln!(page, "\n## {code}\n\n{text} {advice}");
    }
    compare("keepalived-codes.md", &page);
}
