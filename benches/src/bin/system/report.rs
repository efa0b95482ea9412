//! Medians and their table.

use crate::cases::{Case, Kind};
use crate::program::Cpu;
use std::time::Duration;

/// What one run showed.
#[derive(Default)]
pub(crate) struct Run {
    pub(crate) requests: usize,
    pub(crate) errors: usize,
    /// Log lines that arrived.
    pub(crate) lines: usize,
    pub(crate) time: Duration,
    pub(crate) cpu: Cpu,
    /// Microseconds, sorted.
    pub(crate) latencies: Vec<u32>,
    /// Memory per connection, or of the whole program.
    pub(crate) memory: f64,
}

const PLAIN: &[&str] =
    &["req/s", "cpu µs", "user", "system", "p50 µs", "p99", "p999", "lines/s", "errors", "foreign"];

impl Run {
    fn figures(&self, case: &Case) -> Vec<f64> {
        let count = self.requests.max(1) as f64;
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        match case.kind {
            Kind::Idle => return vec![self.memory, self.errors as f64],
            Kind::Start => {
                let own = self.cpu.own.as_secs_f64() * 1e3;
                return vec![own, self.time.as_secs_f64() * 1e3, self.memory / 1e6];
            }
            _ => {}
        }
        let at = |share: f64| {
            let index = (self.latencies.len() as f64 * share) as usize;
            self.latencies
                .get(index.min(self.latencies.len().saturating_sub(1)))
                .map_or(0.0, |&us| f64::from(us))
        };
        let seconds = self.time.as_secs_f64().max(1e-9);
        let foreign = self.cpu.processor.saturating_sub(self.cpu.own).as_secs_f64() / seconds;
        vec![
            self.requests as f64 / seconds,
            micros(self.cpu.own) / count,
            micros(self.cpu.user) / count,
            micros(self.cpu.own.saturating_sub(self.cpu.user)) / count,
            at(0.5),
            at(0.99),
            at(0.999),
            self.lines as f64 / seconds,
            self.errors as f64,
            foreign,
        ]
    }
}

/// Prints the medians of one case; the ratio is that of the figure that counts, to the first program.
pub(crate) fn print(case: &Case, all: &[(&'static str, Vec<Run>)]) {
    let (names, counts): (&[&str], usize) = match case.kind {
        Kind::Idle => (&["bytes/conn", "errors"], 0),
        Kind::Start => (&["cpu ms", "start ms", "MB"], 0),
        _ => (PLAIN, 1),
    };
    println!("\n{} - {}", case.name, case.about);
    print!("{:<9}", "");
    names.iter().for_each(|name| print!("{name:>11}"));
    println!("{:>8}{:>8}", "ratio", "spread");
    let mut first = None;
    for (name, runs) in all {
        let figures: Vec<Vec<f64>> = runs.iter().map(|run| run.figures(case)).collect();
        let medians: Vec<f64> =
            (0..names.len()).map(|at| median(figures.iter().map(|own| own[at]).collect())).collect();
        print!("{name:<9}");
        medians.iter().for_each(|figure| print!("{:>11}", show(*figure)));
        let own = medians[counts];
        let reference = *first.get_or_insert(own);
        let (low, high) = figures
            .iter()
            .fold((f64::MAX, 0.0f64), |(low, high), own| (low.min(own[counts]), high.max(own[counts])));
        println!("{:>8.2}{:>7.0}%", own / reference.max(1e-9), 100.0 * (high - low) / own.max(1e-9));
    }
}

fn show(figure: f64) -> String {
    if figure >= 100.0 { format!("{figure:.0}") } else { format!("{figure:.2}") }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(0.0)
}
