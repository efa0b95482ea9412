//! HAProxy's command line (management guide, chapter 3).

use super::{CheckArgs, Format, Invocation, RunArgs, Text, UsageError, Words};
use std::path::PathBuf;

/// Debugging letters after `-d` that take no value of their own and change nothing here.
const IGNORED: &str = "AcCeFGIkLMpRSTtVvZ";

#[derive(Default)]
struct Seen {
    run: RunArgs,
    check: bool,
    verbose: bool,
    foreground: bool,
}

pub(super) fn parse(words: &[String]) -> Result<Invocation, UsageError> {
    let mut seen = Seen { run: RunArgs { format: Format::Haproxy, ..RunArgs::default() }, ..Seen::default() };
    let mut words = Words::new(words);
    while let Some(word) = words.next() {
        match word {
            "-v" => return Ok(Invocation::Print(Text::HaproxyVersion { long: false })),
            "-vv" => return Ok(Invocation::Print(Text::HaproxyVersion { long: true })),
            "-cc" => return Ok(Invocation::Condition(words.value(word)?.to_owned())),
            "--" => seen.run.haproxy.extend(words.by_ref().map(PathBuf::from)),
            _ if word.starts_with('-') => option(&mut seen, word, &mut words)?,
            _ => {
                return Err(UsageError::new(format!(
                    "`{word}` is not an option; files are given by `-f {word}`"
                )));
            }
        }
    }
    finish(seen)
}

fn option(seen: &mut Seen, word: &str, words: &mut Words<'_>) -> Result<(), UsageError> {
    let run = &mut seen.run;
    match word {
        "-f" => run.haproxy.push(words.value(word)?.into()),
        "-c" => seen.check = true,
        "-V" => seen.verbose = true,
        "-q" => run.quiet = true,
        "-D" => run.daemon = Some(true),
        "-d" | "-db" => seen.foreground = true,
        "-W" => run.master = true,
        "-Ws" => (run.master, run.notify) = (true, true),
        "-S" => run.master_ctl.push(words.value(word)?.to_owned()),
        "-p" => run.pidfile = Some(words.value(word)?.into()),
        "-sf" => pids(&mut run.finish, words)?,
        "-st" => pids(&mut run.terminate, words)?,
        "-x" => run.takeover = Some(words.value(word)?.into()),
        "-L" => run.localpeer = Some(words.value(word)?.to_owned()),
        "-C" => run.directory = Some(words.value(word)?.into()),
        "-n" => run.maxconn = Some(words.number(word)?),
        // Limits that this program's memory use does not depend on: checked, then not needed.
        "-m" | "-N" => drop(words.number::<u32>(word)?),
        "-dW" => run.strict = true,
        "-dr" | "-4" => {}
        // Dumps that HAProxy prints beside its work, with a list of subjects behind the letter.
        _ if debug_letter(word) => {}
        _ => return Err(UsageError::new(format!("unknown option `{word}`; `-h` lists the options"))),
    }
    Ok(())
}

fn debug_letter(word: &str) -> bool {
    let mut letters = word.strip_prefix("-d").unwrap_or_default().chars();
    letters.next().is_some_and(|letter| IGNORED.contains(letter) || letter == 'D' || letter == 'K')
}

fn pids(list: &mut Vec<u32>, words: &mut Words<'_>) -> Result<(), UsageError> {
    while words.peek().is_some_and(|w| !w.starts_with('-')) {
        list.push(words.number("-sf")?);
    }
    Ok(())
}

fn finish(mut seen: Seen) -> Result<Invocation, UsageError> {
    if seen.run.haproxy.is_empty() {
        return Err(UsageError::new("no configuration file given; name one by `-f FILE`"));
    }
    if seen.foreground {
        seen.run.daemon = Some(false);
    }
    if seen.check {
        let run = seen.run;
        return Ok(Invocation::Check(CheckArgs {
            haproxy: run.haproxy,
            verbose: seen.verbose,
            strict: run.strict,
            directory: run.directory,
            localpeer: run.localpeer,
            format: run.format,
            ..CheckArgs::default()
        }));
    }
    Ok(Invocation::Run(seen.run))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Invocation, UsageError> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    fn run(line: &str) -> RunArgs {
        match words(line) {
            Ok(Invocation::Run(run)) => run,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_lines_of_unit_files_are_understood() {
        let args = run("-Ws -f /etc/haproxy/haproxy.cfg -p /run/haproxy.pid -S /run/haproxy-master.sock");
        assert!(args.master && args.notify);
        assert_eq!(args.haproxy, [PathBuf::from("/etc/haproxy/haproxy.cfg")]);
        assert_eq!(args.pidfile, Some("/run/haproxy.pid".into()));
        assert_eq!(args.master_ctl, ["/run/haproxy-master.sock"]);
        let args = run("-D -f a -p p -sf 12 13 -x /s -L peer");
        assert_eq!(
            (args.daemon, args.finish, args.localpeer),
            (Some(true), vec![12, 13], Some("peer".into()))
        );
    }

    #[test]
    fn debugging_switches_change_nothing_but_their_meaning() {
        let args = run("-d -dM -dI -dW -dMcold-first -f cfg");
        assert_eq!((args.daemon, args.strict), (Some(false), true));
    }

    #[test]
    fn check_may_stand_anywhere() {
        assert!(matches!(words("-f file -c"), Ok(Invocation::Check(c)) if !c.verbose));
        assert!(matches!(words("-c -dM -V -f file"), Ok(Invocation::Check(c)) if c.verbose));
        assert_eq!(words("-cc streq(a,a)"), Ok(Invocation::Condition("streq(a,a)".into())));
        assert!(matches!(words("-f a -- b c"), Ok(Invocation::Run(r)) if r.haproxy.len() == 3));
    }

    #[test]
    fn mistakes_are_named() {
        assert!(words("-f").unwrap_err().message.contains("`-f` needs a value"));
        assert!(words("-n x -f a").unwrap_err().message.contains("number"));
        assert!(words("-y").unwrap_err().message.contains("`-y`"));
        assert!(words("-c").unwrap_err().message.contains("-f FILE"));
    }
}
