//! The configuration as a [`vrrp::spec::Spec`], with every default of the dialect applied.
//!
//! What a default becomes is said where it is applied; the settings of instances come from the same resolution that the
//! checks report about.

mod bfd;
mod check;
mod global;
mod instance;
mod service;
mod timing;
mod track;

pub(crate) use check::{alpha, followed, helo_name, logs_all, query_type, regex, starts_down, tries};
pub use service::services;
pub(crate) use service::{MAX_RANGE, listeners, persistence_timeout, quorum, real_name, transport, weight};
pub(crate) use timing::{Timing, connect_timeout, delay_loop, inherited};

use crate::config::{Command, Config, Index, Notify, User};
use crate::env::Env;
use lb_core::diag::Span;
use std::sync::Arc;
use vrrp::spec;
use vrrp::spec::{Name, NotifyScripts, Origin, RunAs, Spec};

/// A specification, and where its parts were written.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Lowered {
    /// What is to run.
    pub spec: Spec,
    origins: Origins,
}

impl Lowered {
    /// The place an [`Origin`] of the specification stands for.
    pub fn span(&self, origin: Origin) -> Option<Span> {
        let index = origin.number().checked_sub(1)?;
        self.origins.spans.get(index as usize).copied()
    }
}

/// Turns a configuration into what the VRRP machine runs. Instances without a virtual router id, which
/// [`check`](crate::check) reports as errors, are left out.
pub fn lower(config: &Config, env: &dyn Env) -> Lowered {
    let mut origins = Origins::default();
    let mut spec = Spec::new();
    spec.global = global::lower(config, env, &mut origins);
    track::lower(config, &mut spec, &mut origins);
    bfd::lower(config, &mut spec, &mut origins);
    let index = Index::new(config);
    for instance in &config.instances {
        spec.instances.extend(instance::lower(instance, config, &index, &spec.global, &mut origins));
    }
    instance::name_vmacs(&mut spec.instances, &index);
    track::groups(config, &index, &mut spec, &mut origins);
    track::fixed(config, &mut spec, &mut origins);
    Lowered { spec, origins }
}

/// The places given out so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origins {
    spans: Vec<Span>,
}

impl Origins {
    fn at(&mut self, span: Span) -> Origin {
        self.spans.push(span);
        Origin::new(u32::try_from(self.spans.len()).unwrap_or(0))
    }

    pub(crate) fn command(&mut self, command: &Command, user: Option<&User>) -> spec::Command {
        let mut out = spec::Command::new(command.argv.clone());
        out.origin = self.at(command.line.span);
        out.line.clone_from(&command.line.value);
        out.run_as = command.user.as_ref().or(user).map(run_as);
        out.only_readable = command.only_readable();
        if out.only_readable {
            // `</path` and `< /path` name the file behind the sign.
            let path = command.argv.concat();
            out.argv = vec![path.trim_start_matches(['<', ' ', '\t']).to_owned()];
        }
        out
    }

    fn notify(&mut self, notify: &Notify) -> NotifyScripts {
        let mut take = |command: &Option<Command>| command.as_ref().map(|c| Arc::new(self.command(c, None)));
        let mut out = NotifyScripts::default();
        out.master = take(&notify.master);
        out.backup = take(&notify.backup);
        out.fault = take(&notify.fault);
        out.stop = take(&notify.stop);
        out.deleted = take(&notify.deleted);
        out.tell_deleted = notify.on_deleted;
        out.master_rx_lower_pri = take(&notify.master_rx_lower_pri);
        out.any = take(&notify.any);
        out
    }
}

fn run_as(user: &User) -> RunAs {
    let mut out = RunAs::new(&user.user.value);
    let group = user.group.as_ref().map(|g| g.value.trim_start_matches(':'));
    out.group = group.filter(|g| !g.is_empty()).map(str::to_owned);
    out
}

fn name(text: &str) -> Name {
    Name::new(text)
}
