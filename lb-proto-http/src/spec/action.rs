//! Actions of `http-request`, `http-response` and `http-after-response` rules.

use std::sync::Arc;
use std::time::Duration;

use lb_core::bandwidth::SetBandwidth;
use lb_core::expr::map::Reference;
use lb_core::expr::{Program, Regex, VarConditions, VarName};
use lb_core::log::{Origin, Template};
use lb_core::rule::counter::CounterAction;
use lb_core::rule::marks::SetMark;
use lb_core::rule::resolve::Resolve;
use lb_core::spec::{LogProfile, Severity};

use super::reply::{Redirect, Reply};
use crate::head::HeaderName;
use crate::normalize::Normalizer;

/// Which fields `del-header` removes.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "the matching methods of the configuration")]
pub enum NameMatch {
    /// This name.
    Exact(HeaderName),
    /// Names that begin so.
    Prefix(HeaderName),
    /// Names that end so.
    Suffix(HeaderName),
    /// Names that contain this.
    Contains(HeaderName),
    /// Names that match.
    Regex(Regex),
}

impl NameMatch {
    /// Whether a name, in lower case, matches.
    pub fn matches(&self, name: &[u8]) -> bool {
        match self {
            Self::Exact(own) => name == own.as_bytes(),
            Self::Prefix(own) => name.starts_with(own.as_bytes()),
            Self::Suffix(own) => name.ends_with(own.as_bytes()),
            Self::Contains(own) => memchr::memmem::find(name, own.as_bytes()).is_some(),
            Self::Regex(regex) => regex.is_match(name),
        }
    }
}

/// How a name of `del-headers-bin` is compared with those of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the matching methods of the configuration")]
pub enum NamePart {
    /// It is the name.
    Whole,
    /// The name begins so.
    Start,
    /// The name ends so.
    End,
    /// The name contains it.
    Any,
}

impl NamePart {
    /// Whether a name, in lower case, matches.
    pub fn matches(self, name: &[u8], part: &[u8]) -> bool {
        match self {
            Self::Whole => name == part,
            Self::Start => name.starts_with(part),
            Self::End => name.ends_with(part),
            Self::Any => memchr::memmem::find(name, part).is_some(),
        }
    }
}

/// Fields that an expression names, packed as `req.hdrs_bin` packs them.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct PackedFields {
    /// The expression.
    pub packed: Program,
    /// What happens to them.
    pub used: PackedUse,
}

/// What happens to packed fields.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "the three actions of the configuration")]
pub enum PackedUse {
    /// Those of the names go.
    Delete(NamePart),
    /// They are written.
    Write {
        /// Only names that begin so.
        prefix: Box<[u8]>,
        /// They replace others of their names.
        replace: bool,
    },
}

/// What a rule does.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Action {
    /// `set-header`: the only field of that name, at the end.
    SetHeader(HeaderName, Template),
    /// `add-header`: one more field, at the end.
    AddHeader(HeaderName, Template),
    /// `del-header`.
    DelHeader(NameMatch),
    /// `add-headers-bin`, `set-headers-bin`, `del-headers-bin`.
    PackedFields(PackedFields),
    /// `replace-header`: on whole values.
    ReplaceHeader(HeaderName, Regex, Template),
    /// `replace-value`: on each element of comma-separated values.
    ReplaceValue(HeaderName, Regex, Template),
    /// `set-method`.
    SetMethod(Template),
    /// `set-path`.
    SetPath(Template),
    /// `set-pathq`.
    SetPathQuery(Template),
    /// `set-query`.
    SetQuery(Template),
    /// `set-uri`.
    SetUri(Template),
    /// `replace-path`.
    ReplacePath(Regex, Template),
    /// `replace-pathq`.
    ReplacePathQuery(Regex, Template),
    /// `replace-uri`.
    ReplaceUri(Regex, Template),
    /// `normalize-uri`.
    NormalizeUri(Normalizer),
    /// `set-status`, with the standard's words unless given.
    SetStatus(u16, Option<Arc<[u8]>>),
    /// `redirect`.
    Redirect(Redirect),
    /// `deny`: final.
    Deny(Reply),
    /// `return`: final.
    Return(Reply),
    /// `tarpit`: final, after `timeout tarpit`.
    Tarpit(Reply),
    /// `auth`: asks for a password, in this realm.
    Auth(Option<Template>),
    /// `allow`: ends this ruleset.
    Allow,
    /// `reject`: closes the connection without an answer.
    Reject,
    /// `silent-drop`: forgets the connection without telling the client, or with a reset of this TTL.
    SilentDrop(Option<u8>),
    /// `set-var`.
    SetVar(VarName, Program, VarConditions),
    /// `set-var-fmt`.
    SetVarFmt(VarName, Template, VarConditions),
    /// `unset-var`.
    UnsetVar(VarName),
    /// `capture`: into the declared slot of this index, or of the response.
    Capture {
        /// What to capture.
        value: Program,
        /// Index of the slot.
        slot: usize,
        /// Among the response's slots.
        response: bool,
        /// Longest value.
        limit: usize,
    },
    /// `set-log-level`; `None` is `silent`.
    SetLogLevel(Option<Severity>),
    /// `set-src`.
    SetSrc(Program),
    /// `set-src-port`.
    SetSrcPort(Program),
    /// `set-dst`.
    SetDst(Program),
    /// `set-dst-port`.
    SetDstPort(Program),
    /// `set-mark`, `set-tos` and their `fc` and `bc` forms.
    SetMark(SetMark),
    /// `do-resolve`.
    Resolve(Resolve),
    /// `set-bandwidth-limit`.
    SetBandwidth(SetBandwidth),
    /// `set-map`: key and value.
    SetMap(Arc<Reference>, Template, Template),
    /// `del-map` and `del-acl`.
    DelMap(Arc<Reference>, Template),
    /// `add-acl`.
    AddAcl(Arc<Reference>, Template),
    /// `track-sc`.
    Track(TrackSlot),
    /// `sc-inc-gpc`, `sc-add-gpc`, `sc-set-gpt` and their short forms.
    Counter(CounterAction),
    /// `use-service`: final.
    UseService(ServiceKind),
    /// `wait-for-body`.
    WaitForBody {
        /// How long.
        time: Duration,
        /// Until so many bytes are there; everything when 0.
        at_least: usize,
    },
    /// `set-timeout`, from an expression in milliseconds.
    SetTimeout(TimeoutKind, Program),
    /// `set-retries`.
    SetRetries(Program),
    /// `early-hint`.
    EarlyHint(HeaderName, Template),
    /// `strict-mode`.
    StrictMode(bool),
    /// `pause`, from an expression in milliseconds.
    Pause(Program),
    /// `do-log`, at this step and as this profile says if one is named.
    DoLog(Origin, Option<Arc<LogProfile>>),
    /// `disable-l7-retry`.
    DisableRetry,
    /// `set-priority-class`.
    SetPriorityClass(Program),
    /// `set-priority-offset`.
    SetPriorityOffset(Program),
}

/// `track-sc`.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct TrackSlot {
    /// Which counter.
    pub counter: usize,
    /// The key.
    pub key: Program,
    /// Name of the table; the proxy's own when unset.
    pub table: Option<Arc<str>>,
}

/// Services that answer in place of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServiceKind {
    /// `prometheus-exporter`.
    Prometheus,
}

/// Timeouts that rules can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the choices of the configuration")]
pub enum TimeoutKind {
    /// `timeout client`.
    Client,
    /// `timeout server`.
    Server,
    /// `timeout tunnel`.
    Tunnel,
    /// `timeout connect`.
    Connect,
    /// `timeout queue`.
    Queue,
    /// `timeout tarpit`.
    Tarpit,
}
