//! The thread that changes the kernel's state: addresses, routes, rules, and the announcements that follow them.
//!
//! The kernel serves such requests inside the `send`, under a lock it shares with everything else that configures
//! networks; elsewhere on the machine that lock may be held for seconds. Adverts must not wait for it. So the
//! requests go to a thread of their own, in order, and an announcement queued behind an address leaves right after
//! the address is in place.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use socket2::{Domain, Socket, Type};
use tokio::sync::{mpsc, oneshot};

use super::firewall::Firewall;
use super::netlink::{Netlink, message};
use super::sys;
use crate::spec::{FirewallRules, Name, VirtualAddress};

/// Something to be done to the kernel.
pub(super) enum Job {
    /// Put an address on an interface.
    AddAddress(Target, Arc<VirtualAddress>),
    /// Take an address off an interface.
    DelAddress(Target, Arc<VirtualAddress>),
    /// A prepared request for a route or a rule, and words for it.
    Request {
        /// The request.
        message: Box<RouteNetlinkMessage>,
        /// How it is to be done (`NLM_F_*`).
        flags: u16,
        /// Errors that say that it is done already.
        done: &'static [i32],
        /// What it is about.
        what: String,
    },
    /// Drop traffic to an address, or cease to.
    Block(IpAddr, bool),
    /// How that is done.
    Firewall(FirewallRules),
    /// Send an Ethernet frame.
    Frame(Frame),
    /// Run the thread at this real-time priority: what it does must not wait while the driver itself does not.
    Realtime(u8),
    /// Say when everything queued before is done.
    Flush(oneshot::Sender<()>),
}

/// An interface, by what the kernel and by what people call it.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) index: u32,
    pub(super) interface: Name,
}

/// A frame ready to be sent.
pub(super) struct Frame {
    pub(super) target: Target,
    pub(super) octets: Vec<u8>,
}

/// The driver's end of the thread.
pub(super) struct Hands {
    jobs: Option<std_mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Hands {
    /// Starts the thread; it belongs to the network namespace of the caller. What fails is told to `reports`.
    pub(super) fn start(reports: mpsc::UnboundedSender<String>) -> io::Result<Self> {
        let worker = Worker {
            netlink: Netlink::open()?,
            // Protocol zero: it only sends.
            packets: Socket::new(Domain::PACKET, Type::RAW, None)?,
            firewall: Firewall::default(),
            reports,
        };
        let (jobs, queue) = std_mpsc::channel();
        let thread =
            std::thread::Builder::new().name("vrrp-hands".to_owned()).spawn(move || worker.run(&queue))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Queues a job.
    pub(super) fn push(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // The thread ends only after the sender is dropped.
            let _ = jobs.send(job);
        }
    }

    /// Waits until everything queued so far is done, but no longer than `limit`. True if it is done.
    pub(super) fn flush(&self, limit: Duration) -> impl Future<Output = bool> + use<> {
        let (done, wait) = oneshot::channel();
        self.push(Job::Flush(done));
        async move { matches!(tokio::time::timeout(limit, wait).await, Ok(Ok(()))) }
    }
}

impl Drop for Hands {
    /// Lets the thread finish its queue. A thread stuck in the kernel is not waited for by the process exit.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.is_finished()
        {
            let _ = thread.join();
        }
    }
}

struct Worker {
    netlink: Netlink,
    packets: Socket,
    firewall: Firewall,
    reports: mpsc::UnboundedSender<String>,
}

impl Worker {
    fn run(mut self, queue: &std_mpsc::Receiver<Job>) {
        while let Ok(job) = queue.recv() {
            if let Some(report) = self.work(job) {
                // The driver may be gone already; there is nobody else to tell.
                let _ = self.reports.send(report);
            }
        }
    }

    fn work(&mut self, job: Job) -> Option<String> {
        match job {
            Job::AddAddress(target, address) => self.add_address(&target, &address),
            Job::DelAddress(target, address) => self.del_address(&target, &address),
            Job::Request { message, flags, done, what } => self.request(*message, flags, done, &what),
            Job::Block(address, block) => {
                let what = format!("{} traffic to {address}", if block { "block" } else { "stop blocking" });
                self.firewall.set(address, block).err().map(|error| failed(&what, &error))
            }
            Job::Firewall(rules) => self
                .firewall
                .configure(rules)
                .err()
                .map(|error| failed("change the firewall's table", &error)),
            Job::Frame(frame) => self.send(&frame),
            Job::Realtime(priority) => {
                let result = sys::set_realtime(priority.into());
                result.err().map(|error| failed("raise the priority of address changes", &error))
            }
            Job::Flush(done) => {
                let _ = done.send(());
                None
            }
        }
    }

    fn add_address(&mut self, target: &Target, address: &VirtualAddress) -> Option<String> {
        let request = message::add_address(target.index, address);
        match self.netlink.request(request, NLM_F_CREATE) {
            Ok(()) => None,
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => None,
            Err(error) => Some(failed(&format!("add {} to {}", address.prefix, target.interface), &error)),
        }
    }

    fn del_address(&mut self, target: &Target, address: &VirtualAddress) -> Option<String> {
        let error = self.netlink.request(message::del_address(target.index, address), 0).err()?;
        match error.raw_os_error() {
            Some(libc::EADDRNOTAVAIL | libc::ENODEV) => None,
            _ => Some(failed(&format!("remove {} from {}", address.prefix, target.interface), &error)),
        }
    }

    fn request(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
        done: &[i32],
        what: &str,
    ) -> Option<String> {
        let wanted = match &message {
            RouteNetlinkMessage::NewRoute(route) if flags & NLM_F_EXCL != 0 => Some(route.clone()),
            _ => None,
        };
        let error = self.netlink.request(message, flags).err()?;
        let code = error.raw_os_error();
        // One that is to be the only one may have been left by a run that was killed.
        let left = || wanted.is_some_and(|route| Netlink::has_route(&route).unwrap_or(false));
        let fine = code.is_some_and(|code| done.contains(&code)) || (code == Some(libc::EEXIST) && left());
        (!fine).then(|| failed(what, &error))
    }

    fn send(&self, frame: &Frame) -> Option<String> {
        let result = ethernet_header(&frame.octets).and_then(|(destination, ethertype)| {
            let address = sys::link_address(frame.target.index, ethertype, destination)?;
            self.packets.send_to(&frame.octets, &address)
        });
        result
            .err()
            .map(|error| failed(&format!("send an announcement on {}", frame.target.interface), &error))
    }
}

fn failed(what: &str, error: &io::Error) -> String {
    format!("cannot {what}: {error}")
}

/// Destination and type of a frame.
fn ethernet_header(frame: &[u8]) -> io::Result<([u8; 6], u16)> {
    let header = frame.first_chunk::<14>().ok_or(io::ErrorKind::InvalidInput)?;
    let mut destination = [0; 6];
    destination.copy_from_slice(&header[..6]);
    Ok((destination, u16::from_be_bytes([header[12], header[13]])))
}
