//! The sockets adverts travel through: one for each family, interface, IP protocol and group (or own unicast
//! address), shared by all instances that agree in these.
//!
//! Packets are sent whole, IP header included, in both families. Each socket has a small task that reads it into a
//! common bounded channel; when the driver cannot keep up, the kernel drops what does not fit its buffer.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::AsFd;
use std::sync::Arc;

use socket2::{Domain, InterfaceIndexOrAddress, MsgHdr, Protocol, SockAddr, Socket, Type};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::sys;
use super::vmac::LOCAL_REPORTS;
use crate::event::{Datagram, Transmit};
use crate::spec::{Auth, Global, Instance, Name, ReceiveBuffer, Spec, Transport};

/// IP protocol of an authentication header.
const PROTOCOL_AH: u8 = 51;
/// `TC_PRIO_CONTROL`: ahead of everything else in the queue of the interface.
const PRIORITY_CONTROL: u32 = 7;
/// The largest advert: 255 IPv6 addresses, or 255 IPv4 ones with the longest headers, fit in twice.
const DATAGRAM_SIZE: usize = 8192;

/// What tells one socket from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    interface: Option<Name>,
    /// The group, the own unicast address, or the unspecified address.
    local: IpAddr,
    protocol: u8,
}

impl Key {
    fn of(instance: &Instance) -> Self {
        let local = match &instance.transport {
            Transport::Multicast { group } => *group,
            Transport::Unicast { .. } => instance.source.unwrap_or_else(|| unspecified(instance.ipv6)),
        };
        let protocol = if matches!(instance.auth, Auth::Ah(_)) { PROTOCOL_AH } else { crate::wire::PROTOCOL };
        Self { interface: instance.wire_interface().or(instance.vrf.as_ref()).cloned(), local, protocol }
    }
}

/// No address in particular.
pub(super) fn unspecified(ipv6: bool) -> IpAddr {
    if ipv6 { IpAddr::from([0_u16; 8]) } else { IpAddr::V4(Ipv4Addr::UNSPECIFIED) }
}

/// What an interface is to a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LinkRef {
    pub(super) index: u32,
    pub(super) mtu: u32,
    /// Other routers use its hardware address, too.
    pub(super) shared_mac: bool,
}

/// A socket that is wanted, and open if its interface exists.
#[derive(Default)]
struct Slot {
    open: Option<Open>,
    receive_buffer: usize,
    /// The last error, so that it is told once and not at every attempt.
    failed: Option<String>,
}

struct Open {
    socket: Arc<AsyncFd<Socket>>,
    index: u32,
    reader: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Every socket of the driver.
pub(super) struct Sockets {
    slots: BTreeMap<Arc<Key>, Slot>,
    /// The socket of each instance.
    present: HashMap<Name, Arc<Key>>,
    /// Those of a former specification, while the change to another one is going on.
    former: Vec<(Name, Arc<Key>)>,
    received: mpsc::Sender<Datagram>,
}

impl Sockets {
    /// No sockets yet; what they will receive goes to `received`.
    pub(super) fn new(received: mpsc::Sender<Datagram>) -> Self {
        Self { slots: BTreeMap::new(), present: HashMap::new(), former: Vec::new(), received }
    }

    /// Takes over the needs of a specification. What is no longer needed stays usable until [`Sockets::prune`], so
    /// that instances can say farewell.
    pub(super) fn configure(&mut self, spec: &Spec) {
        for instance in &spec.instances {
            let key = Key::of(instance);
            // One key serves all instances that share a socket.
            let key =
                self.slots.get_key_value(&key).map_or_else(|| Arc::new(key), |(known, _)| Arc::clone(known));
            let slot = self.slots.entry(Arc::clone(&key)).or_default();
            slot.receive_buffer = slot.receive_buffer.max(receive_buffer(&spec.global, instance));
            if let Some(old) = self.present.insert(instance.name.clone(), Arc::clone(&key))
                && old != key
            {
                self.former.push((instance.name.clone(), old));
            }
        }
    }

    /// Closes what a specification does not need.
    pub(super) fn prune(&mut self, spec: &Spec) {
        self.former = Vec::new();
        let names: HashSet<&Name> = spec.instances.iter().map(|instance| &instance.name).collect();
        self.present.retain(|name, _| names.contains(name));
        let used: HashSet<&Key> = self.present.values().map(|key| &**key).collect();
        self.slots.retain(|key, _| used.contains(&**key));
    }

    /// Opens what can be opened and closes what lost its interface, now that `find` describes the interfaces.
    /// Returns messages about new failures.
    pub(super) fn refresh(&mut self, find: impl Fn(&str) -> Option<LinkRef>) -> Vec<String> {
        let mut problems = Vec::new();
        for (key, slot) in &mut self.slots {
            let link = match &key.interface {
                Some(interface) => find(interface),
                None => Some(LinkRef { index: 0, mtu: 0, shared_mac: false }),
            };
            let Some(link) = link else {
                slot.open = None;
                continue;
            };
            if slot.open.as_ref().is_some_and(|open| open.index == link.index) {
                continue;
            }
            slot.open = None;
            match open(key, link, slot.receive_buffer, &self.received) {
                Ok(open) => {
                    slot.open = Some(open);
                    slot.failed = None;
                }
                Err(error) => {
                    let interface = key.interface.as_deref().unwrap_or("any interface");
                    let text = format!("cannot open the socket for {} on {interface}: {error}", key.local);
                    if slot.failed.replace(text.clone()).as_ref() != Some(&text) {
                        problems.push(text);
                    }
                }
            }
        }
        problems
    }

    /// True if a socket should be open and is not, although its interface may exist.
    pub(super) fn has_failures(&self) -> bool {
        self.slots.values().any(|slot| slot.open.is_none() && slot.failed.is_some())
    }

    /// Sends an advert without waiting.
    pub(super) fn send(&self, transmit: &Transmit) -> io::Result<()> {
        let open = self.socket_for(transmit).ok_or(io::ErrorKind::NotConnected)?;
        let flags = if transmit.destination.is_multicast() { libc::MSG_DONTROUTE } else { 0 };
        let socket = open.socket.get_ref();
        match (transmit.source, transmit.destination) {
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                // The scope has to be named for link-local destinations, unicast or multicast.
                let local = destination.is_unicast_link_local() || destination.is_multicast();
                let index = if local { open.index } else { 0 };
                let address = SockAddr::from(SocketAddrV6::new(destination, 0, 0, index));
                let control = packet_info(source, index);
                let parts = [IoSlice::new(&transmit.packet)];
                let message = MsgHdr::new().with_addr(&address).with_buffers(&parts).with_control(&control);
                socket.sendmsg(&message, flags)?;
            }
            (_, destination) => {
                let address = SockAddr::from(SocketAddr::new(destination, 0));
                socket.send_to_with_flags(&transmit.packet, &address, flags)?;
            }
        }
        Ok(())
    }

    fn socket_for(&self, transmit: &Transmit) -> Option<&Open> {
        let fits = |key: &&Arc<Key>| {
            key.local.is_ipv4() == transmit.destination.is_ipv4()
                && key.protocol == transmit.protocol
                && (transmit.interface.is_none() || key.interface == transmit.interface)
        };
        let former = || {
            let of = self.former.iter().rev().filter(|(name, _)| *name == transmit.instance);
            of.map(|(_, key)| key).find(fits)
        };
        let key = self.present.get(&transmit.instance).filter(fits).or_else(former)?;
        self.slots.get(key)?.open.as_ref()
    }
}

/// The control message `IPV6_PKTINFO`: the source address, so that the kernel need not find one. On an interface
/// without addresses, as a VMAC is in the beginning, it would find none and refuse to send.
fn packet_info(source: Ipv6Addr, index: u32) -> Vec<u8> {
    const WORD: usize = size_of::<usize>();
    let len = WORD + 8 + 20;
    let mut control = len.to_ne_bytes().to_vec();
    control.extend(libc::IPPROTO_IPV6.to_ne_bytes());
    control.extend(libc::IPV6_PKTINFO.to_ne_bytes());
    control.extend(source.octets());
    control.extend(index.to_ne_bytes());
    control.resize(len.next_multiple_of(WORD), 0);
    control
}

/// Size of the receive buffer an instance asks for, zero for what the system gives. The MTU is not known yet, so
/// that multiples of it are taken of 1500; the kernel doubles the number anyway.
fn receive_buffer(global: &Global, instance: &Instance) -> usize {
    const MTU: usize = 1500;
    let advert = 28 + instance.addresses.len() * if instance.ipv6 { 16 } else { 4 } + 60;
    let times = |count: u32, size: usize| usize::try_from(count).unwrap_or(0).saturating_mul(size);
    match (instance.receive_buffer, global.receive_buffer) {
        (Some(bytes), _) | (None, ReceiveBuffer::Bytes(bytes)) => times(bytes, 1),
        (None, ReceiveBuffer::System) => 0,
        (None, ReceiveBuffer::Mtu(count)) => times(count, MTU),
        (None, ReceiveBuffer::Advert(count)) => times(count, advert),
    }
}

fn open(key: &Key, link: LinkRef, buffer: usize, received: &mpsc::Sender<Datagram>) -> io::Result<Open> {
    let domain = if key.local.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(i32::from(key.protocol))))?;
    socket.set_nonblocking(true)?;
    if let Some(interface) = &key.interface {
        socket.bind_device(Some(interface.as_bytes()))?;
    }
    match key.local {
        IpAddr::V4(local) => prepare_v4(&socket, local, link)?,
        IpAddr::V6(_) => prepare_v6(&socket, key.local, link)?,
    }
    socket.set_priority(PRIORITY_CONTROL)?;
    if buffer > 0 {
        socket.set_recv_buffer_size(buffer)?;
    }
    let socket = Arc::new(sys::watch(socket)?);
    let reader = tokio::spawn(read(Arc::clone(&socket), key.clone(), received.clone()));
    Ok(Open { socket, index: link.index, reader })
}

fn prepare_v4(socket: &Socket, local: Ipv4Addr, link: LinkRef) -> io::Result<()> {
    socket.set_header_included_v4(true)?;
    socket.set_freebind_v4(true)?;
    // Other sockets' groups are not ours to hear.
    socket.set_multicast_all_v4(false)?;
    if local.is_multicast() {
        socket.set_multicast_loop_v4(false)?;
        let _quiet = link.shared_mac.then(Quiet::begin);
        socket.join_multicast_v4_n(&local, &InterfaceIndexOrAddress::Index(link.index))?;
    }
    // Bound to the group a socket hears no unicast, and bound to a unicast address no multicast.
    socket.bind(&SocketAddr::from((local, 0)).into())
}

/// While it lives, joining a group of the link is not reported. Switches flood these groups anyway (RFC 4541 §2.1.2), and a
/// report from a hardware address that the master uses would lead its clients to us until its next advert.
struct Quiet(Option<String>);

impl Quiet {
    fn begin() -> Self {
        let before = fs::read_to_string(LOCAL_REPORTS).ok().filter(|value| value.trim() != "0");
        // Where it cannot be set, the report goes out.
        Self(before.filter(|_| fs::write(LOCAL_REPORTS, "0").is_ok()))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = fs::write(LOCAL_REPORTS, before);
        }
    }
}

fn prepare_v6(socket: &Socket, local: IpAddr, link: LinkRef) -> io::Result<()> {
    let IpAddr::V6(local) = local else { return Err(io::ErrorKind::InvalidInput.into()) };
    socket.set_header_included_v6(true)?;
    socket.set_freebind_v6(true)?;
    socket.set_recv_hoplimit_v6(true)?;
    sys::set_int_option(socket.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)?;
    socket.set_multicast_all_v6(false)?;
    if local.is_multicast() {
        socket.set_multicast_loop_v6(false)?;
        socket.set_multicast_if_v6(link.index)?;
        socket.join_multicast_v6(&local, link.index)?;
    }
    let scope = if local.is_multicast() || local.is_unicast_link_local() { link.index } else { 0 };
    socket.bind(&SocketAddr::from(SocketAddrV6::new(local, 0, 0, scope)).into())
}

/// Reads a socket until it, or the driver, is gone.
async fn read(socket: Arc<AsyncFd<Socket>>, key: Key, received: mpsc::Sender<Datagram>) {
    let mut buffer = vec![0; DATAGRAM_SIZE];
    let interface = key.interface.clone().unwrap_or_default();
    loop {
        let Ok(mut guard) = socket.readable().await else { return };
        // Room before the datagram: what cannot be delivered stays in the kernel, which knows how to drop. And not before there is
        // one: sockets that hear nothing would hold all the room in the end.
        let Ok(room) = received.reserve().await else { return };
        let result = guard.try_io(|socket| receive(socket.get_ref(), &key, &interface, &mut buffer));
        // Otherwise: not understood, an error report such as "network is down", or nothing there after all.
        if let Ok(Ok(Some(datagram))) = result {
            room.send(datagram);
        }
    }
}

fn receive(socket: &Socket, key: &Key, interface: &Name, buffer: &mut [u8]) -> io::Result<Option<Datagram>> {
    if key.local.is_ipv4() {
        let len = read_v4(socket, buffer)?;
        return Ok(parse_v4(interface, &buffer[..len]));
    }
    let message = sys::receive(socket.as_fd(), buffer)?;
    let destination = message.path.destination.unwrap_or(key.local);
    let payload = buffer[..message.len].to_vec();
    let mut datagram =
        Datagram::new(interface.clone(), message.source, destination, message.path.hop_limit, payload);
    datagram.protocol = key.protocol;
    Ok(Some(datagram))
}

fn read_v4(socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    use std::io::Read as _;
    let mut socket = socket;
    socket.read(buffer)
}

/// Takes a packet of an IPv4 raw socket apart. The kernel has checked the header already.
fn parse_v4(interface: &Name, packet: &[u8]) -> Option<Datagram> {
    let header = packet.first_chunk::<20>()?;
    let header_len = usize::from(header[0] & 0x0f) * 4;
    let payload = packet.get(header_len..).filter(|_| header_len >= 20)?;
    let total_len = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let address = |at: usize| IpAddr::from([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let mut datagram =
        Datagram::new(interface.clone(), address(12), address(16), Some(header[8]), payload.to_vec());
    datagram.protocol = header[9];
    datagram.declared_len = total_len.saturating_sub(header_len);
    if datagram.protocol == PROTOCOL_AH {
        datagram.ip_header = packet[..header_len].to_vec();
    }
    Some(datagram)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(header: &[u8], payload: &[u8]) -> Vec<u8> {
        [header, payload].concat()
    }

    fn header(first: u8, total: u16, protocol: u8) -> Vec<u8> {
        let total = total.to_be_bytes();
        let mut header = vec![first, 0xc0, total[0], total[1], 0, 1, 0, 0, 255, protocol, 0, 0];
        header.extend([10, 0, 0, 1, 224, 0, 0, 18]);
        header
    }

    #[test]
    fn a_packet_is_taken_apart() {
        let name = Name::new("eth0");
        let datagram = parse_v4(&name, &packet(&header(0x45, 28, 112), &[1; 8])).unwrap();
        assert_eq!(datagram.source, "10.0.0.1".parse::<IpAddr>().unwrap());
        assert_eq!(datagram.destination, "224.0.0.18".parse::<IpAddr>().unwrap());
        assert_eq!((datagram.ttl, datagram.declared_len), (Some(255), 8));
        assert_eq!((datagram.payload, datagram.ip_header), (vec![1; 8], Vec::new()));
    }

    #[test]
    fn options_belong_to_the_header_and_the_header_to_authentication() {
        let name = Name::new("eth0");
        let mut long = header(0x46, 32, PROTOCOL_AH);
        long.extend([1; 4]);
        let datagram = parse_v4(&name, &packet(&long, &[7; 8])).unwrap();
        assert_eq!((datagram.payload, datagram.ip_header), (vec![7; 8], long));
    }

    #[test]
    fn impossible_packets_are_no_datagrams() {
        let name = Name::new("eth0");
        let whole = packet(&header(0x4f, 28, 112), &[1; 8]);
        assert_eq!(parse_v4(&name, &whole), None);
        assert_eq!(parse_v4(&name, &packet(&header(0x44, 28, 112), &[1; 8])), None);
        for cut in 0..20 {
            assert_eq!(parse_v4(&name, &whole[..cut]), None);
        }
    }

    #[test]
    fn the_packet_info_is_a_padded_control_message() {
        let control = packet_info("fe80::1".parse().unwrap(), 7);
        assert_eq!(control.len() % size_of::<usize>(), 0);
        assert_eq!(control[..size_of::<usize>()], (size_of::<usize>() + 28).to_ne_bytes());
        assert_eq!(control[size_of::<usize>() + 24..][..4], 7_u32.to_ne_bytes());
    }

    #[test]
    fn instances_share_a_socket_where_family_interface_protocol_and_address_agree() {
        let global = Global::default();
        let instance = |name: &str, vrid: u8, interface: &str| {
            let mut instance = Instance::new(name, vrid, &global);
            instance.interface = Some(interface.into());
            instance
        };
        let mut spec = Spec::new();
        spec.instances = (1..=200).map(|vrid| instance(&vrid.to_string(), vrid, "eth0")).collect();
        let (received, _) = mpsc::channel(1);
        let mut sockets = Sockets::new(received);
        sockets.configure(&spec);
        assert_eq!((sockets.slots.len(), sockets.present.len()), (1, 200));
        spec.instances.push(instance("elsewhere", 1, "eth1"));
        spec.instances.push(instance("ipv6", 1, "eth0").over_ipv6(&global));
        let mut signed = instance("signed", 201, "eth0");
        signed.auth = Auth::Ah(crate::spec::Password::new(b"secret"));
        spec.instances.push(signed);
        let mut unicast = instance("unicast", 202, "eth0");
        unicast.transport = Transport::unicast(vec![crate::spec::Peer::new("10.0.0.2".parse().unwrap())]);
        spec.instances.push(unicast);
        sockets.configure(&spec);
        assert_eq!(sockets.slots.len(), 5);
        spec.instances.truncate(200);
        sockets.prune(&spec);
        assert_eq!(sockets.slots.len(), 1);
    }
}
