//! From file names to specifications, with everything there is to say about the files.

use crate::args::RunArgs;
use crate::registry;
use crate::report;
use crate::world::{Includes, ProcessEnv, World};
use cfg_haproxy::{Facts, Host, Source, Tree};
use cfg_keepalived::command_line::Only;
use lb_core::diag::render::Format;
use lb_core::rt::ServerError;
use lb_core::spec::Spec;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files that cannot be used; what is wrong has been rendered.
#[derive(Debug)]
pub(crate) struct Rejected {
    /// What to print.
    pub text: String,
    /// The exit status.
    pub status: u8,
}

impl Rejected {
    /// Prints what is wrong; answers the exit status.
    pub(crate) fn told(self) -> u8 {
        report::error(&self.text);
        self.status
    }
}

/// An haproxy.cfg that can run; by default one that runs nothing.
#[derive(Default)]
pub(crate) struct Haproxy {
    /// What to run.
    pub spec: Spec,
    /// Warnings, rendered.
    pub text: String,
    /// They are not told at start (`quiet`).
    pub quiet: bool,
    /// The text that it comes from.
    pub tree: Arc<Tree>,
    origins: cfg_haproxy::Origins,
}

impl Haproxy {
    /// The words for an error of the engine, with the place in the file it concerns.
    pub(crate) fn explain(&self, error: &ServerError) -> String {
        error.explain(|origin| self.origins.place(&self.tree, origin))
    }

    /// Listeners on addresses that neither this machine has nor `cluster` brings up, rendered.
    pub(crate) fn unowned(&self, cluster: &vrrp::spec::Spec, format: Format) -> String {
        let mut owned = lb_core::process::local_addresses();
        owned.extend(cluster.addresses());
        let found = cfg_haproxy::unowned(&self.spec, &self.origins, |address| owned.contains(&address));
        cfg_haproxy::render(&self.tree, &found, report::style(format))
    }
}

/// Everything the balancer has to run: an haproxy.cfg, and the virtual servers of a keepalived.conf.
pub(crate) fn haproxy(args: &RunArgs, world: &World) -> Result<Haproxy, Rejected> {
    let files = if args.haproxy.is_empty() { Ok(Haproxy::default()) } else { haproxy_files(args, world) };
    let keepalived = args.keepalived.as_deref().map(|path| keepalived(path, args.format, world));
    // What is worth knowing about a keepalived.conf that can be used is told by the part that runs it.
    let services = match keepalived {
        Some(Ok(_)) if args.cluster.only == Some(Only::Vrrp) => Vec::new(),
        Some(Ok(loaded)) => loaded.services,
        Some(Err(rejected)) => {
            return Err(files.map_or_else(
                |first| Rejected { text: first.text + &rejected.text, ..first },
                |loaded| Rejected { text: loaded.text + &rejected.text, ..rejected },
            ));
        }
        None => Vec::new(),
    };
    let mut loaded = files?;
    loaded.spec.proxies.extend(services);
    args.balancer.overrule(&mut loaded.spec.process);
    Ok(loaded)
}

fn haproxy_files(args: &RunArgs, world: &World) -> Result<Haproxy, Rejected> {
    let (loaded, text) = understood(args, world).map_err(|text| Rejected { text, status: 1 })?;
    if let Some(status) = loaded.refusal(args.balancer.strict) {
        return Err(Rejected { text, status });
    }
    let cfg_haproxy::Loaded { spec, tree, origins, quiet, .. } = loaded;
    Ok(Haproxy { spec, text, quiet, tree: Arc::new(tree), origins })
}

/// What the haproxy.cfg files come to, and what there is to say about them, rendered.
pub(crate) fn understood(args: &RunArgs, world: &World) -> Result<(cfg_haproxy::Loaded, String), String> {
    let texts = texts(&args.haproxy, world)?;
    let sources: Vec<_> = texts.iter().map(|(name, text)| Source::new(name, text)).collect();
    let host = Host { files: world, names: world };
    let loaded = cfg_haproxy::load(&sources, &ProcessEnv, &Facts::default(), host, &registry::registry());
    let text = cfg_haproxy::render(&loaded.tree, &loaded.diagnostics, report::style(args.format));
    Ok((loaded, text))
}

/// Names and texts of files; directories stand for the `.cfg` files in them.
pub(crate) fn texts(paths: &[PathBuf], world: &World) -> Result<Vec<(String, String)>, String> {
    let mut texts = Vec::new();
    for path in paths {
        let inside = world.files.under(&path.to_string_lossy(), "cfg");
        for file in inside.map_err(|e| format!("cannot open directory {}: {e}\n", path.display()))? {
            let text = world.files.text(&file).map_err(|e| format!("cannot open file {file}: {e}\n"))?;
            texts.push((file, text));
        }
    }
    if texts.is_empty() { Err("no configuration file found\n".to_owned()) } else { Ok(texts) }
}

/// A keepalived.conf that can run.
pub(crate) struct Keepalived {
    /// What to run.
    pub spec: vrrp::spec::Spec,
    /// Virtual servers, for the balancer.
    pub services: Vec<lb_core::spec::ProxySpec>,
    pub watch: cfg_keepalived::Watch,
    /// What there is to say, rendered.
    pub text: String,
    /// The exit status of Keepalived's test of the same file.
    pub status: u8,
}

/// What is wrong between the keepalived.conf of this node and that of the other, rendered; true if nothing is.
pub(crate) fn compare(
    own: &Path,
    peer: &Path,
    format: Format,
    world: &World,
) -> Result<(String, bool), Rejected> {
    let (own, peer) = (read_keepalived(own, world)?, read_keepalived(peer, world)?);
    let diagnostics = cfg_keepalived::analysis::compare_peers(&own, &peer);
    let fits = diagnostics.iter().all(|d| d.severity == lb_core::diag::Severity::Notice);
    // What the two files mean together has no words of the original, so it is told in ours.
    let format = if format == Format::Auto { Format::Human } else { format };
    Ok((cfg_keepalived::render(&own.tree, &diagnostics, report::style(format)), fits))
}

fn read_keepalived(path: &Path, world: &World) -> Result<cfg_keepalived::Loaded, Rejected> {
    let name = path.to_string_lossy();
    let text = world.files.text(&name).map_err(|e| Rejected {
        text: format!("Unable to find configuration file {name} ({e})\n"),
        status: 4,
    })?;
    Ok(cfg_keepalived::load(&name, &text, &mut Includes(&world.files), world))
}

/// Moves to the network namespace that is named, and fills in the pid files that the original writes.
pub(crate) fn settle(args: &mut RunArgs, world: &World) -> Result<(), String> {
    let said = || Some(read_keepalived(args.keepalived.as_deref()?, world).ok()?.config.place());
    let asks = args.namespace.is_none() || args.cluster.pid_files;
    let mut place = asks.then(|| crate::sys::apart(said)).flatten().unwrap_or_default();
    place.namespace = args.namespace.take().or(place.namespace);
    if args.cluster.pid_files {
        // Where it cannot be made, the file cannot be written, which is told.
        let _ = place.pid_directory().map(std::fs::create_dir_all);
        args.pidfile.get_or_insert_with(|| place.pid_file("keepalived").into());
        args.cluster.vrrp_pid_file.get_or_insert_with(|| place.pid_file("vrrp"));
    }
    args.namespace = place.namespace;
    let Some(name) = &args.namespace else { return Ok(()) };
    let entered = lb_core::process::enter_network(name);
    entered.map_err(|e| format!("Unable to set network namespace {name} - exiting ({e})"))
}

/// Reads, checks and lowers a keepalived.conf.
pub(crate) fn keepalived(path: &Path, format: Format, world: &World) -> Result<Keepalived, Rejected> {
    let loaded = read_keepalived(path, world)?;
    let text = cfg_keepalived::render(&loaded.tree, &loaded.diagnostics, report::style(format));
    let status = loaded.test_exit_code();
    if loaded.diagnostics.has_errors() {
        return Err(Rejected { text, status: status.max(1) });
    }
    let spec = cfg_keepalived::lower(&loaded.config, world).spec;
    let services = cfg_keepalived::services(&loaded.config);
    let watch = cfg_keepalived::Watch::new(&loaded.config, world);
    Ok(Keepalived { spec, services, watch, text, status })
}
