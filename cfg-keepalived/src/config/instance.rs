//! `vrrp_instance`.

use super::track::spanned;
use super::{Address, Config, GarpSettings, Notify, Reading, Route, Rule, Track};
use crate::codes;
use crate::tree::{Statement, ValueLine};
use crate::value::{self, Values};
use crate::word::Word;
use lb_core::diag::{Span, Spanned};
use std::net::IpAddr;
use std::time::Duration;
use vrrp::spec::ExtraGarp;

/// `state`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum State {
    /// `MASTER`
    Master,
    /// `BACKUP`
    Backup,
}

/// `auth_type`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum AuthType {
    /// `PASS`
    Pass,
    /// `AH`
    Ah,
}

/// A line of `unicast_peer`.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the words of the line")]
pub struct Peer {
    pub address: Spanned<IpAddr>,
    pub min_ttl: Option<u8>,
    pub max_ttl: Option<u8>,
}

/// `use_vmac`, `use_ipvlan`
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Vmac {
    /// Name of the interface to make.
    pub name: Option<Spanned<String>>,
    /// Its hardware address.
    pub mac: Option<[u8; 6]>,
    /// Interface group.
    pub group: Option<u32>,
    /// Address of an ipvlan, from which its adverts come.
    pub address: Option<IpAddr>,
    /// `use_ipvlan`, with its mode.
    pub ipvlan: Option<String>,
    /// Where it stands.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub span: Span,
}

/// `vrrp_instance`
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the keywords of the block")]
pub struct Instance {
    pub name: Spanned<String>,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub span: Span,
    pub state: Option<Spanned<State>>,
    pub interface: Option<Spanned<String>>,
    pub virtual_router_id: Option<Spanned<u8>>,
    pub priority: Option<Spanned<u8>>,
    pub advert_int: Option<Spanned<Duration>>,
    pub version: Option<Spanned<u8>>,
    pub auth_type: Option<Spanned<AuthType>>,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub auth_pass: Option<Spanned<String>>,
    /// The address family, from the first address that told it; IPv6 if true.
    pub ipv6: Option<bool>,
    pub addresses: Vec<Address>,
    pub excluded: Vec<Address>,
    pub no_addresses: Option<Spanned<bool>>,
    pub routes: Vec<Route>,
    pub rules: Vec<Rule>,
    pub promote_secondaries: Option<Spanned<bool>>,
    /// `accept` or `no_accept`
    pub accept: Option<Spanned<bool>>,
    pub nopreempt: Option<Spanned<bool>>,
    pub preempt_delay: Option<Spanned<Duration>>,
    pub track: Track,
    pub dont_track_primary: Option<Spanned<bool>>,
    pub track_src_ip: Option<Spanned<bool>>,
    /// `mcast_src_ip` or `unicast_src_ip`
    pub source: Option<Spanned<IpAddr>>,
    pub mcast_dst_ip: Option<Spanned<IpAddr>>,
    pub unicast_peers: Vec<Peer>,
    /// The first unicast keyword.
    pub unicast: Option<Spanned<bool>>,
    pub unicast_ttl: Option<Spanned<u8>>,
    pub unicast_fault_no_peer: Option<Spanned<bool>>,
    pub check_unicast_src: Option<Spanned<bool>>,
    /// `old_unicast_checksum`; false for `never`
    pub old_unicast_checksum: Option<Spanned<bool>>,
    pub vrf: Option<Spanned<String>>,
    pub kernel_rx_buf_size: Option<Spanned<u32>>,
    pub vmac: Option<Vmac>,
    pub vmac_addresses: Option<Spanned<bool>>,
    pub vmac_xmit_base: Option<Spanned<bool>>,
    pub garp_extra_if: Option<Spanned<ExtraGarp>>,
    pub garp: GarpSettings,
    pub lower_prio_no_advert: Option<Spanned<bool>>,
    pub higher_prio_send_advert: Option<Spanned<bool>>,
    pub owner_ignore_adverts: Option<Spanned<bool>>,
    pub down_timer_adverts: Option<Spanned<u8>>,
    pub timer_expired_backup: Option<Spanned<bool>>,
    pub v3_checksum_as_v2: Option<Spanned<bool>>,
    pub skip_check_adv_addr: Option<Spanned<bool>>,
    pub strict_mode: Option<Spanned<bool>>,
    pub debug: Option<Spanned<u8>>,
    pub notify: Notify,
}

impl Instance {
    fn new(name: Spanned<String>, span: Span) -> Self {
        Self {
            name,
            span,
            state: None,
            interface: None,
            virtual_router_id: None,
            priority: None,
            advert_int: None,
            version: None,
            auth_type: None,
            auth_pass: None,
            ipv6: None,
            addresses: Vec::new(),
            excluded: Vec::new(),
            no_addresses: None,
            routes: Vec::new(),
            rules: Vec::new(),
            promote_secondaries: None,
            accept: None,
            nopreempt: None,
            preempt_delay: None,
            track: Track::default(),
            dont_track_primary: None,
            track_src_ip: None,
            source: None,
            mcast_dst_ip: None,
            unicast_peers: Vec::new(),
            unicast: None,
            unicast_ttl: None,
            unicast_fault_no_peer: None,
            check_unicast_src: None,
            old_unicast_checksum: None,
            vrf: None,
            kernel_rx_buf_size: None,
            vmac: None,
            vmac_addresses: None,
            vmac_xmit_base: None,
            garp_extra_if: None,
            garp: GarpSettings::default(),
            lower_prio_no_advert: None,
            higher_prio_send_advert: None,
            owner_ignore_adverts: None,
            down_timer_adverts: None,
            timer_expired_backup: None,
            v3_checksum_as_v2: None,
            skip_check_adv_addr: None,
            strict_mode: None,
            debug: None,
            notify: Notify::default(),
        }
    }

    /// True if peers are spoken to by unicast.
    pub fn is_unicast(&self) -> bool {
        !self.unicast_peers.is_empty()
    }

    pub(super) fn read(
        name: Spanned<String>,
        statement: &Statement,
        config: &Config,
        cx: &mut Reading<'_>,
    ) -> Self {
        let mut it = Self::new(name, statement.span);
        let owner = it.name.value.clone();
        for (inner, values) in cx.each(statement.statements(), &owner) {
            let known = it.notify.take(inner.name(), &values, cx)
                || it.track.take(inner, &owner, config, cx)
                || it.garp.take(inner, &owner, &values, cx)
                || it.blocks(inner, cx)
                || it.identity(inner, &values, cx)
                || it.transport(inner, &values, cx)
                || it.behaviour(inner, &values, cx);
            debug_assert!(known, "`{}` is read by nobody", inner.name());
        }
        it
    }

    fn identity(&mut self, statement: &Statement, values: &Values, cx: &mut Reading<'_>) -> bool {
        match statement.name() {
            "state" => self.take_state(values, statement, cx),
            "interface" => {
                if let Some(word) = statement.args().first() {
                    self.take_interface(word, cx);
                }
            }
            "virtual_router_id" => self.virtual_router_id = values.number().or(self.virtual_router_id),
            "priority" => self.priority = values.number().or(self.priority),
            "advert_int" => self.advert_int = values.duration().or(self.advert_int),
            "version" => self.take_version(values, cx),
            "native_ipv6" => self.native_ipv6(statement, cx),
            "no_virtual_ipaddress" => self.no_addresses = values.flag(),
            "promote_secondaries" => self.promote_secondaries = values.flag(),
            "accept" => self.accept = values.flag(),
            "no_accept" => self.accept = values.flag().map(|f| f.map(|_| false)),
            "preempt" => self.nopreempt = None,
            "nopreempt" => self.nopreempt = values.flag(),
            "preempt_delay" => self.preempt_delay = values.duration(),
            "dont_track_primary" => self.dont_track_primary = values.flag(),
            "track_src_ip" => self.track_src_ip = values.flag(),
            "vrf" => self.take_vrf(values.word(), cx),
            "debug" => self.debug = values.number(),
            "kernel_rx_buf_size" => self.kernel_rx_buf_size = values.number(),
            _ => return false,
        }
        true
    }

    fn transport(&mut self, statement: &Statement, values: &Values, cx: &mut Reading<'_>) -> bool {
        let span = statement.keyword_span();
        match statement.name() {
            "mcast_src_ip" => self.take_source(values, cx),
            "unicast_src_ip" => {
                self.unicast = self.unicast.or_else(|| Some(Spanned::new(true, span)));
                self.take_source(values, cx);
            }
            "mcast_dst_ip" => self.take_group(values, cx),
            "unicast_peer" => {
                self.unicast = self.unicast.or_else(|| Some(Spanned::new(true, span)));
                for line in statement.values() {
                    self.peer(line, cx);
                }
            }
            "unicast_ttl" => self.unicast_ttl = values.number(),
            "unicast_fault_no_peer" => {
                self.unicast = self.unicast.or_else(|| Some(Spanned::new(true, span)));
                self.unicast_fault_no_peer = values.flag();
            }
            "check_unicast_src" => {
                self.unicast = self.unicast.or_else(|| Some(Spanned::new(true, span)));
                self.check_unicast_src = values.flag();
            }
            "old_unicast_checksum" => {
                let never = values.word().is_some();
                self.unicast = self.unicast.or_else(|| Some(Spanned::new(true, span)));
                self.old_unicast_checksum = values.flag().map(|f| f.map(|_| !never));
            }
            _ => return false,
        }
        true
    }

    fn behaviour(&mut self, statement: &Statement, values: &Values, cx: &mut Reading<'_>) -> bool {
        match statement.name() {
            "lower_prio_no_advert" => self.lower_prio_no_advert = values.switch(),
            "higher_prio_send_advert" => self.higher_prio_send_advert = values.switch(),
            "owner_ignore_adverts" => self.owner_ignore_adverts = values.switch(),
            "down_timer_adverts" => self.down_timer_adverts = values.number(),
            "timer_expired_backup" | "thread_timer_expired" => self.timer_expired_backup = values.flag(),
            "v3_checksum_as_v2" => self.v3_checksum_as_v2 = values.switch(),
            "skip_check_adv_addr" => self.skip_check_adv_addr = skip_check(values, cx),
            "strict_mode" => self.strict_mode = values.switch(),
            "vmac_xmit_base" => self.vmac_xmit_base = values.flag(),
            "garp_extra_if" | "vmac_garp_intvl" => self.garp_extra_if = extra_garp(statement, cx),
            "use_vmac" | "use_ipvlan" => self.vmac = Some(Vmac::read(statement, cx)),
            "use_vmac_addr" => self.vmac_addresses = values.flag(),
            _ => return false,
        }
        true
    }

    fn blocks(&mut self, statement: &Statement, cx: &mut Reading<'_>) -> bool {
        match statement.name() {
            "authentication" => self.authentication(statement, cx),
            "virtual_ipaddress" => {
                for line in statement.values() {
                    self.address(line, cx);
                }
            }
            "virtual_ipaddress_excluded" => {
                let read: Vec<Address> =
                    statement.values().iter().filter_map(|l| Address::read(l, false, cx)).collect();
                self.excluded.extend(read);
            }
            "virtual_routes" => self.routes.extend(Route::read_all(statement.values(), false, cx)),
            "virtual_rules" => self.rules.extend(Rule::read_all(statement.values(), false, cx)),
            _ => return false,
        }
        true
    }

    fn take_state(&mut self, values: &Values, statement: &Statement, cx: &mut Reading<'_>) {
        let Some(word) = values.word() else {
            // An unknown word counts as BACKUP, also after MASTER.
            let span = statement.args().first().map_or(statement.span, |w| w.span);
            self.state = Some(Spanned::new(State::Backup, span));
            return;
        };
        if word.value == "MASTER" {
            self.state = Some(word.map(|_| State::Master));
        } else if let Some(Spanned { value: State::Master, span }) = self.state {
            let compat = format!("({}) state previously set as MASTER - ignoring BACKUP", self.name.value);
            cx.warn(codes::CONFLICT, word.span, "`state BACKUP` after `state MASTER` is ignored", compat)
                .label(span, "set here");
        } else {
            self.state = Some(word.map(|_| State::Backup));
        }
    }

    fn take_version(&mut self, values: &Values, cx: &mut Reading<'_>) {
        let Some(version) = values.number::<u8>() else { return };
        let known = match self.version {
            Some(first) if first.value != version.value => first.value,
            None if version.value == 2 && self.ipv6 == Some(true) => 3,
            _ => {
                self.version = Some(version);
                return;
            }
        };
        let compat = format!(
            "({}) vrrp_version {} conflicts with configured or deduced version {known}; ignoring.",
            self.name.value, version.value
        );
        cx.warn(
            codes::CONFLICT,
            version.span,
            format!("the version is {known} already; this one is ignored"),
            compat,
        );
    }

    fn take_vrf(&mut self, vrf: Option<Spanned<String>>, cx: &mut Reading<'_>) {
        let Some(vrf) = vrf else { return };
        let name = &self.name.value;
        // Beside an interface it means nothing, which is told once everything is read.
        if self.interface.is_some() {
            self.vrf = Some(vrf);
        } else if cx.lacks_interface(&vrf.value) {
            let compat = format!("({name}) WARNING - VRF interface {} doesn't exist", vrf.value);
            cx.warn(codes::MISSING_INTERFACE, vrf.span, "this VRF does not exist; it is ignored", compat);
        } else if vrf.value == "lo" {
            let compat = format!("({name}) cannot use a loopback interface (lo) for VRF - ignoring");
            cx.warn(codes::BAD_NAME, vrf.span, "a loopback interface is no VRF; it is ignored", compat);
        } else {
            self.vrf = Some(vrf);
        }
    }

    fn take_interface(&mut self, word: &Word, cx: &mut Reading<'_>) {
        if word.text.len() > 15 {
            let message = "an interface name has at most 15 bytes; it is ignored";
            cx.warn(
                codes::BAD_NAME,
                word.span,
                message,
                format!("Interface name '{}' too long - ignoring", word.text),
            );
            return;
        }
        if cx.lacks_interface(&word.text) {
            let message = format!("the interface `{}` does not exist", word.text);
            let compat = format!(
                "WARNING - interface {} for vrrp_instance {} doesn't exist",
                word.text, self.name.value
            );
            cx.warn(codes::MISSING_INTERFACE, word.span, message, compat);
        }
        if word.text == "lo" {
            let message = "VRRP cannot run on a loopback interface; it is ignored";
            let compat =
                format!("({}) cannot use a loopback interface (lo) for vrrp - ignoring", self.name.value);
            cx.warn(codes::BAD_NAME, word.span, message, compat);
            return;
        }
        self.interface = Some(spanned(word));
    }

    /// Takes `address` as telling the family; false if it is of the other one.
    fn same_family(&mut self, address: IpAddr) -> bool {
        *self.ipv6.get_or_insert_with(|| address.is_ipv6()) == address.is_ipv6()
    }

    fn native_ipv6(&mut self, statement: &Statement, cx: &mut Reading<'_>) {
        if self.ipv6 == Some(false) {
            let compat = format!("({}) Cannot specify native_ipv6 with IPv4 addresses", self.name.value);
            cx.warn(codes::CONFLICT, statement.span, "`native_ipv6` with IPv4 addresses is ignored", compat);
        } else {
            self.ipv6 = Some(true);
        }
    }

    fn take_source(&mut self, values: &Values, cx: &mut Reading<'_>) {
        let Some(address) = values.address() else { return };
        if self.same_family(address.value) {
            self.source = Some(address);
            return;
        }
        let compat = format!(
            "Configuration error: VRRP instance[{}] and src address[{}] MUST be of the same family !!! Skipping...",
            self.name.value, address.value
        );
        cx.warn(
            codes::CONFLICT,
            address.span,
            "the source address is of the other family; it is ignored",
            compat,
        );
    }

    fn take_group(&mut self, values: &Values, cx: &mut Reading<'_>) {
        let Some(address) = values.address() else { return };
        let name = &self.name.value;
        let multicast = match address.value {
            IpAddr::V4(a) => a.is_multicast(),
            IpAddr::V6(a) => a.segments()[0] & 0xff0f == 0xff02,
        };
        if !multicast {
            let kind = if address.value.is_ipv6() { " link-local" } else { "" };
            let compat = format!("({name}) mcast_dst_ip {} not{kind} multicast. Skipping...", address.value);
            cx.warn(codes::BAD_ADDRESS, address.span, "this is no multicast address; it is ignored", compat);
        } else if self.same_family(address.value) {
            self.mcast_dst_ip = Some(address);
        } else {
            let compat = format!(
                "({}) mcast dest address {} MUST match VRRP instance family. Skipping...",
                self.name.value, address.value
            );
            cx.warn(
                codes::CONFLICT,
                address.span,
                "the group is of the other address family; it is ignored",
                compat,
            );
        }
    }

    fn address(&mut self, line: &ValueLine, cx: &mut Reading<'_>) {
        let Some(address) = Address::read(line, false, cx) else { return };
        if !self.same_family(address.ip()) {
            let compat = format!(
                "({}): address family must match VRRP instance [{}] - ignoring",
                self.name.value, line.words[0].text
            );
            cx.warn(
                codes::CONFLICT,
                address.span,
                "an instance announces addresses of one family; this one is ignored",
                compat,
            )
            .suggest(address.line, "", "put it into `virtual_ipaddress_excluded`");
            return;
        }
        if let Some(first) = self.addresses.iter().find(|a| a.ip() == address.ip()) {
            let first = first.span;
            cx.advise(
                codes::DUPLICATE,
                address.span,
                format!("{} is here twice; this one is ignored", address.ip()),
            )
            .label(first, "first here");
            return;
        }
        self.addresses.push(address);
    }

    fn authentication(&mut self, statement: &Statement, cx: &mut Reading<'_>) {
        let owner = self.name.value.clone();
        for (inner, values) in cx.each(statement.statements(), &owner) {
            let Some(word) = values.word() else { continue };
            match inner.name() {
                "auth_type" => {
                    let kind = if word.value == "AH" { AuthType::Ah } else { AuthType::Pass };
                    self.auth_type = Some(word.map(|_| kind));
                }
                _ => {
                    if word.value.len() > 8 {
                        let message = "a password has at most 8 bytes; the rest is cut off";
                        cx.hint(
                            codes::LONG_PASSWORD,
                            word.span,
                            message,
                            "Truncating auth_pass to 8 characters",
                        )
                        .note("both nodes cut alike, so it works, but only 8 bytes protect");
                    }
                    self.auth_pass = Some(word);
                }
            }
        }
    }

    fn peer(&mut self, line: &ValueLine, cx: &mut Reading<'_>) {
        let word = &line.words[0];
        let name = self.name.value.clone();
        let Some(address) = value::host(word, &mut cx.out) else {
            let compat = format!(
                "Configuration error: VRRP instance[{name}] malformed unicast peer address[{}]. Skipping...",
                word.text
            );
            cx.warn(
                codes::BAD_ADDRESS,
                word.span,
                format!("`{}` is no address; the peer is ignored", word.text),
                compat,
            );
            return;
        };
        if !self.same_family(address) {
            let compat = format!(
                "Configuration error: VRRP instance[{name}] and unicast peer address[{}] MUST be of the same family !!! \
                 Skipping...",
                word.text
            );
            cx.warn(
                codes::CONFLICT,
                word.span,
                "the peer is of the other address family; it is ignored",
                compat,
            );
            return;
        }
        if let Some(first) = self.unicast_peers.iter().find(|p| p.address.value == address) {
            let first = first.address.span;
            let message = "this peer is here twice; the first is taken";
            cx.advise(codes::DUPLICATE, word.span, message)
                .label(first, "first here")
                .note("keepalived sends each advert to it twice");
            return;
        }
        let mut peer = Peer { address: Spanned::new(address, word.span), min_ttl: None, max_ttl: None };
        for pair in line.words[1..].chunks(2) {
            self.peer_option(&mut peer, pair, cx);
        }
        let least = peer.min_ttl.unwrap_or(0);
        if let Some(most) = peer.max_ttl.filter(|most| *most < least) {
            let name = &self.name.value;
            let compat = format!("({name}) min_ttl {least} > max_ttl {most} - all packets will be discarded");
            cx.warn(codes::CONFLICT, word.span, "no advert of this peer can be accepted", compat);
        }
        self.unicast_peers.push(peer);
    }

    fn peer_option(&mut self, peer: &mut Peer, pair: &[Word], cx: &mut Reading<'_>) {
        let name = &self.name.value;
        let [option, number] = pair else {
            let compat = format!("({name}) {} is missing a value", pair[0].text);
            cx.warn(codes::BAD_OPTION, pair[0].span, format!("`{}` lacks its value", pair[0].text), compat);
            return;
        };
        let slot = match option.text.as_str() {
            "min_ttl" => &mut peer.min_ttl,
            "max_ttl" => &mut peer.max_ttl,
            other => {
                let compat = format!("({name}) unknown unicast_peer option {other}");
                cx.warn(
                    codes::BAD_OPTION,
                    option.span,
                    format!("unknown option `{other}` of a peer"),
                    compat,
                )
                .note("expected `min_ttl N` or `max_ttl N`");
                return;
            }
        };
        match value::integer(&number.text, 0, 255, false) {
            Ok(n) => {
                *slot = u8::try_from(n).ok();
                self.check_unicast_src =
                    self.check_unicast_src.or_else(|| Some(Spanned::new(true, option.span)));
            }
            Err(problem) => {
                let message = format!("`{}` is no hop limit", number.text);
                cx.warn(codes::BAD_NUMBER, number.span, message, problem.compat())
                    .note(problem.expected().to_owned());
            }
        }
    }
}

/// The original switches it on whatever the word says.
fn skip_check(values: &Values, cx: &mut Reading<'_>) -> Option<Spanned<bool>> {
    let switch = values.switch()?;
    if !switch.value {
        cx.advise(codes::ADJUSTED, switch.span, "`skip_check_adv_addr off` is taken at its word")
            .note("keepalived switches the checks off nevertheless");
    }
    Some(switch)
}

/// `[all] SECONDS`, in either order.
pub(super) fn extra_garp(statement: &Statement, cx: &mut Reading<'_>) -> Option<Spanned<ExtraGarp>> {
    let mut extra = ExtraGarp { interval: Duration::ZERO, all: false };
    let mut given = false;
    for word in statement.args() {
        if word.text == "all" {
            extra.all = true;
            continue;
        }
        match value::integer(&word.text, 0, 86_400, true) {
            Ok(n) => {
                extra.interval = Duration::from_secs(u64::try_from(n).unwrap_or(0));
                given = true;
            }
            Err(problem) => {
                let compat =
                    format!("{}\n{} '{}' invalid - ignoring", problem.compat(), statement.name(), word.text);
                cx.warn(
                    codes::BAD_NUMBER,
                    word.span,
                    format!("`{}` is no time; it is ignored", word.text),
                    compat,
                )
                .note(problem.expected().to_owned());
                return None;
            }
        }
    }
    if !given {
        let compat = format!("{} specified without time - ignoring", statement.name());
        cx.warn(codes::NOT_SET, statement.head_span(), "the time is missing; it is ignored", compat);
        return None;
    }
    Some(Spanned::new(extra, statement.head_span()))
}

/// An address, with or without a prefix length.
fn own_address(text: &str) -> Option<IpAddr> {
    text.split('/').next().and_then(value::address)
}

impl Vmac {
    fn read(statement: &Statement, cx: &mut Reading<'_>) -> Self {
        let ipvlan = statement.name() == "use_ipvlan";
        let mut it = Self {
            name: None,
            mac: None,
            group: None,
            address: None,
            ipvlan: ipvlan.then(|| "bridge".to_owned()),
            span: statement.head_span(),
        };
        let mut words = statement.args().iter();
        while let Some(word) = words.next() {
            match word.text.as_str() {
                "netlink_notify_msg" => {}
                "bridge" | "private" | "vepa" if ipvlan => it.ipvlan = Some(word.text.clone()),
                "name" => {
                    if let Some(name) = words.next() {
                        it.take_name(name, cx);
                    }
                }
                "group" => {
                    let number = words.next();
                    it.group = number.and_then(|w| w.text.parse().ok());
                    if it.group.is_none() {
                        let text = number.map_or("", |w| w.text.as_str());
                        cx.warn(
                            codes::BAD_NUMBER,
                            word.span,
                            "`group` lacks its number",
                            format!("VMAC group {text} not found"),
                        );
                    }
                }
                text if ipvlan && own_address(text).is_some() => it.address = own_address(text),
                text if text.contains(':') => it.take_mac(word, cx),
                _ => it.take_name(word, cx),
            }
        }
        it
    }

    fn take_mac(&mut self, word: &Word, cx: &mut Reading<'_>) {
        let bytes: Vec<u8> = word.text.split(':').filter_map(|p| u8::from_str_radix(p, 16).ok()).collect();
        match <[u8; 6]>::try_from(bytes) {
            Ok(mac) if word.text.split(':').count() == 6 && mac[0] & 1 == 0 => self.mac = Some(mac),
            _ => {
                let message = format!("`{}` is no unicast hardware address; it is ignored", word.text);
                cx.warn(
                    codes::BAD_ADDRESS,
                    word.span,
                    message,
                    format!("VMAC invalid MAC address {}", word.text),
                );
            }
        }
    }

    fn take_name(&mut self, word: &Word, cx: &mut Reading<'_>) {
        let text = &word.text;
        let valid =
            !text.is_empty() && text.len() <= 15 && text != "." && text != ".." && !text.contains(['/', ':']);
        if !valid {
            let compat = format!("VMAC interface name '{text}' too long or invalid characters - ignoring");
            cx.warn(
                codes::BAD_NAME,
                word.span,
                format!("`{text}` is no interface name; it is ignored"),
                compat,
            );
        } else if let Some(first) = &self.name {
            let first = first.span;
            cx.warn(
                codes::DUPLICATE,
                word.span,
                "a second interface name is ignored",
                "VMAC interface name already specified",
            )
            .label(first, "the first");
        } else {
            self.name = Some(spanned(word));
        }
    }
}
