//! Checks haproxy.cfg files as `haproxy -c -f` does: `haproxy_check [--rich] [--strict] FILE...`; strict makes warnings errors.
//!
//! Shows how little a caller has to provide: texts, an environment, and answers about files and names. A real program
//! would also read directories and pass `-W`, `-L` and the like. Exit code 0 is fine, 1 has errors, 2 has nothing to run.

#![expect(clippy::print_stderr, reason = "an example prints")]

use cfg_haproxy::{Env, Facts, FileKind, Files, Host, Names, Source};
use lb_core::diag::{Severity, render};
use std::borrow::Cow;
use std::net::{IpAddr, ToSocketAddrs};
use std::process::ExitCode;

struct System;

impl Env for System {
    fn var(&self, name: &str) -> Option<Cow<'_, str>> {
        #[expect(clippy::disallowed_methods, reason = "this is the caller who owns the environment")]
        std::env::var(name).ok().map(Cow::Owned)
    }
}

impl Files for System {
    fn read(&self, path: &str) -> std::io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn kind(&self, path: &str) -> Option<FileKind> {
        let meta = std::fs::metadata(path).ok()?;
        Some(if meta.is_dir() { FileKind::Directory } else { FileKind::File })
    }
}

impl Names for System {
    fn resolve(&self, name: &str) -> Option<IpAddr> {
        (name, 0).to_socket_addrs().ok()?.next().map(|a| a.ip())
    }

    fn user(&self, name: &str) -> bool {
        in_first_column("/etc/passwd", name)
    }

    fn group(&self, name: &str) -> bool {
        in_first_column("/etc/group", name)
    }
}

fn in_first_column(file: &str, name: &str) -> bool {
    std::fs::read_to_string(file).unwrap_or_default().lines().any(|l| l.split(':').next() == Some(name))
}

fn main() -> ExitCode {
    let (flags, names): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|a| a.starts_with("--"));
    let rich = flags.iter().any(|f| f == "--rich");
    let strict = flags.iter().any(|f| f == "--strict");
    let mut texts = Vec::new();
    for name in &names {
        match std::fs::read(name) {
            // Old files may be Latin-1, where every byte is the character of that number.
            Ok(bytes) => texts.push(
                String::from_utf8(bytes)
                    .unwrap_or_else(|e| e.as_bytes().iter().map(|b| char::from(*b)).collect()),
            ),
            Err(error) => {
                eprintln!("{name}: {error}");
                return ExitCode::from(1);
            }
        }
    }
    let sources: Vec<Source<'_>> = names.iter().zip(&texts).map(|(n, t)| Source::new(n, t)).collect();
    let mut registry = lb_core::expr::Registry::builtin();
    lb_proto_http::fetch::register(&mut registry);
    let host = Host { files: &System, names: &System };
    let loaded = cfg_haproxy::load(&sources, &System, &Facts::default(), host, &registry);
    let mut out = String::new();
    for diagnostic in &loaded.diagnostics {
        if rich {
            render::rich(&mut out, loaded.tree.sources(), diagnostic, render::Color::Off);
        } else if diagnostic.severity > Severity::Notice {
            render::haproxy(&mut out, loaded.tree.sources(), diagnostic, std::process::id());
        }
    }
    eprint!("{out}");
    ExitCode::from(loaded.refusal(strict).unwrap_or(0))
}
