//! Command lines: those of HAProxy and Keepalived through links of these names, and lb's own.

mod haproxy;
mod keepalived;
mod native;

use cfg_haproxy::command_line::Words;
use lb_core::diag::render::Format;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What the user wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Invocation {
    /// Run a balancer, an address, or both.
    Run(RunArgs),
    /// Judge configuration files and exit.
    Check(CheckArgs),
    /// Evaluate a condition of the HAProxy dialect and exit.
    Condition(String),
    /// Ask the running address part something.
    Vrrp(VrrpArgs),
    /// Write an haproxy.cfg in the words of HAProxy 3.4.
    Migrate(MigrateArgs),
    /// Say what a word of the HAProxy dialect means.
    Explain(String),
    /// Print what an haproxy.cfg comes to, as JSON.
    Dump(CheckArgs),
    /// Send the program that wrote this pid file a signal.
    Signal(PathBuf, i32),
    /// Show two nodes at work.
    Demo(DemoArgs),
    /// One part of a supervised program; started by the supervisor only.
    Part(PartArgs),
    /// Print a text and exit with 0.
    Print(String),
}

/// Files and switches of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct RunArgs {
    /// HAProxy configuration: files or directories.
    pub haproxy: Vec<PathBuf>,
    /// Keepalived configuration.
    pub keepalived: Option<PathBuf>,
    /// Go to the background whatever the configuration says; `Some(false)` stays.
    pub daemon: Option<bool>,
    /// Tell the service manager about readiness.
    pub notify: bool,
    /// Where the process number is written.
    pub pidfile: Option<PathBuf>,
    /// Directory to change to before reading files.
    pub directory: Option<PathBuf>,
    /// Print nothing while starting.
    pub quiet: bool,
    /// Log to standard error too (Keepalived's `-l`).
    pub console_log: bool,
    /// Socket that answers about the virtual routers.
    pub vrrp_socket: Option<String>,
    /// The network namespace to run in (Keepalived's `-s`).
    pub namespace: Option<String>,
    /// Log details (Keepalived's `-D`).
    pub detail: bool,
    /// How diagnostics are printed.
    pub format: Format,
    /// How the haproxy.cfg is run, beyond what it says itself.
    pub balancer: cfg_haproxy::command_line::Options,
    /// How the keepalived.conf is run, beyond what it says itself.
    pub cluster: cfg_keepalived::command_line::Options,
    /// Options without an effect, and why.
    pub without_effect: Vec<(String, &'static str)>,
}

impl RunArgs {
    /// The options of `lb run` that say the same, for handing them to a part.
    pub(crate) fn words(&self) -> Vec<OsString> {
        let mut words = Vec::new();
        for file in &self.haproxy {
            words.extend(["-f".into(), file.clone().into_os_string()]);
        }
        if let Some(file) = &self.keepalived {
            words.extend(["-k".into(), file.clone().into_os_string()]);
        }
        if let Some(socket) = &self.vrrp_socket {
            words.extend(["--vrrp-socket".into(), socket.into()]);
        }
        let switches = [
            (self.quiet, "-q"),
            (self.console_log, "--log-console"),
            (self.detail, "--log-detail"),
            (self.daemon == Some(true), "-D"),
        ];
        words.extend(switches.iter().filter(|(on, _)| *on).map(|(_, word)| (*word).into()));
        words.extend(["--format".into(), self.format.name().into()]);
        words.extend([self.balancer.words(), self.cluster.words()].concat().into_iter().map(OsString::from));
        words
    }
}

/// What to check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct CheckArgs {
    /// The files, and how they would be run.
    pub run: RunArgs,
    /// The other node's Keepalived configuration.
    pub peer: Option<PathBuf>,
    /// Say that the configuration is valid.
    pub verbose: bool,
    /// Answer with Keepalived's exit statuses and words.
    pub as_keepalived: bool,
    /// Where the messages go instead of standard error.
    pub output: Option<PathBuf>,
}

/// What to ask the running address part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct VrrpArgs {
    /// The question, as the socket understands it.
    pub question: String,
    /// The socket, if not the usual one.
    pub socket: Option<String>,
}

/// What to write anew.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct MigrateArgs {
    /// The files, and how they would be run.
    pub run: RunArgs,
    /// Write over the files, keeping the old ones under `.orig`, instead of printing.
    pub in_place: bool,
}

/// Switches of the demonstration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct DemoArgs {
    /// Mails a second.
    pub rate: Option<u32>,
    /// No live view, one line per event.
    pub plain: bool,
    /// Only one node on the loopback interface.
    pub single: bool,
    /// What a helper process of the demonstration does; for the demonstration only.
    pub role: Option<String>,
}

/// Which part of a supervised program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartArgs {
    /// Its name: `proxy` or `vrrp`.
    pub part: String,
    /// The descriptor of its channel to the supervisor.
    pub channel: i32,
    /// What the supervisor runs.
    pub run: RunArgs,
}

/// Reads a command line; the first word decides whose it is.
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Invocation, String> {
    let mut words = words.into_iter();
    let program = words.next().unwrap_or_default();
    let name = Path::new(&program).file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let words = words.map(text).collect::<Result<Vec<_>, _>>()?;
    match name.as_str() {
        "haproxy" => haproxy::parse(&words),
        "keepalived" => keepalived::parse(&words),
        _ => native::parse(&words),
    }
}

fn text(word: OsString) -> Result<String, String> {
    word.into_string().map_err(|w| format!("`{}` is not valid UTF-8", w.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version;

    #[test]
    fn the_name_of_the_program_decides() {
        let run = |words: &[&str]| parse(words.iter().map(OsString::from));
        assert!(matches!(
            run(&["/usr/sbin/haproxy", "-v"]),
            Ok(Invocation::Print(text)) if text.starts_with("HAProxy version")
        ));
        assert_eq!(run(&["keepalived", "-v"]), Ok(Invocation::Print(version::keepalived())));
        assert_eq!(run(&["lb", "--version"]), Ok(Invocation::Print(version::own())));
    }
}
