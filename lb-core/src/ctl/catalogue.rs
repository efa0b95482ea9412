//! Every command of this module: its words, who may give it, its help line and its handler.

use super::control::{Control, SocketLevel};
use super::parse::{Request, Words};
use super::reply::{Reply, Severity};
use super::session::{State, Until, Wait};
use super::{backends, frontends, patterns, process, server, show, tables, variables};
use crate::companion::PATIENCE;
use std::fmt::Write;
use std::task::Poll;
use std::time::Instant;

/// What a handler works with.
pub(super) struct Exec<'a> {
    pub(super) control: &'a dyn Control,
    pub(super) state: &'a mut State,
    pub(super) now: Instant,
}

impl Exec<'_> {
    /// Refuses what only an administrator may do.
    pub(super) fn admin(&self) -> Result<(), Reply> {
        match self.state.level {
            Admin => Ok(()),
            _ => Err(denied()),
        }
    }
}

type Handler = fn(&mut Exec<'_>, &Request) -> Result<Reply, Reply>;

struct Entry {
    words: &'static [&'static str],
    level: SocketLevel,
    usage: &'static str,
    help: &'static str,
    run: Handler,
}

const fn entry(
    words: &'static [&'static str],
    level: SocketLevel,
    usage: &'static str,
    help: &'static str,
    run: Handler,
) -> Entry {
    Entry { words, level, usage, help, run }
}

use SocketLevel::{Admin, Operator, User};

/// Sorted by usage, as the help shows them; the last three stand at the end of every list.
#[rustfmt::skip]
const ENTRIES: &[Entry] = &[
    entry(&["add", "acl"], Admin, "add acl [@<ver>] <acl> <key>", "add an entry to an ACL", patterns::add),
    entry(&["add", "map"], Admin, "add map [@<ver>] <map> <key> <value> (or payload)", "add an entry to a map", patterns::add),
    entry(&["add", "server"], Admin, "add server <bk>/<srv> <addr> [opts]*", "add a server at run time", server::add),
    entry(&["clear", "acl"], Admin, "clear acl [@<ver>] <acl>", "remove all entries of an ACL", patterns::clear),
    entry(&["clear", "counters"], Operator, "clear counters [all]", "forget peaks, or with all every counter", process::clear_counters),
    entry(&["clear", "map"], Admin, "clear map [@<ver>] <map>", "remove all entries of a map", patterns::clear),
    entry(&["clear", "table"], Operator, "clear table <table> [<filter>]*", "remove entries of a table (data, key or ptr)", tables::clear),
    entry(&["commit", "acl"], Admin, "commit acl @<ver> <acl>", "make a version of an ACL the current one", patterns::commit),
    entry(&["commit", "map"], Admin, "commit map @<ver> <map>", "make a version of a map the current one", patterns::commit),
    entry(&["del", "acl"], Admin, "del acl <acl> [<key>|#<ref>]", "remove an entry of an ACL", patterns::delete),
    entry(&["del", "map"], Admin, "del map <map> [<key>|#<ref>]", "remove an entry of a map", patterns::delete),
    entry(&["del", "server"], Admin, "del server <bk>/<srv>", "remove a server added at run time", server::delete),
    entry(&["disable", "agent"], Admin, "disable agent <bk>/<srv>", "stop the agent checks of a server", server::disable_agent),
    entry(&["disable", "frontend"], Admin, "disable frontend <frontend>", "stop accepting for a while", frontends::disable),
    entry(&["disable", "health"], Admin, "disable health <bk>/<srv>", "stop the health checks of a server", server::disable_health),
    entry(&["disable", "server"], Admin, "disable server <bk>/<srv>", "put a server into maintenance (see 'set server')", server::disable),
    entry(&["echo"], User, "echo <text>", "answer with the text", process::echo),
    entry(&["enable", "agent"], Admin, "enable agent <bk>/<srv>", "resume the agent checks of a server", server::enable_agent),
    entry(&["enable", "frontend"], Admin, "enable frontend <frontend>", "accept again", frontends::enable),
    entry(&["enable", "health"], Admin, "enable health <bk>/<srv>", "resume the health checks of a server", server::enable_health),
    entry(&["enable", "server"], Admin, "enable server <bk>/<srv>", "end the maintenance of a server (see 'set server')", server::enable),
    entry(&["experimental-mode"], Admin, "experimental-mode [on|off]", "allow commands that may still change", process::experimental_mode),
    entry(&["expert-mode"], Admin, "expert-mode [on|off]", "allow commands that may do harm", process::expert_mode),
    entry(&["get", "acl"], Admin, "get acl <acl> <key>", "tell what an ACL finds for a key", patterns::get),
    entry(&["get", "map"], Admin, "get map <map> <key>", "tell what a map finds for a key", patterns::get),
    entry(&["get", "var"], Operator, "get var <name>", "tell the value of a variable of the process", variables::get),
    entry(&["get", "weight"], User, "get weight <bk>/<srv>", "tell the weight of a server", server::get_weight),
    entry(&["operator"], User, "operator", "lower the level of this connection to operator", process::operator),
    entry(&["prepare", "acl"], Admin, "prepare acl <acl>", "begin a new version of an ACL", patterns::prepare),
    entry(&["prepare", "map"], Admin, "prepare map <map>", "begin a new version of a map", patterns::prepare),
    entry(&["publish", "backend"], Admin, "publish backend <bk>", "let rules choose a backend again", backends::publish),
    entry(&["set", "map"], Admin, "set map <map> [<key>|#<ref>] <value>", "change an entry of a map", patterns::set),
    entry(&["set", "maxconn", "frontend"], Admin, "set maxconn frontend <frontend> <value>", "limit the sessions of a frontend", frontends::set_maxconn),
    entry(&["set", "maxconn", "global"], Admin, "set maxconn global <value>", "limit the connections of the process", process::set_maxconn),
    entry(&["set", "maxconn", "server"], Admin, "set maxconn server <bk>/<srv> <value>", "limit the sessions of a server", server::set_maxconn),
    entry(&["set", "rate-limit"], Admin, "set rate-limit <setting> <value>", "limit a rate of the process", process::set_rate_limit),
    entry(&["set", "server"], Admin, "set server <bk>/<srv> [opts]", "change state, weight, address or TLS of a server", server::set_server),
    entry(&["set", "severity-output"], User, "set severity-output [none|number|string]", "show how serious messages are", process::severity_output),
    entry(&["set", "table"], Operator, "set table <table> key <k> [data.* <v>]*", "create or change an entry of a table", tables::set),
    entry(&["set", "timeout"], User, "set timeout cli <delay>", "change when this connection is closed if idle", process::set_timeout),
    entry(&["set", "var"], Admin, "set var <name> {[expr]|fmt} <value>", "set a variable of the process", variables::set),
    entry(&["set", "weight"], Admin, "set weight <bk>/<srv> <weight>", "change the weight of a server (see 'set server')", server::set_weight),
    entry(&["show", "acl"], Admin, "show acl [@<ver>] [<acl>]", "list the ACLs, or the entries of one", patterns::show),
    entry(&["show", "backend"], User, "show backend", "list the backends", show::misc::backends),
    entry(&["show", "cli", "level"], User, "show cli level", "tell the level of this connection", show::misc::cli_level),
    entry(&["show", "cli", "sockets"], User, "show cli sockets", "list the sockets that take commands", show::misc::cli_sockets),
    entry(&["show", "env"], Operator, "show env [var]", "list the environment of the process", show::misc::environment),
    entry(&["show", "errors"], Operator, "show errors [<px>] [request|response]", "show the last messages that could not be understood", show::errors::run),
    entry(&["show", "events"], User, "show events [<sink>] [-w] [-n] [-0]", "list the event sinks, or the messages of one", show::events::run),
    entry(&["show", "info"], User, "show info [desc|json|typed|float]*", "tell about the process", show::stat::info),
    entry(&["show", "map"], Admin, "show map [@<ver>] [<map>]", "list the maps, or the entries of one", patterns::show),
    entry(&["show", "schema", "json"], User, "show schema json", "print the schema of the JSON forms", show::stat::schema),
    entry(&["show", "servers", "conn"], User, "show servers conn [<backend>]", "list the connections to servers", show::servers::connections),
    entry(&["show", "servers", "state"], User, "show servers state [<backend>]", "list the states of servers, for a state file", show::servers::states),
    entry(&["show", "sess"], Operator, "show sess [help|<id>|all] [opts...]", "list the sessions, or show one", show::sess::run),
    entry(&["show", "startup-logs"], User, "show startup-logs", "print what was logged during the start", show::misc::startup_logs),
    entry(&["show", "stat"], User, "show stat [desc|json|no-maint|typed|up]*", "print the counters of proxies and servers", show::stat::run),
    entry(&["show", "table"], User, "show table [<table> [<filter>]*]", "list the tables, or the entries of one", tables::show),
    entry(&["show", "version"], User, "show version", "tell the version", show::misc::version),
    entry(&["shutdown", "frontend"], Admin, "shutdown frontend <frontend>", "stop a frontend for good", frontends::shutdown),
    entry(&["shutdown", "session"], Admin, "shutdown session [id]", "end a session", process::shutdown_session),
    entry(&["shutdown", "sessions", "server"], Admin, "shutdown sessions server <bk>/<srv>", "end every session of a server", server::shutdown_sessions),
    entry(&["unpublish", "backend"], Admin, "unpublish backend <bk>", "let rules pass over a backend", backends::unpublish),
    entry(&["user"], User, "user", "lower the level of this connection to user", process::user),
    entry(&["wait"], User, "wait {-h|<delay_ms>} [cond]", "wait before the next command, or for a condition", process::wait),
    entry(&["help"], User, "help [<command>]", "list all commands, or those like this one", help),
    entry(&["prompt"], User, "prompt [help | n | i | p | timed ]*", "toggle the interactive mode with prompt", process::prompt),
    entry(&["quit"], User, "quit", "end the connection", process::quit),
];

/// Entries at the end of [`ENTRIES`] that stand in every list.
const ALWAYS: usize = 3;

/// The help line of a command.
#[expect(clippy::exhaustive_structs, reason = "plain data")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The command and its arguments.
    pub usage: &'static str,
    /// What it does.
    pub help: &'static str,
    /// Who may give it.
    pub level: SocketLevel,
}

/// Every command of this module, in the order of the help.
pub fn usages() -> impl Iterator<Item = Usage> {
    ENTRIES.iter().map(|entry| Usage { usage: entry.usage, help: entry.help, level: entry.level })
}

/// Runs one command.
pub(super) fn run(exec: &mut Exec<'_>, request: &Request) -> Reply {
    if request.words.is_empty() {
        return Reply::empty();
    }
    let matching = ENTRIES.iter().filter(|entry| is_start(entry.words, &request.words));
    match matching.max_by_key(|entry| entry.words.len()) {
        Some(entry) if exec.state.level < entry.level => denied(),
        Some(entry) => (entry.run)(exec, request).into(),
        None => match exec.control.extra(request, exec.state.level) {
            Some(Poll::Ready(reply)) => reply,
            Some(Poll::Pending) => {
                exec.state.wait = Some(Wait { limit: PATIENCE, until: Until::Answer(request.clone()) });
                Reply::empty()
            }
            None => unknown(exec.control, &request.words),
        },
    }
}

pub(super) fn denied() -> Reply {
    Reply::error("Permission denied")
}

fn is_start(words: &[&str], request: &Words) -> bool {
    words.iter().enumerate().all(|(index, word)| request.at(index) == *word)
}

fn help(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let mut text = "The following commands are valid at this level:\n".to_owned();
    list(&mut text, exec.control, request.words.from(1));
    Ok(Reply::info(text))
}

fn unknown(control: &dyn Control, words: &Words) -> Reply {
    let mut text = format!("Unknown command: '{}'", words.at(0));
    let like = alike(control, words.from(0));
    text.push_str(if like.is_empty() {
        ". Please enter one of the following commands only:\n"
    } else {
        ", but maybe one of the following ones is a better match:\n"
    });
    list(&mut text, control, words.from(0));
    Reply::message(Severity::Info, text)
}

/// Appends the help lines of the commands like `words`, or of all if there is none like them.
fn list(text: &mut String, control: &dyn Control, words: &[String]) {
    let mut lines = alike(control, words);
    if lines.is_empty() {
        lines = all(control);
    }
    lines.extend(ENTRIES[ENTRIES.len() - ALWAYS..].iter().map(|entry| (entry.usage, entry.help)));
    for (usage, help) in lines {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {usage:<39} : {help}");
    }
}

fn all(control: &dyn Control) -> Vec<(&'static str, &'static str)> {
    let own = ENTRIES[..ENTRIES.len() - ALWAYS].iter().map(|entry| (entry.usage, entry.help));
    let mut all: Vec<_> = own.chain(control.extra_usages().iter().copied()).collect();
    all.sort_unstable();
    all
}

/// Commands that start with the words given, or else those whose words resemble them most.
fn alike(control: &dyn Control, words: &[String]) -> Vec<(&'static str, &'static str)> {
    let all = all(control);
    let start =
        |usage: &str, count: usize| usage.split(' ').zip(words).take_while(|(a, b)| a == b).count() >= count;
    for count in (1..=words.len().min(3)).rev() {
        let found: Vec<_> = all.iter().copied().filter(|(usage, _)| start(usage, count)).collect();
        if !found.is_empty() {
            return found;
        }
    }
    let near = |usage: &str| {
        let mut pairs = usage.split(' ').zip(words);
        pairs.next().is_some_and(|(known, given)| distance(known, given) <= given.chars().count() / 3)
    };
    all.into_iter().filter(|(usage, _)| near(usage)).collect()
}

/// Edits that turn one word into the other. Words from outside are cut, so that the work is bounded.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(40).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, b) in b.iter().enumerate() {
            let replaced = corner + usize::from(a != *b);
            corner = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_sorted_and_usages_start_with_their_words() {
        let usages: Vec<_> = ENTRIES[..ENTRIES.len() - ALWAYS].iter().map(|entry| entry.usage).collect();
        assert!(usages.is_sorted(), "{usages:?}");
        for entry in ENTRIES {
            assert!(entry.usage.starts_with(&entry.words.join(" ")), "{}", entry.usage);
        }
    }

    #[test]
    fn distances_count_edits() {
        assert_eq!(distance("show", "shw"), 1);
        assert_eq!(distance("show", "show"), 0);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("show", ""), 4);
    }
}
