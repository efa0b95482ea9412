//! Printing diagnostics: the only place that does.

use lb_core::diag::render::{Format, Style};
use std::io::{IsTerminal, Write};

/// How diagnostics look on standard error.
pub(crate) fn style(format: Format) -> Style {
    Style { format, terminal: std::io::stderr().is_terminal(), pid: std::process::id() }
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
