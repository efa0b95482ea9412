//! What certificates say: names, dates, numbers, algorithms (RFC 5280).
//!
//! Reads DER without building anything; what does not parse yields nothing.

use crate::expr::arg::{Arg, ArgType, Args};
use crate::expr::def::{Build, FetchDef, FetchFn, Needs};
use crate::expr::sample::{Sample, SampleType};
use crate::expr::{Env, Side, TlsFact, push_int};

const DN: &[ArgType] = &[ArgType::Str, ArgType::Int, ArgType::Str];

/// The same fetches for the client's certificate, ours and the server's.
macro_rules! certificate {
    ($prefix:literal, $needs:expr, $side:expr, $fact:expr) => {
        &[
            def(concat!($prefix, "_der"), SampleType::Bin, $needs, |env, _| env.facts.tls($side, $fact)),
            def(concat!($prefix, "_s_dn"), SampleType::Str, $needs, |env, args| {
                name(env, args, certificate(env, $side, $fact)?.subject)
            })
            .args(0, DN)
            .prepare(prepare_dn),
            def(concat!($prefix, "_i_dn"), SampleType::Str, $needs, |env, args| {
                name(env, args, certificate(env, $side, $fact)?.issuer)
            })
            .args(0, DN)
            .prepare(prepare_dn),
            def(concat!($prefix, "_serial"), SampleType::Bin, $needs, |env, _| {
                Some(Sample::Bin(certificate(env, $side, $fact)?.serial))
            }),
            def(concat!($prefix, "_notbefore"), SampleType::Str, $needs, |env, _| {
                date(env, certificate(env, $side, $fact)?.not_before)
            }),
            def(concat!($prefix, "_notafter"), SampleType::Str, $needs, |env, _| {
                date(env, certificate(env, $side, $fact)?.not_after)
            }),
            def(concat!($prefix, "_version"), SampleType::Int, $needs, |env, _| {
                Some(Sample::Int(certificate(env, $side, $fact)?.version))
            }),
            def(concat!($prefix, "_key_alg"), SampleType::Str, $needs, |env, _| {
                algorithm(env, certificate(env, $side, $fact)?.key_algorithm)
            }),
            def(concat!($prefix, "_sig_alg"), SampleType::Str, $needs, |env, _| {
                algorithm(env, certificate(env, $side, $fact)?.signature_algorithm)
            }),
            #[cfg(feature = "crypto")]
            def(concat!($prefix, "_sha1"), SampleType::Bin, $needs, |env, _| {
                let der = env.facts.tls($side, $fact)?.bytes()?;
                let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, der);
                env.arena.copy(digest.as_ref()).map(Sample::Bin)
            }),
        ]
    };
}

/// The certificate a client presented.
pub(super) static CLIENT: &[FetchDef] =
    certificate!("ssl_c", Needs::L5_CLIENT, Side::Client, TlsFact::PeerCertificate);
/// The certificate presented to clients.
pub(super) static FRONT: &[FetchDef] =
    certificate!("ssl_f", Needs::L5_CLIENT, Side::Client, TlsFact::OwnCertificate);
/// The certificate a server presented.
pub(super) static SERVER: &[FetchDef] =
    certificate!("ssl_s", Needs::L5_SERVER, Side::Server, TlsFact::PeerCertificate);

const fn def(name: &'static str, out: SampleType, needs: Needs, eval: FetchFn) -> FetchDef {
    FetchDef::new(name, out, needs, eval)
}

fn certificate<'a>(env: &Env<'a>, side: Side, fact: TlsFact) -> Option<Certificate<'a>> {
    Certificate::parse(env.facts.tls(side, fact)?.bytes()?)
}

/// The parts of a certificate that fetches ask for.
#[derive(Clone, Copy, Debug)]
struct Certificate<'d> {
    version: i64,
    serial: &'d [u8],
    issuer: &'d [u8],
    subject: &'d [u8],
    not_before: Element<'d>,
    not_after: Element<'d>,
    key_algorithm: &'d [u8],
    signature_algorithm: &'d [u8],
}

/// A DER element: tag and contents.
#[derive(Clone, Copy, Debug)]
struct Element<'d> {
    tag: u8,
    body: &'d [u8],
}

const INTEGER: u8 = 0x02;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

impl<'d> Certificate<'d> {
    fn parse(der: &'d [u8]) -> Option<Self> {
        let mut outer = expect(&mut &*der, SEQUENCE)?;
        let mut fields = expect(&mut outer, SEQUENCE)?;
        let mut version = 1;
        if fields.first() == Some(&0xa0) {
            let mut wrapped = next(&mut fields)?.body;
            version = i64::from(*expect(&mut wrapped, INTEGER)?.first()?) + 1;
        }
        let serial = expect(&mut fields, INTEGER)?;
        let mut signature = expect(&mut fields, SEQUENCE)?;
        let issuer = expect(&mut fields, SEQUENCE)?;
        let mut validity = expect(&mut fields, SEQUENCE)?;
        let subject = expect(&mut fields, SEQUENCE)?;
        let mut key = expect(&mut fields, SEQUENCE)?;
        Some(Self {
            version,
            // A leading zero only marks the number as positive.
            serial: serial.strip_prefix(&[0]).filter(|rest| !rest.is_empty()).unwrap_or(serial),
            issuer,
            subject,
            not_before: next(&mut validity)?,
            not_after: next(&mut validity)?,
            key_algorithm: expect(&mut expect(&mut key, SEQUENCE)?, OID)?,
            signature_algorithm: expect(&mut signature, OID)?,
        })
    }
}

/// Takes the next element.
fn next<'d>(rest: &mut &'d [u8]) -> Option<Element<'d>> {
    let (&tag, tail) = rest.split_first()?;
    let (&first, tail) = tail.split_first()?;
    let (length, tail) = match first {
        0..=0x7f => (usize::from(first), tail),
        0x81..=0x83 => {
            let (digits, tail) = tail.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0usize, |acc, byte| acc << 8 | usize::from(*byte)), tail)
        }
        _ => return None,
    };
    let (body, tail) = tail.split_at_checked(length)?;
    *rest = tail;
    Some(Element { tag, body })
}

/// Takes the next element if it has this tag.
fn expect<'d>(rest: &mut &'d [u8], tag: u8) -> Option<&'d [u8]> {
    next(rest).filter(|element| element.tag == tag).map(|element| element.body)
}

/// The first common name of a certificate's subject.
pub(crate) fn common_name(der: &[u8]) -> Option<&[u8]> {
    // 2.5.4.3
    let is_name = |oid: &[u8]| oid == [0x55, 4, 3];
    attributes(Certificate::parse(der)?.subject).find(|(kind, _)| is_name(kind)).map(|(_, value)| value)
}

/// The attributes of a name in order: type and value.
fn attributes(mut name: &[u8]) -> impl DoubleEndedIterator<Item = (&[u8], &[u8])> {
    let mut found = Vec::new();
    while let Some(mut set) = next(&mut name).map(|element| element.body) {
        while let Some(mut pair) = next(&mut set).map(|element| element.body) {
            if let (Some(kind), Some(value)) = (expect(&mut pair, OID), next(&mut pair)) {
                found.push((kind, value.body));
            }
        }
    }
    found.into_iter()
}

/// Argument 2 is the only format there is besides the default.
fn prepare_dn(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    match args.str(2) {
        None | Some("") => Ok(()),
        Some("rfc2253") => {
            args.set(2, Arg::Int(1));
            Ok(())
        }
        Some(other) => Err(format!("only rfc2253 or a blank value are currently supported, got '{other}'")),
    }
}

/// A whole name, or the value of one of its attributes.
fn name<'a>(env: &Env<'a>, args: &Args, dn: &'a [u8]) -> Option<Sample<'a>> {
    let wanted = args.str(0).unwrap_or("");
    if wanted.is_empty() {
        let rfc2253 = args.int(2) == Some(1);
        return env.arena.build(|out| push_name(out, dn, rfc2253)).map(Sample::Str);
    }
    let position = args.int(1).filter(|position| *position != 0).unwrap_or(1);
    let nth = usize::try_from(position.unsigned_abs()).ok()? - 1;
    let mut label = Vec::new();
    let mut fits = |kind: &[u8]| {
        label.clear();
        push_kind(&mut label, kind);
        label == wanted.as_bytes()
    };
    let mut list = attributes(dn);
    let (_, value) = if position > 0 {
        list.filter(|(kind, _)| fits(kind)).nth(nth)?
    } else {
        list.by_ref().rev().filter(|(kind, _)| fits(kind)).nth(nth)?
    };
    Some(Sample::Str(value))
}

fn push_name(out: &mut Vec<u8>, dn: &[u8], rfc2253: bool) {
    if rfc2253 {
        for (kind, value) in attributes(dn).rev() {
            if !out.is_empty() {
                out.push(b',');
            }
            push_kind(out, kind);
            out.push(b'=');
            push_escaped(out, value);
        }
        return;
    }
    for (kind, value) in attributes(dn) {
        out.push(b'/');
        push_kind(out, kind);
        out.push(b'=');
        out.extend_from_slice(value);
    }
}

/// RFC 2253 §2.4.
fn push_escaped(out: &mut Vec<u8>, value: &[u8]) {
    for (at, &byte) in value.iter().enumerate() {
        let edge = (at == 0 && matches!(byte, b' ' | b'#')) || (at + 1 == value.len() && byte == b' ');
        if edge || matches!(byte, b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';') {
            out.push(b'\\');
        }
        out.push(byte);
    }
}

/// Attribute types by their short names, others as dotted numbers.
fn push_kind(out: &mut Vec<u8>, oid: &[u8]) {
    let known: &str = match oid {
        [0x55, 0x04, 3] => "CN",
        [0x55, 0x04, 4] => "SN",
        [0x55, 0x04, 5] => "serialNumber",
        [0x55, 0x04, 6] => "C",
        [0x55, 0x04, 7] => "L",
        [0x55, 0x04, 8] => "ST",
        [0x55, 0x04, 9] => "street",
        [0x55, 0x04, 10] => "O",
        [0x55, 0x04, 11] => "OU",
        [0x55, 0x04, 12] => "title",
        [0x55, 0x04, 13] => "description",
        [0x55, 0x04, 17] => "postalCode",
        [0x55, 0x04, 41] => "name",
        [0x55, 0x04, 42] => "GN",
        [0x55, 0x04, 43] => "initials",
        [0x55, 0x04, 44] => "generationQualifier",
        [0x55, 0x04, 46] => "dnQualifier",
        [0x55, 0x04, 65] => "pseudonym",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1] => "emailAddress",
        [9, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1] => "UID",
        [9, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25] => "DC",
        _ => return push_oid(out, oid),
    };
    out.extend_from_slice(known.as_bytes());
}

fn push_oid(out: &mut Vec<u8>, oid: &[u8]) {
    let (mut value, mut first) = (0u64, true);
    for &byte in oid {
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        if std::mem::take(&mut first) {
            let root = (value / 40).min(2);
            push_int(out, root as i64);
            value -= root * 40;
        }
        out.push(b'.');
        push_int(out, value as i64);
        value = 0;
    }
}

/// Dates as `YYMMDDhhmmssZ`.
fn date<'a>(env: &Env<'a>, element: Element<'a>) -> Option<Sample<'a>> {
    const UTC_TIME: u8 = 0x17;
    const GENERALIZED_TIME: u8 = 0x18;
    match element.tag {
        UTC_TIME if element.body.len() >= 12 => Some(Sample::Str(element.body)),
        // Two digits of the year only, and none of the fraction.
        GENERALIZED_TIME if element.body.len() >= 14 => env
            .arena
            .build(|out| {
                out.extend_from_slice(&element.body[2..14]);
                if element.body.ends_with(b"Z") {
                    out.push(b'Z');
                }
            })
            .map(Sample::Str),
        _ => None,
    }
}

/// Algorithms by the names OpenSSL prints, others as dotted numbers.
fn algorithm<'a>(env: &Env<'a>, oid: &[u8]) -> Option<Sample<'a>> {
    const PKCS1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1];
    const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4];
    let known = match oid {
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1] => "id-ecPublicKey",
        [0x2b, 0x65, 112] => "ED25519",
        [0x2b, 0x65, 113] => "ED448",
        _ => match (oid.strip_prefix(PKCS1), oid.strip_prefix(ECDSA)) {
            (Some([1]), _) => "rsaEncryption",
            (Some([5]), _) => "RSA-SHA1",
            (Some([10]), _) => "RSASSA-PSS",
            (Some([11]), _) => "RSA-SHA256",
            (Some([12]), _) => "RSA-SHA384",
            (Some([13]), _) => "RSA-SHA512",
            (_, Some([1])) => "ecdsa-with-SHA1",
            (_, Some([3, 2])) => "ecdsa-with-SHA256",
            (_, Some([3, 3])) => "ecdsa-with-SHA384",
            (_, Some([3, 4])) => "ecdsa-with-SHA512",
            _ => return env.arena.build(|out| push_oid(out, oid)).map(Sample::Str),
        },
    };
    env.arena.copy(known.as_bytes()).map(Sample::Str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::{Arena, Facts, NoBuild, Now, Registry, Vars, parse};

    /// Made by `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -set_serial 0x8001
    /// -not_before 20240101000000Z -not_after 20600102030405Z
    /// -subj "/C=FR/O=Test, Inc/OU=one/OU=two/CN=client.example"`.
    const DER: &[u8] = include_bytes!("testdata/client.der");

    struct Session;

    impl Facts for Session {
        fn now(&self) -> Now {
            Now { date: std::time::Duration::ZERO, instant: crate::expr::testing::instant() }
        }
        fn tls(&self, side: Side, fact: TlsFact) -> Option<Sample<'_>> {
            match (side, fact) {
                (Side::Client, TlsFact::PeerCertificate) => Some(Sample::Bin(DER)),
                _ => None,
            }
        }
    }

    fn eval(text: &str) -> Option<String> {
        let program = parse::parse(text, &Registry::builtin(), &mut NoBuild).unwrap();
        let arena = Arena::new();
        let text = program.eval_str(&Env::new(&Session, Vars::NONE, &arena))?.to_vec();
        Some(String::from_utf8(text).unwrap())
    }

    #[test]
    fn a_certificate_tells_its_names_dates_and_algorithms() {
        for (text, expected) in [
            ("ssl_c_s_dn", "/C=FR/O=Test, Inc/OU=one/OU=two/CN=client.example"),
            ("ssl_c_i_dn", "/C=FR/O=Test, Inc/OU=one/OU=two/CN=client.example"),
            ("ssl_c_s_dn(,0,rfc2253)", "CN=client.example,OU=two,OU=one,O=Test\\, Inc,C=FR"),
            ("ssl_c_s_dn(CN)", "client.example"),
            ("ssl_c_s_dn(OU)", "one"),
            ("ssl_c_s_dn(OU,2)", "two"),
            ("ssl_c_s_dn(OU,-1)", "two"),
            ("ssl_c_s_dn(OU,-2)", "one"),
            ("ssl_c_serial,hex", "8001"),
            ("ssl_c_version", "3"),
            ("ssl_c_notbefore", "240101000000Z"),
            ("ssl_c_notafter", "600102030405Z"),
            ("ssl_c_key_alg", "id-ecPublicKey"),
            ("ssl_c_sig_alg", "ecdsa-with-SHA256"),
        ] {
            assert_eq!(eval(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(eval("ssl_c_s_dn(OU,3)"), None);
        assert_eq!(eval("ssl_f_s_dn"), None);
        assert!(parse::parse("ssl_c_s_dn(,0,x)", &Registry::builtin(), &mut NoBuild).is_err());
    }

    #[test]
    fn damaged_certificates_never_panic() {
        for cut in 0..DER.len() {
            assert!(Certificate::parse(&DER[..cut]).is_none() || cut > 200);
        }
        for at in 0..DER.len() {
            for value in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut bad = DER.to_vec();
                bad[at] = value;
                if let Some(parsed) = Certificate::parse(&bad) {
                    push_name(&mut Vec::new(), parsed.subject, at % 2 == 0);
                    push_oid(&mut Vec::new(), parsed.key_algorithm);
                }
            }
        }
    }
}
