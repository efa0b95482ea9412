//! The stable codes of this dialect's diagnostics; each is explained in `docs/compat/haproxy-codes.md`.

use lb_core::diag::Code;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        $($(#[$doc])* #[doc = $text] pub const $name: Code = Code::new($code);)*
        /// Every code with its meaning, for the documentation.
        pub const ALL: &[(Code, &str)] = &[$(($name, $text)),*];
    };
}

codes! {
    QUOTE = "H0001", "A quote is opened and never closed on its line.";
    VARIABLE = "H0002", "A reference to an environment variable is malformed.";
    HEX = "H0003", "A `\\x` escape lacks its two hexadecimal digits, or makes bytes that are no text.";
    TOO_MANY_WORDS = "H0004", "A line has more words than the format allows (64).";
    EMPTY_WORD = "H0005", "A word is empty, usually because a variable is not set; HAProxy would ignore the rest of the line.";
    LAST_NEWLINE = "H0006", "The last line has no line end; HAProxy refuses such a file because it may be truncated.";
    NUL = "H0007", "The file contains a NUL character.";
    CONDITION = "H0008", "A `.if` condition is malformed, or conditional blocks are not nested correctly.";
    USER_MESSAGE = "H0009", "A message of the file itself: `.alert`, `.warning`, `.notice` or `.diag`.";
    UNKNOWN_DIRECTIVE = "H0010", "A word that starts with a dot is no directive.";
    SCOPE = "H0011", "A `[scope]` line was malformed; scopes change nothing in this program.";

    UNKNOWN_SECTION = "H0101", "A line stands outside any section, or the section is not known.";
    UNKNOWN_KEYWORD = "H0102", "A keyword is not known in its section.";
    NOT_HERE = "H0103", "A keyword is not allowed in this section.";
    IGNORED_HERE = "H0104", "A keyword has no effect in this section, because the proxy lacks the side it applies to.";
    NEGATION = "H0105", "`no` or `default` stands before a keyword that cannot be negated.";
    REFUSED = "H0106", "A keyword is known, but this program does not do what it asks, and doing nothing would be unsafe.";
    NO_EFFECT = "H0107", "A keyword is accepted but has no effect in this program.";
    TRANSLATED = "H0108", "A construct that HAProxy no longer accepts was translated to its present form.";
    DEPRECATED = "H0109", "A construct still works but will go away.";
    EXPERIMENTAL = "H0110", "A keyword needs `expose-experimental-directives` or `expose-deprecated-directives`.";

    MISSING_ARGUMENT = "H0201", "A keyword lacks an argument.";
    TOO_MANY_ARGUMENTS = "H0202", "A line has words after the last argument its keyword takes.";
    NUMBER = "H0203", "A number is malformed or out of range.";
    TIME = "H0204", "A duration is malformed or out of range.";
    SIZE = "H0205", "A size is malformed or out of range.";
    WORD = "H0206", "An argument is not one of the words its keyword takes.";
    ADDRESS = "H0207", "An address is malformed.";
    UNRESOLVED = "H0208", "A host name cannot be resolved.";
    PORT = "H0209", "A port is missing, malformed, out of range or not allowed.";
    SMALL_TIME = "H0210", "A duration without unit is suspiciously small for milliseconds.";
    FILE = "H0211", "A file cannot be read, or its content is not what it should be.";
    CONFLICT = "H0212", "Two arguments or settings contradict each other.";
    NAME = "H0213", "A name holds a character that names may not have.";

    EXPRESSION = "H0301", "A sample expression is malformed, or uses an unknown function or wrong arguments.";
    ACL = "H0302", "An ACL or condition is malformed or names an unknown ACL.";
    LOG_FORMAT = "H0303", "A log format is malformed.";
    RULE = "H0304", "A rule is malformed.";
    UNREACHABLE = "H0305", "A rule can never run, because an earlier one without condition ends the evaluation.";
    RULE_ORDER = "H0306", "A rule is written after one that is evaluated later.";
    UNUSED = "H0307", "Something is declared and never used.";

    DUPLICATE = "H0401", "A name is declared twice.";
    UNKNOWN_NAME = "H0402", "A name refers to nothing that is declared.";
    MODE = "H0403", "Two proxies that work together have different modes, or a setting needs another mode.";
    TIMEOUTS = "H0404", "A proxy lacks the timeouts that keep dead peers from holding it.";
    NO_LISTENER = "H0405", "No proxy listens anywhere.";
    USELESS = "H0406", "A setting has no effect together with the rest of the configuration.";
    TLS = "H0407", "A TLS setting is incomplete, or names something this TLS library does not have.";
}
