//! Files on their way to a process that cannot open them.
//!
//! Who reads them first does it through [`Files`], hands over what it has [seen](Files::seen), [packed](pack), and the other
//! one reads the same through [`Files::remembered`].

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Content of files and directories by path.
pub type Bundle = BTreeMap<String, Entry>;

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a file or a directory")]
pub enum Entry {
    /// A file and its content.
    File(Vec<u8>),
    /// A directory and the names in it.
    Directory(Vec<String>),
}

/// Paths with the lengths of files, or the names in directories.
pub type Listing = Vec<(String, Result<usize, Vec<String>>)>;

/// Takes a bundle apart: names and lengths, and all the bytes of its files.
pub fn pack(bundle: &Bundle) -> (Listing, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut list = Vec::new();
    for (path, entry) in bundle {
        list.push((
            path.clone(),
            match entry {
                Entry::File(content) => {
                    bytes.extend_from_slice(content);
                    Ok(content.len())
                }
                Entry::Directory(names) => Err(names.clone()),
            },
        ));
    }
    (list, bytes)
}

/// Puts them together again.
pub fn unpack(list: Listing, mut bytes: &[u8]) -> Bundle {
    let mut bundle = Bundle::new();
    for (path, what) in list {
        let entry = match what {
            Ok(length) => {
                let (content, rest) = bytes.split_at(length.min(bytes.len()));
                bytes = rest;
                Entry::File(content.to_vec())
            }
            Err(names) => Entry::Directory(names),
        };
        bundle.insert(path, entry);
    }
    bundle
}

/// The files of the machine, or those that another process remembers of it. Clones share what they have seen.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// Answers only from here if set.
    fixed: Option<Arc<Bundle>>,
    seen: Arc<Mutex<Bundle>>,
}

impl Files {
    /// What somebody else saw, and nothing but that.
    pub fn remembered(bundle: Bundle) -> Self {
        Self { fixed: Some(Arc::new(bundle)), seen: Arc::default() }
    }

    /// Everything that was read of the machine so far.
    pub fn seen(&self) -> Bundle {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The content of a file.
    ///
    /// # Errors
    /// What the system reports; a file that is not remembered is not found.
    pub fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        match self.look(path)? {
            Entry::File(bytes) => Ok(bytes),
            Entry::Directory(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    /// A file's text; old files may be Latin-1, where every byte is the character of its number.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn text(&self, path: &str) -> io::Result<String> {
        let bytes = self.read(path)?;
        Ok(String::from_utf8(bytes).unwrap_or_else(|e| e.as_bytes().iter().map(|b| char::from(*b)).collect()))
    }

    /// The names in a directory, in order.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn list(&self, path: &str) -> io::Result<Vec<String>> {
        match self.look(path)? {
            Entry::Directory(names) => Ok(names),
            Entry::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// Whether there is a directory, or something else, or nothing. Devices and sockets are not read just to learn that
    /// they exist.
    pub fn is_directory(&self, path: &str) -> Option<bool> {
        match &self.fixed {
            Some(fixed) => Some(matches!(fixed.get(path)?, Entry::Directory(_))),
            None if std::fs::metadata(path).ok()?.is_dir() => self.look(path).ok().map(|_| true),
            None => Some(false),
        }
    }

    /// The path itself, or the regular files that a directory stands for: those with this extension that are not hidden, in the
    /// order of their names.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn under(&self, path: &str, extension: &str) -> io::Result<Vec<String>> {
        let directory = match &self.fixed {
            Some(fixed) => matches!(fixed.get(path), Some(Entry::Directory(_))),
            None => Path::new(path).is_dir(),
        };
        if !directory {
            return Ok(vec![path.to_owned()]);
        }
        let inside = self.list(path)?.into_iter().filter(|name| !name.starts_with('.'));
        let inside = inside.map(|name| Path::new(path).join(name));
        let mut files: Vec<_> =
            inside.filter(|file| file.extension().is_some_and(|e| e == extension)).collect();
        files.retain(|file| match &self.fixed {
            Some(fixed) => matches!(fixed.get(&*file.to_string_lossy()), Some(Entry::File(_))),
            None => file.is_file(),
        });
        Ok(files.iter().map(|file| file.to_string_lossy().into_owned()).collect())
    }

    /// The paths that match a pattern with `*`, `?` and `[...]`, in order; none for what is no pattern.
    pub fn matching(&self, pattern: &str) -> Vec<String> {
        let Some(fixed) = &self.fixed else {
            let paths = glob::glob(pattern).into_iter().flatten().flatten();
            return paths.map(|path| path.to_string_lossy().into_owned()).collect();
        };
        let Ok(pattern) = glob::Pattern::new(pattern) else { return Vec::new() };
        fixed.keys().filter(|path| pattern.matches(path)).cloned().collect()
    }

    fn look(&self, path: &str) -> io::Result<Entry> {
        if let Some(fixed) = &self.fixed {
            return fixed.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into());
        }
        let entry = if Path::new(path).is_dir() {
            let names = std::fs::read_dir(path)?.map(|e| Ok(e?.file_name().to_string_lossy().into_owned()));
            let mut names = names.collect::<io::Result<Vec<_>>>()?;
            names.sort();
            Entry::Directory(names)
        } else {
            Entry::File(std::fs::read(path)?)
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(path.to_owned(), entry.clone());
        Ok(entry)
    }
}

#[cfg(feature = "tls")]
impl crate::tls::Files for Files {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.read(path)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.list(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_travel_unchanged() {
        let bundle = Bundle::from([
            ("/a".to_owned(), Entry::File(vec![0, 1, 255])),
            ("/d".to_owned(), Entry::Directory(vec!["x".to_owned()])),
            ("/e".to_owned(), Entry::File(Vec::new())),
        ]);
        let (list, bytes) = pack(&bundle);
        assert_eq!(unpack(list, &bytes), bundle);
    }

    #[test]
    fn what_was_seen_can_be_read_again_elsewhere_and_nothing_else() {
        let machine = Files::default();
        let here = env!("CARGO_MANIFEST_DIR");
        let (manifest, nothing) = (format!("{here}/Cargo.toml"), format!("{here}/nothing"));
        let text = machine.text(&manifest).unwrap();
        assert!(machine.list(here).unwrap().contains(&"Cargo.toml".to_owned()));
        assert!(machine.clone().read(&nothing).is_err());
        let there = Files::remembered(machine.seen());
        assert_eq!(there.text(&manifest).unwrap(), text);
        assert_eq!(there.list(here).unwrap(), machine.list(here).unwrap());
        assert_eq!(there.read(&format!("{here}/README.md")).unwrap_err().kind(), io::ErrorKind::NotFound);
        for files in [&machine, &there] {
            let kinds = [here, &manifest, &nothing].map(|path| files.is_directory(path));
            assert_eq!(kinds, [Some(true), Some(false), None]);
        }
        let pattern = format!("{here}/Cargo.t*");
        assert_eq!(
            (machine.matching(&pattern), there.matching(&pattern)),
            (vec![manifest.clone()], vec![manifest])
        );
        assert_eq!(there.matching("[").len() + machine.matching("[").len(), 0);
    }

    #[test]
    fn a_directory_stands_for_its_files_here_and_where_they_are_remembered() {
        let directory = std::env::temp_dir().join(format!("lb-bundle-{}", std::process::id()));
        std::fs::create_dir_all(directory.join("d.cfg")).unwrap();
        for name in ["b.cfg", "a.cfg", "a.txt", ".hidden.cfg"] {
            std::fs::write(directory.join(name), name).unwrap();
        }
        let path = |name: &str| directory.join(name).display().to_string();
        let (here, machine) = (directory.display().to_string(), Files::default());
        let found = machine.under(&here, "cfg").unwrap();
        assert_eq!(found, [path("a.cfg"), path("b.cfg")]);
        assert_eq!(machine.under(&path("a.txt"), "cfg").unwrap(), [path("a.txt")], "named itself");
        found.iter().for_each(|file| drop(machine.read(file).unwrap()));
        std::fs::remove_dir_all(&directory).unwrap();
        let there = Files::remembered(machine.seen());
        assert_eq!(there.under(&here, "cfg").unwrap(), found);
        assert_eq!(there.under("/nowhere", "cfg").unwrap(), ["/nowhere"]);
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_characters_of_latin_1() {
        let files = Files::remembered(Bundle::from([("/a".to_owned(), Entry::File(vec![b'a', 0xe4]))]));
        assert_eq!(files.text("/a").unwrap(), "aä");
        assert_eq!(files.list("/a").unwrap_err().kind(), io::ErrorKind::NotADirectory);
    }
}
