//! Properties: the tree loses nothing, nothing panics, and reading what was read changes nothing.

use cfg_keepalived::{NoIncludes, StaticEnv, fuzzing, load, parse};
use proptest::prelude::*;

/// Pieces of which configurations, good and bad, are made.
fn piece() -> impl Strategy<Value = String> {
    let fixed = prop::sample::select(vec![
        "vrrp_instance a {",
        "vrrp_instance",
        "global_defs {",
        "vrrp_script s {",
        "virtual_ipaddress {",
        "track_script {",
        "authentication {",
        "virtual_server 10.0.0.1 80 {",
        "real_server 10.0.0.2 80 {",
        "HTTP_GET {",
        "url {",
        "}",
        "{",
        "}}",
        "interface eth0",
        "virtual_router_id 5",
        "priority 100",
        "priority",
        "state MASTER",
        "advert_int 0.5",
        "script \"/bin/true 'a b'\"",
        "script \"/bin/tr",
        "10.0.0.3/24 dev eth0",
        "s weight 5",
        "auth_pass ab!cd",
        "$A=b \\",
        "$A=10.0",
        "${A}.1",
        "$A",
        "@node1 priority 5",
        "@^node1 x",
        "~SEQ(N, 1, 3) 10.0.0.$N",
        "~LST(N, a, b) $N {",
        "include x.conf",
        "includea *.conf",
        "# comment",
        "!",
        "\\",
        "\"",
        "é\u{1F600}",
        "\0",
        "\u{feff}",
        "weight 5 reverse",
        "virtual_routes {",
        "default via 10.0.0.1 dev eth0",
        "track_backend b { min-up 2 weight -5 }",
        "nopreempt",
        "unicast_peer {",
        "vrrp_sync_group g {",
        "group { a b }",
        "track_file f {",
        "vrrp_track_process p {",
    ]);
    let wild = "\\PC{0,12}";
    (
        prop_oneof![8 => fixed.prop_map(str::to_owned), 1 => wild.prop_map(|s| s)],
        prop::sample::select(vec!["\n", " ", "\t", "\r\n", ""]),
    )
        .prop_map(|(text, end)| text + end)
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_tokens_of_a_file_are_the_file(text in text()) {
        let env = StaticEnv::new("node1");
        let (tree, _) = parse("p.conf", &text, &mut NoIncludes, &env);
        let (id, file) = tree.sources.files().next().unwrap();
        prop_assert_eq!(tree.text(id), file.text());
        let tokens = tree.tokens(id);
        for pair in tokens.windows(2) {
            prop_assert_eq!(pair[0].span.end, pair[1].span.start);
        }
    }

    #[test]
    fn nothing_panics(text in text()) {
        fuzzing::keepalived_cfg(text.as_bytes());
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        fuzzing::keepalived_cfg(&bytes);
    }

    #[test]
    fn every_diagnostic_points_into_the_text(text in text()) {
        let loaded = load("p.conf", &text, &mut NoIncludes, &StaticEnv::new("node1"));
        for diagnostic in &loaded.diagnostics {
            if let Some(span) = diagnostic.span {
                let file = loaded.tree.sources.file(span.file).unwrap();
                prop_assert!(span.start <= span.end && span.end as usize <= file.text().len());
                prop_assert!(file.text().get(span.start as usize..span.end as usize).is_some(), "{:?}", diagnostic);
            }
        }
    }

    #[test]
    fn comments_and_blanks_change_nothing(text in text()) {
        // A continued definition takes what follows it, a comment, too; those without one must be equal.
        prop_assume!(!text.contains('\\') && !text.contains('\0') && !text.starts_with('\u{feff}'));
        let env = StaticEnv::new("node1");
        let plain = load("p.conf", &text, &mut NoIncludes, &env);
        let spaced = format!("\n# head\n\t\n{text}\n! end\n");
        let other = load("p.conf", &spaced, &mut NoIncludes, &env);
        let codes = |l: &cfg_keepalived::Loaded| l.diagnostics.iter().map(|d| d.code).collect::<Vec<_>>();
        prop_assert_eq!(codes(&plain), codes(&other));
        prop_assert_eq!(plain.config.instances.len(), other.config.instances.len());
    }
}
