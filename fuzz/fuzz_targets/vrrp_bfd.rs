//! Packets of BFD.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vrrp::fuzzing::bfd(data));
