//! What the tests of migration share.

/// The lines of a specification, written out, that do not depend on where something stands in the file.
pub(crate) fn lines(written: &str) -> Vec<String> {
    let mut lines = written.lines();
    let mut out = Vec::new();
    while let Some(line) = lines.next() {
        if line.trim_end().ends_with("Origin(") {
            lines.next();
        }
        // Descriptions of anonymous ACLs name their line.
        if !line.contains("file 'a.cfg' line") {
            out.push(line.trim().to_owned());
        }
    }
    out
}
