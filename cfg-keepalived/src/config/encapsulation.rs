//! `encap` of a route, in the words of `ip route`.

use super::cursor::{Cursor, Dropped, FIELDS, auto_base};
use crate::codes;
use crate::value;
use crate::word::Word;
use std::net::IpAddr;
use vrrp::spec::{Encapsulation, Tunnel};

/// Labels of one packet at most.
const LABELS: usize = 16;
/// A label has 20 bits.
const LABEL: i64 = 1 << 20;

/// The words behind `encap`.
pub(super) fn read(option: &Word, line: &mut Cursor<'_, '_, '_>) -> Result<Encapsulation, Dropped> {
    let Some(kind) = line.next() else {
        let message = "`encap` lacks the kind of encapsulation";
        return Err(line.drop_line(codes::NOT_SET, option, message, "Missing encap type".to_owned()));
    };
    let wrong = |line: &mut Cursor<'_, '_, '_>, word: &Word, compat: String| {
        let message = format!("`{}` is no value for `encap {}`", word.text, kind.text);
        line.drop_line(codes::BAD_OPTION, word, &message, compat)
    };
    match kind.text.as_str() {
        "mpls" => match line.next() {
            Some(word) => labels(&word.text).map(Encapsulation::Mpls).ok_or_else(|| {
                wrong(line, word, format!("invalid mpls address {} for encapsulation", word.text))
            }),
            None => Err(wrong(line, kind, "missing address for MPLS encapsulation".to_owned())),
        },
        "ila" => match line.next() {
            Some(word) => locator(&word.text).map(Encapsulation::Ila).ok_or_else(|| {
                wrong(line, word, format!("invalid locator {} for ila encapsulation", word.text))
            }),
            None => Err(wrong(line, kind, "missing locator for ILA encapsulation".to_owned())),
        },
        "ip" => tunnel(kind, line, |address| match address {
            IpAddr::V4(address) => Ok(address),
            IpAddr::V6(address) => Err(format!("IPv6 address {address} not valid for ip encapsulation")),
        })
        .map(Encapsulation::Ip),
        "ip6" => tunnel(kind, line, |address| match address {
            IpAddr::V6(address) => Ok(address),
            IpAddr::V4(address) => Err(format!("IPv4 address {address} not valid for ip6 encapsulation")),
        })
        .map(Encapsulation::Ip6),
        other => {
            let compat = format!("Unknown encap type - {other}");
            let message = format!("`{other}` is no encapsulation; known are mpls, ip, ip6 and ila");
            Err(line.drop_line(codes::BAD_OPTION, kind, &message, compat))
        }
    }
}

/// Pairs of a word and its value, as long as they are those of a tunnel.
fn tunnel<A>(
    kind: &Word,
    line: &mut Cursor<'_, '_, '_>,
    own: impl Fn(IpAddr) -> Result<A, String>,
) -> Result<Tunnel<A>, Dropped> {
    let (tos, ttl) = if kind.text == "ip" { ("tos", "ttl") } else { ("tc", "hoplimit") };
    let mut tunnel = Tunnel::default();
    let env = line.cx.env;
    while let Some((option, word)) = line.pair() {
        let (option, text) = (option.text.as_str(), word.text.as_str());
        let address = |what: &str| {
            let found =
                value::address(text).ok_or_else(|| format!("Invalid encap {} {what} {text}", kind.text));
            found.and_then(&own).map(Some)
        };
        let number = |most: i64| auto_base(text).filter(|number| *number <= most);
        let read = match option {
            "dst" => address("dst").map(|address| tunnel.destination = address),
            "src" => address("src").map(|address| tunnel.source = address),
            "id" => number(i64::MAX)
                .map(|id| tunnel.id = u64::try_from(id).ok())
                .ok_or_else(|| format!("invalid number '{text}'\nencap id {text} value is invalid")),
            "flags" => number(0xffff)
                .map(|flags| tunnel.flags = u16::try_from(flags).ok())
                .ok_or_else(|| format!("flags {text} is not valid for ip encapsulation")),
            _ if option == tos => FIELDS
                .find(text, env)
                .map(|value| tunnel.tos = u8::try_from(value).ok())
                .ok_or_else(|| format!("dsfield {text} not valid for {} encapsulation", kind.text)),
            _ if option == ttl => number(0xff)
                .map(|value| tunnel.ttl = u8::try_from(value).ok())
                .ok_or_else(|| format!("{ttl} {text} is not valid for {} encapsulation", kind.text)),
            _ => break,
        };
        if let Err(compat) = read {
            let message = format!("`{text}` is no value for `{option}` of a tunnel");
            return Err(line.drop_line(codes::BAD_OPTION, word, &message, compat));
        }
        line.skip(2);
    }
    if tunnel.destination.is_none() && tunnel.id.is_none() {
        let compat = format!("address or id missing for {} encapsulation", kind.text);
        return Err(line.drop_line(codes::NOT_SET, kind, "a tunnel needs `dst` or `id`", compat));
    }
    Ok(tunnel)
}

/// `100/200`
fn labels(text: &str) -> Option<Vec<u32>> {
    let all = text.split('/').map(|label| auto_base(label).filter(|label| *label < LABEL));
    let all: Option<Vec<u32>> = all.map(|label| u32::try_from(label?).ok()).collect();
    all.filter(|all| all.len() <= LABELS)
}

/// `1:2:3:4`: half an IPv6 address.
fn locator(text: &str) -> Option<u64> {
    let parts: Option<Vec<u16>> = text.split(':').map(|part| u16::from_str_radix(part, 16).ok()).collect();
    let parts = parts.filter(|parts| parts.len() == 4)?;
    Some(parts.into_iter().fold(0, |locator, part| locator << 16 | u64::from(part)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::{NoIncludes, StaticEnv};
    use crate::load;

    /// What a route with these words behind `encap` is wrapped in, and what the original says of it.
    fn read(words: &str) -> (Option<Encapsulation>, Vec<String>) {
        let text = format!(
            "vrrp_instance v {{\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {{ 10.0.0.3 }}\n \
             virtual_routes {{\n 10.1.0.0/24 via 10.0.0.9 dev eth0 encap {words}\n }}\n}}\n"
        );
        let loaded = load("k.conf", &text, &mut NoIncludes, &StaticEnv::new("h"));
        let said = loaded.diagnostics.iter().filter_map(|d| d.compat.clone()).collect();
        let routes = &loaded.config.instances[0].routes;
        (routes.first().and_then(|route| route.value.hops[0].encapsulation.clone()), said)
    }

    #[test]
    fn each_kind_has_its_own_words() {
        assert_eq!(read("mpls 100/200"), (Some(Encapsulation::Mpls(vec![100, 200])), Vec::new()));
        assert_eq!(read("ila 1:2:3:4").0, Some(Encapsulation::Ila(0x0001_0002_0003_0004)));
        let (found, said) = read("ip id 5 dst 10.9.9.9 src 10.9.9.8 tos 4 ttl 5 flags 1 onlink");
        let Some(Encapsulation::Ip(tunnel)) = found else { panic!("{said:?}") };
        assert_eq!((tunnel.id, tunnel.ttl, tunnel.tos, tunnel.flags), (Some(5), Some(5), Some(4), Some(1)));
        assert_eq!(tunnel.destination, Some([10, 9, 9, 9].into()));
        let (found, said) = read("ip6 dst 2001:db8::1 tc 4 hoplimit 5");
        let Some(Encapsulation::Ip6(tunnel)) = found else { panic!("{said:?}") };
        assert_eq!((tunnel.tos, tunnel.ttl), (Some(4), Some(5)));
    }

    #[test]
    fn what_is_wrong_is_said_as_the_original_says_it() {
        for (words, said) in [
            ("", "Missing encap type"),
            ("seg6 mode encap", "Unknown encap type - seg6"),
            ("mpls", "missing address for MPLS encapsulation"),
            ("mpls 1048576", "invalid mpls address 1048576 for encapsulation"),
            ("mpls 1/", "invalid mpls address 1/ for encapsulation"),
            ("ila x", "invalid locator x for ila encapsulation"),
            ("ip", "address or id missing for ip encapsulation"),
            ("ip id x dst 10.9.9.9", "invalid number 'x'\nencap id x value is invalid"),
            ("ip dst 2001:db8::2", "IPv6 address 2001:db8::2 not valid for ip encapsulation"),
            ("ip6 dst 10.1.1.1", "IPv4 address 10.1.1.1 not valid for ip6 encapsulation"),
        ] {
            assert_eq!(read(words), (None, vec![said.to_owned()]), "{words}");
        }
        let many = ["1"; LABELS + 1].join("/");
        assert_eq!(read(&format!("mpls {many}")).0, None);
    }
}
