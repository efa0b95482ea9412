//! Replies of an SMTP server.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lb_proto_smtp::fuzzing::smtp_reply(data));
