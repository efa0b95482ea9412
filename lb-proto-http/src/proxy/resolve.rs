//! Looking names up for rules, while the client waits.

use std::future::Future;
use std::task::Poll;

use lb_core::expr::Env;
use lb_core::rule::resolve::Resolve;

use super::io::Watch;
use super::txn::Live;
use crate::rule::Session;

/// Looks a name up and keeps its address in the variable of `rule`; false when the client leaves meanwhile.
pub(super) async fn run(live: &mut Live<'_>, rule: &Resolve) -> bool {
    let name = rule.name(&Env::new(live.facts(), live.vars(), live.arena()));
    live.reset_arena();
    let Some(name) = name else { return true };
    let mut lookup = Box::pin(lb_core::rt::resolve(rule, &name));
    let mut watch = Watch::new(true);
    let client = &mut *live.client;
    let looked = std::future::poll_fn(|cx| {
        if watch.poll_gone(&mut client.stream, client.session.worker(), cx).is_ready() {
            return Poll::Ready(None);
        }
        lookup.as_mut().poll(cx).map(Some)
    })
    .await;
    drop(lookup);
    live.touch();
    let Some(found) = looked else { return false };
    rule.keep(&live.vars(), found);
    true
}
