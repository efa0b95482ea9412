//! Lines of `virtual_rules` and `static_rules`, in the words of `ip rule`.

use super::Reading;
use super::address;
use super::cursor::{Cursor, Dropped, GROUPS, auto_base};
use super::route::{self, foreign};
use super::track::spanned;
use crate::codes;
use crate::tree::ValueLine;
use crate::word::Word;
use lb_core::diag::{Span, Spanned};
use std::net::Ipv6Addr;
use vrrp::spec::{Prefix, Rule as Spec, RuleAction};

/// A policy rule.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Rule {
    /// What the line says.
    pub value: Spec,
    /// `track_group` of a static rule.
    pub track_group: Option<Spanned<String>>,
    /// The whole line.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub span: Span,
}

impl Rule {
    /// The rules of a block; `fixed` ones are there as long as the daemon runs.
    pub(super) fn read_all(lines: &[ValueLine], fixed: bool, cx: &mut Reading<'_>) -> Vec<Self> {
        let mut rules = Vec::new();
        for line in lines {
            let mut builder =
                Builder { rule: Spec::default(), action: None, family: None, track_group: None };
            builder.rule.track = true;
            let done = builder.run(&mut Cursor::new(line, "rule", fixed, cx));
            if done.is_ok() {
                rules.extend(builder.finish(line, cx));
            }
        }
        rules
    }
}

struct Builder {
    rule: Spec,
    action: Option<RuleAction>,
    family: Option<bool>,
    track_group: Option<Spanned<String>>,
}

impl Builder {
    fn run(&mut self, line: &mut Cursor<'_, '_, '_>) -> Result<(), Dropped> {
        while let Some(word) = line.next() {
            if !(self.selector(word, line)? || self.ranges(word, line)? || self.act(word, line)?) {
                let compat = format!("Unknown rule option {}", word.text);
                let message = format!("`{}` is no option of a rule", word.text);
                return Err(line.drop_line(codes::BAD_OPTION, word, &message, compat));
            }
        }
        Ok(())
    }

    fn prefix(&mut self, option: &Word, line: &mut Cursor<'_, '_, '_>) -> Result<Option<Prefix>, Dropped> {
        let word = line.value(option)?;
        if matches!(word.text.as_str(), "all" | "any" | "default") {
            return Ok(None);
        }
        let prefix = match word.text.as_str() {
            "default6" => Prefix::new(Ipv6Addr::UNSPECIFIED.into(), 0),
            _ => address::prefix(word, "prefix", line.cx).ok_or_else(|| {
                let message = format!("`{}` is left without an address", option.text);
                let compat = format!("Invalid rule {} address {}", option.text, word.text);
                line.drop_line(codes::BAD_ADDRESS, word, &message, compat)
            })?,
        };
        let ipv6 = prefix.address.is_ipv6();
        let compat = "rule specification has mixed IPv4 and IPv6";
        line.must_be(&mut self.family, ipv6, word, "the line mixes IPv4 and IPv6", compat)?;
        Ok(Some(prefix))
    }

    fn selector(&mut self, word: &Word, line: &mut Cursor<'_, '_, '_>) -> Result<bool, Dropped> {
        match word.text.as_str() {
            "inet" => self.family = Some(false),
            "inet6" => self.family = Some(true),
            "not" => self.rule.invert = true,
            "from" => self.rule.from = self.prefix(word, line)?,
            "to" => self.rule.to = self.prefix(word, line)?,
            "dev" | "iif" => self.rule.input = Some(line.interface(word)?),
            "oif" => self.rule.output = Some(line.interface(word)?),
            "preference" | "order" | "priority" => {
                let number = |text: &str| u32::try_from(auto_base(text)?).ok();
                let wrong = (codes::BAD_NUMBER, "this is no place in the list of rules");
                let compat =
                    format!("invalid number '{{value}}'\nInvalid rule preference {} specified", word.text);
                self.rule.priority = Some(line.read(word, number, wrong, &compat)?);
            }
            "tos" | "dsfield" => self.rule.tos = Some(line.tos(word)?),
            "fwmark" => self.mark(word, line)?,
            "ipproto" | "ip_proto" => {
                let wrong = (codes::BAD_WORD, "this is no IP protocol");
                self.rule.ip_protocol =
                    Some(line.read(word, ip_protocol, wrong, "Invalid ipproto {value}")?);
            }
            "no_track" => self.rule.track = false,
            "track_group" if line.fixed => self.track_group = Some(spanned(line.value(word)?)),
            "realms" => {
                self.rule.realms = Some(line.realms(word)?);
                let compat = "realms is only valid for IPv4";
                line.must_be(&mut self.family, false, word, "only rules of IPv4 have realms", compat)?;
            }
            "tunnel-id" => {
                let wrong = (codes::BAD_NUMBER, "this is no number of a tunnel");
                let number = |text: &str| text.parse().ok();
                let compat = "invalid number '{value}'\nInvalid tunnel-id tunnel-id specified";
                self.rule.tunnel = Some(line.read(word, number, wrong, compat)?);
            }
            "suppress_ifgroup" | "sup_group" => {
                let (message, compat) =
                    ("this is no group of interfaces", "suppress_group {value} is invalid");
                self.rule.suppress_group = Some(line.listed(word, GROUPS, message, compat)?);
            }
            "protocol" => self.rule.protocol = Some(line.number(word, 255, "Invalid protocol {value}")?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn mark(&mut self, word: &Word, line: &mut Cursor<'_, '_, '_>) -> Result<(), Dropped> {
        let value = line.value(word)?;
        let (mark, mask) =
            value.text.split_once('/').map_or((value.text.as_str(), None), |(m, k)| (m, Some(k)));
        let number = |text: &str| auto_base(text).and_then(|n| u32::try_from(n).ok());
        match (number(mark), mask.map(number)) {
            (Some(mark), None) => self.rule.mark = Some((mark, None)),
            (Some(mark), Some(Some(mask))) => self.rule.mark = Some((mark, Some(mask))),
            _ => {
                let compat = format!("Invalid rule fwmark {} specified", value.text);
                return Err(line.drop_line(codes::BAD_NUMBER, value, "this is no firewall mark", compat));
            }
        }
        Ok(())
    }

    fn ranges(&mut self, word: &Word, line: &mut Cursor<'_, '_, '_>) -> Result<bool, Dropped> {
        match word.text.as_str() {
            "uidrange" => {
                let wrong = (codes::BAD_NUMBER, "this is no range of user ids");
                self.rule.uids =
                    Some(line.read(word, range, wrong, "Invalid uidrange uidrange specified")?);
            }
            "sport" | "dport" => {
                // One port alone is none to the original: it is the range from it to itself.
                let wrong = (codes::BAD_NUMBER, "this is no range of ports, as `80-80` is one");
                let compat = format!("invalid {} range {{value}}", word.text);
                let ports = Some(line.read(word, range::<u16>, wrong, &compat)?);
                if word.text == "sport" {
                    self.rule.source_ports = ports;
                } else {
                    self.rule.destination_ports = ports;
                }
            }
            "suppress_prefixlength" | "sup_pl" => {
                let compat = format!("Invalid suppress_prefixlength {} specified", word.text);
                let most = i32::MAX.unsigned_abs();
                self.rule.suppress_prefix_length = Some(line.number(word, most, &compat)?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn act(&mut self, word: &Word, line: &mut Cursor<'_, '_, '_>) -> Result<bool, Dropped> {
        let typed = word.text == "type";
        let word = if typed { line.value(word)? } else { word };
        let action = match word.text.as_str() {
            "table" | "lookup" => match line.table(word)? {
                0 => {
                    let compat = "Table 0 is not valid".to_owned();
                    return Err(line.drop_line(
                        codes::BAD_NUMBER,
                        word,
                        "a rule leads to no table 0",
                        compat,
                    ));
                }
                table => RuleAction::Table(table),
            },
            "goto" => RuleAction::Goto(line.number(word, u32::MAX, "Invalid target goto specified")?),
            "nop" => RuleAction::Nop,
            "blackhole" => RuleAction::Blackhole,
            "unreachable" => RuleAction::Unreachable,
            "prohibit" => RuleAction::Prohibit,
            "l3mdev" => RuleAction::DeviceTable,
            other => {
                let compat = match route::KINDS.iter().any(|(kind, _)| *kind == other) {
                    true => format!("Invalid rule action {other}"),
                    false if typed => format!("Unknown rule option {other}"),
                    false => return Ok(false),
                };
                return Err(line.drop_line(codes::BAD_OPTION, word, "a rule cannot do this", compat));
            }
        };
        if self.action.replace(action).is_some() {
            let compat = match action {
                RuleAction::DeviceTable => "Cannot specify l3mdev with other action",
                RuleAction::Table(_) => {
                    "Cannot specify more than one of table/nop/goto/blackhole/prohibit/unreachable for rule"
                }
                _ => {
                    "Cannot specify more than one of table/nop/goto/blackhole/prohibit/unreachable/l3mdev for rule"
                }
            };
            return Err(line.drop_line(codes::CONFLICT, word, "a rule does one thing", compat.to_owned()));
        }
        Ok(true)
    }

    /// True if something is said about the routes of a table and the rule leads to none.
    fn misplaced(&self, action: RuleAction) -> bool {
        let Spec { realms, suppress_prefix_length, suppress_group, .. } = &self.rule;
        !matches!(action, RuleAction::Table(_) | RuleAction::DeviceTable)
            && (realms.is_some() || suppress_prefix_length.is_some() || suppress_group.is_some())
    }

    fn finish(mut self, line: &ValueLine, cx: &mut Reading<'_>) -> Option<Rule> {
        let Some(action) = self.action else {
            let message = "the rule does nothing; it is ignored";
            cx.warn(codes::NOT_SET, line.span(), message, "No action specified for rule - ignoring");
            return None;
        };
        if let RuleAction::Goto(target) = action {
            let compat = match self.rule.priority {
                None => Some(format!("Invalid rule - goto target {target} specified without preference")),
                Some(p) if p >= target => {
                    Some(format!("Invalid rule - preference {p} >= goto target {target}"))
                }
                Some(_) => None,
            };
            if let Some(compat) = compat {
                cx.warn(
                    codes::CONFLICT,
                    line.span(),
                    "`goto` leads only forwards, from a `preference`; the rule is ignored",
                    compat,
                );
                return None;
            }
        }
        if self.misplaced(action) {
            let message = "realms and what suppresses routes belong to rules that look into a table; the rule is ignored";
            let compat = "suppressor/realm specified for non table action - skipping";
            cx.warn(codes::CONFLICT, line.span(), message, compat);
            return None;
        }
        foreign("rule", (self.rule.track, self.rule.protocol), line, cx);
        if self.rule.priority.is_none() {
            let place = cx.next_rule_place(self.family == Some(true));
            let message = format!("the rule has no `preference`; it gets {place}");
            let compat = format!(
                "Rule has no preference specified - setting to {place}. This is probably not what you want."
            );
            cx.warn(codes::NOT_SET, line.span(), message, compat);
            self.rule.priority = Some(place);
        }
        self.rule.action = action;
        self.rule.ipv6 = self.family == Some(true);
        Some(Rule { value: self.rule, track_group: self.track_group, span: line.span() })
    }
}

/// `N-M`
fn range<T: std::str::FromStr>(text: &str) -> Option<(T, T)> {
    let (low, high) = text.split_once('-')?;
    Some((low.parse().ok()?, high.parse().ok()?))
}

/// IP protocols by name or number.
fn ip_protocol(text: &str) -> Option<u8> {
    Some(match text.to_ascii_lowercase().as_str() {
        "icmp" => 1,
        "igmp" => 2,
        "ipencap" | "ip-encap" => 4,
        "tcp" => 6,
        "udp" => 17,
        "dccp" => 33,
        "ipv6" => 41,
        "rsvp" => 46,
        "gre" => 47,
        "esp" | "ipsec-esp" => 50,
        "ah" | "ipsec-ah" => 51,
        "ipv6-icmp" | "icmpv6" => 58,
        "eigrp" => 88,
        "ospf" | "ospfigp" => 89,
        "pim" => 103,
        "ipcomp" => 108,
        "vrrp" => 112,
        "l2tp" => 115,
        "isis" => 124,
        "sctp" => 132,
        "udplite" => 136,
        "mpls-in-ip" => 137,
        other => return other.parse().ok(),
    })
}
