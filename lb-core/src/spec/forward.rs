//! Proxies that pass on the log messages of others.

use super::ProtocolSpec;
use std::any::Any;

/// `log-forward`: messages come in, and go to the targets of the proxy's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LogForward {
    /// What becomes of the name of the machine.
    pub host: HostRule,
    /// Headers are not looked at.
    pub unread: bool,
    /// Messages in streams end at line feeds, whatever they begin with.
    pub lines: bool,
}

/// Which name of a machine messages carry on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "the words of the configuration")]
pub enum HostRule {
    /// Its own, else the address of the sender.
    #[default]
    Fill,
    /// The address of the sender.
    Replace,
    /// Its own.
    Keep,
    /// Its own, and the address of the sender behind it.
    Append,
}

impl LogForward {
    /// The protocol's name.
    pub const KIND: &'static str = "log-forward";
}

impl ProtocolSpec for LogForward {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn same_as(&self, other: &dyn ProtocolSpec) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }
}
