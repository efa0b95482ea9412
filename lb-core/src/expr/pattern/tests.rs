use super::*;

fn set(method: Method, ignore_case: bool, patterns: &[&str]) -> PatternSet {
    let mut set = PatternSet::new(method, ignore_case);
    for (id, pattern) in patterns.iter().enumerate() {
        set.insert(pattern, id as u32, Flags::default()).unwrap();
    }
    set
}

#[test]
fn strings_match_by_method() {
    // The examples of the manual, 7.1.3.
    let path = Sample::Str(b"/images/png/logo/32x32.png");
    for pattern in ["/images", "/images/png", "images/png", "/png/logo", "logo/32x32.png", "32x32.png"] {
        assert!(set(Method::Dir, false, &[pattern]).find(&path).is_some(), "{pattern}");
    }
    for pattern in ["png/", "32x32"] {
        let expected = pattern == "png/";
        assert_eq!(set(Method::Dir, false, &[pattern]).find(&path).is_some(), expected, "{pattern}");
    }
    let url = Sample::Str(b"http://www1.dc-eu.example.com:80/blah");
    let yes = ["http", "www1", ".www1", "dc-eu", "example", "com", "80", "dc-eu.example", "blah", ":www1:"];
    for pattern in yes {
        assert!(set(Method::Dom, false, &[pattern]).find(&url).is_some(), "{pattern}");
    }
    assert!(set(Method::Dom, false, &["dc-eu.example:80"]).find(&url).is_none());
    for pattern in ["eu", "dc"] {
        assert!(set(Method::Dom, false, &[pattern]).find(&url).is_none(), "{pattern}");
    }
}

#[test]
fn case_is_ignored_for_every_text_method() {
    let host = Sample::Str(b"WWW.Example.ORG");
    for (method, pattern) in [
        (Method::Str, "www.example.org"),
        (Method::Beg, "wWw."),
        (Method::End, ".oRg"),
        (Method::Sub, "EXAMPLE"),
        (Method::Dom, "exAmple"),
    ] {
        assert!(set(method, true, &[pattern]).find(&host).is_some(), "{method:?}");
        assert!(set(method, false, &[pattern]).find(&host).is_none() || method == Method::Sub, "{method:?}");
    }
    let long = vec![b'A'; 1000];
    assert!(set(Method::Beg, true, &["aaaa"]).find(&Sample::Str(&long)).is_some());
}

#[test]
fn prefixes_prefer_the_longest_and_suffixes_the_first() {
    let path = Sample::Str(b"/api/v1/users.json");
    assert_eq!(set(Method::Beg, false, &["/", "/api", "/api/v1"]).find(&path), Some(2));
    assert_eq!(set(Method::Beg, true, &["/", "/api", "/api/v1"]).find(&path), Some(0));
    assert_eq!(set(Method::End, false, &["n", ".json"]).find(&path), Some(0));
}

#[test]
fn lengths_integers_booleans_and_blocks_match_their_types() {
    assert!(set(Method::Len, false, &["3:5"]).find(&Sample::Str(b"abcd")).is_some());
    assert!(set(Method::Int, false, &["3:5", "7"]).find(&Sample::Int(7)).is_some());
    assert!(set(Method::Int, false, &["3:5", "7"]).find(&Sample::Int(6)).is_none());
    assert!(set(Method::Int, false, &["1"]).find(&Sample::Bool(true)).is_some());
    assert!(set(Method::Bool, false, &[]).find(&Sample::Int(2)).is_some());
    assert!(set(Method::Bool, false, &[]).find(&Sample::Bool(false)).is_none());
    assert!(set(Method::Found, false, &[]).find(&Sample::Bool(false)).is_some());
    assert!(set(Method::Bin, false, &["48656C6c6f0a"]).find(&Sample::Bin(b"Hello\n")).is_some());
    assert!(PatternSet::new(Method::Bin, false).insert("4", 0, Flags::default()).is_err());
    assert!(set(Method::Version, false, &["3:3.1"]).find(&Sample::Int(0x30001)).is_some());
}

#[test]
fn removal_undoes_insertion_for_every_method() {
    for (method, pattern, sample) in [
        (Method::Str, "ab", Sample::Str(b"ab")),
        (Method::Beg, "a", Sample::Str(b"ab")),
        (Method::End, "b", Sample::Str(b"ab")),
        (Method::Sub, "b", Sample::Str(b"abc")),
        (Method::Dir, "/ab/", Sample::Str(b"/ab/c")),
        (Method::Dom, "ab", Sample::Str(b"ab.c")),
        (Method::Int, "1:5", Sample::Int(3)),
        (Method::Ip, "10.0.0.0/8", Sample::Ipv4(Ipv4Addr::new(10, 1, 1, 1))),
    ] {
        let mut set = set(method, false, &[pattern]);
        assert_eq!(set.find(&sample), Some(0), "{method:?}");
        set.remove(pattern, 0, Flags::default());
        assert_eq!(set.find(&sample), None, "{method:?}");
    }
}

#[cfg(feature = "regex")]
#[test]
fn regular_expressions_match_in_order() {
    let set = set(Method::Reg, true, &["^/x", "\\.(GIF|png)$"]);
    assert_eq!(set.find(&Sample::Str(b"/x.png")), Some(0));
    assert_eq!(set.find(&Sample::Str(b"/y.PNG")), Some(1));
    assert_eq!(set.find(&Sample::Str(b"/y.css")), None);
    assert!(PatternSet::new(Method::Reg, false).insert("(", 0, Flags::default()).is_err());
}
