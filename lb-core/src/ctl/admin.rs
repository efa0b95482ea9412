//! Actions of the statistics page, carried out by the engine of the commands.

use super::control::{Control, Proxy, ServerChange};
use crate::name::ProxyName;
use crate::stats::admin::{Action, Admin, Target};

/// Lets the statistics page act through a [`Control`].
#[expect(clippy::exhaustive_structs, reason = "a view of the one thing it holds")]
pub struct ControlAdmin<'a>(pub &'a dyn Control);

impl std::fmt::Debug for ControlAdmin<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ControlAdmin").finish_non_exhaustive()
    }
}

impl Admin for ControlAdmin<'_> {
    fn backend(&self, target: &Target) -> Option<String> {
        let proxy = match target {
            Target::Id(id) => Proxy::Id(*id),
            Target::Name(name) => Proxy::Name(name),
        };
        self.0.find_backend(proxy).map(|name| name.to_string())
    }

    fn act(&self, backend: &str, server: &str, action: Action) -> bool {
        let backend = ProxyName::from(backend);
        let Some(server) = self.0.find_server(&backend, Proxy::Name(server)) else {
            return false;
        };
        let change = match action {
            Action::Ready => ServerChange::Ready,
            Action::Drain | Action::Stop => ServerChange::Drain,
            Action::Maint | Action::Disable => ServerChange::Maint,
            Action::Enable => ServerChange::LeaveMaint,
            Action::Start => ServerChange::LeaveDrain,
            Action::DisableHealth => ServerChange::HealthChecks(false),
            Action::EnableHealth => ServerChange::HealthChecks(true),
            Action::HealthUp => ServerChange::HealthUp,
            Action::HealthNolb => ServerChange::HealthStopping,
            Action::HealthDown => ServerChange::HealthDown,
            Action::DisableAgent => ServerChange::AgentChecks(false),
            Action::EnableAgent => ServerChange::AgentChecks(true),
            Action::AgentUp => ServerChange::Agent(true),
            Action::AgentDown => ServerChange::Agent(false),
            Action::Shutdown => {
                self.0.shutdown_server_sessions(&backend, &server);
                return true;
            }
        };
        // The page only distinguishes servers that exist: an action that does not apply changes nothing.
        let _ = self.0.change_server(&backend, &server, change);
        true
    }
}
