//! Printing diagnostics: the only place that does.

use crate::args::Format;
use cfg_haproxy::codes::NO_EFFECT;
use lb_core::diag::render::{self, Color};
use lb_core::diag::{Diagnostics, Severity, SourceMap};
use std::io::{IsTerminal, Write};

/// Which program's words the one-line form uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// HAProxy.
    Haproxy,
    /// Keepalived.
    Keepalived,
}

/// All diagnostics as text.
pub(crate) fn render(map: &SourceMap, diagnostics: &Diagnostics, format: Format, dialect: Dialect) -> String {
    let terminal = std::io::stderr().is_terminal();
    let format = match format {
        Format::Auto if terminal => Format::Human,
        Format::Auto => Format::Haproxy,
        chosen => chosen,
    };
    let color = if terminal { Color::On } else { Color::Off };
    let mut out = String::new();
    for diagnostic in &diagnostics.condensed(200) {
        match (format, dialect) {
            (Format::Json, _) => render::json(&mut out, map, diagnostic),
            (Format::Human | Format::Auto, _) => {
                render::rich(&mut out, map, diagnostic, color);
                out.push('\n');
            }
            // Tools that read this form know alerts and warnings. Of what is merely worth knowing, only what is left out
            // here is told: nothing is ignored in silence.
            (Format::Haproxy, Dialect::Haproxy)
                if diagnostic.severity == Severity::Notice && diagnostic.code != NO_EFFECT => {}
            (Format::Haproxy, Dialect::Haproxy) => {
                render::haproxy(&mut out, map, diagnostic, std::process::id())
            }
            (Format::Haproxy, Dialect::Keepalived) => render::keepalived(&mut out, map, diagnostic),
        }
    }
    out
}

/// Prints to standard error.
pub(crate) fn error(text: &str) {
    // Nobody is left to tell when standard error is closed.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Prints a line that HAProxy would print as an alert.
pub(crate) fn alert(text: &str) {
    error(&format!("[ALERT]    ({}) : {text}\n", std::process::id()));
}

/// Prints an alert; answers the exit status of a failure.
pub(crate) fn failed(text: &str) -> u8 {
    alert(text.trim_end());
    1
}

/// Prints a line that HAProxy would print as a notice.
pub(crate) fn notice(text: &str) {
    error(&format!("[NOTICE]   ({}) : {text}\n", std::process::id()));
}

/// Prints to standard output.
pub(crate) fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
