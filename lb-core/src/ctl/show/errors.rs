//! `show errors`: the last messages that could not be understood, with the byte where understanding ended.

use crate::ctl::catalogue::Exec;
use crate::ctl::control::CapturedError;
use crate::ctl::parse::Request;
use crate::ctl::reply::Reply;
use std::fmt::Write;

/// Bytes shown on one line.
const WIDTH: usize = 60;

pub(in crate::ctl) fn run(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let wanted = proxy(exec, request.words.at(2))?;
    let direction = request.words.at(3);
    let (count, errors) = exec.control.errors();
    let mut out = format!("Total events captured on [{}] : {count}\n", exec.control.date());
    for error in errors {
        let by_proxy = wanted.is_none_or(|id| id == error.proxy_id);
        let by_direction = match direction {
            "request" => !error.response,
            "response" => error.response,
            _ => true,
        };
        if by_proxy && by_direction {
            show(&mut out, &error);
        }
    }
    Ok(Reply::dump(out))
}

fn proxy(exec: &Exec<'_>, word: &str) -> Result<Option<u32>, Reply> {
    if word.is_empty() || word == "-1" {
        return Ok(None);
    }
    if let Ok(id) = word.parse() {
        return Ok(Some(id));
    }
    let proxies = exec.control.proxies();
    let found = proxies.iter().find(|proxy| proxy.name.as_str() == word);
    found.map(|proxy| Some(proxy.id)).ok_or_else(|| Reply::error("No such proxy."))
}

fn show(out: &mut String, error: &CapturedError) {
    let side = |side: &Option<(String, u32)>| {
        side.as_ref().map_or_else(|| "<NONE> (#-1)".to_owned(), |(name, id)| format!("{name} (#{id})"))
    };
    let (own, other, what) = match error.response {
        true => ("backend", "frontend", "response"),
        false => ("frontend", "backend", "request"),
    };
    // Writing to a string cannot fail.
    let _ = writeln!(out, "\n[{}] {own} {} (#{}): invalid {what}", error.date, error.proxy, error.proxy_id);
    let _ = writeln!(
        out,
        "  {other} {}, server {}, event #{}, src {}",
        side(&error.other),
        side(&error.server),
        error.event,
        error.source
    );
    let _ = writeln!(out, "  {} bytes, error at position {}:\n", error.bytes.len(), error.position);
    dump(out, &error.bytes);
}

/// Appends bytes as text: a new line after each line end, positions in front, escapes for what cannot be seen, `+` where
/// a line goes on.
fn dump(out: &mut String, bytes: &[u8]) {
    let mut position = 0;
    while position < bytes.len() {
        let continued = position > 0 && bytes[position - 1] != b'\n';
        let _ = write!(out, "  {position:05}{} ", if continued { '+' } else { ' ' });
        let start = position;
        while position < bytes.len() && position - start < WIDTH {
            let byte = bytes[position];
            position += 1;
            match byte {
                b'\\' => out.push_str("\\\\"),
                b'\t' => out.push_str("\\t"),
                b'\r' => out.push_str("\\r"),
                b'\n' => out.push_str("\\n"),
                0x1b => out.push_str("\\e"),
                b' '..=b'~' => out.push(char::from(byte)),
                byte => {
                    let _ = write!(out, "\\x{byte:02X}");
                }
            }
            if byte == b'\n' {
                break;
            }
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_line_by_line_with_positions() {
        let mut out = String::new();
        let bytes = [&b"GET /\xff HTTP/1.1\r\nx"[..], &[b'y'; 70]].concat();
        dump(&mut out, &bytes);
        let lines: Vec<_> = out.lines().collect();
        assert_eq!(lines[0], "  00000  GET /\\xFF HTTP/1.1\\r\\n");
        assert!(lines[1].starts_with("  00017  xyyy"));
        assert_eq!(lines[2], format!("  00077+ {}", "y".repeat(11)));
    }
}
