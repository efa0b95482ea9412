//! Addresses and networks, longest prefix first.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::hash::FastMap;
use super::keys::Ids;
use crate::expr::Sample;
use crate::expr::net::{mask4, mask6, parse_mask4, v6_to_v4};

/// A network of either family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    /// Address and mask; the mask need not be contiguous.
    V4(u32, u32),
    /// Address and prefix length.
    V6(u128, u8),
}

/// Networks by prefix length: one probe per length that occurs.
#[derive(Clone, Debug, Default)]
pub(super) struct Networks {
    v4: Vec<(u8, FastMap<u32, Ids>)>,
    v6: Vec<(u8, FastMap<u128, Ids>)>,
    /// Networks with holes in their mask.
    odd: Vec<(u32, u32, u32)>,
}

impl Networks {
    pub(super) fn insert(&mut self, network: Network, id: u32) {
        match network {
            Network::V4(addr, mask) if is_contiguous(mask) => {
                insert(&mut self.v4, mask.leading_ones() as u8, addr & mask, id);
            }
            Network::V4(addr, mask) => self.odd.push((addr & mask, mask, id)),
            Network::V6(addr, bits) => insert(&mut self.v6, bits, addr & mask6(bits), id),
        }
    }

    pub(super) fn remove(&mut self, network: Network, id: u32) {
        match network {
            Network::V4(addr, mask) if is_contiguous(mask) => {
                remove(&mut self.v4, mask.leading_ones() as u8, addr & mask, id);
            }
            Network::V4(addr, mask) => self.odd.retain(|odd| *odd != (addr & mask, mask, id)),
            Network::V6(addr, bits) => remove(&mut self.v6, bits, addr & mask6(bits), id),
        }
    }

    /// The most specific network holding the address. An IPv4 address is also looked for in its
    /// mapped form, and an IPv6 address in the IPv4 one it embeds.
    pub(super) fn find(&self, address: &Sample<'_>) -> Option<u32> {
        match *address {
            Sample::Ipv4(addr) => self
                .find_v4(addr)
                .or_else(|| self.find_v6(addr.to_ipv6_mapped()))
                .or_else(|| self.find_odd(addr)),
            Sample::Ipv6(addr) => self.find_v6(addr).or_else(|| {
                let addr = v6_to_v4(addr)?;
                self.find_v4(addr).or_else(|| self.find_odd(addr))
            }),
            _ => None,
        }
    }

    fn find_v4(&self, addr: Ipv4Addr) -> Option<u32> {
        let addr = u32::from(addr);
        self.v4.iter().find_map(|(bits, map)| map.get(&(addr & mask4(*bits))).map(Ids::first))
    }

    fn find_v6(&self, addr: Ipv6Addr) -> Option<u32> {
        let addr = u128::from(addr);
        self.v6.iter().find_map(|(bits, map)| map.get(&(addr & mask6(*bits))).map(Ids::first))
    }

    fn find_odd(&self, addr: Ipv4Addr) -> Option<u32> {
        let addr = u32::from(addr);
        self.odd.iter().find(|(net, mask, _)| addr & mask == *net).map(|(_, _, id)| *id)
    }
}

fn insert<K: std::hash::Hash + Eq>(table: &mut Vec<(u8, FastMap<K, Ids>)>, bits: u8, key: K, id: u32) {
    let at = match table.binary_search_by(|(old, _)| bits.cmp(old)) {
        Ok(at) => at,
        Err(at) => {
            table.insert(at, (bits, FastMap::default()));
            at
        }
    };
    table[at].1.entry(key).and_modify(|ids| ids.add(id)).or_insert(Ids::One(id));
}

fn remove<K: std::hash::Hash + Eq>(table: &mut Vec<(u8, FastMap<K, Ids>)>, bits: u8, key: K, id: u32) {
    let Ok(at) = table.binary_search_by(|(old, _)| bits.cmp(old)) else { return };
    if table[at].1.get_mut(&key).is_some_and(|ids| ids.remove(id)) {
        table[at].1.remove(&key);
        if table[at].1.is_empty() {
            table.remove(at);
        }
    }
}

const fn is_contiguous(mask: u32) -> bool {
    mask.leading_ones() + mask.trailing_zeros() >= 32
}

/// Parses an address or network. `resolve` is asked for names; abbreviated IPv4 addresses
/// (`127.1`) are taken where names are.
pub(super) fn parse(text: &str, resolve: Option<super::Resolver<'_>>) -> Result<Network, String> {
    let invalid = || format!("'{text}' is not a valid IPv4 or IPv6 address");
    let (host, mask) = match text.rsplit_once('/') {
        Some((host, mask)) => (host, Some(mask)),
        None => (text, None),
    };
    if let Ok(addr) = host.parse::<Ipv6Addr>() {
        let bits = match mask {
            Some(mask) => mask.parse::<u8>().ok().filter(|bits| *bits <= 128).ok_or_else(invalid)?,
            None => 128,
        };
        return Ok(Network::V6(addr.into(), bits));
    }
    let mask = match mask {
        Some(mask) => parse_mask4(mask).ok_or_else(invalid)?,
        None => u32::MAX,
    };
    let addr = host.parse::<Ipv4Addr>().ok().or_else(|| {
        let resolve = resolve?;
        abbreviated(host).or_else(|| resolve(host))
    });
    addr.map(|addr| Network::V4(addr.into(), mask)).ok_or_else(invalid)
}

/// `10.12` is 10.0.0.12: the last number fills the remaining octets.
fn abbreviated(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u32> = text.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let (last, first) = parts.split_last()?;
    if first.len() > 3 || first.iter().any(|part| *part > 255) {
        return None;
    }
    let room = 32 - 8 * first.len() as u32;
    if room < 32 && *last >= 1 << room {
        return None;
    }
    let high = first.iter().enumerate().fold(0, |acc, (at, part)| acc | part << (24 - 8 * at as u32));
    Some(Ipv4Addr::from(high | last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(text: &str) -> Sample<'static> {
        Sample::Ipv4(text.parse().unwrap())
    }

    fn v6(text: &str) -> Sample<'static> {
        Sample::Ipv6(text.parse().unwrap())
    }

    fn set(networks: &[&str]) -> Networks {
        let mut set = Networks::default();
        for (id, network) in networks.iter().enumerate() {
            set.insert(parse(network, Some(&|_| None)).unwrap(), id as u32);
        }
        set
    }

    #[test]
    fn the_most_specific_network_wins() {
        let set = set(&["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "0.0.0.0/0"]);
        assert_eq!(set.find(&v4("10.1.2.3")), Some(2));
        assert_eq!(set.find(&v4("10.1.2.4")), Some(1));
        assert_eq!(set.find(&v4("10.2.2.4")), Some(0));
        assert_eq!(set.find(&v4("11.2.2.4")), Some(3));
    }

    #[test]
    fn families_meet_where_one_embeds_the_other() {
        let v4_net = set(&["10.0.0.0/8"]);
        for text in ["::ffff:10.1.1.1", "2002:a01:101::1", "::10.1.1.1"] {
            assert_eq!(v4_net.find(&v6(text)), Some(0), "{text}");
        }
        assert_eq!(v4_net.find(&v6("2001:db8::1")), None);
        assert_eq!(set(&["::ffff:10.0.0.0/104"]).find(&v4("10.9.9.9")), Some(0));
    }

    #[test]
    fn masks_with_holes_and_short_forms_are_understood() {
        let set = set(&["10.0.5.0/255.0.255.0", "127.1", "192.168.1/24"]);
        assert_eq!(set.find(&v4("10.77.5.9")), Some(0));
        assert_eq!(set.find(&v4("10.77.6.9")), None);
        assert_eq!(set.find(&v4("127.0.0.1")), Some(1));
        assert_eq!(set.find(&v4("192.168.0.77")), Some(2));
        assert!(parse("127.1", None).is_err());
        assert!(parse("10.0.0.0/33", None).is_err());
        assert!(parse("::/129", None).is_err());
        assert!(parse("example.org", Some(&|_| None)).is_err());
    }
}
