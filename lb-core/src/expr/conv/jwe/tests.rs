use super::*;

/// Appendix A.3 of RFC 7516.
const WRAPPED: &str = "eyJhbGciOiJBMTI4S1ciLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0.\
    6KB707dM9YTIgHtLvtgWQ8mKwboJW3of9locizkDTHzBC2IlrT1oOQ.AxY8DCtDaGlsbGljb3RoZQ.\
    KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY.U0m_YmjN04DJvceFICbCVQ";

fn open(token: &str, key: &Key) -> Option<Vec<u8>> {
    decrypt(token.as_bytes(), TokenAlgorithms::default(), key)
}

#[test]
fn the_token_of_the_standard_is_opened() {
    let jwk = br#"{"kty":"oct","k":"GawgguFyGrWKav7AX4VKUg"}"#;
    assert_eq!(open(WRAPPED, &Key::of_jwk(jwk).unwrap()).unwrap(), b"Live long and prosper.");
    let secret = Key::Secret(decoded(b"GawgguFyGrWKav7AX4VKUg", base64::URL).unwrap());
    assert!(open(WRAPPED, &secret).is_some());
}

#[test]
fn what_was_changed_on_its_way_is_not_opened() {
    let bytes = decoded(b"GawgguFyGrWKav7AX4VKUg", base64::URL).unwrap();
    let short = Key::Secret(bytes[..15].to_vec());
    let secret = Key::Secret(bytes);
    for at in 0..WRAPPED.len() {
        let mut token = WRAPPED.to_owned();
        token.replace_range(at..=at, if &token[at..=at] == "A" { "B" } else { "A" });
        // The last digit of a part may hold bits that mean nothing.
        let plain = open(&token, &secret);
        assert!(plain.is_none_or(|plain| plain == b"Live long and prosper."), "{at}");
    }
    for cut in 0..WRAPPED.len() - 1 {
        assert!(open(&WRAPPED[..cut], &secret).is_none());
    }
    assert!(open(WRAPPED, &short).is_none());
}

#[test]
fn an_agreed_key_is_derived_as_in_the_standard() {
    // Appendix C of RFC 7518: Alice's side, with the roles of the keys turned around.
    let header = br#"{"alg":"ECDH-ES","enc":"A128GCM","apu":"QWxpY2U","apv":"Qm9i","epk":{"kty":"EC",
        "crv":"P-256","x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
        "y":"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"}}"#;
    let bob = br#"{"kty":"EC","crv":"P-256","d":"VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"}"#;
    let bob = Key::of_jwk(bob).unwrap();
    let key = content_key(header, b"ECDH-ES", Contents::Gcm(16), Vec::new(), &bob).unwrap();
    assert_eq!(key, decoded(b"VqqN6vgjbSBcIijNcacQGg", base64::URL).unwrap());
}

/// One token for each algorithm that keys of certificates are for: the kind of key, then the token.
const ASYMMETRIC: &str = include_str!("tokens.txt");
const RSA: &[u8] = include_bytes!("../../../../../benches/certs/rsa.pem");
const EC: &[u8] = include_bytes!("../../../../../benches/certs/ecdsa.pem");

fn all() -> TokenAlgorithms {
    let mut all = TokenAlgorithms::default();
    all.limit_keys("ALL").unwrap();
    all
}

#[test]
fn keys_of_certificates_open_what_was_made_for_them() {
    for line in ASYMMETRIC.lines() {
        let (kind, token) = line.split_once(' ').unwrap();
        let (own, other) = if kind == "rsa" { (RSA, EC) } else { (EC, RSA) };
        let plain = decrypt(token.as_bytes(), all(), &Key::of_pem(own).unwrap());
        assert_eq!(plain.as_deref(), Some(&b"Live long and prosper."[..]), "{token}");
        assert!(decrypt(token.as_bytes(), all(), &Key::of_pem(other).unwrap()).is_none(), "{token}");
    }
}

#[test]
fn algorithms_that_are_not_accepted_open_nothing() {
    let key = Key::of_pem(RSA).unwrap();
    let token = |at| ASYMMETRIC.lines().nth(at).unwrap().split_once(' ').unwrap().1;
    assert!(open(token(0), &key).is_some());
    assert!(open(token(2), &key).is_none(), "the weakest one must be asked for");
    let mut few = TokenAlgorithms::default();
    few.limit_contents("ALL:!A128GCM").unwrap();
    assert!(decrypt(token(0).as_bytes(), few, &key).is_none());
}

#[test]
fn a_bad_padding_is_replaced_by_a_random_key() {
    let Some(Key::Rsa(own)) = Key::of_pem(RSA) else { panic!("no key") };
    let bad = [7; 256];
    let (first, second) =
        (by_rsa_1_5(Contents::Cbc(16), &bad, &own), by_rsa_1_5(Contents::Cbc(16), &bad, &own));
    assert_eq!(first.as_ref().map(Vec::len), Some(32));
    assert_ne!(first, second);
}

#[test]
fn the_key_of_a_certificate_may_be_written_in_its_own_form() {
    let text = "-----BEGIN EC PRIVATE KEY-----\n\
        MHcCAQEEIPQNxniJ396tPfVz+N94j8UdRLNGK68uqMq4U/eYCiQ8oAoGCCqGSM49\n\
        AwEHoUQDQgAENjTbtzOw0VChZwInD76E1aAB+sepjMQd8oJk62eQsJa6lNVinsf9\n\
        WTq0QZkjwVrvgjpxz+3bAJ/2Ev7Aon+TAQ==\n\
        -----END EC PRIVATE KEY-----\n";
    let token = ASYMMETRIC.lines().next_back().unwrap().split_once(' ').unwrap().1;
    assert!(open(token, &Key::of_pem(text.as_bytes()).unwrap()).is_some());
    for bad in
        ["", "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"]
    {
        assert!(Key::of_pem(bad.as_bytes()).is_none(), "{bad}");
    }
}
