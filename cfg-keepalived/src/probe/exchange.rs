//! One question, one answer: `DNS_CHECK`, `UDP_CHECK`, `PING_CHECK`.

use bytes::Bytes;
use lb_core::health::{
    ConnectRequest, Dialog, Input, Layer, Output, ProbeSpec, Status, Target, Transport, Verdict,
};
use std::any::Any;
use std::time::Instant;

/// What is sent, and how the answer is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exchange {
    pub(crate) transport: Transport,
    pub(crate) question: Bytes,
    pub(crate) judge: Judge,
}

/// What an answer must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Judge {
    /// A response to the query that reports no error.
    Dns,
    /// The question again.
    Echo,
    /// Something of this length and beginning, a half byte each, `None` for any.
    Datagram {
        /// The beginning.
        pattern: Vec<Option<u8>>,
        /// Least and greatest length.
        length: (usize, usize),
    },
    /// Nothing need come back; only a refusal counts.
    Silence,
}

impl Exchange {
    /// A query of one question with recursion (RFC 1035 §4.1). `None` for a name that no query can hold.
    pub(crate) fn dns(name: &str, kind: u16) -> Option<Self> {
        // The number is the same in every query: each has a socket of its own, which takes answers of one server only.
        let mut query = vec![0x4c, 0x42, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.trim_end_matches('.').split('.').filter(|label| !label.is_empty()) {
            query.push(u8::try_from(label.len()).ok().filter(|len| *len < 64)?);
            query.extend_from_slice(label.as_bytes());
        }
        if query.len() > 12 + 254 {
            return None;
        }
        query.push(0);
        query.extend(kind.to_be_bytes());
        query.extend([0, 1]);
        Some(Self { transport: Transport::Datagram, question: query.into(), judge: Judge::Dns })
    }

    /// An echo request.
    pub(crate) fn echo() -> Self {
        let question = Bytes::from_static(b"lb checks whether this server lives");
        Self { transport: Transport::Echo, question, judge: Judge::Echo }
    }
}

impl Judge {
    fn judge(&self, question: &[u8], answer: &[u8]) -> Result<Status, String> {
        match self {
            Self::Dns => {
                let header = answer.first_chunk::<12>().ok_or("the answer is too short")?;
                if header[..2] != question[..2] || header[2] & 0x80 == 0 {
                    return Err("this is no answer to the query".to_owned());
                }
                match header[3] & 0x0f {
                    0 => Ok(Status::L7Ok),
                    code => Err(format!("the answer reports error {code}")),
                }
            }
            Self::Echo if answer == question => Ok(Status::L4Ok),
            Self::Echo => Err("the answer is not the echo of the request".to_owned()),
            Self::Datagram { pattern, length: (least, most) } => {
                let nibbles = answer.iter().flat_map(|byte| [byte >> 4, byte & 15]);
                let alike = nibbles.zip(pattern).all(|(nibble, wanted)| wanted.is_none_or(|w| w == nibble));
                if answer.len() < *least || answer.len() > *most || answer.len() * 2 < pattern.len() {
                    Err(format!("the answer has {} bytes", answer.len()))
                } else if alike {
                    Ok(Status::L7Ok)
                } else {
                    Err("the answer is another one".to_owned())
                }
            }
            Self::Silence => Ok(Status::L4Ok),
        }
    }
}

impl ProbeSpec for Exchange {
    fn start(&self, target: &Target, now: Instant) -> Box<dyn Dialog> {
        let mut request = ConnectRequest::default();
        request.transport = self.transport;
        request.has_data = true;
        Box::new(Talk {
            exchange: self.clone(),
            deadline: target.schedule.connect_deadline(now),
            outputs: vec![Output::Connect(request)],
            verdict: None,
        })
    }

    fn same_as(&self, other: &dyn ProbeSpec) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

struct Talk {
    exchange: Exchange,
    deadline: Instant,
    outputs: Vec<Output>,
    verdict: Option<Verdict>,
}

impl Dialog for Talk {
    fn handle_input(&mut self, _now: Instant, input: Input<'_>) {
        if self.verdict.is_some() {
            return;
        }
        match input {
            Input::Connected => self.outputs.push(Output::Send(self.exchange.question.clone())),
            Input::Bytes(answer) => {
                self.verdict = Some(match self.exchange.judge.judge(&self.exchange.question, answer) {
                    Ok(status) => Verdict::new(status),
                    Err(why) => Verdict::new(Status::L7Response).with_info(why),
                });
            }
            Input::Failed(mut failure) => {
                // A refused datagram comes back while waiting for the answer.
                failure.layer = Layer::Connection;
                self.verdict = Some(failure.verdict());
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.verdict.is_none() && now >= self.deadline {
            let silent = self.exchange.judge == Judge::Silence;
            self.verdict = Some(Verdict::new(if silent { Status::L4Ok } else { Status::L4Timeout }));
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.verdict.is_none().then_some(self.deadline)
    }

    fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }
}
