//! `lb check`: judges files and says so with the exit status of the program whose files they are.

use crate::args::{CheckArgs, Format, RunArgs};
use crate::world::World;
use crate::{load, report};
use std::path::Path;

/// Runs the check; answers the exit status.
pub(crate) fn run(args: &CheckArgs) -> u8 {
    if let Some(directory) = &args.directory
        && let Err(e) = std::env::set_current_dir(directory)
    {
        report::alert(&format!("cannot change to directory {}: {e}", directory.display()));
        return 1;
    }
    let mut status = 0;
    if !args.haproxy.is_empty() {
        status = haproxy(args);
    }
    if let Some(path) = &args.keepalived {
        let judged = keepalived(path, args);
        // Keepalived's own statuses beside HAProxy's would be ambiguous: any failure of it counts as one.
        status =
            if args.as_keepalived || args.haproxy.is_empty() { judged } else { status.max(judged.min(1)) };
    }
    status
}

fn haproxy(args: &CheckArgs) -> u8 {
    let run = RunArgs {
        haproxy: args.haproxy.clone(),
        strict: args.strict,
        localpeer: args.localpeer.clone(),
        format: args.format,
        ..RunArgs::default()
    };
    match load::haproxy(&run, &World::real()) {
        Ok(loaded) => {
            report::error(&loaded.text);
            if args.verbose {
                report::say("Configuration file is valid\n");
            }
            0
        }
        Err(rejected) => {
            report::error(&rejected.text);
            if rejected.status == 2 && args.format != Format::Json {
                report::notice(
                    "config : Configuration file has no error but will not start (no listener) => exit(2).",
                );
            }
            rejected.status
        }
    }
}

fn keepalived(path: &Path, args: &CheckArgs) -> u8 {
    let world = World::real();
    let judged = load::keepalived(path, args.format, &world)
        .map_or_else(|rejected| (rejected.text, rejected.status), |loaded| (loaded.text, loaded.status));
    report::error(&judged.0);
    let Some(peer) = &args.peer else { return judged.1 };
    // What keeps the two nodes from failing over, or from doing it as meant.
    let (text, fits) = load::compare(path, peer, args.format, &world).unwrap_or_else(|r| (r.text, false));
    report::error(&text);
    if fits && args.verbose {
        report::say("Both nodes fit together\n");
    }
    judged.1.max(u8::from(!fits))
}

/// `haproxy -cc`: 0 for true, 1 for false, 2 for a condition that cannot be understood.
pub(crate) fn condition(text: &str) -> u8 {
    let facts = crate::registry::facts(&RunArgs::default());
    match cfg_haproxy::cond::evaluate(text, &crate::world::ProcessEnv, &facts) {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(e) => {
            report::alert(&format!("config : {}", e.message));
            2
        }
    }
}
