//! Old files in present words: `tests/golden/migrate/*.cfg` beside what they become. `UPDATE_GOLDEN=1` rewrites.

#![expect(clippy::unwrap_used, reason = "a test stops where it must not go on")]

mod common;

use cfg_haproxy::{Facts, Host, Loaded, NoEnv, Source};
use lb_core::diag::Severity;
use lb_core::expr::Registry;
use std::path::{Path, PathBuf};

fn registry() -> Registry {
    let mut registry = Registry::builtin();
    lb_proto_http::fetch::register(&mut registry);
    registry
}

fn load(text: &str) -> Loaded {
    cfg_haproxy::load(&[Source::new("a.cfg", text)], &NoEnv, &Facts::default(), Host::ANY, &registry())
}

fn migrated(text: &str) -> String {
    let source = Source::new("a.cfg", text);
    let mut done =
        cfg_haproxy::migrate::migrate(&[source], &NoEnv, &Facts::default(), Host::ANY, &registry());
    done.files.remove(0).text
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/migrate");
    let all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = all.filter(|p| p.extension().is_some_and(|e| e == "cfg")).collect();
    files.sort();
    files
}

fn good(text: &str) -> Loaded {
    let loaded = load(text);
    let errors = loaded.diagnostics.iter().filter(|d| d.severity == Severity::Error);
    let said: Vec<&str> = errors.map(|d| d.message.as_str()).collect();
    assert!(said.is_empty(), "{said:?}");
    loaded
}

/// What the file comes to.
fn meaning(text: &str) -> String {
    cfg_haproxy::dump::json(&good(text), Host::ANY)
}

/// The specification, places aside.
fn specification(text: &str) -> Vec<String> {
    common::lines(&format!("{:#?}", good(text).spec))
}

#[test]
fn people_are_told_what_changed_and_what_is_left_to_do() {
    let text = "global\n stats bind-process all\nfrontend web\n mode http\n bind :80\n reqadd X\n nonsense\n";
    let source = Source::new("a.cfg", text);
    let done = cfg_haproxy::migrate::migrate(&[source], &NoEnv, &Facts::default(), Host::ANY, &registry());
    let changes = &done.files[0].changes;
    assert!(!changes.is_empty());
    let said = done.files[0].changes_text();
    for change in changes {
        let new = change.new.replace('\n', "\n    + ");
        let part = format!("a.cfg:{}\n    - {}\n    + {new}\n", change.line, change.old);
        assert!(said.contains(&part), "{said}");
    }
    let left = done.left();
    assert!(left.iter().all(|d| d.severity == Severity::Error) && left.len() < done.diagnostics.len());
    assert!(left.iter().any(|d| d.message.contains("nonsense")), "{left:?}");
}

#[test]
fn old_files_become_present_ones_that_mean_the_same() {
    assert!(files().len() > 4);
    for path in files() {
        let text = std::fs::read_to_string(&path).unwrap();
        let new = migrated(&text);
        let expected = path.with_extension("migrated");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&expected, &new).unwrap();
        }
        let known = std::fs::read_to_string(&expected).unwrap_or_default();
        assert!(known == new, "{} differs; UPDATE_GOLDEN=1 rewrites it. Now:\n{new}", expected.display());
        let left: Vec<_> =
            load(&new).diagnostics.into_iter().filter(|d| d.code == cfg_haproxy::codes::TRANSLATED).collect();
        assert!(left.is_empty(), "{}: {left:?}", path.display());
        assert_eq!(migrated(&new), new, "{} changes again", path.display());
        if path.file_name().unwrap() != "old_names.cfg" {
            let (before, after) = (specification(&text), specification(&new));
            let differs: Vec<_> = before.iter().zip(&after).filter(|(a, b)| a != b).take(3).collect();
            assert!(before == after, "{} means something else: {differs:?}", path.display());
        }
    }
}

#[test]
fn present_files_stay_as_they_are() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/ok");
    let text = std::fs::read_to_string(folder.join("web.cfg")).unwrap();
    assert_eq!(migrated(&text), text);
}

#[test]
fn the_asked_version_chooses_the_defaults() {
    let file = |version: &str| {
        format!(
            "global\n compat-version {version}\ndefaults\n timeout client 1s\n timeout connect 1s\n timeout server 1s\n\
             listen a\n mode http\n bind :80\n server s 127.0.0.1:80\n"
        )
    };
    for (version, balance, reuse, abort) in [
        ("1.8", "roundrobin", "never", "false"),
        ("2.0", "roundrobin", "safe", "false"),
        ("3.2", "roundrobin", "safe", "false"),
        ("3.3", "random(2)", "safe", "true"),
    ] {
        let json = meaning(&file(version));
        assert!(json.contains(&format!("\"balance\": \"{balance}\"")), "{version}: {json}");
        assert!(json.contains(&format!("\"http-reuse\": \"{reuse}\"")), "{version}: {json}");
        assert!(json.contains(&format!("\"abortonclose\": {abort}")), "{version}: {json}");
    }
    let spec = |version: &str| {
        let text = file(version)
            .replace("bind :80", "bind :443 ssl crt a.pem")
            .replace(":80\n", ":443 ssl verify none\n");
        let proxy = good(&text).spec.proxies.remove(0);
        let tls = proxy.listeners[0].tls.clone().unwrap();
        let names: Vec<String> = tls.alpn.iter().map(ToString::to_string).collect();
        (names.join(","), proxy.pool.servers[0].sni.is_some())
    };
    assert_eq!(spec("2.7"), (String::new(), false));
    assert_eq!(spec("2.8"), ("http/1.1".to_owned(), false));
    assert_eq!(spec("3.4"), ("http/1.1".to_owned(), true));
    for wrong in ["4.0", "two", "1.2", "3"] {
        assert!(load(&file(wrong)).diagnostics.has_errors(), "{wrong}");
    }
}
