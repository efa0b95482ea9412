//! Rtnetlink: the command socket, the monitor socket, and what is read from and written to them.
//!
//! Messages are built with `netlink-packet-route`. They are *read* attribute by attribute with the primitives of
//! `netlink-packet-core`, because a message whose twentieth attribute is new to a decoder must still tell us that
//! the link went down.

mod leftover;
pub(super) mod message;
mod monitor;
mod parse;
pub(super) mod routing;

use std::io;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::RouteMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

pub(super) use monitor::Monitor;
pub(super) use parse::{AddressInfo, Change, LinkInfo, RouteInfo, RuleInfo};

/// The kernel never writes more than this at once into a dump.
const RECEIVE_SIZE: usize = 64 * 1024;
/// An answer repeats the request at most.
const ANSWER_SIZE: usize = 8 * 1024;

/// A socket for requests. Each call blocks until the kernel has answered: the kernel does the work inside the
/// `send`, so the answer is already there when it returns.
pub(super) struct Netlink {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Netlink {
    /// Opens a socket in the network namespace of the calling thread.
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { socket, sequence: 0, buffer: Vec::new() })
    }

    /// Has the kernel do something and returns its verdict.
    pub(super) fn request(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        let sequence = self.send(message, NLM_F_REQUEST | NLM_F_ACK | flags)?;
        loop {
            self.receive(ANSWER_SIZE)?;
            for message in Messages::new(&self.buffer).filter(|message| message.sequence == sequence) {
                if message.kind == NLMSG_ERROR {
                    return verdict(message.payload);
                }
            }
        }
    }

    /// Lists links or addresses.
    pub(super) fn dump(&mut self, message: RouteNetlinkMessage) -> io::Result<Vec<Change>> {
        let listing = self.listing(message);
        // Listings are rare.
        self.buffer = Vec::new();
        listing
    }

    fn listing(&mut self, message: RouteNetlinkMessage) -> io::Result<Vec<Change>> {
        let mut found = Vec::new();
        self.each(message, |kind, payload| found.extend(parse::change(kind, payload)))?;
        Ok(found)
    }

    /// Calls back with kind and payload of each message of a list.
    fn each(&mut self, message: RouteNetlinkMessage, mut each: impl FnMut(u16, &[u8])) -> io::Result<()> {
        let sequence = self.send(message, NLM_F_REQUEST | NLM_F_DUMP)?;
        loop {
            self.receive(RECEIVE_SIZE)?;
            for message in Messages::new(&self.buffer).filter(|message| message.sequence == sequence) {
                match message.kind {
                    NLMSG_DONE => return Ok(()),
                    NLMSG_ERROR => verdict(message.payload)?,
                    _ => each(message.kind, message.payload),
                }
            }
        }
    }

    /// Whether exactly this route is there, made by whoever makes ours.
    pub(super) fn has_route(wanted: &RouteMessage) -> io::Result<bool> {
        // Of its own: only here the kernel is to list no more than what is asked for.
        let mut netlink = Self::open()?;
        netlink.socket.set_netlink_get_strict_chk(true)?;
        let mut found = false;
        netlink.each(RouteNetlinkMessage::GetRoute(leftover::query(wanted)), |_, payload| {
            found |= leftover::is(wanted, payload);
        })?;
        Ok(found)
    }

    /// Whether the interface of this name is a VRF; None if there is none of the name.
    pub(super) fn is_vrf(&mut self, name: &str) -> io::Result<Option<bool>> {
        Ok(self.link_named(name)?.map(|info| info.vrf_table.is_some()))
    }

    /// The index of the interface of this name, as the kernel knows it now.
    pub(super) fn index_of(&mut self, name: &str) -> io::Result<u32> {
        let link = self.link_named(name)?;
        link.map(|info| info.index).ok_or_else(|| io::Error::from_raw_os_error(libc::ENODEV))
    }

    fn link_named(&mut self, name: &str) -> io::Result<Option<LinkInfo>> {
        let listing = self.dump(message::list_links())?;
        Ok(listing.into_iter().find_map(|change| match change {
            Change::Link(info) if info.name == name => Some(info),
            _ => None,
        }))
    }

    fn send(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<u32> {
        self.sequence = self.sequence.wrapping_add(1);
        let octets = encode(message, flags, self.sequence);
        self.socket.send(&octets, 0)?;
        Ok(self.sequence)
    }

    fn receive(&mut self, room: usize) -> io::Result<()> {
        self.buffer.clear();
        self.buffer.reserve(room);
        self.socket.recv(&mut self.buffer, 0).map(drop)
    }
}

/// Serialises a message with its header.
fn encode(message: RouteNetlinkMessage, flags: u16, sequence: u32) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    header.sequence_number = sequence;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
    message.finalize();
    let mut octets = vec![0; message.buffer_len()];
    message.serialize(&mut octets);
    octets
}

/// Reads the code of an error message; zero is an acknowledgement.
fn verdict(payload: &[u8]) -> io::Result<()> {
    match payload.first_chunk::<4>().map(|code| i32::from_ne_bytes(*code)) {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(code.wrapping_neg())),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// One message of a received buffer.
struct Message<'a> {
    kind: u16,
    sequence: u32,
    payload: &'a [u8],
}

/// Splits a received buffer into messages; stops at the first one that does not fit.
struct Messages<'a>(&'a [u8]);

impl<'a> Messages<'a> {
    fn new(buffer: &'a [u8]) -> Self {
        Self(buffer)
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        const HEADER: usize = 16;
        let header = self.0.first_chunk::<HEADER>()?;
        let len = usize::try_from(u32::from_ne_bytes([header[0], header[1], header[2], header[3]])).ok()?;
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        let sequence = u32::from_ne_bytes([header[8], header[9], header[10], header[11]]);
        let payload = self.0.get(HEADER..len)?;
        self.0 = self.0.get(len.next_multiple_of(4)..).unwrap_or(&[]);
        Some(Message { kind, sequence, payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_split_again() {
        let mut octets = encode(message::list_links(), NLM_F_REQUEST, 7);
        octets.extend(encode(message::list_addresses(), NLM_F_REQUEST, 8));
        let sequences: Vec<u32> = Messages::new(&octets).map(|message| message.sequence).collect();
        assert_eq!(sequences, [7, 8]);
        for cut in 0..octets.len() {
            assert!(Messages::new(&octets[..cut]).count() <= 2);
        }
    }

    #[test]
    fn a_message_with_an_impossible_length_ends_the_walk() {
        let mut octets = encode(message::list_links(), NLM_F_REQUEST, 7);
        octets[..4].copy_from_slice(&3_u32.to_ne_bytes());
        assert_eq!(Messages::new(&octets).count(), 0);
        octets[..4].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert_eq!(Messages::new(&octets).count(), 0);
    }

    #[test]
    fn the_verdict_is_the_negated_code() {
        assert!(verdict(&0_i32.to_ne_bytes()).is_ok());
        let error = verdict(&(-libc::EEXIST).to_ne_bytes()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EEXIST));
        assert!(verdict(&[]).is_err());
        assert!(verdict(&i32::MIN.to_ne_bytes()).is_err());
    }
}
