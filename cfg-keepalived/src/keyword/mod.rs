//! The one static table of keywords: name, block, arguments, shape, what becomes of it here, one line of documentation.
//!
//! The block reader takes its structure from this table, values are checked against it, did-you-mean and completion look
//! in it, and `docs/compat/keepalived.md` is generated from it.

mod arg;
mod bfd;
mod checker;
mod document;
mod global;
mod instance;
mod root;
mod track;
mod virtual_server;

pub use arg::{Arg, Kind};
pub use document::compat_page;

/// A block, by the kind of keywords it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the variants are the blocks of the manual, by name")]
#[non_exhaustive]
pub enum BlockId {
    Root,
    GlobalDefs,
    VrrpInstance,
    Authentication,
    AuthHmac,
    VrrpScript,
    SyncGroup,
    TrackFile,
    TrackProcess,
    TrackGroup,
    GarpGroup,
    BfdInstance,
    Ssl,
    VirtualServer,
    RealServer,
    HttpGet,
    Url,
    TcpCheck,
    SmtpCheck,
    SmtpHost,
    DnsCheck,
    MiscCheck,
    PingCheck,
    UdpCheck,
    FileCheck,
    BfdCheck,
}

impl BlockId {
    /// All blocks, outer ones first.
    pub const ALL: [Self; 26] = [
        Self::Root,
        Self::GlobalDefs,
        Self::VrrpInstance,
        Self::Authentication,
        Self::AuthHmac,
        Self::VrrpScript,
        Self::SyncGroup,
        Self::TrackFile,
        Self::TrackProcess,
        Self::TrackGroup,
        Self::GarpGroup,
        Self::BfdInstance,
        Self::VirtualServer,
        Self::RealServer,
        Self::HttpGet,
        Self::Url,
        Self::TcpCheck,
        Self::SmtpCheck,
        Self::SmtpHost,
        Self::DnsCheck,
        Self::MiscCheck,
        Self::PingCheck,
        Self::UdpCheck,
        Self::FileCheck,
        Self::BfdCheck,
        Self::Ssl,
    ];

    /// The keyword that opens the block, for messages; empty for the outermost level.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "",
            Self::GlobalDefs => "global_defs",
            Self::VrrpInstance => "vrrp_instance",
            Self::Authentication => "authentication",
            Self::AuthHmac => "auth_hmac",
            Self::VrrpScript => "vrrp_script",
            Self::SyncGroup => "vrrp_sync_group",
            Self::TrackFile => "track_file",
            Self::TrackProcess => "vrrp_track_process",
            Self::TrackGroup => "track_group",
            Self::GarpGroup => "garp_group",
            Self::BfdInstance => "bfd_instance",
            Self::Ssl => "SSL",
            Self::VirtualServer => "virtual_server",
            Self::RealServer => "real_server",
            Self::HttpGet => "HTTP_GET",
            Self::Url => "url",
            Self::TcpCheck => "TCP_CHECK",
            Self::SmtpCheck => "SMTP_CHECK",
            Self::SmtpHost => "host",
            Self::DnsCheck => "DNS_CHECK",
            Self::MiscCheck => "MISC_CHECK",
            Self::PingCheck => "PING_CHECK",
            Self::UdpCheck => "UDP_CHECK",
            Self::FileCheck => "FILE_CHECK",
            Self::BfdCheck => "BFD_CHECK",
        }
    }

    /// The keywords the block may hold.
    pub const fn keywords(self) -> &'static [Keyword] {
        match self {
            Self::Root => root::ROOT,
            Self::GlobalDefs => global::GLOBAL_DEFS,
            Self::VrrpInstance => instance::INSTANCE,
            Self::Authentication => instance::AUTHENTICATION,
            Self::AuthHmac => instance::AUTH_HMAC,
            Self::VrrpScript => track::SCRIPT_KEYWORDS,
            Self::SyncGroup => track::SYNC_GROUP,
            Self::TrackFile => track::FILE,
            Self::TrackProcess => track::PROCESS,
            Self::TrackGroup => track::TRACK_GROUP,
            Self::GarpGroup => track::GARP_GROUP,
            Self::BfdInstance => bfd::BFD_INSTANCE,
            Self::Ssl => virtual_server::SSL,
            Self::VirtualServer => virtual_server::VIRTUAL_SERVER,
            Self::RealServer => virtual_server::REAL_SERVER,
            Self::HttpGet => checker::HTTP_GET,
            Self::Url => checker::URL,
            Self::TcpCheck => checker::TCP_CHECK,
            Self::SmtpCheck => checker::SMTP_CHECK,
            Self::SmtpHost => checker::SMTP_HOST,
            Self::DnsCheck => checker::DNS_CHECK,
            Self::MiscCheck => checker::MISC_CHECK,
            Self::PingCheck => checker::PING_CHECK,
            Self::UdpCheck => checker::UDP_CHECK,
            Self::FileCheck => checker::FILE_CHECK,
            Self::BfdCheck => checker::BFD_CHECK,
        }
    }

    /// The keyword of this name in the block.
    pub fn find(self, name: &str) -> Option<&'static Keyword> {
        self.keywords().iter().find(|k| k.name == name)
    }

    /// The keywords of the block that begin with `prefix`, for editors.
    pub fn complete(self, prefix: &str) -> impl Iterator<Item = &'static Keyword> {
        self.keywords().iter().filter(move |k| k.name.starts_with(prefix))
    }
}

/// What follows a keyword's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Body {
    /// Nothing.
    None,
    /// `{` keywords `}`
    Block(BlockId),
    /// `{` values `}`, each line one value unless said otherwise.
    Values(Values),
    /// As `Values`, but the braces may be left out when the values follow on the same line.
    Optional(Values),
}

/// What the lines of a value block are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are the value blocks of the manual, by content")]
#[non_exhaustive]
pub enum Values {
    /// Any words, as many per line as wanted.
    Words,
    Addresses,
    Routes,
    Rules,
    Peers,
    TrackInterfaces,
    TrackScripts,
    TrackFiles,
    TrackProcesses,
    TrackBfds,
    TrackBackend,
    Linkbeat,
    UpDownDelays,
    ServerGroup,
}

impl Values {
    /// True if the first word of a line is a name somebody chose, which may happen to equal a keyword.
    pub(crate) const fn holds_names(self) -> bool {
        !matches!(self, Self::Addresses | Self::Routes | Self::Rules | Self::Peers | Self::ServerGroup)
    }
}

/// What becomes of a keyword here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// As the manual says.
    Full,
    /// With the difference named.
    Partial(&'static str),
    /// Read and checked, but without effect, for the reason named.
    NoEffect(&'static str),
    /// An error, for the reason named.
    Refused(&'static str),
}

/// One keyword in one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Keyword {
    /// The word.
    pub name: &'static str,
    /// Its arguments.
    pub args: &'static [Arg],
    /// What follows them.
    pub body: Body,
    /// One line of documentation.
    pub doc: &'static str,
    /// What becomes of it here.
    pub status: Status,
    /// Its present name, if this one is deprecated.
    pub replaced_by: Option<&'static str>,
    /// The original's words when the value is wrong; `{name}` stands for the block's name, `{value}` for the word,
    /// `{keyword}` for the keyword.
    pub complaint: &'static str,
    /// The same for an argument that may be missing, where that is another.
    pub(crate) option_complaint: &'static str,
    /// True if setting it a second time is ignored instead of replacing the first.
    pub first_wins: bool,
    /// The original's words when the value is missing, for the few keywords where that does not end the program.
    pub when_missing: &'static str,
    /// The original's words for further ones, where those make the line as wrong as a missing value does; empty for the words of
    /// a missing value.
    pub exact: Option<&'static str>,
    /// True if a number followed by other characters is no number; otherwise the original takes its digits.
    pub strict: bool,
    /// True if it is read and checked like any other although it has no effect.
    pub read: bool,
    /// False if it does not exist in the original.
    pub original: bool,
}

impl Keyword {
    pub(crate) const fn new(name: &'static str, args: &'static [Arg], doc: &'static str) -> Self {
        Self {
            name,
            args,
            body: Body::None,
            doc,
            status: Status::Full,
            replaced_by: None,
            complaint: "",
            option_complaint: "",
            first_wins: false,
            when_missing: "",
            exact: None,
            strict: false,
            read: false,
            original: true,
        }
    }

    pub(crate) const fn block(mut self, block: BlockId) -> Self {
        self.body = Body::Block(block);
        self
    }

    pub(crate) const fn values(mut self, values: Values) -> Self {
        self.body = Body::Values(values);
        self
    }

    pub(crate) const fn optional_values(mut self, values: Values) -> Self {
        self.body = Body::Optional(values);
        self
    }

    pub(crate) const fn partial(mut self, note: &'static str) -> Self {
        self.status = Status::Partial(note);
        self
    }

    pub(crate) const fn no_effect(mut self, why: &'static str) -> Self {
        self.status = Status::NoEffect(why);
        self
    }

    /// Without effect, but what it says is checked further and may be asked for.
    pub(crate) const fn idle(mut self, why: &'static str) -> Self {
        self.status = Status::NoEffect(why);
        self.read = true;
        self
    }

    pub(crate) const fn refused(mut self, why: &'static str) -> Self {
        self.status = Status::Refused(why);
        self
    }

    pub(crate) const fn deprecated(mut self, by: &'static str) -> Self {
        self.replaced_by = Some(by);
        self
    }

    pub(crate) const fn complain_of_option(mut self, text: &'static str) -> Self {
        self.option_complaint = text;
        self
    }

    pub(crate) const fn complain(mut self, text: &'static str) -> Self {
        self.complaint = text;
        self
    }

    pub(crate) const fn first_wins(mut self) -> Self {
        self.first_wins = true;
        self
    }

    pub(crate) const fn missing(mut self, text: &'static str) -> Self {
        self.when_missing = text;
        self
    }

    pub(crate) const fn exact(self) -> Self {
        self.alone("")
    }

    /// No word may follow, with what the original says of one.
    pub(crate) const fn alone(mut self, text: &'static str) -> Self {
        self.exact = Some(text);
        self
    }

    pub(crate) const fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    pub(crate) const fn extension(mut self) -> Self {
        self.original = false;
        self
    }

    /// True if the first argument is a command line that is split with its own quotes.
    pub fn is_script(&self) -> bool {
        matches!(self.args.first(), Some(Arg { kind: Kind::Script, .. }))
    }

    /// The keyword with its arguments as the manual writes them, for example `smtp_server HOST [PORT]`.
    pub fn usage(&self) -> String {
        let mut out = self.name.to_owned();
        for arg in self.args {
            out.push(' ');
            out.push_str(&arg.usage());
        }
        match self.body {
            Body::None => {}
            Body::Block(_) | Body::Values(_) => out.push_str(" { … }"),
            Body::Optional(_) => out.push_str(" [{ … }]"),
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_block_holds_a_keyword_twice() {
        for block in BlockId::ALL {
            let names: BTreeSet<_> = block.keywords().iter().map(|k| k.name).collect();
            assert_eq!(names.len(), block.keywords().len(), "{block:?}");
        }
    }

    #[test]
    fn every_block_can_be_reached_from_the_outermost_level() {
        let mut reached = BTreeSet::from([BlockId::Root]);
        let mut todo = vec![BlockId::Root];
        while let Some(block) = todo.pop() {
            for keyword in block.keywords() {
                if let Body::Block(inner) = keyword.body
                    && reached.insert(inner)
                {
                    todo.push(inner);
                }
            }
        }
        assert_eq!(reached.len(), BlockId::ALL.len());
    }

    #[test]
    fn documentation_is_one_plain_line() {
        for block in BlockId::ALL {
            for keyword in block.keywords() {
                assert!(!keyword.doc.is_empty() && !keyword.doc.contains('\n'), "{}", keyword.name);
                assert!(!keyword.doc.ends_with('.'), "{}", keyword.name);
            }
        }
    }

    #[test]
    fn completion_finds_by_prefix() {
        let found: Vec<_> = BlockId::VrrpInstance.complete("virtual_r").map(|k| k.name).collect();
        assert_eq!(found, ["virtual_router_id", "virtual_routes", "virtual_rules"]);
    }
}
