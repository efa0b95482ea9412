//! Converters on arbitrary samples.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lb_core::fuzzing::converters(data, std::time::Instant::now()));
