//! `bfd_instance`.

use super::Keyword;
use super::arg::{address, boolean, int, milliseconds, one_of};

pub(super) const BFD_INSTANCE: &[Keyword] = &[
    Keyword::new("neighbor_ip", &[address()], "The other end")
        .complain("Configuration error: BFD instance {name} has malformed neighbor address {value}, ignoring instance"),
    Keyword::new("neighbour_ip", &[address()], "The other end")
        .complain("Configuration error: BFD instance {name} has malformed neighbour address {value}, ignoring instance"),
    Keyword::new("source_ip", &[address()], "Our end")
        .complain("Configuration error: BFD instance {name} has malformed source address {value}, ignoring"),
    Keyword::new("min_rx", &[milliseconds(1, 4_294_967)], "Least time between received packets")
        .complain("Configuration error: BFD instance {name} min_rx value {value} is not valid (must be in range [1-4294967]), ignoring"),
    Keyword::new("min_tx", &[milliseconds(1, 4_294_967)], "Least time between sent packets")
        .complain("Configuration error: BFD instance {name} min_tx value {value} is not valid (must be in range [1-4294967]), ignoring"),
    Keyword::new("idle_tx", &[milliseconds(1000, 4_294_967)], "Time between packets while down")
        .complain("Configuration error: BFD instance {name} idle_tx value {value} is not valid (must be in range [1000-4294967]), ignoring"),
    Keyword::new("multiplier", &[int("COUNT", 1, 255)], "Lost packets until the session is down")
        .complain("Configuration error: BFD instance {name} multiplier value {value} not valid (must be in range [1-255]), ignoring"),
    Keyword::new("passive", &[], "Do not begin"),
    Keyword::new("ttl", &[int("TTL", 1, 255)], "Hop limit of sent packets, 255 where none is given")
        .complain("Configuration error: BFD instance {name} ttl/hoplimit value {value} not valid (must be in range [1-255]), ignoring"),
    Keyword::new("hoplimit", &[int("TTL", 1, 255)], "The same")
        .complain("Configuration error: BFD instance {name} ttl/hoplimit value {value} not valid (must be in range [1-255]), ignoring"),
    Keyword::new("max_hops", &[int("COUNT", -1, 255)], "Most hops of received packets; -1 and 255 for any number")
        .complain("Configuration error: BFD instance {name} max_hops value {value} not valid (must be in range [-1-255]), ignoring"),
    Keyword::new("multihop", &[boolean().opt()], "Over several hops (RFC 5883)")
        .complain("Configuration error: BFD instance {name} multihop setting not valid - {value}"),
    Keyword::new(
        "weight",
        &[int("WEIGHT", -253, 253), one_of(&["reverse", "noreverse"]).opt()],
        "Added to the priority; 0 makes its loss a fault",
    )
    .complain("Configuration error: BFD instance {name} weight value {value} not valid (must be in range [-253-253]), ignoring")
    .complain_of_option("Configuration error: BFD instance {name} unknown weight option {value}"),
    Keyword::new("vrrp", &[], "For VRRP only"),
    Keyword::new("checker", &[], "For checkers only"),
];
