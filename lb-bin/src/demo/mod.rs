//! `lb demo`: two nodes and a client, mail at a steady rate, and then things die.
//!
//! Each node is a network namespace with an SMTP server and this program, which runs the two configuration files of the
//! article unchanged. The client sends mail through the floating address. First the master's proxy is killed, then the
//! master as a whole; what that costs is counted in mails.

mod lab;
mod mails;
mod view;

use crate::args::DemoArgs;
use crate::report;
use lab::{Lab, Node};
use mails::Mails;
use std::time::{Duration, Instant};
use view::View;

/// Mails a second unless told otherwise.
const RATE: u32 = 50;
/// How long the address may take to come up, and mail to flow again.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long each act is watched.
const ACT: Duration = Duration::from_secs(8);

/// Runs the demonstration; answers the exit status: 0 only if mail flowed again each time.
pub(crate) fn run(args: &DemoArgs) -> u8 {
    match &args.role {
        Some(role) => mails::role(role),
        None => match play(args) {
            Ok(true) => 0,
            Ok(false) => 1,
            Err(e) => {
                report::error(&format!("lb demo: {e}\n"));
                1
            }
        },
    }
}

fn play(args: &DemoArgs) -> Result<bool, String> {
    if let Some(status) = lab::become_root_of_a_user_namespace()? {
        return Ok(status == 0);
    }
    let single = args.single || !lab::namespaces_are_allowed();
    let mut lab = if single { Lab::single()? } else { Lab::pair()? };
    let mut view = View::new(args.plain, lab.nodes.len());
    if single {
        view.say("network namespaces are not allowed here: one node on the loopback interface, nothing to hand over");
    }
    view.say("starting: SMTP servers, then lb on each node with the article's two files");
    lab.start()?;
    let Some(master) = wait_for_master(&mut lab, PATIENCE) else {
        uninterrupted(&lab)?;
        return Err(format!("no node took the address within {PATIENCE:?}; their logs:\n{}", lab.logs()));
    };
    view.say(&format!("{} holds {}", lab.nodes[master].name, lab.address));
    let mut mails = Mails::start(&lab, args.rate.unwrap_or(RATE))?;
    watch(&mut lab, &mut mails, &mut view, Duration::from_secs(4));
    let mut good = mails.delivered() > 0;
    good &= act(&mut lab, &mut mails, &mut view, "the master's proxy is killed", Node::kill_proxy);
    if !single {
        good &= act(&mut lab, &mut mails, &mut view, "the master as a whole is killed", Node::kill_all);
    }
    uninterrupted(&lab)?;
    mails.stop();
    view.end(&lab, &mails, good);
    Ok(good)
}

fn uninterrupted(lab: &Lab) -> Result<(), String> {
    if lab.interrupted() { Err("interrupted; what it made is removed".to_owned()) } else { Ok(()) }
}

/// Lets something die and tells what it cost; true if mail flowed again.
fn act(
    lab: &mut Lab,
    mails: &mut Mails,
    view: &mut View,
    what: &str,
    kill: fn(&mut Node) -> Result<(), String>,
) -> bool {
    if lab.interrupted() {
        return false;
    }
    let Some(master) = lab.master() else {
        view.say("nobody holds the address");
        return false;
    };
    let name = lab.nodes[master].name.clone();
    view.say(&format!("{name}: {what}"));
    let start = mails.now();
    if let Err(e) = kill(&mut lab.nodes[master]) {
        view.say(&e);
        return false;
    }
    watch(lab, mails, view, ACT);
    if lab.interrupted() {
        return false;
    }
    let cost = mails.cost(start);
    let holder = lab.master().map_or_else(|| "nobody".to_owned(), |at| lab.nodes[at].name.clone());
    view.say(&format!(
        "longest time without a delivered mail {} ms, {} of {} mails failed, {} delayed by over a second; {holder} holds {}",
        cost.gap.as_millis(),
        cost.failed,
        cost.sent,
        cost.delayed,
        lab.address,
    ));
    cost.flowing
}

fn wait_for_master(lab: &mut Lab, limit: Duration) -> Option<usize> {
    let end = Instant::now() + limit;
    while Instant::now() < end && !lab.interrupted() {
        if let Some(master) = lab.master() {
            return Some(master);
        }
        lab::pause(Duration::from_millis(50));
    }
    None
}

fn watch(lab: &mut Lab, mails: &mut Mails, view: &mut View, time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end && !lab.interrupted() {
        mails.collect();
        view.show(lab, mails);
        lab::pause(Duration::from_millis(250));
    }
    mails.collect();
}
