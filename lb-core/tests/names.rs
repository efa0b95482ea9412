//! Names of servers, followed through a name server of this test.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test driver opens sockets")]

use lb_core::addr::Endpoint;
use lb_core::balance::Algorithm;
use lb_core::ctl::{Control, ControlError, Renaming, ServerChange};
use lb_core::dns::{Choice, Family, NameServer, ResolverSpec, Resolvers};
use lb_core::rt::{Server, ServerOptions, Sockets};
use lb_core::spec::{
    Capability, Facility, LogDestination, LogTarget, PoolSpec, ProxySpec, Resolution, ServerAddr, ServerSpec,
    Spec,
};
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a name leads to: an IPv4 address or the code of a failure.
type Book = Arc<Mutex<Vec<(&'static str, Result<[u8; 4], u8>)>>>;

/// A name server that knows what is in the book, and fails with "no such name" otherwise.
fn name_server(book: &Book) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap();
    let book = Arc::clone(book);
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            let question = &buffer[..length];
            let name = labels(&question[12..]);
            let known =
                book.lock().unwrap().iter().find(|(known, _)| *known == name).map(|(_, found)| *found);
            // Without the eleven bytes that say how large an answer may be.
            let mut answer = question[..length - 11].to_vec();
            let is_v4 = answer[answer.len() - 3] == 1;
            let (code, records) = match known.unwrap_or(Err(3)) {
                Ok(_) => (0, u8::from(is_v4)),
                Err(code) => (code, 0),
            };
            answer[2..12].copy_from_slice(&[0x81, 0x80 | code, 0, 1, 0, records, 0, 0, 0, 0]);
            if let (Some(Ok(ip)), true) = (known, is_v4) {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
                answer.extend(ip);
            }
            let _ = socket.send_to(&answer, peer);
        }
    });
    addr
}

fn labels(mut wire: &[u8]) -> String {
    let mut name = String::new();
    while wire[0] > 0 {
        let (label, rest) = wire[1..].split_at(wire[0].into());
        let dot = if name.is_empty() { "" } else { "." };
        name = format!("{name}{dot}{}", String::from_utf8_lossy(label));
        wire = rest;
    }
    name
}

struct Bench {
    server: Server,
    log: UdpSocket,
    book: Book,
}

impl Bench {
    /// Servers of one backend with a name each; no name is without one.
    fn new(names: &[(&str, Option<&str>)]) -> Self {
        let log = UdpSocket::bind("127.0.0.1:0").unwrap();
        log.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let book = Book::default();
        let mut section = ResolverSpec::new("r");
        section.servers.push(NameServer { name: "one".to_owned(), addr: name_server(&book) });
        section.interval = Duration::from_millis(1);
        section.tolerance.no_name = Duration::ZERO;
        let resolvers = Arc::new(Resolvers::new(section));
        let mut proxy = ProxySpec::new("be", 2, Capability::Backend);
        let server = |(at, (server, host)): (usize, &(&str, Option<&str>))| {
            let endpoint = match host {
                Some(name) => Endpoint::Host { name: (*name).into(), port: 80 },
                None => Endpoint::Inet(([192, 0, 2, 99], 80).into()),
            };
            let mut spec = ServerSpec::new(*server, at as u32 + 1, ServerAddr::fixed(endpoint));
            spec.hostname = host.map(Into::into);
            let choice = Choice { prefer: Family::V6, networks: Vec::new(), duplicates: false };
            spec.resolution = Some(Resolution { resolvers: Arc::clone(&resolvers), choice });
            spec
        };
        proxy.pool = PoolSpec::new(Algorithm::RoundRobin, names.iter().enumerate().map(server).collect());
        let to = LogDestination::Syslog(log.local_addr().unwrap().into());
        proxy.log.targets.push(LogTarget::new(to, Facility::LOCAL0));
        let mut spec = Spec::new();
        spec.proxies.push(proxy);
        let server = Server::new(spec, ServerOptions::new(1), &mut Sockets::new()).unwrap();
        Self { server, log, book }
    }

    fn write(&self, name: &'static str, found: Result<[u8; 4], u8>) {
        self.book.lock().unwrap().retain(|(known, _)| *known != name);
        self.book.lock().unwrap().push((name, found));
    }

    /// The next line of the log ends with this.
    fn expect(&self, wanted: &str) {
        let mut line = [0; 1024];
        let length = self.log.recv(&mut line).unwrap();
        let line = String::from_utf8_lossy(&line[..length]);
        assert!(line.trim_end().contains(wanted), "{wanted} <> {line}");
    }

    /// Waits until a server has moved a few times: other names have been answered meanwhile, and nothing came of it.
    fn await_answers(&self, server: &str, name: &'static str) {
        self.write(name, Ok([192, 0, 2, 200]));
        self.expect(&format!("be/{server}: IP changed"));
        self.expect(&format!("Server be/{server} ('{name}') is UP/READY (resolves again)."));
        self.expect(&format!("Server be/{server} administratively READY"));
        for last in 201..205 {
            self.write(name, Ok([192, 0, 2, last]));
            self.expect(&format!("be/{server}: IP changed"));
        }
    }

    fn rename(&self, server: &str, name: &str) -> Result<Renaming, ControlError> {
        self.server.control().rename_server(&"be".into(), &server.into(), name)
    }

    /// Name, address and port as `show servers state` has them.
    fn state(&self, server: &str) -> (Option<String>, String, u32) {
        let all = self.server.control().server_states(None);
        let state = all.into_iter().find(|state| state.name == server).unwrap();
        (state.fqdn, state.addr, state.port)
    }
}

#[test]
fn a_server_goes_where_its_name_leads_and_into_maintenance_where_it_leads_nowhere() {
    let bench = Bench::new(&[("s", Some("a.example"))]);
    assert_eq!(bench.state("s"), (Some("a.example".to_owned()), String::new(), 80));
    bench.write("a.example", Ok([192, 0, 2, 1]));
    bench.server.start().unwrap();
    bench.expect("be/s: IP changed from '(none)' to '192.0.2.1' by 'r/one'.");
    bench.expect("Server be/s ('a.example') is UP/READY (resolves again).");
    bench.expect("Server be/s administratively READY thanks to valid DNS answer.");
    bench.write("a.example", Ok([192, 0, 2, 2]));
    bench.expect("be/s: IP changed from '192.0.2.1' to '192.0.2.2' by 'r/one'.");
    assert_eq!(bench.state("s"), (Some("a.example".to_owned()), "192.0.2.2".to_owned(), 80));
    bench.write("a.example", Err(3));
    bench.expect("Server be/s is going DOWN for maintenance (DNS NX status). 0 active");
    bench.expect("backend be has no server available!");
    assert_eq!(bench.state("s"), (Some("a.example".to_owned()), String::new(), 80));
}

#[test]
fn servers_with_the_same_name_share_its_addresses() {
    let bench = Bench::new(&[("s", Some("a.example")), ("t", Some("a.example"))]);
    bench.write("a.example", Ok([192, 0, 2, 1]));
    bench.server.start().unwrap();
    bench.expect("be/s: IP changed from '(none)' to '192.0.2.1' by 'r/one'.");
    bench.expect("Server be/s ('a.example') is UP/READY (resolves again).");
    bench.expect("Server be/s administratively READY");
    bench.write("a.example", Ok([192, 0, 2, 2]));
    bench.expect("be/s: IP changed from '192.0.2.1' to '192.0.2.2' by 'r/one'.");
    assert_eq!(bench.state("t").1, "", "there is no second address");
}

#[test]
fn the_address_that_an_operator_gives_stays_until_the_name_leads_elsewhere() {
    let bench = Bench::new(&[("s", Some("a.example")), ("t", Some("t.example"))]);
    bench.write("a.example", Ok([192, 0, 2, 1]));
    bench.server.start().unwrap();
    bench.expect("be/s: IP changed from '(none)' to '192.0.2.1' by 'r/one'.");
    bench.expect("Server be/s ('a.example') is UP/READY (resolves again).");
    bench.expect("Server be/s administratively READY");
    let address = ServerChange::Addr(([192, 0, 2, 50], 80).into());
    bench.server.control().change_server(&"be".into(), &"s".into(), address).unwrap();
    bench.await_answers("t", "t.example");
    bench.write("a.example", Ok([192, 0, 2, 2]));
    bench.expect("be/s: IP changed from '192.0.2.50' to '192.0.2.2' by 'r/one'.");
}

#[test]
fn a_server_that_has_an_address_already_is_not_robbed_of_it_by_one_before_it() {
    let bench = Bench::new(&[("s", Some("a.example")), ("t", None), ("u", Some("u.example"))]);
    bench.write("a.example", Err(2));
    bench.server.start().unwrap();
    assert_eq!(bench.rename("t", "a.example"), Ok(Renaming::Changed(None)));
    bench.write("a.example", Ok([192, 0, 2, 99]));
    bench.await_answers("u", "u.example");
    assert_eq!(bench.state("s").1, "");
    assert_eq!(bench.state("t").1, "192.0.2.99");
}

#[test]
fn another_name_is_followed_from_when_it_is_ordered() {
    let bench = Bench::new(&[("s", Some("a.example")), ("t", None), ("u", Some("_http._tcp.example"))]);
    bench.write("b.example", Ok([192, 0, 2, 7]));
    bench.server.start().unwrap();
    assert_eq!(bench.rename("s", "a.example"), Ok(Renaming::Unchanged));
    assert_eq!(bench.rename("s", "b/example"), Ok(Renaming::Invalid));
    assert_eq!(bench.rename("s", &"b.".repeat(128)), Ok(Renaming::Invalid));
    assert_eq!(bench.rename("s", "b..example"), Ok(Renaming::Impossible));
    let srv = bench.rename("u", "b.example").unwrap_err().to_string();
    assert_eq!(srv, "set server <b>/<s> fqdn failed because SRV resolution is configured.");
    assert_eq!(bench.rename("s", "b.example"), Ok(Renaming::Changed(Some("a.example".to_owned()))));
    bench.expect("be/s: IP changed from '(none)' to '192.0.2.7' by 'r/one'.");
    bench.expect("Server be/s ('b.example') is UP/READY (resolves again).");
    assert_eq!(bench.state("s"), (Some("b.example".to_owned()), "192.0.2.7".to_owned(), 80));
    bench.expect("Server be/s administratively READY");
    bench.write("c.example", Ok([192, 0, 2, 8]));
    assert_eq!(bench.rename("t", "c.example"), Ok(Renaming::Changed(None)), "it had an address only");
    bench.expect("be/t: IP changed from '192.0.2.99' to '192.0.2.8' by 'r/one'.");
    let record = bench.server.control().server_states(None).pop().unwrap();
    assert_eq!((record.srv_record.as_deref(), record.fqdn), (Some("_http._tcp.example"), None));
}
