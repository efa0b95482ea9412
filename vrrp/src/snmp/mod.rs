//! SNMP notifications of state changes, through a master agent that speaks AgentX (RFC 2741).
//!
//! [`mib`] says what a change is in the words of KEEPALIVED-MIB, VRRP-MIB (RFC 2787) and VRRPV3-MIB (RFC 6527),
//! [`agentx`] brings it to the master agent. Notifications are all there is: no subtree is registered, so that nothing can
//! be asked.

pub mod agentx;
pub mod mib;
