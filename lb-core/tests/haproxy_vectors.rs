//! Replays what a running HAProxy chose (`tests/balance/`, with the script that recorded it).

#![expect(clippy::unwrap_used, reason = "a malformed vector file is a failed test")]

use std::net::{IpAddr, SocketAddr};

use lb_core::balance::hash::{RingIdentity, domain_label, ring_key, uri_key, uri_path, url_param};
use lb_core::balance::{
    Algorithm, Balancer, Definition, HashFunction, HashMethod, HashType, Key, Member, PickKey, ServerEvent,
    ServerId, weight,
};
use lb_core::rng::Rng;

#[test]
fn the_same_servers_are_chosen_as_by_haproxy_2_6() {
    replay(include_str!("balance/haproxy-2.6.12.txt"), &[]);
}

#[test]
fn the_same_servers_are_chosen_as_by_haproxy_3_4() {
    // Since 3.2, a server whose weight changes at run time loses the place it has earned and waits a full period. With
    // a slow start that means: for as long as steps come faster than turns, it gets nothing. We do as 2.6 does here.
    replay(include_str!("balance/haproxy-3.4.0.txt"), &["rr-changes", "rr-storm"]);
}

fn replay(text: &str, differing: &[&str]) {
    let cases = parse(text);
    assert!(cases.len() > 40, "only {} cases", cases.len());
    let (expected, rest): (Vec<_>, Vec<_>) = cases.iter().partition(|case| differing.contains(&case.name));
    let wrong: Vec<_> = rest.iter().filter_map(|case| case.replay().err()).collect();
    assert!(wrong.is_empty(), "{} of {} cases differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(expected.iter().all(|case| case.replay().is_err()), "an expected difference is gone");
}

/// One case of the file: its words, line by line.
#[derive(Default)]
struct Case<'a> {
    name: &'a str,
    lines: Vec<Vec<&'a str>>,
}

fn parse(text: &str) -> Vec<Case<'_>> {
    let mut cases: Vec<Case<'_>> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<_> = line.split('\t').collect();
        match words[..] {
            ["case", name] => cases.push(Case { name, lines: Vec::new() }),
            _ => cases.last_mut().expect("the file begins with a case").lines.push(words),
        }
    }
    cases
}

impl Case<'_> {
    fn words(&self, kind: &str) -> Option<&str> {
        self.lines.iter().find(|line| line[0] == kind).map(|line| line[1])
    }

    fn definition(&self) -> Definition {
        let members = self.lines.iter().filter(|line| line[0] == "server").map(|line| member(line)).collect();
        let mut definition = Definition::new(algorithm(self.words("algorithm").unwrap()), members);
        definition.hash = self.words("hash").map(hash_type).unwrap_or_default();
        definition.all_backups = self.words("option") == Some("allbackups");
        definition
    }

    fn replay(&self) -> Result<(), String> {
        let definition = self.definition();
        let scale = definition.weight_scale();
        let mut weights: Vec<u32> = definition.members.iter().map(|member| member.weight).collect();
        let mut up = vec![true; weights.len()];
        let mut balancer = definition.build(Rng::new(0)).unwrap();
        let (mut expected, mut chosen) = (String::new(), String::new());
        for line in &self.lines {
            match line[..] {
                ["pick", .., server] => {
                    let key = if line.len() == 4 {
                        key(&definition.algorithm, line[1], line[2])
                    } else {
                        KeyData::None
                    };
                    let picked = balancer.pick(PickKey::new().with_key(key.borrow()));
                    if let Some(server) = picked {
                        // Requests follow one another: each is served before the next one comes.
                        for inflight in [1, 0] {
                            balancer.on(ServerEvent::Load { server, inflight });
                        }
                    }
                    chosen.push(picked.map_or('-', |server| (b'a' + server.0 as u8) as char));
                    expected.push_str(server);
                    continue;
                }
                ["weight", server, weight] => weights[index(server)] = weight.parse().unwrap(),
                ["down", server] => up[index(server)] = false,
                ["up", server] => up[index(server)] = true,
                _ => continue,
            }
            let server = index(line[1]);
            let effective = if up[server] { weight::effective(weights[server], scale) } else { 0 };
            announce(&mut *balancer, server, effective);
            expected.push(' ');
            chosen.push(' ');
        }
        if expected == chosen {
            return Ok(());
        }
        Err(format!("{}\n  HAProxy: {expected}\n  here:    {chosen}", self.name))
    }
}

fn announce(balancer: &mut dyn Balancer, server: usize, weight: u32) {
    balancer.on(ServerEvent::Weight { server: ServerId(server as u32), weight });
}

fn index(server: &str) -> usize {
    usize::from(server.as_bytes()[0] - b'a')
}

fn member(line: &[&str]) -> Member {
    let [_, _, id, weight, flag, address, key] = line[..] else { panic!("a server line: {line:?}") };
    let id = id.parse().unwrap();
    let mut member = Member::new(id, weight.parse().unwrap());
    member.backup = flag == "backup";
    let address: SocketAddr = address.parse().unwrap();
    member.ring_key = ring_key(&match key {
        "id" => RingIdentity::Id(id),
        "id32" => RingIdentity::Id32(id),
        "addr" => RingIdentity::Addr(address.ip()),
        "addr-port" => RingIdentity::AddrPort(address.ip(), address.port()),
        other => panic!("unknown hash-key {other}"),
    });
    member
}

fn algorithm(words: &str) -> Algorithm {
    let words: Vec<_> = words.split(' ').collect();
    let argument = |word: &str| {
        let at = words.iter().position(|other| *other == word)?;
        Some(words[at + 1].parse().unwrap())
    };
    match words[0] {
        "roundrobin" => Algorithm::RoundRobin,
        "static-rr" => Algorithm::StaticRr,
        "leastconn" => Algorithm::LeastConn,
        "first" => Algorithm::First,
        "source" => Algorithm::Source,
        "uri" => Algorithm::Uri {
            whole: words.contains(&"whole"),
            len: argument("len"),
            depth: argument("depth"),
            path_only: words.contains(&"path-only"),
        },
        "hdr(x-key)" => Algorithm::Hdr { name: "x-key".into(), use_domain_only: false },
        "hdr(host)" => Algorithm::Hdr { name: "host".into(), use_domain_only: true },
        "url_param" => Algorithm::UrlParam { name: words[1].into(), check_post: false },
        "hash" => Algorithm::Hash,
        other => panic!("unknown algorithm {other}"),
    }
}

fn hash_type(words: &str) -> HashType {
    let words: Vec<_> = words.split(' ').collect();
    let method = if words[0] == "consistent" { HashMethod::Consistent } else { HashMethod::MapBased };
    let function = match words.get(1) {
        None => return HashType::of(method),
        Some(&"sdbm") => HashFunction::Sdbm,
        Some(&"djb2") => HashFunction::Djb2,
        Some(&"wt6") => HashFunction::Wt6,
        Some(&"crc32") => HashFunction::Crc32,
        Some(&"none") => HashFunction::None,
        Some(other) => panic!("unknown function {other}"),
    };
    HashType { method, function, avalanche: words.get(2) == Some(&"avalanche") }
}

enum KeyData<'a> {
    None,
    Bytes(&'a [u8]),
    Address(IpAddr),
}

impl KeyData<'_> {
    fn borrow(&self) -> Key<'_> {
        match self {
            KeyData::None => Key::None,
            KeyData::Bytes(bytes) => Key::Bytes(bytes),
            KeyData::Address(address) => Key::Address(*address),
        }
    }
}

/// What the algorithm hashes of a request with this property.
fn key<'a>(algorithm: &Algorithm, kind: &str, value: &'a str) -> KeyData<'a> {
    let bytes = value.as_bytes();
    match (algorithm, kind) {
        (Algorithm::Source, "source") => KeyData::Address(value.parse().unwrap()),
        (Algorithm::Uri { whole, len, depth, path_only }, "uri") => {
            let uri = if *path_only { uri_path(bytes) } else { bytes };
            KeyData::Bytes(uri_key(uri, *whole, *len, *depth))
        }
        (Algorithm::Hdr { use_domain_only: true, .. }, "host") => KeyData::Bytes(domain_label(bytes)),
        (Algorithm::Hdr { .. } | Algorithm::Hash, "hdr") => KeyData::Bytes(bytes),
        (Algorithm::UrlParam { name, .. }, "param") => {
            url_param(bytes, name.as_bytes()).map_or(KeyData::None, KeyData::Bytes)
        }
        (algorithm, kind) => panic!("{kind} for {algorithm:?}"),
    }
}
