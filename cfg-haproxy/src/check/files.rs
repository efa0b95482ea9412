//! Files a configuration names: certificates, CAs, lists, error pages; and OpenSSL cipher strings.

use super::Checker;
use crate::cipher;
use crate::codes;
use crate::config::ListedCertificate;
use crate::crt_list;
use crate::host::FileKind;
use crate::tree::Word;
use lb_core::diag::Diagnostic;

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
        if word.text.starts_with('@') || self.in_store(word.text) {
            return self.stored_certificate(owner, word);
        }
        let path = join(self.config.global.crt_base, word.text);
        match self.host.files.kind(&path) {
            Some(FileKind::Directory) => {}
            Some(FileKind::File) => self.pem(owner, word, &path),
            None => {
                if !self.certificate_exists(&path) {
                    self.push(
                        Diagnostic::error(codes::FILE, word.span, format!("there is no certificate file `{path}`"))
                            .compat(format!("'{owner}' : unable to stat SSL certificate from file '{path}' : No such file or directory.")),
                    );
                }
            }
        }
    }

    fn in_store(&self, name: &str) -> bool {
        let full = join(self.config.global.crt_base, name);
        self.config
            .certificates
            .iter()
            .any(|c| c.store.is_empty() && (c.alias == Some(name) || c.path == full))
    }

    fn stored_certificate(&mut self, owner: &str, word: Word<'t>) {
        let Some((store, name)) = word.text.strip_prefix('@').and_then(|r| r.split_once('/')) else { return };
        let known = self
            .config
            .certificates
            .iter()
            .any(|c| c.store == store && (c.crt.text == name || c.alias == Some(name)));
        if !known {
            self.push(
                Diagnostic::error(
                    codes::UNKNOWN_NAME,
                    word.span,
                    format!("no `crt-store` has a certificate `{}`", word.text),
                )
                .compat(format!("'{owner}' : unable to find '{}' in any crt-store.", word.text)),
            );
        }
    }

    fn pem(&mut self, owner: &str, word: Word<'t>, path: &str) {
        let Ok(content) = self.host.files.read(path) else {
            return self.push(
                Diagnostic::error(codes::FILE, word.span, format!("`{path}` cannot be read"))
                    .compat(format!("'{owner}' : unable to open file '{path}'.")),
            );
        };
        // An empty answer means that the caller does not look at files at all.
        let holds = |what: &[u8]| content.is_empty() || content.windows(what.len()).any(|w| w == what);
        if !holds(b"-----BEGIN CERTIFICATE") && !holds(b"-----BEGIN TRUSTED CERTIFICATE") {
            self.push(
                Diagnostic::error(codes::FILE, word.span, format!("`{path}` holds no certificate"))
                    .compat(format!("'{owner}' : No certificate found in '{path}'.")),
            );
        }
        let key = holds(b"PRIVATE KEY-----") || self.host.files.kind(&format!("{path}.key")).is_some();
        if !key {
            self.push(
                Diagnostic::error(
                    codes::FILE,
                    word.span,
                    format!("`{path}` holds no private key, and `{path}.key` does not exist"),
                )
                .compat(format!("'{owner}' : No Private Key found in '{path}'.")),
            );
        }
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
                self.listed_certificate(word, &entry);
                listed.push(ListedCertificate {
                    name: entry.certificate.to_owned(),
                    filters: entry.filters.iter().map(|filter| (*filter).to_owned()).collect(),
                });
                overruled(&entry)
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

    fn listed_certificate(&mut self, list: Word<'t>, entry: &crt_list::Entry<'_>) {
        let crt_list::Entry { line, certificate, .. } = *entry;
        let path = join(self.config.global.crt_base, certificate);
        if certificate.starts_with('@') || self.in_store(certificate) || self.certificate_exists(&path) {
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

/// The options of an entry that those of the `bind` line overrule. Whom to trust is not among them: it must not be lost.
fn overruled(entry: &crt_list::Entry<'_>) -> Result<Vec<String>, crt_list::Wrong> {
    let line = entry.line;
    let options = entry.options()?;
    let trusts = |(name, value): &&(&str, Option<&str>)| {
        matches!(*name, "ca-file" | "crl-file") || (*name == "verify" && *value != Some("none"))
    };
    if let Some((name, _)) = options.iter().find(trusts) {
        let reason = format!("`{name}` cannot differ between certificates; put it on the `bind` line");
        return Err(crt_list::Wrong { line, reason });
    }
    Ok(options.iter().map(|(name, _)| format!("{name} (line {line})")).collect())
}

/// `name` below `base`, unless it is absolute.
pub(crate) fn join(base: Option<Word<'_>>, name: &str) -> String {
    match base {
        Some(base) if !name.starts_with('/') => format!("{}/{name}", base.text),
        _ => name.to_owned(),
    }
}
