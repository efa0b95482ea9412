//! The pid file.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A pid file, removed when dropped by the process that wrote it.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    pid: u32,
}

impl PidFile {
    /// The process that a pid file names, if it may have written it: another one that lives and runs the same executable, or goes
    /// by the same name. A file may be left from a process that is dead, and its number given to somebody else.
    pub fn holder(path: impl AsRef<Path>) -> Option<u32> {
        let pid = Self::read(path)?;
        let (its, own) = (Identity::of(pid)?, Identity::of(std::process::id())?);
        (pid != std::process::id() && its.is_alike(&own)).then_some(pid)
    }

    /// The number that a pid file holds, whoever has it now.
    pub fn read(path: impl AsRef<Path>) -> Option<u32> {
        fs::read_to_string(path).ok()?.trim().parse().ok()
    }

    /// Writes this process's number to `path`, replacing what is there.
    ///
    /// # Errors
    /// What the system reports.
    pub fn write(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref().to_owned();
        let pid = std::process::id();
        // Readers poll for the file: they must never see it without its content.
        let temporary = path.with_extension(format!("{pid}.tmp"));
        let mut file = fs::File::create(&temporary)?;
        writeln!(file, "{pid}")?;
        drop(file);
        fs::rename(&temporary, &path).inspect_err(|_| drop(fs::remove_file(&temporary)))?;
        Ok(Self { path, pid })
    }
}

/// What a process runs.
#[derive(Debug)]
struct Identity {
    name: String,
    executable: Option<PathBuf>,
}

impl Identity {
    /// None for a process that is not there, or has ended and waits for its parent to notice.
    fn of(pid: u32) -> Option<Self> {
        let directory = Path::new("/proc").join(pid.to_string());
        let stat = fs::read_to_string(directory.join("stat")).ok()?;
        // The name stands in parentheses and may contain any; the state follows.
        let (head, rest) = stat.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        let ended = matches!(rest.trim_start().chars().next(), Some('Z' | 'X'));
        let executable = fs::read_link(directory.join("exe")).ok();
        (!ended).then_some(Self { name, executable })
    }

    fn is_alike(&self, other: &Self) -> bool {
        let same_file = self.executable.is_some() && self.executable == other.executable;
        same_file || self.name == other.name
    }
}

/// A file that exists as long as this value.
#[derive(Debug)]
pub struct Mark(PathBuf);

impl Mark {
    /// Makes the file, or empties the one that is there.
    ///
    /// # Errors
    /// What the system reports.
    pub fn new(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref().to_owned();
        fs::File::create(&path).map(|_| Self(path))
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let ours = fs::read_to_string(&self.path).is_ok_and(|text| text.trim() == self.pid.to_string());
        if ours && self.pid == std::process::id() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_file_holds_the_number_and_goes_with_its_writer() {
        let path = std::env::temp_dir().join(format!("lb-pidfile-test-{}", std::process::id()));
        let file = PidFile::write(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        assert_eq!(PidFile::read(&path), Some(std::process::id()));
        drop(file);
        assert!(!path.exists() && PidFile::read(&path).is_none());
    }

    #[test]
    fn a_file_that_somebody_else_took_over_stays() {
        let path = std::env::temp_dir().join(format!("lb-pidfile-test2-{}", std::process::id()));
        let file = PidFile::write(&path).unwrap();
        fs::write(&path, "1\n").unwrap();
        drop(file);
        assert!(path.exists());
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn whoever_runs_another_program_or_has_ended_did_not_write_the_file() {
        let path = std::env::temp_dir().join(format!("lb-pidfile-test4-{}", std::process::id()));
        let holder_of = |pid: u32| {
            fs::write(&path, format!("{pid}\n")).unwrap();
            PidFile::holder(&path)
        };
        let run = |program: &Path| Command::new(program).arg("1000").spawn().unwrap();
        let own = Identity::of(std::process::id()).unwrap();
        let mut stranger = run(Path::new("sleep"));
        assert_eq!(holder_of(stranger.id()), None, "another program");
        // A process goes by the name of the link it was started through. A copy could not be executed while a child that another
        // test is about to start has it open for writing, too.
        let directory = std::env::temp_dir().join(format!("lb-pidfile-test5-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let namesake = directory.join(&own.name);
        std::os::unix::fs::symlink("/bin/sleep", &namesake).unwrap();
        let mut other = run(&namesake);
        assert_eq!(holder_of(other.id()), Some(other.id()), "a program of the same name");
        for child in [&mut stranger, &mut other] {
            child.kill().unwrap();
        }
        while Identity::of(other.id()).is_some() {
            std::thread::yield_now();
        }
        assert_eq!(holder_of(other.id()), None, "it has ended, and nobody has noticed");
        for child in [&mut stranger, &mut other] {
            child.wait().unwrap();
        }
        assert_eq!(holder_of(std::process::id()), None, "that is this one");
        assert_eq!(holder_of(999_999_999), None);
        let elsewhere = |name: &str, executable| Identity { name: name.to_owned(), executable };
        assert!(elsewhere("another", own.executable.clone()).is_alike(&own), "started under another name");
        assert!(
            !elsewhere("another", None).is_alike(&elsewhere("one", None)),
            "whose executables cannot be read"
        );
        fs::remove_dir_all(directory).unwrap();
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_file_left_by_a_dead_process_is_no_obstacle_even_if_its_number_lives_again() {
        let path = std::env::temp_dir().join(format!("lb-pidfile-test3-{}", std::process::id()));
        // The first process lives on every machine; the other number is beyond what the kernel gives out.
        for left in ["1\n", "999999999\n", "not a number"] {
            fs::write(&path, left).unwrap();
            let file = PidFile::write(&path).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
            drop(file);
            assert!(!path.exists());
        }
    }
}
