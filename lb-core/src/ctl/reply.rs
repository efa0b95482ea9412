//! What a command answers.

/// How serious a message is (`set severity-output`), numbered as in syslog.
#[expect(clippy::exhaustive_enums, reason = "the severities of syslog that answers use")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The command was refused.
    Error = 3,
    /// The command was carried out, with a remark.
    Warning = 4,
    /// Something changed that operators want to see in logs.
    Notice = 5,
    /// The command's answer is this message.
    Info = 6,
}

impl Severity {
    /// The word of `set severity-output string`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "err",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Info => "info",
        }
    }
}

/// The answer to one command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reply {
    /// The text, without the empty line that ends every answer.
    pub text: String,
    /// Severity of a message; `None` for a dump, which never shows one.
    pub severity: Option<Severity>,
}

impl Reply {
    /// The answer of a command that was carried out and has nothing to say.
    pub const fn empty() -> Self {
        Self { text: String::new(), severity: None }
    }

    /// A dump.
    pub const fn dump(text: String) -> Self {
        Self { text, severity: None }
    }

    /// A message of one or more lines.
    pub fn message(severity: Severity, text: impl Into<String>) -> Self {
        Self { text: text.into(), severity: Some(severity) }
    }

    /// A refusal.
    pub fn error(text: impl Into<String>) -> Self {
        Self::message(Severity::Error, text)
    }

    /// A message that is the answer.
    pub fn info(text: impl Into<String>) -> Self {
        Self::message(Severity::Info, text)
    }
}

/// Handlers return refusals as errors, so that `?` ends them.
impl From<Result<Self, Self>> for Reply {
    fn from(result: Result<Self, Self>) -> Self {
        result.unwrap_or_else(|refusal| refusal)
    }
}
