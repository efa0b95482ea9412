//! Cost of one log line.

use std::hint::black_box;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use lb_core::expr::{Arena, Env, Facts, NoBuild, Now, Phases, ProxyRef, Registry, Vars};
use lb_core::log::syslog::{Header, Time};
use lb_core::log::{Capture, HTTP_LOG, HttpRecord, Record, RequestLine, Style, TCP_LOG, Template, Timers};
use lb_core::rt::{Server, ServerOptions, Sockets};
use lb_core::spec::{
    Capability, Facility, LogDestination, LogFormat, LogProfile, LogTarget, ProfileStep, ProxySpec, Severity,
    Spec,
};

struct Session<'r>(Record<'r>, Instant);

impl Facts for Session<'_> {
    fn now(&self) -> Now {
        Now { date: self.0.accept_date, instant: self.1 }
    }
    fn record(&self) -> Option<Record<'_>> {
        Some(self.0)
    }
}

fn record(captures: &[Capture]) -> Record<'_> {
    Record {
        client: Some(([192, 168, 7, 9], 40000).into()),
        frontend: ProxyRef { name: "http-in", id: 2 },
        backend: Some(ProxyRef { name: "static", id: 3 }),
        server: Some("srv1"),
        accept_date: Duration::from_millis(1_792_682_910_007),
        request_date: Duration::from_millis(1_792_682_910_655),
        timers: Timers { request: 1, queue: 0, connect: 1, response: 12, active: 15, ..Timers::UNKNOWN },
        status: 200,
        bytes_read: 1234,
        process_connections: 100,
        http: Some(HttpRecord {
            request: Some(RequestLine {
                method: b"GET",
                uri: b"/shop/items/4711.html?a=1&b=2",
                version: b"HTTP/1.1",
            }),
            request_captures: captures,
            ..HttpRecord::EMPTY
        }),
        ..Record::EMPTY
    }
}

#[expect(clippy::disallowed_methods, reason = "the clock of a benchmark")]
fn lines(c: &mut Criterion) {
    let mut slots = [Capture::new(), Capture::new()];
    slots[0].set(b"www.example.org", 64);
    slots[1].set(b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", 64);
    let session = Session(record(&slots), Instant::now());
    let (arena, mut out, mut line) = (Arena::new(), Vec::new(), Vec::new());
    for (name, format, style) in [
        ("httplog", HTTP_LOG, Style::Log),
        ("tcplog", TCP_LOG, Style::Log),
        ("json", "%{+json}o %(client)ci %(status)ST %(request)r", Style::Log),
        ("header", "%ci:%cp via %f", Style::Header),
    ] {
        let template = Template::parse(format, style, Phases::ALL, &Registry::builtin(), &mut NoBuild)
            .expect("a valid format");
        c.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                template.write(&Env::new(&session, Vars::NONE, &arena), &mut out);
                black_box(out.len())
            });
        });
    }
    let header = Header {
        format: LogFormat::Rfc3164,
        facility: Facility::LOCAL0,
        level: Severity::Info,
        time: Time::Now,
        date: Duration::from_millis(1_792_682_910_655),
        utc_offset: 0,
        hostname: b"lb1",
        tag: b"haproxy",
        pid: b"14385",
        message_id: b"",
        structured: b"",
    };
    c.bench_function("syslog header", |b| {
        b.iter(|| {
            line.clear();
            header.write_line(black_box(&out), 1024, &mut line);
            line.len()
        });
    });
}

/// A line from its facts to the datagram, in the proxy's format and in that of a profile.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock and receives what is logged")]
fn logger(c: &mut Criterion) {
    let receiver = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = receiver.local_addr().expect("an address");
    let template = |format| {
        let made = Template::parse(format, Style::Log, Phases::ALL, &Registry::builtin(), &mut NoBuild);
        Some(Arc::new(made.expect("a valid format")))
    };
    let session = Session(record(&[]), Instant::now());
    for profiled in [false, true] {
        let mut target = LogTarget::new(LogDestination::Syslog(address.into()), Facility::LOCAL0);
        if profiled {
            let mut profile = LogProfile::default();
            profile.any = Some(ProfileStep { format: template("%ci %ST"), ..ProfileStep::default() });
            target.profile = Some(Arc::new(profile));
        }
        let mut proxy = ProxySpec::new("http-in", 2, Capability::Backend);
        proxy.log.targets.push(target);
        proxy.log.format = template(HTTP_LOG);
        let mut spec = Spec::new();
        spec.proxies.push(proxy);
        let server = Server::new(spec, ServerOptions::new(1), &mut Sockets::new()).expect("a server");
        let generation = server.generation();
        let arena = Arena::new();
        c.bench_function(if profiled { "logger, profile" } else { "logger, httplog" }, |b| {
            b.iter(|| generation.logger(0).traffic(0, None, &Env::new(&session, Vars::NONE, &arena)));
        });
    }
}

criterion_group!(benches, lines, logger);
criterion_main!(benches);
