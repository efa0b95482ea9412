//! What a check concluded: the status codes, their log words and their descriptions.
//!
//! The words and descriptions are the ones operators grep for in logs, on the statistics page and in `show stat`; they
//! are part of the interface and must not be reworded.

use super::Part;
use std::fmt;

/// Longest description kept from a check; anything longer is cut.
pub const MAX_INFO: usize = 127;

/// What a finished check means for the server, before rise and fall are considered.
#[expect(clippy::exhaustive_enums, reason = "the monitor and its users must handle every outcome")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Nothing is known yet, or the result does not say anything about the server's health.
    Neutral,
    /// The check failed.
    Failed,
    /// The check succeeded.
    Passed,
    /// The server answers but asks for no new clients (`http-check disable-on-404`).
    Conditional,
}

/// Result code of a check, named after the layer that decided.
///
/// The order is the one `show stat` and comparisons such as "layer 5 to 7 data available" rely on.
#[expect(clippy::exhaustive_enums, reason = "a closed vocabulary shared with logs and statistics")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Status {
    /// No check was ever configured or run.
    #[default]
    Unknown,
    /// A check is configured, no result has arrived yet.
    Initializing,
    /// The check finished without saying anything about the health.
    Checked,
    /// Too many consecutive errors were seen on live traffic (`observe`).
    Observed,
    /// The socket could not be created or prepared.
    SocketError,
    /// The connection was established, and that was all that was asked.
    L4Ok,
    /// The connection was not established in time.
    L4Timeout,
    /// The connection was refused, unreachable or reset.
    L4Connection,
    /// The TLS handshake succeeded, and that was all that was asked.
    L6Ok,
    /// The TLS handshake did not finish in time.
    L6Timeout,
    /// The TLS handshake failed.
    L6Response,
    /// The answer did not arrive in time.
    L7Timeout,
    /// The answer was not valid.
    L7Response,
    /// The answer was the expected one.
    L7Ok,
    /// The answer was the one that takes the server out of load balancing only.
    L7OkConditional,
    /// The answer was valid but reports a failure.
    L7Status,
    /// The external program failed.
    ProcessError,
    /// The external program did not finish in time.
    ProcessTimeout,
    /// The external program succeeded.
    ProcessOk,
}

impl Status {
    /// Every status, in order.
    pub const ALL: [Self; 19] = [
        Self::Unknown,
        Self::Initializing,
        Self::Checked,
        Self::Observed,
        Self::SocketError,
        Self::L4Ok,
        Self::L4Timeout,
        Self::L4Connection,
        Self::L6Ok,
        Self::L6Timeout,
        Self::L6Response,
        Self::L7Timeout,
        Self::L7Response,
        Self::L7Ok,
        Self::L7OkConditional,
        Self::L7Status,
        Self::ProcessError,
        Self::ProcessTimeout,
        Self::ProcessOk,
    ];

    /// Short code as shown in `check_status` of the statistics (`L4OK`, `L7STS`, …).
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unknown => "UNK",
            Self::Initializing => "INI",
            Self::Checked => "CHECKED",
            Self::Observed => "HANA",
            Self::SocketError => "SOCKERR",
            Self::L4Ok => "L4OK",
            Self::L4Timeout => "L4TOUT",
            Self::L4Connection => "L4CON",
            Self::L6Ok => "L6OK",
            Self::L6Timeout => "L6TOUT",
            Self::L6Response => "L6RSP",
            Self::L7Timeout => "L7TOUT",
            Self::L7Response => "L7RSP",
            Self::L7Ok => "L7OK",
            Self::L7OkConditional => "L7OKC",
            Self::L7Status => "L7STS",
            Self::ProcessError => "PROCERR",
            Self::ProcessTimeout => "PROCTOUT",
            Self::ProcessOk => "PROCOK",
        }
    }

    /// Long form used after `reason:` in logs and in `check_desc` of the statistics.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::Initializing => "Initializing",
            Self::Checked => "No status change",
            Self::Observed => "Health analyze",
            Self::SocketError => "Socket error",
            Self::L4Ok => "Layer4 check passed",
            Self::L4Timeout => "Layer4 timeout",
            Self::L4Connection => "Layer4 connection problem",
            Self::L6Ok => "Layer6 check passed",
            Self::L6Timeout => "Layer6 timeout",
            Self::L6Response => "Layer6 invalid response",
            Self::L7Timeout => "Layer7 timeout",
            Self::L7Response => "Layer7 invalid response",
            Self::L7Ok => "Layer7 check passed",
            Self::L7OkConditional => "Layer7 check conditionally passed",
            Self::L7Status => "Layer7 wrong status",
            Self::ProcessError => "External check error",
            Self::ProcessTimeout => "External check timeout",
            Self::ProcessOk => "External check passed",
        }
    }

    /// What the status means for the server.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Unknown | Self::Initializing | Self::Checked => Outcome::Neutral,
            Self::L4Ok | Self::L6Ok | Self::L7Ok | Self::ProcessOk => Outcome::Passed,
            Self::L7OkConditional => Outcome::Conditional,
            Self::Observed
            | Self::SocketError
            | Self::L4Timeout
            | Self::L4Connection
            | Self::L6Timeout
            | Self::L6Response
            | Self::L7Timeout
            | Self::L7Response
            | Self::L7Status
            | Self::ProcessError
            | Self::ProcessTimeout => Outcome::Failed,
        }
    }

    /// Whether a numeric code from the protocol goes with the status, so that logs print `code:`.
    pub const fn has_code(self) -> bool {
        matches!(
            self,
            Self::L7Ok
                | Self::L7OkConditional
                | Self::L7Status
                | Self::ProcessError
                | Self::ProcessTimeout
                | Self::ProcessOk
        )
    }

    /// The status of a check that ran out of time while working on `layer`.
    pub const fn timeout_at(layer: super::Layer) -> Self {
        match layer {
            super::Layer::Connection => Self::L4Timeout,
            super::Layer::Security => Self::L6Timeout,
            super::Layer::Application => Self::L7Timeout,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The end of a [`Dialog`](super::Dialog).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// What was concluded.
    pub status: Status,
    /// Numeric code of the protocol (an HTTP status, the step of a script, an exit code), 0 when there is none.
    pub code: u32,
    /// Free text, shown as `info:` in logs and `last_chk` in the statistics; at most [`MAX_INFO`] bytes.
    pub info: String,
    /// The weight that a server found well is to have from now on.
    pub weight: Option<Weighing>,
    /// What is new of the checks this one is made of.
    pub parts: Vec<Part>,
}

/// A weight that a check gives a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Weighing {
    /// Share of the traffic, 0 to 256.
    pub weight: u32,
    /// What it counts in the quorum of its pool.
    pub share: u32,
}

impl Verdict {
    /// A verdict without code or text.
    pub const fn new(status: Status) -> Self {
        Self { status, code: 0, info: String::new(), weight: None, parts: Vec::new() }
    }

    /// Adds the weight the server is to have.
    #[must_use]
    pub const fn with_weight(mut self, weight: Weighing) -> Self {
        self.weight = Some(weight);
        self
    }

    /// Adds the protocol's numeric code.
    #[must_use]
    pub const fn with_code(mut self, code: u32) -> Self {
        self.code = code;
        self
    }

    /// Adds the free text, cut to [`MAX_INFO`] bytes at a character boundary.
    #[must_use]
    pub fn with_info(mut self, info: impl Into<String>) -> Self {
        let mut info = info.into();
        if info.len() > MAX_INFO {
            let end = (0..=MAX_INFO).rev().find(|&end| info.is_char_boundary(end)).unwrap_or(0);
            info.truncate(end);
        }
        self.info = info;
        self
    }

    /// What the verdict means for the server.
    pub const fn outcome(&self) -> Outcome {
        self.status.outcome()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_listed_in_their_order() {
        assert!(Status::ALL.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn a_long_info_is_cut_at_a_character() {
        let verdict = Verdict::new(Status::L7Response).with_info("é".repeat(80));
        assert_eq!(verdict.info.len(), 126);
        assert!(verdict.info.chars().all(|c| c == 'é'));
        let exact = Verdict::new(Status::L7Response).with_info("a".repeat(127));
        assert_eq!(exact.info.len(), 127);
    }

    #[test]
    fn codes_are_printed_only_from_layer_7_answers_on() {
        let with: Vec<_> = Status::ALL.into_iter().filter(|status| status.has_code()).collect();
        assert_eq!(
            with,
            Status::ALL.into_iter().filter(|status| *status >= Status::L7Ok).collect::<Vec<_>>()
        );
    }
}
