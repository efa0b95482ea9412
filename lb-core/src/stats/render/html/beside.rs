//! The table of what runs beside the engine.

use super::markup::Html;
use crate::companion::{Mood, Table};

/// Appends the table.
pub(super) fn table(html: &mut Html, table: &Table) {
    html.raw("<div class=\"name\"><span>").text(&table.title).raw("</span></div>\n");
    html.raw("<table class=\"px\"><thead><tr>");
    for column in &table.columns {
        html.raw("<th>").text(column).raw("</th>");
    }
    html.raw("</tr></thead><tbody>");
    for row in &table.rows {
        html.raw("<tr class=\"").raw(class(row.mood)).raw("\">");
        for cell in &row.cells {
            html.raw("<td class=\"mid\">").text(cell).raw("</td>");
        }
        html.raw("</tr>");
    }
    html.raw("</tbody></table>\n");
}

/// The colours that servers have.
const fn class(mood: Mood) -> &'static str {
    match mood {
        Mood::Plain => "active_no_check",
        Mood::Active => "active_up",
        Mood::Standby => "backup_up",
        Mood::Warning => "active_going_down",
        Mood::Broken => "active_down",
    }
}
