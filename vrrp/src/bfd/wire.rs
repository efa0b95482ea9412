//! The control packet (RFC 5880 §4.1), without authentication.

use std::fmt;

/// Length of a packet without authentication.
pub const LEN: usize = 24;
/// Length of the shortest packet with authentication.
const LEN_AUTHENTICATED: usize = 26;
const VERSION: u8 = 1;

/// The state of one end of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "all values of a field of two bits")]
pub enum State {
    /// Held down by an operator.
    AdminDown,
    /// Nothing heard, or the other end has ceased to hear us.
    Down,
    /// The other end is heard, but does not hear us so far.
    Init,
    /// Both ends hear each other.
    Up,
}

impl State {
    /// The word keepalived's log uses.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::AdminDown => "AdminDown",
            Self::Down => "Down",
            Self::Init => "Init",
            Self::Up => "Up",
        }
    }
}

/// Why an end last left Up: a number of five bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "any value is possible in a packet")]
pub struct Diagnostic(pub u8);

impl Diagnostic {
    /// Nothing to say.
    pub const NONE: Self = Self(0);
    /// Nothing was heard for the detection time.
    pub const EXPIRED: Self = Self(1);
    /// The other end said that it is down.
    pub const NEIGHBOR_DOWN: Self = Self(3);
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0 => "No Diagnostic",
            1 => "Control Detection Time Expired",
            2 => "Echo Function Failed",
            3 => "Neighbor Signaled Session Down",
            4 => "Forwarding Plane Reset",
            5 => "Path Down",
            6 => "Concatenated Path Down",
            7 => "Administratively Down",
            8 => "Reverse Concatenated Path Down",
            other => return write!(f, "Unknown ({other})"),
        })
    }
}

/// What a control packet says. Times are in microseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of a packet whose format is final")]
pub struct Control {
    /// Why the sender last left Up.
    pub diagnostic: Diagnostic,
    /// State of the sender.
    pub state: State,
    /// The sender wants an answer at once.
    pub poll: bool,
    /// The answer to such a packet.
    pub fin: bool,
    /// The sender keeps the session while its control plane restarts.
    pub independent: bool,
    /// The sender needs no periodic packets while the session is up.
    pub demand: bool,
    /// Lost packets after which the receiver is to call the session down.
    pub multiplier: u8,
    /// The session, as the sender numbers it.
    pub mine: u32,
    /// The session, as the receiver numbers it; zero if that is not known.
    pub yours: u32,
    /// The sender would like to send no faster than this.
    pub desired_min_tx: u32,
    /// The sender wants to receive no faster than this; zero for not at all.
    pub required_min_rx: u32,
    /// The same for echo packets; zero if there are to be none.
    pub required_min_echo_rx: u32,
}

/// Why a packet was refused: one variant per rule broken (RFC 5880 §6.8.6, RFC 5881 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Refusal {
    /// Shorter than the fixed part of a packet, or than its own length field says.
    Truncated,
    /// Not version 1.
    WrongVersion,
    /// A length field shorter than the fixed part.
    WrongLength,
    /// A multiplier of zero: the session could never be up.
    ZeroMultiplier,
    /// The bit reserved for point-to-multipoint sessions.
    Multipoint,
    /// The sender does not number its session.
    ZeroDiscriminator,
    /// In Init or Up, yet without the number that only a packet of ours can have told.
    UnaddressedState,
    /// Question and answer at once.
    PollAndFinal,
    /// With authentication, which no session uses.
    Authenticated,
    /// For a session that does not exist here.
    UnknownSession,
    /// Not from the neighbour of the session it names.
    WrongSource,
    /// It came through more routers than allowed (RFC 5881 §5).
    HopLimit,
}

impl Refusal {
    /// All reasons, in the order of their counters.
    pub const ALL: [Self; 12] = [
        Self::Truncated,
        Self::WrongVersion,
        Self::WrongLength,
        Self::ZeroMultiplier,
        Self::Multipoint,
        Self::ZeroDiscriminator,
        Self::UnaddressedState,
        Self::PollAndFinal,
        Self::Authenticated,
        Self::UnknownSession,
        Self::WrongSource,
        Self::HopLimit,
    ];

    /// What is wrong, in words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Truncated => "the packet is too short",
            Self::WrongVersion => "the version is not 1",
            Self::WrongLength => "the length field is too small",
            Self::ZeroMultiplier => "the detection multiplier is zero",
            Self::Multipoint => "the multipoint bit is set",
            Self::ZeroDiscriminator => "the discriminator of the sender is zero",
            Self::UnaddressedState => "our discriminator is missing from a packet in state Init or Up",
            Self::PollAndFinal => "poll and final bit are both set",
            Self::Authenticated => "it is authenticated, and no authentication is in use",
            Self::UnknownSession => "there is no such session",
            Self::WrongSource => "the sender is not the neighbor of this session",
            Self::HopLimit => "it came through too many routers",
        }
    }
}

impl Control {
    /// Reads a packet and applies every test that needs no session.
    pub fn parse(octets: &[u8]) -> Result<Self, Refusal> {
        let header: &[u8; LEN] = octets.first_chunk().ok_or(Refusal::Truncated)?;
        let (flags, length) = (header[1], usize::from(header[3]));
        let authenticated = flags & 0x04 != 0;
        if header[0] >> 5 != VERSION {
            return Err(Refusal::WrongVersion);
        }
        if length < if authenticated { LEN_AUTHENTICATED } else { LEN } {
            return Err(Refusal::WrongLength);
        }
        if length > octets.len() {
            return Err(Refusal::Truncated);
        }
        let word =
            |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let packet = Self {
            diagnostic: Diagnostic(header[0] & 0x1f),
            state: [State::AdminDown, State::Down, State::Init, State::Up][usize::from(flags >> 6)],
            poll: flags & 0x20 != 0,
            fin: flags & 0x10 != 0,
            independent: flags & 0x08 != 0,
            demand: flags & 0x02 != 0,
            multiplier: header[2],
            mine: word(4),
            yours: word(8),
            desired_min_tx: word(12),
            required_min_rx: word(16),
            required_min_echo_rx: word(20),
        };
        packet.check(flags & 0x01 != 0)?;
        if authenticated { Err(Refusal::Authenticated) } else { Ok(packet) }
    }

    fn check(&self, multipoint: bool) -> Result<(), Refusal> {
        if self.multiplier == 0 {
            return Err(Refusal::ZeroMultiplier);
        }
        if multipoint {
            return Err(Refusal::Multipoint);
        }
        if self.mine == 0 {
            return Err(Refusal::ZeroDiscriminator);
        }
        if self.yours == 0 && matches!(self.state, State::Init | State::Up) {
            return Err(Refusal::UnaddressedState);
        }
        if self.poll && self.fin {
            return Err(Refusal::PollAndFinal);
        }
        Ok(())
    }

    /// The packet on the wire.
    #[must_use]
    pub fn emit(&self) -> [u8; LEN] {
        let mut out = [0; LEN];
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        out[0] = VERSION << 5 | self.diagnostic.0 & 0x1f;
        out[1] = (self.state as u8) << 6
            | bit(self.poll, 0x20)
            | bit(self.fin, 0x10)
            | bit(self.independent, 0x08)
            | bit(self.demand, 0x02);
        out[2] = self.multiplier;
        out[3] = LEN as u8;
        let words =
            [self.mine, self.yours, self.desired_min_tx, self.required_min_rx, self.required_min_echo_rx];
        for (place, word) in out[4..].chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// From a capture of keepalived: Up, multiplier 5, 10 ms both ways.
    const UP: [u8; LEN] = [
        0x20, 0xc0, 5, 24, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0, 0, 0x27, 0x10, 0, 0, 0x27,
        0x10, 0, 0, 0, 0,
    ];

    fn with(at: usize, value: u8) -> Result<Control, Refusal> {
        let mut octets = UP;
        octets[at] = value;
        Control::parse(&octets)
    }

    #[test]
    fn a_packet_is_read_and_written_to_the_same_octets() {
        let packet = Control::parse(&UP).unwrap();
        assert_eq!((packet.state, packet.multiplier), (State::Up, 5));
        assert_eq!((packet.mine, packet.yours), (0x1122_3344, 0x5566_7788));
        assert_eq!((packet.desired_min_tx, packet.required_min_rx), (10_000, 10_000));
        assert_eq!(packet.emit(), UP);
    }

    #[test]
    fn each_rule_has_its_reason() {
        assert_eq!(with(0, 0x40).unwrap_err(), Refusal::WrongVersion);
        assert_eq!(with(0, 0x00).unwrap_err(), Refusal::WrongVersion);
        assert_eq!(with(3, 23).unwrap_err(), Refusal::WrongLength);
        assert_eq!(with(3, 25).unwrap_err(), Refusal::Truncated);
        assert_eq!(with(2, 0).unwrap_err(), Refusal::ZeroMultiplier);
        assert_eq!(with(1, 0xc1).unwrap_err(), Refusal::Multipoint);
        assert_eq!(with(1, 0xf0).unwrap_err(), Refusal::PollAndFinal);
        let without = |range: std::ops::Range<usize>, flags: u8| {
            let mut octets = UP;
            octets[range].fill(0);
            octets[1] = flags;
            Control::parse(&octets).map(|packet| packet.state)
        };
        assert_eq!(without(4..8, 0xc0).unwrap_err(), Refusal::ZeroDiscriminator);
        assert_eq!(without(8..12, 0xc0).unwrap_err(), Refusal::UnaddressedState);
        assert_eq!(without(8..12, 0x80).unwrap_err(), Refusal::UnaddressedState);
        assert_eq!(without(8..12, 0x40), Ok(State::Down));
        assert_eq!(without(8..12, 0x00), Ok(State::AdminDown));
    }

    #[test]
    fn authentication_is_refused_by_name_once_the_packet_is_whole() {
        let mut octets = UP.to_vec();
        octets[1] |= 0x04;
        assert_eq!(Control::parse(&octets).unwrap_err(), Refusal::WrongLength);
        octets[3] = 28;
        assert_eq!(Control::parse(&octets).unwrap_err(), Refusal::Truncated);
        octets.extend([1, 4, 0, b'x']);
        assert_eq!(Control::parse(&octets).unwrap_err(), Refusal::Authenticated);
    }

    #[test]
    fn what_follows_the_packet_is_not_looked_at() {
        let longer = [&UP[..], &[1, 2, 3]].concat();
        assert_eq!(Control::parse(&longer), Control::parse(&UP));
        for cut in 0..LEN {
            assert_eq!(Control::parse(&UP[..cut]), Err(Refusal::Truncated));
        }
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_written_as_it_came(octets: [u8; LEN]) {
            if let Ok(packet) = Control::parse(&octets) {
                let mut expected = octets;
                expected[3] = LEN as u8;
                prop_assert_eq!(packet.emit(), expected);
            }
        }
    }
}
