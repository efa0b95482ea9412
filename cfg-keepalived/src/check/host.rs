//! What the host lacks: interfaces, programs, users. Nothing is said of what the caller cannot tell.

use super::{security, warn};
use crate::codes;
use crate::config::{Command, Config, Script, User};
use crate::env::{Env, Program};
use lb_core::diag::{Diagnostic, Diagnostics, Span};

/// The host a configuration is checked against.
pub(super) struct Host<'a> {
    env: &'a dyn Env,
    /// An interface that is needed and does not exist: the original does not start its instances then.
    pub(super) missing_interface: Option<Span>,
}

impl<'a> Host<'a> {
    pub(super) fn new(env: &'a dyn Env, read: &Diagnostics) -> Self {
        let missing = read.iter().find(|d| d.code == codes::MISSING_INTERFACE);
        Self { env, missing_interface: missing.and_then(|d| d.span) }
    }

    /// True if the program, or who is to run it, is known not to be there.
    pub(super) fn lacks(&self, command: &Command) -> bool {
        self.env.program(command.program()) == Some(Program::Missing)
            || command.user.as_ref().is_some_and(|user| self.lacks_user(user))
    }

    pub(super) fn lacks_user(&self, user: &User) -> bool {
        user.is_missing(self.env)
    }
}

pub(super) fn check(config: &Config, host: &Host<'_>, out: &mut Diagnostics) {
    users(config, host, out);
    if let Some(span) = host.missing_interface {
        let message = "an interface does not exist; what needs it waits until it does";
        let compat = "Non-existent interface specified in configuration";
        out.push(
            warn(codes::MISSING_INTERFACE, span, message, compat)
                .note("the original does not start its instances then, unless `dynamic_interfaces` is set"),
        );
    } else if !config.instances.is_empty() {
        for script in config.scripts.iter().filter(|script| !script.command.only_readable()) {
            program(script, host, out);
        }
    }
}

fn program(script: &Script, host: &Host<'_>, out: &mut Diagnostics) {
    let (span, name, program) = (script.command.line.span, &script.name.value, script.command.program());
    match host.env.program(program) {
        Some(Program::Missing) => {
            let message = format!("there is no program `{program}`; the script is not watched");
            let compat = format!("Disabling track script {name} since not found/accessible");
            out.push(warn(codes::BAD_SCRIPT, span, message, compat));
        }
        Some(Program::NotExecutable) => {
            let message = format!("nobody may run `{program}`; the script is not watched");
            out.push(Diagnostic::warning(codes::BAD_SCRIPT, span, message));
        }
        _ => {}
    }
}

fn users(config: &Config, host: &Host<'_>, out: &mut Diagnostics) {
    // The original only logs this.
    let own = security::commands(config).filter_map(|command| command.user.as_ref());
    for user in own.filter(|user| host.lacks_user(user)) {
        let message = format!("there is no user or group `{}`; the command does not run", user.text());
        out.push(Diagnostic::warning(codes::BAD_SCRIPT, user.user.span, message));
    }
    if let Some(user) = config.global.script_user.as_ref().filter(|user| host.lacks_user(user)) {
        let message =
            format!("there is no user or group `{}`; scripts that name none do not run", user.text());
        out.push(warn(codes::BAD_SCRIPT, user.user.span, message, "Error setting global script uid/gid"));
    }
}

#[cfg(test)]
mod tests {
    use crate::env::{NoIncludes, StaticEnv};
    use crate::load;

    const TEXT: &str = "global_defs {\n script_user nobody\n}\nvrrp_script c {\n script /opt/check\n}\n\
                        vrrp_instance v {\n interface eth0\n virtual_router_id 1\n track_script { c }\n \
                        virtual_ipaddress { 10.0.0.3 }\n}\n";

    /// The exit code of the original's test and its messages.
    fn judged(text: &str, env: &StaticEnv) -> (u8, Vec<String>) {
        let loaded = load("k.conf", text, &mut NoIncludes, env);
        let messages = loaded.diagnostics.iter().filter_map(|d| d.compat.as_deref());
        (loaded.test_exit_code(), messages.map(str::to_owned).collect())
    }

    fn host() -> StaticEnv {
        StaticEnv::new("h").with_interfaces(&["eth0"]).with_programs(&["/opt/check"]).with_users(&["nobody"])
    }

    #[test]
    fn a_host_that_has_everything_leaves_the_missing_security() {
        let (code, messages) = judged(TEXT, &host());
        assert_eq!((code, messages.len()), (6, 1), "{messages:?}");
    }

    #[test]
    fn a_program_that_is_not_there_is_told_and_is_no_danger() {
        let (code, messages) = judged(TEXT, &host().with_programs(&[]));
        assert_eq!(code, 5);
        assert_eq!(messages, ["Disabling track script c since not found/accessible"]);
    }

    #[test]
    fn instances_without_their_interfaces_run_no_scripts() {
        let (code, messages) = judged(TEXT, &host().with_interfaces(&["lo"]));
        assert_eq!(code, 5);
        assert!(messages.contains(&"Non-existent interface specified in configuration".to_owned()));
        let dynamic = TEXT.replace("global_defs {\n", "global_defs {\n dynamic_interfaces\n");
        assert_eq!(judged(&dynamic, &host().with_interfaces(&["lo"])).0, 6);
    }

    #[test]
    fn what_names_an_absent_interface_is_told_unless_interfaces_may_be_absent() {
        let text = "vrrp_instance v {\n interface eth7\n virtual_router_id 1\n virtual_ipaddress {\n 10.0.0.3\n \
                    10.0.0.4 dev eth8\n }\n virtual_routes {\n 10.1.0.0/16 dev eth8\n 10.2.0.1 via 10.0.0.9\n }\n}\n\
                    garp_group {\n garp_interval 1\n interface eth9\n}\n";
        let dynamic = "global_defs {\n dynamic_interfaces\n}\n";
        let untracked = "Warning - cannot track route 10.2.0.1/32 with no interface specified, not tracking";
        let (code, mut messages) = judged(text, &host());
        messages.sort();
        let told = [
            "Non-existent interface specified in configuration",
            "WARNING - interface eth7 for vrrp_instance v doesn't exist",
            "WARNING - interface eth8 for VROUTE nexthop doesn't exist",
            "WARNING - interface eth8 for ip address 10.0.0.4 doesn't exist",
            "WARNING - interface eth9 specified for garp_group doesn't exist",
            untracked,
        ];
        assert_eq!((code, messages), (5, told.map(str::to_owned).to_vec()));
        for text in [format!("{dynamic}{text}"), format!("{text}{dynamic}")] {
            assert_eq!(judged(&text, &host()), (5, vec![untracked.to_owned()]));
        }
    }

    #[test]
    fn the_length_of_a_prefix_is_judged_whatever_stands_before_it() {
        let text = TEXT.replace("10.0.0.3", "\nhere/33\n10.0.0.3/x\n").replace(" track_script { c }\n", "");
        let rules = " virtual_rules {\n from 10.1.0./24 table 5 priority 9\n }\n}\n";
        let text = text.replace("vrrp_script c {\n script /opt/check\n}\n", "");
        let text = format!("{}{rules}", text.trim_end().trim_end_matches('}'));
        let (code, messages) = judged(&text, &host());
        let messages: Vec<&str> = messages.iter().flat_map(|message| message.lines()).collect();
        let told = [
            "number '33' outside range [0, 32]",
            "Invalid address prefix len 33 for address here/33 - using 32",
            "VRRP parsed invalid IP here/33. skipping IP...",
            "invalid number 'x'",
            "Invalid address prefix len x for address 10.0.0.3/x - using 32",
            "VRRP parsed invalid IP 10.1.0./24. skipping IP...",
            "Invalid rule from address 10.1.0./24",
        ];
        assert_eq!((code, messages), (5, told.to_vec()));
    }

    #[test]
    fn a_notification_that_nobody_can_run_is_left_out() {
        let text = TEXT
            .replace(" track_script { c }", " notify_master /opt/check")
            .replace("script_user nobody", "");
        let text = text.replace("vrrp_script c {\n script /opt/check\n}\n", "");
        let secure = text.replace("global_defs {", "global_defs {\n enable_script_security");
        let said = vec!["Unable to set default user keepalived_script for script".to_owned()];
        assert_eq!(judged(&secure, &host()), (5, said));
        assert_eq!(judged(&secure, &host().with_users(&["keepalived_script"])).0, 0);
        // Words that cannot be a user are logged and no more.
        let shell = text.replace("notify_master /opt/check", "notify_master /opt/check /a.sh 3");
        assert_eq!(judged(&shell, &host()), (0, Vec::new()));
    }

    #[test]
    fn a_command_of_nobody_is_told_and_is_no_danger() {
        let text = TEXT.replace("script /opt/check", "script /opt/check\n user nobody");
        let text =
            text.replace(" track_script { c }", " track_script { c }\n notify_master /opt/check someone");
        let (code, messages) = judged(&text, &host());
        assert_eq!((code, messages.len()), (6, 1), "{messages:?}");
        let (code, messages) = judged(&text, &host().with_users(&[]));
        assert_eq!(code, 5, "{messages:?}");
    }

    #[test]
    fn scripts_that_nobody_can_run_are_told_and_gone() {
        const REMOVED: [&str; 2] = [
            "Unable to set default user for vrrp script c - removing",
            "(v) track script c not found, ignoring...",
        ];
        for (user, known) in [("nobody", "root"), ("nobody nogroup", "nobody")] {
            let text = TEXT.replace("script_user nobody", &format!("script_user {user}"));
            let (code, messages) = judged(&text, &host().with_users(&[known]));
            let all = [&["Error setting global script uid/gid"], &REMOVED[..]].concat();
            assert_eq!((code, messages), (5, all.iter().map(|&m| m.to_owned()).collect()));
        }
        // Wherever it is said, it holds for the whole file.
        let secure = TEXT.replace("script_user nobody\n", "");
        let secure = format!("{secure}global_defs {{\n enable_script_security\n}}\n");
        let (code, messages) = judged(&secure, &host());
        let all = [&["Unable to set default user keepalived_script for script"], &REMOVED[..]].concat();
        assert_eq!((code, messages), (5, all.iter().map(|&m| m.to_owned()).collect()));
        assert_eq!(judged(&secure, &host().with_users(&["keepalived_script"])).0, 0);
    }

    #[test]
    fn a_mail_relay_must_have_an_address() {
        let text = |relay: &str| format!("global_defs {{\n smtp_server {relay}\n}}\n");
        let host = host().with_hosts(&["mail", "10.0.0.1"]);
        assert_eq!(judged(&text("mail 25"), &host), (0, Vec::new()));
        assert_eq!(judged(&text("nosuch"), &host), (5, vec!["Invalid smtp server nosuch 25".to_owned()]));
        let (code, messages) = judged(&text("10.0.0.1 99999"), &host);
        assert!(
            code == 5 && messages.contains(&"Invalid smtp server 10.0.0.1 99999".to_owned()),
            "{messages:?}"
        );
    }

    #[test]
    fn further_words_are_as_wrong_as_none_where_a_name_is_all() {
        for (text, said) in [
            (
                "vrrp_instance v x {\n interface eth0\n virtual_router_id 1\n}\n",
                "vrrp_instance must have a name",
            ),
            ("vrrp_sync_group g x {\n}\n", "vrrp_sync_group must have a name - skipping"),
        ] {
            assert_eq!(judged(text, &host()), (5, vec![said.to_owned()]));
        }
    }

    #[test]
    fn a_check_of_a_session_names_exactly_one_that_is_there() {
        for (lines, said) in [
            ("", "No name has been specified for BFD_CHECKER - skipping"),
            ("name", "BFD_CHECK - No or too many names specified - skipping checker"),
            ("name t x", "BFD_CHECK - No or too many names specified - skipping checker"),
            ("name u", "BFD_CHECK - BFD u not configured"),
            ("name t\n name t", "BFD_CHECK - BFD t already specified as t"),
        ] {
            let text = format!(
                "bfd_instance t {{\n neighbor_ip 10.0.0.9\n}}\nvirtual_server 10.0.0.1 80 {{\n lb_algo rr\n \
                 lb_kind NAT\n protocol TCP\n real_server 10.0.0.2 80 {{\n BFD_CHECK {{\n {lines}\n }}\n }}\n}}\n"
            );
            assert_eq!(judged(&text, &host()), (5, vec![said.to_owned()]), "{lines}");
        }
    }

    #[test]
    fn a_route_of_a_kind_names_its_destination_next() {
        let judged = |route: &str| {
            let text = format!(
                "vrrp_instance v {{\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {{ 10.0.0.3 }}\n \
                 virtual_routes {{\n {route}\n }}\n}}\n"
            );
            judged(&text, &host())
        };
        assert_eq!(judged("unreachable 10.1.0.0/24 dev eth0"), (0, Vec::new()));
        let wrong = |word| {
            vec![format!("VRRP parsed invalid IP {word}. skipping IP...\nunknown route keyword {word}")]
        };
        assert_eq!(judged("blackhole dev eth0"), (5, wrong("dev")));
        assert_eq!(judged("prohibit to 10.1.0.0/24 dev eth0"), (5, wrong("to")));
        assert_eq!(judged("blackhole").0, 2);
    }

    #[test]
    fn a_check_of_nobody_and_a_mark_of_no_family_are_gone() {
        let text = "virtual_server 10.0.0.1 80 {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n real_server 10.0.0.2 80 \
                    {\n MISC_CHECK {\n misc_path /opt/check\n user someone\n }\n }\n}\n";
        let said = "Failed to set uid/gid for misc checker script '/opt/check' - removing";
        assert_eq!(judged(text, &host()), (5, vec![said.to_owned()]));
        let text = "virtual_server_group g {\n fwmark 2 inet7\n fwmark 3 inet6\n}\n";
        assert_eq!(
            judged(text, &host()),
            (5, vec!["(g): fwmark '2' family inet7 unknown - ignoring".to_owned()])
        );
    }

    #[test]
    fn words_that_a_virtual_server_and_its_group_do_not_know_are_judged_as_the_original_judges_them() {
        let judged = |before: &str, lines: &str, real: &str| {
            let text = format!(
                "{before}\nvirtual_server 10.0.0.1 80 {{\n lb_algo rr\n lb_kind NAT\n protocol TCP\n {lines}\n real_server \
                 10.0.0.2 80 {{\n {real}\n }}\n}}\n"
            );
            judged(&text, &host())
        };
        assert_eq!(judged("", "alpha x\n omega 5\n inhibit_on_failure maybe", ""), (0, Vec::new()));
        let said = vec!["Invalid inhibit_on_failure parameter maybe".to_owned()];
        assert_eq!(judged("", "", "inhibit_on_failure maybe"), (5, said));
        let said = vec!["Invalid hex string for UDP_CHECK reply".to_owned()];
        assert_eq!(judged("", "", "UDP_CHECK {\n require_reply \"\"\n }"), (5, said));
        assert_eq!(judged("", "", "UDP_CHECK {\n require_reply\n }"), (0, Vec::new()));
        for (entry, said) in [
            ("here", "Invalid virtual server group IP address here  - skipping"),
            ("here 80", "Invalid virtual server group IP address here /port/80 - skipping"),
        ] {
            let group = format!("virtual_server_group g {{\n {entry}\n fwmark 7\n}}");
            assert_eq!(judged(&group, "", ""), (5, vec![said.to_owned()]));
        }
        assert_eq!(judged("virtual_server_group g {\n fwmark\n}", "", "").0, 2);
    }

    #[test]
    fn a_second_line_without_its_value_ends_the_original_as_a_first_one_does() {
        let text = TEXT.replace(" track_script", " notify_fault /opt/check\n notify_fault\n track_script");
        assert_eq!(judged(&text, &host()).0, 2);
    }

    #[test]
    fn the_last_destination_of_a_route_counts() {
        let text =
            TEXT.replace(" track_script { c }", " virtual_routes {\n 10.1.0.0/16 10.0.0.1 dev eth0\n }");
        let text = text.replace("vrrp_script c {\n script /opt/check\n}\n", "");
        assert_eq!(judged(&text, &host()), (0, Vec::new()));
        let loaded = load("k.conf", &text, &mut NoIncludes, &host());
        let route = &loaded.config.instances[0].routes[0];
        assert_eq!(route.value.destination.to_string(), "10.0.0.1");
        assert!(loaded.diagnostics.iter().any(|d| d.message.contains("a destination already")));
    }

    #[test]
    fn options_of_tunnels_are_checked_whatever_the_method() {
        let judged = |method: &str| {
            let text = format!(
                "virtual_server 10.0.0.1 80 {{\n lb_algo rr\n lb_kind {method}\n protocol TCP\n real_server \
                 10.0.0.2 80 {{\n }}\n}}\n"
            );
            judged(&text, &host()).1
        };
        assert_eq!(judged("TUN type gue port 5000 csum"), [""; 0]);
        assert_eq!(judged("NAT x y"), ["Invalid tunnel option x for virtual server."]);
        assert_eq!(judged("TUN type x"), ["Unknown tunnel type x for virtual server."]);
        assert_eq!(judged("TUN type"), ["Missing tunnel type for virtual server."]);
        assert_eq!(judged("TUN port 0"), ["Invalid gue tunnel port 0 for virtual server."]);
    }
}
