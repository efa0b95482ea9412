//! Everything at once: text to tree, configuration and diagnostics.

use crate::block::{self, Braces, Process};
use crate::codes;
use crate::config::{Config, Global};
use crate::env::{Env, Sources};
use crate::reader::{self, Line};
use crate::tree::Tree;
use lb_core::diag::render::{self, Style};
use lb_core::diag::{Code, Diagnostics, Severity};

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
    /// The answer of the original's test where its reading of the braces is another.
    literal: Option<u8>,
}

/// Reads and checks a configuration. Never fails; whether it can be used is
/// [`Diagnostics::has_errors`](lb_core::diag::Diagnostics::has_errors).
pub fn load(name: &str, text: &str, sources: &mut dyn Sources, env: &dyn Env) -> Loaded {
    let (tree, mut diagnostics, lines) = parse(name, text, sources, env);
    let literal =
        diagnostics.iter().any(|d| is_structural(d.code)).then(|| literal(&lines, &diagnostics, env));
    let (config, more) = Config::from_tree(&tree, env);
    diagnostics.append(more);
    let checked = crate::check::check_on(&config, env, &diagnostics);
    diagnostics.append(checked);
    diagnostics.sort();
    Loaded { tree, config, diagnostics, literal }
}

/// The tree, what is wrong with its structure, and the lines it was built from.
pub(crate) fn parse(
    name: &str,
    text: &str,
    sources: &mut dyn Sources,
    env: &dyn Env,
) -> (Tree, Diagnostics, Vec<Line>) {
    let read = reader::read(name, text, sources, env);
    let mut diagnostics = read.diagnostics;
    let root = block::build(&read.lines, Braces::Meant, &mut diagnostics);
    (Tree::new(read.map, root), diagnostics, read.lines)
}

fn is_structural(code: Code) -> bool {
    [
        codes::MISSING_OPEN,
        codes::MISSING_CLOSE,
        codes::EXTRA_CLOSE,
        codes::UNEXPECTED_OPEN,
        codes::UNKNOWN_KEYWORD,
    ]
    .contains(&code)
}

/// What the original's test answers to lines whose braces it reads otherwise than they were meant.
fn literal(lines: &[Line], reading: &Diagnostics, env: &dyn Env) -> u8 {
    let mut all = reading.clone();
    let mut global = Global::default();
    for process in [Process::Parent, Process::Vrrp, Process::Checker] {
        let root = block::build(lines, Braces::Literal(process), &mut all);
        let (mut config, more) = Config::from_statements(&root, env);
        all.append(more);
        if process == Process::Parent {
            global.clone_from(&config.global);
        } else {
            // The others get these settings from the parent.
            config.global.clone_from(&global);
        }
        let checked = crate::check::check_on(&config, env, &all);
        all.append(checked);
    }
    test_exit_code(&all)
}

impl Loaded {
    /// The exit code of `keepalived -t` for this configuration.
    pub fn test_exit_code(&self) -> u8 {
        self.literal.unwrap_or_else(|| test_exit_code(&self.diagnostics))
    }
}

/// What there is to say about the files that `tree` was read from, in the style that is wanted.
pub fn render(tree: &Tree, diagnostics: &Diagnostics, style: Style) -> String {
    style.render(&tree.sources, diagnostics, |out, d| render::keepalived(out, &tree.sources, d))
}

/// The exit code the original's configuration test gives for these findings: 0 nothing, 2 a missing value, 4 delays
/// of a missing interface, 5 messages, 6 scripts without security or a missing file that was insisted on.
pub fn test_exit_code(diagnostics: &Diagnostics) -> u8 {
    diagnostics
        .iter()
        // What the original does not tell has no words of its own; of includes it only counts those it insists on.
        .filter(|d| d.compat.is_some() && (d.code != codes::INCLUDE || d.severity == Severity::Error))
        .map(|d| match d.code {
            codes::MISSING_VALUE => (3, 2),
            codes::SCRIPT_SECURITY | codes::INCLUDE => (2, 6),
            codes::MISSING_DELAYED => (0, 4),
            _ => (1, 5),
        })
        .max()
        .map_or(0, |(_, code)| code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::{NoIncludes, StaticEnv};

    fn code(text: &str) -> u8 {
        load("k.conf", text, &mut NoIncludes, &StaticEnv::new("h")).test_exit_code()
    }

    /// An instance with a script, so that what is lost shows in the exit code.
    const INSTANCE: &str = "vrrp_instance v {\n interface eth0\n virtual_router_id 1\n notify /bin/x\n \
                            virtual_ipaddress { 10.0.0.3 }\n}\n";

    #[test]
    fn what_is_wrong_is_told_in_the_original_s_form() {
        let loaded =
            load("k.conf", "vrrp_instance v {\n nonsense\n}\n", &mut NoIncludes, &StaticEnv::new("h"));
        let style = Style { format: render::Format::Auto, terminal: false, pid: 1 };
        let text = render(&loaded.tree, &loaded.diagnostics, style);
        assert!(text.contains("(k.conf: Line 2) ") && text.contains("nonsense"), "{text}");
    }

    #[test]
    fn exit_codes_tell_the_worst() {
        assert_eq!(code(""), 0);
        assert_eq!(code(INSTANCE), 6);
        assert_eq!(code("vrrp_instance v {\n interface eth0\n virtual_router_id 0\n}\n"), 5);
        assert_eq!(code(&format!("{INSTANCE}vrrp_instance w {{\n priority\n}}\n")), 2);
        assert_eq!(code("include /no/such\n"), 0);
        assert_eq!(code("includea /no/such\n"), 6);
    }

    #[test]
    fn the_exit_code_follows_the_braces_as_the_original_reads_them() {
        // Its processes skip each other's blocks by counting braces, so an open one swallows what follows.
        assert_eq!(code(&format!("global_defs {{\n router_id a\n{INSTANCE}")), 5);
        let loaded = load(
            "k.conf",
            &format!("global_defs {{\n router_id a\n{INSTANCE}"),
            &mut NoIncludes,
            &StaticEnv::new("h"),
        );
        assert!(loaded.config.instance("v").is_some(), "what was meant is read nevertheless");
        // The brace of a stranger's block ends the instance, and the script with it.
        let text = INSTANCE.replace(" notify", " foo {\n bar\n }\n notify");
        assert_eq!(code(&text), 5);
        // A forgotten opening brace changes nothing.
        assert_eq!(code(&INSTANCE.replacen(" {", "", 1)), 6);
    }
}
