//! Files on their way to a process that cannot open them.

use std::collections::BTreeMap;

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
}
