//! Notification mails of the address part, as Keepalived sends them.

use crate::report;
use lb_proto_smtp::client::Manner;
use lb_proto_smtp::mail::Mail as Text;
use lb_proto_smtp::proxy::send_mail;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use vrrp::event::MailMessage;
use vrrp::spec::{Mail, Spec};

/// Patience with a relay unless the configuration says otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends mails in the background; their failure is logged and changes nothing.
pub(crate) struct Mailer {
    mail: Mail,
    relay: Option<SocketAddr>,
    host: String,
}

impl Mailer {
    /// As the configuration says: sender, recipients, relay.
    pub(crate) fn new(spec: &Spec) -> Self {
        let mail = spec.global.mail.clone();
        let relay =
            mail.server.as_ref().and_then(|s| (s.host.as_str(), s.port).to_socket_addrs().ok()?.next());
        let host = mail.helo.clone().unwrap_or_else(crate::world::hostname);
        Self { mail, relay, host }
    }

    /// Sends one mail. Must be called inside the part's local tasks.
    pub(crate) fn send(&self, message: &MailMessage) {
        let Some(relay) = self.relay.filter(|_| !self.mail.to.is_empty()) else { return };
        let from = self.mail.from.clone().unwrap_or_else(|| format!("keepalived@{}", self.host));
        let date = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mail = Text::keepalived(&from, &self.mail.to, &message.subject, &message.body, date);
        let mut manner = Manner::default();
        manner.name.clone_from(&self.host);
        manner.patience = self.mail.connect_timeout.unwrap_or(PATIENCE);
        tokio::task::spawn_local(async move {
            if let Err(e) = send_mail(relay, &mail, manner).await {
                report::alert(&format!("mail to {relay}: {e}"));
            }
        });
    }
}
