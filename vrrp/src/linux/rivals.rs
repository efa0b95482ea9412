//! Asking on the link who else answers for an address, and listening for those who do.
//!
//! One packet socket for all interfaces and each family, opened with the first question. Its filter lets through only replies
//! and announcements, and of these only claims for addresses that were asked for lately go on to the driver.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use socket2::{Domain, SockFilter, Socket, Type};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::hands::Target;
use super::sys;
use crate::event::{Asked, Probe};
use crate::wire::{arp, ndisc};

/// `ETH_P_ARP`
const ARP: u16 = 0x0806;
/// `ETH_P_IPV6`
const IPV6: u16 = 0x86dd;
/// The longer one of the frames that matter.
const FRAME_LEN: usize = ndisc::FRAME_LEN;
/// Where the kernel tells the hardware addresses of its IPv4 neighbours.
const NEIGHBOURS: &str = "/proc/thread-self/net/arp";
/// How long they are taken from memory.
const NEIGHBOURS_KNOWN: Duration = Duration::from_secs(1);
/// How long after the last question an answer is still of interest.
const INTEREST: Duration = Duration::from_secs(300);
/// Questions remembered; far more than a machine has addresses that it asks for.
const MAX_ASKED: usize = 8192;

/// A machine that spoke for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) index: u32,
    pub(super) address: IpAddr,
    pub(super) mac: [u8; 6],
}

/// What was asked, by interface and address, and when last.
type Questions = Arc<Mutex<HashMap<(u32, IpAddr), Instant>>>;

/// The sockets, once there was something to ask.
pub(super) struct Rivals {
    claims: mpsc::Sender<Heard>,
    asked: Questions,
    arp: Option<Open>,
    ndisc: Option<Open>,
    neighbours: Neighbours,
}

struct Open {
    socket: Arc<AsyncFd<Socket>>,
    reader: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Rivals {
    /// Nothing asked yet; answers will go to `claims`.
    pub(super) fn new(claims: mpsc::Sender<Heard>) -> Self {
        let neighbours = Neighbours::default();
        Self { claims, asked: Arc::default(), arp: None, ndisc: None, neighbours }
    }

    /// Asks a question. Must be called inside the runtime.
    pub(super) fn ask(&mut self, target: &Target, mac: [u8; 6], probe: &Probe) -> io::Result<()> {
        self.note(target.index, probe.address);
        match (probe.address, &probe.of) {
            (IpAddr::V4(address), Asked::Group(group)) => {
                self.send(target, ARP, &arp::probe(mac, address, *group))
            }
            (IpAddr::V4(address), Asked::Everybody) => {
                self.send(target, ARP, &arp::probe_one([0xff; 6], mac, address))
            }
            (IpAddr::V4(address), Asked::Peers(peers)) => {
                for peer in peers {
                    // Who has never been spoken to cannot have been master beside us unheard.
                    if let Some(theirs) = self.neighbours.find(target, *peer) {
                        self.send(target, ARP, &arp::probe_one(theirs, mac, address))?;
                    }
                }
                Ok(())
            }
            (IpAddr::V6(address), Asked::Holders(source)) => {
                self.send(target, IPV6, &ndisc::solicitation(mac, *source, address))
            }
            // There is no such question.
            _ => Ok(()),
        }
    }

    fn note(&self, index: u32, address: IpAddr) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if asked.len() >= MAX_ASKED {
            asked.retain(|_, at| now.saturating_duration_since(*at) < INTEREST);
        }
        asked.insert((index, address), now);
    }

    fn send(&mut self, target: &Target, ethertype: u16, frame: &[u8]) -> io::Result<()> {
        let slot = if ethertype == ARP { &mut self.arp } else { &mut self.ndisc };
        let open = match slot {
            Some(open) => open,
            None => slot.insert(open(ethertype, &self.asked, &self.claims)?),
        };
        let mut destination = [0; 6];
        destination.copy_from_slice(&frame[..6]);
        let address = sys::link_address(target.index, ethertype, destination)?;
        match open.socket.get_ref().send_to(frame, &address) {
            // A link that is down, or a queue that is full: the next question follows soon.
            Err(error)
                if matches!(error.raw_os_error(), Some(libc::ENETDOWN | libc::ENOBUFS | libc::EAGAIN)) =>
            {
                Ok(())
            }
            result => result.map(drop),
        }
    }
}

/// Machines of the kernel's table: interfaces and hardware addresses by address.
type Table = HashMap<Ipv4Addr, Vec<(String, [u8; 6])>>;

/// The hardware addresses of unicast peers.
#[derive(Default)]
struct Neighbours {
    /// By interface and address. One that the kernel has forgotten, as it does in a partition, is kept.
    known: HashMap<(u32, Ipv4Addr), [u8; 6]>,
    /// The kernel's table as it was last read, and when.
    table: Table,
    read: Option<Instant>,
}

impl Neighbours {
    fn find(&mut self, target: &Target, peer: Ipv4Addr) -> Option<[u8; 6]> {
        let now = Instant::now();
        if self.read.is_none_or(|at| now.saturating_duration_since(at) >= NEIGHBOURS_KNOWN) {
            self.read = Some(now);
            // Where it cannot be read nobody is asked.
            self.table = neighbours(&fs::read_to_string(NEIGHBOURS).unwrap_or_default());
        }
        if let Some(mac) = neighbour(&self.table, &target.interface, peer) {
            self.known.insert((target.index, peer), mac);
        }
        self.known.get(&(target.index, peer)).copied()
    }
}

/// Reads the kernel's table: address, type, flags, hardware address, mask, interface.
fn neighbours(text: &str) -> Table {
    let machine = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let &[address, _, _, mac, _, device] = fields.as_slice() else { return None };
        let mut bytes = [0; 6];
        let mut parts = mac.split(':');
        for byte in &mut bytes {
            *byte = u8::from_str_radix(parts.next()?, 16).ok()?;
        }
        // An entry that is not resolved has zeros.
        (bytes != [0; 6]).then_some((address.parse().ok()?, device.to_owned(), bytes))
    };
    let mut table = Table::new();
    for (address, device, mac) in text.lines().skip(1).filter_map(machine) {
        table.entry(address).or_default().push((device, mac));
    }
    table
}

fn neighbour(table: &Table, interface: &str, peer: Ipv4Addr) -> Option<[u8; 6]> {
    table.get(&peer)?.iter().find(|(device, _)| device == interface).map(|(_, mac)| *mac)
}

fn open(ethertype: u16, asked: &Questions, claims: &mpsc::Sender<Heard>) -> io::Result<Open> {
    // Without a protocol nothing arrives before the filter is in place.
    let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking().cloexec(), None)?;
    match ethertype {
        ARP => socket.attach_filter(&arp_filter())?,
        _ => socket.attach_filter(&ndisc_filter())?,
    }
    let everywhere = sys::link_address(0, ethertype, [0; 6])?;
    socket.bind(&everywhere)?;
    let socket = Arc::new(sys::watch(socket)?);
    let reader = tokio::spawn(read(Arc::clone(&socket), Arc::clone(asked), claims.clone()));
    Ok(Open { socket, reader })
}

/// Replies, and requests whose sender and target are the same.
fn arp_filter() -> [SockFilter; 8] {
    let load_half = (libc::BPF_LD | libc::BPF_H | libc::BPF_ABS) as u16;
    let load_word = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    let jump = (libc::BPF_JMP | libc::BPF_JEQ) as u16;
    [
        SockFilter::new(load_half, 0, 0, 20),
        SockFilter::new(jump | libc::BPF_K as u16, 4, 0, 2),
        SockFilter::new(load_word, 0, 0, 28),
        SockFilter::new((libc::BPF_MISC | libc::BPF_TAX) as u16, 0, 0, 0),
        SockFilter::new(load_word, 0, 0, 38),
        SockFilter::new(jump | libc::BPF_X as u16, 0, 1, 0),
        SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, arp::FRAME_LEN as u32),
        SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, 0),
    ]
}

/// Neighbour advertisements that came through no router.
fn ndisc_filter() -> [SockFilter; 6] {
    let load_half = (libc::BPF_LD | libc::BPF_H | libc::BPF_ABS) as u16;
    let load_byte = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
    let jump = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    [
        // ICMPv6 and a hop limit of 255.
        SockFilter::new(load_half, 0, 0, 20),
        SockFilter::new(jump, 0, 3, 58 << 8 | 255),
        SockFilter::new(load_byte, 0, 0, 54),
        SockFilter::new(jump, 0, 1, 136),
        SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, FRAME_LEN as u32),
        SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, 0),
    ]
}

/// The address and the machine a frame speaks for.
fn claim(frame: &[u8]) -> Option<(IpAddr, [u8; 6])> {
    let v4 = arp::claim(frame).map(|(address, mac)| (address.into(), mac));
    v4.or_else(|| ndisc::claim(frame).map(|(address, mac)| (address.into(), mac)))
}

/// Reads until the driver is gone. What comes faster than the driver takes it is dropped: it would say the same again.
async fn read(socket: Arc<AsyncFd<Socket>>, asked: Questions, claims: mpsc::Sender<Heard>) {
    loop {
        let Ok(mut guard) = socket.readable().await else { return };
        let mut frame = [0; FRAME_LEN];
        let received = guard.try_io(|socket| sys::receive_link(socket.as_fd(), &mut frame));
        let Ok(Ok((len, index))) = received else { continue };
        let Some((address, mac)) = claim(&frame[..len.min(FRAME_LEN)]) else { continue };
        let known = asked.lock().unwrap_or_else(PoisonError::into_inner);
        let interesting = known.get(&(index, address)).is_some_and(|at| at.elapsed() < INTEREST);
        drop(known);
        if interesting
            && matches!(
                claims.try_send(Heard { index, address, mac }),
                Err(mpsc::error::TrySendError::Closed(_))
            )
        {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_names_the_machines_of_peers() {
        let table = "IP address       HW type     Flags       HW address            Mask     Device\n\
                     10.0.0.2         0x1         0x2         02:00:00:00:0a:ff     *        eth0\n\
                     10.0.0.3         0x1         0x0         00:00:00:00:00:00     *        eth0\n\
                     10.0.0.2         0x1         0x2         02:00:00:00:00:02     *        eth1\n\
                     garbage\n10.0.0.4 0x1 0x2 02:zz:00:00:00:02 * eth0\n";
        let table = neighbours(table);
        let find = |interface, last| neighbour(&table, interface, Ipv4Addr::new(10, 0, 0, last));
        assert_eq!(find("eth0", 2), Some([2, 0, 0, 0, 10, 255]));
        assert_eq!(find("eth1", 2), Some([2, 0, 0, 0, 0, 2]));
        assert_eq!(
            (find("eth0", 3), find("eth0", 4), find("eth0", 5), find("eth2", 2)),
            (None, None, None, None)
        );
    }
}
