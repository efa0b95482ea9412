//! Rules on connections and on the first bytes of either direction.

use crate::rule::RuleSet;
use crate::rule::tcp::TcpAction;
use std::time::Duration;

/// `tcp-request` and `tcp-response` of one proxy; evaluated in every mode.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct TcpRules {
    /// On a new connection, before any handshake. Frontend.
    pub connection: RuleSet<TcpAction>,
    /// On an established session, after handshakes. Frontend.
    pub session: RuleSet<TcpAction>,
    /// On the first bytes of the request.
    pub request: RuleSet<TcpAction>,
    /// On the first bytes of the response. Backend.
    pub response: RuleSet<TcpAction>,
    /// How long `request` may wait for enough data.
    pub inspect_delay: Option<Duration>,
    /// How long `response` may wait for enough data.
    pub response_inspect_delay: Option<Duration>,
}
