//! Unsolicited neighbour advertisement (RFC 4861 §7.2.6, RFC 9568 §8.2.2): to all nodes, from the announced address
//! itself, with Override set and the link-layer address attached.

use std::net::Ipv6Addr;

use etherparse::{EtherType, Ethernet2Header};

use super::checksum::Sum;
use super::ip::{IPV6_HEADER_LEN, ipv6_header};

const ICMPV6: u8 = 58;
const TYPE_NEIGHBOR_ADVERT: u8 = 136;
const FLAG_ROUTER: u8 = 0x80;
const FLAG_OVERRIDE: u8 = 0x20;
const OPTION_TARGET_LINK_LAYER: u8 = 2;
const MESSAGE_LEN: usize = 32;

/// Length of the frame.
pub const FRAME_LEN: usize = 14 + IPV6_HEADER_LEN + MESSAGE_LEN;

/// The whole Ethernet frame that announces an address. `router` is whether the interface forwards.
#[must_use]
pub fn unsolicited(mac: [u8; 6], address: Ipv6Addr, router: bool) -> [u8; FRAME_LEN] {
    let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let mut message = [0; MESSAGE_LEN];
    message[0] = TYPE_NEIGHBOR_ADVERT;
    message[4] = FLAG_OVERRIDE | if router { FLAG_ROUTER } else { 0 };
    message[8..24].copy_from_slice(&address.octets());
    message[24..26].copy_from_slice(&[OPTION_TARGET_LINK_LAYER, 1]);
    message[26..].copy_from_slice(&mac);
    let check = Sum::new().bytes(&message).pseudo_v6(address, all_nodes, MESSAGE_LEN, ICMPV6).finish();
    message[2..4].copy_from_slice(&check.to_be_bytes());

    // RFC 2464 §7: 33:33 and the last four bytes of the group.
    let ethernet =
        Ethernet2Header { source: mac, destination: [0x33, 0x33, 0, 0, 0, 1], ether_type: EtherType::IPV6 };
    let mut header = ipv6_header(address, all_nodes, 255, ICMPV6, MESSAGE_LEN);
    // Neighbour discovery carries no traffic class.
    header[0] = 0x60;
    header[1] = 0;
    let mut frame = [0; FRAME_LEN];
    frame[..14].copy_from_slice(&ethernet.to_bytes());
    frame[14..14 + IPV6_HEADER_LEN].copy_from_slice(&header);
    frame[14 + IPV6_HEADER_LEN..].copy_from_slice(&message);
    frame
}
