//! The mails of the demonstration: the client that sends them, the server that stores them, and the account of both.

use super::lab::Lab;
use crate::report;
use lb_proto_smtp::client::Manner;
use lb_proto_smtp::mail::Mail as Text;
use lb_proto_smtp::proxy::{Sink, send_mail};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long the client waits for one mail.
const LIMIT: Duration = Duration::from_secs(10);

/// One mail, as the client reports it; times in milliseconds since the Unix epoch.
struct Mail {
    sent: u64,
    ended: Option<u64>,
    good: bool,
}

/// What an event cost.
pub(crate) struct Cost {
    /// Longest time without a delivered mail.
    pub gap: Duration,
    /// Mails sent since the event.
    pub sent: usize,
    /// Those that failed.
    pub failed: usize,
    /// Those that took over a second.
    pub delayed: usize,
    /// Whether mail flows again.
    pub flowing: bool,
}

/// The client and its account.
pub(crate) struct Mails {
    child: Child,
    lines: Receiver<String>,
    mails: Vec<Mail>,
}

impl Mails {
    /// Starts sending.
    pub(crate) fn start(lab: &Lab, rate: u32) -> Result<Self, String> {
        let port = if lab.client.is_some() { 25 } else { 2525 };
        let role = format!("client:{}:{port}:{rate}", lab.address);
        let mut command = lab.client_command()?;
        command.args(["demo", "--role", &role]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|e| format!("cannot start the client: {e}"))?;
        let out = child.stdout.take().ok_or("the client has no output")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, lines, mails: Vec::new() })
    }

    /// Takes note of what the client reported since the last time.
    pub(crate) fn collect(&mut self) {
        while let Ok(line) = self.lines.try_recv() {
            let words: Vec<u64> = line.split(' ').filter_map(|w| w.parse().ok()).collect();
            match words[..] {
                [number, sent] if number as usize == self.mails.len() => {
                    self.mails.push(Mail { sent, ended: None, good: false });
                }
                [number, ended, good] => {
                    if let Some(mail) = self.mails.get_mut(number as usize) {
                        mail.ended = Some(ended);
                        mail.good = good == 1;
                    }
                }
                _ => {}
            }
        }
    }

    /// Now, on the client's clock.
    pub(crate) fn now(&self) -> u64 {
        millis()
    }

    /// Mails delivered so far.
    pub(crate) fn delivered(&self) -> usize {
        self.mails.iter().filter(|m| m.good).count()
    }

    /// Mails that failed so far.
    pub(crate) fn failed(&self) -> usize {
        self.mails.iter().filter(|m| m.ended.is_some() && !m.good).count()
    }

    /// Mails under way.
    pub(crate) fn waiting(&self) -> usize {
        self.mails.iter().filter(|m| m.ended.is_none()).count()
    }

    /// What happened to mails since `start`.
    pub(crate) fn cost(&self, start: u64) -> Cost {
        // Mails under way at that moment are concerned too.
        let concerned = || self.mails.iter().filter(|m| m.ended.is_none_or(|ended| ended >= start));
        let mut ends: Vec<u64> = concerned().filter(|m| m.good).filter_map(|m| m.ended).collect();
        ends.push(start);
        ends.sort_unstable();
        let gap = ends.windows(2).map(|w| w[1] - w[0]).max().unwrap_or(0);
        let recent = ends.last().is_some_and(|last| millis().saturating_sub(*last) < 1000 && *last > start);
        Cost {
            gap: Duration::from_millis(gap),
            sent: concerned().count(),
            failed: concerned().filter(|m| m.ended.is_some() && !m.good).count(),
            delayed: concerned().filter(|m| m.good && m.ended.is_some_and(|e| e - m.sent > 1000)).count(),
            flowing: recent,
        }
    }

    /// Stops sending.
    pub(crate) fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.collect();
    }
}

impl Drop for Mails {
    fn drop(&mut self) {
        self.stop();
    }
}

fn millis() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// A helper process of the demonstration: `smtp:ADDRESS` or `client:IP:PORT:RATE`.
pub(crate) fn role(role: &str) -> u8 {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            report::error(&format!("lb demo: {e}\n"));
            return 1;
        }
    };
    match role.split_once(':') {
        Some(("smtp", address)) => runtime.block_on(store(address)),
        Some(("client", rest)) => runtime.block_on(send(rest)),
        _ => 1,
    }
}

/// Stores mails: one line on standard output for each.
async fn store(address: &str) -> u8 {
    let listener = match tokio::net::TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(e) => {
            report::error(&format!("lb demo: {address}: {e}\n"));
            return 1;
        }
    };
    let sink = Sink::new("demonstration");
    tokio::spawn(sink.clone().serve(listener));
    loop {
        for id in sink.drain_ids() {
            report::say(&format!("{id}\n"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Sends mails at a steady rate; a line when one is sent and one when it has ended.
async fn send(target: &str) -> u8 {
    let Some((address, rate)) = target.rsplit_once(':') else { return 1 };
    let rate = rate.parse::<u32>().unwrap_or(1).max(1);
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
    let start = Instant::now();
    for number in 0_u64.. {
        ticks.tick().await;
        report::say(&format!("{number} {}\n", millis()));
        let address = address.to_owned();
        tokio::spawn(async move {
            let id = format!("<{number}.{}@demo>", start.elapsed().as_nanos());
            let mut mail = Text::default();
            mail.from = "client@demo".to_owned();
            mail.to = vec!["support@example.com".to_owned()];
            mail.subject = "lb demonstration".to_owned();
            mail.headers = vec![("Message-ID", id)];
            let sent = tokio::time::timeout(LIMIT, send_mail(address, &mail, Manner::default())).await;
            report::say(&format!("{number} {} {}\n", millis(), u8::from(matches!(sent, Ok(Ok(_))))));
        });
    }
    0
}
