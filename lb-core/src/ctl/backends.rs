//! Commands about backends as a whole.

use super::catalogue::Exec;
use super::control::{BackendChange, Proxy};
use super::parse::Request;
use super::reply::Reply;
use super::server::refusal;

pub(super) fn publish(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    change(exec, request, BackendChange::Publish, "Backend published.")
}

pub(super) fn unpublish(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    change(exec, request, BackendChange::Unpublish, "Backend unpublished.")
}

fn change(exec: &Exec<'_>, request: &Request, change: BackendChange, done: &str) -> Result<Reply, Reply> {
    let backend = exec.control.find_backend(Proxy::parse(request.words.at(2)));
    let backend = backend.ok_or_else(|| Reply::error("No such backend."))?;
    exec.control.change_backend(&backend, change).map_err(|refused| refusal(&refused))?;
    Ok(Reply::info(done))
}
