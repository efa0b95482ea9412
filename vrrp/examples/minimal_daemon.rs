//! A complete virtual router in one page: one instance, described by `key=value` arguments, run until SIGTERM.
//!
//! ```text
//! minimal_daemon interface=eth0 vrid=51 priority=150 address=10.0.0.200 address=10.0.0.201/24 \
//!                version=3 interval=0.1 password=secret script='/usr/bin/pidof haproxy' weight=-60 \
//!                source=10.0.0.1 peer=10.0.0.2 ipv6 vmac nopreempt notify=/etc/notify.sh
//! ```
//!
//! SIGHUP takes the specification in again, SIGUSR1 prints what the instance is doing. Real code would read a
//! configuration file, log to syslog, keep what `Event::Memory` tells for its successor and send the mails.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the log of this example is its output")]

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use vrrp::event::Admin;
use vrrp::linux::{Driver, Event, Handle, Options};
use vrrp::spec::{
    AdvertInterval, Auth, Command, Instance, Password, Peer, Preempt, Prefix, Script, Spec, TrackRef,
    Transport, Version, VirtualAddress, Vmac, Weight,
};

type Failure = Box<dyn Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let spec = specification(&arguments)?;
    let (driver, handle) = Driver::new(spec.clone(), Options::default(), print)?;
    tokio::spawn(signals(handle, spec));
    driver.run().await?;
    Ok(())
}

/// Turns signals into wishes.
async fn signals(handle: Handle, spec: Spec) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut user = signal(SignalKind::user_defined1())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => handle.admin(Admin::Shutdown).await,
            _ = interrupt.recv() => handle.admin(Admin::Shutdown).await,
            _ = hangup.recv() => {
                if let Err(error) = handle.reload(spec.clone()).await {
                    eprintln!("not reloaded: {error}");
                }
            }
            _ = user.recv() => println!("{:#?}", handle.snapshot().await),
        }
    }
}

fn print(event: Event) {
    match event {
        Event::Log(log) => println!("{}", log.text),
        Event::Mail(mail) => println!("mail: {}", mail.subject),
        _ => {}
    }
}

/// Builds the specification the arguments describe.
fn specification(arguments: &[String]) -> Result<Spec, Failure> {
    let mut spec = Spec::new();
    let value = |key: &str| {
        arguments
            .iter()
            .find_map(|argument| argument.strip_prefix(key).and_then(|rest| rest.strip_prefix('=')))
    };
    let values = |key: &'static str| {
        arguments
            .iter()
            .filter_map(move |argument| argument.strip_prefix(key).and_then(|rest| rest.strip_prefix('=')))
    };
    let flag = |key: &str| arguments.iter().any(|argument| argument == key);

    let vrid = value("vrid").ok_or("vrid= is missing")?.parse()?;
    let mut instance = Instance::new(value("name").unwrap_or("VI_1"), vrid, &spec.global);
    instance.interface = value("interface").map(Into::into);
    instance.priority = value("priority").unwrap_or("100").parse()?;
    if value("version") == Some("3") {
        instance.version = Version::V3;
    }
    if flag("ipv6") {
        instance = instance.over_ipv6(&spec.global);
    }
    let seconds: f64 = value("interval").unwrap_or("1").parse()?;
    instance.advert_interval =
        AdvertInterval::from_centis(u16::try_from(Duration::from_secs_f64(seconds).as_millis() / 10)?);
    for address in values("address") {
        instance.addresses.push(VirtualAddress::new(prefix(address)?));
    }
    instance.source = value("source").map(str::parse).transpose()?;
    let peers: Vec<Peer> =
        values("peer").map(|peer| peer.parse().map(Peer::new)).collect::<Result<_, _>>()?;
    if !peers.is_empty() {
        instance.transport = Transport::unicast(peers);
    }
    if let Some(password) = value("password") {
        instance.auth = Auth::Pass(Password::new(password.as_bytes()));
    }
    if flag("nopreempt") {
        instance.preempt = Preempt::Never;
    }
    if flag("vmac") {
        instance.vmac = Some(Vmac::new(format!("vrrp.{vrid}")));
    }
    if let Some(script) = value("notify") {
        instance.notify.any = Some(Arc::new(Command::new(script.split_whitespace())));
    }
    if let Some(line) = value("script") {
        let script = Script::new("check", Command::new(line.split_whitespace()));
        let weight = Weight::new(value("weight").unwrap_or("0").parse()?);
        instance.track.scripts.push(TrackRef::weighted(script.name.clone(), weight));
        spec.scripts.push(script);
    }
    spec.instances.push(instance);
    Ok(spec)
}

fn prefix(text: &str) -> Result<Prefix, Failure> {
    match text.split_once('/') {
        Some((address, length)) => Ok(Prefix::new(address.parse()?, length.parse()?)),
        None => Ok(Prefix::host(text.parse::<IpAddr>()?)),
    }
}
