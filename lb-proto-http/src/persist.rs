//! Persistence by cookie (manual: `cookie`): finding the server a request belongs to, and telling the client.
//!
//! The letters are those of the log field `%tsc`, third and fourth.

use std::time::Duration;

use crate::cookie::{Cookies, set_cookie};
use crate::h1::cacheable;
use crate::head::{Fields, Method, Response};
use crate::spec::{CookieMode, CookieSpec};

/// Separates the server's name from the rest of a prefixed value.
const PREFIX_MARK: u8 = b'~';
/// Separates the server's name from the dates of an inserted value.
const DATE_MARK: u8 = b'|';
/// Alphabet of the dates.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Whether a request is bound to the server that its cookie or a rule names (`force-persist`, `ignore-persist`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the two exceptions and the rule")]
pub enum Binding {
    /// Yes, if the server takes traffic.
    #[default]
    Usual,
    /// Yes, even if the server is down.
    Forced,
    /// No.
    Ignored,
}

/// What the cookie of a request said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct State {
    /// What the rules say of persistence.
    pub binding: Binding,
    /// Index of the server the request belongs to.
    pub server: Option<u32>,
    /// A rule, the cookie or a stick table led to a server that may be used.
    pub direct: bool,
    /// Third letter of the termination state; 0 while nothing is known.
    pub request: u8,
    /// Fourth letter of the termination state; 0 while nothing is known.
    pub response: u8,
    /// When the cookie was set first, in seconds since the epoch; 0 when it does not say.
    first: u64,
    /// When the cookie was renewed last.
    last: u64,
    /// The cookie has dates.
    dated: bool,
}

impl State {
    /// The request is no longer tied to a server.
    pub const fn untie(&mut self) {
        self.direct = false;
    }

    /// The request goes to another server than before.
    pub const fn leave(&mut self) {
        if self.request == b'V' {
            self.request = b'D';
        }
    }

    /// The letters for the log.
    pub const fn letters(&self) -> (u8, u8) {
        (
            if self.request == 0 { b'-' } else { self.request },
            if self.response == 0 { b'-' } else { self.response },
        )
    }
}

/// What the pool knows of a cookie value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the three answers")]
pub enum Found {
    /// No server has it.
    Nobody,
    /// A server that takes persistent traffic.
    Usable(u32),
    /// A server that does not.
    Down(u32),
}

/// Reads the persistence cookie of a request and removes from it what the server must not see. The cookie has nothing to
/// say where a rule `named` the server.
pub fn read_request(
    spec: &CookieSpec,
    fields: &mut Fields,
    now: Duration,
    binding: Binding,
    named: Option<u32>,
    find: &mut dyn FnMut(&[u8]) -> Found,
) -> State {
    let mut state =
        State { request: b'N', binding, server: named, direct: named.is_some(), ..State::default() };
    let mut from = 0;
    while let Some(index) = fields.find(b"cookie", from) {
        from = index + 1;
        let value = fields.value(index);
        let Some(cookie) = Cookies::new(value).find(|cookie| cookie.name == &*spec.name) else { continue };
        let Some(text) = cookie.value else { continue };
        let (start, end) = (cookie.start, cookie.end);
        if spec.mode == CookieMode::Prefix {
            let Some(mark) = memchr::memchr(PREFIX_MARK, text) else {
                // Without a mark all of it is the server's name, and stays.
                decide(&mut state, find(text));
                continue;
            };
            decide(&mut state, find(&text[..mark]));
            let at = text.as_ptr() as usize - value.as_ptr() as usize;
            let new = [&value[..at], &value[at + mark + 1..]].concat();
            fields.set_value(index, &new);
            continue;
        }
        if state.request == b'N' {
            let mut parts = text.split(|byte| *byte == DATE_MARK);
            let name = parts.next().unwrap_or_default();
            state.last = parts.next().map_or(0, parse_date);
            state.first = parts.next().map_or(0, parse_date);
            state.dated = state.last != 0 || state.first != 0;
            if state.is_old(spec, now) {
                state.request = b'O';
            } else if state.is_expired(spec, now) {
                state.request = b'E';
            } else {
                decide(&mut state, find(name));
            }
        }
        if spec.mode == CookieMode::Insert && spec.indirect {
            match without(value, start, end) {
                Some(rest) => {
                    fields.set_value(index, &rest);
                    // There may be another one.
                    from = index;
                }
                None => {
                    fields.remove(index);
                    from = index;
                }
            }
        }
    }
    state
}

impl State {
    /// Renewed too long ago (`maxidle`).
    fn is_expired(&self, spec: &CookieSpec, now: Duration) -> bool {
        spec.maxidle.is_some_and(|idle| is_past(self.last, idle, now))
    }

    /// Set too long ago (`maxlife`).
    fn is_old(&self, spec: &CookieSpec, now: Duration) -> bool {
        spec.maxlife.is_some_and(|life| is_past(self.first, life, now))
    }
}

/// Whether what was dated so is too old; a date in the future by more than a day is not believed.
fn is_past(date: u64, most: Duration, now: Duration) -> bool {
    date != 0 && (date + most.as_secs() < now.as_secs() || date > now.as_secs() + 86_400)
}

fn decide(state: &mut State, found: Found) {
    let named = state.direct && matches!(state.request, b'N' | b'U');
    if named || state.binding == Binding::Ignored {
        state.request = b'U';
        return;
    }
    if state.server.is_some() {
        return;
    }
    match found {
        Found::Nobody => state.request = b'I',
        Found::Usable(server) => {
            state.server = Some(server);
            state.direct = true;
            state.request = b'V';
        }
        Found::Down(server) => {
            state.server = Some(server);
            state.direct = state.binding == Binding::Forced;
            state.request = b'D';
        }
    }
}

/// A cookie field without the cookie at `start..end`; `None` when nothing is left.
fn without(value: &[u8], start: usize, end: usize) -> Option<Vec<u8>> {
    let end = end + attributes(&value[end..]);
    let mut rest = value[..start].to_vec();
    if end < value.len() {
        // Of two separators one stays, without blanks before it.
        let tail = &value[end + 1..];
        if start == 0 {
            rest.extend_from_slice(crate::h1::trim(tail));
        } else {
            rest.truncate(value[..start - 1].trim_ascii_end().len());
            rest.push(value[start - 1]);
            rest.extend_from_slice(tail);
        }
    } else if rest.last().is_some_and(|byte| matches!(byte, b';' | b',')) {
        rest.pop();
    }
    // What is left may be no cookie, but the version in front of the first.
    Cookies::new(&rest).any(|cookie| !cookie.name.starts_with(b"$")).then_some(rest)
}

/// Length of the attributes (`$Path` and its like) that belong to the cookie in front of `tail`.
fn attributes(tail: &[u8]) -> usize {
    let mut len = 0;
    while let [b';' | b',', rest @ ..] = &tail[len..]
        && rest.trim_ascii_start().starts_with(b"$")
    {
        len += 1 + memchr::memchr2(b';', b',', rest).unwrap_or(rest.len());
    }
    len
}

/// Changes the cookies of a response as configured. `cookie` is the value that stands for the server, if it has one;
/// of a server without one the client is told to forget its own.
pub fn write_response(
    spec: &CookieSpec,
    state: &mut State,
    response: &mut Response,
    method: Method,
    cookie: Option<&str>,
    now: Duration,
) {
    state.response = b'N';
    if state.binding == Binding::Ignored {
        return;
    }
    let found = rewrite_server_cookies(spec, state, &mut response.fields, cookie);
    if spec.mode != CookieMode::Insert || (found && spec.preserve) {
        return;
    }
    if spec.postonly && method != Method::Post {
        return;
    }
    let dated = spec.is_dated();
    if state.direct {
        // A cookie that counts idle time is renewed; the others are known to the client already.
        // Dates that nobody asks for any more go.
        let renew = (state.dated && !dated)
            || dated
                && ((spec.maxidle.is_some() && state.last < now.as_secs())
                    || (spec.maxlife.is_some() && state.first == 0));
        if !renew {
            return;
        }
    }
    let mut text = spec.name.to_vec();
    text.push(b'=');
    match cookie {
        Some(cookie) => {
            text.extend_from_slice(cookie.as_bytes());
            push_dates(spec, state, &mut text, now);
            text.extend_from_slice(b"; path=/");
        }
        // The client is to forget a server that has no name.
        None => text.extend_from_slice(b"; Expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/"),
    }
    state.response = if state.direct && cookie.is_some() { b'U' } else { b'I' };
    push_attributes(spec, &mut text);
    let mark = spec.nocache && cacheable(method, response);
    response.fields.push(b"set-cookie", &text);
    if mark {
        response.fields.push(b"cache-control", b"private");
    }
}

fn push_dates(spec: &CookieSpec, state: &State, text: &mut Vec<u8>, now: Duration) {
    if !spec.is_dated() {
        return;
    }
    text.push(DATE_MARK);
    push_date(text, now.as_secs());
    if spec.maxlife.is_some() {
        text.push(DATE_MARK);
        // The first date is kept, so that the life does not begin anew.
        push_date(text, if state.direct && state.first != 0 { state.first } else { now.as_secs() });
    }
}

fn push_attributes(spec: &CookieSpec, text: &mut Vec<u8>) {
    for domain in &spec.domains {
        text.extend_from_slice(b"; domain=");
        text.extend_from_slice(domain.as_bytes());
    }
    if spec.httponly {
        text.extend_from_slice(b"; HttpOnly");
    }
    if spec.secure {
        text.extend_from_slice(b"; Secure");
    }
    for attribute in &spec.attributes {
        text.extend_from_slice(b"; ");
        text.extend_from_slice(attribute.as_bytes());
    }
}

/// Treats the `Set-Cookie` fields in which the server uses our name; says whether there was one.
fn rewrite_server_cookies(
    spec: &CookieSpec,
    state: &mut State,
    fields: &mut Fields,
    cookie: Option<&str>,
) -> bool {
    let mut found = false;
    let mut from = 0;
    while let Some(index) = fields.find(b"set-cookie", from) {
        from = index + 1;
        let value = fields.value(index);
        let Some((name, text, end)) = set_cookie(value) else { continue };
        if name != &*spec.name {
            continue;
        }
        found = true;
        let at = text.as_ptr() as usize - value.as_ptr() as usize;
        match (spec.mode, cookie) {
            (CookieMode::Insert, _) if spec.preserve => state.response = b'P',
            (CookieMode::Insert, _) => {
                fields.remove(index);
                from = index;
                state.response = b'D';
            }
            (CookieMode::Rewrite, Some(cookie)) => {
                let new = [&value[..at], cookie.as_bytes(), &value[end..]].concat();
                fields.set_value(index, &new);
                state.response = b'R';
            }
            (CookieMode::Prefix, Some(cookie)) => {
                let new = [&value[..at], cookie.as_bytes(), &[PREFIX_MARK], &value[at..]].concat();
                fields.set_value(index, &new);
                state.response = b'R';
            }
            _ => state.response = b'P',
        }
    }
    found
}

/// Appends a date as five digits of base 64, in units of four seconds.
fn push_date(out: &mut Vec<u8>, seconds: u64) {
    let units = (seconds + 3) >> 2;
    for shift in [24, 18, 12, 6, 0] {
        out.push(DIGITS[(units >> shift & 63) as usize]);
    }
}

/// Reads what [`push_date`] wrote; 0 for anything else.
fn parse_date(text: &[u8]) -> u64 {
    if text.len() != 5 {
        return 0;
    }
    let mut units = 0u64;
    for byte in text {
        let Some(digit) = DIGITS.iter().position(|digit| digit == byte) else { return 0 };
        units = units << 6 | digit as u64;
    }
    units << 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(value: &[u8]) -> Found {
        match value {
            b"A" => Found::Usable(0),
            b"B" => Found::Down(1),
            _ => Found::Nobody,
        }
    }

    fn request(spec: &CookieSpec, cookies: &[&str], now: u64) -> (State, Vec<String>) {
        let mut fields = Fields::default();
        for cookie in cookies {
            fields.push(b"cookie", cookie.as_bytes());
        }
        let now = Duration::from_secs(now);
        let state = read_request(spec, &mut fields, now, Binding::Usual, None, &mut find);
        (state, fields.iter().map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect())
    }

    fn response(spec: &CookieSpec, state: &mut State, set: &[&str]) -> Vec<String> {
        let mut response = Response { status: 200, ..Response::default() };
        for value in set {
            response.fields.push(b"set-cookie", value.as_bytes());
        }
        if spec.nocache {
            response.fields.push(b"etag", b"x");
        }
        let now = Duration::from_secs(1_700_000_000);
        write_response(spec, state, &mut response, Method::Get, Some("A"), now);
        response
            .fields
            .iter()
            .filter(|(name, _)| *name != b"etag")
            .map(|(name, value)| format!("{}: {}", name.escape_ascii(), value.escape_ascii()))
            .collect()
    }

    #[test]
    fn the_server_of_a_cookie_is_found_and_its_state_told() {
        let spec = CookieSpec::new("SRV", CookieMode::Insert);
        assert_eq!(request(&spec, &["x=1; SRV=A"], 0).0.letters(), (b'V', b'-'));
        assert_eq!(request(&spec, &["SRV=B"], 0).0.letters(), (b'D', b'-'));
        assert_eq!(request(&spec, &["SRV=C"], 0).0.letters(), (b'I', b'-'));
        assert_eq!(request(&spec, &["srv=A"], 0).0.letters(), (b'N', b'-'));
        assert_eq!(request(&spec, &["SRV=A"], 0).1, ["SRV=A"]);
    }

    #[test]
    fn rules_can_bind_more_or_less_than_the_cookie_does() {
        let spec = CookieSpec::new("SRV", CookieMode::Insert);
        let said = |binding| {
            let mut fields = Fields::default();
            fields.push(b"cookie", b"SRV=B");
            let state = read_request(&spec, &mut fields, Duration::ZERO, binding, None, &mut find);
            (state.direct, state.letters().0)
        };
        assert_eq!(said(Binding::Usual), (false, b'D'));
        assert_eq!(said(Binding::Forced), (true, b'D'));
        assert_eq!(said(Binding::Ignored), (false, b'U'));
        let mut ignored = State { binding: Binding::Ignored, ..State::default() };
        assert!(response(&spec, &mut ignored, &[]).is_empty());
    }

    #[test]
    fn an_indirect_cookie_does_not_reach_the_server() {
        let mut spec = CookieSpec::new("SRV", CookieMode::Insert);
        spec.indirect = true;
        for (given, left) in [
            (&["SRV=A"][..], &[][..]),
            (&["x=1; SRV=A"], &["x=1"]),
            (&["SRV=A; x=1"], &["x=1"]),
            (&["x=1; SRV=A; y=2"], &["x=1; y=2"]),
            (&["SRV=A", "x=1"], &["x=1"]),
            (&["$Version=1; SRV=A; $Path=/"], &[]),
            (&["$Version=1; SRV=A; $Path=/; x=1; $Path=/y"], &["$Version=1; x=1; $Path=/y"]),
        ] {
            assert_eq!(request(&spec, given, 0).1, left, "{given:?}");
        }
    }

    #[test]
    fn a_prefix_is_stripped_towards_the_server_and_added_towards_the_client() {
        let spec = CookieSpec::new("SID", CookieMode::Prefix);
        let (mut state, left) = request(&spec, &["SID=A~app1; x=1"], 0);
        assert_eq!((state.server, left), (Some(0), vec!["SID=app1; x=1".to_owned()]));
        assert_eq!(response(&spec, &mut state, &["SID=app2; path=/"]), ["set-cookie: SID=A~app2; path=/"]);
        assert_eq!(state.response, b'R');
        let (state, left) = request(&spec, &["SID=A"], 0);
        assert_eq!((state.server, left), (Some(0), vec!["SID=A".to_owned()]));
    }

    #[test]
    fn a_cookie_is_set_only_when_the_client_lacks_it() {
        let mut spec = CookieSpec::new("SRV", CookieMode::Insert);
        spec.nocache = true;
        spec.httponly = true;
        spec.secure = true;
        let (mut state, _) = request(&spec, &[], 0);
        assert_eq!(
            response(&spec, &mut state, &[]),
            ["set-cookie: SRV=A; path=/; HttpOnly; Secure", "cache-control: private"]
        );
        assert_eq!(state.letters(), (b'N', b'I'));
        let (mut state, _) = request(&spec, &["SRV=A"], 0);
        assert!(response(&spec, &mut state, &[]).is_empty());
        assert_eq!(state.letters(), (b'V', b'N'));
    }

    #[test]
    fn a_cookie_has_nothing_to_say_where_a_rule_named_the_server() {
        let spec = CookieSpec::new("SRV", CookieMode::Insert);
        for (cookie, letter) in [("SRV=A", b'U'), ("SRV=C", b'U'), ("x=1", b'N')] {
            let mut fields = Fields::default();
            fields.push(b"cookie", cookie.as_bytes());
            let now = Duration::ZERO;
            let mut state = read_request(&spec, &mut fields, now, Binding::Usual, Some(7), &mut find);
            assert_eq!((state.server, state.request), (Some(7), letter), "{cookie}");
            assert!(response(&spec, &mut state, &[]).is_empty());
        }
    }

    #[test]
    fn the_client_forgets_its_cookie_on_a_server_that_has_none() {
        let spec = CookieSpec::new("SRV", CookieMode::Insert);
        let (mut state, _) = request(&spec, &[], 0);
        let mut response = Response { status: 200, ..Response::default() };
        write_response(&spec, &mut state, &mut response, Method::Get, None, Duration::ZERO);
        let gone = "SRV=; Expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/";
        assert_eq!(response.fields.get(b"set-cookie"), Some(gone.as_bytes()));
        assert_eq!(state.letters(), (b'N', b'I'));
    }

    #[test]
    fn a_cookie_that_counts_idle_time_is_renewed_when_time_has_passed() {
        let mut spec = CookieSpec::new("SRV", CookieMode::Insert);
        spec.maxidle = Some(Duration::from_secs(600));
        for (last, renewed) in [(1_699_999_996, true), (1_700_000_000, false)] {
            let mut cookie = b"SRV=A|".to_vec();
            push_date(&mut cookie, last);
            let (mut state, _) = request(&spec, &[std::str::from_utf8(&cookie).unwrap()], 1_700_000_000);
            assert_eq!(!response(&spec, &mut state, &[]).is_empty(), renewed, "{last}");
            assert_eq!(state.response, if renewed { b'U' } else { b'N' });
        }
    }

    #[test]
    fn a_rewritten_value_keeps_its_attributes() {
        let spec = CookieSpec::new("SRV", CookieMode::Rewrite);
        let (mut state, _) = request(&spec, &[], 0);
        assert_eq!(response(&spec, &mut state, &["SRV=x; path=/a"]), ["set-cookie: SRV=A; path=/a"]);
    }

    #[test]
    fn dates_survive_their_encoding_and_limit_the_cookie() {
        let mut text = Vec::new();
        push_date(&mut text, 1_700_000_000);
        assert_eq!(parse_date(&text), 1_700_000_000);
        // Of the two alphabets of base 64 it is the one with the signs that addresses cannot hold.
        assert_eq!(parse_date(b"awRq+"), 1_795_451_640);
        assert_eq!(parse_date(b"awRq/"), 1_795_451_644);
        let mut spec = CookieSpec::new("SRV", CookieMode::Insert);
        spec.maxidle = Some(Duration::from_secs(600));
        let cookie = format!("SRV=A|{}", String::from_utf8(text).unwrap());
        assert_eq!(request(&spec, &[&cookie], 1_700_000_100).0.request, b'V');
        assert_eq!(request(&spec, &[&cookie], 1_700_001_000).0.request, b'E');
        spec.maxlife = Some(Duration::from_secs(700));
        let cookie = cookie.replace("A|", "A|AAAAB|");
        assert_eq!(request(&spec, &[&cookie], 1_700_001_000).0.request, b'O');
    }
}
