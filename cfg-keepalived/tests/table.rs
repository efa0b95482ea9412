//! The generated page and the table are the same.

use cfg_keepalived::keyword;
use std::path::Path;

#[test]
fn the_compatibility_page_is_generated_from_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/compat/keepalived.md");
    let page = keyword::compat_page();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, page).unwrap();
        return;
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == page, "docs/compat/keepalived.md is out of date; run with UPDATE_GOLDEN=1");
}
