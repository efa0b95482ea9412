//! The stable codes of this dialect's diagnostics; each is explained in `docs/compat/haproxy-codes.md`.

use lb_core::diag::Code;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal, $advice:literal;)*) => {
        $($(#[$doc])* #[doc = $text] pub const $name: Code = Code::new($code);)*
        /// Every code with its meaning and what to do, for the documentation.
        pub const ALL: &[(Code, &str, &str)] = &[$(($name, $text, $advice)),*];
    };
}

codes! {
    QUOTE = "H0001", "A quote is opened and never closed on its line.",
        "Close the quote on the same line; a quote that is meant as such is written `\\'` or `\\\"`.";
    VARIABLE = "H0002", "A reference to an environment variable is malformed.",
        "Write `\"$NAME\"`, `\"${NAME}\"`, `\"${NAME-default}\"` or, for several words, `\"${NAME[*]}\"`; variables are replaced between double quotes only.";
    HEX = "H0003", "A `\\x` escape lacks its two hexadecimal digits, or makes bytes that are no text.",
        "Write two hexadecimal digits, as in `\\x2c`, or the character itself.";
    TOO_MANY_WORDS = "H0004", "A line has more words than the format allows (64).",
        "Split the line: most lists may be given on several lines of the same keyword, patterns in a file (`-f`).";
    EMPTY_WORD = "H0005", "A word is empty, usually because a variable is not set; HAProxy would ignore the rest of the line.",
        "Give the variable a default (`${NAME-value}`), or let it make no word at all (`${NAME[*]}`).";
    LAST_NEWLINE = "H0006", "The last line has no line end; HAProxy refuses such a file because it may be truncated.",
        "End the last line; if the file was produced by a program, look whether it was cut off.";
    NUL = "H0007", "The file contains a NUL character.",
        "Remove it; files written in UTF-16 look like this and must be saved as UTF-8.";
    CONDITION = "H0008", "A `.if` condition is malformed, or conditional blocks are not nested correctly.",
        "Every `.if` needs its `.endif`, `.else` comes last; predicates and operators are those of section 2.4.";
    USER_MESSAGE = "H0009", "A message of the file itself: `.alert`, `.warning`, `.notice` or `.diag`.",
        "The author of the file wanted this to be read.";
    UNKNOWN_DIRECTIVE = "H0010", "A word that starts with a dot is no directive.",
        "Directives are `.if`, `.elif`, `.else`, `.endif`, `.alert`, `.warning`, `.notice` and `.diag`.";
    SCOPE = "H0011", "A `[scope]` line was malformed; scopes change nothing in this program.",
        "Remove the line.";

    UNKNOWN_SECTION = "H0101", "A line stands outside any section, or the section is not known.",
        "Start the line's section by its keyword, such as `global`, `defaults`, `frontend` or `backend`.";
    UNKNOWN_KEYWORD = "H0102", "A keyword is not known in its section.",
        "Take the suggestion if there is one; `lb explain WORD` says where a word belongs.";
    NOT_HERE = "H0103", "A keyword is not allowed in this section.",
        "Move the line to a section that takes it; the list of keywords says which.";
    IGNORED_HERE = "H0104", "A keyword has no effect in this section, because the proxy lacks the side it applies to.",
        "Move the line to the side of the proxy that it concerns, or remove it.";
    NEGATION = "H0105", "`no` or `default` stands before a keyword that cannot be negated.",
        "Only keywords marked `(*)` in the list may be negated; for others remove the line.";
    REFUSED = "H0106", "A keyword is known, but this program does not do what it asks, and doing nothing would be unsafe.",
        "The note says what to use instead; remove the line if its work is not needed.";
    NO_EFFECT = "H0107", "A keyword is accepted but has no effect in this program.",
        "Nothing needs to be done; the text says what happens instead.";
    TRANSLATED = "H0108", "A construct that HAProxy no longer accepts was translated to its present form.",
        "Take the suggestion; `lb migrate` writes all of them into the file.";
    DEPRECATED = "H0109", "A construct still works but will go away.",
        "Change to the form the note names before it goes away.";
    EXPERIMENTAL = "H0110", "A keyword needs `expose-experimental-directives` or `expose-deprecated-directives`.",
        "Add the named line to `global`, or do without the keyword.";

    MISSING_ARGUMENT = "H0201", "A keyword lacks an argument.",
        "Add it; `lb explain KEYWORD` shows the syntax.";
    TOO_MANY_ARGUMENTS = "H0202", "A line has words after the last argument its keyword takes.",
        "Remove the rest, or put several words that are one argument in quotes.";
    NUMBER = "H0203", "A number is malformed or out of range.",
        "Write a whole number between the limits that the message names.";
    TIME = "H0204", "A duration is malformed or out of range.",
        "Write a whole number with one of the units us, ms, s, m, h, d; without one it means milliseconds.";
    SIZE = "H0205", "A size is malformed or out of range.",
        "Write a whole number with or without k, m or g (powers of 1024).";
    WORD = "H0206", "An argument is not one of the words its keyword takes.",
        "Use one of the words the note lists.";
    ADDRESS = "H0207", "An address is malformed.",
        "Write `address:port`, `[v6]:port`, `:port`, a path, or one of these behind a prefix such as `unix@`.";
    UNRESOLVED = "H0208", "A host name cannot be resolved.",
        "Correct the name, write the address, or let the server start without one (`init-addr none`).";
    PORT = "H0209", "A port is missing, malformed, out of range or not allowed.",
        "Write a port between 1 and 65535 where one is needed, and none where none is allowed.";
    SMALL_TIME = "H0210", "A duration without unit is suspiciously small for milliseconds.",
        "Add the unit: `10s` was probably meant by `10`.";
    FILE = "H0211", "A file cannot be read, or its content is not what it should be.",
        "Look at the path, the permissions and the content; relative names start where `default-path` says.";
    CONFLICT = "H0212", "Two arguments or settings contradict each other.",
        "Keep one of the two.";
    NAME = "H0213", "A name holds a character that names may not have.",
        "Use letters, digits, `-`, `_`, `.` and `:`.";

    EXPRESSION = "H0301", "A sample expression is malformed, or uses an unknown function or wrong arguments.",
        "The caret shows the place; `lb explain FETCH` shows arguments and types.";
    ACL = "H0302", "An ACL or condition is malformed or names an unknown ACL.",
        "Declare the ACL above, or write the test in braces with blanks around them: `{ path_beg /x }`.";
    LOG_FORMAT = "H0303", "A log format is malformed.",
        "A literal `%` is written `%%`; expressions stand in `%[...]`, aliases are those of section 8.2.6.";
    RULE = "H0304", "A rule is malformed.",
        "`lb explain 'http-request ACTION'` shows the syntax of an action.";
    UNREACHABLE = "H0305", "A rule can never run, because an earlier one without condition ends the evaluation.",
        "Move the rule up, or give the earlier one a condition.";
    RULE_ORDER = "H0306", "A rule is written after one that is evaluated later.",
        "Write the rules in the order of their evaluation: tcp-request connection, session, content, then http-request, redirect, use_backend.";
    UNUSED = "H0307", "Something is declared and never used.",
        "Remove it, or name it where it was meant to act.";
    NEVER_MATCHES = "H0308", "A condition reads what is not there where it is evaluated, and never holds.",
        "Keep the value in a variable (`set-var(txn.name)`) while it is there, or use a capture, `capture.req.uri` or `txn.status`.";
    SUSPECT_TEST = "H0309", "A test of an ACL is hardly what was meant.",
        "Name patterns, or use `-m found` to ask for existence; write the fetch without a method (`path -m sub x`); write alternatives as `{ a } or { b }`.";

    DUPLICATE = "H0401", "A name is declared twice.",
        "Rename one of the two.";
    UNKNOWN_NAME = "H0402", "A name refers to nothing that is declared.",
        "Correct the name, or declare what it names.";
    MODE = "H0403", "Two proxies that work together have different modes, or a setting needs another mode.",
        "Give both proxies the same `mode`, usually in `defaults`.";
    TIMEOUTS = "H0404", "A proxy lacks the timeouts that keep dead peers from holding it.",
        "Set `timeout client`, `timeout connect` and `timeout server`, best in `defaults`; in HTTP also `timeout http-request`.";
    NO_LISTENER = "H0405", "No proxy listens anywhere.",
        "Add a `bind` line.";
    USELESS = "H0406", "A setting has no effect together with the rest of the configuration.",
        "Complete the configuration, or remove the setting.";
    TLS = "H0407", "A TLS setting is incomplete, or names something this TLS library does not have.",
        "Name a certificate (`crt`), say how servers are verified (`verify`, `ca-file`), use TLS 1.2 or 1.3.";
    UNOWNED = "H0408", "A listener's address is on no interface, and no virtual router of the keepalived.conf brings it up.",
        "Add the address to `virtual_ipaddress`, or listen on one that exists.";
}
