//! Says what is wrong with an haproxy.cfg, away from the machine it is for: `lint FILE`.
//!
//! Files and names that the configuration mentions are taken to exist; a program that runs where the file does would
//! answer such questions itself, as `haproxy_check` does.

use cfg_haproxy::{Facts, Host, NoEnv, Source};
use lb_core::diag::render::{Format, Style};

#[expect(clippy::print_stdout, reason = "an example prints")]
fn main() -> std::io::Result<()> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "haproxy.cfg".to_owned());
    let text = std::fs::read_to_string(&name)?;
    let mut registry = lb_core::expr::Registry::builtin();
    lb_proto_http::fetch::register(&mut registry);
    let loaded =
        cfg_haproxy::load(&[Source::new(&name, &text)], &NoEnv, &Facts::default(), Host::ANY, &registry);
    let style = Style { format: Format::Human, terminal: false, pid: std::process::id() };
    print!("{}", cfg_haproxy::render(&loaded.tree, &loaded.diagnostics, style));
    Ok(())
}
