//! Events of a virtual router; its invariants hold after each.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vrrp::fuzzing::router_ops(data));
