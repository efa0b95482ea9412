//! Log formats and what they print.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lb_core::fuzzing::log_format(data, std::time::Instant::now()));
