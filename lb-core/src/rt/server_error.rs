//! Why a server could not start or reload, and how it is told.

use super::ListenError;
use super::ring_file::RingFileError;
use crate::engine::BuildError;
use crate::spec::Origin;
use std::io;

/// Why a server could not start or reload. A running server goes on unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The specification cannot be compiled.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A listener cannot be opened.
    #[error("{cause}")]
    Listen {
        /// The listener.
        origin: Origin,
        /// The proxy it belongs to.
        proxy: String,
        /// What went wrong.
        cause: ListenError,
    },
    /// No driver knows a protocol.
    #[error("proxy `{proxy}`: this program has no driver for protocol `{kind}`")]
    Protocol {
        /// The proxy.
        proxy: String,
        /// The protocol.
        kind: &'static str,
        /// Where it was configured.
        origin: Origin,
    },
    /// TLS cannot be set up.
    #[cfg(feature = "tls")]
    #[error("proxy `{proxy}`: {cause}")]
    Tls {
        /// The proxy.
        proxy: String,
        /// What went wrong.
        cause: crate::tls::TlsError,
        /// The listener or server.
        origin: Origin,
    },
    /// The file behind a ring cannot be opened.
    #[error(transparent)]
    RingFile(#[from] RingFileError),
    /// The system refused something else.
    #[error("{0}")]
    System(#[from] io::Error),
}

impl ServerError {
    /// The object of the specification that is at fault, if there is one.
    pub fn origin(&self) -> Option<Origin> {
        match self {
            Self::Listen { origin, .. } | Self::Protocol { origin, .. } => Some(*origin),
            #[cfg(feature = "tls")]
            Self::Tls { origin, .. } => Some(*origin),
            Self::RingFile(error) => Some(error.origin),
            Self::Build(build) => build.problems.first().map(|p| p.origin),
            Self::System(_) => None,
        }
    }
    /// What to tell whoever wrote the configuration; `place` knows where an object of the specification was written.
    pub fn explain(&self, place: impl Fn(Origin) -> Option<String>) -> String {
        let said = |origin: Option<Origin>, text: &str| match origin.and_then(&place) {
            Some(place) => format!("config : [{place}] : {text}"),
            None => text.to_owned(),
        };
        match self {
            Self::Listen { origin, proxy, cause } => {
                let place = place(*origin).map_or_else(String::new, |place| format!("[{place}] "));
                format!("Binding {place}for proxy {proxy}: {cause}")
            }
            Self::Build(build) => {
                let texts = build.problems.iter().map(|problem| match place(problem.origin) {
                    Some(place) => format!("config : [{place}] : {}", problem.message),
                    None => format!("config : {}", problem.message),
                });
                texts.collect::<Vec<_>>().join("; ")
            }
            other => said(other.origin(), &other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Problem;

    #[test]
    fn what_went_wrong_is_told_with_the_place_it_comes_from() {
        let place = |origin: Origin| (origin.0 == 1).then(|| "a.cfg:7".to_owned());
        let told = |error: ServerError| error.explain(place);
        let protocol = |origin| ServerError::Protocol { proxy: "web".into(), kind: "gopher", origin };
        let without = "proxy `web`: this program has no driver for protocol `gopher`";
        assert_eq!(told(protocol(Origin(1))), format!("config : [a.cfg:7] : {without}"));
        assert_eq!(told(protocol(Origin(2))), without);
        let listen = |origin| ServerError::Listen {
            origin,
            proxy: "web".into(),
            cause: ListenError {
                step: "bind socket",
                endpoint: "[::]:80".into(),
                cause: io::ErrorKind::AddrInUse.into(),
            },
        };
        assert!(told(listen(Origin(1))).starts_with("Binding [a.cfg:7] for proxy web: "));
        assert!(told(listen(Origin(2))).starts_with("Binding for proxy web: "));
        assert_eq!(told(ServerError::System(io::Error::other("no threads"))), "no threads");
    }

    #[test]
    fn every_problem_of_a_build_is_told() {
        let problems = [(1, "first"), (2, "second")];
        let problems =
            problems.map(|(origin, text)| Problem { origin: Origin(origin), message: text.into() });
        let error = ServerError::Build(BuildError { problems: problems.into() });
        let text = error.explain(|origin| (origin.0 == 1).then(|| "a.cfg:7".to_owned()));
        assert_eq!(text, "config : [a.cfg:7] : first; config : second");
    }
}
