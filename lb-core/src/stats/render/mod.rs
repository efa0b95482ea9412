//! Statistics as text: CSV, typed lines, JSON, Prometheus and the HTML page. Strings only, no sockets.

pub mod csv;
pub mod html;
pub mod json;
pub mod prometheus;
pub mod typed;

use super::field::Row;
use super::page::Format;

/// The answer to a request for the statistics page, in the form that was asked for.
pub fn body(page: &html::Page<'_>) -> String {
    let mut out = String::new();
    match page.request.format {
        Format::Html => return page.render(),
        Format::Csv => {
            csv::header(&mut out);
            rows(page).for_each(|row| csv::row(&mut out, &row));
        }
        Format::Typed => rows(page).for_each(|row| typed::row(&mut out, &row, false)),
        Format::Json => {
            let rows: Vec<_> = rows(page).collect();
            json::rows(&mut out, &rows);
        }
        Format::JsonSchema => out.push_str(json::SCHEMA),
    }
    out
}

/// The rows a request lets through.
fn rows<'a>(page: &html::Page<'a>) -> impl Iterator<Item = Row> + 'a {
    let (request, legends) = (page.request, page.options.show_legends);
    let shown = page.proxies.iter().filter(|proxy| request.shows(proxy));
    let rows = shown.flat_map(|proxy| proxy.rows_where(|server| request.shows_server(server)));
    rows.map(move |mut row| {
        if !legends {
            row.hide_particulars();
        }
        row
    })
}
