//! Everything above the tables: title, process information, legend, options, and the message after a form.

use super::Page;
use super::markup::Html;
use crate::stats::admin::Outcome;
use crate::stats::page::PageRequest;

const STYLE: &str = include_str!("style.css");

pub(super) fn start(html: &mut Html, page: &Page<'_>) {
    html.raw("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><link rel=\"icon\" href=\"data:,\">");
    html.raw("<title>Statistics Report for ").text(&page.info.product);
    if let Some(node) = page.node() {
        html.raw(" on ").text(node);
    }
    html.raw("</title>\n<style>\n").raw(STYLE).raw("</style></head>\n<body>\n<h1>").text(&page.info.product);
    if !page.options.hide_version {
        html.raw(" version ").text(&page.info.version);
        if !page.info.release_date.is_empty() {
            html.raw(", released ").text(&page.info.release_date);
        }
    }
    html.raw("</h1>\n<h2>Statistics Report for pid ").show(page.info.pid);
    if let Some(node) = page.node() {
        html.raw(" on ").text(node);
    }
    if let Some(description) = page.description() {
        html.raw(": ").text(description);
    }
    html.raw("</h2>\n<h3>&gt; General process information</h3>\n<div class=\"info\">\n");
    process(html, page);
    legend(html);
    options(html, page);
    html.raw("</div>\n");
    if let Some(outcome) = page.request.outcome {
        message(html, page, outcome);
    }
}

fn process(html: &mut Html, page: &Page<'_>) {
    let info = page.info;
    html.raw("<div><b>pid = </b>")
        .show(info.pid)
        .raw(" (process #1, nbproc = 1, nbthread = ")
        .show(info.threads);
    html.raw(")<br>\n<b>uptime = </b>").show(info.uptime_text()).raw("; warnings = ").show(info.warnings);
    html.raw("<br>\n<b>system limits:</b> memmax = ");
    match info.memory_limit {
        0 => html.raw("unlimited"),
        bytes => html.show(bytes >> 20).raw(" MB"),
    };
    html.raw("; ulimit-n = ").show(info.max_fds);
    html.raw("<br>\n<b>maxsock = </b>").show(info.max_sockets).raw("; <b>maxconn = </b>").show(info.maxconn);
    html.raw("; <b>reached = </b>")
        .show(info.maxconn_reached)
        .raw("; <b>maxpipes = </b>")
        .show(info.max_pipes);
    html.raw("<br>\ncurrent conns = ").show(info.connections).raw("; current pipes = ").show(info.pipes_used);
    html.raw("/").show(info.pipes_used.saturating_add(info.pipes_free));
    html.raw("; conn rate = ").show(info.connection_rate.cur).raw("/sec; bit rate = ");
    html.show(bit_rate(info.bytes_out_rate)).raw("<br>\nRunning tasks: ").show(info.run_queue).raw("/");
    html.show(info.tasks).raw("; idle = ").show(info.idle_percent).raw(" %</div>\n");
}

/// Bits per second with three decimals of the largest fitting unit.
fn bit_rate(bytes: u64) -> String {
    let bits = u128::from(bytes) * 8;
    let (unit, word) = match bits {
        1_000_000_000.. => (1_000_000_000, "Gbps"),
        1_000_000.. => (1_000_000, "Mbps"),
        _ => (1000, "kbps"),
    };
    format!("{}.{:03} {word}", bits / unit, bits % unit * 1000 / unit)
}

fn legend(html: &mut Html) {
    html.raw("<div><table class=\"legend\">\n");
    for [active, active_text, backup, backup_text] in [
        ["active_up", "active UP", "backup_up", "backup UP"],
        ["active_going_down", "active UP, going down", "backup_going_down", "backup UP, going down"],
        ["active_going_up", "active DOWN, going up", "backup_going_up", "backup DOWN, going up"],
        ["active_down", "active or backup DOWN", "active_no_check", "not checked"],
    ] {
        html.raw("<tr><td class=\"").raw(active).raw("\"><td>").raw(active_text);
        html.raw("<td class=\"").raw(backup).raw("\"><td>").raw(backup_text).raw("</tr>\n");
    }
    html.raw(
        "<tr><td class=\"maintain\"><td colspan=\"3\">active or backup DOWN for maintenance (MAINT)</tr>\n",
    );
    html.raw("<tr><td class=\"active_draining\"><td colspan=\"3\">active or backup SOFT STOPPED for maintenance</tr>\n");
    html.raw("</table>Note: \"NOLB\"/\"DRAIN\" = UP with load-balancing disabled.</div>\n");
}

fn options(html: &mut Html, page: &Page<'_>) {
    let uri = &*page.options.uri;
    let plain = PageRequest { outcome: None, ..page.request.clone() };
    html.raw(
        "<div><b>Display option:</b><ul>\n<li><form method=\"get\">Scope : <input name=\"scope\" size=\"8\" ",
    );
    html.raw("maxlength=\"20\" value=\"")
        .text(plain.scope.as_deref().unwrap_or_default())
        .raw("\"></form>\n");
    let hide = PageRequest { hide_down: !plain.hide_down, ..plain.clone() };
    let hide_text = if plain.hide_down { "Show all servers" } else { "Hide 'DOWN' servers" };
    link(html, &hide.address(uri), hide_text);
    if page.options.refresh.is_some() {
        let refresh = PageRequest { no_refresh: !plain.no_refresh, ..plain.clone() };
        let refresh_text = if plain.no_refresh { "Enable refresh" } else { "Disable refresh" };
        link(html, &refresh.address(uri), refresh_text);
    }
    link(html, &plain.address(uri), "Refresh now");
    // Exports are taken once and whole, whatever this view hides.
    let export = PageRequest { hide_down: false, no_maint: false, no_refresh: true, ..plain };
    link(html, &export.address(&format!("{uri};csv")), "CSV export");
    link(html, &export.address(&format!("{uri};json")), "JSON export");
    link(html, &format!("{uri};json-schema"), "JSON schema");
    html.raw("</ul></div>\n");
}

fn link(html: &mut Html, address: &str, text: &str) {
    html.raw("<li><a href=\"").text(address).raw("\">").text(text).raw("</a>\n");
}

fn message(html: &mut Html, page: &Page<'_>, outcome: Outcome) {
    let (class, text) = match outcome {
        Outcome::Done => ("active_up", "Action processed successfully."),
        Outcome::None => ("active_going_down", "Nothing has changed."),
        Outcome::Partial => {
            ("active_going_down", "Action partially processed: some servers were not found in the backend.")
        }
        Outcome::Invalid => (
            "active_down",
            "Action not processed: unknown action or backend, or no such server in the backend.",
        ),
        Outcome::TooLarge => {
            ("active_down", "Action not processed: the form is too large, choose fewer servers.")
        }
        Outcome::Denied => ("active_down", "Action denied."),
        Outcome::Unusable => ("active_down", "Action not processed: invalid request."),
    };
    let plain = PageRequest { outcome: None, ..page.request.clone() };
    html.raw("<div class=\"message ").raw(class).raw("\"><a title=\"Remove this message\" href=\"");
    html.text(&plain.address(&page.options.uri)).raw("\">[X]</a> ").text(text).raw("</div>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bit_rates_have_units() {
        assert_eq!(bit_rate(0), "0.000 kbps");
        assert_eq!(bit_rate(102), "0.816 kbps");
        assert_eq!(bit_rate(439_250), "3.514 Mbps");
        assert_eq!(bit_rate(250_000_000), "2.000 Gbps");
    }
}
