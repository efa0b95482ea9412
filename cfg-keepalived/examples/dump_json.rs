//! Prints what a keepalived.conf says as JSON: the typed configuration, and with `--spec` what the VRRP machine would run.
//!
//! usage: `dump_json [--spec] FILE`. Passwords are not printed.

use cfg_keepalived::{NoIncludes, StaticEnv, load, lower};
use std::process::ExitCode;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what this program is for")]
fn main() -> ExitCode {
    let mut spec = false;
    let mut file = None;
    for argument in std::env::args().skip(1) {
        if argument == "--spec" {
            spec = true;
        } else {
            file = Some(argument);
        }
    }
    let Some(file) = file else {
        eprintln!("usage: dump_json [--spec] FILE");
        return ExitCode::from(2);
    };
    let bytes = match std::fs::read(&file) {
        Ok(bytes) => bytes,
        Err(error) => {
            eprintln!("{file}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let env = StaticEnv::new("localhost");
    let loaded = load(&file, &String::from_utf8_lossy(&bytes), &mut NoIncludes, &env);
    let json = if spec {
        let mut lowered = lower(&loaded.config, &env).spec;
        for instance in &mut lowered.instances {
            instance.auth = vrrp::spec::Auth::None;
        }
        serde_json::to_string_pretty(&lowered)
    } else {
        serde_json::to_string_pretty(&loaded.config)
    };
    match json {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
