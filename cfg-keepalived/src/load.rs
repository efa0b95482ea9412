//! Everything at once: text to tree, configuration and diagnostics.

use crate::codes;
use crate::config::Config;
use crate::env::{Env, Sources};
use crate::tree::Tree;
use lb_core::diag::{Diagnostics, Severity};

/// A configuration that was read and checked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Loaded {
    /// What was written.
    pub tree: Tree,
    /// What it says.
    pub config: Config,
    /// What is wrong with it, in the order of the text.
    pub diagnostics: Diagnostics,
}

/// Reads and checks a configuration. Never fails; whether it can be used is
/// [`Diagnostics::has_errors`](lb_core::diag::Diagnostics::has_errors).
pub fn load(name: &str, text: &str, sources: &mut dyn Sources, env: &dyn Env) -> Loaded {
    let (tree, mut diagnostics) = crate::parse(name, text, sources, env);
    let (config, more) = Config::from_tree(&tree, env);
    diagnostics.append(more);
    diagnostics.append(crate::check(&config));
    diagnostics.sort();
    Loaded { tree, config, diagnostics }
}

impl Loaded {
    /// The exit code of `keepalived -t` for this configuration.
    pub fn test_exit_code(&self) -> u8 {
        test_exit_code(&self.diagnostics)
    }
}

/// The exit code the original's configuration test gives for these findings: 0 nothing, 2 a missing value, 5 messages,
/// 6 scripts without security or a missing file that was insisted on.
pub fn test_exit_code(diagnostics: &Diagnostics) -> u8 {
    diagnostics
        .iter()
        // What the original does not tell has no words of its own; of includes it only counts those it insists on.
        .filter(|d| d.compat.is_some() && (d.code != codes::INCLUDE || d.severity == Severity::Error))
        .map(|d| match d.code {
            codes::MISSING_VALUE => (3, 2),
            codes::SCRIPT_SECURITY | codes::INCLUDE => (2, 6),
            _ => (1, 5),
        })
        .max()
        .map_or(0, |(_, code)| code)
}
