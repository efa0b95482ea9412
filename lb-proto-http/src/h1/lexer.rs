//! Characters, lines and comma-separated lists.

/// Characters of a token (RFC 9110 §5.6.2).
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        table[at] = byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        at += 1;
    }
    table
};

/// Whether `byte` may occur in a token.
pub(crate) const fn is_token(byte: u8) -> bool {
    TOKEN[byte as usize]
}

/// The bytes of tokens in lower case, 0 for all others.
const LOWER: [u8; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        if TOKEN[at] {
            table[at] = (at as u8).to_ascii_lowercase();
        }
        at += 1;
    }
    table
};

/// One in each byte of a word: what is done to a word made of such bytes is done to eight characters at once.
const ONES: u64 = u64::MAX / 255;
/// The highest bit of each byte, where the functions below leave their marks.
const MARKS: u64 = ONES << 7;

/// Marks the bytes of `word` from `first` to `last`, both ASCII.
const fn within(word: u64, first: u8, last: u8) -> u64 {
    let low = word & !MARKS;
    let reach_first = low + ONES * (0x80 - first as u64);
    let exceed_last = low + ONES * (0x7f - last as u64);
    reach_first & !exceed_last & !word & MARKS
}

/// Marks the bytes of `word` that are `byte`, which is ASCII.
const fn equal(word: u64, byte: u8) -> u64 {
    let other = word ^ (ONES * byte as u64);
    !((other & !MARKS) + (MARKS - ONES)) & !other & MARKS
}

/// Which byte of a word the first mark is on; 8 without a mark.
const fn first_mark(marks: u64) -> usize {
    (marks.trailing_zeros() / 8) as usize
}

/// Puts the token at the beginning of `text` into lower case; returns its length.
#[inline(always)]
pub(crate) fn lower_name(text: &mut [u8]) -> usize {
    /// What makes a capital letter a small one; small letters and `-` have it already.
    const SMALL: u64 = ONES * 0x20;
    let (words, _) = text.as_chunks_mut::<8>();
    let mut done = 0;
    for place in words {
        let word = u64::from_le_bytes(*place);
        // Nearly all names consist of letters and `-`.
        let usual = within(word | SMALL, b'a', b'z') | equal(word, b'-');
        let end = first_mark(usual ^ MARKS);
        if end == 8 {
            *place = (word | SMALL).to_le_bytes();
            done += 8;
            continue;
        }
        *place = (word | (SMALL & ((1 << (end * 8)) - 1))).to_le_bytes();
        done += end;
        if place[end] == b':' {
            return done;
        }
        break;
    }
    done + lower_rest(&mut text[done..])
}

/// What [`lower_name`] does, byte by byte.
fn lower_rest(text: &mut [u8]) -> usize {
    for (at, byte) in text.iter_mut().enumerate() {
        let lower = LOWER[usize::from(*byte)];
        if lower == 0 {
            return at;
        }
        *byte = lower;
    }
    text.len()
}

/// How many bytes of a line are looked at before it counts as long.
const SHORT: usize = 64;

/// Where the first line feed, carriage return or zero is. Lines are short: eight bytes at a time find the end of one
/// before a vector search has been set up.
#[inline(always)]
pub(crate) fn find_stop(text: &[u8]) -> Option<usize> {
    let is_stop = |byte: &u8| matches!(byte, b'\n' | b'\r' | 0);
    let (words, _) = text.as_chunks::<8>();
    for (at, word) in words.iter().take(SHORT / 8).enumerate() {
        let bytes = u64::from_le_bytes(*word);
        // Marks bytes up to the carriage return; a borrow may mark the one behind such a byte, too.
        let low = bytes.wrapping_sub(ONES * 14) & !bytes & MARKS;
        if low != 0 {
            // The first mark is no mistake; nearly always it is the end of the line, and else a tab.
            let first = first_mark(low);
            let found = if is_stop(&word[first]) { Some(first) } else { word.iter().position(is_stop) };
            if let Some(found) = found {
                return Some(at * 8 + found);
            }
        }
    }
    let from = text.len().min(SHORT.min(words.len() * 8));
    memchr::memchr3(b'\n', b'\r', 0, &text[from..]).map(|at| from + at)
}

/// Characters of targets that are accepted without further ado.
const TARGET: [bool; 256] = {
    let mut table = [false; 256];
    let mut at = 0x21;
    while at <= 0x7e {
        table[at] = at != b'#' as usize;
        at += 1;
    }
    table
};

/// Length of the token at the beginning of `text`.
pub(crate) fn token_len(text: &[u8]) -> usize {
    text.iter().position(|byte| !is_token(*byte)).unwrap_or(text.len())
}

/// Length of what is at the beginning of `text` and has only characters of targets.
pub(crate) fn target_len(text: &[u8]) -> usize {
    let (words, _) = text.as_chunks::<8>();
    let mut done = 0;
    for place in words {
        let word = u64::from_le_bytes(*place);
        let good = within(word, 0x21, 0x7e) & !equal(word, b'#');
        if good != MARKS {
            return done + first_mark(good ^ MARKS);
        }
        done += 8;
    }
    let rest = &text[done..];
    done + rest.iter().position(|byte| !TARGET[usize::from(*byte)]).unwrap_or(rest.len())
}

/// Whether `text` consists of letters, digits, `-`, `.` and `:`, as nearly all names of hosts do.
pub(crate) fn is_plain_authority(text: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':');
    let (words, _) = text.as_chunks::<8>();
    let all_plain = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        // Without the slash, what is from `-` to `:` is all that is wanted beside letters.
        let others = within(word, b'-', b':') & !equal(word, b'/');
        within(word | (ONES * 0x20), b'a', b'z') | others == MARKS
    };
    // The last eight overlap with those before them.
    let last = text.last_chunk().map_or_else(|| text.iter().all(plain), all_plain);
    last && words.iter().all(all_plain)
}

/// Whether `byte` is a space or a tab.
pub(crate) const fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// The range of `bytes[at..end]` without surrounding blanks.
pub(crate) fn trim_range(bytes: &[u8], mut at: usize, mut end: usize) -> (usize, usize) {
    while at < end && is_blank(bytes[at]) {
        at += 1;
    }
    while end > at && is_blank(bytes[end - 1]) {
        end -= 1;
    }
    (at, end)
}

/// `bytes` without surrounding blanks.
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    let (at, end) = trim_range(bytes, 0, bytes.len());
    &bytes[at..end]
}

/// The elements of a comma-separated value as ranges, without blanks around them. A comma inside a quoted string does
/// not separate. Blank stretches between commas are skipped only at the beginning of an element, so an empty element
/// in the middle (`a,,b`) yields an empty range.
pub(crate) struct Elements<'a> {
    value: &'a [u8],
    at: usize,
}

impl<'a> Elements<'a> {
    pub(crate) const fn new(value: &'a [u8]) -> Self {
        Self { value, at: 0 }
    }

    /// Whether the value ends where another element could follow: it is blank, or its last byte is a comma.
    pub(crate) const fn ends_open(&self) -> bool {
        self.at <= self.value.len()
    }
}

impl Iterator for Elements<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        while self.at < self.value.len() && is_blank(self.value[self.at]) {
            self.at += 1;
        }
        if self.at >= self.value.len() {
            return None;
        }
        let end = element_end(self.value, self.at);
        let range = trim_range(self.value, self.at, end);
        self.at = end + 1;
        Some(range)
    }
}

/// Where the element that begins at `at` ends: the next comma outside of quotes, or the end.
pub(crate) fn element_end(value: &[u8], mut at: usize) -> usize {
    let Some(stop) = memchr::memchr2(b',', b'"', &value[at..]) else { return value.len() };
    at += stop;
    let mut quoted = false;
    while at < value.len() {
        match value[at] {
            b'"' => quoted = !quoted,
            b'\\' if quoted => at += 1,
            b',' if !quoted => return at,
            _ => {}
        }
        at += 1;
    }
    value.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(value: &str) -> Vec<&str> {
        Elements::new(value.as_bytes()).map(|(at, end)| &value[at..end]).collect()
    }

    #[test]
    fn lists_split_at_commas_outside_of_quotes() {
        assert_eq!(elements("a, b ,c"), ["a", "b", "c"]);
        assert_eq!(elements("\"x,\\\",y\", z"), ["\"x,\\\",y\"", "z"]);
        assert_eq!(elements("  "), [""; 0]);
        assert_eq!(elements("a,,b"), ["a", "", "b"]);
        assert_eq!(elements("a,"), ["a"]);
        assert_eq!(elements("\"open, end"), ["\"open, end"]);
    }

    #[test]
    fn the_end_of_a_line_is_found_wherever_it_is() {
        for len in [0, 1, 7, 8, 9, 63, 64, 65, 72, 200] {
            assert_eq!(find_stop(&vec![b'\t'; len]), None);
            assert_eq!(find_stop(&vec![0xff; len]), None);
            for at in 0..len {
                for stop in [b'\n', b'\r', 0] {
                    let mut text: Vec<u8> = (0..len).map(|i| [b'a', 0x80, b'\t', 0x0b][i % 4]).collect();
                    text[at] = stop;
                    assert_eq!(find_stop(&text), Some(at), "{len} {stop}");
                }
            }
        }
    }

    #[test]
    fn a_name_ends_where_its_token_ends_and_is_put_into_lower_case() {
        let mut text = *b"X-Forwarded_For: A";
        assert_eq!(lower_name(&mut text), 15);
        assert_eq!(&text, b"x-forwarded_for: A");
        assert_eq!(lower_name(&mut *b": a".to_owned().as_mut_slice()), 0);
        assert_eq!(lower_name(&mut *b"Ab".to_owned().as_mut_slice()), 2);
    }

    #[test]
    fn eight_characters_at_once_are_read_as_one_by_one() {
        for byte in 0..=255 {
            for at in 0..20 {
                let mut text = *b"Content-Type-Of-This: a";
                text[at] = byte;
                let mut other = text;
                assert_eq!(lower_name(&mut text), lower_rest(&mut other), "{byte} at {at}");
                assert_eq!(text, other, "{byte} at {at}");
                let mut text = *b"/a/path/and?more=of~it";
                text[at] = byte;
                let good = |byte: &u8| TARGET[usize::from(*byte)];
                assert_eq!(target_len(&text), text.iter().take_while(|byte| good(byte)).count());
                let mut text = *b"www.EXAMPLE-1.com:8080";
                text[at] = byte;
                let plain = byte.is_ascii_alphanumeric() || b"-.:".contains(&byte);
                assert_eq!(is_plain_authority(&text), plain, "{byte} at {at}");
            }
        }
    }

    #[test]
    fn tokens_are_the_characters_of_the_standard() {
        let tokens: Vec<u8> = (0..=255).filter(|byte| is_token(*byte)).collect();
        assert_eq!(tokens.len(), 26 * 2 + 10 + 15);
        assert!(!is_token(b':') && !is_token(b' ') && !is_token(0x80) && is_token(b'~'));
    }
}
