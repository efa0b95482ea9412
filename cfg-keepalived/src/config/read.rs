//! Walking the tree: what is common to all blocks, and the outermost level.

use super::command::lacks_account;
use super::{
    Bfd, Config, GarpGroup, Global, Instance, LinkDelay, Script, Setting, Ssl, SyncGroup, TrackFile,
    TrackGroup,
};
use super::{TrackProcess, User, VirtualServer, VirtualServerGroup};
use crate::codes;
use crate::env::Env;
use crate::keyword::{BlockId, Body, Keyword, Status};
use crate::tree::Statement;
use crate::value::{self, Values};
use lb_core::diag::{Code, Diagnostic, Diagnostics, Span, Spanned};
use std::collections::{BTreeMap, BTreeSet};

/// Where policy rules without a preference begin; each further one stands in front of the last.
const FIRST_RULE: u32 = 16_384;

/// The state of reading a tree.
pub(crate) struct Reading<'a> {
    pub(crate) env: &'a dyn Env,
    pub(crate) out: Diagnostics,
    pub(crate) without_effect: Vec<Setting>,
    /// Keywords whose status was told; once each is enough.
    told: BTreeSet<(&'static str, &'static str)>,
    /// Names of blocks that may be declared once.
    names: BTreeMap<(&'static str, String), Span>,
    /// The place of the next policy rule that names none, for each family.
    rule_places: [u32; 2],
    default_user: DefaultUser,
    /// Interfaces may be absent.
    dynamic_interfaces: bool,
}

/// Who runs scripts that name nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DefaultUser {
    /// Somebody who may exist.
    Usable,
    /// Nobody: the customary user does not exist, and without him scripts are not secure; this is still to be told.
    Untold,
    /// Nobody, which was told.
    Missing,
}

/// The user of scripts for which none is named.
const CUSTOMARY: &str = "keepalived_script";

impl DefaultUser {
    /// As all of `root` has it, wherever it stands there.
    fn of(root: &[Statement], env: &dyn Env) -> Self {
        let lines = || global_lines(root);
        let lacks = |user: &str, group: Option<&str>| lacks_account(env, user, group);
        let mut named = lines().filter(|line| line.name() == "script_user").filter_map(|line| {
            let group = line.args().get(1).map(|group| group.text.trim_start_matches(':'));
            Some((line.args().first()?.text.as_str(), group.filter(|group| !group.is_empty())))
        });
        match named.next_back() {
            Some((user, group)) if lacks(user, group) => Self::Missing,
            Some(_) => Self::Usable,
            None if lines().any(|line| line.name() == "enable_script_security") && lacks(CUSTOMARY, None) => {
                Self::Untold
            }
            None => Self::Usable,
        }
    }
}

/// The lines of `global_defs`, wherever it stands.
fn global_lines(root: &[Statement]) -> impl DoubleEndedIterator<Item = &Statement> {
    let global = root.iter().filter(|statement| statement.name() == "global_defs");
    global.flat_map(|statement| statement.statements())
}

impl<'a> Reading<'a> {
    pub(crate) fn new(env: &'a dyn Env) -> Self {
        Self {
            env,
            out: Diagnostics::new(),
            without_effect: Vec::new(),
            told: BTreeSet::new(),
            names: BTreeMap::new(),
            rule_places: [FIRST_RULE; 2],
            default_user: DefaultUser::Usable,
            dynamic_interfaces: false,
        }
    }

    /// Whether the host is known not to have an interface that it should have.
    pub(crate) fn lacks_interface(&self, name: &str) -> bool {
        !self.dynamic_interfaces && self.env.interface_exists(name) == Some(false)
    }

    /// Whether a script at `span` has nobody to run it: neither whom it names, nor, if that is nobody, the default user.
    pub(crate) fn lacks_user(&mut self, user: Option<&User>, span: Span) -> bool {
        if let Some(user) = user {
            return user.is_missing(self.env);
        }
        if self.default_user == DefaultUser::Untold {
            let message = format!("there is no user `{CUSTOMARY}`, and `script_user` names none");
            let compat = format!("Unable to set default user {CUSTOMARY} for script");
            self.warn(codes::BAD_SCRIPT, span, message, compat);
            self.default_user = DefaultUser::Missing;
        }
        self.default_user == DefaultUser::Missing
    }

    /// The place of a policy rule that names none.
    pub(crate) fn next_rule_place(&mut self, ipv6: bool) -> u32 {
        let next = &mut self.rule_places[usize::from(ipv6)];
        *next = next.saturating_sub(1);
        *next + 1
    }

    /// The statements of a block with their values read, without those that are ignored: second ones where the first
    /// wins, ones that lack a value, ones without effect.
    pub(crate) fn each<'s>(
        &mut self,
        statements: &'s [Statement],
        owner: &str,
    ) -> Vec<(&'s Statement, Values)> {
        let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
        let mut all = Vec::new();
        for statement in statements {
            let first = seen.get(statement.name()).copied();
            let ignored = first.is_some_and(|first| self.again(statement, first, owner));
            if first.is_none() {
                seen.insert(statement.name(), statement.head_span());
            }
            if ignored && !statement.args().is_empty() {
                continue;
            }
            // A line without its value is wrong, also where it would not count.
            let Some(values) = value::read(statement, owner, &mut self.out) else { continue };
            if !ignored && self.status(statement, owner) {
                all.push((statement, values));
            }
        }
        all
    }

    /// Reports a keyword that stands twice in a block; true if the second is to be ignored.
    fn again(&mut self, statement: &Statement, first: Span, owner: &str) -> bool {
        let keyword = statement.keyword;
        let repeatable = keyword.body != Body::None
            || keyword.args.is_empty()
            || keyword.args.iter().any(|a| a.many)
            || matches!(
                keyword.name,
                "name" | "process" | "digest" | "state" | "instance" | "key" | "version"
            );
        if keyword.first_wins {
            let value = statement.args().first().map_or("", |w| w.as_str());
            let name = keyword.name;
            let message = format!("`{name}` is already set; this one is ignored");
            let compat = format!("({owner}) {name} script already specified - ignoring {value}");
            self.warn(codes::DUPLICATE, statement.head_span(), message, compat).label(first, "set here");
            return true;
        }
        if !repeatable {
            let message = format!("`{}` is set twice; this one counts", keyword.name);
            let diagnostic = Diagnostic::warning(codes::DUPLICATE, statement.head_span(), message);
            self.out.push(diagnostic.label(first, "replaces this"));
        }
        false
    }

    /// Tells what becomes of the keyword here, once; false if it is to be left out.
    fn status(&mut self, statement: &Statement, owner: &str) -> bool {
        let keyword = statement.keyword;
        let span = statement.keyword_span();
        let idle = matches!(keyword.status, Status::NoEffect(_));
        if let Some(new) = keyword.replaced_by.filter(|_| !idle) {
            let diagnostic = deprecated(keyword, new, span, owner);
            self.out.push(diagnostic);
        }
        let first = self.told.insert((keyword.name, keyword.doc));
        let name = keyword.name;
        match keyword.status {
            Status::Full => true,
            Status::Partial(note) => {
                if first {
                    let message = format!("`{name}` is taken with a difference");
                    self.out.push(Diagnostic::notice(codes::PARTIAL, span, message).note(note));
                }
                true
            }
            Status::NoEffect(why) => {
                let told = keyword.replaced_by.is_some() && !keyword.complaint.is_empty();
                if first || told {
                    let message = format!("`{name}` has no effect here");
                    let mut diagnostic = Diagnostic::warning(codes::NO_EFFECT, span, message).note(why);
                    if told {
                        diagnostic = diagnostic.compat(value::complaint(keyword, owner, ""));
                    }
                    self.out.push(diagnostic);
                }
                self.without_effect.push(Setting {
                    keyword,
                    words: statement.args().iter().map(|w| w.text.clone()).collect(),
                    span: statement.span,
                });
                // Blocks are still read, so that what they hold is checked and names in them are known.
                keyword.body != Body::None || keyword.read
            }
            Status::Refused(why) => {
                let message = format!("`{name}` is not supported");
                self.out.push(Diagnostic::error(codes::NO_EFFECT, span, message).note(why));
                false
            }
        }
    }

    /// A warning that the original also gives, in its own words.
    pub(crate) fn warn(
        &mut self,
        code: Code,
        span: Span,
        message: impl Into<String>,
        compat: impl Into<String>,
    ) -> Pending<'_> {
        Pending {
            out: &mut self.out,
            diagnostic: Some(Diagnostic::warning(code, span, message).compat(compat)),
        }
    }

    /// Advice that the original also gives: what is written works, though perhaps not as meant.
    pub(crate) fn hint(
        &mut self,
        code: Code,
        span: Span,
        message: impl Into<String>,
        compat: impl Into<String>,
    ) -> Pending<'_> {
        Pending {
            out: &mut self.out,
            diagnostic: Some(Diagnostic::notice(code, span, message).compat(compat)),
        }
    }

    /// A warning of our own.
    pub(crate) fn advise(&mut self, code: Code, span: Span, message: impl Into<String>) -> Pending<'_> {
        Pending { out: &mut self.out, diagnostic: Some(Diagnostic::warning(code, span, message)) }
    }
}

/// A diagnostic that is added when this is dropped, so that notes can be appended to the call.
pub(crate) struct Pending<'a> {
    out: &'a mut Diagnostics,
    diagnostic: Option<Diagnostic>,
}

impl Pending<'_> {
    fn with(mut self, f: impl FnOnce(Diagnostic) -> Diagnostic) -> Self {
        self.diagnostic = self.diagnostic.take().map(f);
        self
    }

    pub(crate) fn note(self, text: impl Into<String>) -> Self {
        self.with(|d| d.note(text))
    }

    pub(crate) fn label(self, span: Span, text: impl Into<String>) -> Self {
        self.with(|d| d.label(span, text))
    }

    pub(crate) fn suggest(self, span: Span, replacement: impl Into<String>, text: impl Into<String>) -> Self {
        self.with(|d| d.suggest(span, replacement, text))
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.out.extend(self.diagnostic.take());
    }
}

fn deprecated(keyword: &Keyword, new: &str, span: Span, owner: &str) -> Diagnostic {
    let message = format!("`{}` is deprecated", keyword.name);
    let diagnostic = Diagnostic::notice(codes::DEPRECATED, span, message).note(format!("use `{new}`"));
    if keyword.complaint.is_empty() {
        return diagnostic;
    }
    diagnostic.compat(value::complaint(keyword, owner, ""))
}

impl Config {
    pub(super) fn read(&mut self, root: &[Statement], cx: &mut Reading<'_>) {
        cx.default_user = DefaultUser::of(root, cx.env);
        cx.dynamic_interfaces = global_lines(root).any(|line| line.name() == "dynamic_interfaces");
        for (statement, values) in cx.each(root, "") {
            self.top(statement, &values, cx);
        }
    }

    fn top(&mut self, statement: &Statement, values: &Values, cx: &mut Reading<'_>) {
        match statement.name() {
            "global_defs" => Global::read(&mut self.global, statement, cx),
            "vrrp_instance" => {
                if let Some(name) = fresh("vrrp instance", values.word(), cx) {
                    let instance = Instance::read(name, statement, self, cx);
                    self.instances.push(instance);
                }
            }
            "vrrp_script" => self.scripts.extend(Script::read(values.word(), statement, cx)),
            "vrrp_sync_group" => {
                if let Some(name) = fresh("vrrp sync group", values.word(), cx) {
                    let group = SyncGroup::read(name, statement, self, cx);
                    self.sync_groups.extend(group);
                }
            }
            "track_file" | "vrrp_track_file" => {
                self.track_files.extend(TrackFile::read(values.word(), statement, cx))
            }
            "vrrp_track_process" => {
                self.track_processes.extend(TrackProcess::read(values.word(), statement, cx))
            }
            "track_group" => self.track_groups.extend(TrackGroup::read(values.word(), statement, cx)),
            "garp_group" => self.garp_groups.extend(GarpGroup::read(statement, cx)),
            "static_ipaddress" | "static_routes" | "static_rules" => self.fixed.read(statement, cx),
            "interface_up_down_delays" => LinkDelay::read(statement, &mut self.link_delays, cx),
            "bfd_instance" => {
                let session = Bfd::read(values.word(), statement, &self.bfds, cx);
                self.bfds.extend(session);
            }
            "virtual_server_group" => {
                self.virtual_server_groups.extend(VirtualServerGroup::read(values.word(), statement, cx));
            }
            "virtual_server" => {
                let server = VirtualServer::read(statement, values, self, cx);
                self.virtual_servers.extend(server);
            }
            "SSL" => self.ssl = Some(Ssl::read(statement, cx)),
            "instance" => self.global.instance = values.word().or_else(|| self.global.instance.take()),
            "use_pid_dir" => self.global.use_pid_dir = true,
            "net_namespace" => self.take_namespace(values.word(), cx),
            "child_wait_time" => self.global.child_wait_time = values.seconds(),
            _ => debug_assert!(
                !matches!(statement.keyword.status, Status::Full)
                    || BlockId::Root.find(statement.name()).is_none(),
                "`{}` is read by nobody",
                statement.name()
            ),
        }
    }
}

impl Config {
    fn take_namespace(&mut self, name: Option<Spanned<String>>, cx: &mut Reading<'_>) {
        let Some(name) = name else { return };
        if let Some(first) = &self.global.net_namespace {
            let first = first.span;
            let compat = format!("Duplicate net_namespace definition {} - ignoring", name.value);
            cx.warn(codes::DUPLICATE, name.span, "the network namespace is already named", compat)
                .label(first, "this one counts");
            return;
        }
        self.global.net_namespace = Some(name);
    }
}

/// The name of a block, unless it is taken; the second block is skipped.
fn fresh(what: &'static str, name: Option<Spanned<String>>, cx: &mut Reading<'_>) -> Option<Spanned<String>> {
    let name = name?;
    let key = (what, name.value.clone());
    let Some(&first) = cx.names.get(&key) else {
        cx.names.insert(key, name.span);
        return Some(name);
    };
    let message = format!("the {what} `{}` is already defined; this one is ignored", name.value);
    cx.warn(codes::DUPLICATE, name.span, message, format!("{what} {} already defined", name.value))
        .label(first, "defined here");
    None
}
