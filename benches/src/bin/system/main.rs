//! `system`: the same haproxy.cfg in `lb` and in HAProxy, side by side.
//!
//! The proxy runs on the first processor, load and servers on the second; runs are interleaved A B A B and medians are
//! shown. What counts is the proxy's CPU time per request: on a machine that does other things throughput is mostly noise.
//! `foreign` is the share of the proxy's processor that others used meanwhile; above a tenth or so distrust the row.

#![expect(clippy::disallowed_methods, reason = "a measuring program reads clocks and opens sockets")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it prints its results")]

mod cases;
mod config;
mod load;
mod program;
mod report;
mod servers;
mod tls;

use cases::{CASES, Case, Kind};
use program::Program;
use report::Run;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

const HELP: &str = "\
usage: system [--lb PATH] [--haproxy PATH] [--reps N] [--seconds S] [--cases a,b] [--short] [--alone]
              [--list]

Needs two processors, the lb binary (by default the one beside this program) and haproxy (by default of the PATH).
--short is the form for daily use: three cases, three runs of a second each. --alone measures nothing but lb.";

/// What was asked for.
struct Args {
    programs: Vec<(&'static str, PathBuf)>,
    reps: usize,
    time: Duration,
    cases: Vec<&'static Case>,
}

fn main() -> ExitCode {
    let args = match parse(std::env::args().skip(1)) {
        Ok(Some(args)) => args,
        Ok(None) => return ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("system: {problem}\n{HELP}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = program::raise_limits() {
        eprintln!("system: the limit of open files stays as it is: {error}");
    }
    let mut failed = false;
    for case in &args.cases {
        match measure(case, &args) {
            Ok(runs) => report::print(case, &runs),
            Err(error) => {
                failed = true;
                eprintln!("system: {}: {error}", case.name);
            }
        }
    }
    ExitCode::from(u8::from(failed))
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Args>, String> {
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join("lb")));
    let (mut lb, mut haproxy) = (beside.unwrap_or_else(|| "lb".into()), PathBuf::from("haproxy"));
    let (mut reps, mut seconds, mut wanted) = (5, 3.0, None);
    let mut alone = false;
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("`{word}` wants a value"));
        match word.as_str() {
            "--lb" => lb = value()?.into(),
            "--haproxy" => haproxy = value()?.into(),
            "--reps" => reps = value()?.parse().map_err(|_| "`--reps` wants a number")?,
            "--seconds" => seconds = value()?.parse().map_err(|_| "`--seconds` wants a number")?,
            "--cases" => wanted = Some(value()?),
            "--short" => {
                (reps, seconds) = (3, 1.0);
                wanted.get_or_insert_with(|| "http_ka,http_real,tcp_ping".to_owned());
            }
            "--alone" => alone = true,
            "--list" => {
                CASES.iter().for_each(|case| println!("{:<18} {}", case.name, case.about));
                return Ok(None);
            }
            "--help" | "-h" => {
                println!("{HELP}");
                return Ok(None);
            }
            other => return Err(format!("unknown word `{other}`")),
        }
    }
    let cases = match &wanted {
        None => CASES.iter().collect(),
        Some(names) => names.split(',').map(find).collect::<Result<_, _>>()?,
    };
    let time = Duration::try_from_secs_f64(seconds).map_err(|e| e.to_string())?;
    let mut programs = vec![("haproxy", haproxy), ("lb", lb)];
    programs.drain(..usize::from(alone));
    Ok(Some(Args { programs, reps, time, cases }))
}

fn find(name: &str) -> Result<&'static Case, String> {
    CASES.iter().find(|case| case.name == name).ok_or_else(|| format!("no case is called `{name}`"))
}

/// All runs of one case, interleaved.
fn measure(case: &Case, args: &Args) -> std::io::Result<Vec<(&'static str, Vec<Run>)>> {
    let mut all: Vec<(&'static str, Vec<Run>)> =
        args.programs.iter().map(|(name, _)| (*name, Vec::new())).collect();
    for _ in 0..args.reps {
        for ((name, path), (_, runs)) in args.programs.iter().zip(&mut all) {
            let place = config::Place::new(case)?;
            let program = Program::start(name, path, &place, case.kind == Kind::Reload)?;
            runs.push(load::run(case, &place, &program, args.time)?);
        }
    }
    Ok(all)
}
