//! What the data file tells of a configuration: `tests/golden/data/*.conf` beside the texts. `UPDATE_GOLDEN=1` rewrites them.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use cfg_keepalived::{Config, NoIncludes, StaticEnv, Watch, load, lower};
use lb_core::health::ServerHealth;
use vrrp::event::{Admin, InterfaceAddress, Link};
use vrrp::spec::{Prefix, Spec};
use vrrp::{Input, Router, dump};

fn stored(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/data").join(name)
}

/// A file of which nothing has to be said but where it is taken with a difference.
fn config(name: &str) -> Config {
    let text = std::fs::read_to_string(stored(name)).unwrap();
    let loaded = load(name, &text, &mut NoIncludes, &StaticEnv::new("node"));
    let notices = loaded.diagnostics.iter().filter(|said| said.compat.is_some());
    let said: Vec<&String> = notices.map(|said| &said.message).collect();
    assert!(said.is_empty(), "{said:#?}");
    loaded.config
}

fn spec() -> Spec {
    lower(&config("rich.conf"), &StaticEnv::new("node")).spec
}

fn compare(name: &str, text: &str) {
    let path = stored(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(before == text, "{name} differs; run with UPDATE_GOLDEN=1 and look at the difference\n{text}");
}

#[expect(clippy::disallowed_methods, reason = "a virtual clock needs one real instant to begin with")]
fn started(spec: &Spec) -> (Router, Instant) {
    let now = Instant::now();
    let mut router = Router::new(spec.clone()).unwrap();
    for (name, index, address) in [("eth0", 2, "10.0.0.1"), ("eth1", 3, "2001:db8::1"), ("vrrp.51", 4, "")] {
        let mut link = Link::new(name, true);
        link.index = Some(index);
        link.mac = Some([2, 0, 0, 0, 0, index as u8]);
        link.mtu = Some(1500);
        router.handle_input(now, Input::Link(link));
        if let Ok(address) = address.parse() {
            let on = InterfaceAddress::new(name, Prefix::new(address, 24));
            router.handle_input(now, Input::AddressAdded(on));
        }
    }
    router.handle_input(now, Input::Admin(Admin::Start));
    (router, now)
}

#[test]
fn the_data_file_tells_everything_that_is_configured() {
    let spec = spec();
    let (router, now) = started(&spec);
    let text = dump::data(&spec, &router.snapshot(now), Duration::from_secs(1_795_372_985), 0);
    compare("rich.data", &text);
}

#[test]
fn the_data_file_about_services_tells_what_is_configured_and_who_is_up() {
    let env = StaticEnv::new("node");
    let mut watch = Watch::new(&config("services.conf"), &env);
    let service = "[10.9.0.100]:tcp:80";
    let mut known = |server: &str, up| drop(watch.heard(service, &ServerHealth::new(server, up)));
    known("10.9.0.11:80", true);
    known("10.9.0.12:80", true);
    known("10.9.0.12:80", false);
    compare("services.data", &watch.data().unwrap());
    assert_eq!(Watch::new(&config("rich.conf"), &env).data(), None);
}
