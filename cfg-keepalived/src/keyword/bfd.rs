//! `bfd_instance`.

use super::Keyword;
use super::arg::{address, boolean, int, milliseconds, one_of};

pub(super) const BFD_INSTANCE: &[Keyword] = &[
    Keyword::new("neighbor_ip", &[address()], "The other end"),
    Keyword::new("neighbour_ip", &[address()], "The other end"),
    Keyword::new("source_ip", &[address()], "Our end"),
    Keyword::new("min_rx", &[milliseconds(1, 4_294_967)], "Least time between received packets")
        .complain("Configuration error: BFD instance {name} min_rx value {value} is not valid (must be in range [1-4294967]), ignoring"),
    Keyword::new("min_tx", &[milliseconds(1, 4_294_967)], "Least time between sent packets")
        .complain("Configuration error: BFD instance {name} min_tx value {value} is not valid (must be in range [1-4294967]), ignoring"),
    Keyword::new("idle_tx", &[milliseconds(1000, 4_294_967)], "Time between packets while down")
        .complain("Configuration error: BFD instance {name} idle_tx value {value} is not valid (must be in range [1000-4294967]), ignoring"),
    Keyword::new("multiplier", &[int("COUNT", 1, 255)], "Lost packets until the session is down"),
    Keyword::new("passive", &[], "Do not begin"),
    Keyword::new("ttl", &[int("TTL", 1, 255)], "Hop limit"),
    Keyword::new("hoplimit", &[int("TTL", 1, 255)], "Hop limit"),
    Keyword::new("max_hops", &[int("COUNT", -1, 255)], "Most hops of received packets"),
    Keyword::new("multihop", &[boolean().opt()], "RFC 5883"),
    Keyword::new(
        "weight",
        &[int("WEIGHT", -253, 253), one_of(&["reverse", "noreverse"]).opt()],
        "Added to the priority",
    ),
    Keyword::new("vrrp", &[], "For VRRP only"),
    Keyword::new("checker", &[], "For checkers only"),
];
