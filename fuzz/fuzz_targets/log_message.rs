//! Log messages of others: datagrams and streams of them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lb_core::fuzzing::log_message(data));
