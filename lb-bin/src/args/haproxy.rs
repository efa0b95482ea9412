//! HAProxy's command line.

use super::{CheckArgs, Format, Invocation, RunArgs};
use crate::version;
use cfg_haproxy::command_line::{self, Request};

pub(super) fn parse(words: &[String]) -> Result<Invocation, String> {
    let line = command_line::parse(words)?;
    let run = RunArgs {
        haproxy: line.files,
        daemon: line.daemon,
        notify: line.notify,
        pidfile: line.pid_file,
        directory: line.directory,
        quiet: line.quiet,
        balancer: line.options,
        format: Format::Original,
        without_effect: line.without_effect,
        ..RunArgs::default()
    };
    Ok(match line.request {
        Request::Version { long } => Invocation::Print(version::haproxy(long)),
        Request::Condition(text) => Invocation::Condition(text),
        Request::Check { verbose } => Invocation::Check(CheckArgs { run, verbose, ..CheckArgs::default() }),
        Request::Run => Invocation::Run(run),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Invocation, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_line_of_a_unit_file_runs_under_a_supervisor_and_tells_when_it_is_ready() {
        let Ok(Invocation::Run(run)) = words("-Ws -f /etc/haproxy.cfg -p /run/h.pid -L node-a") else {
            panic!("not a run")
        };
        assert!(run.balancer.supervised && run.notify);
        assert_eq!((run.haproxy, run.pidfile), (vec!["/etc/haproxy.cfg".into()], Some("/run/h.pid".into())));
        assert_eq!((run.balancer.localpeer.as_deref(), run.format), (Some("node-a"), Format::Original));
    }

    #[test]
    fn what_is_not_a_run_goes_its_own_way() {
        assert!(
            matches!(words("-f a -c -V"), Ok(Invocation::Check(c)) if c.verbose && c.run.haproxy.len() == 1)
        );
        assert_eq!(words("-cc 1"), Ok(Invocation::Condition("1".into())));
        assert_eq!(words("-vv"), Ok(Invocation::Print(version::haproxy(true))));
        assert!(words("-c").unwrap_err().contains("-f FILE"));
    }
}
