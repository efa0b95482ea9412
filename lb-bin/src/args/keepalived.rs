//! Keepalived's command line (its manual page).

use super::{CheckArgs, Invocation, RunArgs, Text, UsageError, Words};
use std::path::PathBuf;

/// The file read when none is named.
const DEFAULT: &str = "/etc/keepalived/keepalived.conf";

/// Options with a value that concern parts or files this program does not have.
const VALUES: &str = "-r --vrrp_pid -c --checkers_pid -T --genhash -b --bfd_pid -S --log-facility -i \
    --config-id -g --log-file --core-dump-pattern";

/// Options without a value that change nothing here: which parts to run, dumps, memory checks.
const SWITCHES: &str = "-d --dump-conf -P --vrrp -C --check -B --no_bfd -V --dont-release-vrrp -I --dont-release-ipvs -R \
    --dont-respawn -a --address-monitoring -m --core-dump -G --no-syslog -x --snmp -u --umask -e \
    --all-config -X --release-vips -k --flush-log-file -M --nodaemon";

pub(super) fn parse(words: &[String]) -> Result<Invocation, UsageError> {
    let mut run = RunArgs { daemon: Some(true), ..RunArgs::default() };
    let mut check = false;
    let split = separate(words);
    let mut words = Words::new(&split);
    while let Some(word) = words.next() {
        match word {
            "-v" | "--version" => return Ok(Invocation::Print(Text::KeepalivedVersion)),
            "-h" | "--help" => return Ok(Invocation::Print(Text::Help)),
            "-f" | "--use-file" => run.keepalived = Some(words.value(word)?.into()),
            "-p" | "--pid" => run.pidfile = Some(words.value(word)?.into()),
            "-s" | "--namespace" => run.namespace = Some(words.value(word)?.to_owned()),
            "-n" | "--dont-fork" => run.daemon = Some(false),
            "--signum" => {
                let name = words.value(word)?;
                let number =
                    signal_number(name).ok_or_else(|| UsageError::new(format!("Unknown sigfunc {name}")))?;
                return Ok(Invocation::Print(Text::SignalNumber(number)));
            }
            "-l" | "--log-console" => run.console_log = true,
            "-D" | "--log-detail" => run.detail = true,
            "-t" | "--config-test" => {
                check = true;
                // The file for the messages may follow.
                if words.peek().is_some_and(|w| !w.starts_with('-')) {
                    let _ = words.next();
                }
            }
            _ if is_in(VALUES, word) => {
                words.value(word)?;
            }
            _ if is_in(SWITCHES, word) => {}
            _ => return Err(UsageError::new(format!("unknown option `{word}`; `--help` lists the options"))),
        }
    }
    let file = run.keepalived.take().unwrap_or_else(|| PathBuf::from(DEFAULT));
    if check {
        return Ok(Invocation::Check(CheckArgs {
            keepalived: Some(file),
            as_keepalived: true,
            ..CheckArgs::default()
        }));
    }
    run.keepalived = Some(file);
    Ok(Invocation::Run(run))
}

fn is_in(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|known| known == word)
}

/// The signal that Keepalived documents under a name.
fn signal_number(name: &str) -> Option<i32> {
    Some(match name {
        "STOP" => libc::SIGTERM,
        "RELOAD" => libc::SIGHUP,
        "DATA" => libc::SIGUSR1,
        "STATS" => libc::SIGUSR2,
        "JSON" => libc::SIGRTMIN() + 2,
        "STATS_CLEAR" => libc::SIGRTMAX() - 1,
        _ => return None,
    })
}

/// Splits `--name=value`, `-nlD` and `-ffile` into words of one meaning each.
fn separate(words: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    for word in words {
        if let Some((name, value)) = word.strip_prefix("--").and_then(|w| w.split_once('=')) {
            out.push(format!("--{name}"));
            out.push(value.to_owned());
        } else if word.starts_with('-') && !word.starts_with("--") && word.len() > 2 {
            cluster(&mut out, &word[1..]);
        } else {
            out.push(word.clone());
        }
    }
    out
}

fn cluster(out: &mut Vec<String>, letters: &str) {
    for (i, letter) in letters.char_indices() {
        let option = format!("-{letter}");
        let takes = is_in(VALUES, &option) || matches!(letter, 'f' | 'p' | 's' | 't');
        let rest = &letters[i + letter.len_utf8()..];
        out.push(option);
        if takes && !rest.is_empty() {
            out.push(rest.trim_start_matches('=').to_owned());
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Invocation, UsageError> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_lines_of_unit_files_are_understood() {
        let Ok(Invocation::Run(run)) =
            words("--dont-fork --log-detail -l -f /etc/k.conf -p /run/k.pid -r /run/v.pid -b x")
        else {
            panic!("not a run")
        };
        assert_eq!(run.daemon, Some(false));
        assert!(run.console_log && run.detail);
        assert_eq!(run.keepalived, Some("/etc/k.conf".into()));
        assert_eq!(words("-nlD -f/etc/k.conf").ok(), words("-n -l -D --use-file=/etc/k.conf").ok());
    }

    #[test]
    fn signals_have_the_numbers_scripts_ask_for() {
        let number = |name: &str| match words(&format!("--signum={name}")) {
            Ok(Invocation::Print(Text::SignalNumber(number))) => Some(number),
            _ => None,
        };
        assert_eq!((number("DATA"), number("STATS"), number("RELOAD")), (Some(10), Some(12), Some(1)));
        assert_eq!((number("JSON"), number("STATS_CLEAR")), (Some(36), Some(63)));
        assert_eq!(number("TDATA"), None);
    }

    #[test]
    fn a_test_of_the_configuration_takes_an_optional_file() {
        let Ok(Invocation::Check(check)) = words("-t -f a.conf") else { panic!("not a check") };
        assert_eq!(check.keepalived, Some("a.conf".into()));
        let Ok(Invocation::Check(check)) = words("-t/tmp/log") else { panic!("not a check") };
        assert_eq!(check.keepalived, Some(DEFAULT.into()));
        assert!(words("--nonsense").unwrap_err().message.contains("--nonsense"));
    }
}
