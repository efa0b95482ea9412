//! Asking on the link who else answers for an address, and listening for those who do.
//!
//! One packet socket for all interfaces, opened with the first question. Its filter lets through only replies and
//! announcements, and of these only claims for addresses that were asked for lately go on to the driver.

use std::collections::HashMap;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use socket2::{Domain, SockFilter, Socket, Type};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::hands::Target;
use super::sys;
use crate::event::Probe;
use crate::wire::arp;

/// `ETH_P_ARP`
const ETHERTYPE: u16 = 0x0806;
/// How long after the last question an answer is still of interest.
const INTEREST: Duration = Duration::from_secs(300);
/// Questions remembered; far more than a machine has addresses that it asks for.
const MAX_ASKED: usize = 8192;

/// A machine that spoke for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) index: u32,
    pub(super) address: Ipv4Addr,
    pub(super) mac: [u8; 6],
}

/// What was asked, by interface and address, and when last.
type Asked = Arc<Mutex<HashMap<(u32, Ipv4Addr), Instant>>>;

/// The socket, once there was something to ask.
pub(super) struct Rivals {
    claims: mpsc::Sender<Heard>,
    asked: Asked,
    open: Option<Open>,
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
        Self { claims, asked: Arc::default(), open: None }
    }

    /// Asks a question. Must be called inside the runtime.
    pub(super) fn ask(&mut self, target: &Target, mac: [u8; 6], probe: &Probe) -> io::Result<()> {
        let open = match &self.open {
            Some(open) => open,
            None => {
                let opened = open(&self.asked, &self.claims)?;
                self.open.insert(opened)
            }
        };
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if asked.len() >= MAX_ASKED {
            asked.retain(|_, at| now.saturating_duration_since(*at) < INTEREST);
        }
        asked.insert((target.index, probe.address), now);
        drop(asked);
        let frame = arp::probe(mac, probe.address, probe.group);
        let mut destination = [0; 6];
        destination.copy_from_slice(&frame[..6]);
        let address = sys::link_address(target.index, ETHERTYPE, destination)?;
        match open.socket.get_ref().send_to(&frame, &address) {
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

fn open(asked: &Asked, claims: &mpsc::Sender<Heard>) -> io::Result<Open> {
    // Without a protocol nothing arrives before the filter is in place.
    let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking().cloexec(), None)?;
    socket.attach_filter(&filter())?;
    let everywhere = sys::link_address(0, ETHERTYPE, [0; 6])?;
    socket.bind(&everywhere)?;
    let socket = Arc::new(sys::watch(socket)?);
    let reader = tokio::spawn(read(Arc::clone(&socket), Arc::clone(asked), claims.clone()));
    Ok(Open { socket, reader })
}

/// Replies, and requests whose sender and target are the same.
fn filter() -> [SockFilter; 8] {
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

/// Reads until the driver is gone. What comes faster than the driver takes it is dropped: it would say the same again.
async fn read(socket: Arc<AsyncFd<Socket>>, asked: Asked, claims: mpsc::Sender<Heard>) {
    loop {
        let Ok(mut guard) = socket.readable().await else { return };
        let mut frame = [0; arp::FRAME_LEN];
        let received = guard.try_io(|socket| sys::receive_link(socket.as_fd(), &mut frame));
        let Ok(Ok((len, index))) = received else { continue };
        let Some((address, mac)) = arp::claim(&frame[..len.min(arp::FRAME_LEN)]) else { continue };
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
