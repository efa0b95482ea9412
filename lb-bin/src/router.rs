//! Running VRRP: the `vrrp` part of a supervised program.

use crate::args::{RunArgs, VrrpArgs};
use crate::boot::in_runtime;
use crate::bridge::{FromPart, ToPart};
use crate::load;
use crate::report::{self, failed};
use crate::sys::{apart, give_back_memory};
use crate::world::{World, hostname};
use cfg_keepalived::{Watch, command_line::Only};
use lb_core::health::Health;
use lb_core::process::bundle::unpack;
use lb_core::process::{Channel, PidFile, send_signal};
use lb_core::rt::{Link, Message, Reporter};
use lb_core::spec::{Facility, Severity};
use lb_proto_smtp::proxy::Mailer;
use std::collections::HashMap;
use std::io::IsTerminal;
use std::net::IpAddr;
use std::os::unix::net::UnixStream as Blocking;
use std::sync::Arc;
use tokio::sync::mpsc;
use vrrp::event::{Admin, NotifyState, Track};
use vrrp::linux::{Driver, Event, Handle, Options, control, control::Dump};
use vrrp::spec::{External, Name, Spec, Weight};

/// The name under which the life of the proxy is tracked.
const PROXY: &str = "lb-proxy";
/// What an instance loses while the proxy does not serve: enough to lose against any peer that serves.
const PROXY_WEIGHT: i32 = -253;
/// The socket that answers about the virtual routers, unless the command line names another.
const SOCKET: &str = "lb-vrrp";
/// syslog facility of Keepalived.
const DAEMON: Facility = Facility(3);

/// The life of the `vrrp` part.
pub(crate) fn part(args: &RunArgs, channel: Blocking) -> u8 {
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
    let (spec, watch) = match specification(args, &World::real(args), first) {
        Ok(found) => found,
        Err((text, status)) => {
            report::error(&text);
            return status;
        }
    };
    let _pidfile = match args.cluster.vrrp_pid_file.as_deref().map(PidFile::write).transpose() {
        Ok(pidfile) => pidfile,
        Err(e) => return failed(&format!("cannot write the pid file of the virtual routers: {e}")),
    };
    let (routers, services) = (logger(args, "Keepalived_vrrp"), logger(args, "Keepalived_healthcheckers"));
    let detail = args.detail || args.daemon != Some(true);
    let mut options = Options::default();
    options.memory = memory;
    let (events_in, events) = mpsc::unbounded_channel();
    let started = Driver::new(spec, options, move |event| match event {
        Event::Log(line) if line.detail && !detail => {}
        Event::Log(line) => routers(Severity::of_number(line.severity.number()), &line.text),
        Event::Outside(text) => services(Severity::Info, &text),
        other => drop(events_in.send(other)),
    });
    match started {
        Ok((driver, handle)) => {
            let (spec, peers) = (driver.spec(), HashMap::new());
            let mails = mailer(&spec);
            Node { args, link, handle, spec, mails, watch, peers }.serve(driver, events).await
        }
        Err(e) => failed(&e.to_string()),
    }
}

/// The part while it runs.
struct Node<'a> {
    args: &'a RunArgs,
    link: Link,
    handle: Handle,
    /// What is in force.
    spec: Arc<Spec>,
    mails: Mailer,
    watch: Watch,
    /// The master last heard, by instance.
    peers: HashMap<String, IpAddr>,
}

impl Node<'_> {
    async fn serve(mut self, driver: Driver, mut events: mpsc::UnboundedReceiver<Event>) -> u8 {
        let mut driver = tokio::task::spawn_local(driver.run());
        self.handle.outside(Name::default(), self.watch.begin()).await;
        let name = self.args.vrrp_socket.as_deref().unwrap_or(SOCKET);
        let listener = control::listen(name)
            .inspect_err(|e| report::notice(&format!("`lb vrrp` cannot ask this process ({name}: {e})")))
            .ok();
        loop {
            tokio::select! {
                ended = &mut driver => return match ended {
                    Ok(Ok(())) => 0,
                    Ok(Err(e)) => failed(&e.to_string()),
                    Err(e) => failed(&e.to_string()),
                },
                Some(event) = events.recv() => self.happened(event).await,
                message = self.link.receive::<ToPart>() => match message {
                    Ok(Some(message)) => self.told(message).await,
                    // The supervisor is gone: whoever remains must not keep the address by accident.
                    Ok(None) => break,
                    // It lives, and starts another part that goes on with what this one leaves.
                    Err(e) => return failed(&format!("no message of the supervisor: {e}")),
                },
                stream = control::next_client(listener.as_ref()) => {
                    let (handle, spec) = (self.handle.clone(), Arc::clone(&self.spec));
                    tokio::task::spawn_local(async move { control::answer(stream, &handle, &spec).await });
                }
            }
        }
        self.handle.admin(Admin::Shutdown).await;
        let _ = driver.await;
        0
    }

    /// Passes on what the driver tells.
    async fn happened(&mut self, event: Event) {
        match event {
            Event::Started => {
                drop(self.link.send(&FromPart::ReloadFile(self.spec.global.reload_file.clone())));
                drop(self.link.send(&FromPart::Ready));
                if self.args.cluster.dump {
                    let log = logger(self.args, "Keepalived_vrrp");
                    let text = control::reply("data", &self.handle, &self.spec).await;
                    text.lines().for_each(|line| log(Severity::Info, line));
                }
            }
            Event::Memory(memory) => drop(self.link.send(&FromPart::Memory(memory))),
            // The parent reloads all parts at once.
            Event::ReloadDue => drop(send_signal(std::os::unix::process::parent_id(), libc::SIGHUP)),
            Event::Mail(message) => {
                let sending = self.mails.send(&message.subject, &message.body);
                let failed = |e: &_| report::alert(&format!("mail not sent: {e}"));
                tokio::task::spawn_local(async move { drop(sending.await.inspect_err(failed)) });
            }
            Event::Notify(notify) => {
                let name = notify.name.as_str().to_owned();
                if let Some(peer) = self.handle.master(notify.name).await {
                    self.peers.insert(name.clone(), peer);
                }
                // Becoming master means that the last one is silent: what else runs on that node may be gone too.
                if notify.state == NotifyState::Master
                    && let Some(peer) = self.peers.get(&name)
                {
                    drop(self.link.send(&FromPart::PeerGone(*peer)));
                }
            }
            _ => {}
        }
    }

    /// Carries out what the supervisor says.
    async fn told(&mut self, message: Message<ToPart>) {
        match message.value {
            ToPart::Ping(n) => {
                give_back_memory();
                drop(self.link.send(&FromPart::Pong(n)));
            }
            ToPart::Stop { .. } => {
                self.handle.outside(Name::default(), self.watch.stop()).await;
                self.handle.admin(Admin::Shutdown).await;
            }
            ToPart::ProxyServes(serves) => self.handle.track(Track::External(PROXY.into(), serves)).await,
            ToPart::Health(Health { backend, server: None, usable }) => self.backend(&backend, usable).await,
            ToPart::Health(Health { backend, server: Some(server), .. }) => {
                let consequences = self.watch.heard(&backend, &server);
                self.handle.outside(backend.into(), consequences).await;
            }
            ToPart::Reload { files, .. } => {
                let world = World::remembered(unpack(files, &message.bytes), self.args);
                let result = match specification(self.args, &world, false) {
                    Ok((spec, watch)) => self.reload(spec, watch).await,
                    Err((text, _)) => Err(text),
                };
                drop(self.link.send(&FromPart::Reloaded(result)));
            }
            ToPart::Dump(what) => {
                let services = if what == Dump::Data { self.watch.data() } else { None };
                let writing = control::write_files(what, self.handle.clone(), self.spec.clone(), services);
                let failed = |e: &_| report::alert(&format!("cannot write the data files: {e}"));
                tokio::task::spawn_local(async move { drop(writing.await.inspect_err(failed)) });
            }
            ToPart::Ask(question) => {
                let text = control::reply(&question, &self.handle, &self.spec).await;
                drop(self.link.send(&FromPart::Told(question, text)));
            }
            ToPart::Init { .. } | ToPart::PeerGone(_) | ToPart::Told(..) => {}
        }
    }

    async fn reload(&mut self, spec: Spec, watch: Watch) -> Result<(), String> {
        self.handle.reload(spec).await.map_err(|e| e.to_string())?;
        self.watch = watch.continuing(&self.watch);
        if let Some(spec) = self.handle.spec().await {
            self.mails = mailer(&spec);
            drop(self.link.send(&FromPart::ReloadFile(spec.global.reload_file.clone())));
            self.spec = spec;
        }
        Ok(())
    }

    async fn backend(&self, name: &str, usable: u32) {
        for (tracker, needed) in self.spec.trackers_of(name) {
            self.handle.track(Track::External(tracker.clone(), usable >= needed)).await;
        }
    }
}

/// The specification of the file, with the life of the proxy among the trackers when there is one.
fn specification(args: &RunArgs, world: &World, loud: bool) -> Result<(Spec, Watch), (String, u8)> {
    let path = args.keepalived.as_deref().ok_or_else(|| ("no keepalived.conf\n".to_owned(), 1))?;
    let loaded = apart(|| load::keepalived(path, args.format, world)).map_err(|r| (r.text, r.status))?;
    if loud {
        report::error(&loaded.text);
    }
    let mut spec = loaded.spec;
    spec.global.keep_on_stop = args.cluster.keep_addresses;
    if !args.haproxy.is_empty() || !loaded.services.is_empty() {
        let mut proxy = External::new(PROXY);
        proxy.weight = Weight::new(PROXY_WEIGHT);
        // Waiting for the proxy's first word would only delay the start: it is taken for well until it fails.
        proxy.assume_up = true;
        spec.track_everywhere(proxy);
    }
    let watch = if args.cluster.only == Some(Only::Vrrp) { Watch::default() } else { loaded.watch };
    Ok((spec.compact(), watch))
}

/// Where log lines go: to syslog, as those of Keepalived's process of this name, and to standard error when wanted.
fn logger(args: &RunArgs, tag: &'static str) -> impl Fn(Severity, &str) + Send + use<> {
    let console = args.console_log || std::io::stderr().is_terminal() || args.daemon != Some(true);
    let facility = args.cluster.facility.map_or(DAEMON, Facility);
    let syslog = if args.cluster.no_syslog { "" } else { "/dev/log" };
    let reporter = Reporter::new(syslog, facility, tag, &hostname());
    move |severity, text| {
        let line = reporter.report(severity, text);
        if console {
            report::error(&line);
        }
    }
}

/// The way to the relay that a specification names.
fn mailer(spec: &Spec) -> Mailer {
    let mail = &spec.global.mail;
    let host = mail.helo.clone().unwrap_or_else(hostname);
    let from = mail.from.clone().unwrap_or_else(|| format!("root@{host}"));
    let relay = mail.server.as_ref().map(|server| (server.host.as_str(), server.port));
    Mailer::new(&host, &from, mail.to.clone()).relay(relay, mail.connect_timeout)
}

/// `lb vrrp`: asks the running program and prints the answer; 2 while two masters serve an address.
pub(crate) fn ask(args: &VrrpArgs) -> u8 {
    let name = args.socket.as_deref().unwrap_or(SOCKET);
    match control::ask(name, &args.question) {
        Ok(text) => match text.strip_prefix("! ") {
            Some(problem) => failed(problem.trim_end()),
            None => {
                report::say(&text);
                u8::from(text.contains("\n  SPLIT BRAIN (")) * 2
            }
        },
        Err(e) => failed(&format!("no virtual routers run in this network namespace ({name}: {e})")),
    }
}
