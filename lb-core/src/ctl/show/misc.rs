//! The shorter `show` commands.

use crate::ctl::catalogue::Exec;
use crate::ctl::parse::Request;
use crate::ctl::reply::Reply;
use std::fmt::Write;

pub(in crate::ctl) fn backends(exec: &mut Exec<'_>, _: &Request) -> Result<Reply, Reply> {
    let mut out = "# name\n".to_owned();
    for proxy in exec.control.proxies().iter().filter(|proxy| proxy.capability.is_backend()) {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{}", proxy.name);
    }
    Ok(Reply::dump(out))
}

pub(in crate::ctl) fn cli_level(exec: &mut Exec<'_>, _: &Request) -> Result<Reply, Reply> {
    Ok(Reply::info(exec.state.level.word()))
}

pub(in crate::ctl) fn cli_sockets(exec: &mut Exec<'_>, _: &Request) -> Result<Reply, Reply> {
    let mut out = "# socket lvl processes\n".to_owned();
    for socket in exec.control.sockets() {
        let _ = writeln!(out, "{} {} all", socket.addr, socket.level.word());
    }
    Ok(Reply::dump(out))
}

pub(in crate::ctl) fn environment(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let wanted = request.words.at(2);
    let variables = exec.control.environment();
    let mut out = String::new();
    for (name, value) in variables.iter().filter(|(name, _)| wanted.is_empty() || name == wanted) {
        let _ = writeln!(out, "{name}={value}");
    }
    if out.is_empty() && !wanted.is_empty() {
        return Err(Reply::error("Variable not found"));
    }
    Ok(Reply::dump(out))
}

pub(in crate::ctl) fn startup_logs(exec: &mut Exec<'_>, _: &Request) -> Result<Reply, Reply> {
    let logs = exec.control.startup_logs();
    Ok(if logs.is_empty() { Reply::info("No startup alerts/warnings.") } else { Reply::dump(logs) })
}

pub(in crate::ctl) fn version(exec: &mut Exec<'_>, _: &Request) -> Result<Reply, Reply> {
    Ok(Reply::dump(exec.control.info().version))
}
