//! Chunked bodies, whole and in pieces.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lb_proto_http::fuzzing::h1_chunked(data));
