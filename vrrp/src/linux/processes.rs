//! Counts the processes that are tracked, by looking at `/proc` at short intervals.
//!
//! The kernel's process events would say it sooner, but it gives them in the initial namespaces alone. A look takes
//! about ten microseconds for each process of the machine and happens on a thread of its own, which exists only
//! while something is tracked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::event::Track;
use crate::spec::{Name, ProcessMatch, TrackProcess};

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(200);
/// The kernel keeps this much of a name.
const NAME_LIMIT: usize = 15;

/// The thread that looks, stopped by dropping this.
pub(super) struct Processes {
    _stop: Option<std_mpsc::Sender<()>>,
}

impl Processes {
    /// Begins to look for `tracked`; each count that differs from the last one told goes to `news`, the first one
    /// always.
    pub(super) fn start(
        tracked: Vec<TrackProcess>,
        news: mpsc::UnboundedSender<Track>,
    ) -> std::io::Result<Self> {
        if tracked.is_empty() {
            return Ok(Self { _stop: None });
        }
        let (stop, stopped) = std_mpsc::channel::<()>();
        std::thread::Builder::new().name("vrrp-processes".to_owned()).spawn(move || {
            let mut told = BTreeMap::new();
            // A message never comes: the sender is dropped, or the time passes.
            while tell(&tracked, &mut told, &news).is_some()
                && stopped.recv_timeout(INTERVAL) == Err(std_mpsc::RecvTimeoutError::Timeout)
            {}
        })?;
        Ok(Self { _stop: Some(stop) })
    }
}

/// Looks once. None when nobody listens any more.
fn tell(
    tracked: &[TrackProcess],
    told: &mut BTreeMap<Name, u32>,
    news: &mpsc::UnboundedSender<Track>,
) -> Option<()> {
    let counts = count(tracked, Path::new("/proc"));
    for (process, count) in tracked.iter().zip(counts) {
        if told.insert(process.name.clone(), count) != Some(count) {
            news.send(Track::Process(process.name.clone(), count)).ok()?;
        }
    }
    Some(())
}

/// How many processes match each of `tracked`.
fn count(tracked: &[TrackProcess], proc: &Path) -> Vec<u32> {
    let mut counts = vec![0; tracked.len()];
    let Ok(entries) = std::fs::read_dir(proc) else { return counts };
    for entry in entries.flatten() {
        let is_process = entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit);
        if !is_process {
            continue;
        }
        let Some(process) = Process::read(&entry.path()) else { continue };
        for (tracked, count) in tracked.iter().zip(&mut counts) {
            *count += u32::from(matches(tracked, &process));
        }
    }
    counts
}

/// A process that runs.
struct Process {
    comm: String,
    argv: Vec<String>,
}

impl Process {
    /// None if it ended meanwhile, or is a zombie.
    fn read(directory: &Path) -> Option<Self> {
        let read = |name: &str| std::fs::read(directory.join(name)).ok();
        let comm = String::from_utf8_lossy(&read("comm")?).trim_end().to_owned();
        let line = read("cmdline")?;
        // A zombie has an empty command line, and so has a kernel thread; neither serves anybody.
        let line = line.strip_suffix(&[0]).filter(|line| !line.is_empty())?;
        let argv =
            line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        Some(Self { comm, argv })
    }
}

fn matches(tracked: &TrackProcess, process: &Process) -> bool {
    let Some((program, wanted)) = tracked.argv.split_first() else { return false };
    let same_program = if tracked.full_command {
        process.argv.first() == Some(program)
    } else {
        let name = program.rsplit('/').next().unwrap_or(program);
        let end =
            name.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= NAME_LIMIT).last();
        process.comm == name[..end.unwrap_or(0)]
    };
    let given = process.argv.get(1..).unwrap_or(&[]);
    same_program
        && match tracked.matching {
            ProcessMatch::NameOnly => true,
            ProcessMatch::Exact => given == wanted,
            ProcessMatch::Initial => given.starts_with(wanted),
            ProcessMatch::Partial => match wanted.split_last() {
                None => true,
                Some((last, before)) => {
                    given.starts_with(before)
                        && given.get(before.len()).is_some_and(|word| word.starts_with(last.as_str()))
                }
            },
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(comm: &str, argv: &[&str]) -> Process {
        Process { comm: comm.to_owned(), argv: argv.iter().map(ToString::to_string).collect() }
    }

    fn tracked(argv: &[&str], matching: ProcessMatch) -> TrackProcess {
        let mut tracked = TrackProcess::new("t", argv.iter().map(ToString::to_string).collect());
        tracked.matching = matching;
        tracked
    }

    #[test]
    fn a_name_is_compared_as_far_as_the_kernel_keeps_it() {
        let running = process("a-rather-long-n", &["/usr/bin/a-rather-long-name"]);
        assert!(matches(&tracked(&["a-rather-long-name"], ProcessMatch::NameOnly), &running));
        assert!(matches(&tracked(&["/usr/bin/a-rather-long-name"], ProcessMatch::NameOnly), &running));
        assert!(!matches(&tracked(&["a-rather"], ProcessMatch::NameOnly), &running));
        assert!(!matches(&tracked(&[], ProcessMatch::NameOnly), &running));
    }

    #[test]
    fn arguments_are_compared_as_asked() {
        let running = process("haproxy", &["haproxy", "-f", "/etc/haproxy.cfg"]);
        let with = |args: &[&str], how| {
            let argv: Vec<&str> = std::iter::once("haproxy").chain(args.iter().copied()).collect();
            matches(&tracked(&argv, how), &running)
        };
        assert!(with(&["-f", "/etc/haproxy.cfg"], ProcessMatch::Exact));
        assert!(!with(&["-f"], ProcessMatch::Exact));
        assert!(with(&["-f"], ProcessMatch::Initial));
        assert!(!with(&["-f", "/etc/hap"], ProcessMatch::Initial));
        assert!(with(&["-f", "/etc/hap"], ProcessMatch::Partial));
        assert!(!with(&["-x"], ProcessMatch::Partial));
    }

    #[test]
    fn this_process_is_found() {
        let me = Process::read(Path::new("/proc/self")).unwrap();
        let wanted = tracked(&[&me.argv[0]], ProcessMatch::NameOnly);
        let mut by_line = wanted.clone();
        by_line.full_command = true;
        assert!(count(&[by_line], Path::new("/proc"))[0] >= 1);
        assert_eq!(count(&[wanted], Path::new("/no/such/place")), [0]);
    }
}
