//! Commands about lists of patterns and maps (management manual 9.3, `show map`, `add acl`, `commit map`, …).
//!
//! The commands for maps and for ACLs are the same but for values. A list is named by its file or by `#` and its number,
//! an entry by its key or by the reference that `show` prints before it.

use super::catalogue::Exec;
use super::parse::Request;
use super::reply::{Reply, Severity};
use crate::expr::SampleType;
use crate::expr::map::{ChangeError, Entry, Output, Reference, View};
use crate::expr::pattern::Method;
use crate::spec::PatternList;
use std::fmt::Write;

/// Maps or ACLs.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kind {
    map: bool,
}

impl Kind {
    /// By the second word of the command.
    fn of(request: &Request) -> Self {
        Self { map: request.words.at(1) == "map" }
    }

    const fn name(self) -> &'static str {
        if self.map { "map" } else { "ACL" }
    }

    fn find(self, exec: &Exec<'_>, word: &str) -> Result<PatternList, Reply> {
        let id = word.strip_prefix('#').map(str::parse::<u32>);
        let same = |list: &PatternList| match &id {
            Some(id) => Ok(list.id) == *id,
            None => !word.is_empty() && *list.name == *word,
        };
        let mut lists = exec.control.lists().into_iter().filter(|list| list.reference.is_map() == self.map);
        lists.find(same).ok_or_else(|| {
            Reply::error(format!("Unknown {} identifier. Please use #<id> or <file>.", self.name()))
        })
    }
}

/// The version before the name of a list, and the place of that name. A version that is no number is 0, as in HAProxy.
fn version(request: &Request) -> (Option<u32>, usize) {
    match request.words.at(2).strip_prefix('@') {
        Some(number) => (Some(number.parse().unwrap_or(0)), 3),
        None => (None, 2),
    }
}

/// An entry as commands name it.
enum Named<'a> {
    Id(u32),
    Key(&'a str),
}

impl<'a> Named<'a> {
    fn parse(word: &'a str) -> Result<Self, Reply> {
        let Some(reference) = word.strip_prefix('#') else { return Ok(Self::Key(word)) };
        let digits = reference.strip_prefix("0x").unwrap_or(reference);
        let id = u32::from_str_radix(digits, 16).ok().and_then(|number| number.checked_sub(1));
        id.map(Self::Id).ok_or_else(|| Reply::error("Malformed identifier. Please use #<id> or <file>."))
    }
}

/// The reference of an entry, never zero.
fn reference(entry: &Entry) -> u64 {
    u64::from(entry.id) + 1
}

fn refused(error: &ChangeError) -> Reply {
    Reply::error(match error {
        ChangeError::Version => "Version number out of range.".to_owned(),
        other => format!("{other}."),
    })
}

pub(super) fn show(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let kind = Kind::of(request);
    let (version, at) = version(request);
    let mut out = String::new();
    if request.words.at(at).is_empty() {
        out.push_str("# id (file) description\n");
        for list in exec.control.lists().iter().filter(|list| list.reference.is_map() == kind.map) {
            let (current, next) = list.reference.versions();
            // Writing to a string cannot fail.
            let _ = writeln!(
                out,
                "{} ({}) {}. curr_ver={current} next_ver={next} entry_cnt={}",
                list.id,
                list.name,
                list.description,
                list.reference.len()
            );
        }
        return Ok(Reply::dump(out));
    }
    let list = kind.find(exec, request.words.at(at))?.reference;
    let entries = version.map_or_else(|| Some(list.entries()), |version| list.entries_of(version));
    for entry in entries.unwrap_or_default() {
        let _ = write!(out, "{:#x} {}", reference(&entry), entry.key);
        match &entry.value {
            Some(value) => {
                let _ = writeln!(out, " {value}");
            }
            None => out.push('\n'),
        }
    }
    Ok(Reply::dump(out))
}

pub(super) fn get(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let kind = Kind::of(request);
    let words = &request.words;
    if words.at(2).is_empty() || words.at(3).is_empty() {
        return Err(Reply::error(format!("Missing {} identifier and/or key.", kind.name())));
    }
    let list = kind.find(exec, words.at(2))?;
    let mut out = String::new();
    for view in list.reference.views() {
        found(&mut out, kind, &view, words.at(3));
    }
    Ok(Reply::dump(out))
}

/// What one user of a list finds for a key.
fn found(out: &mut String, kind: Kind, view: &View, key: &str) {
    let spec = view.spec();
    let case = if spec.ignore_case { "insensitive" } else { "sensitive" };
    let what = if kind.map { "found" } else { "match" };
    let entry = view.entry(key);
    let answer = if entry.is_some() { "yes" } else { "no" };
    // Writing to a string cannot fail.
    let _ = write!(out, "type={}, case={case}, {what}={answer}", spec.method.name());
    if let Some(entry) = entry {
        let tree = matches!(spec.method, Method::Str | Method::Beg | Method::Ip) && !spec.ignore_case;
        let index = if tree { "tree" } else { "list" };
        let label = if kind.map { "key" } else { "pattern" };
        let _ = write!(out, ", idx={index}, {label}=\"{}\"", entry.key);
        if let Some(value) = entry.value {
            let _ = write!(out, ", value=\"{value}\", type=\"{}\"", output(spec.output, &value));
        }
    }
    out.push('\n');
}

/// The type a map gives its values.
fn output(output: Output, value: &str) -> &'static str {
    match output {
        Output::Int => SampleType::Int.name(),
        Output::Addr if value.contains(':') => SampleType::Ipv6.name(),
        Output::Addr => SampleType::Ipv4.name(),
        _ => SampleType::Str.name(),
    }
}

pub(super) fn add(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let kind = Kind::of(request);
    let (version, at) = version(request);
    let words = &request.words;
    let (key, value) = (words.at(at + 1), words.at(at + 2));
    let complete = match &request.payload {
        Some(_) => key.is_empty(),
        None => !key.is_empty() && (!kind.map || !value.is_empty()),
    };
    if words.at(at).is_empty() || !complete {
        return Err(Reply::error(if kind.map {
            "'add map' expects three parameters (map identifier, key and value) or one parameter (map identifier) \
             and a payload"
        } else {
            "'add acl' expects two parameters: ACL identifier and pattern."
        }));
    }
    let list = kind.find(exec, words.at(at))?.reference;
    let version = version.unwrap_or_else(|| list.versions().0);
    match &request.payload {
        None => add_one(&list, version, key, kind.map.then_some(value))?,
        Some(payload) => payload.lines().try_for_each(|line| add_line(&list, version, line, kind))?,
    }
    Ok(Reply::empty())
}

/// A line of a payload: the key, and for maps the value behind it.
fn add_line(list: &Reference, version: u32, line: &str, kind: Kind) -> Result<(), Reply> {
    let line = line.trim_matches([' ', '\t', '\r']);
    if line.is_empty() {
        return Ok(());
    }
    let (key, value) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let value = value.trim_start_matches([' ', '\t']);
    if kind.map && value.is_empty() {
        return Err(Reply::error(format!("Missing value for key '{key}'.")));
    }
    if kind.map { add_one(list, version, key, Some(value)) } else { add_one(list, version, line, None) }
}

fn add_one(list: &Reference, version: u32, key: &str, value: Option<&str>) -> Result<(), Reply> {
    let (current, next) = list.versions();
    if version == current {
        return list.add(key, value).map_err(|e| refused(&e));
    }
    if version > next {
        return Err(Reply::error("Version number in the future, please use 'prepare map' before."));
    }
    list.add_prepared(version, key, value).map_err(|e| refused(&e))
}

pub(super) fn set(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let words = &request.words;
    if words.at(2).is_empty() || words.at(3).is_empty() || words.at(4).is_empty() {
        return Err(Reply::error("'set map' expects three parameters: map identifier, key and value."));
    }
    let list = Kind::of(request).find(exec, words.at(2))?.reference;
    let done = match Named::parse(words.at(3))? {
        Named::Id(id) => list.set_id(id, words.at(4)),
        Named::Key(key) => list.set(key, words.at(4)).map(drop),
    };
    done.map(|()| Reply::empty()).map_err(|e| refused(&e))
}

pub(super) fn delete(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let kind = Kind::of(request);
    let words = &request.words;
    if words.at(2).is_empty() || words.at(3).is_empty() {
        let text = format!("This command expects two parameters: {} identifier and key.", kind.name());
        return Err(Reply::error(text));
    }
    let list = kind.find(exec, words.at(2))?.reference;
    let done = match Named::parse(words.at(3))? {
        Named::Id(id) => list.remove_id(id),
        Named::Key(key) => list.remove(key).map(drop),
    };
    done.map(|()| Reply::empty()).map_err(|_| Reply::error("Key not found."))
}

pub(super) fn clear(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let kind = Kind::of(request);
    let (version, at) = version(request);
    if request.words.at(at).is_empty() {
        return Err(Reply::error(format!("Missing {} identifier.", kind.name())));
    }
    let list = kind.find(exec, request.words.at(at))?.reference;
    match version.filter(|version| *version != list.versions().0) {
        None => list.clear(),
        Some(version) => drop(list.clear_prepared(version)),
    }
    Ok(Reply::empty())
}

pub(super) fn prepare(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let list = Kind::of(request).find(exec, request.words.at(2))?.reference;
    Ok(Reply::message(Severity::Info, format!("New version created: {}", list.prepare())))
}

pub(super) fn commit(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let kind = Kind::of(request);
    let (Some(version), at) = version(request) else {
        return Err(Reply::error("Missing version number."));
    };
    if request.words.at(at).is_empty() {
        return Err(Reply::error(format!("Missing {} identifier.", kind.name())));
    }
    let list = kind.find(exec, request.words.at(at))?.reference;
    list.commit(version).map(|()| Reply::empty()).map_err(|e| refused(&e))
}

#[cfg(test)]
mod tests {
    use super::super::control::SocketLevel;
    use super::super::fuzzing::{self, Engine};
    use super::*;
    use crate::expr::map::ViewSpec;
    use crate::expr::pattern::Flags;
    use std::sync::Arc;

    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn ask(engine: &Engine, line: &str) -> String {
        let answer = fuzzing::ask(engine, SocketLevel::Admin, line, std::time::Instant::now());
        let answer = answer.strip_suffix('\n').expect("an empty line ends the answer");
        answer.to_owned()
    }

    /// The map `m` and the ACL files `ips` and number 4, and what keeps their views alive.
    fn engine() -> (Engine, Vec<Arc<View>>) {
        let map = Reference::from_text("m", "a.example be1\nb.example be2\n", true);
        let ips = Reference::from_text("ips", "10.0.0.0/8\n192.168.1.1\n", false);
        let inline = Reference::from_patterns("adm", ["/admin", "/x"]);
        let view = |list: &Arc<Reference>, method, ignore_case, output| {
            list.view(ViewSpec { method, ignore_case, output }, Flags::default()).unwrap()
        };
        let views = vec![
            view(&map, Method::Str, false, Output::Str),
            view(&ips, Method::Ip, false, Output::None),
            view(&inline, Method::Beg, true, Output::None),
        ];
        let lists = vec![
            PatternList::new(0, "ips", "pattern loaded from file 'ips' used by acl at file 'c' line 3", ips),
            PatternList::new(3, "m", "pattern loaded from file 'm' used by map at file 'c' line 4", map),
            PatternList::new(4, "", "acl 'adm' file 'c' line 5", inline),
        ];
        (Engine { lists, ..Engine::default() }, views)
    }

    /// Answers of HAProxy 3.4 to the same commands, but for the references of entries.
    #[test]
    fn maps_are_shown_and_changed() {
        let (engine, _views) = engine();
        let transcript = [
            ("show map nope", "Unknown map identifier. Please use #<id> or <file>.\n"),
            ("show map ips", "Unknown map identifier. Please use #<id> or <file>.\n"),
            ("show map #3", "0x1 a.example be1\n0x2 b.example be2\n"),
            ("show map @1 m", ""),
            ("get map m", "Missing map identifier and/or key.\n"),
            (
                "get map m a.example",
                "type=str, case=sensitive, found=yes, idx=tree, key=\"a.example\", value=\"be1\", type=\"str\"\n",
            ),
            ("get map m zz", "type=str, case=sensitive, found=no\n"),
            ("add map m c.example be3", ""),
            ("add map m <<\nd.ex v w\n\te.ex  z\n", ""),
            ("add map m <<\nd.ex\n", "Missing value for key 'd.ex'.\n"),
            ("add map @5 m x y", "Version number in the future, please use 'prepare map' before.\n"),
            ("set map m x", "'set map' expects three parameters: map identifier, key and value.\n"),
            ("set map m b.example be9 ignored", ""),
            ("set map m nokey v", "entry not found.\n"),
            ("del map m nokey", "Key not found.\n"),
            ("del map m #0x1", ""),
            ("del map m", "This command expects two parameters: map identifier and key.\n"),
            ("show map m", "0x2 b.example be9\n0x3 c.example be3\n0x4 d.ex v w\n0x5 e.ex z\n"),
            ("clear map", "Missing map identifier.\n"),
            ("clear map m", ""),
            ("show map m", ""),
        ];
        for (line, answer) in transcript {
            assert_eq!(ask(&engine, line), answer, "{line}");
        }
    }

    #[test]
    fn versions_are_prepared_and_committed() {
        let (engine, _views) = engine();
        let transcript = [
            ("prepare map", "Unknown map identifier. Please use #<id> or <file>.\n"),
            ("prepare map m", "New version created: 1\n"),
            ("add map @1 m x y", ""),
            ("show map @1 m", "0x3 x y\n"),
            ("show map @0 m", "0x1 a.example be1\n0x2 b.example be2\n"),
            ("commit map m", "Missing version number.\n"),
            ("commit map @1", "Missing map identifier.\n"),
            ("commit map @7 m", "Version number out of range.\n"),
            (
                "show map",
                "# id (file) description\n3 (m) pattern loaded from file 'm' used by map at file 'c' line 4. \
                 curr_ver=0 next_ver=1 entry_cnt=2\n",
            ),
            ("commit map @1 m", ""),
            ("show map m", "0x3 x y\n"),
            ("prepare map m", "New version created: 2\n"),
            ("add map @2 m z y", ""),
            ("clear map @2 m", ""),
            ("show map @2 m", ""),
            ("show map m", "0x3 x y\n"),
            ("add map @0 m z y", "Version number out of range.\n"),
        ];
        for (line, answer) in transcript {
            assert_eq!(ask(&engine, line), answer, "{line}");
        }
    }

    #[test]
    fn acls_have_no_values() {
        let (engine, _views) = engine();
        let transcript = [
            (
                "get acl ips 10.1.1.1",
                "type=ip, case=sensitive, match=yes, idx=tree, pattern=\"10.0.0.0/8\"\n",
            ),
            ("get acl ips 11.1.1.1", "type=ip, case=sensitive, match=no\n"),
            ("get acl #4 /Admin/x", "type=beg, case=insensitive, match=yes, idx=list, pattern=\"/admin\"\n"),
            ("add acl", "'add acl' expects two parameters: ACL identifier and pattern.\n"),
            ("add acl ips notanip", "'notanip' is not a valid IPv4 or IPv6 address.\n"),
            ("add acl ips 1.2.3.4", ""),
            ("add acl #4 two\\ words", ""),
            ("del acl ips 9.9.9.9", "Key not found.\n"),
            ("del acl ips 1.2.3.4", ""),
            ("show acl ips", "0x1 10.0.0.0/8\n0x2 192.168.1.1\n"),
            ("show acl #4", "0x1 /admin\n0x2 /x\n0x3 two words\n"),
            ("clear acl", "Missing ACL identifier.\n"),
            ("clear acl ips", ""),
        ];
        for (line, answer) in transcript {
            assert_eq!(ask(&engine, line), answer, "{line}");
        }
        let list = ask(&engine, "show acl");
        assert!(
            list.contains("4 () acl 'adm' file 'c' line 5. curr_ver=0 next_ver=0 entry_cnt=3\n"),
            "{list}"
        );
        assert!(!list.contains("\n3 "), "maps are not ACLs: {list}");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn only_administrators_see_lists() {
        let (engine, _views) = engine();
        for line in ["show map", "add map m a b", "get acl ips 1.1.1.1"] {
            let answer = fuzzing::ask(&engine, SocketLevel::Operator, line, std::time::Instant::now());
            assert_eq!(answer, "Permission denied\n\n", "{line}");
        }
    }

    #[test]
    fn variables_and_backends_answer_as_haproxy_does() {
        let engine = Engine::default();
        engine.variables.set(&"a".into(), &crate::expr::Sample::Int(5));
        engine.variables.set(&"b".into(), &crate::expr::Sample::Bool(true));
        let transcript = [
            ("get var", "Missing process-wide variable identifier.\n"),
            ("get var proc.a", "proc.a: type=sint value=<5>\n"),
            ("get var proc.b", "proc.b: type=bool value=<1>\n"),
            ("get var txn.a", "Variable not found.\n"),
            ("get var proc.zz", "Variable not found.\n"),
            ("set var proc.n int(4)", "This command is restricted to experimental mode only.\n"),
            ("experimental-mode on; set var proc.n", "\nMissing either 'expr', 'fmt' or expression.\n"),
            (
                "experimental-mode on; set var proc.n fmt x; get var proc.n",
                "\n\nproc.n: type=str value=<true x>\n",
            ),
            (
                "experimental-mode on; set var proc.n fmt; get var proc.n",
                "\n\nproc.n: type=str value=<false fmt>\n",
            ),
            (
                "experimental-mode on; set var txn.n x",
                "\n'set var': cannot set variable 'txn.n', only scope 'proc' is permitted here.\n",
            ),
            ("publish backend nope", "No such backend.\n"),
            ("publish backend b", "Backend published.\n"),
            ("unpublish backend b", "No effect on a disabled backend.\n"),
        ];
        for (line, answer) in transcript {
            assert_eq!(ask(&engine, line), answer, "{line}");
        }
    }
}
