//! What can only be said once everything is read: references, duplicates, settings that contradict each other.

mod host;
mod instance;
mod resolve;
mod security;
mod sync_group;
mod track;
mod virtual_server;
mod vrid;

use host::Host;
pub(crate) use resolve::Resolved;

use crate::config::{Config, Index};
use crate::env::{Env, StaticEnv};
use lb_core::diag::{Code, Diagnostic, Diagnostics, Span};

/// Checks a whole configuration, whatever the host it is for.
pub fn check(config: &Config) -> Diagnostics {
    check_on(config, &StaticEnv::default(), &Diagnostics::new())
}

/// Checks a whole configuration against a host. `read` is what was found wrong while it was read.
pub(crate) fn check_on(config: &Config, env: &dyn Env, read: &Diagnostics) -> Diagnostics {
    let mut out = Diagnostics::new();
    let host = Host::new(env, read);
    let index = Index::new(config);
    for instance in &config.instances {
        instance::check(instance, config, &index, &mut out);
        track::check_instance(instance, config, &index, &mut out);
    }
    sync_group::check(config, &index, &mut out);
    vrid::check(config, &mut out);
    track::check_unused(config, &mut out);
    host::check(config, &host, &mut out);
    security::check(config, &host, &mut out);
    virtual_server::check(config, &mut out);
    out.append(crate::analysis::failover(config));
    out
}

/// A warning the original gives, too.
fn warn(code: Code, span: Span, message: impl Into<String>, compat: impl Into<String>) -> Diagnostic {
    Diagnostic::warning(code, span, message).compat(compat)
}

/// Advice the original gives, too: the configuration does what it says, though perhaps not what was meant.
fn advice(code: Code, span: Span, message: impl Into<String>, compat: impl Into<String>) -> Diagnostic {
    Diagnostic::notice(code, span, message).compat(compat)
}

/// A finding for which the original's VRRP process ends.
fn fatal(code: Code, span: Span, message: impl Into<String>, compat: impl Into<String>) -> Diagnostic {
    Diagnostic::error(code, span, message).compat(compat)
}
