//! Commands about the process and about the connection itself.

use super::catalogue::Exec;
use super::control::{GlobalChange, SocketLevel};
use super::parse::Request;
use super::reply::{Reply, Severity};
use super::server::{find, refusal};
use super::session::{Mode, SeverityOutput, Until, Wait};
use std::time::Duration;

pub(super) fn clear_counters(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let all = request.words.at(2) == "all";
    if all {
        exec.admin()?;
    }
    exec.control.clear_counters(all);
    Ok(Reply::empty())
}

pub(super) fn echo(_: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    Ok(Reply::info(request.words.from(1).join(" ") + "\n"))
}

pub(super) fn set_maxconn(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let limit = number(request.words.at(3), "Expects an integer value.")?;
    if limit > exec.control.info().hard_maxconn {
        return Err(Reply::error("Value out of range."));
    }
    change(exec, GlobalChange::Maxconn(limit))
}

const RATE_LIMITS: &str = "'set rate-limit' only supports :
   - 'connections global' to set the per-process maximum connection rate
   - 'sessions global' to set the per-process maximum session rate
   - 'ssl-sessions global' to set the per-process maximum SSL session rate
   - 'http-compression global' to set the per-process maximum compression speed in kB/s
";

pub(super) fn set_rate_limit(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let words = &request.words;
    let change_to: fn(u32) -> GlobalChange = match (words.at(2), words.at(3)) {
        ("connections", "global") => GlobalChange::ConnectionRate,
        ("sessions", "global") => GlobalChange::SessionRate,
        ("ssl-sessions", "global") => GlobalChange::TlsRate,
        ("http-compression", "global") => {
            |kilobytes| GlobalChange::CompressionRate(kilobytes.saturating_mul(1024))
        }
        _ => return Err(Reply::error(RATE_LIMITS)),
    };
    let limit = number(words.at(4), "Expects an integer value.")?;
    change(exec, change_to(limit))
}

fn change(exec: &Exec<'_>, change: GlobalChange) -> Result<Reply, Reply> {
    exec.control.change_global(change).map_err(|refused| refusal(&refused))?;
    Ok(Reply::empty())
}

/// A number that is not negative. A word without digits is refused, unlike in HAProxy, which takes it for 0 and so
/// turns a slip of the pen into "no connections at all".
pub(super) fn number(word: &str, missing: &str) -> Result<u32, Reply> {
    if word.is_empty() {
        return Err(Reply::error(missing));
    }
    let out_of_range = || Reply::error("Value out of range.");
    match word.parse::<i64>() {
        Ok(number) => u32::try_from(number).map_err(|_| out_of_range()),
        Err(_) if word.bytes().all(|byte| byte.is_ascii_digit()) => Err(out_of_range()),
        Err(_) => Err(Reply::error(missing)),
    }
}

pub(super) fn set_timeout(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    match (request.words.at(2), request.words.at(3)) {
        ("cli", "") => Err(Reply::error("Expects an integer value.")),
        ("cli", delay) => {
            let timeout = duration(delay, 1_000_000).filter(|timeout| !timeout.is_zero());
            exec.state.timeout = Some(timeout.ok_or_else(|| Reply::error("Invalid timeout value."))?);
            Ok(Reply::empty())
        }
        _ => Err(Reply::error("'set timeout' only supports 'cli'.")),
    }
}

/// A number with an optional unit; `default` is the number of microseconds of a number without one.
pub(super) fn duration(word: &str, default: u64) -> Option<Duration> {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = word.split_at(digits);
    let micros = match unit {
        "" => default,
        "us" => 1,
        "ms" => 1000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(micros).map(Duration::from_micros)
}

pub(super) fn severity_output(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    exec.state.severity = match request.words.at(2) {
        "none" => SeverityOutput::None,
        "number" => SeverityOutput::Number,
        "string" => SeverityOutput::Word,
        _ => return Err(Reply::error("one of 'none', 'number', 'string' is a required argument")),
    };
    Ok(Reply::empty())
}

pub(super) fn operator(exec: &mut Exec<'_>, _: &Request) -> Result<Reply, Reply> {
    exec.state.level = exec.state.level.min(SocketLevel::Operator);
    Ok(Reply::empty())
}

pub(super) fn user(exec: &mut Exec<'_>, _: &Request) -> Result<Reply, Reply> {
    exec.state.level = SocketLevel::User;
    Ok(Reply::empty())
}

pub(super) fn expert_mode(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    switch(&mut exec.state.expert, "expert-mode", request.words.at(1))
}

pub(super) fn experimental_mode(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    switch(&mut exec.state.experimental, "experimental-mode", request.words.at(1))
}

fn switch(flag: &mut bool, name: &str, word: &str) -> Result<Reply, Reply> {
    match word {
        "" => return Ok(Reply::info(format!("{name} is {}", if *flag { "ON" } else { "OFF" }))),
        word => *flag = word == "on",
    }
    Ok(Reply::empty())
}

const PROMPT: &str = "Usage: prompt [help | n | i | p | timed]*
Changes how this connection takes commands:
  help    display this help
  n       one line of commands, then close
  i       any number of lines, without a prompt
  p       any number of lines, with a prompt
  timed   show the time since the start in the prompt, or stop showing it
Without any argument, switches between p and the others.
";

pub(super) fn prompt(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    if request.words.len() == 1 {
        exec.state.mode = if exec.state.mode == Mode::Prompt { Mode::Single } else { Mode::Prompt };
    }
    for word in request.words.from(1) {
        match &**word {
            "n" => exec.state.mode = Mode::Single,
            "i" => exec.state.mode = Mode::Interactive,
            "p" => exec.state.mode = Mode::Prompt,
            "timed" => {
                exec.state.timed = !exec.state.timed;
                if exec.state.timed {
                    exec.state.mode = Mode::Prompt;
                }
            }
            "help" => return Ok(Reply::info(PROMPT)),
            _ => return Err(Reply::error(PROMPT)),
        }
    }
    Ok(Reply::empty())
}

pub(super) fn quit(exec: &mut Exec<'_>, _: &Request) -> Result<Reply, Reply> {
    exec.state.quit = true;
    Ok(Reply::empty())
}

const WAIT: &str = "Usage: wait {-h|<duration>} [srv-removable <backend>/<server>]
  -h          display this help
  <duration>  how long to wait, in milliseconds unless a unit follows: us, ms, s, m, h, d
  srv-removable <backend>/<server>  wait no longer than until this server can be removed
";

pub(super) fn wait(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    match request.words.at(1) {
        "" => Err(Reply::error("Expects a duration in milliseconds.")),
        "-h" => Ok(Reply::message(Severity::Notice, WAIT)),
        delay => {
            let delay = duration(delay, 1000).ok_or_else(|| Reply::error("Invalid duration."))?;
            let until = match (request.words.at(2), request.words.at(3)) {
                ("", _) => Until::Time,
                ("srv-removable", "") => {
                    return Err(Reply::error("Missing server name (<backend>/<server>)."));
                }
                ("srv-removable", word) => {
                    let (backend, server) = find(exec.control, word)?;
                    Until::Removable(backend, server)
                }
                _ => return Err(Reply::error(WAIT)),
            };
            exec.state.wait = Some(Wait { limit: delay, until });
            Ok(Reply::empty())
        }
    }
}

pub(super) fn shutdown_session(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let id = session_id(request.words.at(2));
    let id = id.ok_or_else(|| Reply::error("Session pointer expected (use 'show sess')."))?;
    match exec.control.shutdown_session(id) {
        true => Ok(Reply::empty()),
        false => Err(Reply::error("No such session (use 'show sess').")),
    }
}

/// A session as `show sess` names it, `0x2a`.
pub(super) fn session_id(word: &str) -> Option<u64> {
    let digits = word.strip_prefix("0x")?;
    // The parser would accept a sign.
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u64::from_str_radix(digits, 16).ok())?
}
