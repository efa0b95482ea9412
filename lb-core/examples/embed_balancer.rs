//! A balancer inside another program: who gets the next request.
//!
//! Shows the pool alone, without sockets or runtime. A real program keeps the lease for as long as the request runs, waits on
//! the ticket when all servers are full, and tells the pool what its health checks find.
//!
//! usage: `embed_balancer NAME...`

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a program reads the clock and prints")]

use lb_core::balance::Algorithm;
use lb_core::pool::{Acquired, AdminState, Pool, PoolDef, Request, ServerDef};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() {
        names = vec!["a".to_owned(), "b".to_owned()];
    }
    let servers = names.iter().zip(1..).map(|(name, id)| ServerDef::new(name.as_str(), id)).collect();
    let pool = Pool::new(PoolDef::new("app", Algorithm::RoundRobin, servers), Instant::now())?;
    for turn in 1..=4 {
        match pool.acquire(Instant::now(), &Request::new()) {
            Acquired::Leased(lease) => println!("request {turn} goes to {}", lease.server().name()),
            Acquired::Queued(_) => println!("request {turn} waits"),
            Acquired::NoServer | Acquired::QueueFull(_) => println!("request {turn} cannot be served"),
        }
    }
    let first = pool.by_name(&names[0]).ok_or("no such server")?;
    pool.set_state(first, AdminState::Maint, Instant::now())?;
    println!("{} is in maintenance now", names[0]);
    if let Acquired::Leased(lease) = pool.acquire(Instant::now(), &Request::new()) {
        println!("the next request goes to {}", lease.server().name());
    }
    Ok(())
}
