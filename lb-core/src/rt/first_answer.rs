//! The first bytes of a server in TCP mode: `tcp-response content` rules, and storing which server a key sticks to.

use super::connection::Session;
use super::passage::Passage;
use super::rules::{Scene, Verdict};
use super::{Relay, RelayEnd, Stream, Timer};
use crate::engine::{ProxyPlan, ServerPlan};
use crate::expr::{Arena, Direction, Env, Peek, ServerRef};
use std::time::Instant;

/// What comes of the first answer.
pub(super) enum Answer {
    /// The session goes on.
    GoOn,
    /// A rule refused the answer.
    Refused,
    /// A rule closed the connection to the server.
    Closed,
    /// The session ended before the rules had decided.
    Ended(RelayEnd),
}

/// Whether anything of `backend` depends on what servers answer.
pub(super) fn matters(backend: &ProxyPlan) -> bool {
    !backend.spec.tcp_rules.response.is_empty() || !backend.spec.stick.is_empty()
}

/// Waits until the rules have decided, while the client's bytes flow; then stores what is to be stored.
pub(super) async fn wait(
    (client, upstream): (&mut Stream, &mut Stream),
    (session, passage): (&mut Session, &mut Passage),
    relay: &mut Relay,
    timer: &Timer,
    (backend, server): (&ProxyPlan, &ServerPlan),
) -> Answer {
    let rules = &backend.spec.tcp_rules.response;
    let delay = backend.spec.tcp_rules.response_inspect_delay;
    let (mut deadline, mut from): (Option<Instant>, usize) = (None, 0);
    relay.receive_now(client, upstream).await;
    while !rules.is_empty() {
        let late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        let peek = relay.answer();
        let verdict = {
            let mut scene = scene((client, upstream), session, passage, backend, server, peek);
            scene.partial = delay.is_some() && !late && !peek.complete;
            scene.run(rules, from, backend)
        };
        match verdict {
            Verdict::Wait => {
                let now = Instant::now();
                let deadline = *deadline.get_or_insert_with(|| now + delay.unwrap_or_default());
                if let Some(end) = relay.receive(client, upstream, timer, deadline).await {
                    return Answer::Ended(end);
                }
                from = 0;
            }
            Verdict::Pause(next, time) => {
                timer.set_after(Some(time));
                timer.expired().await;
                from = next;
            }
            Verdict::Accept | Verdict::Switch | Verdict::Resolve(_) => break,
            Verdict::Reject => {
                let id = backend.pool.by_name(server.spec.name.as_str());
                let cell = id.and_then(|id| backend.pool.server(id));
                session.deny_response(Some(backend), cell.as_deref());
                return Answer::Refused;
            }
            Verdict::SilentDrop(_) => {
                session.deny_request(Some(backend));
                return Answer::Refused;
            }
            Verdict::Close => return Answer::Closed,
        }
    }
    store((client, upstream), session, passage, (backend, server), relay.answer());
    Answer::GoOn
}

fn scene<'a>(
    (client, upstream): (&'a Stream, &'a Stream),
    session: &'a mut Session,
    passage: &'a mut Passage,
    backend: &'a ProxyPlan,
    server: &'a ServerPlan,
    answer: Peek<'a>,
) -> Scene<'a> {
    let mut scene = Scene::new(session, client);
    scene.upstream = Some(upstream);
    scene.passage = Some(passage);
    scene.response = Some(answer);
    scene.direction = Direction::Response;
    scene.backend = Some(backend);
    scene.server = Some(ServerRef {
        name: server.spec.name.as_str(),
        id: server.spec.id,
        backend: backend.spec.name.as_str(),
    });
    scene
}

/// Stores the server under the keys of the request and of the response.
fn store(
    streams: (&Stream, &Stream),
    session: &mut Session,
    passage: &mut Passage,
    (backend, server): (&ProxyPlan, &ServerPlan),
    answer: Peek<'_>,
) {
    if backend.spec.stick.is_empty() {
        return;
    }
    let mut pending = std::mem::take(&mut passage.pending);
    {
        let scene = scene(streams, session, passage, backend, server, answer);
        let facts = scene.facts();
        let arena = Arena::new();
        let env = Env::new(&facts, facts.vars(), &arena);
        pending.on_response(&backend.spec.stick, backend.spec.name.as_str(), &env);
    }
    pending.store(Some(&server.spec), Instant::now());
    passage.pending = pending;
}
