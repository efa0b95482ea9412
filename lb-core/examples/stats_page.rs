//! Writes a statistics page of an invented state to standard output.
//!
//! Real code fills the snapshots from its own counters and answers HTTP requests with the page; here one backend shows
//! every state a server can be in: `cargo run --example stats_page > page.html`.

use lb_core::health::Status;
use lb_core::spec::{Capability, Mode};
use lb_core::stats::counter::{FrontendCounters, Gauge, PerWorker, RateMeter};
use lb_core::stats::info::ProcessInfo;
use lb_core::stats::page::{PageOptions, PageRequest};
use lb_core::stats::render::html::Page;
use lb_core::stats::snapshot::{
    BackendSnapshot, CheckReport, FrontendSnapshot, ProxySnapshot, ServerSnapshot,
};
use lb_core::stats::status::ServerStatus;
use std::io::Write;

fn main() -> std::io::Result<()> {
    let mut options = PageOptions::default();
    options.show_legends = true;
    options.refresh = Some(std::time::Duration::from_secs(5));
    options.node = Some(String::new());
    let mut info = ProcessInfo::default();
    (info.product, info.version, info.node) =
        ("lb".to_owned(), env!("CARGO_PKG_VERSION").to_owned(), "n1".to_owned());
    (info.pid, info.threads, info.maxconn, info.max_sockets) = (4711, 2, 9979, 20_000);
    let page = Page {
        options: &options,
        request: &PageRequest::parse(std::env::args().nth(1).unwrap_or_default().as_str()),
        info: &info,
        proxies: &[frontend(), backend()],
        beside: None,
        admin: true,
    };
    std::io::stdout().write_all(page.render().as_bytes())
}

fn frontend() -> ProxySnapshot {
    let (counters, sessions, rate) =
        (PerWorker::<FrontendCounters>::new(2), Gauge::default(), RateMeter::default());
    for connection in 0..1234 {
        sessions.enter();
        rate.tick(connection);
        let worker = counters.of(connection as usize % 2);
        worker.connections.inc();
        worker.sessions.inc();
        worker.request_bytes_in.add(1000);
        worker.response_bytes_in.add(25_000);
        worker.response(200);
    }
    let mut side = FrontendSnapshot::default();
    (side.sessions, side.session_rate, side.limit) = (sessions.level(), rate.level(1300), 9979);
    side.counts = counters.sum();
    let mut proxy = ProxySnapshot::new("www", 2, Capability::Frontend, Mode::Http);
    proxy.description = Some("where clients come in".to_owned());
    proxy.frontend = Some(side);
    proxy
}

fn backend() -> ProxySnapshot {
    let mut proxy = ProxySnapshot::new("app", 3, Capability::Backend, Mode::Http);
    let states = [
        ServerStatus::Up,
        ServerStatus::UpGoingDown(2, 3),
        ServerStatus::DownGoingUp(1, 2),
        ServerStatus::Down,
        ServerStatus::Nolb,
        ServerStatus::Drain,
        ServerStatus::Maint,
        ServerStatus::NoCheck,
    ];
    for backup in [false, true] {
        for status in &states {
            let id = proxy.servers.len() as u32 + 1;
            let mut server = ServerSnapshot::new(format!("s{id}").as_str(), id, format!("10.0.10.{id}:80"));
            (server.status, server.backup, server.last_change) = (status.clone(), backup, 61 * id * id);
            if *status != ServerStatus::NoCheck {
                let mut check = CheckReport::new(2, 3);
                (check.status, check.code, check.duration_ms) = (Status::L7Ok, 200, 3);
                if status.is_down() {
                    check.status = Status::L4Connection;
                    check.info = "Connection refused".to_owned();
                }
                server.check = Some(check);
            }
            proxy.servers.push(server);
        }
    }
    let mut side = BackendSnapshot::new("roundrobin");
    (side.weight, side.user_weight, side.active, side.backups) = (3, 3, 3, 3);
    side.downtime = Some(7);
    proxy.backend = Some(side);
    proxy
}
