//! What a table is configured to be (manual 11.1).

use std::sync::Arc;
use std::time::Duration;

use crate::expr::{Arena, Sample, SampleType};

/// The type of a table's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the key types of the configuration")]
pub enum KeyType {
    /// `ip`: IPv4 addresses.
    Ip,
    /// `ipv6`; IPv4 addresses are kept in their mapped form.
    Ipv6,
    /// `integer`: 32 bits.
    Integer,
    /// `string`: at most so many bytes, the rest is cut off.
    String(usize),
    /// `binary`: exactly so many bytes, cut off or filled with zeroes.
    Binary(usize),
}

impl KeyType {
    /// Length of string keys without `len`.
    pub const DEFAULT_STRING: usize = 31;
    /// Length of binary keys without `len`.
    pub const DEFAULT_BINARY: usize = 32;

    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Ipv6 => "ipv6",
            Self::Integer => "integer",
            Self::String(_) => "string",
            Self::Binary(_) => "binary",
        }
    }

    /// The type samples are cast to.
    pub const fn sample_type(self) -> SampleType {
        match self {
            Self::Ip => SampleType::Ipv4,
            Self::Ipv6 => SampleType::Ipv6,
            Self::Integer => SampleType::Int,
            Self::String(_) => SampleType::Str,
            Self::Binary(_) => SampleType::Bin,
        }
    }

    /// The key a sample stands for; `None` if it cannot be one.
    pub fn key(self, sample: &Sample<'_>) -> Option<Key> {
        Some(match self {
            Self::Ip => Key::Ip(sample.to_ipv4()?.into()),
            Self::Ipv6 => Key::Ipv6(sample.to_ipv6()?.into()),
            Self::Integer => Key::Integer(sample.to_int()? as u32),
            Self::String(max) => {
                let arena = Arena::new();
                let text = sample.to_str(&arena)?;
                Key::Bytes(text[..text.len().min(max)].into())
            }
            Self::Binary(len) => {
                let arena = Arena::new();
                let mut bytes = sample.to_bin(&arena)?.to_vec();
                bytes.resize(len, 0);
                Key::Bytes(bytes.into())
            }
        })
    }
}

/// A key as a table stores it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "mirrors KeyType")]
pub enum Key {
    /// An IPv4 address.
    Ip(u32),
    /// An IPv6 address.
    Ipv6(u128),
    /// An integer.
    Integer(u32),
    /// Text or binary.
    Bytes(Box<[u8]>),
}

impl Key {
    /// The key as a sample of the table's type.
    pub fn sample(&self, key_type: KeyType) -> Sample<'_> {
        match self {
            Self::Ip(addr) => Sample::Ipv4((*addr).into()),
            Self::Ipv6(addr) => Sample::Ipv6((*addr).into()),
            Self::Integer(value) => Sample::Int((*value).into()),
            Self::Bytes(bytes) if matches!(key_type, KeyType::Binary(_)) => Sample::Bin(bytes),
            Self::Bytes(bytes) => Sample::Str(bytes),
        }
    }
}

/// What an entry can store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the data types of the configuration and of the peers protocol")]
pub enum DataType {
    /// Server the key sticks to.
    ServerId,
    /// General purpose tag.
    Gpt0,
    /// General purpose counter.
    Gpc0,
    /// Its rate.
    Gpc0Rate,
    /// Connections ever.
    ConnCnt,
    /// Rate of connections.
    ConnRate,
    /// Connections now.
    ConnCur,
    /// Sessions ever.
    SessCnt,
    /// Rate of sessions.
    SessRate,
    /// HTTP requests ever.
    HttpReqCnt,
    /// Rate of HTTP requests.
    HttpReqRate,
    /// HTTP errors caused by the client ever.
    HttpErrCnt,
    /// Rate of HTTP errors caused by the client.
    HttpErrRate,
    /// Bytes from the client ever.
    BytesInCnt,
    /// Rate of bytes from the client.
    BytesInRate,
    /// Bytes to the client ever.
    BytesOutCnt,
    /// Rate of bytes to the client.
    BytesOutRate,
    /// Second general purpose counter.
    Gpc1,
    /// Its rate.
    Gpc1Rate,
    /// Name of the server the key sticks to.
    ServerKey,
    /// HTTP failures caused by the server ever.
    HttpFailCnt,
    /// Rate of HTTP failures caused by the server.
    HttpFailRate,
    /// Array of tags.
    Gpt,
    /// Array of counters.
    Gpc,
    /// Rates of the array of counters.
    GpcRate,
    /// Protocol oddities ever.
    GlitchCnt,
    /// Rate of protocol oddities.
    GlitchRate,
}

impl DataType {
    /// All types in the order of their numbers (the peers protocol uses the position).
    pub const ALL: [Self; 27] = [
        Self::ServerId,
        Self::Gpt0,
        Self::Gpc0,
        Self::Gpc0Rate,
        Self::ConnCnt,
        Self::ConnRate,
        Self::ConnCur,
        Self::SessCnt,
        Self::SessRate,
        Self::HttpReqCnt,
        Self::HttpReqRate,
        Self::HttpErrCnt,
        Self::HttpErrRate,
        Self::BytesInCnt,
        Self::BytesInRate,
        Self::BytesOutCnt,
        Self::BytesOutRate,
        Self::Gpc1,
        Self::Gpc1Rate,
        Self::ServerKey,
        Self::HttpFailCnt,
        Self::HttpFailRate,
        Self::Gpt,
        Self::Gpc,
        Self::GpcRate,
        Self::GlitchCnt,
        Self::GlitchRate,
    ];

    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ServerId => "server_id",
            Self::Gpt0 => "gpt0",
            Self::Gpc0 => "gpc0",
            Self::Gpc0Rate => "gpc0_rate",
            Self::ConnCnt => "conn_cnt",
            Self::ConnRate => "conn_rate",
            Self::ConnCur => "conn_cur",
            Self::SessCnt => "sess_cnt",
            Self::SessRate => "sess_rate",
            Self::HttpReqCnt => "http_req_cnt",
            Self::HttpReqRate => "http_req_rate",
            Self::HttpErrCnt => "http_err_cnt",
            Self::HttpErrRate => "http_err_rate",
            Self::BytesInCnt => "bytes_in_cnt",
            Self::BytesInRate => "bytes_in_rate",
            Self::BytesOutCnt => "bytes_out_cnt",
            Self::BytesOutRate => "bytes_out_rate",
            Self::Gpc1 => "gpc1",
            Self::Gpc1Rate => "gpc1_rate",
            Self::ServerKey => "server_key",
            Self::HttpFailCnt => "http_fail_cnt",
            Self::HttpFailRate => "http_fail_rate",
            Self::Gpt => "gpt",
            Self::Gpc => "gpc",
            Self::GpcRate => "gpc_rate",
            Self::GlitchCnt => "glitch_cnt",
            Self::GlitchRate => "glitch_rate",
        }
    }

    /// The type of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|data| data.name() == name)
    }

    /// Whether it is a rate, which needs a period.
    pub const fn is_rate(self) -> bool {
        matches!(
            self,
            Self::Gpc0Rate
                | Self::ConnRate
                | Self::SessRate
                | Self::HttpReqRate
                | Self::HttpErrRate
                | Self::BytesInRate
                | Self::BytesOutRate
                | Self::Gpc1Rate
                | Self::HttpFailRate
                | Self::GpcRate
                | Self::GlitchRate
        )
    }

    /// Whether it is an array, which needs a length.
    pub const fn is_array(self) -> bool {
        matches!(self, Self::Gpt | Self::Gpc | Self::GpcRate)
    }

    /// The number used by the peers protocol.
    pub const fn number(self) -> usize {
        self as usize
    }

    /// The array that stands in for a single counter that is not stored, at which index.
    pub const fn array_form(self) -> Option<(Self, u8)> {
        Some(match self {
            Self::Gpt0 => (Self::Gpt, 0),
            Self::Gpc0 => (Self::Gpc, 0),
            Self::Gpc1 => (Self::Gpc, 1),
            Self::Gpc0Rate => (Self::GpcRate, 0),
            Self::Gpc1Rate => (Self::GpcRate, 1),
            _ => return None,
        })
    }
}

/// One stored data type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Store {
    /// What.
    pub data: DataType,
    /// Elements of an array, 1 otherwise.
    pub count: u8,
    /// Period of a rate.
    pub period: Duration,
}

impl Store {
    /// A counter or tag.
    pub const fn new(data: DataType) -> Self {
        Self { data, count: 1, period: Duration::ZERO }
    }

    /// A rate.
    pub const fn rate(data: DataType, period: Duration) -> Self {
        Self { data, count: 1, period }
    }
}

/// A table as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data, built by dialects")]
pub struct TableSpec {
    /// Its name: that of its proxy or `peers` section.
    pub name: Arc<str>,
    /// Type of the keys.
    pub key: KeyType,
    /// Most entries.
    pub size: usize,
    /// How long an entry lives after its last update; forever when unset.
    pub expire: Option<Duration>,
    /// Refuse new entries when full instead of dropping old ones.
    pub nopurge: bool,
    /// What entries store.
    pub stores: Vec<Store>,
    /// The `peers` section that shares the table.
    pub peers: Option<Arc<str>>,
    /// Another table that receives this one's updates.
    pub write_to: Option<Arc<str>>,
    /// Only received from peers, never sent.
    pub recv_only: bool,
    /// Factor applied to byte rates, to keep them within 32 bits.
    pub bytes_factor: u32,
    /// Servers are remembered by their addresses instead of their names (`srvkey addr`).
    pub server_by_address: bool,
}

impl TableSpec {
    /// A table that stores nothing but its keys.
    pub fn new(name: &str, key: KeyType, size: usize) -> Self {
        Self {
            name: name.into(),
            key,
            size,
            expire: None,
            nopurge: false,
            stores: Vec::new(),
            peers: None,
            write_to: None,
            recv_only: false,
            bytes_factor: 1,
            server_by_address: false,
        }
    }

    /// What is stored under a type.
    pub fn store(&self, data: DataType) -> Option<&Store> {
        self.stores.iter().find(|store| store.data == data)
    }

    /// Adds a data type unless it is there already.
    pub fn add_store(&mut self, store: Store) {
        if self.store(store.data).is_none() {
            self.stores.push(store);
        }
    }
}
