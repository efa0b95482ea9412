//! A companion in another process: questions go out as words, answers come back as text.

use crate::companion::{Companion, PATIENCE, Table};
use crate::ctl::{Reply, SocketLevel, Words};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

/// For how long an answer is given to everybody who asks.
const FRESH: Duration = Duration::from_millis(200);

/// What a [`Remote`] is asked by whom.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Questions {
    /// The words of its command, `show` and another one. What follows them is the question.
    pub command: [&'static str; 2],
    /// What may follow them; nothing may, always.
    pub options: &'static [&'static str],
    /// Its help line.
    pub usage: (&'static str, &'static str),
    /// The question that is answered by a [`Table`] as text.
    pub table: &'static str,
    /// The question that is answered by metrics.
    pub metrics: &'static str,
    /// The question that is answered by a line for each session: its name, and `up` or `down`.
    pub sessions: &'static str,
}

/// A companion in another process.
pub struct Remote {
    questions: Questions,
    ask: Box<dyn Fn(&'static str) + Send + Sync>,
    known: Mutex<HashMap<&'static str, Known>>,
}

/// What is known of one question.
#[derive(Debug, Default)]
struct Known {
    /// When it was put, unless it has been answered since.
    asked: Option<Instant>,
    answer: Option<(Instant, String)>,
}

impl Remote {
    /// A companion that `ask` sends questions to; it must not block.
    pub fn new(questions: Questions, ask: impl Fn(&'static str) + Send + Sync + 'static) -> Self {
        Self { questions, ask: Box::new(ask), known: Mutex::default() }
    }

    /// Takes in an answer. One that nobody asked for is dropped.
    pub fn told(&self, question: &str, text: String) {
        if let Some(known) = self.known().get_mut(question) {
            *known = Known { asked: None, answer: Some((Instant::now(), text)) };
        }
    }

    fn question(&self, question: &'static str) -> Poll<String> {
        let now = Instant::now();
        let mut all = self.known();
        let known = all.entry(question).or_default();
        if let Some((at, text)) = &known.answer
            && now.duration_since(*at) < FRESH
        {
            return Poll::Ready(text.clone());
        }
        known.answer = None;
        // A question to a process that has just died is lost.
        if known.asked.is_none_or(|at| now.duration_since(at) > PATIENCE / 2) {
            known.asked = Some(now);
            (self.ask)(question);
        }
        Poll::Pending
    }

    fn known(&self) -> MutexGuard<'_, HashMap<&'static str, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("questions", &self.questions).finish_non_exhaustive()
    }
}

impl Companion for Remote {
    fn usages(&self) -> &[(&'static str, &'static str)] {
        std::slice::from_ref(&self.questions.usage)
    }

    fn command(&self, words: &Words, _: SocketLevel) -> Option<Poll<Reply>> {
        if [words.at(0), words.at(1)] != self.questions.command {
            return None;
        }
        let known = || self.questions.options.iter().find(|option| **option == words.at(2));
        let question = if words.len() == 2 { Some("") } else { known().copied() };
        Some(match question {
            Some(question) => self.question(question).map(Reply::dump),
            None => Poll::Ready(Reply::error(format!("Usage: {}", self.questions.usage.0))),
        })
    }

    fn table(&self) -> Poll<Table> {
        self.question(self.questions.table).map(|text| Table::from_text(&text))
    }

    fn metrics(&self) -> Poll<String> {
        self.question(self.questions.metrics)
    }

    fn session(&self, name: &str) -> Poll<Option<bool>> {
        self.question(self.questions.sessions).map(|text| {
            let state = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            state.map(|state| state == "up")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const QUESTIONS: Questions = Questions {
        command: ["show", "it"],
        options: &["more"],
        usage: ("show it [more]", "it"),
        table: "table",
        metrics: "more",
        sessions: "sessions",
    };

    fn remote() -> (Remote, Arc<Mutex<Vec<&'static str>>>) {
        let asked = Arc::<Mutex<Vec<_>>>::default();
        let list = Arc::clone(&asked);
        (Remote::new(QUESTIONS, move |question| list.lock().unwrap().push(question)), asked)
    }

    fn words(line: &str) -> Words {
        line.split(' ').collect()
    }

    #[test]
    fn a_question_is_put_once_and_its_answer_given_to_all() {
        let (remote, asked) = remote();
        let show = || remote.command(&words("show it"), SocketLevel::User).unwrap();
        assert!(show().is_pending() && show().is_pending());
        assert_eq!(*asked.lock().unwrap(), [""]);
        remote.told("", "text".to_owned());
        assert_eq!(show(), Poll::Ready(Reply::dump("text".to_owned())));
        assert!(remote.table().is_pending());
        assert_eq!(*asked.lock().unwrap(), ["", "table"]);
    }

    #[test]
    fn sessions_are_known_by_their_names() {
        let (remote, asked) = remote();
        assert!(remote.session("a").is_pending());
        assert_eq!(*asked.lock().unwrap(), ["sessions"]);
        remote.told("sessions", "ab up\na down\n".to_owned());
        let of = |name| remote.session(name);
        assert_eq!([of("a"), of("ab"), of("b")], [Some(false), Some(true), None].map(Poll::Ready));
    }

    #[test]
    fn the_commands_of_others_are_left_alone_and_wrong_words_refused() {
        let (remote, asked) = remote();
        assert!(remote.command(&words("show stat"), SocketLevel::User).is_none());
        let wrong = remote.command(&words("show it all"), SocketLevel::User);
        assert_eq!(wrong, Some(Poll::Ready(Reply::error("Usage: show it [more]"))));
        assert!(asked.lock().unwrap().is_empty());
        remote.told("more", "nobody asked".to_owned());
        assert!(remote.metrics().is_pending());
    }
}
