//! Going to the background.

use super::sys;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

/// Which of the two processes this is after [`detach`].
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "there are two processes")]
pub enum Detached {
    /// The background process, which goes on.
    Background(Foreground),
    /// The process the user started: it exits with this status once the other one is ready or has failed.
    Foreground(i32),
}

/// The background process's way to release the process the user started.
#[derive(Debug)]
pub struct Foreground {
    pipe: UnixStream,
}

/// Splits off a background process in a session of its own. The first process waits here for the second one's word, so
/// that its exit status tells whether the start succeeded.
///
/// Must be called before any thread is started.
///
/// # Errors
/// When no process or pipe can be made.
pub fn detach() -> io::Result<Detached> {
    let (mut ours, theirs) = UnixStream::pair()?;
    if sys::fork()? {
        drop(ours);
        rustix::process::setsid()?;
        return Ok(Detached::Background(Foreground { pipe: theirs }));
    }
    drop(theirs);
    let mut status = [1];
    // Nothing arrives if the background process died before it was ready; that is a failed start.
    let _ = ours.read_exact(&mut status);
    Ok(Detached::Foreground(i32::from(status[0])))
}

impl Foreground {
    /// Ready: the foreground process exits with 0, and this one lets go of the terminal.
    ///
    /// # Errors
    /// If `/dev/null` cannot be opened.
    pub fn release(mut self) -> io::Result<()> {
        let null = File::options().read(true).write(true).open("/dev/null")?;
        rustix::stdio::dup2_stdin(&null)?;
        rustix::stdio::dup2_stdout(&null)?;
        rustix::stdio::dup2_stderr(&null)?;
        self.pipe.write_all(&[0])
    }
}
