//! HAProxy's command line (management guide, chapter 3).
//!
//! [`parse`] understands every option of the original. What an option asks for is in [`Line`] and [`Options`].

use lb_core::spec::ProcessSpec;
use std::path::PathBuf;

/// What a command line asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a new request is a new duty of the program")]
pub enum Request {
    /// Run.
    #[default]
    Run,
    /// Check the configuration (`-c`).
    Check {
        /// Say that it is valid (`-V`).
        verbose: bool,
    },
    /// Evaluate a condition (`-cc`).
    Condition(String),
    /// Tell the version (`-v`).
    Version {
        /// With build options (`-vv`).
        long: bool,
    },
}

/// Options that concern how a balancer runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Options {
    /// A process of its own keeps the listening sockets and starts the balancer (`-W`).
    pub supervised: bool,
    /// Processes to stop gracefully once ready (`-sf`).
    pub finish: Vec<u32>,
    /// Processes to stop at once once ready (`-st`).
    pub terminate: Vec<u32>,
    /// Control socket of a predecessor to take listening sockets from (`-x`).
    pub takeover: Option<PathBuf>,
    /// Name among peers (`-L`).
    pub localpeer: Option<String>,
    /// Connections at the same time, whatever the configuration says (`-n`).
    pub maxconn: Option<u32>,
    /// Warnings are errors (`-dW`).
    pub strict: bool,
}

impl Options {
    /// Those of the options that concern a process which only serves, as words that [`take`](Self::take) understands.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let maxconn = self.maxconn.map(|number| number.to_string());
        let values = [("--localpeer", self.localpeer.as_ref()), ("--maxconn", maxconn.as_ref())];
        let named = values.into_iter().filter_map(|(name, value)| Some([name, value?.as_str()]));
        named.flatten().chain(self.strict.then_some("--strict")).map(str::to_owned).collect()
    }

    /// Takes one of these words, or another that asks for such an option by a speaking name; `rest` yields what follows it.
    /// False if it is none of them.
    ///
    /// # Errors
    ///
    /// A value that is missing or means nothing.
    pub fn take(&mut self, word: &str, rest: &mut Words<'_>) -> Result<bool, String> {
        match word {
            "-W" | "--supervise" => self.supervised = true,
            "-L" | "--localpeer" => self.localpeer = Some(rest.value(word)?.to_owned()),
            "--maxconn" => self.maxconn = Some(rest.number(word)?),
            "--strict" => self.strict = true,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What the options say wins over the configuration.
    pub fn overrule(&self, process: &mut ProcessSpec) {
        // 0 leaves it to the configuration, as in HAProxy.
        process.maxconn = self.maxconn.filter(|number| *number > 0).or(process.maxconn);
        if let Some(peer) = &self.localpeer {
            process.localpeer = Some(peer.as_str().into());
        }
        process.master_worker |= self.supervised;
    }
}

/// A command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// What to do.
    pub request: Request,
    /// Files or directories (`-f`, and all behind `--`).
    pub files: Vec<PathBuf>,
    /// Go to the background (`-D`), or stay in the foreground (`-d`, `-db`), whatever the configuration says.
    pub daemon: Option<bool>,
    /// Tell the service manager about readiness (`-Ws`).
    pub notify: bool,
    /// Print nothing while starting (`-q`).
    pub quiet: bool,
    /// Where the process number is written (`-p`).
    pub pid_file: Option<PathBuf>,
    /// Directory to change to before reading files (`-C`).
    pub directory: Option<PathBuf>,
    /// Everything else that has an effect.
    pub options: Options,
    /// Options that have none, and why. Switches for debugging are not among them.
    pub without_effect: Vec<(String, &'static str)>,
}

/// Options that mean nothing here: name, whether a value follows, and why.
const WITHOUT_EFFECT: &[(&str, bool, &str)] = &[
    ("-S", true, "the supervisor has no control socket; `stats socket` opens that of the proxy"),
    ("-m", true, "memory is bounded by what the configuration allows, not by a size"),
    ("-N", true, "a proxy without `maxconn` is limited by the process alone"),
    (
        "-dr",
        false,
        "an address that cannot be resolved is an error unless `init-addr` of the server says otherwise",
    ),
    ("-4", false, "`resolve-prefer` of the server chooses the family"),
];

/// Debugging letters after `-d` that take no value of their own and change nothing here.
const IGNORED: &str = "AcCeFGIkLMpRSTtVvZ";

/// Reads a command line, without the name of the program.
///
/// # Errors
///
/// What is wrong with it.
pub fn parse(words: &[String]) -> Result<Line, String> {
    let mut seen = Seen::default();
    let mut words = Words::new(words);
    while let Some(word) = words.next() {
        match word {
            "-v" => return Ok(seen.asking(Request::Version { long: false })),
            "-vv" => return Ok(seen.asking(Request::Version { long: true })),
            "-cc" => return Ok(seen.asking(Request::Condition(words.value(word)?.to_owned()))),
            "--" => seen.line.files.extend(words.by_ref().map(PathBuf::from)),
            _ if word.starts_with('-') => seen.option(word, &mut words)?,
            _ => return Err(format!("`{word}` is not an option; files are given by `-f {word}`")),
        }
    }
    if seen.line.files.is_empty() {
        return Err("no configuration file given; name one by `-f FILE`".to_owned());
    }
    if seen.foreground {
        seen.line.daemon = Some(false);
    }
    let request = if seen.check { Request::Check { verbose: seen.verbose } } else { Request::Run };
    Ok(seen.asking(request))
}

/// The answer to `-v` of `program`, which stands for this version of HAProxy; with its features, by the names HAProxy's build gives
/// them, the one to `-vv`. HAProxy's test runner reads four lines of that.
pub fn version(version: &str, program: &str, features: Option<&[(&str, bool)]>) -> String {
    let first = format!("HAProxy version {version} compatible {program}\n");
    let Some(features) = features else { return first };
    let named = features.iter().map(|(name, on)| format!("{}{name}", if *on { '+' } else { '-' }));
    let features = named.collect::<Vec<_>>().join(" ");
    format!(
        "{first}Build options :\n  TARGET  = linux-glibc\n\nFeature list : {features}\n\n\
         Available services : prometheus-exporter\n"
    )
}

/// A line of which a part has been read.
#[derive(Default)]
struct Seen {
    line: Line,
    check: bool,
    verbose: bool,
    foreground: bool,
}

impl Seen {
    fn asking(self, request: Request) -> Line {
        Line { request, ..self.line }
    }

    fn option(&mut self, word: &str, words: &mut Words<'_>) -> Result<(), String> {
        let line = &mut self.line;
        let options = &mut line.options;
        match word {
            "-f" => line.files.push(words.value(word)?.into()),
            "-c" => self.check = true,
            "-V" => self.verbose = true,
            "-q" => line.quiet = true,
            "-D" => line.daemon = Some(true),
            "-d" | "-db" => self.foreground = true,
            "-Ws" => (options.supervised, line.notify) = (true, true),
            "-p" => line.pid_file = Some(words.value(word)?.into()),
            "-sf" => pids(word, &mut options.finish, words)?,
            "-st" => pids(word, &mut options.terminate, words)?,
            "-x" => options.takeover = Some(words.value(word)?.into()),
            "-C" => line.directory = Some(words.value(word)?.into()),
            "-n" => options.maxconn = Some(words.number(word)?),
            "-dW" => options.strict = true,
            // Dumps that HAProxy prints beside its work, with a list of subjects behind the letter.
            _ if debug_letter(word) => {}
            "-W" | "-L" => drop(options.take(word, words)?),
            _ if let Some((_, value, why)) = WITHOUT_EFFECT.iter().find(|(name, ..)| *name == word) => {
                if *value {
                    words.value(word)?;
                }
                line.without_effect.push((word.to_owned(), why));
            }
            _ => return Err(format!("unknown option `{word}`; `-h` lists the options")),
        }
        Ok(())
    }
}

fn debug_letter(word: &str) -> bool {
    let mut letters = word.strip_prefix("-d").unwrap_or_default().chars();
    letters.next().is_some_and(|letter| IGNORED.contains(letter) || letter == 'D' || letter == 'K')
}

fn pids(option: &str, list: &mut Vec<u32>, words: &mut Words<'_>) -> Result<(), String> {
    while words.peek().is_some_and(|w| !w.starts_with('-')) {
        list.push(words.number(option)?);
    }
    Ok(())
}

/// The words of a command line one after the other, with the errors for values that are missing or wrong.
#[derive(Debug, Clone)]
pub struct Words<'a> {
    rest: std::slice::Iter<'a, String>,
}

impl<'a> Words<'a> {
    /// All of `words`.
    pub fn new(words: &'a [String]) -> Self {
        Self { rest: words.iter() }
    }

    /// The value of `option`: the next word.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn value(&mut self, option: &str) -> Result<&'a str, String> {
        self.next().ok_or_else(|| format!("option `{option}` needs a value"))
    }

    /// The value of `option` as a number.
    ///
    /// # Errors
    ///
    /// There is none, or it is no such number.
    pub fn number<T: std::str::FromStr>(&mut self, option: &str) -> Result<T, String> {
        let value = self.value(option)?;
        value.parse().map_err(|_| format!("option `{option}` needs a number, not `{value}`"))
    }

    /// The next word, which stays.
    pub fn peek(&self) -> Option<&'a str> {
        self.rest.as_slice().first().map(String::as_str)
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.rest.next().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<Line, String> {
        parse(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    fn request(text: &str) -> Result<Request, String> {
        line(text).map(|line| line.request)
    }

    #[test]
    fn the_lines_of_unit_files_are_understood() {
        let text = "-Ws -f /etc/haproxy/haproxy.cfg -p /run/haproxy.pid -S /run/haproxy-master.sock";
        let read = line(text).unwrap();
        assert!(read.options.supervised && read.notify);
        assert_eq!(read.files, [PathBuf::from("/etc/haproxy/haproxy.cfg")]);
        assert_eq!(read.pid_file, Some("/run/haproxy.pid".into()));
        let without_effect = read.without_effect.iter().map(|(option, _)| option.as_str());
        assert_eq!(without_effect.collect::<Vec<_>>(), ["-S"]);
        let read = line("-D -f a -p p -sf 12 13 -st 14 -x /s -L peer -n 5").unwrap();
        assert_eq!((read.daemon, read.request), (Some(true), Request::Run));
        let options = read.options;
        assert_eq!((options.finish, options.terminate), (vec![12, 13], vec![14]));
        assert_eq!((options.localpeer, options.maxconn), (Some("peer".into()), Some(5)));
        assert_eq!(options.takeover, Some("/s".into()));
    }

    #[test]
    fn debugging_switches_change_nothing_but_their_meaning() {
        let read = line("-d -D -dM -dI -dW -dMcold-first -m 512 -f cfg").unwrap();
        assert_eq!((read.daemon, read.options.strict), (Some(false), true));
    }

    #[test]
    fn check_may_stand_anywhere() {
        assert_eq!(request("-f file -c"), Ok(Request::Check { verbose: false }));
        assert_eq!(request("-c -dM -V -f file"), Ok(Request::Check { verbose: true }));
        assert_eq!(line("-f a -- b -c").map(|line| line.files.len()), Ok(3));
    }

    #[test]
    fn what_needs_no_file_is_answered_without_one() {
        assert_eq!(request("-cc streq(a,a)"), Ok(Request::Condition("streq(a,a)".into())));
        assert_eq!(request("-v"), Ok(Request::Version { long: false }));
        assert_eq!(request("-f a -vv"), Ok(Request::Version { long: true }));
    }

    #[test]
    fn the_version_is_told_as_tools_look_for_it() {
        assert_eq!(version("3.4.0", "lb 1", None), "HAProxy version 3.4.0 compatible lb 1\n");
        let long = version("3.4.0", "lb 1", Some(&[("EPOLL", true), ("LUA", false)]));
        assert!(long.starts_with("HAProxy version 3.4.0 compatible lb 1\nBuild options :\n"), "{long}");
        assert!(long.contains("\nFeature list : +EPOLL -LUA\n\nAvailable services : "), "{long}");
    }

    #[test]
    fn mistakes_are_named() {
        assert!(line("-f").unwrap_err().contains("`-f` needs a value"));
        assert!(line("-n x -f a").unwrap_err().contains("number, not `x`"));
        assert!(line("-st 1 x -f a").unwrap_err().contains("`-st` needs a number"));
        assert!(line("-f a -S").unwrap_err().contains("`-S` needs a value"));
        assert!(line("-y").unwrap_err().contains("`-y`"));
        assert!(line("a.cfg").unwrap_err().contains("`-f a.cfg`"));
        assert!(line("-c").unwrap_err().contains("-f FILE"));
        assert!(line("--strict -f a").is_err(), "a word of ours");
    }

    #[test]
    fn what_an_option_asks_for_reaches_the_process_that_serves() {
        let wanted = Options {
            localpeer: Some("a".into()),
            maxconn: Some(7),
            strict: true,
            supervised: true,
            finish: vec![1],
            ..Options::default()
        };
        let words = wanted.words();
        let (mut copy, mut words) = (Options::default(), Words::new(&words));
        while let Some(word) = words.next() {
            assert_eq!(copy.take(word, &mut words), Ok(true), "{word}");
        }
        assert_eq!(copy, Options { supervised: false, finish: Vec::new(), ..wanted });
        assert_eq!(copy.take("--nonsense", &mut words), Ok(false));
        assert!(copy.take("--maxconn", &mut words).unwrap_err().contains("needs a value"));
        assert_eq!(Options::default().words(), [""; 0]);
    }

    #[test]
    fn the_command_line_wins_over_the_configuration() {
        let mut process = ProcessSpec::default();
        (process.maxconn, process.localpeer) = (Some(10), Some("b".into()));
        let mut options = Options { localpeer: Some("a".into()), maxconn: Some(7), ..Options::default() };
        options.overrule(&mut process);
        assert_eq!((process.maxconn, process.localpeer.as_deref()), (Some(7), Some("a")));
        assert!(!process.master_worker);
        (options.supervised, options.maxconn) = (true, Some(0));
        options.overrule(&mut process);
        assert_eq!((process.maxconn, process.master_worker), (Some(7), true));
    }
}
