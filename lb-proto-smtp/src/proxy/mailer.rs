//! Notices to people: one sender, some recipients, one relay.

use super::{SendError, send_mail};
use crate::client::Manner;
use crate::mail::Mail;
use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Patience with a relay unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends mails in keepalived's form to one relay. Without a relay or recipients sending does nothing.
#[derive(Debug, Clone)]
pub struct Mailer {
    host: String,
    from: String,
    to: Vec<String>,
    relay: Option<(String, u16)>,
    patience: Duration,
}

impl Mailer {
    /// Mails of the machine called `host`. Goes nowhere before it knows a [relay](Self::relay).
    pub fn new(host: &str, from: &str, to: Vec<String>) -> Self {
        Self { host: host.to_owned(), from: from.to_owned(), to, relay: None, patience: PATIENCE }
    }

    /// Sends by this relay, and waits for it no longer than that at each step. A name is looked up for each mail.
    #[must_use]
    pub fn relay(mut self, relay: Option<(&str, u16)>, patience: Option<Duration>) -> Self {
        self.relay = relay.map(|(host, port)| (host.to_owned(), port));
        self.patience = patience.unwrap_or(PATIENCE);
        self
    }

    /// Sends one mail. One attempt, as keepalived has it.
    pub fn send(&self, subject: &str, body: &str) -> impl Future<Output = Result<(), SendError>> + 'static {
        let date = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mail = Mail::keepalived(&self.from, &self.to, subject, body, date);
        let mut manner = Manner::default();
        manner.name.clone_from(&self.host);
        manner.patience = self.patience;
        let relay = self.relay.clone().filter(|_| !self.to.is_empty());
        async move {
            let Some(relay) = relay else { return Ok(()) };
            send_mail((relay.0.as_str(), relay.1), &mail, manner).await.map(drop)
        }
    }
}
