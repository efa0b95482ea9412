//! `get var` and `set var`: the variables of the process.

use super::catalogue::Exec;
use super::parse::Request;
use super::reply::Reply;
use crate::expr::{OwnedSample, Sample, Scope, VarName};
use std::fmt::Write;

pub(super) fn get(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let name = request.words.at(2);
    if name.is_empty() {
        return Err(Reply::error("Missing process-wide variable identifier."));
    }
    let variable = VarName::parse(name).ok().filter(|name| name.scope() == Scope::Process);
    let value = variable.and_then(|name| exec.control.variable(name.name()));
    let value = value.ok_or_else(|| Reply::error("Variable not found."))?;
    Ok(Reply::info(format!("{name}: type={} value=<{}>\n", value.as_sample().ty().name(), text(&value))))
}

/// The value in words: numbers and addresses as such, bytes in hexadecimal, text with unprintable bytes escaped.
fn text(value: &OwnedSample) -> String {
    let mut out = String::new();
    match value.as_sample() {
        Sample::Bool(value) => out.push(if value { '1' } else { '0' }),
        Sample::Bin(bytes) => {
            for byte in bytes {
                // Writing to a string cannot fail.
                let _ = write!(out, "{byte:02x}");
            }
        }
        other => {
            let mut bytes = Vec::new();
            other.write_text(&mut bytes);
            out.push_str(&bytes.escape_ascii().to_string());
        }
    }
    out
}

pub(super) fn set(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    if !exec.state.experimental {
        return Err(Reply::error("This command is restricted to experimental mode only."));
    }
    let name = request.words.at(2);
    if name.is_empty() {
        return Err(Reply::error("Missing process-wide variable identifier."));
    }
    let (format, words) = match (request.words.at(3), request.words.from(4)) {
        ("", _) => return Err(Reply::error("Missing either 'expr', 'fmt' or expression.")),
        ("expr", words @ [_, ..]) => (false, words),
        ("fmt", words @ [_, ..]) => (true, words),
        _ => (false, request.words.from(3)),
    };
    let variable = VarName::parse(name).map_err(|message| Reply::error(format!("'set var': {message}.")))?;
    if variable.scope() != Scope::Process {
        let text = format!("'set var': cannot set variable '{name}', only scope 'proc' is permitted here.");
        return Err(Reply::error(text));
    }
    let done = exec.control.set_variable(&variable, words, format);
    done.map(|()| Reply::empty()).map_err(|refused| Reply::error(refused.to_string()))
}
