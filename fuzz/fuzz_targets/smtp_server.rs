//! What an SMTP client may send.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lb_proto_smtp::fuzzing::smtp_server(data));
