//! Trackers: what is known about scripts, files, processes and external conditions, and what it means for an
//! instance.
//!
//! Nothing is counted up and down: [`Trackers::assess`] computes the verdict anew from all that is known, so no
//! sequence of events can leave a fault or a weight behind.

mod process;
mod script;

use std::fmt;
use std::time::Instant;

use crate::event::{ScriptResult, Track};
use crate::link::Links;
use crate::outbox::Outbox;
use crate::spec::{
    Bfd, External, Instance, InterfaceRef, Name, Spec, SyncGroup, TrackFile, TrackRef, Weight,
};
use crate::stats::{Contribution, TrackerSnapshot};
use crate::timer::earliest;

use process::Process;
pub(crate) use script::Remembered;
use script::Script;

/// The product of a number in a file and its weight at or below which the instance has a fault.
const FILE_FAULT: i64 = -254;

/// All named trackers.
#[derive(Debug, Default)]
pub(crate) struct Trackers {
    scripts: Vec<Script>,
    files: Vec<(TrackFile, Option<i32>)>,
    processes: Vec<Process>,
    externals: Vec<(External, Option<bool>)>,
    bfds: Vec<(Bfd, bool)>,
}

/// Why an instance cannot take part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    Interface(Name),
    Script(Name),
    File(Name, i64),
    Process(Name),
    External(Name),
    Bfd(Name),
    NoSource { ipv6: bool },
    SourceGone,
    NoPeer,
    Group(Name),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(name) => write!(f, "entering FAULT state (interface {name} down)"),
            Self::Script(name) => write!(f, "entering FAULT state due to script {name}"),
            Self::File(name, status) => {
                write!(f, "entering FAULT state (tracked file {name} has status {status})")
            }
            Self::Process(name) => {
                write!(f, "entering FAULT state (tracked process {name} quorum not achieved)")
            }
            Self::External(name) => write!(f, "entering FAULT state (tracked backend {name} down)"),
            Self::Bfd(name) => write!(f, "entering FAULT state (tracked BFD instance {name} down)"),
            Self::NoSource { ipv6 } => {
                let version = if *ipv6 { 6 } else { 4 };
                write!(f, "entering FAULT state (no IPv{version} address for interface)")
            }
            Self::SourceGone => f.write_str("entering FAULT state (source address missing)"),
            Self::NoPeer => f.write_str("entering FAULT state (no unicast peer)"),
            Self::Group(name) => write!(f, "entering FAULT state due to sync group {name}"),
        }
    }
}

/// What the trackers mean for one instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Assessment {
    /// Sum of the weights that apply.
    pub(crate) weight: i64,
    /// Everything that keeps the instance from taking part.
    pub(crate) faults: Vec<Fault>,
    /// A tracker that could mean a fault has not reported yet.
    pub(crate) pending: bool,
}

impl Assessment {
    /// Applies a tracker that is well, failed, or unknown.
    fn apply(&mut self, weight: Weight, up: Option<bool>, fault: impl FnOnce() -> Fault) {
        let Some(up) = up else {
            // A weighted tracker counts as neither until it reports.
            self.pending |= weight.value == 0;
            return;
        };
        if weight.value == 0 {
            if up == weight.reverse {
                self.faults.push(fault());
            }
        } else if (weight.value > 0) == up {
            let sign = if weight.reverse { -1 } else { 1 };
            self.weight += sign * i64::from(weight.value);
        }
    }

    fn apply_file(&mut self, weight: Weight, number: Option<i32>, name: &Name) {
        let Some(number) = number else {
            self.pending |= weight.value == 0;
            return;
        };
        if weight.value == 0 {
            if (number == 0) == weight.reverse {
                self.faults.push(Fault::File(name.clone(), i64::from(number)));
            }
            return;
        }
        let sign = if weight.reverse { -1 } else { 1 };
        let product = i64::from(number) * i64::from(weight.value) * sign;
        if product <= FILE_FAULT {
            self.faults.push(Fault::File(name.clone(), product));
        } else {
            self.weight += product.min(253);
        }
    }
}

impl Trackers {
    /// Takes over what a specification says. Scripts that are the same as before keep what is known of them, files
    /// and the like keep it by name.
    pub(crate) fn configure(&mut self, spec: &Spec) {
        let mut old = std::mem::take(self);
        for spec in &spec.scripts {
            let kept = old.scripts.iter().position(|script| script.is_same(spec));
            self.scripts.push(match kept {
                Some(at) => old.scripts.swap_remove(at).with_spec(spec.clone()),
                None => Script::new(spec.clone()),
            });
        }
        for spec in &spec.files {
            let known = old.files.iter().find(|(file, _)| file.path == spec.path && file.name == spec.name);
            self.files.push((spec.clone(), known.and_then(|(_, number)| *number)));
        }
        for spec in &spec.processes {
            let kept = old.processes.iter().position(|process| process.spec.name == spec.name);
            self.processes.push(match kept {
                Some(at) => old.processes.swap_remove(at).with_spec(spec.clone()),
                None => Process::new(spec.clone()),
            });
        }
        for spec in &spec.externals {
            let known = old.externals.iter().find(|(external, _)| external.name == spec.name);
            let assumed = spec.assume_up.then_some(true);
            self.externals.push((spec.clone(), known.and_then(|(_, up)| *up).or(assumed)));
        }
        for spec in &spec.bfds {
            // A session is down until it is up, as keepalived has it.
            let up = old.bfds.iter().any(|(bfd, up)| bfd.name == spec.name && *up);
            self.bfds.push((spec.clone(), up));
        }
    }

    /// Starts the scripts that have not been started.
    pub(crate) fn start(&mut self, now: Instant, out: &mut Outbox) {
        for script in &mut self.scripts {
            script.start(now, out);
        }
    }

    /// No further runs.
    pub(crate) fn stop(&mut self) {
        for script in &mut self.scripts {
            script.stop();
        }
    }

    /// Takes in a report. True if the verdict on some instance may have changed.
    pub(crate) fn report(&mut self, now: Instant, track: Track, out: &mut Outbox) -> bool {
        match track {
            Track::Script(name, result) => self.script_ended(&name, result, out),
            Track::File(name, number) => {
                let Some((_, known)) = self.files.iter_mut().find(|(file, _)| file.name == name) else {
                    return false;
                };
                // A file that is missing or unreadable counts as zero, as keepalived has it.
                known.replace(number.unwrap_or(0)) != Some(number.unwrap_or(0))
            }
            Track::Process(name, count) => {
                let process = self.processes.iter_mut().find(|process| process.spec.name == name);
                process.is_some_and(|process| process.report(now, count, out))
            }
            Track::External(name, up) => {
                let Some((_, known)) = self.externals.iter_mut().find(|(external, _)| external.name == name)
                else {
                    return false;
                };
                let changed = *known != Some(up);
                if changed {
                    out.info(format!("Tracked backend {name} is now {}", if up { "up" } else { "down" }));
                }
                *known = Some(up);
                changed
            }
            Track::Bfd(name, up) => {
                let Some((_, known)) = self.bfds.iter_mut().find(|(bfd, _)| bfd.name == name) else {
                    return false;
                };
                let changed = *known != up;
                if changed {
                    out.info(format!("Tracked BFD instance {name} is {}", if up { "UP" } else { "DOWN" }));
                }
                *known = up;
                changed
            }
        }
    }

    fn script_ended(&mut self, name: &Name, result: ScriptResult, out: &mut Outbox) -> bool {
        let script = self.scripts.iter_mut().find(|script| script.spec.name == *name);
        script.is_some_and(|script| script.ended(result, out))
    }

    /// True if the verdict on some instance may have changed.
    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) -> bool {
        for script in &mut self.scripts {
            script.handle_timeout(now, out);
        }
        let mut changed = false;
        for process in &mut self.processes {
            changed |= process.handle_timeout(now, out);
        }
        changed
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let scripts = self.scripts.iter().map(Script::poll_timeout);
        earliest(scripts.chain(self.processes.iter().map(Process::poll_timeout)))
    }

    /// What a successor of this process should know about the scripts.
    pub(crate) fn remember(&self) -> Vec<Remembered> {
        self.scripts.iter().filter_map(Script::remember).collect()
    }

    /// Takes over what a predecessor knew.
    pub(crate) fn recall(&mut self, memory: &[Remembered], sessions: &[Name]) {
        for script in &mut self.scripts {
            script.recall(memory);
        }
        for (bfd, up) in &mut self.bfds {
            *up |= sessions.contains(&bfd.name);
        }
    }

    /// The sessions a successor may take to be up.
    pub(crate) fn sessions_up(&self) -> Vec<Name> {
        self.bfds.iter().filter(|(_, up)| *up).map(|(bfd, _)| bfd.name.clone()).collect()
    }

    /// The verdict on an instance and the group it is in, if any.
    pub(crate) fn assess(&self, spec: &Instance, group: Option<&SyncGroup>, links: &Links) -> Assessment {
        let mut verdict = Assessment::default();
        self.visit(spec, group, links, &mut |tracked| tracked.apply(&mut verdict));
        verdict
    }

    /// What each tracker does to an instance, in the order of [`Trackers::assess`].
    pub(crate) fn contributions(
        &self,
        spec: &Instance,
        group: Option<&SyncGroup>,
        links: &Links,
    ) -> Vec<Contribution> {
        let mut list = Vec::new();
        self.visit(spec, group, links, &mut |tracked| list.push(tracked.contribution()));
        list
    }

    /// Shows everything that counts for an instance to `see`, with the weight it has there.
    fn visit(
        &self,
        spec: &Instance,
        group: Option<&SyncGroup>,
        links: &Links,
        see: &mut dyn FnMut(Tracked<'_>),
    ) {
        if let (Some(interface), false) = (&spec.interface, spec.ignore_own_interface) {
            see(Tracked::interface(interface, Weight::FAULT, links));
            // Separate ones are made on top of it, so that they come later.
            for (vmac, ..) in spec.vmacs().filter(|(vmac, ..)| links.has_fallen(&vmac.name)) {
                see(Tracked::interface(&vmac.name, Weight::FAULT, links));
            }
        }
        let rule = WeightRule {
            owner: spec.is_owner(),
            unweighted_group: group.is_some_and(|group| !group.tracking_weight),
        };
        self.visit_list(&spec.track, rule, (spec.interface.as_ref(), links), see);
        if let Some(group) = group {
            let rule = WeightRule { unweighted_group: false, ..rule };
            self.visit_list(&group.track, rule, (None, links), see);
        }
    }

    fn visit_list(
        &self,
        list: &crate::spec::TrackList,
        rule: WeightRule,
        (own, links): (Option<&Name>, &Links),
        see: &mut dyn FnMut(Tracked<'_>),
    ) {
        for InterfaceRef { interface, weight, .. } in &list.interfaces {
            // The own interface is a fault of its own already.
            let own_again = Some(interface) == own && weight.value == 0;
            if let (Some(weight), false) = (rule.interface(*weight), own_again) {
                see(Tracked::interface(interface, weight, links));
            }
        }
        let mut named = |kind, reference: &TrackRef, weight: Option<Weight>, says| {
            if let Some(weight) = weight {
                see(Tracked { kind, name: &reference.name, weight, says });
            }
        };
        for reference in &list.scripts {
            if let Some(script) = self.scripts.iter().find(|script| script.spec.name == reference.name) {
                let weight = rule.other(weight_of(reference, script.spec.weight));
                named(Kind::Script, reference, weight, Says::Up(script.up()));
            }
        }
        for reference in &list.files {
            if let Some((file, number)) = self.files.iter().find(|(file, _)| file.name == reference.name) {
                let weight = rule.file(weight_of(reference, file.weight));
                named(Kind::File, reference, weight, Says::Number(*number));
            }
        }
        for reference in &list.processes {
            if let Some(process) = self.processes.iter().find(|process| process.spec.name == reference.name) {
                let weight = rule.other(weight_of(reference, process.spec.weight));
                named(Kind::Process, reference, weight, Says::Up(process.up()));
            }
        }
        for reference in &list.externals {
            if let Some((external, up)) = self.externals.iter().find(|(spec, _)| spec.name == reference.name)
            {
                let weight = rule.other(weight_of(reference, external.weight));
                named(Kind::External, reference, weight, Says::Up(*up));
            }
        }
        for reference in &list.bfds {
            if let Some((bfd, up)) = self.bfds.iter().find(|(bfd, _)| bfd.name == reference.name) {
                let weight = rule.other(weight_of(reference, bfd.weight));
                named(Kind::Bfd, reference, weight, Says::Up(Some(*up)));
            }
        }
    }

    pub(crate) fn snapshot(&self) -> Vec<TrackerSnapshot> {
        let entry = |kind: &str, name: &Name, up, value| TrackerSnapshot {
            kind: kind.to_owned(),
            name: name.clone(),
            up,
            value,
        };
        let scripts = self.scripts.iter().map(|s| entry("script", &s.spec.name, s.up(), s.last_status()));
        let files = self.files.iter().map(|(f, n)| entry("file", &f.name, None, n.map(i64::from)));
        let processes =
            self.processes.iter().map(|p| entry("process", &p.spec.name, p.up(), p.count().map(i64::from)));
        let externals = self.externals.iter().map(|(e, up)| entry("backend", &e.name, *up, None));
        let bfds = self.bfds.iter().map(|(b, up)| entry("bfd", &b.name, Some(*up), None));
        scripts.chain(files).chain(processes).chain(externals).chain(bfds).collect()
    }
}

/// A tracker as it counts for one instance.
#[derive(Debug, Clone, Copy)]
struct Tracked<'a> {
    kind: Kind,
    name: &'a Name,
    weight: Weight,
    says: Says,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Interface,
    Script,
    File,
    Process,
    External,
    Bfd,
}

/// What is known of a tracker; None if nothing is yet.
#[derive(Debug, Clone, Copy)]
enum Says {
    Up(Option<bool>),
    Number(Option<i32>),
}

impl<'a> Tracked<'a> {
    fn interface(name: &'a Name, weight: Weight, links: &Links) -> Self {
        Self { kind: Kind::Interface, name, weight, says: Says::Up(Some(links.is_up(name))) }
    }

    fn apply(self, verdict: &mut Assessment) {
        let name = self.name;
        match self.says {
            Says::Number(number) => verdict.apply_file(self.weight, number, name),
            Says::Up(up) => verdict.apply(self.weight, up, || match self.kind {
                Kind::Interface => Fault::Interface(name.clone()),
                Kind::Script => Fault::Script(name.clone()),
                Kind::Process => Fault::Process(name.clone()),
                Kind::Bfd => Fault::Bfd(name.clone()),
                Kind::File | Kind::External => Fault::External(name.clone()),
            }),
        }
    }

    fn contribution(self) -> Contribution {
        let mut alone = Assessment::default();
        self.apply(&mut alone);
        let kind = match self.kind {
            Kind::Interface => "interface",
            Kind::Script => "script",
            Kind::File => "file",
            Kind::Process => "process",
            Kind::External => "backend",
            Kind::Bfd => "bfd",
        };
        Contribution {
            kind: kind.to_owned(),
            name: self.name.clone(),
            weight: self.weight.value,
            reverse: self.weight.reverse,
            up: match self.says {
                Says::Up(up) => up,
                Says::Number(_) => None,
            },
            adds: alone.weight,
            fault: !alone.faults.is_empty(),
        }
    }
}

/// What becomes of weights where they are not allowed.
#[derive(Debug, Clone, Copy)]
struct WeightRule {
    /// The owner of the addresses never changes its priority: weighted trackers are left out.
    owner: bool,
    /// Members of a group share their fate: a weighted interface becomes a fault, other weighted trackers are left
    /// out.
    unweighted_group: bool,
}

impl WeightRule {
    fn interface(self, weight: Weight) -> Option<Weight> {
        if self.unweighted_group && weight.value != 0 {
            return Some(Weight { value: 0, ..weight });
        }
        self.other(weight)
    }

    fn file(self, weight: Weight) -> Option<Weight> {
        // A weight of one is what a file has if nobody chose another.
        if (self.unweighted_group || self.owner) && weight.value == 1 {
            return Some(Weight { value: 0, ..weight });
        }
        self.other(weight)
    }

    fn other(self, weight: Weight) -> Option<Weight> {
        (weight.value == 0 || !(self.owner || self.unweighted_group)).then_some(weight)
    }
}

fn weight_of(reference: &TrackRef, own: Weight) -> Weight {
    reference.weight.unwrap_or(own)
}

#[cfg(test)]
mod tests;
