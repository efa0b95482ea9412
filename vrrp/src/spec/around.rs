//! What is configured of the program around the router.

use std::time::Duration;

/// Settings of the program around the router, which the router itself does not read: the data files tell them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Around {
    /// The network namespace all of it runs in (`net_namespace`).
    pub namespace: Option<String>,
    /// Its name among several on this machine (`instance`).
    pub instance: Option<String>,
    /// Mails on all changes, as far as said (`smtp_alert`).
    pub mails: Option<bool>,
    /// The same for virtual routers (`smtp_alert_vrrp`).
    pub router_mails: Option<bool>,
    /// The same for services (`smtp_alert_checker`).
    pub service_mails: Option<bool>,
    /// No mails about single checks of services (`no_checker_emails`).
    pub no_check_mails: bool,
    /// Every failed check of a service is logged (`checker_log_all_failures`).
    pub log_all_failures: bool,
    /// The first states of servers are told like changes (`rs_init_notifies`).
    pub tell_first_states: bool,
    /// Time after which an idle connection through a service ends (`lvs_timeouts tcp`).
    pub idle: Option<Duration>,
    /// The same for one that is half closed (`lvs_timeouts tcpfin`).
    pub half_closed: Option<Duration>,
    /// Time after which a silent exchange of datagrams is forgotten (`lvs_timeouts udp`).
    pub datagrams: Option<Duration>,
}
