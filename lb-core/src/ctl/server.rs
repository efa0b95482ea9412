//! Commands about one server.

use super::catalogue::Exec;
use super::control::{AddServer, Control, ControlError, Proxy, Renaming, ServerChange, WeightChange};
use super::parse::Request;
use super::reply::{Reply, Severity};
use crate::name::{ProxyName, ServerName};
use std::net::{IpAddr, SocketAddr};

/// Heaviest server.
const MAX_WEIGHT: u32 = 256;

const USAGE: &str = "usage: set server <backend>/<server> addr | agent | agent-addr | agent-port | agent-send | \
                     check-addr | check-port | fqdn | health | ssl | state | weight";

/// A server found by its `backend/server` word.
struct Found<'a> {
    control: &'a dyn Control,
    backend: ProxyName,
    server: ServerName,
}

impl<'a> Found<'a> {
    fn new(control: &'a dyn Control, word: &str) -> Result<Self, Reply> {
        let (backend, server) =
            word.split_once('/').ok_or_else(|| Reply::error("Require 'backend/server'."))?;
        let backend =
            control.find_backend(Proxy::parse(backend)).ok_or_else(|| Reply::error("No such backend."))?;
        let server = control.find_server(&backend, Proxy::parse(server));
        let server = server.ok_or_else(|| Reply::error("No such server."))?;
        Ok(Self { control, backend, server })
    }

    fn change(&self, change: ServerChange) -> Result<(), ControlError> {
        self.control.change_server(&self.backend, &self.server, change)
    }

    /// Changes something of the checks, with the answer for a server that has none.
    fn change_check(&self, change: ServerChange, without: &str) -> Result<Reply, Reply> {
        match self.change(change) {
            Ok(()) => Ok(Reply::empty()),
            Err(ControlError::NoCheck | ControlError::NoAgent) => Err(Reply::error(without)),
            Err(refused) => Err(refusal(&refused)),
        }
    }

    fn apply(&self, change: ServerChange) -> Result<Reply, Reply> {
        self.change(change).map_or_else(|refused| Err(refusal(&refused)), |()| Ok(Reply::empty()))
    }
}

/// The backend and the server that a word names.
pub(super) fn find(control: &dyn Control, word: &str) -> Result<(ProxyName, ServerName), Reply> {
    Found::new(control, word).map(|found| (found.backend, found.server))
}

pub(super) fn refusal(error: &ControlError) -> Reply {
    Reply::error(error.to_string())
}

pub(super) fn set_server(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let words = &request.words;
    let found = Found::new(exec.control, words.at(2))?;
    match (words.at(3), words.at(4)) {
        ("state", "ready") => found.apply(ServerChange::Ready),
        ("state", "drain") => found.apply(ServerChange::Drain),
        ("state", "maint") => found.apply(ServerChange::Maint),
        ("state", _) => Err(Reply::error("'set server <srv> state' expects 'ready', 'drain' and 'maint'.")),
        ("health", "up") => set_health(&found, ServerChange::HealthUp),
        ("health", "stopping") => set_health(&found, ServerChange::HealthStopping),
        ("health", "down") => set_health(&found, ServerChange::HealthDown),
        ("health", _) => Err(Reply::error("'set server <srv> health' expects 'up', 'stopping', or 'down'.")),
        ("agent", "up") => found.apply(ServerChange::Agent(true)),
        ("agent", "down") => found.apply(ServerChange::Agent(false)),
        ("agent", _) => Err(Reply::error("'set server <srv> agent' expects 'up' or 'down'.")),
        ("agent-addr", addr) => set_agent_addr(&found, addr),
        ("agent-port", port) => set_agent_port(&found, port),
        ("agent-send", text) => found.apply(ServerChange::AgentSend(text.to_owned())),
        ("check-addr", addr) => set_check_addr(&found, addr, (words.at(5), words.at(6))),
        ("check-port", port) => set_check_port(&found, port),
        ("weight", weight) => found.apply(ServerChange::Weight(weight_of(weight)?)),
        ("addr", addr) => set_addr(&found, addr, (words.at(5), words.at(6))),
        ("fqdn", "") => Err(Reply::error("set server <b>/<s> fqdn requires a FQDN.")),
        ("fqdn", name) => set_fqdn(&found, name),
        ("ssl", "on") => found.apply(ServerChange::Tls(true)),
        ("ssl", "off") => found.apply(ServerChange::Tls(false)),
        ("ssl", _) => Err(Reply::error("'set server <srv> ssl' expects 'on' or 'off'.")),
        _ => Err(Reply::error(USAGE)),
    }
}

/// A server without checks takes the state as if it had them.
fn set_health(found: &Found<'_>, change: ServerChange) -> Result<Reply, Reply> {
    match found.change(change) {
        Ok(()) | Err(ControlError::NoCheck) => Ok(Reply::empty()),
        Err(refused) => Err(refusal(&refused)),
    }
}

const NO_AGENT: &str = "agent checks are not enabled on this server";
const NO_CHECK: &str = "health checks are not enabled on this server";

fn set_agent_addr(found: &Found<'_>, word: &str) -> Result<Reply, Reply> {
    if word.is_empty() {
        return Err(Reply::error("set server <b>/<s> agent-addr requires an address and optionally a port."));
    }
    let addr = address(word, "invalid addr")?;
    found.change_check(ServerChange::AgentAddr(addr), NO_AGENT)
}

fn set_agent_port(found: &Found<'_>, word: &str) -> Result<Reply, Reply> {
    if word.is_empty() {
        return Err(Reply::error("set server <b>/<s> agent-port requires a port."));
    }
    found.change_check(ServerChange::AgentPort(check_port(word)?), NO_AGENT)
}

fn set_check_port(found: &Found<'_>, word: &str) -> Result<Reply, Reply> {
    if word.is_empty() {
        return Err(Reply::error("set server <b>/<s> check-port requires a port."));
    }
    found.change_check(ServerChange::CheckPort(check_port(word)?), NO_CHECK)
}

fn set_check_addr(found: &Found<'_>, word: &str, port: (&str, &str)) -> Result<Reply, Reply> {
    if word.is_empty() {
        return Err(Reply::error("set server <b>/<s> check-addr requires an address and optionally a port."));
    }
    let addr = address(word, "invalid addr")?;
    let port = match port {
        ("port", port) => Some(check_port(port)?),
        _ => None,
    };
    found.change_check(ServerChange::CheckAddr(addr, port), NO_CHECK)
}

fn set_addr(found: &Found<'_>, word: &str, port: (&str, &str)) -> Result<Reply, Reply> {
    if word.is_empty() {
        return Err(Reply::error("set server <b>/<s> addr requires an address and optionally a port."));
    }
    let ip = address(word, "Invalid addr")?;
    let old = found.control.server_addr(&found.backend, &found.server);
    let port = match port {
        ("port", port) => server_port(port)?,
        _ => old.map_or(0, |old| old.port()),
    };
    let new = SocketAddr::new(ip, port);
    if old == Some(new) {
        return Ok(Reply::info("nothing changed"));
    }
    found.apply(ServerChange::Addr(new))?;
    let mut changes = Vec::new();
    if old.map(|old| old.ip()) != Some(ip) {
        let old = old.map_or_else(|| "(none)".to_owned(), |old| old.ip().to_string());
        changes.push(format!("IP changed from '{old}' to '{ip}'"));
    }
    if let Some(old) = old.map(|old| old.port()).filter(|old| *old != port) {
        changes.push(format!("port changed from '{old}' to '{port}'"));
    }
    Ok(Reply::message(Severity::Warning, format!("{} by 'stats socket command'", changes.join(", "))))
}

fn set_fqdn(found: &Found<'_>, name: &str) -> Result<Reply, Reply> {
    let Found { control, backend, server } = found;
    let done = control.rename_server(backend, server, name).map_err(|refused| refusal(&refused))?;
    let what = match done {
        Renaming::Changed(old) => {
            let old = old.as_deref().unwrap_or("(null)");
            format!("{backend}/{server} changed its FQDN from {old} to {name}")
        }
        Renaming::Unchanged => "no need to change the FDQN".to_owned(),
        Renaming::Invalid => format!("invalid fqdn '{name}'"),
        Renaming::Impossible => format!("could not update {backend}/{server} FQDN"),
    };
    Ok(Reply::message(Severity::Warning, format!("{what} by 'stats socket command'")))
}

fn address(word: &str, problem: &str) -> Result<IpAddr, Reply> {
    let bare = word.strip_prefix('[').and_then(|word| word.strip_suffix(']')).unwrap_or(word);
    bare.parse().map_err(|_| Reply::error(format!("{problem} '{word}'")))
}

fn check_port(word: &str) -> Result<u16, Reply> {
    let number: u64 = word.parse().map_err(|_| Reply::error("provided port is not an integer"))?;
    let port = u16::try_from(number).ok().filter(|port| *port > 0);
    port.ok_or_else(|| Reply::error("provided port is invalid"))
}

fn server_port(word: &str) -> Result<u16, Reply> {
    let number: u64 = match word.bytes().all(|byte| byte.is_ascii_digit()) {
        true => {
            word.parse().map_err(|_| Reply::error(format!("problem converting port '{word}' to an int")))?
        }
        false => return Err(Reply::error(format!("problem converting port '{word}' to an int"))),
    };
    u16::try_from(number).map_err(|_| Reply::error("provided port is invalid"))
}

fn weight_of(word: &str) -> Result<WeightChange, Reply> {
    if word.is_empty() {
        return Err(Reply::error("Require <weight> or <weight%>."));
    }
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = word.split_at(digits);
    if word.starts_with('-') && word.len() > 1 {
        return Err(Reply::error("Absolute weight can only be between 0 and 256 inclusive."));
    }
    if digits == 0 {
        return Err(Reply::error("Empty weight string empty or preceded by garbage"));
    }
    // More digits than a number has room for mean "very heavy", which is refused or cut below.
    let number: u32 = number.parse().unwrap_or(u32::MAX);
    match rest {
        "" if number > MAX_WEIGHT => {
            Err(Reply::error("Absolute weight can only be between 0 and 256 inclusive."))
        }
        "" => Ok(WeightChange::Absolute(number)),
        "%" => Ok(WeightChange::Percent(number)),
        _ => Err(Reply::error("Trailing garbage in weight string")),
    }
}

pub(super) fn set_weight(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let found = Found::new(exec.control, request.words.at(2))?;
    found.apply(ServerChange::Weight(weight_of(request.words.at(3))?))
}

pub(super) fn get_weight(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let found = Found::new(exec.control, request.words.at(2))?;
    let weight = found.control.weight(&found.backend, &found.server);
    let (weight, initial) = weight.ok_or_else(|| Reply::error("No such server."))?;
    Ok(Reply::dump(format!("{weight} (initial {initial})\n")))
}

pub(super) fn set_maxconn(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let found = Found::new(exec.control, request.words.at(3))?;
    let word = request.words.at(4);
    if word.is_empty() {
        return Err(Reply::error("Require <maxconn>."));
    }
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Err(Reply::error("maxconn string empty or preceded by garbage"));
    }
    if digits < word.len() {
        return Err(Reply::error("Trailing garbage in maxconn string"));
    }
    found.apply(ServerChange::Maxconn(word.parse().map_err(|_| Reply::error("Value out of range."))?))
}

pub(super) fn enable(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    Found::new(exec.control, request.words.at(2))?.apply(ServerChange::LeaveMaint)
}

pub(super) fn disable(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    Found::new(exec.control, request.words.at(2))?.apply(ServerChange::Maint)
}

pub(super) fn enable_health(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let found = Found::new(exec.control, request.words.at(2))?;
    let without = "Health check was not configured on this server, cannot enable.";
    found.change_check(ServerChange::HealthChecks(true), without)
}

pub(super) fn disable_health(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    set_health(&Found::new(exec.control, request.words.at(2))?, ServerChange::HealthChecks(false))
}

pub(super) fn enable_agent(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let found = Found::new(exec.control, request.words.at(2))?;
    let without = "Agent was not configured on this server, cannot enable.";
    found.change_check(ServerChange::AgentChecks(true), without)
}

pub(super) fn disable_agent(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    match Found::new(exec.control, request.words.at(2))?.change(ServerChange::AgentChecks(false)) {
        Ok(()) | Err(ControlError::NoAgent) => Ok(Reply::empty()),
        Err(refused) => Err(refusal(&refused)),
    }
}

pub(super) fn shutdown_sessions(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let found = Found::new(exec.control, request.words.at(3))?;
    found.control.shutdown_server_sessions(&found.backend, &found.server);
    Ok(Reply::empty())
}

pub(super) fn add(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let word = request.words.at(2);
    let (backend, name) = word.split_once('/').ok_or_else(|| Reply::error("Require 'backend/server'."))?;
    let backend =
        exec.control.find_backend(Proxy::parse(backend)).ok_or_else(|| Reply::error("No such backend."))?;
    if exec.control.find_server(&backend, Proxy::Name(name)).is_some() {
        return Err(Reply::error("Already exists a server with the same name in backend."));
    }
    if request.words.at(3).is_empty() {
        return Err(Reply::error("'server' expects <name> and <addr>[:<port>] as arguments."));
    }
    let server = AddServer::new(&backend, name, request.words.from(3));
    exec.control.add_server(server).map_err(|refused| refusal(&refused))?;
    Ok(Reply::info("New server registered."))
}

pub(super) fn delete(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let found = Found::new(exec.control, request.words.at(2))?;
    found.control.delete_server(&found.backend, &found.server).map_err(|refused| refusal(&refused))?;
    Ok(Reply::info("Server deleted."))
}
