//! The stable codes of this dialect's diagnostics.
//!
//! K01xx structure · K02xx values · K03xx references and duplicates · K04xx meaning of the whole ·
//! K05xx comparison with a peer · K09xx accepted without effect.

use lb_core::diag::Code;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: Code = Code::new($code);)+

        /// Every code with the paragraph that explains it.
        pub const ALL: &[(Code, &str)] = &[$(($name, concat!($($doc),+))),+];
    };
}

codes! {
    /// A block's opening brace is missing; the block is read as if it stood there.
    MISSING_OPEN = "K0101";
    /// A block is not closed; it is closed where its content plainly ends.
    MISSING_CLOSE = "K0102";
    /// A closing brace closes nothing and is ignored.
    EXTRA_CLOSE = "K0103";
    /// An opening brace stands where no block begins; its content is read as if the braces were not there.
    UNEXPECTED_OPEN = "K0104";
    /// A keyword that does not exist in this block; it is ignored together with its block, if it has one.
    UNKNOWN_KEYWORD = "K0105";
    /// A keyword lacks a value. The original refuses the whole configuration.
    MISSING_VALUE = "K0106";
    /// Words after the last one a keyword takes; they are ignored.
    EXTRA_WORDS = "K0107";
    /// A double quote is not closed on its line; the rest of the line is not read.
    OPEN_QUOTE = "K0108";
    /// An include directive found nothing, or a file that cannot be read.
    INCLUDE = "K0109";
    /// A definition, condition or sequence is malformed.
    MALFORMED_MACRO = "K0110";
    /// A line is too long, holds a NUL, or expands without end.
    BAD_LINE = "K0111";
    /// The file begins with a byte order mark.
    BYTE_ORDER_MARK = "K0112";
    /// A value block has words before its brace, or a block's name is missing.
    BLOCK_HEADER = "K0113";
    /// A `$NAME` that nothing defines stays in the text as it stands.
    UNDEFINED_NAME = "K0114";
    /// A number that is none, or is outside the range the keyword takes.
    BAD_NUMBER = "K0201";
    /// A word that is none of those the keyword takes.
    BAD_WORD = "K0202";
    /// An address, prefix or port that cannot be read.
    BAD_ADDRESS = "K0203";
    /// A password longer than its field; only the first eight bytes count.
    LONG_PASSWORD = "K0204";
    /// A name that is too long or holds characters it must not.
    BAD_NAME = "K0205";
    /// A script line that cannot be split into words, or words that will not be run.
    BAD_SCRIPT = "K0206";
    /// An unknown option of an address, route, rule, track or peer line.
    BAD_OPTION = "K0207";
    /// The value is rounded or cut to what the protocol can carry.
    ADJUSTED = "K0208";
    /// Two things that contradict each other; the note says which one counts.
    CONFLICT = "K0209";
    /// Something that must be set is not set.
    NOT_SET = "K0210";
    /// A name that nothing declares, or that is declared further down.
    UNKNOWN_REFERENCE = "K0301";
    /// Something is declared or set twice.
    DUPLICATE = "K0302";
    /// Two instances share a virtual router id on one interface.
    SHARED_VRID = "K0303";
    /// Declared, but used by nothing.
    UNUSED = "K0304";
    /// An interface that does not exist on this host.
    MISSING_INTERFACE = "K0305";
    /// What the original ends for: an interface that does not exist on this host is to have delays.
    MISSING_DELAYED = "K0306";
    /// Scripts run without script security.
    SCRIPT_SECURITY = "K0401";
    /// A tracker without effect, for example on an address owner.
    TRACK_WITHOUT_EFFECT = "K0402";
    /// A failure of what is tracked cannot move the addresses.
    NO_FAILOVER = "K0403";
    /// An address is announced but not used as it looks.
    ADDRESS_ADVICE = "K0404";
    /// A block without the content it needs, which is dropped.
    EMPTY_BLOCK = "K0405";
    /// A deprecated way of writing something.
    DEPRECATED = "K0406";
    /// The two nodes' files do not fit together.
    PEER_MISMATCH = "K0501";
    /// With both files as they are, a failure on one node does not make the other take over.
    PEER_NO_FAILOVER = "K0502";
    /// Accepted, but has no effect in this program.
    NO_EFFECT = "K0901";
    /// Accepted in part.
    PARTIAL = "K0902";
}
