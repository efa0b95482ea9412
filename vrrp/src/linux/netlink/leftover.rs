//! Whether a route that is in the way is the one that was to be put there: a run that was killed left it.

use netlink_packet_core::Emitable as _;
use netlink_packet_route::route::{RouteAttribute, RouteMessage};

/// `rtmsg`
const HEADER: usize = 12;
const RTA_METRICS: u16 = 8;
const RTA_TABLE: u16 = 15;
const RTA_EXPIRES: u16 = 23;

/// Asks for the routes of the same family, table, kind and maker. The kernel picks them where it checks requests strictly.
pub(in crate::linux) fn query(wanted: &RouteMessage) -> RouteMessage {
    let mut message = RouteMessage::default();
    let of = &wanted.header;
    message.header.address_family = of.address_family;
    message.header.table = of.table;
    message.header.protocol = of.protocol;
    message.header.kind = of.kind;
    let is_table = |attribute: &&RouteAttribute| matches!(attribute, RouteAttribute::Table(_));
    message.attributes.extend(wanted.attributes.iter().find(is_table).cloned());
    message
}

/// Whether a route that the kernel lists is the one wanted. The kernel may say more of it.
pub(super) fn is(wanted: &RouteMessage, listed: &[u8]) -> bool {
    let mut octets = vec![0; wanted.buffer_len()];
    wanted.emit(&mut octets);
    let (Some((own, wanted)), Some((header, listed))) =
        (octets.split_at_checked(HEADER), listed.split_at_checked(HEADER))
    else {
        return false;
    };
    let ipv4 = i32::from(own[0]) == libc::AF_INET;
    // Family, both lengths, service, table, protocol, scope and kind. Routes of IPv6 have no scope; the table of a high number
    // is an attribute of both.
    let alike = (0..8).all(|at| at == 4 || (at == 6 && !ipv4) || own[at] == header[at]);
    let table = |header: &[u8], all: &[u8]| {
        let said = attributes(all).find_map(|(kind, value)| (kind == RTA_TABLE).then(|| value.to_vec()));
        said.unwrap_or_else(|| u32::from(header[4]).to_ne_bytes().to_vec())
    };
    let settled = |kind: u16| [RTA_TABLE, RTA_EXPIRES].contains(&kind);
    let has = |(kind, value): (u16, &[u8])| {
        attributes(listed).any(|(other, found)| {
            kind == other && if kind == RTA_METRICS { sorted(value) == sorted(found) } else { value == found }
        })
    };
    alike
        && table(own, wanted) == table(header, listed)
        && attributes(wanted).filter(|(kind, _)| !settled(*kind)).all(has)
}

/// Kind and value of each attribute that fits.
fn attributes(mut octets: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    const NESTED: u16 = 0x8000;
    std::iter::from_fn(move || {
        let [a, b, c, d] = *octets.first_chunk::<4>()?;
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let value = octets.get(4..length)?;
        octets = octets.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some((u16::from_ne_bytes([c, d]) & !NESTED, value))
    })
}

/// Metrics come in the order of their numbers.
fn sorted(metrics: &[u8]) -> Vec<(u16, &[u8])> {
    let mut all: Vec<_> = attributes(metrics).collect();
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::netlink::routing::add_route;
    use crate::spec::{NextHop, Prefix, Route, RouteMetric};
    use netlink_packet_route::RouteNetlinkMessage;

    fn message(change: impl FnOnce(&mut Route)) -> RouteMessage {
        let mut route = Route::new(Prefix::new([10, 1, 0, 0].into(), 16));
        let mut hop = NextHop::default();
        (hop.via, hop.interface) = (Some([10, 0, 0, 1].into()), Some("eth0".into()));
        route.hops.push(hop);
        route.table = Some(1000);
        change(&mut route);
        let table = route.table.unwrap_or_default();
        match add_route(&route, table, &|_| Some(7)) {
            Some(RouteNetlinkMessage::NewRoute(message)) => message,
            other => panic!("{other:?}"),
        }
    }

    fn metric(number: u16, value: u32) -> RouteMetric {
        RouteMetric { number, value, locked: false }
    }

    fn octets(of: &RouteMessage) -> Vec<u8> {
        let mut octets = vec![0; of.buffer_len()];
        of.emit(&mut octets);
        octets
    }

    #[test]
    fn a_route_is_known_again_whatever_else_the_kernel_says_of_it() {
        let wanted = message(|route| route.metrics = vec![metric(2, 1400), metric(1, 3)]);
        let listed = message(|route| {
            route.metrics = vec![metric(1, 3), metric(2, 1400)];
            route.metric = Some(1024);
            route.expires = Some(60);
        });
        assert!(is(&wanted, &octets(&listed)));
        assert_eq!(octets(&query(&wanted))[4..6], octets(&wanted)[4..6]);
    }

    #[test]
    fn a_route_of_another_maker_place_or_way_is_a_strangers() {
        let wanted = octets(&message(|_| {}));
        let changes: [fn(&mut Route); 5] = [
            |route| route.protocol = Some(4),
            |route| route.table = Some(1001),
            |route| route.hops[0].via = Some([10, 0, 0, 2].into()),
            |route| route.destination = Prefix::new([10, 2, 0, 0].into(), 16),
            |route| route.metric = Some(5),
        ];
        for change in changes {
            assert!(!is(&message(change), &wanted));
        }
        for cut in 0..wanted.len() {
            assert!(!is(&message(|_| {}), &wanted[..cut]), "{cut}");
        }
    }
}
