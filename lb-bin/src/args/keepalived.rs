//! Keepalived's command line.

use super::{CheckArgs, Invocation, RunArgs};
use crate::version;
use cfg_keepalived::command_line::{self, Request};

pub(super) fn parse(words: &[String]) -> Result<Invocation, String> {
    let line = command_line::parse(words)?;
    Ok(match line.request {
        Request::Version => Invocation::Print(version::keepalived()),
        Request::Help => Invocation::Print(version::HELP.to_owned()),
        Request::Signal(name) => {
            let number = vrrp::linux::control::signal_number(&name);
            let number = number.ok_or_else(|| format!("Unknown sigfunc {name}"))?;
            Invocation::Print(format!("{number}\n"))
        }
        Request::Test(output) => Invocation::Check(CheckArgs {
            run: RunArgs { keepalived: Some(line.file.into()), cluster: line.options, ..RunArgs::default() },
            as_keepalived: true,
            output: output.map(Into::into),
            ..CheckArgs::default()
        }),
        Request::Run => Invocation::Run(RunArgs {
            keepalived: Some(line.file.into()),
            daemon: Some(!line.foreground),
            pidfile: line.pid_file.map(Into::into),
            namespace: line.namespace,
            console_log: line.console,
            detail: line.detail,
            // Its unit files expect to be told.
            notify: true,
            cluster: line.options,
            without_effect: line.without_effect,
            ..RunArgs::default()
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Invocation, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_line_of_a_unit_file_runs_in_the_foreground_and_tells_when_it_is_ready() {
        let Ok(Invocation::Run(run)) = words("--dont-fork --log-detail -p /run/k.pid -i node-a") else {
            panic!("not a run")
        };
        assert_eq!((run.daemon, run.notify, run.detail), (Some(false), true, true));
        assert_eq!(run.pidfile, Some("/run/k.pid".into()));
        assert_eq!(run.cluster.config_id.as_deref(), Some("node-a"));
    }

    #[test]
    fn signals_have_the_numbers_scripts_ask_for() {
        let number = |name: &str| match words(&format!("--signum={name}")) {
            Ok(Invocation::Print(number)) => number.trim_end().parse().ok(),
            _ => None,
        };
        assert_eq!((number("DATA"), number("STATS"), number("RELOAD")), (Some(10), Some(12), Some(1)));
        assert_eq!((number("JSON"), number("STATS_CLEAR")), (Some(36), Some(63)));
        assert_eq!(number("TDATA"), None);
    }

    #[test]
    fn a_test_of_the_configuration_takes_an_optional_file() {
        let Ok(Invocation::Check(check)) = words("-t -f a.conf") else { panic!("not a check") };
        assert_eq!((check.run.keepalived, check.output), (Some("a.conf".into()), None));
        let Ok(Invocation::Check(check)) = words("-t/tmp/log") else { panic!("not a check") };
        assert_eq!(check.output, Some("/tmp/log".into()));
        assert!(words("--nonsense").unwrap_err().contains("--nonsense"));
    }
}
