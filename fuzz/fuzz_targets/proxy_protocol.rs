//! PROXY protocol headers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lb_core::fuzzing::proxy_protocol(data));
