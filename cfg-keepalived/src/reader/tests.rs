use super::*;
use crate::env::{InMemory, NoIncludes, StaticEnv};

fn lines_with(text: &str, sources: &mut dyn Sources, env: &dyn Env) -> (Vec<String>, Vec<String>) {
    let read = read("k.conf", text, sources, env);
    let lines = read
        .lines
        .iter()
        .map(|l| match l {
            Line::Words(text) => text.text().to_owned(),
            Line::Open(_) => "{".to_owned(),
            Line::Close(_) => "}".to_owned(),
        })
        .collect();
    (lines, read.diagnostics.iter().map(|d| d.message.clone()).collect())
}

fn lines(text: &str) -> Vec<String> {
    let (lines, messages) = lines_with(text, &mut NoIncludes, &StaticEnv::new("dc1.example.org"));
    assert!(messages.is_empty(), "{messages:?}");
    lines
}

#[test]
fn comments_end_lines_and_braces_stand_alone() {
    let got = lines("track_script { chk } # c\n  a\t!x\n\"#\" b\\#c\n}}\n");
    assert_eq!(got, ["track_script", "{", "chk", "}", "a", "\"#\" b#c", "}", "}"]);
}

#[test]
fn conditions_compare_the_config_id() {
    assert_eq!(lines("@dc1 a\n@dc2 b\n@^dc2 c\n@^dc1 d\n@dc1\n"), ["a", "c"]);
}

#[test]
fn definitions_are_replaced_where_they_are_used() {
    let text = "$BASE=10.2.${SUB}\n$SUB=0\n${BASE}.100/32\n$SUB=10\n${BASE}.100/32\n$UNDEF x$BASE\n";
    assert_eq!(lines(text), ["10.2.0.100/32", "10.2.10.100/32", "$UNDEF x10.2.10"]);
    assert_eq!(lines("$IF=@dc1\n$IF priority 240\n$NO=@x\n$NO gone\n"), ["priority 240"]);
    assert_eq!(lines("@dc1 $P=1\n@dc2 $P=2\npriority $P\n"), ["priority 1"]);
    assert_eq!(lines("a $ b $1 ${ c\n"), ["a $ b $1 $", "{", "c"]);
}

#[test]
fn multi_line_definitions_nest_and_take_later_values() {
    let text = "$RS= \\\n real ${VS}.${N} { \\\n w 1 \\\n }\n$VS_BLOCK= \\\nvirt ${VS} { \\\n $N=1 \\\n $RS \\\n $N=2 \\\n $RS \\\n}\n$VS=7\n$VS_BLOCK\nend\n";
    let got = lines(text);
    assert_eq!(got, ["virt 7", "{", "real 7.1", "{", "w 1", "}", "real 7.2", "{", "w 1", "}", "}", "end"]);
}

#[test]
fn sequences_and_lists_nest() {
    assert_eq!(lines("~SEQ(N, 3) a$N\n"), ["a1", "a2", "a3"]);
    assert_eq!(lines("~SEQ(N, 0, 4, 8) ${N}x\n"), ["0x", "4x", "8x"]);
    assert_eq!(lines("~SEQ(N, 2, 0) ${N}\n"), ["2", "1", "0"]);
    assert_eq!(
        lines("~SEQx(A, 0x90, 0x10, 0xa0) ~SEQx(B, 0x0b, -1, 0x0a) :${A}:${B}\n"),
        [":90:b", ":90:a", ":a0:b", ":a0:a"]
    );
    assert_eq!(lines("~LST({IP, IP1}, {10,1},{20}) 192.${IP}.${IP1}\n"), ["192.10.1", "192.20."]);
    assert_eq!(lines("~LST(I, 1, 2) ~SEQ(J, 5, 6) $I-$J\n"), ["$I-5", "$I-6", "$I-5", "$I-6"]);
    assert_eq!(lines("$LAST=2\n~SEQ(N, $LAST) b ${N} { c }\n"), ["b 1", "{", "c", "}", "b 2", "{", "c", "}"]);
}

#[test]
fn a_bad_sequence_is_one_diagnostic() {
    let env = StaticEnv::new("h");
    let (got, messages) = lines_with("~SEQ(N, 1, -1, 3) x\n~LST(N) y\n~SEQ N\nz\n", &mut NoIncludes, &env);
    assert_eq!(got, ["z"]);
    assert_eq!(messages.len(), 3);
}

#[test]
fn endless_expansion_ends() {
    let env = StaticEnv::new("h");
    let (got, messages) = lines_with("$A=$A x\nuse $A\n$B= \\\n$B\n$B\nz\n", &mut NoIncludes, &env);
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(got.len() < 10, "{got:?}");
    let (got, messages) = lines_with("~SEQ(N, 1, 9000000000000000000) x\n", &mut NoIncludes, &env);
    assert_eq!(messages.len(), 1);
    assert!(got.len() <= MAX_LINES);
}

#[test]
fn predefined_names() {
    let env = StaticEnv::new("dc1.example.org").with_var("WHO", "me");
    let (got, _) =
        lines_with("a ${_ENV WHO} ${_INSTANCE} \"${_HASH}\" ${_ENV NONE}\n", &mut NoIncludes, &env);
    assert_eq!(got[0], "a me dc1 \"#\" $");
    let (got, _) = lines_with("~SEQ(N,1,50) ${_RANDOM 3 5}\n", &mut NoIncludes, &env);
    assert!(
        got.iter().all(|n| ["3", "4", "5"].contains(&n.as_str())) && got.iter().any(|n| n != &got[0]),
        "{got:?}"
    );
}

#[test]
fn includes_are_read_in_place_and_missing_ones_are_told() {
    let env = StaticEnv::new("h");
    let mut files = InMemory::new().with("/e/conf.d/1.conf", "one\n").with("/e/conf.d/2.conf", "two\n");
    let map_text = "before\ninclude conf.d/*.conf\nafter\n";
    let mut reader = Reader::for_test("/e/main", map_text, &mut files, &env);
    assert_eq!(reader.take_lines(), ["before", "one", "two", "after"]);
    let (_, messages) = lines_with("include /no/x\nincludea /no/y\n", &mut files, &env);
    assert_eq!(messages, ["no file matches `/no/x`", "no file matches `/no/y`"]);
}

impl<'a> Reader<'a> {
    fn for_test(name: &str, text: &str, sources: &'a mut dyn Sources, env: &'a dyn Env) -> Self {
        let mut reader = Self::new(sources, env);
        reader.file(name, text);
        reader
    }

    fn take_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
            .iter()
            .map(|l| if let Line::Words(t) = l { t.text().to_owned() } else { String::new() })
            .collect()
    }
}

#[test]
fn a_byte_order_mark_and_a_nul_are_told() {
    let (got, messages) = lines_with("\u{feff}a\nb\0\nc", &mut NoIncludes, &StaticEnv::new("h"));
    assert_eq!(got, ["a", "c"]);
    assert_eq!(messages.len(), 2);
}

#[test]
fn a_definition_of_several_lines_that_refers_to_itself_ends() {
    let text = "$A= \\\nx y \\\nz $A\n$A\nafter\n";
    let (lines, messages) = lines_with(text, &mut NoIncludes, &StaticEnv::new("dc1.example.org"));
    assert_eq!(lines.iter().filter(|l| l.ends_with("x y")).count(), MAX_NESTING);
    assert_eq!(lines.last().map(String::as_str), Some("after"));
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(messages[0].contains("without end"), "{messages:?}");
}

#[test]
fn what_grows_beyond_all_bounds_is_refused_for_that_alone() {
    let text = "~SEQ(x, 1, 9000000000) prioritee$x\n";
    let (lines, messages) = lines_with(text, &mut NoIncludes, &StaticEnv::new("dc1.example.org"));
    assert!(lines.is_empty());
    assert_eq!(messages, ["the configuration grows beyond all bounds; the rest is not read"]);
}
