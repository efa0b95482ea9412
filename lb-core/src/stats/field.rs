//! The columns of `show stat`: order, names, tags and descriptions.
//!
//! The order is an interface that exporters rely on: columns are only ever appended. The header of the CSV form has a
//! `-` between the fixed columns and those of the modules (TLS, HTTP/2, HTTP/1).
//!
//! Management manual of HAProxy 3.4: section 9.1 (CSV format) and 9.2 (typed output format).

use std::borrow::Cow;

/// What a line of the statistics is about.
#[expect(clippy::exhaustive_enums, reason = "the four kinds of lines, numbered as in the `type` column")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The client side of a proxy.
    Frontend = 0,
    /// The server side of a proxy.
    Backend = 1,
    /// One server.
    Server = 2,
    /// One listening socket.
    Listener = 3,
}

impl Kind {
    /// Bit of this kind in the type argument of `show stat`.
    pub const fn bit(self) -> i32 {
        1 << self as i32
    }

    /// First letter of a typed line.
    pub const fn letter(self) -> char {
        match self {
            Self::Frontend => 'F',
            Self::Backend => 'B',
            Self::Server => 'S',
            Self::Listener => 'L',
        }
    }

    /// Name in the JSON form.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Frontend => "Frontend",
            Self::Backend => "Backend",
            Self::Server => "Server",
            Self::Listener => "Listener",
        }
    }
}

macro_rules! columns {
    ($($variant:ident, $name:literal, $tags:literal, $description:literal;)*) => {
        /// A column of the statistics.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Column {
            $(#[doc = $description] $variant,)*
        }

        impl Column {
            /// Every column, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Name in the header.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What the column means.
            pub const fn description(self) -> &'static str {
                match self {
                    $(Self::$variant => $description,)*
                }
            }

            const fn common_tags(self) -> &'static str {
                match self {
                    $(Self::$variant => $tags,)*
                }
            }
        }
    };
}

columns! {
    Pxname, "pxname", "KNSV", "name of the proxy";
    Svname, "svname", "KNSV", "name of the line: FRONTEND, BACKEND, a listener or a server";
    Qcur, "qcur", "MGPV", "requests waiting in the queue now";
    Qmax, "qmax", "MMPV", "most requests seen waiting in the queue";
    Scur, "scur", "MGPV", "sessions open now";
    Smax, "smax", "MMPV", "most sessions seen open at once";
    Slim, "slim", "CLPV", "limit of sessions: maxconn, for a backend fullconn";
    Stot, "stot", "MCPP", "sessions since the start";
    Bin, "bin", "MCPP", "bytes of requests received";
    Bout, "bout", "MCPP", "bytes of responses received";
    Dreq, "dreq", "MCPP", "requests denied by a rule";
    Dresp, "dresp", "MCPP", "responses denied by a rule";
    Ereq, "ereq", "MCPP", "requests that could not be understood";
    Econ, "econ", "MCPP", "connections to servers that failed";
    Eresp, "eresp", "MCPP", "responses that could not be understood";
    Wretr, "wretr", "MCPP", "connection attempts repeated";
    Wredis, "wredis", "MCPP", "requests sent to another server after a failure";
    Status, "status", "SGPV", "state of the line";
    Weight, "weight", "MaPV", "effective weight; for a backend the sum of its active servers";
    Act, "act", "SGPV", "servers up and active; for a server whether it is active";
    Bck, "bck", "SGPV", "servers up and backup; for a server whether it is backup";
    Chkfail, "chkfail", "MCPP", "health checks that failed";
    Chkdown, "chkdown", "MCPP", "times the line went from UP to DOWN";
    Lastchg, "lastchg", "MAPP", "seconds since the last change of state";
    Downtime, "downtime", "MCPV", "seconds spent DOWN";
    Qlimit, "qlimit", "CGSV", "limit of the server's queue (maxqueue)";
    Pid, "pid", "KGPV", "relative number of the process";
    Iid, "iid", "KGSV", "numeric identifier of the proxy";
    Sid, "sid", "KGSV", "numeric identifier of the listener or server";
    Throttle, "throttle", "MaPV", "percentage of weight and maxconn granted during slow start";
    Lbtot, "lbtot", "MCPP", "requests placed by the balancing algorithm";
    Tracked, "tracked", "CNSV", "server whose state this one follows";
    Type, "type", "CGSV", "kind of line: 0 frontend, 1 backend, 2 server, 3 listener";
    Rate, "rate", "MRPP", "sessions of the last second";
    RateLim, "rate_lim", "CLPV", "limit of sessions per second";
    RateMax, "rate_max", "MMPV", "most sessions seen in one second";
    CheckStatus, "check_status", "MOPV", "result of the last health check, with a star while one is running";
    CheckCode, "check_code", "MOPV", "code the last health check received";
    CheckDuration, "check_duration", "MDPV", "milliseconds the last health check took";
    Hrsp1xx, "hrsp_1xx", "MCPP", "responses with status 1xx";
    Hrsp2xx, "hrsp_2xx", "MCPP", "responses with status 2xx";
    Hrsp3xx, "hrsp_3xx", "MCPP", "responses with status 3xx";
    Hrsp4xx, "hrsp_4xx", "MCPP", "responses with status 4xx";
    Hrsp5xx, "hrsp_5xx", "MCPP", "responses with status 5xx";
    HrspOther, "hrsp_other", "MCPP", "responses with any other status";
    Hanafail, "hanafail", "MCPP", "failures reported by observing live traffic";
    ReqRate, "req_rate", "MRPP", "requests of the last second";
    ReqRateMax, "req_rate_max", "MMPV", "most requests seen in one second";
    ReqTot, "req_tot", "MCPP", "requests since the start";
    CliAbrt, "cli_abrt", "MCPP", "transfers aborted by the client";
    SrvAbrt, "srv_abrt", "MCPP", "transfers aborted by the server";
    CompIn, "comp_in", "MCPP", "bytes given to compression";
    CompOut, "comp_out", "MCPP", "bytes that came out of compression";
    CompByp, "comp_byp", "MCPP", "bytes that went past compression";
    CompRsp, "comp_rsp", "MCPP", "responses compressed";
    Lastsess, "lastsess", "MAPP", "seconds since the last session, -1 if there was none";
    LastChk, "last_chk", "MOPV", "text of the last health check";
    LastAgt, "last_agt", "MOPV", "text of the last agent check";
    Qtime, "qtime", "MaPV", "milliseconds in the queue, average of the last 1024 requests";
    Ctime, "ctime", "MaPV", "milliseconds to connect, average of the last 1024 requests";
    Rtime, "rtime", "MaPV", "milliseconds until the response, average of the last 1024 requests";
    Ttime, "ttime", "MaPV", "milliseconds in total, average of the last 1024 requests";
    AgentStatus, "agent_status", "MOPV", "result of the last agent check, with a star while one is running";
    AgentCode, "agent_code", "MOPV", "code of the last agent check";
    AgentDuration, "agent_duration", "MDPV", "milliseconds the last agent check took";
    CheckDesc, "check_desc", "MOPV", "description of the result of the last health check";
    AgentDesc, "agent_desc", "MOPV", "description of the result of the last agent check";
    CheckRise, "check_rise", "CGSV", "successes that bring the server up";
    CheckFall, "check_fall", "CGSV", "failures that take the server down";
    CheckHealth, "check_health", "CGSV", "health of the server, 0 to rise+fall-1";
    AgentRise, "agent_rise", "CGSV", "agent successes that bring the server up";
    AgentFall, "agent_fall", "CGSV", "agent failures that take the server down";
    AgentHealth, "agent_health", "CGSV", "health of the server as its agent sees it";
    Addr, "addr", "CGSV", "address and port";
    Cookie, "cookie", "CNSV", "cookie value of the server, cookie name of the backend";
    Mode, "mode", "CGSV", "mode of the proxy";
    Algo, "algo", "CGSV", "balancing algorithm";
    ConnRate, "conn_rate", "MRPP", "connections of the last second";
    ConnRateMax, "conn_rate_max", "MMPV", "most connections seen in one second";
    ConnTot, "conn_tot", "MCPP", "connections since the start";
    Intercepted, "intercepted", "MCPP", "requests answered here: redirects, statistics, services";
    Dcon, "dcon", "MCPP", "connections refused by a tcp-request connection rule";
    Dses, "dses", "MCPP", "sessions refused by a tcp-request session rule";
    Wrew, "wrew", "MCPP", "headers that could not be rewritten";
    Connect, "connect", "MCPP", "connections opened to servers";
    Reuse, "reuse", "MCPP", "requests sent over a connection that was already open";
    CacheLookups, "cache_lookups", "MCPP", "requests looked up in the cache";
    CacheHits, "cache_hits", "MCPP", "requests answered from the cache";
    SrvIcur, "srv_icur", "MGPV", "idle connections to the server";
    SrcIlim, "src_ilim", "CLPV", "limit of idle connections to the server";
    QtimeMax, "qtime_max", "MMPV", "most milliseconds in the queue";
    CtimeMax, "ctime_max", "MMPV", "most milliseconds to connect";
    RtimeMax, "rtime_max", "MMPV", "most milliseconds until the response";
    TtimeMax, "ttime_max", "MMPV", "most milliseconds in total";
    Eint, "eint", "MCPP", "internal errors";
    IdleConnCur, "idle_conn_cur", "MGPV", "idle connections not known to be safe for reuse";
    SafeConnCur, "safe_conn_cur", "MGPV", "idle connections known to be safe for reuse";
    UsedConnCur, "used_conn_cur", "MGPV", "connections in use";
    NeedConnEst, "need_conn_est", "MGPV", "connections estimated to be needed";
    Uweight, "uweight", "MaPV", "configured weight; for a backend the sum of its active servers";
    AggServerStatus, "agg_server_status", "MGPV", "servers of the backend by status";
    AggServerCheckStatus, "agg_server_check_status", "MGPV", "the same under its former name";
    AggCheckStatus, "agg_check_status", "MGPV", "servers of the backend by result of their checks";
    Srid, "srid", "MCPV", "revision of the server's identifier";
    SessOther, "sess_other", "MCPV", "sessions that are not HTTP";
    H1sess, "h1sess", "MCPP", "HTTP/1 sessions";
    H2sess, "h2sess", "MCPP", "HTTP/2 sessions";
    H3sess, "h3sess", "MCPP", "HTTP/3 sessions";
    ReqOther, "req_other", "MCPP", "requests that are not HTTP";
    H1req, "h1req", "MCPP", "HTTP/1 requests";
    H2req, "h2req", "MCPP", "HTTP/2 requests";
    H3req, "h3req", "MCPP", "HTTP/3 requests";
    Proto, "proto", "SGPV", "protocol of the listener";
    PrivIdleCur, "priv_idle_cur", "MGPV", "idle connections reserved for their client";
    Reqbin, "reqbin", "MCPP", "bytes of requests received";
    Reqbout, "reqbout", "MCPP", "bytes of requests sent";
    Resbin, "resbin", "MCPP", "bytes of responses received";
    Resbout, "resbout", "MCPP", "bytes of responses sent";
    SslSess, "ssl_sess", "MCPV", "TLS sessions established";
    SslReusedSess, "ssl_reused_sess", "MCPV", "TLS sessions resumed";
    SslFailedHandshake, "ssl_failed_handshake", "MCPV", "TLS handshakes that failed";
    SslOcspStaple, "ssl_ocsp_staple", "MCPV", "OCSP responses stapled";
    SslFailedOcspStaple, "ssl_failed_ocsp_staple", "MCPV", "OCSP responses that could not be stapled";
    H2HeadersRcvd, "h2_headers_rcvd", "MCPV", "HEADERS frames received";
    H2DataRcvd, "h2_data_rcvd", "MCPV", "DATA frames received";
    H2SettingsRcvd, "h2_settings_rcvd", "MCPV", "SETTINGS frames received";
    H2RstStreamRcvd, "h2_rst_stream_rcvd", "MCPV", "RST_STREAM frames received";
    H2GoawayRcvd, "h2_goaway_rcvd", "MCPV", "GOAWAY frames received";
    H2ConnErrors, "h2_detected_conn_protocol_errors", "MCPV", "protocol errors of connections";
    H2StrmErrors, "h2_detected_strm_protocol_errors", "MCPV", "protocol errors of streams";
    H2RstStreamResp, "h2_rst_stream_resp", "MCPV", "RST_STREAM frames sent";
    H2GoawayResp, "h2_goaway_resp", "MCPV", "GOAWAY frames sent";
    H2OpenConnections, "h2_open_connections", "MGPV", "connections open now";
    H2OpenStreams, "h2_backend_open_streams", "MGPV", "streams open now";
    H2TotalConnections, "h2_total_connections", "MCPV", "connections since the start";
    H2TotalStreams, "h2_backend_total_streams", "MCPV", "streams since the start";
    H1OpenConnections, "h1_open_connections", "MGPV", "connections open now";
    H1OpenStreams, "h1_open_streams", "MGPV", "streams open now";
    H1TotalConnections, "h1_total_connections", "MCPV", "connections since the start";
    H1TotalStreams, "h1_total_streams", "MCPV", "streams since the start";
    H1BytesIn, "h1_bytes_in", "MCPV", "bytes received";
    H1BytesOut, "h1_bytes_out", "MCPV", "bytes sent";
    H1SplicedBytesIn, "h1_spliced_bytes_in", "MCPV", "bytes received by splicing";
    H1SplicedBytesOut, "h1_spliced_bytes_out", "MCPV", "bytes sent by splicing";
}

impl Column {
    /// First column after the `-` of the header.
    pub const FIRST_OF_MODULES: Self = Self::SslSess;

    /// Number of columns.
    pub const COUNT: usize = Self::ALL.len();

    /// Position, counted from 0; the `-` of the header is not counted.
    pub const fn position(self) -> usize {
        self as usize
    }

    /// The four letters of the typed form: origin, nature, scope and persistence.
    pub const fn tags(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Self::Act | Self::Bck | Self::RateMax, Kind::Backend) => "MGPV",
            _ => self.common_tags(),
        }
    }
}

/// Long forms of the first three tag letters, as the JSON form spells them.
pub(crate) fn tag_words(tags: &str) -> [&'static str; 3] {
    let mut letters = tags.bytes();
    let origin = match letters.next() {
        Some(b'M') => "Metric",
        Some(b'S') => "Status",
        Some(b'K') => "Key",
        Some(b'C') => "Config",
        Some(b'P') => "Product",
        _ => "Unknown",
    };
    let nature = match letters.next() {
        Some(b'G') => "Gauge",
        Some(b'L') => "Limit",
        Some(b'm') => "Min",
        Some(b'M') => "Max",
        Some(b'R') => "Rate",
        Some(b'C') => "Counter",
        Some(b'D') => "Duration",
        Some(b'A') => "Age",
        Some(b'T') => "Time",
        Some(b'N') => "Name",
        Some(b'O') => "Output",
        Some(b'a') => "Avg",
        _ => "Unknown",
    };
    let scope = match letters.next() {
        Some(b'C') => "Cluster",
        Some(b'P') => "Process",
        Some(b'S') => "Service",
        Some(b's') => "System",
        _ => "Unknown",
    };
    [origin, nature, scope]
}

/// One cell of the statistics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// Nothing to show for this kind of line.
    #[default]
    Empty,
    /// A signed number.
    S32(i32),
    /// A number that fits in 32 bits.
    U32(u32),
    /// A number.
    U64(u64),
    /// Text.
    Text(Cow<'static, str>),
}

impl Value {
    /// Name of the type in the typed and JSON forms.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Empty => "none",
            Self::S32(_) => "s32",
            Self::U32(_) => "u32",
            Self::U64(_) => "u64",
            Self::Text(_) => "str",
        }
    }

    /// The number, unless it is text or nothing.
    pub const fn number(&self) -> Option<i128> {
        match self {
            Self::S32(number) => Some(*number as i128),
            Self::U32(number) => Some(*number as i128),
            Self::U64(number) => Some(*number as i128),
            Self::Empty | Self::Text(_) => None,
        }
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::U64(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::U32(number)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::S32(number)
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Empty, Into::into)
    }
}

/// One line of the statistics: a value for every column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    kind: Kind,
    values: Vec<Value>,
}

impl Row {
    /// An empty line.
    pub fn new(kind: Kind) -> Self {
        Self { kind, values: vec![Value::Empty; Column::COUNT] }
    }

    /// Sets a cell.
    pub fn set(&mut self, column: Column, value: impl Into<Value>) {
        self.values[column.position()] = value.into();
    }

    /// Empties the columns that are shown only to operators, or where legends are wanted: addresses, cookies and
    /// algorithms.
    pub fn hide_particulars(&mut self) {
        for column in [Column::Addr, Column::Cookie, Column::Algo] {
            self.set(column, Value::Empty);
        }
    }

    /// What the line is about.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// A cell.
    pub fn value(&self, column: Column) -> &Value {
        &self.values[column.position()]
    }

    /// The cells that are not empty, in order.
    pub fn filled(&self) -> impl Iterator<Item = (Column, &Value)> {
        Column::ALL.iter().copied().zip(&self.values).filter(|(_, value)| **value != Value::Empty)
    }

    pub(crate) fn identity(&self) -> (u32, u32) {
        let number = |column| match self.value(column) {
            Value::U32(number) => *number,
            _ => 0,
        };
        (number(Column::Iid), number(Column::Sid))
    }
}
