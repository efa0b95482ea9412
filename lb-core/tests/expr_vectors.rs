//! Expressions against the answers of a running HAProxy; `expr_vectors/make.py` produced them.

#![cfg(all(feature = "regex", feature = "crypto"))]
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::time::{Duration, Instant};

use lb_core::expr::{Arena, Env, NoBuild, NoFacts, Now, Registry, Sample, VarScope, Vars, parse};

const VECTORS: &str = include_str!("expr_vectors/haproxy-3.4.tsv");

/// Where the answer differs on purpose, and why.
const DIFFERENT: &[(&str, &str)] = &[(
    "str('Sun, 32 Nov 1994 08:49:37 GMT'),date",
    "a date that does not exist is refused instead of being carried into the next month",
)];

/// The value in hexadecimal, `-` if there is none.
fn eval(registry: &Registry, text: &str) -> String {
    let program = match parse::parse(text, registry, &mut NoBuild) {
        Ok(program) => program,
        Err(e) => return format!("error: {e}"),
    };
    #[expect(clippy::disallowed_methods, reason = "expressions see only differences of instants")]
    let facts = NoFacts(Now { date: Duration::from_secs(1_000_000_000), instant: Instant::now() });
    let (arena, txn) = (Arena::new(), VarScope::new());
    txn.set(&"a".into(), &Sample::Str(b"abc"));
    txn.set(&"n".into(), &Sample::Int(3));
    let vars = Vars { transaction: Some(&txn), ..Vars::NONE };
    let env = Env::new(&facts, vars, &arena);
    match program.eval(&env) {
        None => "-".to_owned(),
        Some(sample) => sample
            .to_bin(&arena)
            .expect("every sample has bytes")
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect(),
    }
}

#[test]
fn expressions_answer_as_haproxy_does() {
    let registry = Registry::builtin();
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in VECTORS.lines() {
        let (text, expected) = line.split_once('\t').expect("two columns");
        count += 1;
        let got = eval(&registry, text);
        let on_purpose = DIFFERENT.iter().any(|(different, _)| *different == text);
        if (got == expected) == on_purpose {
            wrong.push(format!("{text}\n   here: {got}\nHAProxy: {expected}"));
        }
    }
    assert!(count > 150, "{count} vectors");
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
}
