//! `show stat`, `show info` and `show schema json`.

use crate::ctl::catalogue::Exec;
use crate::ctl::control::SocketLevel;
use crate::ctl::parse::Request;
use crate::ctl::reply::Reply;
use crate::stats::field::{Kind, Row};
use crate::stats::render::{csv, json, typed};
use crate::stats::snapshot::{ProxySnapshot, ServerSnapshot};

/// What `show stat` shows.
#[derive(Debug, Default)]
struct Options {
    typed: bool,
    json: bool,
    describe: bool,
    up: bool,
    no_maint: bool,
}

impl Options {
    /// Reads options; other words mean nothing.
    fn parse(words: &[String]) -> Self {
        let mut options = Self::default();
        for word in words {
            match &**word {
                "typed" => (options.typed, options.json) = (true, false),
                "json" => (options.json, options.typed) = (true, false),
                "desc" => options.describe = true,
                "up" => options.up = true,
                "no-maint" => options.no_maint = true,
                _ => {}
            }
        }
        options
    }

    fn shows(&self, server: &ServerSnapshot) -> bool {
        !(self.up && server.status.is_down() || self.no_maint && server.status.is_maintenance())
    }
}

/// Which lines were asked for: proxy, kinds as bits, server. -1 means any.
#[derive(Debug)]
struct Selection {
    proxy: i64,
    kinds: i64,
    server: i64,
}

impl Selection {
    fn shows(&self, row: &Row) -> bool {
        let (proxy, id) = row.identity();
        let server = row.kind() != Kind::Server || self.server == -1 || self.server == i64::from(id);
        (self.proxy == -1 || self.proxy == i64::from(proxy))
            && self.kinds & i64::from(row.kind().bit()) != 0
            && server
    }
}

pub(in crate::ctl) fn run(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let proxies = exec.control.proxies();
    let words = &request.words;
    // The selection is recognised by having all three parts.
    let (selection, rest) = if words.at(4).is_empty() || is_option(words.at(2)) {
        (None, words.from(2))
    } else {
        (Some(selection(&proxies, [words.at(2), words.at(3), words.at(4)])?), words.from(5))
    };
    let options = Options::parse(rest);
    let mut rows: Vec<Row> =
        proxies.iter().flat_map(|proxy| proxy.rows_where(|server| options.shows(server))).collect();
    if let Some(selection) = selection {
        rows.retain(|row| selection.shows(row));
    }
    if exec.state.level == SocketLevel::User {
        rows.iter_mut().for_each(Row::hide_particulars);
    }
    let mut out = String::new();
    if options.json {
        json::rows(&mut out, &rows);
    } else if options.typed {
        rows.iter().for_each(|row| typed::row(&mut out, row, options.describe));
    } else {
        csv::header(&mut out);
        rows.iter().for_each(|row| csv::row(&mut out, row));
    }
    Ok(Reply::dump(out))
}

fn is_option(word: &str) -> bool {
    matches!(word, "typed" | "json" | "desc" | "up" | "no-maint")
}

fn selection(proxies: &[ProxySnapshot], [proxy, kinds, server]: [&str; 3]) -> Result<Selection, Reply> {
    let starts_number = proxy.strip_prefix('-').unwrap_or(proxy).starts_with(|c: char| c.is_ascii_digit());
    let named = proxies.iter().find(|known| known.name.as_str() == proxy).map(|known| i64::from(known.id));
    let proxy = match named {
        Some(id) => id,
        None if starts_number => leading_number(proxy),
        None => return Err(Reply::error("No such proxy.")),
    };
    Ok(Selection { proxy, kinds: leading_number(kinds), server: leading_number(server) })
}

/// The number a word starts with, 0 if it starts with none.
fn leading_number(word: &str) -> i64 {
    let sign = usize::from(word.starts_with('-'));
    let digits = word.bytes().skip(sign).take_while(u8::is_ascii_digit).count();
    word[..sign + digits].parse().unwrap_or(0)
}

pub(in crate::ctl) fn info(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let options = Options::parse(request.words.from(2));
    let info = exec.control.info();
    let mut out = String::new();
    if options.json {
        info.json(&mut out);
    } else if options.typed {
        info.typed(&mut out, options.describe);
    } else {
        info.plain(&mut out, options.describe);
    }
    Ok(Reply::dump(out))
}

pub(in crate::ctl) fn schema(_: &mut Exec<'_>, _: &Request) -> Result<Reply, Reply> {
    Ok(Reply::dump(json::SCHEMA.to_owned()))
}
