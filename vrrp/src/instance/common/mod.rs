//! What an instance keeps over all its states, and the actions the states share.

mod hear;
mod hold;
mod others;
mod send;
mod tell;

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::Cx;
use crate::advert::{self, Advert, Rejection};
use crate::spec::{Auth, InstanceRef, Version};
use crate::stats::{StateKind, Stats};
use crate::timer;
use crate::track::Fault;
use crate::wire::{self, PRIORITY_OWNER, ah, ip};

pub(crate) use hear::Claim;
use others::Others;
pub(crate) use tell::{notify_state, specific_script};

/// MTU assumed until the driver tells.
const DEFAULT_MTU: u32 = 1500;

/// What an instance keeps over all its states.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) spec: InstanceRef,
    /// How many addresses an advert has room for.
    room: u8,
    pub(crate) effective: u8,
    pub(crate) total: i64,
    /// Source address of the adverts.
    pub(crate) source: Option<IpAddr>,
    pub(crate) faults: Vec<Fault>,
    /// A tracker that could mean a fault has not reported yet.
    pub(crate) pending: bool,
    /// The addresses are in place.
    pub(crate) holding: bool,
    /// The owner of the addresses has stepped back behind another one.
    pub(crate) owner_backed_off: bool,
    /// A new specification brought further addresses.
    pub(crate) addresses_added: bool,
    pub(crate) stats: Stats,
    pub(crate) told: Told,
    /// The master last heard.
    pub(crate) master: Option<(IpAddr, u8)>,
    /// When the state last changed, and why.
    pub(crate) last_transition: Option<(Instant, Cow<'static, str>)>,
    /// Nothing as long as nobody was heard.
    others: Option<Box<Others>>,
    notified: bool,
    mailed: Option<StateKind>,
    ip_id: u16,
    sequence: u32,
    seen_sequence: u32,
    restores: (u32, Option<Instant>),
    /// Which address was last asked for.
    probed: u32,
}

/// What has been told in this mastership: every kind of trouble is logged once, not once per packet.
#[derive(Debug, Default)]
pub(crate) struct Told(u64);

/// An advert of our own priority and address.
pub(crate) const SAME_ADDRESS: u32 = 63;
const ADDRESS_LIST: u32 = 61;

impl Told {
    /// True the first time.
    pub(crate) fn once(&mut self, what: u32) -> bool {
        let bit = 1 << what;
        let first = self.0 & bit == 0;
        self.0 |= bit;
        first
    }

    /// Whatever is wrong with the addresses of this advert has been told.
    pub(crate) fn note_mismatch(&mut self, advert: &Advert) {
        if advert.address_mismatch.is_some() {
            self.once(ADDRESS_LIST);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0 = 0;
    }
}

impl Core {
    pub(crate) fn new(spec: InstanceRef) -> Self {
        let mut core = Self {
            effective: spec.priority,
            total: i64::from(spec.priority),
            room: 0,
            source: spec.source,
            faults: Vec::new(),
            pending: false,
            holding: false,
            owner_backed_off: false,
            addresses_added: false,
            stats: Stats::default(),
            told: Told::default(),
            master: None,
            last_transition: None,
            others: None,
            notified: false,
            mailed: None,
            ip_id: 0,
            sequence: 0,
            seen_sequence: 0,
            restores: (0, None),
            probed: 0,
            spec,
        };
        core.lay_out(None);
        core
    }

    /// Makes room for the addresses in the adverts: a packet has it for 255, or for what fits into the MTU.
    pub(crate) fn lay_out(&mut self, mtu: Option<u32>) {
        self.room = self.room(mtu);
    }

    fn room(&self, mtu: Option<u32>) -> u8 {
        let (header, size) =
            if self.spec.ipv6 { (ip::IPV6_HEADER_LEN, 16) } else { (ip::IPV4_HEADER_LEN, 4) };
        let auth = match (&self.spec.auth, self.spec.version) {
            (Auth::Ah(_), _) => wire::AUTH_LEN + ah::HEADER_LEN,
            (_, Version::V2) if !self.spec.ipv6 => wire::AUTH_LEN,
            _ => 0,
        };
        let mtu = mtu.unwrap_or(DEFAULT_MTU) as usize;
        u8::try_from(mtu.saturating_sub(header + wire::HEADER_LEN + auth) / size).unwrap_or(u8::MAX)
    }

    pub(crate) fn skew(&self, master_interval: Duration) -> Duration {
        timer::skew(self.spec.version, self.effective, master_interval)
    }

    pub(crate) fn master_down(&self, master_interval: Duration) -> Duration {
        timer::master_down(self.spec.version, self.spec.down_timer_adverts, self.effective, master_interval)
    }

    /// How long the most patient backup of ours waits for an advert.
    pub(crate) fn longest_patience(&self) -> Duration {
        let interval = self.spec.advert_interval.duration();
        timer::longest_master_down(self.spec.version, self.spec.down_timer_adverts, interval)
    }

    /// Applies the sum of all weights. Returns the former priority if it changed.
    pub(crate) fn set_weight(&mut self, weight: i64, cx: &mut Cx<'_>) -> Option<u8> {
        if self.spec.is_owner() {
            return None;
        }
        self.total = i64::from(self.spec.priority) + weight;
        let effective = self.total.clamp(1, i64::from(PRIORITY_OWNER) - 1) as u8;
        let old = std::mem::replace(&mut self.effective, effective);
        if old == effective {
            return None;
        }
        self.info(cx, &format!("Changing effective priority from {old} to {effective}"));
        Some(old)
    }

    pub(crate) fn restore_owner(&mut self) {
        self.owner_backed_off = false;
        self.effective = PRIORITY_OWNER;
    }

    /// Puts a datagram through the acceptance tests and counts the outcome.
    pub(crate) fn accept(&mut self, cx: &mut Cx<'_>, datagram: &crate::event::Datagram) -> Option<Advert> {
        match advert::check(&self.spec, &self.advertised(), self.seen_sequence, datagram) {
            Ok(advert) => {
                self.note(cx, &advert);
                Some(advert)
            }
            Err(Rejection { reason, text }) => {
                self.stats.reject(reason);
                self.hearing_mut().refused(cx.now, datagram.source, reason, &text);
                if self.told.once(reason as u32) {
                    self.warn(cx, &text);
                }
                None
            }
        }
    }

    pub(crate) fn owner_conflict(&mut self, cx: &mut Cx<'_>, advert: &Advert) {
        let source = advert.source;
        self.warn(
            cx,
            &format!(
                "CONFIGURATION ERROR: local instance and {source} are both configured as address owner, please resolve"
            ),
        );
    }
}
