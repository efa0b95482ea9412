//! Signals to the process.

use std::task::Poll;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals that are listened to.
#[derive(Debug)]
pub struct Signals(Vec<(i32, Signal)>);

impl Signals {
    /// From now on these numbers are told and have no other effect. Must be called inside a runtime.
    pub fn new(numbers: &[i32]) -> std::io::Result<Self> {
        let listen = |&n| Ok((n, signal(SignalKind::from_raw(n))?));
        numbers.iter().map(listen).collect::<std::io::Result<_>>().map(Self)
    }

    /// The next one. Cancel safe.
    pub async fn next(&mut self) -> i32 {
        let next = |cx: &mut std::task::Context<'_>| {
            let came = self.0.iter_mut().find_map(|(n, s)| s.poll_recv(cx).is_ready().then_some(*n));
            came.map_or(Poll::Pending, Poll::Ready)
        };
        std::future::poll_fn(next).await
    }
}
