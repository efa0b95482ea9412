//! Checkers of real servers.

use super::arg::{Arg, COMMAND, LONGEST, address, boolean, int, one_of, seconds_arg, unsigned, word};
use super::{BlockId, Keyword};

/// Its absence is told at the end of the block, with what follows from it.
const OPTIONAL_COMMAND: &[Arg] = &[COMMAND.opt()];
const OPT_BOOL: &[Arg] = &[boolean().opt()];
const PORT: &[Arg] = &[int("PORT", 1, 65535)];

/// What all checkers share; the first list goes without a connection, the second needs one.
macro_rules! checker {
    (scheduling: $($more:expr),* $(,)?) => {
        &[
            Keyword::new("alpha", OPT_BOOL, "Down until checked").complain("Invalid alpha parameter {value}"),
            Keyword::new("retry", &[unsigned("COUNT")], "Tries before it fails").complain("Invalid retry connection value '{value}'"),
            Keyword::new("delay_before_retry", &[seconds_arg(0, u64::MAX)], "Time between tries")
                .complain("Invalid delay_before_retry connection value '{value}'"),
            Keyword::new("warmup", &[seconds_arg(0, u64::MAX)], "Random delay of the first check")
                .complain("Invalid warmup connection value '{value}'"),
            Keyword::new("delay_loop", &[seconds_arg(1, u64::MAX)], "Time between checks")
                .complain("delay_loop '{value}' is invalid - ignoring"),
            Keyword::new("log_all_failures", OPT_BOOL, "Log every failure").complain("Invalid log_all_failures parameter {value}"),
            $($more),*
        ]
    };
    (connecting: $($more:expr),* $(,)?) => {
        checker![scheduling:
            Keyword::new("connect_ip", &[address()], "Where to connect").complain("Invalid connect_ip address {value} - ignoring"),
            Keyword::new("connect_port", PORT, "Port to connect to").complain("Invalid checker connect_port '{value}'"),
            Keyword::new("bindto", &[address()], "Source address").complain("Invalid bindto address {value} - ignoring"),
            Keyword::new("bind_port", PORT, "Source port").complain("Invalid checker bind_port '{value}'"),
            Keyword::new("bind_if", &[word("INTERFACE")], "Interface to connect through"),
            Keyword::new("connect_timeout", &[seconds_arg(1, LONGEST)], "Patience")
                .complain("connect_timeout {value} invalid - ignoring"),
            Keyword::new("fwmark", &[unsigned("MARK")], "Mark of the packets").complain("Invalid fwmark connection value '{value}'"),
            $($more),*
        ]
    };
}

pub(super) const HTTP_GET: &[Keyword] = checker![connecting:
    Keyword::new("nb_get_retry", &[unsigned("COUNT")], "Tries before it fails")
        .complain("nb_get_retry is deprecated - please use 'retry'")
        .deprecated("retry"),
    Keyword::new("virtualhost", &[word("NAME")], "Host name of the request").missing("HTTP_GET virtualhost name missing"),
    Keyword::new("http_protocol", &[one_of(&["1.0", "1.1", "1.0C", "1.0K", "1.1K"])], "HTTP version; C and K add Connection: close and keep-alive")
        .complain("Invalid http_protocol version {value}").missing("Missing http_protocol version"),
    Keyword::new("enable_sni", OPT_BOOL, "Send the host name in the TLS greeting").complain("Invalid enable_sni parameter {value}"),
    Keyword::new("sni_name", &[word("NAME").opt()], "The name to send"),
    Keyword::new("fast_recovery", OPT_BOOL, "One success is enough").complain("Invalid fast_recovery parameter {value}").idle("one success is always enough"),
    Keyword::new("tls_compliant", OPT_BOOL, "Insist on an orderly end of TLS").complain("Invalid tls_compliant option {value}").idle("the end of TLS is not looked at"),
    Keyword::new("url", &[], "One request, and what it must give").block(BlockId::Url),
];

pub(super) const URL: &[Keyword] = &[
    Keyword::new("path", &[word("PATH")], "Path of the request"),
    Keyword::new("digest", &[word("MD5")], "Digest the body must have"),
    Keyword::new("status_code", &[word("CODE|FROM-TO").opt().many()], "Accepted status codes"),
    Keyword::new("virtualhost", &[word("NAME")], "Host name of the request")
        .missing("Missing HTTP_GET virtualhost name"),
    Keyword::new("regex", &[COMMAND.opt()], "What the body must match"),
    Keyword::new("regex_no_match", &[], "What the body must not match"),
    Keyword::new("regex_options", &[word("OPTION").opt().many()], "Options of the expression")
        .partial("caseless, dotall, multiline, extended and ungreedy count; others are ignored"),
    Keyword::new("regex_stack", &[unsigned("START"), unsigned("MAX")], "Memory of the expression")
        .no_effect("the expression's memory is bounded otherwise"),
    Keyword::new("regex_min_offset", &[unsigned("OFFSET")], "First byte looked at")
        .idle("the whole body is looked at"),
    Keyword::new("regex_max_offset", &[unsigned("OFFSET")], "Last byte looked at")
        .idle("the whole body is looked at"),
    Keyword::new("tls_compliant", OPT_BOOL, "Insist on an orderly end of TLS")
        .complain("Invalid tls_compliant option {value}")
        .idle("the end of TLS is not looked at"),
];

pub(super) const TCP_CHECK: &[Keyword] = checker![connecting:];

pub(super) const SMTP_CHECK: &[Keyword] = checker![connecting:
    Keyword::new("helo_name", &[word("NAME")], "Name in HELO").missing("SMTP_CHECK helo name missing"),
    Keyword::new("host", &[], "Where to connect, by its old way").block(BlockId::SmtpHost),
];

pub(super) const SMTP_HOST: &[Keyword] = checker![connecting:];

pub(super) const DNS_CHECK: &[Keyword] = checker![connecting:
    Keyword::new("type", &[word("TYPE")], "Type of the query"),
    Keyword::new("name", &[word("NAME")], "Name of the query"),
];

pub(super) const MISC_CHECK: &[Keyword] = checker![scheduling:
    Keyword::new("misc_path", OPTIONAL_COMMAND, "What to run"),
    Keyword::new("misc_timeout", &[int("SECONDS", 0, 4294)], "How long it may run").complain("Invalid misc_timeout value '{value}'"),
    Keyword::new("misc_dynamic", &[], "The exit status sets the weight"),
    Keyword::new("user", &[word("USER"), word("GROUP").opt()], "User and group to run as").missing("No user specified for misc checker script"),
];

pub(super) const PING_CHECK: &[Keyword] = checker![connecting:];

pub(super) const UDP_CHECK: &[Keyword] = checker![connecting:
    Keyword::new("payload", &[word("HEX").many()], "What to send").missing("UDP_CHECK payload requires a payload"),
    Keyword::new("require_reply", &[word("HEX").opt().many()], "What must come back"),
    Keyword::new("min_reply_length", &[int("BYTES", 0, 65535)], "Least length of the reply")
        .complain("UDP_CHECK min length {value} not valid - must be between 0 & 65535"),
    Keyword::new("max_reply_length", &[int("BYTES", 0, 65535)], "Greatest length of the reply")
        .complain("UDP_CHECK max length {value} not valid - must be between 0 & 65535"),
];

pub(super) const FILE_CHECK: &[Keyword] = &[
    Keyword::new("track_file", &[word("NAME")], "The track_file").complain("track_file {value} not found"),
    Keyword::new(
        "weight",
        &[int("WEIGHT", -2_147_483_647, 2_147_483_647), one_of(&["reverse", "noreverse"]).opt()],
        "Factor of the number",
    )
    .missing("track file weight missing")
    .complain("weight for track file must be in [-2147483647..2147483647] inclusive. Ignoring...")
    .complain_of_option("unknown track file weight option {value} - ignoring"),
    Keyword::new("dynamic", &[], "The number sets the weight"),
];

pub(super) const BFD_CHECK: &[Keyword] = &[
    Keyword::new("name", &[word("NAME")], "The bfd_instance")
        .missing("BFD_CHECK - No or too many names specified - skipping checker")
        .exact(),
    Keyword::new("alpha", OPT_BOOL, "Down until checked").complain("Invalid alpha parameter {value}"),
];
