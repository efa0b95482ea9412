//! The statistics page as a resource: how it is configured and how its addresses are read and written.
//!
//! Behind the configured prefix an address carries options separated by `;` (`;csv`, `;up`, `;norefresh`, …) and, as a
//! query or as one more option, `scope=<text>`. Configuration manual of HAProxy 3.4: "stats uri" and its neighbours.

use super::admin::Outcome;
use super::snapshot::{ProxySnapshot, ServerSnapshot};
use std::fmt::Write;
use std::time::Duration;

/// Longest text accepted as scope.
const MAX_SCOPE: usize = 20;

/// How the page of a proxy is configured (`stats …`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageOptions {
    /// Prefix of its addresses.
    pub uri: String,
    /// How often browsers fetch it again.
    pub refresh: Option<Duration>,
    /// Do not show the version.
    pub hide_version: bool,
    /// Show the name of the node; `Some("")` shows that of the process.
    pub node: Option<String>,
    /// Show a description; `Some("")` shows that of the process.
    pub description: Option<String>,
    /// Show addresses, cookies and other particulars in tooltips.
    pub show_legends: bool,
    /// Show the columns of the protocol modules.
    pub show_modules: bool,
    /// Realm of the authentication.
    pub realm: String,
    /// Users and passwords; nobody is asked when empty.
    pub auth: Vec<(String, String)>,
    /// Names of the proxies to show, `.` for the one that shows the page; all when empty.
    pub scopes: Vec<String>,
}

impl Default for PageOptions {
    fn default() -> Self {
        Self {
            uri: "/haproxy?stats".to_owned(),
            refresh: None,
            hide_version: false,
            node: None,
            description: None,
            show_legends: false,
            show_modules: false,
            realm: "HAProxy Statistics".to_owned(),
            auth: Vec::new(),
            scopes: Vec::new(),
        }
    }
}

impl PageOptions {
    /// Seconds for the `Refresh` header of an answer, if it gets one.
    pub fn refresh_seconds(&self, request: &PageRequest) -> Option<u64> {
        self.refresh.filter(|_| !request.no_refresh).map(|refresh| refresh.as_secs())
    }

    /// Whether this path and query lie under the page's prefix.
    pub fn matches(&self, uri: &str) -> bool {
        uri.starts_with(&*self.uri)
    }
}

/// In which form the statistics are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// The page for people.
    #[default]
    Html,
    /// The CSV form.
    Csv,
    /// The typed form.
    Typed,
    /// The JSON form.
    Json,
    /// The schema of the JSON form.
    JsonSchema,
}

impl Format {
    /// The media type of the answer.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Html => "text/html",
            Self::Csv | Self::Typed => "text/plain",
            Self::Json | Self::JsonSchema => "application/json",
        }
    }
}

/// A request for the page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageRequest {
    /// The wanted form.
    pub format: Format,
    /// Do not show servers that are down.
    pub hide_down: bool,
    /// Do not show servers in maintenance.
    pub no_maint: bool,
    /// Do not fetch again by itself.
    pub no_refresh: bool,
    /// Show only proxies whose name contains this.
    pub scope: Option<String>,
    /// What became of the form posted before.
    pub outcome: Option<Outcome>,
}

impl PageRequest {
    /// Reads what follows the prefix of the page in a path and query. Unknown options are ignored.
    pub fn parse(rest: &str) -> Self {
        let mut request = Self::default();
        for option in rest.split([';', '?', '&']) {
            match option {
                "csv" => request.format = Format::Csv,
                "typed" => request.format = Format::Typed,
                "json" => request.format = Format::Json,
                "json-schema" => request.format = Format::JsonSchema,
                "up" => request.hide_down = true,
                "no-maint" => request.no_maint = true,
                "norefresh" => request.no_refresh = true,
                other => {
                    if let Some(code) = other.strip_prefix("st=") {
                        request.outcome = Outcome::from_code(code);
                    } else if let Some(scope) = other.strip_prefix("scope=") {
                        request.scope = scope_of(scope);
                    }
                }
            }
        }
        request
    }

    /// Address of the page with these options after `uri`; the outcome and the form are left out.
    pub fn address(&self, uri: &str) -> String {
        let mut out = uri.to_owned();
        self.push_options(&mut out);
        out
    }

    /// Address to go to after a form was posted.
    pub fn redirection(&self, uri: &str, outcome: Outcome) -> String {
        let mut out = format!("{uri};st={}", outcome.code());
        self.push_options(&mut out);
        out
    }

    /// Whether a server is shown, given its state.
    pub fn shows_server(&self, server: &ServerSnapshot) -> bool {
        !(self.hide_down && server.status.is_down() || self.no_maint && server.status.is_maintenance())
    }

    fn push_options(&self, out: &mut String) {
        if self.hide_down {
            out.push_str(";up");
        }
        if self.no_maint {
            out.push_str(";no-maint");
        }
        if self.no_refresh {
            out.push_str(";norefresh");
        }
        if let Some(scope) = &self.scope {
            let mark = if out.contains('?') { '&' } else { '?' };
            // Writing to a string cannot fail.
            let _ = write!(out, "{mark}scope={scope}");
        }
    }

    /// Whether the scope of the request lets this proxy through.
    pub fn shows(&self, proxy: &ProxySnapshot) -> bool {
        self.scope.as_ref().is_none_or(|scope| contains_ignoring_case(proxy.name.as_str(), scope))
    }
}

/// A scope is used only if it could be part of a proxy's name, so that it needs no encoding in addresses.
fn scope_of(text: &str) -> Option<String> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    (!text.is_empty() && text.len() <= MAX_SCOPE && text.bytes().all(valid)).then(|| text.to_owned())
}

fn contains_ignoring_case(name: &str, part: &str) -> bool {
    name.as_bytes().windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Capability, Mode};

    #[test]
    fn options_are_found_in_paths_and_queries() {
        let request = PageRequest::parse(";st=PART;up;norefresh?scope=be1");
        assert_eq!(request.outcome, Some(Outcome::Partial));
        assert!(request.hide_down && request.no_refresh);
        assert_eq!(request.scope.as_deref(), Some("be1"));
        let request = PageRequest::parse("?;csv;scope=b1");
        assert_eq!((request.format, request.scope.as_deref()), (Format::Csv, Some("b1")));
        assert_eq!(PageRequest::parse(";csv;").format, Format::Csv);
        assert_eq!(PageRequest::parse(";nonsense;st=X"), PageRequest::default());
    }

    #[test]
    fn a_scope_that_is_no_part_of_a_name_is_ignored() {
        for scope in ["", "a%20b", "\"><script>", "123456789012345678901"] {
            assert_eq!(PageRequest::parse(&format!("?scope={scope}")).scope, None, "{scope}");
        }
    }

    #[test]
    fn addresses_keep_the_options() {
        let request = PageRequest::parse(";up;norefresh?scope=b");
        assert_eq!(request.redirection("/stats", Outcome::Done), "/stats;st=DONE;up;norefresh?scope=b");
        assert_eq!(request.address("/haproxy?stats"), "/haproxy?stats;up;norefresh&scope=b");
        assert_eq!(PageRequest::parse(&request.address("")), request);
    }

    #[test]
    fn a_scope_matches_any_part_of_a_name() {
        let proxy = ProxySnapshot::new("MyBackend", 2, Capability::Backend, Mode::Http);
        assert!(PageRequest::parse("?scope=back").shows(&proxy));
        assert!(PageRequest::default().shows(&proxy));
        assert!(!PageRequest::parse("?scope=front").shows(&proxy));
    }
}
