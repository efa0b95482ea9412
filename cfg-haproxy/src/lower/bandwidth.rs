//! `filter bwlim-in`, `filter bwlim-out` and `set-bandwidth-limit` (manual 9.7).

use super::Lowerer;
use super::action::At;
use super::proxy::{Making, table};
use crate::codes;
use crate::config::{Proxy, StickTable};
use crate::tree::Word;
use crate::units::{self, Unit, UnitError};
use lb_core::bandwidth::{Quota, SetBandwidth, Shaper};
use lb_core::expr::{Cast, Direction, Phases, Program};
use lb_core::stick::DataType;
use std::sync::Arc;

/// The limits that a proxy declares.
#[derive(Default)]
pub(super) struct Shapers<'t> {
    /// In the order of the file; what is wrong with one was said.
    all: Vec<(Word<'t>, Option<Arc<Shaper>>)>,
    /// The last filter of the proxy is a limit.
    last: bool,
}

/// One filter line being read.
struct Filter<'w, 't> {
    words: &'w [Word<'t>],
    at: usize,
    limit: Option<u32>,
    period: Option<u32>,
    min_size: u32,
    key: Option<Program>,
    table: Option<Word<'t>>,
    /// For each stream, or for all of a key; what the first option says.
    shared: Option<bool>,
}

impl<'t> Filter<'_, 't> {
    fn kind(&self) -> Word<'t> {
        self.words[0]
    }
}

/// What HAProxy says of a number that it cannot read.
fn unexpected(error: UnitError, text: &str) -> char {
    match error {
        UnitError::Unexpected(character) => character,
        _ => text.chars().last().unwrap_or(' '),
    }
}

fn bytes(text: &str) -> Result<u32, char> {
    let size = units::size(text).and_then(|size| u32::try_from(size).map_err(|_| UnitError::Overflow));
    size.map_err(|error| unexpected(error, text))
}

fn millis(text: &str) -> Result<u32, char> {
    // A time is at most 2^31 - 1 of its unit.
    units::time(text, Unit::Milli)
        .map(|time| time.as_millis() as u32)
        .map_err(|error| unexpected(error, text))
}

impl<'t> Lowerer<'_, 't, '_, '_> {
    /// The limits of a proxy.
    pub(super) fn shapers(&mut self, proxy: &Proxy<'t>) -> Shapers<'t> {
        let mut shapers = Shapers::default();
        for (place, words) in proxy.lists.filters.iter().enumerate() {
            shapers.last = words[0].text.starts_with("bwlim-");
            if !shapers.last {
                continue;
            }
            // The words were counted before.
            let Some(name) = words.get(1).copied() else { continue };
            if shapers.all.iter().any(|(other, _)| other.text == name.text) {
                self.error(
                    codes::DUPLICATE,
                    name.span,
                    format!("`{}` is declared twice", name.text),
                    format!(
                        "'filter' : bwlim filter '{}' already declared for proxy '{}'",
                        name.text, proxy.name
                    ),
                );
                continue;
            }
            let shaper = self.shaper(proxy, words, name, place);
            shapers.all.push((name, shaper));
        }
        shapers
    }

    fn shaper(
        &mut self,
        proxy: &Proxy<'t>,
        words: &[Word<'t>],
        name: Word<'t>,
        place: usize,
    ) -> Option<Arc<Shaper>> {
        let mut filter = Filter {
            words,
            at: 2,
            limit: None,
            period: None,
            min_size: 0,
            key: None,
            table: None,
            shared: None,
        };
        while let Some(word) = words.get(filter.at).copied() {
            self.option(&mut filter, word)?;
        }
        let (kind, shared) = (filter.kind(), filter.shared == Some(true));
        let missing = [
            (shared && filter.key.is_none(), "key"),
            (!shared && filter.period.is_none_or(|period| period == 0), "default-period"),
            (filter.limit.is_none_or(|limit| limit == 0), if shared { "limit" } else { "default-limit" }),
        ];
        if let Some((_, option)) = missing.iter().find(|(missing, _)| *missing) {
            self.filter_error(kind, kind, &format!("<{option}> option is missing"));
            return None;
        }
        let direction = if kind.text == "bwlim-in" { Direction::Request } else { Direction::Response };
        let limit = filter.limit?;
        let quota = match filter.key {
            None => Quota::Stream { limit, period: filter.period? },
            Some(key) => {
                let table = self.shared_table(proxy, name, filter.table, direction, &key)?;
                Quota::Shared { limit, key, table }
            }
        };
        let owner = Arc::from(proxy.name);
        Some(Arc::new(Shaper { owner, place, direction, quota, min_size: filter.min_size }))
    }

    /// Reads one option of a filter.
    fn option(&mut self, filter: &mut Filter<'_, 't>, word: Word<'t>) -> Option<()> {
        let kind = filter.kind();
        let shared = match word.text {
            "key" | "table" | "limit" => Some(true),
            "default-period" | "default-limit" => Some(false),
            "min-size" => None,
            other => {
                self.error(
                    codes::WORD,
                    word.span,
                    format!("`{other}` is not an option of `{}`", kind.text),
                    format!("'filter {}' : unknown keyword '{other}'.", kind.text),
                );
                return None;
            }
        };
        if shared.is_some() && filter.shared.is_some_and(|other| Some(other) != shared) {
            self.filter_error(word, kind, "cannot mix per-stream and shared parameter");
            return None;
        }
        filter.shared = filter.shared.or(shared);
        let Some(value) = filter.words.get(filter.at + 1).copied() else {
            let what = match word.text {
                "key" => "the sample expression",
                "table" => "the table name",
                _ => "the value",
            };
            self.filter_error(word, kind, &format!("{what} is missing for '{}' option", word.text));
            return None;
        };
        filter.at += 2;
        let number = match word.text {
            "key" => {
                let (key, used) = self.program_prefix(&filter.words[filter.at - 1..], kind.text)?;
                filter.at += used - 1;
                filter.key = Some(key);
                return Some(());
            }
            "table" => {
                filter.table = Some(value);
                return Some(());
            }
            "default-period" => millis(value.text),
            _ => bytes(value.text),
        };
        match (number, word.text) {
            (Ok(number), "default-period") => filter.period = Some(number),
            (Ok(number), "min-size") => filter.min_size = number,
            (Ok(number), _) => filter.limit = Some(number),
            (Err(character), option) => {
                let message =
                    format!("invalid value for option '{option}' (unexpected character '{character}')");
                self.filter_error(value, kind, &message);
                return None;
            }
        }
        Some(())
    }

    /// The table of a shared limit, which must store what is limited under keys like this one.
    fn shared_table(
        &mut self,
        proxy: &Proxy<'t>,
        name: Word<'t>,
        word: Option<Word<'t>>,
        direction: Direction,
        key: &Program,
    ) -> Option<Arc<str>> {
        let (own, owner) = (proxy.name, name.text);
        let called = word.map_or(own, |word| word.text);
        let at = word.unwrap_or(name).span;
        let Some(line) = self.table_line(called) else {
            self.error(
                codes::UNKNOWN_NAME,
                at,
                format!("there is no stick table `{called}`"),
                format!("Proxy {own} : unable to find table '{called}' referenced by bwlim filter '{owner}'"),
            );
            return None;
        };
        let spec = table(called, line);
        let data = match direction {
            Direction::Request => DataType::BytesInRate,
            Direction::Response => DataType::BytesOutRate,
        };
        let stored = data.name();
        if spec.store(data).is_none() {
            self.error(
                codes::RULE,
                at,
                format!("the table `{called}` does not store `{stored}`, which `{owner}` counts in"),
                format!(
                    "Proxy {own} : stick-table '{called}' uses a data type incompatible with bwlim filter '{owner}'. \
                     It must be '{stored}'"
                ),
            );
            return None;
        }
        if key.out().cast_to(spec.key.sample_type()) == Cast::Never {
            self.error(
                codes::RULE,
                at,
                format!("the key of `{owner}` is none for the table `{called}`"),
                format!(
                    "Proxy {own} : stick-table '{called}' uses a key type incompatible with bwlim filter '{owner}'"
                ),
            );
            return None;
        }
        Some(Arc::from(called))
    }

    /// Where a stick table is declared.
    fn table_line(&self, name: &str) -> Option<&StickTable<'t>> {
        let own = self.config.proxies.iter().find(|proxy| proxy.name == name && proxy.table.is_some());
        own.and_then(|proxy| proxy.table.as_ref()).or_else(|| {
            let (peers, table) = name.split_once('/')?;
            let section = self.config.peers.iter().find(|section| section.name.text == peers)?;
            section.tables.iter().find(|(own, _)| own.text == table).map(|(_, line)| line)
        })
    }

    fn filter_error(&mut self, word: Word<'t>, kind: Word<'t>, message: &str) {
        let compat = format!("'filter' : '{}' : {message}", kind.text);
        self.error(codes::WORD, word.span, message.replace('\'', "`"), compat);
    }

    /// `set-bandwidth-limit <name> [limit { <expr> | <size> }] [period { <expr> | <time> }]`
    pub(super) fn set_bandwidth(&mut self, making: &Making<'_, 't>, at: &At<'_, 't>) -> Option<SetBandwidth> {
        let Some(name) = at.arg(0) else {
            self.action_error(at.head(), &at.owner, "missing bwlim filter name");
            return None;
        };
        let (mut limit, mut period, mut rest) = (None, None, &at.rest()[1..]);
        while let [word, behind @ ..] = rest {
            let (into, number, what) = match word.text {
                "limit" => (&mut limit, behind.first().and_then(|word| bytes(word.text).ok()), "size"),
                "period" => (&mut period, behind.first().and_then(|word| millis(word.text).ok()), "time"),
                other => {
                    self.action_error(*word, &at.owner, &format!("unexpected argument '{other}'"));
                    return None;
                }
            };
            let (program, used) = match (number, behind) {
                (Some(number), [value, ..]) => {
                    (self.constant(number.into(), std::slice::from_ref(value), at)?, 1)
                }
                (_, []) => {
                    let message = format!("'{}': missing {what} value or expression", word.text);
                    self.action_error(*word, &at.owner, &message);
                    return None;
                }
                _ => self.program_prefix(behind, &at.owner)?,
            };
            *into = Some(program);
            rest = &behind[used..];
        }
        let shaper = self.shaper_of(making, name)?;
        let shared = match &shaper.quota {
            Quota::Shared { key, .. } => Some(key),
            Quota::Stream { .. } => None,
        };
        let proxy = making.proxy.name;
        for (what, program) in [("limit", &limit), ("period", &period)] {
            let Some(program) = program else { continue };
            if shared.is_some() {
                let message = format!("cannot define a {what} for a shared bwlim filter");
                self.error(
                    codes::RULE,
                    name.span,
                    format!("`set-bandwidth-limit` {message}"),
                    format!("Proxy '{proxy}': set-bandwidth-limit rule {message}."),
                );
                return None;
            }
            self.readable(making, at, program, &format!("set-bandwidth-limit rule uses a {what}"))?;
        }
        if let Some(key) = shared {
            self.readable(making, at, key, &format!("bwlim filter '{}' uses a key", name.text))?;
        }
        Some(SetBandwidth { shaper, limit, period })
    }

    /// The limit that a rule names. Where another filter is the last one, HAProxy takes that for a name it does not know.
    fn shaper_of(&mut self, making: &Making<'_, 't>, name: Word<'t>) -> Option<Arc<Shaper>> {
        let (proxy, shapers) = (making.proxy.name, making.shapers);
        if let Some((_, shaper)) = shapers.all.iter().find(|(own, _)| own.text == name.text) {
            return shaper.clone();
        }
        if let Some((other, shaper)) = shapers.all.last().filter(|_| shapers.last) {
            let message =
                format!("`{}` is no limit of `{proxy}`; `{}` is taken instead", name.text, other.text);
            self.warning(
                codes::UNKNOWN_NAME,
                name.span,
                message.clone(),
                format!("Proxy '{proxy}': {}.", message.replace('`', "'")),
            );
            return shaper.clone();
        }
        self.error(
            codes::UNKNOWN_NAME,
            name.span,
            format!("`{}` is no limit of `{proxy}`; declare it with `filter`", name.text),
            format!(
                "Proxy '{proxy}': unable to find bwlim filter '{}' referenced by set-bandwidth-limit rule.",
                name.text
            ),
        );
        None
    }

    /// Checks that a rule can read an expression where it stands, and warns when the bytes it reads may not be there.
    fn readable(
        &mut self,
        making: &Making<'_, 't>,
        at: &At<'_, 't>,
        program: &Program,
        who: &str,
    ) -> Option<()> {
        let (proxy, phases, name) = (making.proxy, program.needs().phases(), program.fetch().name);
        if !phases.intersects(at.phases) {
            let message = format!("extracting information from '{name}', none of which is available here");
            self.error(
                codes::EXPRESSION,
                at.head().span,
                format!("{who} {message}").replace('\'', "`"),
                format!("Proxy '{}': {who} {message}.", proxy.name),
            );
            return None;
        }
        let settings = making.settings;
        let unset = if at.phases.intersects(Phases::FE_REQUEST_CONTENT) {
            let early = phases.intersects(Phases::SESSION);
            (!early && settings.inspect_delay.is_none()).then_some("request")
        } else if at.phases.intersects(Phases::BE_RESPONSE_CONTENT) {
            let early = phases.intersects(Phases::SERVER_CONNECT);
            (!early && settings.response_inspect_delay.is_none()).then_some("response")
        } else {
            None
        };
        if let Some(side) = unset {
            self.warning(
                codes::RULE,
                at.head().span,
                format!("without `tcp-{side} inspect-delay` the {side} may not be there when this rule runs"),
                format!(
                    "{} '{}' : a 'tcp-{side} content set-bandwidth-limit' rule depends on {side} contents without any \
                     'tcp-{side} inspect-delay' setting.",
                    proxy.type_word(), proxy.name
                ),
            );
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use crate::{Facts, Host, NoEnv, Source};
    use lb_core::expr::Registry;
    use lb_proto_http::spec::HttpProxy;

    const TABLES: &str = "backend out\n stick-table type ip size 10 store bytes_out_rate(1s)\n\
                          backend in\n stick-table type string size 10 store bytes_in_rate(1s)\n";
    const OWN: &str = "filter bwlim-out a default-limit 1m default-period 10s min-size 2k";

    /// What the rules of a proxy with these lines come to, and what there is to say of limits; else what is wrong.
    fn lowered(lines: &[&str]) -> Result<(String, String), String> {
        let lines: String = lines.iter().map(|line| format!(" {line}\n")).collect();
        let text = format!(
            "{TABLES}listen p\n mode http\n timeout client 1s\n timeout server 1s\n timeout connect 1s\n bind :80\n\
             {lines} server s 192.0.2.1:80\n"
        );
        let mut registry = Registry::builtin();
        lb_proto_http::fetch::register(&mut registry);
        let sources = [Source::new("a.cfg", &text)];
        let loaded = crate::load(&sources, &NoEnv, &Facts::default(), Host::ANY, &registry);
        let said: Vec<&str> = loaded.diagnostics.iter().map(|d| d.compat.as_deref().unwrap_or("")).collect();
        if loaded.diagnostics.has_errors() {
            return Err(said.join("\n"));
        }
        let proxy = loaded.spec.proxies.last().unwrap();
        let http = proxy.protocol.as_any().downcast_ref::<HttpProxy>().unwrap();
        let rules = format!("{:?} {:?} {:?}", http.request, http.response, proxy.tcp_rules);
        let said: Vec<&str> =
            said.into_iter().filter(|text| text.contains("bandwidth") || text.contains("instead")).collect();
        Ok((rules, said.join("\n")))
    }

    #[test]
    fn limits_become_part_of_the_rules_that_set_them() {
        let (rules, said) = lowered(&["http-request set-bandwidth-limit a", OWN]).unwrap();
        assert!(rules.contains("Stream { limit: 1048576, period: 10000 }, min_size: 2048"), "{rules}");
        assert!(rules.contains("direction: Response") && said.is_empty(), "{rules} {said}");
        let shared = "filter bwlim-in a key req.hdr(host),lower limit 5k table in";
        let (rules, _) = lowered(&[shared, "http-request set-bandwidth-limit a if TRUE"]).unwrap();
        assert!(rules.contains("Shared { limit: 5120") && rules.contains("direction: Request"), "{rules}");
        let both = ["http-response set-bandwidth-limit a limit 10k period int(5),add(1) if TRUE", OWN];
        assert!(lowered(&both).unwrap().0.contains("limit: Some("));
        for set in ["tcp-request content", "tcp-response content"] {
            let (rules, said) = lowered(&[OWN, &format!("{set} set-bandwidth-limit a limit 1k")]).unwrap();
            assert!(rules.contains("SetBandwidth") && said.is_empty(), "{rules} {said}");
        }
    }

    #[test]
    fn a_limit_says_what_it_lacks() {
        for (line, expected) in [
            ("", "expects <name> as argument"),
            ("a", "<default-period> option is missing"),
            ("a default-period 1s", "<default-limit> option is missing"),
            ("a default-limit 0 default-period 1s", "<default-limit> option is missing"),
            ("a default-limit 1x default-period 1s", "'default-limit' (unexpected character 'x')"),
            ("a default-limit 5g default-period 1s", "'default-limit' (unexpected character 'g')"),
            ("a default-limit 1m default-period 1q", "'default-period' (unexpected character 'q')"),
            ("a default-limit 1m min-size", "the value is missing for 'min-size' option"),
            ("a default-limit 1m key src", "cannot mix per-stream and shared parameter"),
            ("a limit 1m table out", "<key> option is missing"),
            ("a key src table out", "<limit> option is missing"),
            ("a limit 1m key", "the sample expression is missing for 'key' option"),
            ("a limit 1m key src table", "the table name is missing for 'table' option"),
            ("a limit 1m key nosuch table out", "unknown fetch method 'nosuch'"),
            ("a limit 1m key src table no", "unable to find table 'no' referenced by bwlim filter 'a'"),
            ("a limit 1m key src", "unable to find table 'p' referenced by bwlim filter 'a'"),
            ("a limit 1m key src table in", "It must be 'bytes_out_rate'"),
            ("a limit 1m key http_first_req table out", "uses a key type incompatible with bwlim filter 'a'"),
            ("a default-limit 1m default-period 1s more", "'filter bwlim-out' : unknown keyword 'more'."),
        ] {
            let said = lowered(&[&format!("filter bwlim-out {line}")]).unwrap_err();
            assert!(said.contains(expected), "{line}: {said}");
        }
        assert!(lowered(&[OWN, OWN]).unwrap_err().contains("already declared for proxy 'p'"));
    }

    #[test]
    fn a_rule_names_a_limit_of_its_proxy_and_reads_what_is_there() {
        let shared = "filter bwlim-out s limit 1m key src table out";
        let late = "filter bwlim-in l limit 1m key res.hdr(x) table in";
        for (filter, rule, expected) in [
            ("filter compression", "http-request set-bandwidth-limit a", "unable to find bwlim filter 'a'"),
            (shared, "http-request set-bandwidth-limit s limit 1k", "cannot define a limit for a shared"),
            (shared, "http-request set-bandwidth-limit s period 1s", "cannot define a period for a shared"),
            (OWN, "http-request set-bandwidth-limit", "set-bandwidth-limit"),
            (OWN, "http-request set-bandwidth-limit a limit", "missing size value"),
            (OWN, "http-request set-bandwidth-limit a period nosuch", "unknown fetch method 'nosuch'"),
            (OWN, "http-request set-bandwidth-limit a more", "unexpected argument 'more'"),
            (OWN, "http-request set-bandwidth-limit a limit res.hdr_cnt", "none of which is available here"),
            (late, "http-request set-bandwidth-limit l", "none of which is available here"),
            (OWN, "http-after-response set-bandwidth-limit a", "expects"),
        ] {
            let said = lowered(&[filter, rule]).unwrap_err();
            assert!(said.contains(expected), "{rule}: {said}");
        }
        assert!(lowered(&[late, "http-response set-bandwidth-limit l"]).is_ok());
        // HAProxy takes the last filter for one that it does not know.
        let (rules, said) = lowered(&[OWN, "http-request set-bandwidth-limit b"]).unwrap();
        assert!(rules.contains("SetBandwidth") && said.contains("'a' is taken instead"), "{said}");
        let reads = [OWN, "tcp-request content set-bandwidth-limit a limit req.len"];
        assert!(lowered(&reads).unwrap().1.contains("inspect-delay"));
        assert!(lowered(&[reads[0], reads[1], "tcp-request inspect-delay 1s"]).unwrap().1.is_empty());
    }
}
