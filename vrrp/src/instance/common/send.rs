//! Adverts on their way out.

use std::net::IpAddr;

use super::{Core, Cx};
use crate::advert;
use crate::event::{Output, Transmit};
use crate::spec::{Auth, Transport, Version};
use crate::wire::{self, PRIORITY_STOP, ah, ip};

/// How far the sequence number of authentication headers jumps when a mastership is taken up again. What was remembered is as
/// old as the last change of state, and a number that was used already would be refused: this covers half a year of adverts.
const SEQUENCE_JUMP: u32 = 1 << 24;

impl Core {
    /// The last sequence number sent or heard.
    pub(crate) fn sequence(&self) -> u32 {
        self.sequence
    }

    /// Goes on after a sequence number that a former run of this process had reached.
    pub(crate) fn resume_sequence(&mut self, last: u32) {
        if last > 0 {
            self.sequence = last.saturating_add(SEQUENCE_JUMP);
        }
    }

    /// Sends an advert of priority zero, which tells that this master stops.
    pub(crate) fn send_stop(&mut self, cx: &mut Cx<'_>) {
        self.send_advert(cx, PRIORITY_STOP);
        self.detail(cx, "sent 0 priority");
    }

    pub(crate) fn send_advert(&mut self, cx: &mut Cx<'_>, priority: u8) {
        let Some(source) = self.source else { return };
        self.stats.adverts_sent += 1;
        if priority == PRIORITY_STOP {
            self.stats.priority_zero_sent += 1;
        }
        let spec = self.spec.clone();
        match &spec.transport {
            Transport::Multicast { group } => self.transmit(cx, source, *group, priority, wire::TTL),
            Transport::Unicast { peers, ttl, .. } => {
                for peer in peers {
                    self.transmit(cx, source, peer.address, priority, ttl.unwrap_or(wire::TTL));
                }
            }
        }
    }

    fn transmit(&mut self, cx: &mut Cx<'_>, source: IpAddr, destination: IpAddr, priority: u8, ttl: u8) {
        let payload = self.payload(source, destination, priority);
        let mut protocol = wire::PROTOCOL;
        let (header, payload) = match (source, destination) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                self.ip_id = self.ip_id.wrapping_add(1);
                if let Auth::Ah(key) = &self.spec.auth {
                    self.sequence = self.sequence.wrapping_add(1);
                    protocol = wire::PROTOCOL_AH;
                    let unicast = self.spec.transport.is_unicast();
                    let numbers = (ttl, self.ip_id, self.sequence);
                    let mut packet = ah::seal(key.bytes(), (from, to), numbers, unicast, &payload);
                    let payload = packet.split_off(ip::IPV4_HEADER_LEN);
                    (packet, payload)
                } else {
                    (ip::ipv4_header(from, to, (ttl, protocol, self.ip_id), payload.len()), payload)
                }
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                (ip::ipv6_header(from, to, ttl, protocol, payload.len()), payload)
            }
            // Refused when the specification was checked.
            _ => return,
        };
        let payload_offset = header.len();
        cx.out.push(Output::Transmit(Transmit {
            instance: self.spec.name.clone(),
            interface: self.spec.wire_interface().cloned(),
            source,
            destination,
            ttl,
            tos: wire::TOS,
            protocol,
            packet: [header, payload].concat(),
            payload_offset,
        }));
    }

    fn payload(&self, source: IpAddr, destination: IpAddr, priority: u8) -> Vec<u8> {
        let spec = &self.spec;
        let addresses = &self.advertised();
        let mut payload = Vec::new();
        match spec.version {
            Version::V2 => {
                let auth_data = match &spec.auth {
                    Auth::Pass(password) => *password.bytes(),
                    Auth::None | Auth::Ah(_) => [0; 8],
                };
                wire::v2::Repr {
                    vrid: spec.vrid,
                    priority,
                    auth_type: advert::auth_type(&spec.auth),
                    interval: u8::try_from(spec.advert_interval.secs()).unwrap_or(u8::MAX),
                    addresses,
                    auth_data,
                }
                .emit(spec.ipv6.then_some((source, destination)), &mut payload);
            }
            Version::V3 => {
                let pseudo = advert::sends_pseudo_header(spec).then(|| match &spec.transport {
                    Transport::Unicast { old_checksum: true, .. } if !spec.ipv6 => {
                        (source, IpAddr::from([224, 0, 0, 18]))
                    }
                    _ => (source, destination),
                });
                wire::v3::Repr {
                    vrid: spec.vrid,
                    priority,
                    interval: spec.advert_interval.centis(),
                    addresses,
                }
                .emit(pseudo, &mut payload);
            }
        }
        payload
    }
}
