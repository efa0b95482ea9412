//! `balance sticky`: one server takes everything until it fails; a server that returns waits for its turn.

use super::bits::BitSet;
use super::farm::Group;
use super::{PickKey, ServerId};

pub(super) struct Sticky {
    usable: BitSet,
    current: Option<ServerId>,
}

impl Sticky {
    pub(super) fn new(servers: usize) -> Self {
        Self { usable: BitSet::new(servers), current: None }
    }
}

impl Group for Sticky {
    // The current server is kept even when an earlier backup server returns.
    const FIRST_BACKUP_ONLY: bool = false;

    fn join(&mut self, server: ServerId, _weight: u32) {
        self.usable.insert(server.0);
        self.current.get_or_insert(server);
    }

    fn leave(&mut self, server: ServerId) {
        self.usable.remove(server.0);
        if self.current == Some(server) {
            self.engage();
        }
    }

    fn reweigh(&mut self, _server: ServerId, _weight: u32) {}

    fn engage(&mut self) {
        self.current = self.usable.first().map(ServerId);
    }

    fn pick(&mut self, _key: &PickKey<'_>) -> Option<ServerId> {
        self.current
    }
}
