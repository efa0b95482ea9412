//! Memory that is fetched before it is needed.

mod sys;

pub use sys::prefetch;

/// With so many servers what belongs to one of them is seldom in the processor's cache when its turn comes.
const MANY: usize = 512;

/// Fetches all of what is looked at next if it is one of `among`, and these are many: one line after the other as they are
/// needed takes as long for each of them.
#[inline]
pub(crate) fn expect<T>(value: &T, among: usize) {
    if among > MANY {
        prefetch(std::ptr::from_ref(value).addr(), size_of::<T>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_or_not_does_not_matter() {
        prefetch(0, 4096);
        prefetch(usize::MAX - 10, 64);
        let value = [7_u8; 300];
        expect(&value, MANY + 1);
        assert_eq!(value, [7; 300]);
    }
}
