//! What an instance keeps over all its states, and the actions the states share.

mod hear;
mod hold;
mod send;
mod tell;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Cx;
use crate::advert::{self, Advert, Rejection};
use crate::event::AddressChange;
use crate::spec::{Auth, InstanceRef, Route, Rule, Version, VirtualAddress};
use crate::stats::{StateKind, Stats};
use crate::timer;
use crate::track::Fault;
use crate::wire::{self, PRIORITY_OWNER, PRIORITY_STOP, ah, ip};

pub(crate) use hear::{Claim, Hearing};
pub(crate) use tell::{notify_state, specific_script};

/// The most addresses an advert can name.
const MAX_ADDRESSES: usize = 255;
/// MTU assumed until the driver tells.
const DEFAULT_MTU: u32 = 1500;
/// How many other routers are remembered.
const MAX_RIVALS: usize = 16;
/// How long farewells of a router are mistrusted after a false one.
const WARINESS: Duration = Duration::from_secs(60);

/// What an instance keeps over all its states.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) spec: InstanceRef,
    /// Addresses named in the adverts.
    addresses: Vec<AddressChange>,
    /// Addresses held without being named.
    excluded: Vec<AddressChange>,
    advertised: Vec<IpAddr>,
    routes: Vec<Arc<Route>>,
    rules: Vec<Arc<Rule>>,
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
    /// Everybody ever heard, with the last priority.
    rivals: Vec<(IpAddr, u8)>,
    /// When the state last changed, and why.
    pub(crate) last_transition: Option<(Instant, Cow<'static, str>)>,
    pub(crate) hearing: Hearing,
    notified: bool,
    mailed: Option<StateKind>,
    ip_id: u16,
    sequence: u32,
    seen_sequence: u32,
    restores: (u32, Option<Instant>),
    /// Which address was last asked for.
    probed: usize,
    /// The last farewell of a router that was heard before.
    farewell: Option<Box<Farewell>>,
    /// Who was last spoken for by somebody else, and when.
    wary: Option<(IpAddr, Instant)>,
}

/// A router said that it stops.
#[derive(Debug)]
struct Farewell {
    source: IpAddr,
    /// Its priority until then.
    before: u8,
    at: Instant,
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
            addresses: Vec::new(),
            excluded: Vec::new(),
            advertised: Vec::new(),
            routes: Vec::new(),
            rules: Vec::new(),
            source: spec.source,
            faults: Vec::new(),
            pending: false,
            holding: false,
            owner_backed_off: false,
            addresses_added: false,
            stats: Stats::default(),
            told: Told::default(),
            master: None,
            rivals: Vec::new(),
            last_transition: None,
            hearing: Hearing::default(),
            notified: false,
            mailed: None,
            ip_id: 0,
            sequence: 0,
            seen_sequence: 0,
            restores: (0, None),
            probed: 0,
            farewell: None,
            wary: None,
            spec,
        };
        core.lay_out(None);
        core
    }

    /// Divides the addresses into those named in the adverts and those that are not: a packet has room for 255, or
    /// for what fits into the MTU, all of its own family.
    pub(crate) fn lay_out(&mut self, mtu: Option<u32>) {
        let spec = self.spec.clone();
        let change = |address: &VirtualAddress| {
            let interface = spec.address_interface(address)?.clone();
            Some(AddressChange {
                instance: Some(spec.name.clone()),
                interface,
                address: Arc::new(address.clone()),
            })
        };
        let room = self.room(mtu);
        self.addresses.clear();
        self.excluded.clear();
        for address in spec.addresses.iter().filter_map(change) {
            let own_family = address.address.address().is_ipv6() == spec.ipv6;
            let list = if own_family && self.addresses.len() < room {
                &mut self.addresses
            } else {
                &mut self.excluded
            };
            list.push(address);
        }
        self.excluded.extend(spec.excluded_addresses.iter().filter_map(change));
        self.addresses.shrink_to_fit();
        self.excluded.shrink_to_fit();
        self.advertised = self.addresses.iter().map(|change| change.address.address()).collect();
        self.routes = spec.routes.iter().cloned().map(Arc::new).collect();
        self.rules = spec.rules.iter().cloned().map(Arc::new).collect();
    }

    fn room(&self, mtu: Option<u32>) -> usize {
        let (header, size) =
            if self.spec.ipv6 { (ip::IPV6_HEADER_LEN, 16) } else { (ip::IPV4_HEADER_LEN, 4) };
        let auth = match (&self.spec.auth, self.spec.version) {
            (Auth::Ah(_), _) => wire::AUTH_LEN + ah::HEADER_LEN,
            (_, Version::V2) if !self.spec.ipv6 => wire::AUTH_LEN,
            _ => 0,
        };
        let mtu = mtu.unwrap_or(DEFAULT_MTU) as usize;
        (mtu.saturating_sub(header + wire::HEADER_LEN + auth) / size).min(MAX_ADDRESSES)
    }

    pub(crate) fn advertised(&self) -> &[IpAddr] {
        &self.advertised
    }

    /// All addresses the master holds.
    pub(crate) fn held(&self) -> impl Iterator<Item = &AddressChange> {
        self.addresses.iter().chain(&self.excluded)
    }

    pub(crate) fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    pub(crate) fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    pub(crate) fn skew(&self, master_interval: Duration) -> Duration {
        timer::skew(self.spec.version, self.effective, master_interval)
    }

    pub(crate) fn master_down(&self, master_interval: Duration) -> Duration {
        timer::master_down(self.spec.version, self.spec.down_timer_adverts, self.effective, master_interval)
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

    /// True if another router would win an election now, as far as is known. Who has never heard of another router
    /// cannot exclude it.
    pub(crate) fn expects_to_lose(&self) -> bool {
        let ours = (self.effective, self.source);
        self.rivals.is_empty()
            || self.rivals.iter().any(|&(address, priority)| (priority, Some(address)) > ours)
    }

    /// Puts a datagram through the acceptance tests and counts the outcome.
    pub(crate) fn accept(&mut self, cx: &mut Cx<'_>, datagram: &crate::event::Datagram) -> Option<Advert> {
        match advert::check(&self.spec, &self.advertised, self.seen_sequence, datagram) {
            Ok(advert) => {
                self.note(cx, &advert);
                Some(advert)
            }
            Err(Rejection { reason, text }) => {
                self.stats.reject(reason);
                self.hearing.refused(cx.now, datagram.source, reason, &text);
                if self.told.once(reason as u32) {
                    self.warn(cx, &text);
                }
                None
            }
        }
    }

    fn note(&mut self, cx: &mut Cx<'_>, advert: &Advert) {
        self.stats.adverts_received += 1;
        self.hearing.accepted(cx.now, advert.source, (advert.priority, advert.interval));
        if let Some(mismatch) = advert.address_mismatch {
            self.stats.address_list_mismatches += 1;
            if self.told.once(ADDRESS_LIST) {
                self.warn(cx, &mismatch.text(self.spec.vrid, advert.source));
            }
        }
        if let Some(sequence) = advert.sequence {
            self.seen_sequence = sequence;
            // A peer that starts counting anew must not be locked out by our own high number.
            self.sequence = self.sequence.max(sequence);
        }
        self.judge_farewell(cx, advert);
        if advert.priority == PRIORITY_STOP {
            self.rivals.retain(|(address, _)| *address != advert.source);
        } else if let Some(known) = self.rivals.iter_mut().find(|(address, _)| *address == advert.source) {
            known.1 = advert.priority;
        } else {
            if self.rivals.len() == MAX_RIVALS {
                self.rivals.remove(0);
            }
            self.rivals.push((advert.source, advert.priority));
        }
    }

    /// Nothing in a farewell proves that the master sent it. But a master that stops does not go on as if nothing had
    /// happened: if it does, somebody else spoke in its name.
    fn judge_farewell(&mut self, cx: &mut Cx<'_>, advert: &Advert) {
        let Advert { source, priority, interval, .. } = *advert;
        if priority == PRIORITY_STOP {
            let known = self.rivals.iter().find(|(address, _)| *address == source);
            // A second farewell says nothing new about what was before the first.
            if let Some(&(_, before)) = known {
                self.farewell = Some(Box::new(Farewell { source, before, at: cx.now }));
            }
            return;
        }
        let Some(farewell) = self.farewell.take_if(|farewell| farewell.source == source) else { return };
        let age = cx.now.saturating_duration_since(farewell.at);
        if farewell.before != priority || age > interval.duration() * 3 / 2 {
            return;
        }
        self.stats.false_farewells += 1;
        let news = self.wary(cx.now).is_none();
        self.wary = Some((source, cx.now));
        if news {
            self.warn(
                cx,
                &format!(
                    "{source} goes on after a farewell (priority 0) in its name: another machine sent it. For a minute its \
                     farewells count only when its next advert fails to come"
                ),
            );
        }
    }

    /// The router in whose name others sent farewells lately.
    pub(crate) fn wary(&self, now: Instant) -> Option<IpAddr> {
        let (source, at) = self.wary?;
        (now.saturating_duration_since(at) < WARINESS).then_some(source)
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
