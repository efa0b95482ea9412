//! `default-path`: where relative file names start (configuration manual 3.1).

use crate::host::{FileKind, Files};
use crate::section::SectionKind;
use crate::tree::{Role, Tree};
use std::io;

/// The directory that `default-path` lines of `tree` name; the last one counts.
pub(crate) fn default_path(tree: &Tree) -> Option<String> {
    let mut base = None;
    for section in tree.sections().iter().filter(|s| s.kind() == SectionKind::Global) {
        for line in tree.lines_of(section).iter().filter(|l| l.role() == Role::Keyword) {
            let mut words = tree.words(line);
            if words.next().is_none_or(|w| w.text != "default-path") {
                continue;
            }
            let (mode, path) = (words.next().map_or("", |w| w.text), words.next().map_or("", |w| w.text));
            let file = tree.sources().file(line.span().file).map_or("", |f| f.name());
            let folder = file.rsplit_once('/').map_or(".", |(folder, _)| folder);
            base = match mode {
                "config" => Some(folder.to_owned()),
                "parent" => Some(format!("{folder}/..")),
                "origin" => Some(path.to_owned()),
                _ => None,
            };
        }
    }
    base
}

/// `path` below `base`, unless it is absolute.
pub(crate) fn below(base: Option<&str>, path: &str) -> String {
    match base {
        Some(base) if !path.starts_with('/') => format!("{base}/{path}"),
        _ => path.to_owned(),
    }
}

/// Files whose relative names start from a base.
pub(crate) struct Based<'a> {
    pub(crate) files: &'a dyn Files,
    pub(crate) base: Option<&'a str>,
}

impl Files for Based<'_> {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.files.read(&below(self.base, path))
    }

    fn kind(&self, path: &str) -> Option<FileKind> {
        self.files.kind(&below(self.base, path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Facts, NoEnv, Source, parse};

    #[test]
    fn the_last_default_path_says_where_names_start() {
        let text = "global\n default-path origin /a\n default-path config\n";
        let (tree, _) = parse(&[Source::new("/etc/lb/h.cfg", text)], &NoEnv, &Facts::default());
        let base = default_path(&tree);
        assert_eq!(base.as_deref(), Some("/etc/lb"));
        assert_eq!(below(base.as_deref(), "c.pem"), "/etc/lb/c.pem");
        assert_eq!(below(base.as_deref(), "/c.pem"), "/c.pem");
    }
}
