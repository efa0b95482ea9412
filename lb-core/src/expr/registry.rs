//! The collection of keywords a build understands.

use std::collections::HashMap;

use super::def::{AclDef, ConvDef, FetchDef};

/// Fetches, converters and ACL keywords by name.
///
/// Start from [`Registry::builtin`] and add the tables of the protocol crates in use; the
/// configuration is then parsed against exactly what the program contains.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    fetches: HashMap<&'static str, &'static FetchDef>,
    converters: HashMap<&'static str, &'static ConvDef>,
    acls: HashMap<&'static str, AclDef>,
}

impl Registry {
    /// A registry without any keyword.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Everything defined in this crate.
    pub fn builtin() -> Self {
        let mut registry = Self::empty();
        super::fetch::register(&mut registry);
        super::conv::register(&mut registry);
        registry
    }

    /// Adds fetches; a later definition of the same name wins.
    pub fn add_fetches(&mut self, defs: &'static [FetchDef]) {
        self.fetches.extend(defs.iter().map(|def| (def.name, def)));
    }

    /// Adds converters; a later definition of the same name wins.
    pub fn add_converters(&mut self, defs: &'static [ConvDef]) {
        self.converters.extend(defs.iter().map(|def| (def.name, def)));
    }

    /// Adds ACL keywords; a later definition of the same name wins.
    pub fn add_acls(&mut self, defs: &'static [AclDef]) {
        self.acls.extend(defs.iter().map(|def| (def.name, *def)));
    }

    /// The fetch of that name.
    pub fn fetch(&self, name: &str) -> Option<&'static FetchDef> {
        self.fetches.get(name).copied()
    }

    /// The converter of that name.
    pub fn converter(&self, name: &str) -> Option<&'static ConvDef> {
        self.converters.get(name).copied()
    }

    /// The ACL keyword of that name.
    pub fn acl(&self, name: &str) -> Option<AclDef> {
        self.acls.get(name).copied()
    }

    /// All fetches, in no particular order.
    pub fn fetches(&self) -> impl Iterator<Item = &'static FetchDef> + '_ {
        self.fetches.values().copied()
    }

    /// All converters, in no particular order.
    pub fn converters(&self) -> impl Iterator<Item = &'static ConvDef> + '_ {
        self.converters.values().copied()
    }

    /// All ACL keywords, in no particular order.
    pub fn acls(&self) -> impl Iterator<Item = AclDef> + '_ {
        self.acls.values().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_acl_keyword_of_this_crate_names_a_known_fetch() {
        let registry = Registry::builtin();
        for acl in registry.acls() {
            assert!(registry.fetch(acl.fetch).is_some(), "{} needs {}", acl.name, acl.fetch);
        }
    }

    #[test]
    fn mandatory_arguments_never_outnumber_declared_ones() {
        let registry = Registry::builtin();
        for def in registry.fetches() {
            assert!(def.required <= def.args.len(), "{}", def.name);
        }
        for def in registry.converters() {
            assert!(def.required <= def.args.len(), "{}", def.name);
        }
    }
}
