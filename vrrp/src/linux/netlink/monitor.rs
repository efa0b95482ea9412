//! Hears of changes of links, addresses, routes and rules.

use std::io;
use std::os::fd::AsFd as _;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{Change, Messages, RECEIVE_SIZE, parse};
use crate::linux::sys;

/// Groups heard: links, addresses, routes and rules of both families.
const GROUPS: u32 = (libc::RTMGRP_LINK
    | libc::RTMGRP_IPV4_IFADDR
    | libc::RTMGRP_IPV6_IFADDR
    | libc::RTMGRP_IPV4_ROUTE
    | libc::RTMGRP_IPV6_ROUTE) as u32;
const RTNLGRP_IPV4_RULE: u32 = 8;
const RTNLGRP_IPV6_RULE: u32 = 19;

/// Room for the changes of a few thousand addresses between two looks.
const RECEIVE_BUFFER: libc::c_int = 1 << 20;

/// A socket subscribed to changes.
pub(in crate::linux) struct Monitor {
    socket: AsyncFd<Socket>,
    buffer: Vec<u8>,
}

impl Monitor {
    /// Subscribes, in the network namespace of the calling thread. Routes and rules are heard only if asked for:
    /// a router with a full routing table would otherwise wake us for every change in the world.
    pub(in crate::linux) fn open(routes: bool) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        let without_routes = (libc::RTMGRP_LINK | libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV6_IFADDR) as u32;
        socket.bind(&SocketAddr::new(0, if routes { GROUPS } else { without_routes }))?;
        if routes {
            socket.add_membership(RTNLGRP_IPV4_RULE)?;
            socket.add_membership(RTNLGRP_IPV6_RULE)?;
        }
        // A connected netlink socket takes messages from its peer alone, here the kernel.
        socket.connect(&SocketAddr::new(0, 0))?;
        // Without CAP_NET_ADMIN the size stays what it is; an overrun is repaired by listing everything again.
        let _ = sys::set_int_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, RECEIVE_BUFFER);
        socket.set_non_blocking(true)?;
        Ok(Self { socket: sys::watch(socket)?, buffer: Vec::with_capacity(RECEIVE_SIZE) })
    }

    /// Waits for something to read. Cancel safe.
    pub(in crate::linux) async fn ready(&self) -> io::Result<()> {
        self.socket.readable().await.map(|mut guard| guard.retain_ready())
    }

    /// Reads what is there without waiting. An error of kind `WouldBlock` says that nothing is; an overrun
    /// (`ENOBUFS`) that changes were lost and everything has to be listed again.
    pub(in crate::linux) fn read(&mut self, changes: &mut Vec<Change>) -> io::Result<()> {
        self.buffer.clear();
        let buffer = &mut self.buffer;
        self.socket.try_io(Interest::READABLE, |socket| socket.recv(buffer, 0))?;
        changes.extend(
            Messages::new(&self.buffer).filter_map(|message| parse::change(message.kind, message.payload)),
        );
        Ok(())
    }
}
