//! What the coming and going of real servers sets off.

use cfg_keepalived::{NoIncludes, StaticEnv, Watch, load};
use lb_core::health::{LastCheck, Part, ServerHealth, Status};
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
    let down = watch.heard(SERVICE, &ServerHealth::new(SERVERS[0], false));
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
    assert!(watch.heard(SERVICE, &ServerHealth::new(SERVERS[0], false)).is_empty(), "no news");
    assert_eq!(programs(&watch.heard(SERVICE, &ServerHealth::new(SERVERS[0], true))), ["/up 11"]);
    assert!(watch.heard("nobody", &ServerHealth::new(SERVERS[0], false)).is_empty());
    assert!(watch.heard(SERVICE, &ServerHealth::new("sorry_server", false)).is_empty());
}

#[test]
fn the_quorum_is_lost_below_and_gained_above_its_hysteresis() {
    let mut watch = watch("quorum 2\n hysteresis 1\n quorum_up \"/gained\"\n quorum_down \"/lost\"");
    let ran = |watch: &mut Watch, at: usize, up: bool| {
        programs(&watch.heard(SERVICE, &ServerHealth::new(SERVERS[at], up)))
    };
    assert_eq!(ran(&mut watch, 0, false), ["/down 11"], "two are enough");
    assert_eq!(ran(&mut watch, 1, false), ["/down 12"], "one is 2-1");
    assert_eq!(ran(&mut watch, 2, false), ["/down 13", "/lost"]);
    assert_eq!(ran(&mut watch, 0, true), ["/up 11"]);
    assert_eq!(ran(&mut watch, 1, true), ["/up 12"], "two are less than 2+1");
    let gained = watch.heard(SERVICE, &ServerHealth::new(SERVERS[2], true));
    assert_eq!(programs(&gained), ["/up 13", "/gained"]);
    assert!(gained.contains(&Outside::Log("Gained quorum 2+1=3 <= 3 for VS [10.0.0.3]:tcp:80".to_owned())));
    assert!(gained.contains(&Outside::Line("VS [10.0.0.3]:tcp:80 UP\n".to_owned())));
}

/// The lines of the log among the consequences.
fn lines(all: &[Outside]) -> Vec<&str> {
    fn line(one: &Outside) -> Option<&str> {
        match one {
            Outside::Log(text) => Some(text),
            _ => None,
        }
    }
    all.iter().filter_map(line).collect()
}

#[test]
fn the_log_is_written_as_the_original_writes_it() {
    let mut watch = watch("sorry_server 10.0.0.99\n quorum 3\n retry 2");
    let mut news = ServerHealth::new(SERVERS[0], false);
    news.check = Some(LastCheck::new(Status::L4Timeout, 0, ""));
    let down = watch.heard(SERVICE, &news);
    assert_eq!(
        lines(&down),
        [
            "TCP connection to [10.0.0.11]:tcp:80 timeout.",
            "TCP_CHECK on service [10.0.0.11]:tcp:80 failed after 2 retries.",
            "Removing service [10.0.0.11]:tcp:80 from VS [10.0.0.3]:tcp:80",
            "Lost quorum 3-0=3 > 2 for VS [10.0.0.3]:tcp:80",
            "Adding sorry server [10.0.0.99]:tcp:0 to VS [10.0.0.3]:tcp:80",
            "Removing alive servers from the pool for VS [10.0.0.3]:tcp:80",
        ]
    );
    let mut news = ServerHealth::new(SERVERS[1], true);
    news.share = Some(2);
    let heavier = watch.heard(SERVICE, &news);
    assert_eq!(
        lines(&heavier),
        [
            "Changing weight from 1 to 2 for active service [10.0.0.12]:tcp:80 of VS [10.0.0.3]:tcp:80",
            "Gained quorum 3+0=3 <= 3 for VS [10.0.0.3]:tcp:80",
            "Removing sorry server [10.0.0.99]:tcp:0 from VS [10.0.0.3]:tcp:80",
            "Adding alive servers to the pool for VS [10.0.0.3]:tcp:80",
        ]
    );
    let up = watch.heard(SERVICE, &ServerHealth::new(SERVERS[0], true));
    assert_eq!(
        lines(&up),
        [
            "TCP connection to [10.0.0.11]:tcp:80 success.",
            "Adding service [10.0.0.11]:tcp:80 to VS [10.0.0.3]:tcp:80"
        ]
    );
}

#[test]
fn a_start_without_the_quorum_begins_with_the_sorry_server() {
    let begun = watch("alpha\n sorry_server 10.0.0.99\n quorum_down \"/lost\"").begin();
    assert_eq!(programs(&begun), ["/lost"]);
    assert_eq!(
        lines(&begun),
        [
            "Starting with quorum down 1-0=1 > 0 for VS [10.0.0.3]:tcp:80",
            "Adding sorry server [10.0.0.99]:tcp:0 to VS [10.0.0.3]:tcp:80",
            "Removing alive servers from the pool for VS [10.0.0.3]:tcp:80",
        ]
    );
    assert!(watch("quorum_down \"/lost\"").begin().is_empty());
    let text = "global_defs {\n rs_init_notifies\n}\nvirtual_server 10.0.0.3 80 {\n protocol TCP\n \
                real_server 10.0.0.11 80 {\n notify_up /up\n }\n}\n";
    let env = StaticEnv::new("node");
    let begun = Watch::new(&load("k.conf", text, &mut NoIncludes, &env).config, &env).begin();
    assert_eq!(programs(&begun), ["/up"]);
    assert!(begun.contains(&Outside::Line("RS [10.0.0.11]:tcp:80 [10.0.0.3]:tcp:80 UP\n".to_owned())));
}

#[test]
fn every_checker_has_its_own_lines() {
    let failed = |check: &str, status: Status, code: u32, info: &str| {
        let text = format!(
            "virtual_server 10.0.0.3 80 {{\n protocol TCP\n retry 1\n real_server 10.0.0.11 80 {{\n TCP_CHECK {{ }}\n \
             {check}\n }}\n}}\n"
        );
        let env = StaticEnv::new("node");
        let mut watch = Watch::new(&load("k.conf", &text, &mut NoIncludes, &env).config, &env);
        let mut news = ServerHealth::new(SERVERS[0], false);
        news.check = Some(LastCheck::new(status, code, format!("check 2: {info}")));
        let down = watch.heard(SERVICE, &news);
        lines(&down)[..lines(&down).len() - 2].join("|").replace("[10.0.0.11]:tcp:80", "RS")
    };
    let http = "HTTP_GET {\n url {\n path /\n }\n }";
    assert_eq!(
        failed(http, Status::L7Status, 503, ""),
        "HTTP status code error to server RS.|HTTP_CHECK on service RS failed after 1 retries."
    );
    assert_eq!(
        failed(&http.replace("HTTP", "SSL"), Status::L6Response, 0, ""),
        "SSL handshake/communication error connecting to server RS.|SSL_CHECK on service RS failed after 1 retries."
    );
    let misc = "MISC_CHECK {\n misc_path /bin/x\n }";
    let place = "Misc check for [RS VS [10.0.0.3]:tcp:80] by [/bin/x]";
    assert_eq!(
        failed(misc, Status::ProcessError, 3, ""),
        format!("{place} failed after 1 retry (exited with status 3).")
    );
    assert_eq!(
        failed(misc, Status::ProcessError, 0, "killed by signal 9"),
        format!("{place} failed after 1 retry (due to signal 9).")
    );
    assert_eq!(failed(misc, Status::ProcessTimeout, 0, ""), format!("{place} timed out after 1 retry."));
    assert_eq!(
        failed("PING_CHECK { }", Status::L4Timeout, 0, ""),
        "ICMP CHECK on service RS of [10.0.0.3]:tcp:80 failed after 1 retries."
    );
    assert_eq!(failed("SMTP_CHECK { }", Status::L7Timeout, 0, ""), "SMTP_CHECK Read timeout from server RS");
    assert_eq!(
        failed("UDP_CHECK { }", Status::L4Connection, 0, ""),
        "UDP_CHECK on service RS failed after 1 retries."
    );
}

#[test]
fn a_service_in_alpha_mode_begins_without_its_quorum() {
    let mut watch = watch("alpha\n quorum_up \"/gained\"\n quorum_down \"/lost\"");
    assert_eq!(programs(&watch.heard(SERVICE, &ServerHealth::new(SERVERS[1], true))), ["/up 12", "/gained"]);
}

#[test]
fn a_stop_is_told_by_services_with_omega_alone() {
    assert!(watch("quorum_down \"/lost\"").stop().is_empty());
    let mut watch = watch("omega\n quorum_down \"/lost\"");
    watch.heard(SERVICE, &ServerHealth::new(SERVERS[0], false));
    let mut ran = programs(&watch.stop());
    ran.sort();
    assert_eq!(ran, ["/down 12", "/down 13", "/lost"]);
}

#[test]
fn a_reload_keeps_what_is_known() {
    let lines = "quorum_down \"/lost\"\n quorum_up \"/gained\"";
    let mut old = watch(lines);
    for server in SERVERS {
        old.heard(SERVICE, &ServerHealth::new(server, false));
    }
    let mut new = watch(lines).continuing(&old);
    assert!(new.heard(SERVICE, &ServerHealth::new(SERVERS[0], false)).is_empty());
    assert_eq!(programs(&new.heard(SERVICE, &ServerHealth::new(SERVERS[0], true))), ["/up 11", "/gained"]);
}

fn checked_by(checker: &str, before: &str) -> Watch {
    let text = format!(
        "{before}\nvirtual_server 10.0.0.3 80 {{\n protocol TCP\n real_server 10.0.0.11 80 {{\n smtp_alert on\n {checker}\n }}\n}}\n"
    );
    let env = StaticEnv::new("node");
    Watch::new(&load("k.conf", &text, &mut NoIncludes, &env).config, &env)
}

#[test]
fn a_failure_that_changes_nothing_is_logged_where_that_is_asked_for() {
    let news = |status, up| {
        let mut news = ServerHealth::new(SERVERS[0], up);
        news.check = Some(LastCheck::new(status, 0, ""));
        news
    };
    let every = ["TCP_CHECK {\n retry 2\n log_all_failures\n }", "TCP_CHECK {\n retry 2\n }"];
    let global = ["", "global_defs {\n checker_log_all_failures\n}"];
    for (checker, global) in every.into_iter().zip(global) {
        let mut watch = checked_by(checker, global);
        let attempt = watch.heard(SERVICE, &news(Status::L4Connection, true));
        assert_eq!(lines(&attempt), ["TCP connection to [10.0.0.11]:tcp:80 failed."]);
        assert!(watch.heard(SERVICE, &news(Status::L4Ok, true)).is_empty());
        assert_eq!(lines(&watch.heard(SERVICE, &news(Status::L4Connection, false))).len(), 4);
        assert!(watch.heard(SERVICE, &news(Status::L4Connection, false)).is_empty(), "it is down already");
    }
    let mut quiet = checked_by("TCP_CHECK {\n retry 2\n }", "");
    assert!(quiet.heard(SERVICE, &news(Status::L4Connection, true)).is_empty());
}

#[test]
fn a_session_that_goes_takes_its_server_along_and_is_named() {
    let bfd = "bfd_instance to_peer {\n neighbor_ip 10.0.0.9\n}";
    let mut watch = checked_by("BFD_CHECK {\n name to_peer\n }", bfd);
    let down = watch.heard(SERVICE, &ServerHealth::new(SERVERS[0], false));
    assert_eq!(lines(&down)[0], "BFD check of [to_peer] RS([10.0.0.11]:tcp:80) is DOWN");
    assert!(down.contains(&Outside::Mail(MailMessage::new(
        "[node] Realserver [10.0.0.11]:tcp:80 of virtual server [10.0.0.3]:tcp:80 - DOWN",
        "=> BFD CHECK to_peer failed on service <="
    ))));
    let up = watch.heard(SERVICE, &ServerHealth::new(SERVERS[0], true));
    assert_eq!(lines(&up)[0], "BFD check of [to_peer] RS([10.0.0.11]:tcp:80) is UP");
}

/// What is heard of a server one of whose checkers turned, or failed and is tried again.
fn turned(place: usize, status: Status, again: bool, up: bool) -> ServerHealth {
    let mut news = ServerHealth::new(SERVERS[0], up);
    news.parts = vec![Part { place, found: LastCheck::new(status, 0, ""), again }];
    news
}

/// The mails among the consequences, as what they say of the server and of the checker.
fn mails(all: &[Outside]) -> Vec<String> {
    let mail = |one: &Outside| match one {
        Outside::Mail(mail) => Some(format!("{} {}", &mail.subject[mail.subject.len() - 4..], mail.body)),
        _ => None,
    };
    all.iter().filter_map(mail).collect()
}

#[test]
fn every_checker_that_turns_is_told_by_mail_unless_that_is_switched_off() {
    let checkers = "TCP_CHECK {\n retry 2\n log_all_failures\n }\n PING_CHECK { }";
    for (global, all) in [("", true), ("global_defs {\n no_checker_emails\n}", false)] {
        let mut watch = checked_by(checkers, global);
        let mut gone = ServerHealth::new(SERVERS[0], false);
        gone.check = Some(LastCheck::new(Status::L4Timeout, 0, "check 2: "));
        assert_eq!(mails(&watch.heard(SERVICE, &gone)), ["DOWN => ICMP CHECK failed on service <="]);
        let known = watch.heard(SERVICE, &turned(2, Status::L4Timeout, false, false));
        assert!(known.is_empty(), "it was told with the server");
        let second = watch.heard(SERVICE, &turned(1, Status::L4Connection, false, false));
        assert_eq!(lines(&second)[1], "TCP_CHECK on service [10.0.0.11]:tcp:80 failed after 2 retries.");
        let wanted: &[&str] = if all { &["DOWN => TCP CHECK failed on service <="] } else { &[] };
        assert_eq!(mails(&second), wanted);
        let back = watch.heard(SERVICE, &turned(2, Status::L4Ok, false, false));
        assert_eq!(lines(&back), ["ICMP connection to [10.0.0.11]:tcp:80 success."]);
        assert_eq!(mails(&back).len(), usize::from(all));
        let mut well = ServerHealth::new(SERVERS[0], true);
        well.check = Some(LastCheck::new(Status::L4Ok, 0, "check 1: "));
        assert_eq!(mails(&watch.heard(SERVICE, &well)), ["- UP => TCP CHECK succeed on service <="]);
        assert!(watch.heard(SERVICE, &turned(1, Status::L4Ok, false, true)).is_empty());
        let attempt = watch.heard(SERVICE, &turned(1, Status::L4Connection, true, true));
        assert_eq!(attempt, [Outside::Log("TCP connection to [10.0.0.11]:tcp:80 failed.".to_owned())]);
        assert!(watch.heard(SERVICE, &turned(2, Status::L4Timeout, true, true)).is_empty(), "not asked for");
    }
}

#[test]
fn one_checker_in_alpha_mode_keeps_its_server_down_until_it_passes() {
    let mut watch = checked_by("TCP_CHECK {\n alpha off\n }\n PING_CHECK {\n alpha\n }", "");
    assert!(watch.heard(SERVICE, &turned(1, Status::L4Ok, false, false)).is_empty(), "it was taken for well");
    let mut up = ServerHealth::new(SERVERS[0], true);
    up.check = Some(LastCheck::new(Status::L4Ok, 0, "check 2: "));
    assert_eq!(mails(&watch.heard(SERVICE, &up)), ["- UP => ICMP CHECK succeed on service <="]);
}
