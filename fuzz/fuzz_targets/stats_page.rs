//! Requests and forms of the statistics page.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lb_core::fuzzing::stats_page(data));
