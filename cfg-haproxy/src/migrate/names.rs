//! Another name for frontends that share theirs with a backend, which HAProxy 3.3 and later refuse.

use crate::config::Config;
use crate::section::SectionKind;
use crate::tree::{Role, Tree, Word};
use lb_core::diag::Span;
use std::collections::{HashMap, HashSet};

/// The places where such names stand, and what to write there.
pub(super) fn renamed(tree: &Tree, config: &Config<'_>) -> Vec<(Span, String)> {
    let fresh = fresh_names(config);
    if fresh.is_empty() {
        return Vec::new();
    }
    let mut out = Vec::new();
    for section in tree.sections().iter().filter(|s| s.kind().is_proxy()) {
        for line in tree.lines_of(section) {
            let words: Vec<Word<'_>> = tree.words(line).collect();
            match line.role() {
                Role::Header if section.kind() == SectionKind::Frontend => {
                    out.extend(words.get(1).and_then(|w| Some((w.span, fresh.get(w.text)?.name.clone()))));
                }
                Role::Keyword => references(tree, &words, &fresh, &mut out),
                _ => {}
            }
        }
    }
    out
}

struct Fresh {
    name: String,
    /// The frontend holds the stick table of that name.
    table: bool,
}

fn fresh_names<'t>(config: &Config<'t>) -> HashMap<&'t str, Fresh> {
    let mut taken: HashSet<String> = config.proxies.iter().map(|p| p.name.to_owned()).collect();
    let backends = config.proxies.iter().filter(|p| p.kind == SectionKind::Backend);
    let backends: HashMap<&str, bool> = backends.map(|p| (p.name, p.table.is_some())).collect();
    let mut out = HashMap::new();
    for proxy in config.proxies.iter().filter(|p| p.kind == SectionKind::Frontend) {
        let Some(has_table) = backends.get(proxy.name) else { continue };
        let mut name = format!("{}-front", proxy.name);
        while !taken.insert(name.clone()) {
            name.push('2');
        }
        out.insert(proxy.name, Fresh { name, table: proxy.table.is_some() && !has_table });
    }
    out
}

/// Fetches and converters that take the name of a table as their last argument.
const TABLES: &[&str] = &["sc_", "sc0_", "sc1_", "sc2_", "src_", "table_", "in_table"];

/// `fe_conn(name)` and its kin; also uses of the frontend's table.
fn references(tree: &Tree, words: &[Word<'_>], fresh: &HashMap<&str, Fresh>, out: &mut Vec<(Span, String)>) {
    for (i, word) in words.iter().enumerate() {
        if i > 0 && words[i - 1].text == "table" {
            out.extend(fresh.get(word.text).filter(|f| f.table).map(|f| (word.span, f.name.clone())));
        }
        let text = tree.sources().text(word.span);
        for (at, _) in text.match_indices(['(', ',']) {
            let rest = &text[at + 1..];
            let name = &rest[..rest.find([')', ',']).unwrap_or(0)];
            let Some(found) = fresh.get(name) else { continue };
            let open = if text.as_bytes()[at] == b'(' { Some(at) } else { text[..at].rfind('(') };
            let head = &text[..open.unwrap_or(0)];
            let function =
                head.rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next().unwrap_or("");
            let table = found.table && TABLES.iter().any(|prefix| function.starts_with(prefix));
            if table || function.starts_with("fe_") {
                let from = word.span.start as usize + at + 1;
                out.push((Span::new(word.span.file, from..from + name.len()), found.name.clone()));
            }
        }
    }
}
