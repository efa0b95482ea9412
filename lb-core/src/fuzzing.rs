//! Entry points for fuzzing: each takes any bytes and must return.
//!
//! Not part of the interface; `fuzz/` and the tests that replay its corpora call these.

use std::any::Any;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use crate::expr::map::Reference;
use crate::expr::{
    Arena, Build, Direction, Env, Facts, Now, Peek, Phases, ProxyRef, Registry, Sample, Side, StreamFact,
    TlsFact, VarScope, Vars, parse,
};
use crate::log::syslog::Header;
use crate::log::{Capture, Frame, HttpRecord, Message, Record, RequestLine, Style, Template, frame};
use crate::rule::cond::{self, Acl, Polarity};
use crate::spec::{Facility, LogFormat, Severity};

static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::builtin);

/// Reads the bytes as a stream of log messages and as one message, and writes all of them in every form.
pub fn log_message(data: &[u8]) {
    for lines in [false, true] {
        let mut rest = data;
        while let Frame::Message(message, used) = frame(rest, 4096, lines) {
            write_message(message);
            rest = &rest[used..];
        }
    }
    write_message(data);
}

fn write_message(bytes: &[u8]) {
    let message = Message::parse(bytes);
    assert!(bytes.ends_with(message.text));
    let (facility, level) = message.priority.unwrap_or((Facility::LOCAL0, Severity::Info));
    for format in [message.form(), LogFormat::Rfc3164, LogFormat::Rfc5424, LogFormat::Iso] {
        let header = Header {
            format,
            facility,
            level,
            time: message.time,
            date: Duration::from_secs(1_792_682_910),
            utc_offset: 3600,
            hostname: message.hostname,
            tag: message.tag,
            pid: message.pid,
            message_id: message.message_id,
            structured: message.structured,
        };
        let mut line = Vec::new();
        header.write_line(message.text, 1024, &mut line);
        assert!(line.len() <= 1024 && line.ends_with(b"\n"));
    }
}

/// Runs the bytes as commands of the runtime interface.
pub fn ctl_command(data: &[u8], now: Instant) {
    crate::ctl::fuzzing::commands(data, now);
}

/// Reads the bytes as address and form of the statistics page, and carries both out on an empty page.
pub fn stats_page(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let request = crate::stats::page::PageRequest::parse(&text);
    let (options, info) =
        (crate::stats::page::PageOptions::default(), crate::stats::info::ProcessInfo::default());
    let page = crate::stats::render::html::Page {
        options: &options,
        request: &request,
        info: &info,
        proxies: &[],
        beside: None,
        admin: true,
    };
    crate::stats::render::body(&page);
    assert_eq!(crate::stats::page::PageRequest::parse(&request.address("")).scope, request.scope);
    // What the form says is checked by its parser alone.
    let _ = crate::stats::admin::parse_post(data);
}

/// Parses an expression, a test and a condition from the text, and evaluates what parses on the
/// rest of the input as traffic. Text and traffic are separated by the first line feed.
pub fn expr(data: &[u8], now: Instant) {
    let (text, traffic) = split(data);
    let world = World::new(traffic, now);
    let (arena, vars) = (Arena::new(), world.vars());
    if let Ok(program) = parse::parse(text, &REGISTRY, &mut Anything) {
        for env in [world.env(vars, &arena), world.env(vars, &arena).partial()] {
            if let Some(sample) = program.eval(&env) {
                sample.write_text(&mut Vec::new());
            }
        }
    }
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    if let Ok((test, _)) = cond::parse_test(&words, "fuzz", &REGISTRY, &mut Anything) {
        test.eval(&world.env(vars, &arena));
    }
    let acls: HashMap<String, Arc<Acl>> = HashMap::new();
    if let Ok((condition, _)) = cond::parse(&words, Polarity::If, &acls, &REGISTRY, &mut Anything) {
        condition.eval(&world.env(vars, &arena).partial());
    }
}

/// Parses a log format in every style and writes a line with what parses.
pub fn log_format(data: &[u8], now: Instant) {
    let (text, traffic) = split(data);
    let world = World::new(traffic, now);
    let (mut arena, mut out) = (Arena::new(), Vec::new());
    for style in [Style::Log, Style::UniqueId, Style::Header, Style::Plain] {
        if let Ok(template) = Template::parse(text, style, Phases::ALL, &REGISTRY, &mut Anything) {
            template.write(&world.env(world.vars(), &arena), &mut out);
            arena.reset();
        }
    }
}

/// Applies the converters named in the text to the traffic, one by one.
pub fn converters(data: &[u8], now: Instant) {
    let (_, traffic) = split(data);
    let world = World::new(traffic, now);
    let arena = Arena::new();
    let env = world.env(world.vars(), &arena);
    for def in REGISTRY.converters().filter(|def| def.required == 0) {
        let Ok(program) = parse::parse(&format!("req.payload(0,0),{}", def.name), &REGISTRY, &mut Anything)
        else {
            continue;
        };
        program.eval(&env);
    }
}

fn split(data: &[u8]) -> (&str, &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let text = match std::str::from_utf8(&data[..end]) {
        Ok(text) => text,
        Err(e) => std::str::from_utf8(&data[..e.valid_up_to()]).unwrap_or_default(),
    };
    (text, data.get(end + 1..).unwrap_or_default())
}

/// Answers everything a parser may ask.
struct Anything;

impl Build for Anything {
    fn proxy(&self) -> Option<&str> {
        Some("proxy")
    }
    fn patterns(&mut self, file: &str, as_map: bool) -> Result<Arc<Reference>, String> {
        Ok(Reference::from_text(file, "1 10.0.0.1\n10.0.0.0/8 2\na b\n", as_map))
    }
    fn file(&mut self, _name: &str) -> Result<Vec<u8>, String> {
        Ok(b"-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n".to_vec())
    }
    fn env(&self, name: &str) -> Option<String> {
        Some(name.to_owned())
    }
}

/// A session that knows something about everything.
struct World<'t> {
    traffic: &'t [u8],
    now: Instant,
    transaction: VarScope,
    captures: [Capture; 2],
}

impl<'t> World<'t> {
    fn new(traffic: &'t [u8], now: Instant) -> Self {
        let transaction = VarScope::new();
        transaction.set(&"a".into(), &Sample::Str(traffic));
        transaction.set(&"n".into(), &Sample::Int(traffic.len() as i64 - 3));
        let mut captures = [Capture::new(), Capture::new()];
        captures[1].set(traffic, 64);
        Self { traffic, now, transaction, captures }
    }

    fn vars(&self) -> Vars<'_> {
        Vars { transaction: Some(&self.transaction), ..Vars::NONE }
    }

    fn env<'a>(&'a self, vars: Vars<'a>, arena: &'a Arena) -> Env<'a> {
        Env::new(self, vars, arena)
    }
}

impl Facts for World<'_> {
    fn now(&self) -> Now {
        Now { date: Duration::from_millis(1_792_682_910_123), instant: self.now }
    }
    fn src(&self) -> Option<SocketAddr> {
        Some(SocketAddr::from(([10, 0, 0, 1], 1234)))
    }
    fn dst(&self) -> Option<SocketAddr> {
        Some(SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 443)))
    }
    fn frontend(&self) -> Option<ProxyRef<'_>> {
        Some(ProxyRef { name: "fe", id: 2 })
    }
    fn buffer(&self, _direction: Direction) -> Option<Peek<'_>> {
        Some(Peek { bytes: self.traffic, complete: self.traffic.len().is_multiple_of(2) })
    }
    fn tls(&self, _side: Side, _fact: TlsFact) -> Option<Sample<'_>> {
        Some(Sample::Bin(self.traffic))
    }
    fn stream(&self, _fact: StreamFact) -> Option<Sample<'_>> {
        Some(Sample::Int(self.traffic.len() as i64))
    }
    fn record(&self) -> Option<Record<'_>> {
        let line = RequestLine { method: b"GET", uri: self.traffic, version: b"HTTP/1.1" };
        let http = HttpRecord { request: Some(line), request_captures: &self.captures, ..HttpRecord::EMPTY };
        Some(Record { client: self.src(), http: Some(http), ..Record::EMPTY })
    }
    fn layer(&self) -> Option<&dyn Any> {
        None
    }
}

/// PROXY protocol headers: every beginning of one is incomplete or the same header.
pub fn proxy_protocol(data: &[u8]) {
    use crate::proxyproto::{Parsed, parse};
    if let Parsed::Complete(header) = parse(data) {
        assert!(header.length <= data.len());
        assert_eq!(parse(&data[..header.length]), Parsed::Complete(header));
        for end in 0..header.length.min(256) {
            assert_eq!(parse(&data[..end]), Parsed::Incomplete);
        }
        header.tlvs().for_each(|tlv| assert!(tlv.value.len() <= data.len()));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Words the grammar knows, so that random texts get past its first rule.
    fn fragment() -> impl Strategy<Value = String> {
        let mut words: Vec<String> = Vec::new();
        words.extend(REGISTRY.fetches().map(|def| def.name.to_owned()));
        words.extend(REGISTRY.converters().map(|def| def.name.to_owned()));
        words.sort_unstable();
        let glue = [
            "(",
            ")",
            ",",
            "'",
            "\"",
            "\\",
            " ",
            "%",
            "%[",
            "]",
            "{",
            "}",
            "{+Q}",
            "{+json}o",
            "{+cbor}",
            "!",
            "or",
            "-m",
            "-i",
            "beg",
            "reg",
            "-1",
            "0",
            "5:9",
            "txn.a",
            "txn.n",
            "10.0.0.0/8",
            "\u{e9}",
            "[",
            "*",
            "$.a",
            "ms",
            "%Y%j%V",
            "HS256",
            "(a:b)",
            "ci",
            "r",
            "hrl",
            "ge",
        ];
        let glue: Vec<String> = glue.iter().map(ToString::to_string).collect();
        prop_oneof![
            prop::sample::select(words),
            prop::sample::select(glue.clone()),
            prop::sample::select(glue)
        ]
    }

    fn input() -> impl Strategy<Value = Vec<u8>> {
        let text = prop::collection::vec(fragment(), 0..12).prop_map(|parts| parts.concat());
        (text, prop::collection::vec(any::<u8>(), 0..80)).prop_map(|(text, traffic)| {
            let mut data = text.into_bytes();
            data.push(b'\n');
            data.extend(traffic);
            data
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn no_expression_panics(data in input()) {
            expr(&data, crate::expr::testing::instant());
        }

        #[test]
        fn no_format_panics(data in input()) {
            log_format(&data, crate::expr::testing::instant());
        }

        #[test]
        fn no_bytes_panic(data in prop::collection::vec(any::<u8>(), 0..60)) {
            let now = crate::expr::testing::instant();
            expr(&data, now);
            log_format(&data, now);
            converters(&data, now);
        }
    }

    #[test]
    fn every_fetch_and_converter_survives_plain_arguments() {
        let now = crate::expr::testing::instant();
        for def in REGISTRY.fetches() {
            for args in ["", "()", "(1)", "(1,2)", "(a,b,c)", "(txn.a)", "(0,1,-3)", "(255,255,9)"] {
                expr(format!("{}{args}\n\x16\x03\x01\x00\x40\x01", def.name).as_bytes(), now);
            }
        }
        for def in REGISTRY.converters() {
            for args in [
                "",
                "(1)",
                "(1,2,0)",
                "(-2,/,2)",
                "(txn.n,txn.a)",
                "($.a)",
                "(a,b,c)",
                "(-9223372036854775808)",
            ] {
                for input in ["var(txn.a)", "int(-9223372036854775808)", "src", "bin(00ff)"] {
                    expr(format!("{input},{}{args}\n{{\"a\":1}}", def.name).as_bytes(), now);
                }
            }
        }
    }
}
