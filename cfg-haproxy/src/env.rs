//! What the parser asks of its surroundings: the environment, and facts about the program that parses.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// The process environment as the configuration sees it.
pub trait Env {
    /// The value of the variable `name`, if it is set.
    fn var(&self, name: &str) -> Option<Cow<'_, str>>;
}

/// An environment without variables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a marker without content")]
pub struct NoEnv;

impl Env for NoEnv {
    fn var(&self, _name: &str) -> Option<Cow<'_, str>> {
        None
    }
}

impl Env for BTreeMap<String, String> {
    fn var(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get(name).map(|v| Cow::Borrowed(v.as_str()))
    }
}

/// What `setenv`, `presetenv`, `unsetenv` and `resetenv` did to the environment, applied over the one given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    set: BTreeMap<String, Option<String>>,
    /// After `resetenv`: only these names of the given environment remain visible.
    kept: Option<Vec<String>>,
}

impl Changes {
    /// The value of `name` after the changes.
    pub fn var<'a>(&'a self, base: &'a dyn Env, name: &str) -> Option<Cow<'a, str>> {
        if let Some(value) = self.set.get(name) {
            return value.as_deref().map(Cow::Borrowed);
        }
        match &self.kept {
            Some(kept) if !kept.iter().any(|k| k == name) => None,
            _ => base.var(name),
        }
    }

    /// Every variable set or unset, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.set.iter().map(|(k, v)| (k.as_str(), v.as_deref()))
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.set.insert(name.to_owned(), Some(value.to_owned()));
    }

    pub(crate) fn unset(&mut self, name: &str) {
        self.set.insert(name.to_owned(), None);
    }

    pub(crate) fn reset(&mut self, keep: &[&str]) {
        let kept = keep.iter().map(|k| (*k).to_owned()).collect::<Vec<_>>();
        self.set.retain(|name, _| kept.contains(name));
        self.kept = Some(kept);
    }
}

/// The version of HAProxy whose dialect and behaviour is followed.
pub const VERSION: &str = "3.4.0";

/// Facts about the program, asked by `.if` predicates and by `-cc`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// The version claimed to `version_atleast`, for example `3.4.0`.
    pub version: &'static str,
    /// The branch given to `HAPROXY_BRANCH`.
    pub branch: &'static str,
    /// Names for which `feature()` is true.
    pub features: &'static [&'static str],
    /// Names for which `enabled()` is true.
    pub enabled: &'static [&'static str],
    /// The name of the TLS library.
    pub ssl_library: &'static str,
    /// The version of OpenSSL it claims to stand for.
    pub openssl_version: &'static str,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            version: VERSION,
            branch: "3.4",
            features: &[
                "ACCEPT4",
                "CPU_AFFINITY",
                "CRYPT_H",
                "EPOLL",
                "GETADDRINFO",
                "LINUX_CAP",
                "LINUX_SPLICE",
                "LINUX_TPROXY",
                "NETFILTER",
                "OPENSSL",
                "PCRE2",
                "POLL",
                "PRCTL",
                "PROMEX",
                "RT",
                "SLZ",
                "SSL",
                "THREAD",
                "TPROXY",
            ],
            enabled: &["POLL", "EPOLL", "SPLICE", "GETADDRINFO", "REUSEPORT", "FAST-FORWARD"],
            ssl_library: "rustls",
            openssl_version: "1.1.1",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resetenv_hides_everything_but_the_kept_names() {
        let base = BTreeMap::from([("A".to_owned(), "1".to_owned()), ("B".to_owned(), "2".to_owned())]);
        let mut changes = Changes::default();
        changes.set("C", "3");
        changes.reset(&["A"]);
        assert_eq!(changes.var(&base, "A").as_deref(), Some("1"));
        assert_eq!(changes.var(&base, "B"), None);
        assert_eq!(changes.var(&base, "C"), None);
        changes.unset("A");
        assert_eq!(changes.var(&base, "A"), None);
    }
}
