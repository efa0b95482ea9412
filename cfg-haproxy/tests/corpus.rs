//! Files people wrote: what loads still does when migrated, means the same, and is taken by HAProxy.
//!
//! The files are not part of the repository. `LB_HAPROXY_CORPUS` names a directory of `*.cfg`; with `LB_HAPROXY_PROGRAM`
//! every migrated file is also given to that program (`-c -f`). Files and environment are those of this machine; what the
//! program says about its users and hosts does not count.

#![expect(clippy::unwrap_used, reason = "a test stops where it must not go on")]

mod common;

use cfg_haproxy::{Env, Facts, FileKind, Files, Host, Loaded, Source};
use lb_core::diag::Severity;
use lb_core::expr::Registry;
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::process::Command;

struct Machine;

impl Env for Machine {
    fn var(&self, name: &str) -> Option<Cow<'_, str>> {
        std::env::var_os(name).and_then(|value| value.into_string().ok()).map(Cow::Owned)
    }
}

impl Files for Machine {
    fn read(&self, path: &str) -> std::io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn kind(&self, path: &str) -> Option<FileKind> {
        let meta = std::fs::metadata(path).ok()?;
        Some(if meta.is_dir() { FileKind::Directory } else { FileKind::File })
    }
}

#[test]
fn files_people_wrote_mean_the_same_when_migrated() {
    let Some(directory) = std::env::var_os("LB_HAPROXY_CORPUS").map(PathBuf::from) else {
        return eprintln!("LB_HAPROXY_CORPUS is not set; files outside the repository are not read");
    };
    let program = std::env::var_os("LB_HAPROXY_PROGRAM").map(PathBuf::from);
    let all = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = all.filter(|p| p.extension().is_some_and(|e| e == "cfg")).collect();
    paths.sort();
    let (mut loaded, mut wrong) = (0, Vec::new());
    for path in paths {
        // Old files may be Latin-1, where every byte is the character of that number.
        let text = String::from_utf8(std::fs::read(&path).unwrap())
            .unwrap_or_else(|e| e.as_bytes().iter().map(|b| char::from(*b)).collect());
        if let Some(found) = faults(&text, program.as_deref()) {
            loaded += 1;
            wrong.extend(found.into_iter().map(|fault| format!("{}: {fault}", path.display())));
        }
    }
    eprintln!("{loaded} files load");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with the migrated form of `text`; nothing if it does not load as it is.
fn faults(text: &str, program: Option<&Path>) -> Option<Vec<String>> {
    let mut registry = Registry::builtin();
    lb_proto_http::fetch::register(&mut registry);
    let host = Host { files: &Machine, ..Host::ANY };
    let load = |text: &str| {
        cfg_haproxy::load(&[Source::new("a.cfg", text)], &Machine, &Facts::default(), host, &registry)
    };
    let before = load(text);
    if before.diagnostics.has_errors() {
        return None;
    }
    let source = [Source::new("a.cfg", text)];
    let mut done = cfg_haproxy::migrate::migrate(&source, &Machine, &Facts::default(), host, &registry);
    let new = done.files.remove(0).text;
    let after = load(&new);
    let mut out = Vec::new();
    for diagnostic in &after.diagnostics {
        let old = diagnostic.code == cfg_haproxy::codes::TRANSLATED;
        if diagnostic.severity == Severity::Error || old {
            out.push(diagnostic.message.clone());
        }
    }
    let (before, after) = (specification(&before, None), specification(&after, Some(&before)));
    if before != after {
        let differs = before.iter().zip(&after).find(|(a, b)| a != b);
        out.push(format!("means something else: {differs:?}"));
    }
    out.extend(program.and_then(|program| refused(program, &new)));
    Some(out)
}

/// The specification line by line, places aside; names that migration had to change are those of `old`.
fn specification(loaded: &Loaded, old: Option<&Loaded>) -> Vec<String> {
    let mut text = format!("{:#?}", loaded.spec);
    for (new, old) in loaded.spec.proxies.iter().zip(old.iter().flat_map(|o| &o.spec.proxies)) {
        let (new, old) = (new.name.as_str(), old.name.as_str());
        if new != old {
            text = text.replace(new, old);
        }
    }
    let mut out = common::lines(&text);
    // Maps have no order, and lists in the order of names another one when a name has changed.
    out.sort();
    out
}

/// What the original says against `text`, if it does not take it.
fn refused(program: &Path, text: &str) -> Option<String> {
    let path = std::env::temp_dir().join(format!("migrated-{}.cfg", std::process::id()));
    let bytes: Vec<u8> = match text.chars().all(|c| u32::from(c) < 256) && !text.is_ascii() {
        true => text.chars().map(|c| c as u8).collect(),
        false => text.as_bytes().to_vec(),
    };
    std::fs::write(&path, bytes).unwrap();
    let judged = Command::new(program).args(["-c", "-V", "-f"]).arg(&path).output().unwrap();
    std::fs::remove_file(&path).unwrap();
    // 2 is a file that is fine and listens nowhere.
    let fine = matches!(judged.status.code(), Some(0 | 2));
    let said = String::from_utf8_lossy(&judged.stderr);
    let machine =
        ["cannot find user", "cannot find group", "invalid address", "unknown group", "unknown user"];
    let closing = ["Error(s) found", "Fatal errors found"];
    let alerts = said.lines().filter(|l| l.contains("ALERT") && !closing.iter().any(|c| l.contains(c)));
    let alerts: Vec<&str> = alerts.filter(|l| !machine.iter().any(|m| l.contains(m))).collect();
    (!fine && !alerts.is_empty()).then(|| alerts.join("\n    "))
}
