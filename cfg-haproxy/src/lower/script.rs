//! `tcp-check` scripts, and the checks of other protocols that are scripts of bytes.

use super::Lowerer;
use crate::codes;
use crate::config::CheckKind;
use crate::tree::Word;
use lb_core::expr::Regex;
use lb_core::health::{
    ConnectProbe, Expect, Matcher, Pattern, Payload, ProbeSpec, Script, Status, Step, Target, Template,
};
use std::any::Any;
use std::sync::Arc;

/// A regular expression of a check.
#[derive(Debug)]
struct Searched(Regex);

impl Matcher for Searched {
    fn is_match(&self, data: &[u8]) -> bool {
        self.0.is_match(data)
    }

    fn same_as(&self, other: &dyn Matcher) -> bool {
        other.as_any().downcast_ref::<Self>().is_some_and(|o| o.0.pattern() == self.0.pattern())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A fixed text, and perhaps the first line of what the server said behind it.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    text: Arc<str>,
    answer: bool,
}

impl Template for Said {
    fn render(&self, _target: &Target, received: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(self.text.as_bytes());
        if self.answer {
            let line = received.split(|b| *b == b'\r' || *b == b'\n').next().unwrap_or_default();
            out.extend_from_slice(line);
        }
    }

    fn same_as(&self, other: &dyn Template) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn said(text: &str) -> Option<Arc<dyn Template>> {
    Some(Arc::new(Said { text: Arc::from(text), answer: false }))
}

impl<'t> Lowerer<'_, 't, '_, '_> {
    /// The probe of anything but HTTP and SMTP.
    pub(super) fn tcp_probe(
        &mut self,
        kind: Option<&CheckKind<'t>>,
        steps: &[&Vec<Word<'t>>],
    ) -> Arc<dyn ProbeSpec> {
        let script = match kind {
            None => return Arc::new(ConnectProbe::new()),
            Some(CheckKind::Tcp) if steps.is_empty() => return Arc::new(ConnectProbe::new()),
            Some(CheckKind::Tcp) => steps.iter().filter_map(|s| self.tcp_step(s)).collect(),
            Some(CheckKind::Redis) => redis(),
            Some(CheckKind::SslHello) => self.ssl_hello(),
            Some(CheckKind::Pgsql(user)) => self.pgsql(user),
            Some(CheckKind::Mysql(user, old)) => self.mysql(*user, *old),
            Some(CheckKind::Ldap) => self.ldap(),
            // An external program is not run; that has been said where the option stands.
            Some(CheckKind::External) => return Arc::new(ConnectProbe::new()),
            Some(CheckKind::Http(_) | CheckKind::Smtp(_)) => Vec::new(),
        };
        Arc::new(Script::new(script))
    }

    fn tcp_step(&mut self, words: &[Word<'t>]) -> Option<Step> {
        let comment = || {
            let at = words.iter().position(|w| w.text == "comment")?;
            words.get(at + 1).map(|w| Arc::<str>::from(w.text))
        };
        let data = words.get(1).copied();
        Some(match words[0].text {
            "comment" => Step::Comment(Arc::from(data?.text)),
            "connect" => {
                let step = self.connect_step(&words[1..])?;
                Step::Connect { request: step.request, linger: step.linger, comment: step.comment }
            }
            "send" => Step::Send {
                payload: Payload::Bytes(data?.text.as_bytes().to_vec().into()),
                comment: comment(),
            },
            "send-lf" => {
                let bytes = self.static_format("send-lf", data?);
                Step::Send { payload: Payload::Bytes(bytes.to_vec().into()), comment: comment() }
            }
            "send-binary" => {
                Step::Send { payload: Payload::Bytes(hex(data?.text).into()), comment: comment() }
            }
            "expect" => Step::Expect(Box::new(self.tcp_expect(&words[1..])?)),
            other => {
                self.not_carried_out(words[0].span, &format!("tcp-check {other}"));
                return None;
            }
        })
    }

    fn tcp_expect(&mut self, words: &[Word<'t>]) -> Option<Expect> {
        let mut expect = Expect::new(Pattern::Text(Vec::new().into()));
        let mut at = 0;
        while let Some(word) = words.get(at).copied() {
            let value = words.get(at + 1).copied();
            expect.inverse |= word.text.starts_with('!');
            match word.text.trim_start_matches('!') {
                "" => {
                    at += 1;
                    continue;
                }
                "min-recv" => expect.min_recv = value?.text.parse().ok(),
                "comment" => expect.comment = Some(Arc::from(value?.text)),
                "ok-status" => expect.ok_status = self.check_status(value?)?,
                "error-status" => expect.error_status = self.check_status(value?)?,
                "tout-status" => expect.timeout_status = self.check_status(value?)?,
                "on-error" => expect.on_error = said(value?.text),
                "on-success" => expect.on_success = said(value?.text),
                "status-code" => self.not_carried_out(word.span, "tcp-check expect status-code"),
                kind => {
                    expect.pattern = self.tcp_pattern(kind, value)?;
                    return Some(expect);
                }
            }
            at += 2;
        }
        None
    }

    fn tcp_pattern(&mut self, kind: &str, value: Option<Word<'t>>) -> Option<Pattern> {
        let word = value?;
        Some(match kind {
            "string" | "string-lf" => Pattern::Text(word.text.as_bytes().to_vec().into()),
            "binary" | "binary-lf" => Pattern::Binary(hex(word.text).into()),
            "rstring" => Pattern::Regex(Arc::new(Searched(self.regex(word, "tcp-check expect")?))),
            "rbinary" => Pattern::BinaryRegex(Arc::new(Searched(self.regex(word, "tcp-check expect")?))),
            _ => {
                self.not_carried_out(word.span, &format!("tcp-check expect {kind}"));
                return None;
            }
        })
    }

    /// A status by the name that logs use.
    pub(super) fn check_status(&mut self, word: Word<'t>) -> Option<Status> {
        let status = super::probe::status(word.text);
        if status.is_none() {
            self.error(
                codes::WORD,
                word.span,
                format!("`{}` is not a check status", word.text),
                format!("unsupported status '{}' (expects L4OK, L4TOUT, L4CON, L6OK, L6RSP, L6TOUT, L7OK, L7OKC, L7RSP, L7STS or L7TOUT).", word.text),
            );
        }
        status
    }

    /// Looks for `pattern` in the upper-case hexadecimal digits of the answer.
    fn expect_hex(
        &self,
        pattern: &str,
        inverse: bool,
        min: u32,
        error: Status,
        text: &str,
        ok: Option<&str>,
    ) -> Option<Step> {
        // Without the feature for regular expressions these checks end at the connection.
        let regex = Regex::new(pattern, false).ok()?;
        let mut expect = Expect::new(Pattern::BinaryRegex(Arc::new(Searched(regex))));
        expect.inverse = inverse;
        expect.min_recv = Some(min);
        expect.error_status = error;
        expect.on_error = said(text);
        expect.on_success = ok.and_then(said);
        Some(Step::Expect(Box::new(expect)))
    }

    /// `option ssl-hello-chk`: an SSLv3 hello; a handshake record or an alert shows that TLS is spoken.
    fn ssl_hello(&self) -> Vec<Step> {
        // Record and hello of version 3.0 with a fixed random and a list of the suites of that time.
        let mut hello =
            hex("16030000790100007503000000000053534C5630434845434B000000000000000000000000000000");
        hello.extend(hex("00004E"));
        hello.extend((1u8..=27).flat_map(|n| [0, n]));
        hello.extend((48u8..=58).flat_map(|n| [0, n]));
        hello.extend([0, 0xff]);
        hello.extend([1, 0]);
        let mut steps = vec![send(hello)];
        steps.extend(self.expect_hex("^1[56]", false, 5, Status::L6Response, "Invalid SSLv3 response", None));
        if let Some(Step::Expect(expect)) = steps.last_mut() {
            expect.ok_status = Status::L6Ok;
            expect.timeout_status = Status::L6Timeout;
        }
        steps
    }

    /// `option pgsql-check`: the start-up message of `user`; any request for authentication is a good answer.
    fn pgsql(&self, user: &str) -> Vec<Step> {
        let mut body = hex("00030000");
        body.extend_from_slice(b"user\0");
        body.extend_from_slice(user.as_bytes());
        body.extend_from_slice(b"\0\0");
        let mut message = (body.len() as u32 + 4).to_be_bytes().to_vec();
        message.extend(body);
        let mut steps = vec![send(message)];
        steps.extend(self.expect_hex("^45", true, 5, Status::L7Response, "PostgreSQL unknown error", None));
        let good = "^52000000[0-9A-F]{2}000000(00|02|03|04|05|06|07|09|0A)";
        let text = "PostgreSQL server is ok";
        steps.extend(self.expect_hex(
            good,
            false,
            9,
            Status::L7Status,
            "PostgreSQL unknown error",
            Some(text),
        ));
        steps
    }

    /// `option mysql-check`: the greeting, and with a user the answer to a login.
    fn mysql(&self, user: Option<&str>, old: bool) -> Vec<Step> {
        let mut steps = Vec::new();
        steps.extend(self.expect_hex(
            "^[0-9A-F]{6}00FF",
            true,
            5,
            Status::L7Response,
            "MySQL server refused the connection",
            None,
        ));
        steps.extend(self.expect_hex(
            "^[0-9A-F]{6}000A",
            false,
            5,
            Status::L7Response,
            "MySQL handshake is invalid",
            Some("MySQL server is ok"),
        ));
        let Some(user) = user else { return steps };
        let mut login = if old {
            hex("0080000001")
        } else {
            hex("8082000000000001080000000000000000000000000000000000000000000000")
        };
        login.extend_from_slice(user.as_bytes());
        login.extend([0, 0]);
        let length = (login.len() as u32).to_le_bytes();
        let mut packet = vec![length[0], length[1], length[2], 1];
        packet.extend(login);
        // The session is ended in the same breath.
        packet.extend(hex("0100000001"));
        steps.push(send(packet));
        steps.extend(self.expect_hex(
            "^[0-9A-F]{8}FF",
            true,
            5,
            Status::L7Status,
            "MySQL server refused the login",
            Some("MySQL server is ok"),
        ));
        steps
    }

    /// `option ldap-check`: an anonymous bind, which must succeed.
    fn ldap(&self) -> Vec<Step> {
        let mut steps = vec![send(hex("300C020101600702010304008000"))];
        let good = "^30([0-7][0-9A-F]|8[0-9A-F]{3,9})02010161([0-7][0-9A-F]|8[0-9A-F]{3,9})0A0100";
        steps.extend(self.expect_hex(
            good,
            false,
            14,
            Status::L7Response,
            "Not LDAPv3 protocol",
            Some("Success"),
        ));
        steps
    }
}

fn redis() -> Vec<Step> {
    let mut expect = Expect::new(Pattern::Text(b"+PONG\r\n".to_vec().into()));
    expect.error_status = Status::L7Status;
    expect.min_recv = Some(7);
    expect.on_success = said("Redis server is ok");
    expect.on_error = Some(Arc::new(Said { text: Arc::from(""), answer: true }));
    vec![send(b"*1\r\n$4\r\nPING\r\n".to_vec()), Step::Expect(Box::new(expect))]
}

fn send(bytes: Vec<u8>) -> Step {
    Step::Send { payload: Payload::Bytes(bytes.into()), comment: None }
}

/// Bytes from hexadecimal digits; a wrong digit ends them, which the check of the line has reported.
fn hex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks_exact(2)
        .map_while(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
