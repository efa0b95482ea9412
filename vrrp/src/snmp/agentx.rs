//! A session with a master agent (RFC 2741), for notifications alone.

use std::collections::VecDeque;

/// Octets of a header.
const HEADER: usize = 20;
const VERSION: u8 = 1;
/// All numbers in network byte order.
const NETWORK_ORDER: u8 = 0x10;
const OPEN: u8 = 1;
const CLOSE: u8 = 2;
const NOTIFY: u8 = 12;
const RESPONSE: u8 = 18;
/// Longest payload that is read; what a master agent has to say to us is short.
const PAYLOAD_LIMIT: usize = 64 * 1024;
/// Notifications that wait for a session; of more the oldest are dropped.
const WAITING: usize = 64;

/// The name of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a list of numbers")]
pub struct Oid(pub Vec<u32>);

impl Oid {
    /// The name that follows from this one by more numbers.
    #[must_use]
    pub fn with(&self, more: &[u32]) -> Self {
        Self([self.0.as_slice(), more].concat())
    }

    fn emit(&self, out: &mut Vec<u8>) {
        // Names here have far less than the 128 numbers a name may have.
        out.extend([self.0.len() as u8, 0, 0, 0]);
        out.extend(self.0.iter().flat_map(|number| number.to_be_bytes()));
    }
}

/// The value of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// A number.
    Integer(i32),
    /// Octets, or a text.
    Octets(Vec<u8>),
    /// The name of an object.
    Oid(Oid),
    /// An IPv4 address.
    IpAddress([u8; 4]),
}

/// An object and its value.
pub type Binding = (Oid, Value);

fn octets(octets: &[u8], out: &mut Vec<u8>) {
    out.extend((octets.len() as u32).to_be_bytes());
    out.extend(octets);
    out.resize(out.len().next_multiple_of(4), 0);
}

fn binding((name, value): &Binding, out: &mut Vec<u8>) {
    let kind: u16 = match value {
        Value::Integer(_) => 2,
        Value::Octets(_) => 4,
        Value::Oid(_) => 6,
        Value::IpAddress(_) => 64,
    };
    out.extend(kind.to_be_bytes());
    out.extend([0, 0]);
    name.emit(out);
    match value {
        Value::Integer(number) => out.extend(number.to_be_bytes()),
        Value::Octets(text) => octets(text, out),
        Value::Oid(oid) => oid.emit(out),
        Value::IpAddress(address) => octets(address, out),
    }
}

/// What a master agent did that ends the session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Ended {
    /// It does not want a session.
    #[error("the master agent refuses a session (error {0})")]
    Refused(u16),
    /// It closed the session, or knows nothing of it.
    #[error("the master agent closed the session")]
    Closed,
    /// What it says is not AgentX.
    #[error("the master agent does not speak AgentX")]
    NotAgentX,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// There is no connection.
    Unconnected,
    /// A session was asked for.
    Opening,
    /// The session has this number.
    Open(u32),
}

/// A session that is opened again whenever there is a connection.
#[derive(Debug)]
pub struct Session {
    description: String,
    phase: Phase,
    packet: u32,
    input: Vec<u8>,
    output: VecDeque<Vec<u8>>,
    waiting: VecDeque<Vec<Binding>>,
}

impl Session {
    /// A session of a program described by these words.
    #[must_use]
    pub fn new(description: impl Into<String>) -> Self {
        Self {
            description: description.into(),
            phase: Phase::Unconnected,
            packet: 0,
            input: Vec::new(),
            output: VecDeque::new(),
            waiting: VecDeque::new(),
        }
    }

    /// There is a connection. Output may follow.
    pub fn connected(&mut self) {
        self.phase = Phase::Opening;
        self.input.clear();
        self.output.clear();
        // No timeout of our own, and no name but the empty one.
        let mut payload = vec![0; 8];
        octets(self.description.as_bytes(), &mut payload);
        self.send(OPEN, 0, &payload);
    }

    /// There is no connection any more. Notifications wait for the next one.
    pub fn disconnected(&mut self) {
        self.phase = Phase::Unconnected;
        self.input.clear();
        self.output.clear();
    }

    /// Sends a notification as soon as there is a session. Output may follow.
    pub fn notify(&mut self, bindings: Vec<Binding>) {
        if self.waiting.len() == WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(bindings);
        self.flush();
    }

    /// Takes in what came from the master agent. Output may follow.
    ///
    /// # Errors
    ///
    /// If the connection is of no use any more and has to be closed.
    pub fn receive(&mut self, octets: &[u8]) -> Result<(), Ended> {
        self.input.extend(octets);
        while let Some(header) = self.input.first_chunk::<HEADER>().copied() {
            let number = |at: usize| {
                let word = [header[at], header[at + 1], header[at + 2], header[at + 3]];
                if header[2] & NETWORK_ORDER != 0 {
                    u32::from_be_bytes(word)
                } else {
                    u32::from_le_bytes(word)
                }
            };
            let length = usize::try_from(number(16)).unwrap_or(usize::MAX);
            if header[0] != VERSION || length > PAYLOAD_LIMIT || !length.is_multiple_of(4) {
                return Err(Ended::NotAgentX);
            }
            if self.input.len() < HEADER + length {
                return Ok(());
            }
            let packet: Vec<u8> = self.input.drain(..HEADER + length).collect();
            match header[1] {
                CLOSE => return Err(Ended::Closed),
                RESPONSE => self.answered(number(4), &packet[HEADER..], header[2])?,
                // Questions about objects: there are none here, and nobody was told otherwise.
                _ => {}
            }
        }
        Ok(())
    }

    /// The next octets for the master agent.
    pub fn poll_output(&mut self) -> Option<Vec<u8>> {
        self.output.pop_front()
    }

    fn answered(&mut self, session: u32, payload: &[u8], flags: u8) -> Result<(), Ended> {
        let code: [u8; 2] =
            payload.get(4..6).and_then(|code| code.try_into().ok()).ok_or(Ended::NotAgentX)?;
        let error =
            if flags & NETWORK_ORDER != 0 { u16::from_be_bytes(code) } else { u16::from_le_bytes(code) };
        match (self.phase, error) {
            (Phase::Opening, 0) => {
                self.phase = Phase::Open(session);
                self.flush();
                Ok(())
            }
            (Phase::Opening, error) => Err(Ended::Refused(error)),
            // notOpen
            (_, 257) => Err(Ended::Closed),
            _ => Ok(()),
        }
    }

    fn flush(&mut self) {
        let Phase::Open(session) = self.phase else { return };
        while let Some(bindings) = self.waiting.pop_front() {
            let mut payload = Vec::new();
            bindings.iter().for_each(|one| binding(one, &mut payload));
            self.send(NOTIFY, session, &payload);
        }
    }

    fn send(&mut self, kind: u8, session: u32, payload: &[u8]) {
        self.packet = self.packet.wrapping_add(1);
        let mut packet = vec![VERSION, kind, NETWORK_ORDER, 0];
        for number in [session, self.packet, self.packet, payload.len() as u32] {
            packet.extend(number.to_be_bytes());
        }
        packet.extend(payload);
        self.output.push_back(packet);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(session: u32, error: u16, network: bool) -> Vec<u8> {
        let order = |number: u32| if network { number.to_be_bytes() } else { number.to_le_bytes() };
        let mut out = vec![1, RESPONSE, if network { 0x10 } else { 0 }, 0];
        out.extend([session, 1, 1, 8].into_iter().flat_map(order));
        out.extend(order(0));
        out.extend(if network { error.to_be_bytes() } else { error.to_le_bytes() });
        out.extend([0, 0]);
        out
    }

    fn change(number: i32) -> Vec<Binding> {
        vec![(Oid(vec![1, 3, 6]), Value::Integer(number))]
    }

    #[test]
    fn a_notification_waits_for_the_session_and_is_sent_in_it() {
        for network in [true, false] {
            let mut session = Session::new("lb");
            session.notify(change(5));
            assert_eq!(session.poll_output(), None);
            session.connected();
            let open = session.poll_output().unwrap();
            assert_eq!(open[..4], [1, OPEN, 0x10, 0]);
            assert_eq!(open[16..], [0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, b'l', b'b', 0, 0]);
            // In two pieces, as a stream may come.
            let answer = response(77, 0, network);
            session.receive(&answer[..9]).unwrap();
            assert_eq!(session.poll_output(), None);
            session.receive(&answer[9..]).unwrap();
            let notify = session.poll_output().unwrap();
            assert_eq!((notify[1], &notify[4..8]), (NOTIFY, &[0, 0, 0, 77][..]));
            let expected = [0, 2, 0, 0, 3, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 6, 0, 0, 0, 5];
            assert_eq!(notify[HEADER..], expected);
            assert_eq!(session.poll_output(), None);
        }
    }

    #[test]
    fn values_are_padded_to_words() {
        let mut out = Vec::new();
        binding(&(Oid(vec![1]), Value::Octets(b"held".to_vec())), &mut out);
        binding(&(Oid(vec![1]), Value::Octets(b"i".to_vec())), &mut out);
        binding(&(Oid(vec![1]), Value::IpAddress([10, 0, 0, 1])), &mut out);
        binding(&(Oid(vec![1]), Value::Oid(Oid(vec![2]))), &mut out);
        let name = [1, 0, 0, 0, 0, 0, 0, 1];
        let expected = [
            &[0, 4, 0, 0][..],
            &name,
            &[0, 0, 0, 4],
            b"held",
            &[0, 4, 0, 0],
            &name,
            &[0, 0, 0, 1, b'i', 0, 0, 0],
            &[0, 64, 0, 0],
            &name,
            &[0, 0, 0, 4, 10, 0, 0, 1],
            &[0, 6, 0, 0],
            &name,
            &[1, 0, 0, 0, 0, 0, 0, 2],
        ];
        assert_eq!(out, expected.concat());
    }

    #[test]
    fn a_lost_session_is_opened_again_and_what_waits_is_bounded() {
        let mut session = Session::new("lb");
        session.connected();
        session.receive(&response(1, 0, true)).unwrap();
        assert_eq!(session.receive(&response(1, 257, true)), Err(Ended::Closed));
        session.disconnected();
        for number in 0..100 {
            session.notify(change(number));
        }
        session.connected();
        session.receive(&response(2, 0, true)).unwrap();
        let sent: Vec<Vec<u8>> = std::iter::from_fn(|| session.poll_output()).collect();
        assert_eq!((sent.len(), sent[1].last(), sent[64].last()), (65, Some(&36), Some(&99)));
    }

    #[test]
    fn what_a_master_agent_must_not_say_ends_the_session() {
        let ended = |octets: &[u8]| {
            let mut session = Session::new("lb");
            session.connected();
            session.receive(octets)
        };
        assert_eq!(ended(&response(1, 266, true)), Err(Ended::Refused(266)));
        let mut other = response(1, 0, true);
        other[0] = 2;
        assert_eq!(ended(&other), Err(Ended::NotAgentX));
        other[0] = 1;
        other[1] = CLOSE;
        assert_eq!(ended(&other), Err(Ended::Closed));
        let mut endless = response(1, 0, true);
        endless[16] = 0xff;
        assert_eq!(ended(&endless), Err(Ended::NotAgentX));
        let mut empty = response(1, 0, true);
        empty[19] = 0;
        assert_eq!(ended(&empty), Err(Ended::NotAgentX));
        // A question of the master agent is nobody's.
        let mut question = response(1, 0, true);
        question[1] = 5;
        assert_eq!(ended(&question), Ok(()));
    }

    proptest::proptest! {
        #[test]
        fn no_octets_break_anything(octets: Vec<u8>, at in 0..4_usize) {
            let mut session = Session::new("lb");
            session.connected();
            let start = response(9, 0, true);
            let _ = session.receive(&start[..at * 5]);
            let _ = session.receive(&octets);
            session.notify(change(1));
            while session.poll_output().is_some() {}
        }
    }
}
