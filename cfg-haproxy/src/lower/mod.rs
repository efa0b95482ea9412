//! Typed configuration to [`Spec`]: defaults are applied, rules and expressions compiled, names of files completed.
//!
//! What each default of the dialect becomes is said where it is applied: timeouts and limits in `proxy`, checks in
//! `server` and `probe`, TLS in `tls`, HTTP in `http`. Every object of the specification carries an [`Origin`] that
//! [`Origins`] turns back into a place.

mod action;
mod advice;
mod bandwidth;
mod counter;
mod expr;
mod fields;
mod http;
mod listener;
mod logs;
mod probe;
mod process;
mod profile;
mod proxy;
mod reply;
mod resolvers;
mod ring;
mod script;
mod server;
mod spop;
mod stats;
mod tls;

use crate::config::Config;
use crate::env::Env;
use crate::host::Host;
use crate::tree::Tree;
use lb_core::diag::{Code, Diagnostic, Diagnostics, Span};
use lb_core::dns::Resolvers;
use lb_core::expr::Registry;
use lb_core::rule::Place;
use lb_core::spec::{LogProfile, Origin, RingSpec, Spec};
use std::collections::HashMap;
use std::sync::Arc;

/// A specification, and what there is to say about it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Lowered {
    /// What should run.
    pub spec: Spec,
    /// Turns origins back into places.
    pub origins: Origins,
    /// Problems found on the way.
    pub diagnostics: Diagnostics,
}

/// The places that origins stand for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {
    spans: Vec<Span>,
}

impl Origins {
    /// Where the object with `origin` was written.
    pub fn span(&self, origin: Origin) -> Option<Span> {
        self.spans.get(origin.0 as usize).copied()
    }

    /// The same as `FILE:LINE` of the text it comes from.
    pub fn place(&self, tree: &Tree, origin: Origin) -> Option<String> {
        let (file, at) = tree.sources().locate(self.span(origin)?)?;
        Some(format!("{file}:{}", at.line))
    }

    fn add(&mut self, span: Span) -> Origin {
        self.spans.push(span);
        Origin(self.spans.len() as u32 - 1)
    }
}

/// Makes the specification that `config` describes; `registry` holds the fetches and converters of this program.
pub fn lower<'t>(
    config: &Config<'t>,
    tree: &'t Tree,
    registry: &Registry,
    host: Host<'_>,
    env: &dyn Env,
) -> Lowered {
    let base = crate::base::default_path(tree);
    let files = crate::base::Based { files: host.files, base: base.as_deref() };
    let host = Host { files: &files, ..host };
    let mut lowerer = Lowerer {
        base: base.as_deref(),
        config,
        tree,
        registry,
        context: expr::Context::new(tree, config, registry, host, env),
        origins: Origins::default(),
        out: Diagnostics::new(),
        texts: HashMap::new(),
        error_files: HashMap::new(),
        users: Arc::default(),
        resolvers: HashMap::new(),
        profiles: HashMap::new(),
        own_rings: Vec::new(),
    };
    let mut spec = lowerer.spec();
    for proxy in &mut spec.proxies {
        for server in &mut proxy.pool.servers {
            server.pinned = lowerer.context.is_pinned(proxy.name.as_str(), server.name.as_str());
        }
    }
    spec.process.unnumbered = !lowerer.context.reads_number();
    spec.lists = lowerer.context.into_lists();
    Lowered { spec, origins: lowerer.origins, diagnostics: lowerer.out }
}

struct Lowerer<'c, 't, 'r, 'h> {
    config: &'c Config<'t>,
    tree: &'t Tree,
    registry: &'r Registry,
    context: expr::Context<'h>,
    /// Where relative file names start.
    base: Option<&'h str>,
    origins: Origins,
    out: Diagnostics,
    /// Texts that occur again and again (file names, cookies), kept once.
    texts: HashMap<&'t str, Arc<str>>,
    /// Contents of error files by name.
    error_files: HashMap<&'t str, Arc<[u8]>>,
    users: Arc<lb_proto_http::auth::UserLists>,
    /// `resolvers` sections that rules ask, by name.
    resolvers: HashMap<&'t str, Arc<Resolvers>>,
    /// Log profiles by name.
    profiles: HashMap<&'t str, Arc<LogProfile>>,
    /// Rings that no section describes.
    own_rings: Vec<RingSpec>,
}

impl<'t> Lowerer<'_, 't, '_, '_> {
    fn spec(&mut self) -> Spec {
        let mut spec = Spec::new();
        self.users = Arc::new(self.user_lists());
        self.log_profiles();
        spec.process = self.process();
        spec.proxies = self.proxies();
        let last = spec.proxies.iter().map(|proxy| proxy.id).max().unwrap_or(1);
        spec.proxies.extend(self.log_forwards(last + 1));
        spec.rings = self.rings();
        let peers = self.config.peers.iter();
        spec.tables = peers
            .flat_map(|p| {
                p.tables
                    .iter()
                    .map(move |(name, t)| proxy::table(&format!("{}/{}", p.name.text, name.text), t))
            })
            .collect();
        proxy::store_servers(&mut spec);
        spec
    }

    /// `text` as a shared string; equal texts share one.
    fn shared(&mut self, text: &'t str) -> Arc<str> {
        Arc::clone(self.texts.entry(text).or_insert_with(|| Arc::from(text)))
    }

    /// The place of a rule.
    fn place(&mut self, span: Span) -> Option<Arc<Place>> {
        let tree = self.tree;
        let (file, position) = tree.sources().locate(span)?;
        Some(Arc::new(Place { file: self.shared(file), line: position.line }))
    }

    fn origin(&mut self, span: Span) -> Origin {
        self.origins.add(span)
    }

    fn error(&mut self, code: Code, span: Span, message: impl Into<String>, compat: impl Into<String>) {
        self.out.push(Diagnostic::error(code, span, message).compat(compat));
    }

    fn warning(&mut self, code: Code, span: Span, message: impl Into<String>, compat: impl Into<String>) {
        self.out.push(Diagnostic::warning(code, span, message).compat(compat));
    }
}
