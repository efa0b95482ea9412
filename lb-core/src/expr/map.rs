//! Pattern files and maps, and their changes at run time (manual 2.7 and 7.3.1 `map`).
//!
//! A [`Reference`] is the list itself, known by its name (usually a file) to the control socket.
//! A [`View`] is that list compiled for one matching method and one output type; several ACLs and
//! map converters can look at the same reference. A view is immutable and lock-free until the
//! first change at run time; from then on it is a structure behind a read-write lock that follows
//! every change entry by entry.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak};

use super::arena::Arena;
use super::pattern::hash::FastMap;
use super::pattern::{Flags, Method, PatternSet};
use super::regex::Group;
use super::sample::{OwnedSample, Sample, SampleType};

/// One line of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Number by which the control socket can name it.
    pub id: u32,
    /// The pattern.
    pub key: Arc<str>,
    /// The value; `None` in plain lists.
    pub value: Option<Arc<str>>,
}

/// A list of patterns, with values or without.
#[derive(Debug)]
pub struct Reference {
    name: Box<str>,
    is_map: bool,
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    /// In the order of their numbers; `None` where one was removed.
    entries: Vec<(u32, Option<Entry>)>,
    live: usize,
    /// Numbers by key, made by the first change at run time that needs it.
    index: Option<FastMap<Arc<str>, Vec<u32>>>,
    next_id: u32,
    views: Vec<Weak<View>>,
    /// Versions being prepared, invisible to look-ups.
    prepared: BTreeMap<u32, Vec<Entry>>,
    version: u32,
    next_version: u32,
}

/// Why a change at run time was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// No entry has that key or number.
    #[error("entry not found")]
    NotFound,
    /// A list without values was given one, or the other way round.
    #[error("a value is required for maps and refused for plain lists")]
    Value,
    /// The version was never prepared, or is gone.
    #[error("no such version")]
    Version,
    /// The text does not fit one of the users of the list.
    #[error("{0}")]
    Pattern(String),
}

impl Reference {
    /// An empty list.
    pub fn new(name: &str, is_map: bool) -> Arc<Self> {
        Arc::new(Self { name: name.into(), is_map, list: Mutex::default() })
    }

    /// A list from patterns given one by one.
    pub fn from_patterns<'p>(name: &str, patterns: impl IntoIterator<Item = &'p str>) -> Arc<Self> {
        let reference = Self::new(name, false);
        {
            let mut list = reference.list();
            for pattern in patterns {
                list.push(pattern.into(), None);
            }
        }
        reference
    }

    /// A list from the text of a file: one entry per line, `#` in the first column comments, the
    /// first word the key and the rest the value if `is_map`.
    pub fn from_text(name: &str, text: &str, is_map: bool) -> Arc<Self> {
        let reference = Self::new(name, is_map);
        {
            let mut list = reference.list();
            for (key, value) in lines(text, is_map) {
                list.push(key.into(), value.map(Into::into));
            }
        }
        reference
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether entries carry values.
    pub const fn is_map(&self) -> bool {
        self.is_map
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.list().live
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Current version and the highest one prepared.
    pub fn versions(&self) -> (u32, u32) {
        let list = self.list();
        (list.version, list.next_version)
    }

    /// A copy of all entries in order.
    pub fn entries(&self) -> Vec<Entry> {
        self.list().iter().cloned().collect()
    }

    /// A copy of the entries of a version in order: the current one, or one being prepared.
    pub fn entries_of(&self, version: u32) -> Option<Vec<Entry>> {
        let list = self.list();
        if version == list.version {
            return Some(list.iter().cloned().collect());
        }
        list.prepared.get(&version).cloned()
    }

    /// Everything the list is compiled for.
    pub fn views(&self) -> Vec<Arc<View>> {
        self.list().live_views()
    }

    /// Appends an entry; refused if a user of the list cannot take it.
    pub fn add(&self, key: &str, value: Option<&str>) -> Result<(), ChangeError> {
        self.check_value(value)?;
        let mut list = self.list();
        let views = list.live_views();
        check_all(&views, key, value)?;
        let entry = list.push(key.into(), value.map(Into::into)).clone();
        for view in views {
            view.change(|compiled, view| compiled.insert(&entry, view.spec)).map_err(ChangeError::Pattern)?;
        }
        Ok(())
    }

    /// Removes every entry with this key; the number removed.
    pub fn remove(&self, key: &str) -> Result<usize, ChangeError> {
        let mut list = self.list();
        let ids = list.ids_of(key);
        if ids.is_empty() {
            return Err(ChangeError::NotFound);
        }
        for id in &ids {
            list.take(*id);
        }
        Ok(ids.len())
    }

    /// Removes the entry with this number.
    pub fn remove_id(&self, id: u32) -> Result<(), ChangeError> {
        let mut list = self.list();
        if list.take(id) { Ok(()) } else { Err(ChangeError::NotFound) }
    }

    /// Changes the value of every entry with this key.
    pub fn set(&self, key: &str, value: &str) -> Result<usize, ChangeError> {
        self.check_value(Some(value))?;
        let mut list = self.list();
        let ids = list.ids_of(key);
        if ids.is_empty() {
            return Err(ChangeError::NotFound);
        }
        for id in &ids {
            list.set(*id, value)?;
        }
        Ok(ids.len())
    }

    /// Changes the value of the entry with this number.
    pub fn set_id(&self, id: u32, value: &str) -> Result<(), ChangeError> {
        self.check_value(Some(value))?;
        self.list().set(id, value)
    }

    /// Adds the key, or changes its value where it exists; `http-request set-map`.
    pub fn upsert(&self, key: &str, value: &str) -> Result<(), ChangeError> {
        match self.set(key, value) {
            Err(ChangeError::NotFound) => self.add(key, Some(value)),
            other => other.map(drop),
        }
    }

    /// Removes everything.
    pub fn clear(&self) {
        let mut list = self.list();
        list.forget();
        list.rebuild();
    }

    /// Starts a new version beside the current one and returns its number.
    pub fn prepare(&self) -> u32 {
        let mut list = self.list();
        list.next_version = list.next_version.wrapping_add(1);
        let version = list.next_version;
        list.prepared.insert(version, Vec::new());
        version
    }

    /// Adds an entry to a prepared version.
    pub fn add_prepared(&self, version: u32, key: &str, value: Option<&str>) -> Result<(), ChangeError> {
        self.check_value(value)?;
        let mut list = self.list();
        let views = list.live_views();
        check_all(&views, key, value)?;
        let id = list.next_id;
        let entries = list.prepared.get_mut(&version).ok_or(ChangeError::Version)?;
        entries.push(Entry { id, key: key.into(), value: value.map(Into::into) });
        list.next_id = id.saturating_add(1);
        Ok(())
    }

    /// Makes a prepared version the current one, all at once; older prepared ones are dropped.
    pub fn commit(&self, version: u32) -> Result<(), ChangeError> {
        let mut list = self.list();
        let entries = list.prepared.remove(&version).ok_or(ChangeError::Version)?;
        list.prepared.retain(|other, _| *other > version);
        list.version = version;
        list.forget();
        list.live = entries.len();
        // Their numbers were given in this order and are kept: an operator may have noted them.
        list.entries = entries.into_iter().map(|entry| (entry.id, Some(entry))).collect();
        list.rebuild();
        Ok(())
    }

    /// Empties a prepared version; false if there is none of that number.
    pub fn clear_prepared(&self, version: u32) -> bool {
        self.list().prepared.get_mut(&version).map(Vec::clear).is_some()
    }

    /// Compiles the list for one use. The error names the first entry that does not fit.
    pub fn view(self: &Arc<Self>, spec: ViewSpec, flags: Flags<'_>) -> Result<Arc<View>, String> {
        let mut list = self.list();
        let compiled = Compiled::build(list.iter(), list.live, spec, flags)?;
        let view =
            Arc::new(View { reference: Arc::clone(self), spec, base: compiled, live: OnceLock::new() });
        list.views.retain(|view| view.strong_count() > 0);
        list.views.push(Arc::downgrade(&view));
        Ok(view)
    }

    const fn check_value(&self, value: Option<&str>) -> Result<(), ChangeError> {
        if value.is_some() == self.is_map { Ok(()) } else { Err(ChangeError::Value) }
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_all(views: &[Arc<View>], key: &str, value: Option<&str>) -> Result<(), ChangeError> {
    for view in views {
        let mut probe = PatternSet::new(view.spec.method, view.spec.ignore_case);
        probe.insert(key, 0, view.spec.flags()).map_err(ChangeError::Pattern)?;
        if let Some(value) = value {
            view.spec.output.parse(key, Some(value)).map_err(ChangeError::Pattern)?;
        }
    }
    Ok(())
}

impl List {
    fn push(&mut self, key: Arc<str>, value: Option<Arc<str>>) -> &Entry {
        let id = self.next_id;
        self.next_id = self.next_id.saturating_add(1);
        if let Some(index) = &mut self.index {
            index.entry(Arc::clone(&key)).or_default().push(id);
        }
        self.live += 1;
        self.entries.push((id, None));
        let at = self.entries.len() - 1;
        self.entries[at].1.insert(Entry { id, key, value })
    }

    fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter_map(|(_, entry)| entry.as_ref())
    }

    fn forget(&mut self) {
        self.entries.clear();
        self.live = 0;
        self.index = None;
    }

    fn slot(&mut self, id: u32) -> Option<&mut Option<Entry>> {
        let at = self.entries.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(&mut self.entries[at].1)
    }

    fn ids_of(&mut self, key: &str) -> Vec<u32> {
        if self.index.is_none() {
            let mut index: FastMap<Arc<str>, Vec<u32>> = FastMap::default();
            for entry in self.iter() {
                index.entry(Arc::clone(&entry.key)).or_default().push(entry.id);
            }
            self.index = Some(index);
        }
        self.index.as_ref().and_then(|index| index.get(key)).cloned().unwrap_or_default()
    }

    fn take(&mut self, id: u32) -> bool {
        let Some(entry) = self.slot(id).and_then(Option::take) else { return false };
        self.live -= 1;
        if let Some(index) = &mut self.index
            && let Some(ids) = index.get_mut(&entry.key)
        {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                index.remove(&entry.key);
            }
        }
        if self.entries.len() > 2 * self.live + 64 {
            self.entries.retain(|(_, entry)| entry.is_some());
        }
        for view in self.live_views() {
            // Removal cannot fail.
            let _ = view.change(|compiled, view| {
                compiled.remove(&entry, view.spec);
                Ok(())
            });
        }
        true
    }

    fn set(&mut self, id: u32, value: &str) -> Result<(), ChangeError> {
        let views = self.live_views();
        let entry = self.slot(id).and_then(Option::as_mut).ok_or(ChangeError::NotFound)?;
        for view in &views {
            view.spec.output.parse(&entry.key, Some(value)).map_err(ChangeError::Pattern)?;
        }
        entry.value = Some(value.into());
        let entry = entry.clone();
        for view in views {
            view.change(|compiled, view| compiled.set_value(&entry, view.spec))
                .map_err(ChangeError::Pattern)?;
        }
        Ok(())
    }

    fn live_views(&self) -> Vec<Arc<View>> {
        self.views.iter().filter_map(Weak::upgrade).collect()
    }

    fn rebuild(&self) {
        for view in self.live_views() {
            // Every entry was checked against every view before it was accepted.
            if let Ok(compiled) = Compiled::build(self.iter(), self.live, view.spec, view.spec.flags()) {
                view.replace(compiled);
            }
        }
    }
}

/// Splits the text of a pattern file into keys and values.
fn lines(text: &str, is_map: bool) -> impl Iterator<Item = (&str, Option<&str>)> {
    text.split('\n').filter_map(move |line| {
        if line.starts_with('#') {
            return None;
        }
        let line = line.trim_start_matches([' ', '\t']);
        let line = line.split('\r').next().unwrap_or("");
        if line.is_empty() {
            return None;
        }
        if !is_map {
            return Some((line, None));
        }
        let end = line.find([' ', '\t']).unwrap_or(line.len());
        Some((&line[..end], Some(line[end..].trim_matches([' ', '\t']))))
    })
}

/// What a map look-up yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the output suffixes of the map converters")]
pub enum Output {
    /// Nothing: ACLs ask only whether there is a match.
    None,
    /// The value as text.
    Str,
    /// The value as an integer (`_int`).
    Int,
    /// The value as an address (`_ip`).
    Addr,
    /// The matching key (`_key`).
    Key,
}

impl Output {
    /// The sample type of the output.
    pub const fn ty(self) -> SampleType {
        match self {
            Self::None => SampleType::Bool,
            Self::Str | Self::Key => SampleType::Str,
            Self::Int => SampleType::Int,
            Self::Addr => SampleType::Addr,
        }
    }

    /// Parses the value of an entry.
    pub fn parse(self, key: &str, value: Option<&str>) -> Result<Option<OwnedSample>, String> {
        let text = value.unwrap_or("");
        Ok(Some(match self {
            Self::None => return Ok(None),
            Self::Str => OwnedSample::Str(text.into()),
            Self::Key => OwnedSample::Str(key.into()),
            Self::Int => {
                OwnedSample::Int(text.parse().map_err(|_| format!("cannot parse '{text}' as an integer"))?)
            }
            Self::Addr => match Sample::Str(text.as_bytes()).to_addr() {
                Some(addr) => addr.to_owned_sample(),
                None => return Err(format!("cannot parse '{text}' as an address")),
            },
        }))
    }
}

/// For what use a list is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the three properties of a use")]
pub struct ViewSpec {
    /// Matching method.
    pub method: Method,
    /// `-i`.
    pub ignore_case: bool,
    /// What a look-up yields.
    pub output: Output,
}

impl ViewSpec {
    /// Names are only resolved while the configuration is loaded.
    const fn flags(self) -> Flags<'static> {
        Flags { ignore_case: self.ignore_case, resolve: None }
    }
}

/// A list compiled for one use.
#[derive(Debug)]
pub struct View {
    reference: Arc<Reference>,
    spec: ViewSpec,
    base: Compiled,
    live: OnceLock<RwLock<Compiled>>,
}

#[derive(Clone, Debug)]
struct Compiled {
    set: PatternSet,
    values: FastMap<u32, OwnedSample>,
}

impl View {
    /// The list behind it.
    pub const fn reference(&self) -> &Arc<Reference> {
        &self.reference
    }

    /// What it was compiled for.
    pub const fn spec(&self) -> ViewSpec {
        self.spec
    }

    /// Whether a sample matches. It is cast to the method's input type first.
    #[inline]
    pub fn matches<'a>(&self, sample: Sample<'a>, arena: &'a Arena) -> bool {
        let Some(sample) = sample.cast(self.spec.method.input(), arena) else { return false };
        match self.live.get() {
            None => self.base.set.find(&sample).is_some(),
            Some(live) => read(live).set.find(&sample).is_some(),
        }
    }

    /// The value of the matching entry.
    pub fn lookup<'a>(&'a self, sample: Sample<'a>, arena: &'a Arena) -> Option<Sample<'a>> {
        let sample = sample.cast(self.spec.method.input(), arena)?;
        let Some(live) = self.live.get() else {
            return self.base.lookup(&sample, arena);
        };
        let live = read(live);
        Some(match live.lookup(&sample, arena)? {
            Sample::Str(bytes) => Sample::Str(arena.copy(bytes)?),
            Sample::Int(value) => Sample::Int(value),
            Sample::Ipv4(addr) => Sample::Ipv4(addr),
            Sample::Ipv6(addr) => Sample::Ipv6(addr),
            Sample::Bool(value) => Sample::Bool(value),
            Sample::Bin(_) | Sample::Method(_) => return None,
        })
    }

    /// The entry that answers for `text`, as the control socket asks for it.
    pub fn entry(&self, text: &str) -> Option<Entry> {
        let arena = Arena::new();
        let sample = Sample::Str(text.as_bytes()).cast(self.spec.method.input(), &arena)?;
        let id = match self.live.get() {
            None => self.base.set.find(&sample)?,
            Some(live) => read(live).set.find(&sample)?,
        };
        self.reference.list().slot(id)?.clone()
    }

    fn change(&self, apply: impl FnOnce(&mut Compiled, &Self) -> Result<(), String>) -> Result<(), String> {
        let live = self.live.get_or_init(|| RwLock::new(self.base.clone()));
        apply(&mut live.write().unwrap_or_else(PoisonError::into_inner), self)
    }

    fn replace(&self, compiled: Compiled) {
        let mut new = Some(compiled);
        let live = self.live.get_or_init(|| RwLock::new(new.take().unwrap_or_else(|| self.base.clone())));
        if let Some(compiled) = new {
            *live.write().unwrap_or_else(PoisonError::into_inner) = compiled;
        }
    }
}

fn read(live: &RwLock<Compiled>) -> std::sync::RwLockReadGuard<'_, Compiled> {
    live.read().unwrap_or_else(PoisonError::into_inner)
}

impl Compiled {
    fn build<'e>(
        entries: impl Iterator<Item = &'e Entry>,
        count: usize,
        spec: ViewSpec,
        flags: Flags<'_>,
    ) -> Result<Self, String> {
        let flags = Flags { ignore_case: spec.ignore_case, ..flags };
        let mut compiled =
            Self { set: PatternSet::new(spec.method, spec.ignore_case), values: FastMap::default() };
        compiled.set.reserve(count);
        if spec.output != Output::None {
            compiled.values.reserve(count);
        }
        for entry in entries {
            compiled.set.insert(&entry.key, entry.id, flags)?;
            compiled.set_value(entry, spec)?;
        }
        Ok(compiled)
    }

    fn insert(&mut self, entry: &Entry, spec: ViewSpec) -> Result<(), String> {
        self.set.insert(&entry.key, entry.id, spec.flags())?;
        self.set_value(entry, spec)
    }

    fn set_value(&mut self, entry: &Entry, spec: ViewSpec) -> Result<(), String> {
        if let Some(value) = spec.output.parse(&entry.key, entry.value.as_deref())? {
            self.values.insert(entry.id, value);
        }
        Ok(())
    }

    fn remove(&mut self, entry: &Entry, spec: ViewSpec) {
        self.set.remove(&entry.key, entry.id, spec.flags());
        self.values.remove(&entry.id);
    }

    fn lookup<'a>(&'a self, sample: &Sample<'_>, arena: &'a Arena) -> Option<Sample<'a>> {
        let id = self.set.find(sample)?;
        let value = self.values.get(&id)?.as_sample();
        match (self.set.method(), value, sample) {
            (Method::RegGroups, Sample::Str(template), Sample::Str(text)) => {
                let regex = self.set.regex(id)?;
                let mut groups = Vec::new();
                regex.captures_at(text, 0, &mut groups).then_some(())?;
                arena.build(|out| expand(template, text, &groups, out)).map(Sample::Str)
            }
            _ => Some(value),
        }
    }
}

/// Expands `\0` to `\9` and `\xNN` of a replacement template.
pub(crate) fn expand(template: &[u8], text: &[u8], groups: &[Group], out: &mut Vec<u8>) {
    let mut rest = template;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        match rest {
            [digit @ b'0'..=b'9', tail @ ..] => {
                if let Some(Some((start, end))) = groups.get(usize::from(digit - b'0')) {
                    out.extend_from_slice(&text[*start..*end]);
                }
                rest = tail;
            }
            [b'x', high, low, tail @ ..] => {
                if let (Some(high), Some(low)) =
                    (char::from(*high).to_digit(16), char::from(*low).to_digit(16))
                {
                    out.push((high << 4 | low) as u8);
                    rest = tail;
                }
            }
            [other, tail @ ..] => {
                out.push(*other);
                rest = tail;
            }
            [] => {}
        }
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTS: &str =
        "# comment\n\n  a.example  one two \r\n#x y\nb.example\tbe2\nc.example\n a.example dup\n";

    fn spec(method: Method, output: Output) -> ViewSpec {
        ViewSpec { method, ignore_case: false, output }
    }

    fn find(view: &View, text: &str) -> Option<String> {
        let arena = Arena::new();
        let found = view.lookup(Sample::Str(text.as_bytes()), &arena)?;
        Some(String::from_utf8(found.to_str(&arena).unwrap().to_vec()).unwrap())
    }

    #[test]
    fn files_give_keys_and_values() {
        let map = Reference::from_text("hosts.map", HOSTS, true);
        let got: Vec<_> =
            map.entries().iter().map(|e| (e.key.to_string(), e.value.clone().unwrap().to_string())).collect();
        let want = [("a.example", "one two"), ("b.example", "be2"), ("c.example", ""), ("a.example", "dup")];
        assert_eq!(got, want.map(|(k, v)| (k.to_owned(), v.to_owned())));
        let list = Reference::from_text("l", " a b \n#c\n", false);
        assert_eq!(&*list.entries()[0].key, "a b ");
    }

    #[test]
    fn changes_reach_every_view() {
        let map = Reference::from_text("m", "a 1\nab 2\n", true);
        let exact = map.view(spec(Method::Str, Output::Int), Flags::default()).unwrap();
        let prefix = map.view(spec(Method::Beg, Output::Str), Flags::default()).unwrap();
        assert_eq!(find(&exact, "ab").as_deref(), Some("2"));
        assert_eq!(find(&prefix, "abc").as_deref(), Some("2"));
        map.add("abc", Some("3")).unwrap();
        assert_eq!(find(&exact, "abc").as_deref(), Some("3"));
        assert_eq!(find(&prefix, "abcd").as_deref(), Some("3"));
        map.set("abc", "4").unwrap();
        assert_eq!(find(&prefix, "abcd").as_deref(), Some("4"));
        assert_eq!(map.remove("abc"), Ok(1));
        assert_eq!(find(&prefix, "abcd").as_deref(), Some("2"));
        assert_eq!(map.remove("abc"), Err(ChangeError::NotFound));
        map.clear();
        assert_eq!(find(&exact, "a"), None);
    }

    #[test]
    fn a_value_no_user_can_read_is_refused_and_changes_nothing() {
        let map = Reference::from_text("m", "a 1\n", true);
        let view = map.view(spec(Method::Str, Output::Int), Flags::default()).unwrap();
        assert!(matches!(map.add("b", Some("x")), Err(ChangeError::Pattern(_))));
        assert!(matches!(map.set("a", "x"), Err(ChangeError::Pattern(_))));
        assert_eq!(map.add("b", None), Err(ChangeError::Value));
        assert_eq!(map.len(), 1);
        assert_eq!(find(&view, "a").as_deref(), Some("1"));
        assert!(
            Reference::from_text("n", "a x", true)
                .view(spec(Method::Str, Output::Int), Flags::default())
                .is_err()
        );
    }

    #[test]
    fn a_prepared_version_appears_at_once() {
        let map = Reference::from_text("m", "a 1\n", true);
        let view = map.view(spec(Method::Str, Output::Str), Flags::default()).unwrap();
        let version = map.prepare();
        map.add_prepared(version, "b", Some("2")).unwrap();
        assert_eq!(find(&view, "b"), None);
        let prepared = map.entries_of(version).unwrap();
        assert_eq!((map.entries_of(0).map(|e| e.len()), map.entries_of(9)), (Some(1), None));
        map.commit(version).unwrap();
        assert_eq!((find(&view, "a"), find(&view, "b").as_deref()), (None, Some("2")));
        assert_eq!(map.commit(version), Err(ChangeError::Version));
        assert_eq!(map.entries(), prepared, "numbers are kept");
        map.set_id(prepared[0].id, "3").unwrap();
        map.add("b", Some("4")).unwrap();
        assert_eq!((map.len(), view.entry("b").and_then(|e| e.value).as_deref()), (2, Some("3")));
        let dropped = map.prepare();
        assert!(map.clear_prepared(dropped) && !map.clear_prepared(version));
    }

    #[test]
    fn the_first_of_several_equal_keys_answers() {
        let map = Reference::from_text("m", HOSTS, true);
        let view = map.view(spec(Method::Str, Output::Str), Flags::default()).unwrap();
        assert_eq!(find(&view, "a.example").as_deref(), Some("one two"));
        let first = map.entries()[0].id;
        map.remove_id(first).unwrap();
        assert_eq!(find(&view, "a.example").as_deref(), Some("dup"));
    }

    #[cfg(feature = "regex")]
    #[test]
    fn groups_of_the_key_appear_in_the_value() {
        let map = Reference::from_text("m", "^/u/([a-z]+)/(.*)$ \\2-\\1\\x21\n", true);
        let view = map.view(spec(Method::RegGroups, Output::Str), Flags::default()).unwrap();
        assert_eq!(find(&view, "/u/joe/x").as_deref(), Some("x-joe!"));
        assert_eq!(find(&view, "/v/joe/x"), None);
    }
}
