//! Files and what is said about them: `tests/golden/ok/*.cfg` with the specification they become, `err/*.cfg` with their
//! diagnostics in both forms. `UPDATE_GOLDEN=1` rewrites the expected files.

#![expect(clippy::unwrap_used, reason = "a test stops where it must not go on")]

use cfg_haproxy::{Env, Facts, FileKind, Files, Host, Loaded, Source};
use lb_core::diag::render;
use lb_core::expr::Registry;
use lb_core::spec::{ProxySpec, Spec};
use lb_proto_http::spec::HttpProxy;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The environment the files may use.
struct Fixed;

impl Env for Fixed {
    fn var(&self, name: &str) -> Option<Cow<'_, str>> {
        match name {
            "PORT" => Some("8080".into()),
            "LIST" => Some("one two".into()),
            _ => None,
        }
    }
}

fn load(path: &Path) -> Loaded {
    let text = std::fs::read_to_string(path).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    let host = Host { files: &Without, ..Host::ANY };
    cfg_haproxy::load(&[Source::new(name, &text)], &Fixed, &Facts::default(), host, &registry())
}

/// Everything exists, except what is below `/missing`.
#[derive(Debug)]
struct Without;

impl Files for Without {
    fn read(&self, path: &str) -> std::io::Result<Vec<u8>> {
        self.kind(path).ok_or(std::io::ErrorKind::NotFound)?;
        Host::ANY.files.read(path)
    }

    fn kind(&self, path: &str) -> Option<FileKind> {
        Host::ANY.files.kind(path).filter(|_| !path.starts_with("/missing"))
    }
}

fn registry() -> Registry {
    let mut registry = Registry::builtin();
    lb_proto_http::fetch::register(&mut registry);
    registry
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "cfg"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn compare(path: &Path, extension: &str, actual: &str) {
    let expected = path.with_extension(extension);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&expected, actual).unwrap();
    }
    let text = std::fs::read_to_string(&expected).unwrap_or_default();
    assert!(text == actual, "{} differs; UPDATE_GOLDEN=1 rewrites it. Now:\n{actual}", expected.display());
}

fn diagnostics(loaded: &Loaded) -> String {
    let mut out = String::new();
    for diagnostic in &loaded.diagnostics {
        render::haproxy(&mut out, loaded.tree.sources(), diagnostic, 1);
    }
    out.push('\n');
    for diagnostic in &loaded.diagnostics {
        render::rich(&mut out, loaded.tree.sources(), diagnostic, render::Color::Off);
        out.push('\n');
    }
    out
}

#[test]
fn good_files_become_their_specifications() {
    for path in files("ok") {
        let loaded = load(&path);
        assert!(!loaded.diagnostics.has_errors(), "{}: {}", path.display(), diagnostics(&loaded));
        let mut out = diagnostics(&loaded);
        summary(&mut out, &loaded.spec);
        compare(&path, "spec", &out);
    }
}

/// What a reader of the file would want to know of its specification; not every field, so that new ones change nothing.
fn summary(out: &mut String, spec: &Spec) {
    let p = &spec.process;
    let _ = writeln!(
        out,
        "process user={:?} group={:?} chroot={:?} maxconn={:?} threads={:?} daemon={} log={:?} sockets={:?}",
        p.user,
        p.group,
        p.chroot,
        p.maxconn,
        p.threads,
        p.daemon,
        p.log.iter().map(|l| (&l.destination, l.facility.0)).collect::<Vec<_>>(),
        p.ctl.iter().map(|c| (c.listener.endpoint.to_string(), c.level, c.expose_fd)).collect::<Vec<_>>(),
    );
    for proxy in &spec.proxies {
        proxy_summary(out, proxy);
    }
}

fn proxy_summary(out: &mut String, p: &ProxySpec) {
    let _ = writeln!(out, "\n{:?} {} id={} {:?} maxconn={:?}", p.capability, p.name, p.id, p.mode, p.maxconn);
    let _ = writeln!(out, "  timeouts {:?}", p.timeouts);
    let _ = writeln!(
        out,
        "  log global={} own={} format={:?} dontlognull={}",
        p.log.global,
        p.log.targets.len(),
        p.log.format.as_ref().map(|f| f.text()),
        p.log.dontlognull
    );
    for l in &p.listeners {
        let _ = writeln!(
            out,
            "  listener {} name={:?} proxy={} tls={}",
            l.endpoint,
            l.name,
            l.accept_proxy,
            l.tls.is_some()
        );
    }
    for route in &p.routes {
        let _ = writeln!(out, "  route conditional={} {:?}", route.condition.is_some(), route.target);
    }
    let _ = writeln!(out, "  default_backend {:?}", p.default_backend);
    let _ = writeln!(out, "  pool {:?} {:?} {:?}", p.pool.algorithm, p.pool.hash.method, p.pool.retry);
    for s in &p.pool.servers {
        let _ = writeln!(
            out,
            "  server {} id={} {} offset={:?} weight={} maxconn={} backup={} cookie={:?} slowstart={:?}",
            s.name,
            s.id,
            s.addr.endpoint,
            s.addr.port_offset,
            s.weight,
            s.maxconn,
            s.backup,
            s.cookie,
            s.slowstart
        );
        if let Some(check) = &s.check {
            let _ =
                writeln!(out, "    check {:?} {}/{} {:?}", check.inter, check.rise, check.fall, check.probe);
        }
    }
    let Some(http) = p.protocol.as_any().downcast_ref::<HttpProxy>() else { return };
    let _ =
        writeln!(out, "  http {:?} cookie={:?} forward={:?}", http.connection, http.cookie, http.forward_for);
    for (name, set) in [("request", &http.request), ("response", &http.response)] {
        for rule in set.rules() {
            let _ = writeln!(out, "  {name} conditional={} {}", rule.condition.is_some(), head(&rule.action));
        }
    }
    for rule in http.redirects.rules() {
        let _ = writeln!(out, "  redirect conditional={} {}", rule.condition.is_some(), rule.action.code);
    }
}

/// The name of an action's variant and its first word.
fn head(action: &impl std::fmt::Debug) -> String {
    let text = format!("{action:?}");
    text.split_inclusive([',', ' ']).next().unwrap_or("").trim_end_matches([',', ' ']).to_owned()
}

#[test]
fn bad_files_are_explained() {
    for path in files("err") {
        let loaded = load(&path);
        assert!(!loaded.diagnostics.is_empty(), "{}", path.display());
        compare(&path, "diag", &diagnostics(&loaded));
    }
}

#[test]
fn the_compatibility_list_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/compat/haproxy.cfg");
    compare(&path, "md", &cfg_haproxy::keyword::doc::markdown(&registry()));
    compare(&path.with_file_name("haproxy-codes.cfg"), "md", &codes());
}

fn codes() -> String {
    let mut out = String::from(
        "# Diagnostic codes of haproxy.cfg\n\nGenerated from `cfg_haproxy::codes`; a test fails when it differs.\n\n\
         All of them are stable; `lb check --format json` gives them with every finding.\n",
    );
    for (code, text, advice) in cfg_haproxy::codes::ALL {
        let _ = writeln!(out, "\n## {code}\n\n{text} {advice}");
    }
    out
}
