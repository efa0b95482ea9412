//! One question to all name servers of a section, repeated until one of them knows.

use super::wire::{self, Answer, Family, Name};
use super::{ResolverSpec, Resolvers};
use crate::rng::Rng;
use std::net::IpAddr;
use std::time::Instant;

/// What a [`Lookup`] wants.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "every driver does each of them")]
pub enum Output {
    /// Send this to every name server.
    Ask(Vec<u8>),
    /// It is over, with addresses of the preferred family if there are some.
    Done(Result<Found, Failure>),
}

/// What a name server knows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Found {
    /// The number of the name server.
    pub server: usize,
    /// All of one family, in its order; at least one.
    pub addresses: Vec<IpAddr>,
}

/// Why there is no address: what the last answer said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "all that can be told apart")]
pub enum Failure {
    /// The name does not exist.
    NoName,
    /// The name server does not answer us.
    Refused,
    /// Nobody answered.
    Silence,
    /// Anything else, such as a name without addresses.
    Other,
}

/// A lookup without its sockets. After `handle_*`, take every output and wait for answers until [`poll_timeout`] says.
///
/// [`poll_timeout`]: Self::poll_timeout
#[derive(Debug)]
pub struct Lookup<'a> {
    spec: &'a ResolverSpec,
    name: Name,
    family: Family,
    /// The family that is asked for when this one has no addresses.
    next: Option<Family>,
    id: u16,
    rng: Rng,
    /// Servers that said no.
    refusals: Vec<bool>,
    failure: Failure,
    left: u32,
    deadline: Option<Instant>,
    output: Option<Output>,
}

impl<'a> Lookup<'a> {
    /// Begins to ask for addresses of `name`, first for those of the family `prefer`. Numbers of questions come from `seed`.
    pub fn new(resolvers: &'a Resolvers, name: Name, prefer: Family, now: Instant, seed: u64) -> Self {
        let spec = resolvers.spec();
        let mut lookup = Self {
            spec,
            name,
            family: prefer,
            next: Some(prefer.other()),
            id: 0,
            rng: Rng::new(seed),
            refusals: vec![false; spec.servers.len()],
            failure: Failure::Silence,
            left: 0,
            deadline: None,
            output: None,
        };
        if spec.servers.is_empty() {
            lookup.fail();
        } else {
            lookup.ask_anew(now);
        }
        lookup
    }

    /// Takes what the name server of this number sent.
    pub fn handle_input(&mut self, now: Instant, server: usize, datagram: &[u8]) {
        let failure = match wire::parse(datagram, &self.name, self.family, self.id) {
            // Not an answer to this question: an old or a forged one.
            None => return,
            Some(Answer::Addresses(addresses)) if !addresses.is_empty() => {
                return self.finish(Ok(Found { server, addresses }));
            }
            Some(Answer::Addresses(_) | Answer::Failure) => Failure::Other,
            Some(Answer::NoName) => Failure::NoName,
            Some(Answer::Refused) => Failure::Refused,
        };
        self.failure = failure;
        self.handle_refusal(now, server);
    }

    /// The name server of this number cannot be asked, or has nothing to tell.
    pub fn handle_refusal(&mut self, now: Instant, server: usize) {
        if let Some(refusal) = self.refusals.get_mut(server) {
            *refusal = true;
        }
        if self.deadline.is_some() && self.refusals.iter().all(|refused| *refused) {
            self.turn(now);
        }
    }

    /// Takes notice of the time.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        if self.left == 0 {
            self.fail();
        } else {
            self.ask(now);
        }
    }

    /// What is to be done. May change after every `handle_*`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.output.take()
    }

    /// When the time is to be told. May change after every `handle_*`.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// Goes on with the other family, or ends.
    fn turn(&mut self, now: Instant) {
        match self.next.take() {
            Some(family) => {
                self.family = family;
                self.ask_anew(now);
            }
            None => self.fail(),
        }
    }

    fn ask_anew(&mut self, now: Instant) {
        self.id = self.rng.next_u32() as u16;
        self.left = self.spec.tries.max(1);
        self.refusals.fill(false);
        self.ask(now);
    }

    fn ask(&mut self, now: Instant) {
        self.left -= 1;
        self.deadline = Some(now + self.spec.patience);
        self.output = Some(Output::Ask(wire::question(&self.name, self.family, self.id, self.spec.payload)));
    }

    fn fail(&mut self) {
        self.finish(Err(self.failure));
    }

    fn finish(&mut self, found: Result<Found, Failure>) {
        self.deadline = None;
        self.output = Some(Output::Done(found));
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::tests::answer;
    use super::*;
    use std::net::SocketAddr;
    use std::time::Duration;

    fn resolvers(servers: usize) -> Resolvers {
        let mut spec = ResolverSpec::new("r");
        let server: SocketAddr = "192.0.2.53:53".parse().unwrap();
        spec.servers = vec![server.into(); servers];
        Resolvers::new(spec)
    }

    fn asked(lookup: &mut Lookup<'_>) -> Vec<u8> {
        match lookup.poll_output() {
            Some(Output::Ask(datagram)) => datagram,
            other => panic!("{other:?}"),
        }
    }

    fn start(resolvers: &Resolvers) -> (Lookup<'_>, Instant) {
        let now = crate::expr::testing::instant();
        (Lookup::new(resolvers, Name::new(b"a.example").unwrap(), Family::V6, now, 1), now)
    }

    #[test]
    fn the_first_server_that_knows_is_believed() {
        let resolvers = resolvers(2);
        let (mut lookup, now) = start(&resolvers);
        let question = asked(&mut lookup);
        lookup.handle_input(now, 0, &answer(&question, 0x8182, &[]));
        assert_eq!(lookup.poll_output(), None, "the other one may know");
        let data = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        lookup.handle_input(now, 1, &answer(&question, 0x8180, &[(&[0xc0, 12], 28, &data)]));
        let found = Found { server: 1, addresses: vec!["2001:db8::1".parse().unwrap()] };
        assert_eq!(lookup.poll_output(), Some(Output::Done(Ok(found))));
        assert_eq!(lookup.poll_timeout(), None);
    }

    #[test]
    fn the_other_family_is_asked_for_where_one_has_nothing() {
        let resolvers = resolvers(1);
        let (mut lookup, now) = start(&resolvers);
        let question = asked(&mut lookup);
        lookup.handle_input(now, 0, &answer(&question, 0x8180, &[]));
        let second = asked(&mut lookup);
        assert_ne!(second, question);
        lookup.handle_input(now, 0, &answer(&question, 0x8180, &[]));
        assert_eq!(lookup.poll_output(), None, "an answer that came late");
        lookup.handle_input(now, 0, &answer(&second, 0x8183, &[]));
        assert_eq!(lookup.poll_output(), Some(Output::Done(Err(Failure::NoName))));
    }

    #[test]
    fn the_last_answer_says_why_there_is_no_address() {
        for (flags, failure) in
            [(0x8180, Failure::Other), (0x8182, Failure::Other), (0x8185, Failure::Refused)]
        {
            let resolvers = resolvers(1);
            let (mut lookup, now) = start(&resolvers);
            for _ in 0..2 {
                let question = asked(&mut lookup);
                lookup.handle_input(now, 0, &answer(&question, flags, &[]));
            }
            assert_eq!(lookup.poll_output(), Some(Output::Done(Err(failure))), "{flags:x}");
        }
    }

    #[test]
    fn silence_is_asked_again_and_then_given_up() {
        let resolvers = resolvers(1);
        let (mut lookup, mut now) = start(&resolvers);
        let question = asked(&mut lookup);
        for _ in 1..3 {
            let deadline = lookup.poll_timeout().unwrap();
            assert_eq!(deadline, now + Duration::from_secs(1));
            lookup.handle_timeout(deadline - Duration::from_millis(1));
            assert_eq!(lookup.poll_output(), None);
            now = deadline;
            lookup.handle_timeout(now);
            assert_eq!(asked(&mut lookup), question);
        }
        lookup.handle_timeout(now + Duration::from_secs(1));
        assert_eq!(lookup.poll_output(), Some(Output::Done(Err(Failure::Silence))));
        assert!(
            Lookup::new(&self::resolvers(0), Name::new(b"a").unwrap(), Family::V4, now, 1)
                .poll_output()
                .is_some_and(|output| output == Output::Done(Err(Failure::Silence)))
        );
    }
}
