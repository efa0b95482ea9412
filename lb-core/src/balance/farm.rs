//! What all algorithms share: who is usable, with which weight, and when the backup servers serve.

use super::bits::BitSet;
use super::weight::{MAX, SCALE};
use super::{Balancer, Census, Member, PickKey, ServerEvent, ServerId};

/// One algorithm over one group of servers; [`Farm`] runs one for the active and one for the backup servers.
pub(super) trait Group: Send {
    /// Whether only the first usable backup server serves unless all are asked for.
    const FIRST_BACKUP_ONLY: bool = true;

    /// A server becomes usable. Before [`settle`](Self::settle) this describes the initial state.
    fn join(&mut self, server: ServerId, weight: u32);

    /// A server is no longer usable.
    fn leave(&mut self, server: ServerId);

    /// The weight of a usable server changes; neither weight is 0.
    fn reweigh(&mut self, server: ServerId, weight: u32);

    /// The number of requests on a server changes, usable or not.
    fn load(&mut self, _server: ServerId, _inflight: u32) {}

    /// Limits changed.
    fn limits(&mut self) {}

    /// A server's place on a ring changes.
    fn ring_key(&mut self, _server: ServerId, _key: u32) {}

    /// The initial state is complete.
    fn settle(&mut self) {}

    /// This group takes over from the other one.
    fn engage(&mut self) {}

    /// Chooses among the usable servers of the group.
    fn pick(&mut self, key: &PickKey<'_>) -> Option<ServerId>;
}

/// The two groups of servers of a pool under one algorithm.
pub(super) struct Farm<G> {
    active: G,
    backup: G,
    /// Effective weight of every server, 0 while it is not usable.
    weights: Vec<u32>,
    is_backup: Vec<bool>,
    usable_backups: BitSet,
    all_backups: bool,
    census: Census,
}

impl<G: Group> Farm<G> {
    pub(super) fn new(
        members: &[Member],
        scale: u32,
        all_backups: bool,
        mut group: impl FnMut() -> G,
    ) -> Self {
        let mut farm = Self {
            active: group(),
            backup: group(),
            weights: vec![0; members.len()],
            is_backup: members.iter().map(|member| member.backup).collect(),
            usable_backups: BitSet::new(members.len()),
            all_backups,
            census: Census::default(),
        };
        for (index, member) in members.iter().enumerate() {
            if member.usable {
                farm.set_weight(ServerId(index as u32), member.weight.saturating_mul(scale));
            }
        }
        farm.active.settle();
        farm.backup.settle();
        farm
    }

    fn group_of(&mut self, server: ServerId) -> &mut G {
        if self.is_backup[server.index()] { &mut self.backup } else { &mut self.active }
    }

    fn set_weight(&mut self, server: ServerId, weight: u32) {
        let weight = weight.min(MAX * SCALE);
        let old = std::mem::replace(&mut self.weights[server.index()], weight);
        if old == weight {
            return;
        }
        self.count(server, old, weight);
        match (old, weight) {
            (0, _) => self.group_of(server).join(server, weight),
            (_, 0) => self.group_of(server).leave(server),
            _ => self.group_of(server).reweigh(server, weight),
        }
    }

    fn count(&mut self, server: ServerId, old: u32, new: u32) {
        let had_active = self.census.active > 0;
        let Census { active, backup, active_weight, backup_weight, .. } = &mut self.census;
        let (number, total) = if self.is_backup[server.index()] {
            match new {
                0 => self.usable_backups.remove(server.0),
                _ => self.usable_backups.insert(server.0),
            }
            (backup, backup_weight)
        } else {
            (active, active_weight)
        };
        *total = *total + u64::from(new) - u64::from(old);
        *number = *number + u32::from(new > 0) - u32::from(old > 0);
        if had_active && self.census.active == 0 {
            self.backup.engage();
        }
    }
}

impl<G: Group> Balancer for Farm<G> {
    fn on(&mut self, event: ServerEvent) {
        match event {
            ServerEvent::Weight { server, weight } => self.set_weight(server, weight),
            ServerEvent::Load { server, inflight } => self.group_of(server).load(server, inflight),
            ServerEvent::RingKey { server, key } => self.group_of(server).ring_key(server, key),
            ServerEvent::Limits => {
                self.active.limits();
                self.backup.limits();
            }
        }
    }

    fn pick(&mut self, key: PickKey<'_>) -> Option<ServerId> {
        if self.census.active > 0 {
            return self.active.pick(&key);
        }
        if G::FIRST_BACKUP_ONLY && !self.all_backups {
            return self.usable_backups.first().map(ServerId);
        }
        if self.census.backup > 0 { self.backup.pick(&key) } else { None }
    }

    fn census(&self) -> Census {
        Census { first_backup: self.usable_backups.first().map(ServerId), ..self.census }
    }
}
