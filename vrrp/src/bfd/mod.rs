//! Bidirectional forwarding detection (RFC 5880, over one hop RFC 5881, over several RFC 5883): whether a neighbour is
//! reached and reaches us, known within milliseconds.
//!
//! Asynchronous mode without authentication and without echo packets. A neighbour that demands silence while the session
//! is up (RFC 5880 §6.6) gets it; we never demand it. Changed timers are agreed by a poll sequence (§6.5).
//!
//! [`Sessions`] follows the contract of the crate: feed it with [`handle_packet`](Sessions::handle_packet) and
//! [`handle_timeout`](Sessions::handle_timeout); after either one take everything
//! [`poll_output`](Sessions::poll_output) yields, then set one timer to [`poll_timeout`](Sessions::poll_timeout). It reads
//! no clock and opens nothing.
//!
//! What differs from the RFC is keepalived's: a neighbour that says it is held down by its operator does not count as
//! lost to those who track the session (RFC 5882 §4.2 leaves it open), and at the end of the program nothing is sent, so
//! that the neighbour notices by its detection time.

mod session;
mod sessions;
#[cfg(test)]
mod tests;
pub mod wire;

pub use sessions::{Output, Packet, SessionSnapshot, Sessions, Transmit};

/// A small generator for discriminators and jitter (SplitMix64), so that two runs with one seed are the same.
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from the first to the second one, both included.
    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }
}
