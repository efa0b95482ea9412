//! The file behind a ring: written with every message, for whoever looks after this program is gone.
//!
//! What was there before the start is kept under the same name with `.bak` behind it.

use crate::log::Backing;
use crate::spec::Origin;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Arc;

/// Why there is no file behind a ring.
#[derive(Debug, thiserror::Error)]
#[error("cannot open backing-file '{path}' for ring '{ring}': {cause}")]
#[non_exhaustive]
pub struct RingFileError {
    /// The ring.
    pub ring: Arc<str>,
    /// The file.
    pub path: Arc<str>,
    /// What went wrong.
    pub cause: io::Error,
    /// Where it was configured.
    pub origin: Origin,
}

/// An open file with the newest messages.
#[derive(Debug)]
pub(super) struct RingFile {
    file: File,
    backing: Backing,
}

/// That there can be a file. What is there, and whoever writes to it, is left alone until it is taken up.
#[derive(Debug)]
pub(super) struct Promise {
    path: Arc<str>,
    size: usize,
    /// What was found or made, until it is taken up.
    file: Option<File>,
    /// There was none before.
    made: bool,
}

impl Promise {
    /// Makes sure that there can be a file of so many bytes.
    pub(super) fn new(path: &Arc<str>, size: usize) -> io::Result<Self> {
        let made = !fs::exists(&**path)?;
        let file = options().create(true).truncate(false).open(&**path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(Self { path: Arc::clone(path), size, file: Some(file), made })
    }

    /// The file, empty; messages that it had are kept beside it. The configuration is certain to be used by now, so what
    /// fails here is missing in the file alone.
    pub(super) fn take_up(mut self) -> Option<RingFile> {
        let found = self.file.take()?;
        let old = found.metadata().is_ok_and(|found| found.len() > 0);
        let file = old.then(|| renew(&self.path)).flatten().unwrap_or(found);
        let _ = file.set_len(0).and_then(|()| file.set_len(self.size as u64));
        Some(RingFile { file, backing: Backing::new(self.size) })
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if self.made && self.file.is_some() {
            let _ = fs::remove_file(&*self.path);
        }
    }
}

impl RingFile {
    /// Adds a message. One that cannot be written is missing in the file alone: the ring has it.
    pub(super) fn push(&mut self, message: &[u8]) {
        for piece in self.backing.push(message).iter().filter(|piece| !piece.bytes.is_empty()) {
            let _ = self.file.write_all_at(&piece.bytes, piece.at as u64);
        }
    }
}

fn options() -> fs::OpenOptions {
    let mut options = File::options();
    options.write(true).mode(0o600);
    options
}

/// A new file in the place of one that gets another name. `None` where the directory may not be written to: the old messages
/// are not wanted then.
fn renew(path: &str) -> Option<File> {
    let old = format!("{path}.bak");
    fs::rename(path, &old).ok()?;
    let new = options().create_new(true).open(path);
    if new.is_err() {
        let _ = fs::rename(&old, path);
    }
    new.ok()
}
