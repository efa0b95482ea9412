//! What can only be said once everything is read: references, duplicates, settings that contradict each other.

mod instance;
mod resolve;
mod security;
mod sync_group;
mod track;
mod virtual_server;
mod vrid;

pub(crate) use resolve::Resolved;

use crate::config::{Config, Index};
use lb_core::diag::{Code, Diagnostic, Diagnostics, Span};

/// Checks a whole configuration.
pub fn check(config: &Config) -> Diagnostics {
    let mut out = Diagnostics::new();
    let index = Index::new(config);
    for instance in &config.instances {
        instance::check(instance, config, &index, &mut out);
        track::check_instance(instance, config, &index, &mut out);
    }
    sync_group::check(config, &index, &mut out);
    vrid::check(config, &mut out);
    track::check_unused(config, &mut out);
    security::check(config, &mut out);
    virtual_server::check(config, &mut out);
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
