//! Gratuitous ARP, in the form keepalived uses because it refreshes the most caches: a broadcast *request* whose
//! sender and target address are the announced one and whose target hardware address is broadcast, too.

use std::net::Ipv4Addr;

use etherparse::{ArpEthIpv4Packet, ArpOperation, ArpPacket, EtherType, Ethernet2Header};

/// Length of the frame.
pub const FRAME_LEN: usize = 42;

/// The whole Ethernet frame that announces an address.
#[must_use]
pub fn gratuitous(mac: [u8; 6], address: Ipv4Addr) -> [u8; FRAME_LEN] {
    request([0xff; 6], mac, address, ([0xff; 6], address))
}

/// The whole Ethernet frame that asks the routers of a group who answers for an address, without naming the asker's own
/// address, so that nobody learns anything wrong from it (RFC 5227 §1.1). It is sent to the group's hardware address: other
/// machines do not even receive it.
#[must_use]
pub fn probe(mac: [u8; 6], address: Ipv4Addr, group: Ipv4Addr) -> [u8; FRAME_LEN] {
    let [_, b, c, d] = group.octets();
    // RFC 1112 §6.4
    probe_one([0x01, 0x00, 0x5e, b & 0x7f, c, d], mac, address)
}

/// The same question to one machine alone, or to all.
#[must_use]
pub fn probe_one(destination: [u8; 6], mac: [u8; 6], address: Ipv4Addr) -> [u8; FRAME_LEN] {
    request(destination, mac, Ipv4Addr::UNSPECIFIED, ([0; 6], address))
}

/// A request to `destination` from `mac`, which speaks as `sender`, about `target`.
fn request(
    destination: [u8; 6],
    mac: [u8; 6],
    sender: Ipv4Addr,
    target: ([u8; 6], Ipv4Addr),
) -> [u8; FRAME_LEN] {
    let ethernet = Ethernet2Header { source: mac, destination, ether_type: EtherType::ARP };
    let arp = ArpPacket::from(ArpEthIpv4Packet {
        operation: ArpOperation::REQUEST,
        sender_mac: mac,
        sender_ipv4: sender.octets(),
        target_mac: target.0,
        target_ipv4: target.1.octets(),
    });
    let mut frame = [0; FRAME_LEN];
    frame[..14].copy_from_slice(&ethernet.to_bytes());
    frame[14..].copy_from_slice(&arp.to_bytes());
    frame
}

/// The address and the machine an ARP frame speaks for: that of a reply, or of an announcement.
#[must_use]
pub fn claim(frame: &[u8]) -> Option<(Ipv4Addr, [u8; 6])> {
    let frame = frame.first_chunk::<FRAME_LEN>()?;
    // Ethernet and IPv4.
    if frame[12..20] != [0x08, 0x06, 0, 1, 0x08, 0, 6, 4] {
        return None;
    }
    let mut mac = [0; 6];
    mac.copy_from_slice(&frame[22..28]);
    let address = |at: usize| Ipv4Addr::new(frame[at], frame[at + 1], frame[at + 2], frame[at + 3]);
    let (sender, target) = (address(28), address(38));
    let speaks = match frame[20..22] {
        [0, 1] => sender == target,
        [0, 2] => true,
        _ => false,
    };
    (speaks && !sender.is_unspecified()).then_some((sender, mac))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_goes_to_the_group_and_names_nobody() {
        let frame = probe([2, 0, 0, 0, 0, 1], Ipv4Addr::new(10, 0, 10, 3), Ipv4Addr::new(224, 0, 0, 18));
        assert_eq!(frame[..6], [0x01, 0, 0x5e, 0, 0, 18]);
        assert_eq!(frame[28..], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 10, 3]);
        assert_eq!(claim(&frame), None);
    }

    #[test]
    fn replies_and_announcements_are_claims_and_nothing_else_is() {
        let address = Ipv4Addr::new(10, 0, 10, 3);
        let mac = [2, 0, 0, 0, 0, 9];
        let mut frame = gratuitous(mac, address);
        assert_eq!(claim(&frame), Some((address, mac)));
        frame[41] = 4; // somebody with our address asks for another one
        assert_eq!(claim(&frame), None);
        frame[21] = 2;
        assert_eq!(claim(&frame), Some((address, mac)));
        frame[28..32].fill(0);
        assert_eq!(claim(&frame), None);
        assert_eq!(claim(&frame[..41]), None);
        frame[18] = 8;
        assert_eq!(claim(&frame), None);
    }

    #[test]
    fn the_frame_is_a_request_to_everybody() {
        let frame = gratuitous([2, 0, 0, 0, 0, 1], Ipv4Addr::new(10, 0, 10, 3));
        let expected = [
            &[0xff; 6][..],
            &[2, 0, 0, 0, 0, 1, 0x08, 0x06],
            &[0, 1, 0x08, 0, 6, 4, 0, 1],
            &[2, 0, 0, 0, 0, 1, 10, 0, 10, 3],
            &[0xff; 6],
            &[10, 0, 10, 3],
        ]
        .concat();
        assert_eq!(frame.as_slice(), expected);
    }
}
