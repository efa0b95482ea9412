//! Checks keepalived.conf files and prints every finding with its place.
//!
//! usage: `lint_keepalived [--keepalived|--json] FILE…`. The exit code is that of `keepalived -t` for the last file. A real program
//! would also tell the library which interfaces exist, see `Env::interface_exists`, and expand include patterns.

use cfg_keepalived::{Included, Source, Sources, StaticEnv, load};
use lb_core::diag::render::{self, Color};
use std::process::ExitCode;

/// Included files from the disk, without wildcards.
struct Disk;

impl Sources for Disk {
    fn include(&mut self, pattern: &str, from: &str) -> Included {
        let directory = std::path::Path::new(from).parent().unwrap_or_else(|| std::path::Path::new("."));
        let path = directory.join(pattern);
        let mut found = Included::default();
        if let Ok(bytes) = std::fs::read(&path) {
            found.files.push(Source::new(path.to_string_lossy(), String::from_utf8_lossy(&bytes)));
        }
        found
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what this program is for")]
fn main() -> ExitCode {
    let mut code = 0;
    let mut form = "rich".to_owned();
    for argument in std::env::args().skip(1) {
        if let Some(name) = argument.strip_prefix("--") {
            form = name.to_owned();
            continue;
        }
        let bytes = match std::fs::read(&argument) {
            Ok(bytes) => bytes,
            Err(error) => {
                eprintln!("{argument}: {error}");
                code = 4;
                continue;
            }
        };
        let text = String::from_utf8_lossy(&bytes);
        let loaded = load(&argument, &text, &mut Disk, &StaticEnv::new("localhost"));
        let mut out = String::new();
        for diagnostic in &loaded.diagnostics {
            match form.as_str() {
                "keepalived" if diagnostic.compat.is_some() => {
                    render::keepalived(&mut out, &loaded.tree.sources, diagnostic);
                }
                "keepalived" => {}
                "json" => render::json(&mut out, &loaded.tree.sources, diagnostic),
                _ => render::rich(&mut out, &loaded.tree.sources, diagnostic, Color::Off),
            }
        }
        print!("{out}");
        code = loaded.test_exit_code();
    }
    ExitCode::from(code)
}
