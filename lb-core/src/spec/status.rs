//! Sets of HTTP statuses.

/// Statuses from 100 to 599.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct StatusCodes([u64; 8]);

impl StatusCodes {
    /// First status there is.
    pub const FIRST: u16 = 100;
    /// Last status there is.
    pub const LAST: u16 = 599;

    /// Every 4xx.
    fn client_errors() -> Self {
        let mut codes = Self::default();
        codes.set(400, 499, true);
        codes
    }

    /// Every 5xx but 501 and 505.
    fn server_failures() -> Self {
        let mut codes = Self::default();
        codes.set(500, 599, true);
        codes.set(501, 501, false);
        codes.set(505, 505, false);
        codes
    }

    /// Adds or removes a range, both ends included; what is beyond the statuses there are is ignored.
    pub fn set(&mut self, from: u16, to: u16, present: bool) {
        for code in from.max(Self::FIRST)..=to.min(Self::LAST) {
            let bit = usize::from(code - Self::FIRST);
            if present {
                self.0[bit / 64] |= 1 << (bit % 64);
            } else {
                self.0[bit / 64] &= !(1 << (bit % 64));
            }
        }
    }

    /// Whether a status is in it.
    pub fn has(&self, code: u16) -> bool {
        (Self::FIRST..=Self::LAST).contains(&code) && {
            let bit = usize::from(code - Self::FIRST);
            self.0[bit / 64] >> (bit % 64) & 1 == 1
        }
    }

    /// Takes one word of a configuration: ranges that replace the set, or are added to it behind `+` or taken from it
    /// behind `-`.
    ///
    /// # Errors
    /// What is wrong with the word.
    pub fn apply(&mut self, word: &str) -> Result<(), String> {
        let (present, list) = match word.as_bytes().first() {
            Some(b'-') => (false, &word[1..]),
            Some(b'+') => (true, &word[1..]),
            _ => {
                *self = Self::default();
                (true, word)
            }
        };
        for range in list.split(',') {
            let (from, to) = range.split_once('-').unwrap_or((range, range));
            let code = |text: &str| {
                let number = text.parse().ok().filter(|code| (Self::FIRST..=Self::LAST).contains(code));
                number.ok_or_else(|| format!("invalid status code '{text}', expected 100 to 599"))
            };
            let (from, to) = (code(from)?, code(to)?);
            if from > to {
                return Err(format!("invalid status range '{range}'"));
            }
            self.set(from, to, present);
        }
        Ok(())
    }
}

/// What the statuses of servers mean in stick tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct HttpCodes {
    /// Errors of clients (`http-err-codes`).
    pub errors: StatusCodes,
    /// Failures of servers (`http-fail-codes`).
    pub failures: StatusCodes,
}

impl Default for HttpCodes {
    fn default() -> Self {
        Self { errors: StatusCodes::client_errors(), failures: StatusCodes::server_failures() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_replace_add_and_remove() {
        let mut codes = StatusCodes::client_errors();
        for word in ["220", "+300-499", "-300-399"] {
            codes.apply(word).unwrap();
        }
        let has: Vec<u16> = (0..700).filter(|code| codes.has(*code)).collect();
        assert_eq!(has, std::iter::once(220).chain(400..=499).collect::<Vec<_>>());
        codes.apply("+555,599,556-566").unwrap();
        assert!(codes.has(555) && codes.has(560) && codes.has(599) && !codes.has(567));
        for bad in ["x", "+99", "600", "500-400", "1-", ""] {
            assert!(StatusCodes::default().apply(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn not_every_answer_above_500_is_a_failure() {
        let codes = StatusCodes::server_failures();
        assert!(codes.has(500) && codes.has(599) && !codes.has(501) && !codes.has(505) && !codes.has(499));
    }
}
