//! How a stream ended: the letters of `%ts` and `%tsc` (manual 8.5).

/// First letter: which event closed the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the letters are fixed by the log format")]
pub enum Cause {
    /// `-`: normal end.
    #[default]
    Normal,
    /// `C`: the client aborted.
    ClientAbort,
    /// `S`: the server aborted or refused.
    ServerAbort,
    /// `P`: the proxy ended it: limit, rule, security check.
    Proxy,
    /// `L`: the proxy answered by itself (redirect, statistics).
    Local,
    /// `R`: a resource ran out.
    Resource,
    /// `I`: internal error.
    Internal,
    /// `D`: the server was marked down.
    Down,
    /// `U`: a primary server came back, sessions on backups were closed.
    Up,
    /// `K`: killed by an operator.
    Killed,
    /// `c`: the client timeout expired.
    ClientTimeout,
    /// `s`: the server timeout expired.
    ServerTimeout,
}

/// Second letter: what the stream was doing then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the letters are fixed by the log format")]
pub enum Phase {
    /// `-`: normal end after data transfer.
    #[default]
    Done,
    /// `R`: waiting for a complete request.
    Request,
    /// `Q`: waiting in a queue.
    Queue,
    /// `C`: connecting to the server.
    Connect,
    /// `H`: waiting for or processing response headers.
    Headers,
    /// `D`: transferring data.
    Data,
    /// `L`: the last data was on its way to the client.
    Last,
    /// `T`: tarpitted.
    Tarpit,
}

/// The four letters together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "four letters by definition")]
pub struct Termination {
    /// First letter.
    pub cause: Cause,
    /// Second letter.
    pub phase: Phase,
    /// Third letter: the persistence cookie of the request (`N I D V E O U -`).
    pub cookie_request: u8,
    /// Fourth letter: the persistence cookie of the response (`N I U P R D -`).
    pub cookie_response: u8,
}

impl Default for Termination {
    fn default() -> Self {
        Self { cause: Cause::Normal, phase: Phase::Done, cookie_request: b'-', cookie_response: b'-' }
    }
}

impl Cause {
    /// The letter in the log.
    pub const fn letter(self) -> u8 {
        match self {
            Self::Normal => b'-',
            Self::ClientAbort => b'C',
            Self::ServerAbort => b'S',
            Self::Proxy => b'P',
            Self::Local => b'L',
            Self::Resource => b'R',
            Self::Internal => b'I',
            Self::Down => b'D',
            Self::Up => b'U',
            Self::Killed => b'K',
            Self::ClientTimeout => b'c',
            Self::ServerTimeout => b's',
        }
    }
}

impl Phase {
    /// The letter in the log.
    pub const fn letter(self) -> u8 {
        match self {
            Self::Done => b'-',
            Self::Request => b'R',
            Self::Queue => b'Q',
            Self::Connect => b'C',
            Self::Headers => b'H',
            Self::Data => b'D',
            Self::Last => b'L',
            Self::Tarpit => b'T',
        }
    }
}

impl Termination {
    /// The two letters of `%ts`.
    pub const fn short(&self) -> [u8; 2] {
        [self.cause.letter(), self.phase.letter()]
    }

    /// The four letters of `%tsc`.
    pub const fn full(&self) -> [u8; 4] {
        [self.cause.letter(), self.phase.letter(), self.cookie_request, self.cookie_response]
    }

    /// Whether the stream ended without an error, as `option dontlog-normal` sees it.
    pub fn is_normal(&self) -> bool {
        matches!(self.cause, Cause::Normal | Cause::Local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_come_in_log_order() {
        let end = Termination {
            cause: Cause::ServerTimeout,
            phase: Phase::Headers,
            cookie_request: b'V',
            cookie_response: b'N',
        };
        assert_eq!(&end.full(), b"sHVN");
        assert_eq!(&end.short(), b"sH");
        assert_eq!(&Termination::default().full(), b"----");
    }
}
