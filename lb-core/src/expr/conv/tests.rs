//! Converters against the examples of the manual and values computed elsewhere.

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "crypto")]
use crate::expr::CertificatePart;
use crate::expr::map::Reference;
use crate::expr::{
    Arena, Build, Env, NoBuild, NoFacts, Now, Program, Registry, Sample, TokenKeys, VarScope, Vars, parse,
};

/// Gives every map name the same small map.
#[derive(Default)]
struct Maps(Arc<TokenKeys>);

impl Build for Maps {
    fn patterns(&mut self, file: &str, as_map: bool) -> Result<Arc<Reference>, String> {
        let text = match file {
            "hosts" => "a.example be_a\nb.example be_b\n",
            "nets" => "10.0.0.0/8 ten\n10.1.0.0/16 ten-one\n",
            "addrs" => "a 10.0.0.1\n",
            "codes" => "1:9 low\n10: high\n",
            other => return Err(format!("no map {other}")),
        };
        Ok(Reference::from_text(file, text, as_map))
    }

    #[cfg(feature = "crypto")]
    fn file(&mut self, name: &str) -> Result<Vec<u8>, String> {
        if name == "cert" { Ok(CERTIFICATE.into()) } else { Err(format!("no file {name}")) }
    }

    #[cfg(feature = "crypto")]
    fn certificates(&self) -> Vec<(String, bool)> {
        vec![("@store/cert".to_owned(), true), ("shown".to_owned(), false)]
    }

    #[cfg(feature = "crypto")]
    fn certificate(&mut self, name: &str, part: CertificatePart) -> Option<Vec<u8>> {
        let known = self.certificates().iter().any(|(certificate, _)| certificate == name);
        (known && part == CertificatePart::Public).then(|| CERTIFICATE.into())
    }

    fn token_keys(&mut self) -> Arc<TokenKeys> {
        Arc::clone(&self.0)
    }

    fn env(&self, name: &str) -> Option<String> {
        (name == "HOME").then(|| "/root".to_owned())
    }
}

/// Evaluates an expression; `None` if it finds nothing.
fn eval(text: &str) -> Option<String> {
    let [found] = eval_all([text]);
    found
}

/// Evaluates the expressions of one configuration.
fn eval_all<const N: usize>(texts: [&str; N]) -> [Option<String>; N] {
    let (registry, mut maps) = (Registry::builtin(), Maps::default());
    let mut parsed =
        |text: &str| parse::parse(text, &registry, &mut maps).unwrap_or_else(|e| panic!("{text}: {e}"));
    texts.map(&mut parsed).map(|program| run(&program))
}

fn run(program: &Program) -> Option<String> {
    let facts = NoFacts(Now {
        date: Duration::from_millis(1_792_682_910_123),
        instant: crate::expr::testing::instant(),
    });
    let (txn, arena) = (VarScope::new(), Arena::new());
    txn.set(&"a".into(), &Sample::Str(b"abc"));
    txn.set(&"n".into(), &Sample::Int(3));
    txn.set(&"alg".into(), &Sample::Str(b"HS256"));
    for (name, certificate) in [("stored", "@store/cert"), ("shown", "shown"), ("file", "cert")] {
        txn.set(&name.into(), &Sample::Str(certificate.as_bytes()));
    }
    let vars = Vars { transaction: Some(&txn), ..Vars::NONE };
    let env = Env::new(&facts, vars, &arena);
    let sample = program.eval(&env)?;
    let mut out = Vec::new();
    match sample {
        Sample::Bin(bytes) => out.extend_from_slice(bytes),
        other => other.write_text(&mut out),
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(eval(text).as_deref(), Some(*expected), "{text}");
    }
}

#[test]
fn fields_and_words_follow_the_manual() {
    check(&[
        ("str(f1_f2_f3__f5),field(4,_)", ""),
        ("str(f1_f2_f3__f5),field(5,_)", "f5"),
        ("str(f1_f2_f3__f5),field(2,_,0)", "f2_f3__f5"),
        ("str(f1_f2_f3__f5),field(2,_,2)", "f2_f3"),
        ("str(f1_f2_f3__f5),field(-2,_,3)", "f2_f3_"),
        ("str(f1_f2_f3__f5),field(-3,_,0)", "f1_f2_f3"),
        ("str(f1_f2_f3__f5),word(4,_)", "f5"),
        ("str(f1_f2_f3__f5),word(2,_,0)", "f2_f3__f5"),
        ("str(f1_f2_f3__f5),word(3,_,2)", "f3__f5"),
        ("str(f1_f2_f3__f5),word(-2,_,3)", "f1_f2_f3"),
        ("str(f1_f2_f3__f5),word(-3,_,0)", "f1_f2"),
        ("str(/f1/f2/f3/f4),word(1,/)", "f1"),
        ("str(/f1////f2/f3/f4),word(2,/)", "f2"),
    ]);
    assert_eq!(eval("str(f1_f2_f3__f5),word(5,_)"), None);
    assert_eq!(eval("str(f1_f2),field(3,_)"), None);
}

#[test]
fn text_converters_follow_the_manual() {
    check(&[
        ("str(a=b&c=d&a=r),param(a)", "b"),
        ("str(a&b=c),param(a)", ""),
        ("str(a=&b&c=a),param(b)", ""),
        ("str(a=1;b=2;c=4),param(b,;)", "2"),
        ("str(AbC),lower", "abc"),
        ("str(AbC),upper", "ABC"),
        ("str(AbC),length", "3"),
        ("str(example.com),reverse", "moc.elpmaxe"),
        ("str(mail.example.com.),reverse_dom", "com.example.mail"),
        ("str(xxabxx),ltrim(x)", "abxx"),
        ("str(xxabxx),rtrim(x)", "xxab"),
        ("str(x),concat(<ip=,txn.a,>)", "x<ip=abc>"),
        ("str(),concat('addr=(',txn.n),concat(',',txn.nothing,')')", "addr=(3,)"),
        ("str(x),add_item(\",\",txn.a,\"(s)\")", "x,abc(s)"),
        ("str(),add_item(\",\",txn.a)", "abc"),
        ("str(x),add_item(\",\",txn.nothing,\"(s)\")", "x,(s)"),
        ("str(x),add_item(\",\",txn.nothing)", "x"),
        ("str(x),add_item(\",\",,y)", "x,y"),
        ("bool(true),iif(https,http)", "https"),
        ("int(0),iif(https,http)", "http"),
        ("str(a%20b+c?d+e),url_dec", "a b+c?d e"),
        ("str(a+b),url_dec(1)", "a b"),
        ("str(a b/c?d),url_enc", "a%20b%2Fc%3Fd"),
        ("str('Very \"Ugly\" UA 1/2'),json(utf8s)", "Very \\\"Ugly\\\" UA 1\\/2"),
        ("bin(c3a9e2),json(utf8s)", "\\u00e9"),
        ("bin(c3a9),json", "\\u00c3\\u00a9"),
        ("str(WWW.Example.org:80),host_only", "www.example.org"),
        ("str([::1]:8080),port_only", "8080"),
        ("str([::1]),host_only", "[::1]"),
        ("str(example.org),port_only", "0"),
        ("str('fr;q=0.5,en-gb;q=0.7,de;q=0'),language(fr;en;de)", "en"),
        ("str(xx),language(fr;en,none)", "none"),
        ("str(\"a\\r\\nb\"),cut_crlf", "a"),
    ]);
    assert_eq!(eval("str(a..b),reverse_dom"), None);
    assert_eq!(eval("str(%4),url_dec"), None);
    assert_eq!(eval("bin(c3),json(utf8)"), None);
}

#[test]
fn numbers_saturate_and_read_variables() {
    check(&[
        ("int(5),add(3)", "8"),
        ("int(5),sub(txn.n)", "2"),
        ("int(9223372036854775807),add(1)", "9223372036854775807"),
        ("int(9223372036854775807),mul(-2)", "-9223372036854775808"),
        ("int(7),div(2)", "3"),
        ("int(7),div(0)", "9223372036854775807"),
        ("int(-9223372036854775808),div(-1)", "9223372036854775807"),
        ("int(7),mod(0)", "0"),
        ("int(-9223372036854775808),mod(-1)", "0"),
        ("int(6),and(3)", "2"),
        ("int(6),or(1)", "7"),
        ("int(6),xor(2)", "4"),
        ("int(6),cpl", "-7"),
        ("int(6),neg", "-6"),
        ("int(6),odd", "0"),
        ("int(6),even", "1"),
        ("int(6),not", "0"),
        ("int(258),htonl,hex", "00000102"),
        ("str(ff),hex2i", "255"),
        ("str(10000000000000002a),hex2i", "42"),
        ("bin(01),base2", "00000001"),
        ("bin(01020304050607),be2hex", "01020304050607"),
        ("bin(01020304050607),be2hex(:,2)", "0102:0304:0506:07"),
        ("bin(01020304050607),be2hex(--,2,1)", "0102--0304--0506"),
        ("bin(0102030405060708),be2hex(,3,1)", "010203040506"),
        ("bin(01020304050607),be2dec(:,2)", "258:772:1286:7"),
        ("bin(01020304050607),be2dec(-,2,1)", "258-772-1286"),
        ("bin(01020304050607),be2dec(,2,1)", "2587721286"),
        ("bin(7f000001),be2dec(.,1)", "127.0.0.1"),
        ("bin(01020304050607),le2dec(:,2)", "513:1027:1541:7"),
        ("ipv4(10.1.2.3),ipmask(16)", "10.1.0.0"),
        ("ipv6(2001:db8::1),ipmask(16,32)", "2001:db8::"),
        ("ipv6(::ffff:10.1.2.3),ipmask(16,32)", "10.1.0.0"),
        ("str(10.1.2.3),ipmask(255.0.0.0)", "10.0.0.0"),
    ]);
    assert_eq!(eval("ipv6(2001:db8::1),ipmask(16)"), None);
    assert_eq!(eval("int(5),add(txn.nothing)"), None);
    assert_eq!(eval("str(zz),hex2i"), None);
}

#[test]
fn bytes_are_cut_as_in_the_manual() {
    check(&[
        ("str(012345),bytes(0)", "012345"),
        ("str(012345),bytes(1,3)", "123"),
        ("str(012345),bytes(txn.n,txn.n)", "345"),
        ("str(012345),bytes(4,9)", "45"),
        ("str(012345),bytes(6)", ""),
    ]);
}

#[test]
fn base_64_round_trips_and_refuses_garbage() {
    check(&[
        ("str(a),base64", "YQ=="),
        ("str(ab),base64", "YWI="),
        ("str(abc),base64", "YWJj"),
        ("bin(fbff),base64", "+/8="),
        ("bin(fbff),ub64enc", "-_8"),
        ("str(YWI=),b64dec", "ab"),
        ("str(-_8),ub64dec,hex", "FBFF"),
        ("str(-_8=),ub64dec,hex", "FBFF"),
    ]);
    for text in ["str(YWI),b64dec", "str(Y===),b64dec", "str(Y!==),b64dec", "str(YWJjZ),ub64dec"] {
        assert_eq!(eval(text), None, "{text}");
    }
}

#[test]
fn hashes_equal_those_of_haproxy() {
    // Produced by HAProxy 3.4.0 with `http-request return lf-string "%[str(hello),sdbm]"` etc.
    check(&[
        ("bin(0102),djb2", "5859944"),
        ("str(hello),sdbm", "684824882"),
        ("str(hello),wt6", "3538347703"),
        ("str(hello),wt6(1)", "140457739"),
        ("str(hello),djb2(1)", "1119739105"),
        ("str(hello),crc32", "907060870"),
        ("str(hello),crc32c", "2591144780"),
        ("str(hello),xxh32", "4211111929"),
        ("str(hello),xxh64", "2794345569481354659"),
        ("str(hello),xxh64(5)", "5588056476589539108"),
        ("str(hello),xxh3", "-7685981735718036227"),
        ("str(hello),xxh3(5)", "-5040988036188159185"),
    ]);
}

#[test]
fn json_is_queried() {
    let document =
        r#"str('{"integer":4,"my.key":"my\\u00e9value","no":false,"f":1.50,"a":["x","y"],"o":{}}')"#;
    let look = |query: &str| eval(&format!("{document},json_query({query})"));
    assert_eq!(look("'$.integer','int'").as_deref(), Some("4"));
    assert_eq!(look("'$.integer'").as_deref(), Some("4"));
    assert_eq!(look("'$.f'").as_deref(), Some("1.5"));
    assert_eq!(look("'$.no'").as_deref(), Some("0"));
    assert_eq!(look("'$.a'").as_deref(), Some("[\"x\",\"y\"]"));
    assert_eq!(look("'$.a[1]'").as_deref(), Some("y"));
    assert_eq!(look("'$.o'"), None);
    assert_eq!(look("'$.none'"), None);
    check(&[
        ("str(eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJtZSJ9.sig),jwt_header_query('$.alg')", "HS256"),
        ("str(eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJtZSJ9.sig),jwt_payload_query('$.iss')", "me"),
        ("str(eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJtZSJ9.sig),jwt_payload_query", "{\"iss\":\"me\"}"),
    ]);
}

#[cfg(feature = "crypto")]
#[test]
fn ciphers_equal_those_of_openssl_and_turn_back() {
    let (nonce, key) = ("MTIzNDU2Nzg5MDEyMzQ1Ng==", "Zm9vb2Zvb29mb29vb29vbw==");
    let cbc = format!("str(hello),aes_cbc_enc(128,{nonce},{key})");
    assert_eq!(eval(&format!("{cbc},hex")).as_deref(), Some("B5A3E960DA9F07C571DF171D9F9AAD35"));
    assert_eq!(eval(&format!("{cbc},aes_cbc_dec(128,{nonce},{key})")).as_deref(), Some("hello"));
    // A short nonce is filled with zeroes; additional data is of no account here.
    let short = "str(hello),aes_cbc_enc(128,MTIzNDU2Nzg5MDEy,{key},dGVzdAo=),aes_cbc_dec(128,MTIzNDU2Nzg5MDEyAAAAAA==,{key})";
    assert_eq!(eval(&short.replace("{key}", key)).as_deref(), Some("hello"));
    let gcm = format!("str(hello),aes_gcm_enc(128,MTIzNDU2Nzg5MDEy,{key},txn.tag)");
    assert_eq!(eval(&format!("{gcm},hex")).as_deref(), Some("8964610730"));
    let back = |tag: &str| eval(&format!("{gcm},aes_gcm_dec(128,MTIzNDU2Nzg5MDEy,{key},{tag})"));
    assert_eq!(back("txn.tag").as_deref(), Some("hello"));
    assert_eq!(back("FAlaSVulekY9l5fVgJBH8A=="), None);
}

#[cfg(feature = "crypto")]
#[test]
fn digests_equal_those_of_haproxy() {
    check(&[
        ("str(hello),sha1,hex", "AAF4C61DDCC5E8A2DABEDE0F3B482CD9AEA9434D"),
        ("str(hello),sha2,hex", "2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824"),
        (
            "str(hello),hmac(sha256,Zm9v),hex",
            "340256C4276B2D3483F02FEFCF22DD20384B1FAA5C0AC8802A577F332FD282CE",
        ),
        ("str(hello),digest(MD5),hex", "5D41402ABC4B2A76B9719D911017C592"),
        ("str(hello),hmac(md5,Zm9v),hex", "EF2AC8901530DB30AA56929ADFE5E13B"),
        ("str(hello),digest(rmd160),hex", "108F07B8382412612C048D07D13F814118445ACD"),
        (
            "str(hello),digest(blake2s256),hex",
            "19213BACC58DEE6DBDE3CEB9A47CBB330B3D86F8CCA8997EB00BE456F140CA25",
        ),
        ("str(hello),digest(blake2b512),bytes(0,16),hex", "E4CFA39A3D37BE31C59609E807970799"),
        (
            "str(hello),digest(sha-256),hex",
            "2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824",
        ),
    ]);
    let unknown = parse::parse("str(a),digest(FOO)", &Registry::builtin(), &mut NoBuild).unwrap_err();
    assert!(unknown.to_string().contains("'FOO'"), "{unknown}");
    // The example token of RFC 7519's relatives, signed with the secret `foo`.
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJtZSJ9";
    assert_eq!(eval(&format!("str({token}.AAAA),jwt_verify(HS256,foo)")).as_deref(), Some("0"));
    assert_eq!(eval(&format!("str({token}.),jwt_verify(none,foo)")).as_deref(), Some("1"));
    assert_eq!(eval("str(a.b),jwt_verify(HS256,foo)").as_deref(), Some("-3"));
}

#[cfg(feature = "crypto")]
#[test]
fn a_certificate_verifies_what_its_owner_signed_and_nothing_else() {
    let (signed, signature) = SIGNED.rsplit_once('.').unwrap();
    let verify =
        |token: &str, algorithm: &str| eval(&format!("str({token}),jwt_verify_cert({algorithm},cert)"));
    assert_eq!(verify(SIGNED, "ES256").as_deref(), Some("1"));
    assert_eq!(verify(&format!("{signed}a.{signature}"), "ES256").as_deref(), Some("0"));
    // A token cannot choose an algorithm for which there is no secret.
    assert_eq!(verify(&format!("{signed}."), "txn.alg").as_deref(), Some("-1"));
}

#[cfg(feature = "crypto")]
#[test]
fn a_certificate_named_in_place_verifies_tokens_under_its_name_everywhere() {
    let verified = |names: [&str; 2]| {
        let texts = names.map(|name| format!("str({SIGNED}),jwt_verify_cert(ES256,{name})"));
        eval_all(texts.each_ref().map(String::as_str)).map(|status| status.unwrap().parse::<i64>().unwrap())
    };
    // The one that asks for the variable comes first: what counts is the whole configuration.
    assert_eq!(verified(["txn.file", "@store/cert"]), [-5, 1]);
    assert_eq!(verified(["txn.file", "cert"]), [1, 1]);
    assert_eq!(verified(["txn.shown", "shown"]), [1, 1]);
}

#[cfg(feature = "crypto")]
#[test]
fn a_certificate_that_verifies_tokens_is_named_in_place_or_by_a_variable() {
    for (name, answer) in [
        ("@store/cert", Some("1")),
        ("txn.stored", Some("1")),
        // Whoever names it in place need not mark it for tokens.
        ("shown", Some("1")),
        ("txn.shown", Some("-7")),
        // A variable cannot name files, which are not read while the service runs.
        ("txn.file", Some("-5")),
        ("txn.nothing", None),
    ] {
        let verified = eval(&format!("str({SIGNED}),jwt_verify_cert(ES256,{name})"));
        assert_eq!(verified.as_deref(), answer, "{name}");
    }
}

/// A certificate with a key on the curve P-256, and a token its owner signed.
#[cfg(feature = "crypto")]
const CERTIFICATE: &str = "\
    -----BEGIN CERTIFICATE-----\n\
    MIIBbzCCARWgAwIBAgIUf9cGNHcy4ipAz3TTal7Zw6jIRq4wCgYIKoZIzj0EAwIw\n\
    DDEKMAgGA1UEAwwBdDAgFw0yNjExMjMwMTI0NTBaGA8yMTI2MTAzMDAxMjQ1MFow\n\
    DDEKMAgGA1UEAwwBdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABEUxli64/KI7\n\
    yXfQj9Lc5djMLSUwOk+FrfEBICMEmlmvCQDEfX/L64o4ldSrhhxzp9HoxsTHSBtl\n\
    lPawZTsGOSyjUzBRMB0GA1UdDgQWBBTV2/EMAhqsBH3OJjmlWzJvjSSRITAfBgNV\n\
    HSMEGDAWgBTV2/EMAhqsBH3OJjmlWzJvjSSRITAPBgNVHRMBAf8EBTADAQH/MAoG\n\
    CCqGSM49BAMCA0gAMEUCIQC31XLkViZzdYpVBslOQzOrnqkdOcP4nRQ9YumIn9Gt\n\
    1AIgelCQw6j+30TYq79Ynq8PtNfYeSTJYfeX9IYRXvkGsg4=\n\
    -----END CERTIFICATE-----\n\
";
#[cfg(feature = "crypto")]
const SIGNED: &str = "eyJhbGciOiJFUzI1NiJ9.\
    eyJzdWIiOiJhIn0.\
    YjfJq-e3kPcvAPYLmsRfk7K1LHafowQw6A05FiglqDfH13YfQMUuwpJ2uppAyikglz34zXO1MgP5tlfH5XRc5g";

#[test]
fn forwarded_headers_are_taken_apart_and_built() {
    check(&[
        ("str(for=127.0.0.1;proto=http),rfc7239_is_valid", "1"),
        ("str(proto=custom),rfc7239_is_valid", "0"),
        ("str('for=\"_mdn\"'),rfc7239_is_valid", "1"),
        ("str(for=127.0.0.1;for=127.0.0.2),rfc7239_is_valid", "0"),
        ("str('for=\"[ab:cd::]\"'),rfc7239_is_valid", "1"),
        ("str('for=[ab:cd::]'),rfc7239_is_valid", "0"),
        ("str('proto=https;host=\"haproxy.org:80\"'),rfc7239_field(host)", "haproxy.org:80"),
        ("str('for=\"127.0.0.1:9999\"'),rfc7239_field(for),rfc7239_n2np", "9999"),
        ("str(127.0.0.1:9999),rfc7239_n2nn", "127.0.0.1"),
        ("str([ab:cd:ff:ff:ff:ff:ff:ff]:9998),rfc7239_n2nn", "ab:cd:ff:ff:ff:ff:ff:ff"),
        ("str(_name:_port),rfc7239_n2nn", "_name"),
        ("str(_name:_port),rfc7239_n2np", "_port"),
        ("ipv6(ab:cd:ff:ff:ff:ff:ff:ff),rfc7239_nn", "[ab:cd:ff:ff:ff:ff:ff:ff]"),
        ("str(test),rfc7239_nn", "_test"),
        ("str(),rfc7239_nn", "unknown"),
        ("int(12),rfc7239_np", "12"),
        ("str(test),rfc7239_np", "_test"),
    ]);
    assert_eq!(eval("str(),rfc7239_np"), None);
    assert_eq!(eval("str(a b),rfc7239_nn"), None);
}

#[test]
fn protocol_buffers_are_read_by_field_number() {
    // 48.59.1 = 7 and 48.59.2 = -2 as int32, framed for gRPC.
    let message = "bin(0000000013820310da030d080710feffffffffffffffff01)";
    let read = |conv: &str| eval(&format!("{message},{conv}"));
    assert_eq!(read("ungrpc(48.59.1,int32)").as_deref(), Some("7"));
    assert_eq!(read("ungrpc(48.59.2,int32)").as_deref(), Some("-2"));
    assert_eq!(read("ungrpc(48.59),protobuf(1,int32)").as_deref(), Some("7"));
    assert_eq!(read("ungrpc(48),protobuf(59.1,int32)").as_deref(), Some("7"));
    assert_eq!(read("ungrpc(48.59.3,int32)"), None);
    assert_eq!(read("ungrpc(48.59.1,fixed32)"), None);
    assert_eq!(eval("bin(0801),protobuf(1,sint32)").as_deref(), Some("-1"));
    assert_eq!(eval("bin(08),protobuf(1,int32)"), None);
    assert_eq!(eval("int(10),x509_v_err_str").as_deref(), Some("X509_V_ERR_CERT_HAS_EXPIRED"));
    assert_eq!(eval("int(999),x509_v_err_str").as_deref(), Some("999"));
}

#[test]
fn dates_are_written_and_read() {
    check(&[
        ("int(784111777),http_date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("int(784111777000),http_date(1000,ms)", "Sun, 06 Nov 1994 08:49:38.0 GMT"),
        ("str('Sun, 06 Nov 1994 08:49:37 GMT'),date", "784111777"),
        ("str('Sunday, 06-Nov-94 08:49:37 GMT'),date", "784111777"),
        ("str('Sun Nov  6 08:49:37 1994'),date", "784111777"),
        ("date", "1792682910"),
        ("date(-10)", "1792682900"),
        ("date(0,ms)", "1792682910123"),
        ("date(5,us)", "1792682910123005"),
        ("date,utime(%Y%m%d%H%M%S)", "20261022152830"),
        ("date(0,ms),ms_utime(\"%H:%M:%S.%3N %z\")", "15:28:30.123 +0000"),
        ("date(0,us),us_utime(%6N)", "123000"),
    ]);
    assert_eq!(eval("str('Sun, 32 Nov 1994 08:49:37 GMT'),date"), None);
}

#[test]
fn maps_answer_by_method_and_default() {
    check(&[
        ("str(b.example),map(hosts)", "be_b"),
        ("str(x),map(hosts,none)", "none"),
        ("str(x.b.example),map_end_key(hosts)", "b.example"),
        ("str(10.1.2.3),map_ip(nets)", "ten-one"),
        ("ipv4(10.2.2.3),map_ip(nets)", "ten"),
        ("int(12),map_int(codes)", "high"),
        ("str(x),map_str_ip(addrs,192.0.2.1)", "192.0.2.1"),
        ("str(a),map_str_ip(addrs)", "10.0.0.1"),
        ("str(a),map_str_ip(addrs),ipmask(8)", "10.0.0.0"),
    ]);
    assert_eq!(eval("str(x),map(hosts)"), None);
}

#[test]
fn variables_are_set_compared_and_removed() {
    check(&[
        ("str(x),set-var(txn.z),strcmp(txn.z)", "0"),
        ("str(abd),strcmp(txn.a)", "1"),
        ("str(ab),strcmp(txn.a)", "-1"),
        ("str(abc),secure_memcmp(txn.a)", "1"),
        ("str(abd),secure_memcmp(txn.a)", "0"),
        ("int(9),set-var(txn.n,iflt),add(txn.n)", "18"),
        ("int(9),set-var(txn.n,ifgt),add(txn.n)", "12"),
        ("str(q),set-var(txn.a,ifnotexists),concat(,txn.a)", "qabc"),
        ("str(q),unset-var(txn.a),concat(,txn.a)", "q"),
        ("var(txn.nothing,deflt)", "deflt"),
        ("env(HOME)", "/root"),
    ]);
    assert_eq!(eval("var(txn.nothing)"), None);
    assert_eq!(eval("env(NOPE)"), None);
}

#[cfg(feature = "regex")]
#[test]
fn substitutions_follow_the_manual() {
    check(&[
        ("str(/////a///b/c/xzxyz/),regsub('/+','/','g')", "/a/b/c/xzxyz/"),
        ("str(?;a=b&c),regsub([?;&]*,'')", "a=b&c"),
        ("str(foo42),regsub(\"(foo|bar)([0-9]+)?\",\"\\2\\1\",i)", "42foo"),
        ("str(xbx),regsub(x*,-,g)", "--b--"),
        ("str(aXbxc),regsub(x,-,gi)", "a-b-c"),
        ("str(abc),regsub(x*,-,g)", "-a-b-c-"),
    ]);
}

#[test]
fn arguments_are_checked_when_parsed() {
    let registry = Registry::builtin();
    for text in [
        "str(x),field(0,_)",
        "str(x),nope",
        "nope",
        "",
        "str(x",
        "int(x)",
        "str(x),map(missing)",
        "str(x),map_str_ip(nets)",
        "str(x),json(foo)",
        "str(x),param(a,ab)",
        "str(x),bytes(-1)",
        "int(1),add(foo)",
        "bin(0102),be2dec(:,9)",
        "bin(0102),be2hex(:)",
        "always_true,ipmask(8)",
        "str(x)lower",
        "date(0,fortnight)",
        "uuid(5)",
    ] {
        assert!(parse::parse(text, &registry, &mut Maps::default()).is_err(), "{text}");
    }
    let error = parse::parse("src,lowr", &registry, &mut Maps::default()).unwrap_err();
    assert_eq!((error.start, error.end, error.to_string()), (4, 8, "unknown converter 'lowr'".into()));
}
