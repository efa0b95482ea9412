//! All steps in one call.

use crate::check::check;
use crate::env::{Env, Facts};
use crate::host::{AskedOnce, Host};
use crate::lower::{Origins, lower};
use crate::parse::{Source, parse};
use crate::tree::Tree;
use lb_core::diag::render::{self, Style};
use lb_core::diag::{Diagnostic, Diagnostics, Severity};
use lb_core::expr::Registry;
use lb_core::spec::Spec;
use std::collections::HashSet;

/// What became of a configuration.
#[derive(Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The text, for showing places.
    pub tree: Tree,
    /// What should run; complete only if there are no errors.
    pub spec: Spec,
    /// Turns origins of the specification back into places.
    pub origins: Origins,
    /// Everything there is to say, in the order of the files.
    pub diagnostics: Diagnostics,
    /// `zero-warning`: warnings are errors.
    pub zero_warning: bool,
    /// `quiet`: say nothing at start.
    pub quiet: bool,
}

impl Loaded {
    /// The exit status with which the files are refused: 1 for errors, or warnings if `strict` or `zero-warning` says so; 2
    /// if nothing listens.
    pub fn refusal(&self, strict: bool) -> Option<u8> {
        let wrong = |d: &Diagnostic| d.severity == Severity::Error && d.code != crate::codes::NO_LISTENER;
        let strict = strict || self.zero_warning;
        if self.diagnostics.iter().any(wrong) || (strict && self.diagnostics.count(Severity::Warning) > 0) {
            return Some(1);
        }
        self.listens_nowhere().then_some(2)
    }

    /// Whether there is nothing to listen on, although nothing is wrong; HAProxy ends with status 2 then.
    pub fn listens_nowhere(&self) -> bool {
        self.diagnostics.iter().any(|d| d.code == crate::codes::NO_LISTENER)
    }
}

/// What there is to say about the files that `tree` was read from, in the style that is wanted.
pub fn render(tree: &Tree, diagnostics: &Diagnostics, style: Style) -> String {
    let sources = tree.sources();
    style.render(sources, diagnostics, |out, diagnostic| {
        // Tools that read this form know alerts and warnings. Of what is merely worth knowing, only what is left out here is
        // told: nothing is ignored in silence.
        if diagnostic.severity != Severity::Notice || diagnostic.code == crate::codes::NO_EFFECT {
            render::haproxy(out, sources, diagnostic, style.pid);
        }
    })
}

/// Parses, checks and lowers `sources`.
pub fn load(
    sources: &[Source<'_>],
    env: &dyn Env,
    facts: &Facts,
    host: Host<'_>,
    registry: &Registry,
) -> Loaded {
    let names = AskedOnce::new(host.names);
    let host = Host { names: &names, ..host };
    let (tree, mut diagnostics) = parse(sources, env, facts);
    let (config, found) = check(&tree, host);
    diagnostics.append(found);
    let lowered = lower(&config, &tree, registry, host, env);
    diagnostics.append(lowered.diagnostics);
    let mut diagnostics = told_once(diagnostics);
    diagnostics.sort();
    let (zero_warning, quiet) = (config.global.zero_warning, config.global.quiet);
    drop(config);
    Loaded { spec: lowered.spec, origins: lowered.origins, diagnostics, zero_warning, quiet, tree }
}

/// What is inherited is found again in every proxy, and by more than one step; once is enough.
fn told_once(diagnostics: Diagnostics) -> Diagnostics {
    // With errors around, lines that would have listened may be among them.
    let errors = diagnostics.has_errors();
    let mut seen = HashSet::new();
    let mut out = Diagnostics::new();
    for diagnostic in diagnostics {
        let known = diagnostic.span.is_some_and(|span| !seen.insert((span, diagnostic.message.clone())));
        let beside_the_point = errors && diagnostic.code == crate::codes::NO_LISTENER;
        if !known && !beside_the_point {
            out.push(with_advice(diagnostic));
        }
    }
    out
}

/// What cannot stay as it is says what to do: if nothing better is known, what helps against its kind.
fn with_advice(diagnostic: Diagnostic) -> Diagnostic {
    let told = !diagnostic.notes.is_empty() || diagnostic.suggestion.is_some();
    let found = crate::codes::ALL.iter().find(|(code, ..)| *code == diagnostic.code);
    // The advice of `WORD` points at a note.
    let wanted = !told && diagnostic.severity == Severity::Error && diagnostic.code != crate::codes::WORD;
    match found.filter(|_| wanted) {
        Some((_, _, advice)) => {
            let mut rest = advice.trim_end_matches('.').chars();
            let first = rest.next().map(|c| c.to_ascii_lowercase());
            diagnostic.note(first.into_iter().chain(rest).collect::<String>())
        }
        None => diagnostic,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::NoEnv;
    use lb_core::spec::ProxySpec;

    /// What becomes of the file `lb.cfg` with this text on any host.
    pub(crate) fn load_text(text: &str) -> Loaded {
        let sources = [Source::new("lb.cfg", text)];
        load(&sources, &NoEnv, &Facts::default(), Host::ANY, &Registry::builtin())
    }

    /// A frontend without timeouts, which is worth a warning.
    fn loaded(global: &str) -> Loaded {
        let text = format!("global\n{global}\nfrontend web\n mode http\n bind :8080\n");
        let facts = Facts::default();
        load(&[Source::new("haproxy.cfg", &text)], &NoEnv, &facts, Host::ANY, &Registry::default())
    }

    /// The backend `b` of lines that declare it.
    fn backend(loaded: &Loaded) -> &ProxySpec {
        loaded.spec.proxies.iter().find(|proxy| proxy.name.as_str() == "b").unwrap()
    }

    #[test]
    fn the_file_itself_may_ask_that_warnings_refuse_it() {
        let lenient = loaded("");
        assert!(lenient.diagnostics.count(Severity::Warning) > 0);
        assert_eq!((lenient.refusal(false), lenient.refusal(true)), (None, Some(1)));
        assert_eq!(loaded(" zero-warning").refusal(false), Some(1));
    }

    #[test]
    fn the_original_form_keeps_quiet_about_what_is_merely_worth_knowing() {
        use lb_core::diag::render::Format;
        let mut loaded = loaded("");
        let span = loaded.diagnostics.iter().find_map(|d| d.span).unwrap();
        let notice = |code| Diagnostic::new(Severity::Notice, code, "is said").at(span);
        loaded.diagnostics = Diagnostics::new();
        loaded.diagnostics.push(notice(crate::codes::WORD));
        let said = |loaded: &Loaded, format| {
            let style = Style { format, terminal: false, pid: 3 };
            render(&loaded.tree, &loaded.diagnostics, style)
        };
        assert_eq!(said(&loaded, Format::Auto), "");
        assert!(said(&loaded, Format::Human).contains("is said"));
        loaded.diagnostics.push(notice(crate::codes::NO_EFFECT));
        assert!(
            said(&loaded, Format::Original).starts_with("[NOTICE]   (3) : config : parsing [haproxy.cfg:")
        );
    }

    #[test]
    fn an_alert_alone_refuses_no_file_however_strict() {
        let timeouts = "defaults\n timeout client 1s\n timeout http-request 1s\n";
        let alert = loaded(&format!(" maxconn 1\n maxconn 2\n{timeouts}"));
        assert_eq!(alert.diagnostics.count(Severity::Alert), 1);
        assert_eq!((alert.refusal(false), alert.refusal(true)), (None, None));
    }

    #[test]
    fn connections_are_not_tried_again_where_other_failures_alone_are() {
        for (mode, on, retries) in [
            ("tcp", "none", 0),
            ("tcp", "empty-response", 0),
            ("tcp", "conn-failure 503", 3),
            ("tcp", "all-retryable-errors", 3),
            // There the number also bounds how often requests are sent again.
            ("http", "empty-response", 3),
        ] {
            let loaded = loaded(&format!("backend b\n mode {mode}\n retry-on {on}\n server s 127.0.0.1:1"));
            assert_eq!(backend(&loaded).pool.retry.retries, retries, "{mode} {on}");
        }
    }

    #[test]
    fn nothing_to_retry_on_is_said_alone() {
        let on = |words: &str| {
            loaded(&format!("backend b\n mode http\n retry-on {words}\n server s 127.0.0.1:1")).refusal(false)
        };
        assert_eq!((on("none"), on("none 503"), on("503 none")), (None, Some(1), Some(1)));
    }

    #[test]
    fn numbers_count_as_far_as_their_digits_go_and_it_is_said() {
        for (words, weight, maxconn) in [
            ("weight 5q maxconn 7x", 5, 7),
            ("weight none", 0, 0),
            ("maxconn 99999999999", 1, i32::MAX as u32),
        ] {
            let loaded = loaded(&format!("backend b\n mode http\n server s 127.0.0.1:1 {words}"));
            let server = &backend(&loaded).pool.servers[0];
            assert_eq!((server.weight, server.maxconn), (weight, maxconn), "{words}");
            assert!(loaded.diagnostics.iter().any(|d| d.code == crate::codes::NUMBER), "{words}");
        }
        for wrong in ["rise none", "fall 0x", "weight 300", "error-limit -1"] {
            let loaded = loaded(&format!("backend b\n mode http\n server s 127.0.0.1:1 check {wrong}"));
            assert!(loaded.diagnostics.has_errors(), "{wrong}");
        }
    }

    #[test]
    fn balance_alone_asks_for_what_is_used_without_it() {
        let algorithm = |line: &str| {
            let text = format!("backend b\n mode http\n{line} server s 127.0.0.1:1");
            backend(&loaded(&text)).pool.algorithm.clone()
        };
        assert_eq!(algorithm(" balance\n"), algorithm(""));
        assert_ne!(algorithm(" balance roundrobin\n"), algorithm(""));
    }
}
