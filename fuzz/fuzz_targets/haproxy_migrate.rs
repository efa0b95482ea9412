//! Any text is a haproxy.cfg: put into the words of HAProxy 3.4 it still means something.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cfg_haproxy::fuzzing::haproxy_migrate(data));
