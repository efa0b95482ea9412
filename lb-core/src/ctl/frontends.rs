//! Commands about one frontend.

use super::catalogue::Exec;
use super::control::{ControlError, FrontendChange, Proxy};
use super::parse::Request;
use super::reply::Reply;
use super::server::refusal;
use crate::name::ProxyName;

pub(super) fn enable(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    toggle(exec, request, FrontendChange::Enable, "enable")
}

pub(super) fn disable(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    toggle(exec, request, FrontendChange::Disable, "disable")
}

pub(super) fn shutdown(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let frontend = find(exec, request.words.at(2))?;
    change(exec, &frontend, FrontendChange::Shutdown).map_err(|refused| refusal(&refused))
}

pub(super) fn set_maxconn(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let frontend = find(exec, request.words.at(3))?;
    let limit = super::process::number(request.words.at(4), "Integer value expected.")?;
    change(exec, &frontend, FrontendChange::Maxconn(limit)).map_err(|refused| refusal(&refused))
}

fn toggle(exec: &Exec<'_>, request: &Request, wanted: FrontendChange, verb: &str) -> Result<Reply, Reply> {
    let frontend = find(exec, request.words.at(2))?;
    change(exec, &frontend, wanted).map_err(|refused| match refused {
        ControlError::Unchanged => Reply::error(format!("All sockets are already {verb}d.")),
        ControlError::ShutDown => Reply::error(format!("Frontend was previously shut down, cannot {verb}.")),
        refused => refusal(&refused),
    })
}

fn change(exec: &Exec<'_>, frontend: &ProxyName, wanted: FrontendChange) -> Result<Reply, ControlError> {
    exec.control.change_frontend(frontend, wanted).map(|()| Reply::empty())
}

fn find(exec: &Exec<'_>, word: &str) -> Result<ProxyName, Reply> {
    if word.is_empty() {
        return Err(Reply::error("A frontend name is expected."));
    }
    exec.control.find_frontend(Proxy::parse(word)).ok_or_else(|| Reply::error("No such frontend."))
}
