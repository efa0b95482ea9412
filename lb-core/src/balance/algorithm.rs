//! The algorithms and hash types as plain data, the way a configuration names them.

use std::sync::Arc;

/// `balance`: how a server is chosen when no persistence applies.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Algorithm {
    /// Each server in turn, smoothly interleaved by weight; weights may change at any time.
    RoundRobin,
    /// Each server in turn along a fixed map; weights are those of the configuration.
    StaticRr,
    /// The server with the fewest connections for its weight.
    LeastConn,
    /// The server where the next request makes the least load for its weight, idle or not (`sed` of IPVS).
    ShortestDelay,
    /// The server with the least load for its weight (`wlc` of IPVS).
    Fewest,
    /// The usable server with the lowest id that has a free slot.
    First,
    /// Hash of the client's address.
    Source,
    /// Hash of the request URI.
    Uri {
        /// Include the query string.
        whole: bool,
        /// Hash at most that many bytes.
        len: Option<u32>,
        /// Stop in front of the slash after that many directory levels.
        depth: Option<u32>,
        /// Leave scheme and authority out.
        path_only: bool,
    },
    /// Hash of a header field.
    Hdr {
        /// Name of the field.
        name: Arc<str>,
        /// Reduce a host name to its main domain label.
        use_domain_only: bool,
    },
    /// Hash of a parameter of the query string.
    UrlParam {
        /// Name of the parameter.
        name: Arc<str>,
        /// Said to look into the body of POST requests, as is done without, too.
        check_post: bool,
    },
    /// The least loaded of some servers drawn at random.
    Random {
        /// How many servers to draw, at least 1.
        draws: u32,
    },
    /// Hash of an RDP cookie.
    RdpCookie {
        /// Name of the cookie, `mstshash` by default.
        name: Arc<str>,
    },
    /// Hash of an expression that the owner of the pool evaluates.
    Hash,
    /// Always the same server until it fails; then the next, which is kept in turn.
    Sticky,
}

impl Algorithm {
    /// What recent HAProxy uses when nothing is said.
    pub const DEFAULT: Self = Self::Random { draws: 2 };

    /// Whether a choice needs data from the connection or the request.
    pub const fn needs_key(&self) -> bool {
        matches!(
            self,
            Self::Source
                | Self::Uri { .. }
                | Self::Hdr { .. }
                | Self::UrlParam { .. }
                | Self::RdpCookie { .. }
                | Self::Hash
        )
    }

    /// Whether a change of weight at run time takes effect. With the others only 0 % and 100 % are accepted.
    pub const fn is_dynamic(&self, hash: &HashType) -> bool {
        match self {
            Self::RoundRobin
            | Self::LeastConn
            | Self::First
            | Self::ShortestDelay
            | Self::Fewest
            | Self::Random { .. } => true,
            Self::StaticRr | Self::Sticky => false,
            Self::Source
            | Self::Uri { .. }
            | Self::Hdr { .. }
            | Self::UrlParam { .. }
            | Self::RdpCookie { .. }
            | Self::Hash => matches!(hash.method, HashMethod::Consistent),
        }
    }

    /// Name as shown in the `algo` column of the statistics, which has no word for the newer algorithms.
    pub const fn stats_name(&self) -> &'static str {
        match self {
            Self::Random { .. } | Self::Sticky => "unknown",
            _ => self.name(),
        }
    }

    /// Name as written in a configuration.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RoundRobin => "roundrobin",
            Self::StaticRr => "static-rr",
            Self::LeastConn | Self::ShortestDelay | Self::Fewest => "leastconn",
            Self::First => "first",
            Self::Source => "source",
            Self::Uri { .. } => "uri",
            Self::Hdr { .. } => "hdr",
            Self::UrlParam { .. } => "url_param",
            Self::Random { .. } => "random",
            Self::RdpCookie { .. } => "rdp-cookie",
            Self::Hash => "hash",
            Self::Sticky => "sticky",
        }
    }
}

/// `hash-type`: from key to server.
#[expect(clippy::exhaustive_structs, reason = "plain data with a default")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct HashType {
    /// How a hash designates a server.
    pub method: HashMethod,
    /// How a key becomes a hash.
    pub function: HashFunction,
    /// Whether the hash is mixed once more so that similar keys spread over all its bits.
    pub avalanche: bool,
}

impl HashType {
    /// A method alone, with the function and modifier that come with it: `consistent` implies the avalanche.
    pub const fn of(method: HashMethod) -> Self {
        Self { method, function: HashFunction::Sdbm, avalanche: matches!(method, HashMethod::Consistent) }
    }
}

/// How a hash designates a server.
#[expect(clippy::exhaustive_enums, reason = "the two methods a configuration can name")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HashMethod {
    /// Modulo the total weight of the usable servers: smooth, but any change moves almost every key.
    #[default]
    MapBased,
    /// Nearest point on a ring: a change moves only the keys of the server concerned.
    Consistent,
}

/// How a key becomes a hash.
#[expect(clippy::exhaustive_enums, reason = "the functions a configuration can name")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HashFunction {
    /// From the sdbm database; the default.
    #[default]
    Sdbm,
    /// Bernstein's `hash * 33 + c`.
    Djb2,
    /// Designed for HAProxy, good with most keys.
    Wt6,
    /// The common CRC32 of Ethernet and gzip.
    Crc32,
    /// The key itself, read as a decimal number.
    None,
}

/// `hash-preserve-affinity`: when a consistent hash may leave its first choice.
#[expect(clippy::exhaustive_enums, reason = "the three words a configuration can use")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Affinity {
    /// Never because of its load; the request waits in the server's queue.
    #[default]
    Always,
    /// When it serves as many requests as it may.
    MaxConn,
    /// When it serves as many requests as it may and its queue is full.
    MaxQueue,
}
