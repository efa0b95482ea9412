//! The statistics page and the metrics as answers.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use lb_core::companion::{AGAIN, PATIENCE};
use lb_core::ctl::{Control, ControlAdmin};
use lb_core::engine::ProxyPlan;
use lb_core::expr::Env;
use lb_core::rt::LiveControl;
use lb_core::stats::admin::{self, Outcome};
use lb_core::stats::page::{Format, PageOptions, PageRequest};
use lb_core::stats::render::{self, html::Page, prometheus::Selection};
use lb_core::stats::snapshot::ProxySnapshot;

use super::request::{body_is_buffered, buffer_body, configured_error};
use super::txn::Live;
use super::{body as bodies, front_of};
use crate::answer::{self, Made};
use crate::auth::Credentials;
use crate::head::Method;
use crate::rule::Session;
use crate::spec::{HttpProxy, StatsPage};

/// How long a posted form may take when the proxy sets no limit.
const FORM: Duration = Duration::from_secs(10);

/// The statistics page of a proxy: the page itself or one of its other forms, or the outcome of a posted form.
pub(super) async fn page(live: &mut Live<'_>, plan: &Arc<ProxyPlan>, body: &mut Vec<u8>) -> Made {
    live.txn.applet = Some("<STATS>");
    let http = front_of(&*plan.spec.protocol);
    let control = live.client.session.generation().control();
    let (Some((http, stats)), Some(control)) =
        (http.and_then(|http| Some((http, http.stats.as_ref()?))), control)
    else {
        return answer::error_page(&mut live.txn.layer.response, 503, body);
    };
    if !knows_password(live, http, stats) {
        return ask_password(live, stats, body);
    }
    let options = options(stats);
    let target = live.txn.layer.request.target();
    let rest = target.get(stats.uri.len()..).unwrap_or_default();
    let request = PageRequest::parse(&String::from_utf8_lossy(rest));
    let admin = may_change(live, stats);
    if live.txn.layer.request.method == Method::Post {
        let outcome = posted(live, plan, admin, control).await;
        let location = request.redirection(&options.uri, outcome);
        let fields = [
            (&b"cache-control"[..], &b"no-cache"[..]),
            (b"content-type", b"text/plain"),
            (b"location", location.as_bytes()),
        ];
        body.clear();
        return answer::page(&mut live.txn.layer.response, 303, &fields, 0);
    }
    let info = control.info();
    let mut proxies = control.proxies();
    proxies.retain(|proxy| in_scope(stats, plan, proxy));
    let beside = match control.companion().filter(|_| request.format == Format::Html) {
        Some(companion) if stats.scope.is_empty() => answered(|| companion.table()).await,
        _ => None,
    };
    let page = Page {
        options: &options,
        request: &request,
        info: &info,
        proxies: &proxies,
        beside: beside.as_ref(),
        admin,
    };
    body.clear();
    body.extend_from_slice(render::body(&page).as_bytes());
    let refresh = options.refresh_seconds(&request).map(|seconds| seconds.to_string());
    let mut fields = vec![
        (&b"cache-control"[..], &b"no-cache"[..]),
        (b"content-type", request.format.content_type().as_bytes()),
    ];
    fields.extend(refresh.as_ref().map(|seconds| (&b"refresh"[..], seconds.as_bytes())));
    answer::page(&mut live.txn.layer.response, 200, &fields, body.len())
}

fn options(stats: &StatsPage) -> PageOptions {
    let mut options = PageOptions::default();
    options.uri = String::from_utf8_lossy(&stats.uri).into_owned();
    options.refresh = stats.refresh;
    options.hide_version = !stats.show_version;
    options.node = stats.node.as_deref().map(str::to_owned);
    options.description = stats.description.as_deref().map(str::to_owned);
    options.show_legends = stats.show_legends;
    options.show_modules = stats.show_modules;
    options.realm = stats.realm.to_string();
    options.scopes = stats.scope.iter().map(|scope| scope.to_string()).collect();
    options
}

/// Whether the configuration lets the page show a proxy.
fn in_scope(stats: &StatsPage, own: &ProxyPlan, proxy: &ProxySnapshot) -> bool {
    stats.scope.is_empty()
        || stats.scope.iter().any(|scope| match &**scope {
            "." => proxy.name == own.spec.name,
            name => proxy.name.as_str() == name,
        })
}

fn knows_password(live: &Live<'_>, http: &HttpProxy, stats: &StatsPage) -> bool {
    let Some(name) = &stats.users else { return true };
    let Some(list) = http.users.get(name) else { return false };
    let mut scratch = Vec::new();
    let given = live.txn.layer.request.fields.all(b"authorization").next();
    given
        .and_then(|value| Credentials::basic(value, &mut scratch))
        .is_some_and(|credentials| list.check(&credentials).is_some())
}

fn ask_password(live: &mut Live<'_>, stats: &StatsPage, body: &mut Vec<u8>) -> Made {
    let configured = (configured_error(live, 401), configured_error(live, 407));
    let pages = (configured.0.as_deref(), configured.1.as_deref());
    let mut text = Vec::new();
    answer::auth(live, None, &stats.realm, pages, &mut text, body)
}

/// Whether whoever asks may change something.
fn may_change(live: &mut Live<'_>, stats: &StatsPage) -> bool {
    let admin = {
        let env = Env::new(live.facts(), live.vars(), live.arena());
        stats.admin.iter().any(|condition| condition.holds(&env))
    };
    live.reset_arena();
    admin
}

/// Reads a posted form and does what it says.
async fn posted(
    live: &mut Live<'_>,
    plan: &Arc<ProxyPlan>,
    may_change: bool,
    control: LiveControl,
) -> Outcome {
    if !may_change {
        return Outcome::Denied;
    }
    let limit = plan.spec.timeouts.effective_http_request().or(plan.spec.timeouts.client).unwrap_or(FORM);
    if buffer_body(live, Some(limit), 0, true).await.is_err() {
        return Outcome::Unusable;
    }
    let request = &live.txn.layer.request;
    if !body_is_buffered(request) {
        return Outcome::TooLarge;
    }
    let Some(form) = bodies::whole(request.body, request.buffered_body()) else { return Outcome::Unusable };
    match admin::parse_post(&form) {
        Ok(form) => admin::apply(&form, &ControlAdmin(&control.from_web())),
        Err(outcome) => outcome,
    }
}

/// What a companion answers in the end; `None` if it stays silent.
async fn answered<T>(ask: impl Fn() -> Poll<T>) -> Option<T> {
    let answer = async {
        loop {
            match ask() {
                Poll::Ready(answer) => return answer,
                Poll::Pending => tokio::time::sleep(AGAIN).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, answer).await.ok()
}

/// The metrics of the process, and those of what runs beside it.
pub(super) async fn prometheus(live: &mut Live<'_>, body: &mut Vec<u8>) -> Made {
    live.txn.applet = Some("<PROMEX>");
    let Some(control) = live.client.session.generation().control() else {
        return answer::error_page(&mut live.txn.layer.response, 503, body);
    };
    let target = String::from_utf8_lossy(live.txn.layer.request.target()).into_owned();
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let Ok(selection) = Selection::parse(query) else {
        return answer::error_page(&mut live.txn.layer.response, 400, body);
    };
    let rows: Vec<_> = control.proxies().iter().flat_map(|proxy| proxy.rows_where(|_| true)).collect();
    let mut text = String::new();
    render::prometheus::render(&mut text, &control.info(), &rows, selection);
    if let Some(companion) = control.companion().filter(|_| selection.process) {
        text.push_str(&answered(|| companion.metrics()).await.unwrap_or_default());
    }
    body.clear();
    body.extend_from_slice(text.as_bytes());
    let fields = [(&b"cache-control"[..], &b"no-cache"[..]), (b"content-type", b"text/plain; version=0.0.4")];
    answer::page(&mut live.txn.layer.response, 200, &fields, body.len())
}
