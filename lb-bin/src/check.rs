//! `lb check`: judges files and says so with the exit status of the program whose files they are.

use crate::args::{CheckArgs, RunArgs};
use crate::report::failed;
use crate::world::World;
use crate::{load, report};
use cfg_haproxy::Facts;
use std::path::Path;

/// Runs the check; answers the exit status.
pub(crate) fn run(args: &CheckArgs) -> Result<u8, String> {
    crate::tools::enter(args.run.directory.as_deref())?;
    let mut status = 0;
    let mut balancer = None;
    if !args.run.haproxy.is_empty() {
        match haproxy(args) {
            Ok(loaded) => balancer = Some(loaded),
            Err(judged) => status = judged,
        }
    }
    if let Some(path) = &args.run.keepalived {
        let (judged, cluster) = keepalived(path, args);
        if let (Some(balancer), Some(cluster)) = (balancer, cluster) {
            report::error(&balancer.unowned(&cluster.spec, args.run.format));
        }
        // Keepalived's own statuses beside HAProxy's would be ambiguous: any failure of it counts as one.
        status = if args.as_keepalived || args.run.haproxy.is_empty() {
            judged
        } else {
            status.max(judged.min(1))
        };
    }
    Ok(status)
}

/// The balancer's files, or the exit status if they cannot be used.
fn haproxy(args: &CheckArgs) -> Result<load::Haproxy, u8> {
    // The two files are judged one after the other.
    let run = RunArgs { keepalived: None, ..args.run.clone() };
    match load::haproxy(&run, &World::real(&run)) {
        Ok(loaded) => {
            report::error(&loaded.text);
            if args.verbose {
                report::say("Configuration file is valid\n");
            }
            Ok(loaded)
        }
        Err(rejected) => Err(rejected.told()),
    }
}

/// The exit status for a keepalived.conf, and what it comes to.
fn keepalived(path: &Path, args: &CheckArgs) -> (u8, Option<load::Keepalived>) {
    let world = World::tested(args.run.cluster.config_id.as_deref());
    let (text, status, loaded) = match load::keepalived(path, args.run.format, &world) {
        Ok(loaded) => (loaded.text.clone(), loaded.status, Some(loaded)),
        Err(rejected) => (rejected.text, rejected.status, None),
    };
    if let Some(Err(e)) = args.output.as_ref().map(|output| std::fs::write(output, &text)) {
        return (failed(&format!("cannot write the messages: {e}")), loaded);
    } else if args.output.is_none() {
        report::error(&text);
    }
    let Some(peer) = &args.peer else { return (status, loaded) };
    // What keeps the two nodes from failing over, or from doing it as meant.
    let (text, fits) = load::compare(path, peer, args.run.format, &world).unwrap_or_else(|r| (r.text, false));
    report::error(&text);
    if fits && args.verbose {
        report::say("Both nodes fit together\n");
    }
    (status.max(u8::from(!fits)), loaded)
}

/// `haproxy -cc`: 0 for true, 1 for false, 2 for a condition that cannot be understood.
pub(crate) fn condition(text: &str) -> u8 {
    match cfg_haproxy::cond::evaluate(text, &crate::world::ProcessEnv, &Facts::default()) {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(e) => {
            report::alert(&format!("config : {}", e.message));
            2
        }
    }
}
