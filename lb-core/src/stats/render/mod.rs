//! Statistics as text: CSV, typed lines, JSON, Prometheus and the HTML page. Strings only, no sockets.

pub mod csv;
pub mod html;
pub mod json;
pub mod prometheus;
pub mod typed;

use super::field::Row;
use super::page::{Format, PageRequest};
use super::snapshot::ProxySnapshot;

/// The answer to a request for the statistics page, in the form that was asked for.
pub fn body(page: &html::Page<'_>) -> String {
    let mut out = String::new();
    match page.request.format {
        Format::Html => return page.render(),
        Format::Csv => {
            csv::header(&mut out);
            rows(page.request, page.proxies).for_each(|row| csv::row(&mut out, &row));
        }
        Format::Typed => rows(page.request, page.proxies).for_each(|row| typed::row(&mut out, &row, false)),
        Format::Json => {
            let rows: Vec<_> = rows(page.request, page.proxies).collect();
            json::rows(&mut out, &rows);
        }
        Format::JsonSchema => out.push_str(json::SCHEMA),
    }
    out
}

/// The rows a request lets through.
fn rows<'a>(request: &'a PageRequest, proxies: &'a [ProxySnapshot]) -> impl Iterator<Item = Row> + 'a {
    let shown = proxies.iter().filter(|proxy| request.shows(proxy));
    shown.flat_map(|proxy| proxy.rows_where(|server| request.shows_server(server)))
}
