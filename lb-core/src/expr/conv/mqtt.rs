//! The first packets of MQTT connections, versions 3.1, 3.1.1 and 5.0: CONNECT and CONNACK.

use std::sync::Arc;

use super::fix::{Unfinished, settle};
use crate::expr::arg::{Arg, ArgType, Args};
use crate::expr::def::{Build, ConvDef};
use crate::expr::sample::{Sample, SampleType};
use crate::expr::{Arena, Env};

/// Converters on MQTT packets.
pub(super) static CONVERTERS: &[ConvDef] = &[
    ConvDef::new("mqtt_is_valid", SampleType::Bin, SampleType::Bool, |env, _, sample| {
        settle(env, packet(sample.bytes()?)).map(|packet| Sample::Bool(packet.is_some()))
    }),
    ConvDef::new("mqtt_field_value", SampleType::Bin, SampleType::Str, field)
        .args(2, &[ArgType::Str, ArgType::Str])
        .prepare(prepare),
];

const CONNECT: u8 = 1;
const CONNACK: u8 = 2;

/// Flags of CONNECT.
mod flag {
    pub(super) const RESERVED: u8 = 0x01;
    pub(super) const WILL: u8 = 0x04;
    pub(super) const WILL_QOS: u8 = 0x18;
    pub(super) const WILL_RETAIN: u8 = 0x20;
    pub(super) const PASSWORD: u8 = 0x40;
    pub(super) const USERNAME: u8 = 0x80;
}

/// What can be asked of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Flags,
    ReasonCode,
    Protocol,
    Version,
    ClientIdentifier,
    WillTopic,
    WillPayload,
    Username,
    Password,
    Keepalive,
    Property(u8),
}

/// Names and the kinds of packets that have them.
const NAMES: &[(&str, Name, &[u8])] = &[
    ("flags", Name::Flags, &[CONNECT, CONNACK]),
    ("reason_code", Name::ReasonCode, &[CONNACK]),
    ("protocol_name", Name::Protocol, &[CONNECT]),
    ("protocol_version", Name::Version, &[CONNECT, CONNACK]),
    ("client_identifier", Name::ClientIdentifier, &[CONNECT]),
    ("will_topic", Name::WillTopic, &[CONNECT]),
    ("will_payload", Name::WillPayload, &[CONNECT]),
    ("username", Name::Username, &[CONNECT]),
    ("password", Name::Password, &[CONNECT]),
    ("keepalive", Name::Keepalive, &[CONNECT]),
];

/// How the value of a property is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A byte that is 0 or 1.
    Flag,
    Two,
    /// Two bytes, not zero.
    TwoNotZero,
    Four,
    /// Four bytes, not zero.
    FourNotZero,
    Text,
}

/// A name and a value, any number of times; they are read past.
const USER_PROPERTY: u8 = 38;

/// Where properties may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Connect,
    Will,
    Connack,
}

/// The properties of these packets (MQTT 5.0 §2.2.2.2).
const PROPERTIES: &[(u8, Kind, &[Place])] = &[
    (1, Kind::Flag, &[Place::Will]),
    (2, Kind::Four, &[Place::Will]),
    (3, Kind::Text, &[Place::Will]),
    (8, Kind::Text, &[Place::Will]),
    (9, Kind::Text, &[Place::Will]),
    (17, Kind::Four, &[Place::Connect, Place::Connack]),
    (18, Kind::Text, &[Place::Connack]),
    (19, Kind::Two, &[Place::Connack]),
    (21, Kind::Text, &[Place::Connect, Place::Connack]),
    (22, Kind::Text, &[Place::Connect, Place::Connack]),
    (23, Kind::Flag, &[Place::Connect]),
    (24, Kind::Four, &[Place::Will]),
    (25, Kind::Flag, &[Place::Connect]),
    (26, Kind::Text, &[Place::Connack]),
    (28, Kind::Text, &[Place::Connack]),
    (31, Kind::Text, &[Place::Connack]),
    (33, Kind::TwoNotZero, &[Place::Connect, Place::Connack]),
    (34, Kind::Two, &[Place::Connect, Place::Connack]),
    (36, Kind::Flag, &[Place::Connack]),
    (37, Kind::Flag, &[Place::Connack]),
    (39, Kind::FourNotZero, &[Place::Connect, Place::Connack]),
    (40, Kind::Flag, &[Place::Connack]),
    (41, Kind::Flag, &[Place::Connack]),
    (42, Kind::Flag, &[Place::Connack]),
];

/// A field's value as the packet has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value<'a> {
    Number(u32),
    Text(&'a [u8]),
}

/// A packet taken apart.
#[derive(Debug)]
struct Packet<'a> {
    kind: u8,
    version: u8,
    /// It has a will, whose properties are then there.
    will: bool,
    fields: Vec<(Name, Value<'a>)>,
}

fn prepare(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    let kind = match args.str(0).unwrap_or("") {
        name if name.eq_ignore_ascii_case("connect") || name == "1" => CONNECT,
        name if name.eq_ignore_ascii_case("connack") || name == "2" => CONNACK,
        other => return Err(format!("unknown MQTT type '{other}'")),
    };
    let text = args.str(1).unwrap_or("");
    let named =
        NAMES.iter().find(|(name, _, kinds)| name.eq_ignore_ascii_case(text) && kinds.contains(&kind));
    let property = || {
        let number = text.parse::<u8>().ok()?;
        let (_, _, places) = PROPERTIES.iter().find(|(id, ..)| *id == number)?;
        let fits = places.iter().any(|place| (*place == Place::Connack) == (kind == CONNACK));
        fits.then_some(Name::Property(number))
    };
    let name = named.map(|(_, name, _)| *name).or_else(property);
    let name = name.ok_or_else(|| format!("unknown MQTT field name '{text}'"))?;
    args.set(1, Arg::Prepared(Arc::new((kind, name))));
    Ok(())
}

fn field<'a>(env: &Env<'a>, args: &Args, sample: Sample<'a>) -> Option<Sample<'a>> {
    let (kind, name) = *args.prepared::<(u8, Name)>(1)?;
    let packet = settle(env, packet(sample.bytes()?))??;
    if packet.kind != kind {
        return None;
    }
    packet.value(name).and_then(|value| text(env.arena, value))
}

fn text<'a>(arena: &'a Arena, value: Value<'_>) -> Option<Sample<'a>> {
    match value {
        Value::Number(number) => arena.copy(number.to_string().as_bytes()),
        Value::Text(text) => arena.copy(text),
    }
    .map(Sample::Str)
}

impl<'a> Packet<'a> {
    fn value(&self, wanted: Name) -> Option<Value<'a>> {
        let found = self.fields.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        found.or_else(|| self.absent(wanted)).filter(|value| *value != Value::Text(b""))
    }

    /// A number that is not there counts as zero where it could be.
    fn absent(&self, wanted: Name) -> Option<Value<'a>> {
        let Name::Property(id) = wanted else { return None };
        let (_, kind, places) = PROPERTIES.iter().find(|(number, ..)| *number == id)?;
        let here = self.version == 5 && (self.will || *places != [Place::Will]);
        (here && *kind != Kind::Text).then_some(Value::Number(0))
    }

    fn properties(&mut self, from: &mut Reader<'a>, place: Place) -> Option<()> {
        let length = usize::try_from(from.varint()?).ok()?;
        let mut list = Reader(from.take(length)?);
        let first = self.fields.len();
        while !list.0.is_empty() {
            let id = list.number(1)? as u8;
            if id == USER_PROPERTY {
                list.text()?;
                list.text()?;
                continue;
            }
            let (_, kind, _) =
                PROPERTIES.iter().find(|(number, _, places)| *number == id && places.contains(&place))?;
            let name = Name::Property(id);
            if self.fields[first..].iter().any(|(known, _)| *known == name) {
                return None;
            }
            let value = list.value(*kind)?;
            if id == 18 && value == Value::Text(b"") {
                return None;
            }
            self.fields.push((name, value));
        }
        let has = |id| self.fields[first..].iter().any(|(name, _)| *name == Name::Property(id));
        // What belongs to a method of authentication is nothing without it.
        (place == Place::Will || !has(22) || has(21)).then_some(())
    }

    fn connect(body: &'a [u8]) -> Option<Self> {
        let mut rest = Reader(body);
        let name = rest.text()?;
        let version = rest.number(1)? as u8;
        let known = match version {
            3 => name == b"MQIsdp",
            4 | 5 => name == b"MQTT",
            _ => false,
        };
        let flags = rest.number(1)? as u8;
        let has = |bit| flags & bit != 0;
        let will = has(flag::WILL);
        let sound = !has(flag::RESERVED)
            && flags & flag::WILL_QOS != flag::WILL_QOS
            && (will || !has(flag::WILL_QOS | flag::WILL_RETAIN))
            // Before 5.0 a password cannot come without a user.
            && (version == 5 || has(flag::USERNAME) || !has(flag::PASSWORD));
        if !known || !sound {
            return None;
        }
        let mut packet = Self { kind: CONNECT, version, will, fields: Vec::new() };
        packet.fields.push((Name::Protocol, Value::Text(name)));
        packet.fields.push((Name::Version, Value::Number(version.into())));
        packet.fields.push((Name::Flags, Value::Number(flags.into())));
        packet.fields.push((Name::Keepalive, Value::Number(rest.number(2)?)));
        if version == 5 {
            packet.properties(&mut rest, Place::Connect)?;
        }
        packet.fields.push((Name::ClientIdentifier, Value::Text(rest.text()?)));
        if will {
            if version == 5 {
                packet.properties(&mut rest, Place::Will)?;
            }
            packet.fields.push((Name::WillTopic, Value::Text(rest.text()?)));
            packet.fields.push((Name::WillPayload, Value::Text(rest.text()?)));
        }
        for (bit, name) in [(flag::USERNAME, Name::Username), (flag::PASSWORD, Name::Password)] {
            if has(bit) {
                packet.fields.push((name, Value::Text(rest.text()?)));
            }
        }
        rest.0.is_empty().then_some(packet)
    }

    fn connack(body: &'a [u8]) -> Option<Self> {
        let mut rest = Reader(body);
        let version = if body.len() == 2 { 4 } else { 5 };
        let flags = rest.number(1).filter(|flags| *flags <= 1)?;
        let reason = rest.number(1)?;
        let mut packet = Self { kind: CONNACK, version, will: false, fields: Vec::new() };
        packet.fields.push((Name::Flags, Value::Number(flags)));
        packet.fields.push((Name::Version, Value::Number(version.into())));
        packet.fields.push((Name::ReasonCode, Value::Number(reason)));
        if version == 5 {
            packet.properties(&mut rest, Place::Connack)?;
        }
        rest.0.is_empty().then_some(packet)
    }
}

/// Takes the first packet apart; `Ok(None)` if it is not valid.
fn packet(message: &[u8]) -> Result<Option<Packet<'_>>, Unfinished> {
    if message.len() < 2 {
        return Err(Unfinished);
    }
    let mut rest = Reader(&message[1..]);
    let Some(length) = rest.varint() else {
        // Four bytes hold the longest length.
        return if message.len() > 4 || message[1..].iter().any(|byte| *byte < 128) {
            Ok(None)
        } else {
            Err(Unfinished)
        };
    };
    // The lower half of the first byte is zero in all packets known here.
    let parse = match message[0] >> 4 {
        _ if message[0] & 0x0f != 0 => return Ok(None),
        CONNECT => Packet::connect,
        CONNACK => Packet::connack,
        _ => return Ok(None),
    };
    Ok(parse(rest.take(length as usize).ok_or(Unfinished)?))
}

/// Bytes not read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    fn number(&mut self, bytes: usize) -> Option<u32> {
        Some(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// Seven bits a byte, the lowest first, in at most four bytes.
    fn varint(&mut self) -> Option<u32> {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.number(1)?;
            value |= (byte & 0x7f) << shift;
            if byte < 128 {
                return Some(value);
            }
        }
        None
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.number(2)?;
        self.take(length as usize)
    }

    fn value(&mut self, kind: Kind) -> Option<Value<'a>> {
        let number = match kind {
            Kind::Text => return self.text().map(Value::Text),
            Kind::Flag => self.number(1).filter(|flag| *flag <= 1)?,
            Kind::Two => self.number(2)?,
            Kind::TwoNotZero => self.number(2).filter(|number| *number > 0)?,
            Kind::Four => self.number(4)?,
            Kind::FourNotZero => self.number(4).filter(|number| *number > 0)?,
        };
        Some(Value::Number(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet_of(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind << 4, body.len() as u8];
        bytes.extend_from_slice(body);
        bytes
    }

    fn valid(bytes: &[u8]) -> Result<bool, Unfinished> {
        packet(bytes).map(|packet| packet.is_some())
    }

    fn asked(bytes: &[u8], name: Name) -> Option<String> {
        let packet = packet(bytes).unwrap().unwrap();
        packet.value(name).map(|value| match value {
            Value::Number(number) => number.to_string(),
            Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
        })
    }

    const WHOLE: &[u8] = b"\0\x04MQTT\x05\xee\0\x3c\
        \x0c\x27\0\0\0\x14\x17\x01\x26\0\x00\0\x00\
        \0\x02id\
        \x0d\x03\0\x0atext/plain\
        \0\x05topic\0\x04will\0\x04user\0\x04pass";

    #[test]
    fn a_connect_of_each_version_is_valid_once_it_is_whole() {
        for body in [
            &b"\0\x06MQIsdp\x03\xc2\0\0\0\x02id\0\x01u\0\x01p"[..],
            b"\0\x04MQTT\x04\x02\0\x3c\0\x02id",
            b"\0\x04MQTT\x05\x02\0\x3c\x03\x21\0\x14\0\x02id",
            WHOLE,
        ] {
            let bytes = packet_of(CONNECT, body);
            assert_eq!(valid(&bytes), Ok(true), "{body:?}");
            for cut in 0..bytes.len() {
                assert_eq!(valid(&bytes[..cut]), Err(Unfinished), "{cut} of {body:?}");
            }
        }
    }

    #[test]
    fn fields_and_properties_are_found() {
        let bytes = packet_of(CONNECT, WHOLE);
        let expected = [
            (Name::Flags, Some("238")),
            (Name::Protocol, Some("MQTT")),
            (Name::Version, Some("5")),
            (Name::Keepalive, Some("60")),
            (Name::ClientIdentifier, Some("id")),
            (Name::WillTopic, Some("topic")),
            (Name::Password, Some("pass")),
            (Name::Property(39), Some("20")),
            (Name::Property(3), Some("text/plain")),
            (Name::Property(17), Some("0")),
            (Name::Property(21), None),
        ];
        for (name, value) in expected {
            assert_eq!(asked(&bytes, name).as_deref(), value, "{name:?}");
        }
        let answer = packet_of(CONNACK, b"\x01\0\x03\x21\x7f\xff");
        assert_eq!(asked(&answer, Name::Property(33)).as_deref(), Some("32767"));
        assert_eq!(asked(&answer, Name::Flags).as_deref(), Some("1"));
        assert_eq!(asked(&packet_of(CONNACK, b"\0\x05"), Name::ReasonCode).as_deref(), Some("5"));
    }

    #[test]
    fn packets_against_the_rules_are_not_valid() {
        let bad = |bytes: &[u8]| assert_eq!(valid(bytes), Ok(false), "{bytes:?}");
        bad(b"\xd0\0");
        bad(b"\x11\x02\0\0");
        bad(b"\x10\xff\xff\xff\xff\x14");
        bad(&packet_of(CONNECT, b"\0\x04MQTT\x04\x03\0\x3c\0\x02id"));
        bad(&packet_of(CONNECT, b"\0\x04MQTT\x04\x42\0\x3c\0\x02id\0\x01p"));
        bad(&packet_of(CONNECT, b"\0\x04MQTT\x04\x0a\0\x3c\0\x02id"));
        bad(&packet_of(CONNECT, b"\0\x04MQTX\x04\x02\0\x3c\0\x02id"));
        bad(&packet_of(CONNECT, b"\0\x04MQTT\x04\x02\0\x3c\0\x02id!"));
        bad(&packet_of(CONNECT, b"\0\x04MQTT\x05\x02\0\x3c\x03\x21\0\0\0\x02id"));
        bad(&packet_of(CONNECT, b"\0\x04MQTT\x05\x02\0\x3c\x04\x17\x01\x17\x01\0\x02id"));
        bad(&packet_of(CONNECT, b"\0\x04MQTT\x05\x02\0\x3c\x04\x16\0\x01x\0\x02id"));
        bad(&packet_of(CONNACK, b"\x02\0"));
    }
}
