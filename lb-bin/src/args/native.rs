//! lb's own command line.

use super::{
    CheckArgs, DemoArgs, Invocation, MigrateArgs, PartArgs, RunArgs, VrrpArgs, Words, haproxy, keepalived,
};
use crate::version;

pub(super) fn parse(words: &[String]) -> Result<Invocation, String> {
    let Some((command, rest)) = words.split_first() else {
        return Ok(Invocation::Print(version::HELP.to_owned()));
    };
    let originals = matches!(command.as_str(), "haproxy" | "keepalived");
    if !originals && rest.iter().any(|word| matches!(word.as_str(), "-h" | "--help")) {
        return Ok(Invocation::Print(version::HELP.to_owned()));
    }
    match command.as_str() {
        "run" => run(rest).map(Invocation::Run),
        "check" => check(rest, "check").map(Invocation::Check),
        "migrate" => migrate(rest).map(Invocation::Migrate),
        "explain" if rest.is_empty() => Err("explain what? `lb explain timeout client`".to_owned()),
        "explain" => Ok(Invocation::Explain(rest.join(" "))),
        "dump" => check(rest, "dump").map(Invocation::Dump),
        "demo" => demo(rest).map(Invocation::Demo),
        "vrrp" => vrrp(rest).map(Invocation::Vrrp),
        "reload" => signal(rest, libc::SIGHUP),
        "stop" => signal(rest, libc::SIGTERM),
        "haproxy" => haproxy::parse(rest),
        "keepalived" => keepalived::parse(rest),
        "part" => part(rest).map(Invocation::Part),
        "-V" | "--version" | "version" => Ok(Invocation::Print(version::own())),
        "-v" => Ok(Invocation::Print(version::haproxy(false))),
        "-vv" => Ok(Invocation::Print(version::haproxy(true))),
        "-h" | "--help" | "help" => Ok(Invocation::Print(version::HELP.to_owned())),
        // Tools that start `haproxy -f …` from a path of their own find the same options here.
        _ if command.starts_with('-') => haproxy::parse(words),
        _ => Err(format!(
            "unknown command `{command}`; there are run, check, migrate, explain, dump, vrrp, demo, reload, stop and help"
        )),
    }
}

fn run(words: &[String]) -> Result<RunArgs, String> {
    let mut args = RunArgs { daemon: Some(false), ..RunArgs::default() };
    let mut words = Words::new(words);
    while let Some(word) = words.next() {
        match word {
            "-f" | "--haproxy" => args.haproxy.push(words.value(word)?.into()),
            "-k" | "--keepalived" => args.keepalived = Some(words.value(word)?.into()),
            "-p" | "--pidfile" => args.pidfile = Some(words.value(word)?.into()),
            "-D" | "--daemon" => args.daemon = Some(true),
            "--notify" => (args.balancer.supervised, args.notify) = (true, true),
            "-C" | "--directory" => args.directory = Some(words.value(word)?.into()),
            "--vrrp-socket" => args.vrrp_socket = Some(words.value(word)?.to_owned()),
            "-q" | "--quiet" => args.quiet = true,
            "--log-console" => args.console_log = true,
            "--log-detail" => args.detail = true,
            "--format" => args.format = words.value(word)?.parse()?,
            _ if args.balancer.take(word, &mut words)?
                || args.cluster.take(word, || words.value(word))? => {}
            _ => return Err(unknown(word, "run")),
        }
    }
    if args.haproxy.is_empty() && args.keepalived.is_none() {
        return Err(
            "nothing to run: name an haproxy.cfg by `-f`, a keepalived.conf by `-k`, or both".to_owned()
        );
    }
    Ok(args)
}

fn check(words: &[String], command: &str) -> Result<CheckArgs, String> {
    let mut args = CheckArgs::default();
    let run = &mut args.run;
    let mut words = Words::new(words);
    while let Some(word) = words.next() {
        match word {
            "-f" | "--haproxy" => run.haproxy.push(words.value(word)?.into()),
            "-k" | "--keepalived" => run.keepalived = Some(words.value(word)?.into()),
            "--peer" => args.peer = Some(words.value(word)?.into()),
            "-V" | "--verbose" => args.verbose = true,
            "-C" | "--directory" => run.directory = Some(words.value(word)?.into()),
            "--strict" | "-L" | "--localpeer" => drop(run.balancer.take(word, &mut words)?),
            "--config-id" => drop(run.cluster.take(word, || words.value(word))?),
            "--format" => run.format = words.value(word)?.parse()?,
            _ => return Err(unknown(word, command)),
        }
    }
    if run.haproxy.is_empty() && run.keepalived.is_none() {
        return Err("no file: name an haproxy.cfg by `-f`, a keepalived.conf by `-k`, or both".to_owned());
    }
    Ok(args)
}

fn vrrp(words: &[String]) -> Result<VrrpArgs, String> {
    let mut args = VrrpArgs::default();
    let mut question = Vec::new();
    let mut words = Words::new(words);
    while let Some(word) = words.next() {
        match word {
            "-s" | "--socket" => args.socket = Some(words.value(word)?.to_owned()),
            _ if word.starts_with('-') => return Err(unknown(word, "vrrp")),
            _ => question.push(word),
        }
    }
    const QUESTIONS: [&str; 7] = ["status", "data", "stats", "json", "metrics", "hand-over", "announce"];
    match question.as_slice() {
        [] => question.push("status"),
        [word] | [word, _] if QUESTIONS.contains(word) => {}
        _ => {
            return Err(format!("ask `lb vrrp` for one of {}", QUESTIONS.join(", ")));
        }
    }
    args.question = question.join(" ");
    Ok(args)
}

fn migrate(words: &[String]) -> Result<MigrateArgs, String> {
    let mut args = MigrateArgs::default();
    let mut words = Words::new(words);
    while let Some(word) = words.next() {
        match word {
            "-f" | "--haproxy" => args.run.haproxy.push(words.value(word)?.into()),
            "-i" | "--in-place" => args.in_place = true,
            "-C" | "--directory" => args.run.directory = Some(words.value(word)?.into()),
            "--format" => args.run.format = words.value(word)?.parse()?,
            file if !file.starts_with('-') => args.run.haproxy.push(file.into()),
            _ => return Err(unknown(word, "migrate")),
        }
    }
    if args.run.haproxy.is_empty() {
        return Err("nothing to migrate: name an haproxy.cfg by `-f`".to_owned());
    }
    Ok(args)
}

fn demo(words: &[String]) -> Result<DemoArgs, String> {
    let mut args = DemoArgs::default();
    let mut words = Words::new(words);
    while let Some(word) = words.next() {
        match word {
            "--rate" => args.rate = Some(words.number(word)?),
            "--plain" => args.plain = true,
            "--single" => args.single = true,
            "--role" => args.role = Some(words.value(word)?.to_owned()),
            _ => return Err(unknown(word, "demo")),
        }
    }
    Ok(args)
}

fn signal(words: &[String], number: i32) -> Result<Invocation, String> {
    match words {
        [option, file] if option == "-p" || option == "--pidfile" => {
            Ok(Invocation::Signal(file.into(), number))
        }
        _ => Err("name the pid file of the running program by `-p FILE`".to_owned()),
    }
}

fn part(words: &[String]) -> Result<PartArgs, String> {
    let [name, channel, rest @ ..] = words else {
        return Err("`lb part` is for the supervisor only".to_owned());
    };
    let channel = channel.parse().map_err(|_| "`lb part` is for the supervisor only".to_owned())?;
    Ok(PartArgs { part: name.clone(), channel, run: run(rest)? })
}

fn unknown(option: &str, command: &str) -> String {
    format!("unknown option `{option}` of `lb {command}`; see `lb help`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Invocation, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn both_files_run_together() {
        let Ok(Invocation::Run(run)) = words("run -f haproxy.cfg -k keepalived.conf -p /run/lb.pid") else {
            panic!("not a run")
        };
        assert_eq!((run.haproxy.len(), run.keepalived.is_some(), run.daemon), (1, true, Some(false)));
    }

    #[test]
    fn every_command_of_its_own_has_help() {
        for line in ["run --help", "check -h", "demo --help", "reload -h", "help"] {
            assert_eq!(words(line), Ok(Invocation::Print(version::HELP.to_owned())), "{line}");
        }
    }

    #[test]
    fn the_options_of_haproxy_work_under_any_name() {
        assert!(matches!(words("-d -dM -dI -dW -f cfg"), Ok(Invocation::Run(r)) if r.balancer.strict));
        assert!(matches!(words("-f cfg"), Ok(Invocation::Run(_))));
        assert_eq!(words("-cc 1"), Ok(Invocation::Condition("1".into())));
    }

    #[test]
    fn the_virtual_routers_are_asked_one_thing() {
        let asked = |line: &str| match words(line) {
            Ok(Invocation::Vrrp(args)) => (args.question, args.socket),
            other => panic!("{other:?}"),
        };
        assert_eq!(asked("vrrp"), ("status".to_owned(), None));
        assert_eq!(asked("vrrp -s x hand-over VI_1"), ("hand-over VI_1".to_owned(), Some("x".to_owned())));
        assert!(words("vrrp nonsense").unwrap_err().contains("hand-over"));
        assert!(words("vrrp --nonsense").is_err());
    }

    #[test]
    fn tools_take_their_words() {
        assert!(matches!(words("migrate -i a.cfg"), Ok(Invocation::Migrate(m)) if m.in_place));
        assert_eq!(words("explain option httpchk"), Ok(Invocation::Explain("option httpchk".into())));
        assert!(matches!(words("dump -f a.cfg"), Ok(Invocation::Dump(_))));
    }

    #[test]
    fn mistakes_say_what_to_do() {
        assert!(words("run").unwrap_err().contains("-k"));
        assert!(words("chekc").unwrap_err().contains("check"));
        assert!(words("check -f a --format xml").unwrap_err().contains("json"));
        assert!(words("migrate").unwrap_err().contains("-f"));
        assert!(words("explain").unwrap_err().contains("lb explain"));
        assert!(words("reload").unwrap_err().contains("-p FILE"));
    }
}
