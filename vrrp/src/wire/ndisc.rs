//! Neighbour discovery. The announcement is an unsolicited neighbour advertisement (RFC 4861 §7.2.6, RFC 9568 §8.2.2): to
//! all nodes, from the announced address itself, with Override set and the link-layer address attached. The question who else
//! has an address is a neighbour solicitation.

use std::net::Ipv6Addr;

use etherparse::{EtherType, Ethernet2Header};

use super::checksum::Sum;
use super::ip::{IPV6_HEADER_LEN, ipv6_header};

const ICMPV6: u8 = 58;
const TYPE_NEIGHBOR_SOLICITATION: u8 = 135;
const TYPE_NEIGHBOR_ADVERT: u8 = 136;
const FLAG_ROUTER: u8 = 0x80;
const FLAG_OVERRIDE: u8 = 0x20;
const OPTION_SOURCE_LINK_LAYER: u8 = 1;
const OPTION_TARGET_LINK_LAYER: u8 = 2;
const MESSAGE_LEN: usize = 32;

/// Length of the frame.
pub const FRAME_LEN: usize = 14 + IPV6_HEADER_LEN + MESSAGE_LEN;

/// The whole Ethernet frame that announces an address. `router` is whether the interface forwards.
#[must_use]
pub fn unsolicited(mac: [u8; 6], address: Ipv6Addr, router: bool) -> [u8; FRAME_LEN] {
    let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let flags = FLAG_OVERRIDE | if router { FLAG_ROUTER } else { 0 };
    let head = [TYPE_NEIGHBOR_ADVERT, flags, OPTION_TARGET_LINK_LAYER];
    frame(mac, (address, all_nodes), address, head)
}

/// The whole Ethernet frame that asks who has an address (RFC 4861 §7.2.2): to the group that those alone listen to whose
/// addresses end alike. The answer goes to `source`, which must be an address of the asker: a question without one would be
/// answered to everybody, and lead everybody there.
#[must_use]
pub fn solicitation(mac: [u8; 6], source: Ipv6Addr, address: Ipv6Addr) -> [u8; FRAME_LEN] {
    let [.., high, low] = address.segments();
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | (high & 0xff), low);
    frame(mac, (source, group), address, [TYPE_NEIGHBOR_SOLICITATION, 0, OPTION_SOURCE_LINK_LAYER])
}

/// The address and the machine a neighbour advertisement speaks for.
#[must_use]
pub fn claim(frame: &[u8]) -> Option<(Ipv6Addr, [u8; 6])> {
    let (ethernet, rest) = frame.split_first_chunk::<14>()?;
    let (header, message) = rest.split_first_chunk::<IPV6_HEADER_LEN>()?;
    // What comes through a router has a lower hop limit (RFC 4861 §7.1.2).
    if ethernet[12..] != [0x86, 0xdd] || header[6..8] != [ICMPV6, 255] || message.len() < 24 {
        return None;
    }
    let target = Ipv6Addr::from(*message[8..].first_chunk::<16>()?);
    if message[..2] != [TYPE_NEIGHBOR_ADVERT, 0] || target.is_multicast() || target.is_unspecified() {
        return None;
    }
    let mut mac = [0; 6];
    match message[24..] {
        [OPTION_TARGET_LINK_LAYER, 1, ..] if message.len() >= MESSAGE_LEN => {
            mac.copy_from_slice(&message[26..32]);
        }
        _ => mac.copy_from_slice(&ethernet[6..12]),
    }
    Some((target, mac))
}

/// A frame about `target`, with type, flags and kind of the option given.
fn frame(
    mac: [u8; 6],
    (source, destination): (Ipv6Addr, Ipv6Addr),
    target: Ipv6Addr,
    [kind, flags, option]: [u8; 3],
) -> [u8; FRAME_LEN] {
    let mut message = [0; MESSAGE_LEN];
    message[0] = kind;
    message[4] = flags;
    message[8..24].copy_from_slice(&target.octets());
    message[24..26].copy_from_slice(&[option, 1]);
    message[26..].copy_from_slice(&mac);
    let check = Sum::new().bytes(&message).pseudo_v6(source, destination, MESSAGE_LEN, ICMPV6).finish();
    message[2..4].copy_from_slice(&check.to_be_bytes());

    // RFC 2464 §7: 33:33 and the last four bytes of the group.
    let [.., a, b, c, d] = destination.octets();
    let ethernet =
        Ethernet2Header { source: mac, destination: [0x33, 0x33, a, b, c, d], ether_type: EtherType::IPV6 };
    let mut header = ipv6_header(source, destination, 255, ICMPV6, MESSAGE_LEN);
    // Neighbour discovery carries no traffic class.
    header[0] = 0x60;
    header[1] = 0;
    let mut frame = [0; FRAME_LEN];
    frame[..14].copy_from_slice(&ethernet.to_bytes());
    frame[14..14 + IPV6_HEADER_LEN].copy_from_slice(&header);
    frame[14 + IPV6_HEADER_LEN..].copy_from_slice(&message);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIP: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0x12, 0x3456);
    const OWN: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];

    #[test]
    fn a_question_goes_to_those_who_have_the_address_and_is_answered_to_the_asker() {
        let frame = solicitation(MAC, OWN, VIP);
        assert_eq!(frame[..6], [0x33, 0x33, 0xff, 0x12, 0x34, 0x56]);
        assert_eq!(frame[22..38], OWN.octets());
        assert_eq!(frame[38..54], Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff12, 0x3456).octets());
        assert_eq!((frame[54], frame[78], frame[79]), (135, 1, 1));
        let group = Ipv6Addr::from(*frame[38..].first_chunk::<16>().unwrap());
        assert_eq!(Sum::new().bytes(&frame[54..]).pseudo_v6(OWN, group, 32, 58).finish(), 0);
        assert_eq!(claim(&frame), None);
    }

    #[test]
    fn advertisements_are_claims_and_nothing_else_is() {
        let whole = unsolicited(MAC, VIP, false);
        assert_eq!(claim(&whole), Some((VIP, MAC)));
        for cut in 0..78 {
            assert_eq!(claim(&whole[..cut]), None, "{cut}");
        }
        // Without the option the frame itself says who sent it.
        assert_eq!(claim(&whole[..78]), Some((VIP, MAC)));
        for (at, value) in [(13, 0), (20, 17), (21, 254), (54, 135), (55, 1), (62, 0xff)] {
            let mut wrong = whole;
            wrong[at] = value;
            assert_eq!(claim(&wrong), None, "byte {at}");
        }
    }
}
