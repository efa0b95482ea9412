//! Descriptor limits.

use super::sys;
use std::io;

/// The present soft limit of open descriptors.
///
/// # Errors
/// What the system reports.
pub fn descriptor_limit() -> io::Result<u64> {
    sys::descriptor_limit().map(|(soft, _)| soft)
}

/// Raises the soft limit to `wanted`, and the hard limit too where that is allowed; says what it is then.
///
/// # Errors
/// What the system reports when the present limits cannot even be read.
pub fn raise_descriptor_limit(wanted: u64) -> io::Result<u64> {
    let (soft, hard) = sys::descriptor_limit()?;
    if soft >= wanted {
        return Ok(soft);
    }
    if hard >= wanted || sys::set_descriptor_limit(wanted, wanted.max(hard)).is_err() {
        sys::set_descriptor_limit(wanted.min(hard), hard)?;
    }
    descriptor_limit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_high_enough_stays() {
        let before = descriptor_limit().unwrap();
        assert_eq!(raise_descriptor_limit(1).unwrap(), before);
    }
}
