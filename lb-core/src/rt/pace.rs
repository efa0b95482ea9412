//! The bandwidth limits of one direction of a stream at work.

use super::Timer;
use crate::bandwidth::{self, Limiter};
use std::task::{Context, Poll, ready};
use std::time::Instant;

/// Most bytes that are let through at a time, so that several streams of one limit take turns.
const STEP: usize = 16_384;

/// Lets bytes through as limits allow, and waits where they do not. Streams without limits have none.
#[derive(Debug)]
pub struct Pace {
    limiters: Vec<Limiter>,
    timer: Timer,
    /// Bytes that were received before the limits were asked, from `at` on.
    held: Vec<u8>,
    at: usize,
    paused: bool,
}

impl Pace {
    /// Limits for a stream of which `held` was received already.
    pub const fn new(limiters: Vec<Limiter>, timer: Timer, held: Vec<u8>) -> Self {
        Self { limiters, timer, held, at: 0, paused: false }
    }

    /// Puts further limits into force.
    pub fn add(&mut self, limiters: Vec<Limiter>) {
        for limiter in limiters {
            bandwidth::set(&mut self.limiters, limiter);
        }
    }

    /// Parts with the limits.
    pub fn into_limiters(self) -> Vec<Limiter> {
        self.limiters
    }

    /// How many of `most` bytes may be taken now, at least one. The task is woken when it is time to ask again.
    pub fn poll_allow(&mut self, cx: &Context<'_>, most: usize) -> Poll<usize> {
        let most = most.min(STEP).min(if self.has_held() { self.held.len() - self.at } else { STEP });
        loop {
            if self.paused {
                ready!(self.timer.poll_expired(cx));
                self.paused = false;
            }
            match bandwidth::allow(&mut self.limiters, Instant::now(), most) {
                Ok(bytes) => return Poll::Ready(bytes),
                Err(until) => {
                    self.timer.set(Some(until));
                    self.paused = true;
                }
            }
        }
    }

    /// So many bytes have passed.
    pub fn charge(&mut self, bytes: usize) {
        bandwidth::charge(&mut self.limiters, Instant::now(), bytes as u64);
    }

    /// Whether a limit is waited for rather than one of the sides.
    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    /// Whether there are bytes that were received before the limits were asked. They come first.
    pub const fn has_held(&self) -> bool {
        self.at < self.held.len()
    }

    /// Takes as many of those as `into` has room for.
    pub fn take_held(&mut self, into: &mut [u8]) -> usize {
        let rest = &self.held[self.at..];
        let n = rest.len().min(into.len());
        into[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        n
    }

    /// Takes all of those.
    pub fn take_rest(&mut self) -> &[u8] {
        let at = std::mem::replace(&mut self.at, self.held.len());
        &self.held[at..]
    }
}
