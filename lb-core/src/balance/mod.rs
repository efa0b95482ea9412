//! Choosing a server: the algorithms, and nothing but the algorithms.
//!
//! A [`Balancer`] hears of everything that matters to a choice as a [`ServerEvent`] and answers [`Balancer::pick`]. It
//! knows neither time nor connections nor queues; the pool keeps those and feeds it. Costs do not grow
//! noticeably with the number of servers: trees and heaps, never a scan.
//!
//! Configuration manual of HAProxy 3.4: `balance`, `hash-type`, `hash-balance-factor`.

mod algorithm;

pub use algorithm::{Algorithm, HashFunction, HashMethod, HashType};
