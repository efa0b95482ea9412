//! `cookie` and `compression` lines.

use super::{Checker, Stmt};
use crate::codes;
use crate::config::{Compression, Cookie};
use crate::tree::Word;
use crate::units::Unit;
use lb_core::diag::{Diagnostic, Spanned};

impl<'t> Checker<'t, '_> {
    pub(crate) fn cookie_line(&mut self, stmt: &Stmt<'t, '_>) {
        let args = stmt.args().to_vec();
        let mut cookie = Cookie { name: args[0].text, ..Cookie::default() };
        let mut at = 1;
        while at < args.len() {
            let Some(used) = self.cookie_option(&args, at, &mut cookie) else { return };
            at += used;
        }
        let modes = [cookie.rewrite, cookie.insert, cookie.prefix].iter().filter(|m| **m).count();
        let problem = if cookie.rewrite && cookie.indirect {
            Some("cookie 'rewrite' and 'indirect' modes are incompatible.")
        } else if modes > 1 {
            Some("cookie 'rewrite', 'insert' and 'prefix' modes are incompatible.")
        } else if cookie.preserve && !cookie.insert && !cookie.indirect {
            Some("cookie 'preserve' requires at least 'insert' or 'indirect'.")
        } else {
            None
        };
        if let Some(compat) = problem {
            return self.push(
                Diagnostic::error(
                    codes::CONFLICT,
                    stmt.span(),
                    compat.trim_end_matches('.').replace('\'', "`"),
                )
                .compat(compat),
            );
        }
        let value = Some(Spanned::new(cookie, stmt.span()));
        if let Some(proxy) = self.proxy() {
            proxy.settings.cookie = value;
        }
    }

    fn cookie_option(&mut self, args: &[Word<'t>], at: usize, cookie: &mut Cookie<'t>) -> Option<usize> {
        let word = args[at];
        match word.text {
            "rewrite" => cookie.rewrite = true,
            "insert" => cookie.insert = true,
            "prefix" => cookie.prefix = true,
            "indirect" => cookie.indirect = true,
            "nocache" => cookie.nocache = true,
            "postonly" => cookie.postonly = true,
            "preserve" => cookie.preserve = true,
            "httponly" => cookie.httponly = true,
            "secure" => cookie.secure = true,
            "dynamic" => cookie.dynamic = true,
            "domain" => {
                let domain = self.follow(args, at, "cookie")?;
                if !domain.text.trim_start_matches('.').contains('.') {
                    self.push(
                        Diagnostic::warning(codes::USELESS, domain.span, format!("browsers ignore the domain `{}`", domain.text))
                            .compat(format!(
                                "domain '{}' contains no embedded dot, this configuration may not work properly (see RFC6265#5.2.3).",
                                domain.text
                            )),
                    );
                }
                cookie.domains.push(domain.text);
                return Some(2);
            }
            name @ ("maxidle" | "maxlife") => {
                let value = self.follow(args, at, "cookie")?;
                let time = self.time(name, value, Unit::Second)?;
                *(if name == "maxidle" { &mut cookie.maxidle } else { &mut cookie.maxlife }) = Some(time);
                return Some(2);
            }
            "attr" => {
                let value = self.follow(args, at, "cookie")?;
                if value.text.contains(|c: char| c.is_ascii_control() || c == ';') {
                    self.error(
                        codes::NAME,
                        value.span,
                        "an attribute of a cookie cannot hold control characters or `;`",
                    );
                    return None;
                }
                cookie.attributes.push(value.text);
                return Some(2);
            }
            other => {
                self.push(
                    Diagnostic::error(codes::WORD, word.span, format!("`{other}` is not an option of `cookie`"))
                        .compat(
                            "'cookie' supports 'rewrite', 'insert', 'prefix', 'indirect', 'nocache', 'postonly', 'domain', \
                             'maxidle', 'dynamic', 'maxlife' and 'attr' options.",
                        )
                        .note("see: configuration manual 4.2, \"cookie\""),
                );
                return None;
            }
        }
        Some(1)
    }

    pub(crate) fn compression_line(&mut self, stmt: &Stmt<'t, '_>) {
        const ALGORITHMS: &[&str] = &["identity", "gzip", "deflate", "raw-deflate", "br", "zstd"];
        let args = stmt.args().to_vec();
        let name = stmt.keyword.name.trim_start_matches("compression ");
        if args.is_empty() && name != "offload" {
            return self.error(
                codes::MISSING_ARGUMENT,
                stmt.head().after(),
                format!("`compression {name}` needs an argument"),
            );
        }
        if name.starts_with("algo") {
            // That of requests is one, and what follows it is not looked at.
            let count = if name == "algo-req" { 1 } else { args.len() };
            for word in &args[..count] {
                if self.choice("compression algo", *word, ALGORITHMS).is_none() {
                    return;
                }
            }
        }
        let size = if name.starts_with("minsize") { self.size(name, args[0]).unwrap_or(0) } else { 0 };
        let span = stmt.span();
        let Some(proxy) = self.proxy() else { return };
        let slot =
            proxy.settings.compression.get_or_insert_with(|| Spanned::new(Compression::default(), span));
        let texts = args.iter().map(|w| w.text);
        match name {
            "algo" | "algo-res" => slot.value.algorithms.extend(texts),
            "type" | "type-res" => slot.value.types.extend(texts),
            "offload" => slot.value.offload = true,
            "minsize-res" => slot.value.min_size = size,
            "algo-req" => slot.value.request_algorithm = args.first().map(|w| w.text),
            "type-req" => slot.value.request_types.extend(texts),
            "minsize-req" => slot.value.request_min_size = size,
            _ => slot.value.direction = args.first().map(|w| w.text),
        }
    }
}
