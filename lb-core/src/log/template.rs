//! Compiled log formats: `"%ci:%cp [%tr] %ft %[ssl_fc_sni]"` (manual 8.2.6).
//!
//! The same language forms log lines, header values, unique ids and variables; [`Style`] says
//! which of them, because escaping and blanks differ.

use super::alias::Alias;
use super::encode::{Cast, Flags, HEADER, Writer};
use super::record::Record;
use super::steps::Awaits;
use crate::expr::parse::{self, ErrorKind, ParseError};
use crate::expr::{Build, Env, Needs, Phases, Program, Registry, Sample};

/// What a format is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the uses of the format language")]
pub enum Style {
    /// Log lines and structured data: blanks merge, empty values print `-`.
    Log,
    /// Unique ids: blanks merge, values are encoded as in headers.
    UniqueId,
    /// Header values, paths, response bodies: forbidden bytes become `%XX`.
    Header,
    /// Anything else (`set-var-fmt`, `tcp-check send-lf`): nothing is changed.
    Plain,
}

/// A compiled format.
#[derive(Clone, Debug)]
pub struct Template {
    nodes: Vec<Node>,
    /// Flags every item shares; an encoding among them makes the line one map.
    global: Flags,
    needs_record: bool,
    text: Box<str>,
}

#[derive(Clone, Debug)]
enum Node {
    Text(Box<[u8]>),
    /// One blank, unless one was just written.
    Blank,
    Alias {
        alias: Alias,
        item: Item,
    },
    Expr {
        program: Box<Program>,
        item: Item,
    },
}

/// What alias and expression items have in common.
#[derive(Clone, Debug, Default)]
struct Item {
    flags: Flags,
    name: Option<Box<str>>,
    cast: Cast,
}

/// What expressions read that is complete only at the end.
const TOTALS: Needs = Needs::HTTP_RESPONSE_BODY
    .and(Needs::REQUEST_TOTALS)
    .and(Needs::RESPONSE_TOTALS)
    .and(Needs::STREAM_TOTALS);

/// `option tcplog`.
pub const TCP_LOG: &str = "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq";

/// `option tcplog clf`.
pub const TCP_CLF_LOG: &str = "%{+Q}o %{-Q}ci - - [%T] \"TCP \" 000 %B \"\" \"\" %cp %ms %ft %b %s \
     %Th %Tw %Tc %Tt %U %ts-- %ac %fc %bc %sc %rc %sq %bq \"\" \"\" ";

/// `option httplog`.
pub const HTTP_LOG: &str = "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc \
     %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r";

/// `option httplog clf`.
pub const HTTP_CLF_LOG: &str = "%{+Q}o %{-Q}ci - - [%trg] %r %ST %B \"\" \"\" %cp %ms %ft %b %s \
     %TR %Tw %Tc %Tr %Ta %tsc %ac %fc %bc %sc %rc %sq %bq %CC %CS %hrl %hsl";

/// `option httpslog`.
pub const HTTPS_LOG: &str = "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc \
     %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r %[fc_err]/%[ssl_fc_err,hex]/%[ssl_c_err]/\
     %[ssl_c_ca_err]/%[ssl_fc_is_resumed] %[ssl_fc_sni]/%sslv/%sslc";

impl Template {
    /// Compiles a format. Errors carry byte offsets into `format`.
    ///
    /// `phases` tells where the result will be evaluated; an expression that cannot be evaluated
    /// in any of these places is an error.
    pub fn parse(
        format: &str,
        style: Style,
        phases: Phases,
        registry: &Registry,
        build: &mut dyn Build,
    ) -> Result<Self, ParseError> {
        let flags = match style {
            Style::Log => Flags::MANDATORY,
            Style::Header | Style::UniqueId => Flags::HTTP,
            Style::Plain => Flags::default(),
        };
        let mut parser = Parser {
            format,
            at: 0,
            merge: matches!(style, Style::Log | Style::UniqueId),
            phases,
            defaults: flags,
            global: None,
            nodes: Vec::new(),
            text: Vec::new(),
            registry,
            build,
        };
        parser.run()?;
        let needs_record = parser.nodes.iter().any(|node| matches!(node, Node::Alias { .. }));
        let global = parser.global.unwrap_or_default();
        Ok(Self { nodes: parser.nodes, global, needs_record, text: format.into() })
    }

    /// A format of plain text only.
    pub fn literal(text: &str) -> Self {
        let nodes = if text.is_empty() { Vec::new() } else { vec![Node::Text(text.as_bytes().into())] };
        Self { nodes, global: Flags::default(), needs_record: false, text: text.into() }
    }

    /// The text it was compiled from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it can print nothing at all.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The text, if it is the same every time.
    pub fn as_literal(&self) -> Option<&[u8]> {
        match self.nodes.as_slice() {
            [] => Some(b""),
            [Node::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Everything its expressions read.
    pub fn needs(&self) -> Needs {
        self.nodes.iter().fold(Needs::CONST, |all, node| match node {
            Node::Expr { program, .. } => all.and(program.needs()),
            _ => all,
        })
    }

    /// What has to be known before a line can be written.
    pub(super) fn awaits(&self) -> Awaits {
        self.nodes.iter().fold(Awaits::NOTHING, |all, node| match node {
            Node::Alias { alias, .. } => all.and(alias.awaits()),
            Node::Expr { program, .. } if program.needs().any_of(TOTALS) => {
                all.and(Awaits::MORE).and(Awaits::TOTALS)
            }
            Node::Expr { .. } => all.and(Awaits::MORE),
            _ => all,
        })
    }

    /// Whether something of it is about the connection to the server, which is to be kept until the text is written.
    pub fn reads_server(&self) -> bool {
        self.nodes.iter().any(|node| match node {
            Node::Alias { alias, .. } => alias.reads_server(),
            Node::Expr { program, .. } => program.needs().any_of(Needs::L4_SERVER.and(Needs::L5_SERVER)),
            _ => false,
        })
    }

    /// The first alias that is meaningful in HTTP mode only.
    pub fn http_only_alias(&self) -> Option<&'static str> {
        self.nodes.iter().find_map(|node| match node {
            Node::Alias { alias, .. } => alias.http_only(),
            _ => None,
        })
    }

    /// Appends the formatted text to `out`.
    ///
    /// Aliases read [`crate::expr::Facts::record`], which is asked for once and only if needed.
    pub fn write(&self, env: &Env<'_>, out: &mut Vec<u8>) {
        let known = if self.needs_record { env.facts.record() } else { None };
        self.write_record(known.as_ref().unwrap_or(&Record::EMPTY), env, out);
    }

    /// Appends the formatted text to `out`. `record` is what `env` knows of it.
    pub fn write_record(&self, record: &Record<'_>, env: &Env<'_>, out: &mut Vec<u8>) {
        if self.global.has(Flags::ENCODED) {
            self.write_map(record, env, out);
            return;
        }
        let mut after_blank = true;
        for node in &self.nodes {
            let before = out.len();
            match node {
                Node::Blank if after_blank => continue,
                Node::Blank => out.push(b' '),
                Node::Text(text) => match **text {
                    [only] => out.push(only),
                    _ => out.extend_from_slice(text),
                },
                Node::Alias { .. } | Node::Expr { .. } => write_item(node, record, env, out),
            }
            if matches!(node, Node::Blank) {
                after_blank = true;
            } else if out.len() > before || matches!(node, Node::Expr { .. }) {
                after_blank = false;
            }
        }
    }

    /// With an encoding for the whole line only named items are printed, as one map.
    fn write_map(&self, record: &Record<'_>, env: &Env<'_>, out: &mut Vec<u8>) {
        let mut frame = Writer::new(out, self.global, Cast::None);
        frame.open_map();
        let mut first = true;
        for node in &self.nodes {
            let (Node::Alias { item, .. } | Node::Expr { item, .. }) = node else { continue };
            let Some(name) = &item.name else { continue };
            Writer::new(out, self.global, Cast::None).key(name, std::mem::take(&mut first));
            write_item(node, record, env, out);
        }
        Writer::new(out, self.global, Cast::None).close_map();
    }
}

fn write_item(node: &Node, record: &Record<'_>, env: &Env<'_>, out: &mut Vec<u8>) {
    let (Node::Alias { item, .. } | Node::Expr { item, .. }) = node else { return };
    let before = out.len();
    let mut writer = Writer::new(out, item.flags, item.cast);
    match node {
        Node::Alias { alias, .. } => alias.write(record, env, &mut writer),
        Node::Expr { program, .. } => write_expr(program.eval(env), env, &mut writer),
        Node::Text(_) | Node::Blank => {}
    }
    if writer.out.len() == before {
        writer.null();
    }
}

fn write_expr<'a>(sample: Option<Sample<'a>>, env: &Env<'a>, writer: &mut Writer<'_>) {
    let flags = writer.flags;
    if !flags.has(Flags::ENCODED) {
        match sample {
            Some(Sample::Bin(bytes)) if flags.has(Flags::BINARY) && writer.cast != Cast::Str => {
                writer.out.extend_from_slice(bytes);
            }
            _ => write_text(sample, env, writer),
        }
        return;
    }
    let cbor = flags.has(Flags::CBOR);
    match (writer.cast, sample) {
        (Cast::Raw, Some(sample)) => {
            if let Some(bytes) = sample.to_bin(env.arena) {
                writer.out.extend_from_slice(bytes);
            }
        }
        (Cast::Int, Some(sample)) => match sample.to_int() {
            Some(value) => writer.int(value),
            None => writer.text(b""),
        },
        (Cast::Bool, Some(sample)) => match sample.to_bool() {
            Some(value) => writer.bool(value),
            None => writer.text(b""),
        },
        (Cast::None, Some(Sample::Int(value))) => writer.int(value),
        (Cast::None, Some(Sample::Bool(value))) => writer.bool(value),
        (Cast::None, Some(Sample::Bin(bytes))) if cbor => writer.binary(bytes),
        _ => write_text(sample, env, writer),
    }
}

fn write_text<'a>(sample: Option<Sample<'a>>, env: &Env<'a>, writer: &mut Writer<'_>) {
    if writer.flags.has(Flags::HTTP) {
        if let Some(text) = sample.and_then(|sample| sample.to_str(env.arena)) {
            writer.encoded(text, b'%', &HEADER);
        }
        return;
    }
    let plain = !writer.flags.has(Flags::QUOTE.with(Flags::ESCAPE).with(Flags::ENCODED));
    match sample {
        // Numbers need no buffer where nothing is done to their text.
        Some(Sample::Int(_) | Sample::Bool(_) | Sample::Ipv4(_) | Sample::Ipv6(_)) if plain => {
            if let Some(sample) = sample {
                sample.write_text(writer.out);
            }
        }
        Some(sample) => writer.text(sample.to_str(env.arena).unwrap_or(b"")),
        None => writer.text(b""),
    }
}

/// State while a format is compiled.
struct Parser<'p> {
    format: &'p str,
    at: usize,
    /// Several blanks count as one.
    merge: bool,
    phases: Phases,
    /// Flags of the items still to come, changed by `%o`.
    defaults: Flags,
    global: Option<Flags>,
    nodes: Vec<Node>,
    text: Vec<u8>,
    registry: &'p Registry,
    build: &'p mut dyn Build,
}

impl Parser<'_> {
    fn run(&mut self) -> Result<(), ParseError> {
        let bytes = self.format.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'%' if bytes.get(self.at) == Some(&b'%') => {
                    self.text.push(b'%');
                    self.at += 1;
                }
                b'%' => self.item(self.at - 1)?,
                b' ' if self.merge => {
                    self.flush();
                    if !matches!(self.nodes.last(), Some(Node::Blank)) {
                        self.nodes.push(Node::Blank);
                    }
                }
                _ => self.text.push(byte),
            }
        }
        self.flush();
        Ok(())
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            let text = std::mem::take(&mut self.text).into_boxed_slice();
            self.nodes.push(Node::Text(text));
        }
    }

    /// Parses the item whose `%` is at `start`.
    fn item(&mut self, start: usize) -> Result<(), ParseError> {
        let mut item = Item { flags: self.defaults, ..Item::default() };
        let named = self.peek() == Some(b'(');
        if named {
            self.name(start, &mut item)?;
        }
        let arguments = self.peek() == Some(b'{');
        if arguments {
            item.flags = self.arguments(start)?;
        }
        match self.peek() {
            Some(b'[') => self.expression(item),
            Some(byte) if byte.is_ascii_alphabetic() => self.alias(start, item),
            Some(byte) if byte.is_ascii_digit() || byte == b' ' || byte == b'\t' => {
                let text = format!(
                    "unexpected alias name near '{}' at position {}. \
                     Maybe you want to write a single '%', use the syntax '%%'",
                    char::from(byte),
                    self.at
                );
                Err(self.error(start, self.at + 1, text))
            }
            None => {
                Err(self.error(start, self.at, format!("truncated line after '{}'", &self.format[start..])))
            }
            Some(_) if arguments => {
                let text = format!(
                    "parse argument modifier without alias name near '{}'",
                    &self.format[start..self.at]
                );
                Err(self.error(start, self.at, text))
            }
            // A percent sign in front of other punctuation disappears.
            Some(_) => Ok(()),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.format.as_bytes().get(self.at).copied()
    }

    fn error(&self, start: usize, end: usize, text: String) -> ParseError {
        let end = end.min(self.format.len());
        ParseError::new(start.min(end), end, ErrorKind::Other(text))
    }

    /// `(name)` or `(name:type)`.
    fn name(&mut self, start: usize, item: &mut Item) -> Result<(), ParseError> {
        let open = self.at + 1;
        let Some(len) = self.format[open..].find(')') else {
            let text = format!("truncated line after '{}'", &self.format[start..]);
            return Err(self.error(start, self.format.len(), text));
        };
        let inside = &self.format[open..open + len];
        let (name, cast) = match inside.split_once(':') {
            Some((name, cast)) => (name, Some(cast)),
            None => (inside, None),
        };
        if let Some(bad) = inside.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-' | ':'))
        {
            let at = open + bad;
            return Err(self.error(at, at + 1, "invalid character in custom name".into()));
        }
        item.cast = match cast {
            None => Cast::None,
            Some("str") => Cast::Str,
            Some("sint") => Cast::Int,
            Some("bool") => Cast::Bool,
            Some("raw") => Cast::Raw,
            Some(other) => {
                let text =
                    format!("unexpected output type '{other}'. Supported types are: str, sint, bool, raw");
                return Err(self.error(open, open + len, text));
            }
        };
        item.name = (!name.is_empty()).then(|| name.into());
        self.at = open + len + 1;
        Ok(())
    }

    /// `{+Q,-X}` applied to the current defaults. Unknown words are ignored, as they always were.
    fn arguments(&mut self, start: usize) -> Result<Flags, ParseError> {
        let open = self.at + 1;
        let Some(len) = self.format[open..].find('}') else {
            let text = format!("truncated line after '{}'", &self.format[start..]);
            return Err(self.error(start, self.format.len(), text));
        };
        let mut flags = self.defaults;
        for word in self.format[open..open + len].split(',') {
            let Some(sign) = word.rfind(['+', '-']) else { continue };
            let flag = match &word[sign + 1..] {
                "M" => Flags::MANDATORY,
                "Q" => Flags::QUOTE,
                "X" => Flags::HEX,
                "E" => Flags::ESCAPE,
                "bin" => Flags::BINARY,
                "json" => Flags::JSON,
                "cbor" => Flags::CBOR,
                _ => continue,
            };
            let encoded_twice = flags.has(Flags::ENCODED) && Flags::ENCODED.has(flag);
            if word[sign..].starts_with('-') {
                flags = flags.without(flag);
            } else if !encoded_twice {
                flags = flags.with(flag);
            }
        }
        self.at = open + len + 1;
        Ok(flags)
    }

    fn alias(&mut self, start: usize, item: Item) -> Result<(), ParseError> {
        let rest = &self.format[self.at..];
        let len = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let (name, from) = (&rest[..len], self.at);
        self.at += len;
        if name == "o" {
            self.defaults = item.flags;
            self.global = Some(self.global.map_or(item.flags, |global| global.common(item.flags)));
            return Ok(());
        }
        let Some(alias) = Alias::by_name(name) else {
            let text = format!(
                "no such format alias '{name}'. If you wanted to emit the '%' character verbatim, \
                 you need to use '%%'"
            );
            return Err(self.error(start.max(from), self.at, text));
        };
        self.flush();
        if alias == Alias::Counter {
            self.build.uses_number();
        }
        self.nodes.push(Node::Alias { alias, item });
        Ok(())
    }

    fn expression(&mut self, item: Item) -> Result<(), ParseError> {
        let open = self.at + 1;
        let (program, used) = parse::parse_prefix(&self.format[open..], self.registry, self.build)
            .map_err(|e| ParseError::new(e.start + open, e.end + open, e.kind))?;
        let end = open + used;
        match self.format.as_bytes().get(end) {
            Some(b']') => {}
            Some(other) => {
                let text = format!(
                    "expected ']' after '{}', but found '{}'",
                    &self.format[open..end],
                    char::from(*other)
                );
                return Err(self.error(end, end + 1, text));
            }
            None => {
                let text = format!("missing ']' after '{}'", &self.format[open..end]);
                return Err(self.error(open, end, text));
            }
        }
        if !program.needs().phases().intersects(self.phases) {
            let name = program.fetch().name;
            let text = format!(
                "sample fetch <{name}> may not be reliably used here because what it needs is not \
                 available here"
            );
            return Err(self.error(open, end, text));
        }
        self.flush();
        self.nodes.push(Node::Expr { program: Box::new(program), item });
        self.at = end + 1;
        Ok(())
    }
}

impl Default for Template {
    fn default() -> Self {
        Self::literal("")
    }
}

/// The line of `log` without any format, written when a connection is accepted.
pub fn write_accept_line(record: &Record<'_>, out: &mut Vec<u8>) {
    use std::io::Write;
    let mode = if record.http_frontend { "HTTP" } else { "TCP" };
    let (listener, frontend) = (record.listener.id, record.frontend.name);
    let written = match (record.client, record.frontend_addr) {
        (Some(from), Some(to)) => write!(
            out,
            "Connect from {}:{} to {}:{} ({frontend}/{mode})",
            from.ip(),
            from.port(),
            to.ip(),
            to.port()
        ),
        (Some(from), None) => write!(
            out,
            "Connect from {}:{} to undetermined address:0 ({frontend}/{mode})",
            from.ip(),
            from.port()
        ),
        (None, _) if record.unix => write!(out, "Connect to unix:{listener} ({frontend}/{mode})"),
        (None, _) => {
            write!(out, "Connect from unknown source to listener {listener} ({frontend}/{mode})")
        }
    };
    written.expect("writing to a Vec cannot fail");
}

/// The line written when a client connection fails before it carries a request (manual 8.2.5):
/// `127.0.0.1:56059 [03/Dec/2012:17:35:10.380] frt/f1: Connection error during SSL handshake`.
pub fn write_error_line(record: &Record<'_>, env: &Env<'_>, out: &mut Vec<u8>) {
    use std::io::Write;
    let start = match record.client {
        Some(from) => write!(out, "{}:{} [", from.ip(), from.port()),
        None if record.unix => write!(out, "unix:{} [", record.listener.id),
        None => write!(out, "unknown ["),
    };
    start.expect("writing to a Vec cannot fail");
    let mut writer = Writer::new(out, Flags::default(), Cast::None);
    Alias::AcceptDate.write(record, env, &mut writer);
    out.extend_from_slice(b"] ");
    out.extend_from_slice(record.frontend.name.as_bytes());
    out.push(b'/');
    if record.listener.name.is_empty() {
        crate::expr::push_int(out, record.listener.id.into());
    } else {
        out.extend_from_slice(record.listener.name.as_bytes());
    }
    out.extend_from_slice(b": ");
    out.extend_from_slice(record.error.unwrap_or("unknown connection error").as_bytes());
}

#[cfg(test)]
mod tests;
