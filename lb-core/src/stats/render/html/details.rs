//! Tables that show when a number is pointed at.

use super::markup::{Details, Html};
use crate::spec::Mode;
use crate::stats::counter::{FrontendCounts, Level};
use crate::stats::field::Column;
use crate::stats::snapshot::{BackendSnapshot, Durations, FrontendSnapshot, ProxySnapshot, ServerSnapshot};

pub(super) fn rates(proxy: &ProxySnapshot, side: &FrontendSnapshot, of: fn(Level) -> u64) -> Details {
    let mut details = Details::default();
    details.word("Connection rate:", format_args!("{}/s", of(side.connection_rate)));
    details.word("Session rate:", format_args!("{}/s", of(side.session_rate)));
    if proxy.mode == Mode::Http {
        details.word("Request rate:", format_args!("{}/s", of(side.request_rate)));
    }
    details
}

pub(super) fn frontend(proxy: &ProxySnapshot, counts: &FrontendCounts) -> Details {
    let mut details = Details::default();
    details.count("Connections:", counts.connections).count("Sessions:", counts.sessions);
    if proxy.mode == Mode::Http {
        details
            .count("- HTTP/1 sessions:", counts.h1_sessions)
            .count("- HTTP/2 sessions:", counts.h2_sessions);
        details
            .count("- HTTP/3 sessions:", counts.h3_sessions)
            .count("- other sessions:", counts.other_sessions);
        details.count("HTTP requests:", counts.requests).count("- HTTP/1 requests:", counts.h1_requests);
        details
            .count("- HTTP/2 requests:", counts.h2_requests)
            .count("- HTTP/3 requests:", counts.h3_requests);
        details.count("- other requests:", counts.other_requests);
        responses(&mut details, counts.responses, counts.requests);
        details.share("Compressed 2xx:", counts.comp_responses, counts.responses[1]);
        details.count("Compression in:", counts.comp_in).share(
            "Compression out:",
            counts.comp_out,
            counts.comp_in,
        );
        details.count("Compression bypass:", counts.comp_bypassed);
        details
            .count("Intercepted requests:", counts.intercepted)
            .count("Cache lookups:", counts.cache_lookups);
        details.share("Cache hits:", counts.cache_hits, counts.cache_lookups);
        details.count("Failed header rewrites:", counts.failed_rewrites);
    }
    details.count("Internal errors:", counts.internal_errors);
    details
}

pub(super) fn connections(server: &ServerSnapshot) -> Details {
    let (mut details, connections) = (Details::default(), &server.connections);
    let limit = |limit: Option<u32>| limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
    details.count("Active connections:", server.sessions.cur);
    details.count("Used connections:", connections.used.into());
    details.count("Idle connections:", u64::from(connections.idle_unsafe) + u64::from(connections.idle_safe));
    details.count("- unsafe:", connections.idle_unsafe.into()).count("- safe:", connections.idle_safe.into());
    details.count("Estimated need of connections:", connections.needed.into());
    details.count("Private idle connections:", connections.idle_private.into());
    details.word("Active connections limit:", limit(server.limit));
    details.word("Idle connections limit:", limit(connections.idle_limit));
    details
}

pub(super) fn server(proxy: &ProxySnapshot, server: &ServerSnapshot) -> Details {
    let (mut details, counts) = (Details::default(), &server.counts);
    details.count("Sessions:", counts.sessions);
    if proxy.mode == Mode::Http {
        details.count("New connections:", counts.connects);
        details.share("Reused connections:", counts.reuses, counts.connects + counts.reuses);
        details.count("HTTP requests:", counts.requests);
        responses(&mut details, counts.responses, counts.requests);
        details.count("Failed header rewrites:", counts.failed_rewrites);
        details.count("Internal errors:", counts.internal_errors);
    }
    durations(&mut details, proxy, &server.durations);
    details
}

pub(super) fn backend(proxy: &ProxySnapshot, side: &BackendSnapshot) -> Details {
    let (mut details, counts) = (Details::default(), &side.counts);
    details.count("Sessions:", counts.sessions);
    if proxy.mode == Mode::Http {
        details.count("New connections:", counts.connects);
        details.share("Reused connections:", counts.reuses, counts.connects + counts.reuses);
        details.count("HTTP requests:", counts.requests);
        responses(&mut details, counts.responses, counts.requests);
        details.share("Compressed 2xx:", counts.comp_responses, counts.responses[1]);
        details.count("Compression in:", counts.comp_in).share(
            "Compression out:",
            counts.comp_out,
            counts.comp_in,
        );
        details.count("Compression bypass:", counts.comp_bypassed);
        details.count("Cache lookups:", counts.cache_lookups);
        details.share("Cache hits:", counts.cache_hits, counts.cache_lookups);
        details.count("Failed header rewrites:", counts.failed_rewrites);
        details.count("Internal errors:", counts.internal_errors);
    }
    durations(&mut details, proxy, &side.durations);
    details
}

/// One cell per module; a module that does not count for this kind of line is an empty slice.
pub(super) fn modules(html: &mut Html, modules: &[&[u64]; 3]) {
    let starts = [("ssl", Column::SslSess), ("h2", Column::H2HeadersRcvd), ("h1", Column::H1OpenConnections)];
    for ((name, first), values) in starts.into_iter().zip(modules) {
        if values.is_empty() {
            html.blank(1);
            continue;
        }
        html.raw("<td><span class=\"tip\">").raw(name).raw("<span><table>");
        for (column, value) in Column::ALL[first.position()..].iter().zip(*values) {
            html.raw("<tr><th>").text(column.description()).raw("</th><td>").number(*value).raw("</td></tr>");
        }
        html.raw("</table></span></span></td>");
    }
}

fn responses(details: &mut Details, responses: [u64; 6], requests: u64) {
    let labels = ["1xx", "2xx", "3xx", "4xx", "5xx", "other"];
    for (label, count) in labels.into_iter().zip(responses) {
        details.share(&format!("- {label} responses:"), count, requests);
    }
}

fn durations(details: &mut Details, proxy: &ProxySnapshot, durations: &Durations) {
    let mut row = |label, level: Level| {
        details.word(label, format_args!("{} / {} ms", level.max, level.cur));
    };
    row("Queue time (max / average):", durations.queue);
    row("Connect time:", durations.connect);
    if proxy.mode == Mode::Http {
        row("Response time:", durations.response);
    }
    row("Total time:", durations.total);
}
