//! Statistics as text: CSV, typed lines, JSON, Prometheus and the HTML page. Strings only, no sockets.

pub mod csv;
pub mod json;
pub mod typed;
