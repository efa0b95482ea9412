//! "Did you mean": the known word nearest to a mistyped one.

/// The candidate nearest to `word`, if one is near enough to be worth saying.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = 1 + word.chars().count() / 4;
    // Of words equally near the shortest is taken, and of those the first in the alphabet: candidates come in any order.
    let mut best: Option<(usize, usize, &str)> = None;
    for candidate in candidates {
        // Lengths that differ by more than the limit cannot be near; this keeps the search cheap.
        if candidate.len().abs_diff(word.len()) > limit {
            continue;
        }
        let distance = distance(word, candidate);
        let this = (distance, candidate.len(), candidate);
        if distance <= limit && best.is_none_or(|known| this < known) {
            best = Some(this);
        }
    }
    best.map(|(_, _, candidate)| candidate)
}

/// Optimal string alignment distance: insertions, deletions, replacements and swaps of neighbours count one each.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let width = b.len() + 1;
    let mut before = vec![0; width];
    let mut last: Vec<usize> = (0..width).collect();
    let mut row = vec![0; width];
    for i in 1..=a.len() {
        row[0] = i;
        for j in 1..width {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        std::mem::swap(&mut before, &mut last);
        std::mem::swap(&mut last, &mut row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_wins_and_far_words_do_not() {
        let words = ["balance", "backlog", "bind", "timeout"];
        assert_eq!(nearest("blance", words), Some("balance"));
        assert_eq!(nearest("bnid", words), Some("bind"));
        assert_eq!(nearest("tiemout", words), Some("timeout"));
        assert_eq!(nearest("frobnicate", words), None);
        assert_eq!(nearest("pathh", ["pathq", "path"]), Some("path"));
        assert_eq!(nearest("aac", ["aab", "aaa"]), Some("aaa"));
    }
}
