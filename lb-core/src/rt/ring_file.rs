//! The file behind a ring: written with every message, for whoever looks after this program is gone.
//!
//! What was there before the start is kept under the same name with `.bak` behind it.

use super::sink::lock;
use crate::log::{Backing, Piece};
use crate::spec::Origin;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::{Arc, Mutex};

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

/// Which place in the file each message gets. It belongs to the state of the ring, so that both have the same order.
#[derive(Debug)]
pub(super) struct RingFile {
    backing: Backing,
    outlet: Arc<RingOutlet>,
}

/// An open file with the newest messages, and what is still to be written to it. Nobody who reads the ring waits for it.
#[derive(Debug)]
pub(super) struct RingOutlet {
    /// Held while something is written; taken before `pending`.
    file: Mutex<File>,
    /// In the order of the ring. There is no more of it than one message of each who adds some, for they write before they
    /// go on.
    pending: Mutex<Vec<Piece>>,
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
        let outlet = Arc::new(RingOutlet { file: Mutex::new(file), pending: Mutex::default() });
        Some(RingFile { backing: Backing::new(self.size), outlet })
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
    /// Adds a message, which is in the file once what is returned has been flushed.
    pub(super) fn push(&mut self, message: &[u8]) -> Arc<RingOutlet> {
        lock(&self.outlet.pending).extend(self.backing.push(message));
        Arc::clone(&self.outlet)
    }
}

impl RingOutlet {
    /// Writes what has been added so far, by whomever. A message that cannot be written is missing in the file alone: the
    /// ring has it.
    pub(super) fn flush(&self) {
        let file = lock(&self.file);
        let pending = std::mem::take(&mut *lock(&self.pending));
        for piece in pending.iter().filter(|piece| !piece.bytes.is_empty()) {
            let _ = file.write_all_at(&piece.bytes, piece.at as u64);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_added_while_the_file_is_written_and_keep_their_order() {
        let mut path = std::env::temp_dir();
        path.push(format!("ring-order-{}", std::process::id()));
        let name: Arc<str> = path.to_str().unwrap().into();
        let mut ring = Promise::new(&name, 64).unwrap().take_up().unwrap();
        let written = Arc::clone(&ring.outlet);
        let busy = lock(&written.file);
        let outlets = ["one", "two", "three"].map(|message| ring.push(message.as_bytes()));
        drop(busy);
        outlets[2].flush();
        let text = fs::read(&path).unwrap();
        assert!(text.starts_with(b"one\ntwo\nthree\n\0"), "{text:?}");
        assert!(lock(&ring.outlet.pending).is_empty());
        fs::remove_file(&path).unwrap();
    }
}
