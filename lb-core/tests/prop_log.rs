//! Whatever arrives as a log message is read without harm, and none of it is lost.

use lb_core::log::{Frame, Ring, frame};
use proptest::prelude::*;
use std::collections::VecDeque;

/// Bytes that resemble messages: pieces of headers in any order, and anything between them.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(&b"<134>"[..]),
        Just(&b"<"[..]),
        Just(&b"1 "[..]),
        Just(&b"- "[..]),
        Just(&b"Oct 11 22:14:15 "[..]),
        Just(&b"2003-10-11T22:14:15.003Z "[..]),
        Just(&b"host "[..]),
        Just(&b"tag[12]: "[..]),
        Just(&b"[a b=\"\\]\"]"[..]),
        Just(&b" "[..]),
        Just(&b"\n"[..]),
    ];
    let pieces = prop_oneof![piece.prop_map(<[u8]>::to_vec), proptest::collection::vec(any::<u8>(), 0..8)];
    proptest::collection::vec(pieces, 0..12).prop_map(|all| all.concat())
}

#[test]
fn messages_that_fuzzing_found_are_read() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/log_message");
    // A published crate comes without it.
    for file in std::fs::read_dir(corpus).into_iter().flatten() {
        lb_core::fuzzing::log_message(&std::fs::read(file.unwrap().path()).unwrap());
    }
}

proptest! {
    #[test]
    fn any_message_is_read_and_written_again(bytes in bytes()) {
        lb_core::fuzzing::log_message(&bytes);
    }

    #[test]
    fn a_stream_is_framed_alike_wherever_it_is_split(messages in proptest::collection::vec("[^\n]{0,40}", 0..8), counted: bool, at: prop::sample::Index) {
        let mut stream = Vec::new();
        for message in &messages {
            let text = format!("<1>{message}");
            stream.extend(if counted { format!("{} {text}", text.len()) } else { format!("{text}\n") }.bytes());
        }
        let (mut found, mut held) = (Vec::new(), Vec::new());
        let cut = if stream.is_empty() { 0 } else { at.index(stream.len()) };
        for part in [&stream[..cut], &stream[cut..]] {
            held.extend_from_slice(part);
            while let Frame::Message(message, used) = frame(&held, 1000, false) {
                found.push(message.to_vec());
                held.drain(..used);
            }
        }
        let expected: Vec<_> = messages.iter().map(|message| {
            let text = format!("<1>{message}");
            if counted { text } else { text.strip_suffix('\r').unwrap_or(&text).to_owned() }.into_bytes()
        }).collect();
        prop_assert_eq!(found, expected);
        prop_assert!(held.is_empty());
    }

    #[test]
    fn a_ring_gives_each_reader_all_that_it_holds_in_order(
        size in 200_usize..600,
        steps in proptest::collection::vec((0_usize..80, 0_usize..4), 0..60),
    ) {
        let mut ring = Ring::new(size);
        let (server, watcher) = (ring.attach(false, true).unwrap(), ring.attach(false, false).unwrap());
        let mut owed: VecDeque<Vec<u8>> = VecDeque::new();
        let mut last_seen = None;
        for (number, (length, reads)) in steps.into_iter().enumerate() {
            let message = [&(number as u32).to_be_bytes()[..], &vec![b'x'; length]].concat();
            if ring.push(&message) {
                owed.push_back(message);
            }
            for _ in 0..reads {
                let mut got = None;
                ring.read(server, |a, b| { got = Some([a, b].concat()); false });
                prop_assert_eq!(got, owed.pop_front());
            }
            ring.read(watcher, |a, b| {
                let number = u32::from_be_bytes([a, b].concat()[..4].try_into().unwrap());
                assert!(last_seen < Some(number));
                last_seen = Some(number);
                true
            });
        }
        prop_assert!(ring.len() >= owed.len());
    }
}
