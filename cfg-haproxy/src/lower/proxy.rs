//! Frontends, backends and listens to [`ProxySpec`]s.
//!
//! Defaults: numbers are given from 2 on in the order of the file, servers are taken at random (two draws), a failed
//! connection is retried three times, HTTP is not assumed (`mode tcp`).

use super::Lowerer;
use super::action::tcp_phases;
use super::bandwidth::Shapers;
use super::expr::Acls;
use crate::codes;
use crate::config::{Balance, Clause, Config, Proxy, ProxyMode, Rule, Settings, StickTable};
use crate::keyword::{Sides, TC, TQ, TR, TS};
use crate::section::SectionKind;
use lb_core::balance::{Affinity, Algorithm};
use lb_core::diag::Spanned;
use lb_core::expr::Phases;
use lb_core::log::Style;
use lb_core::name::ProxyName;
use lb_core::rule::{self, RuleSet};
use lb_core::spec::{
    Capability, Mode, PoolSpec, ProxySpec, Retry, Route, RouteTarget, Spec, StickKind, StickRule, TcpProxy,
    TcpRules, Timeouts,
};
use lb_core::stick::{DataType, KeyType, Store, TableSpec};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// One proxy on its way to its specification.
pub(super) struct Making<'a, 't> {
    pub(super) proxy: &'a Proxy<'t>,
    pub(super) settings: &'a Settings<'t>,
    pub(super) mode: ProxyMode,
    pub(super) acls: &'a Acls<'t>,
    pub(super) shapers: &'a Shapers<'t>,
}

impl<'t> Making<'_, 't> {
    /// Whether the option `name` is on.
    pub(super) fn on(&self, name: &str) -> bool {
        self.settings.switches.get(name).is_some_and(|s| s.value == Some(true))
    }

    /// Where rules of the request are evaluated.
    pub(super) fn request_phases(&self) -> Phases {
        let front = Phases::FE_REQUEST_HEADERS;
        let back = Phases::BE_REQUEST_HEADERS;
        match (self.proxy.has_frontend(), self.proxy.has_backend()) {
            (true, true) => front.or(back),
            (true, false) => front,
            _ => back,
        }
    }

    /// Where rules of the response are evaluated.
    pub(super) fn response_phases(&self) -> Phases {
        let front = Phases::FE_RESPONSE_HEADERS;
        let back = Phases::BE_RESPONSE_HEADERS;
        match (self.proxy.has_frontend(), self.proxy.has_backend()) {
            (true, true) => front.or(back),
            (true, false) => front,
            _ => back,
        }
    }
}

impl<'t> Lowerer<'_, 't, '_, '_> {
    pub(super) fn proxies(&mut self) -> Vec<ProxySpec> {
        let config = self.config;
        let mut taken: HashSet<u32> = config.proxies.iter().filter_map(|p| p.id.map(|i| i.value)).collect();
        let mut next = 2;
        let mut out = Vec::with_capacity(config.proxies.len());
        for proxy in &config.proxies {
            let id = proxy.id.map_or_else(
                || {
                    while taken.contains(&next) {
                        next += 1;
                    }
                    taken.insert(next);
                    next
                },
                |id| id.value,
            );
            out.push(self.one_proxy(proxy, id));
        }
        out
    }

    fn one_proxy(&mut self, proxy: &Proxy<'t>, id: u32) -> ProxySpec {
        let capability = match proxy.kind {
            SectionKind::Frontend => Capability::Frontend,
            SectionKind::Backend => Capability::Backend,
            _ => Capability::Listen,
        };
        let settings = self.config.effective(proxy);
        let mode = settings.mode.map_or(ProxyMode::Tcp, |m| m.value);
        self.context.set_proxy(proxy.name);
        let acls = self.acls(proxy);
        let shapers = self.shapers(proxy);
        let making = Making { proxy, settings: &settings, mode, acls: &acls, shapers: &shapers };
        let mut spec = ProxySpec::new(proxy.name, id, capability);
        spec.mode = match mode {
            ProxyMode::Http => Mode::Http,
            ProxyMode::Log => Mode::Log,
            ProxyMode::Tcp | ProxyMode::Smtp => Mode::Tcp,
        };
        spec.disabled = settings.disabled.is_some_and(|d| d.value);
        spec.description = proxy.description.as_deref().map(Arc::from);
        spec.guid = proxy.guid.map(|guid| self.shared(guid.text));
        spec.listeners = self.proxy_listeners(&making);
        spec.maxconn = settings.maxconn.map(|n| n.value).filter(|n| *n > 0);
        spec.backlog = settings.backlog.map(|n| n.value).filter(|n| *n > 0);
        spec.rate_limit = settings.rate_limit.map_or(0, |n| n.value);
        spec.default_backend =
            settings.default_backend.filter(|_| proxy.has_frontend()).map(|b| ProxyName::new(b.value));
        spec.timeouts = timeouts(&settings);
        spec.log = self.proxy_log(proxy, &settings);
        spec.log.format = self.log_template(&settings, mode).map(Arc::new);
        spec.log.error_format = settings
            .error_log_format
            .as_ref()
            .and_then(|f| self.log_text(f.value, "error-log-format"))
            .map(Arc::new);
        spec.log.structured_format = settings
            .log_format_sd
            .as_ref()
            .and_then(|f| self.log_text(f.value, "log-format-sd"))
            .map(Arc::new);
        spec.client_keepalive = making.on("clitcpka");
        spec.server_keepalive = making.on("srvtcpka");
        spec.nolinger = making.on("nolinger");
        spec.origin = self.origin(proxy.span);
        spec.routes = self.routes(&making);
        for clause in &making.proxy.lists.force_switch {
            if let Ok(Some(condition)) = self.clause_condition(clause, &making, "force-be-switch") {
                spec.force_switch.push(condition);
            }
        }
        spec.tcp_rules = self.tcp_rules(&making);
        spec.pool = self.pool(&making);
        spec.stick = self.stick_rules(&making);
        spec.table = proxy.table.as_ref().map(|t| table(proxy.name, t));
        spec.protocol = match mode {
            ProxyMode::Http => Arc::new(self.http(&making)),
            _ => Arc::new(self.tcp(&making)),
        };
        spec
    }

    fn routes(&mut self, making: &Making<'_, 't>) -> Vec<Route> {
        let mut out = Vec::new();
        for clause in &making.proxy.lists.use_backends {
            let Some(word) = clause.words.first().copied() else { continue };
            let Ok(condition) =
                self.condition(clause.cond.as_ref(), making, Phases::SET_BACKEND, "use_backend")
            else {
                continue;
            };
            let target = if word.text.contains('%') {
                let Some(template) = self.template(word, Style::Plain, Phases::SET_BACKEND, "use_backend")
                else {
                    continue;
                };
                RouteTarget::Dynamic(Arc::new(template))
            } else {
                RouteTarget::Backend(ProxyName::new(word.text))
            };
            let mut route = Route::new(condition, target);
            route.origin = self.origin(clause.span);
            out.push(route);
        }
        out
    }

    fn tcp_rules(&mut self, making: &Making<'_, 't>) -> TcpRules {
        let mut rules = TcpRules::default();
        rules.connection = self.tcp_set(making, TC);
        rules.session = self.tcp_set(making, TS);
        rules.request = self.tcp_set(making, TQ);
        rules.response = self.tcp_set(making, TR);
        rules.inspect_delay = making.settings.inspect_delay.map(|d| d.value);
        rules.response_inspect_delay = making.settings.response_inspect_delay.map(|d| d.value);
        rules
    }

    fn tcp_set(&mut self, making: &Making<'_, 't>, set: Sides) -> RuleSet<rule::tcp::TcpAction> {
        let (mut out, phases) = (RuleSet::new(), tcp_phases(making, set));
        for line in Self::rule_lines(self.config, making.proxy, set) {
            let owner = format!("{} {}", set_name(set), line.action.name);
            let Ok(condition) = self.condition(line.cond.as_ref(), making, phases, &owner) else {
                continue;
            };
            if let Some(action) = self.tcp_action(making, line, set) {
                out.push(rule::Rule::new(action, condition).at(self.place(line.words[0].span)));
            }
        }
        out
    }

    /// The rules of `set` that the proxy inherits and has, in the order of their evaluation.
    pub(super) fn rule_lines<'c>(
        config: &'c Config<'t>,
        proxy: &'c Proxy<'t>,
        set: Sides,
    ) -> Vec<&'c Rule<'t>> {
        let mut chain: Vec<&Proxy<'t>> = config.bases(proxy).collect();
        chain.reverse();
        chain.push(proxy);
        chain.into_iter().flat_map(|p| &p.lists.rules).filter(|r| r.set == set).collect()
    }

    /// `stick` lines.
    fn stick_rules(&mut self, making: &Making<'_, 't>) -> Vec<StickRule> {
        let mut out = Vec::new();
        for (verb, clause) in &making.proxy.lists.stick {
            let owner = format!("stick {verb}");
            let (kind, phases) = match *verb {
                "match" => (StickKind::Match, Phases::SET_SERVER),
                "on" => (StickKind::On, Phases::SET_SERVER),
                "store-request" => (StickKind::StoreRequest, Phases::SET_SERVER),
                _ => (StickKind::StoreResponse, Phases::STORE_RULES),
            };
            let condition = self.condition(clause.cond.as_ref(), making, phases, &owner);
            let Some((key, used)) = self.program_prefix(&clause.words, &owner) else { continue };
            let Some(table) = self.stick_table_name(making, clause, used, &owner) else { continue };
            let Ok(condition) = condition else { continue };
            if !self.is_readable(&key, &clause.words, phases, &owner) {
                continue;
            }
            let mut rule = StickRule::new(kind, key);
            rule.table = table;
            rule.condition = condition;
            rule.origin = self.origin(clause.span);
            out.push(rule);
        }
        out
    }

    /// The table of a `stick` line whose expression ends at the word `used`: `Some(None)` is the proxy's own.
    fn stick_table_name(
        &mut self,
        making: &Making<'_, 't>,
        clause: &Clause<'t>,
        used: usize,
        owner: &str,
    ) -> Option<Option<Arc<str>>> {
        let name = making.proxy.name;
        match clause.words.get(used..).unwrap_or_default() {
            [] if making.proxy.table.is_some() => Some(None),
            [keyword, table] if keyword.text == "table" => self.table(*table, owner).map(Some),
            [] => {
                self.error(
                    codes::UNKNOWN_NAME,
                    clause.span,
                    "this proxy has no stick table; name one with `table`",
                    format!("Proxy '{name}': unable to find stick-table '{name}'."),
                );
                None
            }
            [word, ..] => {
                let text = word.text;
                self.error(
                    codes::RULE,
                    word.span,
                    format!("`{text}` is not an argument of `{owner}`"),
                    format!("'stick': unknown keyword '{text}'."),
                );
                None
            }
        }
    }

    /// What is not HTTP. Rules that only HTTP evaluates are checked all the same.
    fn tcp(&mut self, making: &Making<'_, 't>) -> TcpProxy {
        let mut http = self.http(making);
        let mut tcp = TcpProxy::default();
        // A frontend that goes on with HTTP chooses no servers itself.
        tcp.servers = std::mem::take(&mut http.servers);
        tcp.hash_key = http.hash_key.take();
        tcp.captures = http.captures.request.len();
        tcp.persist_rdp = making.settings.persist_rdp.map(|name| Arc::from(name.value));
        tcp.upgrade = self.config.goes_to_http(making.proxy).then(|| Arc::new(http) as _);
        tcp
    }

    pub(super) fn clause_condition(
        &mut self,
        clause: &Clause<'t>,
        making: &Making<'_, 't>,
        owner: &str,
    ) -> Result<Option<rule::cond::Condition>, ()> {
        self.condition(clause.cond.as_ref(), making, Phases::ALL, owner)
    }

    fn pool(&mut self, making: &Making<'_, 't>) -> PoolSpec {
        let settings = making.settings;
        let servers = if making.proxy.has_backend() { self.servers(making) } else { Vec::new() };
        let old = making.proxy.has_backend() && self.config.older_than((3, 3));
        let mut pool = PoolSpec::new(algorithm(settings.balance.as_ref(), making.mode, old), servers);
        pool.hash = settings.hash_type.map(|h| h.value).unwrap_or_default();
        self.check_transports(making);
        if making.mode == ProxyMode::Log {
            self.check_log_pool(making, &pool);
        }
        pool.hash_balance_factor = settings.hash_balance_factor.map_or(0, |n| n.value);
        pool.affinity = match settings.hash_affinity.as_ref().map(|a| a.value) {
            Some("maxconn") => Affinity::MaxConn,
            Some("maxqueue") => Affinity::MaxQueue,
            _ => Affinity::Always,
        };
        pool.all_backups = making.on("allbackups");
        pool.retry = Retry::default();
        pool.retry.retries = settings.retries.map_or(3, |n| n.value);
        if making.mode != ProxyMode::Http
            && settings.retry_on.as_ref().is_some_and(|on| !super::http::reconnects(&on.value))
        {
            // Nothing but a connection is ever tried again.
            pool.retry.retries = 0;
        }
        pool.retry.redispatch = settings.redispatch.map_or(0, |n| n.value);
        pool.fullconn = settings.fullconn.map(|n| n.value);
        pool.persist = making.on("persist");
        pool.log_health_checks = making.on("log-health-checks");
        pool.spread_checks = self.value("spread-checks").unwrap_or(0) as u32;
        pool
    }

    /// What has been configured and cannot be carried out yet.
    pub(super) fn not_carried_out(&mut self, span: lb_core::diag::Span, what: &str) {
        self.warning(
            codes::NO_EFFECT,
            span,
            format!("`{what}` is understood but not carried out by this version"),
            format!("'{what}' is not carried out by this version."),
        );
    }
}

/// Names of rule sets.
pub(super) fn set_name(set: Sides) -> &'static str {
    crate::keyword::doc::RULE_SETS.iter().find(|(bit, _)| *bit == set).map_or("", |(_, name)| name)
}

/// Tables that `stick` rules use store servers, whether that was said or not.
pub(super) fn store_servers(spec: &mut Spec) {
    let used: HashSet<String> = spec
        .proxies
        .iter()
        .flat_map(|proxy| proxy.stick.iter().map(|rule| rule.table.as_deref().unwrap_or(proxy.name.as_str())))
        .map(str::to_owned)
        .collect();
    let own = spec.proxies.iter_mut().filter_map(|proxy| proxy.table.as_mut());
    for table in own.chain(&mut spec.tables) {
        if used.contains(&*table.name) {
            table.add_store(Store::new(DataType::ServerId));
            table.add_store(Store::new(DataType::ServerKey));
        }
    }
}

/// A stick table called `name`.
pub(super) fn table(name: &str, line: &StickTable<'_>) -> TableSpec {
    let key = match line.kind {
        "ipv6" => KeyType::Ipv6,
        "integer" => KeyType::Integer,
        "string" => KeyType::String(line.length.map_or(KeyType::DEFAULT_STRING, |n| n as usize)),
        "binary" => KeyType::Binary(line.length.map_or(KeyType::DEFAULT_BINARY, |n| n as usize)),
        _ => KeyType::Ip,
    };
    let mut table = TableSpec::new(name, key, line.size as usize);
    table.expire = line.expire;
    table.nopurge = line.nopurge;
    table.peers = line.peers.map(|p| Arc::from(p.text));
    table.write_to = line.write_to.map(|target| Arc::from(target.text));
    table.recv_only = line.recv_only;
    table.bytes_factor = line.bytes_factor;
    table.server_by_address = line.srvkey_addr;
    for item in &line.store {
        let Some(data) = DataType::by_name(item.name) else { continue };
        let mut store = Store::rate(data, item.period.unwrap_or_default());
        store.count = item.count.map_or(1, |n| n as u8);
        table.add_store(store);
    }
    table
}

/// `old`: with the defaults of a version before 3.3.
fn algorithm(balance: Option<&Spanned<Balance<'_>>>, mode: ProxyMode, old: bool) -> Algorithm {
    // What needs another mode falls back, which has been said.
    if balance.and_then(|balance| balance.value.mode()).is_some_and(|needed| needed != mode) {
        return Algorithm::RoundRobin;
    }
    match balance.map(|b| b.value.algorithm.clone()) {
        Some(algorithm) => algorithm,
        None if old => Algorithm::RoundRobin,
        None => Algorithm::DEFAULT,
    }
}

fn timeouts(settings: &Settings<'_>) -> Timeouts {
    let get = |name: &str| -> Option<Duration> {
        settings.timeouts.get(name).map(|t| t.value).filter(|t| !t.is_zero())
    };
    let mut t = Timeouts::default();
    t.client = get("client");
    t.client_fin = get("client-fin");
    t.client_hs = get("client-hs");
    t.connect = get("connect");
    t.server = get("server");
    t.server_fin = get("server-fin");
    t.queue = get("queue");
    t.http_request = get("http-request");
    t.http_keep_alive = get("http-keep-alive");
    t.tunnel = get("tunnel");
    t.tarpit = get("tarpit");
    t.check = get("check");
    t
}
