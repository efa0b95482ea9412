//! What a check needs from the machine, asked of the caller: files, names, users.

use std::io;
use std::net::IpAddr;

/// Files the configuration names.
pub trait Files {
    /// The content of the file at `path`.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;

    /// What is at `path`.
    fn kind(&self, path: &str) -> Option<FileKind>;
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a directory or not")]
pub enum FileKind {
    /// A file, device or socket.
    File,
    /// A directory.
    Directory,
}

/// Names the configuration uses.
pub trait Names {
    /// An address of the host `name`.
    fn resolve(&self, name: &str) -> Option<IpAddr>;

    /// Whether the user exists.
    fn user(&self, name: &str) -> bool;

    /// Whether the group exists.
    fn group(&self, name: &str) -> bool;
}

/// The machine as the checks see it.
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "two trait objects side by side")]
pub struct Host<'a> {
    /// Files.
    pub files: &'a dyn Files,
    /// Names.
    pub names: &'a dyn Names,
}

impl std::fmt::Debug for Host<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Host")
    }
}

impl Host<'static> {
    /// A machine where every file exists and is empty, every name resolves and every user exists: for tools that look at
    /// a configuration away from the machine it is for.
    pub const ANY: Self = Self { files: &Any, names: &Any };
}

#[derive(Debug, Clone, Copy)]
struct Any;

impl Files for Any {
    fn read(&self, _path: &str) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn kind(&self, _path: &str) -> Option<FileKind> {
        Some(FileKind::File)
    }
}

impl Names for Any {
    fn resolve(&self, _name: &str) -> Option<IpAddr> {
        // TEST-NET-1 (RFC 5737): an address that can stand for any other.
        Some(IpAddr::from([192, 0, 2, 1]))
    }

    fn user(&self, _name: &str) -> bool {
        true
    }

    fn group(&self, _name: &str) -> bool {
        true
    }
}
