use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::wire::{Control, Diagnostic, Refusal, State};
use super::{Output, Packet, Random, Sessions};
use crate::spec::{Bfd, Name};

const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));
const MS: Duration = Duration::from_millis(1);

fn start() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "any moment to begin with; only differences count")]
    Instant::now()
}

/// The end at A, driven by hand.
struct End {
    now: Instant,
    sessions: Sessions,
    sent: Vec<(Instant, Control)>,
    told: Vec<bool>,
    /// Our number of the session, as the packets tell it.
    number: u32,
}

impl End {
    fn new(change: impl FnOnce(&mut Bfd)) -> Self {
        Self::resumed(change, &[])
    }

    fn resumed(change: impl FnOnce(&mut Bfd), were_up: &[Name]) -> Self {
        let mut spec = Bfd::new("b", B);
        change(&mut spec);
        let mut end =
            Self { now: start(), sessions: Sessions::new(7), sent: Vec::new(), told: Vec::new(), number: 0 };
        end.sessions.configure(end.now, &[spec], were_up);
        end.run(Duration::ZERO);
        end
    }

    /// A session that is up, its poll sequence done, with a neighbour of the same settings.
    fn up() -> Self {
        let mut end = Self::new(|_| {});
        for state in [State::Down, State::Init, State::Up] {
            end.hear(state, |_| {});
        }
        end.hear(State::Up, |packet| packet.fin = true);
        assert_eq!(end.state(), State::Up);
        end.sent.clear();
        end
    }

    fn reconfigure(&mut self, change: impl FnOnce(&mut Bfd)) {
        let mut spec = Bfd::new("b", B);
        change(&mut spec);
        self.sessions.configure(self.now, &[spec], &[]);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.sessions.poll_output() {
            match output {
                Output::Transmit(transmit) => {
                    let packet = Control::parse(&transmit.payload).unwrap();
                    self.number = packet.mine;
                    self.sent.push((self.now, packet));
                }
                Output::State(_, up) => self.told.push(up),
                Output::Log(_) => {}
            }
        }
    }

    /// Lets time pass.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.sessions.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.sessions.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// A packet as the neighbour would send it.
    fn packet(&self, state: State) -> Control {
        Control {
            diagnostic: Diagnostic::NONE,
            state,
            poll: false,
            fin: false,
            independent: false,
            demand: false,
            multiplier: 5,
            mine: 77,
            yours: if state == State::Down { 0 } else { self.number },
            desired_min_tx: if state == State::Up { 10_000 } else { 1_000_000 },
            required_min_rx: 10_000,
            required_min_echo_rx: 0,
        }
    }

    fn hear(&mut self, state: State, change: impl FnOnce(&mut Control)) {
        let mut packet = self.packet(state);
        change(&mut packet);
        self.sessions.handle_packet(self.now, &Packet::new(B, A, packet.emit().to_vec())).unwrap();
        self.drain();
    }

    fn state(&self) -> State {
        self.sessions.snapshot()[0].state
    }

    fn last(&self) -> &Control {
        &self.sent.last().unwrap().1
    }

    /// Times between the packets sent.
    fn gaps(&self) -> Vec<Duration> {
        self.sent.windows(2).map(|pair| pair[1].0 - pair[0].0).collect()
    }
}

/// Two ends and the path between them.
struct Pair {
    now: Instant,
    ends: [Sessions; 2],
    told: [Vec<bool>; 2],
    /// Answers whether the next packet of an end is lost.
    loses: Box<dyn FnMut(usize) -> bool>,
}

impl Pair {
    fn new(specs: [Bfd; 2]) -> Self {
        let now = start();
        let mut ends = [Sessions::new(1), Sessions::new(2)];
        for (end, spec) in ends.iter_mut().zip(specs) {
            end.configure(now, &[spec], &[]);
        }
        Self { now, ends, told: [Vec::new(), Vec::new()], loses: Box::new(|_| false) }
    }

    fn drain(&mut self) {
        let mut busy = true;
        while std::mem::take(&mut busy) {
            for from in 0..2 {
                while let Some(output) = self.ends[from].poll_output() {
                    busy = true;
                    match output {
                        Output::Transmit(transmit) if !(self.loses)(from) => {
                            let (source, destination) = if from == 0 { (A, B) } else { (B, A) };
                            let packet = Packet::new(source, destination, transmit.payload.to_vec());
                            let _ = self.ends[1 - from].handle_packet(self.now, &packet);
                        }
                        Output::State(_, up) => self.told[from].push(up),
                        _ => {}
                    }
                }
            }
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        self.drain();
        while let Some(at) = self.ends.iter().filter_map(Sessions::poll_timeout).min().filter(|at| *at <= end)
        {
            self.now = self.now.max(at);
            self.ends.iter_mut().for_each(|sessions| sessions.handle_timeout(self.now));
            self.drain();
        }
        self.now = end;
    }

    fn states(&self) -> [State; 2] {
        [0, 1].map(|at| self.ends[at].snapshot()[0].state)
    }
}

fn specs() -> [Bfd; 2] {
    [Bfd::new("b", B), Bfd::new("a", A)]
}

#[test]
fn two_ends_come_up_at_once_and_agree_on_their_timers() {
    let mut pair = Pair::new(specs());
    pair.run(Duration::from_millis(1200));
    assert_eq!(pair.states(), [State::Up, State::Up]);
    assert_eq!(pair.told, [[false, true], [false, true]]);
    let snapshot = pair.ends[0].snapshot();
    assert_eq!((snapshot[0].interval, snapshot[0].detection_time), (10 * MS, 50 * MS));
    pair.run(Duration::from_secs(5));
    assert_eq!(pair.told, [[false, true], [false, true]]);
}

#[test]
fn different_settings_meet_at_the_slower_of_both() {
    let [mut a, b] = specs();
    (a.min_rx, a.multiplier) = (300 * MS, 3);
    let mut pair = Pair::new([a, b]);
    pair.run(Duration::from_secs(3));
    let snapshots = [0, 1].map(|at| pair.ends[at].snapshot().remove(0));
    assert_eq!((snapshots[0].interval, snapshots[0].detection_time), (10 * MS, 1500 * MS));
    assert_eq!((snapshots[1].interval, snapshots[1].detection_time), (300 * MS, 30 * MS));
    pair.run(Duration::from_secs(5));
    assert_eq!(pair.states(), [State::Up, State::Up]);
}

#[test]
fn a_cut_path_is_noticed_within_the_detection_time_and_healed() {
    let mut pair = Pair::new(specs());
    pair.run(Duration::from_secs(2));
    pair.loses = Box::new(|_| true);
    pair.run(51 * MS);
    assert_eq!(pair.states(), [State::Down, State::Down]);
    assert_eq!(pair.told, [[false, true, false], [false, true, false]]);
    assert_eq!(pair.ends[0].snapshot()[0].diagnostic, Diagnostic::EXPIRED);
    pair.loses = Box::new(|_| false);
    pair.run(Duration::from_millis(2200));
    assert_eq!(pair.states(), [State::Up, State::Up]);
}

#[test]
fn a_path_cut_in_one_direction_brings_both_ends_down() {
    let mut pair = Pair::new(specs());
    pair.run(Duration::from_secs(2));
    pair.loses = Box::new(|from| from == 0);
    pair.run(100 * MS);
    // B has heard nothing and says so; A believes it.
    assert_eq!(pair.ends[1].snapshot()[0].diagnostic, Diagnostic::EXPIRED);
    assert_eq!(pair.ends[0].snapshot()[0].diagnostic, Diagnostic::NEIGHBOR_DOWN);
    assert_eq!(pair.told, [[false, true, false], [false, true, false]]);
}

#[test]
fn every_state_and_every_word_of_the_neighbour() {
    use State::{AdminDown, Down, Init, Up};
    let reach = |state: State| {
        let mut end = End::new(|_| {});
        match state {
            Down => {}
            Init => end.hear(Down, |_| {}),
            _ => end = End::up(),
        }
        assert_eq!(end.state(), state);
        end
    };
    let table = [(Down, [Down, Init, Up, Down]), (Init, [Down, Init, Up, Up]), (Up, [Down, Down, Up, Up])];
    for (state, expected) in table {
        for (said, expected) in [AdminDown, Down, Init, Up].into_iter().zip(expected) {
            let mut end = reach(state);
            end.hear(said, |_| {});
            let after = end.state();
            // RFC 5880 §6.8.6; from Down the word Down leads to Init.
            let expected = if (state, said) == (Down, Down) { Init } else { expected };
            assert_eq!(after, expected, "{state:?} hears {said:?}");
        }
    }
}

#[test]
fn a_neighbour_held_down_by_its_operator_is_no_failure() {
    let mut end = End::up();
    end.hear(State::AdminDown, |_| {});
    assert_eq!((end.state(), end.last().diagnostic), (State::Down, Diagnostic::NEIGHBOR_DOWN));
    end.run(Duration::from_secs(10));
    assert_eq!(end.told, [false, true]);
    end.hear(State::Down, |_| {});
    end.hear(State::Up, |_| {});
    assert_eq!((end.state(), end.told.as_slice()), (State::Up, [false, true].as_slice()));
    end.run(51 * MS);
    assert_eq!(end.told, [false, true, false]);
}

#[test]
fn a_session_that_is_not_up_sends_slowly_and_with_jitter() {
    let mut end = End::new(|_| {});
    end.run(Duration::from_secs(60));
    let gaps = end.gaps();
    assert!((60..=80).contains(&gaps.len()), "{}", gaps.len());
    assert!(gaps.iter().all(|gap| (750 * MS..=1000 * MS).contains(gap)), "{gaps:?}");
    assert!(gaps.iter().max() > gaps.iter().min());
    assert_eq!((end.last().state, end.last().desired_min_tx), (State::Down, 1_000_000));
    assert_eq!((end.last().yours, end.last().required_min_echo_rx), (0, 0));
}

#[test]
fn with_a_multiplier_of_one_there_is_always_some_room() {
    let mut end = End::new(|spec| spec.multiplier = 1);
    end.run(Duration::from_secs(60));
    let gaps = end.gaps();
    assert!(gaps.iter().all(|gap| (750 * MS..=900 * MS).contains(gap)), "{gaps:?}");
}

#[test]
fn a_passive_end_waits_until_it_is_spoken_to() {
    let mut end = End::new(|spec| spec.passive = true);
    end.run(Duration::from_secs(60));
    assert!(end.sent.is_empty());
    end.hear(State::Down, |_| {});
    assert_eq!((end.last().state, end.last().yours), (State::Init, 77));
    // Without a further word it falls silent again.
    end.run(Duration::from_secs(60));
    let (count, last) = (end.sent.len(), end.sent[end.sent.len() - 1].0);
    assert!((4..=8).contains(&count) && end.now - last > Duration::from_secs(50), "{count}");

    let [mut a, b] = specs();
    a.passive = true;
    let mut pair = Pair::new([a, b]);
    pair.run(Duration::from_secs(2));
    assert_eq!(pair.states(), [State::Up, State::Up]);
}

#[test]
fn coming_up_starts_a_poll_sequence_that_ends_with_the_answer() {
    let mut end = End::new(|_| {});
    end.hear(State::Down, |_| {});
    assert!(!end.last().poll);
    end.hear(State::Up, |_| {});
    assert!(end.last().poll && end.last().desired_min_tx == 10_000);
    end.run(20 * MS);
    assert!(end.last().poll);
    end.hear(State::Up, |packet| packet.fin = true);
    end.run(20 * MS);
    assert!(!end.last().poll);
}

#[test]
fn a_question_is_answered_at_once_outside_of_the_rhythm() {
    let mut end = End::up();
    let due = end.sessions.poll_timeout();
    end.hear(State::Up, |packet| packet.poll = true);
    assert_eq!((end.sent.len(), end.last().fin), (1, true));
    let next = end.sessions.poll_timeout();
    assert_eq!(next, due);
    end.run(20 * MS);
    assert!(!end.last().fin);
}

#[test]
fn question_and_answer_never_travel_in_one_packet() {
    let mut end = End::up();
    end.reconfigure(|spec| spec.min_rx = 20 * MS);
    end.hear(State::Up, |packet| packet.poll = true);
    assert!(end.last().fin && !end.last().poll && end.last().required_min_rx == 20_000);
    end.run(15 * MS);
    assert!(!end.last().fin && end.last().poll);
}

#[test]
fn slower_timers_wait_for_the_acknowledgement_of_the_neighbour() {
    let mut end = End::up();
    end.reconfigure(|spec| (spec.min_tx, spec.min_rx) = (500 * MS, 5 * MS));
    let snapshot =
        |end: &End| (end.sessions.snapshot()[0].interval, end.sessions.snapshot()[0].detection_time);
    assert_eq!(snapshot(&end), (10 * MS, 50 * MS));
    end.run(12 * MS);
    assert!(end.last().poll && (end.last().desired_min_tx, end.last().required_min_rx) == (500_000, 5000));
    end.hear(State::Up, |packet| packet.desired_min_tx = 5000);
    assert_eq!(snapshot(&end), (10 * MS, 50 * MS));
    end.hear(State::Up, |packet| (packet.fin, packet.desired_min_tx) = (true, 5000));
    assert_eq!(snapshot(&end), (500 * MS, 25 * MS));
    assert_eq!(end.told, [false, true]);
}

#[test]
fn faster_timers_count_at_once() {
    let mut end = End::up();
    end.hear(State::Up, |packet| packet.required_min_rx = 1000);
    end.reconfigure(|spec| (spec.min_tx, spec.min_rx) = (2 * MS, 30 * MS));
    let snapshot = end.sessions.snapshot();
    assert_eq!((snapshot[0].interval, snapshot[0].detection_time), (2 * MS, 150 * MS));
}

#[test]
fn a_neighbour_that_demands_silence_gets_it_while_both_are_up() {
    let mut end = End::up();
    end.hear(State::Up, |packet| packet.demand = true);
    end.sent.clear();
    end.run(40 * MS);
    assert_eq!(end.sent.len(), 0);
    end.hear(State::Up, |packet| (packet.demand, packet.poll) = (true, true));
    assert_eq!((end.sent.len(), end.last().fin), (1, true));
    end.hear(State::Up, |packet| packet.demand = false);
    end.run(40 * MS);
    assert!(end.sent.len() >= 4);
}

#[test]
fn a_neighbour_that_wants_no_packets_gets_none_but_answers() {
    let mut end = End::up();
    end.hear(State::Up, |packet| packet.required_min_rx = 0);
    end.run(40 * MS);
    assert!(end.sent.is_empty());
    end.hear(State::Up, |packet| (packet.poll, packet.required_min_rx) = (true, 0));
    assert_eq!((end.sent.len(), end.last().fin), (1, true));
}

#[test]
fn refused_packets_change_nothing_but_a_counter() {
    let mut end = End::up();
    let (number, good) = (end.number, end.packet(State::Up));
    let before = end.sessions.poll_timeout();
    let mut counted = BTreeMap::new();
    let mut refuse = |source: IpAddr, ttl: u8, multihop: bool, control: &Control, expected: Refusal| {
        let mut packet = Packet::new(source, A, control.emit().to_vec());
        (packet.ttl, packet.multihop) = (Some(ttl), multihop);
        let seen = end.sessions.handle_packet(end.now + 10 * MS, &packet);
        assert_eq!(
            (seen, end.sessions.refused(expected)),
            (Err(expected), *counted.entry(expected).and_modify(|n| *n += 1).or_insert(1))
        );
    };
    refuse(B, 254, false, &good, Refusal::HopLimit);
    refuse(A, 255, false, &good, Refusal::WrongSource);
    let stranger = Control { yours: number ^ 1, state: State::Down, ..good.clone() };
    refuse(B, 255, false, &stranger, Refusal::UnknownSession);
    let nobody = Control { yours: 0, state: State::Down, ..good.clone() };
    refuse(A, 255, false, &nobody, Refusal::UnknownSession);
    refuse(B, 255, false, &Control { multiplier: 0, ..good.clone() }, Refusal::ZeroMultiplier);
    let deaf = Control { yours: 0, ..good };
    refuse(B, 255, false, &deaf, Refusal::UnaddressedState);
    assert_eq!((end.state(), end.sessions.poll_timeout()), (State::Up, before));
    end.drain();
    assert_eq!((end.sent.len(), end.told.len()), (0, 2));
}

#[test]
fn more_hops_are_allowed_where_asked_for() {
    for (least, ttl, expected) in [(Some(250), 250, true), (Some(250), 249, false), (None, 1, true)] {
        let mut end = End::new(|spec| (spec.min_ttl, spec.multihop) = (least, true));
        let mut packet = Packet::new(B, A, end.packet(State::Down).emit().to_vec());
        packet.ttl = Some(ttl);
        assert_eq!(end.sessions.handle_packet(end.now, &packet), Err(Refusal::UnknownSession));
        packet.multihop = true;
        assert_eq!(end.sessions.handle_packet(end.now, &packet).is_ok(), expected);
    }
}

#[test]
fn a_packet_without_our_number_goes_to_the_session_between_its_addresses() {
    let now = start();
    let third: IpAddr = "10.0.0.3".parse().unwrap();
    let session = |name: &str, source: IpAddr| {
        let mut spec = Bfd::new(name, B);
        spec.source = Some(source);
        spec
    };
    let mut sessions = Sessions::new(3);
    sessions.configure(now, &[session("one", A), session("two", third)], &[]);
    let packet = Packet::new(B, third, End::new(|_| {}).packet(State::Down).emit().to_vec());
    sessions.handle_packet(now, &packet).unwrap();
    let states: Vec<State> = sessions.snapshot().iter().map(|session| session.state).collect();
    assert_eq!(states, [State::Down, State::Init]);
}

#[test]
fn a_session_keeps_its_state_unless_its_ends_change() {
    let mut end = End::up();
    end.reconfigure(|spec| spec.multiplier = 3);
    assert_eq!((end.state(), end.told.len()), (State::Up, 2));
    end.reconfigure(|spec| spec.source = Some(A));
    assert_eq!((end.state(), end.told.as_slice()), (State::Down, [false, true, false].as_slice()));
    end.sessions.configure(end.now, &[], &[]);
    assert_eq!((end.sessions.poll_timeout(), end.sessions.snapshot().len()), (None, 0));
}

#[test]
fn what_was_up_in_a_former_run_is_down_only_when_it_stays_away() {
    let mut end = End::resumed(|_| {}, &["b".into()]);
    end.run(Duration::from_millis(2900));
    assert!(end.told.is_empty());
    end.run(Duration::from_millis(200));
    assert_eq!(end.told, [false]);

    let mut end = End::resumed(|_| {}, &["b".into()]);
    end.hear(State::Down, |_| {});
    end.hear(State::Up, |_| {});
    assert!(end.told.is_empty());
    end.run(60 * MS);
    assert_eq!(end.told, [false]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn fewer_lost_packets_than_the_multiplier_never_matter(seed: u64, lost in 1..4_u8) {
        let mut pair = Pair::new(specs());
        pair.run(Duration::from_secs(2));
        let (mut random, mut row) = (Random(seed), [0; 2]);
        pair.loses = Box::new(move |from| {
            let loses = row[from] < lost && random.next().is_multiple_of(2);
            row[from] = if loses { row[from] + 1 } else { 0 };
            loses
        });
        pair.run(Duration::from_secs(5));
        prop_assert_eq!(pair.told, [[false, true], [false, true]]);
    }

    #[test]
    fn ends_that_lose_and_find_each_other_agree_in_the_end(seed: u64, loss in 2..10_u64) {
        let mut pair = Pair::new(specs());
        let mut random = Random(seed);
        pair.loses = Box::new(move |_| random.next().is_multiple_of(loss));
        pair.run(Duration::from_secs(20));
        pair.loses = Box::new(|_| false);
        pair.run(Duration::from_secs(4));
        prop_assert_eq!(pair.states(), [State::Up, State::Up]);
        prop_assert_eq!([pair.told[0].last(), pair.told[1].last()], [Some(&true), Some(&true)]);
    }

    #[test]
    fn no_packets_break_anything(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        crate::fuzzing::bfd(&octets);
    }
}
