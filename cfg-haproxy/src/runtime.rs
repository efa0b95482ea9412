//! What commands to a running program say in words of the configuration.

use crate::env::{Env, Facts};
use crate::host::{Files, Host, Names};
use crate::keyword::{self, Arg, Place};
use crate::load::load;
use crate::parse::Source;
use crate::section::SectionKind;
use crate::tree::{Role, Tree};
use lb_core::ctl::Dialect;
use lb_core::diag::Severity;
use lb_core::expr::parse::parse_words;
use lb_core::expr::{NoBuild, Phases, Registry};
use lb_core::log::{Style, Template};
use lb_core::spec::{Mode, ProxySpec, ServerSpec, VariableValue};
use std::fmt::Debug;
use std::sync::Arc;

/// Reads what commands to a program say in words of an haproxy.cfg.
#[derive(Debug)]
pub struct Reader<M, E> {
    registry: Registry,
    tree: Arc<Tree>,
    machine: M,
    env: E,
}

impl<M: Files + Names, E: Env> Reader<M, E> {
    /// For a program with these fetches and converters that runs `tree` on `machine`.
    pub fn new(registry: Registry, tree: Arc<Tree>, machine: M, env: E) -> Self {
        Self { registry, tree, machine, env }
    }
}

impl<M, E> Dialect for Reader<M, E>
where
    M: Files + Names + Debug + Send + Sync,
    E: Env + Debug + Send + Sync,
{
    fn value(&self, words: &[String], format: bool) -> Result<VariableValue, String> {
        variable(words, format, &self.registry)
    }

    fn server(&self, backend: &ProxySpec, name: &str, words: &[String]) -> Result<ServerSpec, String> {
        let host = Host { files: &self.machine, names: &self.machine };
        server(&self.tree, backend.name.as_str(), name, words, &self.registry, host, &self.env)
    }
}

/// The value of `set var`: an expression that takes all of `words`, or a format in the only one.
///
/// # Errors
/// What is wrong with it, in the words of HAProxy's control socket.
pub fn variable(words: &[String], format: bool, registry: &Registry) -> Result<VariableValue, String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let first = words.first().copied().unwrap_or_default();
    if format {
        let template = Template::parse(first, Style::Plain, Phases::CLI, registry, &mut NoBuild);
        return template.map(VariableValue::Format).map_err(|error| error.to_string());
    }
    let (program, used) = parse_words(&words, registry, &mut NoBuild).map_err(|error| error.to_string())?;
    if let Some(extra) = words.get(used) {
        return Err(format!("unexpected argument '{extra}'"));
    }
    if !program.needs().phases().intersects(Phases::CLI) {
        let text = program.text();
        return Err(format!("'{text}' extracts information that is not available here"));
    }
    Ok(VariableValue::Expression(program))
}

/// Settings of a backend, of its defaults and of the process that servers depend on: their checks, timeouts and TLS.
const BACKEND: &[&str] = &[
    "mode",
    "option",
    "http-check",
    "tcp-check",
    "timeout",
    "balance",
    "hash-type",
    "external-check",
    "source",
];
const PROCESS: &[&str] = &["ssl-server-verify", "ca-base", "crt-base", "localpeer"];

/// Words of `server` lines that a server which comes at run time may not have.
const FIXED: &[&str] = &[
    "cc",
    "check-sni-auto",
    "enabled",
    "init-addr",
    "log-bufsize",
    "log-proto",
    "max-reuse",
    "namespace",
    "no-agent-check",
    "no-check",
    "no-check-reuse-pool",
    "no-check-send-proxy",
    "no-check-ssl",
    "no-send-proxy-v2-ssl",
    "no-send-proxy-v2-ssl-cn",
    "no-ssl",
    "non-stick",
    "redir",
    "resolve-net",
    "resolve-opts",
    "resolve-prefer",
    "resolvers",
    "sni-auto",
    "socks4",
    "ssl-reuse",
    "stick",
    "tcp-md5sig",
    "tcp-ut",
];

/// Where the keywords among `words` are, which begin with an address; the others are values of keywords.
fn keywords(words: &[String]) -> impl Iterator<Item = (usize, &str)> {
    let mut next = 1;
    std::iter::from_fn(move || {
        let (at, word) = (next, words.get(next)?);
        let values = keyword::find(Place::Server, &[word]).map_or(&[][..], |keyword| keyword.args);
        next += 1 + values.iter().filter(|value| !matches!(value, Arg::Free(_))).count();
        Some((at, word.as_str()))
    })
}

/// The first of [`FIXED`] among `words`.
fn fixed(words: &[String]) -> Option<&'static str> {
    keywords(words).find_map(|(_, word)| FIXED.iter().find(|fixed| **fixed == word).copied())
}

/// The server that `add server` describes: `words` are its address and keywords, as on a `server` line of the backend.
/// What it depends on is taken from `tree`, the configuration that runs; `default-server` is not, as in HAProxy. Its number
/// is 0 unless the words give one.
///
/// # Errors
/// What is wrong with the words.
pub fn server(
    tree: &Tree,
    backend: &str,
    name: &str,
    words: &[String],
    registry: &Registry,
    host: Host<'_>,
    env: &dyn Env,
) -> Result<ServerSpec, String> {
    if let Some(word) = fixed(words) {
        return Err(format!("'{word}' option is not accepted for dynamic server"));
    }
    // The server that is followed belongs to what runs, which the excerpt below does not show.
    let track = keywords(words).find(|(_, word)| *word == "track").map(|(at, _)| at);
    let followed = track.and_then(|at| words.get(at + 1)).cloned();
    let mut words = words.to_vec();
    if let Some(at) = track.filter(|_| followed.is_some()) {
        words.drain(at..at + 2);
    }
    let mut text = surroundings(tree, backend);
    let before = text.len();
    text.push_str("  server");
    let all = || std::iter::once(name).chain(words.iter().map(String::as_str));
    if all().any(|word| word.contains(['\n', '\r', '\0'])) {
        return Err("a word may not contain line ends.".to_owned());
    }
    quote(&mut text, name);
    for (index, word) in words.iter().enumerate() {
        // In an address variables of the environment have their meaning, as in files.
        if index == 0 && word.contains("${") && !word.contains(['"', '\\']) {
            text.push_str(&format!(" \"{word}\""));
        } else {
            quote(&mut text, word);
        }
    }
    text.push('\n');
    let source = Source::new("command", &text);
    let loaded = load(&[source], env, &Facts::default(), host, registry);
    // What else the excerpt lacks or refers to in vain is not the server's fault.
    let fault = loaded
        .diagnostics
        .iter()
        .find(|d| d.severity == Severity::Error && d.span.is_some_and(|span| span.start as usize >= before));
    if let Some(fault) = fault {
        let text = fault.compat.as_deref().unwrap_or(&fault.message);
        return Err(plain(text, backend, name));
    }
    let proxy = loaded.spec.proxies.into_iter().find(|p| p.name.as_str() == backend);
    let has = |keyword: &str| keywords(&words).any(|(_, word)| word == keyword);
    if has("proto") && proxy.as_ref().is_some_and(|p| p.mode == Mode::Tcp) {
        return Err("MUX protocol is not usable for server.".to_owned());
    }
    let mut spec = proxy
        .and_then(|p| p.pool.servers.into_iter().next_back())
        .ok_or("the server cannot be made from these words.")?;
    if !has("id") {
        spec.id = 0;
    }
    // Unlike for servers of the file, these are never concluded from the server's own settings.
    if let Some(check) = spec.check.as_mut().map(Arc::make_mut) {
        check.send_proxy &= has("check-send-proxy");
        check.tls = check.tls.take().filter(|_| has("check-ssl"));
    }
    spec.track = followed.map(Into::into);
    Ok(spec)
}

/// A diagnostic without the place it names, which the command knows.
fn plain(text: &str, backend: &str, name: &str) -> String {
    let place = format!("'server {backend}/{name}' : ");
    let short = format!("'server {name}' : ");
    text.replacen(&place, "", 1).replacen(&short, "", 1)
}

/// The part of a configuration that servers of `backend` depend on, as text.
fn surroundings(tree: &Tree, backend: &str) -> String {
    let mut out = String::new();
    for section in tree.sections() {
        let keep = match section.kind() {
            SectionKind::Global => PROCESS,
            SectionKind::Defaults | SectionKind::Backend | SectionKind::Listen => BACKEND,
            _ => continue,
        };
        let lines = tree.lines_of(section);
        let header = lines.iter().take(1).flat_map(|line| tree.words(line)).map(|word| word.text).skip(1);
        let header: Vec<_> = header.collect();
        if matches!(section.kind(), SectionKind::Backend | SectionKind::Listen)
            && header.first() != Some(&backend)
        {
            continue;
        }
        out.push_str(match section.kind() {
            SectionKind::Global => "global",
            SectionKind::Defaults => "defaults",
            _ => "backend",
        });
        header.iter().for_each(|word| quote(&mut out, word));
        out.push('\n');
        for line in lines.iter().skip(1).filter(|line| line.role() == Role::Keyword) {
            let words: Vec<_> = tree.words(line).map(|word| word.text).collect();
            let at = usize::from(matches!(words.first(), Some(&("no" | "default"))));
            if words.get(at).is_some_and(|word| keep.contains(word)) {
                words.iter().for_each(|word| quote(&mut out, word));
                out.push('\n');
            }
        }
    }
    out
}

/// Appends a word so that it is read again as it is.
fn quote(out: &mut String, word: &str) {
    out.push_str(" '");
    // Within single quotes nothing has a meaning, not even a backslash.
    out.push_str(&word.replace('\'', r#"'"'"'"#));
    out.push('\'');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::NoEnv;

    fn value(text: &str, format: bool) -> Result<VariableValue, String> {
        let words: Vec<_> = text.split(' ').map(str::to_owned).collect();
        variable(&words, format, &Registry::builtin())
    }

    #[test]
    fn values_are_expressions_or_formats() {
        assert!(matches!(value("int(4) add(1)", false), Ok(VariableValue::Expression(_))));
        assert!(matches!(value("%[int(4)]-x", true), Ok(VariableValue::Format(_))));
        assert_eq!(value("nosuch", false).unwrap_err(), "unknown fetch method 'nosuch'");
        assert_eq!(value("int(4) nosuch", false).unwrap_err(), "unexpected argument 'nosuch'");
        assert!(value("src", false).unwrap_err().contains("not available here"));
        assert!(value("%[src]", true).is_err());
    }

    const CONFIG: &str = "defaults d\n option httpchk GET /'it s'\n timeout connect 3s\ndefaults\n\
        global\n ssl-server-verify none\nbackend b from d\n balance random\n default-server weight 7\n\
        acl a src 1.1.1.1\n use-server s1 if a\n server s1 127.0.0.1:1\nfrontend f\n bind :1\n default_backend b\n";

    fn add(words: &str) -> Result<ServerSpec, String> {
        let facts = Facts::default();
        let (tree, _) = crate::parse::parse(&[Source::new("c", CONFIG)], &NoEnv, &facts);
        let words: Vec<_> = words.split(' ').map(str::to_owned).collect();
        server(&tree, "b", "n1", &words, &Registry::builtin(), Host::ANY, &NoEnv)
    }

    /// A machine with a user and nothing else.
    #[derive(Debug)]
    struct Bare;

    impl Files for Bare {
        fn read(&self, _path: &str) -> std::io::Result<Vec<u8>> {
            Err(std::io::ErrorKind::NotFound.into())
        }

        fn kind(&self, _path: &str) -> Option<crate::FileKind> {
            None
        }
    }

    impl Names for Bare {
        fn resolve(&self, name: &str) -> Option<std::net::IpAddr> {
            (name == "app").then_some([192, 0, 2, 7].into())
        }

        fn user(&self, _name: &str) -> bool {
            true
        }

        fn group(&self, _name: &str) -> bool {
            true
        }
    }

    #[test]
    fn a_control_socket_reads_servers_and_values_on_the_machine_it_runs_on() {
        let (tree, _) = crate::parse::parse(&[Source::new("c", CONFIG)], &NoEnv, &Facts::default());
        let reader = Reader::new(Registry::builtin(), Arc::new(tree), Bare, NoEnv);
        let backend = crate::load::tests::load_text(CONFIG).spec.proxies.into_iter();
        let backend = backend.into_iter().find(|proxy| proxy.name.as_str() == "b").unwrap();
        let read = |text: &str| {
            let words: Vec<_> = text.split(' ').map(str::to_owned).collect();
            reader.server(&backend, "n1", &words)
        };
        let spec = read("app:81 weight 9").unwrap();
        assert_eq!(spec.weight, 9);
        assert!(format!("{:?}", spec.addr).contains("192.0.2.7:81"), "{:?}", spec.addr);
        assert!(reader.value(&["int(4)".to_owned()], false).is_ok());
    }

    #[test]
    fn a_server_is_read_in_the_light_of_its_backend() {
        let spec = add("127.0.0.1:81 check inter 200ms weight 9 cookie c'\\d").unwrap();
        assert_eq!((spec.name.as_str(), spec.id, spec.weight), ("n1", 0, 9));
        assert_eq!(spec.cookie.as_deref(), Some(r"c'\d"));
        let check = spec.check.unwrap();
        assert_eq!((check.inter.as_millis(), check.connect.map(|c| c.as_secs())), (200, Some(3)));
        // The path `/it s` of the backend's probe, as bytes.
        assert!(format!("{:?}", check.probe).contains("[47, 105, 116, 32, 115]"), "{:?}", check.probe);
        let spec = add("127.0.0.1:81 send-proxy check track other/s").unwrap();
        assert_eq!((spec.check.unwrap().send_proxy, spec.track.as_deref()), (false, Some("other/s")));
        assert!(add("127.0.0.1:81 check check-send-proxy").unwrap().check.unwrap().send_proxy);
        assert_eq!(add("127.0.0.1:81 hash-key id").unwrap().id, 0, "a value is no keyword");
        let spec = add("127.0.0.1:81 id 12").unwrap();
        assert_eq!((spec.id, spec.weight), (12, 1), "no default-server");
    }

    #[test]
    fn what_is_wrong_with_a_server_is_told() {
        assert!(add("127.0.0.1:81 foo").unwrap_err().contains("unknown keyword 'foo'"));
        assert!(add("127.0.0.1:81 weight 300").is_err());
        assert!(add("a\nb").is_err());
        let refused = add("127.0.0.1:81 weight 3 init-addr none").unwrap_err();
        assert_eq!(refused, "'init-addr' option is not accepted for dynamic server");
        assert_eq!(add("127.0.0.1:81 cookie stick").unwrap().cookie.as_deref(), Some("stick"));
    }
}
