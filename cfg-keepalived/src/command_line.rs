//! Keepalived's command line (keepalived(8)).
//!
//! [`parse`] understands every option of the original. What an option asks for is in [`Line`] and [`Options`]; options that
//! mean nothing here are listed with the reason, to be told.

/// What a command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a new request is a new duty of the program")]
pub enum Request {
    /// Run in the background, or in the foreground (`-n`).
    Run,
    /// Test the configuration (`-t`), and write what is to be said to this file if one is named.
    Test(Option<String>),
    /// Tell the number of the signal that has this name (`--signum`).
    Signal(String),
    /// Tell the version (`-v`).
    Version,
    /// List the options (`-h`).
    Help,
}

/// Which half of the daemon runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are two")]
pub enum Only {
    /// The virtual routers (`-P`).
    Vrrp,
    /// The virtual servers (`-C`).
    Checkers,
}

/// Options that concern how the virtual routers and servers run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Options {
    /// What `@ID` conditions are compared with, instead of the node's name (`-i`).
    pub config_id: Option<String>,
    /// Leave the other half out.
    pub only: Option<Only>,
    /// The syslog facility, by its number of RFC 5424 §6.2.1 (`-S`).
    pub facility: Option<u8>,
    /// Send nothing to syslog (`-G`).
    pub no_syslog: bool,
    /// Where the number of the process of the virtual routers is written (`-r`).
    pub vrrp_pid_file: Option<String>,
    /// Leave addresses and routes in place at a stop (`-V`).
    pub keep_addresses: bool,
    /// End when a part ends, instead of starting it again (`-R`).
    pub no_respawn: bool,
    /// Log the whole state at the start (`-d`).
    pub dump: bool,
    /// Write the pid files that the original writes unless told otherwise.
    pub pid_files: bool,
}

/// The words of [`Options`]: with a value, and without.
const WITH_VALUE: &[&str] = &["--config-id", "--log-facility", "--vrrp-pid"];
const SWITCHES: &[&str] = &[
    "--vrrp-only",
    "--checkers-only",
    "--no-syslog",
    "--keep-addresses",
    "--no-respawn",
    "--dump-conf",
    "--original-pid-files",
];

impl Options {
    /// The options as words that [`take`](Self::take) understands, for a process that carries them out.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let facility = self.facility.map(|number| number.to_string());
        let values = [self.config_id.as_ref(), facility.as_ref(), self.vrrp_pid_file.as_ref()];
        let named = WITH_VALUE.iter().zip(values).filter_map(|(name, value)| Some([*name, value?.as_str()]));
        let on = [
            self.only == Some(Only::Vrrp),
            self.only == Some(Only::Checkers),
            self.no_syslog,
            self.keep_addresses,
            self.no_respawn,
            self.dump,
            self.pid_files,
        ];
        let switched = SWITCHES.iter().zip(on).filter(|(_, on)| *on).map(|(name, _)| *name);
        named.flatten().chain(switched).map(str::to_owned).collect()
    }

    /// Takes one of these words; `value` yields the word after it. False if it is none of them.
    ///
    /// # Errors
    ///
    /// A value that is missing, which `value` says, or that means nothing.
    pub fn take<'a, E: From<String>>(
        &mut self,
        word: &str,
        value: impl FnOnce() -> Result<&'a str, E>,
    ) -> Result<bool, E> {
        match word {
            "--config-id" => self.config_id = Some(value()?.to_owned()),
            "--log-facility" => self.facility = Some(facility(value()?).map_err(E::from)?),
            "--vrrp-pid" => self.vrrp_pid_file = Some(value()?.to_owned()),
            "--vrrp-only" => self.only = Some(Only::Vrrp),
            "--checkers-only" => self.only = Some(Only::Checkers),
            "--no-syslog" => self.no_syslog = true,
            "--keep-addresses" => self.keep_addresses = true,
            "--no-respawn" => self.no_respawn = true,
            "--dump-conf" => self.dump = true,
            "--original-pid-files" => self.pid_files = true,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Options {
    /// What the original's start ends with where its test of the same file ends with `status`.
    #[must_use]
    pub fn start_status(&self, status: u8) -> u8 {
        match status {
            4 if self.pid_files => 6,
            _ if self.pid_files => 2,
            status => status,
        }
    }
}

/// A number of RFC 5424, or what the original takes: a digit or a name.
fn facility(text: &str) -> Result<u8, String> {
    let local = |digit: &str| digit.parse::<u8>().ok().filter(|digit| *digit < 8).map(|digit| 16 + digit);
    let number = match text {
        "user" => Some(1),
        "daemon" => Some(3),
        _ if text.len() == 1 => local(text),
        _ => text.strip_prefix("local").map_or_else(|| text.parse().ok().filter(|n| *n < 24), local),
    };
    number.ok_or_else(|| format!("Invalid log facility '{text}'"))
}

/// A command line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// What to do.
    pub request: Request,
    /// The configuration (`-f`).
    pub file: String,
    /// Stay in the foreground (`-n`).
    pub foreground: bool,
    /// Log to standard error as well (`-l`).
    pub console: bool,
    /// Log details (`-D`).
    pub detail: bool,
    /// Where the number of the first process is written (`-p`).
    pub pid_file: Option<String>,
    /// The network namespace to run in (`-s`).
    pub namespace: Option<String>,
    /// Everything else that has an effect.
    pub options: Options,
    /// Options that have none, and why.
    pub without_effect: Vec<(String, &'static str)>,
}

/// The file read when none is named.
const DEFAULT: &str = "/etc/keepalived/keepalived.conf";

/// Options that mean nothing here: names, whether a value follows, and why.
const WITHOUT_EFFECT: &[(&[&str], bool, &str)] = &[
    (&["-c", "--checkers_pid"], true, "virtual servers have no process of this name"),
    (&["-b", "--bfd_pid"], true, "BFD has no process of its own"),
    (&["-B", "--no_bfd"], false, "BFD has no process of its own"),
    (&["--all"], false, "parts that have nothing to do are not started"),
    (&["-I", "--dont-release-ipvs"], false, "IPVS is not used"),
    (&["-a", "--address-monitoring"], false, "addresses that come and go are not logged"),
    (&["-m", "--core-dump"], false, "core dumps are left to the system's limits"),
    (&["-M", "--core-dump-pattern"], true, "core dumps are left to the system's limits"),
    (&["-x", "--snmp"], false, "nothing can be asked by SNMP; `enable_traps` sends notifications"),
    (&["-A", "--snmp-agent-socket"], true, "name the agent by `snmp_socket`"),
    (&["-u", "--umask"], true, "files are created with explicit modes"),
    (&["-e", "--all-config"], false, "a file that `include` does not find is a warning"),
    (&["-X", "--release-vips"], false, "addresses are released at every stop"),
    (&["-g", "--log-file"], false, "logs go to syslog and, with `-l`, to standard error"),
    (&["-k", "--flush-log-file"], false, "there is no log file"),
];

/// Reads a command line, without the name of the program.
///
/// # Errors
///
/// What is wrong with it.
pub fn parse(words: &[String]) -> Result<Line, String> {
    let mut line = Line {
        request: Request::Run,
        file: DEFAULT.to_owned(),
        foreground: false,
        console: false,
        detail: false,
        pid_file: None,
        namespace: None,
        options: Options { pid_files: true, ..Options::default() },
        without_effect: Vec::new(),
    };
    let split = separate(words);
    let mut words = split.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        if let "-t" | "--config-test" = word {
            let output = words.next_if(|next| !next.starts_with('-'));
            line.request = Request::Test(output.map(str::to_owned));
        } else if let "-g" | "--log-file" = word {
            words.next_if(|next| !next.starts_with('-'));
            line.note(word);
        } else if takes_value(word) {
            let value = words.next().ok_or_else(|| format!("option `{word}` needs a value"))?;
            line.value(word, value)?;
        } else if !line.switch(word) {
            return Err(format!("unknown option `{word}`; `--help` lists the options"));
        }
    }
    Ok(line)
}

impl Line {
    fn value(&mut self, word: &str, value: &str) -> Result<(), String> {
        let owned = || Some(value.to_owned());
        match word {
            "-f" | "--use-file" => value.clone_into(&mut self.file),
            "-p" | "--pid" => self.pid_file = owned(),
            "-r" | "--vrrp_pid" => self.options.vrrp_pid_file = owned(),
            "-s" | "--namespace" => self.namespace = owned(),
            "-i" | "--config-id" => self.options.config_id = owned(),
            "-S" | "--log-facility" => self.options.facility = Some(facility(value)?),
            "--signum" => self.request = Request::Signal(value.to_owned()),
            _ => self.note(word),
        }
        Ok(())
    }

    /// False if there is no such option.
    fn switch(&mut self, word: &str) -> bool {
        let options = &mut self.options;
        match word {
            "-v" | "--version" => self.request = Request::Version,
            "-h" | "--help" => self.request = Request::Help,
            "-n" | "--dont-fork" => self.foreground = true,
            "-l" | "--log-console" => self.console = true,
            "-D" | "--log-detail" => self.detail = true,
            "-P" | "--vrrp" => options.only = Some(Only::Vrrp),
            "-C" | "--check" => options.only = Some(Only::Checkers),
            "-G" | "--no-syslog" => options.no_syslog = true,
            "-V" | "--dont-release-vrrp" => options.keep_addresses = true,
            "-R" | "--dont-respawn" => options.no_respawn = true,
            "-d" | "--dump-conf" => options.dump = true,
            _ if without_effect(word).is_some() => self.note(word),
            _ => return false,
        }
        true
    }

    fn note(&mut self, word: &str) {
        self.without_effect.extend(without_effect(word).map(|(_, _, why)| (word.to_owned(), *why)));
    }
}

fn without_effect(word: &str) -> Option<&'static (&'static [&'static str], bool, &'static str)> {
    WITHOUT_EFFECT.iter().find(|(names, ..)| names.contains(&word))
}

fn takes_value(word: &str) -> bool {
    const VALUES: &[&str] = &[
        "-f",
        "--use-file",
        "-p",
        "--pid",
        "-r",
        "--vrrp_pid",
        "-s",
        "--namespace",
        "-i",
        "--config-id",
        "-S",
        "--log-facility",
        "--signum",
    ];
    VALUES.contains(&word) || without_effect(word).is_some_and(|(_, value, _)| *value)
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
        let takes = takes_value(&option) || matches!(letter, 't' | 'g');
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

    fn line(text: &str) -> Result<Line, String> {
        parse(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_lines_of_unit_files_are_understood() {
        let read =
            line("--dont-fork --log-detail -l -f /etc/k.conf -p /run/k.pid -r /run/v.pid -b x").unwrap();
        assert!(read.foreground && read.console && read.detail);
        assert_eq!((read.file.as_str(), read.pid_file.as_deref()), ("/etc/k.conf", Some("/run/k.pid")));
        assert_eq!(read.options.vrrp_pid_file.as_deref(), Some("/run/v.pid"));
        assert_eq!(read.without_effect, [("-b".to_owned(), "BFD has no process of its own")]);
        assert_eq!(line("-nlD -f/etc/k.conf"), line("-n -l -D --use-file=/etc/k.conf"));
    }

    #[test]
    fn what_an_option_asks_for_reaches_the_process_that_does_it() {
        let read = line("-P -G -V -R -d -S local3 -i node-a -r /run/v.pid").unwrap();
        let mut copy = Options::default();
        let words = read.options.words();
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            assert_eq!(copy.take(word, || words.next().ok_or_else(String::new)), Ok(true), "{word}");
        }
        assert_eq!(copy, read.options);
        assert_eq!((copy.facility, copy.only), (Some(19), Some(Only::Vrrp)));
        assert_eq!(copy.take("-f", || Err(String::new())), Ok(false));
        assert_eq!(Options::default().words(), [""; 0]);
    }

    #[test]
    fn facilities_have_digits_and_names() {
        let number = |text| facility(text).ok();
        assert_eq!(["0", "7", "local7", "user", "daemon"].map(number), [16, 23, 23, 1, 3].map(Some));
        assert_eq!(["8", "local8", "mail", ""].map(number), [None; 4]);
        assert!(line("-S mail").unwrap_err().contains("mail"));
    }

    #[test]
    fn a_test_of_the_configuration_takes_an_optional_file() {
        assert_eq!(
            line("-t -f a.conf").map(|l| (l.request, l.file)),
            Ok((Request::Test(None), "a.conf".into()))
        );
        for text in ["-t/tmp/log", "-t /tmp/log", "--config-test=/tmp/log"] {
            assert_eq!(line(text).map(|l| l.request), Ok(Request::Test(Some("/tmp/log".into()))), "{text}");
        }
    }

    #[test]
    fn what_is_no_option_is_an_error() {
        assert!(line("--nonsense").unwrap_err().contains("--nonsense"));
        assert!(line("-f").unwrap_err().contains("needs a value"));
    }
}
