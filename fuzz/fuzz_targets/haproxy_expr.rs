//! Sample expressions and their evaluation.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lb_core::fuzzing::expr(data, std::time::Instant::now()));
