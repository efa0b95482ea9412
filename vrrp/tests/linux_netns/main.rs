//! The Linux driver against itself and against the kernel, in network namespaces. Needs root and iproute2; says so and
//! passes where they are missing.
#![cfg(feature = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "helpers of tests, which may fail, say why they skip, and wait for the kernel"
)]

mod bfd;
mod election;
mod kernel;
mod lab;
mod programs;
mod rivals;
