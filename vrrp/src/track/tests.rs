use std::time::Duration;

use super::*;
use crate::event::{Link, Output, ScriptSignal};
use crate::spec::{Command, Global, RunAs, Script as ScriptSpec, TrackProcess};

#[expect(clippy::disallowed_methods, reason = "a virtual clock needs one real instant to begin with")]
fn start() -> Instant {
    Instant::now()
}

fn links_up() -> Links {
    let mut links = Links::default();
    links.report(start(), &Link::new("eth0", true), true, &mut Outbox::default());
    links
}

fn instance() -> Instance {
    let mut instance = Instance::new("i", 1, &Global::default());
    instance.interface = Some("eth0".into());
    instance
}

fn script(change: impl FnOnce(&mut ScriptSpec)) -> Spec {
    let mut script = ScriptSpec::new("c", Command::new(["/bin/check"]));
    change(&mut script);
    let mut spec = Spec::new();
    spec.scripts.push(script);
    spec
}

fn trackers(spec: &Spec) -> Trackers {
    let mut trackers = Trackers::default();
    trackers.configure(spec);
    trackers
}

fn drain(out: &mut Outbox) -> Vec<String> {
    std::iter::from_fn(|| out.pop())
        .map(|output| match output {
            Output::Log(log) => log.text,
            Output::RunScript(name, _) => format!("run {name}"),
            Output::SignalScript(name, ScriptSignal::Term) => format!("term {name}"),
            Output::SignalScript(name, ScriptSignal::Kill) => format!("kill {name}"),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn exit(trackers: &mut Trackers, status: i32) -> bool {
    trackers.report(start(), Track::Script("c".into(), ScriptResult::Exited(status)), &mut Outbox::default())
}

fn up(trackers: &Trackers) -> Option<bool> {
    trackers.snapshot()[0].up
}

#[test]
fn one_success_is_enough_at_the_start_whatever_rise_says() {
    let mut trackers = trackers(&script(|script| (script.rise, script.fall) = (3, 2)));
    assert_eq!(up(&trackers), None);
    assert!(exit(&mut trackers, 0));
    assert_eq!(up(&trackers), Some(true));
}

#[test]
fn one_failure_is_a_failure_at_the_start_whatever_fall_says() {
    let mut trackers = trackers(&script(|script| (script.rise, script.fall) = (3, 2)));
    assert!(exit(&mut trackers, 1));
    assert_eq!(up(&trackers), Some(false));
}

#[test]
fn a_well_script_needs_fall_failures_and_one_success_refills() {
    let mut trackers = trackers(&script(|script| (script.rise, script.fall) = (2, 3)));
    exit(&mut trackers, 0);
    for status in [1, 1, 0, 1, 1] {
        assert!(!exit(&mut trackers, status));
        assert_eq!(up(&trackers), Some(true));
    }
    assert!(exit(&mut trackers, 1));
    assert_eq!(up(&trackers), Some(false));
    assert!(!exit(&mut trackers, 0));
    assert!(!exit(&mut trackers, 1), "a failure starts the count anew");
    assert!(!exit(&mut trackers, 0));
    assert!(exit(&mut trackers, 0));
    assert_eq!(up(&trackers), Some(true));
}

#[test]
fn init_fail_reverses_the_assumption() {
    let mut trackers = trackers(&script(|script| (script.rise, script.init_fail) = (2, true)));
    assert_eq!(up(&trackers), Some(false));
    assert!(!exit(&mut trackers, 0));
    assert!(exit(&mut trackers, 0));
    assert_eq!(up(&trackers), Some(true));
}

#[test]
fn a_script_that_cannot_be_started_has_failed() {
    let mut trackers = trackers(&script(|_| ()));
    let mut out = Outbox::default();
    let report = Track::Script("c".into(), ScriptResult::NotStarted(2));
    assert!(trackers.report(start(), report.clone(), &mut out));
    assert_eq!(up(&trackers), Some(false));
    assert_eq!(
        drain(&mut out),
        ["Script `c` cannot be started (error 2)", "VRRP_Script(c) failed (not started)"]
    );
    trackers.report(start(), report, &mut out);
    assert!(drain(&mut out).is_empty(), "told once");
}

#[test]
fn status_changes_and_state_changes_are_told_in_keepalived_s_words() {
    let mut trackers = trackers(&script(|script| script.fall = 2));
    let mut out = Outbox::default();
    for status in [0, 1, 1, 1, 0] {
        trackers.report(start(), Track::Script("c".into(), ScriptResult::Exited(status)), &mut out);
    }
    assert_eq!(
        drain(&mut out),
        [
            "VRRP_Script(c) succeeded",
            "Script `c` now returning 1",
            "VRRP_Script(c) failed (exited with status 1)",
            "Script `c` now returning 0",
            "VRRP_Script(c) succeeded",
        ]
    );
}

#[test]
fn a_script_runs_at_once_and_then_at_its_interval() {
    let mut trackers = trackers(&script(|script| script.interval = Duration::from_secs(2)));
    let (now, mut out) = (start(), Outbox::default());
    trackers.start(now, &mut out);
    assert_eq!(drain(&mut out), ["run c"]);
    exit(&mut trackers, 0);
    assert_eq!(trackers.poll_timeout(), Some(now + Duration::from_secs(2)));
    trackers.handle_timeout(now + Duration::from_secs(2), &mut out);
    assert_eq!(drain(&mut out), ["run c"]);
}

#[test]
fn a_script_that_overruns_is_terminated_then_killed() {
    let mut trackers = trackers(&script(|script| {
        script.interval = Duration::from_secs(10);
        script.timeout = Some(Duration::from_secs(1));
    }));
    let (now, mut out) = (start(), Outbox::default());
    trackers.start(now, &mut out);
    for (second, expected) in [(1, "term c"), (3, "kill c")] {
        drain(&mut out);
        let at = now + Duration::from_secs(second);
        assert_eq!(trackers.poll_timeout(), Some(at));
        trackers.handle_timeout(at, &mut out);
        assert_eq!(drain(&mut out), [expected]);
    }
    trackers.report(now, Track::Script("c".into(), ScriptResult::Signalled(9)), &mut out);
    assert_eq!(drain(&mut out), ["VRRP_Script(c) timed_out"]);
}

#[test]
fn a_run_without_a_limit_of_its_own_may_take_its_interval() {
    let mut trackers = trackers(&script(|script| script.interval = Duration::from_secs(4)));
    let (now, mut out) = (start(), Outbox::default());
    trackers.start(now, &mut out);
    drain(&mut out);
    trackers.handle_timeout(now + Duration::from_secs(4), &mut out);
    assert_eq!(drain(&mut out)[0], "term c");
}

#[test]
fn a_run_is_skipped_while_the_last_one_goes_on() {
    let mut trackers = trackers(&script(|script| {
        script.interval = Duration::from_secs(1);
        script.timeout = Some(Duration::from_secs(5));
    }));
    let (now, mut out) = (start(), Outbox::default());
    trackers.start(now, &mut out);
    drain(&mut out);
    trackers.handle_timeout(now + Duration::from_secs(1), &mut out);
    assert_eq!(drain(&mut out), ["Track script c is already running, expect idle - skipping run"]);
}

#[test]
fn weights_follow_the_table_of_keepalived() {
    // (weight, reverse, well) -> change of the priority
    for (value, reverse, well, expected) in [
        (20, false, true, 20),
        (20, false, false, 0),
        (-20, false, true, 0),
        (-20, false, false, -20),
        (20, true, true, -20),
        (20, true, false, 0),
        (-20, true, true, 0),
        (-20, true, false, 20),
    ] {
        let mut verdict = Assessment::default();
        let fault = || unreachable!("a weighted tracker is no fault");
        verdict.apply(Weight { value, reverse }, Some(well), fault);
        assert_eq!(verdict.weight, expected, "{value} {reverse} {well}");
    }
}

#[test]
fn a_weighted_tracker_counts_as_neither_until_it_reports() {
    for value in [20, -20] {
        let mut verdict = Assessment::default();
        verdict.apply(Weight::new(value), None, || unreachable!("unknown is no fault"));
        assert_eq!(verdict, Assessment::default());
    }
}

#[test]
fn an_unweighted_tracker_keeps_the_instance_silent_until_it_reports() {
    let spec = script(|_| ());
    let mut trackers = trackers(&spec);
    let mut instance = instance();
    instance.track.scripts.push(TrackRef::new("c"));
    let verdict = trackers.assess(&instance, None, &links_up());
    assert!(verdict.pending && verdict.faults.is_empty());
    exit(&mut trackers, 1);
    let verdict = trackers.assess(&instance, None, &links_up());
    assert_eq!((verdict.pending, verdict.faults), (false, vec![Fault::Script("c".into())]));
}

#[test]
fn the_weight_of_the_use_wins_over_that_of_the_script() {
    let mut trackers = trackers(&script(|script| script.weight = Weight::new(2)));
    exit(&mut trackers, 0);
    let mut instance = instance();
    instance.track.scripts.push(TrackRef::weighted("c", Weight::new(20)));
    assert_eq!(trackers.assess(&instance, None, &links_up()).weight, 20);
}

#[test]
fn an_owner_ignores_weights_but_not_faults() {
    let mut trackers = trackers(&script(|_| ()));
    exit(&mut trackers, 1);
    let mut instance = instance();
    instance.priority = 255;
    instance.track.scripts.push(TrackRef::weighted("c", Weight::new(-20)));
    assert_eq!(trackers.assess(&instance, None, &links_up()), Assessment::default());
    instance.track.scripts[0].weight = None;
    assert_eq!(trackers.assess(&instance, None, &links_up()).faults, [Fault::Script("c".into())]);
}

#[test]
fn a_group_turns_weighted_interfaces_into_faults_and_leaves_weighted_scripts_out() {
    let mut trackers = trackers(&script(|_| ()));
    exit(&mut trackers, 1);
    let mut instance = instance();
    instance.track.scripts.push(TrackRef::weighted("c", Weight::new(-20)));
    let mut interface = InterfaceRef::new("eth1");
    interface.weight = Weight::new(-30);
    instance.track.interfaces.push(interface);
    let mut group = SyncGroup::new("G", vec!["i".into()]);
    let verdict = trackers.assess(&instance, Some(&group), &links_up());
    assert_eq!((verdict.weight, verdict.faults), (0, vec![Fault::Interface("eth1".into())]));
    group.tracking_weight = true;
    let verdict = trackers.assess(&instance, Some(&group), &links_up());
    assert_eq!((verdict.weight, verdict.faults), (-50, vec![]));
}

#[test]
fn a_number_in_a_file_is_multiplied_and_may_be_a_fault() {
    for (weight, number, expected, fault) in [
        (Weight::new(1), 10, 10, false),
        (Weight::new(-2), 10, -20, false),
        (Weight::reversed(2), 10, -20, false),
        (Weight::new(1), -254, 0, true),
        (Weight::new(100), 100, 253, false),
        (Weight::FAULT, 0, 0, false),
        (Weight::FAULT, 3, 0, true),
    ] {
        let mut spec = Spec::new();
        let mut file = TrackFile::new("f", "/run/f");
        file.weight = weight;
        spec.files.push(file);
        let mut trackers = trackers(&spec);
        trackers.report(start(), Track::File("f".into(), Some(number)), &mut Outbox::default());
        let mut instance = instance();
        instance.track.files.push(TrackRef::new("f"));
        let verdict = trackers.assess(&instance, None, &links_up());
        assert_eq!((verdict.weight, !verdict.faults.is_empty()), (expected, fault), "{weight:?} × {number}");
    }
}

#[test]
fn a_process_must_be_missing_for_its_delay() {
    let mut spec = Spec::new();
    let mut process = TrackProcess::new("p", vec!["haproxy".into()]);
    process.terminate_delay = Duration::from_secs(1);
    spec.processes.push(process);
    let mut trackers = trackers(&spec);
    let (now, mut out) = (start(), Outbox::default());
    assert!(trackers.report(now, Track::Process("p".into(), 1), &mut out));
    assert!(!trackers.report(now, Track::Process("p".into(), 0), &mut out));
    assert!(!trackers.report(now, Track::Process("p".into(), 1), &mut out), "back in time");
    assert!(!trackers.report(now, Track::Process("p".into(), 0), &mut out));
    assert!(trackers.handle_timeout(now + Duration::from_secs(1), &mut out));
    assert_eq!(drain(&mut out), ["Quorum lost for tracked process p"]);
}

#[test]
fn an_external_condition_is_unknown_until_reported_unless_assumed() {
    let mut spec = Spec::new();
    spec.externals.push(External::new("b"));
    let mut instance = instance();
    instance.track.externals.push(TrackRef::new("b"));
    let mut reported = trackers(&spec);
    assert!(reported.assess(&instance, None, &links_up()).pending);
    reported.report(start(), Track::External("b".into(), false), &mut Outbox::default());
    assert_eq!(reported.assess(&instance, None, &links_up()).faults, [Fault::External("b".into())]);
    spec.externals[0].assume_up = true;
    assert_eq!(trackers(&spec).assess(&instance, None, &links_up()), Assessment::default());
}

#[test]
fn a_script_keeps_its_state_over_a_reload_only_if_it_is_the_same() {
    let mut trackers = trackers_of_a_failed_script();
    trackers.configure(&script(|script| script.interval = Duration::from_secs(7)));
    assert_eq!(up(&trackers), Some(false));
    let user: fn(&mut ScriptSpec) = |script| script.command.run_as = Some(RunAs::new("nobody"));
    let argument: fn(&mut ScriptSpec) = |script| script.command = Command::new(["/bin/check", "-v"]);
    for change in [user, argument] {
        let mut other = trackers_of_a_failed_script();
        other.configure(&script(change));
        assert_eq!(up(&other), None);
    }
}

fn trackers_of_a_failed_script() -> Trackers {
    let mut failed = trackers(&script(|_| ()));
    exit(&mut failed, 1);
    failed
}

#[test]
fn reports_of_unknown_trackers_are_ignored() {
    let mut trackers = Trackers::default();
    let mut out = Outbox::default();
    for report in [
        Track::Script("x".into(), ScriptResult::Exited(0)),
        Track::File("x".into(), None),
        Track::Process("x".into(), 1),
        Track::External("x".into(), true),
    ] {
        assert!(!trackers.report(start(), report, &mut out));
    }
}
