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
mod tests;
