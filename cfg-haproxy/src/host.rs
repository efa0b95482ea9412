//! What a check needs from the machine, asked of the caller: files, names, users.

use std::cell::RefCell;
use std::collections::HashMap;
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

/// Names that are asked for once: a thousand servers may share one, and name servers that do not answer take seconds.
pub(crate) struct AskedOnce<'a> {
    names: &'a dyn Names,
    known: RefCell<HashMap<String, Option<IpAddr>>>,
}

impl<'a> AskedOnce<'a> {
    pub(crate) fn new(names: &'a dyn Names) -> Self {
        Self { names, known: RefCell::default() }
    }
}

impl Names for AskedOnce<'_> {
    fn resolve(&self, name: &str) -> Option<IpAddr> {
        if let Some(address) = self.known.borrow().get(name) {
            return *address;
        }
        let address = self.names.resolve(name);
        self.known.borrow_mut().insert(name.to_owned(), address);
        address
    }

    fn user(&self, name: &str) -> bool {
        self.names.user(name)
    }

    fn group(&self, name: &str) -> bool {
        self.names.group(name)
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    struct Counting(Cell<u32>);

    impl Names for Counting {
        fn resolve(&self, _name: &str) -> Option<IpAddr> {
            self.0.set(self.0.get() + 1);
            None
        }

        fn user(&self, _name: &str) -> bool {
            true
        }

        fn group(&self, _name: &str) -> bool {
            true
        }
    }

    #[test]
    fn a_name_that_many_servers_share_is_looked_up_once() {
        let servers: String = (0..9).map(|n| format!(" server s{n} app.example:80 check\n")).collect();
        let text = format!("listen a\n bind :80\n option external-check\n{servers}");
        let names = Counting(Cell::new(0));
        let host = Host { names: &names, ..Host::ANY };
        let registry = lb_core::expr::Registry::builtin();
        let sources = [crate::Source::new("a.cfg", &text)];
        crate::load(&sources, &crate::NoEnv, &crate::Facts::default(), host, &registry);
        assert_eq!(names.0.get(), 1);
    }
}
