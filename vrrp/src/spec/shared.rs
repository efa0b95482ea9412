//! Specifications in little memory: what a thousand instances have in common is stored once.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::{Command, Instance, Name, NotifyScripts, Spec};

/// A part of a specification that several instances may have in common. It reads as the part itself; writing to it makes a
/// copy for the one who writes.
#[derive(Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Shared<T>(Arc<T>);

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T: Clone + PartialEq> Shared<T> {
    /// Changes the part, and stays with what others have if that leaves it as it was.
    pub fn change(&mut self, change: impl FnOnce(&mut T)) {
        let mut changed = T::clone(self);
        change(&mut changed);
        if changed != **self {
            *self = changed.into();
        }
    }
}

impl<T> From<T> for Shared<T> {
    fn from(part: T) -> Self {
        Self(Arc::new(part))
    }
}

impl Spec {
    /// The same specification in memory of its own, which shares nothing with this one, as far as its instances go: names
    /// and parts that several of them have in common exist once. For who keeps a specification for long: beside the
    /// remains of the text it was made of, it would keep many pages in use with a few octets each.
    #[must_use]
    pub fn compact(&self) -> Self {
        let mut spec = self.clone();
        let mut names = Names::default();
        let mut done: Vec<Instance> = Vec::with_capacity(spec.instances.len());
        for mut instance in std::mem::take(&mut spec.instances) {
            names.replace_in(&mut instance);
            let last = done.last();
            instance.garp = common(last.map(|last| &last.garp), &instance.garp, Clone::clone);
            instance.track = common(last.map(|last| &last.track), &instance.track, Clone::clone);
            instance.notify = common(last.map(|last| &last.notify), &instance.notify, own_commands);
            done.push(instance);
        }
        spec.instances = done;
        for member in spec.groups.iter_mut().flat_map(|group| &mut group.members) {
            *member = names.own(member);
        }
        spec
    }
}

/// What the instance before has if that is the same, or a copy.
fn common<T: PartialEq>(before: Option<&Shared<T>>, part: &Shared<T>, copy: impl Fn(&T) -> T) -> Shared<T> {
    before.filter(|before| *before == part).cloned().unwrap_or_else(|| copy(part).into())
}

fn own_commands(scripts: &NotifyScripts) -> NotifyScripts {
    let mut own = scripts.clone();
    let own_copy = |command: &mut Option<Arc<Command>>| {
        *command = command.as_deref().cloned().map(Arc::new);
    };
    let NotifyScripts { master, backup, fault, stop, deleted, master_rx_lower_pri, any, .. } = &mut own;
    [master, backup, fault, stop, deleted, master_rx_lower_pri, any].into_iter().for_each(own_copy);
    own
}

/// Every name once.
#[derive(Default)]
struct Names(BTreeSet<Name>);

impl Names {
    fn own(&mut self, name: &Name) -> Name {
        if let Some(known) = self.0.get(name.as_str()) {
            return known.clone();
        }
        let name = Name::new(name);
        self.0.insert(name.clone());
        name
    }

    fn replace_in(&mut self, instance: &mut Instance) {
        instance.name = self.own(&instance.name);
        let Instance { interface, vrf, vmac, address_vmacs, addresses, excluded_addresses, .. } = instance;
        let on =
            addresses.iter_mut().chain(excluded_addresses).filter_map(|address| address.interface.as_mut());
        let vmac = vmac.iter_mut().map(|vmac| &mut vmac.name);
        let further = address_vmacs.iter_mut().flat_map(|own| [&mut own.vmac.name, &mut own.interface]);
        for name in on.chain(vmac).chain(further).chain(interface).chain(vrf) {
            *name = self.own(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Prefix, TrackRef, VirtualAddress};

    fn spec() -> Spec {
        let mut spec = Spec::new();
        for vrid in 1..=3 {
            let mut instance = Instance::new(format!("I{vrid}"), vrid, &spec.global);
            instance.interface = Some("eth0".into());
            instance.addresses.push(VirtualAddress::new(Prefix::host([10, 0, 0, vrid].into())));
            instance.track.scripts.push(TrackRef::new(if vrid < 3 { "check" } else { "other" }));
            instance.notify.any = Some(Arc::new(Command::new(["/bin/true"])));
            spec.instances.push(instance);
        }
        spec
    }

    #[test]
    fn a_compact_specification_says_the_same() {
        let spec = spec();
        assert_eq!(spec.compact(), spec);
    }

    #[test]
    fn what_neighbours_have_in_common_exists_once_and_is_not_that_of_the_original() {
        let (spec, compact) = (spec(), spec().compact());
        let [a, b, c] = &compact.instances[..] else { panic!("three instances") };
        assert!(Arc::ptr_eq(&a.track.0, &b.track.0) && !Arc::ptr_eq(&b.track.0, &c.track.0));
        assert!(Arc::ptr_eq(&a.garp.0, &c.garp.0) && Arc::ptr_eq(&a.notify.0, &c.notify.0));
        let text = |instance: &Instance| instance.interface.as_ref().map(|name| name.as_str().as_ptr());
        assert_eq!(text(a), text(c));
        assert_ne!(text(a), text(&spec.instances[0]));
    }

    #[test]
    fn a_write_changes_one_instance_only() {
        let mut compact = spec().compact();
        compact.instances[0].garp.repeat = 17;
        assert_ne!(compact.instances[1].garp.repeat, 17);
        compact.instances[0].track.change(|track| track.scripts.retain(|script| &*script.name == "check"));
        assert!(Arc::ptr_eq(&compact.instances[0].track.0, &compact.instances[1].track.0), "nothing changed");
        compact.instances[0].track.change(|track| track.scripts.clear());
        assert_eq!(
            (compact.instances[0].track.scripts.len(), compact.instances[1].track.scripts.len()),
            (0, 1)
        );
    }
}
