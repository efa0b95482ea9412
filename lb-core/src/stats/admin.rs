//! Actions of the statistics page: the form it posts, and what happened with it.
//!
//! The page sends `s=<server>` any number of times, `action=<word>` and `b=#<proxy id>` or `b=<proxy name>`. Parsing is
//! pure; [`apply`] asks an [`Admin`] to do the work. The answer to the form is a redirection whose address ends in
//! `;st=<code>`, which the page then turns into a message.

/// What to do with the chosen servers.
#[expect(clippy::exhaustive_enums, reason = "the words of the form; an implementor must handle every one")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Leave maintenance and drain mode.
    Ready,
    /// Only persistent traffic from now on.
    Drain,
    /// No traffic and no checks from now on.
    Maint,
    /// Stop health checks.
    DisableHealth,
    /// Resume health checks.
    EnableHealth,
    /// Behave as if health checks had succeeded.
    HealthUp,
    /// Behave as if a health check had asked for no new clients.
    HealthNolb,
    /// Behave as if health checks had failed.
    HealthDown,
    /// Stop agent checks.
    DisableAgent,
    /// Resume agent checks.
    EnableAgent,
    /// Behave as if the agent had said "up".
    AgentUp,
    /// Behave as if the agent had said "down".
    AgentDown,
    /// End all sessions.
    Shutdown,
    /// Former name of [`Maint`](Self::Maint).
    Disable,
    /// Former name of [`Ready`](Self::Ready), without touching drain mode.
    Enable,
    /// Former name of [`Drain`](Self::Drain).
    Stop,
    /// Former name of leaving [`Drain`](Self::Drain).
    Start,
}

impl Action {
    /// Actions offered by the page, with the words of the form and the texts people read.
    pub const OFFERED: [(Self, &'static str, &'static str); 13] = [
        (Self::Ready, "ready", "Set state to READY"),
        (Self::Drain, "drain", "Set state to DRAIN"),
        (Self::Maint, "maint", "Set state to MAINT"),
        (Self::DisableHealth, "dhlth", "Health: disable checks"),
        (Self::EnableHealth, "ehlth", "Health: enable checks"),
        (Self::HealthUp, "hrunn", "Health: force UP"),
        (Self::HealthNolb, "hnolb", "Health: force NOLB"),
        (Self::HealthDown, "hdown", "Health: force DOWN"),
        (Self::DisableAgent, "dagent", "Agent: disable checks"),
        (Self::EnableAgent, "eagent", "Agent: enable checks"),
        (Self::AgentUp, "arunn", "Agent: force UP"),
        (Self::AgentDown, "adown", "Agent: force DOWN"),
        (Self::Shutdown, "shutdown", "Kill Sessions"),
    ];

    /// The action of a form word.
    pub fn from_word(word: &str) -> Option<Self> {
        let former = [
            ("disable", Self::Disable),
            ("enable", Self::Enable),
            ("stop", Self::Stop),
            ("start", Self::Start),
        ];
        let offered = Self::OFFERED.iter().find(|(_, known, _)| *known == word).map(|(action, ..)| *action);
        offered.or_else(|| former.iter().find(|(known, _)| *known == word).map(|(_, action)| *action))
    }
}

/// A proxy as the form names it.
#[expect(clippy::exhaustive_enums, reason = "by number or by name")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// By its numeric identifier (`#4`).
    Id(u32),
    /// By its name.
    Name(String),
}

/// A posted form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Form {
    /// What to do; `None` when the form names no action.
    pub action: Option<Action>,
    /// The backend.
    pub target: Option<Target>,
    /// The chosen servers.
    pub servers: Vec<String>,
}

/// What became of a form.
#[expect(clippy::exhaustive_enums, reason = "the codes of the page's protocol")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Everything was done.
    Done,
    /// There was nothing to do.
    None,
    /// Some servers were not found.
    Partial,
    /// The form does not make sense.
    Invalid,
    /// The form is larger than what is accepted.
    TooLarge,
    /// Whoever sent it may not.
    Denied,
    /// The request was not a form.
    Unusable,
}

impl Outcome {
    const ALL: [Self; 7] =
        [Self::Done, Self::None, Self::Partial, Self::Invalid, Self::TooLarge, Self::Denied, Self::Unusable];

    /// The code in the address of the redirection (`;st=DONE`).
    pub const fn code(self) -> &'static str {
        match self {
            Self::Done => "DONE",
            Self::None => "NONE",
            Self::Partial => "PART",
            Self::Invalid => "ERRP",
            Self::TooLarge => "EXCD",
            Self::Denied => "DENY",
            Self::Unusable => "IVAL",
        }
    }

    /// The outcome of a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.code() == code)
    }
}

/// Who carries out actions.
pub trait Admin {
    /// The name under which the proxy is known, if there is exactly one such backend.
    fn backend(&self, target: &Target) -> Option<String>;

    /// Does `action` to a server; false if the backend has no such server, or several.
    fn act(&self, backend: &str, server: &str, action: Action) -> bool;
}

/// Parses the body of a posted form.
///
/// An empty name, a name that is not properly encoded or an unknown action makes the whole form invalid.
pub fn parse_post(body: &[u8]) -> Result<Form, Outcome> {
    let mut form = Form::default();
    let body = body.trim_ascii_end();
    for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let at = pair.iter().position(|byte| *byte == b'=').ok_or(Outcome::Invalid)?;
        let value = decode(&pair[at + 1..]).ok_or(Outcome::Invalid)?;
        match &pair[..at] {
            b"s" if value.is_empty() => return Err(Outcome::Invalid),
            b"s" => form.servers.push(value),
            b"b" => form.target = Some(target(value)?),
            b"action" => form.action = Some(Action::from_word(&value).ok_or(Outcome::Invalid)?),
            _ => {}
        }
    }
    Ok(form)
}

fn target(value: String) -> Result<Target, Outcome> {
    match value.strip_prefix('#') {
        Some(id) => id.parse().map(Target::Id).map_err(|_| Outcome::Invalid),
        None if value.is_empty() => Err(Outcome::Invalid),
        None => Ok(Target::Name(value)),
    }
}

/// Carries out a form.
pub fn apply(form: &Form, admin: &dyn Admin) -> Outcome {
    let (Some(action), Some(target), false) = (form.action, &form.target, form.servers.is_empty()) else {
        return Outcome::None;
    };
    let Some(backend) = admin.backend(target) else {
        return Outcome::Invalid;
    };
    let done = form.servers.iter().filter(|server| admin.act(&backend, server, action)).count();
    match done {
        0 => Outcome::Invalid,
        done if done < form.servers.len() => Outcome::Partial,
        _ => Outcome::Done,
    }
}

/// Decodes `+` and `%xx`; `None` for a broken escape or for what is not UTF-8.
pub(crate) fn decode(text: &[u8]) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'+' => out.push(b' '),
            b'%' => {
                let (digits, after) = tail.split_at_checked(2)?;
                let hex = std::str::from_utf8(digits)
                    .ok()
                    .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
                out.push(u8::from_str_radix(hex, 16).ok()?);
                rest = after;
            }
            other => out.push(*other),
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[derive(Default)]
    struct Fake(RefCell<Vec<String>>);

    impl Admin for Fake {
        fn backend(&self, target: &Target) -> Option<String> {
            let known = *target == Target::Id(4) || *target == Target::Name("be1".to_owned());
            known.then(|| "be1".to_owned())
        }

        fn act(&self, backend: &str, server: &str, action: Action) -> bool {
            let known = server.starts_with('s');
            if known {
                self.0.borrow_mut().push(format!("{backend}/{server} {action:?}"));
            }
            known
        }
    }

    /// The same forms were posted to HAProxy 3.4, which answered with the same codes.
    #[test]
    fn forms_have_the_outcomes_haproxy_gives_them() {
        let admin = Fake::default();
        let post = |body: &str| {
            parse_post(body.as_bytes()).map_or_else(|bad| bad, |form| apply(&form, &admin)).code()
        };
        assert_eq!(post("s=s1&action=drain&b=%234"), "DONE");
        assert_eq!(post("s=s1&s=s2&action=maint&b=be1"), "DONE");
        assert_eq!(post("s=nope&action=drain&b=%234"), "ERRP");
        assert_eq!(post("s=s1&s=nope&action=ready&b=%234"), "PART");
        assert_eq!(post("s=s1&action=foo&b=%234"), "ERRP");
        assert_eq!(post("action=drain&b=%234"), "NONE");
        assert_eq!(post("s=s1&action=drain&b=nope"), "ERRP");
        assert_eq!(post(""), "NONE");
        assert_eq!(admin.0.borrow()[..2], ["be1/s1 Drain", "be1/s1 Maint"]);
    }

    #[test]
    fn broken_encoding_is_refused() {
        for body in ["s=%4", "s=%zz", "s=%ff", "s=%+1", "s", "s=", "b=#x", "b="] {
            assert_eq!(parse_post(body.as_bytes()), Err(Outcome::Invalid), "{body}");
        }
        assert_eq!(parse_post(b"s=a%20b+c\r\n").map(|form| form.servers), Ok(vec!["a b c".to_owned()]));
    }

    #[test]
    fn offered_actions_and_codes_read_back() {
        assert!(Action::OFFERED.iter().all(|(action, word, _)| Action::from_word(word) == Some(*action)));
        assert!(Outcome::ALL.iter().all(|outcome| Outcome::from_code(outcome.code()) == Some(*outcome)));
        assert_eq!(Outcome::from_code("done"), None);
    }
}
