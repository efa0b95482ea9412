//! `log` lines and log formats.

use super::{Checker, Prefix, Stmt};
use crate::address::{Place, Rules};
use crate::codes;
use crate::config::{LogFormatChoice, LogLine, LogTarget};
use crate::section::SectionKind;
use crate::suggest;
use crate::tree::Word;
use lb_core::diag::{Diagnostic, Spanned};

const FACILITIES: &[&str] = &[
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "auth2", "ftp", "ntp",
    "audit", "alert", "cron2", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];
const FORMATS: &[&str] = &["local", "rfc3164", "rfc5424", "priority", "short", "timed", "iso", "raw"];

impl<'t> Checker<'t, '_> {
    pub(crate) fn log_line(&mut self, _kind: SectionKind, stmt: &Stmt<'t, '_>) {
        if stmt.prefix == Prefix::No {
            self.bare_no_log(stmt);
            if let Some(proxy) = self.proxy() {
                proxy.lists.log.clear();
                proxy.lists.no_log = true;
            }
            return;
        }
        let Some(line) = self.log_target(stmt.args(), stmt) else { return };
        if let Some(proxy) = self.proxy() {
            proxy.lists.log.push(line);
        }
    }

    /// Says of words behind `no log` that they do not belong there.
    pub(crate) fn bare_no_log(&mut self, stmt: &Stmt<'t, '_>) {
        if let Some(extra) = stmt.args().first().copied() {
            self.error(codes::TOO_MANY_ARGUMENTS, extra.span, "`no log` takes no argument");
        }
    }

    /// The words after `log`; `Some(None)` is `log global`.
    pub(crate) fn log_target(
        &mut self,
        args: &[Word<'t>],
        stmt: &Stmt<'t, '_>,
    ) -> Option<Option<LogLine<'t>>> {
        let Some(first) = args.first().copied() else {
            self.push(
                Diagnostic::error(codes::MISSING_ARGUMENT, stmt.head().after(), "`log` needs a target")
                    .compat("log : expects either <address[:port]> and <facility> or 'global' as arguments."),
            );
            return None;
        };
        if first.text == "global" && args.len() == 1 {
            return Some(None);
        }
        let target = self.log_destination(first)?;
        let mut line = LogLine {
            target,
            facility: 0,
            level: None,
            min_level: None,
            length: None,
            format: None,
            sample: None,
            profile: None,
            span: stmt.span(),
        };
        let at = self.log_options(args, &mut line)?;
        self.log_levels(args, at, &mut line)?;
        Some(Some(line))
    }

    fn log_destination(&mut self, word: Word<'t>) -> Option<LogTarget<'t>> {
        let part = |at: usize| Word {
            text: &word.text[at..],
            span: word.part(at..word.text.len()),
            plain: word.plain,
        };
        if let Some(rest) = word.text.strip_prefix("ring@") {
            return Some(LogTarget::Ring(part(word.text.len() - rest.len())));
        }
        if let Some(rest) = word.text.strip_prefix("backend@") {
            return Some(LogTarget::Backend(part(word.text.len() - rest.len())));
        }
        match word.text {
            "stdout" => return Some(LogTarget::Fd(1)),
            "stderr" => return Some(LogTarget::Fd(2)),
            _ => {}
        }
        let address = self.address(word, Rules::LOOSE, "log")?;
        if let Place::Fd(fd) = address.place {
            return Some(LogTarget::Fd(fd));
        }
        self.resolve(&address, word, "log");
        Some(LogTarget::Address(address))
    }

    /// The named options of a log line; says where they end.
    fn log_options(&mut self, args: &[Word<'t>], line: &mut LogLine<'t>) -> Option<usize> {
        let mut at = 1;
        while let Some(word) = args.get(at) {
            match word.text {
                "len" => {
                    let value = self.follow(args, at, "log")?;
                    line.length = Some(self.integer("len", value, 80, 65535)? as u32);
                }
                "format" => {
                    let value = self.follow(args, at, "log")?;
                    line.format = Some(self.choice("log format", value, FORMATS)?);
                }
                "sample" => {
                    let value = self.follow(args, at, "log")?;
                    line.sample = Some(self.sample(value)?);
                }
                "profile" => line.profile = Some(self.follow(args, at, "log")?),
                _ => break,
            }
            at += 2;
        }
        Some(at)
    }

    /// `1-3,5:10`: lines 1 to 3 and 5 of every 10.
    fn sample(&mut self, value: Word<'t>) -> Option<(Vec<(u32, u32)>, u32)> {
        let parsed = value.text.rsplit_once(':').and_then(|(ranges, size)| {
            let size: u32 = size.parse().ok().filter(|s| *s > 0)?;
            let mut ranges = ranges
                .strip_suffix(',')
                .unwrap_or(ranges)
                .split(',')
                .map(|r| {
                    let (low, high) = r.split_once('-').unwrap_or((r, r));
                    let (low, high): (u32, u32) = (low.parse().ok()?, high.parse().ok()?);
                    (low > 0 && low <= high && high <= size).then_some((low, high))
                })
                .collect::<Option<Vec<_>>>()?;
            ranges.sort_unstable();
            let apart = ranges.windows(2).all(|pair| pair[0].1 < pair[1].0);
            apart.then_some((ranges, size))
        });
        if parsed.is_none() {
            self.push(
                Diagnostic::error(
                    codes::NUMBER,
                    value.span,
                    format!("`{}` is not a sample: ranges that do not overlap, a colon, a size", value.text),
                )
                .compat(format!(
                    "log : wrong sampling parameters '{}' (expected '<ranges>:<sample_size>').",
                    value.text
                )),
            );
        }
        parsed
    }

    fn log_levels(&mut self, args: &[Word<'t>], at: usize, line: &mut LogLine<'t>) -> Option<()> {
        let Some(facility) = args.get(at).copied() else {
            let last = args[args.len() - 1];
            self.push(
                Diagnostic::error(
                    codes::MISSING_ARGUMENT,
                    last.span.after(),
                    "`log` needs a facility after the target",
                )
                .compat("log : expects either <address[:port]> and <facility> or 'global' as arguments.")
                .note(format!("one of: {}", FACILITIES.join(", "))),
            );
            return None;
        };
        line.facility = match FACILITIES.iter().position(|f| *f == facility.text) {
            Some(number) => number as u8,
            None => {
                let mut diagnostic = Diagnostic::error(
                    codes::WORD,
                    facility.span,
                    format!("unknown log facility `{}`", facility.text),
                )
                .compat(format!("log : unknown log facility '{}'", facility.text))
                .note(format!("one of: {}", FACILITIES.join(", ")));
                if let Some(near) = suggest::nearest(facility.text, FACILITIES.iter().copied()) {
                    diagnostic = diagnostic.suggest(facility.span, near, format!("did you mean `{near}`?"));
                }
                self.push(diagnostic);
                return None;
            }
        };
        for (index, slot) in [(at + 1, &mut line.level), (at + 2, &mut line.min_level)] {
            let Some(word) = args.get(index).copied() else { return Some(()) };
            *slot = lb_core::log::syslog::level(word.text);
            if slot.is_none() {
                self.push(
                    Diagnostic::error(codes::WORD, word.span, format!("unknown log level `{}`", word.text))
                        .compat(format!("log : unknown optional log level '{}'", word.text))
                        .note("one of: emerg, alert, crit, err, warning, notice, info, debug"),
                );
                return None;
            }
        }
        if let Some(extra) = args.get(at + 3).copied() {
            self.push(
                Diagnostic::error(codes::TOO_MANY_ARGUMENTS, extra.span, "`log` takes no further argument")
                    .compat(format!("log : cannot handle unexpected argument '{}'.", extra.text)),
            );
            return None;
        }
        Some(())
    }

    pub(crate) fn format_line(&mut self, stmt: &Stmt<'t, '_>) {
        let format = stmt.args()[0];
        let value = Some(Spanned::new(format, stmt.span()));
        let kind = self.proxy().map_or(SectionKind::Defaults, |p| p.kind);
        if stmt.keyword.name == "log-format" {
            return self.set_log_format(kind, LogFormatChoice::Custom(format), stmt);
        }
        let Some(proxy) = self.proxy() else { return };
        match stmt.keyword.name {
            "error-log-format" => proxy.settings.error_log_format = value,
            "log-format-sd" => proxy.settings.log_format_sd = value,
            _ => proxy.settings.unique_id_format = value,
        }
    }

    /// Sets what is logged; a second choice in a `defaults` section gets a warning, as in HAProxy.
    pub(crate) fn set_log_format(
        &mut self,
        kind: SectionKind,
        choice: LogFormatChoice<'t>,
        stmt: &Stmt<'t, '_>,
    ) {
        let describe = |choice: &LogFormatChoice<'_>| match choice {
            LogFormatChoice::Custom(_) => "log-format",
            LogFormatChoice::Http(false) => "option httplog",
            LogFormatChoice::Http(true) => "option httplog clf",
            LogFormatChoice::Https => "option httpslog",
            LogFormatChoice::Tcp(false) => "option tcplog",
            LogFormatChoice::Tcp(true) => "option tcplog clf",
        };
        let new = describe(&choice);
        let value = Some(Spanned::new(choice, stmt.span()));
        let Some(proxy) = self.proxy() else { return };
        let old = std::mem::replace(&mut proxy.settings.log_format, value);
        if let Some(old) = old.filter(|_| kind == SectionKind::Defaults) {
            let word = describe(&old.value);
            self.push(
                Diagnostic::warning(
                    codes::CONFLICT,
                    stmt.head(),
                    format!("`{new}` replaces the `{word}` above"),
                )
                .compat(format!("'{new}' overrides previous '{word}' in 'defaults' section."))
                .label(old.span, "this has no effect"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::load::tests::load_text;

    #[test]
    fn ranges_of_a_sample_do_not_overlap() {
        let is_taken = |sample: &str| {
            let text = format!("global\n log 192.0.2.1 sample {sample} local0\nfrontend f\n bind :80\n");
            let loaded = load_text(&text);
            !loaded.diagnostics.iter().any(|diagnostic| diagnostic.message.contains("is not a sample"))
        };
        for taken in ["1:3", "1-2,4:5", "4,1-2:5", "1,:3"] {
            assert!(is_taken(taken), "{taken}");
        }
        for refused in ["1,1:2", "1-3,2:5", "2,1-3:5", "4:3", "2-1:3", "0:3", "1:0", ":3", ",1:3"] {
            assert!(!is_taken(refused), "{refused}");
        }
    }
}
