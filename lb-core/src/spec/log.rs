//! Where log lines go and what they look like around the message.

use crate::addr::Endpoint;
use crate::log::{Origin, Steps, Template};
use crate::name::ProxyName;
use std::sync::Arc;

/// Syslog facility (RFC 5424 §6.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a number from 0 to 23")]
pub struct Facility(pub u8);

impl Facility {
    /// `local0`.
    pub const LOCAL0: Self = Self(16);
}

/// Syslog severity (RFC 5424 §6.2.1), most severe first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the eight severities of syslog")]
pub enum Severity {
    /// The system is unusable.
    Emerg,
    /// Action must be taken at once.
    Alert,
    /// Critical.
    Crit,
    /// An error.
    Err,
    /// A warning.
    Warning,
    /// Normal but significant.
    Notice,
    /// Informational: traffic.
    Info,
    /// Debugging.
    Debug,
}

impl Severity {
    /// The severity of a number in a priority value; what is beyond all is for debugging.
    pub fn of_number(number: u8) -> Self {
        match number {
            0 => Self::Emerg,
            1 => Self::Alert,
            2 => Self::Crit,
            3 => Self::Err,
            4 => Self::Warning,
            5 => Self::Notice,
            6 => Self::Info,
            _ => Self::Debug,
        }
    }

    /// The number in a priority value.
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// One destination of log lines.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogTarget {
    /// Where lines go.
    pub destination: LogDestination,
    /// Facility of each line.
    pub facility: Facility,
    /// Least severe level that is sent.
    pub max_level: Severity,
    /// More severe levels are lowered to this one.
    pub min_level: Severity,
    /// Longest line in bytes.
    pub length: usize,
    /// What surrounds the message.
    pub format: LogFormat,
    /// No format was asked for: what surrounds messages of others stays as they brought it.
    pub keeps_format: bool,
    /// Send only some lines of every so many.
    pub sample: Option<Arc<[SampleRange]>>,
    /// Period of `sample`.
    pub sample_size: u32,
    /// What its lines are like at which step.
    pub profile: Option<Arc<LogProfile>>,
}

impl LogTarget {
    /// Everything to `destination` with `facility`, at most 1024 bytes a line.
    pub fn new(destination: LogDestination, facility: Facility) -> Self {
        Self {
            destination,
            facility,
            max_level: Severity::Debug,
            min_level: Severity::Emerg,
            length: 1024,
            format: LogFormat::Local,
            keeps_format: false,
            sample: None,
            sample_size: 0,
            profile: None,
        }
    }
}

/// What lines are like at which step, whatever their proxy says of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogProfile {
    /// The tag, if not the proxy's.
    pub tag: Option<Arc<str>>,
    /// At single steps.
    pub steps: Vec<(Origin, ProfileStep)>,
    /// Of failures before there is a stream.
    pub error: Option<ProfileStep>,
    /// At all other steps.
    pub any: Option<ProfileStep>,
}

/// What the line of one step is like.
#[derive(Debug, Clone, Default)]
#[expect(clippy::exhaustive_structs, reason = "the words of the configuration")]
pub struct ProfileStep {
    /// There is none.
    pub drop: bool,
    /// In place of the proxy's format.
    pub format: Option<Arc<Template>>,
    /// In place of the proxy's structured data.
    pub structured: Option<Arc<Template>>,
}

impl LogProfile {
    /// What it says of a step.
    pub fn step(&self, step: Origin) -> Option<&ProfileStep> {
        let own = match step {
            Origin::SessionError | Origin::SessionKilled => self.error.as_ref(),
            _ => self.steps.iter().find(|(own, _)| *own == step).map(|(_, step)| step),
        };
        own.or(self.any.as_ref())
    }

    /// All its formats.
    pub fn templates(&self) -> impl Iterator<Item = &Arc<Template>> {
        let single = self.steps.iter().map(|(_, step)| step);
        single.chain(&self.error).chain(&self.any).flat_map(|step| step.format.iter().chain(&step.structured))
    }
}

impl PartialEq for ProfileStep {
    fn eq(&self, other: &Self) -> bool {
        let same = |one: &Option<Arc<Template>>, two: &Option<Arc<Template>>| {
            one.as_ref().map(|template| template.text()) == two.as_ref().map(|template| template.text())
        };
        self.drop == other.drop
            && same(&self.format, &other.format)
            && same(&self.structured, &other.structured)
    }
}

impl Eq for ProfileStep {}

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogDestination {
    /// A syslog server: UDP for inet addresses, datagrams for unix sockets.
    Syslog(Endpoint),
    /// An inherited descriptor; 1 is standard output, 2 standard error.
    Fd(i32),
    /// The ring of messages of this name.
    Ring(Arc<str>),
    /// One of the servers of this proxy, which is in log mode.
    Backend(ProxyName),
}

/// What surrounds the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the formats of the configuration")]
pub enum LogFormat {
    /// RFC 3164 without a host name.
    Local,
    /// RFC 3164.
    Rfc3164,
    /// RFC 5424.
    Rfc5424,
    /// Only the priority in front.
    Priority,
    /// Only the severity in front.
    Short,
    /// Severity and ISO date in front.
    Timed,
    /// ISO date in front.
    Iso,
    /// Nothing in front.
    Raw,
}

/// A range of line numbers within a sampling period, from 1, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a range")]
pub struct SampleRange {
    /// First.
    pub from: u32,
    /// Last.
    pub to: u32,
}

/// Facts that every line of a process shares.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Syslog {
    /// The tag; the program's name when unset.
    pub tag: Option<Arc<str>>,
    /// Host name in the header: unset sends none in RFC 3164 lines, an empty one stands for the name of the machine.
    pub hostname: Option<Arc<str>>,
}

/// The logging of one proxy.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ProxyLog {
    /// Own targets.
    pub targets: Vec<LogTarget>,
    /// Also those of the process (`log global`).
    pub global: bool,
    /// The tag, if not the process's.
    pub tag: Option<Arc<str>>,
    /// Leave out connections without data.
    pub dontlognull: bool,
    /// Leave out what went well.
    pub dontlog_normal: bool,
    /// Raise the level of errors to `err`.
    pub separate_errors: bool,
    /// Log as soon as possible instead of at the end.
    pub asap: bool,
    /// The steps at which lines are written; without any a line is written once all that it tells is known.
    pub steps: Option<Steps>,
    /// Headers or cookies are captured, which lines wait for.
    pub captures: bool,
    /// Format of traffic lines; `None` is the default one ("Connect from").
    pub format: Option<Arc<Template>>,
    /// Format of the structured data of RFC 5424 lines; `None` has none.
    pub structured_format: Option<Arc<Template>>,
    /// Format of lines about connections that failed before a session; `None` is the default.
    pub error_format: Option<Arc<Template>>,
}
