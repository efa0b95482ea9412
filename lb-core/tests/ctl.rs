//! The runtime interface against a made-up engine. Answers in [`TRANSCRIPT`] and next to it are those HAProxy 3.4 gave.
//! It is long because it holds an answer to every command.

use lb_core::ctl::{
    AddServer, CapturedError, CliSocket, Control, ControlAdmin, ControlError, FrontendChange, GlobalChange,
    Proxy, Renaming, Reply, Request, ServerChange, ServerConnections, ServerState, Session, SessionFilter,
    SessionLimits, SessionLine, SocketLevel,
};
use lb_core::name::{ProxyName, ServerName};
use lb_core::spec::{Capability, Mode};
use lb_core::stats::admin::{self, parse_post};
use lb_core::stats::info::ProcessInfo;
use lb_core::stats::snapshot::{BackendSnapshot, FrontendSnapshot, ProxySnapshot, ServerSnapshot};
use lb_core::stats::status::ServerStatus;
use lb_core::stick::{DataType, KeyType, SharedTable, Store, TableSpec};
use proptest::prelude::*;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::task::Poll;
use std::time::{Duration, Instant};

/// An engine with the frontend fe1 (2) and the backend be1 (4) of the servers s1 to s3; it writes down what it is told.
#[derive(Default)]
struct Fake {
    log: RefCell<Vec<String>>,
    tables: Vec<Arc<SharedTable>>,
}

impl Fake {
    fn note(&self, text: String) {
        self.log.borrow_mut().push(text);
    }
}

fn named(proxy: Proxy<'_>, name: &str, id: u32) -> bool {
    proxy == Proxy::Id(id) || proxy == Proxy::Name(name)
}

impl Control for Fake {
    fn info(&self) -> ProcessInfo {
        let mut info = ProcessInfo::default();
        (info.version, info.hard_maxconn, info.uptime) = ("1.2.3".into(), 1000, Duration::from_secs(65));
        info
    }

    fn proxies(&self) -> Vec<ProxySnapshot> {
        let mut fe1 = ProxySnapshot::new("fe1", 2, Capability::Frontend, Mode::Http);
        fe1.frontend = Some(FrontendSnapshot::default());
        let mut be1 = ProxySnapshot::new("be1", 4, Capability::Backend, Mode::Http);
        for id in 1..=3 {
            be1.servers.push(ServerSnapshot::new(format!("s{id}").as_str(), id, "127.0.0.1:80"));
        }
        be1.servers[1].status = ServerStatus::Down;
        be1.servers[2].status = ServerStatus::Maint;
        be1.backend = Some(BackendSnapshot::new("roundrobin"));
        vec![fe1, be1]
    }

    fn find_backend(&self, backend: Proxy<'_>) -> Option<ProxyName> {
        named(backend, "be1", 4).then(|| "be1".into())
    }

    fn find_frontend(&self, frontend: Proxy<'_>) -> Option<ProxyName> {
        named(frontend, "fe1", 2).then(|| "fe1".into())
    }

    fn find_server(&self, _: &ProxyName, server: Proxy<'_>) -> Option<ServerName> {
        (1..=3)
            .map(|id| (id, format!("s{id}")))
            .find(|(id, name)| named(server, name, *id))
            .map(|(_, n)| (&*n).into())
    }

    fn weight(&self, _: &ProxyName, _: &ServerName) -> Option<(u32, u32)> {
        Some((30, 30))
    }

    fn server_addr(&self, _: &ProxyName, server: &ServerName) -> Option<SocketAddr> {
        (server.as_str() != "s3").then(|| "127.0.0.1:18091".parse().expect("an address"))
    }

    fn server_states(&self, _: Option<&ProxyName>) -> Vec<ServerState> {
        let mut state = ServerState::new(4, "be1", 8, "a8");
        (state.addr, state.port, state.operational) = ("127.0.0.1".into(), 18098, 0);
        (state.last_change, state.check_status, state.check_result) =
            (22, lb_core::health::Status::L4Connection, 2);
        (state.check_state, state.agent_state, state.agent_port) = (6, 22, 18099);
        vec![state]
    }

    fn server_connections(&self, _: Option<&ProxyName>) -> Vec<ServerConnections> {
        let mut line = ServerConnections::default();
        (line.backend, line.name, line.backend_id, line.id) = ("be1".into(), "s1".into(), 4, 1);
        (line.addr, line.port, line.purge_delay_ms, line.used_max, line.needed) =
            ("127.0.0.1".into(), 18091, 5000, 1, 1);
        line.idle_per_worker = vec![0, 0];
        vec![line]
    }

    fn sessions(&self, filter: &SessionFilter) -> Vec<SessionLine> {
        let mut session = SessionLine::default();
        (session.id, session.proto, session.source) = (0x2a, "tcpv4", "127.0.0.1:1234".into());
        (session.frontend, session.age) = ("fe1".into(), Duration::from_secs(3));
        session.uri = Some("/a\"\nb".into());
        let shown =
            filter.id.is_none_or(|id| id == session.id) && filter.older.is_none_or(|age| age <= session.age);
        if shown { vec![session] } else { Vec::new() }
    }

    fn errors(&self) -> (u64, Vec<CapturedError>) {
        let mut error = CapturedError::default();
        (error.proxy, error.proxy_id, error.position, error.bytes) =
            ("fe1".into(), 2, 4, b"GET \x01\r\n".to_vec());
        (1, vec![error])
    }

    fn date(&self) -> String {
        "22/Nov/2026:15:22:59.079".to_owned()
    }

    fn environment(&self) -> Vec<(String, String)> {
        vec![("A".into(), "1".into()), ("B".into(), "2".into())]
    }

    fn tables(&self) -> Vec<Arc<SharedTable>> {
        self.tables.clone()
    }

    fn sockets(&self) -> Vec<CliSocket> {
        vec![CliSocket::new("unix@/run/lb.sock", SocketLevel::Admin)]
    }

    fn rename_server(&self, _: &ProxyName, _: &ServerName, name: &str) -> Result<Renaming, ControlError> {
        Ok(match name {
            "same" => Renaming::Unchanged,
            "in/valid" => Renaming::Invalid,
            "im..possible" => Renaming::Impossible,
            "first" => Renaming::Changed(None),
            "refused" => return Err(ControlError::Other("why".to_owned())),
            _ => Renaming::Changed(Some("old.example".to_owned())),
        })
    }

    fn change_server(
        &self,
        _: &ProxyName,
        server: &ServerName,
        change: ServerChange,
    ) -> Result<(), ControlError> {
        use ServerChange::{
            Agent, AgentAddr, AgentChecks, AgentPort, AgentSend, CheckPort, HealthChecks, HealthUp,
        };
        match change {
            Agent(_) | AgentAddr(_) | AgentPort(_) | AgentChecks(_) | AgentSend(_) => {
                Err(ControlError::NoAgent)
            }
            CheckPort(_) | HealthChecks(_) if server.as_str() != "s1" => Err(ControlError::NoCheck),
            HealthUp if server.as_str() == "s3" => Err(ControlError::Tracking),
            change => {
                self.note(format!("{server} {change:?}"));
                Ok(())
            }
        }
    }

    fn change_frontend(&self, _: &ProxyName, change: FrontendChange) -> Result<(), ControlError> {
        match change {
            FrontendChange::Enable => Err(ControlError::Unchanged),
            FrontendChange::Disable | FrontendChange::Shutdown => Err(ControlError::ShutDown),
            change => {
                self.note(format!("{change:?}"));
                Ok(())
            }
        }
    }

    fn change_global(&self, change: GlobalChange) -> Result<(), ControlError> {
        self.note(format!("{change:?}"));
        Ok(())
    }

    fn add_server(&self, server: AddServer<'_>) -> Result<(), ControlError> {
        match server.words {
            [_, word, ..] => Err(ControlError::Other(format!("unknown keyword '{word}'."))),
            _ => Ok(()),
        }
    }

    fn delete_server(&self, _: &ProxyName, _: &ServerName) -> Result<(), ControlError> {
        Ok(())
    }

    fn shutdown_session(&self, id: u64) -> bool {
        id == 0x2a
    }

    fn shutdown_server_sessions(&self, _: &ProxyName, server: &ServerName) {
        self.note(format!("{server} shutdown"));
    }

    fn clear_counters(&self, all: bool) {
        self.note(format!("clear {all}"));
    }

    fn extra_usages(&self) -> &[(&'static str, &'static str)] {
        &[("show cert [cert]", "list certificates")]
    }

    fn extra(&self, request: &Request, _: SocketLevel) -> Option<Poll<Reply>> {
        let text = request.payload.clone().unwrap_or_default();
        match request.words.at(1) {
            "cert" => Some(Poll::Ready(Reply::dump(format!("{}|{text}", request.words.at(2))))),
            // Somebody else answers this one, when it is asked for the third time, or never.
            "far" => {
                self.note("asked".to_owned());
                let asked = self.log.borrow().iter().filter(|note| *note == "asked").count();
                let answered = asked >= 3 && request.words.at(2) != "away";
                Some(if answered { Poll::Ready(Reply::dump("from afar".to_owned())) } else { Poll::Pending })
            }
            _ => None,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "any instant will do as the origin of virtual time")]
fn origin() -> Instant {
    static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    *ORIGIN
}

fn session(level: SocketLevel) -> Session {
    Session::new(level, SessionLimits::default(), origin())
}

/// The whole answer to one line.
fn ask_as(level: SocketLevel, line: &str) -> String {
    let mut session = session(level);
    session.handle_input(origin(), format!("{line}\n").as_bytes(), &Fake::default());
    assert!(session.is_closed(), "one line is answered");
    String::from_utf8(session.poll_output()).expect("answers are text")
}

fn ask(line: &str) -> String {
    ask_as(SocketLevel::Admin, line)
}

const EXPECTS_STATE: &str = "'set server <srv> state' expects 'ready', 'drain' and 'maint'.";
const EXPECTS_HEALTH: &str = "'set server <srv> health' expects 'up', 'stopping', or 'down'.";
const USAGE: &str = "usage: set server <backend>/<server> addr | agent | agent-addr | agent-port | agent-send | \
                     check-addr | check-port | fqdn | health | ssl | state | weight";
const CHANGED: &str = "IP changed from '127.0.0.1' to '127.0.0.2', port changed from '18091' to '18092' by 'stats \
                       socket command'";

/// Commands and the messages they are answered with, without the line end and the empty line that follow.
const TRANSCRIPT: &[(&str, &str)] = &[
    ("set server", "Require 'backend/server'."),
    ("set server be1", "Require 'backend/server'."),
    ("set server be1/nope state ready", "No such server."),
    ("set server nope/s1 state ready", "No such backend."),
    ("set server be1/s1", USAGE),
    ("set server be1/s1 bogus", USAGE),
    ("set server be1/s1 state", EXPECTS_STATE),
    ("set server be1/s1 state bogus", EXPECTS_STATE),
    ("set server be1/s1 state drain", ""),
    ("set server #4/#1 state ready", ""),
    ("set server be1/s1/x state ready", "No such server."),
    ("set server be1/s1 health bogus", EXPECTS_HEALTH),
    ("set server be1/s1 health down", ""),
    ("set server be1/s3 health up", "cannot change health on a tracking server."),
    ("set server be1/s1 agent up", "agent checks are not enabled on this server."),
    ("set server be1/s1 agent bogus", "'set server <srv> agent' expects 'up' or 'down'."),
    ("set server be1/s1 agent-addr bogus.invalid", "invalid addr 'bogus.invalid'"),
    ("set server be1/s1 agent-addr 127.0.0.1", "agent checks are not enabled on this server"),
    ("set server be1/s1 agent-port 99999", "provided port is invalid"),
    ("set server be1/s1 agent-port", "set server <b>/<s> agent-port requires a port."),
    ("set server be1/s1 agent-send", "agent checks are not enabled on this server."),
    ("set server be1/s1 check-port 18091", ""),
    ("set server be1/s2 check-port 18091", "health checks are not enabled on this server"),
    ("set server be1/s1 check-port x", "provided port is not an integer"),
    (
        "set server be1/s1 check-addr",
        "set server <b>/<s> check-addr requires an address and optionally a port.",
    ),
    ("set server be1/s1 weight", "Require <weight> or <weight%>."),
    ("set server be1/s1 weight 50%", ""),
    ("set server be1/s1 weight 300", "Absolute weight can only be between 0 and 256 inclusive."),
    ("set server be1/s1 weight -1", "Absolute weight can only be between 0 and 256 inclusive."),
    ("set server be1/s1 weight abc", "Empty weight string empty or preceded by garbage"),
    ("set weight be1/s2 10x", "Trailing garbage in weight string"),
    ("set weight be1/s2 300%", ""),
    ("set weight be1/s2", "Require <weight> or <weight%>."),
    ("set server be1/s1 addr", "set server <b>/<s> addr requires an address and optionally a port."),
    ("set server be1/s1 addr 127.0.0.1", "nothing changed"),
    ("set server be1/s1 addr 127.0.0.1 port 18091", "nothing changed"),
    ("set server be1/s1 addr 127.0.0.2 port 18092", CHANGED),
    (
        "set server be1/s1 addr 127.0.0.2",
        "IP changed from '127.0.0.1' to '127.0.0.2' by 'stats socket command'",
    ),
    ("set server be1/s1 addr foo", "Invalid addr 'foo'"),
    ("set server be1/s1 addr 127.0.0.1 port abc", "problem converting port 'abc' to an int"),
    ("set server be1/s1 addr 127.0.0.1 port", "problem converting port '' to an int"),
    ("set server be1/s1 fqdn", "set server <b>/<s> fqdn requires a FQDN."),
    ("set server be1/s1 fqdn same", "no need to change the FDQN by 'stats socket command'"),
    ("set server be1/s1 fqdn in/valid", "invalid fqdn 'in/valid' by 'stats socket command'"),
    ("set server be1/s1 fqdn im..possible", "could not update be1/s1 FQDN by 'stats socket command'"),
    (
        "set server be1/s1 fqdn first",
        "be1/s1 changed its FQDN from (null) to first by 'stats socket command'",
    ),
    ("set server be1/s1 fqdn refused", "why"),
    (
        "set server be1/s1 fqdn new.example",
        "be1/s1 changed its FQDN from old.example to new.example by 'stats socket command'",
    ),
    ("enable server", "Require 'backend/server'."),
    ("enable server be1/nope", "No such server."),
    ("enable server be1/s1", ""),
    ("disable server be1/s1", ""),
    ("enable health be1/s1", ""),
    ("enable health be1/s2", "Health check was not configured on this server, cannot enable."),
    ("disable health be1/s2", ""),
    ("enable agent be1/s1", "Agent was not configured on this server, cannot enable."),
    ("disable agent be1/s1", ""),
    ("enable frontend", "A frontend name is expected."),
    ("enable frontend nope", "No such frontend."),
    ("enable frontend fe1", "All sockets are already enabled."),
    ("disable frontend fe1", "Frontend was previously shut down, cannot disable."),
    ("shutdown frontend fe1", "Frontend was already shut down."),
    ("get weight be1/s2", "30 (initial 30)"),
    ("set maxconn server be1/s2 20", ""),
    ("set maxconn server be1/s2", "Require <maxconn>."),
    ("set maxconn server be1/s2 abc", "maxconn string empty or preceded by garbage"),
    ("set maxconn server be1/s2 5x", "Trailing garbage in maxconn string"),
    ("set maxconn frontend fe1 100", ""),
    ("set maxconn frontend fe1", "Integer value expected."),
    ("set maxconn frontend fe1 -1", "Value out of range."),
    ("set maxconn frontend nope 3", "No such frontend."),
    ("set maxconn global 500", ""),
    ("set maxconn global 99999", "Value out of range."),
    ("set maxconn global", "Expects an integer value."),
    ("set rate-limit connections global", "Expects an integer value."),
    ("set rate-limit connections global 10", ""),
    ("set rate-limit connections global -1", "Value out of range."),
    ("set timeout", "'set timeout' only supports 'cli'."),
    ("set timeout cli", "Expects an integer value."),
    ("set timeout cli 20s", ""),
    ("set timeout cli x", "Invalid timeout value."),
    ("set timeout cli 0", "Invalid timeout value."),
    ("set severity-output foo", "one of 'none', 'number', 'string' is a required argument"),
    ("shutdown session", "Session pointer expected (use 'show sess')."),
    ("shutdown session abc", "Session pointer expected (use 'show sess')."),
    ("shutdown session 0x1234", "No such session (use 'show sess')."),
    ("shutdown session 0x2a", ""),
    ("shutdown sessions server", "Require 'backend/server'."),
    ("shutdown sessions server be1/s1", ""),
    ("clear counters", ""),
    ("clear counters all", ""),
    ("show stat nope -1 -1", "No such proxy."),
    ("show servers state nope", "Can't find backend."),
    ("show servers conn nope", "Can't find backend."),
    ("show sess nope", "Unsupported option 'nope', try 'help' for more info."),
    ("show sess 0x123", "Session not found."),
    ("show sess older", "Expects a minimum age (in seconds by default)."),
    ("show sess older 5", ""),
    ("show sess backend nope", "No such backend."),
    ("show sess frontend nope", "No such frontend."),
    ("show errors nope", "No such proxy."),
    ("show errors 99", "Total events captured on [22/Nov/2026:15:22:59.079] : 1"),
    ("show env A", "A=1"),
    ("show env NOPE", "Variable not found"),
    ("show cli level", "admin"),
    ("show backend", "# name\nbe1"),
    ("show version", "1.2.3"),
    ("echo hello   world", "hello world\n"),
    ("echo a\\ b \"c d\"", "a b \"c d\"\n"),
    ("wait", "Expects a duration in milliseconds."),
    ("wait abc", "Invalid duration."),
    ("add server", "Require 'backend/server'."),
    ("add server be1/z", "'server' expects <name> and <addr>[:<port>] as arguments."),
    ("add server be1/s1 127.0.0.1:1", "Already exists a server with the same name in backend."),
    ("add server be1/x 127.0.0.1:1", "New server registered."),
    ("add server be1/x 127.0.0.1:1 bogus", "unknown keyword 'bogus'."),
    ("del server be1/nope", "No such server."),
    ("del server be1/s1", "Server deleted."),
];

#[test]
fn answers_equal_those_of_haproxy() {
    for (command, message) in TRANSCRIPT {
        let end = if message.is_empty() || message.ends_with('\n') { "" } else { "\n" };
        assert_eq!(ask(command), format!("{message}{end}\n"), "{command}");
    }
}

#[test]
fn what_haproxy_takes_for_zero_is_refused() {
    assert_eq!(ask("set maxconn global abc"), "Expects an integer value.\n\n");
    assert_eq!(ask("set server be1/s1 addr 127.0.0.1 port 99999"), "provided port is invalid\n\n");
}

#[test]
fn changes_reach_the_engine() {
    let fake = Fake::default();
    let line = "set server be1/s1 state maint; set server be1/s1 weight 50%; set maxconn frontend fe1 7; \
                set rate-limit http-compression global 2; set server be1/s3 addr ::1 port 80; clear counters; \
                enable server be1/s2; set server be1/s1 check-addr 10.0.0.1 port 81\n";
    session(SocketLevel::Admin).handle_input(origin(), line.as_bytes(), &fake);
    assert_eq!(
        *fake.log.borrow(),
        [
            "s1 Maint",
            "s1 Weight(Percent(50))",
            "Maxconn(7)",
            "CompressionRate(2048)",
            "s3 Addr([::1]:80)",
            "clear false",
            "s2 LeaveMaint",
            "s1 CheckAddr(10.0.0.1, Some(81))",
        ]
    );
}

#[test]
fn levels_limit_what_may_be_done() {
    let denied = "Permission denied\n\n";
    assert_eq!(ask_as(SocketLevel::User, "show sess"), denied);
    assert_eq!(ask_as(SocketLevel::User, "show env A"), denied);
    assert_eq!(ask_as(SocketLevel::User, "clear counters"), denied);
    assert_eq!(ask_as(SocketLevel::Operator, "clear counters"), "\n");
    assert_eq!(ask_as(SocketLevel::Operator, "clear counters all"), denied);
    assert_eq!(ask_as(SocketLevel::Operator, "set weight be1/s2 3"), denied);
    assert_eq!(ask_as(SocketLevel::User, "get weight be1/s2"), "30 (initial 30)\n\n");
    assert_eq!(ask("operator;show cli level;set weight be1/s2 10"), "\noperator\n\nPermission denied\n\n");
    assert_eq!(ask_as(SocketLevel::User, "operator;show cli level"), "\nuser\n\n");
    let addr = |level| ask_as(level, "show stat").contains("127.0.0.1:80");
    assert!(addr(SocketLevel::Operator) && !addr(SocketLevel::User), "addresses are for operators");
}

#[test]
fn an_unknown_command_is_answered_with_its_likes() {
    let answer = ask("enable");
    assert!(
        answer.starts_with(
            "Unknown command: 'enable', but maybe one of the following ones is a better match:\n"
        )
    );
    let usages: Vec<_> =
        answer.lines().skip(1).filter_map(|line| line.strip_prefix("  ")?.get(..14)).collect();
    assert_eq!(
        usages,
        [
            "enable agent <",
            "enable fronten",
            "enable health ",
            "enable server ",
            "help [<command",
            "prompt [help |",
            "quit          ",
        ]
    );
    assert!(ask("shw stat").contains("\n  show stat [desc"));
    assert!(ask("zzzz").contains("Please enter one of the following commands only:\n  add acl"));
    assert!(ask("help set weight").starts_with(
        "The following commands are valid at this level:\n  set weight <bk>/<srv> <weight>          : "
    ));
    assert!(ask("help").contains("  show cert [cert]                        : list certificates\n"));
}

#[test]
fn states_and_connections_have_the_lines_of_haproxy() {
    let states = ask("show servers state be1");
    let lines: Vec<_> = states.lines().collect();
    assert_eq!(lines[0], "1");
    assert_eq!(
        lines[1],
        "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight \
         srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state \
         bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr \
         srv_agent_addr srv_agent_port"
    );
    assert_eq!(lines[2], "4 be1 8 a8 127.0.0.1 0 0 1 1 22 8 2 0 6 22 0 0 - 18098 - 0 0 - - 18099");
    let connections = ask("show servers conn");
    let lines: Vec<_> = connections.lines().collect();
    assert_eq!(
        lines[0],
        "# bkname/svname bkid/svid addr port - purge_delay served used_cur used_max need_est idle_sess unsafe_nb \
         safe_nb idle_lim idle_cur idle_per_thr[2]"
    );
    assert_eq!(lines[1], "be1/s1 4/1 127.0.0.1 18091 - 5000 0 0 1 1 0 0 0 -1 0 0 0");
}

#[test]
fn show_stat_selects_lines_and_forms() {
    let names = |command: &str| {
        let out = ask(command);
        out.lines().filter_map(|line| line.split(',').nth(1).map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(names("show stat"), ["svname", "FRONTEND", "s1", "s2", "s3", "BACKEND"]);
    assert_eq!(names("show stat -1 4 -1"), ["svname", "s1", "s2", "s3"]);
    assert_eq!(names("show stat 4 6 2"), ["svname", "s2", "BACKEND"]);
    assert_eq!(names("show stat be1 2 -1"), ["svname", "BACKEND"]);
    assert_eq!(names("show stat 2 x y"), ["svname"]);
    assert_eq!(names("show stat -1 -1"), ["svname", "FRONTEND", "s1", "s2", "s3", "BACKEND"]);
    assert_eq!(names("show stat up"), ["svname", "FRONTEND", "s1", "BACKEND"]);
    assert_eq!(names("show stat be1 4 -1 no-maint"), ["svname", "s1", "s2"]);
    assert!(ask("show stat 4 4 1 typed").starts_with("S.4.1.0.pxname.1:KNSV:str:be1\n"));
    assert!(ask("show stat typed desc up").contains(":str:be1:\"name of the proxy\"\n"));
    assert!(ask("show stat json").starts_with("[[{\"objType\":\"Frontend\""));
    assert!(ask("show stat").ends_with(",\n\n"), "an empty line ends every answer");
}

#[test]
fn show_info_has_its_forms() {
    assert!(ask("show info").contains("\nVersion: 1.2.3\n"));
    assert!(ask("show info typed").contains("\n1.Version.1:POSV:str:1.2.3\n"));
    assert!(ask("show info desc").contains("\nVersion: 1.2.3:\"version of the product\"\n"));
    assert!(ask("show info json").starts_with("[{\"field\":{\"pos\":0,"));
    assert!(ask("show schema json").contains("$schema"));
}

#[test]
fn sessions_are_listed_short_and_long() {
    let short = ask("show sess");
    assert!(short.starts_with(
        "0x2a: proto=tcpv4 src=127.0.0.1:1234 fe=fe1 be=<NONE> srv=<none> ts=00 epoch=0 age=3s "
    ));
    assert!(ask("show sess show-uri").contains(" uri=\"/a??b\"\n"));
    let long = ask("show sess 0x2a");
    assert!(long.contains("\n  frontend=fe1, ") && long.contains("\n  uri=/a\"?b\n"), "{long}");
    assert!(ask("show sess help").starts_with("Usage: show sess "));
    assert_eq!(ask("show sess server be1/s1").lines().count(), 2);
}

#[test]
fn errors_show_what_was_received() {
    let errors = ask("show errors fe1 request");
    assert!(errors.contains("frontend fe1 (#2): invalid request\n"), "{errors}");
    assert!(errors.contains("\n  00000  GET \\x01\\r\\n\n"), "{errors}");
    assert!(!ask("show errors fe1 response").contains("invalid"));
}

/// What HAProxy answers to each of these pieces, sent one after the other.
#[test]
fn a_prompt_keeps_the_connection() {
    let (mut session, fake, now) = (session(SocketLevel::Admin), Fake::default(), origin());
    for (line, answer) in [
        ("prompt\n", "\n> "),
        ("show version\n", "1.2.3\n\n> "),
        ("\n", "\n> "),
        ("show version;show cli level\n", "1.2.3\n\nadmin\n\n> "),
        ("show cert x <<\n", "+ "),
        ("abc\n", "+ "),
        ("\n", "x|abc\n\n> "),
        ("show cert y <<END\n", "+ "),
        ("a\n\nb\n", "+ + + "),
        ("END\n", "y|a\n\nb\n\n> "),
        ("prompt timed\n", "\n[0:00:01:05]> "),
        ("prompt i\n", "\n"),
        ("show version\n", "1.2.3\n\n"),
    ] {
        session.handle_input(now, line.as_bytes(), &fake);
        assert_eq!(String::from_utf8_lossy(&session.poll_output()), answer, "{line}");
        assert!(!session.is_closed());
    }
    session.handle_input(now, b"quit\n", &fake);
    assert!(session.is_closed() && session.poll_output().is_empty());
}

#[test]
fn without_a_prompt_one_line_is_answered() {
    assert_eq!(ask("show version\nshow cli level"), "1.2.3\n\n");
    assert_eq!(ask(""), "\n");
    assert_eq!(ask(";;show version"), "\n\n1.2.3\n\n");
    assert_eq!(ask("show version;"), "1.2.3\n\n\n");
    assert_eq!(ask("quit;show version"), "");
}

#[test]
fn a_peer_that_ends_gets_its_answer() {
    let (mut session, fake, now) = (session(SocketLevel::Admin), Fake::default(), origin());
    session.handle_input(now, b"show ver", &fake);
    session.handle_input(now, b"sion", &fake);
    assert!(session.poll_output().is_empty());
    session.handle_end(now, &fake);
    assert_eq!(session.poll_output(), b"1.2.3\n\n");
    assert!(session.is_closed());
}

#[test]
fn severities_are_shown_on_demand() {
    let line = "set severity-output number; set weight be1/nope 1; get weight be1/s2; \
                set server be1/s1 addr 127.0.0.9; show cli level; set severity-output string; set weight be1/nope 1";
    assert_eq!(
        ask(line),
        "\n[3]: No such server.\n\n30 (initial 30)\n\n[4]: IP changed from '127.0.0.1' to '127.0.0.9' by 'stats socket \
         command'\n\n[6]: admin\n\n\n[err]: No such server.\n\n"
    );
    assert_eq!(
        ask("expert-mode; expert-mode on; expert-mode; experimental-mode"),
        "expert-mode is OFF\n\n\nexpert-mode is ON\n\nexperimental-mode is OFF\n\n"
    );
}

#[test]
fn a_command_that_somebody_else_answers_is_asked_again_until_it_is_answered() {
    let (fake, now) = (Fake::default(), origin());
    let mut session = session(SocketLevel::User);
    session.handle_input(now, b"show far; show cert x\n", &fake);
    assert!(session.poll_output().is_empty(), "there is no answer yet");
    let mut dues = Vec::new();
    while let Some(due) = session.poll_timeout() {
        dues.push(due);
        session.handle_timeout(due, &fake);
    }
    assert_eq!(dues.len(), 2, "asked a second and a third time");
    assert!(now < dues[0] && dues[0] < dues[1], "and not without a pause");
    assert_eq!(String::from_utf8(session.poll_output()).unwrap(), "from afar\n\nx|\n\n");
}

#[test]
fn who_never_answers_is_not_waited_for_forever() {
    let (fake, now) = (Fake::default(), origin());
    let mut session = session(SocketLevel::User);
    session.handle_input(now, b"show far away\n", &fake);
    for _ in 0..1000 {
        let Some(due) = session.poll_timeout() else { break };
        session.handle_timeout(due, &fake);
    }
    assert_eq!(String::from_utf8(session.poll_output()).unwrap(), "Failed. There is no answer.\n\n");
    assert!(session.is_closed());
}

#[test]
fn waiting_delays_what_follows() {
    let (mut session, fake, now) = (session(SocketLevel::Admin), Fake::default(), origin());
    session.handle_input(now, b"show version; wait 2s; show cli level\n", &fake);
    assert_eq!(session.poll_output(), b"1.2.3\n\n");
    assert_eq!(session.poll_timeout(), Some(now + Duration::from_secs(2)));
    session.handle_timeout(now, &fake);
    assert!(session.poll_output().is_empty() && !session.is_closed(), "calling early is harmless");
    session.handle_timeout(now + Duration::from_secs(2), &fake);
    assert_eq!(session.poll_output(), b"\nadmin\n\n");
    assert!(session.is_closed());
}

#[test]
fn a_silent_peer_is_let_go() {
    let (mut session, fake, now) = (session(SocketLevel::Admin), Fake::default(), origin());
    assert_eq!(session.poll_timeout(), Some(now + Duration::from_secs(10)));
    session.handle_input(now, b"prompt; set timeout cli 60\n", &fake);
    session.handle_input(now, b"\n", &fake);
    let due = session.poll_timeout().expect("an open session has a timeout");
    assert_eq!(due, now + Duration::from_secs(60));
    session.handle_timeout(due, &fake);
    assert!(session.is_closed() && session.poll_timeout().is_none());
}

#[test]
fn what_a_peer_can_make_us_keep_is_bounded() {
    let limits = SessionLimits { line: 100, payload: 200, ..SessionLimits::default() };
    let (fake, now) = (Fake::default(), origin());
    let mut session = Session::new(SocketLevel::Admin, limits, now);
    session.handle_input(now, &[b'a'; 101], &fake);
    assert!(session.is_closed() && session.poll_output().starts_with(b"The command line is too big"));
    let mut session = Session::new(SocketLevel::Admin, limits, now);
    session.handle_input(now, b"show cert x <<\n", &fake);
    for _ in 0..3 {
        session.handle_input(now, &[&[b'a'; 90][..], b"\n"].concat(), &fake);
    }
    assert!(session.is_closed() && session.poll_output().starts_with(b"The payload is too big"));
}

fn tables() -> Vec<Arc<SharedTable>> {
    let mut spec = TableSpec::new("f", KeyType::Ip, 100);
    spec.expire = Some(Duration::from_secs(60));
    spec.add_store(Store::new(DataType::Gpc0));
    spec.add_store(Store::new(DataType::ConnCnt));
    spec.add_store(Store::rate(DataType::HttpReqRate, Duration::from_secs(10)));
    spec.add_store(Store::new(DataType::Gpt0));
    let mut arrays = TableSpec::new("gk", KeyType::Integer, 10);
    arrays.add_store(Store { count: 2, ..Store::new(DataType::Gpc) });
    arrays.add_store(Store { count: 1, ..Store::rate(DataType::GpcRate, Duration::from_secs(5)) });
    let mut text = TableSpec::new("sk", KeyType::String(20), 100);
    text.add_store(Store::new(DataType::ServerId));
    text.add_store(Store::new(DataType::ServerKey));
    let binary = TableSpec::new("bk", KeyType::Binary(8), 10);
    let v6 = TableSpec::new("s6", KeyType::Ipv6, 10);
    [spec, arrays, text, binary, v6].into_iter().map(|spec| SharedTable::new(spec, origin())).collect()
}

/// Commands on one engine after each other, with what HAProxy 3.4 answered; addresses in memory are cut off.
fn on_tables() -> impl Fn(&str) -> String {
    let fake = Fake { tables: tables(), ..Fake::default() };
    move |line: &str| {
        let mut session = session(SocketLevel::Operator);
        session.handle_input(origin(), format!("{line}\n").as_bytes(), &fake);
        let answer = String::from_utf8(session.poll_output()).expect("answers are text");
        let cut = |line: &str| {
            line.split_once(": key=").map_or_else(|| line.to_owned(), |(_, rest)| format!("key={rest}"))
        };
        answer.lines().map(cut).collect::<Vec<_>>().join("|")
    }
}

#[test]
fn tables_are_shown_and_changed() {
    let ask = on_tables();
    let operator =
        "Filter entry #1: Require and operator among \"eq\", \"ne\", \"le\", \"ge\", \"lt\", \"gt\"|";
    let one = "key=10.0.0.1 use=0 exp=60000 shard=0 gpt0=0 gpc0=5 conn_cnt=0 http_req_rate(10000)=0|";
    for (line, answer) in [
        ("set table f key 10.0.0.1 data.gpc0 5", ""),
        ("set table f key 10.0.0.2", ""),
        ("set table sk key a\\ b", ""),
        ("set table gk key 7 data.gpc[1] 3", ""),
        ("set table gk key 7 data.gpc 4", ""),
        ("set table gk key 7 data.gpc0 5", "Data type not stored in this table|"),
        ("set table gk key 7 data.gpc[2] 3", "index out of range in this data array|"),
        ("show table gk data.gpc[2] ge 0", "# table: gk, type: integer, size:10, used:1|"),
        ("show table gk data.gpc1 gt 0", "Filter entry #1: Data type not stored in this table|"),
        (
            "show table gk",
            "# table: gk, type: integer, size:10, used:1|key=7 use=0 exp=0 shard=0 gpc0=4 gpc1=3 gpc0_rate(5000)=0|",
        ),
        (
            "show table sk",
            "# table: sk, type: string, size:100, used:1|key=a\\ b use=0 exp=0 shard=0 server_id=0 server_key=-|",
        ),
        ("show table f data.gpc0 gt 3", &format!("# table: f, type: ip, size:100, used:2|{one}")),
        ("show table f key 10.0.0.1", &format!("# table: f, type: ip, size:100, used:2|{one}")),
        ("show table f data.gpc0 eq 5 data.conn_cnt gt 1", "# table: f, type: ip, size:100, used:2|"),
        ("show table f key 10.0.0.9", ""),
        ("show table f key", "Key value expected|"),
        ("show table f key bogus", "Invalid key|"),
        ("show table f data.gpc0 xx 5", operator),
        ("show table f data.gpc0", operator),
        ("show table f data.foo gt 1", "Filter entry #1: Unknown data type|"),
        ("show table f data.gpc0 gt x", "Filter entry #1: Require a valid integer value to compare against|"),
        ("show table gk data.conn_cnt gt 1", "Filter entry #1: Data type not stored in this table|"),
        ("show table nope", "No such table|"),
        ("set table f key", "Key value expected|"),
        ("set table f key 10.0.0.1 data.gpc0", "Require a valid integer value to store|"),
        ("set table f key 10.0.0.1 data.foo 1", "Unknown data type|"),
        ("set table nope key 1", "No such table|"),
        ("clear table f key 10.0.0.77", ""),
        ("clear table f data.gpc0 gt 3", ""),
        (
            "show table",
            "# table: f, type: ip, size:100, used:1|# table: gk, type: integer, size:10, used:1|# table: sk, type: string, size:100, used:1|# table: bk, type: binary, size:10, used:0|# table: s6, type: ipv6, size:10, used:0|",
        ),
        ("clear table f", ""),
        ("show table f", "# table: f, type: ip, size:100, used:0|"),
        ("clear table nope", "No such table|"),
    ] {
        assert_eq!(ask(line), answer, "{line}");
    }
    for (command, doing) in
        [("set", "Inserting keys into"), ("show", "Showing keys from"), ("clear", "Removing keys from")]
    {
        let refused = format!("{doing} tables of type other than");
        assert!(ask(&format!("{command} table bk key 0102ff")).starts_with(&refused), "{command}");
    }
    assert!(ask("set table f foo").starts_with("Required arguments: <table> key <key>"));
    assert!(ask("clear table").starts_with("Required arguments: <table> \"data."));
    assert!(ask("show table f foo").starts_with("Optional argument only supports"));
}

#[test]
fn addresses_of_either_family_are_keys_of_tables_of_addresses() {
    let ask = on_tables();
    for (line, answer) in [
        ("set table s6 key 10.1.2.3", ""),
        (
            "show table s6 key ::ffff:10.1.2.3",
            "# table: s6, type: ipv6, size:10, used:1|key=::ffff:10.1.2.3 use=0 exp=0 shard=0|",
        ),
        ("clear table s6 key 10.1.2.3", ""),
        ("show table s6", "# table: s6, type: ipv6, size:10, used:0|"),
        ("set table f key ::ffff:10.0.0.8", ""),
        (
            "show table f",
            "# table: f, type: ip, size:100, used:1|key=10.0.0.8 use=0 exp=60000 shard=0 gpt0=0 gpc0=0 conn_cnt=0 http_req_rate(10000)=0|",
        ),
        ("set table f key 2001:db8::1", "Invalid key|"),
        ("clear table f ptr 0x1", "No entry can be found matching ptr.|"),
    ] {
        assert_eq!(ask(line), answer, "{line}");
    }
}

#[test]
fn the_statistics_page_acts_through_the_same_engine() {
    let fake = Fake::default();
    let post = |body: &str| {
        let form = parse_post(body.as_bytes()).expect("a valid form");
        admin::apply(&form, &ControlAdmin(&fake)).code()
    };
    assert_eq!(post("s=s1&action=maint&b=%234"), "DONE");
    assert_eq!(post("s=s1&s=s9&action=shutdown&b=be1"), "PART");
    assert_eq!(post("s=s1&action=eagent&b=be1"), "DONE");
    assert_eq!(*fake.log.borrow(), ["s1 Maint", "s1 shutdown"]);
}

proptest! {
    #[test]
    fn any_bytes_are_survived(data in proptest::collection::vec(any::<u8>(), 0..400)) {
        lb_core::fuzzing::ctl_command(&data, origin());
        lb_core::fuzzing::stats_page(&data);
    }

    #[test]
    fn near_misses_are_survived(
        text in "((set server b/s|set weight b/s|show (stat|sess|table|errors)|wait|prompt|echo|get weight) ?[-0-9a-z%/ ]{0,8}( <<E?)?[;\\n]){0,8}"
    ) {
        lb_core::fuzzing::ctl_command(text.as_bytes(), origin());
    }

    #[test]
    fn forms_are_survived(text in "((s|b|action)=?[%#a-z0-9+]{0,6}&?){0,6}") {
        lb_core::fuzzing::stats_page(text.as_bytes());
    }
}
