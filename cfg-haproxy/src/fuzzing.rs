//! Entry points for fuzzing; not part of the API.

use crate::env::{Facts, NoEnv};
use crate::host::Host;
use crate::parse::{Source, parse};
use lb_core::diag::render;
use lb_core::expr::Registry;
use std::sync::LazyLock;

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let mut registry = Registry::builtin();
    lb_proto_http::fetch::register(&mut registry);
    registry
});

/// Any bytes as a configuration: nothing panics, the tree gives the text back, every diagnostic can be shown.
pub fn haproxy_cfg(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let sources = [Source::new("fuzz.cfg", &text)];
    let (tree, _) = parse(&sources, &NoEnv, &Facts::default());
    for (file, source) in tree.sources().files() {
        assert_eq!(tree.text(file), source.text());
    }
    let loaded = crate::load(&sources, &NoEnv, &Facts::default(), Host::ANY, &REGISTRY);
    let mut out = String::new();
    for diagnostic in &loaded.diagnostics {
        render::haproxy(&mut out, loaded.tree.sources(), diagnostic, 1);
        render::rich(&mut out, loaded.tree.sources(), diagnostic, render::Color::Off);
        render::json(&mut out, loaded.tree.sources(), diagnostic);
    }
}
