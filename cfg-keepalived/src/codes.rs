//! The stable codes of this dialect's diagnostics; each is explained in `docs/compat/keepalived-codes.md`.
//!
//! K01xx structure · K02xx values · K03xx references and duplicates · K04xx meaning of the whole ·
//! K05xx comparison with a peer · K09xx accepted without effect.

use lb_core::diag::Code;

macro_rules! codes {
    ($($name:ident = $code:literal, $text:literal, $advice:literal;)*) => {
        $(#[doc = $text] pub const $name: Code = Code::new($code);)*

        /// Every code with its meaning and what to do, for the documentation.
        pub const ALL: &[(Code, &str, &str)] = &[$(($name, $text, $advice)),*];
    };
}

codes! {
    MISSING_OPEN = "K0101", "A block's opening brace is missing; the block is read as if it stood there.",
        "Write `{` at the end of the line that begins the block.";
    MISSING_CLOSE = "K0102", "A block is not closed; it is closed where its content plainly ends.",
        "Write `}` after the last line of the block; the place named is where it was opened.";
    EXTRA_CLOSE = "K0103", "A closing brace closes nothing and is ignored.",
        "Remove it, or look for a block further up that was closed too early.";
    UNEXPECTED_OPEN = "K0104", "An opening brace stands where no block begins; its content is read as if the braces were not there.",
        "Remove the braces, or correct the word before them if it was meant to begin a block.";
    UNKNOWN_KEYWORD = "K0105", "A keyword that does not exist in this block; it is ignored together with its block, if it has one.",
        "Take the suggestion if there is one; the list of keywords says where a word belongs.";
    MISSING_VALUE = "K0106", "A keyword lacks a value. The original refuses the whole configuration.",
        "Add it; the list of keywords shows what the keyword takes.";
    EXTRA_WORDS = "K0107", "Words after the last one a keyword takes; they are ignored.",
        "Remove them, or put them in double quotes if they are one value.";
    OPEN_QUOTE = "K0108", "A double quote is not closed on its line; the rest of the line is not read.",
        "Close the quote on the same line.";
    INCLUDE = "K0109", "An include directive found nothing, or a file that cannot be read.",
        "Correct the path, or the rights of the file.";
    MALFORMED_MACRO = "K0110", "A definition, condition or sequence is malformed.",
        "A definition is `$NAME=value`, a condition `@ID` or `@^ID` before its line, a sequence `~SEQ(var, start, step, end)`.";
    BAD_LINE = "K0111", "A line is too long, holds a NUL, or expands without end.",
        "Split the line, save the file as UTF-8, or look for a definition that contains itself.";
    BYTE_ORDER_MARK = "K0112", "The file begins with a byte order mark.",
        "Save the file as UTF-8 without a byte order mark.";
    BLOCK_HEADER = "K0113", "A value block has words before its brace, or a block's name is missing.",
        "A named block is `KEYWORD NAME {`, one without a name `KEYWORD {`; the values follow on lines of their own.";
    UNDEFINED_NAME = "K0114", "A `$NAME` that nothing defines stays in the text as it stands.",
        "Define it before its first use, or correct its name.";
    BAD_NUMBER = "K0201", "A number that is none, or is outside the range the keyword takes.",
        "Write a number within the range that the text names.";
    BAD_WORD = "K0202", "A word that is none of those the keyword takes.",
        "Take one of the words that the text names.";
    BAD_ADDRESS = "K0203", "An address, prefix or port that cannot be read.",
        "Write IPv4 addresses with four numbers, IPv6 addresses without brackets, and a prefix length behind a `/`.";
    LONG_PASSWORD = "K0204", "A password longer than its field; only the first eight bytes count.",
        "Shorten it to eight bytes on all nodes.";
    BAD_NAME = "K0205", "A name that is too long or holds characters it must not.",
        "Choose another name; the text says what is wrong with this one.";
    BAD_SCRIPT = "K0206", "A script line that cannot be split into words, or words that will not be run.",
        "Put a command with its arguments in double quotes, close the quotes inside it, and name a user that exists.";
    BAD_OPTION = "K0207", "An unknown option of an address, route, rule, track or peer line.",
        "Take the suggestion if there is one, or remove the word; the list of keywords shows what the line takes.";
    ADJUSTED = "K0208", "The value is rounded or cut to what the protocol can carry.",
        "Write the value the text names, so that the file says what happens.";
    CONFLICT = "K0209", "Two things that contradict each other; the note says which one counts.",
        "Remove the one that is not meant.";
    NOT_SET = "K0210", "Something that must be set is not set.",
        "Add the line that the text names.";
    UNKNOWN_REFERENCE = "K0301", "A name that nothing declares, or that is declared further down.",
        "Correct the name, or declare it before it is used.";
    DUPLICATE = "K0302", "Something is declared or set twice.",
        "Remove one of them; the text says which one counts.";
    SHARED_VRID = "K0303", "Two instances share a virtual router id on one interface.",
        "Give one of the instances another `virtual_router_id`, on all nodes alike.";
    UNUSED = "K0304", "Declared, but used by nothing.",
        "Use it, or remove it.";
    MISSING_INTERFACE = "K0305", "An interface that does not exist on this host.",
        "Correct its name, or make sure that it is there when the program starts.";
    MISSING_DELAYED = "K0306", "What the original ends for: an interface that does not exist on this host is to have delays.",
        "Correct the name in `interface_up_down_delays`, or remove the line.";
    SCRIPT_SECURITY = "K0401", "Scripts run without script security.",
        "Set `enable_script_security` and a `script_user`, and let nobody but root write the scripts and the directories above them.";
    TRACK_WITHOUT_EFFECT = "K0402", "A tracker without effect, for example on an address owner.",
        "Remove it, or change what keeps it from having an effect; the text says what that is.";
    NO_FAILOVER = "K0403", "A failure of what is tracked cannot move the addresses.",
        "Choose priorities and weights so that a failure brings this node below its peer.";
    ADDRESS_ADVICE = "K0404", "An address is announced but not used as it looks.",
        "The text says what happens to the address; change the line if something else is meant.";
    EMPTY_BLOCK = "K0405", "A block without the content it needs, which is dropped.",
        "Fill the block, or remove it.";
    DEPRECATED = "K0406", "A deprecated way of writing something.",
        "Change to the form that the text names.";
    PEER_MISMATCH = "K0501", "The two nodes' files do not fit together.",
        "Make the two files agree in what the text names.";
    PEER_NO_FAILOVER = "K0502", "With both files as they are, a failure on one node does not make the other take over.",
        "Choose priorities and weights so that the failing node comes below the other one.";
    NO_EFFECT = "K0901", "Accepted, but has no effect in this program.",
        "Nothing needs to be done; the text says what happens instead.";
    PARTIAL = "K0902", "Accepted in part.",
        "The text says which part has no effect; remove it if its work is not needed.";
}
