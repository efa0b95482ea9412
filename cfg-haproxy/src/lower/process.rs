//! `global` to [`ProcessSpec`].

use super::Lowerer;
use crate::codes;
use crate::config::Bind;
use crate::tree::Word;
use lb_core::diag::Diagnostic;
use lb_core::expr::{Phases, VarName};
use lb_core::log::Style;
use lb_core::spec::{AccessLevel, CtlSocket, ProcessSpec, Syslog, Tune, VariableValue};
use lb_proto_http::auth::{Password, User, UserList, UserLists};
use lb_proto_http::crypt;
use std::sync::Arc;
use std::time::Duration;

impl<'t> Lowerer<'_, 't, '_, '_> {
    pub(super) fn process(&mut self) -> ProcessSpec {
        let global = &self.config.global;
        let text = |word: Option<Word<'t>>| word.map(|w| Arc::<str>::from(w.text));
        let mut process = ProcessSpec::default();
        process.user = text(global.user);
        process.group = text(global.group);
        process.uid = global.uid;
        process.gid = global.gid;
        process.chroot = text(global.chroot);
        process.pidfile = text(global.pidfile);
        process.daemon = global.daemon;
        process.master_worker = global.master_worker;
        process.maxconn = global.maxconn.filter(|n| *n > 0);
        process.maxconnrate = self.value("maxconnrate").unwrap_or(0) as u32;
        process.ulimit_n = self.value("ulimit-n").map(|n| n as u32);
        process.threads = global.threads.map(|n| n as usize);
        process.node = text(global.node);
        process.description = global.description.as_deref().map(Arc::from);
        process.ctl_maxconn = global.stats_maxconn;
        process.ctl_timeout = global.stats_timeout;
        process.hard_stop_after = global.hard_stop_after;
        process.spread_checks = self.value("spread-checks").unwrap_or(0) as u32;
        process.server_state_file =
            global.state_file.map(|f| Arc::from(crate::check::join(global.state_base, f.text)));
        process.localpeer = text(global.localpeer);
        process.syslog = self.syslog();
        process.tune = self.tune();
        process.http_codes = global.http_codes;
        process.log = global.log.iter().map(|line| super::logs::target(self, line)).collect();
        process.variables = self.process_variables();
        process.ctl = global.sockets.iter().flat_map(|b| self.control_sockets(b)).collect();
        process.environment = self
            .tree
            .environment()
            .iter()
            .map(|(name, value)| (Arc::from(name), value.map(Arc::from)))
            .collect();
        process
    }

    /// `set-var` and `set-var-fmt` of the global section.
    fn process_variables(&mut self) -> Vec<(VarName, VariableValue)> {
        let config = self.config;
        let mut out = Vec::new();
        for (format, words) in &config.global.variables {
            let name = match VarName::parse(words[0].text) {
                Ok(name) => name,
                Err(message) => {
                    self.error(codes::EXPRESSION, words[0].span, message.replace('\'', "`"), message);
                    continue;
                }
            };
            let value = if *format {
                self.template(words[1], Style::Plain, Phases::CONFIG, "set-var-fmt")
                    .map(VariableValue::Format)
            } else {
                self.program(&words[1..], "set-var").map(VariableValue::Expression)
            };
            out.extend(value.map(|value| (name, value)));
        }
        out
    }

    /// A number of the global section.
    pub(super) fn value(&self, name: &str) -> Option<u64> {
        self.config.global.values.get(name).map(|v| v.value)
    }

    fn syslog(&self) -> Syslog {
        let mut syslog = Syslog::default();
        syslog.tag = self.config.global.log_tag.map(|w| Arc::from(w.text));
        // Without a name the system's own is sent, which the driver fills in.
        syslog.hostname = self.config.global.send_hostname.map(|name| Arc::from(name.map_or("", |w| w.text)));
        syslog
    }

    fn tune(&self) -> Tune {
        let mut tune = Tune::default();
        let size = |name: &str, default: usize| self.value(name).map_or(default, |n| n as usize);
        tune.bufsize = size("tune.bufsize", tune.bufsize);
        tune.maxrewrite = size("tune.maxrewrite", tune.maxrewrite);
        tune.http_maxhdr = size("tune.http.maxhdr", tune.http_maxhdr);
        tune.http_logurilen = size("tune.http.logurilen", tune.http_logurilen);
        tune.ssl_cachesize = size("tune.ssl.cachesize", tune.ssl_cachesize);
        tune.stick_counters = size("tune.stick-counters", tune.stick_counters);
        if let Some(millis) = self.value("tune.ssl.lifetime") {
            tune.ssl_lifetime = Duration::from_millis(millis);
        }
        tune.maxaccept = self.value("tune.maxaccept").map(|n| n as u32);
        tune.rcvbuf_client = self.value("tune.rcvbuf.client").map(|n| n as u32);
        tune.rcvbuf_server = self.value("tune.rcvbuf.server").map(|n| n as u32);
        tune.sndbuf_client = self.value("tune.sndbuf.client").map(|n| n as u32);
        tune.sndbuf_server = self.value("tune.sndbuf.server").map(|n| n as u32);
        tune
    }

    fn control_sockets(&mut self, bind: &Bind<'t>) -> Vec<CtlSocket> {
        let level = bind.options.level.unwrap_or(AccessLevel::Operator);
        let expose = bind.options.expose_fd;
        self.listeners(bind, &[], false)
            .into_iter()
            .map(|listener| {
                let mut socket = CtlSocket::new(listener);
                socket.level = level;
                socket.expose_fd = expose;
                socket
            })
            .collect()
    }

    /// All `userlist` sections.
    pub(super) fn user_lists(&mut self) -> UserLists {
        let mut lists = UserLists::new();
        for section in &self.config.userlists {
            let mut list = UserList::default();
            for user in &section.users {
                let Some((password, hashed)) = user.password else { continue };
                if hashed && !crypt::supported(password) {
                    self.unknown_hash(user.name);
                }
                let password: Arc<str> = Arc::from(password);
                let mut groups: Vec<Arc<str>> = user.groups.iter().map(|g| Arc::from(*g)).collect();
                let named = section.groups.iter().filter(|(_, users)| users.contains(&user.name.text));
                groups.extend(named.map(|(group, _)| Arc::from(group.text)));
                let password = if hashed { Password::Crypt(password) } else { Password::Plain(password) };
                list.users.push(User { name: Arc::from(user.name.text), password, groups });
            }
            lists.insert(section.name.text, list);
        }
        // Accounts of `stats auth` are lists of their own, named after their proxy.
        for (name, list) in super::stats::account_lists(self.config) {
            lists.insert(name, list);
        }
        lists
    }

    fn unknown_hash(&mut self, user: Word<'_>) {
        let name = user.text;
        let message = format!(
            "`{name}` can never log in: the password is no hash of SHA-256 (`$5$`) or SHA-512 (`$6$`)"
        );
        let compat = format!("user '{name}': the password hash is of an unknown method.");
        self.out.push(
            Diagnostic::warning(codes::WORD, user.span, message)
                .compat(compat)
                .note("`openssl passwd -6` or `mkpasswd -m sha-512` makes a hash that is understood"),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::load::tests::load_text;

    #[test]
    fn a_hash_that_nobody_can_log_in_with_is_told() {
        let text = "userlist u\n user good password $6$s$x\n user old password $1$s$x\n user y password $y$j9T$s$x\n \
                    user plain insecure-password $1$\n";
        let loaded = load_text(text);
        let told: Vec<_> = loaded.diagnostics.iter().filter(|d| d.message.contains("never log in")).collect();
        let names: Vec<_> = told.iter().map(|d| d.message.split('`').nth(1).unwrap_or_default()).collect();
        assert_eq!(names, ["old", "y"]);
        assert!(told.iter().all(|d| d.span.is_some() && !d.notes.is_empty()));
    }
}
