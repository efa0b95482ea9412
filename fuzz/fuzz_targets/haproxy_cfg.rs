//! Any text is a haproxy.cfg: it is read, judged and given back.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cfg_haproxy::fuzzing::haproxy_cfg(data));
