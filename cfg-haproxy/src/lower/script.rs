//! `tcp-check` scripts, and the checks of other protocols that are scripts of bytes.

use super::{Lowerer, spop};
use crate::codes;
use crate::config::CheckKind;
use crate::tree::Word;
use crate::units;
use lb_core::expr::{Phases, Program, Regex, Sample, VarName};
use lb_core::health::{
    ConnectProbe, Expect, Heard, Matcher, Pattern, Payload, ProbeSpec, Scene, Script, Status, Step, Template,
};
use lb_core::log::{Style, Template as Format};
use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

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
    fn render(&self, _scene: &mut Scene, _now: Instant, received: &[u8], out: &mut Vec<u8>) {
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

/// A format, evaluated in the course of the check.
#[derive(Debug)]
struct Formatted(Format);

impl Template for Formatted {
    fn render(&self, scene: &mut Scene, now: Instant, received: &[u8], out: &mut Vec<u8>) {
        scene.format(&self.0, now, Heard { bytes: received, layer: None }, out);
    }

    fn same_as(&self, other: &dyn Template) -> bool {
        // Compiled formats are compared by what they print, which is all their configuration.
        other.as_any().downcast_ref::<Self>().is_some_and(|o| format!("{self:?}") == format!("{o:?}"))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A number, evaluated in the course of the check.
#[derive(Debug)]
struct Evaluated(Program);

impl Template for Evaluated {
    fn render(&self, scene: &mut Scene, now: Instant, received: &[u8], out: &mut Vec<u8>) {
        let heard = Heard { bytes: received, layer: None };
        // A number among bytes is read as text.
        let number = scene.with(now, heard, |env| Sample::Str(self.0.eval_str(env)?).to_int());
        out.extend(number.map(|n| n.to_string()).unwrap_or_default().bytes());
    }

    fn same_as(&self, other: &dyn Template) -> bool {
        other.as_any().downcast_ref::<Self>().is_some_and(|o| format!("{self:?}") == format!("{o:?}"))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Something found in what the server said, by a fixed procedure.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// Text from this position up to a zero byte.
    Text(usize),
    /// The error number of this MySQL packet.
    MysqlCode(usize),
    /// The error message of this MySQL packet.
    MysqlMessage(usize),
    /// The result code of an LDAP bind response.
    LdapCode,
}

impl Template for Found {
    fn render(&self, _scene: &mut Scene, _now: Instant, received: &[u8], out: &mut Vec<u8>) {
        let until_zero = |at: usize| {
            let rest = received.get(at..).unwrap_or_default();
            rest.split(|b| *b == 0).next().unwrap_or_default().to_vec()
        };
        match self {
            Self::Text(at) => out.extend(until_zero(*at)),
            Self::MysqlCode(number) => {
                let body = mysql_packet(received, *number).unwrap_or_default();
                let code = body.get(1..3).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]));
                out.extend(code.to_string().bytes());
            }
            Self::MysqlMessage(number) => {
                let body = mysql_packet(received, *number).unwrap_or_default();
                out.extend_from_slice(body.get(3..).unwrap_or_default());
            }
            Self::LdapCode => out.extend(ldap_code(received).unwrap_or(0).to_string().bytes()),
        }
    }

    fn same_as(&self, other: &dyn Template) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// An SSLv3 hello. Its random begins with the time, as it should; servers may mind one that is far off.
#[derive(Debug)]
struct Hello;

impl Template for Hello {
    fn render(&self, scene: &mut Scene, now: Instant, _received: &[u8], out: &mut Vec<u8>) {
        let date = scene.with(now, Heard::default(), |env| env.facts.now().date);
        out.extend(hex("1603000079010000750300"));
        out.extend((date.as_secs() as u32).to_be_bytes());
        out.extend_from_slice(b"HAPROXYSSLCHK\nHAPROXYSSLCHK\n");
        // No session, the cipher suites of that time, no compression.
        out.extend(hex("00004E"));
        out.extend((1u8..=27).chain(47..=58).flat_map(|n| [0, n]));
        out.extend([1, 0]);
    }

    fn same_as(&self, other: &dyn Template) -> bool {
        other.as_any().is::<Self>()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The body of the packet of this number, if all of it is there.
fn mysql_packet(bytes: &[u8], number: usize) -> Option<&[u8]> {
    let mut rest = bytes;
    for skipped in 0..=number {
        let (head, tail) = rest.split_first_chunk::<4>()?;
        let length = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
        let body = tail.get(..length)?;
        if skipped == number {
            return Some(body);
        }
        rest = &tail[length..];
    }
    None
}

/// A look at a MySQL login.
#[derive(Debug, PartialEq, Eq)]
enum Login {
    /// All of the greeting is there.
    Greeted,
    /// All of the answer, behind the greeting, is there.
    Answered,
    /// The answer is an error.
    Refused,
}

impl Matcher for Login {
    fn is_match(&self, data: &[u8]) -> bool {
        match self {
            Self::Greeted => mysql_packet(data, 0).is_some(),
            Self::Answered => mysql_packet(data, 1).is_some(),
            Self::Refused => mysql_packet(data, 1).is_some_and(|body| body.first() == Some(&0xff)),
        }
    }

    fn same_as(&self, other: &dyn Matcher) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The result code of a bind response (RFC 4511 §4.2.2), whichever form its lengths have.
fn ldap_code(bytes: &[u8]) -> Option<u8> {
    let skip_length = |bytes: &[u8], at: usize| {
        let first = *bytes.get(at)?;
        Some(at + 1 + if first & 0x80 != 0 { usize::from(first & 0x7f) } else { 0 })
    };
    // SEQUENCE, message number, BindResponse, ENUMERATED.
    let at = skip_length(bytes, 1)? + 3;
    let at = skip_length(bytes, at + 1)?;
    bytes.get(at + 2).copied()
}

pub(super) fn said(text: &str) -> Option<Arc<dyn Template>> {
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
            Some(CheckKind::Tcp) => {
                let steps = steps.iter().filter_map(|s| self.tcp_step(s)).collect();
                return Arc::new(Script::new(steps));
            }
            Some(CheckKind::Redis) => redis(),
            Some(CheckKind::SslHello) => self.ssl_hello(),
            Some(CheckKind::Pgsql(user)) => self.pgsql(user),
            Some(CheckKind::Mysql(user, old)) => self.mysql(*user, *old),
            Some(CheckKind::Ldap) => self.ldap(),
            Some(CheckKind::Spop) => spop::steps(),
            // Made elsewhere: they depend on more than the option.
            Some(CheckKind::External) => return Arc::new(ConnectProbe::new()),
            Some(CheckKind::Http(_) | CheckKind::Smtp(_)) => Vec::new(),
        };
        Arc::new(Script::new(script).unseen())
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
            "send-lf" => Step::Send { payload: Payload::Text(self.formatted(data?)?), comment: comment() },
            "send-binary-lf" => {
                Step::Send { payload: Payload::Hex(self.formatted(data?)?), comment: comment() }
            }
            "send-binary" => {
                Step::Send { payload: Payload::Bytes(hex(data?.text).into()), comment: comment() }
            }
            "expect" => Step::Expect(Box::new(self.tcp_expect(&words[1..])?)),
            _ => match self.check_variable("tcp-check", words)? {
                Variable::Set(name, program) => Step::SetVar(name, program),
                Variable::Format(name, format) => Step::SetVarFmt(name, format),
                Variable::Unset(name) => Step::UnsetVar(name),
            },
        })
    }

    /// `set-var`, `set-var-fmt` or `unset-var` of a check.
    pub(super) fn check_variable(&mut self, owner: &str, words: &[Word<'t>]) -> Option<Variable> {
        let head = words[0];
        let inner = head.text.split_once('(').and_then(|(name, rest)| Some((name, rest.strip_suffix(')')?)));
        let Some((kind, name)) = inner else {
            self.not_carried_out(head.span, &format!("{owner} {}", head.text));
            return None;
        };
        let name = match VarName::parse(name) {
            Ok(name) => name,
            Err(message) => {
                let compat = format!("'{owner} {kind}' : {message}.");
                self.error(codes::EXPRESSION, head.span, message.replace('\'', "`"), compat);
                return None;
            }
        };
        Some(match kind {
            "unset-var" => Variable::Unset(name),
            "set-var-fmt" => Variable::Format(name, self.check_format(*words.get(1)?)?),
            _ => Variable::Set(name, self.program(&words[1..], owner)?),
        })
    }

    /// A format in a check.
    pub(super) fn check_format(&mut self, word: Word<'t>) -> Option<Format> {
        self.template(word, Style::Plain, Phases::CHECK, "check")
    }

    fn formatted(&mut self, word: Word<'t>) -> Option<Arc<dyn Template>> {
        self.check_format(word).map(|format| Arc::new(Formatted(format)) as _)
    }

    fn tcp_expect(&mut self, words: &[Word<'t>]) -> Option<Expect> {
        let mut expect = Expect::new(Pattern::Text(Vec::new().into()));
        let (mut at, mut found) = (0, false);
        while let Some(word) = words.get(at).copied() {
            let value = words.get(at + 1).copied();
            expect.inverse |= word.text.starts_with('!');
            match word.text.trim_start_matches('!') {
                "" => {
                    at += 1;
                    continue;
                }
                "min-recv" => expect.min_recv = u32::try_from(units::leading(value?.text)).ok(),
                "comment" => expect.comment = Some(Arc::from(value?.text)),
                "ok-status" => expect.ok_status = self.check_status("ok-status", value?)?,
                "error-status" => expect.error_status = self.check_status("error-status", value?)?,
                "tout-status" => expect.timeout_status = self.check_status("tout-status", value?)?,
                "on-error" => expect.on_error = self.formatted(value?),
                "on-success" => expect.on_success = self.formatted(value?),
                "status-code" => {
                    let program = self.program(&[value?], "tcp-check expect status-code")?;
                    expect.status_code = Some(Arc::new(Evaluated(program)));
                }
                kind => {
                    expect.pattern = self.tcp_pattern(kind, value)?;
                    found = true;
                }
            }
            at += 2;
        }
        found.then_some(expect)
    }

    fn tcp_pattern(&mut self, kind: &str, value: Option<Word<'t>>) -> Option<Pattern> {
        let word = value?;
        Some(match kind {
            "string" => Pattern::Text(word.text.as_bytes().to_vec().into()),
            "binary" => Pattern::Binary(hex(word.text).into()),
            "string-lf" => Pattern::Rendered(self.formatted(word)?),
            "binary-lf" => Pattern::RenderedHex(self.formatted(word)?),
            "rstring" => Pattern::Regex(Arc::new(Searched(self.regex(word, "tcp-check expect")?))),
            "rbinary" => Pattern::BinaryRegex(Arc::new(Searched(self.regex(word, "tcp-check expect")?))),
            _ => {
                self.not_carried_out(word.span, &format!("tcp-check expect {kind}"));
                return None;
            }
        })
    }

    /// What `option` of an expectation makes of a check: a status of the kind that the option is for.
    pub(super) fn check_status(&mut self, option: &str, word: Word<'t>) -> Option<Status> {
        let allowed: &[&str] = match option {
            "ok-status" => &["L4OK", "L6OK", "L7OK", "L7OKC"],
            "error-status" => &["L4CON", "L6RSP", "L7RSP", "L7STS", "L7OKC"],
            _ => &["L4TOUT", "L6TOUT", "L7TOUT"],
        };
        let known = allowed.iter().find(|known| known.eq_ignore_ascii_case(word.text));
        let status = known.and_then(|known| super::probe::status(known));
        if status.is_none() {
            let known = allowed.join(", ");
            self.error(
                codes::WORD,
                word.span,
                format!("`{}` is no status for `{option}`, which takes {known}", word.text),
                format!("'{option}' only supports {known} (got '{}').", word.text),
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
        let mut steps = vec![Step::Send { payload: Payload::Text(Arc::new(Hello)), comment: None }];
        steps.extend(self.expect_hex("^1[56]", false, 5, Status::L6Response, "", None));
        if let Some(Step::Expect(expect)) = steps.last_mut() {
            (expect.on_error, expect.on_success) = (None, said(""));
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
        steps.extend(self.expect_hex("^45", true, 5, Status::L7Response, "", None));
        if let Some(Step::Expect(expect)) = steps.last_mut() {
            // The first field of the error is its severity.
            expect.on_error = Some(Arc::new(Found::Text(6)));
        }
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

    /// `option mysql-check`: the greeting, and with a user the answer to a login, which is sent without waiting.
    fn mysql(&self, user: Option<&str>, old: bool) -> Vec<Step> {
        let mut steps: Vec<Step> = user.map(|user| send(mysql_login(user, old))).into_iter().collect();
        let mut whole = Expect::new(Pattern::Regex(Arc::new(Login::Greeted)));
        whole.error_status = Status::L7Response;
        steps.push(Step::Expect(Box::new(whole)));
        let greeting = self.expect_hex("^[0-9A-F]{8}FF", true, 5, Status::L7Status, "", None);
        steps.extend(greeting.map(|step| refused(step, 0)));
        if let Some(Step::Expect(expect)) = steps.last_mut() {
            // The version of the server.
            expect.note = Some(Arc::new(Found::Text(5)));
        }
        if user.is_some() {
            steps.push(Step::Expect(Box::new(Expect::new(Pattern::Regex(Arc::new(Login::Answered))))));
            let mut accepted = Expect::new(Pattern::Regex(Arc::new(Login::Refused)));
            accepted.inverse = true;
            accepted.min_recv = Some(5);
            accepted.error_status = Status::L7Status;
            steps.push(refused(Step::Expect(Box::new(accepted)), 1));
        }
        steps
    }

    /// `option ldap-check`: an anonymous bind, which must succeed.
    fn ldap(&self) -> Vec<Step> {
        let mut steps = vec![send(hex("300C020101600702010304008000"))];
        let length = "([0-7][0-9A-F]|8[1-4]([0-9A-F]{2}){1,4})";
        let protocol = format!("^30{length}02010161");
        let not = "Not LDAPv3 protocol";
        steps.extend(self.expect_hex(&protocol, false, 14, Status::L7Response, not, None));
        // The answer may come in parts.
        let whole = format!("^30{length}02010161{length}0A01[0-9A-F]{{2}}");
        steps.extend(self.expect_hex(&whole, false, 14, Status::L7Response, not, None));
        if let Some(Step::Expect(expect)) = steps.last_mut() {
            expect.min_recv = None;
        }
        let good = format!("^30{length}02010161{length}0A0100");
        let see = "See RFC: http://tools.ietf.org/html/rfc4511#section-4.1.9";
        steps.extend(self.expect_hex(&good, false, 14, Status::L7Status, see, Some("Success")));
        if let Some(Step::Expect(expect)) = steps.last_mut() {
            expect.status_code = Some(Arc::new(Found::LdapCode));
        }
        steps
    }
}

/// An expectation that fails with what the MySQL packet of this number says.
fn refused(mut step: Step, packet: usize) -> Step {
    if let Step::Expect(expect) = &mut step {
        expect.on_error = Some(Arc::new(Found::MysqlMessage(packet)));
        expect.status_code = Some(Arc::new(Found::MysqlCode(packet)));
    }
    step
}

/// A login of `user` without a password, and the end of the session in the same breath.
fn mysql_login(user: &str, old: bool) -> Vec<u8> {
    // Capabilities, largest packet, and in the newer form the character set and a filler.
    let mut login = if old { hex("0080000001") } else { hex("00820000008000012100") };
    login.resize(if old { 5 } else { 32 }, 0);
    login.extend_from_slice(user.as_bytes());
    login.extend_from_slice(&[0, 0]);
    let length = (login.len() as u32).to_le_bytes();
    let mut packets = vec![length[0], length[1], length[2], 1];
    packets.extend(login);
    packets.extend(hex("0100000001"));
    packets
}

/// A step of a check that concerns a variable.
pub(super) enum Variable {
    Set(VarName, Program),
    Format(VarName, Format),
    Unset(VarName),
}

fn redis() -> Vec<Step> {
    let mut expect = Expect::new(Pattern::Text(b"+PONG\r\n".to_vec().into()));
    expect.error_status = Status::L7Status;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_have_the_bytes_that_databases_expect() {
        assert_eq!(mysql_login("user", true), hex("0B00000100800000017573657200000100000001"));
        let new =
            "26000001008200000080000121000000000000000000000000000000000000000000000075736572000001000000 01";
        assert_eq!(mysql_login("user", false), hex(&new.replace(' ', "")));
    }

    #[test]
    fn the_hello_tells_the_time() {
        let mut target = lb_core::health::Target::default();
        target.date = std::time::Duration::from_secs(0x6b04_c5a3);
        #[expect(clippy::disallowed_methods, reason = "any instant will do as the origin of virtual time")]
        let now = Instant::now();
        let mut hello = Vec::new();
        Hello.render(&mut Scene::new(target, now), now, b"", &mut hello);
        assert_eq!(hello[..15], hex("16030000790100007503006b04c5a3")[..]);
        assert_eq!(hello.len(), 5 + 0x79);
    }

    #[test]
    fn packets_are_found_by_number_once_they_are_whole() {
        let bytes = hex("03000000AABBCC05000001FFE3040000");
        assert_eq!(mysql_packet(&bytes, 0), Some(&[0xaa, 0xbb, 0xcc][..]));
        assert_eq!(mysql_packet(&bytes, 1).map(<[u8]>::len), Some(5));
        assert_eq!(mysql_packet(&bytes[..bytes.len() - 1], 1), None);
        assert!(Login::Refused.is_match(&bytes) && Login::Answered.is_match(&bytes));
        assert!(Login::Greeted.is_match(&bytes[..7]) && !Login::Greeted.is_match(&bytes[..6]));
    }

    #[test]
    fn ldap_codes_are_found_behind_short_and_long_lengths() {
        assert_eq!(ldap_code(&hex("300C02010161070A010104000400")), Some(1));
        assert_eq!(
            ldap_code(&hex("308400000010020101618400000007 0A010204000400".replace(' ', "").as_str())),
            Some(2)
        );
        assert_eq!(ldap_code(&hex("300C")), None);
    }

    #[test]
    fn a_wrong_answer_of_redis_is_wrong_once_it_is_over() {
        let steps = redis();
        let Some(Step::Expect(expect)) = steps.last() else { panic!("{steps:?}") };
        assert_eq!(expect.min_recv, None, "with a least length it would be wrong at once");
    }
}
