//! The `lb` program: one daemon for HAProxy and Keepalived configurations.

#![expect(clippy::disallowed_methods, reason = "the program owns its clock and its environment")]

mod args;
mod boot;
mod bridge;
mod check;
mod demo;
mod load;
mod proxy;
mod registry;
mod report;
mod router;
mod supervisor;
mod sys;
mod tools;
mod version;
mod world;

use args::Invocation;
use lb_core::process::framed;
use std::process::ExitCode;

/// An idle connection is a handful of small areas, some of them aligned to cache lines: this allocator needs a fifth less
/// for them than the system's (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let status = match args::parse(std::env::args_os()) {
        Ok(Invocation::Run(args)) => framed(|| boot::run(args)),
        Ok(Invocation::Part(args)) => framed(|| boot::part(args)),
        Ok(Invocation::Check(args)) => framed(|| check::run(&args)),
        Ok(Invocation::Condition(text)) => Ok(check::condition(&text)),
        Ok(Invocation::Vrrp(args)) => Ok(framed(|| router::ask(&args))),
        Ok(Invocation::Migrate(args)) => framed(|| tools::migrate(&args)),
        Ok(Invocation::Explain(words)) => Ok(framed(|| tools::explain(&words))),
        Ok(Invocation::Dump(args)) => framed(|| tools::dump(&args)),
        Ok(Invocation::Signal(pidfile, number)) => framed(|| boot::signal(&pidfile, number)),
        Ok(Invocation::Demo(args)) => Ok(framed(|| demo::run(&args))),
        Ok(Invocation::Print(text)) => {
            report::say(&text);
            Ok(0)
        }
        Err(error) => {
            report::error(&format!("lb: {error}\n"));
            Ok(1)
        }
    };
    ExitCode::from(status.unwrap_or_else(|e| report::failed(&e)))
}
