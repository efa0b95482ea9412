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
    /// The process that a pid file names, if there is another one of this number.
    pub fn holder(path: impl AsRef<Path>) -> Option<u32> {
        let pid = fs::read_to_string(path).ok()?.trim().parse().ok()?;
        (pid != std::process::id() && Path::new("/proc").join(u32::to_string(&pid)).exists()).then_some(pid)
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

    #[test]
    fn the_file_holds_the_number_and_goes_with_its_writer() {
        let path = std::env::temp_dir().join(format!("lb-pidfile-test-{}", std::process::id()));
        let file = PidFile::write(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        drop(file);
        assert!(!path.exists());
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
