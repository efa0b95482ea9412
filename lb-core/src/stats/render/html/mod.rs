//! The statistics page for people, laid out as users of HAProxy know it: the same table, colours and form fields.
//!
//! The page needs nothing but itself: style and the few lines of script are part of it.

mod beside;
mod details;
mod head;
mod markup;
mod proxy;

use crate::companion::Table;
use crate::stats::info::ProcessInfo;
use crate::stats::page::{PageOptions, PageRequest};
use crate::stats::snapshot::ProxySnapshot;
use markup::Html;

/// What a page is made of.
#[expect(clippy::exhaustive_structs, reason = "a bundle of arguments")]
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// How the page is configured.
    pub options: &'a PageOptions,
    /// What was asked for.
    pub request: &'a PageRequest,
    /// The process.
    pub info: &'a ProcessInfo,
    /// The proxies the page may show; the request's scope chooses among them.
    pub proxies: &'a [ProxySnapshot],
    /// What runs beside the engine; not shown to those who asked for certain proxies.
    pub beside: Option<&'a Table>,
    /// Whether whoever asks may act on servers.
    pub admin: bool,
}

impl Page<'_> {
    /// The complete document.
    pub fn render(&self) -> String {
        let mut html = Html::default();
        head::start(&mut html, self);
        for proxy in self.proxies.iter().filter(|proxy| self.request.shows(proxy)) {
            proxy::table(&mut html, self, proxy);
        }
        if let Some(table) = self.beside.filter(|_| self.request.scope.is_none()) {
            beside::table(&mut html, table);
        }
        html.raw("</body></html>\n");
        html.finish()
    }

    /// The node's name, if it is to be shown.
    fn node(&self) -> Option<&str> {
        shown(self.options.node.as_deref(), &self.info.node)
    }

    /// The description, if it is to be shown.
    fn description(&self) -> Option<&str> {
        shown(self.options.description.as_deref(), &self.info.description)
    }
}

/// An option without text of its own shows the text of the process.
fn shown<'a>(option: Option<&'a str>, process: &'a str) -> Option<&'a str> {
    option.map(|own| if own.is_empty() { process } else { own }).filter(|text| !text.is_empty())
}
