//! What the host lacks: interfaces, programs, users. Nothing is said of what the caller cannot tell.

use super::{security, warn};
use crate::codes;
use crate::config::{Command, Config, Script};
use crate::env::{Env, Program};
use lb_core::diag::{Diagnostic, Diagnostics, Span};

/// The user of scripts for which none is named.
const DEFAULT_USER: &str = "keepalived_script";

/// The host a configuration is checked against.
pub(super) struct Host<'a> {
    env: &'a dyn Env,
    /// An interface that is needed and does not exist: the original does not start its instances then.
    pub(super) missing_interface: Option<Span>,
}

impl<'a> Host<'a> {
    pub(super) fn new(config: &Config, env: &'a dyn Env, read: &Diagnostics) -> Self {
        let waits = config.global.dynamic_interfaces.is_some_and(|dynamic| dynamic.value);
        let missing = read.iter().find(|d| d.code == codes::MISSING_INTERFACE && !waits);
        Self { env, missing_interface: missing.and_then(|d| d.span) }
    }

    /// True if the program, or who is to run it, is known not to be there.
    pub(super) fn lacks(&self, command: &Command) -> bool {
        self.env.program(command.program()) == Some(Program::Missing)
            || command.user.as_ref().is_some_and(|user| self.lacks_user(&user.user.value))
    }

    pub(super) fn lacks_user(&self, name: &str) -> bool {
        self.env.user_exists(name) == Some(false)
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
    let own = security::commands(config).filter_map(|command| Some((command, command.user.as_ref()?)));
    let scripts = config.scripts.iter().filter_map(|script| Some((&script.command, script.user.as_ref()?)));
    for (command, user) in own.chain(scripts).filter(|(_, user)| host.lacks_user(&user.user.value)) {
        let message = format!("there is no user `{}`; the command does not run", user.user.value);
        let compat = format!("Unable to set uid/gid for script {}", command.line.value);
        out.push(warn(codes::BAD_SCRIPT, user.user.span, message, compat));
    }
    if let Some(user) = &config.global.script_user {
        if host.lacks_user(&user.user.value) {
            let message =
                format!("there is no user `{}`; scripts that name none do not run", user.user.value);
            out.push(warn(codes::BAD_SCRIPT, user.user.span, message, "Error setting global script uid/gid"));
        }
    } else if config.global.enable_script_security.is_some()
        && host.lacks_user(DEFAULT_USER)
        && let Some(script) = config.scripts.iter().find(|script| script.user.is_none())
    {
        let message = format!("there is no user `{DEFAULT_USER}`, and `script_user` names none");
        let compat = format!("Unable to set default user {DEFAULT_USER} for script");
        out.push(warn(codes::BAD_SCRIPT, script.command.line.span, message, compat));
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
    fn a_command_of_nobody_is_told_and_is_no_danger() {
        let text = TEXT.replace("script /opt/check", "script /opt/check\n user nobody");
        let text =
            text.replace(" track_script { c }", " track_script { c }\n notify_master /opt/check someone");
        let (code, messages) = judged(&text, &host());
        assert_eq!(code, 6, "{messages:?}");
        assert!(messages.contains(&"Unable to set uid/gid for script /opt/check".to_owned()), "{messages:?}");
        let (code, messages) = judged(&text, &host().with_users(&[]));
        assert_eq!(code, 5, "{messages:?}");
    }

    #[test]
    fn a_user_that_does_not_exist_is_told() {
        let (_, messages) = judged(TEXT, &host().with_users(&["root"]));
        assert!(messages.contains(&"Error setting global script uid/gid".to_owned()), "{messages:?}");
        let secure = TEXT.replace("script_user nobody", "enable_script_security");
        let (code, messages) = judged(&secure, &host());
        assert_eq!((code, messages.len()), (5, 1), "{messages:?}");
    }
}
