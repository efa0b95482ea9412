//! Script security: scripts that run without `enable_script_security`.

use super::{Host, advice};
use crate::codes;
use crate::config::{CheckKind, Command, Config};
use lb_core::diag::{Diagnostic, Diagnostics};

pub(super) fn check(config: &Config, host: &Host<'_>, out: &mut Diagnostics) {
    if config.global.enable_script_security.is_some() {
        return;
    }
    // What is not there is not run, and instances without their interfaces run nothing.
    let runs = |c: &&Command| !c.only_readable() && !host.lacks(c);
    let nobody = config.global.script_user.as_ref().is_some_and(|user| host.lacks_user(user));
    let somebody = |c: &&Command| c.user.is_some() || !nobody;
    // Without instances nothing runs either.
    let instances = host.missing_interface.is_none() && !config.instances.is_empty();
    // Those that nobody could run are gone.
    let watched = config.scripts.iter().map(|script| &script.command);
    let found = [
        (watched.chain(notifications(config).filter(somebody)).filter(|_| instances).find(runs), "scripts"),
        (check_scripts(config).find(runs), "check scripts"),
        (start_scripts(config).filter(somebody).find(runs), "start/shutdown scripts"),
    ];
    for (command, what) in found {
        if let Some(command) = command {
            out.push(diagnostic(command, what));
        }
    }
}

fn diagnostic(command: &Command, what: &str) -> Diagnostic {
    let compat = format!("SECURITY VIOLATION - {what} are being executed but script_security not enabled.");
    advice(codes::SCRIPT_SECURITY, command.line.span, "scripts run without `enable_script_security`", compat)
        .note("whoever can change a script, or a directory on its path, gets the rights of its user")
        .note("put `enable_script_security` and `script_user USER` into `global_defs`")
}

/// Every command but those of check scripts, whose user is named elsewhere.
pub(super) fn commands(config: &Config) -> impl Iterator<Item = &Command> {
    notifications(config).chain(check_scripts(config)).chain(start_scripts(config))
}

fn notifications(config: &Config) -> impl Iterator<Item = &Command> {
    let notify =
        config.instances.iter().map(|i| &i.notify).chain(config.sync_groups.iter().map(|g| &g.notify));
    let fifos = [&config.global.notify_fifo, &config.global.vrrp_notify_fifo];
    let fifos = fifos.into_iter().filter_map(|f| f.script.as_ref());
    notify.flat_map(crate::config::Notify::commands).chain(fifos)
}

fn check_scripts(config: &Config) -> impl Iterator<Item = &Command> {
    config.virtual_servers.iter().flat_map(|server| {
        let own = [&server.quorum_up, &server.quorum_down].into_iter().flatten();
        let real = server.real_servers.iter().flat_map(|real| {
            let notify = [&real.notify_up, &real.notify_down].into_iter().flatten();
            let checks = real.checks.iter().filter_map(|check| match &check.kind {
                CheckKind::Misc(misc) => Some(&misc.misc_path),
                _ => None,
            });
            notify.chain(checks)
        });
        own.chain(real)
    })
}

fn start_scripts(config: &Config) -> impl Iterator<Item = &Command> {
    [&config.global.startup_script, &config.global.shutdown_script].into_iter().flatten()
}
