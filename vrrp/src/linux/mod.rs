//! The Linux hands of the router: raw sockets, rtnetlink, announcements, scripts, and the run loop around them.
//!
//! ```no_run
//! use vrrp::linux::{Driver, Event, Options};
//! use vrrp::spec::{Instance, Prefix, Spec, VirtualAddress};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let mut spec = Spec::new();
//! let mut instance = Instance::new("VI_1", 51, &spec.global);
//! instance.interface = Some("eth0".into());
//! instance.addresses.push(VirtualAddress::new(Prefix::host("10.0.0.200".parse()?)));
//! spec.instances.push(instance);
//!
//! let (driver, handle) = Driver::new(spec, Options::default(), |event| {
//!     if let Event::Log(log) = event {
//!         println!("{}", log.text);
//!     }
//! })?;
//! // Elsewhere: `handle.admin(Admin::Shutdown).await` ends it, `handle.reload(spec).await` changes it.
//! driver.run().await?;
//! # drop(handle);
//! # Ok(())
//! # }
//! ```
//!
//! Everything runs on the task that calls [`Driver::run`](Driver::run), which a single-threaded runtime
//! serves best, with three exceptions that may block: changes of the kernel's tables and the announcements that
//! follow them have a thread of their own, each running script has one, and the look at processes has one if
//! processes are tracked.
//!
//! Needs Linux 5.4 or later with CAP_NET_ADMIN and CAP_NET_RAW; for scripts that run as somebody else also CAP_SETUID,
//! CAP_SETGID and CAP_KILL, and for real-time scheduling and locked memory CAP_SYS_NICE and CAP_IPC_LOCK.

#![expect(clippy::disallowed_methods, reason = "drivers read the clock")]
mod ancillary;
mod bfd;
mod clock;
pub mod control;
mod credentials;
mod driver;
mod effects;
mod files;
mod firewall;
mod handle;
mod hands;
mod iproute;
mod links;
mod netlink;
mod notify;
mod processes;
mod program;
mod rivals;
mod schedule;
mod security;
mod socket;
mod sys;
mod timer;
mod traps;
mod tuning;
mod vmac;

pub use driver::Driver;
pub use handle::{Event, Handle, Options, ReloadError, StartError};
pub use iproute::Iproute;
pub use links::is_vrf;
pub use security::is_runnable;
