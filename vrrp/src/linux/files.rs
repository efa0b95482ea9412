//! Reads the numbers of tracked files when they change.

use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::io::unix::AsyncFd;

use super::sys;
use crate::event::Track;
use crate::spec::{Name, TrackFile};

/// More of a file than this is not read: a number is shorter.
const FILE_LIMIT: u64 = 128;

const FLAGS: CreateFlags = CreateFlags::NONBLOCK.union(CreateFlags::CLOEXEC);
/// What happens to a file in a directory when its content is replaced, in any of the usual ways.
const EVENTS: WatchFlags = WatchFlags::CLOSE_WRITE
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::ONLYDIR);

/// The tracked files, and the directories they are in.
pub(super) struct Files {
    watch: AsyncFd<OwnedFd>,
    files: Vec<(TrackFile, Option<Option<i32>>)>,
}

impl Files {
    /// No files yet.
    pub(super) fn new() -> io::Result<Self> {
        let watch = sys::watch(inotify::init(FLAGS)?)?;
        Ok(Self { watch, files: Vec::new() })
    }

    /// Watches the files of a specification, after giving them their initial content. Returns problems.
    pub(super) fn configure(&mut self, files: &[TrackFile]) -> Vec<String> {
        let mut problems = Vec::new();
        let known: BTreeSet<Name> = self.files.iter().map(|(file, _)| file.name.clone()).collect();
        for file in files.iter().filter(|file| !known.contains(&file.name)) {
            if let Err(error) = initialise(file) {
                problems
                    .push(format!("cannot write the initial value of the track file {}: {error}", file.path));
            }
        }
        self.files = files.iter().map(|file| (file.clone(), None)).collect();
        match inotify::init(FLAGS).map_err(io::Error::from).and_then(sys::watch) {
            Ok(watch) => self.watch = watch,
            Err(error) => problems.push(format!("cannot watch files: {error}")),
        }
        let directories: BTreeSet<&Path> = files.iter().map(|file| directory(&file.path)).collect();
        for directory in directories {
            if let Err(error) = inotify::add_watch(self.watch.get_ref(), directory, EVENTS) {
                problems.push(format!("cannot watch the directory {}: {error}", directory.display()));
            }
        }
        problems
    }

    /// Waits until something changed next to a tracked file. Cancel safe.
    pub(super) async fn changed(&self) -> io::Result<()> {
        loop {
            let mut guard = self.watch.readable().await?;
            if guard
                .try_io(|fd| rustix::io::read(fd.get_ref(), &mut [0; 4096]).map_err(io::Error::from))
                .is_ok_and(|read| read.is_ok())
            {
                return Ok(());
            }
        }
    }

    /// Reads all files and returns what is new.
    pub(super) fn news(&mut self) -> Vec<Track> {
        let mut news = Vec::new();
        for (file, last) in &mut self.files {
            let value = value(&file.path);
            if *last != Some(value) {
                *last = Some(value);
                news.push(Track::File(file.name.clone(), value));
            }
        }
        news
    }
}

fn directory(path: &str) -> &Path {
    match Path::new(path).parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn initialise(file: &TrackFile) -> io::Result<()> {
    let Some((value, overwrite)) = file.initial else { return Ok(()) };
    if !overwrite && Path::new(&file.path).exists() {
        return Ok(());
    }
    std::fs::write(&file.path, format!("{value}\n"))
}

fn value(path: &str) -> Option<i32> {
    beginning(path, FILE_LIMIT).and_then(|text| parse(&text))
}

/// So many bytes at the beginning of a file.
pub(super) fn beginning(path: &str, limit: u64) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    std::fs::File::open(path).ok()?.take(limit).read_to_end(&mut text).ok()?;
    Some(text)
}

/// The number at the beginning of a file. Numbers too large to be meant are capped.
fn parse(text: &[u8]) -> Option<i32> {
    let text = String::from_utf8_lossy(text);
    let text = text.trim_start();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    if end == 0 {
        return None;
    }
    let number = digits[..end].parse::<i64>().unwrap_or(i64::MAX);
    i32::try_from(sign * number.min(i64::from(i32::MAX))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_at_the_beginning_counts() {
        assert_eq!(parse(b"5\n"), Some(5));
        assert_eq!(parse(b"  -17 down\n"), Some(-17));
        assert_eq!(parse(b"+3"), Some(3));
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"up"), None);
        assert_eq!(parse(b"-"), None);
        assert_eq!(parse(b"99999999999999999999999"), Some(i32::MAX));
        assert_eq!(parse(&[0xff, 0xfe]), None);
    }

    #[test]
    fn a_bare_name_lies_in_the_current_directory() {
        assert_eq!(directory("state"), Path::new("."));
        assert_eq!(directory("/run/state"), Path::new("/run"));
    }
}
