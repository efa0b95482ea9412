//! What the coming and going of real servers sets off.

use cfg_keepalived::{NoIncludes, StaticEnv, Watch, load};
use vrrp::event::{MailMessage, Outside};

const SERVICE: &str = "[10.0.0.3]:tcp:80";
const SERVERS: [&str; 3] = ["10.0.0.11:80", "10.0.0.12:80", "10.0.0.13:80"];

fn watch(lines: &str) -> Watch {
    let real: String = (11..14)
        .map(|n| {
            format!(
                " real_server 10.0.0.{n} 80 {{\n  notify_up \"/up {n}\"\n  notify_down \"/down {n}\"\n  TCP_CHECK {{ }}\n }}\n"
            )
        })
        .collect();
    let text = format!("virtual_server 10.0.0.3 80 {{\n protocol TCP\n {lines}\n{real}}}\n");
    let env = StaticEnv::new("node");
    Watch::new(&load("k.conf", &text, &mut NoIncludes, &env).config, &env)
}

/// The programs among the consequences.
fn programs(all: &[Outside]) -> Vec<String> {
    let run = |one: &Outside| match one {
        Outside::Run(command) => Some(command.line.clone()),
        _ => None,
    };
    all.iter().filter_map(run).collect()
}

#[test]
fn a_server_that_goes_and_comes_runs_its_programs_once() {
    let mut watch = watch("smtp_alert on");
    let down = watch.server(SERVICE, SERVERS[0], false);
    assert_eq!(programs(&down), ["/down 11"]);
    assert!(
        down.contains(&Outside::Log(
            "Removing service [10.0.0.11]:tcp:80 from VS [10.0.0.3]:tcp:80".to_owned()
        ))
    );
    assert!(down.contains(&Outside::Line("RS [10.0.0.11]:tcp:80 [10.0.0.3]:tcp:80 DOWN\n".to_owned())));
    assert!(down.contains(&Outside::Mail(MailMessage::new(
        "[node] Realserver [10.0.0.11]:tcp:80 of virtual server [10.0.0.3]:tcp:80 - DOWN",
        "=> TCP CHECK failed on service <="
    ))));
    assert!(watch.server(SERVICE, SERVERS[0], false).is_empty(), "no news");
    assert_eq!(programs(&watch.server(SERVICE, SERVERS[0], true)), ["/up 11"]);
    assert!(watch.server("nobody", SERVERS[0], false).is_empty());
    assert!(watch.server(SERVICE, "sorry_server", false).is_empty());
}

#[test]
fn the_quorum_is_lost_below_and_gained_above_its_hysteresis() {
    let mut watch = watch("quorum 2\n hysteresis 1\n quorum_up \"/gained\"\n quorum_down \"/lost\"");
    let ran = |watch: &mut Watch, at: usize, up: bool| programs(&watch.server(SERVICE, SERVERS[at], up));
    assert_eq!(ran(&mut watch, 0, false), ["/down 11"], "two are enough");
    assert_eq!(ran(&mut watch, 1, false), ["/down 12"], "one is 2-1");
    assert_eq!(ran(&mut watch, 2, false), ["/down 13", "/lost"]);
    assert_eq!(ran(&mut watch, 0, true), ["/up 11"]);
    assert_eq!(ran(&mut watch, 1, true), ["/up 12"], "two are less than 2+1");
    let gained = watch.server(SERVICE, SERVERS[2], true);
    assert_eq!(programs(&gained), ["/up 13", "/gained"]);
    assert!(gained.contains(&Outside::Log("Gained quorum 2+1=3 <= 3 for VS [10.0.0.3]:tcp:80".to_owned())));
    assert!(gained.contains(&Outside::Line("VS [10.0.0.3]:tcp:80 UP\n".to_owned())));
}

#[test]
fn a_service_in_alpha_mode_begins_without_its_quorum() {
    let mut watch = watch("alpha\n quorum_up \"/gained\"\n quorum_down \"/lost\"");
    assert_eq!(programs(&watch.server(SERVICE, SERVERS[1], true)), ["/up 12", "/gained"]);
}

#[test]
fn a_stop_is_told_by_services_with_omega_alone() {
    assert!(watch("quorum_down \"/lost\"").stop().is_empty());
    let mut watch = watch("omega\n quorum_down \"/lost\"");
    watch.server(SERVICE, SERVERS[0], false);
    let mut ran = programs(&watch.stop());
    ran.sort();
    assert_eq!(ran, ["/down 12", "/down 13", "/lost"]);
}

#[test]
fn a_reload_keeps_what_is_known() {
    let lines = "quorum_down \"/lost\"\n quorum_up \"/gained\"";
    let mut old = watch(lines);
    for server in SERVERS {
        old.server(SERVICE, server, false);
    }
    let mut new = watch(lines).continuing(&old);
    assert!(new.server(SERVICE, SERVERS[0], false).is_empty());
    assert_eq!(programs(&new.server(SERVICE, SERVERS[0], true)), ["/up 11", "/gained"]);
}
