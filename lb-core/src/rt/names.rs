//! Keeping the addresses of servers current: one task per name that servers with `resolvers` have.
//!
//! Which servers those are is looked up in the newest generation with every answer, for names change and servers come and
//! go at run time.

use super::Worker;
use super::control::LiveControl;
use super::generation::{Generation, Hub};
use super::resolve::ask;
use crate::balance::ServerId;
use crate::ctl::{ControlError, Renaming};
use crate::dns::{Failure, Family, Follower, Found, Name, Resolvers};
use crate::engine::{ProxyPlan, ServerPlan};
use crate::name::{ProxyName, ServerName};
use crate::pool::{AdminFlags, ResolutionFailure};
use crate::spec::Resolution;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

/// Where servers beside the first one of an answer have it from, in log lines.
const CACHE: &str = "DNS cache";

/// Longest name of a host.
const MAX_NAME: usize = 255;

/// Shortest time between two questions for a name: with `timeout resolve 0` a name server nearby would be asked without end.
const SHORTEST: Duration = Duration::from_millis(10);

/// How many names are asked for at once in a section of name servers: each takes a socket for each of them.
const AT_ONCE: usize = 32;

/// What is asked: servers with the same question share its answers.
#[derive(Debug, Clone)]
struct Question {
    resolvers: Arc<Resolvers>,
    name: Arc<str>,
    prefer: Family,
}

impl PartialEq for Question {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.resolvers, &other.resolvers)
            && self.name == other.name
            && self.prefer == other.prefer
    }
}

/// A name that is followed.
#[derive(Debug)]
struct Followed {
    question: Question,
    task: AbortHandle,
    /// The right to ask the name servers of its section, which other names of the section share.
    turns: Arc<Semaphore>,
}

/// The names that are followed.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<Followed>);

impl Names {
    /// Ends what there is and follows the names of a generation.
    pub(super) fn restart(&mut self, generation: &Arc<Generation>, worker: &Worker) {
        for followed in self.0.drain(..) {
            followed.task.abort();
        }
        self.adapt(generation, worker);
    }

    /// Follows the names that the servers have now, and no others. A reload may have overtaken who calls this with a
    /// generation: what counts is the newest one, which nobody restarts meanwhile, for `self` is locked.
    pub(super) fn adapt(&mut self, generation: &Arc<Generation>, worker: &Worker) {
        let newest = generation.newest().unwrap_or_else(|| Arc::clone(generation));
        let mut wanted: Vec<Question> = Vec::new();
        for member in members(&newest) {
            if let Some(question) = member.question().filter(|question| !wanted.contains(question)) {
                wanted.push(question);
            }
        }
        self.0.retain(|followed| {
            let stays = wanted.contains(&followed.question);
            if !stays {
                followed.task.abort();
            }
            stays
        });
        wanted.retain(|question| self.0.iter().all(|followed| followed.question != *question));
        for question in wanted {
            let Some(name) = Name::new(question.name.as_bytes()) else { continue };
            let turns = self.turns(&question.resolvers);
            let hub = Arc::clone(&generation.hub);
            let task = worker.spawn(follow(hub, question.clone(), name, Arc::clone(&turns))).abort_handle();
            self.0.push(Followed { question, task, turns });
        }
    }

    fn turns(&self, resolvers: &Arc<Resolvers>) -> Arc<Semaphore> {
        let mut others =
            self.0.iter().filter(|followed| Arc::ptr_eq(&followed.question.resolvers, resolvers));
        others.next().map_or_else(|| Arc::new(Semaphore::new(AT_ONCE)), |other| Arc::clone(&other.turns))
    }
}

/// A server whose name is followed, with its place in the pool.
struct Member<'a> {
    proxy: &'a Arc<ProxyPlan>,
    server: &'a Arc<ServerPlan>,
    resolution: &'a Resolution,
    id: ServerId,
}

impl Member<'_> {
    fn question(&self) -> Option<Question> {
        let name = self.proxy.pool.hostname(self.id).filter(|name| !is_record(name))?;
        let Resolution { resolvers, choice } = self.resolution;
        Some(Question { resolvers: Arc::clone(resolvers), name, prefer: choice.prefer })
    }

    fn address(&self) -> Option<IpAddr> {
        Some(self.proxy.pool.address(self.id)?.inet()?.ip())
    }

    /// Whether it waits for an address.
    fn lacks_address(&self) -> bool {
        let cell = self.proxy.pool.server(self.id);
        self.address().is_none() || cell.is_some_and(|cell| cell.admin().intersects(AdminFlags::RESOLUTION))
    }

    fn port(&self) -> u16 {
        let now = self.proxy.pool.address(self.id).and_then(|endpoint| endpoint.port());
        now.or_else(|| self.server.spec.addr.endpoint.port()).unwrap_or(0)
    }
}

/// Whether a name is that of a record of services, which name servers are not asked for.
pub(super) fn is_record(name: &str) -> bool {
    name.starts_with('_')
}

/// All servers that name servers are asked for.
fn members(generation: &Generation) -> impl Iterator<Item = Member<'_>> {
    let proxies = generation.plan.proxies().iter().filter(|p| !p.spec.disabled);
    proxies.flat_map(|proxy| {
        proxy.servers.iter().filter_map(move |server| {
            let resolution = server.spec.resolution.as_ref()?;
            let id = place(proxy, server)?;
            Some(Member { proxy, server, resolution, id })
        })
    })
}

/// Where a server is in its pool: as a rule where its plan says, and only else is it looked for among all of them.
fn place(proxy: &ProxyPlan, server: &ServerPlan) -> Option<ServerId> {
    let (name, id) = (&server.spec.name, ServerId(server.index as u32));
    let is_there = proxy.pool.server(id).is_some_and(|cell| cell.name() == name);
    if is_there { Some(id) } else { proxy.pool.by_name(name.as_str()) }
}

/// Asks for a name again and again, and gives what is found to the servers that have it.
async fn follow(hub: Arc<Hub>, question: Question, name: Name, turns: Arc<Semaphore>) {
    let mut known = Follower::new(Instant::now());
    loop {
        // Nobody closes it.
        let Ok(turn) = turns.acquire().await else { return };
        let answer = ask(&question.resolvers, name.clone(), question.prefer).await;
        drop(turn);
        // Not kept while the task waits.
        let Some(generation) = hub.newest() else { return };
        // What this machine lacks says nothing of the name: servers keep what they have.
        if let Ok(answer) = answer {
            tell(&generation, &question, &mut known, answer);
        }
        drop(generation);
        tokio::time::sleep(question.resolvers.spec().interval.max(SHORTEST)).await;
    }
}

fn tell(generation: &Generation, question: &Question, known: &mut Follower, answer: Result<Found, Failure>) {
    let (spec, now) = (question.resolvers.spec(), Instant::now());
    let members: Vec<_> = members(generation).filter(|m| m.question().as_ref() == Some(question)).collect();
    let found = match answer {
        Ok(found) => found,
        Err(failure) => {
            if known.handle_failure(now, failure, spec) {
                members.iter().for_each(|member| lose(generation, member, reason(failure), now));
            }
            return;
        }
    };
    known.handle_answer(now, &found, spec);
    known.retain(|backend, server| {
        members.iter().any(|m| m.proxy.spec.name == *backend && m.server.spec.name == *server)
    });
    let server = spec.servers.get(found.server).map_or("", |server| &server.name);
    let by: [Arc<str>; 2] = [format!("{}/{server}", spec.name).into(), CACHE.into()];
    // A follower that has just begun knows of nobody what he has: who has a good address chooses before others take it.
    let (there, others): (Vec<_>, Vec<_>) =
        members.iter().enumerate().partition(|(_, m)| m.address().is_some_and(|ip| known.knows(ip)));
    for (at, member) in there.into_iter().chain(others) {
        give(generation, member, known, &by[at.min(1)], now);
    }
}

/// Gives a server the address that is its own, or none.
fn give(generation: &Generation, member: &Member<'_>, known: &mut Follower, by: &Arc<str>, now: Instant) {
    let (backend, server, current) = (&member.proxy.spec.name, &member.server.spec.name, member.address());
    let held = known.held(backend, server);
    let Some(ip) = known.choose(backend, server, &member.resolution.choice, current) else {
        return lose(generation, member, ResolutionFailure::NoAddress, now);
    };
    // Without news it keeps what it has: that may be an address that an operator gave it.
    if held != Some(ip) || member.lacks_address() {
        let events = member.proxy.pool.resolved(member.id, SocketAddr::new(ip, member.port()), by, now);
        generation.report(member.proxy, events.unwrap_or_default());
    }
}

fn lose(generation: &Generation, member: &Member<'_>, reason: ResolutionFailure, now: Instant) {
    let events = member.proxy.pool.lose_address(member.id, reason, now);
    generation.report(member.proxy, events.unwrap_or_default());
}

const fn reason(failure: Failure) -> ResolutionFailure {
    match failure {
        Failure::NoName => ResolutionFailure::NxDomain,
        Failure::Refused => ResolutionFailure::Refused,
        Failure::Silence => ResolutionFailure::Timeout,
        Failure::Other => ResolutionFailure::Unspecified,
    }
}

impl LiveControl {
    /// Has another name resolved for a server.
    pub(super) fn rename(
        &self,
        backend: &ProxyName,
        server: &ServerName,
        name: &str,
    ) -> Result<Renaming, ControlError> {
        let generation = self.generation();
        let proxy = generation.plan.backend(backend.as_str()).ok_or(ControlError::NoServer)?;
        let found = proxy.servers.iter().find(|s| s.spec.name == *server).ok_or(ControlError::NoServer)?;
        let id = proxy.pool.by_name(server.as_str()).ok_or(ControlError::NoServer)?;
        let refuse =
            |why| ControlError::Other(format!("set server <b>/<s> fqdn failed because {why} configured."));
        if found.spec.resolution.is_none() {
            return Err(refuse("no resolution is"));
        }
        let old = proxy.pool.hostname(id);
        if old.as_deref().is_some_and(is_record) {
            return Err(refuse("SRV resolution is"));
        }
        if old.as_deref() == Some(name) {
            return Ok(Renaming::Unchanged);
        }
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.len() > MAX_NAME || !name.bytes().all(fits) {
            return Ok(Renaming::Invalid);
        }
        if Name::new(name.as_bytes()).is_none() {
            return Ok(Renaming::Impossible);
        }
        let events = proxy.pool.set_hostname(id, name.into(), Instant::now())?;
        generation.report(proxy, events);
        self.shared.names().adapt(&generation, &self.shared.workers[0]);
        Ok(Renaming::Changed(old.map(|old| old.to_string())))
    }
}
