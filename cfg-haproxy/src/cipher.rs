//! OpenSSL cipher strings (`ECDHE+AESGCM:!aNULL`), evaluated over the cipher suites of TLS 1.2 and mapped to those the
//! TLS library has.

/// One suite with what cipher strings can ask of it.
struct Suite {
    name: &'static str,
    /// Key exchange, authentication, cipher, mode, hash and strength as the words that select it.
    words: &'static [&'static str],
    /// Whether the TLS library has it.
    present: bool,
}

const fn suite(name: &'static str, words: &'static [&'static str], present: bool) -> Suite {
    Suite { name, words, present }
}

const SUITES: &[Suite] = &[
    suite(
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        &["kECDHE", "aECDSA", "AES256", "AES", "AESGCM", "SHA384", "HIGH", "TLSv1.2"],
        true,
    ),
    suite(
        "ECDHE-RSA-AES256-GCM-SHA384",
        &["kECDHE", "aRSA", "AES256", "AES", "AESGCM", "SHA384", "HIGH", "TLSv1.2"],
        true,
    ),
    suite(
        "DHE-RSA-AES256-GCM-SHA384",
        &["kDHE", "aRSA", "AES256", "AES", "AESGCM", "SHA384", "HIGH", "TLSv1.2"],
        false,
    ),
    suite("ECDHE-ECDSA-CHACHA20-POLY1305", &["kECDHE", "aECDSA", "CHACHA20", "HIGH", "TLSv1.2"], true),
    suite("ECDHE-RSA-CHACHA20-POLY1305", &["kECDHE", "aRSA", "CHACHA20", "HIGH", "TLSv1.2"], true),
    suite("DHE-RSA-CHACHA20-POLY1305", &["kDHE", "aRSA", "CHACHA20", "HIGH", "TLSv1.2"], false),
    suite(
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        &["kECDHE", "aECDSA", "AES128", "AES", "AESGCM", "SHA256", "HIGH", "TLSv1.2"],
        true,
    ),
    suite(
        "ECDHE-RSA-AES128-GCM-SHA256",
        &["kECDHE", "aRSA", "AES128", "AES", "AESGCM", "SHA256", "HIGH", "TLSv1.2"],
        true,
    ),
    suite(
        "DHE-RSA-AES128-GCM-SHA256",
        &["kDHE", "aRSA", "AES128", "AES", "AESGCM", "SHA256", "HIGH", "TLSv1.2"],
        false,
    ),
    suite(
        "ECDHE-ECDSA-AES256-SHA384",
        &["kECDHE", "aECDSA", "AES256", "AES", "SHA384", "HIGH", "TLSv1.2"],
        false,
    ),
    suite(
        "ECDHE-RSA-AES256-SHA384",
        &["kECDHE", "aRSA", "AES256", "AES", "SHA384", "HIGH", "TLSv1.2"],
        false,
    ),
    suite("DHE-RSA-AES256-SHA256", &["kDHE", "aRSA", "AES256", "AES", "SHA256", "HIGH", "TLSv1.2"], false),
    suite(
        "ECDHE-ECDSA-AES128-SHA256",
        &["kECDHE", "aECDSA", "AES128", "AES", "SHA256", "HIGH", "TLSv1.2"],
        false,
    ),
    suite(
        "ECDHE-RSA-AES128-SHA256",
        &["kECDHE", "aRSA", "AES128", "AES", "SHA256", "HIGH", "TLSv1.2"],
        false,
    ),
    suite("DHE-RSA-AES128-SHA256", &["kDHE", "aRSA", "AES128", "AES", "SHA256", "HIGH", "TLSv1.2"], false),
    suite("ECDHE-ECDSA-AES256-SHA", &["kECDHE", "aECDSA", "AES256", "AES", "SHA1", "HIGH", "TLSv1"], false),
    suite("ECDHE-RSA-AES256-SHA", &["kECDHE", "aRSA", "AES256", "AES", "SHA1", "HIGH", "TLSv1"], false),
    suite("DHE-RSA-AES256-SHA", &["kDHE", "aRSA", "AES256", "AES", "SHA1", "HIGH", "SSLv3"], false),
    suite("DHE-DSS-AES256-SHA", &["kDHE", "aDSS", "AES256", "AES", "SHA1", "HIGH", "SSLv3"], false),
    suite("ECDHE-ECDSA-AES128-SHA", &["kECDHE", "aECDSA", "AES128", "AES", "SHA1", "HIGH", "TLSv1"], false),
    suite("ECDHE-RSA-AES128-SHA", &["kECDHE", "aRSA", "AES128", "AES", "SHA1", "HIGH", "TLSv1"], false),
    suite("DHE-RSA-AES128-SHA", &["kDHE", "aRSA", "AES128", "AES", "SHA1", "HIGH", "SSLv3"], false),
    suite("DHE-DSS-AES128-SHA", &["kDHE", "aDSS", "AES128", "AES", "SHA1", "HIGH", "SSLv3"], false),
    suite(
        "AES256-GCM-SHA384",
        &["kRSA", "aRSA", "AES256", "AES", "AESGCM", "SHA384", "HIGH", "TLSv1.2"],
        false,
    ),
    suite(
        "AES128-GCM-SHA256",
        &["kRSA", "aRSA", "AES128", "AES", "AESGCM", "SHA256", "HIGH", "TLSv1.2"],
        false,
    ),
    suite("AES256-SHA256", &["kRSA", "aRSA", "AES256", "AES", "SHA256", "HIGH", "TLSv1.2"], false),
    suite("AES128-SHA256", &["kRSA", "aRSA", "AES128", "AES", "SHA256", "HIGH", "TLSv1.2"], false),
    suite("AES256-SHA", &["kRSA", "aRSA", "AES256", "AES", "SHA1", "HIGH", "SSLv3"], false),
    suite("AES128-SHA", &["kRSA", "aRSA", "AES128", "AES", "SHA1", "HIGH", "SSLv3"], false),
    suite("CAMELLIA256-SHA", &["kRSA", "aRSA", "CAMELLIA256", "CAMELLIA", "SHA1", "HIGH", "SSLv3"], false),
    suite("CAMELLIA128-SHA", &["kRSA", "aRSA", "CAMELLIA128", "CAMELLIA", "SHA1", "HIGH", "SSLv3"], false),
    suite("PSK-AES256-CBC-SHA", &["kPSK", "aPSK", "PSK", "AES256", "AES", "SHA1", "HIGH", "SSLv3"], false),
    suite("ADH-AES256-SHA", &["kDHE", "aNULL", "ADH", "AES256", "AES", "SHA1", "HIGH", "SSLv3"], false),
    suite("NULL-SHA", &["kRSA", "aRSA", "eNULL", "SHA1", "SSLv3"], false),
];

/// What a cipher string selects.
pub(crate) struct Selection {
    /// Suites of the TLS library, most wanted first.
    pub(crate) names: Vec<&'static str>,
    /// Suites selected, whether the library has them or not.
    pub(crate) known: usize,
    /// Selected suites that the library lacks.
    pub(crate) dropped: Vec<&'static str>,
}

/// Evaluates the cipher string `text`. Words that mean nothing are ignored, as OpenSSL does.
pub(crate) fn select(text: &str) -> Selection {
    let mut active: Vec<usize> = Vec::new();
    let mut killed = vec![false; SUITES.len()];
    for token in text.split([':', ',', ' ', ';']).filter(|t| !t.is_empty()) {
        if token.starts_with('@') {
            continue;
        }
        let (operator, rest) = match token.as_bytes()[0] {
            op @ (b'!' | b'-' | b'+') => (op, &token[1..]),
            _ => (b' ', token),
        };
        let matched: Vec<usize> =
            (0..SUITES.len()).filter(|i| !killed[*i] && matches(&SUITES[*i], rest)).collect();
        match operator {
            b'!' => {
                matched.iter().for_each(|i| killed[*i] = true);
                active.retain(|i| !killed[*i]);
            }
            b'-' => active.retain(|i| !matched.contains(i)),
            b'+' => {
                let moved: Vec<usize> = active.iter().copied().filter(|i| matched.contains(i)).collect();
                active.retain(|i| !moved.contains(i));
                active.extend(moved);
            }
            _ => {
                for i in matched {
                    if !active.contains(&i) {
                        active.push(i);
                    }
                }
            }
        }
    }
    let pick = |present: bool| {
        active.iter().map(|i| &SUITES[*i]).filter(|s| s.present == present).map(|s| s.name).collect()
    };
    Selection { names: pick(true), known: active.len(), dropped: pick(false) }
}

/// `A+B` selects what both select.
fn matches(suite: &Suite, token: &str) -> bool {
    token.split('+').all(|word| one(suite, word))
}

fn one(suite: &Suite, word: &str) -> bool {
    let has = |w: &str| suite.words.contains(&w);
    let plain = !has("eNULL");
    match word {
        "ALL" => plain,
        "DEFAULT" | "COMPLEMENTOFDEFAULT" => plain && !has("aNULL") && (word == "DEFAULT"),
        "ECDHE" | "EECDH" | "kEECDH" | "ECDH" => has("kECDHE"),
        "DHE" | "EDH" | "kEDH" | "DH" => has("kDHE"),
        "RSA" => has("kRSA") || has("aRSA"),
        "ECDSA" => has("aECDSA"),
        "DSS" => has("aDSS"),
        "SHA" => has("SHA1"),
        "NULL" => has("eNULL"),
        "kPSK" | "PSK" => has("PSK"),
        "SSLv3" => has("SSLv3"),
        "TLSv1" | "TLSv1.0" => has("TLSv1") || has("SSLv3"),
        "FIPS" => plain && has("AES"),
        "AECDH" | "ADH" => has("ADH"),
        word => suite.name == word || has(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_names_keeps_its_order() {
        let s = select("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256:AES128-SHA");
        assert_eq!(s.names, ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"]);
        assert_eq!(s.dropped, ["AES128-SHA"]);
    }

    #[test]
    fn words_combine_and_exclude() {
        let s = select("ECDHE+AESGCM:!aECDSA:!AES128");
        assert_eq!(s.names, ["ECDHE-RSA-AES256-GCM-SHA384"]);
        assert_eq!(select("HIGH:!kECDHE:!kDHE:!kRSA:!PSK").known, 0);
        assert!(
            select("kEECDH+aRSA+AES:kRSA+AES:+AES256:RC4-SHA").names.contains(&"ECDHE-RSA-AES128-GCM-SHA256")
        );
    }

    #[test]
    fn a_string_that_means_nothing_selects_nothing() {
        assert_eq!(select("PROFILE=SYSTEM").known, 0);
        assert_eq!(select("RC4-MD5").known, 0);
    }
}
