//! Simulations on a virtual clock with seeded randomness.
//!
//! A failure names its seed and step; `LB_SIM_SEED=<seed>` replays it alone, `LB_SIM_RUNS=<count>` runs more.

#![expect(clippy::unwrap_used, reason = "a simulation that cannot go on has failed")]
#![expect(
    clippy::disallowed_methods,
    reason = "any instant will do as the origin of virtual time, and seeds come from \
                                                the environment"
)]

mod checks;
mod slots;

/// The seeds to run.
fn seeds(usual: u64) -> Vec<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    match number("LB_SIM_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("LB_SIM_RUNS").unwrap_or(usual)).collect(),
    }
}
