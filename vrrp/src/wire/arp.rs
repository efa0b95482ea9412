//! Gratuitous ARP, in the form keepalived uses because it refreshes the most caches: a broadcast *request* whose
//! sender and target address are the announced one and whose target hardware address is broadcast, too.

use std::net::Ipv4Addr;

use etherparse::{ArpEthIpv4Packet, ArpOperation, ArpPacket, EtherType, Ethernet2Header};

/// Length of the frame.
pub const FRAME_LEN: usize = 42;

/// The whole Ethernet frame that announces an address.
#[must_use]
pub fn gratuitous(mac: [u8; 6], address: Ipv4Addr) -> [u8; FRAME_LEN] {
    let ethernet = Ethernet2Header { source: mac, destination: [0xff; 6], ether_type: EtherType::ARP };
    let arp = ArpPacket::from(ArpEthIpv4Packet {
        operation: ArpOperation::REQUEST,
        sender_mac: mac,
        sender_ipv4: address.octets(),
        target_mac: [0xff; 6],
        target_ipv4: address.octets(),
    });
    let mut frame = [0; FRAME_LEN];
    frame[..14].copy_from_slice(&ethernet.to_bytes());
    frame[14..].copy_from_slice(&arp.to_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

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
