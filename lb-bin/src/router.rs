//! Running VRRP: the `vrrp` part of a supervised program.

use crate::args::RunArgs;
use crate::boot::in_runtime;
use crate::bridge::{FromPart, Link, Message, ToPart, unpack};
use crate::report::{self, failed};
use crate::world::{World, hostname};
use crate::{load, mail};
use lb_core::log::syslog::Header;
use lb_core::process::Channel;
use lb_core::rt::Outlet;
use lb_core::spec::{Facility, LogDestination, LogFormat, Severity};
use std::collections::HashMap;
use std::io::IsTerminal;
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use vrrp::event::{self, Admin, NotifyState, Track};
use vrrp::linux::{Driver, Event, Handle, Options};
use vrrp::spec::{External, Spec, TrackRef, Weight};

/// The name under which the life of the proxy is tracked.
const PROXY: &str = "lb-proxy";
/// What an instance loses while the proxy does not serve: enough to lose against any peer that serves.
const PROXY_WEIGHT: i32 = -253;
/// syslog facility of Keepalived.
const DAEMON: Facility = Facility(3);

/// The life of the `vrrp` part.
pub(crate) fn part(args: &RunArgs, channel: UnixStream) -> u8 {
    // The driver stays on this thread; asking it something from here must not keep it from running.
    let local = tokio::task::LocalSet::new();
    in_runtime(local.run_until(async {
        match Link::new(Channel::new(channel)) {
            Ok(link) => run(args, link).await,
            Err(e) => failed(&format!("cannot reach the supervisor: {e}")),
        }
    }))
}

async fn run(args: &RunArgs, mut link: Link) -> u8 {
    let Ok(Some(Message { value: ToPart::Init { memory, first, .. }, .. })) = link.receive().await else {
        return failed("the supervisor did not say how to begin");
    };
    let world = World::real();
    let spec = match specification(args, &world, first) {
        Ok(spec) => spec,
        Err((text, status)) => {
            report::error(&text);
            return status;
        }
    };
    let mails = mail::Mailer::new(&spec);
    let logger = Logger::new(args);
    let mut options = Options::default();
    options.memory = memory;
    let (events_in, events) = mpsc::unbounded_channel();
    let started = Driver::new(spec, options, move |event| match event {
        Event::Log(log) => logger.log(&log),
        other => drop(events_in.send(other)),
    });
    match started {
        Ok((driver, handle)) => serve(args, link, driver, handle, (events, mails)).await,
        Err(e) => failed(&e.to_string()),
    }
}

async fn serve(
    args: &RunArgs,
    mut link: Link,
    driver: Driver,
    handle: Handle,
    (mut events, mails): (mpsc::UnboundedReceiver<Event>, mail::Mailer),
) -> u8 {
    let mut driver = tokio::task::spawn_local(driver.run());
    let mut peers = HashMap::new();
    loop {
        tokio::select! {
            ended = &mut driver => return match ended {
                Ok(Ok(())) => 0,
                Ok(Err(e)) => failed(&e.to_string()),
                Err(e) => failed(&e.to_string()),
            },
            Some(event) = events.recv() => happened(&link, &handle, &mails, &mut peers, event).await,
            message = link.receive::<ToPart>() => match message {
                Ok(Some(message)) => told(args, &link, &handle, message).await,
                // The supervisor is gone: whoever remains must not keep the address by accident.
                _ => {
                    handle.admin(Admin::Shutdown).await;
                    let _ = driver.await;
                    return 0;
                }
            },
        }
    }
}

/// Passes on what the driver tells.
async fn happened(
    link: &Link,
    handle: &Handle,
    mails: &mail::Mailer,
    peers: &mut HashMap<String, IpAddr>,
    event: Event,
) {
    match event {
        Event::Started => drop(link.send(&FromPart::Ready)),
        Event::Memory(memory) => drop(link.send(&FromPart::Memory(memory))),
        Event::Mail(message) => mails.send(&message),
        Event::Notify(notify) => {
            let Some(snapshot) = handle.snapshot().await else { return };
            let Some(instance) = snapshot.instance(&notify.name) else { return };
            let name = notify.name.as_str().to_owned();
            if let Some((peer, _)) = instance.master {
                peers.insert(name.clone(), peer);
            }
            // Becoming master means that the last one is silent: what else runs on that node may be gone too.
            if notify.state == NotifyState::Master
                && let Some(peer) = peers.get(&name)
            {
                drop(link.send(&FromPart::PeerGone(*peer)));
            }
        }
        _ => {}
    }
}

/// Carries out what the supervisor says.
async fn told(args: &RunArgs, link: &Link, handle: &Handle, message: Message<ToPart>) {
    match message.value {
        ToPart::Ping(n) => drop(link.send(&FromPart::Pong(n))),
        ToPart::Stop { .. } => handle.admin(Admin::Shutdown).await,
        ToPart::ProxyServes(serves) => handle.track(Track::External(PROXY.into(), serves)).await,
        ToPart::Backend { name, usable } => {
            handle.track(Track::External(name.as_str().into(), usable > 0)).await
        }
        ToPart::Reload { files, .. } => {
            let world = World::remembered(unpack(files, &message.bytes));
            let result = match specification(args, &world, false) {
                Ok(spec) => handle.reload(spec).await.map_err(|e| e.to_string()),
                Err((text, _)) => Err(text),
            };
            drop(link.send(&FromPart::Reloaded(result)));
        }
        ToPart::Init { .. } | ToPart::PeerGone(_) => {}
    }
}

/// The specification of the file, with the life of the proxy among the trackers when there is one.
fn specification(args: &RunArgs, world: &World, loud: bool) -> Result<Spec, (String, u8)> {
    let path = args.keepalived.as_deref().ok_or_else(|| ("no keepalived.conf\n".to_owned(), 1))?;
    let loaded = load::keepalived(path, args.format, world).map_err(|r| (r.text, r.status))?;
    if loud {
        report::error(&loaded.text);
    }
    let mut spec = loaded.spec;
    if !args.haproxy.is_empty() {
        let mut proxy = External::new(PROXY);
        proxy.weight = Weight::new(PROXY_WEIGHT);
        // Waiting for the proxy's first word would only delay the start: it is taken for well until it fails.
        proxy.assume_up = true;
        spec.externals.push(proxy);
        for instance in &mut spec.instances {
            instance.track.externals.push(TrackRef::new(PROXY));
        }
    }
    Ok(spec)
}

/// Writes log lines as Keepalived does: to syslog, and to standard error when wanted.
struct Logger {
    outlet: Arc<Outlet>,
    console: bool,
    detail: bool,
    hostname: String,
}

impl Logger {
    fn new(args: &RunArgs) -> Self {
        let path: Arc<str> = "/dev/log".into();
        Self {
            outlet: Outlet::new(LogDestination::Syslog(lb_core::addr::Endpoint::Unix(path))),
            console: args.console_log || std::io::stderr().is_terminal() || args.daemon != Some(true),
            detail: args.detail || args.daemon != Some(true),
            hostname: hostname(),
        }
    }

    fn log(&self, log: &event::Log) {
        if log.detail && !self.detail {
            return;
        }
        let date = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let header = Header {
            format: LogFormat::Local,
            facility: DAEMON,
            level: severity(log.severity),
            date,
            utc_offset: 0,
            hostname: Some(&self.hostname),
            tag: "Keepalived_vrrp",
            pid: Some(std::process::id()),
            message_id: None,
            structured: None,
        };
        let mut line = Vec::new();
        header.write_line(log.text.as_bytes(), 1024, &mut line);
        self.outlet.send(&line);
        if self.console {
            let text = String::from_utf8_lossy(&line).into_owned();
            report::error(text.split_once('>').map_or(&*text, |(_, rest)| rest));
        }
    }
}

fn severity(severity: event::Severity) -> Severity {
    match severity {
        event::Severity::Error => Severity::Err,
        event::Severity::Warning => Severity::Warning,
        event::Severity::Notice => Severity::Notice,
        event::Severity::Info => Severity::Info,
        _ => Severity::Debug,
    }
}
