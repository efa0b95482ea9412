//! The acceptance tests of a received advertisement, one reason each.
//!
//! The order is keepalived's, so that the same wrong packet is told about in the same words. A rejected packet
//! changes nothing but a counter: above all it touches no timer.

use std::net::IpAddr;

use crate::event::Datagram;
use crate::spec::{AdvertInterval, Auth, ChecksumV3, Instance, Transport, Version};
use crate::wire::checksum::Sum;
use crate::wire::v2::auth;
use crate::wire::{self, Packet, TYPE_ADVERTISEMENT, ah};

/// Smallest Ethernet payload. A shorter packet may arrive with padding that its IP header counts in.
const ETHERNET_MIN_PAYLOAD: usize = 46;
const IPV4_HEADER_LEN: usize = 20;

/// An advert that passed every test.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Advert {
    /// The sender.
    pub source: IpAddr,
    /// Its priority; zero when it stops.
    pub priority: u8,
    /// Time between its adverts.
    pub interval: AdvertInterval,
    /// Its addresses are not the ones configured here. Told once and honoured, unless conformance is strict.
    pub address_mismatch: Option<AddressMismatch>,
    /// Sequence number of its authentication header.
    pub sequence: Option<u32>,
}

/// How the addresses of an advert differ from the configured ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressMismatch {
    /// There are more or fewer.
    #[non_exhaustive]
    Count {
        /// Addresses configured here.
        ours: usize,
        /// Addresses in the advert.
        theirs: usize,
    },
    /// This one of ours is not among them.
    Missing(IpAddr),
}

/// Why an advert was rejected: one variant per rule broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum AdvertReject {
    /// IPv6 sender on an IPv4 instance or the reverse.
    WrongFamily,
    /// Neither VRRP nor an authentication header.
    WrongProtocol,
    /// Sent in the clear although an authentication header is required.
    AuthHeaderMissing,
    /// Sent with an authentication header although none is expected.
    AuthHeaderUnexpected,
    /// Shorter than the fixed part of a packet.
    Truncated,
    /// Another length than version and number of addresses demand.
    WrongLength,
    /// A hop limit below 255: it came through a router (RFC 9568 §7.1).
    TtlNot255,
    /// Another version of the protocol.
    WrongVersion,
    /// An authentication type that does not exist.
    UnknownAuthType,
    /// Another authentication type than the configured one.
    WrongAuthType,
    /// Another password.
    WrongPassword,
    /// An authentication header that does not verify.
    BadAuthHeader,
    /// An authentication header seen before.
    ReplayedAuthHeader,
    /// Version 2: another interval than the configured one (RFC 3768 §7.1).
    IntervalMismatch,
    /// Version 3: no interval at all, which would leave no time to speak.
    IntervalZero,
    /// Not an advertisement.
    NotAdvertisement,
    /// The IP header promises another length than arrived.
    IpLengthMismatch,
    /// The checksum is wrong.
    BadChecksum,
    /// Unicast on a multicast instance.
    ExpectedMulticast,
    /// Multicast on a unicast instance.
    ExpectedUnicast,
    /// We own the addresses and ignore everybody else.
    OwnerIgnores,
    /// Strict conformance: the addresses are not ours.
    AddressListMismatch,
    /// Unicast from somebody who is no peer.
    UnknownPeer,
    /// A hop limit outside the bounds set for this peer.
    TtlOutOfRange,
}

impl AdvertReject {
    /// All reasons, in the order of their counters.
    pub const ALL: [Self; 24] = [
        Self::WrongFamily,
        Self::WrongProtocol,
        Self::AuthHeaderMissing,
        Self::AuthHeaderUnexpected,
        Self::Truncated,
        Self::WrongLength,
        Self::TtlNot255,
        Self::WrongVersion,
        Self::UnknownAuthType,
        Self::WrongAuthType,
        Self::WrongPassword,
        Self::BadAuthHeader,
        Self::ReplayedAuthHeader,
        Self::IntervalMismatch,
        Self::IntervalZero,
        Self::NotAdvertisement,
        Self::IpLengthMismatch,
        Self::BadChecksum,
        Self::ExpectedMulticast,
        Self::ExpectedUnicast,
        Self::OwnerIgnores,
        Self::AddressListMismatch,
        Self::UnknownPeer,
        Self::TtlOutOfRange,
    ];

    /// The word for logs and dumps.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::WrongFamily => "wrong-family",
            Self::WrongProtocol => "wrong-protocol",
            Self::AuthHeaderMissing => "auth-header-missing",
            Self::AuthHeaderUnexpected => "auth-header-unexpected",
            Self::Truncated => "truncated",
            Self::WrongLength => "wrong-length",
            Self::TtlNot255 => "ttl-not-255",
            Self::WrongVersion => "wrong-version",
            Self::UnknownAuthType => "unknown-auth-type",
            Self::WrongAuthType => "wrong-auth-type",
            Self::WrongPassword => "wrong-password",
            Self::BadAuthHeader => "bad-auth-header",
            Self::ReplayedAuthHeader => "replayed-auth-header",
            Self::IntervalMismatch => "interval-mismatch",
            Self::IntervalZero => "interval-zero",
            Self::NotAdvertisement => "not-advertisement",
            Self::IpLengthMismatch => "ip-length-mismatch",
            Self::BadChecksum => "bad-checksum",
            Self::ExpectedMulticast => "expected-multicast",
            Self::ExpectedUnicast => "expected-unicast",
            Self::OwnerIgnores => "owner-ignores",
            Self::AddressListMismatch => "address-list-mismatch",
            Self::UnknownPeer => "unknown-peer",
            Self::TtlOutOfRange => "ttl-out-of-range",
        }
    }
}

/// A rejection with what the log says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// The reason.
    pub reason: AdvertReject,
    /// The log line, without the name of the instance.
    pub text: String,
}

/// Puts a datagram through every test an instance demands. `advertised` are the addresses of its own adverts,
/// `last_sequence` the highest sequence number its peers' authentication headers had so far.
///
/// # Errors
///
/// The first rule the packet breaks.
pub fn check(
    spec: &Instance,
    advertised: &[IpAddr],
    last_sequence: u32,
    datagram: &Datagram,
) -> Result<Advert, Rejection> {
    let checked = Check { spec, datagram, source: datagram.source };
    let (payload, sequence) = checked.unwrap_auth_header(last_sequence)?;
    let packet = checked.lengths(payload)?;
    checked.header(&packet)?;
    let interval = checked.interval(&packet)?;
    checked.body(&packet)?;
    checked.transport()?;
    let address_mismatch = checked.addresses(&packet, advertised)?;
    checked.peer()?;
    Ok(Advert { source: datagram.source, priority: packet.priority(), interval, address_mismatch, sequence })
}

/// The virtual router a datagram speaks for, before anything else is known about it.
#[must_use]
pub fn vrid(datagram: &Datagram) -> Option<u8> {
    let skip = if datagram.protocol == wire::PROTOCOL_AH { ah::HEADER_LEN } else { 0 };
    datagram.payload.get(skip + 1).copied()
}

struct Check<'a> {
    spec: &'a Instance,
    datagram: &'a Datagram,
    source: IpAddr,
}

impl<'a> Check<'a> {
    /// Strips and verifies the authentication header.
    fn unwrap_auth_header(&self, last_sequence: u32) -> Result<(&'a [u8], Option<u32>), Rejection> {
        let source = self.source;
        if source.is_ipv6() != self.spec.ipv6 {
            return self.reject(AdvertReject::WrongFamily, format!("wrong address family from {source}"));
        }
        let declared = self.datagram.declared_len.min(self.datagram.payload.len());
        let payload = &self.datagram.payload[..declared];
        match (self.datagram.protocol, &self.spec.auth) {
            (wire::PROTOCOL, Auth::Ah(_)) => self.reject(
                AdvertReject::AuthHeaderMissing,
                format!("No AH header but auth type is AH from {source}"),
            ),
            (wire::PROTOCOL, _) => Ok((payload, None)),
            (wire::PROTOCOL_AH, Auth::Ah(key)) => {
                let unicast = self.spec.transport.is_unicast();
                match ah::open(key.bytes(), &self.datagram.ip_header, payload, unicast) {
                    None => self.reject(
                        AdvertReject::BadAuthHeader,
                        "IPSEC-AH : invalid IPSEC HMAC-MD5 value. Due to fields mutation or bad password !".into(),
                    ),
                    Some(opened) if opened.sequence <= last_sequence => self.reject(
                        AdvertReject::ReplayedAuthHeader,
                        format!(
                            "IPSEC-AH : sequence number {} already processed. Packet dropped. Local({last_sequence})",
                            opened.sequence
                        ),
                    ),
                    Some(opened) => Ok((opened.advert, Some(opened.sequence))),
                }
            }
            (wire::PROTOCOL_AH, _) => self.reject(
                AdvertReject::AuthHeaderUnexpected,
                format!("Received AH header but auth type not AH from {source}"),
            ),
            (protocol, _) => self
                .reject(AdvertReject::WrongProtocol, format!("wrong IP protocol {protocol} from {source}")),
        }
    }

    fn lengths(&self, payload: &'a [u8]) -> Result<Packet<'a>, Rejection> {
        let source = self.source;
        let Some(packet) = Packet::new(payload, self.spec.ipv6) else {
            return self.reject(
                AdvertReject::Truncated,
                format!(
                    "vrrp packet from {source} too short, length {} and expect {}",
                    payload.len(),
                    wire::HEADER_LEN
                ),
            );
        };
        let expected = packet.expected_len();
        let padded = !self.spec.ipv6
            && payload.len() > expected
            && IPV4_HEADER_LEN + payload.len() <= ETHERNET_MIN_PAYLOAD;
        if payload.len() != expected && !padded {
            let much = if payload.len() > expected { "long" } else { "short" };
            return self.reject(
                AdvertReject::WrongLength,
                format!(
                    "vrrp packet from {source} too {much}, length {} and expect {expected}",
                    payload.len()
                ),
            );
        }
        Ok(packet)
    }

    fn header(&self, packet: &Packet<'_>) -> Result<(), Rejection> {
        let source = self.source;
        if let Some(ttl) = self.datagram.ttl
            && ttl != wire::TTL
            && !self.spec.transport.is_unicast()
        {
            return self.reject(
                AdvertReject::TtlNot255,
                format!("invalid TTL/HL from {source}. Received {ttl} and expect {}", wire::TTL),
            );
        }
        let ours = self.spec.version.number();
        if packet.version() != ours {
            return self.reject(
                AdvertReject::WrongVersion,
                format!("wrong VRRP version from {source}. Received {} and expect {ours}", packet.version()),
            );
        }
        if self.spec.version == Version::V2 { self.authentication(packet) } else { Ok(()) }
    }

    fn authentication(&self, packet: &Packet<'_>) -> Result<(), Rejection> {
        let source = self.source;
        let theirs = packet.auth_type();
        if theirs > auth::AH {
            return self
                .reject(AdvertReject::UnknownAuthType, format!("Invalid auth type from {source}: {theirs}"));
        }
        let ours = auth_type(&self.spec.auth);
        if theirs != ours {
            return self.reject(
                AdvertReject::WrongAuthType,
                format!("received a {theirs} auth from {source}, expecting {ours}!"),
            );
        }
        match (&self.spec.auth, packet.auth_data()) {
            (Auth::Pass(password), Some(data)) if !password.matches(&data) => {
                self.reject(AdvertReject::WrongPassword, format!("received an invalid passwd from {source}!"))
            }
            _ => Ok(()),
        }
    }

    fn interval(&self, packet: &Packet<'_>) -> Result<AdvertInterval, Rejection> {
        let source = self.source;
        match self.spec.version {
            Version::V2 => {
                let (ours, theirs) = (self.spec.advert_interval.secs(), packet.interval_secs());
                if ours != u16::from(theirs) {
                    return self.reject(
                        AdvertReject::IntervalMismatch,
                        format!(
                            "advertisement interval mismatch with {source} mine={ours} sec rcv'd={theirs} sec"
                        ),
                    );
                }
                Ok(AdvertInterval::from_secs(theirs))
            }
            Version::V3 => match packet.interval_centis() {
                0 => self.reject(
                    AdvertReject::IntervalZero,
                    format!("advertisement interval of zero from {source}"),
                ),
                centis => Ok(AdvertInterval::from_centis(centis)),
            },
        }
    }

    fn body(&self, packet: &Packet<'_>) -> Result<(), Rejection> {
        let source = self.source;
        if packet.kind() != TYPE_ADVERTISEMENT {
            return self.reject(
                AdvertReject::NotAdvertisement,
                format!(
                    "Invalid packet type from {source}. {} and expect {TYPE_ADVERTISEMENT}",
                    packet.kind()
                ),
            );
        }
        // More bytes than the IP header admits are padding below IP and were cut off above; fewer are a lie.
        let (declared, received) = (self.datagram.declared_len, self.datagram.payload.len());
        if declared > received {
            return self.reject(
                AdvertReject::IpLengthMismatch,
                format!("ip_tot_len mismatch against received length from {source}. {declared} and received {received}"),
            );
        }
        if !self.checksum_holds(packet) {
            let version = packet.version();
            return self
                .reject(AdvertReject::BadChecksum, format!("Invalid VRRPv{version} checksum from {source}"));
        }
        Ok(())
    }

    /// Version 3 over IPv4 is summed with a pseudo-header by some and without by others; both are understood.
    fn checksum_holds(&self, packet: &Packet<'_>) -> bool {
        let plain = Sum::new().bytes(packet.covered());
        if self.spec.version == Version::V2 && !self.spec.ipv6 {
            return plain.finish() == 0;
        }
        let len = packet.covered().len();
        let with = |destination| plain.pseudo(self.source, destination, len).finish() == 0;
        if with(self.datagram.destination) {
            return true;
        }
        if self.spec.ipv6 {
            return false;
        }
        // Old keepalived sums unicast up as if it went to the group.
        plain.finish() == 0 || (self.spec.transport.is_unicast() && with(IpAddr::from([224, 0, 0, 18])))
    }

    fn transport(&self) -> Result<(), Rejection> {
        let source = self.source;
        match (&self.spec.transport, self.datagram.destination.is_multicast()) {
            (Transport::Multicast { .. }, false) => self.reject(
                AdvertReject::ExpectedMulticast,
                format!("Expected multicast packet but received unicast packet from {source}"),
            ),
            (Transport::Unicast { .. }, true) => self.reject(
                AdvertReject::ExpectedUnicast,
                format!("Expected unicast packet but received multicast packet from {source}"),
            ),
            _ if self.spec.is_owner() && self.spec.owner_ignore_adverts => self.reject(
                AdvertReject::OwnerIgnores,
                format!("Dropping packet(s) from {source} since we are address owner"),
            ),
            _ => Ok(()),
        }
    }

    fn addresses(
        &self,
        packet: &Packet<'_>,
        advertised: &[IpAddr],
    ) -> Result<Option<AddressMismatch>, Rejection> {
        if self.spec.skip_check_adv_addr && !self.spec.strict {
            return Ok(None);
        }
        let (ours, theirs) = (advertised.len(), usize::from(packet.count()));
        let mismatch = if ours != theirs {
            Some(AddressMismatch::Count { ours, theirs })
        } else {
            let theirs: Vec<IpAddr> = packet.addresses().collect();
            advertised.iter().find(|address| !theirs.contains(address)).copied().map(AddressMismatch::Missing)
        };
        match mismatch {
            Some(mismatch) if self.spec.strict => {
                self.reject(AdvertReject::AddressListMismatch, mismatch.text(self.spec.vrid, self.source))
            }
            mismatch => Ok(mismatch),
        }
    }

    fn peer(&self) -> Result<(), Rejection> {
        let Transport::Unicast { peers, check_source, .. } = &self.spec.transport else {
            return Ok(());
        };
        let source = self.source;
        let Some(peer) = peers.iter().find(|peer| peer.address == source) else {
            return if *check_source {
                self.reject(
                    AdvertReject::UnknownPeer,
                    format!("unicast source address {source} not a unicast peer"),
                )
            } else {
                Ok(())
            };
        };
        let (low, high) = (peer.min_ttl.unwrap_or(0), peer.max_ttl.unwrap_or(u8::MAX));
        match self.datagram.ttl {
            Some(ttl) if !(low..=high).contains(&ttl) => self.reject(
                AdvertReject::TtlOutOfRange,
                format!("TTL/HL {ttl} from {source} outside [{low}, {high}]"),
            ),
            _ => Ok(()),
        }
    }

    #[expect(clippy::unused_self, reason = "keeps the call sites short")]
    fn reject<T>(&self, reason: AdvertReject, text: String) -> Result<T, Rejection> {
        Err(Rejection { reason, text })
    }
}

impl AddressMismatch {
    /// What the log says about it, without the name of the instance.
    #[must_use]
    pub fn text(self, vrid: u8, source: IpAddr) -> String {
        match self {
            Self::Count { ours, theirs } => format!("expected {ours} VIPs but received {theirs}"),
            Self::Missing(address) => {
                format!(
                    "ip address associated with VRID {vrid} not present in advert from {source}: {address}"
                )
            }
        }
    }
}

/// The authentication type of the packets of an instance.
#[must_use]
pub(crate) fn auth_type(auth: &Auth) -> u8 {
    match auth {
        Auth::None => auth::NONE,
        Auth::Pass(_) => auth::PASS,
        Auth::Ah(_) => auth::AH,
    }
}

/// Whether the checksum an instance sends covers a pseudo-header.
#[must_use]
pub(crate) fn sends_pseudo_header(spec: &Instance) -> bool {
    spec.version == Version::V3 && (spec.ipv6 || spec.v3_checksum == ChecksumV3::PseudoHeader)
}
