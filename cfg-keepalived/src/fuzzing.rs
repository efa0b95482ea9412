//! Entry points for fuzzers; corpora are replayed by the tests.

use crate::{Included, Source, Sources, StaticEnv, load, lower};

/// Includes that find the input itself once, so that including is exercised, too.
struct Mirror(Option<String>);

impl Sources for Mirror {
    fn include(&mut self, pattern: &str, _from: &str) -> Included {
        let files = self.0.take().map(|text| Source::new(pattern, text)).into_iter().collect();
        Included { files, unreadable: Vec::new() }
    }
}

/// Reads, checks, lowers and prints any bytes, and checks that the tree is lossless.
///
/// # Panics
///
/// When an invariant is broken.
pub fn keepalived_cfg(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let env = StaticEnv::new("node1.example.com").with_var("HOME", "/root");
    let loaded = load("fuzz.conf", &text, &mut Mirror(Some(text.clone().into_owned())), &env);
    for (id, file) in loaded.tree.sources.files() {
        assert_eq!(loaded.tree.text(id), file.text(), "the tree lost something");
    }
    let mut out = String::new();
    for diagnostic in loaded.diagnostics.iter().take(50) {
        let map = &loaded.tree.sources;
        lb_core::diag::render::rich(&mut out, map, diagnostic, lb_core::diag::render::Color::Off);
        lb_core::diag::render::json(&mut out, map, diagnostic);
    }
    let lowered = lower(&loaded.config, &env);
    for instance in &lowered.spec.instances {
        assert!(instance.vrid > 0 && instance.priority > 0, "a number the protocol cannot carry");
        assert!(instance.advert_interval.centis() > 0, "an interval of nothing");
        assert!(lowered.span(instance.origin).is_some(), "an instance from nowhere");
    }
}
