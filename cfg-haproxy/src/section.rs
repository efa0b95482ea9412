//! The kinds of sections.

/// What a section describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SectionKind {
    /// Process-wide settings.
    Global,
    /// Presets for the proxies that follow or name it.
    Defaults,
    /// A proxy's client side.
    Frontend,
    /// A proxy's server side.
    Backend,
    /// Both sides in one.
    Listen,
    /// Table synchronisation.
    Peers,
    /// Name servers.
    Resolvers,
    /// Users and groups.
    Userlist,
    /// Mail servers for alerts.
    Mailers,
    /// A response cache.
    Cache,
    /// A set of error pages.
    HttpErrors,
    /// A ring of messages.
    Ring,
    /// A syslog relay.
    LogForward,
    /// What is logged at which step.
    LogProfile,
    /// A FastCGI application.
    FcgiApp,
    /// Where certificates come from.
    CrtStore,
    /// An ACME account.
    Acme,
    /// Debugging traces.
    Traces,
    /// A named health check.
    Healthcheck,
    /// A helper process (removed in HAProxy 3.4).
    Program,
    /// A set of rules that nothing ever used (removed in HAProxy 1.8).
    Ruleset,
}

impl SectionKind {
    /// Every kind.
    pub const ALL: &[Self] = &[
        Self::Global,
        Self::Defaults,
        Self::Frontend,
        Self::Backend,
        Self::Listen,
        Self::Peers,
        Self::Resolvers,
        Self::Userlist,
        Self::Mailers,
        Self::Cache,
        Self::HttpErrors,
        Self::Ring,
        Self::LogForward,
        Self::LogProfile,
        Self::FcgiApp,
        Self::CrtStore,
        Self::Acme,
        Self::Traces,
        Self::Healthcheck,
        Self::Program,
        Self::Ruleset,
    ];

    /// The keyword that starts such a section.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Defaults => "defaults",
            Self::Frontend => "frontend",
            Self::Backend => "backend",
            Self::Listen => "listen",
            Self::Peers => "peers",
            Self::Resolvers => "resolvers",
            Self::Userlist => "userlist",
            Self::Mailers => "mailers",
            Self::Cache => "cache",
            Self::HttpErrors => "http-errors",
            Self::Ring => "ring",
            Self::LogForward => "log-forward",
            Self::LogProfile => "log-profile",
            Self::FcgiApp => "fcgi-app",
            Self::CrtStore => "crt-store",
            Self::Acme => "acme",
            Self::Traces => "traces",
            Self::Healthcheck => "healthcheck",
            Self::Program => "program",
            Self::Ruleset => "ruleset",
        }
    }

    /// The kind started by `keyword`.
    pub fn of(keyword: &str) -> Option<Self> {
        // The first byte excludes nearly every line before any comparison.
        if !matches!(
            keyword.as_bytes().first(),
            Some(b'a'..=b'd' | b'f'..=b'h' | b'l' | b'm' | b'p' | b'r' | b't' | b'u')
        ) {
            return None;
        }
        Self::ALL.iter().copied().find(|kind| kind.keyword() == keyword)
    }

    /// Frontend, backend, listen or defaults.
    pub fn is_proxy(self) -> bool {
        matches!(self, Self::Defaults | Self::Frontend | Self::Backend | Self::Listen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_keyword() {
        for &kind in SectionKind::ALL {
            assert_eq!(SectionKind::of(kind.keyword()), Some(kind));
        }
        assert_eq!(SectionKind::of("bind"), None);
    }
}
