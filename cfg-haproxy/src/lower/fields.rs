//! Actions on header fields.

use super::Lowerer;
use super::action::At;
use lb_proto_http::head::HeaderName;
use lb_proto_http::spec::{Action, NameMatch, NamePart, PackedFields, PackedUse};

impl<'t> Lowerer<'_, 't, '_, '_> {
    pub(super) fn header_action(&mut self, name: &str, at: &At<'_, 't>) -> Option<Action> {
        let header = HeaderName::new(at.arg(0)?.text);
        Some(match name {
            "set-header" => Action::SetHeader(header, self.fmt(at, 1)?),
            "add-header" => Action::AddHeader(header, self.fmt(at, 1)?),
            "early-hint" => Action::EarlyHint(header, self.fmt(at, 1)?),
            "replace-header" => {
                Action::ReplaceHeader(header, self.regex(at.arg(1)?, &at.owner)?, self.fmt(at, 2)?)
            }
            "replace-value" => {
                Action::ReplaceValue(header, self.regex(at.arg(1)?, &at.owner)?, self.fmt(at, 2)?)
            }
            _ => Action::DelHeader(match at.arg(2).map(|w| w.text) {
                Some("beg") => NameMatch::Prefix(header),
                Some("end") => NameMatch::Suffix(header),
                Some("sub") => NameMatch::Contains(header),
                Some("reg") => NameMatch::Regex(self.regex(at.arg(0)?, &at.owner)?),
                _ => NameMatch::Exact(header),
            }),
        })
    }

    /// `add-headers-bin` and `set-headers-bin <expr> [prefix <text>]`, `del-headers-bin <expr> [-m <method>]`.
    pub(super) fn packed_fields(&mut self, name: &str, at: &At<'_, 't>) -> Option<PackedFields> {
        let (packed, used) = self.program_prefix(at.rest(), &at.owner)?;
        let (option, value) = (at.arg(used), at.arg(used + 1));
        let deletes = name == "del-headers-bin";
        let flag = if deletes { "-m" } else { "prefix" };
        if option.is_some_and(|word| word.text != flag) {
            self.nothing_behind(option, at)?;
        }
        self.nothing_behind(at.arg(used + 2), at)?;
        if let (Some(option), None) = (option, value) {
            self.action_error(option, &at.owner, &format!("expects a word behind '{flag}'"));
            return None;
        }
        let used = match (deletes, value) {
            (false, prefix) => PackedUse::Write {
                prefix: prefix.map_or(&[][..], |word| word.text.as_bytes()).into(),
                replace: name == "set-headers-bin",
            },
            (true, method) => PackedUse::Delete(match method.map(|word| (word, word.text)) {
                None | Some((_, "str")) => NamePart::Whole,
                Some((_, "beg")) => NamePart::Start,
                Some((_, "end")) => NamePart::End,
                Some((_, "sub")) => NamePart::Any,
                Some((word, other)) => {
                    let message = format!("'-m' knows 'str', 'beg', 'end' and 'sub' here, not '{other}'");
                    self.action_error(word, &at.owner, &message);
                    return None;
                }
            }),
        };
        if !packed.needs().phases().intersects(at.phases) {
            let message = format!(
                "fetch method '{}' extracts information that is not available here",
                packed.fetch().name
            );
            self.action_error(at.head(), &at.owner, &message);
            return None;
        }
        Some(PackedFields { packed, used })
    }
}

#[cfg(test)]
mod tests {
    use super::super::action::tests::lowered;

    #[test]
    fn packed_fields_are_chosen_by_their_names() {
        let rule = |words: &str| lowered(&format!("http-request {words}"));
        assert!(rule("add-headers-bin bin(00) prefix x-").unwrap().contains("replace: false"));
        assert!(rule("set-headers-bin var(txn.a) if TRUE").unwrap().contains("replace: true"));
        assert!(rule("del-headers-bin bin(00)").unwrap().contains("Delete(Whole)"));
        assert!(rule("del-headers-bin bin(00) -m sub").unwrap().contains("Delete(Any)"));
        for wrong in ["", " bin(00) prefix", " bin(00) x", " bin(00) prefix x y", " res.len"] {
            assert!(rule(&format!("add-headers-bin{wrong}")).is_err(), "{wrong}");
        }
        for wrong in ["-m", "-m reg", "-m str x", "prefix x"] {
            assert!(rule(&format!("del-headers-bin bin(00) {wrong}")).is_err(), "{wrong}");
        }
    }
}
