//! Accounts by name, and whose rights a program gets.

use crate::health::Account;
use std::io;

#[cfg(feature = "process")]
mod lookup {
    use crate::process;
    use std::io;

    pub(crate) fn user(name: &str) -> io::Result<Option<u32>> {
        process::user_id(name)
    }

    pub(crate) fn group(name: &str) -> io::Result<Option<u32>> {
        process::group_id(name)
    }

    pub(super) fn both(name: &str) -> io::Result<Option<(u32, u32)>> {
        process::user_and_group(name)
    }
}

#[cfg(not(feature = "process"))]
mod lookup {
    use std::io;

    pub(crate) fn user(_name: &str) -> io::Result<Option<u32>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) use user as group;

    pub(super) fn both(_name: &str) -> io::Result<Option<(u32, u32)>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

pub(super) use lookup::{group, user};

/// The numbers of user and group; none where the account is optional and does not exist.
///
/// # Errors
/// When an account is missing that must exist, or accounts cannot be read.
pub(super) fn find(account: &Account) -> io::Result<Option<(u32, u32)>> {
    let unknown = |name: &str| io::Error::new(io::ErrorKind::NotFound, format!("no account `{name}`"));
    let found = match account.user.parse::<u32>() {
        Ok(uid) => Some((uid, uid)),
        Err(_) => lookup::both(&account.user)?,
    };
    let Some((uid, own)) = found else {
        return if account.optional { Ok(None) } else { Err(unknown(&account.user)) };
    };
    let gid = match &account.group {
        None => own,
        Some(name) => match name.parse::<u32>() {
            Ok(gid) => gid,
            Err(_) => group(name)?.ok_or_else(|| unknown(name))?,
        },
    };
    Ok(Some((uid, gid)))
}

#[cfg(all(test, feature = "process"))]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_name_and_by_number() {
        assert_eq!(find(&Account::new("root")).unwrap(), Some((0, 0)));
        assert_eq!(find(&Account::new("12")).unwrap(), Some((12, 12)));
        let mut other = Account::new("0");
        other.group = Some("7".to_owned());
        assert_eq!(find(&other).unwrap(), Some((0, 7)));
    }

    #[test]
    fn a_missing_account_is_an_error_unless_it_is_optional() {
        let mut nobody = Account::new("no-such-account-here");
        assert_eq!(find(&nobody).unwrap_err().kind(), io::ErrorKind::NotFound);
        nobody.optional = true;
        assert_eq!(find(&nobody).unwrap(), None);
    }
}
