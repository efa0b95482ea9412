//! Any text is a keepalived.conf: it is read, judged and given back.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cfg_keepalived::fuzzing::keepalived_cfg(data));
