//! Proxies of one name: until 1.5 that was a warning, so old files may have them.

use crate::section::SectionKind;
use crate::tree::Tree;
use std::collections::{HashMap, HashSet};

/// Gives a name of its own to every proxy that cannot share the one it has; whether it is used is decided when the
/// section is read.
pub(super) fn find(tree: &mut Tree) {
    use SectionKind::{Backend, Frontend};
    let mut kinds: HashMap<&str, Vec<SectionKind>> = HashMap::new();
    let mut again = Vec::new();
    for section in tree.sections.iter().filter(|s| s.kind.is_proxy() && s.kind != SectionKind::Defaults) {
        let Some(line) = tree.lines.get(section.lines.start as usize) else { continue };
        let Some(name) = tree.words(line).nth(1) else { continue };
        let known = kinds.entry(name.text).or_default();
        let shares =
            |other: &SectionKind| matches!((section.kind, other), (Frontend, Backend) | (Backend, Frontend));
        if !known.iter().all(shares) {
            again.push((name.span, name.text.to_owned()));
        }
        known.push(section.kind);
    }
    if again.is_empty() {
        return;
    }
    let mut taken: HashSet<String> = kinds.keys().map(|name| (*name).to_owned()).collect();
    let mut next: HashMap<String, u32> = HashMap::new();
    for (span, name) in again {
        let number = next.entry(name.clone()).or_insert(2);
        let fresh = loop {
            let fresh = format!("{name}-{number}");
            *number += 1;
            if taken.insert(fresh.clone()) {
                break fresh;
            }
        };
        tree.second_names.insert((span.file, span.start), fresh);
    }
}
