//! Entry points for fuzzing; not part of the API.

use crate::env::{Facts, NoEnv};
use crate::host::Host;
use crate::parse::{Source, parse};
use lb_core::diag::{Severity, render};
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

/// Any bytes as a configuration to be migrated: nothing panics, and a file that loads still does, without old words.
pub fn haproxy_migrate(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let load = |text: &str| {
        crate::load(&[Source::new("fuzz.cfg", text)], &NoEnv, &Facts::default(), Host::ANY, &REGISTRY)
    };
    let loaded = load(&text);
    let _ = crate::dump::json(&loaded, Host::ANY);
    let sources = [Source::new("fuzz.cfg", &text)];
    let done = crate::migrate::migrate(&sources, &NoEnv, &Facts::default(), Host::ANY, &REGISTRY);
    let Some(file) = done.files.first() else { return };
    let again = load(&file.text);
    if !loaded.diagnostics.has_errors() {
        let errors: Vec<_> = again.diagnostics.iter().filter(|d| d.severity == Severity::Error).collect();
        assert!(errors.is_empty(), "{errors:?} in\n{}", file.text);
        assert_eq!(loaded.spec.proxies.len(), again.spec.proxies.len());
    }
}
