//! Commands of the control socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lb_core::fuzzing::ctl_command(data, std::time::Instant::now()));
