//! Answers made here: `deny`, `return`, `tarpit`, `http-error`, `errorfile`, redirections.

use super::Lowerer;
use super::proxy::Making;
use crate::check::STATUSES;
use crate::codes;
use crate::config::ErrorLine;
use crate::tree::Word;
use lb_core::expr::Phases;
use lb_core::log::Template;
use lb_proto_http::head::HeaderName;
use lb_proto_http::spec::{ErrorReply, Redirect, RedirectCookie, RedirectTarget, Reply, ReplyBody};
use std::sync::Arc;

impl<'t> Lowerer<'_, 't, '_, '_> {
    /// `redirect` and its options.
    pub(super) fn redirect(&mut self, words: &[Word<'t>], phases: Phases, owner: &str) -> Option<Redirect> {
        let (mut target, mut code) = (None, 302);
        let mut redirect = Redirect::new(302, RedirectTarget::Location(Template::literal("")));
        let mut at = 0;
        while let Some(word) = words.get(at) {
            let value = words.get(at + 1).copied();
            match word.text {
                kind @ ("location" | "prefix" | "scheme") => {
                    let template = self.header_template(value?, phases, owner)?;
                    target = Some(match kind {
                        "location" => RedirectTarget::Location(template),
                        "prefix" => RedirectTarget::Prefix(template),
                        _ => RedirectTarget::Scheme(template),
                    });
                    at += 1;
                }
                "code" => {
                    code = value?.text.parse().ok()?;
                    at += 1;
                }
                kind @ ("set-cookie" | "set-cookie-fmt" | "clear-cookie") => {
                    let text = Template::literal(value?.text);
                    redirect.set_cookie = Some(match kind {
                        "set-cookie" => RedirectCookie::Set(text),
                        "clear-cookie" => RedirectCookie::Clear(text),
                        _ => RedirectCookie::Set(self.header_template(value?, phases, owner)?),
                    });
                    at += 1;
                }
                "drop-query" => redirect.drop_query = true,
                "keep-query" => redirect.keep_query = true,
                "append-slash" => redirect.append_slash = true,
                "ignore-empty" => redirect.ignore_empty = true,
                // Anything else was reported when the line was checked.
                _ => return None,
            }
            at += 1;
        }
        redirect.code = code;
        redirect.target = target?;
        Some(redirect)
    }

    /// The words of `deny`, `return`, `tarpit` or `http-error`.
    pub(super) fn reply(
        &mut self,
        words: &[Word<'t>],
        status: u16,
        phases: Phases,
        owner: &str,
    ) -> Option<Reply> {
        let mut reply = Reply::error(status);
        // Whatever else is said of the answer, it is empty unless a body is given.
        let said = match words {
            [first, _] => first.text != "deny_status",
            _ => !words.is_empty(),
        };
        if said || owner.ends_with("return") || owner == "http-error" {
            reply.body = ReplyBody::Empty;
        }
        let (mut at, mut body) = (0, None);
        while let Some(word) = words.get(at).copied() {
            if word.text == "default-errorfiles" {
                reply.body = ReplyBody::ErrorPage;
                at += 1;
                continue;
            }
            let Some(value) = words.get(at + 1).copied() else {
                self.reply_error(word, owner, format!("`{}` needs a value", word.text));
                return None;
            };
            match word.text {
                "status" | "deny_status" => reply.status = self.status(value, owner)?,
                "content-type" => reply.content_type = Some(Arc::from(value.text)),
                "hdr" => {
                    let Some(format) = words.get(at + 2).copied() else {
                        self.reply_error(word, owner, "`hdr` needs a name and a value".to_owned());
                        return None;
                    };
                    let template = self.header_template(format, phases, owner)?;
                    reply.headers.push((HeaderName::new(value.text), template));
                    at += 1;
                }
                _ => {
                    reply.body = self.reply_body(word, value, reply.status, phases, owner)?;
                    body = Some(word);
                }
            }
            at += 2;
        }
        if let Some(word) = body
            && let Some(message) = misfit(&reply)
        {
            self.reply_error(word, owner, message);
            return None;
        }
        if matches!(reply.body, ReplyBody::ErrorPage) && !STATUSES.contains(&reply.status) {
            self.no_answer_of_its_own(words, reply.status, owner);
            return None;
        }
        if !matches!(reply.body, ReplyBody::Empty | ReplyBody::Bytes(_) | ReplyBody::Format(_)) {
            // A page or a file is sent as it is.
            reply.headers.clear();
        }
        Some(reply)
    }

    fn no_answer_of_its_own(&mut self, words: &[Word<'t>], status: u16, owner: &str) {
        let named = words.iter().find(|w| w.text.parse() == Ok(status));
        let Some(word) = named.or_else(|| words.first()) else { return };
        self.error(
            codes::RULE,
            word.span,
            format!("status {status} has no answer of its own; give one"),
            format!(
                "error detected while parsing '{owner}' rule : status code '{status}' not handled by default with \
                 'default-errorfiles' argument."
            ),
        );
    }

    fn status(&mut self, word: Word<'t>, owner: &str) -> Option<u16> {
        let status = word.text.parse().ok().filter(|s| (200..=599).contains(s));
        if status.is_none() {
            self.reply_error(word, owner, format!("`{}` is not a status from 200 to 599", word.text));
        }
        status
    }

    fn reply_body(
        &mut self,
        kind: Word<'t>,
        value: Word<'t>,
        status: u16,
        phases: Phases,
        owner: &str,
    ) -> Option<ReplyBody> {
        Some(match kind.text {
            "string" => ReplyBody::Bytes(Arc::from(value.text.as_bytes())),
            "lf-string" => {
                ReplyBody::Format(self.template(value, lb_core::log::Style::Plain, phases, owner)?)
            }
            "file" => ReplyBody::Bytes(self.body_file(value, owner)?),
            "lf-file" => {
                let bytes = self.body_file(value, owner)?;
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let parsed = self.build(value.span, &[value], |registry, context| {
                    Template::parse(&text, lb_core::log::Style::Plain, phases, registry, context)
                });
                match parsed {
                    Ok(template) => ReplyBody::Format(template),
                    Err(error) => {
                        self.reply_error(
                            value,
                            owner,
                            format!("the format in `{}` is wrong: {error}", value.text),
                        );
                        return None;
                    }
                }
            }
            "errorfile" if value.text == "/dev/null" => {
                ReplyBody::File(Arc::new(ErrorReply::Raw(Arc::from(&[][..]))))
            }
            "errorfile" => ReplyBody::File(Arc::new(ErrorReply::Raw(self.error_file(value, owner)?))),
            "errorfiles" => ReplyBody::File(self.group_reply(value, status, owner)?),
            other => {
                self.reply_error(kind, owner, format!("`{other}` is not an argument of `{owner}`"));
                return None;
            }
        })
    }

    fn reply_error(&mut self, word: Word<'t>, owner: &str, message: String) {
        let compat =
            format!("error detected while parsing an '{owner}' rule : {}.", message.replace('`', "'"));
        self.error(codes::RULE, word.span, message, compat);
    }

    fn body_file(&mut self, word: Word<'t>, owner: &str) -> Option<Arc<[u8]>> {
        match self.context.read(word.text) {
            Ok(bytes) => Some(Arc::from(bytes)),
            Err(error) => {
                self.reply_error(word, owner, format!("`{}` cannot be read: {error}", word.text));
                None
            }
        }
    }

    /// A file with a whole response, line ends made as HTTP wants them.
    fn error_file(&mut self, word: Word<'t>, owner: &str) -> Option<Arc<[u8]>> {
        if let Some(known) = self.error_files.get(word.text) {
            return Some(Arc::clone(known));
        }
        let bytes = self.body_file(word, owner)?;
        // A caller that does not look at files answers nothing, which says nothing about the file.
        if !bytes.is_empty() && !bytes.starts_with(b"HTTP/") {
            self.error(
                codes::FILE,
                word.span,
                format!("`{}` is not an HTTP response", word.text),
                format!("{owner} : '{}' is not a valid HTTP response.", word.text),
            );
            return None;
        }
        self.error_files.insert(word.text, Arc::clone(&bytes));
        Some(bytes)
    }

    /// The answer for `status` of an `http-errors` section.
    fn group_reply(&mut self, name: Word<'t>, status: u16, owner: &str) -> Option<Arc<ErrorReply>> {
        let config = self.config;
        let Some(section) = config.http_errors.iter().find(|h| h.name.text == name.text) else {
            self.reply_error(name, owner, format!("there is no `http-errors` section `{}`", name.text));
            return None;
        };
        let Some(line) = section.files.iter().rev().find(|f| f.status == status) else {
            self.reply_error(name, owner, format!("`{}` has no answer for status {status}", name.text));
            return None;
        };
        self.error_line(line)
    }

    fn error_line(&mut self, line: &ErrorLine<'t>) -> Option<Arc<ErrorReply>> {
        Some(Arc::new(match line.kind {
            "errorfile" if line.target.text == "/dev/null" => ErrorReply::Raw(Arc::from(&[][..])),
            "errorfile" => ErrorReply::Raw(self.error_file(line.target, "errorfile")?),
            "errorloc303" => ErrorReply::Location(303, self.shared(line.target.text)),
            _ => ErrorReply::Location(302, self.shared(line.target.text)),
        }))
    }

    /// All answers a proxy replaces: inherited ones first, so that its own win.
    pub(super) fn error_replies(&mut self, making: &Making<'_, 't>) -> Vec<(u16, Arc<ErrorReply>)> {
        let config = self.config;
        let mut chain: Vec<_> = config.bases(making.proxy).collect();
        chain.reverse();
        chain.push(making.proxy);
        let mut out = Vec::new();
        for proxy in chain {
            // Of several lines for a status the last one counts, whichever of the two keywords it uses.
            let mut placed = Vec::new();
            for words in &proxy.lists.error_groups {
                let mut group = Vec::new();
                self.error_group(words, &mut group);
                placed.push((words[0].span.start, group));
            }
            for line in &proxy.lists.errors {
                let reply = self.error_line(line).map(|reply| (line.status, reply));
                placed.push((line.target.span.start, reply.into_iter().collect()));
            }
            placed.sort_by_key(|(start, _)| *start);
            out.extend(placed.into_iter().flat_map(|(_, replies)| replies));
            for words in &proxy.lists.http_errors {
                let reply =
                    self.reply(words, 0, making.request_phases().or(making.response_phases()), "http-error");
                out.extend(reply.map(|r| (r.status, Arc::new(ErrorReply::Reply(r)))));
            }
        }
        out
    }

    fn error_group(&mut self, words: &[Word<'t>], out: &mut Vec<(u16, Arc<ErrorReply>)>) {
        let config = self.config;
        // An unknown section was reported by the checks.
        let Some(section) = config.http_errors.iter().find(|h| h.name.text == words[0].text) else { return };
        for line in &section.files {
            let wanted = words.len() == 1 || words[1..].iter().any(|w| w.text.parse() == Ok(line.status));
            if wanted {
                out.extend(self.error_line(line).map(|reply| (line.status, reply)));
            }
        }
    }
}

/// What is wrong between the body of an answer, its status and its type.
fn misfit(reply: &Reply) -> Option<String> {
    let written = match &reply.body {
        ReplyBody::Bytes(bytes) => !bytes.is_empty(),
        ReplyBody::Format(_) => true,
        _ => false,
    };
    if written && matches!(reply.status, 204 | 304) {
        return Some(format!("no body is expected for {} responses", reply.status));
    }
    let untyped = written && reply.content_type.is_none();
    untyped.then(|| "a content type must be defined when there is a body".to_owned())
}
