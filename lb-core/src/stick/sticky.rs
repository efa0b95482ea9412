//! Which server a key sticks to (`stick` rules, manual 4.2).
//!
//! Rules of the request look servers up and note the keys to be stored; rules of the response note more. What was noted
//! is stored once the server is known to answer.

use std::sync::Arc;
use std::time::Instant;

use super::shared::SharedTable;
use super::spec::{DataType, Key};
use crate::expr::Env;
use crate::spec::{ServerSpec, StickKind, StickRule};

/// Most keys one request is stored under.
const MOST: usize = 8;

/// What a table remembers of a key's server.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Remembered {
    /// Its name, or its address in tables that tell servers apart by it.
    pub key: Option<Arc<str>>,
    /// Whether `key` is an address.
    pub by_address: bool,
    /// Its number; 0 if none was stored.
    pub id: u32,
}

/// Keys under which the server of a request is to be stored.
#[derive(Debug, Default)]
pub struct Pending {
    entries: Vec<(Arc<SharedTable>, Key)>,
}

impl Pending {
    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Evaluates the rules of the request. `own` is the name of the proxy's own table; `find` says whether a remembered
    /// server can be used, until one can.
    pub fn on_request<S>(
        &mut self,
        rules: &[StickRule],
        own: &str,
        env: &Env<'_>,
        find: &mut dyn FnMut(&Remembered) -> Option<S>,
    ) -> Option<S> {
        let mut found = None;
        for rule in rules {
            let stores = matches!(rule.kind, StickKind::On | StickKind::StoreRequest);
            if rule.kind == StickKind::StoreResponse {
                continue;
            }
            let Some(table) = table(rule, own, env) else { continue };
            // Only the first rule that stores in a table does: the others are fall-backs.
            if stores && self.entries.iter().any(|(taken, _)| Arc::ptr_eq(taken, table)) {
                continue;
            }
            let Some(key) = key(rule, table, env) else { continue };
            if matches!(rule.kind, StickKind::On | StickKind::Match) {
                let server = recall(table, &key, env.facts.now().instant);
                found = found.or_else(|| server.as_ref().and_then(&mut *find));
            }
            if stores {
                self.note(table, key);
            }
        }
        found
    }

    /// Evaluates the rules of the response.
    pub fn on_response(&mut self, rules: &[StickRule], own: &str, env: &Env<'_>) {
        let before = self.entries.len();
        for rule in rules.iter().filter(|rule| rule.kind == StickKind::StoreResponse) {
            let Some(table) = table(rule, own, env) else { continue };
            if self.entries[before..].iter().any(|(taken, _)| Arc::ptr_eq(taken, table)) {
                continue;
            }
            if let Some(key) = key(rule, table, env) {
                self.note(table, key);
            }
        }
    }

    /// Stores the server under every key noted, and forgets them. Without a server they are only forgotten.
    pub fn store(&mut self, server: Option<&ServerSpec>, now: Instant) {
        let server = server.filter(|server| !server.non_stick);
        for (table, key) in self.entries.drain(..) {
            let Some(server) = server else { continue };
            let address = table.spec().server_by_address.then(|| server.addr.endpoint.to_string());
            let name = address.as_deref().unwrap_or(server.name.as_str());
            table.update(&key, now, |entries, id, now| entries.set_server(id, server.id, name, now));
        }
    }

    /// Forgets everything, keeping the memory.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    fn note(&mut self, table: &Arc<SharedTable>, key: Key) {
        if self.entries.len() < MOST {
            self.entries.push((Arc::clone(table), key));
        }
    }
}

fn table<'a>(rule: &StickRule, own: &str, env: &Env<'a>) -> Option<&'a Arc<SharedTable>> {
    env.facts.engine().table(rule.table.as_deref().unwrap_or(own))
}

fn key<'a>(rule: &'a StickRule, table: &SharedTable, env: &Env<'a>) -> Option<Key> {
    if !rule.condition.as_ref().is_none_or(|condition| condition.holds(env)) {
        return None;
    }
    table.key(&rule.key.eval(env)?)
}

/// What is remembered of a key; being asked for prolongs its life.
fn recall(table: &SharedTable, key: &Key, now: Instant) -> Option<Remembered> {
    let by_address = table.spec().server_by_address;
    let millis = table.millis(now);
    table.with(key, |entries| {
        let id = entries.find(key, millis)?;
        entries.touch(id, millis);
        let number = entries.get(id, DataType::ServerId, 0, millis).unwrap_or_default();
        Some(Remembered {
            key: entries.server(id),
            by_address,
            id: u32::try_from(number).unwrap_or_default(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::{Arena, EngineView, Facts, NoBuild, Now, Program, Registry, Vars, parse};
    use crate::spec::ServerAddr;
    use crate::stick::{KeyType, Store, TableSpec};
    use std::time::Duration;

    struct World {
        tables: Vec<Arc<SharedTable>>,
        now: Instant,
    }

    impl EngineView for World {
        fn table(&self, name: &str) -> Option<&Arc<SharedTable>> {
            self.tables.iter().find(|table| table.name() == name)
        }
    }

    impl Facts for World {
        fn now(&self) -> Now {
            Now { date: Duration::ZERO, instant: self.now }
        }
        fn engine(&self) -> &dyn EngineView {
            self
        }
    }

    fn world() -> World {
        let now = crate::expr::testing::instant();
        let table = |name| {
            let mut spec = TableSpec::new(name, KeyType::String(31), 10);
            spec.add_store(Store::new(DataType::ServerId));
            spec.add_store(Store::new(DataType::ServerKey));
            SharedTable::new(spec, now)
        };
        World { tables: vec![table("own"), table("other")], now }
    }

    fn rule(kind: StickKind, key: &str) -> StickRule {
        let program: Program = parse::parse(key, &Registry::builtin(), &mut NoBuild).unwrap();
        StickRule::new(kind, program)
    }

    fn server() -> ServerSpec {
        let addr = "192.0.2.7:80".parse::<std::net::SocketAddr>().unwrap();
        ServerSpec::new("s7", 7, ServerAddr::fixed(addr.into()))
    }

    #[test]
    fn a_key_leads_to_the_server_that_was_stored() {
        let world = world();
        let (arena, mut pending) = (Arena::new(), Pending::default());
        let env = Env::new(&world, Vars::NONE, &arena);
        let rules = [rule(StickKind::On, "str(a)"), rule(StickKind::On, "str(b)")];
        let mut find = |server: &Remembered| Some((server.id, server.key.clone()));
        assert_eq!(pending.on_request(&rules, "own", &env, &mut find), None);
        pending.store(Some(&server()), world.now);
        assert!(pending.is_empty());
        assert_eq!(world.tables[0].len(), 1, "the second rule of the same table is a fall-back");
        let found = pending.on_request(&rules, "own", &env, &mut find);
        assert_eq!(found, Some((7, Some("s7".into()))));
        pending.store(None, world.now);
        assert!(pending.is_empty());
    }

    #[test]
    fn the_response_stores_beside_the_request() {
        let world = world();
        let (arena, mut pending) = (Arena::new(), Pending::default());
        let env = Env::new(&world, Vars::NONE, &arena);
        let mut elsewhere = rule(StickKind::StoreRequest, "str(c)");
        elsewhere.table = Some("other".into());
        let rules = [
            elsewhere,
            rule(StickKind::StoreRequest, "str(a)"),
            rule(StickKind::StoreResponse, "str(b)"),
            rule(StickKind::StoreResponse, "str(d)"),
            rule(StickKind::Match, "str(a)"),
        ];
        let found = pending.on_request(&rules, "own", &env, &mut |_| Some(()));
        assert_eq!(found, None, "nothing is stored before the server is known");
        pending.on_response(&rules, "own", &env);
        pending.store(Some(&server()), world.now);
        assert_eq!((world.tables[0].len(), world.tables[1].len()), (2, 1));
        assert_eq!(pending.on_request(&rules, "own", &env, &mut |_| Some(())), Some(()));
    }
}
