//! Whole files: what is said about them, and what they become.
//!
//! `golden/ok/*.conf` load, with a `.spec` (what differs from the defaults) and a `.diag` beside them; `golden/err/*.conf`
//! have a `.diag`. `UPDATE_GOLDEN=1` rewrites both.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its files must fail")]

use cfg_keepalived::{NoIncludes, StaticEnv, load, lower};
use lb_core::diag::Severity;
use lb_core::diag::render::{self, Color};
use std::fmt::{Debug, Write as _};
use std::path::{Path, PathBuf};
use vrrp::spec::{Global, Instance, Spec};

#[test]
fn good_files_become_what_they_say() {
    for path in files("ok") {
        let loaded = read(&path);
        assert!(!loaded.diagnostics.has_errors(), "{} has errors", path.display());
        compare(&path.with_extension("diag"), &diagnostics(&loaded));
        let lowered = lower(&loaded.config, &env());
        compare(&path.with_extension("spec"), &spec(&lowered.spec));
    }
}

#[test]
fn bad_files_are_explained() {
    for path in files("err") {
        let loaded = read(&path);
        compare(&path.with_extension("diag"), &diagnostics(&loaded));
    }
}

#[test]
fn a_forgotten_brace_is_one_warning_and_everything_works() {
    let loaded = read(&directory().join("ok/forgotten_brace.conf"));
    let warnings: Vec<_> = loaded.diagnostics.iter().filter(|d| d.severity >= Severity::Warning).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let place = warnings[0].suggestion.as_ref().unwrap().span;
    let (_, at) = loaded.tree.sources.locate(place).unwrap();
    assert_eq!((at.line, at.column), (16, 20));
    assert_eq!(loaded.test_exit_code(), 6);

    let lowered = lower(&loaded.config, &env());
    let instance = lowered.spec.instance("mail1").unwrap();
    assert_eq!((instance.vrid, instance.priority), (50, 101));
    assert_eq!(instance.auth, vrrp::spec::Auth::Pass(vrrp::spec::Password::new(b"CORRECTH")));
    assert_eq!(instance.track.scripts[0].weight.unwrap().value, 20);
    assert_eq!(lowered.spec.script("chk_proxy").unwrap().weight.value, 2);
    assert!(instance.track.interfaces.is_empty());
    let origin = lowered.span(instance.origin).unwrap();
    assert_eq!(loaded.tree.sources.text(origin), "mail1");
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn files(kind: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory().join(kind)).unwrap().map(|e| e.unwrap().path());
    let mut paths: Vec<PathBuf> = entries.filter(|p| p.extension().is_some_and(|e| e == "conf")).collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

fn env() -> StaticEnv {
    StaticEnv::new("node1.example.com")
}

fn read(path: &Path) -> cfg_keepalived::Loaded {
    let name = path.file_name().unwrap().to_str().unwrap();
    load(name, &std::fs::read_to_string(path).unwrap(), &mut NoIncludes, &env())
}

fn diagnostics(loaded: &cfg_keepalived::Loaded) -> String {
    let mut out = format!("exit code of a configuration test: {}\n\n", loaded.test_exit_code());
    for diagnostic in &loaded.diagnostics {
        render::rich(&mut out, &loaded.tree.sources, diagnostic, Color::Off);
        for line in diagnostic.compat.iter().flat_map(|text| text.lines()) {
            let _ = writeln!(out, "  > {line}");
        }
        out.push('\n');
    }
    out
}

fn spec(spec: &Spec) -> String {
    let mut out = String::new();
    section(&mut out, "global", &spec.global, &Global::default());
    for instance in &spec.instances {
        let plain = Instance::new(instance.name.clone(), instance.vrid, &spec.global);
        section(&mut out, &format!("instance {} vrid {}", instance.name, instance.vrid), instance, &plain);
    }
    let mut rest = spec.clone();
    rest.global = Global::default();
    rest.instances.clear();
    section(&mut out, "rest", &rest, &Spec::default());
    out
}

/// The lines of the value that are not lines of the default, so that a new field with a default changes nothing here.
fn section(out: &mut String, title: &str, value: &dyn Debug, default: &dyn Debug) {
    let (new, old) = (lines(value), lines(default));
    let _ = writeln!(out, "== {title}");
    // Longest common subsequence: what is left over is what was set.
    let mut table = vec![vec![0u32; old.len() + 1]; new.len() + 1];
    for i in (0..new.len()).rev() {
        for j in (0..old.len()).rev() {
            table[i][j] =
                if new[i] == old[j] { table[i + 1][j + 1] + 1 } else { table[i + 1][j].max(table[i][j + 1]) };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < new.len() {
        if j < old.len() && new[i] == old[j] {
            i += 1;
            j += 1;
        } else if j < old.len() && table[i][j + 1] >= table[i + 1][j] {
            j += 1;
        } else {
            let _ = writeln!(out, "{}", new[i]);
            i += 1;
        }
    }
}

/// The pretty form, without origins, which take three lines each.
fn lines(value: &dyn Debug) -> Vec<String> {
    let text = format!("{value:#?}");
    let mut out = Vec::new();
    let mut all = text.lines();
    while let Some(line) = all.next() {
        if line.trim_start() == "origin: Origin(" {
            all.nth(1);
        } else {
            out.push(line.to_owned());
        }
    }
    out
}

fn compare(path: &Path, now: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, now).unwrap();
        return;
    }
    let before = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        before == now,
        "{} differs; run with UPDATE_GOLDEN=1 and look at the difference\n{now}",
        path.display()
    );
}
