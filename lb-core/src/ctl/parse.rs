//! Lines into requests: commands separated by `;`, words by blanks, `\` before a character that loses its meaning, and
//! `<<` before a payload.
//!
//! Quotes and `#` have no meaning here, other than in configuration files: `#4` is how a proxy is named by its number.

/// One command with its payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// The words.
    pub words: Words,
    /// The lines that followed a `<<`, with their line ends.
    pub payload: Option<String>,
}

/// The words of a command. Reading beyond the last one gives empty words, as commands have optional ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(Vec<String>);

impl Words {
    /// A word, empty if there are fewer.
    pub fn at(&self, index: usize) -> &str {
        self.0.get(index).map_or("", String::as_str)
    }

    /// The words from `index` on.
    pub fn from(&self, index: usize) -> &[String] {
        self.0.get(index..).unwrap_or_default()
    }

    /// Number of words.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no words.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Into<String>> FromIterator<T> for Words {
    fn from_iter<I: IntoIterator<Item = T>>(words: I) -> Self {
        Self(words.into_iter().map(Into::into).collect())
    }
}

/// The commands of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The commands in order. An empty one is answered with an empty line.
    pub(super) commands: Vec<Words>,
    /// The word that ends the payload, if the line announces one; empty means an empty line ends it.
    pub(super) payload_end: Option<String>,
}

/// Splits a line, without its line end.
pub(super) fn line(text: &str) -> Line {
    let (text, payload_end) = split_payload(text);
    let mut commands = vec![Words::default()];
    let mut word = String::new();
    let mut in_word = false;
    let mut chars = text.chars();
    // A word is complete at a blank, at a separator and at the end.
    let finish = |commands: &mut Vec<Words>, word: &mut String, in_word: &mut bool| {
        if std::mem::take(in_word)
            && let Some(words) = commands.last_mut()
        {
            words.0.push(std::mem::take(word));
        }
    };
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                in_word = true;
                word.push(chars.next().unwrap_or('\\'));
            }
            ';' => {
                finish(&mut commands, &mut word, &mut in_word);
                commands.push(Words::default());
            }
            c if c.is_ascii_whitespace() => finish(&mut commands, &mut word, &mut in_word),
            c => {
                in_word = true;
                word.push(c);
            }
        }
    }
    finish(&mut commands, &mut word, &mut in_word);
    Line { commands, payload_end }
}

/// Cuts off a `<<` at the end of the line, with the optional word that ends the payload.
fn split_payload(text: &str) -> (&str, Option<String>) {
    let trimmed = text.trim_end_matches([' ', '\t', '\r']);
    let Some(at) = trimmed.rfind("<<") else {
        return (text, None);
    };
    let end = &trimmed[at + 2..];
    let starts_word = trimmed[..at].chars().next_back().is_none_or(|c| c.is_ascii_whitespace());
    if starts_word && !end.contains(|c: char| c.is_ascii_whitespace() || c == ';') {
        (&trimmed[..at], Some(end.to_owned()))
    } else {
        (text, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        line(text).commands.into_iter().map(|words| words.0).collect()
    }

    #[test]
    fn commands_are_split_at_semicolons_and_blanks() {
        assert_eq!(words("show info;  show\tstat ;"), [vec!["show", "info"], vec!["show", "stat"], vec![]]);
        assert_eq!(words("show info\r"), [["show", "info"]]);
        assert_eq!(words(""), [Vec::<String>::new()]);
        assert_eq!(words(";;").len(), 3);
    }

    #[test]
    fn a_backslash_takes_away_the_meaning() {
        assert_eq!(words(r"add acl f a\ b\;c\\ d\#"), [["add", "acl", "f", r"a b;c\", "d#"]]);
        assert_eq!(words(r"echo \"), [["echo", r"\"]]);
        assert_eq!(words(r"echo \ "), [["echo", " "]]);
    }

    #[test]
    fn quotes_and_hashes_mean_nothing() {
        assert_eq!(words("echo \"c d\" #4"), [["echo", "\"c", "d\"", "#4"]]);
    }

    #[test]
    fn a_payload_is_announced_at_the_end() {
        let payload = |text| {
            let line = line(text);
            (line.commands.len(), line.commands[0].len(), line.payload_end)
        };
        assert_eq!(payload("add map m <<"), (1, 3, Some(String::new())));
        assert_eq!(payload("add map m << "), (1, 3, Some(String::new())));
        assert_eq!(payload("add map m <<END"), (1, 3, Some("END".to_owned())));
        assert_eq!(payload("echo a << b"), (1, 4, None));
        assert_eq!(payload("echo a<<"), (1, 2, None));
        assert_eq!(payload("<<"), (1, 0, Some(String::new())));
    }

    #[test]
    fn words_beyond_the_last_are_empty() {
        let words: Words = ["a"].into_iter().collect();
        assert_eq!((words.at(0), words.at(9), words.from(1).len(), words.from(9).len()), ("a", "", 0, 0));
    }
}
