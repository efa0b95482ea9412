//! Files a configuration names: certificates, CAs, lists, error pages; and OpenSSL cipher strings.

use super::{Checker, Stmt};
use crate::cipher;
use crate::codes;
use crate::config::{Certificate, FrontendCertificate, Given, ListedCertificate};
use crate::crt_list;
use crate::host::FileKind;
use crate::keyword::{self, Place};
use crate::tree::Word;
use lb_core::diag::Diagnostic;
use lb_core::spec::key_text;

impl<'t> Checker<'t, '_> {
    /// The content of the file `word`, below `base` if the path is relative; reports a file that cannot be read.
    pub(crate) fn readable(
        &mut self,
        owner: &str,
        word: Word<'t>,
        base: Option<Word<'t>>,
    ) -> Option<Vec<u8>> {
        let path = join(base, word.text);
        match self.host.files.read(&path) {
            Ok(content) => Some(content),
            Err(error) => {
                self.push(
                    Diagnostic::error(codes::FILE, word.span, format!("`{path}` cannot be read: {error}"))
                        .compat(format!("'{owner}' : unable to open file '{path}' ({error}).")),
                );
                None
            }
        }
    }

    /// `crt`: a file with certificate and key, a directory of such files, or a certificate of a store.
    pub(crate) fn certificate(&mut self, owner: &str, word: Word<'t>) {
        self.certificate_with(owner, word, &[]);
    }

    fn certificate_with(&mut self, owner: &str, word: Word<'t>, options: Options<'_, '_>) {
        let path = match self.earlier(word.text) {
            Err(path) => path,
            Ok(_) if owner == "server" => return,
            Ok(known) => {
                if let Some(Again { refused, reason }) = again(known, options) {
                    let message = format!("`{owner}`: {reason}");
                    // HAProxy refuses another certificate of a frontend, but goes on with one of a `bind` line.
                    self.push(if refused && owner != "bind" {
                        Diagnostic::error(codes::DUPLICATE, word.span, message)
                    } else {
                        first_count(word, message)
                    });
                }
                return;
            }
        };
        match self.host.files.kind(&path) {
            Some(FileKind::Directory) => {}
            Some(FileKind::File) => {
                // The private key may stand elsewhere.
                if value(options, "key").is_none() {
                    self.pem(owner, word, &path);
                }
                let server = (owner == "server").then_some(Given::Server);
                self.keep_certificate(path, options, server);
            }
            None => {
                if !self.certificate_exists(&path) {
                    self.missing_certificate(owner, word, &path);
                }
            }
        }
    }

    /// The certificate that an earlier line named, or the file where none did.
    fn earlier(&self, name: &str) -> Result<&Certificate, String> {
        let known = self.config.certificate(name)?;
        if known.given == Given::Server { Err(known.path.clone()) } else { Ok(known) }
    }

    /// Gives the certificate in the file `path` this name, with the `options` of its line.
    fn keep_certificate(&mut self, path: String, options: Options<'_, '_>, given: Option<Given>) {
        let (key, tokens) = (value(options, "key").map(str::to_owned), value(options, "jwt") == Some("on"));
        let own = || if states(options) { Given::Listed } else { Given::Bare };
        let given = given.unwrap_or_else(own);
        self.config.certificates.insert(path.clone(), Certificate { path, key, tokens, given });
    }

    fn missing_certificate(&mut self, owner: &str, word: Word<'t>, path: &str) {
        let compat = format!(
            "'{owner}' : unable to stat SSL certificate from file '{path}' : No such file or directory."
        );
        self.push(if word.text.starts_with('@') {
            let message = format!("no `crt-store` has a certificate `{path}`");
            Diagnostic::error(codes::UNKNOWN_NAME, word.span, message)
                .compat(compat)
                .note("a certificate of a store is called `@STORE/ALIAS`, or `@STORE/CRT` if it has no alias")
        } else {
            let message = format!("there is no certificate file `{path}`");
            Diagnostic::error(codes::FILE, word.span, message).compat(compat)
        });
    }

    fn pem(&mut self, owner: &str, word: Word<'t>, path: &str) {
        let Ok(content) = self.host.files.read(path) else {
            return self.push(
                Diagnostic::error(codes::FILE, word.span, format!("`{path}` cannot be read"))
                    .compat(format!("'{owner}' : unable to open file '{path}'.")),
            );
        };
        // An empty answer means that the caller does not look at files at all.
        if content.is_empty() {
            return;
        }
        let holds = |what: &[u8]| content.windows(what.len()).any(|w| w == what);
        if !holds(b"-----BEGIN CERTIFICATE") && !holds(b"-----BEGIN TRUSTED CERTIFICATE") {
            self.push(
                Diagnostic::error(codes::FILE, word.span, format!("`{path}` holds no certificate"))
                    .compat(format!("'{owner}' : No certificate found in '{path}'.")),
            );
        }
        if key_text(path, content, |file| self.host.files.read(file)).is_some() {
            return;
        }
        let message = format!("`{path}` holds no private key, and `{path}.key` does not exist");
        self.push(
            Diagnostic::error(codes::FILE, word.span, message)
                .compat(format!("'{owner}' : No Private Key found in '{path}'.")),
        );
    }

    /// `ca-file` and `crl-file`.
    pub(crate) fn ca_file(&mut self, owner: &str, value: Option<Word<'t>>) -> Option<Word<'t>> {
        let word = value?;
        if word.text != "@system-ca" {
            let path = join(self.config.global.ca_base, word.text);
            if self.host.files.kind(&path).is_none() {
                self.push(
                    Diagnostic::error(codes::FILE, word.span, format!("there is no CA file `{path}`"))
                        .compat(format!("'{owner}' : unable to load {path}.")),
                );
            }
        }
        Some(word)
    }

    /// `crt-list`: one certificate a line, with options in brackets and names.
    pub(crate) fn certificate_list(&mut self, word: Word<'t>) -> Vec<ListedCertificate> {
        let Some(content) = self.readable("crt-list", word, None) else { return Vec::new() };
        let text = String::from_utf8_lossy(&content);
        let (mut listed, mut ignored) = (Vec::new(), Vec::new());
        for entry in crt_list::entries(&text) {
            let found = entry.and_then(|entry| {
                let line = entry.line;
                let options = entry.options();
                self.listed_certificate(word, &entry, options.as_deref().unwrap_or(&[]));
                listed.push(ListedCertificate {
                    name: entry.certificate.to_owned(),
                    filters: entry.filters.iter().map(|filter| (*filter).to_owned()).collect(),
                });
                let names = overruled(line, &options?)?;
                Ok(names.into_iter().map(|name| format!("{name} (line {line})")).collect::<Vec<_>>())
            });
            match found {
                Ok(left_out) => ignored.extend(left_out),
                Err(wrong) => self.wrong_list(word, wrong),
            }
        }
        if !ignored.is_empty() {
            // Once for each list, however long it is.
            ignored.truncate(10);
            let ignored = ignored.join(", ");
            let message = format!("options of single certificates in `{}` are left out", word.text);
            self.push(
                Diagnostic::warning(codes::TLS, word.span, message)
                    .compat(format!(
                        "'bind' : 'crt-list' : options in file '{}' are left out ({ignored}).",
                        word.text
                    ))
                    .note(format!(
                        "left out: {ignored}; those of the `bind` line count for all its certificates"
                    )),
            );
        }
        listed
    }

    /// `ssl-f-use`: a certificate of every `bind` line with `ssl`, with the options of a line of a list.
    pub(crate) fn frontend_certificate(&mut self, stmt: &Stmt<'t, '_>) -> Option<FrontendCertificate<'t>> {
        let args = stmt.args();
        let words = args.iter().map(|word| word.text).collect();
        let entry = crt_list::Entry { line: 1, certificate: "", options: words, filters: Vec::new() };
        let wrong = |wrong: crt_list::Wrong| {
            Diagnostic::error(codes::TLS, stmt.span(), format!("`ssl-f-use`: {}", wrong.reason))
        };
        let options = match entry.options() {
            Ok(options) => options,
            Err(reason) => {
                self.push(wrong(reason));
                return None;
            }
        };
        // Each option is one word, and a second one if it has a value.
        let value = |name| {
            let at = options.iter().position(|(option, _)| *option == name)?;
            let before: usize = options[..at].iter().map(|(_, text)| 1 + usize::from(text.is_some())).sum();
            args.get(before + 1).copied()
        };
        let Some(crt) = value("crt") else {
            self.error(codes::MISSING_ARGUMENT, stmt.head().after(), "`ssl-f-use` needs `crt` and a file");
            return None;
        };
        let key = value("key");
        match key.filter(|key| self.host.files.kind(key.text).is_none()) {
            None => self.certificate_with("ssl-f-use", crt, &options),
            Some(key) => self.push(
                Diagnostic::error(
                    codes::FILE,
                    key.span,
                    format!("there is no private key file `{}`", key.text),
                )
                .compat(format!("'{}' cannot be read or parsed.", key.text)),
            ),
        }
        match overruled(1, &options) {
            Err(reason) => self.push(wrong(reason)),
            Ok(mut names) => {
                names.retain(|name| *name != "crt");
                if !names.is_empty() {
                    let names = names.join(", ");
                    let message = format!("options of single certificates are left out: {names}");
                    self.push(
                        Diagnostic::warning(codes::TLS, stmt.span(), message)
                            .note("those of the `bind` line count for all its certificates"),
                    );
                }
            }
        }
        Some(FrontendCertificate { crt, key })
    }

    fn listed_certificate(&mut self, list: Word<'t>, entry: &crt_list::Entry<'_>, options: Options<'_, '_>) {
        let crt_list::Entry { line, certificate, .. } = *entry;
        let path = match self.earlier(certificate) {
            Err(path) => path,
            Ok(known) => {
                return match again(known, options) {
                    None => {}
                    Some(Again { refused: true, reason }) => {
                        self.wrong_list(list, crt_list::Wrong { line, reason });
                    }
                    Some(Again { refused: false, reason }) => {
                        self.push(first_count(list, format!("line {line} of `{}`: {reason}", list.text)));
                    }
                };
            }
        };
        if self.host.files.kind(&path) == Some(FileKind::File) {
            if let Some(key) = value(options, "key").filter(|key| self.host.files.kind(key).is_none()) {
                let reason = format!("there is no private key file `{key}`");
                return self.wrong_list(list, crt_list::Wrong { line, reason });
            }
            return self.keep_certificate(path, options, None);
        }
        if self.certificate_exists(&path) {
            return;
        }
        let name = list.text;
        let message = format!("line {line} of `{name}` names `{path}`, which does not exist");
        self.push(Diagnostic::error(codes::FILE, list.span, message).compat(format!(
            "'bind' : 'crt-list' : error processing line {line} in file '{name}' : \
             unable to stat SSL certificate from file '{path}'."
        )));
    }

    fn wrong_list(&mut self, list: Word<'t>, wrong: crt_list::Wrong) {
        let crt_list::Wrong { line, reason } = wrong;
        let name = list.text;
        self.push(
            Diagnostic::error(codes::TLS, list.span, format!("line {line} of `{name}`: {reason}"))
                .compat(format!("'bind' : 'crt-list' : parsing [{name}:{line}]: {reason}.")),
        );
    }

    /// Whether there is `path`, or a file for each kind of key: `name` may stand for name.rsa, name.ecdsa or name.dsa.
    fn certificate_exists(&self, path: &str) -> bool {
        let bundled = |kind: &str| self.host.files.kind(&format!("{path}.{kind}")).is_some();
        self.host.files.kind(path).is_some() || ["rsa", "ecdsa", "dsa"].into_iter().any(bundled)
    }

    /// An OpenSSL cipher string; one that selects nothing is an error, dropped names are one warning.
    pub(crate) fn ciphers(&mut self, value: Option<Word<'t>>) -> Option<Word<'t>> {
        let word = value?;
        let chosen = cipher::select(word.text);
        if chosen.known == 0 {
            self.push(
                Diagnostic::error(codes::TLS, word.span, format!("`{}` selects no cipher", word.text))
                    .compat(format!("unable to set SSL cipher list to '{}'.", word.text)),
            );
            return None;
        }
        if !chosen.dropped.is_empty() {
            // The list is a preference; leaving out what is obsolete anyway changes nothing for present clients.
            self.push(
                Diagnostic::notice(
                    codes::TLS,
                    word.span,
                    "ciphers that this TLS library does not have are left out",
                )
                .compat(format!("ciphers left out of '{}': {}.", word.text, chosen.dropped.join(", ")))
                .note(format!("left out: {}", chosen.dropped.join(", "))),
            );
        }
        Some(word)
    }
}

/// Options of a line with their values.
type Options<'o, 'l> = &'o [(&'l str, Option<&'l str>)];

fn value<'l>(options: Options<'_, 'l>, name: &str) -> Option<&'l str> {
    options.iter().find(|(option, _)| *option == name).and_then(|(_, value)| *value)
}

/// Whether some option says something of the certificate itself, not of connections that it is shown on.
fn states(options: Options<'_, '_>) -> bool {
    options.iter().any(|(name, _)| *name != "crt" && keyword::find(Place::Load, &[name]).is_some())
}

/// A certificate that is named again with other options.
struct Again {
    /// It cannot be both; else the options of before count.
    refused: bool,
    reason: String,
}

/// What comes of a certificate that an earlier line named, named again with these options.
fn again(known: &Certificate, options: Options<'_, '_>) -> Option<Again> {
    let (path, stated) = (&known.path, states(options));
    let jwt = value(options, "jwt");
    let refused = |reason| Some(Again { refused: true, reason });
    match known.given {
        Given::Bare if stated => {
            refused(format!("`{path}` has options of its own here, but was named without any before"))
        }
        Given::Listed if !stated => {
            refused(format!("`{path}` was named with options of its own before, but has none here"))
        }
        _ if stated && value(options, "key") != known.key.as_deref() => {
            let key =
                |key: Option<&str>| key.map_or_else(|| "no `key`".to_owned(), |key| format!("`key {key}`"));
            let (here, before) = (key(value(options, "key")), key(known.key.as_deref()));
            refused(format!("`{path}` has {here} here, but had {before} before"))
        }
        _ if jwt.is_some_and(|jwt| (jwt == "on") != known.tokens) => {
            let reason = format!("`jwt` of `{path}` is not what it was before");
            Some(Again { refused: false, reason })
        }
        _ => None,
    }
}

/// The warning that options of a certificate which an earlier line named are left out.
fn first_count(word: Word<'_>, message: String) -> Diagnostic {
    Diagnostic::warning(codes::DUPLICATE, word.span, message).note("the options that were given first count")
}

/// The options of a certificate that those of the `bind` line overrule, which its own key and use for tokens are not. Whom
/// to trust is not among them: it must not be lost.
fn overruled<'l>(
    line: usize,
    options: &[(&'l str, Option<&'l str>)],
) -> Result<Vec<&'l str>, crt_list::Wrong> {
    let trusts = |(name, value): &&(&str, Option<&str>)| {
        matches!(*name, "ca-file" | "crl-file") || (*name == "verify" && *value != Some("none"))
    };
    if let Some((name, _)) = options.iter().find(trusts) {
        let reason = format!("`{name}` cannot differ between certificates; put it on the `bind` line");
        return Err(crt_list::Wrong { line, reason });
    }
    if let Some((_, value)) =
        options.iter().find(|(name, value)| *name == "jwt" && !matches!(value, Some("on" | "off")))
    {
        let reason = format!("`jwt` is `on` or `off`, not `{}`", value.unwrap_or(""));
        return Err(crt_list::Wrong { line, reason });
    }
    Ok(options.iter().map(|(name, _)| *name).filter(|name| !matches!(*name, "jwt" | "key")).collect())
}

/// `name` below `base`, unless it is absolute.
pub(crate) fn join(base: Option<Word<'_>>, name: &str) -> String {
    match base {
        Some(base) if !name.starts_with('/') => format!("{}/{name}", base.text),
        _ => name.to_owned(),
    }
}
