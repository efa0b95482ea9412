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

impl RingFile {
    /// A new file of so many bytes.
    pub(super) fn create(path: &str, size: usize) -> io::Result<Self> {
        if fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() > 0) {
            // Where the directory may not be written to, the old messages are not wanted.
            let _ = fs::rename(path, format!("{path}.bak"));
        }
        let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.set_len(size as u64)?;
        Ok(Self { file, backing: Backing::new(size) })
    }

    /// Adds a message. One that cannot be written is missing in the file alone: the ring has it.
    pub(super) fn push(&mut self, message: &[u8]) {
        for piece in self.backing.push(message).iter().filter(|piece| !piece.bytes.is_empty()) {
            let _ = self.file.write_all_at(&piece.bytes, piece.at as u64);
        }
    }
}
