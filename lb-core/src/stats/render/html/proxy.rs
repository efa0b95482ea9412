//! The table of one proxy.

use super::Page;
use super::details;
use super::markup::{Html, age};
use crate::health::Status;
use crate::spec::Capability;
use crate::stats::admin::Action;
use crate::stats::snapshot::{
    BackendSnapshot, CheckReport, FrontendSnapshot, ListenerSnapshot, ProxySnapshot, ServerSnapshot,
};
use crate::stats::status::ServerStatus;

/// Groups of columns and the columns in them.
const GROUPS: [(&str, &[&str]); 8] = [
    ("Queue", &["Cur", "Max", "Limit"]),
    ("Session rate", &["Cur", "Max", "Limit"]),
    ("Sessions", &["Cur", "Max", "Limit", "Total", "LbTot", "Last"]),
    ("Bytes", &["In", "Out"]),
    ("Denied", &["Req", "Resp"]),
    ("Errors", &["Req", "Conn", "Resp"]),
    ("Warnings", &["Retr", "Redis"]),
    ("Server", &["Status", "LastChk", "Wght", "Act", "Bck", "Chk", "Dwn", "Dwntme", "Thrtle"]),
];

/// Appends the table, wrapped in a form if servers may be acted on.
pub(super) fn table(html: &mut Html, page: &Page<'_>, proxy: &ProxySnapshot) {
    let form = page.admin && !proxy.servers.is_empty();
    let table = Table { page, proxy, form };
    if form {
        html.raw("<form method=\"post\">");
    }
    table.caption(html);
    table.header(html);
    if let Some(frontend) = &proxy.frontend {
        table.frontend(html, frontend);
    }
    for listener in &proxy.listeners {
        table.listener(html, listener);
    }
    for server in proxy.servers.iter().filter(|server| page.request.shows_server(server)) {
        table.server(html, server);
    }
    if let Some(backend) = &proxy.backend {
        table.backend(html, backend);
    }
    html.raw("</tbody></table>\n");
    if form {
        table.actions(html);
    }
}

struct Table<'a> {
    page: &'a Page<'a>,
    proxy: &'a ProxySnapshot,
    form: bool,
}

impl Table<'_> {
    fn caption(&self, html: &mut Html) {
        let name = self.proxy.name.as_str();
        html.raw("<div class=\"name\"><span id=\"").text(name).raw("\">");
        if self.page.options.show_legends {
            html.raw("<span class=\"tip\"><a href=\"#")
                .text(name)
                .raw("\">")
                .text(name)
                .raw("</a><span>cap: ");
            html.raw(match self.proxy.capability {
                Capability::Frontend => "frontend",
                Capability::Backend => "backend",
                Capability::Listen => "proxy",
            });
            html.raw(", mode: ")
                .raw(self.proxy.mode_word())
                .raw(", id: ")
                .show(self.proxy.id)
                .raw("</span></span>");
        } else {
            html.raw("<a href=\"#").text(name).raw("\">").text(name).raw("</a>");
        }
        html.raw("</span>");
        if let Some(description) = &self.proxy.description {
            html.raw("<p>").text(description).raw("</p>");
        }
        html.raw("</div>\n");
    }

    fn header(&self, html: &mut Html) {
        html.raw("<table class=\"px\"><thead><tr><th rowspan=\"2\" style=\"width:1px\">");
        if self.form {
            html.raw("<input type=\"checkbox\" title=\"Check all\" onclick=\"for (const box of this.form.s.length ? ");
            html.raw("this.form.s : [this.form.s]) box.checked = this.checked\">");
        }
        html.raw("</th><th rowspan=\"2\"></th>");
        for (group, columns) in GROUPS {
            html.raw("<th colspan=\"").show(columns.len()).raw("\">").raw(group).raw("</th>");
        }
        if self.page.options.show_modules {
            html.raw("<th colspan=\"3\">Extra modules</th>");
        }
        html.raw("</tr>\n<tr>");
        for column in GROUPS.iter().flat_map(|(_, columns)| *columns) {
            html.raw("<th>").raw(column).raw("</th>");
        }
        if self.page.options.show_modules {
            html.raw("<th>ssl</th><th>h2</th><th>h1</th>");
        }
        html.raw("</tr></thead><tbody>\n");
    }

    /// Starts a row: its class, the cell of the checkbox, and the name with what the legend says about it.
    fn start(&self, html: &mut Html, class: &str, checkbox: Option<&str>, name: &str, legend: &str) {
        html.raw("<tr class=\"").raw(class).raw("\"><td>");
        if let Some(server) = checkbox.filter(|_| self.form) {
            html.raw("<input type=\"checkbox\" name=\"s\" value=\"").text(server).raw("\">");
        }
        let (proxy, visible) = (self.proxy.name.as_str(), name.trim_start_matches('+'));
        html.raw("</td><td class=\"mid\" id=\"").text(proxy).raw("/").text(name).raw("\">");
        if self.page.options.show_legends && !legend.is_empty() {
            html.raw("<span class=\"tip\"><a href=\"#")
                .text(proxy)
                .raw("/")
                .text(name)
                .raw("\">")
                .text(visible);
            html.raw("</a><span>").text(legend).raw("</span></span></td>");
        } else {
            html.raw("<a href=\"#").text(proxy).raw("/").text(name).raw("\">").text(visible).raw("</a></td>");
        }
    }

    fn frontend(&self, html: &mut Html, side: &FrontendSnapshot) {
        let counts = &side.counts;
        self.start(html, "frontend", None, "Frontend", "");
        html.raw("<td colspan=\"3\"></td>");
        html.detailed(side.session_rate.cur, &details::rates(self.proxy, side, |level| level.cur));
        html.detailed(side.session_rate.max, &details::rates(self.proxy, side, |level| level.max));
        html.limit(Some(side.rate_limit).filter(|limit| *limit > 0).map(u64::from));
        html.cell(side.sessions.cur).cell(side.sessions.max).cell(side.limit.into());
        html.detailed(counts.sessions, &details::frontend(self.proxy, counts)).blank(2);
        html.cell(counts.request_bytes_in).cell(counts.response_bytes_in);
        html.cell(counts.denied_requests).cell(counts.denied_responses).cell(counts.request_errors).blank(4);
        html.middle(side.state.word()).raw("<td colspan=\"8\"></td>");
        self.modules(html, &[&side.modules.ssl, &side.modules.h2, &side.modules.h1]);
    }

    fn listener(&self, html: &mut Html, listener: &ListenerSnapshot) {
        let counts = &listener.counts;
        let legend = format!("{}, proto={}, id: {}", family(&listener.addr), listener.proto, listener.id);
        self.start(html, "socket", None, &format!("+{}", listener.name), &legend);
        html.raw("<td colspan=\"3\"></td><td colspan=\"3\"></td>");
        html.cell(listener.sessions.cur).cell(listener.sessions.max).cell(listener.limit.into());
        html.cell(counts.sessions).blank(2).cell(counts.request_bytes_in).cell(counts.response_bytes_in);
        html.cell(counts.denied_requests).cell(counts.denied_responses).cell(counts.request_errors).blank(4);
        html.middle(listener.state.word()).raw("<td colspan=\"8\"></td>");
        self.modules(html, &[&listener.ssl, &[], &[]]);
    }

    fn server(&self, html: &mut Html, server: &ServerSnapshot) {
        let counts = &server.counts;
        let mut legend = format!("{}, id: {}, rid: {}", family(&server.addr), server.id, server.revision);
        if let Some(cookie) = &server.cookie {
            legend.push_str(&format!(", cookie: '{cookie}'"));
        }
        self.start(
            html,
            server.status.class(server.backup),
            Some(server.name.as_str()),
            server.name.as_str(),
            &legend,
        );
        html.cell(server.queue.cur).cell(server.queue.max).limit(server.queue_limit.map(u64::from));
        html.cell(server.session_rate.cur).cell(server.session_rate.max).blank(1);
        html.detailed(server.sessions.cur, &details::connections(server));
        html.cell(server.sessions.max).limit(server.limit.map(u64::from));
        html.detailed(counts.sessions, &details::server(self.proxy, server)).cell(counts.balanced);
        last(html, server.last_session);
        html.cell(counts.request_bytes_in)
            .cell(counts.response_bytes_in)
            .blank(1)
            .cell(counts.denied_responses);
        html.blank(1).cell(counts.connection_errors);
        response_errors(html, counts.response_errors, counts.client_aborts, counts.server_aborts);
        html.cell(counts.retries).cell(counts.redispatches);
        status(html, server);
        html.middle(format_args!("{}/{}", server.weight, server.user_weight));
        html.middle(if server.backup { "-" } else { "Y" }).middle(if server.backup { "Y" } else { "-" });
        checks(html, server);
        match server.throttle {
            100.. => html.middle("-"),
            throttle => html.middle(format_args!("{throttle} %")),
        };
        self.modules(html, &[&server.ssl, &[], &[]]);
    }

    fn backend(&self, html: &mut Html, side: &BackendSnapshot) {
        let counts = &side.counts;
        let mut legend = format!("balancing: {}", side.algorithm);
        if let Some(cookie) = &side.cookie {
            legend.push_str(&format!(", cookie: '{cookie}'"));
        }
        self.start(html, "backend", None, "Backend", &legend);
        html.cell(side.queue.cur).cell(side.queue.max).blank(1);
        html.cell(side.session_rate.cur).cell(side.session_rate.max).blank(1);
        html.cell(side.sessions.cur).cell(side.sessions.max).cell(side.limit.into());
        html.detailed(counts.sessions, &details::backend(self.proxy, side)).cell(counts.balanced);
        last(html, side.last_session);
        html.cell(counts.request_bytes_in).cell(counts.response_bytes_in);
        html.cell(counts.denied_requests)
            .cell(counts.denied_responses)
            .blank(1)
            .cell(counts.connection_errors);
        response_errors(html, counts.response_errors, counts.client_aborts, counts.server_aborts);
        html.cell(counts.retries).cell(counts.redispatches);
        html.raw("<td class=\"mid\">").show(age(side.last_change));
        html.raw(if side.up { " UP" } else { " <span class=\"alarm\">DOWN</span>" }).raw("</td>").blank(1);
        html.middle(format_args!("{}/{}", side.weight, side.user_weight));
        html.middle(side.active).middle(side.backups).blank(1).cell(counts.went_down);
        html.raw("<td>").raw(&side.downtime.map_or_else(String::new, age)).raw("</td>").blank(1);
        self.modules(html, &[&side.modules.ssl, &side.modules.h2, &side.modules.h1]);
    }

    /// The cells of the protocol modules, if they are shown, and the end of the row.
    fn modules(&self, html: &mut Html, modules: &[&[u64]; 3]) {
        if self.page.options.show_modules {
            details::modules(html, modules);
        }
        html.raw("</tr>\n");
    }

    fn actions(&self, html: &mut Html) {
        html.raw("Choose the action to perform on the checked servers : <select name=\"action\"><option value=\"\">");
        html.raw("</option>");
        for (_, word, text) in Action::OFFERED {
            html.raw("<option value=\"").raw(word).raw("\">").raw(text).raw("</option>");
        }
        html.raw("</select><input type=\"hidden\" name=\"b\" value=\"#").show(self.proxy.id);
        html.raw("\"> <input type=\"submit\" value=\"Apply\"></form>\n");
    }
}

/// An address with its family, as the legend shows it.
fn family(addr: &str) -> String {
    match addr {
        "unix" | "abns" | "" => "unix".to_owned(),
        addr if addr.starts_with('[') || addr.matches(':').count() > 1 => format!("IPv6: {addr}"),
        addr => format!("IPv4: {addr}"),
    }
}

fn last(html: &mut Html, seconds: Option<u32>) {
    html.raw("<td>").raw(&seconds.map_or_else(|| "?".to_owned(), age)).raw("</td>");
}

fn response_errors(html: &mut Html, errors: u64, client: u64, server: u64) {
    let remark = format!("Connection resets during transfers: {client} client, {server} server");
    html.raw("<td>").remarked(errors, &remark).raw("</td>");
}

/// The cells Status and LastChk.
fn status(html: &mut Html, server: &ServerSnapshot) {
    html.raw("<td class=\"mid\">");
    match &server.status {
        ServerStatus::NoCheck => html.raw("<em>no check</em>"),
        status => {
            html.show(age(server.last_change)).raw(" ").show(status);
            html.raw(match status {
                ServerStatus::DownGoingUp(..) => " \u{2191}",
                ServerStatus::UpGoingDown(..)
                | ServerStatus::NolbGoingDown(..)
                | ServerStatus::DrainGoingDown(..) => " \u{2193}",
                _ => "",
            })
        }
    };
    html.raw("</td><td class=\"mid\">");
    // The agent decides when it is the one that took the server down.
    let report = match server.status {
        ServerStatus::DownAgent => server.agent.as_ref(),
        _ => server.check.as_ref(),
    };
    if let Some(check) = report {
        last_check(html, check);
    }
    html.raw("</td>");
}

fn last_check(html: &mut Html, check: &CheckReport) {
    let mut text = if check.running { "* " } else { "" }.to_owned();
    text.push_str(check.status.code());
    if check.status.has_code() {
        text.push_str(&format!("/{}", check.code));
    }
    if check.status >= Status::Checked {
        text.push_str(&format!(" in {}ms", check.duration_ms));
    }
    let mut remark = check.status.description().to_owned();
    if !check.info.is_empty() {
        remark.push_str(": ");
        remark.push_str(&check.info);
    }
    html.remarked(text, &remark);
}

/// The cells Chk, Dwn and Dwntme.
fn checks(html: &mut Html, server: &ServerSnapshot) {
    match (&server.check, &server.tracks) {
        (Some(_), _) => {
            let counts = &server.counts;
            let (text, remark) = if server.observed {
                (
                    format!("{}/{}", counts.failed_checks, counts.observed_failures),
                    "Failed Health Checks/Health Analyses",
                )
            } else {
                (counts.failed_checks.to_string(), "Failed Health Checks")
            };
            html.raw("<td>").remarked(text, remark).raw("</td>").cell(counts.went_down);
            html.raw("<td>").raw(&age(server.downtime)).raw("</td>");
        }
        (None, Some(tracked)) => {
            html.raw("<td class=\"mid\" colspan=\"3\"><a href=\"#").text(tracked).raw("\">via ");
            html.text(tracked).raw("</a></td>");
        }
        (None, None) => {
            html.raw("<td colspan=\"3\"></td>");
        }
    }
}
