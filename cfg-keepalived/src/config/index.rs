//! Names to what they name, so that large generated configurations stay cheap to check.

use super::{Bfd, Config, Instance, Script, SyncGroup, TrackFile, TrackProcess};
use lb_core::diag::Span;
use std::collections::HashMap;

/// An index over a configuration; of equal names the first counts.
pub(crate) struct Index<'a> {
    pub(crate) instances: HashMap<&'a str, &'a Instance>,
    pub(crate) scripts: HashMap<&'a str, &'a Script>,
    pub(crate) files: HashMap<&'a str, &'a TrackFile>,
    pub(crate) processes: HashMap<&'a str, &'a TrackProcess>,
    pub(crate) bfds: HashMap<&'a str, &'a Bfd>,
    /// The first group that names the instance.
    pub(crate) group_of: HashMap<&'a str, &'a SyncGroup>,
    /// The instance that first uses the name of a VMAC interface.
    vmacs: HashMap<&'a str, Span>,
}

impl<'a> Index<'a> {
    pub(crate) fn new(config: &'a Config) -> Self {
        let mut index = Self {
            instances: HashMap::new(),
            scripts: HashMap::new(),
            files: HashMap::new(),
            processes: HashMap::new(),
            bfds: HashMap::new(),
            group_of: HashMap::new(),
            vmacs: HashMap::new(),
        };
        for instance in &config.instances {
            index.instances.entry(&instance.name.value).or_insert(instance);
            if let Some(name) = instance.vmac.as_ref().and_then(|v| v.name.as_ref()) {
                index.vmacs.entry(&name.value).or_insert(instance.name.span);
            }
        }
        for script in &config.scripts {
            index.scripts.entry(&script.name.value).or_insert(script);
        }
        for file in &config.track_files {
            index.files.entry(&file.name.value).or_insert(file);
        }
        for process in &config.track_processes {
            index.processes.entry(&process.name.value).or_insert(process);
        }
        for session in &config.bfds {
            index.bfds.entry(&session.name.value).or_insert(session);
        }
        for group in &config.sync_groups {
            for member in &group.members {
                index.group_of.entry(&member.value).or_insert(group);
            }
        }
        index
    }

    /// The place of another, earlier instance whose VMAC has the name that this one asks for.
    pub(crate) fn vmac_taken(&self, instance: &Instance) -> Option<Span> {
        let name = instance.vmac.as_ref()?.name.as_ref()?;
        self.vmacs.get(name.value.as_str()).copied().filter(|first| *first != instance.name.span)
    }
}
