//! Did you mean.

/// The candidate nearest to `word`, if it is near enough to be a slip.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = match word.chars().count() {
        0..=2 => return None,
        3..=5 => 1,
        6..=9 => 2,
        _ => 3,
    };
    // Words of a file may be long; nothing near can be much longer than the longest keyword.
    if word.len() > LONGEST {
        return None;
    }
    candidates
        .filter(|c| c.len() <= LONGEST && c.len().abs_diff(word.len()) <= limit)
        .map(|c| (distance(word, c), c))
        .filter(|(d, _)| *d <= limit)
        .min_by_key(|(d, _)| *d)
        .map(|(_, c)| c)
}

/// Bytes of the longest word that is compared.
const LONGEST: usize = 64;

/// Insertions, deletions, replacements and swaps of neighbours that make `a` into `b`; both have at most [`LONGEST`] bytes.
/// It counts bytes: keywords are ASCII, and a file with a hundred thousand unknown words is still to be read quickly.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let same = |i: usize, j: usize| a[i].eq_ignore_ascii_case(&b[j]);
    let mut rows = [[0; LONGEST + 1]; 3];
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        let (now, before, earlier) = (i % 3, (i + 2) % 3, (i + 1) % 3);
        rows[now][0] = i;
        for j in 1..=b.len() {
            let replace = rows[before][j - 1] + usize::from(!same(i - 1, j - 1));
            let mut best = replace.min(rows[before][j] + 1).min(rows[now][j - 1] + 1);
            if i > 1 && j > 1 && same(i - 1, j - 2) && same(i - 2, j - 1) {
                best = best.min(rows[earlier][j - 2] + 1);
            }
            rows[now][j] = best;
        }
    }
    rows[a.len() % 3][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let words = ["priority", "preempt", "state", "interface", "script_user"];
        let near = |w| nearest(w, words.into_iter());
        assert_eq!(near("prioritee"), Some("priority"));
        assert_eq!(near("stae"), Some("state"));
        assert_eq!(near("intreface"), Some("interface"));
        assert_eq!(near("VI_1"), None);
        assert_eq!(near("nat_mask"), None);
        assert_eq!(near("ab"), None);
        assert_eq!(near("INTERFACE"), Some("interface"));
        assert_eq!(near(&"x".repeat(1000)), None);
    }
}
