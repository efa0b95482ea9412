//! `stats` lines to [`StatsPage`].

use super::Lowerer;
use super::proxy::Making;
use crate::config::{Clause, Config, Stats};
use lb_core::rule::{Rule, RuleSet};
use lb_proto_http::auth::{Password, User, UserList};
use lb_proto_http::spec::{Action, Reply, StatsPage};
use std::sync::Arc;

/// Name of the list of accounts of one proxy; no `userlist` can be called so.
fn list_name(proxy: &str) -> String {
    format!("stats auth {proxy}")
}

/// The accounts of `stats auth` lines as user lists.
pub(super) fn account_lists(config: &Config<'_>) -> Vec<(String, UserList)> {
    let mut out = Vec::new();
    for proxy in &config.proxies {
        let Some(stats) = effective(config, proxy) else { continue };
        if stats.accounts.is_empty() {
            continue;
        }
        let mut list = UserList::default();
        list.users = stats
            .accounts
            .iter()
            .map(|account| {
                let (name, password) = account.split_once(':').unwrap_or((account, ""));
                User {
                    name: Arc::from(name),
                    password: Password::Plain(Arc::from(password)),
                    groups: Vec::new(),
                }
            })
            .collect();
        out.push((list_name(proxy.name), list));
    }
    out
}

fn effective<'c, 't>(config: &'c Config<'t>, proxy: &'c crate::config::Proxy<'t>) -> Option<&'c Stats<'t>> {
    std::iter::once(proxy)
        .chain(config.bases(proxy))
        .find_map(|p| p.settings.stats.as_ref().map(|s| &s.value))
}

impl<'t> Lowerer<'_, 't, '_, '_> {
    pub(super) fn stats_page(&mut self, making: &Making<'_, 't>) -> Option<StatsPage> {
        let stats = &making.settings.stats.as_ref()?.value;
        let mut page = StatsPage::new();
        if let Some(uri) = stats.uri {
            page.uri = Arc::from(uri.as_bytes());
        }
        if let Some(realm) = stats.realm {
            page.realm = Arc::from(realm);
        }
        page.users = (!stats.accounts.is_empty()).then(|| Arc::from(list_name(making.proxy.name)));
        page.refresh = stats.refresh;
        page.show_version = !stats.hide_version;
        page.show_legends = stats.legends;
        page.scope = stats.scopes.iter().map(|s| Arc::from(*s)).collect();
        page.node = stats.node.map(|n| {
            Arc::from(if n.is_empty() { self.config.global.node.map_or("", |w| w.text) } else { n })
        });
        page.description = stats.description.as_ref().map(|d| {
            let process = self.config.global.description.as_deref().unwrap_or("");
            Arc::from(if d.is_empty() { process } else { d.as_str() })
        });
        page.rules = self.stats_rules(making);
        for clause in &making.proxy.lists.stats_admin {
            if let Ok(Some(condition)) = self.clause_condition(clause, making, "stats admin") {
                page.admin.push(condition);
            }
        }
        Some(page)
    }

    fn stats_rules(&mut self, making: &Making<'_, 't>) -> RuleSet<Action> {
        let mut out = RuleSet::new();
        for clause in &making.proxy.lists.stats_rules {
            let condition = self.clause_condition(clause, making, "stats http-request");
            let action = self.stats_action(clause, making);
            if let (Ok(condition), Some(action)) = (condition, action) {
                out.push(Rule::new(action, condition));
            }
        }
        out
    }

    fn stats_action(&mut self, clause: &Clause<'t>, making: &Making<'_, 't>) -> Option<Action> {
        Some(match clause.words.first()?.text {
            "allow" => Action::Allow,
            "deny" => Action::Deny(Reply::error(403)),
            _ => {
                let realm =
                    clause.words.iter().position(|w| w.text == "realm").and_then(|i| clause.words.get(i + 1));
                let realm = realm.and_then(|w| {
                    self.header_template(*w, making.request_phases(), "stats http-request auth")
                });
                Action::Auth(realm)
            }
        })
    }
}
