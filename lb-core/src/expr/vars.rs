//! Variables: `proc.`, `sess.`, `txn.`, `req.`, `res.` and `check.` scopes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::arena::Arena;
use super::sample::{OwnedSample, Sample};

/// Where a variable lives and when it disappears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the scopes are fixed by the language")]
pub enum Scope {
    /// The whole process.
    Process,
    /// One client connection.
    Session,
    /// One request and its response.
    Transaction,
    /// While the request is processed.
    Request,
    /// While the response is processed.
    Response,
    /// One health check run.
    Check,
}

impl Scope {
    /// The prefix in front of the first dot.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Process => "proc",
            Self::Session => "sess",
            Self::Transaction => "txn",
            Self::Request => "req",
            Self::Response => "res",
            Self::Check => "check",
        }
    }
}

/// A parsed variable name such as `txn.client`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VarName {
    scope: Scope,
    name: Arc<str>,
}

impl VarName {
    /// Parses `scope.name`; the message says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((prefix, name)) = text.split_once('.') else {
            return Err(format!(
                "invalid variable name '{text}'. A variable name must be start by its scope. \
                 The scope can be 'proc', 'sess', 'txn', 'req', 'res' or 'check'"
            ));
        };
        let scope = match prefix {
            "proc" => Scope::Process,
            "sess" => Scope::Session,
            "txn" => Scope::Transaction,
            "req" => Scope::Request,
            "res" => Scope::Response,
            "check" => Scope::Check,
            _ => {
                return Err(format!(
                    "invalid variable name '{text}'. A variable name must be start by its scope. \
                     The scope can be 'proc', 'sess', 'txn', 'req', 'res' or 'check'"
                ));
            }
        };
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'.';
        if name.is_empty() || !name.bytes().all(allowed) {
            return Err(format!("invalid syntax in variable name '{text}'"));
        }
        Ok(Self { scope, name: name.into() })
    }

    /// Its scope.
    pub const fn scope(&self) -> Scope {
        self.scope
    }

    /// Its name without the scope.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl std::fmt::Display for VarName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.scope.prefix(), self.name)
    }
}

/// The variables of one scope.
///
/// Few variables exist at a time, so a linear list beats a hash table. The lock is there because
/// streams of one connection share the session scope; it is never contended for long.
#[derive(Debug, Default)]
pub struct VarScope {
    entries: Mutex<Vec<(Arc<str>, OwnedSample)>>,
}

impl VarScope {
    /// An empty scope.
    pub fn new() -> Self {
        Self::default()
    }

    /// Removes every variable, keeping the memory for reuse.
    pub fn clear(&mut self) {
        self.entries.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Copies a variable into the arena.
    pub fn get<'a>(&self, name: &str, arena: &'a Arena) -> Option<Sample<'a>> {
        let entries = self.lock();
        let (_, value) = entries.iter().find(|(key, _)| **key == *name)?;
        Some(match value.as_sample() {
            Sample::Str(b) => Sample::Str(arena.copy(b)?),
            Sample::Bin(b) => Sample::Bin(arena.copy(b)?),
            Sample::Method(b) => Sample::Method(arena.copy(b)?),
            Sample::Bool(v) => Sample::Bool(v),
            Sample::Int(v) => Sample::Int(v),
            Sample::Ipv4(v) => Sample::Ipv4(v),
            Sample::Ipv6(v) => Sample::Ipv6(v),
        })
    }

    /// Runs `look` on a variable without copying it.
    pub fn with<R>(&self, name: &str, look: impl FnOnce(&Sample<'_>) -> R) -> Option<R> {
        let entries = self.lock();
        let (_, value) = entries.iter().find(|(key, _)| **key == *name)?;
        Some(look(&value.as_sample()))
    }

    /// Creates or overwrites a variable.
    pub fn set(&self, name: &Arc<str>, value: &Sample<'_>) {
        let mut entries = self.lock();
        match entries.iter_mut().find(|(key, _)| *key == *name) {
            Some((_, old)) => old.assign(value),
            None => entries.push((name.clone(), value.to_owned_sample())),
        }
    }

    /// Removes a variable; false if there was none.
    pub fn unset(&self, name: &str) -> bool {
        let mut entries = self.lock();
        match entries.iter().position(|(key, _)| **key == *name) {
            Some(at) => {
                entries.swap_remove(at);
                true
            }
            None => false,
        }
    }

    /// All variables, for `show` commands and dumps.
    pub fn list(&self) -> Vec<(Arc<str>, OwnedSample)> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Arc<str>, OwnedSample)>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The scopes within reach of an evaluation.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "one field per scope of the language")]
pub struct Vars<'a> {
    /// `proc.`
    pub process: Option<&'a VarScope>,
    /// `sess.`
    pub session: Option<&'a VarScope>,
    /// `txn.`
    pub transaction: Option<&'a VarScope>,
    /// `req.`
    pub request: Option<&'a VarScope>,
    /// `res.`
    pub response: Option<&'a VarScope>,
    /// `check.`
    pub check: Option<&'a VarScope>,
}

impl<'a> Vars<'a> {
    /// No variables at all.
    pub const NONE: Self =
        Self { process: None, session: None, transaction: None, request: None, response: None, check: None };

    /// The store of one scope, if it exists here.
    pub const fn scope(&self, scope: Scope) -> Option<&'a VarScope> {
        match scope {
            Scope::Process => self.process,
            Scope::Session => self.session,
            Scope::Transaction => self.transaction,
            Scope::Request => self.request,
            Scope::Response => self.response,
            Scope::Check => self.check,
        }
    }

    /// Reads a variable into the arena.
    pub fn get<'b>(&self, name: &VarName, arena: &'b Arena) -> Option<Sample<'b>> {
        self.scope(name.scope)?.get(&name.name, arena)
    }

    /// Writes a variable; false where its scope does not exist.
    pub fn set(&self, name: &VarName, value: &Sample<'_>) -> bool {
        match self.scope(name.scope) {
            Some(scope) => {
                scope.set(&name.name, value);
                true
            }
            None => false,
        }
    }

    /// Removes a variable.
    pub fn unset(&self, name: &VarName) -> bool {
        self.scope(name.scope).is_some_and(|scope| scope.unset(&name.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_need_a_scope_and_plain_characters() {
        assert_eq!(VarName::parse("txn.a.b_1").unwrap().to_string(), "txn.a.b_1");
        assert!(VarName::parse("a").is_err());
        assert!(VarName::parse("foo.a").is_err());
        assert!(VarName::parse("txn.").is_err());
        assert!(VarName::parse("txn.a-b").is_err());
    }

    #[test]
    fn values_are_copied_out_and_overwritten() {
        let (arena, txn) = (Arena::new(), VarScope::new());
        let vars = Vars { transaction: Some(&txn), ..Vars::NONE };
        let name = VarName::parse("txn.x").unwrap();
        assert_eq!(vars.get(&name, &arena), None);
        assert!(vars.set(&name, &Sample::Str(b"one")));
        let before = vars.get(&name, &arena);
        assert!(vars.set(&name, &Sample::Int(2)));
        assert_eq!(before, Some(Sample::Str(b"one")));
        assert_eq!(vars.get(&name, &arena), Some(Sample::Int(2)));
        assert!(vars.unset(&name));
        assert!(!vars.unset(&name));
        assert!(!vars.set(&VarName::parse("sess.x").unwrap(), &Sample::Int(1)));
    }
}
